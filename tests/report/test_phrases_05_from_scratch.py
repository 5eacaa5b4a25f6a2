"""What the report on the model from scratch says of results on either side of each rule."""

import made_records
from made_records import poem_form

from lib.claims import head_to_head
from lib.report import answers, poems_words

POEM = made_records.POEM[:5]


def answer(measured, language="en"):
    return answers.answer(made_records.results("05_from_scratch", measured), language)


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


def test_both_models_are_told_by_their_means_over_the_runs():
    told = answer(over_runs([(7.78, 87.5), (7.82, 93.75)], [(8.5, 75.0), (8.6, 100.0)]))
    assert told.startswith(
        "On held-out Tang poems, a small GPT-2 trained from scratch needs 7.80 bits for a character, "
        "and the fine-tuned model 8.55; fewer is better."
    )


def test_the_size_and_the_time_are_told():
    told, seconds = answer(made_records.scratch()), made_records.tang().training.seconds
    assert (
        f"has about 3,300,000 parameters and learned from poems alone, in 201 s (the fine-tuning took {seconds:.0f} s)"
        in told
    )
    assert "3,300,000 个参数，只用唐诗训练了 201 秒" in answer(made_records.scratch(), "zh")


def test_the_answer_tells_who_is_better_in_the_demands_alone():
    judged = head_to_head.contests(made_records.scratch())
    short = [one for one in judged if one.measure not in ("regular_lines", "han", "alternating")]
    assert answer(made_records.scratch()).endswith(poems_words.contests(short))
    assert "regular lines" not in answer(made_records.scratch())


def test_who_is_better_is_told_by_the_intervals_of_the_differences():
    apart = answer(over_runs([(8.0, 50.0), (8.1, 54.0), (7.9, 46.0)], [(9.0, 80.0), (9.1, 84.0), (8.9, 76.0)]))
    assert "The model from scratch is better in bits per character" in apart
    assert "The fine-tuned model is better in regular form." in apart
    wide = answer(over_runs([(8.0, 50.0), (9.5, 90.0), (6.5, 10.0)], [(9.0, 80.0), (10.0, 95.0), (8.0, 65.0)]))
    assert "is better in bits" not in wide and "In bits per character, regular form" in wide


def test_the_difference_in_bits_is_told_over_poems_and_over_runs():
    several = over_runs([(8.0, 50.0), (8.2, 54.0)], [(9.0, 80.0), (9.2, 84.0)])
    told = poems_words.difference_over_runs(several)
    assert told.startswith(" Over the training runs (2 from scratch, 2 of the fine-tuning) it is -1.00, with an")
    assert poems_words.difference_over_runs(made_records.scratch()) == ""
    assert "Welch 区间" in poems_words.difference_over_runs(several, "zh")


def test_a_prompt_that_was_converted_is_told():
    told = poems_words.asked({"春眠不觉晓": POEM, POEM: POEM})
    assert told == (
        f"The model is asked to continue {POEM}. The prompts in simplified characters were converted to traditional "
        f"ones: 春眠不觉晓 became {POEM}."
    )
    assert poems_words.asked({POEM: POEM}) == f"The model is asked to continue {POEM}."
    assert poems_words.asked({"春眠不觉晓": POEM}, "zh") == (
        f"请模型续写：{POEM}。简体的提示已转换为繁体：“春眠不觉晓”改为“{POEM}”。"
    )


def test_short_poems_are_counted_since_two_lines_are_regular_and_cannot_rhyme():
    couplet, whole = ("，處處聞啼鳥。", "，處處聞啼鳥。夜來風雨聲，花落知多少。")
    samples = [made_records.sample("from scratch", POEM[:5], text) for text in (couplet, whole, couplet)]
    told = poems_words.short_poems(made_records.scratch(samples=samples))
    assert told.startswith("2 of the 3 poems by the model from scratch have fewer than four lines.")
    assert poems_words.short_poems(made_records.scratch(samples=samples[1:2])) == ""
    assert "3 首诗中，有 2 首不到四句" in poems_words.short_poems(made_records.scratch(samples=samples), "zh")


def test_beside_chance_the_model_is_named_since_both_continue_the_same_prompt():
    told = poems_words.poems_beside_chance(made_records.scratch())
    assert told.startswith("Poems by the model from scratch ")
    assert POEM not in told
    assert poems_words.poems_beside_chance(made_records.scratch(), "zh").startswith("从零训练的模型写的诗，")
