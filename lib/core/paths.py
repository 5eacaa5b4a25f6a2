"""Where things are, whatever the working directory."""

import contextlib
import os
import tempfile
from pathlib import Path

from lib.core.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
EXPERIMENTS = ROOT / "experiments"
_written: set[Path] = set()  # the caches that this process has tried to write to


def home() -> Path | None:
    """The user's home folder; None if there is none: `HOME` is not set, and the system does not know the user."""
    try:
        return Path.home().resolve()
    except (KeyError, RuntimeError):
        return None


def expanded(path: str | Path) -> Path:
    """An absolute path: with the home folder for `~`, and a relative one counted from the repository.

    Raises:
        UserError: If it begins with `~` and there is no such home folder.
    """
    try:
        return ROOT / Path(path).expanduser()
    except (KeyError, RuntimeError):
        raise UserError(f"{path} begins with a home folder that is not known. Write the whole path.") from None


def outputs() -> Path:
    """The folder of the reports: `outputs/`, or what `REPORT_OUTPUTS` names."""
    return expanded(os.environ.get("REPORT_OUTPUTS") or "outputs").resolve()


def cache() -> Path:
    """The folder of downloads and converted models, made on demand.

    `REPORT_CACHE` names it; else it is `gpt2-text-generation` under `XDG_CACHE_HOME` or `~/.cache`.

    Raises:
        UserError: If it cannot be written, or none is named and there is no home folder.
    """
    folder = _cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder not in _written:
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
    return expanded(base) / "gpt2-text-generation"


def write(file: Path, text: str) -> None:
    """Writes a text file as a whole, or leaves what was there: the disk may be full."""
    unfinished = file.with_name(f".{file.name}.part")
    try:
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def size(place: Path) -> int:
    """The bytes in a file, or in the files of a folder and below; 0 if there is none. Links are not followed.

    Other processes may write there meanwhile.
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
    """Turns a path from a parameter into an absolute one.

    A path that begins with `outputs/` is looked up in the folder of the reports, any other relative path in the
    repository, so that it means the same in a notebook, in a YAML file and on the command line.
    """
    parts = Path(path).parts
    if parts and parts[0] == "outputs":
        return outputs().joinpath(*parts[1:])
    return expanded(path)


def shown(path: Path) -> str:
    """A path as a reader should see it: relative to the repository, or with `~` for the home folder.

    The folder of the reports is `outputs`, wherever it lies. Of what is elsewhere only the name is told.
    """
    return _below(path, (ROOT, ""), (outputs(), "outputs"), (home(), "~")) or Path(path).name


def on_terminal(path: Path) -> str:
    """A path as it can be copied: relative to the repository, else with `~` for the home folder, else whole.

    Unlike `shown` it tells where things really are.
    """
    return _below(path, (ROOT, ""), (home(), "~")) or str(Path(path).resolve())


def _below(path: Path, *bases: tuple[Path | None, str]) -> str:
    """A path relative to the first base that it is below, after the base's name; `""` if it is below none."""
    place = Path(path).resolve()
    for base, name in bases:
        # A container's user may have `/` for home, below which everything is.
        if base and base != base.parent and place.is_relative_to(base):
            return (Path(name) / place.relative_to(base)).as_posix()
    return ""
