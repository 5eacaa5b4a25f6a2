"""What all commands, `python -m lib.…`, have in common: how they end, and how they print."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable

from lib.core import redaction
from lib.core.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT)
MENDABLE = (*FULL, errno.EACCES, errno.EPERM, errno.EROFS)
DISK_FULL = (
    "The disk is full{where}. Free some space (`make cache` lists what downloads take), or name folders on another "
    "disk in REPORT_OUTPUTS and REPORT_CACHE."
)
INTERRUPTED = 130
UNREAD = 141  # the status of a command whose reader, such as `head`, has gone


def run(main: Callable[[], int]) -> int:
    """Runs a command, and turns what a user can mend into one line and status 2.

    SIGTERM, and the end of the terminal, count as Ctrl+C, so that what was begun is cleared away. Characters that the
    terminal's encoding lacks are printed as escapes.

    Args:
        main: The command. It returns its exit status.

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _interrupted_by("SIGTERM", "SIGHUP"):
            return main()
    except UserError as error:
        return fail(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        return UNREAD
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        return fail(of_system(error))
    except KeyboardInterrupt:
        print("Interrupted; the reports that were there are as they were.", file=sys.stderr)
        return INTERRUPTED


@contextlib.contextmanager
def _interrupted_by(*names: str):
    """Has signals interrupt this process as Ctrl+C does."""

    def interrupt(*_):
        raise KeyboardInterrupt

    handled = {}
    with contextlib.suppress(ValueError):  # outside the main thread
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            handled[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, before in handled.items():
            signal.signal(number, before)


def fail(message: str, status: int = 2) -> int:
    """Prints an error in one line. Returns the exit status."""
    print(redaction.clean(f"error: {' '.join(message.split())}"), file=sys.stderr)
    return status


def of_system(error: OSError) -> str:
    """What the system refused, in words, and what to do."""
    where = f" ({error.filename})" if error.filename else ""
    return DISK_FULL.format(where=where) if error.errno in FULL else f"{error.strerror or error}{where}."
