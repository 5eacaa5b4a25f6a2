import re

import made_records
import pytest
from made_records import estimate

from lib.claims import beside_post, post
from lib.core.records import DecodingStep
from lib.evaluation import metrics, poem_form
from lib.report import tables
from lib.report.numbers import DASH


def test_speeds_tell_first_and_later_calls_with_the_fastest_and_the_slowest():
    own = made_records.timing("own", 12.0, (2.9, 3.0, 9.1), step=DecodingStep.OWN)
    once = made_records.timing("once", 12.0, (3.0,))
    first, second, third = tables.speeds([made_records.timing("as in the post"), own, once])
    assert first["first call, seconds"] == 20.0 and first["later call, seconds"] == "5.00 (4.90–5.10)"
    assert first["new tokens"] == 150 and first["new tokens per second"] == 30.0
    assert (first["decoding step"], second["decoding step"]) == ("KerasHub's", "this project's")
    assert (second["later call, seconds"], third["later call, seconds"]) == ("3.0 (2.9–9.1)", "3.00")


def test_whose_step_it_is_is_told_of_every_step():
    assert set(tables.WHOSE_STEP) == set(DecodingStep)


def test_latencies_are_in_milliseconds_and_what_no_timing_has_is_left_out():
    loaded = made_records.timing(seconds_per_output_token=0.025, load_seconds=4.0, chinese_characters=0.0)
    first, second = tables.latencies([loaded, made_records.timing(chinese_characters=0.0)])
    assert first["first token, milliseconds"] == "500 (400–600)" and first["each token after it, milliseconds"] == 25
    assert (first["loading the model, seconds"], second["loading the model, seconds"]) == (4.0, None)
    assert "Chinese characters per second" not in first
    (row,) = tables.latencies([made_records.timing()])
    assert row["Chinese characters per second"] == 4.0 and "loading the model, seconds" not in row


def test_a_step_that_compiles_anew_after_an_interruption_is_no_later_step():
    later_steps = made_records.spread(0.4, 0.5, 0.5, 0.6, 0.9)
    seconds = (20.0, 0.4, 0.5, 19.0, 0.5, 0.6, 0.9)
    training = made_records.training(seconds, continued_after=[3], later_steps=later_steps)
    assert training.warm_step_seconds == [0.4, 0.5, 0.5, 0.6, 0.9]
    assert tables.steps(training)[0]["later step, milliseconds"] == "500 (500–600)"


def test_steps_tell_their_median_with_the_middle_half_and_how_a_batch_was_divided():
    training = made_records.training((20.0, 0.4, 0.5, 0.5, 0.6, 0.9), texts_at_a_time=2)
    (row,) = tables.steps(training)
    assert (row["steps"], row["texts per step"], row["first step, seconds"]) == (6, 4, 20)
    assert row["later step, milliseconds"] == "500 (500–600)"
    (more,) = tables.more_of_steps(training)
    assert (more["texts at a time"], more["of these useful, %"]) == (2, 50)
    (row,) = tables.steps(made_records.training((20.0, 0.4)))
    assert row["later step, milliseconds"] == "400"


def test_held_out_figures_stand_before_and_after():
    measured = made_records.tang()
    before, after = tables.held_out(measured.held_out, measured.likelihood, "poems")
    assert (before["held-out poems"], after["held-out poems"]) == ("before fine-tuning", "after fine-tuning")
    assert (before["loss per token"], after["loss per token"]) == (4.5, 4.1)
    assert (before["accuracy"], after["accuracy"]) == (0.2, 0.3)
    assert (before["bits per character"], after["bits per character"]) == (14.5, 9.25)


def test_no_table_of_times_and_losses_has_more_than_six_columns():
    measured = made_records.tang()
    timings = [made_records.timing(load_seconds=4.0)]
    for rows in (
        tables.speeds(timings),
        tables.latencies(timings),
        tables.steps(measured.training),
        tables.more_of_steps(measured.training),
        tables.held_out(measured.held_out, measured.likelihood, "poems"),
        tables.quality(made_records.baseline().quality.groups),
        tables.more_of_quality(made_records.baseline().quality.groups),
        tables.word_lists(made_records.baseline().word_lists),
    ):
        assert rows and all(len(row) <= 6 for row in rows)


def test_a_corpus_tells_only_the_reasons_for_which_texts_were_dropped():
    counts = {"found": 1234, "dropped: duplicate": 0, "dropped: no text": 4, "kept": 1230}
    told = {row["corpus"]: row["Tang poems"] for row in tables.corpus(made_records.corpus(counts=counts))}
    assert (told["found"], told["dropped: no text"], told["kept"]) == ("1,234", "4", "1,230")
    assert "dropped: duplicate" not in told
    assert told["SHA-256 of the cleaned texts"] == f"{'0' * 16}… (the first 16 digits)"


