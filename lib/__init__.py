"""Helpers behind the notebooks of the GPT-2 text generation report."""

import os
from pathlib import Path

# Without `HOME`, and with a user that the system does not know (in a container), libraries fail when they are imported.
# With this they find nothing there, and go on.
try:
    Path.home()
except (KeyError, RuntimeError):
    os.environ["HOME"] = os.sep
