"""List and clear the download cache.

`python -m lib.data.cache` (`make cache`) lists it, and `--clean` (`make clean-cache`) clears it. This module needs only
the standard library, so it also works without the project's environment.
"""

import contextlib
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lib.core import command_line, paths
from lib.core.errors import UserError

UNFINISHED = "unfinished"  # the folder for scratch folders
TRAININGS = "trainings"  # the folder for trainings that are kept until their report is published
KEPT_DAYS = 14


def contents() -> list[tuple[str, int]]:
    """Return the names and sizes, in bytes, of the cache's entries, the largest first."""
    entries = [entry for entry in paths.cache().iterdir() if entry.name != paths.CACHE_MARK]
    return sorted(((entry.name, paths.size(entry)) for entry in entries), key=lambda row: -row[1])


@contextlib.contextmanager
def swept() -> Iterator[Path]:
    """Remove the scratch folders that killed processes left in the cache, and yield the folder that holds them.

    A scratch folder is left by a killed process if nobody holds the lock of its file `.lock`. While the folder is
    yielded, no other process makes or removes a scratch folder.
    """
    base = paths.cache() / UNFINISHED
    base.mkdir(exist_ok=True)
    with open(base / ".lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        for left in filter(Path.is_dir, base.iterdir()):
            with contextlib.suppress(OSError), open(left / ".lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails as long as its process lives
                shutil.rmtree(left, ignore_errors=True)
        yield base


def forget_old_trainings() -> None:
    """Remove the trainings that interrupted runs have kept, and that no run has gone on with for `KEPT_DAYS`."""
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    for file in (paths.cache() / TRAININGS).glob("*/*"):
        with contextlib.suppress(OSError):  # another process was quicker
            if file.stat().st_mtime < oldest:
                file.unlink()


def clean() -> int:
    """Remove everything in the cache.

    Returns:
        The number of bytes freed.

    Raises:
        UserError: If the cache is a folder that this project has not made, that also holds other things, or that is not
            writable.
    """
    folder = paths.cache()
    others = [place for base in (paths.home(), paths.ROOT) if base for place in (base, *base.parents)]
    if folder in others or (folder / ".git").exists():
        raise UserError(f"The cache is {folder}, which also holds other things; it is left as it is.")
    if not (folder / paths.CACHE_MARK).exists() and folder.name != paths.CACHE_NAME and any(folder.iterdir()):
        raise UserError(
            f"The cache is {folder}, which held other things before this project used it ({paths.CACHE_MARK} is "
            "missing); it is left as it is. Remove from it what `make cache` lists and no other program needs."
        )
    freed = sum(bytes_ for _, bytes_ in contents())
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name == paths.CACHE_MARK):  # the mark goes last
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    return freed


def main(arguments: list[str]) -> int:
    """Run the command line. Return the exit status."""
    return command_line.run(lambda: _main(arguments))


def _main(arguments: list[str]) -> int:
    _list()
    if arguments == ["--clean"]:
        print(f"Removed; {clean() / 1e6:,.1f} MB are free again.")
    return 0


def _list() -> None:
    rows = contents()
    print(f"The cache is {paths.on_terminal(paths.cache())}.")
    for name, bytes_ in rows:
        print(f"{bytes_ / 1e6:10,.1f} MB  {name}")
    print(f"{sum(bytes_ for _, bytes_ in rows) / 1e6:10,.1f} MB  in all")
    for name in ("KAGGLEHUB_CACHE", "HF_HOME", "HF_HUB_CACHE", "TFDS_DATA_DIR"):
        if place := os.environ.get(name):
            print(f"{name} names {place}, a folder outside this cache; it is left as it is.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
