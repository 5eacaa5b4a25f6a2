"""Draw the figures of the reports. Each function returns a matplotlib figure and its alternative text."""

import io
import itertools
import math
import statistics
import textwrap
import warnings
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox, blended_transform_factory

from lib.core import chinese, paths
from lib.core.records import (
    AnswerLanguage,
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
from lib.report.numbers import number, with_interval
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
GIBBERISH = {
    "words": "letters or Chinese characters in words",
    "looped": "characters in loops",
}  # the shares that are drawn
WRITTEN, LOOPS, STORIES = "a sentence, written again", "loops of greedy decoding", "people's stories, same places"
STRIPS = {  # by metric: the field of a text, and the title of the panel
    "rep_4": ("rep_4_percent", "repeated four-word\nphrases (rep-4, %)"),
    "perplexity": ("perplexity", "perplexity\n(logarithmic axis)"),
}
GOLDEN = 0.618034  # the golden ratio spreads dots evenly
DEMANDS = {  # the demands on a poem, as their panels are named
    "well_formed": "poems of regular form, %",
    "rhyme": "pairs of even lines that rhyme, %",
    "parallel_tones": "places with opposite tones, %",
    "parallel_words": "match of the words in couplets, 0 to 100",
}
BLUE, ORANGE, GREY, GREEN = "#2f6db3", "#d9822b", "#9aa0a8", "#4a9b6e"
INK, LIGHT = "#1c2024", "#e4e7eb"  # of text and lines that have no colour of their own, on a light and on a dark page
TEXTS = {BLUE: BLUE, ORANGE: "#9a560f", GREY: "#5d646d", GREEN: "#2f6f4c"}  # darker, since text needs more contrast
ON_DARK = {BLUE: "#7fb3ec", ORANGE: "#f0a050", GREY: "#a9b2bd", GREEN: "#74c79a"}
LINES = ((GREY, "--"), (BLUE, "-"), (ORANGE, "-."), (GREEN, (0, (1, 1))))  # dashed ones too, where colours look alike
WRITERS = {"model": BLUE, "people": ORANGE, "chance": GREY}
ANSWERS = {AnswerLanguage.CHINESE: "o", AnswerLanguage.ENGLISH: "^", AnswerLanguage.NEITHER: "x"}  # the marks of texts
NARROW = 18  # characters of a label beside a row
WIDER = 0.5  # em by which a Chinese character is wider than what stands for it where this machine has no font for it


def save(figure: Figure, file: Path, is_card: bool = False) -> None:
    """Write a figure as SVG, all of its text inside it whatever font the reader has.

    Args:
        figure: The figure.
        file: The file to write.
        is_card: Whether the figure has a ground, margins and room for its text of its own. Others lie on the ground of
            the page and take its colours, light or dark.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # of this machine; the reader's decides
        box = Bbox.union([figure.get_tightbbox(), *_chinese_labels(figure)]).padded(0.1)
        box = figure.bbox_inches if is_card else box
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None}, bbox_inches=box, transparent=not is_card)
    style = "" if is_card else f"\n{_style()}"
    paths.write(file, drawn.getvalue().replace("</style>", f"{style}</style>", 1))


def _style() -> str:
    """Return the rules of style that give a figure the colours of the page that it stands on, light or dark."""

    def rules(ink: str, shapes: dict[str, str], texts: dict[str, str]) -> str:
        told = f"text {{fill: {ink}}} [style*='stroke: #000000'] {{stroke: {ink} !important}}"
        told += f" [style*='fill: #000000'] {{fill: {ink} !important}}"
        for colour, one in shapes.items():
            told += f" [style*='fill: {colour}'] {{fill: {one} !important}}"
            told += f" [style*='stroke: {colour}'] {{stroke: {one} !important}}"
        return told + "".join(
            f" text[style*='fill: {colour}'] {{fill: {one} !important}}" for colour, one in texts.items()
        )

    return f"{rules(INK, {}, TEXTS)}\n@media (prefers-color-scheme: dark) {{{rules(LIGHT, ON_DARK, ON_DARK)}}}\n"


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
    """The seconds of each timed call, the first one hatched and in another colour.

    Args:
        timings: A panel for each; all have the same axis.
        language: One of `wording.LANGUAGES`.
    """
    seconds = [timing.seconds[CallState.FIRST] + timing.seconds[CallState.LATER] for timing in timings]
    figure = Figure(figsize=(WIDTH, 0.7 + sum(0.5 + 0.27 * len(calls) for calls in seconds)))
    heights = [len(calls) + 0.5 for calls in seconds]
    panels = figure.subplots(len(timings), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    told = []
    for timing, calls, axes in zip(timings, seconds, panels, strict=True):
        name, places = wording.label(timing.label, language), range(1, len(calls) + 1)
        first, *_ = axes.barh(places, calls, 0.7, color=[ORANGE] + [BLUE] * (len(calls) - 1))
        first.set(hatch="///", edgecolor="white", linewidth=0)
        for place, value in zip(places, calls, strict=True):
            _beside(axes, f"{value:.1f}", value, place)
        ticks = [say("tick_call", language, number=place) for place in places[1:]]
        axes.set_yticks(places, [wording.label(CallState.FIRST.value, language), *ticks])
        axes.set(ylim=(len(calls) + 0.6, 0.4))
        axes.set_title(name, loc="left", fontsize="medium")
        axes.grid(axis="y", visible=False)
        listed = say("comma", language).join(f"{value:.1f}" for value in calls)
        told.append(say("alt_calls_row", language, calls=name, seconds=listed))
    panels[0].set_xlim(0, 1.12 * max(map(max, seconds)))
    panels[-1].set_xlabel(wording.label("seconds", language))
    fit(figure)
    return figure, say("alt_calls", language, listed=say("between", language).join(told))


def _beside(axes, text: str, x: float, y: float) -> None:
    """Writes a value to the right of where it ends."""
    axes.annotate(text, (x, y), (4, 0), textcoords="offset points", va="center")


def fit(figure: Figure) -> None:
    """Makes room for all labels, without a word on characters that this machine has no font for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.tight_layout()


def loss_curve(curve: LossCurve, language: str = "en") -> tuple[Figure, str]:
    """The training loss by step, with the means that Keras prints.

    Args:
        curve: The losses, one a step.
        language: One of `wording.LANGUAGES`.
    """
    figure = Figure(figsize=(WIDTH, 3.6))
    axes = figure.subplots()
    steps = range(1, len(curve.loss) + 1)
    lines = {
        "each step, padding included": (curve.loss, {"color": GREY, "linewidth": 1}),
        "mean so far, as Keras prints it": (curve.mean_loss, {"color": BLUE}),
        "mean so far, per token": (curve.mean_token_loss, {"color": ORANGE, "linestyle": "--"}),
    }
    for name, (values, style) in lines.items():
        axes.plot(steps, values, label=wording.label(name, language), **style)
    axes.set(xlabel=wording.label("training step", language), ylabel=wording.label("loss (nats)", language))
    axes.set_ylim(0, None)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    fit(figure)
    first, last, printed = curve.mean_token_loss[0], curve.mean_token_loss[-1], curve.mean_loss[-1]
    return figure, say("alt_loss", language, first=first, last=last, printed=printed)


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
                heights = [place + shift for shift in _jitter(known, reach=0.17)]
                axes.plot(known, heights, marker, color=colour, markersize=4, alpha=0.45, markeredgewidth=0)
            elif estimate.has_interval:
                axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=3, alpha=0.45)
            if middle is not None:
                axes.plot([middle, middle], [place - 0.2, place + 0.2], color="black", linewidth=2)
                told[place].append(f"{middle:.0f} %" if name == "rep_4" else number(middle, 2))
        axes.set_title(wording.label(title, language), loc="left", fontsize="medium", fontweight="bold")
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
        rule = blended_transform_factory(figure.transFigure, panels[0].transData)  # over both panels, as a label may be
        ends = {"color": GREY, "linewidth": 0.6, "alpha": 0.6, "transform": rule, "clip_on": False}
        panels[0].plot([0.03, 0.97], [place - 0.65] * 2, **ends)
    height = figure.get_figheight()
    figure.subplots_adjust(left=0.03, right=0.97, bottom=0.3 / height, top=1 - 0.5 / height, wspace=0.12)
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
        edges = (lows if below else highs)[max(0, len(known) // 2 - 1) :] or values
        axes.annotate(
            wording.label(name, language),
            (len(values), min(edges) if below else max(edges)),
            (4, -5 if below else 5),
            textcoords="offset points",
            ha="right",
            va="top" if below else "bottom",
            color=colour,
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
        language: One of `wording.LANGUAGES`.
    """
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.subplots()
    names = [wording.label(name, language) for name in runs]
    limit = max(lengths.most_new_tokens for lengths in runs.values())
    last = []
    for lengths, (colour, line) in zip(runs.values(), LINES, strict=True):
        # A text that goes on to the limit is not known to end there.
        ended = sorted(
            count for count, by_model in zip(lengths.new_tokens, lengths.ended_by_model, strict=True) if by_model
        )
        shares = [100 * (1 - place / lengths.texts) for place in range(len(ended) + 1)]
        axes.step([0, *ended, limit], [*shares, shares[-1]], where="post", color=colour, linestyle=line)
        last.append(shares[-1])
    for name, share, place, (colour, _) in zip(names, last, _spread(last, 18, 100), LINES, strict=True):
        axes.plot([limit, 1.04 * limit], [share, place], color=colour, linewidth=1, clip_on=False)
        axes.text(1.06 * limit, place, name.replace(" ", "\n", 1), va="center", linespacing=1.0)
    axes.axvline(training, color="black", linewidth=1, linestyle=":")
    axes.set(ylim=(0, 103), xlim=(0, limit))
    figure.subplots_adjust(left=0.15, right=0.74, bottom=0.16, top=0.97)  # room for the names
    axes.set(xlabel=wording.label("new tokens", language), ylabel=wording.label("texts that go on (%)", language))
    medians = [
        say("named_value", language, name=name, value=f"{lengths.median_new_tokens.value:.0f}")
        for name, lengths in zip(names, runs.values(), strict=True)
    ]
    told = say("between", language).join(medians)
    return figure, say("alt_survival", language, medians=told, training=training)


def _spread(places: list[float], least: float, highest: float) -> list[float]:
    """Move places upwards, and down from the highest one allowed, until they are so far apart, in the same order."""
    order = sorted(range(len(places)), key=lambda place: places[place])
    moved = dict(enumerate(places))
    for lower, higher in itertools.pairwise(order):
        moved[higher] = max(moved[higher], moved[lower] + least)
    for rank, place in enumerate(reversed(order)):
        moved[place] = min(moved[place], highest - rank * least)
    return [moved[place] for place in range(len(places))]


def style(told: Style, language: str = "en") -> tuple[Figure, str]:
    """The scores that a classifier gives each group's texts and people's, and the divergence of their words.

    Args:
        told: What was measured of the style.
        language: One of `wording.LANGUAGES`.
    """
    groups = {"before": "before fine-tuning", "after": "after fine-tuning", "people": "other people"}
    figure = Figure(figsize=(WIDTH, 5.6))
    above, below = figure.subplots(2, height_ratios=(3, 1.8))
    spoken = []
    for place, (group, label) in enumerate(groups.items()):
        scores, auc, jsd = told.scores[group], getattr(told.auc, group), getattr(told.jsd, group)
        rows = (scores.people, ORANGE, "none", -0.05), (scores.texts, BLUE, "full", 0.25)
        for values, colour, fill, down in rows:
            height = [place + down + jitter for jitter in _jitter(values)]
            above.plot(values, height, "o", color=colour, fillstyle=fill, markersize=4, alpha=0.8)
        if jsd.has_interval:
            below.plot([jsd.low, jsd.high], [place, place], color=BLUE, linewidth=1.5)
        if jsd.value is not None:
            below.plot(jsd.value, place, "o", color=BLUE)
        for axes, value in ((above, f"AUC {with_interval(auc)}"), (below, with_interval(jsd))):
            heading = say("named_value", language, name=wording.label(label, language), value=value)
            axes.text(0, place - 0.25, heading, transform=axes.get_yaxis_transform(), va="bottom")
            spoken.append(heading)
    above.set(xlabel=wording.label("score of the classifier (log odds)", language), ylim=(2.5, -0.65), yticks=[])
    below.set(xlabel=wording.label("difference of word frequencies (bits)", language), ylim=(2.4, -0.8), yticks=[])
    for axes in (above, below):
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=6)
    fit(figure)
    return figure, say("alt_style", language, told=say("between", language).join(spoken))


def _jitter(values: list[float], reach: float = 0.12) -> list[float]:
    """Returns shifts of up to `reach` that keep dots of about the same value apart, always the same ones."""
    return [reach * (2 * (GOLDEN * place % 1) - 1) for place in range(len(values))]


def learning_curve(curve: LearningCurve, before: list[float | None], language: str = "en") -> tuple[Figure, str]:
    """The change in bits per character of held-out texts from before training, by the number of stories.

    Args:
        curve: The trainings.
        before: Bits per character of each text before training.
        language: One of `wording.LANGUAGES`.
    """
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.subplots()
    stories = [point.stories for point in curve.points]
    for point in curve.points:
        changes = [
            after - known for after, known in zip(point.by_text, before, strict=True) if None not in (after, known)
        ]
        beside = [point.stories * 10 ** (0.5 * shift) for shift in _jitter(changes)]
        axes.plot(beside, changes, "o", color=GREY, markersize=3, mew=0)
    means = [point.minus_untrained for point in curve.points]
    axes.plot(stories, [one.value for one in means], "o-", color=BLUE)
    for place, one in zip(stories, means, strict=True):
        if one.has_interval:
            axes.plot([place, place], [one.low, one.high], color=BLUE, linewidth=3)
    axes.axhline(0, color="black", linewidth=1, linestyle="--")
    axes.set(xscale="log", xlabel=wording.label("stories (log scale)", language))
    axes.set(ylabel=wording.label("change in bits per character", language))
    figure.subplots_adjust(left=0.2, right=0.97, bottom=0.2, top=0.97)
    turned = {"rotation": 30, "ha": "right"} if len(stories) > 5 else {}
    axes.set_xticks(stories, [f"{count:,}" for count in stories], **turned)
    axes.minorticks_off()
    told = [
        say("curve_change", language, stories=point.stories, change=point.minus_untrained.value)
        for point in curve.points
        if point.minus_untrained.value is not None
    ]
    told = say("between", language).join(told)
    return figure, say("alt_learning_curve", language, untrained=curve.untrained, told=told)


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
    fit(figure)
    return figure, wording.say("alt_speed", language, told="; ".join(told))


def poem_demands(
    groups: list[tuple[str, list[PoemForm], dict[str, Estimate]]],
    scale: dict[str, tuple[Estimate, Estimate | None]],
    language: str = "en",
) -> tuple[Figure, str]:
    """How far groups of poems meet the three demands: form, rhyme, parallelism. A dot for each training run.

    Args:
        groups: For each its name, the form of each run, and the means over the runs, whose intervals are drawn. Of a
            group with a single run, the interval within it is drawn.
        scale: By share, what Tang poets reach and what comes by chance (None: there is no such figure), drawn as lines
            with their intervals.
        language: One of `wording.LANGUAGES`.
    """
    width = WIDTH - 0.5  # leaves room for the Chinese labels, see `save`
    row, gap = 0.4, 0.75  # inches: a group, and what stands above a panel
    figure = Figure(figsize=(width, 0.3 + len(DEMANDS) * (gap + row * len(groups))))
    panels = figure.subplots(len(DEMANDS), sharex=True)
    labels = [textwrap.fill(escaping.visible(name), NARROW) for name, *_ in groups]  # a prompt is any text
    told, heads = [], []
    for axes, (measure, title) in zip(panels, DEMANDS.items(), strict=True):
        title, named = wording.label(title, language), []
        for name, line, colour, dashes in zip(
            ("Tang", "chance"), scale[measure], (ORANGE, GREY), ("-", "--"), strict=True
        ):
            if line is None or line.value is None:
                continue
            axes.axvline(line.value, color=colour, linewidth=1.8, linestyle=dashes)
            if line.has_interval:
                axes.axvspan(line.low, line.high, color=colour, alpha=0.2, linewidth=0)
            named.append(f"{wording.label(name, language)} {number(line.value, 2)}")
            side = "left" if line.value < 30 else "right"  # above the panel, so that no line crosses a label
            place = (max(line.value, 0), 1.02)
            axes.text(*place, named[-1], color=colour, ha=side, va="bottom", transform=axes.get_xaxis_transform())
        for place, (name, runs, over_runs) in enumerate(groups):
            values = [run.shares[measure].value for run in runs]
            values = [value for value in values if value is not None]
            if not values:
                continue
            mean = over_runs[measure] if len(runs) > 1 else runs[0].shares[measure]
            if mean.has_interval:
                axes.plot([mean.low, mean.high], [place, place], color="black", linewidth=1)
            axes.plot(values, [place] * len(values), "o", color=BLUE, markersize=5, alpha=0.7, clip_on=False)
            ends = [mean.low, mean.high] if mean.has_interval else []
            _values_beside(axes, [*values, *ends], place, number(sum(values) / len(values), 2))
            named.append(f"{name} {wording.say('and', language).join(map(_short, values))}")
        axes.set(xlim=(0, 100), ylim=(len(groups) - 0.5, -0.6))
        axes.set_yticks(range(len(groups)), labels)
        across = blended_transform_factory(figure.transFigure, axes.transAxes)
        head = axes.annotate(title, (0.01, 1), (0, 22), xycoords=across, textcoords="offset points", fontweight="bold")
        head.set_in_layout(False)  # else a long one would make the panel narrow
        heads.append(head)
        axes.grid(axis="y", visible=False)
        values = wording.say("between", language).join(named)
        told.append(wording.say("alt_panel", language, panel=title, values=values))
    fit(figure)
    for head in heads:
        head.set_in_layout(True)
    height = figure.get_figheight()
    figure.subplots_adjust(top=1 - gap / height, bottom=0.3 / height, hspace=gap / (row * len(groups)))
    return figure, wording.say("alt_demands", language, panels=wording.say("sentence_space", language).join(told))


def _values_beside(axes, values: list[float], row: float, text: str) -> None:
    """Writes a label beside what is drawn at some values in a row, on the side where there is more room."""
    right = max(values) < 60
    axes.annotate(
        text,
        (max(values) if right else min(values), row),
        (6 if right else -6, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="center",
    )


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def gibberish(rows: dict[str, list[tuple[str, TextQuality]]], language: str = "en") -> tuple[Figure, str]:
    """Letters in words and loops, a mark for each text. Each prompt has its own panels, for they do not compare.

    Args:
        rows: By prompt, each group with a key of `WRITERS`, which gives its colour.
        language: One of `wording.LANGUAGES`.
    """
    panels = []
    for (prompt, groups), (share, title) in itertools.product(rows.items(), GIBBERISH.items()):
        known = [(writer, group) for writer, group in groups if group.shares[share].value is not None]
        names = {"prompt": wording.label(prompt, language), "share": wording.label(title, language)}
        if known:
            panels.append((say("panel_gibberish", language, **names), share, known))
    heights, row, gap, told = [len(groups) for *_, groups in panels], 0.55, 0.5, []  # a row and a gap in inches
    figure = Figure(figsize=(WIDTH, row * sum(heights) + gap * len(panels)))
    figure.subplots_adjust(0.02, 0.08, 0.98, 0.96, hspace=gap * len(panels) / (row * sum(heights)))
    lines = figure.subplots(len(panels), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, share, groups) in zip(lines, panels, strict=True):
        for place, (writer, group) in enumerate(groups):
            name, mean = wording.label(group.label, language), number(group.shares[share].value, 2)
            _strip(axes, group, share, place, WRITERS[writer])
            axes.text(0, place - 0.13, name)
            axes.text(100, place - 0.13, say("mean_of_texts", language, mean=mean), ha="right")
            told.append(say("alt_gibberish_row", language, panel=title, label=name, mean=mean))
        axes.set_title(title, loc="left", fontsize="medium", fontweight="bold")
        axes.set(xlim=(-3, 103), xticks=range(0, 101, 20), yticks=[], ylim=(len(groups) - 0.5, -0.5))
        axes.spines["left"].set_visible(False)
    lines[-1].set_xlabel("%")
    return figure, say("alt_gibberish", language, listed=say("between", language).join(told))


def _strip(axes, group: TextQuality, share: str, place: float, colour: str) -> None:
    """Draws a mark for each text of a group, and a diamond for the mean with its interval."""
    for answer, marker in ANSWERS.items():
        values = [getattr(text, share) for text in group.by_text if text.answer is answer]
        # The golden ratio spreads the marks evenly over the height of the row, in the same way each time.
        offsets = [0.22 * (0.618 * index % 1 - 0.5) for index in range(len(values))]
        heights = [place + 0.15 + offset for offset, value in zip(offsets, values, strict=True) if value is not None]
        known = [value for value in values if value is not None]
        axes.plot(known, heights, marker, color=colour, markersize=4, alpha=0.45, clip_on=False)
    mean = group.shares[share]
    if mean.has_interval:
        axes.plot([mean.low, mean.high], [place + 0.15] * 2, color=colour, linewidth=3)
    axes.plot(mean.value, place + 0.15, "D", color=colour, markersize=8, markeredgecolor="white", clip_on=False)


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
    fit(figure)
    return figure, wording.say("alt_bits", language, told="; ".join(told))
