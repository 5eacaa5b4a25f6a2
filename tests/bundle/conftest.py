"""Wheels and bundles made on this machine, small and without a network."""

import base64
import hashlib
import platform
import sys
import zipfile

import pytest

from lib.bundle import manifest
from lib.core import paths


@pytest.fixture
def wheel():
    """Writes a wheel that holds one module, of the package's name, with its version; returns the file."""

    def write(folder, name, version="1.0", tag="py3-none-any"):
        information = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": f"version = {version!r}\n",
            f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{information}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        record = ""
        for path, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=")
            record += f"{path},sha256={digest},{len(content)}\n"
        files[f"{information}/RECORD"] = f"{record}{information}/RECORD,,\n"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}-{version}-{tag}.whl"
        with zipfile.ZipFile(file, "w") as archive:
            for path, content in files.items():
                archive.writestr(path, content)
        return file

    return write


@pytest.fixture
def about():
    """What the manifest of an empty bundle for this machine tells, but for its files."""
    return {
        "profile": "smoke",
        "lock": "cpu",
        "lock_sha256": paths.sha256(paths.ROOT / "requirements" / "cpu.txt"),
        "commit": "",
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "machine": platform.machine(),
        "packages": {},
        "left": {},
    }


@pytest.fixture
def bundle(tmp_path, about, wheel):
    """A bundle for this machine: one package, and two files for the cache."""
    folder = tmp_path / "bundle"
    file = wheel(folder / manifest.WHEELS, "tiny_one")
    digest = paths.sha256(file)
    (folder / manifest.REQUIREMENTS).write_text(f"tiny-one==1.0 ; python_version > '3' --hash=sha256:{digest}\n")
    (folder / manifest.CACHE / "packages").mkdir(parents=True)
    (folder / manifest.CACHE / "packages" / "texts.tgz").write_bytes(b"0123456789" * 30)
    (folder / manifest.CACHE / "mark.complete").touch()
    manifest.write(folder, about | {"packages": {"tiny-one": "1.0"}})
    return folder
