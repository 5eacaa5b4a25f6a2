"""Measure the parallelism (對仗) of couplets: opposite tones, and words of a kind at the same place.

In the middle couplets of regulated verse the two lines answer each other character by character: level stands against
oblique, and each word against one of its own class (Wang Li, 漢語詩律學, 1958). The first demand is looked up
(`opposite_tones`). For the second, no list of word classes is needed: characters of a class have the same neighbours,
so the vectors of their neighbours are alike (Harris, Distributional Structure, 1954; Turney and Pantel, From Frequency
to Meaning, 2010). Whether a couplet is parallel is told by how much more alike its lines are than lines put together at
random (`Parallelism.percentile`).
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
import pandas as pd
import scipy.sparse
from scipy.sparse import linalg

from lib.core import chinese
from lib.core.records import CoupletForm, Estimate
from lib.evaluation import prosody, statistics

DIMENSIONS = 50  # of the vectors
FEWEST = 30  # a character that occurs less often in the training poems has no vector
TOLERANCE = 0.01  # of the decomposition, relative to a singular value
SECOND_LINES = 500  # the most lines of a length that a couplet's second line is held against
REGULATED = 300  # the most poems of regulated verse that are judged
SHARES = ("parallel_tones", "parallel_words")  # percent, see `summary`


def couplets(poem: str) -> list[tuple[str, str]]:
    """Return the couplets of a poem: lines 1 and 2, 3 and 4, and so on, both regular and of equal length."""
    lines = chinese.clauses(poem)
    return [
        (first, second)
        for first, second in zip(lines[::2], lines[1::2], strict=False)
        if chinese.is_regular_line(first) and chinese.is_regular_line(second) and len(first) == len(second)
    ]


def opposite_tones(first: str, second: str) -> list[bool | None]:
    """Return whether the tones of two lines are opposite at the second, fourth and, in lines of seven, sixth place.

    Args:
        first: Five or seven Chinese characters.
        second: As many.

    Returns:
        For each of the places; None if one of the two tones is unknown or ambiguous.
    """
    marks = zip(prosody.tone_pattern(first)[1::2], prosody.tone_pattern(second)[1::2], strict=True)
    return [one != other if {one, other} <= {prosody.LEVEL, prosody.OBLIQUE} else None for one, other in marks]


class Parallelism:
    """How alike the characters of a couplet are, place by place, by vectors that are learned from training poems.

    Vectors: for each character of the training poems, how often each character stands right before it and right after
    it in a line, as positive pointwise mutual information (Church and Hanks, Word Association Norms, 1990), reduced by
    a truncated singular value decomposition (Levy, Goldberg and Dagan, Improving Distributional Similarity, 2015:
    singular values to the power of 0.5). Characters of the two lines of a couplet are never neighbours, so nothing
    about couplets is learned.

    Args:
        training: Poems that the vectors are learned from, none of them held out.
        held_out: Poems whose second lines are put in the place of a couplet's own.
        seed: Seed of the decomposition's start and of the choice of second lines.
    """

    def __init__(self, training: Iterable[str], held_out: Iterable[str], seed: int):
        self._vectors = _learned([line for poem in training for line in chinese.clauses(poem)], seed)
        pools = defaultdict(dict)
        for poem in held_out:
            for _, second in couplets(poem):
                pools[len(second)][second] = None
        random = np.random.default_rng(seed)
        self._lines = {
            length: [str(line) for line in random.permutation(list(pool))[:SECOND_LINES]]
            for length, pool in sorted(pools.items())
        }
        self._pools = {length: self._of_lines(lines) for length, lines in self._lines.items()}

    def likeness(self, first: str, second: str) -> float | None:
        """Return the mean cosine of the characters at the same place of two lines of equal length.

        A repeated character answers nothing: it counts as 0. A place where a character has no vector is left out.

        Returns:
            None if no place is left.
        """
        value = float(self._against(first, *self._of_lines([second]))[0])
        return None if np.isnan(value) else value

    def percentile(self, first: str, second: str) -> float | None:
        """Return the share of other second lines, in percent, that are less like the first one than its own is.

        Lines as like as its own count half. Lines put together at random come to 50 on average.

        Returns:
            None if the couplet's likeness is not known, or there is no other line of this length.
        """
        own = self.likeness(first, second)
        if own is None or len(first) not in self._pools:
            return None
        others = self._against(first, *self._pools[len(first)])
        others = others[[line != second for line in self._lines[len(first)]]]
        others = others[~np.isnan(others)]
        return 100 * float(np.mean((others < own) + 0.5 * (others == own))) if len(others) else None

    def _of_lines(self, lines: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors of the characters of lines of equal length, 0 if unknown, and their code points."""
        lines = [prosody.traditional(line) for line in lines]
        unknown = np.zeros(next(iter(self._vectors.values())).shape if self._vectors else 1)
        vectors = np.array([[self._vectors.get(character, unknown) for character in line] for line in lines])
        return vectors, np.array([[ord(character) for character in line] for line in lines])

    def _against(self, first: str, vectors: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return the likeness of a line with each of several; nan where none of the places is known."""
        own, own_codes = self._of_lines([first])
        cosines = np.where(codes == own_codes, 0.0, (vectors * own).sum(axis=-1))
        known = own.any(axis=-1) & vectors.any(axis=-1)
        counts = known.sum(axis=-1)
        return np.where(counts, (cosines * known).sum(axis=-1) / np.maximum(counts, 1), np.nan)


def _learned(lines: list[str], seed: int) -> dict[str, np.ndarray]:
    """Learn a vector of length 1 for each frequent character, see `Parallelism`."""
    counts = Counter("".join(lines))
    characters = sorted(character for character, count in counts.items() if count >= FEWEST)
    index = {character: place for place, character in enumerate(characters)}
    pairs = Counter(
        (index[one], index[other])
        for line in lines
        for one, other in itertools.pairwise(line)
        if one in index and other in index
    )
    if len(characters) < 3 or not pairs:
        return {}
    rows, columns = np.array(list(pairs)).T
    values = np.array(list(pairs.values()), float)
    size = len(characters)
    after = scipy.sparse.csr_array((values, (rows, columns)), shape=(size, size))
    neighbours = scipy.sparse.hstack([_ppmi(after), _ppmi(after.T.tocsr())]).tocsr()
    start = np.random.default_rng(seed).standard_normal(size)
    left, strengths, _ = linalg.svds(neighbours, k=min(DIMENSIONS, size - 1), v0=start, tol=TOLERANCE)
    vectors = left * np.sqrt(np.maximum(strengths, 0))
    lengths = np.linalg.norm(vectors, axis=1)
    return {character: vectors[place] / lengths[place] for character, place in index.items() if lengths[place] > 1e-9}


def _ppmi(counts):
    """Positive pointwise mutual information of a sparse matrix of counts, in nats."""
    total, found = counts.sum(), counts.tocoo()
    expected = counts.sum(axis=1)[found.row] * counts.sum(axis=0)[found.col] / total
    values = np.maximum(np.log(found.data / expected), 0)
    return scipy.sparse.csr_array((values, (found.row, found.col)), shape=counts.shape)


def counted(pairs: Iterable[tuple[str, str]], parallelism: Parallelism | None) -> dict[str, float]:
    """Count the parallelism of a poem's couplets.

    Args:
        pairs: The couplets.
        parallelism: What tells the likeness; None leaves it out.

    Returns:
        `tone_places` (places where both tones are known), `opposite` (those where they are opposite), `couplets` (those
        whose likeness is known), `likeness` (the sum of their percentiles, as fractions).
    """
    pairs = list(pairs)
    tones = [known for pair in pairs for known in opposite_tones(*pair) if known is not None]
    percentiles = [parallelism.percentile(*pair) for pair in pairs] if parallelism else []
    percentiles = [value / 100 for value in percentiles if value is not None]
    return {
        "tone_places": len(tones),
        "opposite": sum(tones),
        "couplets": len(percentiles),
        "likeness": sum(percentiles),
    }


def shares(counts: pd.DataFrame) -> dict[str, Estimate]:
    """Summarize results of `counted`, a row a poem: the two shares with bootstrap intervals over the poems."""
    opposite, places, likeness, judged = (
        counts[name].to_numpy(float) for name in ("opposite", "tone_places", "likeness", "couplets")
    )
    return {
        "parallel_tones": statistics.ratio(opposite, places),
        "parallel_words": statistics.ratio(likeness, judged),
    }


def summary(groups: list[list[tuple[str, str]]], parallelism: Parallelism) -> CoupletForm:
    """Summarize couplets that are grouped by poem.

    `parallel_tones`: percent of the places two, four and six at which the tones of the two lines are opposite, where
    both are known. `parallel_words`: the mean percentile of the likeness of the two lines. Both are resampled by poem.
    """
    rows = [counted(pairs, parallelism) for pairs in groups if pairs]
    counts = pd.DataFrame(rows, columns=list(counted([], None)))
    return CoupletForm(poems=len(rows), couplets=int(counts["couplets"].sum()), shares=shares(counts))


def regulated(poems: Iterable[str]) -> tuple[list[list[tuple[str, str]]], list[list[tuple[str, str]]]]:
    """Return the couplets of regulated verse, poem by poem: the second and third, and the first and fourth.

    Regulated verse is taken to be eight lines of equal length, five or seven characters each, whose even lines rhyme in
    the level tone. The middle couplets must be parallel, the outer ones need not be. The first
    `REGULATED` of such poems are taken.
    """
    middle, outer = [], []
    for poem in poems:
        found = couplets(poem)
        if len(chinese.clauses(poem)) == 8 and len(found) == 4 and len({len(first) for first, _ in found}) == 1:
            ends = [second[-1] for _, second in found]
            if all(prosody.LEVEL in prosody.tones(end) for end in ends):
                middle.append(found[1:3])
                outer.append([found[0], found[3]])
    return middle[:REGULATED], outer[:REGULATED]


def at_random(groups: list[list[tuple[str, str]]], seed: int) -> list[list[tuple[str, str]]]:
    """Put first lines together with second lines of other poems, of the same length, at random."""
    random = np.random.default_rng(seed)
    dealt = defaultdict(list)
    for number, pairs in enumerate(groups):
        for first, second in pairs:
            dealt[len(first)].append((number, second))
    mixed = []
    for number, pairs in enumerate(groups):
        row = []
        for first, _ in pairs:
            others = [second for whose, second in dealt[len(first)] if whose != number]
            if others:
                row.append((first, others[random.integers(len(others))]))
        mixed.append(row)
    return mixed
