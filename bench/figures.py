"""The figures of the bench's report. A function that draws returns a matplotlib figure and its alternative text."""

import re
import statistics
import textwrap

from matplotlib.figure import Figure

from bench import costs
from lib.report.figures import BLUE, GREY, ORANGE
from lib.report.numbers import number, target_met

WIDE = 4  # the axis is logarithmic if the ratios differ by more than this factor
COLOURS = {True: BLUE, False: ORANGE, None: GREY}
PANELS = {  # for each kind of growth: the key of the rows, the label and the scale of the axis
    "new tokens": ("new_tokens", "new tokens (batch 1)", "linear"),
    "batch": ("batch", "texts at a time", "log"),
    "parameters": ("parameters", "parameters (batch 1)", "log"),
}


def ratios(rows: list[dict]):
    """Draws the ratio of each comparison that has a target: the median, the range and the target.

    Args:
        rows: The rows of `bench.json`. Rows without a ratio or a target are left out.
    """
    drawn = [row for row in rows if row["ratio_median"] is not None and row["target"]]
    labels = [textwrap.fill(told(row), 90) for row in drawn]
    figure = Figure(figsize=(7.5, 1.2 + 0.7 * len(drawn)))
    axes = figure.subplots()
    described, values = [], [1.0]
    for place, (row, label) in enumerate(zip(drawn, labels, strict=True)):
        target = target_number(row["target"])
        low, median, high = row["ratio_low"], row["ratio_median"], row["ratio_high"]
        values += [low, high, target]
        axes.plot([low, high], [place, place], color=COLOURS[row["met"]], linewidth=2)
        axes.plot([median], [place], "o", color=COLOURS[row["met"]])
        axes.plot([target], [place], "|", color="black", markersize=16, markeredgewidth=2)
        axes.text(
            0,
            place - 0.3,
            label,
            transform=axes.get_yaxis_transform(),
            va="bottom",
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
        verdict = target_met(row["met"], row["target"], low) or "not judged"
        described.append(f"{named(row)}: {number(median)} ({span(low, high)}), {verdict}")
    axes.axvline(1, color=GREY, linewidth=1, zorder=0)
    axes.set_ylim(len(drawn) - 0.6, -0.9)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    low, high = min(values), max(values)
    if high / low > WIDE:
        axes.set_xscale("log")
        ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low / 1.5 <= tick <= 1.5 * high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    else:
        axes.set_xlim(max(0, low - 0.2), high + 0.2)
    axes.set_xlabel("ratio; above 1 this project is faster")
    _explain(axes)
    figure.tight_layout()
    return figure, f"Dot plot of ratios with their targets. {'; '.join(described)}."


def growth(rows: list[dict], model: dict):
    """Draws how the cost of a call grows: the measured calls and the fitted model.

    Args:
        rows: The rows of `bench.growth`.
        model: The result of `costs.fit`.
    """
    series = {by: [row for row in rows if row["by"] == by] for by in PANELS}
    series = {by: sorted(found, key=lambda row: row[PANELS[by][0]]) for by, found in series.items() if found}
    figure = Figure(figsize=(7.5, 2.7 * len(series)))
    panels = figure.subplots(len(series), squeeze=False)
    described = []
    for axes, (by, found) in zip(panels[:, 0], series.items(), strict=True):
        key, label, scale = PANELS[by]
        places = [row[key] for row in found]
        lows, medians, highs = zip(*(_measured(row) for row in found), strict=True)
        whiskers = [
            [median - low for low, median in zip(lows, medians, strict=True)],
            [high - median for median, high in zip(medians, highs, strict=True)],
        ]
        axes.errorbar(places, medians, whiskers, fmt="o", color=BLUE, capsize=3, label="measured")
        fitted = [_cost(row, costs.predict(model, row)) for row in found]
        axes.plot(places, fitted, color=ORANGE, label="fitted")
        axes.set(xlabel=label, ylabel=_unit(by), xscale=scale, ylim=(0, 1.15 * max(*highs, *fitted)))
        if scale == "log":
            axes.set_xticks(places, [_short(place) for place in places])
            axes.minorticks_off()
        axes.legend()
        described.append(f"{_unit(by)} by {by}, {_pairs(places, medians)}; fitted {_pairs(places, fitted)}")
    figure.tight_layout()
    return figure, f"Points and a fitted line in {len(series)} panels. {'. '.join(described)}."


def named(row: dict) -> str:
    """Names a comparison: its workload and its peer."""
    return f"{row['work']}, against {row['peer']}"


def told(row: dict) -> str:
    """Names a comparison, with its ratio and, if there is one, its target."""
    target = f", target {row['target']}" if row["target"] else ""
    return f"{named(row)} ({ratio(row)}{target})"


def in_equal_precision(row: dict) -> bool:
    """Returns whether a fine-tuning row compares both sides in the same precision, unlike the main rows."""
    return row["work"].endswith("all in float32") or row["peer"].endswith("bfloat16")


def ratio(row: dict) -> str:
    """Formats the median of a row's ratios."""
    return "not measured" if row["ratio_median"] is None else number(row["ratio_median"])


def span(low: float | None, high: float | None) -> str | None:
    """Formats a range; a single number if both ends are equal, None if there is no range."""
    if low is None:
        return None
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def target_number(target: str) -> float:
    """Returns the number in a target such as `">= 1.5"`."""
    return float(re.search(r"\d+(\.\d+)?", target)[0])


def _explain(axes):
    for met, label in ((True, "target met by the median"), (False, "missed"), (None, "not judged")):
        if any(line.get_color() == COLOURS[met] and line.get_marker() == "o" for line in axes.lines):
            axes.plot([], [], "o-", color=COLOURS[met], label=label)
    axes.plot([], [], "|", color="black", markersize=12, markeredgewidth=2, label="target")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4)


def _unit(by: str) -> str:
    return "seconds per call" if by == "new tokens" else "new tokens per second"


def _cost(row: dict, seconds: float) -> float:
    """Converts the seconds of a call to the unit of its panel, see `_unit`."""
    return seconds if row["by"] == "new tokens" else row["batch"] * row["new_tokens"] / seconds


def _measured(row: dict) -> tuple[float, float, float]:
    """Returns the lowest, the median and the highest cost of a row's calls, in the unit of its panel."""
    seconds = (min(row["seconds"]), statistics.median(row["seconds"]), max(row["seconds"]))
    return tuple(sorted(_cost(row, one) for one in seconds))


def _short(place: float) -> str:
    return f"{place / 1e6:,.0f} M" if place >= 1e6 else f"{place:,}"


def _pairs(places, values) -> str:
    return ", ".join(f"{_short(place)}: {number(value)}" for place, value in zip(places, values, strict=True))
