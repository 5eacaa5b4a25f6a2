import json

import made_records
import pytest
from made_records import timing

from lib.claims import beside_post, experiments, post, post_claims
from lib.core.records import DecodingStep, SpeedVerdict
from lib.report import claims_words

POST = post.blog_post()
FOUND = made_records.experiments(
    baseline=made_records.results("01_baseline", stand_ins=[made_records.stand_in("small", "big")])
)


def row(name, subject="", found=FOUND):
    (only,) = [row for row in beside_post.rows(found, POST) if (row.name, row.subject) == (name, subject)]
    return only


def test_the_rows_stand_in_the_order_of_the_post():
    assert [(row.name, row.subject) for row in beside_post.rows(FOUND, POST)] == [
        ("call", ""),
        ("rate", ""),
        ("after", ""),
        ("speed_up", ""),
        *((name, subject) for subject in ("stories", "poems") for name in ("step", "training", "loss", "accuracy")),
        ("greedy", ""),
        ("chinese", ""),
        ("poem_time", ""),
        ("poem", ""),
    ]


def test_a_first_call_stands_beside_a_later_one():
    told = row("call")
    assert told.post["seconds"] == 22.81
    assert told.here == {"first": 20.0, "later": 5.0, "tokens": 200, "step": DecodingStep.KERASHUB}
    assert told.why == {"times": 4.0, "where": "Test CPU", "backend": "jax"}


def test_the_post_s_tokens_are_those_that_the_post_made():
    found = made_records.experiments(baseline=made_records.baseline(as_in_post=timing(max_length=48)))
    assert row("call", found=found).post == {"seconds": 22.81, "tokens": 200}


def test_tokens_per_second_are_of_new_tokens_and_as_the_post_counts():
    told = row("rate")
    assert told.post == {"rate": 8.77}
    assert told.here == {"later": 30.0, "first": 10.0}  # 150 new ones in 5 s, 200 of all in 20 s


def test_the_speed_up_is_the_post_s_arithmetic_and_ours():
    told = row("speed_up")
    assert told.post["times"] == pytest.approx(22.81 / 9.0)
    ratio = FOUND.reddit.measured.speed_ratio
    assert told.here["times"] == ratio.model_dump() and told.here["pairs"] == 3
    assert (told.here["before"], told.here["after"], told.here["speed"]) == (5.0, 4.0, SpeedVerdict.FASTER)
    assert told.here["step"] == DecodingStep.KERASHUB
    assert told.why == {"first_before": 17.6, "first_after": 16.0}


def test_calls_of_different_decoding_steps_are_not_set_against_each_other():
    assert row("after").why["another_step"] is False
    after = timing("after", 16.0, (3.9, 4.0, 4.1), max_length=190, step=DecodingStep.OWN)
    told = row("after", found=made_records.experiments(reddit=made_records.reddit(after=after)))
    assert told.why["another_step"] is True
    assert told.post == {"seconds": 9.0, "rate": 22}
    rate = after.new_tokens / 4.0
    assert told.here == {"first": 16.0, "later": 4.0, "tokens": 190, "rate": rate, "step": DecodingStep.OWN}


def test_steps_of_training_stand_beside_the_post_s():
    stories, poems = (row("step", subject) for subject in ("stories", "poems"))
    assert stories.post == {"milliseconds": 196, "batch": 32}
    assert stories.here == {"milliseconds": 500, "batch": 4, "rate": 80.0, "first": 20.0}
    assert poems.post == {"milliseconds": 242, "batch": 20}  # 10,000 poems in 500 steps
    assert poems.here["batch"] == 8
    assert stories.why == poems.why == {"where": "Test CPU", "backend": "jax"}


