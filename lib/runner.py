"""Run a notebook with the parameters of an experiment and publish its report.

Usage: `python -m lib.runner 04_tang_poetry --profile cpu`. The runner checks the parameters before it starts anything,
runs the notebook in a scratch folder, and then moves the finished folder into `outputs/<profile>/` in one step. If
parameters are given on the command line, such as `k=40 "prompt=The night was"`, the report is a variant and gets its
own folder. Exit status: 0 if the report was published, 2 for a mistake that the user can fix, 1 if the notebook failed.
"""

import argparse
import contextlib
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

from lib import kernels, notebooks
from lib.core import (
    backends,
    command_line,
    environment,
    locks,
    notebook_files,
    parameters,
    paths,
    progress,
    published,
    records,
    redaction,
    watchdog,
)
from lib.core.errors import UserError
from lib.core.yaml_files import shown
from lib.data import cache
from lib.kernels import NotebookFailed
from lib.report import executed as executed_notebooks
from lib.report import recorder, site

KERNEL_LOG = "kernel.log"


def run(
    notebook: str,
    profile: str,
    changes: list[str] | dict | None = None,
    limit_minutes: float | None = None,
    keep_as: str = "",
) -> Path:
    """Run a notebook and publish its report.

    Args:
        notebook: The notebook's stem.
        profile: The folder in `experiments/` that holds the YAML file, and the folder in `outputs/` for the report.
        changes: Parameters that differ from the YAML file: as `"name=value"`, or values by name. The report is then a
            variant: it does not replace the notebook's own report but goes to `<notebook>@<hash of the changes>`.
        limit_minutes: The longest time that the notebook may take; None sets no limit.
        keep_as: The name in the cache under which its trainings are kept, for the case that the run is interrupted; by
            default that of the profile and the report.

    Returns:
        The published folder.

    Raises:
        UserError: If a parameter, the profile, the notebook or the outputs folder is invalid. Nothing is published
            then.
        NotebookFailed: If the notebook failed. A report published earlier is kept.
    """
    began_ns = time.time_ns()
    _, _, values = _planned(notebook, profile, changes)
    outputs = paths.of_profile(profile)
    _check_writable(outputs)
    _say_if_slow(profile, values)
    with cache.swept():  # what killed processes left may be large
        cache.forget_old_trainings()
    with locks.only_one(outputs), _scratch(outputs) as scratch:
        since_ns = time.time_ns()
        _check_code_unchanged(began_ns)
        given, changed, _ = _planned(notebook, profile, changes)  # what was edited while this run waited counts too
        folder = Path(scratch) / variant_name(notebook, changed)
        folder.mkdir()
        given |= {"profile": profile, "output_dir": str(folder)}
        trainings = paths.cache() / cache.TRAININGS / (keep_as or f"{profile}-{folder.name}")
        executed = folder / executed_notebooks.NAME
        try:
            start = time.monotonic()
            minutes = _minutes_last_time(outputs, folder.name, notebook)
            _execute(notebook, executed, given, trainings, minutes, limit_minutes)
            _check_ran(executed, folder)
            _record(folder, minutes=(time.monotonic() - start) / 60, changed=changed)
            executed_notebooks.clean(executed, f"outputs/{profile}/{folder.name}")
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
        place, problem = publish(folder, outputs, since_ns, trainings)
        for suffix in ("ipynb", "log"):
            (outputs / "failed" / f"{notebook}.{suffix}").unlink(missing_ok=True)
    if problem:
        raise UserError(
            f"{place.name} ran and its results are kept, but its page could not be made: {problem} Mend that, then "
            f"run `make render PROFILE={profile}`."
        )
    return place


