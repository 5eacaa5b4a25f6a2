"""Locate the project's folders, independently of the working directory."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from lib.core.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
EXPERIMENTS = ROOT / "experiments"
SWEEPS = "sweeps"  # the folder in experiments/ that is no profile
SWEEP = "sweep-"  # begins the name of a sweep's folder in outputs/
CACHE_NAME = "gpt2-text-generation"
CACHE_MARK = ".made-by-gpt2-text-generation"  # in a cache that was empty before; only such a one is ever cleared
_written: set[Path] = set()  # the caches that this process has tried to write to


def home() -> Path | None:
    """Return the user's home folder; None if `HOME` is not set and the system does not know the user."""
    try:
        return Path.home().resolve()
    except (KeyError, RuntimeError):
        return None


def expanded(path: str | Path) -> Path:
    """Make a path absolute: expand `~`, and resolve a relative path against the repository.

    Raises:
        UserError: If the path begins with `~` and there is no such home folder.
    """
    try:
        return ROOT / Path(path).expanduser()
    except (KeyError, RuntimeError):
        raise UserError(f"{path} begins with a home folder that is not known. Write the whole path.") from None


def outputs() -> Path:
    """Return the folder of the reports: `outputs/`, or the value of `REPORT_OUTPUTS`."""
    return expanded(os.environ.get("REPORT_OUTPUTS") or "outputs").resolve()


def of_profile(profile: str) -> Path:
    """Return the folder of a profile's reports.

    Raises:
        UserError: If the name of the profile leads out of the folder of the reports.
    """
    if not profile or profile.startswith(".") or Path(profile).name != profile:
        raise UserError(f"profile is {profile!r}; it must be the name of a folder in outputs/, such as cpu.")
    return outputs() / profile


def cache() -> Path:
    """Return the folder of downloads and converted models. Create it if necessary.

    It is the value of `REPORT_CACHE`, or else `gpt2-text-generation` in `XDG_CACHE_HOME` or `~/.cache`.

    Raises:
        UserError: If the folder is not writable, or if `REPORT_CACHE` is not set and there is no home folder.
    """
    folder = _cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder not in _written:
            if not any(folder.iterdir()):
                (folder / CACHE_MARK).touch()
            tempfile.TemporaryFile(dir=folder).close()
            _written.add(folder)
    except OSError as error:
        raise UserError(
            f"The cache, {on_terminal(folder)}, cannot be written: {error.strerror or error}. "
            "Name another folder in REPORT_CACHE."
        ) from None
    return folder.resolve()


def _cache() -> Path:
    if named := os.environ.get("REPORT_CACHE"):
        return expanded(named)
    base = os.environ.get("XDG_CACHE_HOME") or (home() and home() / ".cache")
    if not base:
        raise UserError("There is no home folder to keep downloads in. Name a folder for them in REPORT_CACHE.")
    return expanded(base) / CACHE_NAME


def write(file: Path, text: str) -> None:
    """Write a text file completely, or leave the old one unchanged, for example if the disk is full."""
    unfinished = file.with_name(f".{file.name}.part")
    try:
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def size(place: Path) -> int:
    """Return the bytes in a file or, recursively, in a folder; 0 if it does not exist. Links are not followed.

    Other processes may write to it at the same time.
    """
    if not place.is_dir() or place.is_symlink():
        return os.lstat(place).st_size if os.path.lexists(place) else 0
    total = 0
    for folder, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def resolve(path: str) -> Path:
    """Resolve a path from a parameter to an absolute one.

    A path that begins with `outputs/` is resolved against the folder of the reports, any other relative path against
    the repository. So it means the same in a notebook, in a YAML file and on the command line.
    """
    parts = Path(path).parts
    if parts and parts[0] == "outputs":
        return outputs().joinpath(*parts[1:])
    return expanded(path)


def shown(path: Path) -> str:
    """Format a path for a reader: relative to the repository, or with `~` for the home folder.

    The folder of the reports is always shown as `outputs`. For other paths, only the name is shown.
    """
    return _below(path, (ROOT, ""), (outputs(), "outputs"), (home(), "~")) or Path(path).name


def on_terminal(path: Path) -> str:
    """Format a path for copying: relative to the repository, else with `~` for the home folder, else in full.

    Unlike `shown`, this function returns the real location.
    """
    return _below(path, (ROOT, ""), (home(), "~")) or str(Path(path).resolve())


def _below(path: Path, *bases: tuple[Path | None, str]) -> str:
    """Return a path relative to the first base that contains it, after the base's name; `""` if none contains it."""
    place = Path(path).resolve()
    for base, name in bases:
        # A container's user may have `/` as home folder, which contains every path.
        if base and base != base.parent and place.is_relative_to(base):
            return (Path(name) / place.relative_to(base)).as_posix()
    return ""
