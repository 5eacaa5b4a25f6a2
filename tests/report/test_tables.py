import re

import made_records
import pytest
from made_records import estimate

from lib.claims import beside_post, post
from lib.core.records import DecodingStep
from lib.evaluation import metrics, poem_form
from lib.report import tables
from lib.report.numbers import DASH


def test_speeds_tell_first_and_later_calls_and_how_wide_they_spread():
    own = made_records.timing("own", 12.0, (2.9, 3.0, 9.1), step=DecodingStep.OWN)
    first, second = tables.speeds([made_records.timing("as in the post"), own])
    assert first["first call s"] == 20.0 and first["later calls, median s"] == 5.0 and first["later calls"] == 3
    assert first["new tokens"] == 150 and first["new tokens per s"] == 30.0
    assert first["decoding step"] == "KerasHub's decoding step" and second["decoding step"].startswith("this project's")
    assert (first["spread"], second["spread"]) == ("narrow", "wide")


def test_latencies_are_in_milliseconds_and_a_time_that_is_not_known_is_none():
    (row,) = tables.latencies([made_records.timing(seconds_per_output_token=0.025)])
    assert row["time to first token ms"] == 500 and row["time per output token ms"] == 25
    assert row["load s"] is None


def test_steps_tell_how_a_batch_was_divided():
    (row,) = tables.steps(made_records.training(texts_at_a_time=2))
    assert (row["texts per step"], row["texts at a time"]) == (4, 2)
    assert (row["first step s"], row["later median ms"]) == (20, 500)


def test_held_out_figures_stand_before_and_after():
    measured = made_records.tang()
    before, after = tables.held_out(measured.held_out, measured.likelihood, "poems")
    assert (before["held-out poems"], after["held-out poems"]) == ("before", "after")
    assert (before["token loss"], after["token loss"]) == (4.5, 4.1)
    assert (before["accuracy"], after["accuracy"]) == (0.2, 0.3)
    assert (before["bits per character"], after["bits per character"]) == (14.5, 9.25)


def test_tables_of_texts_show_intervals_and_a_dash_where_there_is_nothing():
    groups = [
        made_records.text_group("greedy", perplexity=estimate(4.0, 2.0, 8.0), words=estimate(36.5, 36.0, 37.0)),
        made_records.text_group("people", perplexity=estimate(2.0)),
    ]
    repetition = tables.text_groups(groups, metrics.Table.REPETITION)
    assert [row["texts by"] for row in repetition] == ["greedy", "people"]
    assert [row["texts"] for row in repetition] == [4, 4]
    assert repetition[0]["words"] == 36.5
    assert repetition[0]["rep-4 %"] == "5.0 (4.5–5.5)"
    variety = tables.text_groups(groups, metrics.Table.VARIETY)
    assert [row["perplexity"] for row in variety] == ["4.0 (2.0–8.0)", "2.00"]
    assert [row["longest copied span (words)"] for row in variety] == ["–", "–"]
    assert variety[0]["distinct-1"] == 0.5 and "texts" not in variety[0]


def test_every_metric_is_shown_in_one_of_the_two_tables():
    groups = [made_records.text_group()]
    shown = [name for table in metrics.Table for name in tables.text_groups(groups, table)[0]]
    assert sorted(shown) == sorted(["texts by", "texts by", "texts", *(one.label for one in metrics.REGISTRY.values())])


def test_the_form_of_poems_has_a_row_for_each_group_and_a_column_for_each_share():
    assert {**tables.DEMANDS, **tables.FORM}.keys() == set(poem_form.SHARES)
    assert not set(tables.DEMANDS) & set(tables.FORM)
    groups = {"after": made_records.poem_form(alternating=None), "Tang poets": made_records.poem_form(95.0)}
    after, poets = tables.poem_forms(groups)
    assert (after["poems by"], poets["poems by"]) == ("after", "Tang poets")
    assert after["alternating tones %"] == "–" and poets["regular lines %"] == "90 (85–95)"
    assert (after["pairs for rhyme"], after["rhyme not known %"]) == (12, 4.0)
    assert (after["pairs for tones"], after["tones not known %"]) == (40, 20.0)
    assert after["longest copied"] == 6.0 and after["couplets"] == 16


