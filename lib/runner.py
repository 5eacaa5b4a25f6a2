"""Runs a notebook with the parameters of an experiment, and publishes the report.

Usage: `python -m lib.runner 04_tang_poetry --profile cpu`. The parameters are checked before anything starts; the
notebook runs in a scratch folder; the finished folder is moved into `outputs/<profile>/` at once. With parameters on
the command line, `k=40 "prompt=The night was"`, the report is a variant and goes to a folder of its own. Exit status:
0 for a published report, 2 for a mistake that the user can mend, 1 for a notebook that failed.
"""

import argparse
import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from lib import kernels
from lib.core import backends, command_line, environment, parameters, paths, progress, records, redaction
from lib.core.errors import UserError
from lib.core.yaml_files import shown
from lib.kernels import NotebookFailed
from lib.report import executed as executed_notebooks
from lib.report import recorder, site

DONE = ".done"  # lies in a published folder; make compares its time with what the report is made from
KERNEL_LOG = "kernel.log"
RUNNING = ".run-"  # how the folder of a run that is not done begins


def run(notebook: str, profile: str, changes: list[str] | None = None, limit_minutes: float | None = None) -> Path:
    """Runs a notebook and publishes its report.

    Args:
        notebook: The notebook's stem.
        profile: The folder of `experiments` that holds its YAML file, and the folder of `outputs/` that it goes to.
        changes: Parameters, `"name=value"`, that differ from the YAML file. With any, the report does not take the
            place of the notebook's own: it goes to `<notebook>@<hash of what differs>`.
        limit_minutes: How long the notebook may take; None sets no limit.

    Returns:
        The published folder.

    Raises:
        UserError: If a parameter, the profile, the notebook or the outputs folder is not as it must be. Nothing is
            written then.
        NotebookFailed: If the notebook failed. Its report, if there was one, is left as it was.
    """
    declared = parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")
    given = _experiment(notebook, profile, declared)
    changed = _changed(changes or [], given, declared)
    given |= changed
    values = {name: parameter.default for name, parameter in declared.items()} | given
    parameters.check_together(values, "the command line" if changed else f"experiments/{profile}/{notebook}.yaml")
    outputs = paths.outputs() / profile
    _check_writable(outputs)
    _say_if_slow(profile, values)
    with _only_one(outputs), tempfile.TemporaryDirectory(prefix=RUNNING, dir=outputs) as scratch:
        folder = Path(scratch) / variant_name(notebook, changed)
        folder.mkdir()
        given |= {"profile": profile, "output_dir": str(folder)}
        executed = folder / executed_notebooks.NAME
        try:
            start = time.monotonic()
            _execute(notebook, executed, given, _minutes_last_time(outputs, folder.name, notebook), limit_minutes)
            _check_ran(executed, folder)
            _record(folder, minutes=(time.monotonic() - start) / 60, changed=changed)
            executed_notebooks.clean(executed, f"outputs/{profile}/{folder.name}")
            site.render_report(folder)
        except NotebookFailed as failure:
            kept = outputs / "failed" / f"{notebook}.ipynb"
            if not executed.exists():
                raise
            kept.parent.mkdir(exist_ok=True)
            redaction.clean_folder(Path(scratch))
            shutil.move(executed, kept)
            shutil.move(Path(scratch) / KERNEL_LOG, kept.with_suffix(".log"))
            raise NotebookFailed(
                f"{failure} The notebook as far as it came: {paths.on_terminal(kept)}; beside it lies what its kernel "
                "wrote."
            ) from None
        if names := redaction.clean_folder(folder):
            print(f"A password or token of this machine was taken out of {', '.join(names)}.", flush=True)
        published = _publish(folder, outputs)
        for suffix in ("ipynb", "log"):
            (outputs / "failed" / f"{notebook}.{suffix}").unlink(missing_ok=True)
        site.render_index(profile)  # which also links the reports, so no other run may publish meanwhile
        (published / DONE).touch()
    return published


def _experiment(notebook: str, profile: str, declared: dict) -> dict:
    profiles = sorted(folder.name for folder in paths.EXPERIMENTS.iterdir() if folder.is_dir())
    if profile not in profiles:
        raise UserError(f"There is no profile {profile!r}; there are {', '.join(profiles)}.")
    file = paths.EXPERIMENTS / profile / f"{notebook}.yaml"
    given = parameters.validate(parameters.read_experiment(file), declared, paths.shown(file))
    for name, value in given.items():
        if any(secret in str(value) for secret in redaction.secrets()):
            raise UserError(f"{paths.shown(file)}: {name} holds a password or token of this machine. Take it out.")
    return given


def _changed(changes: list[str], given: dict, declared: dict) -> dict:
    """The parameters of the command line that differ from those of the YAML file."""
    values = {name: parameter.default for name, parameter in declared.items()} | given
    wanted = parameters.from_command_line(changes, declared)
    for name, value in wanted.items():
        if any(secret in str(value) for secret in redaction.secrets()):
            raise UserError(f"the command line: {name} holds a password or token of this machine. Take it out.")
    changed = {name: value for name, value in wanted.items() if value != values[name]}
    if changes and not changed:
        raise UserError(f"the command line: {shown(', '.join(changes))} is what the report itself has. Change a value.")
    return changed


def variant_name(notebook: str, changed: dict) -> str:
    """The folder of a report: the notebook's name and, if any parameters are changed, a hash of them."""
    if not changed:
        return notebook
    text = json.dumps(changed, sort_keys=True, ensure_ascii=False)
    return f"{notebook}@{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _check_writable(outputs: Path) -> None:
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=outputs):
            pass
    except OSError as error:
        raise UserError(
            f"The outputs folder {paths.on_terminal(outputs)} cannot be written: {error.strerror}. "
            "Change its permissions, or name another folder in REPORT_OUTPUTS."
        ) from None