def test_tables_of_texts_show_intervals_and_a_dash_where_there_is_nothing():
    groups = [
        made_records.text_group("greedy", perplexity=estimate(4.0, 2.0, 8.0), words=estimate(36.5, 36.0, 37.0)),
        made_records.text_group("people", perplexity=estimate(2.0)),
    ]
    repetition = tables.text_groups(groups, metrics.Table.REPETITION)
    assert [row["texts by"] for row in repetition] == ["greedy", "people"]
    assert [row["texts"] for row in repetition] == [4, 4]
    assert repetition[0]["rep-4 %"] == "5.0 (4.5–5.5)"
    assert tables.text_groups(groups, metrics.Table.REPETITION, rest=True)[0]["words"] == 36.5
    variety = tables.text_groups(groups, metrics.Table.VARIETY)
    assert [row["perplexity"] for row in variety] == ["4.0 (2.0–8.0)", "2.00"]
    assert [row["longest copied span (words)"] for row in variety] == ["–", "–"]
    assert variety[0]["distinct-2"] == 0.8 and "texts" not in variety[0]


def test_every_metric_is_shown_in_one_of_the_tables_and_those_on_the_page_have_six_columns_at_most():
    groups, shown = [made_records.text_group()], []
    for table in metrics.Table:
        for rest in (False, True):
            (row,) = tables.text_groups(groups, table, rest)
            assert len(row) <= 6
            shown += row
    assert sorted(shown) == sorted(["texts by"] * 4 + ["texts", *(one.label for one in metrics.REGISTRY.values())])


def test_the_rounds_are_told_by_token_and_by_whole_round():
    lines = {"again": made_records.rounds((0.1, 0.6, 0.8, 0.9))}
    tokens, whole = tables.rounds(lines), tables.rounds(lines, whole=True)
    assert [row["round"] for row in tokens] == [row["round"] for row in whole] == [1, 2, 3, 4]
    assert tokens[0]["probability of a token"] == "0.10 (0.05–0.15)" and len(tokens[0]) == 6
    assert whole[1]["greedy writes the whole round %"] == "25 (0–100)" and len(whole[0]) == 5


def test_the_form_of_poems_has_a_row_for_each_group_and_a_column_for_each_share():
    assert {**tables.DEMANDS, **tables.FORM}.keys() == set(poem_form.SHARES)
    assert not set(tables.DEMANDS) & set(tables.FORM)
    groups = [("after", made_records.poem_form(alternating=None)), ("Tang poets", made_records.poem_form(95.0))]
    after, poets = tables.poem_forms(groups)
    assert (after["poems by"], poets["poems by"]) == ("after", "Tang poets")
    assert after["alternating tones, %"] == "–" and poets["regular lines, %"] == "90 (85–95)"
    assert after["rhyme by a rarer reading only, %"] == "6 (1–11)"


def test_how_much_there_was_to_judge_is_told_of_all():
    form = made_records.poem_form()  # 4 % of the pairs of even lines and 20 % of those of tones are not known
    nothing = made_records.poem_form(
        rhyme_pairs=0, rhyme_unknown_percent=None, tone_pairs=0, tone_unknown_percent=100.0, copied_longest=None
    )
    some, none = tables.poem_counts([("a", form), ("b", nothing)])
    assert (some["pairs of even lines judged"], some["pairs of alternating tones judged"]) == ("12 of 12", "40 of 50")
    assert (some["couplets judged"], some["longest copy, characters"]) == (16, 6)
    assert (none["pairs of even lines judged"], none["pairs of alternating tones judged"]) == ("0", "0")
    assert none["longest copy, characters"] is None


def test_the_three_demands_have_a_column_each_and_a_dash_where_a_group_has_no_figure():
    form, couplets = made_records.poem_form(rhyme=None), made_records.couplet_form(95.0, 90.0)
    poems, middle = tables.poem_demands([("a", form.shares), ("b", couplets.shares)])
    assert poems["poems by"] == "a"
    assert poems["regular form, %"] == "60 (55–65)" and poems["rhyming pairs, %"] == "–"
    assert middle["opposite tones, %"] == "95.0 (93.0–97.0)" and middle["regular form, %"] == "–"
    assert middle["matching words, percentile"] == "90.0 (88.0–92.0)"


