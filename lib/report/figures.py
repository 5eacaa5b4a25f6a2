"""Draw the figures of the reports. Each function returns a matplotlib figure and its alternative text."""

import math
import statistics
import warnings
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from lib.core import chinese
from lib.core.records import (
    CallState,
    Estimate,
    LearningCurve,
    LossCurve,
    PoemForm,
    Rounds,
    Sample,
    Style,
    TextGroup,
    TextLengths,
    TextQuality,
    Timing,
)
from lib.report import escaping, wording
from lib.report.numbers import number
from lib.report.wording import say

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
STRIPS = {  # by metric: the field of a text, and the title of the panel
    "rep_4": ("rep_4_percent", "repeated four-word phrases\nof a text (rep-4, %)"),
    "perplexity": ("perplexity", "perplexity of a text\n(logarithmic axis)"),
}
JITTER, GOLDEN = 0.17, 0.618034  # rows: how far dots are moved apart; how: by the golden ratio, so always the same way
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
        box = Bbox.union([figure.get_tightbbox(), *_chinese_labels(figure)]).padded(0.1)
        unfinished = file.with_name(f".{file.name}.part")
        figure.savefig(unfinished, format="svg", metadata={"Date": None}, bbox_inches=box)
        unfinished.replace(file)


def _chinese_labels(figure: Figure) -> list[Bbox]:
    """Return where the Chinese labels of a figure may reach, in inches, once they are as wide as the reader's fonts."""
    boxes = []
    for text in figure.findobj(Text):
        count = max(len(chinese.characters(line)) for line in text.get_text().split("\n"))
        if not count or not text.get_visible():
            continue
        x0, y0, x1, y1 = (end / figure.dpi for end in text.get_window_extent().extents)
        more = count * text.get_fontsize() * WIDER / 72
        if text.get_rotation():
            boxes.append(Bbox.from_extents(x0, y0 - more / 2, x1, y1 + more / 2))
        else:
            left = {"left": 0, "right": more}.get(text.get_horizontalalignment(), more / 2)
            boxes.append(Bbox.from_extents(x0 - left, y0, x1 + more - left, y1))
    return boxes


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


def repetition_by_perplexity(
    groups: list[TextGroup], texts: list[Sample], people: str, language: str = "en"
) -> tuple[Figure, str]:
    """rep-4 and perplexity of every text, a row for each group, sorted by perplexity, with people's on top.

    Args:
        groups: The groups, those of the samplers and of people.
        texts: The texts of all groups. A group whose texts have no figure gets its mean with the interval.
        people: The label of people's group.
        language: One of `wording.LANGUAGES`, for labels and the description.
    """
    rows = [group for group in groups if any(group.metrics[name].value is not None for name in STRIPS)]
    rows.sort(key=lambda group: (group.label != people, group.metrics["perplexity"].value or math.inf))
    figure = Figure(figsize=(WIDTH, 0.9 + 0.46 * max(1, len(rows))))
    panels = figure.subplots(1, len(STRIPS), sharey=True)
    told = [[wording.label(group.label, language)] for group in rows]
    for axes, (name, (field, title)) in zip(panels, STRIPS.items(), strict=True):
        for place, group in enumerate(rows):
            colour, marker = (ORANGE, "D") if group.label == people else (BLUE, "o")
            known = [getattr(text, field) for text in texts if text.label == group.label]
            known = [value for value in known if value is not None]
            estimate = group.metrics[name]
            middle = statistics.median(known) if known else estimate.value
            if known:
                heights = [place + JITTER * (2 * (step * GOLDEN % 1) - 1) for step in range(len(known))]
                axes.plot(known, heights, marker, color=colour, markersize=4, alpha=0.45, markeredgewidth=0)
            elif estimate.has_interval:
                axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=3, alpha=0.45)
            if middle is not None:
                axes.plot([middle, middle], [place - 0.2, place + 0.2], color="black", linewidth=2)
                told[place].append(f"{middle:.0f} %" if name == "rep_4" else number(middle, 2))
            axes.axhline(place - 0.65, color=GREY, linewidth=0.6, alpha=0.6)
        axes.set_xlabel(wording.label(title, language))
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.patch.set_visible(False)  # a long label reaches from the first panel into the second
    panels[0].set(xlim=(-3, 103), ylim=(len(rows) - 0.6, -0.7))
    panels[0].set_yticks([])
    panels[1].set_xscale("log")
    panels[1].set_xticks(ticks := _powers(panels[1].get_xlim()), [f"{tick:g}" for tick in ticks])
    panels[1].minorticks_off()
    for place, group in enumerate(rows):  # a label stands above its row, which leaves the width to the dots
        label = escaping.visible(wording.label(group.label, language))
        weight = "bold" if group.label == people else "normal"
        across = panels[0].get_yaxis_transform()
        panels[0].text(0, place - 0.25, label, va="bottom", fontweight=weight, transform=across)
    figure.subplots_adjust(left=0.03, right=0.97, bottom=0.6 / figure.get_figheight(), top=0.99, wspace=0.12)
    listed = say("between", language).join(say("and", language).join(row) for row in told)
    return figure, say("alt_repetition_by_perplexity", language, listed=listed)


