"""Read a sweep, `experiments/sweeps/<name>.yaml`, check it as an experiment is checked, and list its runs.

A sweep is a notebook, a profile, and a grid over the parameters that the notebook declares:

    question: {en: ..., zh: ...}     # what the sweep is to answer
    notebook: 04_tang_poetry
    profile: cpu                     # the YAML files of experiments/cpu give all other values
    fixed: {num_runs: 1}             # values that differ from them in every run
    grid:                            # a run for each combination
      learning_rate: [2.0e-4, 5.0e-4]
      seed: [1, 2, 3]
    seeds: [seed]                    # those parameters of the grid that are chance, not a setting
    figures:                         # what to gather from `measured` in each run's results.json
      - {path: form.after.shares.well_formed, unit: "%", better: higher, en: well formed, zh: 格式工整}
    threads: 2                       # processor cores of a run
    gpus: 0                          # GPUs of a run
    hours: 2                         # the longest time that a run may take, for a scheduler; 4 by default
    memory_gb: 16                    # the memory that a run needs, likewise

A notebook that reads another one's results (`lib/notebooks.py`) gets those of a run of that one. A parameter of it is
named with the notebook before a dot, `02_reddit_finetune.num_steps`.
"""

import functools
import hashlib
import itertools
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lib import notebooks
from lib.core import parameters, paths, records, yaml_files
from lib.core.errors import UserError
from lib.core.records import SweepFigure
from lib.core.yaml_files import shown

PLAN = "plan.json"
MOST_RUNS = 1000
MINUTES = 180  # longer times are told in hours
KEYS = {"question": dict, "notebook": str, "profile": str, "grid": dict, "figures": list}  # which a sweep must have
OPTIONAL = {"fixed": dict, "seeds": list, "threads": int, "gpus": int, "hours": float, "memory_gb": float}
BETTER = ("higher", "lower")


@dataclass(frozen=True)
class Run:
    """A run of a sweep.

    Attributes:
        id: A hash of everything that makes it this run: notebook, profile, all given values, and the runs it needs.
        notebook: The notebook's stem.
        profile: The folder of its YAML file.
        values: All values that it is given: those of that file, and the sweep's in their place.
        point: Its place in the grid: a value for each parameter of the grid. Empty for a run that others need.
        needs: The ids of the runs whose results it reads, by notebook.
    """

    id: str
    notebook: str
    profile: str
    values: dict
    point: dict
    needs: dict[str, str]


@dataclass(frozen=True)
class Sweep:
    """A sweep that was checked.

    Attributes:
        name: The YAML file's stem.
        question: What it is to answer, by language.
        notebook: The notebook that it runs.
        profile: The profile whose values hold for all that it does not name.
        fixed: The values that differ from those in every run.
        grid: The values of each parameter of the grid.
        seeds: The parameters of the grid that are chance.
        figures: What is gathered.
        runs: All runs; those that others need come first.
        threads: The processor cores of a run.
        gpus: The GPUs of a run.
        hours: The longest time of a run, for a scheduler.
        memory_gb: The memory of a run in gigabytes, likewise.
    """

    name: str
    question: dict[str, str]
    notebook: str
    profile: str
    fixed: dict
    grid: dict[str, list]
    seeds: list[str]
    figures: list[SweepFigure]
    runs: list[Run] = field(default_factory=list)
    threads: int = 2
    gpus: int = 0
    hours: float = 4.0
    memory_gb: float = 16.0

    @property
    def folder(self) -> Path:
        """The folder of its runs and of its report."""
        return paths.outputs() / f"{paths.SWEEP}{self.name}"

    def place(self, run: Run) -> Path:
        """Return the folder of outputs of a run."""
        return self.folder / "runs" / run.id

    def run(self, number: str) -> Run:
        """Return the run with an id."""
        return next(run for run in self.runs if run.id == number)


def names() -> list[str]:
    """Return the names of all sweeps."""
    return sorted(file.stem for file in (paths.EXPERIMENTS / paths.SWEEPS).glob("*.yaml"))


