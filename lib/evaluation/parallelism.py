"""Measure the parallelism (對仗) of couplets: opposite tones, and words of a kind at the same place.

In the middle couplets of regulated verse the two lines answer each other character by character: level stands against
oblique, and each word against one of its own class (Wang Li, 漢語詩律學, 1958). The first demand is looked up
(`prosody.opposite_tones`). For the second, no list of word classes is needed: characters of a class have the same
neighbours, so the vectors of their neighbours are alike (Harris, Distributional Structure, 1954; Turney and Pantel,
From Frequency to Meaning, 2010). Whether a couplet is parallel is told by how much more alike its lines are than if its
second line came from another poem by the same writer (`Parallelism.percentiles`). The writer must be the same: a model
that writes 不 and 無 over and over has lines that are all alike, whatever they stand beside.
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
TIE = 1e-9  # likenesses that differ by less are the same
TOLERANCE = 0.01  # of the decomposition, relative to a singular value
SECOND_LINES = 500  # the most lines that a couplet's second line is held against
REGULATED = 300  # the most poems of regulated verse that are judged
SHARES = ("parallel_tones", "parallel_words")  # percent, see `summary`


class Parallelism:
    """How alike the characters of a couplet are, place by place, by vectors that are learned from training poems.

    Vectors: for each character of the training poems, how often each character stands right before it and right after
    it in a line, as positive pointwise mutual information (Church and Hanks, Word Association Norms, 1990), reduced by
    a truncated singular value decomposition (Levy, Goldberg and Dagan, Improving Distributional Similarity, 2015:
    singular values to the power of 0.5). Characters of the two lines of a couplet are never neighbours, so nothing
    about couplets is learned.

    Args:
        training: Poems that the vectors are learned from, none of them held out.
        seed: Seed of the decomposition's start, and of the choice of second lines.
    """

    def __init__(self, training: Iterable[str], seed: int):
        self._vectors = _learned([line for poem in training for line in chinese.clauses(poem)], seed)
        self._seed = seed

    def likeness(self, first: str, second: str) -> float | None:
        """Return the mean cosine of the characters at the same place of two lines of equal length.

        A repeated character answers nothing: it counts as 0. A place where a character has no vector is left out.

        Returns:
            None if no place is left.
        """
        value = float(self._against(first, *self._of_lines([second]))[0])
        return None if np.isnan(value) else value

    def percentiles(self, groups: list[list[tuple[str, str]]]) -> list[list[float]]:
        """Return, for each couplet, the share of second lines of other poems that are less like its first line.

        The first couplet of a poem is held against the second lines of first couplets, the others against those of
        others, of the same length; at most `SECOND_LINES` of them, drawn at random. Lines as like as its own count
        half. So lines that are put together at random come to 50 percent on average, whoever wrote them; and so do
        couplets that all have the same first line, such as a prompt, which therefore cannot be judged.

        Args:
            groups: The couplets of each poem, all poems by the same writer.

        Returns:
            Percent, for each poem. A couplet whose likeness is not known, or that no other line can be held against, is
            left out.
        """
        pools = defaultdict(list)
        for number, pairs in enumerate(groups):
            for place, (_, second) in enumerate(pairs):
                pools[len(second), place > 0].append((number, second))
        random = np.random.default_rng(self._seed)
        drawn = {}
        for kind, pool in sorted(pools.items()):
            chosen = [pool[index] for index in random.permutation(len(pool))[:SECOND_LINES]]
            drawn[kind] = np.array([number for number, _ in chosen]), *self._of_lines([line for _, line in chosen])
        return [
            [
                value
                for place, (first, second) in enumerate(pairs)
                if (value := self._percentile(first, second, number, *drawn[len(first), place > 0])) is not None
            ]
            for number, pairs in enumerate(groups)
        ]

    def _percentile(self, first: str, second: str, number: int, numbers, vectors, codes) -> float | None:
        own = self.likeness(first, second)
        others = self._against(first, vectors, codes)[numbers != number]
        others = others[~np.isnan(others)]
        if own is None or not len(others):
            return None
        return 100 * float(np.mean((others < own - TIE) + 0.5 * (np.abs(others - own) <= TIE)))

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


def counted(groups: list[list[tuple[str, str]]], parallelism: Parallelism | None) -> list[dict[str, float]]:
    """Count the parallelism of poems by the same writer.

    Args:
        groups: The couplets of each poem.
        parallelism: What tells the likeness; None leaves it out.

    Returns:
        For each poem `tone_places` (places where both tones are known), `opposite` (those where they are opposite),
        `couplets` (those whose likeness can be judged), `likeness` (the sum of their percentiles, as fractions).
    """
    percentiles = parallelism.percentiles(groups) if parallelism else [[]] * len(groups)
    rows = []
    for pairs, likeness in zip(groups, percentiles, strict=True):
        tones = prosody.opposites(pairs)
        rows.append(
            {
                "tone_places": len(tones),
                "opposite": sum(tones),
                "couplets": len(likeness),
                "likeness": sum(likeness) / 100,
            }
        )
    return rows


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
    """Summarize couplets that are grouped by poem, all by the same writer.

    `parallel_tones`: percent of the places two, four and six at which the tones of the two lines are opposite, where
    both are known. `parallel_words`: the mean percentile of the likeness of the two lines. Both are resampled by poem.
    """
    groups = [pairs for pairs in groups if pairs]
    counts = pd.DataFrame(counted(groups, parallelism), columns=list(counted([[]], None)[0]))
    return CoupletForm(poems=len(groups), couplets=int(counts["couplets"].sum()), shares=shares(counts))


def regulated(poems: Iterable[str]) -> tuple[list[list[tuple[str, str]]], list[list[tuple[str, str]]]]:
    """Return the couplets of regulated verse, poem by poem: the second and third, and the first and fourth.

    Regulated verse is taken to be eight lines of equal length, five or seven characters each, whose even lines rhyme in
    the level tone. The middle couplets must be parallel, the outer ones need not be. The first
    `REGULATED` of such poems are taken.
    """
    middle, outer = [], []
    for poem in poems:
        found = prosody.couplets(poem)
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
