"""What the page of 01 says, with results on either side of each rule."""

import re

import made_records
import pytest
from made_records import estimate, text_quality

from lib.core.records import AnswerLanguage
from lib.report import phrases, wording

ENGLISH, CHINESE, NEITHER = AnswerLanguage.ENGLISH, AnswerLanguage.CHINESE, AnswerLanguage.NEITHER


def results(**changes):
    return made_records.results("01_baseline", made_records.baseline(**changes))


def of(words, looped=None, broken=None, answers=None):
    """Results whose texts after the Chinese prompt have these shares."""
    looped, broken = looped or (0.0,) * len(words), broken or (0.0,) * len(words)
    people = text_quality("people", (80.0, 76.0, 78.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.2))
    chinese = text_quality("the model", words, looped, broken, answers)
    return results(quality=made_records.quality(chinese, people))


def numbers(text):
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text.replace("UTF-8", "")))


# The calls.


def test_the_answer_begins_with_our_own_first_call_and_says_nothing_of_the_post_s():
    told = phrases.answer(results())
    assert told.startswith(
        "The first call here took 20.0 s, and later calls took 5.0 s (median of 3, 30 new tokens/s)."
    )
    assert "post" not in told and "JAX" not in told  # what compiling takes is not known
    assert "With this project's own decoding step a later call takes 3.0 s (50 new tokens/s)." in told
    assert phrases.answer(results(), "zh").startswith("在这里，首次调用用了 20.0 秒，后续调用用了 5.0 秒（3 次的中位数")


def test_the_answer_says_how_long_jax_compiled_where_jax_said_so():
    timed = made_records.timing(first_call_compiling_seconds=13.25)
    told = phrases.answer(results(as_in_post=timed, own_step=None))
    assert told.startswith(
        "The first call here took 20.0 s, of which JAX spent 13.2 s on tracing and compiling, and later calls"
    )
    assert "own decoding step" not in told
    assert "（其中 JAX 追踪和编译占 13.2 秒）" in phrases.answer(results(as_in_post=timed), "zh")


@pytest.mark.parametrize(
    ("first", "compiling", "says", "never"),
    [
        (20.0, 13.25, "In it JAX traced, lowered and compiled for 13.2 s, as JAX reports it", "on this backend"),
        (20.0, None, "how much of the difference that takes is not measured on this backend", "JAX"),
        (4.5, 0.5, "took no longer than the median of 3 later calls (-0.5 s)", "compiled for"),
    ],
)
def test_what_a_first_call_took_longer_is_put_down_to_compiling_only_where_that_is_measured(
    first, compiling, says, never
):
    timed = made_records.timing(first=first, first_call_compiling_seconds=compiling)
    told = phrases.first_call(timed)
    assert told.startswith("as in the post: ") and says in told
    assert never not in told
    assert numbers(told) == numbers(phrases.first_call(timed, "zh"))


# The Chinese prompt.


def test_it_is_said_how_often_the_model_answers_in_english():
    told = phrases.gibberish_finding(of((90.0, 90.0, 30.0, 10.0), answers=[ENGLISH, ENGLISH, CHINESE, NEITHER]))
    assert told.startswith(
        "Of the 4 texts after 我爱中国!, 1 are mostly Chinese characters, 2 are English and 1 are neither."
    )
    told = phrases.gibberish_finding(of((30.0, 10.0)))
    assert told.startswith(
        "Of the 2 texts after 我爱中国!, 2 are mostly Chinese characters, 0 are English and 0 are neither."
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((30.0, 20.0, 25.0), "points below people's (95 % interval)."),
        ((99.0, 98.0, 97.0), "points above people's (95 % interval)."),
        ((95.0, 60.0, 80.0), "so it can be none."),
        ((30.0,), "The texts are too few to tell it from people's."),
    ],
)
def test_words_are_fewer_than_people_s_only_if_the_interval_of_the_difference_says_so(words, says):
    told = phrases.gibberish_finding(of(words))
    sentence = told[told.index("letters form words") : told.index("only repeat in loops")]
    assert says in sentence
    others = {
        "points below people's (95 % interval).",
        "points above people's (95 % interval).",
        "so it can be none.",
    } - {says}
    assert not any(other in sentence for other in others)
    assert "in people's Chinese it is 78 % (76–80), in people's characters shuffled 9 % (8–10)" in sentence


def test_texts_without_letters_are_told():
    told = phrases.gibberish_finding(of((30.0, None, None), answers=[CHINESE, NEITHER, NEITHER]))
    assert (
        "Without any letters, and so left out of the shares of letters, are 2 of them. On average, 30 % of a text's"
        in told
    )
    assert "without any letters" not in phrases.gibberish_finding(of((30.0, 20.0)))