def read(name: str) -> Sweep:
    """Read a sweep and check it.

    Raises:
        UserError: At the first mistake: a name or value that is not allowed, an empty grid, or too many runs.
    """
    file = paths.EXPERIMENTS / paths.SWEEPS / f"{name}.yaml"
    if name not in names():
        raise UserError(f"There is no experiments/{paths.SWEEPS}/{name}.yaml; there are {', '.join(names())}.")
    where = paths.shown(file)
    given = _checked_keys(yaml_files.read(file), where)
    notebook, profile = given["notebook"], given["profile"]
    if notebook not in (one.name for one in notebooks.EXPERIMENTS):
        known = ", ".join(one.name for one in notebooks.EXPERIMENTS)
        raise UserError(f"{where}: notebook is {shown(notebook)}; it must be one of {known}.")
    grid = {name: _checked_values(notebook, name, values, where) for name, values in given["grid"].items()}
    if not grid:
        raise UserError(f"{where}: grid is empty. Name at least one parameter with its values.")
    fixed = {name: _checked_value(notebook, name, value, where) for name, value in given.get("fixed", {}).items()}
    if twice := [name for name in grid if name in fixed]:
        raise UserError(f"{where}: {twice[0]} is both in grid and in fixed. Keep one of the two.")
    count = math.prod(map(len, grid.values()))
    if count > MOST_RUNS:
        raise UserError(
            f"{where}: the grid has {count:,} runs{about(notebook, profile, count)}; {MOST_RUNS:,} are allowed. Leave "
            "values out, or split it into several sweeps."
        )
    runs = _runs(notebook, profile, grid, fixed, where)
    seeds = given.get("seeds", [])
    if strange := [name for name in seeds if name not in grid]:
        raise UserError(f"{where}: seeds names {shown(strange[0])}, which is not in grid. Add its values there.")
    if not given["figures"]:
        raise UserError(f"{where}: figures is empty. Name at least one, with its path in results.json.")
    figures = [_figure(one, notebook, where) for one in given["figures"]]
    sizes = {name: given[name] for name in ("threads", "gpus", "hours", "memory_gb") if name in given}
    return Sweep(name, given["question"], notebook, profile, fixed, grid, seeds, figures, runs, **sizes)


def _checked_keys(given, where: str) -> dict:
    if not isinstance(given, dict):
        raise UserError(f"{where}: it must hold {', '.join(KEYS)}, each with its value.")
    allowed = KEYS | OPTIONAL
    for name, value in given.items():
        if name not in allowed:
            raise UserError(f"{where}: there is no {shown(name)} in a sweep; there are {', '.join(allowed)}.")
        kind = allowed[name]
        number = kind in (int, float) and isinstance(value, int | kind) and not isinstance(value, bool)
        if not (number or (kind not in (int, float) and isinstance(value, kind))):
            words = {dict: "names with values", list: "a list", str: "a text", int: "a whole number", float: "a number"}
            raise UserError(f"{where}: {name} is {shown(value)}; it must be {words[kind]}.")
        least = 0 if name == "gpus" else 1 if name == "threads" else 0.01
        if number and not least <= value < 10_000:
            raise UserError(f"{where}: {name} is {shown(value)}; it must be {least} or more.")
    if missing := [name for name in KEYS if name not in given]:
        raise UserError(f"{where}: {missing[0]} is missing; a sweep must have {', '.join(KEYS)}.")
    if not all(isinstance(given["question"].get(language), str) for language in ("en", "zh")):
        raise UserError(f"{where}: question must have a text for en and one for zh.")
    return given


def _checked_values(notebook: str, name: str, values, where: str) -> list:
    """Return the values of a parameter in the grid, converted to its type."""
    if not isinstance(values, list) or not values:
        raise UserError(f"{where}: grid: {name} is {shown(values)}; it must be a list of values, not empty.")
    checked = [_checked_value(notebook, name, value, where) for value in values]
    for value in checked:
        if checked.count(value) > 1:
            raise UserError(f"{where}: grid: {name} holds {shown(value)} twice; give each once.")
    return checked


def _checked_value(notebook: str, name: str, value, where: str):
    """Return the value of a parameter, of the notebook or of one that it needs, converted to its type."""
    of, _, own = str(name).partition(".")
    if not own:
        of, own = notebook, name
    elif of not in _needs(notebook):
        raise UserError(f"{where}: {name} names a parameter of {shown(of)}, whose results {notebook} does not read.")
    return parameters.validate({own: value}, _declared(of), where)[own]


def _needs(notebook: str) -> tuple[str, ...]:
    return next(one.needs for one in notebooks.EXPERIMENTS if one.name == notebook)


