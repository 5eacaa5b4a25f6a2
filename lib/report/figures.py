"""Draw the figures of the reports. Each function returns a matplotlib figure and its alternative text."""

import itertools
import math
import warnings
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox, blended_transform_factory

from lib.core import chinese
from lib.core.records import (
    CallState,
    Estimate,
    LearningCurve,
    LossCurve,
    PoemForm,
    Rounds,
    Style,
    TextGroup,
    TextLengths,
    TextQuality,
    Timing,
)
from lib.report import escaping, wording
from lib.report.numbers import number

WIDTH = 4.6  # inches, of every figure; a page shows it wider where there is room

matplotlib.rcdefaults()  # whatever the reader's matplotlibrc says
matplotlib.rcParams.update(
    {
        "figure.figsize": (WIDTH, 3.2),
        "figure.dpi": 150,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.alpha": 0.25,
        "font.size": 10.5,  # at least 11 pixels where a phone shows the figure 350 pixels wide
        "legend.frameon": False,
        "text.parse_math": False,  # a label may hold any text
        "svg.fonttype": "none",  # text stays text: the reader's fonts have Chinese characters, this machine's may not
        "svg.hashsalt": "report",  # the same figure is the same file
    }
)
GIBBERISH = {"words": "letters in words", "looped": "looped"}  # the shares that are drawn
WRITTEN, LOOPS, STORIES = "a sentence, written again", "loops of greedy decoding", "people's stories, same places"
DEMANDS = {  # the demands on a poem, as their panels are named
    "well_formed": "form:\nwell formed",
    "rhyme": "rhyme:\npairs of even lines",
    "parallel_tones": "parallel:\nopposite tones",
    "parallel_words": "parallel: words\nof a kind, percentile",
}
BLUE, ORANGE, GREY, GREEN = "#2f6db3", "#d9822b", "#9aa0a8", "#4a9b6e"
WRITERS = {"model": BLUE, "people": ORANGE, "chance": GREY}
WIDER = 0.5  # em by which a Chinese character is wider than what stands for it where this machine has no font for it