def test_the_three_demands_have_a_column_each_and_a_dash_where_a_group_has_no_figure():
    form, couplets = made_records.poem_form(rhyme=None), made_records.couplet_form(95.0, 90.0)
    poems, middle = tables.poem_demands([("a", "its poems", form.shares), ("b", "poems", couplets.shares)])
    assert (poems["poems by"], poems["interval over"]) == ("a", "its poems")
    assert poems["form: well formed %"] == "60 (55–65)" and poems["rhyme: pairs %"] == "–"
    assert poems["rhyme by a secondary reading only %"] == "6 (1–11)"
    assert middle["parallel: opposite tones %"] == "95.0 (93.0–97.0)" and middle["form: well formed %"] == "–"
    assert middle["parallel: words of a kind, percentile"] == "90.0 (88.0–92.0)"


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
    assert [row["alternates"] for row in told] == ["yes", "yes", "–", "unknown", "no", "yes"]
    assert [row["length"] for row in told] == ["as it should be"] * 2 + ["wrong"] + ["as it should be"] * 3
    assert [row["rhymes"] for row in told] == ["", "yes", "", "unknown", "no", "by a secondary reading only"]
    assert [row["rhyme group, primary reading"] for row in told] == ["", "篠、蕭", "", "unknown", "", "御"]
    assert [row["other readings"] for row in told] == [""] * 5 + ["語"]


def test_what_the_trainings_took_counts_the_probe_and_compiling():
    own, theirs = tables.trainings(made_records.scratch())
    assert (own["model"], theirs["model"]) == ("from scratch", "fine-tuned")
    assert own["seconds"] == 201 and theirs["seconds"] == made_records.tang().training.seconds
    assert own["of which compiling s"] == 3.0 + 3.0 and theirs["of which compiling s"] == 20
    assert own["poems"] == 10 * 32 and theirs["poems"] == 4 * 8
    assert own["parameters"] == 3_300_000 and theirs["parameters"] == 124_439_808
    assert own["step ms"] == pytest.approx(300)


def test_bits_per_character_of_several_models_stand_together():
    told = made_records.tang().likelihood
    rows = tables.likelihoods({"fine-tuned": told.after, "before": told.before})
    assert [(row["model"], row["bits per character"]) for row in rows] == [("fine-tuned", 9.25), ("before", 14.5)]


def test_who_is_better_is_told_measure_by_measure():
    told = {row["measure"]: row["better"] for row in tables.contests(made_records.scratch())}
    assert told["bits per character"] == told["well-formed poems"] == told["seconds per poem"] == "from scratch"
    assert told["rhyme"] == "not told apart by the interval of the difference"
    measured = made_records.scratch(form=made_records.poem_form(20.0, None))
    told = {row["measure"]: row["better"] for row in tables.contests(measured)}
    assert told["well-formed poems"] == "fine-tuned" and "rhyme" not in told


def test_a_batch_s_time_is_also_told_per_text():
    (row,) = tables.batch_times(made_records.samplers().times)
    assert (row["batch seconds"], row["seconds per text"]) == (9.5, 9.5 / 4)


def test_published_figures_stand_beside_the_rows_that_come_nearest():
    (row,) = tables.published(made_records.samplers().published)
    assert row["published"] == "Greedy" and row["here"] == "greedy"
    assert (row["ends in a loop %, published"], row["ends in a loop %, here"]) == (73.66, 75.0)
    assert (row["self-BLEU-4 published"], row["self-BLEU-4 here"]) == (0.5, 0.2)


def test_what_the_prompts_led_to_stands_beside_people():
    rows = tables.quality(made_records.baseline().quality.groups)
    assert [row["texts"] for row in rows] == [2, 2, 3, 2, 2, 2, 2]
    assert rows[2]["text by"] == "the model, Chinese prompt" and rows[5]["text by"] == "people, Chinese declaration"
    assert (rows[2]["in English"], rows[2]["in Chinese"]) == (1, 2)
    assert rows[2]["letters in words %"].startswith("47 (") and rows[5]["letters in words %"] == "78.0 (76.0–80.0)"
    assert rows[6]["broken bytes %"] == rows[6]["looped %"] == DASH
    assert rows[2]["tokens per character"] == pytest.approx(100 / 60)


def test_a_group_without_texts_has_dashes_and_no_figures():
    (row,) = tables.quality([made_records.text_quality("nobody", (), (), ())])
    assert row["texts"] == 0 and row["letters in words %"] == DASH and row["tokens per character"] is None


def test_each_list_of_words_tells_its_size_and_whether_it_is_used():
    names = {"people_chinese": "people"}
    small, large = tables.word_lists(made_records.baseline().word_lists, names)
    assert (small["Chinese words"], small["used"], large["Chinese words"], large["used"]) == (
        24_000,
        True,
        288_000,
        False,
    )
    assert small["its words occur at least"] == "once in 1 million words"
    assert large["its words occur at least"] == "once in 100 million words"
    assert small["people %"] == 78.0


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
    assert told["cpu lock"] == "SHA-256 " + "0" * 16
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
        *tables.poem_forms({"a": measured.form}),
        *tables.trainings(measured),
        *tables.text_groups([made_records.text_group()], metrics.Table.VARIETY),
    ]
    assert not [name for row in rows for name in row if re.search("_", name)]
