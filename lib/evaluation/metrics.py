"""Measure how much texts repeat themselves, how varied they are, and what they copy.

Tokens are whatever a text is cut into: words (`word_tokens`), characters, or a model's tokens. `REGISTRY` lists what
the reports show, with unit and direction. To add a metric, write its function here and add a line to the registry.
"""

import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import sacrebleu

from lib.core.chinese import HAN

MAX_RANK = 5000
# What a loop is, see `find_loops`. The numbers were set on people's texts, and on texts that visibly loop.
MIN_PHRASE = 2  # different tokens in a phrase: "ha ha ha" is no loop
MIN_TIMES = 3  # rounds up to the end of a text, as Holtzman et al. count them
TAIL = 5  # tokens that may follow: a word that the length limit cut in two, a closing mark, "he said"
MIN_REPEATED = 8  # tokens that only repeat, for three rounds anywhere: "I tried. I tried. I tried." is no loop
MIN_REPEATED_LONG = 16  # the same for two rounds. People's most, in 1,942 passages of the Brown corpus and 55,606 Tang
# poems: 14, in a refrain
MIN_STRETCH = 6  # tokens that must be the same on both sides of one that differs, such as "he" and "she" in "he said"


def words(text: str) -> list[tuple[int, int]]:
    """Return the spans `(start, end)` of a text's tokens: words, single Chinese characters and punctuation marks."""
    return [match.span() for match in re.finditer(f"[{HAN}]|[^\\W{HAN}]+(?:['’\\-][^\\W{HAN}]+)*|[^\\w\\s]", text)]


def word_tokens(text: str) -> list[str]:
    """Return a text's tokens, see `words`, in lower case."""
    return [text[start:end].lower() for start, end in words(text)]


def rep_n(tokens: Sequence, n: int) -> float:
    """Compute the share of n-grams that occurred before, in percent: `100 * (1 - distinct / all)`.

    Source: Welleck et al., Neural Text Generation with Unlikelihood Training, 2020, as `rep-n` in Su et al., A
    Contrastive Framework for Neural Text Generation, 2022.

    Args:
        tokens: The text's tokens.
        n: The length of an n-gram.

    Returns:
        0 to 100; 0 for a text with fewer than n tokens.
    """
    grams = _grams(tokens, n)
    return 100 * (1 - len(set(grams)) / len(grams)) if grams else 0.0


def diversity(tokens: Sequence) -> float:
    """Compute how little a text repeats itself: the product of `1 - rep_n / 100` for n = 2, 3 and 4.

    Source: Su et al., A Contrastive Framework for Neural Text Generation, 2022.

    Args:
        tokens: The text's tokens.

    Returns:
        A fraction, 0 to 1; 1 for a text that is too short to repeat anything.
    """
    return math.prod(1 - rep_n(tokens, n) / 100 for n in (2, 3, 4))


def longest_repeated_span(tokens: Sequence) -> int:
    """Return the length of the longest run of tokens that occurs at two places in a text; the two may overlap.

    This is the longest repeated substring (Weiner, Linear Pattern Matching Algorithms, 1973), over tokens.

    Args:
        tokens: The text's tokens.

    Returns:
        A number of tokens; 0 if no token occurs twice.
    """
    low, high = 0, max(0, len(tokens) - 1)
    while low < high:  # where a run of n tokens occurs twice, one of n - 1 does
        n = (low + high + 1) // 2
        grams = _grams(tokens, n)
        low, high = (n, high) if len(set(grams)) < len(grams) else (low, n - 1)
    return low


def distinct_n(texts: Sequence[Sequence], n: int) -> float:
    """Divide the number of distinct n-grams of several texts by the number of all their tokens.

    Source: Li et al., A Diversity-Promoting Objective Function for Neural Conversation Models, 2016.

    Args:
        texts: The texts' tokens. More texts lower the figure, so compare equal numbers of texts.
        n: The length of an n-gram, which never spans two texts.

    Returns:
        A fraction, 0 to 1; 0 without any tokens.
    """
    total = sum(len(tokens) for tokens in texts)
    return len({gram for tokens in texts for gram in _grams(tokens, n)}) / total if total else 0.0


