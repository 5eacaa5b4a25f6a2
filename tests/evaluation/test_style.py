import made_records
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from lib.core.errors import UserError
from lib.core.records import Style
from lib.evaluation import style

ONCE = np.ones((1, 2))


def rows(texts):
    return pd.DataFrame({"continuation": texts})


# Lengths.


def test_the_texts_of_an_opening_are_cut_to_as_many_words():
    assert style.cut_alike(["One, two three four.", "five six, seven"]) == ["One, two three", "five six, seven"]
    assert style.cut_alike(["One", "", "two"]) == ["", "", ""]


# The classifier.


def test_the_area_is_the_share_of_pairs_in_which_people_s_text_scores_higher():
    scores, people = np.array([0.0, 2.0]), np.array([1.0, 2.0])
    (area,) = style.auc(scores, people, ONCE)
    assert area == (1 + 1 + 0 + 0.5) / 4  # 1 > 0, 2 > 0, 1 < 2, 2 = 2
    assert style.auc(scores, people, np.array([[2.0, 0.0], [0.0, 2.0]])).tolist() == [1.0, 0.5]


def test_the_area_is_that_of_scikit_learn():
    random = np.random.default_rng(1)
    scores, people = random.normal(size=30).round(1), random.normal(0.5, 1, size=30).round(1)
    expected = roc_auc_score(np.repeat([0, 1], 30), np.concatenate([scores, people]))
    assert style.auc(scores, people, np.ones((1, 30)))[0] == pytest.approx(expected)


def made_up(letters, count=24, seed=0):
    random = np.random.default_rng(seed)
    return ["".join(random.choice(list(letters), 60)) for _ in range(count)]


def test_texts_of_another_style_can_be_told_and_those_of_the_same_cannot():
    people = made_up("abc def", seed=1)
    for letters, low, high in (("uvw xyz", 0.99, 1.0), ("abc def", 0.25, 0.75)):
        scores = style.out_of_fold_scores(made_up(letters, seed=2), people)
        assert low <= style.auc(*scores, np.ones((1, 24)))[0] <= high


def test_no_text_is_scored_by_a_classifier_that_saw_it_or_the_other_text_of_its_opening(monkeypatch):
    seen = []

    class Watched(style.LogisticRegression):
        def fit(self, features, labels):
            seen.append(("fit", features.shape[0], labels.tolist()))
            return super().fit(features, labels)

    monkeypatch.setattr(style, "LogisticRegression", Watched)
    style.out_of_fold_scores(made_up("ab ", 4), made_up("cd ", 4))
    assert len(seen) == 4 * style.SHUFFLES
    assert all(labels.count(0) == labels.count(1) == 3 and count == 6 for _, count, labels in seen)
    # Texts that were learned by heart would be told apart. With random labels of the same texts nothing can be.
    texts = made_up("abcdefgh ", 20)
    scores = style.out_of_fold_scores(texts, texts)
    assert style.auc(*scores, np.ones((1, 20)))[0] == 0.5


def test_of_one_opening_nothing_can_be_learned():
    with pytest.raises(UserError, match="style_openings is 1; a classifier learns"):
        style.out_of_fold_scores(["a"], ["b"])


# Word frequencies.


def test_the_divergence_is_computed_from_the_frequencies():
    first, second = np.array([[2, 0, 0], [0, 2, 0]]), np.array([[2, 0, 0], [0, 0, 2]])
    # 1/2, 1/2, 0 and 1/2, 0, 1/2; their mean is 1/2, 1/4, 1/4. Each is 1/2 log2(1) + 1/2 log2(2) = 1/2 bit from it.
    assert style.js_divergences(first, second, ONCE).tolist() == pytest.approx([0.5])
    only_first, only_second = np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]])
    assert style.js_divergences(first, second, only_first).tolist() == pytest.approx([0.0])
    assert style.js_divergences(first, second, only_second).tolist() == pytest.approx([1.0])
    assert np.isnan(style.js_divergences(0 * first, second, ONCE)).all()


def test_words_are_counted_in_lower_case_with_punctuation():
    first, second = style.word_counts(["The lake. the"], ["A lake"])
    assert sorted(zip(first[0].tolist(), second[0].tolist(), strict=True)) == [(0, 1), (1, 0), (1, 1), (2, 0)]


# All together.


def test_a_group_that_writes_like_people_is_nearer_than_one_that_does_not():
    openings = 24
    like, unlike = made_up("abc def", openings, 3), made_up("uvw xyz", openings, 4)
    people, others = made_up("abc def", openings, 1), made_up("abc def", openings, 2)
    told = style.measure(rows(unlike), rows(like), rows(people), rows(others))
    assert told.texts == openings and told.words > openings
    assert told.auc.before.value > 0.99 and told.auc.after.value < 0.8
    assert told.jsd.before.value == pytest.approx(1.0) and told.jsd.after.value < 1
    for measure in ("auc", "jsd"):
        groups = getattr(told, measure)
        assert told.after_minus_before[measure].value == pytest.approx(groups.after.value - groups.before.value)
        assert told.after_minus_floor[measure].value == pytest.approx(groups.after.value - groups.people.value)
        assert told.after_minus_before[measure].high < 0
        for one in (groups.after, groups.people):
            assert one.low <= one.value <= one.high
    assert set(told.scores) == {"before", "after", "people"}
    assert all(len(one.texts) == len(one.people) == openings for one in told.scores.values())
    assert Style.model_validate(told.model_dump()) == told
    assert set(made_records.style().model_dump()) == set(told.model_dump())


def test_the_intervals_are_the_same_in_every_run():
    people, others = made_up("abc def", 6, 1), made_up("abc def", 6, 2)
    groups = [rows(texts) for texts in (others, people[::-1], people, others)]
    assert style.measure(*groups) == style.measure(*groups)