def _powers(limits: tuple[float, float]) -> list[float]:
    """Return the ticks of a logarithmic axis: 1, 3, 10, 30 and so on; more of them where it is short."""
    steps = (1, 3) if limits[1] / limits[0] > 10 else (1, 2, 3, 5, 7)
    every = [step * 10**power for power in range(-1, 6) for step in steps]
    return [tick for tick in every if limits[0] <= tick <= limits[1]]


def repetition_probability(lines: dict[str, Rounds], language: str = "en") -> tuple[Figure, str]:
    """The mean probability of a token in each round, a line with a band for each kind of text.

    Args:
        lines: By name; `WRITTEN`, `LOOPS` and `STORIES` have looks of their own. One without texts is left out.
        language: One of `wording.LANGUAGES`, for labels and the description.
    """
    figure = Figure(figsize=(WIDTH, 3.8))
    axes = figure.subplots()
    lines = {name: line for name, line in lines.items() if line.texts}
    ends = {name: line.probability[-1].value for name, line in lines.items()}
    told = []
    for name, line in lines.items():
        colour, look = {WRITTEN: (BLUE, "o-"), STORIES: (ORANGE, "^--")}.get(name, (GREY, "s-"))
        rounds, values = range(1, len(line.texts) + 1), [estimate.value for estimate in line.probability]
        known = [place for place, estimate in zip(rounds, line.probability, strict=True) if estimate.has_interval]
        lows, highs = ([getattr(line.probability[place - 1], end) for place in known] for end in ("low", "high"))
        axes.fill_between(known, lows, highs, color=colour, alpha=0.2, linewidth=0)
        axes.plot(rounds, values, look, color=colour, markersize=5)
        # The label stands at the end of its line, on the side where no other line is near.
        others = [end for other, end in ends.items() if other != name]
        below = bool(others) and min(others, key=lambda end: abs(end - values[-1])) > values[-1]
        edges = (lows if below else highs)[len(known) // 3 :] or values
        axes.annotate(
            wording.label(name, language),
            (len(values), min(edges) if below else max(edges)),
            (4, -5 if below else 5),
            textcoords="offset points",
            ha="right",
            va="top" if below else "bottom",
        )
        listed = say("and", language).join(f"{value:.2f}" for value in values)
        told.append(f"{wording.label(name, language)} {listed}")
    longest = max((len(line.texts) for line in lines.values()), default=0)
    axes.set(xlabel=wording.label("round (how many times the sentence is written)", language), ylim=(0, 1.12))
    axes.set_ylabel(wording.label("probability the model gives to\nthe next token of the sentence", language))
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_xticks(range(1, longest + 1))
    listed = say("between", language).join(told)
    return figure, say("alt_repetition_probability", language, listed=listed)


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


def speed(
    post_seconds: list[float], first: list[float], later: list[float], language: str = "en"
) -> tuple[Figure, str]:
    """The time of a call before and after fine-tuning: as the post timed it, and first and later calls here.

    Args:
        post_seconds: The post's two times.
        first: The first calls before and after.
        later: The medians of the later calls before and after.
    """
    figure = Figure(figsize=(7.5, 3.2))
    left, right = figure.subplots(1, 2)
    left.bar(["before", "after"], post_seconds, 0.5, color=GREY)
    left.set(title="Blog post, as it timed", ylabel="seconds for one call")
    right.bar([-0.2, 0.8], first, 0.4, color=ORANGE, label="first call: compiles")
    right.bar([0.2, 1.2], later, 0.4, color=BLUE, label="later calls")
    right.set(title="Here", ylim=(0, 1.35 * max(first)))
    right.set_xticks([0, 1], ["before", "after"])
    right.legend()
    told = [" and ".join(f"{seconds:.1f}" for seconds in pair) for pair in (post_seconds, first, later)]
    return figure, (
        f"Seconds before and after fine-tuning. Post: {told[0]}. Here, first calls: {told[1]}; later calls: {told[2]}."
    )


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
    """
    rows = [len(models) for models in bits.values()]
    figure = Figure(figsize=(7.5, 1.3 + 0.36 * sum(rows)))
    panels = figure.subplots(len(bits), height_ratios=rows, squeeze=False)[:, 0]
    told = []
    for axes, (texts, models) in zip(panels, bits.items(), strict=True):
        axes.barh(list(models), list(models.values()), 0.6, color=BLUE)
        for place, value in enumerate(models.values()):
            axes.annotate(f"{value:.2f}", (value, place), (4, 0), textcoords="offset points", va="center", fontsize=9)
        axes.invert_yaxis()
        axes.set_title(texts, loc="left", fontsize=10)
        axes.set(xlim=(0, 1.15 * max(models.values())))
        axes.grid(axis="y", visible=False)
        told.append(f"{texts}: {', '.join(f'{name} {value:.2f}' for name, value in models.items())}")
    panels[-1].set_xlabel("bits per character (fewer is better)")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.tight_layout()
    return figure, f"Bits per character on held-out texts. {'; '.join(told)}."
