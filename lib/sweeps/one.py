"""Make one run of a sweep: Snakemake starts it as a process of its own, on this machine or another one."""

import contextlib
import fcntl
import json
import os
import shutil
import socket
from pathlib import Path

from lib import runner
from lib.core import backends, paths, watchdog
from lib.core.errors import UserError
from lib.kernels import NotebookFailed
from lib.sweeps.plan import Run

DONE = "done"  # in a run's folder: where its report lies, relative to it
FAILED = "failed.txt"  # there too: why the run failed
MODEL = "model"  # what 02 saves; only a run that needs it makes it worth its space


def make(file: Path, number: str, threads: int = 0) -> bool:
    """Make a run of a plan.

    Args:
        file: The plan, see `plan.write`.
        number: The run's id.
        threads: The processor cores that it may use; 0 for all.

    Returns:
        Whether it succeeded. If not, the reason lies in the run's folder.
    """
    watchdog.end_with_parent()
    told = json.loads(file.read_text(encoding="utf-8"))
    runs = {one["id"]: Run(**one) for one in told["runs"]}
    run, place = runs[number], file.parent / "runs" / number
    place.mkdir(parents=True, exist_ok=True)
    for name, needed in run.needs.items():
        _lend(name, run.profile, file.parent / "runs" / needed, place)
    os.environ["REPORT_OUTPUTS"] = str(place)
    try:
        with _gpus(told["gpus"]), _cores(threads):
            report = runner.run(run.notebook, run.profile, run.changed)
    except (NotebookFailed, UserError) as error:
        paths.write(place / FAILED, f"{error}\n")
        print(f"error: run {number} failed: {error}", flush=True)
        return False
    if not any(number in other.needs.values() for other in runs.values()):
        shutil.rmtree(report / MODEL, ignore_errors=True)
    (place / FAILED).unlink(missing_ok=True)
    paths.write(place / DONE, f"{report.relative_to(place)}\n")
    return True


def report_of(place: Path) -> Path | None:
    """Return the folder of a run's report; None if the run is not done."""
    try:
        return place / (place / DONE).read_text(encoding="utf-8").strip()
    except OSError:
        return None


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
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    listed = given.split(",") if given else [str(one) for one in range(backends.nvidia_smi("-L").count("GPU "))]
    with _claimed("gpu", listed, count) as claimed:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(claimed)
        yield


@contextlib.contextmanager
def _cores(count: int):
    """Claim processor cores: what this process starts runs on them alone, and XLA has as many threads."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []  # macOS has none
    if not 0 < count < len(usable):
        yield
        return
    with _claimed("core", [str(one) for one in usable], count) as claimed:
        os.sched_setaffinity(0, {int(one) for one in claimed})
        yield


@contextlib.contextmanager
def _claimed(kind: str, names: list[str], count: int):
    """Claim some of the things that this machine has several of, until the block ends or the process does.

    Raises:
        UserError: If fewer are free. Snakemake starts no more runs than there are; something else has claimed them.
    """
    folder = paths.cache() / "claims" / socket.gethostname()
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        mine = []
        for name in names:
            file = held.enter_context(open(folder / f"{kind}-{name.replace('/', '_')}", "a"))
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mine.append(name)
            if len(mine) == count:
                break
        else:
            raise UserError(f"{count} of the {len(names)} {kind}s were to be claimed, but only {len(mine)} are free.")
        yield mine
