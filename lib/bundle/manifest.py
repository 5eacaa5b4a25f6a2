"""List the files of a bundle with their size and SHA-256, and find what is missing or damaged.

A bundle is a folder: `wheels/`, `cache/`, `requirements.txt` and the list itself, `manifest.json`. This module needs
Python alone: the machine that a bundle is for has nothing else yet.
"""

import json
from pathlib import Path

from lib.core import paths
from lib.core.errors import UserError

FILE = "manifest.json"
FORMAT = 1  # raise it when a bundle is laid out in another way
WHEELS, CACHE, REQUIREMENTS = "wheels", "cache", "requirements.txt"
AGAIN = "Copy it here again, or make the bundle anew (`make bundle`)."


def entries(folder: Path, names: list[str]) -> list[dict]:
    """Describe files: their path in a folder, size in bytes and SHA-256."""
    files = [(name, folder / name) for name in names]
    return [{"name": name, "size": file.stat().st_size, "sha256": paths.sha256(file)} for name, file in files]


def contents(folder: Path) -> list[str]:
    """Return the paths of a bundle's files, relative to its folder, in order."""
    files = [folder / REQUIREMENTS, *(folder / WHEELS).rglob("*"), *(folder / CACHE).rglob("*")]
    return sorted(file.relative_to(folder).as_posix() for file in files if file.is_file())


def write(folder: Path, about: dict) -> dict:
    """Write the manifest of a bundle. Return its content.

    Args:
        folder: The bundle.
        about: What else the target has to know, see `lib.bundle.__main__`.
    """
    manifest = {"format": FORMAT, **about, "files": entries(folder, contents(folder))}
    save(folder, manifest)
    return manifest


def save(folder: Path, manifest: dict) -> None:
    """Write a manifest into a folder."""
    paths.write(folder / FILE, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")


def read(folder: Path) -> dict:
    """Read the manifest of a bundle, or of its parts.

    Raises:
        UserError: If there is none, or if it cannot be used.
    """
    file = folder / FILE
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        usable = manifest["format"]
    except OSError as error:
        raise UserError(
            f"BUNDLE is {paths.on_terminal(folder)}, but {FILE} cannot be read there: {error.strerror}. Name the "
            "folder that `make bundle` wrote."
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{paths.on_terminal(file)} is cut off or damaged. {AGAIN}") from None
    if usable != FORMAT:
        raise UserError(
            f"{paths.on_terminal(file)} has the format {usable!r}; this version of the project reads {FORMAT}. "
            "Take the same version of the project on both machines, and make the bundle anew."
        )
    return manifest


def missing(folder: Path, listed: list[dict]) -> list[str]:
    """Return the listed files that are not there."""
    return [entry["name"] for entry in listed if not (folder / entry["name"]).is_file()]


def check(folder: Path, listed: list[dict]) -> None:
    """Check that files are whole.

    Args:
        folder: The folder that they lie in.
        listed: What `entries` returned on the machine that made them.

    Raises:
        UserError: If one is missing or damaged. The message names the first such file.
    """
    for entry in listed:
        file = folder / entry["name"]
        where = paths.on_terminal(file)
        if not file.is_file():
            raise UserError(f"{where} is missing. {AGAIN}")
        if (size := file.stat().st_size) != entry["size"]:
            raise UserError(f"{where} is damaged: it has {size:,} bytes, not {entry['size']:,}. {AGAIN}")
        if paths.sha256(file) != entry["sha256"]:
            raise UserError(f"{where} is damaged: its SHA-256 is not the one in {FILE}. {AGAIN}")