def publish(folder: Path, outputs: Path, since_ns: int, trainings: Path) -> tuple[Path, str]:
    """Make the page of a report that ran, publish it and make the index anew. Hold the lock for this.

    Args:
        folder: The finished folder, in a scratch folder inside `outputs`.
        outputs: The profile's folder.
        since_ns: See `published.seal`.
        trainings: The folder of the trainings that were kept for the case that the run is interrupted.

    Returns:
        The published folder, and what kept its page from being made, or `""`.
    """
    published.seal(folder, site.rendered(folder), since_ns)
    problem, were_whole = _render(folder), not published.fault_of_pages(outputs)
    with published.uninterrupted():
        place = published.publish(folder, outputs)
        shutil.rmtree(trainings, ignore_errors=True)
        site.render_index(outputs.name)  # it also writes the links into the other reports
        if not were_whole:  # the list of all pages, which the index made anew, would hide what is damaged
            (outputs / published.PAGES).unlink(missing_ok=True)
    return place, problem


def _check_code_unchanged(began_ns: int) -> None:
    """Check that no module was edited while this run waited for another: it would run with the old code."""
    for module in list(sys.modules.values()):
        file = Path(getattr(module, "__file__", None) or os.devnull)
        if file.is_relative_to(paths.ROOT / "lib") and file.is_file() and file.stat().st_mtime_ns > began_ns:
            raise UserError(f"{paths.shown(file)} was changed while this run waited for another one. Run it again.")


def _planned(notebook: str, profile: str, changes: list[str] | dict | None) -> tuple[dict, dict, dict]:
    """Read and check the parameters of a run.

    Returns:
        Those that are given, those of them that make the report a variant, and all, by name.
    """
    declared = parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")
    given = _experiment(notebook, profile, declared)
    changed = _changed(changes or [], given, declared)
    given |= changed
    values = {name: parameter.default for name, parameter in declared.items()} | given
    parameters.check_together(values, "the command line" if changed else f"experiments/{profile}/{notebook}.yaml")
    return given, changed, values


