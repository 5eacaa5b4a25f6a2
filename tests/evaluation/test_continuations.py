import json
import math

import pandas as pd
import pytest

from lib.core.errors import UserError
from lib.evaluation import continuations, few_values, likelihood, metrics, statistics

LOOP = "and so on " * 12


def sample(label, prompt, continuation, **more):
    return {
        "label": label,
        "prompt": prompt,
        "sampler": label,
        "seed": None,
        "sample": 1,
        "text": prompt + continuation,
        "continuation": continuation,
        "token_ids": list(continuation.encode()),
        **more,
    }


def test_openings_are_the_beginnings_of_texts_and_how_they_go_on(tiny_lm):
    texts = ["too short", "My sister and I went home. Nobody was nearby.", "春眠不覺曉，處處聞啼鳥。夜來風雨聲"]
    told = continuations.openings(tiny_lm, texts, 6, 32, 2)
    assert list(told["prompt"]) == ["My sis", "春眠"]  # a byte a token
    first = told.iloc[0]
    assert first["text"] == texts[1][:31]  # and the start token
    assert first["text"] == first["prompt"] + first["continuation"]
    assert first["new_tokens"] == len(first["token_ids"]) == 32 - 1 - 6
    assert set(told["label"]) == {continuations.PEOPLE}
    assert list(told["invalid_bytes"]) == [0, 1]  # 25 bytes are eight characters and the beginning of one
    whole = likelihood.prompt_tokens(tiny_lm, first["prompt"]) + first["token_ids"]
    assert whole == likelihood.prompt_tokens(tiny_lm, texts[1])[:32]


def test_where_texts_are_told_apart_by_their_beginnings_no_two_are_the_same(tiny_lm):
    texts = [f"My sister {verb} and I went home. Nobody was nearby." for verb in ("ran", "sat", "sang", "ate")]
    assert list(continuations.openings(tiny_lm, texts, 9, 32, 3)["prompt"]) == ["My sister"] * 3
    told = continuations.openings(tiny_lm, texts, 11, 32, 2, distinct_from=["My sister r"])
    assert list(told["prompt"]) == ["My sister s", "My sister a"]
    with pytest.raises(UserError, match="3 different beginnings of texts of 32 tokens are asked for, but only 2 of 4"):
        continuations.openings(tiny_lm, texts, 11, 32, 3, distinct_from=["My sister r"])


def test_people_s_texts_can_be_cut_to_the_length_of_others(tiny_lm):
    people = continuations.openings(tiny_lm, ["My sister and I went home. Nobody was nearby."] * 2, 6, 32, 2)
    cut = continuations.shortened(people, [4, 99], tiny_lm.preprocessor.tokenizer)
    assert list(cut["continuation"]) == ["ter ", people["continuation"][1]]
    assert list(cut["text"]) == ["My sister ", people["text"][1]]
    assert list(cut["new_tokens"]) == [4, 25] and set(cut["label"]) == {continuations.PEOPLE_CUT}


def test_a_beginning_that_ends_within_a_character_is_not_taken(tiny_lm):
    with pytest.raises(
        UserError, match="2 beginnings of texts of 16 tokens are asked for, but only 1 of 2 held-out texts will do"
    ):
        continuations.openings(tiny_lm, ["春眠不覺曉，處處聞啼鳥。", "My sister and I went home."], 4, 16, 2)


def test_texts_are_judged_by_what_follows_the_prompt():
    samples = pd.DataFrame([sample("a", "one two one two ", LOOP), sample("a", "I ", "saw it."), sample("a", "I ", "")])
    loop, plain, empty = continuations.judge(samples, training=["he saw it all", "it. saw"]).to_dict("records")
    assert (loop["words"], loop["loop"], loop["longest_repeated"]) == (36, 100, 33)
    assert loop["rep_4"] == pytest.approx(100 * (1 - 3 / 33))
    assert loop["diversity"] == pytest.approx(3 / 35 * 3 / 34 * 3 / 33)
    assert loop["looped_spans"] == [(len("one two one two and so on"), len(loop["text"].rstrip()))]
    assert (plain["words"], plain["loop"], plain["rep_4"], plain["copied"]) == (3, 0, 0, 2)
    assert (empty["words"], empty["diversity"], empty["copied"]) == (0, 1, 0)
    assert math.isnan(plain["perplexity"]) and math.isnan(plain["invalid"])


