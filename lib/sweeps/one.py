"""Make one run of a sweep: Snakemake starts it as a process of its own, on this machine or another one."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import socket
import time
from pathlib import Path

from lib import runner
from lib.core import backends, paths, watchdog
from lib.core.errors import UserError
from lib.kernels import NotebookFailed
from lib.sweeps.plan import Run

DONE = "done"  # in a run's folder: where its report lies, relative to it
WAIT_SECONDS = 2.0  # between two looks whether enough cores and GPUs are free
FAILED = "failed.txt"  # there too: why the run failed
MODEL = "model"  # what 02 saves; only a run that needs it makes it worth its space


def make(file: Path, number: str, threads: int = 0, claims: bool = False) -> bool:
    """Make a run of a plan.

    Args:
        file: The plan, see `plan.write`.
        number: The run's id.
        threads: The processor cores that it may use; 0 for all.
        claims: Whether to claim cores and GPUs of this machine. A scheduler gives each run its own.

    Returns:
        Whether it succeeded. If not, the reason lies in the run's folder.
    """
    watchdog.end_with_parent()
    told = json.loads(file.read_text(encoding="utf-8"))
    runs = {one["id"]: Run(**one) for one in told["runs"]}
    run, place = runs[number], file.parent / "runs" / number
    place.mkdir(parents=True, exist_ok=True)
    (place / FAILED).unlink(missing_ok=True)
    os.environ["REPORT_OUTPUTS"] = str(place)
    if not told["gpus"]:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    try:
        for name, needed in run.needs.items():
            _lend(name, run.profile, file.parent / "runs" / needed, place)
        with contextlib.ExitStack() as claimed:
            if claims:
                claimed.enter_context(_gpus(told["gpus"]))
                claimed.enter_context(_cores(threads))
            limit = 60 * told["hours"]
            report = runner.run(run.notebook, run.profile, run.values, limit, keep_as=f"{told['name']}-{number}")
    except (NotebookFailed, UserError, OSError) as error:
        paths.write(place / FAILED, f"{error}\n")
        print(f"error: run {number} failed: {error}", flush=True)
        return False
    if not any(number in other.needs.values() for other in runs.values()):
        shutil.rmtree(report / MODEL, ignore_errors=True)
    paths.write(place / DONE, f"{report.relative_to(place)}\n{told['code'][run.notebook]}\n")
    return True


def report_of(place: Path) -> Path | None:
    """Return the folder of a run's report; None if the run is not done, or its report is gone."""
    report = _told(place)[0]
    return place / report if report and (place / report / "results.json").is_file() else None


def code_of(place: Path) -> str:
    """Return the hash of the code that a run was made with, see `plan.code`; `""` if it is not done."""
    return _told(place)[1]


def _told(place: Path) -> tuple[str, str]:
    try:
        report, code, *_ = [*(place / DONE).read_text(encoding="utf-8").splitlines(), "", ""]
    except OSError:
        return "", ""
    return report, code


def _lend(name: str, profile: str, lender: Path, place: Path) -> None:
    """Put what a run has made where another one looks for the results of that notebook."""
    made, there = report_of(lender), place / profile / name
    if made is None:
        raise UserError(f"The run {lender.name}, whose results {place.name} needs, is not done.")
    there.mkdir(parents=True, exist_ok=True)
    for one in (MODEL, "results.json"):
        link = there / one
        link.unlink(missing_ok=True)
        if (made / one).exists():
            link.symlink_to(os.path.relpath(made / one, there))


@contextlib.contextmanager
def _gpus(count: int):
    """Claim GPUs of this machine for this process, of those that it may use."""
    if not count:
        yield
        return
    with _claimed("gpu", gpus(), count) as claimed:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(claimed)
        yield


def gpus() -> list[str]:
    """Return the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    if not backends.has_gpu():
        return []
    if given := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return given.split(",")
    return [str(one) for one, _ in enumerate(re.findall("^GPU ", backends.nvidia_smi("-L"), re.MULTILINE))]


@contextlib.contextmanager
def _cores(count: int):
    """Claim processor cores: what this process starts runs on them alone, and XLA has as many threads."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []  # macOS has none
    count = min(count or len(usable), len(usable))
    if not count:
        yield
        return
    with _claimed("core", [str(one) for one in usable], count) as claimed:
        os.sched_setaffinity(0, {int(one) for one in claimed})
        yield


@contextlib.contextmanager
def _claimed(kind: str, names: list[str], count: int):
    """Claim some of the things that this machine has several of, until the block ends or the process does.

    Another sweep may have claimed them; then this one waits until enough are free.

    Raises:
        UserError: If there are fewer, or the cache is on a file system that has no locks.
    """
    if len(names) < count:
        raise UserError(f"A run needs {count} {kind}s, and this process may use {len(names)}.")
    folder = paths.cache() / "claims" / socket.gethostname()
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        with contextlib.ExitStack() as held:
            mine = []
            for name in names:
                file = held.enter_context(open(folder / f"{kind}-{name.replace('/', '_')}", "a"))
                mine += [name] if len(mine) < count and _locked(file) else []
            if len(mine) == count:
                yield mine
                return
        time.sleep(WAIT_SECONDS)


def _locked(file) -> bool:
    """Lock a file if no other process has locked it. Return whether it is locked now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise UserError(
            f"{file.name} is on a file system that has no locks ({error.strerror}). Name a cache on another one in "
            "REPORT_CACHE."
        ) from None
    return True
