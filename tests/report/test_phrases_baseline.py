"""What the page of 01 says, with results on either side of each rule."""

import re

import made_records
import pytest
from made_records import estimate, text_quality

from lib.core.records import AnswerLanguage
from lib.report import answers, baseline_words, timing_words, wording, words

ENGLISH, CHINESE, NEITHER = AnswerLanguage.ENGLISH, AnswerLanguage.CHINESE, AnswerLanguage.NEITHER


def results(**changes):
    return made_records.results("01_baseline", made_records.baseline(**changes))


def of(words, looped=None, broken=None, answers=None):
    """Results whose texts after the Chinese prompt have these shares."""
    looped, broken = looped or (0.0,) * len(words), broken or (0.0,) * len(words)
    people = text_quality("people", (80.0, 76.0, 78.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.2))
    chinese = text_quality("the model", words, looped, broken, answers)
    return results(quality=made_records.quality(chinese, people))


def finding(found, language="en"):
    """All paragraphs on the Chinese prompt as one text."""
    return " ".join(baseline_words.gibberish_finding(found, language))


def numbers(text):
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text.replace("UTF-8", "")))


# The calls.


def test_the_answer_ends_with_our_own_calls_and_says_nothing_of_the_post_s():
    told = answers.answer(results())
    assert told.endswith("The first call took 20.0 s, and later calls took 5.0 s each.")
    assert "post" not in told and "compiling" not in told  # what compiling takes is not known
    assert answers.answer(results(), "zh").endswith("首次调用用了 20.0 秒，后续调用每次 5.0 秒。")


def test_the_answer_says_how_long_compiling_took_where_that_is_known():
    timed = made_records.timing(first_call_compiling_seconds=13.25)
    told = answers.answer(results(as_in_post=timed, own_step=None))
    assert "The first call took 20.0 s, 13.2 s of which went into compiling, and later calls" in told
    assert "（其中编译占 13.2 秒）" in answers.answer(results(as_in_post=timed), "zh")


def test_the_answer_is_three_sentences():
    assert len(words.SENTENCE_END.split(answers.answer(results()))) == 3


@pytest.mark.parametrize(
    ("first", "compiling", "says", "never"),
    [
        (20.0, 13.25, "JAX reports that it spent 13.2 s of the first call on tracing and compiling", "not measured"),
        (20.0, None, "How much of that is compiling is not measured on this backend", "JAX"),
        (4.5, 0.5, "the first call took no longer than a later call (-0.5 s)", "compiling"),
    ],
)
def test_what_a_first_call_took_longer_is_put_down_to_compiling_only_where_that_is_measured(
    first, compiling, says, never
):
    timed = made_records.timing(first=first, first_call_compiling_seconds=compiling)
    told = timing_words.first_call(timed)
    assert told.startswith("With KerasHub's decoding step, ") and says in told
    assert never not in told
    assert numbers(told) == numbers(timing_words.first_call(timed, "zh"))


# The Chinese prompt.


def test_it_is_said_how_often_the_model_answers_in_english():
    told = finding(of((90.0, 90.0, 30.0, 10.0), answers=[ENGLISH, ENGLISH, CHINESE, NEITHER]))
    assert told.startswith(
        "Of the 4 texts after “我爱中国!”, the model wrote 1 in Chinese, 2 in English and 1 in neither language."
    )
    told = finding(of((30.0, 10.0)))
    assert told.startswith(
        "Of the 2 texts after “我爱中国!”, the model wrote 2 in Chinese, 0 in English and 0 in neither language."
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((30.0, 20.0, 25.0), "points below people's (95 % interval)."),
        ((99.0, 98.0, 97.0), "points above people's (95 % interval)."),
        ((95.0, 60.0, 80.0), "so there may be no difference."),
        ((30.0,), "There are too few texts to compare the model with people."),
    ],
)
def test_words_are_fewer_than_people_s_only_if_the_interval_of_the_difference_says_so(words, says):
    told = finding(of(words))
    sentence = told[told.index("letters form common words") : told.index("are repeats in a loop")]
    assert says in sentence
    others = {
        "points below people's (95 % interval).",
        "points above people's (95 % interval).",
        "so there may be no difference.",
    } - {says}
    assert not any(other in sentence for other in others)
    assert (
        "In people's Chinese the share is 78 % (76–80), and in the same characters shuffled it is 9 % (8–10)"
        in sentence
    )