def save(figure: Figure, file: Path) -> None:
    """Writes a figure as SVG, all of its text inside it whatever font the reader has."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # of this machine; the reader's decides
        box = figure.get_tightbbox().padded(0.1)
        labels = [(len(chinese.characters(text.get_text())), text.get_fontsize()) for text in figure.findobj(Text)]
        spare = max(count * size for count, size in labels) * WIDER / 72
        box = Bbox.from_extents(box.x0 - spare, box.y0, box.x1, box.y1)
        unfinished = file.with_name(f".{file.name}.part")
        figure.savefig(unfinished, format="svg", metadata={"Date": None}, bbox_inches=box)
        unfinished.replace(file)


def call_times(timings: list[Timing], language: str = "en") -> tuple[Figure, str]:
    """The seconds of each timed call, the first one in another colour."""
    seconds = [timing.seconds[CallState.FIRST] + timing.seconds[CallState.LATER] for timing in timings]
    figure = Figure(figsize=(7.5, 0.8 + sum(0.45 + 0.25 * len(calls) for calls in seconds)))
    panels = figure.subplots(len(timings), sharex=True, squeeze=False)[:, 0]
    told = []
    for timing, calls, axes in zip(timings, seconds, panels, strict=True):
        axes.barh(range(1, len(calls) + 1), calls, color=[ORANGE] + [BLUE] * (len(calls) - 1))
        axes.set_yticks(range(1, len(calls) + 1), [f"call {call}" for call in range(1, len(calls) + 1)])
        axes.invert_yaxis()
        axes.set_title(timing.label, loc="left", fontsize=10)
        axes.grid(axis="y", visible=False)
        told.append(f"{timing.label}: {', '.join(f'{second:.1f}' for second in calls)}")
    panels[-1].set_xlabel("seconds")
    figure.tight_layout()
    return figure, f"Bar chart of the seconds of each call. {'; '.join(told)}. The first call compiles."


def loss_curve(curve: LossCurve, language: str = "en") -> tuple[Figure, str]:
    """The training loss by step, with the means that Keras prints."""
    figure = Figure()
    axes = figure.subplots()
    steps = range(1, len(curve.loss) + 1)
    axes.plot(steps, curve.loss, color=GREY, linewidth=1, label="each step (padding included)")
    axes.plot(steps, curve.mean_loss, color=BLUE, label="mean so far, as Keras prints it")
    axes.plot(steps, curve.mean_token_loss, color=ORANGE, label="mean so far, per token")
    axes.set(xlabel="step", ylabel="loss (nats)", ylim=(0, None))
    axes.legend()
    return figure, (
        f"Training loss by step. The mean per token starts at {curve.mean_token_loss[0]:.2f} and ends at "
        f"{curve.mean_token_loss[-1]:.2f}; as Keras prints it, it ends at {curve.mean_loss[-1]:.2f}."
    )


def repetition_by_perplexity(groups: list[TextGroup], people: str, language: str = "en") -> tuple[Figure, str]:
    """rep-4 against perplexity, a point for each group and a star for people, with their intervals.

    Args:
        groups: The groups, those of the samplers and of people.
        people: The label of people's group.
    """
    points = [(group.label, group.metrics["perplexity"], group.metrics["rep_4"]) for group in groups]
    points = [point for point in points if point[1].value is not None and point[2].value is not None]
    points.sort(key=lambda point: point[1].value)
    figure = Figure(figsize=(7.5, 4.6))
    axes = figure.subplots()
    for label, perplexity, rep_4 in points:
        colour = ORANGE if label == people else BLUE
        if perplexity.has_interval:
            axes.plot([perplexity.low, perplexity.high], [rep_4.value] * 2, color=colour, linewidth=1, alpha=0.3)
        if rep_4.has_interval:
            axes.plot([perplexity.value] * 2, [rep_4.low, rep_4.high], color=colour, linewidth=1, alpha=0.3)
        marker, size = ("*", 15) if label == people else ("o", 6)
        axes.plot(perplexity.value, rep_4.value, marker, color=colour, markersize=size)
    axes.set(xscale="log", xlabel="perplexity to the model (log scale)", ylabel="rep-4 (%)", ylim=(-3, None))
    lowest, highest = (points[0][1].value, points[-1][1].value) if points else (1.0, 1.0)
    ticks = [tick for tick in (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500) if 0.7 * lowest <= tick <= 1.4 * highest]
    axes.set_xticks(ticks, ticks)
    axes.minorticks_off()
    axes.margins(x=0.12, y=0.2)
    points.sort(key=lambda point: point[0] != people)  # people's label is placed first, next to its star
    _label(axes, [(label, perplexity.value, rep_4.value) for label, perplexity, rep_4 in points])
    for text in axes.texts:
        if text.get_text() == people:
            text.set(color=ORANGE, fontweight="bold")
    points.sort(key=lambda point: point[1].value)
    told = "; ".join(f"{label}: {rep_4.value:.0f} % at {perplexity.value:.1f}" for label, perplexity, rep_4 in points)
    return figure, f"Repeated four-word phrases against perplexity. {told}."


def repetition_probability(lines: dict[str, Rounds], language: str = "en") -> tuple[Figure, str]:
    """The mean probability of a token in each round, a line with a band for each kind of text.

    Args:
        lines: By name; `WRITTEN`, `LOOPS` and `STORIES` have colours of their own. One without texts is left out.
    """
    figure = Figure(figsize=(7.5, 3.6))
    axes = figure.subplots()
    told = []
    for name, line in lines.items():
        if not line.texts:
            continue
        colour = {WRITTEN: BLUE, STORIES: ORANGE}.get(name, GREY)
        rounds, values = range(1, len(line.texts) + 1), [estimate.value for estimate in line.probability]
        known = [place for place, estimate in zip(rounds, line.probability, strict=True) if estimate.has_interval]
        lows, highs = ([getattr(line.probability[place - 1], end) for place in known] for end in ("low", "high"))
        axes.fill_between(known, lows, highs, color=colour, alpha=0.2, linewidth=0)
        axes.plot(rounds, values, "o-", color=colour, markersize=4, label=name)
        told.append(f"{name}: {', '.join(f'{value:.2f}' for value in values)}")
    longest = max((len(line.texts) for line in lines.values()), default=0)
    axes.set(xlabel="round: how often the sentence has been written", ylabel="probability of a token", ylim=(0, 1))
    axes.set_xticks(range(1, longest + 1))
    if told:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.15), ncols=len(told), fontsize=9)
    return figure, f"Mean probability of a token, round by round. {'; '.join(told)}."


def _label(axes, points: list[tuple[str, float, float]]) -> None:
    """Writes a label beside each point, as near as is free of other points and labels, with a line to its point."""
    canvas = FigureCanvasAgg(axes.figure)
    canvas.draw()
    renderer = canvas.get_renderer()
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
            inside = axes.get_window_extent(renderer)
            if inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1) and not box.count_overlaps(taken):
                break
            label.remove()
        else:
            box = axes.annotate(text, (x, y), fontsize=8).get_window_extent(renderer)
        taken.append(box)


def survival(runs: dict[str, TextLengths], training: float, language: str = "en") -> tuple[Figure, str]:
    """The share of texts that still go on, by the number of new tokens.

    Args:
        runs: The lengths of the texts, by name.
        training: The median length of the training texts, in tokens.
    """
    figure = Figure()
    axes = figure.subplots()
    for (name, lengths), colour in zip(runs.items(), (GREY, BLUE, ORANGE, GREEN), strict=True):
        # A text that goes on to the limit is not known to end there.
        ended = sorted(
            count for count, by_model in zip(lengths.new_tokens, lengths.ended_by_model, strict=True) if by_model
        )
        shares = [100 * (1 - place / lengths.texts) for place in range(len(ended) + 1)]
        axes.step(
            [0, *ended, lengths.most_new_tokens],
            [*shares, shares[-1]],
            color=colour,
            linestyle="--" if colour == GREY else "-",  # it may lie under another
            where="post",
            label=name,
        )
    axes.axvline(training, color="black", linewidth=1, linestyle=":")
    axes.set(xlabel="new tokens", ylabel="texts that go on (%)", ylim=(0, 103), xlim=(0, None))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8)
    medians = "; ".join(f"{name} {lengths.median_new_tokens.value:.0f}" for name, lengths in runs.items())
    return figure, (
        f"Share of texts that still go on, by new tokens. Median lengths: {medians}; training texts {training:.0f}."
    )


def style(told: Style, language: str = "en") -> tuple[Figure, str]:
    """How well texts can be told from people's, by both measures, with their intervals."""
    names = {"before": "before fine-tuning", "after": "after fine-tuning", "people": "other people"}
    titles = {"auc": "classifier, AUC", "jsd": "word frequencies, bits"}
    figure = Figure(figsize=(7.5, 2.2))
    panels = figure.subplots(1, 2, sharey=True)
    spoken = []
    for axes, (measure, title) in zip(panels, titles.items(), strict=True):
        for place, (name, label) in enumerate(names.items()):
            estimate = getattr(getattr(told, measure), name)
            if estimate.value is None:
                continue
            colour = ORANGE if name == "people" else BLUE
            if estimate.has_interval:
                axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=1.5)
            axes.plot(estimate.value, place, "o", color=colour)
            spoken.append(f"{title}, {label}: {estimate.value:.2f}")
        axes.set(title=title)
        axes.title.set_fontsize(10)
    panels[0].axvline(0.5, color=GREY, linewidth=1, linestyle="--")
    panels[0].set_yticks(range(len(names)), list(names.values()))
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    figure.tight_layout()
    return figure, f"Texts against people's, with 95 % intervals. {'; '.join(spoken)}."