def test_perplexity_and_broken_bytes_are_told_with_a_model(tiny_lm):
    tokens = likelihood.prompt_tokens(tiny_lm, "春!")[1:]
    samples = pd.DataFrame([sample("a", "I", "", token_ids=[*tokens[:2], tokens[3]])])
    (told,) = continuations.judge(samples, tiny_lm).to_dict("records")
    assert told["invalid"] == pytest.approx(100 * 2 / 3)  # two of the three bytes of a character, then "!"
    assert told["perplexity"] == pytest.approx(likelihood.perplexities(tiny_lm, samples)[0])


@pytest.mark.parametrize(
    ("text", "kept", "percent"), [("a春", 4, 0), ("a春", 3, 100 * 2 / 3), ("a春", 1, 0), ("", 0, 0)]
)
def test_the_share_of_broken_bytes(tiny_lm, text, kept, percent):
    tokenizer = tiny_lm.preprocessor.tokenizer
    token_ids = likelihood.prompt_tokens(tiny_lm, text)[1:][:kept]  # a byte a token: 1 + 3
    assert continuations.invalid_percent(token_ids, tokenizer) == pytest.approx(percent)


def test_bytes_that_only_continue_characters_are_all_broken(tiny_lm):
    (_, _, second, _) = likelihood.prompt_tokens(tiny_lm, "春")
    assert continuations.invalid_percent([second] * 5, tiny_lm.preprocessor.tokenizer) == 100


@pytest.fixture
def groups():
    plain = ["We saw the lake, and then went home again.", "Nobody was there; a dog followed us all the way."]
    rows = [sample("greedy", "I ", LOOP), sample("greedy", "You ", LOOP + "and")]
    rows += [sample("top-k", prompt, text + " It rained.") for prompt, text in zip(("I ", "You "), plain, strict=True)]
    rows += [sample(continuations.PEOPLE, prompt, text) for prompt, text in zip(("I ", "You "), plain, strict=True)]
    judged = continuations.judge(pd.DataFrame(rows))
    judged["perplexity"] = [2.0, 8.0, 20.0, 20.0, 25.0, 36.0]
    return continuations.summarise(judged)


def told(group, name):
    """A metric of a group: value, lower and upper end."""
    estimate = group.metrics[name]
    return estimate.value, estimate.low, estimate.high


def test_groups_are_means_with_intervals_and_figures_of_all_texts_together(groups):
    assert list(groups) == ["greedy", "top-k", continuations.PEOPLE]
    greedy, _, people = groups.values()
    assert (greedy.label, greedy.texts, greedy.loops) == ("greedy", 2, 2)
    assert told(greedy, "loop") == (100, *(100 * end for end in statistics.share_interval(2, 2)))
    assert told(greedy, "words") == (36.5, 36, 37)
    assert told(greedy, "perplexity") == pytest.approx((4, 2, 8))  # the geometric mean
    assert told(greedy, "distinct_1") == (pytest.approx(3 / 73), None, None)
    assert told(greedy, "distinct_2") == (pytest.approx(3 / 73), None, None)
    assert people.metrics["perplexity"].value == pytest.approx(30)
    assert people.metrics["self_bleu_4"].value < greedy.metrics["self_bleu_4"].value <= 1
    assert people.metrics["diversity"].value == 1 and people.loops == 0
    assert told(people, "copied") == (None, None, None)  # there were no training texts


def test_every_group_has_every_metric_of_the_registry(groups):
    assert all(list(group.metrics) == list(metrics.REGISTRY) for group in groups.values())


def test_texts_can_be_grouped_by_another_column():
    rows = [sample("after", prompt, text) for prompt, text in (("I ", LOOP), ("You ", "saw it."), ("I ", "saw it."))]
    groups = continuations.summarise(continuations.judge(pd.DataFrame(rows)), by="prompt")
    assert {name: (group.label, group.texts, group.loops) for name, group in groups.items()} == {
        "I ": ("I ", 2, 1),
        "You ": ("You ", 1, 0),
    }


def test_texts_without_a_perplexity_are_left_out_of_its_mean():
    judged = continuations.judge(pd.DataFrame([sample("a", "I ", text) for text in ("saw it.", "", "went.")]))
    assert told(continuations.summarise(judged)["a"], "perplexity") == (None, None, None)  # without a model
    judged["perplexity"] = [2.0, math.nan, 8.0]
    assert continuations.summarise(judged)["a"].metrics["perplexity"].value == pytest.approx(4)


