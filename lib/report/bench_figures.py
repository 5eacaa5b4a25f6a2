"""Draw the figures of the bench's page, narrow enough to be read on a phone."""

import statistics

from matplotlib.figure import Figure

from lib.core.records import Comparison, GrowthPoint
from lib.report import bench_words
from lib.report.figures import BLUE, ORANGE, fit
from lib.report.wording import say

WIDTH = 4.2  # inches: a phone of 390 pixels shows text of 10 points at more than 11 pixels
TICKS = (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100)
ROW, HEADING = 0.55, 0.5  # heights in inches
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # of a text that a line may cross
PANELS = {  # by kind of growth: the field of the points, the scale of the axis
    "new tokens": ("new_tokens", "linear"),
    "batch": ("batch", "log"),
    "parameters": ("parameters", "log"),
}


def ratios(compared: list[Comparison], language: str = "en") -> tuple[Figure, str]:
    """Draws a strip for each comparison: a dot for each pair of runs, an upright line for the median."""
    height = ROW * len(compared) + HEADING * len({bench_words.work(one) for one in compared})
    figure = Figure(figsize=(WIDTH, height + 0.9))
    axes = figure.add_axes((0.02, 0.78 / (height + 0.9), 0.96, height / (height + 0.9)))
    place, before, told = 0.0, None, []
    for one in compared:
        work, peer = bench_words.work(one, language), bench_words.peer(one.peer, language)
        if work != before:
            place += HEADING
            _write(axes, place - 0.22, work, color="black", weight="bold")
            before = work
        _write(axes, place + 0.06, f"{peer}: {bench_words.median(one)}", color="#444444")
        strip = place + 0.37
        axes.plot(one.ratios, [strip] * len(one.ratios), "o", color=BLUE, markersize=6, alpha=0.6)
        axes.plot([statistics.median(one.ratios)], [strip], "|", color="black", markersize=14, markeredgewidth=2)
        place += ROW
        told.append(f"{work}, {bench_words.against(one, language)}")
    every = [ratio for one in compared for ratio in one.ratios]
    low, high = min([*every, 1]) / 1.25, max([*every, 1]) * 1.15
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.axvline(1, color=ORANGE, linewidth=1.5, linestyle="--", zorder=0)
    axes.set(xscale="log", xlim=(low, high), ylim=(place + 0.05, 0))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(say("bench_axis_ratio", language), loc="left")
    return figure, say("bench_alt_ratios", language, told=say("between", language).join(told))


def _write(axes, place: float, text: str, **style) -> None:
    axes.text(0, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=10, bbox=BEHIND, **style)


def growth(points: list[GrowthPoint], language: str = "en") -> tuple[Figure, str]:
    """Draws how the cost of a call grows: the measured calls and the fitted cost model."""
    series = {by: [point for point in points if point.by == by] for by in PANELS}
    series = {
        by: sorted(found, key=lambda point: getattr(point, PANELS[by][0])) for by, found in series.items() if found
    }
    figure = Figure(figsize=(WIDTH, 2.6 * len(series)))
    panels = figure.subplots(len(series), squeeze=False)[:, 0]
    told = []
    for axes, (by, found) in zip(panels, series.items(), strict=True):
        key, scale = PANELS[by]
        places = [getattr(point, key) for point in found]
        measured = [[_cost(point, seconds) for seconds in point.seconds] for point in found]
        medians = [_cost(point, statistics.median(point.seconds)) for point in found]
        fitted = [_cost(point, point.fitted_seconds) for point in found]
        for place, costs in zip(places, measured, strict=True):
            axes.plot([place, place], [min(costs), max(costs)], color=BLUE, linewidth=2)
        axes.plot(places, medians, "o", color=BLUE, label=say("bench_line_measured", language))
        axes.plot(places, fitted, "--", color=ORANGE, label=say("bench_line_fitted", language))
        name = key.replace("new_tokens", "tokens")
        axes.set(xscale=scale, ylim=(0, 1.15 * max(*map(max, measured), *fitted)))
        axes.set_xlabel(say(f"bench_axis_{name}", language), loc="left")
        unit = say("bench_axis_seconds" if by == "new tokens" else "bench_axis_rate", language)
        axes.set_title(unit, loc="left", fontsize=10)
        if scale == "log":
            axes.set_xticks(places, [_short(place) for place in places])
            axes.minorticks_off()
        axes.legend()
        pairs = ", ".join(f"{_short(place)}: {cost:.1f}" for place, cost in zip(places, medians, strict=True))
        told.append(f"{say(f'bench_axis_{name}', language)}, {unit}: {pairs}")
    fit(figure)
    return figure, say("bench_alt_growth", language, told=say("between", language).join(told))


def _cost(point: GrowthPoint, seconds: float) -> float:
    """Seconds of a call where the new tokens vary, else new tokens per second."""
    return seconds if point.by == "new tokens" else point.batch * point.new_tokens / seconds


def _short(place: float) -> str:
    return f"{place / 1e6:,.0f} M" if place >= 1e6 else f"{place:,}"