def learning_curve(curve: LearningCurve, language: str = "en") -> tuple[Figure, str]:
    """Held-out bits per character, and their change from before training, by the number of stories."""
    figure = Figure()
    left, right = figure.subplots(1, 2, sharex=True)
    stories = [point.stories for point in curve.points]
    for axes, of, title in (
        (left, "bits_per_character", "bits per character"),
        (right, "minus_untrained", "change from before training"),
    ):
        told = [getattr(point, of) for point in curve.points]
        axes.plot(stories, [one.value for one in told], "o-", color=BLUE)
        for place, one in zip(stories, told, strict=True):
            if one.has_interval:
                axes.plot([place, place], [one.low, one.high], color=BLUE, linewidth=1)
        axes.set(xscale="log", xlabel="stories (log scale)", title=title)
        axes.title.set_fontsize(10)
        axes.set_xticks(stories, [f"{count:,}" for count in stories])
        axes.minorticks_off()
    left.axhline(curve.untrained, color=GREY, linewidth=1, linestyle="--")
    right.axhline(0, color=GREY, linewidth=1, linestyle="--")
    figure.tight_layout()
    spoken = "; ".join(f"{point.stories:,} stories {point.bits_per_character.value:.3f}" for point in curve.points)
    return figure, f"Bits per character on held-out texts. Before training {curve.untrained:.3f}; {spoken}."