@contextlib.contextmanager
def _only_one(outputs: Path):
    """Lets one notebook run at a time, since two would spoil each other's timings, and clears what dead runs left."""
    with open(outputs / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another notebook of this profile is running; waiting for it.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in outputs.glob(f"{RUNNING}*"):  # by runs that were killed: a living one holds the lock
            shutil.rmtree(left, ignore_errors=True)
        yield


def _minutes_last_time(outputs: Path, *names: str) -> float | None:
    """The minutes of the first of some published reports that there is; None if there is none."""
    for name in names:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return json.loads((outputs / name / "results.json").read_text(encoding="utf-8"))["minutes"]
    return None


def _say_if_slow(profile: str, values: dict) -> None:
    """Says that the experiments of the profile `gpu` run on a CPU, where they take days."""
    if profile == "gpu" and "backend" in values and not backends.has_gpu():
        print(
            "The experiments of the profile gpu are sized for an NVIDIA GPU, and none was found. On a CPU they take "
            "days; those of the profile cpu are smaller (--profile cpu, with make PROFILE=cpu).",
            flush=True,
        )


def _execute(
    notebook: str, executed: Path, given: dict, minutes: float | None, limit_minutes: float | None = None
) -> None:
    source, scratch = paths.NOTEBOOKS / f"{notebook}.ipynb", executed.parent.parent
    cells = nbformat.read(source, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
    done, total = itertools.count(1), len(code) + 1  # papermill adds a cell with the parameters that are given
    log = scratch / KERNEL_LOG
    with _quiet(log) as terminal, progress.shown(notebook, scratch / "progress.jsonl", terminal, total, minutes):
        variables, aside = environment.for_kernel(scratch)
        if aside:
            progress.note(f"set aside, since a report depends on its parameters alone: {', '.join(aside)}")
        kernels.execute(
            source,
            executed,
            given,
            variables,
            log,
            on_cell_executed=lambda **_: progress.cell(next(done), total),
            limit_minutes=limit_minutes,
            cwd=paths.ROOT,
        )


def _check_ran(executed: Path, folder: Path) -> None:
    """Makes sure that every code cell ran: a killed kernel leaves a notebook that looks complete."""
    counts = []
    for cell in nbformat.read(executed, as_version=4).cells:
        if cell.cell_type == "code" and cell.source.strip():
            if cell.execution_count is None:
                raise NotebookFailed(
                    f"{executed.parent.name} failed: a cell did not run: {cell.source.splitlines()[0]!r}."
                )
            counts.append(cell.execution_count)
    if counts != list(range(1, len(counts) + 1)):
        raise NotebookFailed(f"{executed.parent.name} failed: its cells did not run in order, each once.")
    if not (folder / "results.json").is_file():
        raise NotebookFailed(f"{executed.parent.name} failed: it left no results.json.")


def _record(folder: Path, minutes: float, changed: dict) -> None:
    """Adds to `results.json` what the runner knows.

    Args:
        folder: The folder.
        minutes: Those of the whole run, the start of the kernel included, in place of what the notebook counted.
        changed: The parameters that make the report a variant, none if it is not one.
    """
    results = records.load(folder / "results.json")
    results.minutes, results.changed = minutes, changed
    recorder.write(folder, results)


def _publish(folder: Path, outputs: Path) -> Path:
    """Puts a finished folder in the place of the old one."""
    place, old = outputs / folder.name, folder.parent / "old"
    if place.exists():
        place.rename(old)
    try:
        folder.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    return place


@contextlib.contextmanager
def _quiet(log: Path):
    """Sends what the kernel and its libraries write to stderr into a file. Yields the real stderr."""
    sys.stderr.flush()
    terminal = os.fdopen(os.dup(2), "w", buffering=1)
    with open(log, "w") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield terminal
    finally:
        os.dup2(terminal.fileno(), 2)
        terminal.close()


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    return command_line.run(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lib.runner", description="Run a notebook and publish its report.", add_help=False
    )
    parser.add_argument("notebook", nargs="?", help="the notebook's name, such as 04_tang_poetry")
    parser.add_argument("changes", nargs="*", metavar="name=value", help="parameters that differ from the YAML file")
    parser.add_argument("--profile", default="cpu", help="the folder of experiments/ to take its parameters from")
    parser.add_argument("-h", "--help", action="store_true", help="with a notebook: the parameters that it has")
    parser.add_argument(
        "--limit", type=_minutes, metavar="MINUTES", help="how long the notebook may take; no limit else"
    )
    options = parser.parse_intermixed_args(arguments)
    if not options.notebook:
        parser.print_help()
        return 0 if options.help else 2
    notebook = Path(options.notebook).name.removesuffix(".ipynb")
    start = time.monotonic()
    if options.help:
        declared = parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")
        print(f"Parameters of {notebook}, with the defaults of the notebook:\n{parameters.described(declared)}")
        return 0
    try:
        folder = run(notebook, options.profile, options.changes, options.limit)
    except NotebookFailed as error:
        return command_line.fail(str(error), status=1)
    minutes = (time.monotonic() - start) / 60
    print(f"{paths.on_terminal(folder / 'report.html')} is ready, after {minutes:.1f} minutes.")
    return 0


def _minutes(text: str) -> float:
    """A time limit in minutes, more than 0."""
    with contextlib.suppress(ValueError):
        if 0 < (minutes := float(text)) < float("inf"):
            return minutes
    raise argparse.ArgumentTypeError(f"it is {text!r}; it must be a number of minutes above 0")


if __name__ == "__main__":
    sys.exit(main())
