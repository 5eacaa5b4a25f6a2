"""Files from package registries, from git and from the web, each fetched once, checked, and kept in the cache.

A file is fetched into a scratch folder, its SHA-256 compared with the pinned one, and only then moved to its place, so
an interrupted download never looks like a finished one.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

from lib.core import paths, progress, redaction
from lib.core.errors import UserError

UNFINISHED = "unfinished"  # the folder of the cache for what is not done
TIMEOUT_SECONDS = 900  # for one whole download
PROBE_SECONDS = 5
# git gives up where less than a kilobyte a second arrives for half a minute, and never asks for a password.
GIT_LIMITS = {"GIT_TERMINAL_PROMPT": "0", "GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": "30"}
STALL_SECONDS = 30  # between two pieces of a file
ATTEMPTS = 3  # to fetch a file, each from where the one before stopped


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


def web_file(address: str, file: Path) -> Path:
    """Fetches a file over HTTP. What an interrupted fetch left beside it is gone on with, not fetched again.

    Args:
        address: Its address. User names and passwords in it are not shown.
        file: Where it is put, once it is whole.

    Raises:
        UserError: If the server refuses, or `ATTEMPTS` times nothing arrives for `STALL_SECONDS`.
    """
    unfinished = file.with_name(f"{file.name}.part")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    progress.note(f"fetching {file.name}")
    problem = ""
    for attempt in range(ATTEMPTS):
        time.sleep(attempt)
        try:
            _go_on_with(address, unfinished)
        except requests.HTTPError as error:
            if error.response.status_code < 500:
                raise UserError(f"{redaction.clean(address)} answers {error.response.status_code}.") from None
            problem = f"it answers {error.response.status_code}"
        except (requests.RequestException, OSError) as error:
            problem = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
        else:
            unfinished.replace(file)
            return file
    raise UserError(
        f"{redaction.clean(address)} could not be fetched to the end: {redaction.clean(problem)}. "
        "Run again, and it goes on where it stopped."
    )


def _go_on_with(address: str, unfinished: Path) -> None:
    """Appends what is missing to an unfinished file."""
    done = unfinished.stat().st_size if unfinished.exists() else 0
    headers = {"Range": f"bytes={done}-"} if done else {}
    with requests.get(address, headers=headers, stream=True, timeout=(PROBE_SECONDS, STALL_SECONDS)) as answer:
        if answer.status_code == 416:  # nothing is missing, or the file is another one now
            total = answer.headers.get("Content-Range", "").rpartition("/")[2]
            if total == str(done):
                return
            unfinished.unlink()
            raise requests.ConnectionError("the file on the server has changed")
        answer.raise_for_status()
        if answer.status_code != 206:
            done = 0
        total = done + int(answer.headers.get("Content-Length", 0))
        with open(unfinished, "ab" if done else "wb") as target:
            for chunk in answer.iter_content(2**20):
                target.write(chunk)
                done += len(chunk)
                progress.step(done // 10**6, max(total, done) // 10**6 or 1, "fetching", unit="MB")
        if done < total:
            raise requests.ConnectionError(f"{done:,} of {total:,} bytes arrived")


@contextlib.contextmanager
def scratch():
    """A folder in the cache for something that is not done, removed in the end.

    A process that is killed leaves its own behind; the next one that needs such a folder removes it. Its lock tells it
    from one that is in use.

    Yields:
        The folder.
    """
    base = paths.cache() / UNFINISHED
    base.mkdir(exist_ok=True)
    with open(base / ".lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        for left in filter(Path.is_dir, base.iterdir()):
            with contextlib.suppress(OSError), open(left / ".lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which fails as long as its process lives
                shutil.rmtree(left, ignore_errors=True)
        made = tempfile.TemporaryDirectory(dir=base)
        own = open(Path(made.name) / ".lock", "w")  # noqa: SIM115  (held as long as the folder is used)
        fcntl.flock(own, fcntl.LOCK_EX)
    with made, own:
        yield Path(made.name)


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
    place = checkout_of(name, commit)
    if place.is_dir() and (problem := damage(place)):
        progress.note(f"{name} in the cache is damaged ({problem}); it is fetched anew")
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
        seal(place)
    return place / folder


def checkout_of(name: str, commit: str) -> Path:
    """Where `git_folder` keeps a checkout."""
    return paths.cache() / f"{name}-{commit[:12]}"


def _fetch(name: str, pattern: str, command: list[str], digest: str) -> Path:
    place = paths.cache() / "packages" / name
    if place.is_file() and sha256(place) == digest:
        return place
    place.parent.mkdir(exist_ok=True)
    progress.note(f"fetching {name}")
    with scratch() as folder:
        _run(command, cwd=folder, what=name)
        (fetched,) = folder.glob(pattern)
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
            env=os.environ | GIT_LIMITS,
        )
    except FileNotFoundError:
        raise UserError(
            f"{tool} is not installed, and it is needed to fetch {what}. Install it and run again."
        ) from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{tool} did not finish fetching {what} in {TIMEOUT_SECONDS} s. Check the network.") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = redaction.clean(" ".join(lines[-3:]))
        raise UserError(f"{tool} could not fetch {what}: {reason}. Check the network and how {tool} is set up.")


def seal(folder: Path) -> None:
    """Remembers size and SHA-256 of every file of a folder, for `damage` to compare. Done once for each folder."""
    if (record := _seal_file(folder)).is_file():
        return
    files = {
        str(file.relative_to(folder)): [file.stat().st_size, sha256(file)]
        for file in sorted(Path(folder).rglob("*"))
        if file.is_file()
    }
    record.parent.mkdir(exist_ok=True)
    unfinished = record.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(files, ensure_ascii=False, indent=1), encoding="utf-8")
    unfinished.rename(record)


def damage(folder: Path) -> str:
    """Compares a folder with what `seal` remembers of it; a seal that does not fit is broken.

    Returns:
        Which file is missing or has changed, in a few words; `""` if none has, or the folder was never sealed.
    """
    record = _seal_file(folder)
    try:
        files = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    for name, (size, digest) in files.items():
        file = Path(folder) / name
        if not file.is_file():
            problem = f"{name} is missing"
        elif file.stat().st_size != size:
            problem = f"{name} has {file.stat().st_size:,} bytes, not {size:,}"
        elif sha256(file) != digest:
            problem = f"{name} is not what was fetched (its SHA-256 differs)"
        else:
            continue
        record.unlink()
        return problem
    return ""


def _seal_file(folder: Path) -> Path:
    name = hashlib.sha256(str(Path(folder).absolute()).encode()).hexdigest()[:16]
    return paths.cache() / "seals" / f"{name}.json"
