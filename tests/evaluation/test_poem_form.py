import re

import numpy as np
import pandas as pd
import pytest

from lib.core import chinese
from lib.core.records import Estimate
from lib.evaluation import poem_form, statistics

SPRING = "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"
STORKS = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
NOTHING = Estimate(value=None)


def row(poem, training=(), given=0):
    (found,) = poem_form.judge([poem], training, given).to_dict("records")
    return found


def test_judge_a_poem_that_rhymes():
    assert row(SPRING) == {
        "poem": SPRING,
        "well_formed": True,
        "regular_lines": 100,
        "han": 100,
        "rhyme_pairs": 1,  # 鳥 and 少, both 上聲十七篠
        "rhymes": 1,
        "rhymes_secondary": 0,
        "rhyme_unknown": 0,
        "tone_pairs": 3,  # 眠 level 覺 oblique, 來 level 雨 oblique, 落 oblique 多 level
        "alternating": 3,
        "tone_unknown": 1,  # 啼 is not in the table
        "tone_places": 3,  # 眠 level 處 oblique; 覺 has both; 來 level 落 oblique, 雨 oblique 多 level
        "opposite": 3,
        "couplets": 0,  # without vectors
        "likeness": 0,
        "distinct": 95,  # 處 twice: 19 of 20
        "copied": pytest.approx(float("nan"), nan_ok=True),
    }


def test_judge_lines_of_seven():
    # Second, fourth, sixth: 辭 level 帝 oblique 雲 level, 里 oblique 陵 level 日 oblique.
    found = row("朝辭白帝彩雲間，千里江陵一日還。")
    assert (found["tone_pairs"], found["alternating"], found["tone_unknown"]) == (4, 4, 0)
    assert (found["rhyme_pairs"], found["rhyme_unknown"]) == (0, 0)


@pytest.mark.parametrize(
    ("poem", "pairs", "rhymes", "unknown"),
    [
        (STORKS, 1, 1, 0),  # 流 and 樓: 下平聲十一尤
        ("白日依山盡，黃河入海東。欲窮千里目，更上一層樓。", 1, 0, 0),  # 東 and 樓
        ("白日依山盡，黃河入海流。欲窮千里目，更上一層流。", 1, 0, 0),  # the same character
        ("春，鳥。春，鸟。", 1, 0, 0),  # the same in the other script
        ("春，流。春，楼。", 1, 1, 0),
        ("白日依山盡，黃河入海囗。欲窮千里目，更上一層樓。", 0, 0, 1),  # 囗 marks a lost character
        ("春，流。春，樓。春，東。春，x。", 2, 1, 1),  # neighbours only: 流 樓, 樓 東, 東 x
        ("春，流。春，東。春，樓。", 2, 0, 0),  # 流 and 樓 are no neighbours
        ("春，流。樓，", 0, 0, 0),
        ("My trip was\nto a lake\nand it was\ngood", 0, 0, 1),
        ("春春春春春，春春春春春。春春春春春，春春春春春。", 1, 0, 0),
    ],
)
def test_rhyme(poem, pairs, rhymes, unknown):
    found = row(poem)
    assert (found["rhyme_pairs"], found["rhymes"], found["rhyme_unknown"]) == (pairs, rhymes, unknown)


def test_a_rhyme_by_a_secondary_reading_is_counted_apart():
    # 處 (chù: departing) and 如 (rú: level) share 御, a rare reading of 如; neither reading is Mandarin's.
    found = row("春，處。春，如。")
    assert (found["rhyme_pairs"], found["rhymes"], found["rhymes_secondary"]) == (1, 0, 1)
    found = row("春，流。春，樓。")
    assert (found["rhyme_pairs"], found["rhymes"], found["rhymes_secondary"]) == (1, 1, 0)
    told = poem_form.summary(
        poem_form.judge(["春，處。春，如。", "春，流。春，樓。", "春，流。春，東。", "春，流。春，樓。"])
    )
    assert (told.shares["rhyme"].value, told.shares["rhyme_secondary"].value) == (50, 25)


@pytest.mark.parametrize("poem", ["", "，。", "\n"])
def test_judge_nothing(poem):
    found = row(poem)
    assert found.pop("poem") == poem and found.pop("well_formed") is False
    assert np.isnan(found.pop("copied")) and set(found.values()) == {0}