def self_bleu(texts: Sequence[Sequence[str]], n: int = 4) -> float:
    """Compute the mean BLEU-n of each text against all the others; a lower figure means more varied texts.

    Source: Zhu et al., Texygen: A Benchmarking Platform for Text Generation Models, 2018. BLEU-n is the brevity penalty
    times the geometric mean of the precisions of 1- to n-grams (Papineni et al., BLEU, 2002), computed as sacrebleu's
    sentence BLEU; the k-th precision that is 0 is replaced by `1 / (2 ** k * n-grams)` (its `exp` smoothing).

    Args:
        texts: The texts' tokens. More texts raise the figure, so compare equal numbers of texts.
        n: The length of the longest n-grams.

    Returns:
        A fraction, 0 to 1, to which texts of fewer than n tokens add 0; nan for fewer than two texts.
    """
    if len(texts) < 2:
        return math.nan
    # sacrebleu would advise `effective_order` for each text, but that would measure short texts by other n-grams.
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    bleu = sacrebleu.BLEU(max_ngram_order=n, tokenize="none", effective_order=False)
    joined = [" ".join(tokens) for tokens in texts]
    scores = [
        bleu.sentence_score(text, joined[:place] + joined[place + 1 :]).score for place, text in enumerate(joined)
    ]
    return min(float(np.mean(scores)) / 100, 1.0)  # equal texts score a little above 100, by rounding


def zipf_coefficient(tokens: Sequence) -> float:
    """Fit a straight line, by least squares, to log frequency against log rank, and return minus its slope.

    Source: Holtzman et al., The Curious Case of Neural Text Degeneration, 2020, with the 5,000 most frequent tokens. By
    Zipf's law it is about 1 for natural texts; the larger, the more the frequent tokens prevail.

    Args:
        tokens: The tokens of one text or of several together.

    Returns:
        A number without a unit, 0 or more; nan for fewer than two different tokens.
    """
    frequencies = sorted(Counter(tokens).values(), reverse=True)[:MAX_RANK]
    if len(frequencies) < 2:
        return math.nan
    slope, _ = np.polyfit(np.log(np.arange(1, len(frequencies) + 1)), np.log(frequencies), 1)
    return -float(slope)


def longest_copied_span(text: Sequence, corpus: Sequence[Sequence]) -> int:
    """Return `longest_copied_spans` of a single text."""
    return longest_copied_spans([text], corpus)[0]


def longest_copied_spans(texts: Sequence[Sequence], corpus: Sequence[Sequence]) -> list[int]:
    """Return, for each of several texts, the length of its longest run that also occurs in a single text of a corpus.

    McCoy et al., How Much Do Language Models Copy From Their Training Data?, 2023, ask the same question: which n-grams
    of a generated text also occur in the training texts. The answer is exact.

    Args:
        texts: Token lists, or strings, whose characters are then the tokens.
        corpus: The same.

    Returns:
        A number of tokens for each text; 0 if it shares no token with the corpus.
    """
    numbers = {token: number for number, token in enumerate({token for text in texts for token in text})}
    laid, owners = [], []
    for place, text in enumerate(texts):
        laid += [*(numbers[token] for token in text), -1]
        owners += [place] * (len(text) + 1)
    for text in corpus:
        laid += [*(numbers.get(token, -1) for token in text), -1]
    owners = np.array(owners, int)
    names = np.array(laid, int)  # of the runs of n tokens that begin at `starts`; equal runs have equal names
    starts = np.flatnonzero(names >= 0)
    names = names[starts]

    found, n = np.zeros(len(texts), int), 1
    while len(starts):
        ours = np.searchsorted(starts, len(owners))
        size = names.max() + 1
        in_text, in_corpus = np.zeros(size, bool), np.zeros(size, bool)
        in_text[names[:ours]] = in_corpus[names[ours:]] = True
        kept = (in_text & in_corpus)[names]
        found[owners[starts[:ours][kept[:ours]]]] = n
        starts, names = starts[kept], names[kept]
        # A run of n + 1 tokens can only be copied if both runs of n within it are, so that few remain soon.
        longer = np.flatnonzero(np.diff(starts) == 1)
        starts, names = starts[longer], np.unique(names[longer] * size + names[longer + 1], return_inverse=True)[1]
        n += 1
    return found.tolist()


def perplexity(nats_per_token: float) -> float:
    """Compute `exp(nats_per_token)`: the number of equally likely tokens that would be as hard to predict.

    Source: Jelinek et al., Perplexity - a Measure of the Difficulty of Speech Recognition Tasks, 1977.

    Args:
        nats_per_token: The mean negative log-likelihood (natural logarithm) of a token.

    Returns:
        A number of tokens, 1 or more. It is comparable only between models with the same tokenizer.
    """
    return math.exp(nats_per_token)


