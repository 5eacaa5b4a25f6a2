import copy
import re

import pandas as pd
import pytest
import test_comparison

from lib.claims import post_claims
from lib.report import site, wording

POST, FOUND = test_comparison.POST, test_comparison.FOUND


def told(found, start):
    (only,) = [
        row for row in post_claims.table(found, POST).to_dict("records") if row["the post says"].startswith(start)
    ]
    return only


numbers = test_comparison.numbers


def changed(notebook, *path, **values):
    found = copy.deepcopy(FOUND)
    place = found[notebook]["metrics"]
    for key in path:
        place = place[key]
    place.update(values)
    return found


def test_the_speed_up_holds_only_if_warm_calls_are_faster():
    assert told(FOUND, "Fine-tuning makes generating 2.5 times")["here"] == "holds"
    found = copy.deepcopy(FOUND)
    found["02_reddit_finetune"]["metrics"]["timing"][1] = test_comparison.timed("after", 16.0, 4.9, 5.0, 5.1)
    row = told(found, "Fine-tuning makes generating")
    assert row["here"] == "does not hold" and "the same within the spread" in row["because"]


@pytest.mark.parametrize(
    ("after", "here", "because"),
    [
        ([2.0, 2.0, 2.0], "holds", "1.00 to 1.00 fewer"),
        ([4.0, 4.0, 4.0], "does not hold", "1.00 to 1.00 more"),
        ([2.0, 3.0, 4.0], "open", "between 1.00 fewer and 1.00 more"),
    ],
)
def test_the_style_is_learned_if_held_out_texts_take_fewer_bits(after, here, because):
    found = changed("02_reddit_finetune", "likelihood", "before", by_text=[3.0, 3.0, 3.0])
    found["02_reddit_finetune"]["metrics"]["likelihood"]["after"]["by_text"] = after
    row = told(found, "Fine-tuned on stories")
    assert row["here"] == here and because in row["because"]


def test_greedy_loops_if_it_repeats_itself_more_than_top_k_by_more_than_the_intervals():
    assert told(FOUND, "Greedy")["here"] == "holds"
    assert "3 of 4 texts against 0" in told(FOUND, "Greedy")["because"]
    assert told(changed("03_greedy_vs_top_k", "cells", 1, rep_4_high=50.0), "Greedy")["here"] == "open"
    found = changed("03_greedy_vs_top_k", "cells", 1, rep_4=90.0, rep_4_low=80.0, rep_4_high=95.0)
    assert told(found, "Greedy")["here"] == "does not hold"
    found = changed("03_greedy_vs_top_k", "cells", 0, rep_4_low=None, rep_4_high=None)  # of a single text
    assert told(found, "Greedy")["here"] == "open" and "rep-4 40.0 % against" in told(found, "Greedy")["because"]


@pytest.mark.parametrize(
    ("low", "high", "here"),
    [
        (86.0, 94.0, "holds"),  # above chance (5), and as the Tang poets (85 to 95)
        (40.0, 50.0, "holds in part"),
        (2.0, 12.0, "does not hold"),
        (2.0, 90.0, "open"),
        (None, None, "open"),
    ],
)
def test_poems_rhyme_if_they_do_more_than_by_chance_and_as_tang_poets_do(low, high, here):
    found = changed("04_tang_poetry", "form", "after", rhyme_low=low, rhyme_high=high, rhyme_percent=low)
    row = told(found, "Its poems rhyme")
    assert row["here"] == here
    assert ("(nothing to judge)" in row["because"]) == (low is None)
    assert "post's own poem 0 of 1" in row["because"]


def test_the_form_is_learned_if_it_is_above_the_floor():
    assert told(FOUND, "Fine-tuned on poems")["here"] == "holds in part"  # 55 to 65, before 0 to 10, Tang 90 to 100
    found = changed("04_tang_poetry", "form", "after", well_formed_high=92.0)
    assert told(found, "Fine-tuned on poems")["here"] == "holds"


def test_the_claims_are_told_by_whether_they_hold():
    table = pd.DataFrame({"the post says": ["A", "B", "C"], "here": ["holds", "does not hold", "holds"]})
    assert post_claims.verdicts(table) == "Holds: A; C. Does not hold: B."
    table["here"] = ["成立", "不成立", "成立"]
    assert post_claims.verdicts(table, "zh") == "成立：A；C。不成立：B。"


