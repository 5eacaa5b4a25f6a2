"""Gather the figures of a sweep's runs, and tell what the seeds and what the settings did to them."""

import itertools
import json
import math
import statistics
from pathlib import Path

import pandas as pd

from lib.core import records
from lib.core.errors import UserError
from lib.core.records import (
    Estimate,
    Results,
    SweepDifference,
    SweepFigure,
    SweepMachine,
    SweepRun,
    SweepSetting,
    SweepSpread,
)
from lib.evaluation import few_values
from lib.report.page import report_name
from lib.sweeps import one, plan
from lib.sweeps.plan import Run, Sweep

TO_STANDARD_ERROR = 2 * statistics.NormalDist().inv_cdf(0.975)  # a 95 % interval is this many standard errors wide


def fill(measured: records.Sweep, name: str) -> list[Results]:
    """Set the fields of a sweep's record from its runs.

    Args:
        measured: The record.
        name: The sweep.

    Returns:
        The results of the runs that are done, those that others need among them.

    Raises:
        UserError: If the sweep has a mistake, no run is done, or a figure is in no run's results.
    """
    sweep = plan.read(name)
    runs = [gathered(sweep, run) for run in sweep.runs if run.point]
    if not any(run.report for run in runs):
        raise UserError(f"No run of {name} is done. Run `make sweep SWEEP={name}` first.")
    for index, figure in enumerate(sweep.figures):
        if all(not run.values or run.values[index].value is None for run in runs):
            raise UserError(f"{name}: figures: no run has measured {figure.path!r}. Correct its path.")
    at_once = sweep.folder / "at_once.json"
    measured.name, measured.question, measured.notebook = sweep.name, sweep.question, sweep.notebook
    measured.run_profile, measured.fixed = sweep.profile, sweep.fixed
    measured.grid, measured.seeds = sweep.grid, sweep.seeds
    measured.at_once = json.loads(at_once.read_text(encoding="utf-8")) if at_once.is_file() else 0
    measured.sweep_figures = sweep.figures
    measured.runs, measured.settings = runs, settings(runs, sweep.seeds, sweep.figures)
    measured.spreads = [spread(runs, measured.settings, index, sweep.seeds) for index in range(len(sweep.figures))]
    measured.differences = differences(runs, sweep.figures, sweep.seeds)
    folders = [one.report_of(sweep.place(run)) for run in sweep.runs]
    results = [records.load(folder / "results.json") for folder in folders if folder]
    measured.machines = []
    for machine in (result.machine for result in results):
        told = SweepMachine(processor=machine.processor, cores=machine.cores, device=machine.device or "")
        measured.machines += [] if told in measured.machines else [told]
    return results


def gathered(sweep: Sweep, run: Run) -> SweepRun:
    """Read the figures of a run. If it is not done, the reason why it failed."""
    place, told = sweep.place(run), {"id": run.id, "point": run.point}
    folder = one.report_of(place)
    if folder is None:
        return SweepRun(**told, failed=_reason(sweep, run))
    results = records.load(folder / "results.json")
    measured = json.loads(results.measured.model_dump_json())
    page = Path("..") / folder.relative_to(sweep.folder) / report_name("en")
    values = [value_at(measured, figure.path) for figure in sweep.figures]
    return SweepRun(**told, report=page.as_posix(), minutes=results.minutes, values=values)


def _reason(sweep: Sweep, run: Run) -> str:
    """Return why a run failed, or a run that it needs; `""` if it has not failed."""
    for notebook, number in run.needs.items():
        needed = sweep.run(number)
        if one.report_of(sweep.place(needed)) is None and (reason := _reason(sweep, needed)):
            return f"{notebook}: {reason}"
    file = sweep.place(run) / one.FAILED
    return file.read_text(encoding="utf-8").strip() if file.is_file() else ""


def value_at(measured, path: str) -> Estimate:
    """Return the figure at a path, such as `form.after.shares.rhyme` or `others.0.loops`, with its interval if any.

    A figure that a run could not measure has no value.
    """
    found = measured
    for step in path.split("."):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            found = None
    if isinstance(found, dict) and set(found) >= {"value", "low", "high"}:
        return Estimate(**{end: found[end] for end in ("value", "low", "high")})
    return Estimate(value=found if isinstance(found, int | float) and not isinstance(found, bool) else None)


def _setting(run: SweepRun, seeds: list[str]) -> str:
    """Return the point of a run without its seeds, as a text that can be a key."""
    return json.dumps({name: value for name, value in run.point.items() if name not in seeds}, ensure_ascii=False)


def _seed(run: SweepRun, seeds: list[str]) -> str:
    return json.dumps([run.point[name] for name in seeds])


