import made_records
import pytest

from lib.core import chinese
from lib.evaluation import poem_form
from lib.report import poem_cards

POEM = made_records.POEM


def shown(poem, what, given=0):
    return ["".join(one[what] for one in line) for line in poem_cards.marked(poem, given)]


def compared(poem, given=0):
    """The characters whose tones are compared, by line, counted from 1."""
    return [[place for place, one in enumerate(line, 1) if one["compared"]] for line in poem_cards.marked(poem, given)]


def sample(text, number):
    return made_records.sample("from scratch", POEM[:5], text, number=number)


def test_a_poem_earns_a_point_for_each_demand_and_shares_of_two():
    regular, half, irregular = poem_cards.counts(
        [POEM, "春眠不覺曉，處處聞啼聲。夜來風雨聲，花落知多少。", "春眠不覺，處處聞啼鳥。"]
    )
    assert regular["points"] == poem_cards.MOST_POINTS == 3
    assert half["rhymes"] == 0 and half["points"] == 2
    assert irregular["points"] == 0 and irregular["lines"] == ["春眠不覺", "處處聞啼鳥"]


@pytest.mark.parametrize("given", [0, 5])
@pytest.mark.parametrize(
    "poem", [POEM, "春眠不覺曉，何何何何何。", "春眠；；， x\n處處，聞。", "春眠不覺曉還，啼。啼，啼。", ""]
)
def test_the_counts_are_those_of_the_form_of_poems(poem, given):
    (counted,), judged = poem_cards.counts([poem], given), poem_form.judge([poem], given=given).iloc[0]
    for name in ("well_formed", "rhyme_pairs", "rhymes", "tone_places", "opposite"):
        assert counted[name] == judged[name], name


def test_what_the_prompt_gives_earns_nothing():
    (whole,), (own,) = poem_cards.counts([POEM]), poem_cards.counts([POEM], given=5)
    assert (whole["tone_places"], own["tone_places"]) == (3, 2)


def test_the_best_the_median_and_the_worst_are_ranked_by_points_and_of_equals_the_first_is_the_better():
    texts = ["，", "，處處聞啼聲。夜來風雨聲，花落知多少。", POEM[5:], "，何。", POEM[5:]]
    found = poem_cards.ranked([sample(text, number) for number, text in enumerate(texts, 1)])
    assert [(place, one.number) for place, one, _ in found] == [("best", 3), ("median", 2), ("worst", 4)]
    assert [counted["points"] for *_, counted in found] == [3, 2, 0]


@pytest.mark.parametrize(("count", "places"), [(1, ["best"]), (2, ["best", "worst"]), (3, ["best", "median", "worst"])])
def test_few_poems_have_fewer_places(count, places):
    assert [place for place, *_ in poem_cards.ranked([sample("，", number) for number in range(count)])] == places


def test_every_character_has_its_tone_and_rhymes_have_a_letter():
    assert shown(POEM, "text") == chinese.lines(POEM)
    assert shown(POEM, "tone")[0] == "○○◐●●"
    assert shown(POEM, "rhyme") == ["", "a", "", "a"]
    assert "".join(shown("a，床b", "tone")) == "○"


def test_the_tones_that_are_compared_are_those_that_count():
    assert compared(POEM) == [[2], [2], [2, 4], [2, 4]]
    assert compared(POEM, given=5) == [[], [], [2, 4], [2, 4]]
    assert compared("春眠不覺曉，處處聞啼。") == [[], []]


def test_lines_that_have_no_word_are_shown_and_do_not_count():
    odd = "；\n 春眠不覺曉，\n\n處處聞啼鳥。夜來風雨聲，花落知多少"
    assert "".join(shown(odd, "text")) == "；\n 春眠不覺曉，\n\n處處聞啼鳥。夜來風雨聲，花落知多少".replace("\n", "")
    assert [letter for letter in shown(odd, "rhyme") if letter] == ["a", "a"]
    assert next(places for places in compared(odd) if places) == [3]  # after a blank


def test_words_that_rhyme_have_the_same_letter_and_a_repeated_one_does_not_rhyme():
    assert poem_cards.rhyme_letters(list("鳥聲少")) == ["a", "b", "a"]
    assert poem_cards.rhyme_letters(list("鳥鳥")) == ["a", "b"]
    assert poem_cards.rhyme_letters(["x", "鳥"]) == ["", "a"]
    assert poem_cards.rhyme_letters([]) == []


def test_the_poem_beside_the_model_s_is_the_one_that_the_prompt_is_taken_from():
    assert poem_cards.SPRING_DAWN.startswith("春眠不覺曉")