def speed(groups: list[tuple[str, list[tuple[str, CallState, float]]]], language: str = "en") -> tuple[Figure, str]:
    """Seconds for one call before and after fine-tuning, a bar each, all on one axis.

    Args:
        groups: Headings, with the calls that compare with each other: `"before"` or `"after"`, first or later, seconds.
        language: The language of the labels.
    """
    figure = Figure(figsize=(WIDTH, 0.7 + 0.34 * sum(1.3 + len(calls) for _, calls in groups)))
    axes = figure.subplots()
    longest = max(seconds for _, calls in groups for *_, seconds in calls)
    places, labels, told, place = [], [], [], 0.0
    for heading, calls in groups:
        across = blended_transform_factory(figure.transFigure, axes.transData)
        head = axes.text(0.01, place, heading, va="center", fontweight="bold", transform=across)
        head.set_in_layout(False)  # else a long one would make the axis short
        spoken = []
        for when, state, seconds in calls:
            place += 1
            first = state is CallState.FIRST
            look = {"color": "none", "edgecolor": ORANGE, "hatch": "////"} if first else {"color": BLUE}
            axes.barh(place, seconds, 0.7, **look)
            shown = number(seconds, 3 if seconds >= 10 else 2)
            axes.annotate(shown, (seconds, place), (4, 0), textcoords="offset points", va="center")
            places.append(place)
            labels.append(wording.label(f"{when}, {state}", language))
            spoken.append(f"{labels[-1]} {shown}")
        told.append(f"{heading}: {', '.join(spoken)}")
        place += 1.3
    axes.set_yticks(places, labels)
    axes.spines.left.set_visible(False)  # it would cross the headings
    axes.set(ylim=(place - 0.6, -0.6), xlim=(0, 1.15 * longest), xlabel=wording.label("seconds", language))
    axes.grid(axis="y", visible=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.tight_layout()
    return figure, wording.say("alt_speed", language, told="; ".join(told))


def poem_demands(
    groups: dict[str, list[PoemForm]],
    over_runs: dict[str, dict[str, Estimate]],
    scale: dict[str, tuple[Estimate, Estimate | None]],
    language: str = "en",
) -> tuple[Figure, str]:
    """How far groups of poems meet the three demands: form, rhyme, parallelism. A dot for each training run.

    Args:
        groups: By name, the form of each run.
        over_runs: By name, the means over the runs; their intervals are drawn. A group that is not named has a single
            run, and the interval within it is drawn.
        scale: By share, ceiling and chance (None: there is none), drawn as lines with their intervals.
    """
    figure = Figure(figsize=(7.5, 1.5 + 0.36 * len(groups)))
    panels = figure.subplots(1, len(DEMANDS), sharey=True)
    told = []
    for axes, (measure, title) in zip(panels, DEMANDS.items(), strict=True):
        named = []
        for (name, line), colour in zip(
            zip(("ceiling", "chance"), scale[measure], strict=True), (ORANGE, GREY), strict=True
        ):
            if line is None or line.value is None:
                continue
            axes.axvline(line.value, color=colour, linewidth=1.5)
            if line.has_interval:
                axes.axvspan(line.low, line.high, color=colour, alpha=0.2, linewidth=0)
            named.append(f"{name} {_short(line.value)}")
        for place, (name, runs) in enumerate(groups.items()):
            values = [run.shares[measure].value for run in runs]
            values = [value for value in values if value is not None]
            if not values:
                continue
            spread = over_runs[name][measure] if name in over_runs else runs[0].shares[measure]
            if spread.has_interval:
                axes.plot([spread.low, spread.high], [place, place], color="black", linewidth=1)
            axes.plot(values, [place] * len(values), "o", color=BLUE, markersize=5, alpha=0.7, clip_on=False)
            named.append(f"{name} {', '.join(map(_short, values))}")
        axes.set(xlim=(0, 100), xlabel="percentile" if measure == "parallel_words" else "%")
        axes.set_title(title, fontsize=9)
        axes.grid(axis="y", visible=False)
        told.append(f"{' '.join(title.split())}: {'; '.join(named)}")
    panels[0].set_yticks(range(len(groups)), [escaping.visible(name) for name in groups])  # a prompt is any text
    panels[0].set_ylim(len(groups) - 0.4, -0.6)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.tight_layout()
    return figure, f"The three demands on a poem. {'. '.join(told)}."


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def gibberish(rows: dict[str, list[tuple[str, TextQuality]]], language: str = "en") -> tuple[Figure, str]:
    """Letters in words and loops with their intervals; each language has its own panels, for they do not compare.

    Args:
        rows: By language, each group with a key of `WRITERS`, which gives its colour.
    """
    figure = Figure(figsize=(7.5, 1.6 + 0.34 * sum(map(len, rows.values()))))
    heights = [len(groups) + 0.6 for groups in rows.values()]
    panels = figure.subplots(len(rows), 2, sharex=True, squeeze=False, height_ratios=heights)
    told = []
    for (language, groups), line in zip(rows.items(), panels, strict=True):
        for axes, (share, title) in zip(line, GIBBERISH.items(), strict=True):
            for place, (writer, group) in enumerate(groups):
                estimate = group.shares[share]
                if estimate.value is None:
                    continue
                axes.barh(place, estimate.value, 0.6, color=WRITERS[writer])
                if estimate.has_interval:
                    axes.plot([estimate.low, estimate.high], [place, place], color="black", linewidth=1)
                end = max(estimate.value, estimate.high or 0)
                axes.annotate(
                    f"{estimate.value:.1f}", (end, place), (4, 0), textcoords="offset points", va="center", fontsize=8
                )
                told.append(f"{title}, {group.label}: {estimate.value:.1f}")
            axes.set_title(f"{language}: {title}", fontsize=10)
            axes.set(xlim=(0, 115), xticks=range(0, 101, 20), ylim=(len(groups) - 0.4, -0.6))
            axes.set_yticks(range(len(groups)), [group.label for _, group in groups] if axes is line[0] else [])
            axes.grid(axis="y", visible=False)
    for axes in panels[-1]:
        axes.set_xlabel("%")
    figure.tight_layout()
    return figure, f"Letters in words and loops, in percent. {'; '.join(told)}."


def bits_per_character(bits: dict[str, dict[str, float]], language: str = "en") -> tuple[Figure, str]:
    """Bits per character on held-out texts; fewer is better. Each kind of texts has a panel with an axis of its own.

    Args:
        bits: By the texts, then by the model, in the order in which they are drawn.
        language: The language of the labels.
    """
    rows = [len(models) for models in bits.values()]
    figure = Figure(figsize=(WIDTH, 1.3 + 0.36 * sum(rows)))
    panels = figure.subplots(len(bits), height_ratios=rows, squeeze=False)[:, 0]
    told = []
    for axes, (texts, models) in zip(panels, bits.items(), strict=True):
        axes.barh(list(models), list(models.values()), 0.6, color=BLUE)
        for place, value in enumerate(models.values()):
            axes.annotate(f"{value:.2f}", (value, place), (4, 0), textcoords="offset points", va="center")
        axes.invert_yaxis()
        axes.set_title(texts, loc="left", fontsize="medium")
        axes.set(xlim=(0, 1.2 * max(models.values())))
        axes.grid(axis="y", visible=False)
        told.append(f"{texts}: {', '.join(f'{name} {value:.2f}' for name, value in models.items())}")
    panels[-1].set_xlabel(wording.label("bits per character (fewer is better)", language))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.tight_layout()
    return figure, wording.say("alt_bits", language, told="; ".join(told))
