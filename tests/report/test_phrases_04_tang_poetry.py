"""What the report on the fine-tuning on poems says of results on either side of each rule."""

import made_records
import pytest
from made_records import estimate, poem_form

from lib.report import numbers, phrases

POEM = made_records.POEM[:5]
SIMPLIFIED = "春眠不觉晓"


def answer(measured, language="en"):
    return phrases.answer(made_records.results("04_tang_poetry", measured), language)


def runs(*forms, before=None, prompts=(POEM,)):
    """A run for each form; several prompts have the same form."""
    before = before or poem_form(0.0)
    return [
        made_records.poem_run(
            run,
            form_by_prompt=dict.fromkeys(prompts, form),
            before_by_prompt=dict.fromkeys(prompts, before),
        )
        for run, form in enumerate(forms, 1)
    ]


def test_shares_are_told_over_the_runs_with_the_lowest_and_the_highest():
    told = answer(made_records.tang(runs=runs(poem_form(81.25, 3.0), poem_form(93.75, 8.0), poem_form(87.5, 0.0))))
    assert told.startswith(
        f"In 3 training runs of 4 steps of 8 poems each, 81 to 94 % of the poems after {POEM} are well formed (before "
        "fine-tuning: 0 %), and 0 to 8 % of their pairs of even lines rhyme."
    )
    chinese = answer(made_records.tang(runs=runs(poem_form(81.25, 3.0), poem_form(93.75, 8.0))), "zh")
    assert chinese.startswith("在 2 次训练中") and "格式合格的占 81 到 94 %（微调前：0 %）" in chinese


def test_a_single_run_is_told_as_one():
    told = answer(made_records.tang(after=poem_form(60.0)))
    assert told.startswith("In one training run of 4 steps of 8 poems each, 60 % of the poems")
    assert "14.50 bits per character before and 9.25 after" in told


def test_each_prompt_has_a_sentence_of_its_own_the_traditional_one_first():
    mixed = [
        made_records.poem_run(
            1,
            form_by_prompt={SIMPLIFIED: poem_form(25.0), POEM: poem_form(75.0)},
            before_by_prompt={SIMPLIFIED: poem_form(0.0), POEM: poem_form(5.0)},
        )
    ]
    told = answer(made_records.tang(runs=mixed))
    assert f"75 % of the poems after {POEM} are well formed (before fine-tuning: 5 %)" in told
    assert f"After {SIMPLIFIED}, 25 % are well formed (before: 0 %)" in told
    assert "50 %" not in told.replace("chance gives", "").split("Tang poets")[0]  # the mean of the two is nobody's


def test_ceiling_and_chance_are_told():
    told = answer(made_records.tang())
    assert "Tang poets come to 95 % and 90 %, and in couplets that must be parallel to 95 % and 90 %" in told
    assert "chance gives 5 % rhyme, and 50 % and 50 % in couplets" in told


@pytest.mark.parametrize(
    ("rhyme", "said"),
    [
        (estimate(40.0, 30.0, 50.0), f"Above chance after {POEM}: rhyme"),
        (estimate(6.0, 1.0, 11.0), f"Not told from chance after {POEM}: rhyme"),
        (None, f"Nothing to judge after {POEM}: rhyme"),
    ],
)
def test_what_is_above_chance_is_told_by_the_interval_of_the_difference(rhyme, said):
    told = answer(made_records.tang(after=poem_form(rhyme=rhyme, parallel_tones=58.0, parallel_words=62.0)))
    assert said in told


def test_what_is_below_chance_is_told_so():
    told = answer(made_records.tang(after=poem_form(parallel_tones=estimate(20.0, 15.0, 25.0))))
    assert f"Below chance after {POEM}: opposite tones in couplets." in told
    assert f"以“{POEM}”开头时低于随机情形的：对句平仄相反。" in answer(
        made_records.tang(after=poem_form(parallel_tones=estimate(20.0, 15.0, 25.0))), "zh"
    )


def test_nothing_to_judge_is_told_so():
    told = answer(made_records.tang(after=poem_form(rhyme=None)))
    assert "(nothing to judge) of their pairs of even lines rhyme" in told


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0.0], "0 %"),
        ([0.4], "0.4 %"),  # some is not none
        ([0.04, 0.0], "0 to 0.04 %"),
        ([99.7, 100.0], "99.7 to 100 %"),
        ([81.25, 93.75, 87.5], "81 to 94 %"),
        ([81.3, 81.4], "81 %"),
        ([None, 12.0], "12 %"),
        ([None], "(nothing to judge)"),
    ],
)
def test_a_range_of_shares_does_not_round_some_to_none(values, told):
    assert numbers.percent_range(values) == told


def couplets(tones=(96.0, 94.0), words=(92.0, 63.0), half=1.0):
    """A scale whose middle and outer couplets come to these shares, with differences of `half` each way."""
    pairs = {"parallel_tones": tones, "parallel_words": words}
    difference = {
        share: estimate(one - other, one - other - half, one - other + half) for share, (one, other) in pairs.items()
    }
    return made_records.poem_scale(
        regulated_middle=made_records.couplet_form(tones[0], words[0]),
        regulated_outer=made_records.couplet_form(tones[1], words[1]),
        middle_minus_outer=difference,
    )


def test_whether_the_measure_tells_parallel_couplets_apart_is_told():
    told = phrases.parallelism(couplets())
    assert "Words of a kind in couplets: the measure tells couplets" in told
    assert "92.0 against 63.0 (difference 29.0, 95 % interval over the poems 28.0 to 30.0)" in told
    assert "Opposite tones in couplets: middle couplets come to 96.0" in told and "a small difference" in told
    alike = phrases.parallelism(couplets(words=(63.5, 63.0)))
    assert "Words of a kind in couplets: the measure does not tell couplets" in alike
    large = phrases.parallelism(couplets(tones=(96.0, 60.0)))
    assert "small difference" not in large and "96.0 against 60.0" in large
    unknown = made_records.poem_scale(middle_minus_outer={"parallel_words": estimate(None)})
    assert "too little regulated verse is held out" in phrases.parallelism(unknown)
    assert "律诗" in phrases.parallelism(couplets(), "zh")
