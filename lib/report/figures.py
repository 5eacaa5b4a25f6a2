"""The figures of the reports. Each function returns a matplotlib figure and its alternative text."""

import itertools
import math

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from lib.evaluation import continuations, timing
from lib.report import fonts

matplotlib.rcdefaults()  # whatever the reader's matplotlibrc says
matplotlib.rcParams.update(
    {
        "figure.figsize": (7.5, 3.4),
        "figure.dpi": 150,
        "savefig.bbox": "tight",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.alpha": 0.25,
        "font.size": 10,
        "legend.frameon": False,
        "font.family": fonts.families(),
        "text.parse_math": False,  # a label may hold any text
        "svg.hashsalt": "report",  # the same figure is the same file
    }
)
BLUE, ORANGE, GREY = "#2f6db3", "#d9822b", "#9aa0a8"


def call_times(rows: list[dict]):
    """The seconds of each timed call, the first one in another colour.

    Args:
        rows: Rows of `timing.measure`; the first calls and the warm ones are drawn.
    """
    heights = [1 + len(row["samples"][timing.WARM]) for row in rows]
    figure, axes = plt.subplots(
        len(rows), figsize=(7.5, 0.8 + sum(0.45 + 0.25 * height for height in heights)), sharex=True, squeeze=False
    )
    told = []
    for row, axis in zip(rows, axes[:, 0], strict=True):
        seconds = row["samples"][timing.COLD] + row["samples"][timing.WARM]
        axis.barh(range(1, len(seconds) + 1), seconds, color=[ORANGE] + [BLUE] * (len(seconds) - 1))
        axis.set_yticks(range(1, len(seconds) + 1), [f"call {call}" for call in range(1, len(seconds) + 1)])
        axis.invert_yaxis()
        axis.set_title(row["label"], loc="left", fontsize=10)
        axis.grid(axis="y", visible=False)
        told.append(f"{row['label']}: {', '.join(f'{second:.1f}' for second in seconds)}")
    axes[-1, 0].set_xlabel("seconds")
    figure.tight_layout()
    return figure, f"Bar chart of the seconds of each call. {'; '.join(told)}. The first call compiles."


def loss_curve(steps: pd.DataFrame):
    """The training loss by step, with the means that Keras prints.

    Args:
        steps: `training.StepLog.table()`.
    """
    figure, axes = plt.subplots()
    axes.plot(steps["step"], steps["loss"], color=GREY, linewidth=1, label="each step (padding included)")
    axes.plot(steps["step"], steps["mean_loss"], color=BLUE, label="mean so far, as Keras prints it")
    axes.plot(steps["step"], steps["mean_token_loss"], color=ORANGE, label="mean so far, per token")
    axes.set(xlabel="step", ylabel="loss (nats)", ylim=(0, None))
    axes.legend()
    first, last = steps.iloc[0], steps.iloc[-1]
    return figure, (
        f"Training loss by step. The mean per token starts at {first['mean_token_loss']:.2f} and ends at "
        f"{last['mean_token_loss']:.2f}; as Keras prints it, it ends at {last['mean_loss']:.2f}."
    )


def repetition_by_perplexity(cells: pd.DataFrame):
    """rep-4 against perplexity, a point for each sampler and a star for people, with their intervals.

    Args:
        cells: What `continuations.cells` returned, by label.
    """
    cells = cells.sort_values("perplexity")
    figure, axes = plt.subplots(figsize=(7.5, 4.6))
    for row in cells.itertuples():
        people = row.label == continuations.PEOPLE
        colour = ORANGE if people else BLUE
        axes.plot([row.perplexity_low, row.perplexity_high], [row.rep_4] * 2, color=colour, linewidth=1, alpha=0.3)
        axes.plot([row.perplexity] * 2, [row.rep_4_low, row.rep_4_high], color=colour, linewidth=1, alpha=0.3)
        axes.plot(row.perplexity, row.rep_4, "*" if people else "o", color=colour, markersize=15 if people else 6)
    axes.set(xscale="log", xlabel="perplexity to the model (log scale)", ylabel="rep-4 (%)", ylim=(-3, None))
    ticks = [value for value in (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500) if _between(value, cells)]
    axes.set_xticks(ticks, ticks)
    axes.minorticks_off()
    axes.margins(x=0.12, y=0.2)
    _label(axes, [(row.label, row.perplexity, row.rep_4) for row in cells.itertuples()])
    told = "; ".join(f"{row.label}: {row.rep_4:.0f} % at {row.perplexity:.1f}" for row in cells.itertuples())
    return figure, f"Repeated four-word phrases against perplexity. {told}."


