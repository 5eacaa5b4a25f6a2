"""Read notebooks, and report in one line a file that is none."""

from pathlib import Path

import nbformat

from lib.core import paths
from lib.core.errors import UserError

VERSION = 4  # of the format


def read(file: Path) -> nbformat.NotebookNode:
    """Read a notebook.

    Args:
        file: The file.

    Raises:
        UserError: If it cannot be read, or is not a notebook, as after a merge with conflicts.
    """
    where = paths.shown(file)
    try:
        notebook = nbformat.reads(file.read_text(encoding="utf-8"), as_version=VERSION)
        nbformat.validate(notebook)
    except OSError as error:
        raise UserError(
            f"{where} cannot be read: {error.strerror}. Check that it is there, and its permissions."
        ) from None
    except Exception:  # nbformat raises errors of several libraries, and some by mistakes of its own
        raise UserError(
            f"{where} is not a notebook: it is cut off, damaged, or holds the marks of a merge. Restore it with git."
        ) from None
    return notebook
