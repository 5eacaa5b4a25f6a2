"""Cut a bundle into parts of a given size, and join them again.

The parts are the bundle's files one after the other, in the manifest's order, cut at the given size. They lie in a
folder of their own, beside a copy of the manifest that lists them too. This module needs Python alone.
"""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from lib.bundle import manifest
from lib.core import paths
from lib.core.errors import UserError

NAME = "bundle.part-{:03d}"
MEGABYTE = 1_000_000
CHUNK = 2**20  # bytes that are read at once


def folder_of(bundle: Path) -> Path:
    """Return the folder of a bundle's parts: beside it, with the suffix `.parts`."""
    return bundle.with_name(f"{bundle.name}.parts")


def cut(bundle: Path, size: int) -> Path:
    """Cut a bundle into parts.

    Args:
        bundle: The bundle's folder, with its manifest.
        size: The size of a part in bytes; the last one may be smaller.

    Returns:
        The folder of the parts. It holds all that the target needs.

    Raises:
        UserError: If that folder holds other things.
    """
    listed, folder = manifest.read(bundle), folder_of(bundle)
    if (folder / manifest.FILE).is_file():  # parts of an older bundle, and perhaps what they were joined to
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    if any(folder.iterdir()):
        raise UserError(
            f"{paths.on_terminal(folder)} is to hold the parts, but holds other things. Name another BUNDLE."
        )
    manifest.save(folder, listed)  # without parts it is not whole; so a next try knows the folder
    made, part, digest, left = [], None, None, 0

    def close() -> None:
        if part:
            part.close()
            made.append({"name": Path(part.name).name, "size": size - left, "sha256": digest.hexdigest()})

    for piece in _pieces(bundle / entry["name"] for entry in listed["files"]):
        while piece:
            if not left:
                close()
                part, digest, left = open(folder / NAME.format(len(made)), "wb"), hashlib.sha256(), size  # noqa: SIM115
            now, piece = piece[:left], piece[left:]
            part.write(now)
            digest.update(now)
            left -= len(now)
    close()
    manifest.save(folder, {**listed, "parts": made})
    return folder


def join(folder: Path, listed: dict) -> None:
    """Make the bundle's files from the parts, in the same folder, if one of them is not there yet.

    Args:
        folder: The folder of the parts.
        listed: The manifest.

    Raises:
        UserError: If a part is missing or damaged. The message names it.
    """
    if "parts" not in listed or not manifest.missing(folder, listed["files"]):
        return
    manifest.check(folder, listed["parts"])
    pieces, ready = _pieces(folder / entry["name"] for entry in listed["parts"]), b""
    for entry in listed["files"]:
        file, left = folder / entry["name"], entry["size"]
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name(f".{file.name}.part")
        with open(unfinished, "wb") as content:
            while left:
                ready = ready or next(pieces, b"")
                if not ready:
                    raise UserError(f"The parts end before {paths.on_terminal(file)} does. {manifest.AGAIN}")
                now, ready = ready[:left], ready[left:]
                content.write(now)
                left -= len(now)
        unfinished.replace(file)


def _pieces(files: Iterator[Path]) -> Iterator[bytes]:
    """Read files one after the other."""
    for file in files:
        with open(file, "rb") as content:
            while piece := content.read(CHUNK):
                yield piece
