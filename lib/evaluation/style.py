"""Measure how well texts can be told from what people wrote, and how much their word frequencies differ.

Each group holds a text for every opening: what people wrote after it, what the model wrote before and after
fine-tuning, and what other people wrote after another opening, which is the floor. The texts of an opening are cut to
the same number of words, so all groups have as many words, text by text.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from lib.core import progress
from lib.core.errors import UserError
from lib.core.records import Estimate, Style, StyleGroups, StyleScores
from lib.evaluation import metrics
from lib.evaluation.statistics import RESAMPLES

BEFORE, AFTER, FLOOR = "before", "after", "people"  # the groups that are compared with people's texts
FOLDS = 10
SHUFFLES = 5  # cross-validations, each with other folds, whose scores are averaged


def measure(before: pd.DataFrame, after: pd.DataFrame, people: pd.DataFrame, others: pd.DataFrame) -> Style:
    """Compare a model's texts before and after fine-tuning with what people wrote.

    Args:
        before: The texts before fine-tuning: rows with `continuation`, one for each row of `people`.
        after: The same after fine-tuning.
        people: What people wrote after the same openings.
        others: As many texts that people wrote after other openings.

    Returns:
        Area under the ROC curve and Jensen-Shannon divergence of each group against `people`, with bootstrap intervals
        over the openings, and the differences of the groups on the same openings.
    """
    progress.note(f"style of {len(people)} texts a group")
    rows = zip(*(group["continuation"] for group in (people, before, after, others)), strict=True)
    own, *groups = (list(column) for column in zip(*map(cut_alike, rows), strict=True))
    groups = dict(zip((BEFORE, AFTER, FLOOR), groups, strict=True))
    drawn = resamples(len(own))
    scores = {name: out_of_fold_scores(group, own) for name, group in groups.items()}
    figures = {
        "auc": {name: auc(*told, drawn) for name, told in scores.items()},
        "jsd": {name: js_divergences(*word_counts(group, own), drawn) for name, group in groups.items()},
    }

    def minus(first: str, second: str) -> dict[str, Estimate]:
        return {measure: _estimate(of[first] - of[second]) for measure, of in figures.items()}

    found = {
        measure: StyleGroups(**{name: _estimate(values) for name, values in of.items()})
        for measure, of in figures.items()
    }
    return Style(
        texts=len(own),
        words=sum(len(metrics.words(text)) for text in own),
        **found,
        after_minus_before=minus(AFTER, BEFORE),
        after_minus_floor=minus(AFTER, FLOOR),
        scores={name: StyleScores(texts=told[0].tolist(), people=told[1].tolist()) for name, told in scores.items()},
    )


def cut_alike(texts: Sequence[str]) -> list[str]:
    """Cut texts to as many words as the shortest of them has."""
    spans = [metrics.words(text) for text in texts]
    fewest = min(map(len, spans))
    return [text[: own[fewest - 1][1]] if fewest else "" for text, own in zip(texts, spans, strict=True)]


def out_of_fold_scores(texts: Sequence[str], people: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Score texts by a classifier that did not see them: the higher, the more like people's.

    This is the classifier two-sample test of Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, 2017, with a
    logistic regression on TF-IDF weights of character 1- to 3-grams. The two texts of an opening are in the same fold.

    Args:
        texts: A text for each opening.
        people: What people wrote after each.

    Returns:
        The scores (log odds, the mean of `SHUFFLES` cross-validations) of both, each `(openings,)`.

    Raises:
        UserError: If there are fewer than two openings.
    """
    openings = len(people)
    if openings < 2:
        raise UserError(
            f"style_openings is {openings}; a classifier learns from some texts to tell others. Set it to 2 or more."
        )
    both = np.array([*texts, *people], dtype=object)
    labels = np.repeat([0, 1], openings)
    scores = np.zeros(2 * openings)
    for seed in range(SHUFFLES):
        folds = KFold(min(FOLDS, openings), shuffle=True, random_state=seed)
        for train, test in folds.split(np.arange(openings)):
            train, test = (np.concatenate([part, part + openings]) for part in (train, test))
            classifier = make_pipeline(
                TfidfVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False, sublinear_tf=True),
                LogisticRegression(C=10.0, max_iter=1000),
            )
            scores[test] += classifier.fit(both[train], labels[train]).decision_function(both[test]) / SHUFFLES
    return scores[:openings], scores[openings:]


def resamples(openings: int, seed: int = 0) -> np.ndarray:
    """Draw bootstrap samples of the openings.

    Args:
        openings: Their number.
        seed: Seed of the draw.

    Returns:
        How often each opening counts, `(1 + RESAMPLES, openings)`. In the first row each counts once.
    """
    random = np.random.default_rng(seed)
    drawn = random.multinomial(openings, np.full(openings, 1 / openings), size=RESAMPLES)
    return np.concatenate([np.ones((1, openings)), drawn])


def auc(scores: np.ndarray, people: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Compute the area under the ROC curve: how often a text of people scores higher than another, ties as a half.

    Args:
        scores: The scores of the texts, `(openings,)`.
        people: The scores of people's.
        drawn: The samples, see `resamples`.

    Returns:
        A fraction for each sample: 0.5 if the texts cannot be told apart, 1 if they always can.
    """
    higher = (people > scores[:, None]) + 0.5 * (people == scores[:, None])
    return ((drawn @ higher) * drawn).sum(axis=1) / drawn.sum(axis=1) ** 2


def js_divergences(first: np.ndarray, second: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Compute the Jensen-Shannon divergence of the word frequencies of two groups of texts.

    It is the mean of the Kullback-Leibler divergences of both from their mean (Lin, Divergence Measures Based on the
    Shannon Entropy, 1991). From samples it comes out too high, the more so the fewer words there are. So compare groups
    of as many words.

    Args:
        first: The counts of each word in each text of one group, `(openings, words)`.
        second: The counts of the same words in the other group.
        drawn: The samples, see `resamples`.

    Returns:
        Bits for each sample: 0 for the same frequencies, 1 for no word in common; nan if a group has no words.
    """
    told = []
    for weights in np.array_split(drawn, -(-len(drawn) // 100)):  # a part of the samples at a time, for the memory
        shares = [weights @ counts for counts in (first, second)]
        with np.errstate(invalid="ignore"):
            shares = [counts / counts.sum(axis=1, keepdims=True) for counts in shares]
        middle = sum(shares) / 2
        told.append(sum(special.rel_entr(one, middle).sum(axis=1) for one in shares) / (2 * math.log(2)))
    return np.concatenate(told)


def word_counts(first: Sequence[str], second: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Count each word, in lower case, in each text of two groups. Punctuation marks count as words.

    Returns:
        `(texts, words)` for each group, with the same words.
    """
    counter = CountVectorizer(analyzer=metrics.word_tokens)
    counts = counter.fit_transform([*first, *second]).toarray().astype(float)
    return counts[: len(first)], counts[len(first) :]


def _estimate(drawn: np.ndarray) -> Estimate:
    """Return the first value, with a 95 % interval from the others.

    A resample holds some texts twice and so fewer different words, which by itself raises a divergence. So the
    resamples are shifted by the difference of their mean from the value. The classifiers are not trained anew, so the
    interval lacks their own variation.
    """
    value, others = float(drawn[0]), drawn[1:]
    others = others[np.isfinite(others)]
    if not math.isfinite(value) or not len(others):
        return Estimate(value=value)
    low, high = np.percentile(others, [2.5, 97.5]) - others.mean() + value
    return Estimate(value=value, low=float(low), high=float(high))
