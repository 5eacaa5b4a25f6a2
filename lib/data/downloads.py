"""Fetch files from package registries and git, check their SHA-256, and keep them in the cache.

A file is fetched into a scratch folder and checked there. Only then does it move to its place, so an interrupted
download never looks like a finished one.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

from lib.core import paths, progress, redaction
from lib.core.errors import UserError
from lib.data import cache, checksums

TIMEOUT_SECONDS = 900  # for one whole download
PROBE_SECONDS = 5
OFFLINE = "REPORT_OFFLINE"  # make sets it with BUNDLE
# git gives up after half a minute below one kilobyte a second, and never asks for a password.
GIT_LIMITS = {"GIT_TERMINAL_PROMPT": "0", "GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": "30"}


def offline(variable: str = OFFLINE) -> bool:
    """Tell whether an environment variable, `REPORT_OFFLINE` by default, forbids to ask any network."""
    return os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE")


def reachable(address: str) -> bool:
    """Tell whether a web server answers within `PROBE_SECONDS`, whatever the answer is.

    The request uses the proxies named in the environment. In a closed network, this probe saves minutes of retries.
    None answers if `REPORT_OFFLINE` is set: nothing is asked then.
    """
    if offline():
        return False
    try:
        requests.head(address, timeout=PROBE_SECONDS)
    except requests.RequestException:
        return False
    return True


@contextlib.contextmanager
def scratch():
    """Make a scratch folder in the cache, and remove it at the end.

    A process that is killed leaves its folder behind, which `cache.swept` removes: each folder holds a lock file, which
    stays locked as long as its process lives.

    Yields:
        The folder.
    """
    with cache.swept() as base:
        made = tempfile.TemporaryDirectory(dir=base)
        own = open(Path(made.name) / ".lock", "w")  # noqa: SIM115  (held as long as the folder is used)
        fcntl.flock(own, fcntl.LOCK_EX)
    with made, own:
        yield Path(made.name)


def pypi_wheel(package: str, version: str, digest: str) -> Path:
    """Fetch a wheel, without its dependencies, from the package index that pip is configured for.

    Args:
        package: The package's name.
        version: Its exact version.
        digest: The wheel's SHA-256.

    Raises:
        UserError: If pip fails, or if the SHA-256 differs.
    """
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--retries", "1", "--timeout", "20"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", ".", f"{package}=={version}"]
    return _fetch(f"{package}-{version}.whl", "*.whl", command, digest)


def npm_tarball(package: str, version: str, digest: str) -> Path:
    """Fetch a package's tarball from the registry that npm is configured for.

    Args:
        package: The package's name.
        version: Its exact version.
        digest: The tarball's SHA-256.

    Raises:
        UserError: If npm is missing or fails, or if the SHA-256 differs.
    """
    command = ["npm", "pack", f"{package}@{version}", "--fetch-retries", "1", "--loglevel", "error"]
    return _fetch(f"{package}-{version}.tgz", "*.tgz", command, digest)


def git_folder(address: str, commit: str, folder: str, name: str) -> Path:
    """Fetch one folder of a git repository at a pinned commit, as a shallow and sparse checkout.

    Args:
        address: A URL or a local path, as `git fetch` takes it.
        commit: The full commit id.
        folder: The folder inside the repository.
        name: The checkout's name in the cache.

    Returns:
        The folder inside the checkout.

    Raises:
        UserError: If git cannot fetch the commit, or if the commit has no such folder.
    """
    place = checkout_of(name, commit)
    if place.is_dir() and (problem := checksums.problem(place)):
        progress.note(f"{name} in the cache is damaged ({problem}); fetching it again")
        shutil.rmtree(place)
    if not place.is_dir():
        progress.note(f"fetching {name} at {commit[:12]}")
        with scratch() as unfinished:
            checkout = unfinished / "checkout"
            git = ["git", "-C", str(checkout)]
            for command in (
                ["git", "init", "--quiet", str(checkout)],
                [*git, "sparse-checkout", "set", folder],
                [*git, "fetch", "--quiet", "--depth=1", "--filter=blob:none", address, commit],
                [*git, "-c", f"remote.{address}.promisor=true", "checkout", "--quiet", "FETCH_HEAD"],
            ):
                _run(command, cwd=unfinished, what=f"{name} at commit {commit[:12]}")
            if not (checkout / folder).is_dir():
                raise UserError(f"{name} at commit {commit[:12]} has no folder {folder!r}.")
            shutil.rmtree(checkout / ".git")
            shutil.move(checkout, place)
    checksums.record(place)
    return place / folder


def checkout_of(name: str, commit: str) -> Path:
    """Return the folder in which `git_folder` keeps a checkout."""
    return paths.cache() / f"{name}-{commit[:12]}"


def _fetch(name: str, pattern: str, command: list[str], digest: str) -> Path:
    """Run a command that fetches one file, check the file, and keep it in the cache."""
    place = paths.cache() / "packages" / name
    if place.is_file() and checksums.sha256(place) == digest:
        return place
    place.parent.mkdir(exist_ok=True)
    progress.note(f"fetching {name}")
    with scratch() as folder:
        _run(command, cwd=folder, what=name)
        (fetched,) = folder.glob(pattern)
        if (found := checksums.sha256(fetched)) != digest:
            raise UserError(
                f"{name} was fetched, but its SHA-256 is {found}, not {digest}. The registry served another file than "
                "the one this project was checked with."
            )
        fetched.replace(place)
    return place


def _run(command: list[str], cwd: Path, what: str) -> None:
    tool = "pip" if command[0] == sys.executable else command[0]
    environment = os.environ | GIT_LIMITS
    if offline():
        raise UserError(f"{what} is not in the cache, and {OFFLINE} is set, so {tool} does not fetch it.")
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, env=environment
        )
    except FileNotFoundError:
        raise UserError(f"{tool} is not installed, but {what} is fetched with it. Install it and run again.") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{tool} did not finish fetching {what} in {TIMEOUT_SECONDS} s. Check the network.") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = redaction.clean(" ".join(lines[-3:]))
        raise UserError(f"{tool} could not fetch {what}: {reason}. Check the network and {tool}'s configuration.")