def test_losses_tell_the_share_of_padding_and_the_stand_ins():
    told = row("loss", "poems")
    assert (told.post, told.here) == ({"loss": 2.325}, {"loss": 2.0})
    assert told.why == {"stand_ins": [], "lora_rank": 0, "here": 32, "post": 10_000, "useful": 50.0, "token_loss": 4.0}
    assert row("loss", "stories").why["post"] == 500 * 32
    stand_in = made_records.stand_in("brown", "reddit")
    found = made_records.experiments(reddit=made_records.results("02_reddit_finetune", stand_ins=[stand_in]))
    for name in ("loss", "accuracy"):
        assert row(name, "stories", found).why["stand_ins"] == [{"used": "brown", "requested": "reddit"}]
        assert row(name, "poems", found).why["stand_ins"] == []
    assert row("chinese").why == {"stand_ins": [{"used": "small", "requested": "big"}]}


def test_adapters_in_place_of_all_weights_are_told_beside_the_post_s_loss():
    for name in ("loss", "accuracy"):
        told = row(name, "stories", made_records.experiments())
        assert "adapters" not in claims_words.beside(told)["why"]
        told.why["lora_rank"] = 4
        assert "low-rank adapters of rank 4 trained in place of all weights" in claims_words.beside(told)["why"]
        assert "秩为 4" in claims_words.beside(told, "zh")["why"]


def test_accuracies_on_training_texts_stand_beside_those_on_held_out_ones():
    told = row("accuracy", "stories")
    assert (told.post, told.here) == ({"accuracy": 0.3263}, {"accuracy": 0.25, "before": 0.2, "after": 0.3})


def test_the_time_of_a_training_stands_beside_the_post_s_which_its_own_log_contradicts():
    told = row("training", "stories")
    assert told.post == {"seconds": 128, "steps": 500, "batch": 32}
    assert told.here == {"seconds": 21.5, "steps": 4, "batch": 4}
    assert (told.why["printed"], told.why["product"]) == (128, 98.0)


def test_loops_stand_beside_those_of_people():
    told = row("greedy")
    assert told.here == {
        "greedy": {"loops": 3, "texts": 4},
        "top_k": {"loops": 0, "texts": 8},
        "people": {"loops": 0, "texts": 4},
    }
    assert told.why == {"tokens": 140}


def test_words_and_loops_after_the_chinese_prompt_stand_beside_people_s_chinese():
    quality = FOUND.baseline.measured.quality
    assert row("chinese").here == {
        "chinese": {"words": quality.chinese.shares["words"].value, "looped": quality.chinese.shares["looped"].value},
        "people": {
            "words": quality.people_chinese.shares["words"].value,
            "looped": quality.people_chinese.shares["looped"].value,
        },
    }


def test_the_time_and_the_form_of_a_poem_stand_beside_the_post_s():
    told = row("poem_time")
    assert told.post == {"seconds": 12.86}
    assert (told.here["first"], told.here["later"]) == (9.0, 2.0)
    assert row("poem").here == {"demands": post_claims.demands(FOUND)}


def test_where_there_is_nothing_to_judge_there_is_no_figure():
    tang = made_records.tang(after=made_records.poem_form(well_formed=None, rhyme=None))
    told = row("poem", found=made_records.experiments(tang=tang)).here["demands"]
    for shares in told.values():
        assert shares["rhyme"]["after"]["value"] is None and shares["rhyme"]["tang"]["value"] is not None


def figures_in(value):
    """All numbers in what a YAML file holds."""
    if isinstance(value, dict):
        return set().union(*map(figures_in, value.values()))
    return {float(value)} if isinstance(value, int | float) else set()


def test_every_figure_of_the_post_has_a_counterpart():
    told = set().union(*(figures_in(row.post) for row in beside_post.rows(FOUND, POST)))
    assert figures_in(POST) - told == {10_000.0}  # poems: the steps times the poems of a step
    assert 500 * 20 == 10_000 and row("training", "poems").post["batch"] == 20


def test_a_gpu_is_named_where_one_ran():
    machine = made_records.machine(device="Tesla T4", keras="tensorflow, float32")
    found = made_records.experiments(baseline=made_records.results("01_baseline", machine=machine))
    for name, subject in (("call", ""), ("after", ""), ("step", "poems"), ("poem_time", "")):
        why = row(name, subject, found).why
        assert (why["where"], why["backend"]) == ("Tesla T4", "tensorflow")


