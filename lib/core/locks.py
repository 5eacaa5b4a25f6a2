"""Let one process at a time write the reports of a profile."""

import contextlib
import fcntl
from pathlib import Path


@contextlib.contextmanager
def only_one(outputs: Path):
    """Hold the lock of a profile's outputs; wait for it if a notebook runs or pages are being made.

    Args:
        outputs: The profile's folder.
    """
    with open(outputs / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another notebook of this profile is running; waiting for it.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