def bits_per_character(nats: float, characters: int) -> float:
    """Compute the negative log-likelihood of a text in bits per character: `nats / (ln 2 * characters)`.

    Source: Graves, Generating Sequences With Recurrent Neural Networks, 2013. Unlike the loss per token, it is
    comparable between tokenizers.

    Args:
        nats: The negative log-likelihood (natural logarithm) of the whole text.
        characters: The number of its characters.

    Returns:
        Bits; nan if there are no characters.
    """
    return nats / (math.log(2) * characters) if characters else math.nan


def _grams(tokens: Sequence, n: int) -> list[tuple]:
    return [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]


@dataclass
class Loop:
    """A phrase that is repeated directly after itself.

    Attributes:
        start: The index of the first token of the first round.
        end: The index behind the last token of the last round.
        period: The phrase's length in tokens.
    """

    start: int
    end: int
    period: int

    @property
    def times(self) -> float:
        """The number of rounds; the last may be incomplete, so the number need not be whole."""
        return (self.end - self.start) / self.period

    @property
    def repeated(self) -> int:
        """The number of tokens after the first round."""
        return self.end - self.start - self.period


def find_loop(tokens: Sequence) -> Loop | None:
    """Find the loop at the end of a text: a phrase of two or more tokens, three or more times.

    The definition is that of Holtzman et al., The Curious Case of Neural Text Degeneration, 2020; the last
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
        loop = Loop(start, len(tokens), period)
        if loop.times >= MIN_TIMES and len(set(tokens[start : start + period])) >= MIN_PHRASE:
            return loop
    return None


def find_loops(tokens: Sequence, differing: bool = True) -> list[Loop]:
    """Find the loops of a text: phrases of two or more different tokens that are repeated directly after themselves.

    A loop has three or more rounds, and either at most `TAIL` tokens follow its last round, or at least `MIN_REPEATED`
    tokens belong to the rounds after the first. Two rounds are enough if at least `MIN_REPEATED_LONG` tokens do. The
    last round may be cut off. So all loops of `find_loop` are found, and those that Holtzman's rule misses: a loop that
    the length limit cuts in the middle of a word, one that the text leaves, and one whose phrase is too long for three
    rounds.

    Args:
        tokens: The text's tokens.
        differing: Whether a single token may differ from the round before, between two stretches of at least
            `MIN_STRETCH` tokens that do not.

    Returns:
        The loops, the one with the most repeated tokens first; of equal ones the one with the shortest phrase. They may
        overlap: a loop of six rounds is also one of three rounds twice as long.
    """
    numbers = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    named = np.array([numbers[token] for token in tokens], int)
    found = []
    for period in range(MIN_PHRASE, len(tokens) // 2 + 1):
        for begin, end in _same_as_before(named, period, differing):
            loop = Loop(begin - period, end, period)
            three = loop.times >= MIN_TIMES and (end >= len(tokens) - TAIL or loop.repeated >= MIN_REPEATED)
            two = loop.times >= 2 and loop.repeated >= MIN_REPEATED_LONG
            if (three or two) and len(set(tokens[loop.start : begin])) >= MIN_PHRASE:
                found.append(loop)
    return sorted(found, key=lambda loop: (-loop.repeated, loop.period))


def _same_as_before(named: np.ndarray, period: int, differing: bool) -> list[tuple[int, int]]:
    """Return the longest stretches `(begin, end)` whose tokens equal those `period` places before."""
    edges = np.diff(np.concatenate([[0], named[period:] == named[:-period], [0]]).astype(int))
    begins, ends = ((np.flatnonzero(edges == edge) + period).tolist() for edge in (1, -1))
    joined: list[tuple[int, int]] = []
    last = 0  # the length of the last stretch without a difference
    for begin, end in zip(begins, ends, strict=True):
        if differing and joined and begin == joined[-1][1] + 1 and min(last, end - begin) >= MIN_STRETCH:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
        last = end - begin
    return joined


def has_loop(tokens: Sequence) -> bool:
    """Return whether a text has a loop, see `find_loops`."""
    return bool(find_loops(tokens))


def holtzman_repetition(tokens: Sequence) -> bool:
    """Return whether a text ends in a phrase of two or more tokens, three or more times, see `find_loop`.

    Source: Holtzman et al., The Curious Case of Neural Text Degeneration, 2020, who report the percentage of texts that
    do.

    Args:
        tokens: The text's tokens.

    Returns:
        False also for a text too short for a loop, and for a single repeated token, which is not a phrase.
    """
    return find_loop(tokens) is not None


def repetition(text: str) -> dict:
    """Measure the repetition in a text by its words.

    Returns:
        `rep_4` (percent, see `rep_n`); `looped` (percent of the words that belong to the rounds of a loop after its
        first round, see `find_loops`); `loop_times` (rounds of the loop with the most repeated words, 0 without one);
        `looped_spans` (the runs of such words, each as the characters where it begins and ends, in order).
    """
    spans, tokens = words(text), word_tokens(text)
    loops = find_loops(tokens)
    repeated = np.zeros(len(tokens) + 2, int)
    for loop in loops:
        repeated[loop.start + loop.period + 1 : loop.end + 1] = 1
    edges = np.diff(repeated)
    runs = zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True)
    return {
        "rep_4": rep_n(tokens, 4),
        "looped": 100 * int(repeated.sum()) / len(tokens) if tokens else 0.0,
        "loop_times": loops[0].times if loops else 0.0,
        "looped_spans": [(spans[begin - 1][1], spans[end - 1][1]) for begin, end in runs],
    }


class Better(StrEnum):
    """Which values of a metric are better."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"  # the best value is the one closest to people's