def test_the_table_of_all_metrics_has_their_intervals(groups):
    table = continuations.table(groups.values())
    assert list(table["label"]) == list(groups)
    assert list(table["texts"]) == [2, 2, 2] and list(table["loops"]) == [2, 0, 0]
    assert set(table) == {"label", "texts", "loops"} | {
        f"{name}{end}" for name in metrics.REGISTRY for end in ("", "_low", "_high")
    }
    greedy = table.iloc[0]
    assert tuple(greedy[["words", "words_low", "words_high"]]) == (36.5, 36, 37)
    assert table["copied"].isna().all() and table["distinct_1_low"].isna().all()


def judged_in_pairs():
    """Four prompts, continued by greedy decoding, top-k sampling and people; top-k in another order."""
    columns = ("prompt", "loop", "loop_holtzman", "looped", "rep_4", "diversity", "perplexity")
    rows = {
        "greedy": [("a", 100, 100, 60, 50, 0.1, 2), ("b", 100, 0, 40, 30, 0.2, 4), ("c", 100, 100, 80, 70, 0.0, 2)],
        "top-k": [("c", 0, 0, 0, 10, 0.6, 16), ("b", 0, 0, 0, 0, 0.8, 16), ("a", 100, 0, 20, 20, 0.7, 8)],
        continuations.PEOPLE: [("a", 0, 0, 0, 0, 0.9, 32), ("b", 0, 0, 0, 0, 1.0, 32), ("c", 0, 0, 0, 0, 0.9, 32)],
    }
    return pd.concat([pd.DataFrame(own, columns=columns).assign(label=label) for label, own in rows.items()])


def test_loops_in_people_s_texts_are_counted_by_both_rules():
    texts = [LOOP, LOOP + "the end of the story came late", "I saw it.", ""]
    told = continuations.loops_of_people(texts)
    assert (told.texts, told.loops, told.loops_holtzman) == (4, 2, 1)


def test_differences_are_paired_by_prompt():
    judged = judged_in_pairs()
    found = continuations.differences(judged, "greedy", "top-k")
    assert list(found) == ["loop", "loop_holtzman", "looped", "rep_4"]
    assert found["loop"] == statistics.paired_share_difference([True] * 3, [True, False, False])
    assert found["loop"].value == pytest.approx(200 / 3)
    assert found["loop_holtzman"].value == pytest.approx(200 / 3)
    assert found["looped"] == statistics.mean_difference([60, 40, 80], [20, 0, 0])
    assert found["rep_4"].value == pytest.approx(40) and (found["rep_4"].low, found["rep_4"].high) == (30, 60)


def test_a_prompt_that_only_one_group_has_is_left_out_of_the_differences():
    judged = judged_in_pairs()
    judged = judged[(judged["label"] != "top-k") | (judged["prompt"] != "a")]
    assert continuations.differences(judged, "greedy", "top-k")["rep_4"].value == pytest.approx((30 + 60) / 2)


def test_two_texts_of_a_group_that_continue_one_prompt_cannot_be_paired():
    judged = judged_in_pairs().replace({"prompt": {"b": "a"}})
    with pytest.raises(ValueError, match="duplicate"):
        continuations.differences(judged, "greedy", "top-k")


def test_each_sampler_is_compared_with_people_after_the_same_prompts():
    found = continuations.beside_people(judged_in_pairs())
    assert list(found) == ["greedy", "top-k"]
    assert found["greedy"].diversity_difference.value == pytest.approx(-(0.8 + 0.8 + 0.9) / 3)
    assert found["greedy"].perplexity_ratio == few_values.mean_ratio([2, 4, 2], [32, 32, 32])
    assert found["greedy"].perplexity_ratio.value == pytest.approx((1 / 16 * 1 / 8 * 1 / 16) ** (1 / 3))
    without = judged_in_pairs().assign(perplexity=math.nan)
    assert continuations.beside_people(without)["top-k"].perplexity_ratio.value is None