def test_texts_without_letters_are_told():
    told = finding(of((30.0, None, None), answers=[CHINESE, NEITHER, NEITHER]))
    assert "Texts without any letters (2) are left out of the shares of letters. On average, 30 % of a text's" in told
    assert "without any letters" not in finding(of((30.0, 20.0)))


def test_a_difference_tells_both_ends_of_its_interval():
    assert (
        words.side(estimate(-50.0, -61.2, -38.4))
        == "The model's share is 38 to 61 percentage points below people's (95 % interval). "
    )
    assert (
        words.side(estimate(50.0, 0.4, 61.2))
        == "The model's share is 0.4 to 61 percentage points above people's (95 % interval). "
    )
    assert "between 3 percentage points below and 7 above people's" in words.side(estimate(2.0, -3.0, 7.0))
    assert words.side(estimate(0.0, 0.0, 0.0)) == "That is the same in all texts, people's too. "
    assert words.side(estimate(2.0)) == "There are too few texts to compare the model with people. "
    assert words.side(estimate(0.0, 0.0, 5.0)) == (
        "The model's share lies between 0 percentage points below and 5 above people's (95 % interval), so there may "
        "be no difference. "
    )


def test_the_answers_in_chinese_are_told_apart_where_there_are_others():
    mixed = finding(of((90.0, 95.0, 30.0, 20.0), answers=[ENGLISH, ENGLISH, CHINESE, CHINESE]))
    assert (
        "In the texts in Chinese alone the share is 25 % (20–30), and in their own characters shuffled it is 9 %."
        in mixed
    )
    sentence = mixed[mixed.index("In the texts in Chinese") : mixed.index("are repeats in a loop")]
    assert "points below people's (95 % interval)." in sentence
    for written in ([CHINESE, CHINESE], [ENGLISH, ENGLISH]):
        assert "in Chinese alone" not in finding(of((30.0, 20.0), answers=written))


@pytest.mark.parametrize(
    ("looped", "says"),
    [
        ((60.0, 40.0, 50.0), "points above people's (95 % interval)."),
        ((0.0, 0.0, 1.0), "so there may be no difference."),
        ((0.0, 0.0, 90.0), "so there may be no difference."),
    ],
)
def test_loops_are_more_than_people_s_only_if_the_interval_of_the_difference_says_so(looped, says):
    told = finding(of((30.0, 20.0, 25.0), looped))
    assert says in told[told.index("are repeats in a loop") :]
    assert f"Loops are in {sum(share > 0 for share in looped)} of the model's 3 texts and in " in told


def test_a_share_is_none_or_all_only_if_it_is():
    assert words.share_with_interval(estimate(0.0, 0.0, 0.0)) == "0 %"
    assert words.share_with_interval(estimate(0.04, 0.0, 0.13)) == "0.04 % (0–0.1)"
    assert words.share_with_interval(estimate(99.7, 99.2, 100.0)) == "99.7 % (99.2–100)"
    assert words.share_with_interval(estimate(40.6, 29.4, 54.0)) == "41 % (29–54)"
    assert words.share_with_interval(estimate(40.6)) == "41 %"
    assert words.share_with_interval(estimate(None)) == "(nothing to judge)"


def test_the_answer_tells_both_prompts_in_short():
    told = answers.answer(of((90.0, 30.0, 21.0), (60.0, 40.0, 0.5), answers=[ENGLISH, CHINESE, NEITHER]))
    assert told.startswith(
        "Of the letters that the model writes after “My trip was”, 98 % belong to common words; of the letters and "
        "Chinese characters after “我爱中国!”, 47 % (averages; people's English: 96 %, people's Chinese: 78 %). After "
        "“我爱中国!”, 34 % of a text's characters are repeats in a loop; in people's Chinese it is 0.3 %."
    )
    assert "UTF-8" not in told  # that a text holds no broken bytes says nothing of gibberish


def test_broken_bytes_are_told_as_a_share_beside_people_s():
    told = finding(of((30.0, 20.0), broken=(1.0, 2.0)))
    assert told.endswith(
        "On average, 2 % (1–2) of a text's bytes are not valid UTF-8 (in people's Chinese: 0.07 % (0–0.2))."
    )


def test_that_no_byte_is_broken_is_offered_as_evidence_of_nothing():
    assert "UTF-8" not in finding(of((30.0, 20.0))) + finding(of((30.0, 20.0)), "zh")


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
    for tell in (finding, answers.answer):
        english, chinese = (tell(found, language) for language in wording.LANGUAGES)
        assert numbers(english) == numbers(chinese)
        assert not re.search(r"None|nan|\{|  |\.\.", english + chinese)
