"""Record the SHA-256 of files in the cache, and find the files that were damaged later."""

import hashlib
import json
import os
from pathlib import Path

from lib.core import paths
from lib.core.paths import sha256


def record(folder: Path) -> None:
    """Record the size and SHA-256 of every file in a folder. A folder that has a record keeps it."""
    if (kept := _record_of(folder)).is_file():
        return
    files = {
        str(file.relative_to(folder)): [file.stat().st_size, sha256(file)]
        for file in sorted(Path(folder).rglob("*"))
        if file.is_file()
    }
    kept.parent.mkdir(exist_ok=True)
    unfinished = kept.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(files, ensure_ascii=False, indent=1), encoding="utf-8")
    unfinished.rename(kept)


def problem(folder: Path) -> str:
    """Compare a folder with its record. A record that does not match, or cannot be read, is removed.

    Returns:
        The file that is missing or has changed, in a few words. `""` if there is none, or if the folder has no record.
    """
    kept = _record_of(folder)
    try:
        files = json.loads(kept.read_text(encoding="utf-8"))
        listed = [(name, size, digest) for name, (size, digest) in files.items()]
    except OSError:
        return ""
    except (ValueError, TypeError, AttributeError, RecursionError):
        kept.unlink()
        return ""
    for name, size, digest in listed:
        file = Path(folder) / name
        if not file.is_file():
            found = f"{name} is missing"
        elif file.stat().st_size != size:
            found = f"{name} has {file.stat().st_size:,} bytes, not {size:,}"
        elif sha256(file) != digest:
            found = f"the SHA-256 of {name} has changed"
        else:
            continue
        kept.unlink()
        return found
    return ""


def _record_of(folder: Path) -> Path:
    name = hashlib.sha256(str(Path(folder).resolve()).encode()).hexdigest()[:16]
    return paths.cache() / "checksums" / f"{name}.json"
