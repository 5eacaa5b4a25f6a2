"""Draw the picture that the READMEs show: the verdicts, which texts loop, and what a repetition does to the next one.

It lies on a white card of its own, so it looks the same on a light and on a dark page. Texts begin where they are put
and have room to the right: the reader's font may be wider than the one that is known here.
"""

from collections import Counter

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from lib.core.records import GreedyVsTopK, Judgement, SelfReinforcement, TextGroup, Verdict
from lib.report import words
from lib.report.wording import say

FILES = {"en": "docs/picture.svg", "zh": "docs/picture.zh.svg"}
WIDTH = 390  # points: a phone shows it at two thirds of its size
MARGIN, COLUMN = 22, 132  # where texts and squares begin
LINE = 26
ROW = 180  # the width of the squares of a row of texts
CHART = 200  # the height of the last part
BLUE, RED, INK, LIGHT = "#2f6db3", "#b4501e", "#1f2328", "#d5d9de"
MARKS = {  # of a verdict: its colour and its sign, which tells it without colour too
    Verdict.HOLDS: (BLUE, "✓"),
    Verdict.HOLDS_IN_PART: ("#6f8fb5", "~"),
    Verdict.DOES_NOT_HOLD: (RED, "✗"),
    Verdict.UNDECIDED: ("#59636e", "?"),
    Verdict.NOT_TESTED: ("#59636e", "–"),
}


def draw(judged: Judgement, measured: GreedyVsTopK, language: str = "en") -> tuple[Figure, str]:
    """Draw the picture.

    Args:
        judged: The claims, judged.
        measured: What 03 measured.
        language: One of `wording.LANGUAGES`.

    Returns:
        The picture and its alternative text.
    """
    counts = Counter(claim.verdict for claim in judged.testable)
    groups = [measured.greedy, measured.top_k, measured.people]
    tops = [38.0]
    for rows in (len(counts), len(groups)):
        tops.append(tops[-1] + LINE * rows + 46)
    height = tops[-1] + CHART + 58
    figure = Figure(figsize=(WIDTH / 72, height / 72), facecolor="none")
    canvas = figure.add_axes((0, 0, 1, 1))
    canvas.set(xlim=(0, WIDTH), ylim=(height, 0))
    canvas.set_axis_off()
    canvas.add_patch(
        FancyBboxPatch((1, 1), WIDTH - 2, height - 2, "round,pad=0,rounding_size=8", facecolor="white", edgecolor=LIGHT)
    )
    alt = say(
        "picture_alt",
        language,
        claims=_verdicts(canvas, tops[0], counts, language),
        loops=_loops(canvas, tops[1], groups, language),
        rounds=_rounds(canvas, tops[2], measured.self_reinforcement, language),
    )
    return figure, alt


def _heading(canvas: Axes, top: float, text: str) -> str:
    canvas.text(MARGIN, top, text, fontsize=13, fontweight="bold", color=INK)
    return text


def _verdicts(canvas: Axes, top: float, counts: Counter, language: str) -> str:
    """Draw a row for each verdict, with a square for each claim."""
    heading = _heading(canvas, top, say("picture_claims", language, all=counts.total()))
    told = []
    for row, verdict in enumerate(verdict for verdict in MARKS if counts[verdict]):
        colour, sign = MARKS[verdict]
        named, y = words.verdict(verdict, language), top + 14 + LINE * row
        canvas.text(MARGIN, y + 16, named, fontsize=12, color=INK)
        for place in range(counts[verdict]):
            x = COLUMN + 25 * place
            canvas.add_patch(Rectangle((x, y), 22, 22, facecolor=colour))
            canvas.text(x + 11, y + 11, sign, fontsize=13, color="white", weight="bold", ha="center", va="center")
        told.append(say("picture_count", language, verdict=named, count=counts[verdict]))
    return say("picture_told", language, heading=heading, told=say("between", language).join(told))


def _loops(canvas: Axes, top: float, groups: list[TextGroup], language: str) -> str:
    """Draw a row for each writer, with a square for each text; those of a text in a loop are filled."""
    heading = _heading(canvas, top, say("picture_loops", language))
    names = [say("picture_greedy", language), say("picture_top_k", language), say("picture_people", language)]
    told = []
    for row, (name, group) in enumerate(zip(names, groups, strict=True)):
        y = top + 16 + LINE * row
        canvas.text(MARGIN, y + 11, name, fontsize=12, color=INK)
        pitch = min(13, ROW / group.texts)
        for place in range(group.texts):
            looped = place < group.loops
            canvas.add_patch(
                Rectangle(
                    (COLUMN + pitch * place, y),
                    pitch - 2,
                    13,
                    facecolor=RED if looped else "white",
                    edgecolor=RED if looped else "#8c959f",
                    linewidth=0.8,
                )
            )
        count = say("picture_of", language, count=group.loops, all=group.texts)
        canvas.text(COLUMN + ROW + 8, y + 11, count, fontsize=12, color=INK)
        told.append(f"{name} {count}")
    return say("picture_told", language, heading=heading, told=say("between", language).join(told))


def _rounds(canvas: Axes, top: float, measured: SelfReinforcement, language: str) -> str:
    """Draw the probability of a sentence's tokens each time it is written, beside the stories as they go on."""
    heading = _heading(canvas, top, say("picture_rounds", language))
    height = canvas.get_ylim()[0]
    axes = canvas.figure.add_axes((66 / WIDTH, 1 - (top + 18 + CHART) / height, 226 / WIDTH, CHART / height))
    lines = {
        "picture_written": (measured.written, RED, "o-"),
        "picture_stories": (measured.people, BLUE, "s--"),
    }
    told = []
    for label, (line, colour, style) in lines.items():
        values = [100 * estimate.value for estimate in line.probability if estimate.value is not None]
        if not values:
            continue
        axes.plot(range(1, len(values) + 1), values, style, color=colour, markersize=5, linewidth=2, clip_on=False)
        named = say(label, language)
        axes.annotate(
            named, (len(values), values[-1]), (8, 0), textcoords="offset points", va="center", fontsize=12, color=colour
        )
        told.append(
            say(
                "picture_change",
                language,
                of=named.replace("\n", "" if language == "zh" else " "),
                first=values[0],
                last=values[-1],
            )
        )
    axes.set(ylim=(0, 100), yticks=range(0, 101, 25), xticks=range(1, measured.rounds + 1))
    axes.tick_params(labelsize=12, colors=INK, length=0)
    axes.set_yticks(axes.get_yticks(), [f"{tick:.0f} %" for tick in axes.get_yticks()])
    axes.spines[["left", "bottom"]].set_color(LIGHT)
    axes.set_xlabel(say("picture_times", language), fontsize=12, color=INK)
    return say("picture_told", language, heading=heading, told=say("between", language).join(told))
