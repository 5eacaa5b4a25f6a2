import pytest

from lib import metrics


@pytest.mark.parametrize(
    ("tokens", "n", "expected"),
    [
        ("a b c d e", 4, 0),
        ("a b a b a b", 2, 60),  # 5 bigrams, 2 distinct
        ("a a a a", 1, 75),
        ("a b", 4, 0),  # too short for any
    ],
)
def test_rep_n(tokens, n, expected):
    assert metrics.rep_n(tokens.split(), n) == pytest.approx(expected)


def test_words_keep_contractions_together_and_cut_chinese_into_characters():
    text = "I don't know, 春眠"
    assert [text[start:end] for start, end in metrics.words(text)] == ["I", "don't", "know", ",", "春", "眠"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x y a b a b a b", (2, 2, 3)),
        ("x a b c a b c a b c a", (1, 3, 10 / 3)),  # the last round is cut off
        ("x a b a b", None),  # twice is not a loop
        ("a b a b a b x", None),  # not at the end
        ("a a a a a a", None),  # one token is not a phrase
        ("", None),
    ],
)
def test_find_loop(text, expected):
    loop = metrics.find_loop(text.split())
    assert (loop and (loop.start, loop.period, pytest.approx(loop.times))) == expected


def test_the_post_s_greedy_text_is_a_loop_and_its_place_is_told():
    phrase = " i was in the process of getting my license, and"
    text = "My trip was to a local college" + phrase * 5
    judged = metrics.repetition(text)
    assert judged["loop_times"] >= 4
    assert judged["rep_4"] > 60
    first_round = text[judged["loop_start"] : judged["loop_end"]]
    assert "process of getting my license" in first_round
    assert 60 < judged["looped"] < 90


def test_an_ordinary_text_has_no_loop():
    judged = metrics.repetition("The lake was cold, so we sat by the water and ate ice cream.")
    assert judged == {"rep_4": 0, "looped": 0, "loop_times": 0, "loop_start": None, "loop_end": None}
