"""What lies in the cache, and how to be rid of it.

`python -m lib.data.cache` (`make cache`) lists it; with `--clean` (`make clean-cache`) it is emptied. Needs nothing but
Python itself, so that it also works where the environment is gone.
"""

import os
import shutil
import sys

from lib.core import command_line, paths
from lib.core.errors import UserError


def contents() -> list[tuple[str, int]]:
    """Names and sizes, in bytes, of what lies in the cache, the largest first."""
    return sorted(((entry.name, paths.size(entry)) for entry in paths.cache().iterdir()), key=lambda row: -row[1])


def clean() -> int:
    """Removes all that lies in the cache.

    Returns:
        How many bytes that freed.

    Raises:
        UserError: If the cache is a folder that holds other things as well, or cannot be written.
    """
    folder = paths.cache()
    others = [place for base in (paths.home(), paths.ROOT) if base for place in (base, *base.parents)]
    if folder in others or (folder / ".git").exists():
        raise UserError(f"The cache is {folder}, which holds other things as well; it is left as it is.")
    freed = sum(bytes_ for _, bytes_ in contents())
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    return freed


def main(arguments: list[str]) -> int:
    """The command line. Returns the exit status."""
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
            print(f"What {name} names, {place}, is kept apart, and not touched.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