def _render(folder: Path) -> str:
    """Make the page of a report that ran. Return what kept it from being made, or `""`.

    The run may have taken hours. Wording or templates may have been edited meanwhile, or the disk is full: its results
    are worth more than its page.
    """
    try:
        site.render_report(folder)
    except UserError as error:
        return str(error)
    except OSError as error:
        return command_line.of_system(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    redaction.clean_folder(folder)
    return ""


@contextlib.contextmanager
def _scratch(outputs: Path):
    """Put right what killed runs left, and yield a folder for a run that is not finished. Hold the lock for this."""
    published.restore(outputs)
    with tempfile.TemporaryDirectory(prefix=published.RUNNING, dir=outputs) as folder:
        yield folder


def _experiment(notebook: str, profile: str, declared: dict) -> dict:
    if profile.startswith(paths.SWEEP):  # the report of a sweep, which has a folder and no YAML file of values
        return parameters.validate({"sweep": profile.removeprefix(paths.SWEEP)}, declared, f"the profile {profile}")
    folders = [folder.name for folder in paths.EXPERIMENTS.iterdir() if folder.is_dir()]
    profiles = sorted(name for name in folders if name != paths.SWEEPS)
    experiments = (
        site.BENCH if profile.startswith(f"{site.BENCH}-") else profile
    )  # the bench on a GPU has its own folder
    if experiments not in profiles:
        raise UserError(f"There is no profile {profile!r}; there are {', '.join(profiles)}.")
    file = paths.EXPERIMENTS / experiments / f"{notebook}.yaml"
    given = parameters.validate(parameters.read_experiment(file), declared, paths.shown(file))
    for name, value in given.items():
        if any(secret in str(value) for secret in redaction.secrets()):
            raise UserError(f"{paths.shown(file)}: {name} holds a password or token of this machine. Take it out.")
    return given


def _changed(changes: list[str] | dict, given: dict, declared: dict) -> dict:
    """Return the parameters of the command line, or of a sweep, whose values differ from those of the YAML file."""
    values = {name: parameter.default for name, parameter in declared.items()} | given
    if isinstance(changes, dict):
        wanted = parameters.validate(changes, declared, "the sweep")
    else:
        wanted = parameters.from_command_line(changes, declared)
    for name, value in wanted.items():
        if any(secret in str(value) for secret in redaction.secrets()):
            raise UserError(f"the command line: {name} holds a password or token of this machine. Take it out.")
    changed = {name: value for name, value in wanted.items() if value != values[name]}
    if changes and not changed and not isinstance(changes, dict):
        raise UserError(f"the command line: {shown(', '.join(changes))} is what the report itself has. Change a value.")
    return changed


def variant_name(notebook: str, changed: dict) -> str:
    """Return the name of a report's folder: the notebook's name and, if any parameters are changed, a hash of them."""
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
    for place in outputs.iterdir():
        if os.path.ismount(place):
            raise UserError(
                f"{paths.on_terminal(place)} is a mount point, and a report is published by replacing its folder. "
                "Unmount it, or name another folder in REPORT_OUTPUTS."
            )


def _minutes_last_time(outputs: Path, *names: str) -> float | None:
    """Return the minutes of the first of the named reports that is published; None if none is."""
    for name in names:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return float(json.loads((outputs / name / "results.json").read_text(encoding="utf-8"))["minutes"])
    return None


def _say_if_slow(profile: str, values: dict) -> None:
    """Warn that the experiments of the profiles for a GPU take days on a CPU."""
    if profile.startswith("gpu") and "backend" in values and not backends.has_gpu():
        print(
            f"The experiments of the profile {profile} are sized for an NVIDIA GPU, and none was found. On a CPU they "
            "take days; those of the profile cpu are smaller (--profile cpu, with make PROFILE=cpu).",
            flush=True,
        )


def _execute(
    notebook: str,
    executed: Path,
    given: dict,
    trainings: Path,
    minutes: float | None,
    limit_minutes: float | None = None,
) -> None:
    """Run a notebook in a kernel of its own.

    Args:
        notebook: The notebook's stem.
        executed: The file for the executed notebook.
        given: Its parameters.
        trainings: The folder where trainings are kept, see `lib.training.checkpoints`.
        minutes: The time that the last run took, if known.
        limit_minutes: The longest time that the run may take; None sets no limit.
    """
    source, scratch = paths.NOTEBOOKS / f"{notebook}.ipynb", executed.parent.parent
    cells = notebook_files.read(source).cells
    code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
    done, total = itertools.count(1), len(code) + 1  # papermill adds a cell with the given parameters
    log = scratch / KERNEL_LOG
    with _quiet(log) as terminal, progress.shown(notebook, scratch / "progress.jsonl", terminal, total, minutes):
        variables, aside = environment.for_kernel(scratch)
        variables[environment.TRAININGS] = str(trainings)
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
    """Check that every code cell ran: a killed kernel leaves a notebook that looks complete."""
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
    """Add the run's time and its changed parameters to `results.json`.

    Args:
        folder: The report's folder.
        minutes: The time of the whole run, including the start of the kernel. It replaces the notebook's own count.
        changed: The parameters that make the report a variant; empty if it is not one.
    """
    results = records.load(folder / "results.json")
    results.minutes, results.changed = minutes, changed
    recorder.write(folder, results)


@contextlib.contextmanager
def _quiet(log: Path):
    """Redirect the stderr of the kernel and its libraries to a file. Yield the real stderr."""
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
    """Run the command line. Return the exit status."""
    return command_line.run(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lib.runner", description="Run a notebook and publish its report.", add_help=False
    )
    parser.add_argument(
        "notebook",
        nargs="?",
        help=f"one of {', '.join(one.name for one in notebooks.ALL)}, or another one in notebooks/",
    )
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
    watchdog.end_with_make()
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
    """Parse a time limit in minutes, more than 0."""
    with contextlib.suppress(ValueError):
        if 0 < (minutes := float(text)) < float("inf"):
            return minutes
    raise argparse.ArgumentTypeError(f"it is {text!r}; it must be a number of minutes above 0")


if __name__ == "__main__":
    sys.exit(main())