def _by_setting(runs: list[SweepRun], seeds: list[str]) -> dict[str, list[SweepRun]]:
    """Return the runs that are done by their setting, in the order of the grid."""
    found = {}
    for run in runs:
        found.setdefault(_setting(run, seeds), []).extend([run] if run.values else [])
    return found


def settings(runs: list[SweepRun], seeds: list[str], figures: list[SweepFigure]) -> list[SweepSetting]:
    """Return the mean over the seeds of each setting, for each figure."""
    made = []
    for point, same in _by_setting(runs, seeds).items():
        columns = [[run.values[index].value for run in same] for index in range(len(figures))]
        made.append(
            SweepSetting(
                point=json.loads(point),
                runs=len(same),
                over_seeds=[over_seeds(column, figure) for column, figure in zip(columns, figures, strict=True)],
            )
        )
    return made


def over_seeds(values: list[float | None], figure: SweepFigure, level: float = 0.95) -> Estimate:
    """Return the mean over seeds with Student's interval, a percentage within 0 and 100.

    Equal values have no interval: that a handful of seeds agree does not make the mean certain.
    """
    found = few_values.over_runs(values, level)
    if len({value for value in values if value is not None}) < 2:
        return Estimate(value=found.value)
    if figure.unit == "%" and all(value is None or 0 <= value <= 100 for value in values):
        return Estimate(value=found.value, low=max(0.0, found.low), high=min(100.0, found.high))
    return found


def spread(runs: list[SweepRun], made: list[SweepSetting], index: int, seeds: list[str]) -> SweepSpread:
    """Tell what makes a figure differ between runs.

    The variance between runs of one setting is the sum of the variance that the seed makes and of the sampling variance
    within a run, if the texts of two runs are drawn independently (the law of total variance).

    Args:
        runs: The runs.
        made: Their settings.
        index: The figure's number.
        seeds: The parameters that are chance.
    """
    means = [one.over_seeds[index].value for one in made if one.over_seeds[index].value is not None]
    groups = [[run.values[index].value for run in same] for same in _by_setting(runs, seeds).values()]
    groups = [[value for value in group if value is not None] for group in groups]
    by_setting = [statistics.stdev(group) if len(group) > 1 else None for group in groups]
    squares = sum(statistics.variance(group) * (len(group) - 1) for group in groups if len(group) > 1)
    between = few_values.deviation(squares, sum(len(group) - 1 for group in groups if len(group) > 1))
    errors = [
        (run.values[index].high - run.values[index].low) / TO_STANDARD_ERROR
        for run in runs
        if run.values and run.values[index].has_interval
    ]
    within = math.sqrt(statistics.fmean(error**2 for error in errors)) if errors else None
    return SweepSpread(
        between_settings=statistics.stdev(means) if len(means) > 1 else None,
        between_seeds=between,
        by_setting=by_setting,
        within_run=within,
    )


def differences(runs: list[SweepRun], figures: list[SweepFigure], seeds: list[str]) -> list[SweepDifference]:
    """Set the best setting of each figure beside all others, over pairs of runs with the same seeds.

    Only seeds that all settings have count. The intervals hold together for all pairs of settings, with 95 %
    (Bonferroni): the best setting is chosen by the same runs, so it may be any of them.
    """
    found, by_setting = [], _by_setting(runs, seeds)
    pairs_of_settings = max(1, len(by_setting) * (len(by_setting) - 1) // 2)
    level = 1 - 0.05 / pairs_of_settings
    for index, figure in enumerate(figures):
        values = {
            key: {_seed(run, seeds): run.values[index].value for run in same if run.values[index].value is not None}
            for key, same in by_setting.items()
        }
        values = {key: of_seed for key, of_seed in values.items() if of_seed}
        if not figure.better or len(values) < 2:
            continue
        shared = [seed for seed in next(iter(values.values())) if all(seed in of_seed for of_seed in values.values())]
        if not shared:
            continue
        means = {key: statistics.fmean(of_seed[seed] for seed in shared) for key, of_seed in values.items()}
        best, *others = sorted(means, key=means.get, reverse=figure.better == "higher")
        for other in others:
            pairs = [values[best][seed] - values[other][seed] for seed in shared]
            told = {"figure": index, "best": json.loads(best), "other": json.loads(other), "pairs": len(pairs)}
            difference = over_seeds(pairs, figure.model_copy(update={"unit": ""}), level)
            found.append(SweepDifference(**told, difference=difference))
    return found


def table(measured: records.Sweep) -> pd.DataFrame:
    """Return a row for each run and figure: id, the parameters of the grid, `figure`, `value`, `low` and `high`."""
    rows = [
        {"run": run.id} | run.point | {"figure": figure.path} | value.model_dump()
        for run in measured.runs
        for figure, value in zip(
            measured.sweep_figures, run.values or itertools.repeat(Estimate(value=None)), strict=False
        )
    ]
    return pd.DataFrame(rows)
