"""Start a sweep: hand its runs to Snakemake, say how far it is, and make its report."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from lib import runner
from lib.core import backends, locks, paths, watchdog
from lib.core.errors import UserError
from lib.sweeps import one, plan
from lib.sweeps.plan import Sweep

NOTEBOOK = "06_sweep"
PROFILES = paths.ROOT / "workflow" / "profiles"
LOG = "snakemake.log"
LOOK_SECONDS = 1.0


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
    """
    watchdog.end_with_make()
    sweep = plan.read(name)
    if not (PROFILES / on / "config.yaml").is_file():
        known = ", ".join(sorted(folder.name for folder in PROFILES.iterdir()))
        raise UserError(f"There is no folder {on!r} in workflow/profiles; there are {known}.")
    left = [run for run in sweep.runs if not (sweep.place(run) / one.DONE).is_file()]
    print(
        f"{sweep.name}: {len(sweep.runs)} runs, {len(left)} of them to be made{_about(sweep, len(left))}.", flush=True
    )
    if only_check:
        return 0
    cores = cores or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores or os.cpu_count()
    gpus = backends.nvidia_smi("-L").count("GPU ") if backends.has_gpu() else 0
    if on == "local" and sweep.gpus > gpus:
        raise UserError(
            f"{sweep.name} needs {sweep.gpus} GPUs a run, and this machine has {gpus}. Set gpus in its YAML."
        )
    (sweep.folder / "runs").mkdir(parents=True, exist_ok=True)
    with locks.only_one(sweep.folder / "runs"):
        at_once = max(1, min(cores // min(sweep.threads, cores), gpus // sweep.gpus if sweep.gpus else cores))
        _remember(sweep, at_once if on == "local" else 0)
        _run_all(sweep, [snakemake, *_options(plan.write(sweep), on, cores, gpus)])
    done, failed = _count(sweep)
    print(f"{sweep.name}: {done} of {len(sweep.runs)} runs done, {failed} failed.", flush=True)
    if not done:
        raise UserError(f"No run of {sweep.name} succeeded, so there is no report. {_first_reason(sweep)}")
    report = runner.run(NOTEBOOK, sweep.folder.name)
    print(f"{paths.on_terminal(report / 'report.html')} is ready.", flush=True)
    return 0 if done == len(sweep.runs) else 1


def _about(sweep: Sweep, runs: int) -> str:
    minutes = plan.minutes_of(sweep.notebook, sweep.profile)
    return f", about {minutes * runs:.0f} minutes one after another" if minutes and runs else ""


def _options(file: Path, on: str, cores: int, gpus: int) -> list[str]:
    """Return the arguments of Snakemake."""
    folder = str(file.parent)
    where = ["--snakefile", str(paths.ROOT / "workflow" / "Snakefile"), "--directory", folder, "--nolock"]
    where += ["--workflow-profile", str(PROFILES / on), "--config", f"plan={file}", f"python={sys.executable}"]
    if on == "local":
        where += ["--cores", str(cores), "--resources", f"gpu={gpus}"]
    return where


def _remember(sweep: Sweep, at_once: int) -> None:
    """Keep the largest number of runs that shared a machine: their times are then not for comparison."""
    file = sweep.folder / "at_once.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else 0
    paths.write(file, json.dumps(max(before, at_once)))


def _run_all(sweep: Sweep, command: list[str]) -> None:
    """Run Snakemake to its end, and print a line whenever a run is done or has failed."""
    log, began, told = sweep.folder / LOG, time.monotonic(), _count(sweep)
    first = told[0]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(paths.ROOT)}
    with open(log, "w", encoding="utf-8") as file:
        try:
            process = subprocess.Popen(command, cwd=paths.ROOT, stdout=file, stderr=subprocess.STDOUT, env=environment)
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
                process.terminate()
                process.wait()
    if process.returncode and _count(sweep) == (0, 0):
        last = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()][-1:]
        raise UserError(f"Snakemake failed: {''.join(last)[:300]} All that it wrote: {paths.on_terminal(log)}")


def _tell(sweep: Sweep, count: tuple[int, int], made: int, seconds: float) -> None:
    done, failed = count
    left = len(sweep.runs) - done - failed
    time_left = f", about {seconds / made * left / 60:.0f} min left" if made and left else ""
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