def test_a_difference_tells_both_ends_of_its_interval():
    assert (
        phrases.side(estimate(-50.0, -61.2, -38.4))
        == "The model's share is 38 to 61 points below people's (95 % interval). "
    )
    assert (
        phrases.side(estimate(50.0, 0.4, 61.2))
        == "The model's share is 0.4 to 61 points above people's (95 % interval). "
    )
    assert "between 3 points less and 7 more than people's" in phrases.side(estimate(2.0, -3.0, 7.0))
    assert phrases.side(estimate(0.0, 0.0, 0.0)) == "That is the same in all texts, people's too. "
    assert phrases.side(estimate(2.0)) == "The texts are too few to tell it from people's. "
    assert phrases.side(estimate(0.0, 0.0, 5.0)) == (
        "The difference lies between 0 points less and 5 more than people's, so it can be none. "
    )


def test_the_answers_in_chinese_are_told_apart_where_there_are_others():
    mixed = phrases.gibberish_finding(of((90.0, 95.0, 30.0, 20.0), answers=[ENGLISH, ENGLISH, CHINESE, CHINESE]))
    assert "In the answers in Chinese alone it is 25 % (20–30), in their own characters shuffled 9 %." in mixed
    sentence = mixed[mixed.index("In the answers in Chinese") : mixed.index("only repeat in loops")]
    assert "points below people's (95 % interval)." in sentence
    for answers in ([CHINESE, CHINESE], [ENGLISH, ENGLISH]):
        assert "in Chinese alone" not in phrases.gibberish_finding(of((30.0, 20.0), answers=answers))


@pytest.mark.parametrize(
    ("looped", "says"),
    [
        ((60.0, 40.0, 50.0), "points above people's (95 % interval)."),
        ((0.0, 0.0, 1.0), "so it can be none."),
        ((0.0, 0.0, 90.0), "so it can be none."),
    ],
)
def test_loops_are_more_than_people_s_only_if_the_interval_of_the_difference_says_so(looped, says):
    told = phrases.gibberish_finding(of((30.0, 20.0, 25.0), looped))
    assert says in told[told.index("only repeat in loops") :]


def test_a_share_is_none_or_all_only_if_it_is():
    assert phrases.share_with_interval(estimate(0.0, 0.0, 0.0)) == "0 %"
    assert phrases.share_with_interval(estimate(0.04, 0.0, 0.13)) == "0.04 % (0–0.1)"
    assert phrases.share_with_interval(estimate(99.7, 99.2, 100.0)) == "99.7 % (99.2–100)"
    assert phrases.share_with_interval(estimate(40.6, 29.4, 54.0)) == "41 % (29–54)"
    assert phrases.share_with_interval(estimate(40.6)) == "41 %"
    assert phrases.share_with_interval(estimate(None)) == "(nothing to judge)"


def test_the_answer_tells_the_chinese_prompt_in_short():
    told = phrases.answer(of((90.0, 30.0, 21.0), (60.0, 40.0, 0.5), answers=[ENGLISH, CHINESE, NEITHER]))
    assert told.endswith(
        "Of the 3 texts after 我爱中国!, 1 are mostly Chinese characters and 1 are English. On average, 47 % of a "
        "text's letters form words that people use (people's Chinese: 78 %, its characters shuffled: 9 %), and 34 % of "
        "its characters only repeat in loops (people: 0.3 %)."
    )
    assert "UTF-8" not in told  # that a text holds no broken bytes says nothing of gibberish


def test_broken_bytes_are_told_as_a_share_beside_people_s():
    told = phrases.gibberish_finding(of((30.0, 20.0), broken=(1.0, 2.0)))
    assert told.endswith(
        "On average, 2 % (1–2) of a text's bytes are not part of valid UTF-8 (people: 0.07 % (0–0.2))."
    )


def test_that_no_byte_is_broken_is_offered_as_evidence_of_nothing():
    assert "UTF-8" not in phrases.gibberish_finding(of((30.0, 20.0))) + phrases.gibberish_finding(
        of((30.0, 20.0)), "zh"
    )


@pytest.mark.parametrize(
    "found",
    [
        results(),
        of((30.0,), (50.0,)),
        of((None, None)),
        of((95.0, 60.0, 80.0), answers=[ENGLISH, CHINESE, NEITHER]),
        of((99.0, 98.0, 97.0), (60.0, 40.0, 50.0), (1.0, 2.0, 0.5)),
        of((90.0, 95.0), answers=[ENGLISH, ENGLISH]),
    ],
)
def test_the_chinese_says_the_same(found):
    for tell in (phrases.gibberish_finding, phrases.answer):
        english, chinese = (tell(found, language) for language in wording.LANGUAGES)
        assert numbers(english) == numbers(chinese)
        assert not re.search(r"None|nan|\{|  |\.\.", english + chinese)
