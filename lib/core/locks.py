"""Let one process at a time write the reports of a profile."""

import contextlib
import fcntl
from pathlib import Path

from lib.core import paths
from lib.core.errors import UserError


@contextlib.contextmanager
def only_one(outputs: Path, told: str = "Another notebook of this profile is running; waiting for it."):
    """Hold the lock of a profile's outputs; wait for it if a notebook runs or pages are being made. Yield its file.

    Args:
        outputs: The profile's folder.
        told: What is said if it has to wait.

    Raises:
        UserError: If the file system has no locks.
    """
    with open(outputs / ".lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(told, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise UserError(
                f"{paths.on_terminal(outputs)} is on a file system that has no locks ({error.strerror}), which keep "
                "two runs from spoiling each other. Name a folder on another one in REPORT_OUTPUTS."
            ) from None
        yield lock
