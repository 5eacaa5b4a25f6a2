"""Start a sweep: hand its runs to Snakemake, say how far it is, and make its report."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from lib import notebooks, runner
from lib.core import locks, paths, watchdog
from lib.core.errors import UserError
from lib.sweeps import one, plan
from lib.sweeps.plan import Run, Sweep

PROFILES = paths.ROOT / "workflow" / "profiles"
LOG = "snakemake.log"
LOOK_SECONDS = 1.0
SLURM_SECONDS = 30.0  # the longest wait for an answer of Slurm
SLURM_RUN = re.compile(r"SLURM run ID: (\S+)")  # the name of all jobs of a sweep
END_SECONDS = 30.0  # that Snakemake has to end, before it is killed


def start(
    name: str, on: str = "local", cores: int | None = None, snakemake: str = "snakemake", only_check=False
) -> int:
    """Make all runs of a sweep that are missing, and its report.

    Args:
        name: The sweep.
        on: The folder of `workflow/profiles/` that tells Snakemake where to run.
        cores: The processor cores in use at a time; all by default.
        snakemake: The program.
        only_check: Whether to stop after checking the sweep.

    Returns:
        0 if all runs succeeded, else 1. The report is made in both cases.

    Raises:
        UserError: If the sweep has a mistake, or no run succeeded.
        NotebookFailed: If the notebook of the report failed.
    """
    watchdog.end_with_make()
    sweep = plan.read(name)
    if not (PROFILES / on / "config.yaml").is_file():
        known = ", ".join(sorted(folder.name for folder in PROFILES.iterdir()))
        raise UserError(f"There is no folder {on!r} in workflow/profiles; there are {known}.")
    code = plan.code(sweep)
    left = [run for run in sweep.runs if not _is_made(sweep, run, code)]
    about = plan.about(sweep.notebook, sweep.profile, len(left)) if left else ""
    told = f"{about} one after another" if about else ""
    print(f"{sweep.name}: {len(sweep.runs)} runs, {len(left)} of them to be made{told}.", flush=True)
    if only_check:
        return 0
    machine = Machine.here(cores)
    if on == "local" and sweep.gpus > machine.gpus:
        raise UserError(
            f"{sweep.name} needs GPUs, {sweep.gpus} a run, and this machine has {machine.gpus}. Set gpus in its YAML."
        )
    (sweep.folder / "runs").mkdir(parents=True, exist_ok=True)
    with locks.only_one(sweep.folder / "runs", f"{sweep.name} is running already; waiting for it.") as lock:
        for run in left:  # a report that is gone is no run that is done
            if one.report_of(sweep.place(run)) is None:
                (sweep.place(run) / one.DONE).unlink(missing_ok=True)
        if left:
            _remember(sweep, min(machine.at_once(sweep), len(left)) if on == "local" else 0)
        _run_all(sweep, [snakemake, *_options(plan.write(sweep), on, machine)], lock.fileno())
    done, failed = _count(sweep)
    print(f"{sweep.name}: {done} of {len(sweep.runs)} runs done, {failed} failed.", flush=True)
    if not any(run.point and one.report_of(sweep.place(run)) for run in sweep.runs):
        raise UserError(f"No run of {sweep.name} succeeded, so there is no report. {_first_reason(sweep)}")
    report = runner.run(notebooks.SWEEP, sweep.folder.name)
    print(f"{paths.on_terminal(report / 'report.html')} is ready.", flush=True)
    if (paths.of_profile(sweep.profile) / "index.html").is_file():
        print(f"Run `make render PROFILE={sweep.profile}` to have its index and its claims tell this too.", flush=True)
    return 0 if done == len(sweep.runs) else 1


@dataclass(frozen=True)
class Machine:
    """What this machine can give to the runs of a sweep."""

    cores: int
    gpus: int
    memory_mb: int

    @classmethod
    def here(cls, cores: int | None = None) -> "Machine":
        """Return this machine, with at most so many cores."""
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cls(min(cores or usable, usable), len(one.gpus()), psutil.virtual_memory().total // 10**6)

    def at_once(self, sweep: Sweep) -> int:
        """Return how many runs of a sweep have room at a time."""
        room = [self.cores // sweep.threads, int(self.memory_mb // (1000 * sweep.memory_gb))]
        return max(1, min(room + ([self.gpus // sweep.gpus] if sweep.gpus else [])))


def _is_made(sweep: Sweep, run: Run, code: dict[str, str]) -> bool:
    place = sweep.place(run)
    return one.report_of(place) is not None and one.code_of(place) == code[run.notebook]


def _options(file: Path, on: str, machine: Machine) -> list[str]:
    """Return the arguments of Snakemake."""
    folder, is_here = str(file.parent), on == "local"
    where = ["--snakefile", str(paths.ROOT / "workflow" / "Snakefile"), "--directory", folder, "--nolock"]
    where += ["--keep-going", "--rerun-incomplete", "--rerun-triggers", "mtime", "params", "input"]
    where += ["--workflow-profile", str(PROFILES / on), "--config", f"plan={file}", f"python={sys.executable}"]
    if is_here:
        where += [f"memory_mb={machine.memory_mb}", "claim=--claim", "--cores", str(machine.cores)]
        where += ["--resources", f"gpu={machine.gpus}", f"mem_mb={machine.memory_mb}"]
    elif not _slurm_keeps_accounts():
        where += ["--slurm-status-command", "squeue"]
    return where


def _slurm_keeps_accounts() -> bool:
    """Tell whether Slurm keeps accounts of its jobs. Without them, its plugin would ask sacct and wait for ever."""
    try:
        return not subprocess.run(["sacct"], capture_output=True, timeout=SLURM_SECONDS).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


def _remember(sweep: Sweep, at_once: int) -> None:
    """Keep the most runs that shared this machine, or 0 if a scheduler placed any: their times are then no measure."""
    file = sweep.folder / "at_once.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else at_once
    paths.write(file, json.dumps(max(before, at_once) if before and at_once else 0))


def _run_all(sweep: Sweep, command: list[str], lock: int) -> None:
    """Run Snakemake to its end, and print a line whenever a run is done or has failed.

    Args:
        sweep: The sweep.
        command: Snakemake with its arguments.
        lock: The descriptor of the sweep's lock. Snakemake holds it too: if this process is killed, Snakemake goes on,
            and the next start waits for it.
    """
    log, began, told = sweep.folder / LOG, time.monotonic(), _count(sweep)
    first = told[0]
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT)}
    with open(log, "w", encoding="utf-8") as file:
        try:
            process = subprocess.Popen(
                command,
                cwd=paths.ROOT,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=[lock],
                start_new_session=True,
            )
        except FileNotFoundError:
            raise UserError(f"There is no program {command[0]!r}. `make sweep` installs Snakemake; use it.") from None
        try:
            while process.poll() is None:
                time.sleep(LOOK_SECONDS)
                if (now := _count(sweep)) != told:
                    told = now
                    _tell(sweep, now, now[0] - first, time.monotonic() - began)
        finally:
            if process.poll() is None:
                _end(process)
                _cancel_left(log)
    done, failed = _count(sweep)
    if process.returncode and done + failed < len(sweep.runs):
        print(f"Some runs were not made. All that Snakemake wrote: {paths.on_terminal(log)}", flush=True)
    if process.returncode and not done and not failed:
        last = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()][-1:]
        raise UserError(f"Snakemake failed: {''.join(last)[:300]} All that it wrote: {paths.on_terminal(log)}")


def _end(process: subprocess.Popen) -> None:
    """End Snakemake and the runs that it has started here; on a cluster it cancels its jobs. It has `END_SECONDS`."""
    for number, seconds in ((signal.SIGINT, END_SECONDS), (signal.SIGKILL, None)):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)


def _cancel_left(log: Path) -> None:
    """Cancel the jobs that Snakemake has left to Slurm: those whose state it was asking for when it was interrupted."""
    for name in SLURM_RUN.findall(log.read_text(encoding="utf-8", errors="replace")):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(["scancel", f"--name={name}"], capture_output=True, timeout=SLURM_SECONDS)


def _tell(sweep: Sweep, count: tuple[int, int], made: int, seconds: float) -> None:
    done, failed = count
    left = len(sweep.runs) - done - failed
    time_left = f", about {seconds / made * left / 60:.0f} min left" if made > 0 and left else ""
    print(f"{sweep.name}: {done} runs done, {failed} failed, {left} left{time_left}", flush=True)


def _count(sweep: Sweep) -> tuple[int, int]:
    """Count the runs that are done, and those that have failed so far."""
    places = [sweep.place(run) for run in sweep.runs]
    done = [(place / one.DONE).is_file() for place in places]
    failed = [(place / one.FAILED).is_file() and not ready for place, ready in zip(places, done, strict=True)]
    return sum(done), sum(failed)


def _first_reason(sweep: Sweep) -> str:
    for run in sweep.runs:
        file = sweep.place(run) / one.FAILED
        if file.is_file():
            return f"The first that failed, {run.id}: {file.read_text(encoding='utf-8').strip()}"
    return f"All that Snakemake wrote: {paths.on_terminal(sweep.folder / LOG)}"