def test_a_poem_is_laid_out_line_by_line():
    lines = [
        made_records.poem_line(),
        made_records.poem_line(
            "處處聞啼鳥", rhyme_character="鳥", rhyme_groups=["篠", "蕭"], rhymes=True, is_rhyme_line=True
        ),
        made_records.poem_line("夜來", regular=False, alternates=None),
        made_records.poem_line("花落知多X", alternates=None, rhyme_character="X", rhymes=None, is_rhyme_line=True),
        made_records.poem_line("a", alternates=False, rhymes=False, is_rhyme_line=True),
        made_records.poem_line(
            "一人一處處",
            rhyme_character="處",
            rhyme_groups=["御"],
            other_rhyme_groups=["語"],
            rhymes=False,
            rhymes_secondary=True,
            is_rhyme_line=True,
        ),
    ]
    told = tables.poem_lines(lines)
    assert [row["tones alternate"] for row in told] == ["yes", "yes", "–", "unknown", "no", "yes"]
    assert [row["characters"] for row in told] == [5, 5, "2, not regular", 5, 1, 5]
    assert [row["rhymes"] for row in told] == ["", "yes", "", "unknown", "no", "by a rarer reading only"]
    groups = [row["rhyme group of the last character"] for row in told]
    assert groups == ["", "篠、蕭", "", "unknown", "", "御 (語)"]


def test_what_the_trainings_took_counts_the_probe_and_compiling():
    own, theirs = tables.trainings(made_records.scratch())
    assert (own["model"], theirs["model"]) == ("from scratch", "fine-tuned")
    assert own["seconds"] == 201 and theirs["seconds"] == made_records.tang().training.seconds
    assert own["of which first steps, seconds"] == 3.0 + 3.0 and theirs["of which first steps, seconds"] == 20
    assert own["poems read"] == 10 * 32 and theirs["poems read"] == 4 * 8
    assert own["parameters"] == 3_300_000 and theirs["parameters"] == 124_439_808


def test_bits_per_character_of_several_models_stand_together():
    told = made_records.tang().likelihood
    rows = tables.likelihoods({"fine-tuned": told.after, "before": told.before})
    assert [(row["model"], row["bits per character"]) for row in rows] == [("fine-tuned", 9.25), ("before", 14.5)]


def test_who_is_better_is_told_measure_by_measure():
    rows = {row["measure"]: row for row in tables.contests(made_records.scratch())}
    told = {measure: row["better"] for measure, row in rows.items()}
    bits, seconds = (f"{name} (fewer is better)" for name in ("bits per character", "seconds for a poem"))
    assert told[bits] == told["regular form, %"] == told[seconds] == "from scratch"
    assert told["rhyming pairs, %"] == "neither clearly"
    assert (rows[seconds]["from scratch"], rows[seconds]["fine-tuned"]) == ("0.110", "2.00")
    measured = made_records.scratch(form=made_records.poem_form(20.0, None))
    told = {row["measure"]: row["better"] for row in tables.contests(measured)}
    assert told["regular form, %"] == "fine-tuned" and "rhyming pairs, %" not in told


def test_a_batch_s_time_is_also_told_per_text():
    (row,) = tables.batch_times(made_records.samplers().times)
    assert (row["batch seconds"], row["seconds per text"]) == (9.5, 9.5 / 4)


def test_published_figures_stand_beside_the_rows_that_come_nearest():
    measured = made_records.samplers()
    (row,) = tables.published(measured.published, measured.groups)
    assert row["published"] == "Greedy" and row["here"] == "greedy"
    assert row["ends in a loop %, published"] == "74" and row["ends in a loop %, here"].startswith("75")
    assert (row["self-BLEU-4 published"], row["self-BLEU-4 here"]) == ("0.5", "0.2")


def test_what_the_prompts_led_to_stands_beside_people():
    groups = made_records.baseline().quality.groups
    rows, more = tables.quality(groups), tables.more_of_quality(groups)
    assert [row["number of texts"] for row in rows] == [2, 2, 3, 2, 2, 2, 2]
    assert rows[2]["texts by"] == "the model, Chinese prompt" and rows[5]["texts by"] == "people, Chinese declaration"
    assert (rows[2]["of these in English"], rows[2]["of these in Chinese"]) == (1, 2)
    assert rows[2]["letters in words, %"].startswith("47 (") and rows[5]["letters in words, %"] == "78.0 (76.0–80.0)"
    assert more[6]["broken bytes, %"] == rows[6]["characters in loops, %"] == DASH
    assert more[2]["tokens per character"] == pytest.approx(100 / 60)
    assert [row["texts by"] for row in more] == [row["texts by"] for row in rows]


