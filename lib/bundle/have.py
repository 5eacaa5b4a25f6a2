"""Read the list of the packages that the target has."""

import re
from pathlib import Path

from lib.core import paths
from lib.core.errors import UserError

LINE = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:==\s*([^\s;@]+)|@\s*\S.*)?\s*")


def canonical(name: str) -> str:
    """Return a package's name as it is compared: in lower case, `-` for any of `-`, `_` and `.` (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(file: Path) -> dict[str, str]:
    """Read what `pip list --format=freeze` or `pip freeze` printed on the target.

    Args:
        file: A line `name==version` for each package. A name alone stands for a package whose version is not known.
            Comments, empty lines, and packages installed from a checkout (`-e`) are skipped.

    Returns:
        The versions by canonical name; `""` where none is given.

    Raises:
        UserError: If the file cannot be read, or holds another line.
    """
    where = paths.on_terminal(file)
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"HAVE is {where}, which cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"HAVE is {where}, which is not UTF-8. Save it as UTF-8.") from None
    found = {}
    for number, line in enumerate(lines, start=1):
        text = line.split(" #")[0].strip()
        if not text or text.startswith(("#", "-")):
            continue
        if not (match := LINE.fullmatch(text)):
            raise UserError(
                f"HAVE is {where}, whose line {number} is {text[:60]!r}, not name==version. Write it on the target "
                "with `python3 -m pip list --format=freeze > list.txt`."
            )
        found[canonical(match[1])] = match[2] or ""
    return found
