"""Keep the programs that JAX has compiled in the cache, so that a later run does not compile them again.

JAX reads and writes the files (`jax_compilation_cache_dir`), and names each by its program, its own version and its
options. `backends` turns this on, and off while a first call is timed.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import zlib
from pathlib import Path

from lib.core import paths
from lib.core.errors import UserError

NAME = "programs"  # in the cache
SUFFIX = "-cache"  # of JAX's files


def folder(cpuinfo: str = "/proc/cpuinfo") -> Path | None:
    """Return the folder of the programs for this machine's processor; None if there can be none.

    A program is compiled for one kind of processor, which JAX's names of files do not tell. The cache may lie on a disk
    that several machines share.

    Args:
        cpuinfo: The file in which Linux describes the processor.
    """
    try:
        lines = Path(cpuinfo).read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    kinds = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
    told = "\n".join([platform.machine(), platform.processor(), *sorted(kinds)])
    place = Path(NAME) / hashlib.sha256(told.encode()).hexdigest()[:12]
    try:
        made = paths.cache() / place
        made.mkdir(parents=True, exist_ok=True)
    except (OSError, UserError):  # everything works without, only later
        return None
    return made


def drop_damaged(kept: Path) -> None:
    """Remove files that a killed process or a full disk has left incomplete. JAX would warn of them in every run.

    Only files are read that were written since the last time.
    """
    checked, now = kept / "checked", kept / f"checked.{os.getpid()}"
    with contextlib.suppress(OSError):  # on a full disk, and where nothing can be written
        try:
            now.touch()  # so both times are by the clock of the file system
            since = checked.stat().st_mtime_ns if checked.exists() else 0
            for file in kept.glob(f"*{SUFFIX}"):
                with contextlib.suppress(FileNotFoundError):  # another process has removed it
                    if file.stat().st_mtime_ns >= since and not _is_whole(file):
                        file.unlink()
            now.replace(checked)
        finally:
            now.unlink(missing_ok=True)


def _is_whole(file: Path) -> bool:
    try:
        zlib.decompress(file.read_bytes())
    except zlib.error:
        return False
    return True


def adopt(new: Path, kept: Path) -> None:
    """Move programs that were compiled into another folder to those that are kept, each whole or not at all."""
    for file in new.glob(f"*{SUFFIX}"):
        unfinished = kept / f".{file.name}.{os.getpid()}"
        with contextlib.suppress(OSError):
            try:
                shutil.copyfile(file, unfinished)
                unfinished.replace(kept / file.name)
            finally:
                unfinished.unlink(missing_ok=True)
