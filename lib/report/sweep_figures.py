"""Draw the figures of a sweep's report: each run, and what the runs of a setting have in common."""

import json
import textwrap

from matplotlib.figure import Figure

from lib.core.records import Sweep, SweepRun, SweepSetting
from lib.report import sweep_words
from lib.report.figures import BLUE, GREY, LINES, WIDTH, fit
from lib.report.numbers import number, parameter
from lib.report.wording import say

ROW = 0.34  # inches of a setting
SPREAD = 0.5  # of the distance between two settings, over which their runs are spread
MARKS = "os^Dv"
BESIDE = {"xytext": (3, 3), "textcoords": "offset points", "va": "bottom", "fontsize": "small"}
NAME = 11  # characters of an axis's name in a line
FAR = 4  # times the smallest value; from there on an axis is logarithmic


def over_grid(measured: Sweep, language: str = "en") -> tuple[Figure, str]:
    """A panel for each figure. A dot is a run; the line is the mean over the seeds with its 95 % interval.

    A parameter with numbers makes a horizontal axis and lines, one for each value of a second parameter. Other settings
    stand one below the other.
    """
    axis = _numeric_axis(measured)
    height = 2.5 if axis else 0.8 + ROW * len(measured.settings)
    figure = Figure(figsize=(WIDTH, height * len(measured.sweep_figures)))
    panels = figure.subplots(len(measured.sweep_figures), squeeze=False)[:, 0]
    for index, axes in enumerate(panels):
        if axis:
            _lines(axes, measured, index, axis, language)
        else:
            _rows(axes, measured, index)
        axes.set_title(sweep_words.title(measured, index, language), loc="left", fontsize="medium")
    fit(figure)
    told = say("between", language).join(_described(measured, index, language) for index in range(len(panels)))
    return figure, say("alt_sweep_over_grid", language, told=told)


def _numeric_axis(measured: Sweep) -> str:
    """Return the parameter for the horizontal axis: the first with at least two numbers; `""` if there is none."""
    if len(measured.axes) > 2:
        return ""
    for name in measured.axes:
        values = measured.grid[name]
        if len(values) > 1 and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            return name
    return ""


def _lines(axes, measured: Sweep, index: int, axis: str, language: str) -> None:
    groups = {}
    for one in measured.settings:
        groups.setdefault(_key(one.point, [axis]), []).append(one)
    places = sorted(measured.grid[axis])
    evenly = len(places) < 3 or places[0] <= 0 or places[-1] / places[0] < FAR
    for number_of, (rest, settings) in enumerate(groups.items()):
        colour, dash = LINES[(number_of + 1) % len(LINES)]
        settings = sorted(settings, key=lambda one: one.point[axis])
        known = [one for one in settings if one.over_seeds[index].value is not None]
        xs = [one.point[axis] for one in known]
        means = [one.over_seeds[index] for one in known]
        label = sweep_words.setting(json.loads(rest), language) if len(groups) > 1 else None
        axes.plot(
            xs, [one.value for one in means], dash, color=colour, marker=MARKS[number_of % len(MARKS)], label=label
        )
        if all(one.has_interval for one in means):
            axes.fill_between(
                xs, [one.low for one in means], [one.high for one in means], color=colour, alpha=0.15, lw=0
            )
        for one in known:
            dots = [run.values[index].value for run in _of(measured, one)]
            axes.plot([one.point[axis]] * len(dots), dots, ".", color=colour, alpha=0.6)
    axes.set_xscale("linear" if evenly else "log")
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.minorticks_off()
    axes.set_xlabel(axis)
    if len(groups) > 1:
        axes.legend(fontsize="small")


def _rows(axes, measured: Sweep, index: int) -> None:
    for place, one in enumerate(measured.settings):
        runs, mean = [run.values[index].value for run in _of(measured, one)], one.over_seeds[index]
        steps = [place + SPREAD * ((number_of + 0.5) / len(runs) - 0.5) for number_of in range(len(runs))]
        known = [(value, step) for value, step in zip(runs, steps, strict=True) if value is not None]
        axes.plot([value for value, _ in known], [step for _, step in known], ".", color=GREY)
        if mean.value is not None:
            axes.plot([mean.value], [place], "|", color=BLUE, markersize=14, markeredgewidth=2)
        if mean.has_interval:
            axes.plot([mean.low, mean.high], [place, place], color=BLUE, linewidth=2)
    names = [_short(one, measured) for one in measured.settings]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)


def _short(one: SweepSetting, measured: Sweep) -> str:
    return ", ".join(parameter(one.point[name]) for name in measured.axes) or "—"


def _key(point: dict, without: list[str]) -> str:
    return json.dumps({name: value for name, value in point.items() if name not in without}, ensure_ascii=False)