@pytest.mark.parametrize(
    ("counts", "english", "chinese"),
    [
        ((4, 1, 2, 0), "4 hold, 1 holds in part and 2 do not hold", "4 个成立，1 个部分成立，2 个不成立"),
        (
            (1, 2, 1, 1),
            "1 holds, 2 hold in part, 1 does not hold and 1 is left open",
            "1 个成立，2 个部分成立，1 个不成立，1 个未定",
        ),
        ((5, 0, 0, 2), "5 hold and 2 are left open", "5 个成立，2 个未定"),
        ((0, 0, 7, 0), "7 do not hold", "7 个不成立"),
    ],
)
def test_the_tally_counts_the_verdicts_and_leaves_out_those_of_none(counts, english, chinese):
    for language, told in (
        ("en", f"Of the post's {{}} claims {english}."),
        ("zh", f"博客的 {{}} 个说法中，{chinese}。"),
    ):
        words = [wording.say(verdict, language) for verdict in post_claims.VERDICTS.values()]
        here = [word for word, count in zip(words, counts, strict=True) for _ in range(count)]
        assert post_claims.tally(pd.DataFrame({"here": here}), language) == told.format(sum(counts))


def test_the_summary_begins_with_how_many_hold():
    told = post_claims.answer(FOUND, POST)
    counts = post_claims.table(FOUND, POST)["here"].value_counts()
    assert told["en"].startswith(f"Of the post's 7 claims {counts['holds']} hold, ")
    assert post_claims.verdicts(post_claims.table(FOUND, POST)) in told["en"]
    assert told["zh"].startswith(f"博客的 7 个说法中，{counts['holds']} 个成立，")
    assert all(
        site.headline(text)[0] == post_claims.tally(post_claims.table(FOUND, POST, language), language)
        for language, text in told.items()
    )
    assert numbers(told["en"]) == numbers(told["zh"])


@pytest.mark.parametrize(
    "found",
    [
        FOUND,
        changed("04_tang_poetry", "form", "after", rhyme_percent=None),
        changed("02_reddit_finetune", "likelihood", "after", by_text=[2.0, 2.1]),
        changed("02_reddit_finetune", "likelihood", "after", by_text=[1.0, 1.8]),
    ],
)
def test_chinese_says_the_same_in_chinese(found):
    english, chinese = (post_claims.table(found, POST, language).to_dict("records") for language in ("en", "zh"))
    for one, other in zip(english, chinese, strict=True):
        for key in one:
            assert numbers(one[key]) == numbers(other[key])
            assert re.search("[\u4e00-\u9fff]", other[key]), key


@pytest.mark.parametrize(
    ("wins", "here"),
    [("from scratch", "holds"), ("fine-tuned", "does not hold"), ("no difference within the intervals", "open")],
)
def test_the_last_sentence_is_decided_by_bits_per_character(wins, here):
    found = changed("05_from_scratch", "wins", bits_per_character=wins)
    row = told(found, "Good Chinese")
    assert row["here"] == here
    assert "comes to 8.25 bits per character" in row["because"] and "the fine-tuned one to 9.25" in row["because"]
    assert "80 % of its poems against 60 %, and 14 % of its pairs rhyme against 12 %" in row["because"]


def test_it_holds_in_part_if_the_form_is_worse():
    for name in ("well_formed", "rhyme", "alternating"):
        found = changed("05_from_scratch", "wins", bits_per_character="from scratch", **{name: "fine-tuned"})
        assert told(found, "Good Chinese")["here"] == "holds in part"
    found = changed("05_from_scratch", "wins", bits_per_character="from scratch", seconds_per_poem="fine-tuned")
    assert told(found, "Good Chinese")["here"] == "holds"


def test_gibberish_is_repetition_or_broken_bytes():
    assert told(FOUND, "An English model")["here"] == "holds"
    found = copy.deepcopy(FOUND)
    found["01_baseline"]["metrics"]["prompts"][1] = {"rep_4_percent": 0.5, "broken_bytes": 0}
    assert told(found, "An English model")["here"] == "does not hold"


def test_the_post_s_own_texts_are_judged():
    greedy, chinese, poem = post_claims.texts_of_the_post(POST).to_dict("records")
    assert greedy["ends_in_a_loop"] and greedy["rep_4_percent"] > 60
    assert greedy["well_formed"] is None
    assert chinese["rep_4_percent"] > 40
    assert poem["well_formed"] is True
    assert poem["rhyming_pairs"] == "0 of 1"  # 沙 and 沙
    assert not poem["ends_in_a_loop"]
