"""What the report on the fine-tuning on poems says of results on either side of each rule."""

import made_records
import pytest
from made_records import estimate, poem_form

from lib.report import answers, numbers, poem_cards, poems_words

POEM = made_records.POEM[:5]
SIMPLIFIED = "春眠不觉晓"


def answer(measured, language="en"):
    return answers.answer(made_records.results("04_tang_poetry", measured), language)


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


def test_the_form_is_told_before_and_after_as_the_mean_over_the_runs():
    told = answer(made_records.tang(runs=runs(poem_form(81.25), poem_form(93.75), before=poem_form(5.0))))
    assert told.startswith(
        "After fine-tuning, 88 % of the generated poems have the regular form of a Tang poem, compared with 5 % before."
    )
    chinese = answer(made_records.tang(runs=runs(poem_form(81.25), poem_form(93.75))), "zh")
    assert chinese.startswith("微调后，生成的诗有 88% 格式工整，微调前为 0%。")


def test_several_prompts_are_told_with_the_lowest_and_the_highest():
    mixed = [
        made_records.poem_run(
            1,
            form_by_prompt={SIMPLIFIED: poem_form(25.0), POEM: poem_form(75.0)},
            before_by_prompt={SIMPLIFIED: poem_form(0.0), POEM: poem_form(5.0)},
        )
    ]
    told = answer(made_records.tang(runs=mixed))
    assert "25 to 75 % of the generated poems (depending on the prompt) have" in told
    assert "compared with 0 to 5 % before" in told


def test_rhyme_stands_beside_tang_poets_and_chance():
    told = answer(made_records.tang(after=poem_form(rhyme=12.0)))
    assert told.endswith("12 % rhyme; in poems by Tang poets 90 % do, and by chance 5 % (0–10).")
    assert "(nothing to judge) rhyme" in answer(made_records.tang(after=poem_form(rhyme=None)))


@pytest.mark.parametrize(
    ("rhyme", "said"),
    [
        (estimate(40.0, 30.0, 50.0), "In rhyme, opposite tones and matching words, the generated poems do better than"),
        (estimate(6.0, 1.0, 11.0), "In rhyme, the generated poems are not clearly better than chance."),
        (None, "For rhyme, there was nothing to judge."),
    ],
)
def test_what_is_above_chance_is_told_by_the_interval_of_the_difference(rhyme, said):
    above = estimate(90.0, 85.0, 95.0)
    told = answer(made_records.tang(after=poem_form(rhyme=rhyme, parallel_tones=above, parallel_words=above)))
    assert said in told


def test_what_is_above_chance_from_one_of_two_prompts_is_told_so():
    above, alike = estimate(40.0, 30.0, 50.0), estimate(6.0, 1.0, 11.0)
    run = made_records.poem_run(
        1,
        form_by_prompt={SIMPLIFIED: poem_form(rhyme=alike), POEM: poem_form(rhyme=above)},
        before_by_prompt={SIMPLIFIED: poem_form(0.0), POEM: poem_form(0.0)},
    )
    told = answer(made_records.tang(runs=[run]))
    assert "In rhyme, the poems from only some of the prompts do better than chance." in told


def test_each_prompt_is_told_beside_chance_and_alike_ones_together():
    def told(**forms):
        prompts = {SIMPLIFIED: forms["simplified"], POEM: forms["traditional"]}
        before = dict.fromkeys(prompts, poem_form(0.0))
        run = made_records.poem_run(1, form_by_prompt=prompts, before_by_prompt=before)
        return poems_words.poems_beside_chance(made_records.tang(runs=[run]))

    below = poem_form(parallel_tones=estimate(20.0, 15.0, 25.0), rhyme=None)
    assert told(simplified=below, traditional=below) == (
        f"Poems that begin with {SIMPLIFIED} or {POEM} are above chance in matching words. "
        f"Poems that begin with {SIMPLIFIED} or {POEM} are below chance in opposite tones. "
        f"Poems that begin with {SIMPLIFIED} or {POEM} leave nothing to judge in rhyme."
    )
    apart = told(simplified=below, traditional=poem_form(parallel_tones=estimate(52.0, 40.0, 60.0), rhyme=None))
    assert f"Poems that begin with {POEM} cannot be told from chance in opposite tones" in apart
    assert f"Poems that begin with {SIMPLIFIED} are below chance in opposite tones." in apart
    one = poems_words.poems_beside_chance(made_records.tang(after=below), "zh")
    assert f"以“{POEM}”开头的诗，平仄相反低于随机水平。" in one


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
    told = poems_words.parallelism(couplets())
    assert "In matching words, Tang poets' couplets that must be parallel reach 92.0" in told
    assert "those that need not be reach 63.0. The difference is 29 (95 % interval 28 to 30), so matching words" in told
    assert "In opposite tones" in told and "The difference is only 2.0 (95 % interval 1.0 to 3.0)" in told
    alike = poems_words.parallelism(couplets(words=(63.5, 63.0)))
    assert "They cannot be told apart (difference 0.50, 95 % interval -0.50 to 1.5), so matching words do not" in alike
    large = poems_words.parallelism(couplets(tones=(96.0, 60.0)))
    assert "only" not in large and "so opposite tones do show parallelism" in large
    unknown = made_records.poem_scale(middle_minus_outer={"parallel_words": estimate(None)})
    assert "For matching words, too little regulated verse is held out" in poems_words.parallelism(unknown)
    assert "律诗" in poems_words.parallelism(couplets(), "zh")


def test_a_poem_is_told_in_three_lines():
    (regular,), (other,) = (poem_cards.counts([poem]) for poem in (made_records.POEM, "春眠。"))
    assert poems_words.poem_counts(regular) == (
        "4 lines of 5 characters\nrhyming pairs: 1 of 1\nopposite tones: 3 of 3"
    )
    assert poems_words.poem_counts(other) == "not in regular form\nrhyming pairs: 0 of 0\nopposite tones: 0 of 0"
    assert poems_words.poem_counts(regular, "zh") == "4 句，每句 5 字\n押韵：1 对中 1 对\n平仄相反：3 处中 3 处"