def test_judge_other_texts():
    one = row("春")
    assert (one["regular_lines"], one["han"], one["distinct"], one["rhyme_pairs"]) == (0, 100, 100, 0)
    same = row("春春春春春，春春春春春。")
    assert (same["well_formed"], same["distinct"], same["tone_pairs"], same["alternating"]) == (True, 10, 2, 0)
    mixed = row("春眠abc，不。")  # 3 of 6 characters are Chinese
    assert (mixed["regular_lines"], mixed["han"], mixed["tone_pairs"], mixed["tone_unknown"]) == (0, 50, 0, 0)
    english = row("I am late, so I ran.")
    assert (english["regular_lines"], english["han"], english["distinct"]) == (0, 0, 0)
    simplified = row("春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。")
    assert {**simplified, "poem": SPRING} == pytest.approx(row(SPRING), nan_ok=True)


def test_tones_of_the_line_that_was_given_are_not_judged():
    found = row(SPRING, given=5)
    assert (found["tone_pairs"], found["tone_unknown"], found["regular_lines"]) == (2, 1, 100)
    assert row(SPRING, given=7)["tone_unknown"] == 0  # the second line was begun


def test_the_couplet_that_was_given_is_not_judged():
    assert (row(SPRING)["tone_places"], row(SPRING, given=5)["tone_places"]) == (3, 2)
    assert row(SPRING, given=13)["tone_places"] == 0  # the second couplet was begun


def test_copied_is_the_longest_span_without_marks_and_without_what_was_given():
    training = ["春眠不覺曉，處處。", "聞啼鳥，夜來風。"]
    assert row(SPRING, training)["copied"] == 7  # 春眠不覺曉處處, across a mark but not across poems
    assert row(SPRING, training, given=5)["copied"] == 6  # 聞啼鳥夜來風
    assert row(STORKS, training)["copied"] == 0
    assert list(poem_form.judge([SPRING, "", STORKS], [SPRING])["copied"]) == [20, 0, 0]


def test_judge_no_poems():
    empty = poem_form.judge([])
    assert list(empty) == list(poem_form.judge([SPRING])) and not len(empty)
    told = poem_form.summary(empty)
    assert (told.poems, told.rhyme_pairs, told.tone_pairs) == (0, 0, 0)
    assert list(told.shares) == list(poem_form.SHARES)
    assert all(share == NOTHING for share in told.shares.values())
    assert (told.rhyme_unknown_percent, told.tone_unknown_percent) == (None, None)
    assert (told.copied_mean, told.copied_longest) == (None, None)


def test_shuffled_deals_out_the_characters_and_leaves_the_rest():
    poems = [SPRING, "白日a依山，盡", "", "。"]
    dealt = poem_form.shuffled(poems, 1)
    assert dealt == poem_form.shuffled(poems, 1) != poem_form.shuffled(poems, 2)
    assert sorted("".join(dealt)) == sorted("".join(poems))
    marks = re.compile(f"[{chinese.HAN}]")
    assert [marks.sub("_", poem) for poem in dealt] == [marks.sub("_", poem) for poem in poems]
    assert not set(dealt[0]) <= set(SPRING)  # characters move between poems
    assert poem_form.shuffled([], 1) == []


def test_summary_is_in_percent():
    poems = [SPRING, STORKS, "白日依山盡，黃河入海東。欲窮千里目，更上一層樓。", "春眠abc，不。"]
    told = poem_form.summary(poem_form.judge(poems, ["黃河入海"]))
    assert told.poems == 4
    assert told.shares["well_formed"] == statistics.share(3, 4)
    assert told.shares["regular_lines"].value == 75  # the mean of 100, 100, 100 and 0
    assert told.shares["han"].value == 87.5  # of 100, 100, 100 and 50
    # 19 of 20; 20 of 20, 20 of 20; 3 of 3
    assert told.shares["distinct"].value == pytest.approx((95 + 100 + 100 + 100) / 4)
    assert told.rhyme_pairs == 3 and told.shares["rhyme"].value == pytest.approx(100 * 2 / 3)
    assert told.rhyme_unknown_percent == 0
    assert told.tone_pairs == 3 + 4 + 4 and told.shares["alternating"].value == 100
    assert told.tone_unknown_percent == pytest.approx(100 * 1 / 12)
    assert (told.copied_mean, told.copied_longest) == (2, 4)  # 0, 4, 4, 0
    assert list(told.shares) == list(poem_form.SHARES)
    assert told.shares.pop("parallel_words") == NOTHING  # without vectors
    for share in told.shares.values():
        assert share.low <= share.value <= share.high