def _of(measured: Sweep, setting: SweepSetting) -> list[SweepRun]:
    """Return the runs of a setting that are done."""
    key = _key(setting.point, [])
    return [run for run in measured.runs if run.values and _key(run.point, measured.seeds) == key]


def _described(measured: Sweep, index: int, language: str) -> str:
    means = [
        say(
            "alt_sweep_setting",
            language,
            setting=sweep_words.setting(one.point, language),
            value=sweep_words.interval(measured, index, one.over_seeds[index], language),
        )
        for one in measured.settings
    ]
    listed = say("comma", language).join(means)
    return say("alt_sweep_figure", language, figure=sweep_words.figure_name(measured, index, language), means=listed)


def heat(measured: Sweep, language: str = "en") -> tuple[Figure, str]:
    """A map for each figure over two parameters of the grid: the mean over the seeds."""
    across, down = measured.axes[:2]
    columns, rows = measured.grid[across], measured.grid[down]
    figure = Figure(figsize=(WIDTH, (0.9 + ROW * len(rows)) * len(measured.sweep_figures)))
    panels = figure.subplots(len(measured.sweep_figures), squeeze=False)[:, 0]
    for index, axes in enumerate(panels):
        found = {
            (str(one.point[across]), str(one.point[down])): one.over_seeds[index].value for one in measured.settings
        }
        values = [[found.get((str(column), str(row))) for column in columns] for row in rows]
        low, high = _ends([value for line in values for value in line])
        for place, line in enumerate(values):
            for step, value in enumerate(line):
                share = 0.0 if value is None else _share(value, low, high)
                axes.barh([place], [1], 1, left=step - 0.5, color=BLUE, alpha=0.08 + 0.5 * share, linewidth=0)
                axes.text(step, place, "—" if value is None else number(value), ha="center", va="center")
        axes.set_xticks(range(len(columns)), [parameter(one) for one in columns])
        axes.set_yticks(range(len(rows)), [parameter(one) for one in rows])
        axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5), xlabel=across, ylabel=down)
        axes.grid(visible=False)
        axes.set_title(sweep_words.title(measured, index, language), loc="left", fontsize="medium")
    fit(figure)
    told = say("between", language).join(_described(measured, index, language) for index in range(len(panels)))
    return figure, say("alt_sweep_heat", language, told=told)


def parallel(measured: Sweep, language: str = "en") -> tuple[Figure, str]:
    """Parallel coordinates (Inselberg, The plane with parallel coordinates, 1985) for three parameters or more.

    An axis for each parameter and for each figure. A line is a setting: its values, and its means over the seeds. The
    best setting by the first figure is blue.
    """
    figures = range(len(measured.sweep_figures))
    names = [*measured.axes, *(sweep_words.title(measured, index, language) for index in figures)]
    figure = Figure(figsize=(WIDTH, 3.6))
    axes = figure.subplots()
    columns, marks = [], []
    for name in measured.axes:
        values = measured.grid[name]
        steps = [place / max(1, len(values) - 1) for place in range(len(values))]
        columns.append([steps[values.index(one.point[name])] for one in measured.settings])
        marks.append([(step, parameter(value)) for step, value in zip(steps, values, strict=True)])
    for index in figures:
        means = [one.over_seeds[index].value for one in measured.settings]
        low, high = _ends(means)
        columns.append([float("nan") if value is None else _share(value, low, high) for value in means])  # NaN: a gap
        marks.append([(_share(value, low, high), number(value)) for value in dict.fromkeys((low, high))])
    best = next((one.best for one in sweep_words.of_figure(measured, 0)), None)
    for line, one in zip(zip(*columns, strict=True), measured.settings, strict=True):
        colour, width = (BLUE, 2.5) if one.point == best else (GREY, 1)
        axes.plot(range(len(names)), line, color=colour, linewidth=width, zorder=width)
    for place, here in enumerate(marks):
        axes.axvline(place, color=GREY, linewidth=0.5, zorder=0)
        for step, text in here:
            axes.annotate(text, (place, step), **BESIDE)
    wrapped = [textwrap.fill(name, NAME, break_long_words=False) for name in names]
    axes.set_xticks(range(len(names)), wrapped, fontsize="small")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set(yticks=[], ylim=(-0.05, 1.12), xlim=(-0.3, len(names) - 0.4))
    axes.grid(visible=False)
    fit(figure)
    told = say("between", language).join(_described(measured, index, language) for index in figures)
    return figure, say("alt_sweep_parallel", language, told=told)


def _ends(values: list[float | None]) -> tuple[float, float]:
    """Return the lowest and the highest of the values that are known; 0 and 1 if none is."""
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else (0.0, 1.0)


def _share(value: float, low: float, high: float) -> float:
    """Return where a value stands between two others, from 0 to 1; the middle if they are equal."""
    return (value - low) / (high - low) if high > low else 0.5
