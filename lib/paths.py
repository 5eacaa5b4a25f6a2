"""Where things are, whatever the working directory."""

import contextlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
EXPERIMENTS = ROOT / "experiments"


def outputs() -> Path:
    """The folder of the reports: `outputs/`, or what `REPORT_OUTPUTS` names."""
    return Path(os.environ.get("REPORT_OUTPUTS") or ROOT / "outputs").resolve()


def cache() -> Path:
    """The folder of downloads and converted models, made on demand.

    `REPORT_CACHE` names it; else it is `gpt2-text-generation` under `XDG_CACHE_HOME` or `~/.cache`.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("REPORT_CACHE") or Path(base) / "gpt2-text-generation")
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


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
    return ROOT / Path(path).expanduser()


def shown(path: Path) -> str:
    """A path as a reader should see it: relative to the repository, or with `~` for the home folder."""
    for base, prefix in ((ROOT, ""), (outputs(), "outputs/"), (Path.home(), "~/")):
        try:
            return prefix + Path(path).resolve().relative_to(base).as_posix()
        except ValueError:
            continue
    return Path(path).name
