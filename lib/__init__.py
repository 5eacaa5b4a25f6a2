"""Helpers behind the notebooks of the GPT-2 text generation report."""

import os
import sys
from pathlib import Path

_excepthook = sys.excepthook


def _interrupted_quietly(kind, error, trace):
    """Print a line in place of a traceback for Ctrl+C while a command still imports what it needs."""
    if not issubclass(kind, KeyboardInterrupt):
        return _excepthook(kind, error, trace)
    print("Interrupted before anything was started.", file=sys.stderr)


sys.excepthook = _interrupted_quietly

# Without `HOME`, and with a user that the system does not know (in a container), libraries fail when they are imported.
# With this they find nothing there, and go on.
try:
    Path.home()
except (KeyError, RuntimeError):
    os.environ["HOME"] = os.sep

# jsonschema, which reading notebooks needs, would import this to check addresses in other alphabets. Nothing here has
# any, and its grammar takes most of a second to build: half of what `make render` and `--help` take.
sys.modules.setdefault("rfc3987_syntax", None)

# pypinyin reads a dictionary of 47,000 phrases when it is imported, for a third of a second. Here it is asked for the
# reading of one character at a time.
os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
