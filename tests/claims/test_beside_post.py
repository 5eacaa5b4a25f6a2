import copy
import json
import re

import pandas as pd
import pytest

from lib.claims import beside_post
from lib.core.errors import UserError
from lib.evaluation import timing

POST = beside_post.blog_post()
PROVENANCE = {"processor": "Test CPU", "device": "CPU", "Keras backend": "jax, float32"}


def experiment(metrics, stand_ins=()):
    return {"metrics": metrics, "stand_ins": list(stand_ins), "provenance": PROVENANCE}


def timed(label, cold, *warm, new_tokens=150, step="KerasHub's"):
    return {
        "label": label,
        "step": step,
        "max_length": 200,
        "new_tokens": new_tokens,
        "first_call_seconds": cold,
        "warm": timing.spread(warm),
        "tokens_per_second": new_tokens / timing.spread(warm)["median"],
        "samples": {timing.COLD: [cold], timing.WARM: list(warm)},
    }


def fit(batch):
    return {
        "steps": 10,
        "batch_size": batch,
        "step_milliseconds": 500.0,
        "useful_tokens_per_second": 80.0,
        "first_step_seconds": 20.0,
        "final_mean_loss": 2.0,
        "final_mean_token_loss": 4.0,
        "final_mean_accuracy": 0.25,
        "useful_percent_if_padded": 50.0,
    }


HELD_OUT = {"before": {"token_loss": 4.5, "accuracy": 0.2}, "after": {"token_loss": 4.1, "accuracy": 0.3}}


def form(well_formed, rhyme, alternating):
    shares = {"well_formed": well_formed, "rhyme": rhyme, "alternating": alternating}
    return {
        f"{name}_{part}": share + by
        for name, share in shares.items()
        for part, by in (("percent", 0.0), ("low", -5.0), ("high", 5.0))
    }


def cell(label, loops, texts, rep_4, diversity):
    return {"label": label, "loops": loops, "texts": texts, "rep_4": rep_4, "diversity": diversity} | {
        f"{name}_{end}": value + by
        for name, value in (("rep_4", rep_4), ("diversity", diversity))
        for end, by in (("low", -1.0), ("high", 1.0))
    }


def bits(*by_text):
    return {"bits_per_character": sum(by_text) / len(by_text), "by_text": list(by_text)}


FORM = {"before": form(5.0, 10.0, 50.0), "after": form(60.0, 12.0, 55.0)}
FORM |= {"tang": form(95.0, 90.0, 90.0), "shuffled": form(95.0, 5.0, 48.0)}
FOUND = {
    "01_baseline": experiment(
        {
            "timing": [timed("as in the post", 20.0, 4.9, 5.0, 5.1), timed("own decoding step", 12.0, 2.9, 3.0, 3.1)],
            "prompts": [{"rep_4_percent": 1.0, "broken_bytes": 0}, {"rep_4_percent": 50.0, "broken_bytes": 7}],
        },
        ["small in place of big"],
    ),
    "02_reddit_finetune": experiment(
        {
            "training": fit(4),
            "held_out": HELD_OUT,
            "timing": [timed("before", 17.6, 4.9, 5.0, 5.1), timed("after", 16.0, 3.9, 4.0, 4.1)],
            "likelihood": {"before": bits(1.3, 1.5), "after": bits(1.2, 1.3)},
        }
    ),
    "03_greedy_vs_top_k": experiment(
        {"cells": [cell("greedy", 3, 4, 40.0, 0.5), cell("top-k", 0, 8, 5.0, 0.9), cell("people", 0, 4, 1.0, 0.95)]}
    ),
    "04_tang_poetry": experiment(
        {
            "training": fit(8),
            "held_out": HELD_OUT,
            "form": FORM,
            "timing": [timed("after", 9.0, 2.0)],
            "likelihood": {"before": bits(14.0, 15.0), "after": bits(9.0, 9.5)},
        }
    ),
    "05_from_scratch": experiment(
        {"likelihood": bits(8.0, 8.5), "form": form(80.0, 14.0, 60.0), "wins": {"bits_per_character": "from scratch"}}
    ),
}
FOUND["03_greedy_vs_top_k"]["parameters"] = {"max_length": 140}
FOUND["05_from_scratch"]["answer"] = "It won."


def numbers(text):
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text.replace("rep-4", "")))


def row(found, start):
    (only,) = [row for row in beside_post.rows(found, POST) if row["what"].startswith(start)]
    return only


def test_the_share_of_compiling_is_computed():
    told = row(FOUND, "Pretrained model, one call")
    assert told["blog post"] == "22.81 s"
    assert told["here"] == "20.0 s cold, 5.00 s warm (KerasHub's decoding step)"
    assert "75 % of it" in told["why they differ"]
    assert "Test CPU, Keras on jax" in told["why they differ"]


def test_tokens_per_second_counts_new_tokens_and_says_what_the_post_counts():
    assert row(FOUND, "Tokens per second")["here"] == "30.0 warm, new tokens only; 10.0 as the post counts"


def test_the_speed_up_is_the_post_s_arithmetic_and_ours():
    told = row(FOUND, "Speed-up")
    assert told["blog post"] == "2.53 times"
    assert told["here"].startswith("1.25 times, 5.00 s warm before against 4.00 s warm after, both with")
    assert told["here"].endswith(": faster")
    assert "warm one after makes 4.40 times" in told["why they differ"]


