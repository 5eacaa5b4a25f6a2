"""Files from package registries and from git, each fetched once, checked, and kept in the cache.

A file is fetched into a scratch folder, its SHA-256 compared with the pinned one, and only then moved to its place, so
an interrupted download never looks like a finished one.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

from lib import paths, progress
from lib.errors import UserError

TIMEOUT_SECONDS = 900  # for one whole download
PROBE_SECONDS = 5


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reachable(address: str) -> bool:
    """Whether a web server answers within a few seconds, whatever it answers.

    Proxies named in the environment are used. Asking first keeps a closed network from costing minutes of retries.
    """
    try:
        requests.head(address, timeout=PROBE_SECONDS)
    except requests.RequestException:
        return False
    return True


def pypi_wheel(package: str, version: str, digest: str) -> Path:
    """A wheel from the Python package index that pip is set up for; its dependencies are not fetched.

    Args:
        package: The package's name.
        version: Its exact version.
        digest: The wheel's SHA-256.

    Raises:
        UserError: If pip cannot get it, or it is not the file that was pinned.
    """
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
    ]
    command += ["--retries", "1", "--timeout", "20", "--dest", ".", f"{package}=={version}"]
    return _fetch(f"{package}-{version}.whl", "*.whl", command, digest)


def npm_tarball(package: str, version: str, digest: str) -> Path:
    """A package's tarball from the registry that npm is set up for.

    Args:
        package: The package's name.
        version: Its exact version.
        digest: The tarball's SHA-256.

    Raises:
        UserError: If npm is missing, cannot get it, or it is not the file that was pinned.
    """
    command = ["npm", "pack", f"{package}@{version}", "--fetch-retries", "1", "--loglevel", "error"]
    return _fetch(f"{package}-{version}.tgz", "*.tgz", command, digest)


def git_folder(address: str, commit: str, folder: str, name: str) -> Path:
    """One folder of a git repository at a pinned commit, fetched shallow and sparse.

    Args:
        address: What `git fetch` takes: a URL or a local path.
        commit: The full commit id.
        folder: The folder inside the repository.
        name: What to call the checkout in the cache.

    Returns:
        The folder, checked out.

    Raises:
        UserError: If git cannot get that commit or it has no such folder.
    """
    place = paths.cache() / f"{name}-{commit[:12]}"
    if not place.is_dir():
        progress.note(f"fetching {name} at {commit[:12]}")
        with tempfile.TemporaryDirectory(dir=paths.cache()) as scratch:
            checkout = Path(scratch) / "checkout"
            for command in (
                ["git", "init", "--quiet", str(checkout)],
                ["git", "-C", str(checkout), "sparse-checkout", "set", folder],
                ["git", "-C", str(checkout), "fetch", "--quiet", "--depth=1", "--filter=blob:none", address, commit],
                [
                    "git",
                    "-C",
                    str(checkout),
                    "-c",
                    f"remote.{address}.promisor=true",
                    "checkout",
                    "--quiet",
                    "FETCH_HEAD",
                ],
            ):
                _run(command, cwd=scratch, what=f"{name} at commit {commit[:12]}")
            if not (checkout / folder).is_dir():
                raise UserError(f"{name} at commit {commit[:12]} has no folder {folder!r}.")
            shutil.move(checkout, place)
    return place / folder


def _fetch(name: str, pattern: str, command: list[str], digest: str) -> Path:
    place = paths.cache() / "packages" / name
    if place.is_file() and sha256(place) == digest:
        return place
    place.parent.mkdir(exist_ok=True)
    progress.note(f"fetching {name}")
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        _run(command, cwd=scratch, what=name)
        (fetched,) = Path(scratch).glob(pattern)
        if sha256(fetched) != digest:
            raise UserError(
                f"{name} was fetched, but its SHA-256 is {sha256(fetched)}, not {digest}. "
                "The registry served another file than the one this project was checked with."
            )
        fetched.replace(place)
    return place


def _run(command: list[str], cwd: str | Path, what: str) -> None:
    tool = "pip" if command[0] == sys.executable else command[0]
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )
    except FileNotFoundError:
        raise UserError(
            f"{tool} is not installed, and it is needed to fetch {what}. Install it and run again."
        ) from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{tool} did not finish fetching {what} in {TIMEOUT_SECONDS} s. Check the network.") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = without_secrets(" ".join(lines[-3:]))
        raise UserError(f"{tool} could not fetch {what}: {reason}. Check the network and how {tool} is set up.")


def without_secrets(text: str) -> str:
    """The text with user names and passwords taken out of its web addresses."""
    return re.sub(r"//[^/@\s]+@", "//", text)