def _label(axes, points: list[tuple[str, float, float]]) -> None:
    """Writes a label beside each point, as near as is free of other points and labels, with a line to its point."""
    axes.figure.canvas.draw()
    renderer = axes.figure.canvas.get_renderer()
    corners = [axes.transData.transform((x, y)) for _, x, y in points]
    taken = [Bbox.from_bounds(x - 12, y - 12, 24, 24) for x, y in corners]
    for text, x, y in points:
        for radius, angle in itertools.product((12, 26, 40, 56, 72, 90), range(90, -270, -30)):
            offset = radius * 2 * math.cos(math.radians(angle)), radius * math.sin(math.radians(angle))
            line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6} if radius > 12 else None
            label = axes.annotate(
                text, (x, y), offset, textcoords="offset points", ha="center", va="center", fontsize=8, arrowprops=line
            )
            label.update_positions(renderer)
            box = Text.get_window_extent(label, renderer).padded(2)  # without the line
            inside = axes.get_window_extent()
            if inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) and not box.count_overlaps(taken):
                break
            label.remove()
        else:
            box = axes.annotate(text, (x, y), fontsize=8).get_window_extent()
        taken.append(box)


def _between(value: float, cells: pd.DataFrame) -> bool:
    return 0.7 * cells["perplexity"].min() <= value <= 1.4 * cells["perplexity"].max()


def speed(post_seconds: list[float], cold: list[float], warm: list[float]):
    """The time of a call before and after fine-tuning: as the post timed it, and cold and warm here.

    Args:
        post_seconds: The post's two times.
        cold: The cold calls before and after.
        warm: The warm calls before and after.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.2))
    left.bar(["before", "after"], post_seconds, 0.5, color=GREY)
    left.set(title="Blog post, as it timed", ylabel="seconds for one call")
    right.bar([-0.2, 0.8], cold, 0.4, color=ORANGE, label="cold: compiles")
    right.bar([0.2, 1.2], warm, 0.4, color=BLUE, label="warm")
    right.set(title="Here", ylim=(0, 1.35 * max(cold)))
    right.set_xticks([0, 1], ["before", "after"])
    right.legend()
    told = [" and ".join(f"{seconds:.1f}" for seconds in pair) for pair in (post_seconds, cold, warm)]
    return figure, f"Seconds before and after fine-tuning. Post: {told[0]}. Here, cold: {told[1]}; warm: {told[2]}."


def poem_form(groups: dict[str, dict]):
    """How well formed, rhymed and alternating several groups of poems are, with their intervals.

    Args:
        groups: For each group what `poetry.summary` returned, None where there was nothing to judge.
    """
    measures = {"well_formed": "well formed", "rhyme": "pairs that rhyme", "alternating": "tones that alternate"}
    figure, panels = plt.subplots(1, 3, figsize=(7.5, 0.9 + 0.36 * len(groups)), sharey=True)
    told = []
    for axes, (measure, title) in zip(panels, measures.items(), strict=True):
        for place, (name, summary) in enumerate(groups.items()):
            share, low, high = (summary[f"{measure}_{part}"] for part in ("percent", "low", "high"))
            if share is None or math.isnan(share):
                continue
            colour = ORANGE if name == continuations.TANG else GREY if name == continuations.CHANCE else BLUE
            axes.barh(place, share, 0.6, color=colour)
            if low is not None and not math.isnan(low):
                axes.plot([low, high], [place, place], color="black", linewidth=1)
            told.append(f"{title}, {name}: {share:.0f}")
        axes.set(title=title, xlim=(0, 100), xlabel="%")
        axes.title.set_fontsize(10)
        axes.grid(axis="y", visible=False)
    panels[0].set_yticks(range(len(groups)), list(groups))
    panels[0].invert_yaxis()
    figure.tight_layout()
    return figure, f"Form of the poems, in percent. {'; '.join(told)}."


def bits_per_character(bits: dict[str, float]):
    """Bits per character on held-out texts; fewer is better.

    Args:
        bits: By text and model, in the order in which they are drawn.
    """
    figure, axes = plt.subplots(figsize=(7.5, 0.9 + 0.36 * len(bits)))
    axes.barh(list(bits), list(bits.values()), 0.6, color=BLUE)
    for place, value in enumerate(bits.values()):
        axes.text(value, place, f" {value:.2f}", va="center", fontsize=9)
    axes.invert_yaxis()
    axes.set(xlabel="bits per character on held-out texts (fewer is better)", xlim=(0, 1.15 * max(bits.values())))
    axes.grid(axis="y", visible=False)
    return figure, f"Bits per character: {'; '.join(f'{name} {value:.2f}' for name, value in bits.items())}."