def test_summary_of_what_cannot_be_judged():
    told = poem_form.summary(poem_form.judge(["I am late, so I ran."]))
    assert told.shares["rhyme"] == told.shares["alternating"] == NOTHING
    assert (told.rhyme_unknown_percent, told.tone_unknown_percent, told.copied_longest) == (None, None, None)
    assert told.shares["well_formed"].value == 0


def test_one_poem_has_no_interval():
    shares = poem_form.summary(poem_form.judge([SPRING])).shares
    assert shares.pop("well_formed") == statistics.share(1, 1)  # Wilson's
    assert shares["rhyme"] == shares["alternating"] == Estimate(value=100)
    assert not any(share.has_interval for share in shares.values())


def test_pairs_are_resampled_by_poem():
    # 100 poems of one pair each, 50 rhyme: the standard error is 100 * sqrt(0.5 * 0.5 / 100) = 5 percent.
    rhyming, other = row("春，流。春，樓。"), row("春，流。春，東。")
    rhyme = poem_form.summary(pd.DataFrame([rhyming, other] * 50)).shares["rhyme"]
    assert rhyme.value == 50
    assert (rhyme.low, rhyme.high) == pytest.approx((50 - 1.96 * 5, 50 + 1.96 * 5), abs=1)
    for poem, rhymes in (("春，流。春，樓。", 20), ("春，流。春，東。", 0)):  # all or none
        told = poem_form.summary(pd.DataFrame([row(poem)] * 20))
        assert told.shares["rhyme"] == statistics.share(rhymes, 20)


def test_poems_weigh_by_their_pairs():
    # Ten pairs that rhyme in one poem, one that does not in another: 10 of 11, not the mean of 100 and 0.
    long = "".join(f"春，{end}。" for end in "流樓" * 5 + "流")
    told = poem_form.summary(poem_form.judge([long, "春，流。春，東。"]))
    assert told.shares["rhyme"].value == pytest.approx(100 * 10 / 11)


def test_annotated():
    told = poem_form.annotated("春眠不覺曉，處處聞啼鳥。夜來風雨，花落知多少。疑是地上霜，低頭思故x。")
    assert [line.line for line in told] == [
        "春眠不覺曉",
        "處處聞啼鳥",
        "夜來風雨",
        "花落知多少",
        "疑是地上霜",
        "低頭思故x",
    ]
    assert [line.characters for line in told] == [5, 5, 4, 5, 5, 4]
    assert [line.regular for line in told] == [True, True, False, True, True, False]
    tones = ["平平中仄仄", "仄仄中？仄", "仄平平仄", "平仄平平仄", "平仄仄仄平", "平平中仄？"]
    assert [line.tones for line in told] == tones
    assert [line.alternates for line in told] == [True, None, None, True, False, None]
    assert [line.rhyme_character for line in told] == ["", "鳥", "", "少", "", ""]
    assert [line.rhyme_groups for line in told] == [[], ["上聲十七篠"], [], ["上聲十七篠"], [], []]
    assert [line.other_rhyme_groups for line in told] == [[], [], [], ["去聲十八嘯"], [], []]  # 少, shào
    assert [line.is_rhyme_line for line in told] == [False, False, False, True, False, True]
    assert [line.rhymes for line in told] == [None, None, None, True, None, None]
    assert [line.rhymes for line in poem_form.annotated("春，流。春，東。")] == [None, None, None, False]
    assert poem_form.annotated("") == []


def test_length_of_a_line_is_that_of_the_first():
    first, second = poem_form.annotated("春眠不覺曉，朝辭白帝彩雲間。")
    assert first.regular and not second.regular
    assert second.alternates  # which is judged all the same


def test_poems_are_judged_prompt_by_prompt():
    samples = pd.DataFrame({"prompt": ["白日", "春眠", "白日"], "text": [STORKS, SPRING, "白日。"]})
    judged = poem_form.by_prompt(samples, [SPRING])
    assert list(judged) == ["白日", "春眠"] and list(judged["白日"]["poem"]) == [STORKS, "白日。"]
    assert list(judged["春眠"]["copied"]) == [18]  # the prompt is not copied
    assert judged["春眠"]["tone_pairs"].item() == 2  # nor are the tones of its line judged
    forms = poem_form.summaries(judged)
    assert {prompt: form.poems for prompt, form in forms.items()} == {"白日": 2, "春眠": 1}
    assert forms["白日"] == poem_form.summary(judged["白日"])
