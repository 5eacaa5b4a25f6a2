"""Run the commands, `python -m lib.…`: how all of them end and print errors."""

import contextlib
import errno
import os
import re
import signal
import sys
from collections.abc import Callable

from lib.core import imports, redaction
from lib.core.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT)
MENDABLE = (
    *FULL,
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV, errno.EIO, errno.ESTALE, errno.ENOLCK),
    *(errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP, errno.ENAMETOOLONG, errno.EFBIG, errno.ENOTSUP),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),
)
NO_SPACE = re.compile("No space left on device|Disk quota exceeded")  # the wording that all libraries share
DISK_FULL = (
    "The disk is full{where}. Free some space (`make cache` lists what downloads take), or name folders on another "
    "disk in REPORT_OUTPUTS and REPORT_CACHE."
)
INTERRUPTED = 130
INTERRUPTED_LINE = "Interrupted; all reports that were finished are there."
interrupted = False  # whether a signal has told this process to stop
UNREAD = 141  # the status of a command whose reader, such as `head`, has ended


def run(main: Callable[[], int]) -> int:
    """Run a command, and turn an error that the user can fix into one line and status 2. Its process ends at once.

    SIGTERM, and the end of the terminal, count as Ctrl+C, so that unfinished work is cleaned up. Characters that the
    terminal's encoding lacks are printed as escapes.

    Args:
        main: The command. It returns its exit status.

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    imports.leave_at_once()
    try:
        with _interrupted_by("SIGINT", "SIGTERM", "SIGHUP"):
            return main()
    except UserError as error:
        return fail(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # discards buffered output
        return UNREAD
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        return fail(of_system(error))
    except KeyboardInterrupt:
        print(INTERRUPTED_LINE, file=sys.stderr)
        return INTERRUPTED


@contextlib.contextmanager
def _interrupted_by(*names: str):
    """Let signals interrupt this process as Ctrl+C does."""

    def interrupt(*_):
        global interrupted
        interrupted = True
        raise KeyboardInterrupt

    handled = {}
    with contextlib.suppress(ValueError):  # outside the main thread
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            if signal.getsignal(number) != signal.SIG_IGN:  # as SIGINT for a job in the background
                handled[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, before in handled.items():
            signal.signal(number, before)


def fail(message: str, status: int = 2) -> int:
    """Print an error in one line. Return the exit status."""
    print(redaction.clean(f"error: {' '.join(message.split())}"), file=sys.stderr)
    return status


def of_system(error: OSError) -> str:
    """Describe an error of the operating system, and how to fix it."""
    where = f" ({error.filename})" if error.filename else ""
    return DISK_FULL.format(where=where) if error.errno in FULL else f"{error.strerror or error}{where}."