def test_calls_of_different_decoding_steps_are_not_set_against_each_other():
    assert "another decoding step" not in row(FOUND, "One call after")["why they differ"]
    found = copy.deepcopy(FOUND)
    for told in found["02_reddit_finetune"]["metrics"]["timing"]:
        told["step"] = "this project's"
    told = row(found, "One call after")
    assert "this project's decoding step" in told["here"] and "another decoding step" in told["why they differ"]


def test_losses_tell_the_share_of_padding_and_the_stand_ins():
    told = row(FOUND, "Fine-tuning on poems, loss")
    assert (told["blog post"], told["here"]) == ("2.325", "2.000")
    assert "the same preset and texts; 80 texts seen instead of 10,000" in told["why they differ"]
    assert "50 % of the positions are text, and per token it is 4.000" in told["why they differ"]
    assert "small in place of big" in row(FOUND, "The Chinese prompt")["why they differ"]


def test_the_post_s_rates_stand_beside_each_row_in_both_ways_of_counting():
    table = {told.pop("call"): told for told in beside_post.rates(FOUND, POST)}
    assert table["blog post, first call of all"]["as_the_post_counts"] == 8.77
    assert table["blog post, after fine-tuning"]["as_the_post_counts"] == 22
    told = table["here, as in the post, cold"]
    assert told == {"seconds": 20.0, "as_the_post_counts": 10.0, "new_tokens_only": 7.5}
    assert table["here, own decoding step, warm"]["new_tokens_only"] == 50
    assert "here, before, cold" in table and len(table) == 10


def test_the_share_of_the_post_s_speed_up_that_compiling_explains_is_computed():
    assert "2.53 times as fast, from 22.81 s to 9.0 s" in (told := beside_post.compiling(FOUND, POST))
    assert "here 4.00 times as long" in told and "explains all of it and more" in told
    assert "1.25 times as fast: faster" in told
    found = copy.deepcopy(FOUND)
    found["01_baseline"]["metrics"]["timing"][0] = timed("as in the post", 10.0, 6.25)
    assert "explains 51 % of it" in beside_post.compiling(found, POST)


def test_every_row_changes_with_the_results():
    changed = json.loads(
        json.dumps(FOUND), parse_float=lambda text: float(text) * 1.5 + 1, parse_int=lambda text: int(text) + 1
    )
    for before, after in zip(beside_post.rows(FOUND, POST), beside_post.rows(changed, POST), strict=True):
        assert before["here"] != after["here"] or before["why they differ"] != after["why they differ"], before["what"]
        assert before["blog post"] == after["blog post"]


def test_chinese_says_the_same_in_chinese():
    for english, chinese in zip(beside_post.rows(FOUND, POST), beside_post.rows(FOUND, POST, "zh"), strict=True):
        for key, text in english.items():
            assert numbers(text) == numbers(chinese[key])
            assert re.search("[\u4e00-\u9fff]", chinese[key]) or numbers(text) == [text], text
    assert "以 small 代替 big" in beside_post.rows(FOUND, POST, "zh")[-3]["why they differ"]


def test_a_gpu_is_named_where_one_ran():
    found = copy.deepcopy(FOUND)
    found["01_baseline"]["provenance"] = {**PROVENANCE, "device": "Tesla T4", "Keras backend": "tensorflow, float32"}
    assert "Tesla T4, Keras on tensorflow" in row(found, "A poem")["why they differ"]


def test_missing_results_say_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    with pytest.raises(UserError, match="make report NOTEBOOK=01_baseline PROFILE=cpu"):
        beside_post.load_all("cpu")


def test_loops_rhymes_and_tones_stand_beside_people_and_chance():
    told = row(FOUND, "Greedy decoding")
    assert told["here"].startswith("a loop in 3 of 4 texts (top-k: 0 of 8; people: 0 of 4); rep-4 40 %")
    assert "140 tokens" in told["why they differ"]
    told = row(FOUND, "Its rhyme")
    assert "even lines: 12 % (Tang poets: 90 %, by chance: 5 %)" in told["here"]
    assert "tones: 55 % (Tang poets: 90 %, by chance: 48 %)" in told["here"]


def test_published_figures_stand_beside_the_rows_that_come_nearest():
    cells = pd.DataFrame({"label": ["greedy", "top_k (k=40)", "people"], "loop": 25.0, "self_bleu_4": 0.2})
    told = beside_post.published(cells).set_index("here")
    assert list(told.index) == ["people", "greedy", "top_k (k=40)"]
    assert told.loc["greedy", "loops_percent_published"] == 73.66 and told.loc["greedy", "loops_percent_here"] == 25
    assert told.loc["people", "self_bleu_4_published"] == 0.31


def test_bits_and_poems_of_all_models_stand_together():
    assert beside_post.bits(FOUND) == {
        "stories, before": pytest.approx(1.4),
        "stories, fine-tuned": pytest.approx(1.25),
        "poems, before": 14.5,
        "poems, fine-tuned": 9.25,
        "poems, from scratch": 8.25,
    }
    groups = beside_post.poem_groups(FOUND)
    assert [group["well_formed_percent"] for group in groups.values()] == [5, 60, 80, 95, 95]
