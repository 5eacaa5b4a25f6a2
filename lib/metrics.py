"""How much a text repeats itself."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MIN_PHRASE = 2
MIN_TIMES = 3


def words(text: str) -> list[tuple[int, int]]:
    """The spans `(start, end)` of a text's tokens: words, single Chinese characters and punctuation marks."""
    return [
        match.span()
        for match in re.finditer(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+(?:['’\-][^\W\u3400-\u9fff]+)*|[^\w\s]", text)
    ]


def rep_n(tokens: Sequence, n: int) -> float:
    """The share of n-grams that occurred before, in percent: `100 * (1 - distinct / all)`.

    Source: Welleck et al., Neural Text Generation with Unlikelihood Training, 2020, as `rep-n` in Su et al., A
    Contrastive Framework for Neural Text Generation, 2022.

    Args:
        tokens: The text's tokens.
        n: The length of an n-gram.

    Returns:
        0 to 100; 0 for a text with fewer than n tokens.
    """
    grams = [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]
    return 100 * (1 - len(set(grams)) / len(grams)) if grams else 0.0


@dataclass
class Loop:
    """A phrase that a text ends in, again and again.

    Attributes:
        start: The index of the token with which the first round begins.
        period: The phrase's length in tokens.
        times: How many rounds there are; the last may be cut off, so it need not be whole.
    """

    start: int
    period: int
    times: float


def find_loop(tokens: Sequence) -> Loop | None:
    """Finds the loop at the end of a text: a phrase of two or more tokens, three or more times.

    The definition is that of Holtzman et al., The Curious Case of Neural Text Degeneration, 2020, section 4; the last
    round may be cut off, since a length limit stops a loop anywhere.

    Args:
        tokens: The text's tokens.

    Returns:
        The loop with the shortest phrase, or None.
    """
    for period in range(MIN_PHRASE, len(tokens) // MIN_TIMES + 1):
        start = len(tokens) - period
        while start > 0 and tokens[start - 1] == tokens[start - 1 + period]:
            start -= 1
        times = (len(tokens) - start) / period
        if times >= MIN_TIMES and len(set(tokens[start : start + period])) >= MIN_PHRASE:
            return Loop(start, period, times)
    return None


def repetition(text: str) -> dict:
    """Judges a text by its words.

    Returns:
        `rep_4` (percent, see `rep_n`); `looped` (percent of the words that belong to the rounds of the loop at the end
        after its first round); `loop_times`; `loop_start`, `loop_end` (the characters where the first round begins and
        ends) or None.
    """
    spans = words(text)
    tokens = [text[start:end].lower() for start, end in spans]
    loop = find_loop(tokens)
    judged = {"rep_4": rep_n(tokens, 4), "looped": 0.0, "loop_times": 0.0, "loop_start": None, "loop_end": None}
    if loop:
        judged["looped"] = 100 * (len(tokens) - loop.start - loop.period) / len(tokens)
        judged["loop_times"] = loop.times
        judged["loop_start"] = spans[loop.start][0]
        judged["loop_end"] = spans[loop.start + loop.period - 1][1]
    return judged
