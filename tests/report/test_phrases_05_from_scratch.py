"""What the report on the model from scratch says of results on either side of each rule."""

import made_records
from made_records import estimate, poem_form

from lib.claims import head_to_head
from lib.report import phrases

POEM = made_records.POEM[:5]


def answer(measured, language="en"):
    return phrases.answer(made_records.results("05_from_scratch", measured), language)


def runs(*figures):
    """A run for each pair of bits per character and well-formed poems."""
    return [
        made_records.poem_run(run, poem_form(well_formed), (bits, bits), poem_form(0.0))
        for run, (bits, well_formed) in enumerate(figures, 1)
    ]


def over_runs(own, others):
    tang = made_records.tang(runs=runs(*others))
    theirs = made_records.fine_tuned(runs=tang.runs, form_over_runs=tang.after_over_runs[POEM])
    return made_records.scratch(runs=runs(*own), fine_tuned=theirs)


def test_both_models_are_told_over_their_runs_after_the_same_prompt():
    told = answer(over_runs([(7.78, 87.5), (7.81, 93.75), (7.8, 81.25)], [(8.5, 75.0), (8.6, 100.0)]))
    assert told.startswith("In 3 training runs a small GPT-2 of 3.3 million parameters")
    assert (
        "needs 7.78 to 7.81 bits per character on the same held-out poems, and the fine-tuned model 8.50 to 8.60"
        in told
    )
    assert f"After {POEM}, 81 to 94 % of its poems are well formed (fine-tuned, 2 runs: 75 to 100 %)" in told


def test_a_single_run_is_told_as_one():
    told = answer(made_records.scratch())
    seconds = made_records.tang().training.seconds
    assert told.startswith("In one training run a small GPT-2 of 3.3 million parameters")
    assert f"for 201 s (the fine-tuning: {seconds:.0f} s), needs 8.25 bits per character" in told
    assert "(fine-tuned: 60 %)" in told and "A poem takes 0.11 s (fine-tuned: 2.0 s)" in told
    assert phrases.contests(head_to_head.contests(made_records.scratch())) in told
    chinese = answer(made_records.scratch(), "zh")
    assert "在同一批留出的诗上每字符需要 8.25 比特" in chinese and "3.3M 个参数" in chinese


def test_the_question_is_told_to_be_ours():
    assert answer(made_records.scratch()).endswith(
        "The question is ours: the post's last sentence, on a large model and much Chinese, is not tested here."
    )
    assert "这里没有检验" in answer(made_records.scratch(), "zh")


def test_who_is_better_is_told_by_the_intervals_of_the_differences():
    apart = answer(over_runs([(8.0, 50.0), (8.1, 54.0), (7.9, 46.0)], [(9.0, 80.0), (9.1, 84.0), (8.9, 76.0)]))
    assert "The model from scratch is better in bits per character" in apart
    assert "the fine-tuned model is better in well-formed poems" in apart
    wide = answer(over_runs([(8.0, 50.0), (9.5, 90.0), (6.5, 10.0)], [(9.0, 80.0), (10.0, 95.0), (8.0, 65.0)]))
    assert "is better in bits" not in wide and "do not tell them apart in bits per character, well-formed poems" in wide


def test_the_difference_in_bits_is_told_over_poems_and_over_runs():
    several = over_runs([(8.0, 50.0), (8.2, 54.0)], [(9.0, 80.0), (9.2, 84.0)])
    told = phrases.difference_over_runs(several)
    assert told.startswith(" Over the training runs (2 and 2): -1.00 (Welch's interval: ")
    assert phrases.difference_over_runs(made_records.scratch()) == ""
    assert "Welch 区间" in phrases.difference_over_runs(several, "zh")


def test_a_prompt_that_was_converted_is_told():
    told = phrases.asked({"春眠不觉晓": POEM, POEM: POEM})
    assert told == f"Asked: {POEM}. Converted to traditional characters: 春眠不觉晓 is asked as {POEM}."
    assert phrases.asked({POEM: POEM}) == f"Asked: {POEM}."
    assert phrases.asked({"春眠不觉晓": POEM}, "zh") == f"所用提示：{POEM}。转换为繁体的：“春眠不觉晓”改用“{POEM}”。"


def test_shares_that_are_not_there_are_told_so():
    told = answer(made_records.scratch(form=poem_form(rhyme=None, well_formed=estimate(0.4, 0.0, 2.0))))
    assert (
        "0.4 % of its poems are well formed" in told and "(nothing to judge) of their pairs of even lines rhyme" in told
    )