def test_a_group_without_texts_has_dashes_and_no_figures():
    groups = [made_records.text_quality("nobody", (), (), ())]
    (row,), (more,) = tables.quality(groups), tables.more_of_quality(groups)
    assert row["number of texts"] == 0 and row["letters in words, %"] == DASH and more["tokens per character"] is None


def test_each_list_of_words_tells_its_size():
    small, large = tables.word_lists(made_records.baseline().word_lists)
    assert (small["list"], small["its Chinese words"], large["its Chinese words"]) == ("small list", 24_000, 288_000)
    assert small["its rarest words"] == "1 in a million words"
    assert large["its rarest words"] == "0.01 in a million words"
    assert small["people's Chinese"] == "78.0 %"
    (chinese, _) = tables.word_lists(made_records.baseline().word_lists, "zh")
    assert chinese["its rarest words"] == "每百万词 1 次"


def test_the_post_s_own_texts_are_judged_as_those_here():
    rows = {row["measured"]: row for row in tables.post_texts(made_records.post_texts())}
    of_greedy, of_poem = ({name: row[text] for name, row in rows.items()} for text in POST_TEXTS)
    assert of_greedy["has a loop"] is True and of_greedy["well-formed poem"] is of_greedy["rhyming lines"] is None
    assert of_poem["well-formed poem"] is True
    assert (of_poem["rhyming lines"], of_poem["alternating tones"]) == ("0 of 1 pairs", "3 of 6 pairs")


POST_TEXTS = (tables.POST_TEXTS["greedy"], tables.POST_TEXTS["poem"])


def test_the_post_s_rates_stand_beside_each_call_in_both_ways_of_counting():
    found = made_records.experiments()
    found.reddit.measured.timing.before = made_records.timing("before fine-tuning", 17.6, (3.0, 5.0, 9.0))
    table = {row.pop("call"): row for row in tables.rates(beside_post.rates(found, post.blog_post()))}
    assert table["blog post, first call of all"]["tokens per second, prompt included"] == 8.77
    assert table["blog post, after fine-tuning"]["tokens per second, prompt included"] == 22
    told = table["this run, as in the post, first call"]
    assert told == {
        "seconds": 20.0,
        "tokens per second, prompt included": 10.0,
        "tokens per second, new tokens only": 7.5,
    }
    assert table["this run, own decoding step, later calls"]["tokens per second, new tokens only"] == 50
    assert "this run, before fine-tuning, later calls, wide spread" in table and len(table) == 10
    assert table["blog post, after fine-tuning"]["tokens per second, new tokens only"] is None


def test_a_report_tells_what_it_was_made_with_and_leaves_out_what_it_does_not_know():
    told = {row["environment"]: row["value"] for row in tables.machine(made_records.machine())}
    assert told["code"] == "commit 0123456789ab" and told["processor"] == "Test CPU, 2 cores"
    assert told["memory"] == "8 GiB, of which this notebook used 2.0 GiB at its peak"
    assert told["Keras backend"] == "jax, float32" and told["keras"] == "3.0.0"
    assert told["lock file cpu"] == f"SHA-256 {'0' * 16}… (the first 16 digits)"
    assert "environment variables set aside" not in told
    machine = made_records.machine(keras="", device="", keeps_freed_memory=True, variables_set_aside=["A", "B"])
    told = {row["environment"]: row["value"] for row in tables.machine(machine)}
    assert not {"Keras backend", "device"} & set(told)
    assert told["memory"].endswith("; freed memory is kept") and told["environment variables set aside"] == "A, B"


def test_no_column_of_a_table_has_a_name_that_only_a_program_would_give():
    measured = made_records.scratch()
    rows = [
        *tables.speeds([measured.timing]),
        *tables.latencies([measured.timing]),
        *tables.steps(measured.training),
        *tables.poem_forms([("a", measured.form)]),
        *tables.poem_counts([("a", measured.form)]),
        *tables.trainings(measured),
        *tables.text_groups([made_records.text_group()], metrics.Table.VARIETY),
    ]
    assert not [name for row in rows for name in row if re.search("_", name)]


def test_no_table_of_poems_has_more_than_six_columns():
    measured = made_records.scratch()
    groups = [("a", measured.form)]
    for rows in (
        tables.poem_demands([("a", measured.form.shares)]),
        tables.poem_forms(groups),
        tables.poem_counts(groups),
        tables.poem_lines(measured.first_poem),
        tables.trainings(measured),
        tables.contests(measured),
    ):
        assert len(rows[0]) <= 6
