"""Show a text as a model sees it: each token on a ground that says how probable it was."""

import itertools
import math

from lib.core.records import SeenText
from lib.report import html, numbers, wording
from lib.report.wording import say

STEPS = (0.9, 0.5, 0.1, 0.01, 0.001)  # the least probability of the classes s0 to s4 of `style.css`; s5 is below them
LEAST = 1e-6  # what is less is told as less than this


def step(probability: float) -> int:
    """Return the number of a probability's class, from 0 for the most probable."""
    return sum(probability < least for least in STEPS)


def legend() -> list[str]:
    """Return the range of each class, in symbols."""
    ranges = [f"{low:g}–{high:g}" for high, low in itertools.pairwise(STEPS)]
    return [f"≥ {STEPS[0]:g}", *ranges, f"< {STEPS[-1]:g}"]


def block(texts: list[SeenText], across: int, language: str) -> str:
    """Make a block of such texts with a legend; `""` without texts.

    Args:
        texts: The texts.
        across: How many stand side by side on a wide page.
        language: The language of the page.
    """
    shown = [
        {
            "label": wording.label(text.label, language),
            "drawn": drawn(text, language),
            "prompt": text.prompt,
            "pieces": pieces(text, language),
            "note": note(text, language),
        }
        for text in texts
    ]
    told = [say("seen_given", language)]
    if any(count > 1 for text in texts for count in text.tokens):
        told.append(say("seen_characters", language))
    return (
        html.seen(
            shown, across, say("seen_legend", language), legend(), say("sentence_space", language).join(told), language
        )
        if texts
        else ""
    )


def pieces(text: SeenText, language: str) -> list[dict]:
    """Return what a page shows of each piece of a text: `text`, `step` and `title`.

    The probability of a piece of several tokens is the product of theirs.
    """
    made, at = [], 0
    for piece, count in zip(text.pieces, text.tokens, strict=True):
        probabilities, ranks = text.probabilities[at : at + count], text.ranks[at : at + count]
        told = [
            say("seen_token", language, rank=f"{rank:,}", probability=_probability(probability))
            for rank, probability in zip(ranks, probabilities, strict=True)
        ]
        title = say("between", language).join(told)
        made.append({"text": piece, "step": step(math.prod(probabilities)), "title": title})
        at += count
    return made


def _probability(value: float) -> str:
    return numbers.number(value, 2) if value >= LEAST else f"< {LEAST:f}"


def drawn(text: SeenText, language: str) -> str:
    """Return the sampler and the seed of a text that was drawn at random; `""` of any other."""
    if text.seed is None:
        return ""
    told = [] if text.sampler == text.label else [text.sampler]
    return ", ".join([*told, say("seen_seed", language, seed=text.seed)])


def note(text: SeenText, language: str) -> str:
    """Return how many of a text's tokens are the most probable ones; `""` of a text without tokens."""
    if not text.ranks:
        return ""
    share = 100 * sum(rank == 1 for rank in text.ranks) / len(text.ranks)
    return say("seen_note", language, tokens=len(text.ranks), percent=numbers.percent(share))