class Table(StrEnum):
    """The table of the reports that shows a metric."""

    REPETITION = "repetition"
    VARIETY = "variety"


@dataclass(frozen=True)
class Metric:
    """The name, the unit and the computation of a metric.

    Attributes:
        name: Its name in the records.
        label: Its name in tables.
        unit: The unit of its values.
        better: Which values are better.
        table: The table that shows it.
        of_text: Computes it from the words of one text; the records hold the mean over the texts.
        of_group: Computes it from the words of all texts of a group together. A metric with neither function needs more
            than words; `continuations` computes it.
    """

    name: str
    label: str
    unit: str
    better: Better
    table: Table
    of_text: Callable[[list[str]], float] | None = None
    of_group: Callable[[list[list[str]]], float] | None = None


def _repetition(name: str, label: str, unit: str, better: Better, of_text: Callable) -> Metric:
    return Metric(name, label, unit, better, Table.REPETITION, of_text)


def _variety(name: str, label: str, unit: str, better: Better, of_group: Callable | None = None) -> Metric:
    return Metric(name, label, unit, better, Table.VARIETY, of_group=of_group)


REGISTRY: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _repetition("words", "words", "words", Better.NEITHER, len),
        _repetition("rep_2", "rep-2 %", "percent", Better.LOWER, lambda tokens: rep_n(tokens, 2)),
        _repetition("rep_3", "rep-3 %", "percent", Better.LOWER, lambda tokens: rep_n(tokens, 3)),
        _repetition("rep_4", "rep-4 %", "percent", Better.LOWER, lambda tokens: rep_n(tokens, 4)),
        _repetition("diversity", "diversity", "fraction", Better.HIGHER, diversity),
        _repetition("loop", "has a loop %", "percent", Better.LOWER, lambda tokens: 100.0 * has_loop(tokens)),
        _repetition(
            "loop_holtzman",
            "ends in a loop (Holtzman) %",
            "percent",
            Better.LOWER,
            lambda tokens: 100.0 * holtzman_repetition(tokens),
        ),
        _repetition("longest_repeated", "longest repeated span (words)", "words", Better.LOWER, longest_repeated_span),
        _variety("perplexity", "perplexity", "tokens", Better.NEITHER),
        _variety("distinct_1", "distinct-1", "fraction", Better.HIGHER, lambda texts: distinct_n(texts, 1)),
        _variety("distinct_2", "distinct-2", "fraction", Better.HIGHER, lambda texts: distinct_n(texts, 2)),
        _variety("self_bleu_4", "self-BLEU-4", "fraction", Better.LOWER, self_bleu),
        _variety(
            "zipf",
            "Zipf",
            "none",
            Better.NEITHER,
            lambda texts: zipf_coefficient([token for tokens in texts for token in tokens]),
        ),
        _variety("copied", "longest copied span (words)", "words", Better.LOWER),
        _variety("invalid", "invalid UTF-8 %", "percent", Better.LOWER),
    )
}
