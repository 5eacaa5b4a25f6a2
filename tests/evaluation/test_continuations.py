import json
import math

import numpy as np
import pandas as pd
import pytest

from lib.core.errors import UserError
from lib.evaluation import continuations, likelihood

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
    assert list(cut["new_tokens"]) == [4, 25] and set(cut["label"]) == {"people, cut to that length"}


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
    assert loop["text"][int(loop["loop_start"]) : int(loop["loop_end"])] == "and so on"
    assert loop["loop_start"] == len("one two one two ")
    assert (plain["words"], plain["loop"], plain["rep_4"], plain["copied"]) == (3, 0, 0, 2)
    assert (empty["words"], empty["diversity"], empty["copied"]) == (0, 1, 0)
    assert math.isnan(plain["perplexity"]) and math.isnan(plain["invalid"])


def test_perplexity_and_broken_bytes_are_told_with_a_model(tiny_lm):
    tokens = likelihood.prompt_tokens(tiny_lm, "春!")[1:]
    samples = pd.DataFrame([sample("a", "I", "", token_ids=[*tokens[:2], tokens[3]])])
    (told,) = continuations.judge(samples, tiny_lm).to_dict("records")
    assert told["invalid"] == pytest.approx(100 * 2 / 3)  # two of the three bytes of a character, then "!"
    assert told["perplexity"] == pytest.approx(likelihood.perplexities(tiny_lm, samples)[0])


@pytest.fixture
def cells():
    plain = ["We saw the lake, and then went home again.", "Nobody was there; a dog followed us all the way."]
    rows = [sample("greedy", "I ", LOOP), sample("greedy", "You ", LOOP + "and")]
    rows += [sample("top-k", prompt, text + " It rained.") for prompt, text in zip(("I ", "You "), plain, strict=True)]
    rows += [sample(continuations.PEOPLE, prompt, text) for prompt, text in zip(("I ", "You "), plain, strict=True)]
    judged = continuations.judge(pd.DataFrame(rows))
    judged["perplexity"] = [2.0, 8.0, 20.0, 20.0, 25.0, 36.0]
    return continuations.cells(judged)


def test_cells_are_means_with_intervals_and_figures_of_all_texts_together(cells):
    greedy, _, people = cells.to_dict("records")
    assert (greedy["texts"], greedy["loops"], greedy["loop"]) == (2, 2, 100)
    assert greedy["words"] == 36.5 and (greedy["words_low"], greedy["words_high"]) == (36, 37)
    assert greedy["perplexity"] == pytest.approx(4)  # the geometric mean
    assert (greedy["perplexity_low"], greedy["perplexity_high"]) == (pytest.approx(2), pytest.approx(8))
    assert greedy["distinct_1"] == pytest.approx(3 / 73) and greedy["distinct_2"] == pytest.approx(3 / 73)
    assert people["perplexity"] == pytest.approx(30)
    assert people["self_bleu_4"] < greedy["self_bleu_4"] <= 1
    assert people["diversity"] == 1 and people["loops"] == 0
    assert math.isnan(people["copied"])


def test_tables_show_intervals_and_a_dash_where_there_is_nothing(cells):
    shown = continuations.repetition_table(cells)
    assert list(shown["texts by"]) == ["greedy", "top-k", "people"]
    assert shown["words"][0] == 36.5
    assert continuations.variety_table(cells)["perplexity"][0] == "4.00 (2.00–8.00)"
    assert list(continuations.variety_table(cells)["longest copied span (words)"]) == ["–"] * 3
    assert continuations.with_interval(2.0, math.nan, math.nan) == "2.00"


def test_the_finding_names_who_is_like_people(cells):
    told = continuations.finding(cells)
    assert "diversity of 1.00 and a perplexity of 30" in told
    assert "overlap people's: top-k." in told
    assert "lowest diversity has greedy" in told and "nearest to people's has top-k (20)" in told
    assert "people's: none." in continuations.finding(cells[cells["label"] != "top-k"])


def test_texts_that_are_the_same_as_the_first_sampler_s_are_counted():
    rows = [
        sample(label, prompt, text)
        for label, text in (("greedy", "a"), ("top-p", "a"), ("random", "b"))
        for prompt in "xy"
    ]
    rows[3]["token_ids"] = [7]
    told = continuations.same_as_first(pd.DataFrame([*rows, sample(continuations.PEOPLE, "x", "a")]))
    assert told == "Texts that are the same as those of greedy, token by token: top-p 1 of 2."
    assert continuations.same_as_first(pd.DataFrame(rows[:2] + rows[4:])).endswith("token by token: none.")


def test_what_is_stored_is_json():
    content = {"a": [1.0, math.nan, {"b": math.inf}], "c": pd.DataFrame({"d": [np.nan, 2.0]}), "e": "nan"}
    stored = continuations.storable(content)
    assert stored == {"a": [1.0, None, {"b": None}], "c": [{"d": None}, {"d": 2.0}], "e": "nan"}
    json.dumps(stored, allow_nan=False)


def test_shares_in_sentences():
    assert continuations.percent(12.4) == "12 %"
    assert continuations.percent(None) == continuations.percent(math.nan) == "(nothing to judge)"