def other_numbers(found):
    """The experiments with all that was measured replaced by other numbers."""
    changed = {}
    for name in experiments.NOTEBOOKS:
        results = getattr(found, name)
        content = json.loads(
            json.dumps(results.model_dump(mode="json", include={"measured", "parameters"})),
            parse_float=lambda text: float(text) * 1.5 + 1,
            parse_int=lambda text: int(text) + 1,
        )
        changed[name] = type(results).model_validate(results.model_dump() | content)
    return made_records.experiments(**changed)


def test_every_row_changes_with_the_results_and_what_the_post_says_does_not():
    for before, after in zip(beside_post.rows(FOUND, POST), beside_post.rows(other_numbers(FOUND), POST), strict=True):
        assert before.here != after.here, before.name
        for name in before.post:
            if (before.name, name) != ("call", "tokens"):  # see the test of these above
                assert before.post[name] == after.post[name], before.name


def test_the_post_s_rates_stand_beside_each_call_in_both_ways_of_counting():
    table = {told.pop("call"): told for told in beside_post.rates(FOUND, POST)}
    assert len(table) == 10
    told = table["post", "first call of all", ""]
    assert told == {"wide": False, "seconds": 22.81, "as_the_post_counts": 8.77, "new_tokens_only": None}
    assert table["post", "after fine-tuning", ""]["as_the_post_counts"] == 22
    told = table["here", "as in the post", "first"]
    assert told == {"wide": False, "seconds": 20.0, "as_the_post_counts": 10.0, "new_tokens_only": 7.5}
    assert table["here", "own decoding step", "later"]["new_tokens_only"] == 50
    for label in ("as in the post", "own decoding step", "before fine-tuning", "after fine-tuning"):
        assert {("here", label, "first"), ("here", label, "later")} <= set(table)


def test_the_post_s_call_stands_beside_the_same_lines_on_tensorflow_where_they_were_timed():
    there = timing("as in the post, on TensorFlow", 30.0, (9.9, 10.0, 10.1), backend="tensorflow")
    found = made_records.experiments(baseline=made_records.baseline(on_tensorflow=there))
    call, rate, after, *_ = beside_post.rows(found, POST)
    assert (call.here["first"], call.here["later"], call.why["times"]) == (30, 10, 3)
    assert (call.why["backend"], after.why["backend"]) == ("tensorflow", "jax")
    assert (after.why["another_step"], after.why["another_backend"]) == (False, "tensorflow")
    assert rate.here["later"] == 15
    labels = {told["call"][1] for told in beside_post.rates(found, POST)}
    assert {"as in the post, on TensorFlow", "as in the post", "own decoding step"} <= labels


def test_a_wide_spread_of_later_calls_is_flagged():
    found = made_records.experiments(baseline=made_records.baseline(as_in_post=timing(later=(4.0, 5.0, 9.0))))
    wide = {told["call"]: told["wide"] for told in beside_post.rates(found, POST)}
    assert [call for call in wide if wide[call]] == [("here", "as in the post", "later")]


def test_without_a_decoding_step_of_its_own_there_are_fewer_rates():
    found = made_records.experiments(baseline=made_records.baseline(own_step=None))
    labels = {told["call"][1] for told in beside_post.rates(found, POST)}
    assert labels == {"first call of all", "as in the post", "before fine-tuning", "after fine-tuning"}


def test_what_compiling_changes_is_told_of_the_calls_here():
    told = beside_post.compiling(FOUND, POST)
    assert told["speed_up"] == pytest.approx(22.81 / 9.0)
    assert (told["first_before"], told["first_after"]) == (17.6, 16.0)
    assert told["change"] == FOUND.reddit.measured.speed_ratio.model_dump()


def test_bits_are_compared_on_the_same_texts_only():
    found = {
        texts: {model: estimate.value for model, estimate in models.items()}
        for texts, models in beside_post.bits(FOUND).items()
    }
    assert found == {
        "stories": {"before": pytest.approx(1.4), "after": pytest.approx(1.25)},
        "poems": {"before": 14.5, "after": 9.25, "scratch": 8.25},
    }