@functools.cache
def _declared(notebook: str) -> dict[str, parameters.Parameter]:
    return parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")


def _figure(given, notebook: str, where: str) -> SweepFigure:
    fields = ("path", "unit", "better", "en", "zh")
    if not isinstance(given, dict) or not set(given) <= set(fields):
        raise UserError(f"{where}: figures: {shown(given)} must have path, en and zh, and may have unit and better.")
    if not all(isinstance(given.get(name), str) for name in ("path", "en", "zh")):
        raise UserError(f"{where}: figures: {shown(given)} must have a text for each of path, en and zh.")
    if not isinstance(given.get("unit", ""), str):
        raise UserError(f"{where}: figures: unit is {shown(given['unit'])}; it must be a text, or be left out.")
    if given.get("better", "higher") not in BETTER:
        raise UserError(f"{where}: figures: better is {shown(given['better'])}; it must be one of {', '.join(BETTER)}.")
    first, known = given["path"].split(".")[0], records.MEASURED[notebook].model_fields
    if first not in known:
        raise UserError(
            f"{where}: figures: path is {shown(given['path'])}, but {notebook} measures no {shown(first)}; it measures "
            f"{', '.join(known)}."
        )
    names = {language: given[language] for language in ("en", "zh")}
    return SweepFigure(path=given["path"], name=names, unit=given.get("unit", ""), better=given.get("better", ""))


def about(notebook: str, profile: str, count: int) -> str:
    """Tell about how long so many runs take, one after another, by the notebook's own last run; `""` if unknown."""
    try:
        minutes = count * records.load(paths.of_profile(profile) / notebook / "results.json").minutes
    except (UserError, OSError):
        return ""
    return f", about {minutes:.0f} minutes" if minutes < MINUTES else f", about {minutes / 60:,.0f} hours"


def _runs(notebook: str, profile: str, grid: dict, fixed: dict, where: str) -> list[Run]:
    runs = {}
    for values in itertools.product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        _run(notebook, profile, fixed | point, point, where, runs)
    return list(runs.values())


def _run(notebook: str, profile: str, wanted: dict, point: dict, where: str, runs: dict[str, Run]) -> str:
    """Add a run, after those that it needs, and return its id."""
    needs = {}
    for one in _needs(notebook):
        theirs = {name.partition(".")[2]: value for name, value in wanted.items() if name.startswith(f"{one}.")}
        needs[one] = _run(one, profile, theirs, {}, where, runs)
    declared = _declared(notebook)
    experiment = paths.EXPERIMENTS / profile / f"{notebook}.yaml"
    if not experiment.is_file():
        raise UserError(f"{where}: profile is {shown(profile)}, which has no {paths.shown(experiment)}.")
    values = parameters.validate(parameters.read_experiment(experiment), declared, paths.shown(experiment))
    values |= {name: value for name, value in wanted.items() if "." not in name}
    defaults = {name: parameter.default for name, parameter in declared.items()}
    parameters.check_together(defaults | values, where)
    told = {"notebook": notebook, "profile": profile, "values": values, "needs": needs}
    number = hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]
    runs.setdefault(number, Run(number, notebook, profile, values, point, needs))
    return number


def write(sweep: Sweep) -> Path:
    """Write the list of runs for Snakemake. Return its file."""
    sweep.folder.mkdir(parents=True, exist_ok=True)
    sizes = {"threads": sweep.threads, "gpus": sweep.gpus, "hours": sweep.hours, "memory_gb": sweep.memory_gb}
    told = {"name": sweep.name, "code": code(sweep), "runs": [asdict(run) for run in sweep.runs], **sizes}
    paths.write(sweep.folder / PLAN, json.dumps(told, ensure_ascii=False, indent=1))
    return sweep.folder / PLAN


def code(sweep: Sweep) -> dict[str, str]:
    """Return a hash of the code that each notebook's figures depend on; a run is made again if it changed."""
    used = {run.notebook for run in sweep.runs}
    rooms = ("core", "data", "models", "training", "evaluation")
    files = [file for room in rooms for file in sorted((paths.ROOT / "lib" / room).glob("*.py"))]
    files += [paths.ROOT / "lib" / name for name in ("runner.py", "kernels.py", "report/recorder.py")]
    common = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    told = {name: f"{common} {notebooks.code_of(paths.NOTEBOOKS / f'{name}.ipynb')}" for name in used}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in sorted(told.items())}