def test_texts_become_records_judged_or_not():
    rows = pd.DataFrame([sample("top-k", "one two ", LOOP, seed=7, sample=3), sample("top-k", "I ", "saw it.")])
    rows = rows.assign(new_tokens=[5, 2], ended=[True, False], invalid_bytes=[1, 0])
    plain, _ = continuations.records(rows)
    assert (plain.label, plain.sampler, plain.prompt, plain.text) == ("top-k", "top-k", "one two ", "one two " + LOOP)
    assert (plain.seed, plain.number, plain.new_tokens, plain.ended, plain.invalid_bytes) == (7, 3, 5, True, 1)
    assert (plain.rep_4_percent, plain.looped_percent, plain.looped_spans) == (None, None, [])
    loop, other = continuations.records(continuations.judge(rows))
    assert loop.rep_4_percent == pytest.approx(100 * (1 - 3 / 33)) and loop.looped_percent == pytest.approx(
        100 * 33 / 36
    )
    assert loop.looped_spans == [(len("one two and so on"), len(loop.text.rstrip()))]
    assert (other.rep_4_percent, other.looped_percent, other.looped_spans, other.seed) == (0, 0, [], None)


def test_the_perplexity_of_a_text_is_recorded_where_it_is_known():
    row = sample("a", "I ", "saw.", text="I saw.", new_tokens=1, ended=False, invalid_bytes=0)
    for perplexity, told in ((12.5, 12.5), (float("nan"), None)):
        (kept,) = continuations.records(pd.DataFrame([row | {"perplexity": perplexity}]))
        assert kept.perplexity == told and ("perplexity" in kept.model_dump()) is (told is not None)


def test_a_text_that_json_cannot_hold_is_spelled_out():
    row = sample("a", "I ", "saw.", text="I saw \ud800.", new_tokens=1, ended=False, invalid_bytes=0)
    (kept,) = continuations.records(pd.DataFrame([row], dtype=object))
    assert kept.text == "I saw \\ud800."
    json.dumps(kept.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode()


def test_texts_that_are_the_same_as_those_of_one_sampler_are_counted():
    rows = [
        sample(label, prompt, text)
        for label, text in (("greedy", "a"), ("top-p", "a"), ("random", "b"))
        for prompt in "xy"
    ]
    rows[3]["token_ids"] = [7]
    judged = pd.DataFrame([*rows, sample(continuations.PEOPLE, "x", "a")])
    assert continuations.same_as(judged, "greedy") == {"top-p": 1, "random": 0}
    assert continuations.same_as(judged, "random") == {"greedy": 0, "top-p": 0}


def test_the_time_of_a_batch_is_told_once_and_people_have_none():
    rows = [sample("greedy", prompt, "a", new_tokens=3, batch_seconds=9.5) for prompt in "xy"]
    rows += [sample("top-k", "x", "a", new_tokens=4, batch_seconds=2.5)]
    rows += [sample(continuations.PEOPLE, "x", "a", new_tokens=5, batch_seconds=math.nan)]
    assert [tuple(time.model_dump().values()) for time in continuations.batch_times(pd.DataFrame(rows))] == [
        ("greedy", 2, 6, 9.5),
        ("top-k", 1, 4, 2.5),
    ]


def test_beginnings_are_the_first_tokens_of_texts_that_are_long_enough(tiny_lm):
    tokenizer = tiny_lm.preprocessor.tokenizer
    told = continuations.beginnings(["too short", "My sister and I", "春眠不覺曉，處處"], tokenizer, 10, 2)
    assert list(told["continuation"]) == ["My sister ", "春眠不�"] == list(told["text"])
    assert list(told["invalid_bytes"]) == [0, 1] and list(told["sample"]) == [1, 2]
    assert [len(tokens) for tokens in told["token_ids"]] == [10, 10] and set(told["prompt"]) == {""}
    cut = continuations.shortened(told, [2, 99], tokenizer)
    assert list(cut["text"]) == ["My", "春眠不�"] and list(cut["new_tokens"]) == [2, 10]
    with pytest.raises(UserError, match="3 beginnings of texts of 10 tokens are asked for, but only 2 of 3 texts"):
        continuations.beginnings(["too short", "My sister and I", "春眠不覺曉，處處"], tokenizer, 10, 3)


def test_paragraphs_are_joined_until_they_are_long_enough(tiny_lm):
    tokenizer = tiny_lm.preprocessor.tokenizer
    made = continuations.pieces(["abc", "def", "ghijklmnop", "rest"], tokenizer, 8)  # a byte a token
    assert made == ["abc\ndef\n", "ghijklmnop\n"]
