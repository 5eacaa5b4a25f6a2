"""The sentences of 03: each is read on either side of what it turns on."""

import re

import made_records
import pytest
from made_records import beside_people, estimate, rounds

from lib.evaluation import metrics
from lib.report import phrases, wording


def numbers(text):
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text.replace("rep-4", "")))


def finding(language="en", **beside):
    return phrases.finding(made_records.samplers(beside_people=beside), language)


def test_the_finding_tells_the_figures_of_people():
    told = phrases.finding(made_records.samplers())
    assert told.startswith("What people wrote has a diversity of 0.95 and a perplexity of 30 to this model.")
    assert numbers(told) == numbers(phrases.finding(made_records.samplers(), "zh"))
    unknown = made_records.samplers(people=made_records.text_group("people", perplexity=None))
    assert "a perplexity of nan" in phrases.finding(unknown)


@pytest.mark.parametrize(
    ("diversity", "english", "chinese"),
    [
        (-0.03, "Less diverse than people: a.", "多样性低于人写的：a。"),
        (-0.01, "No difference in diversity shows for a.", "多样性看不出差异的：a。"),
        (0.01, "No difference in diversity shows for a.", "多样性看不出差异的：a。"),
        (0.03, "More diverse than people: a.", "多样性高于人写的：a。"),
    ],
)
def test_the_finding_judges_diversity_by_the_interval_of_the_paired_difference(diversity, english, chinese):
    told = finding(a=beside_people(diversity, 1.0))
    assert english in told
    assert sum(start in told for start in ("Less diverse", "No difference in diversity", "More diverse")) == 1
    assert chinese in finding("zh", a=beside_people(diversity, 1.0))


@pytest.mark.parametrize(
    ("ratio", "english", "chinese"),
    [
        (0.97, "Easier for the model to predict than people's texts (a lower perplexity): a.", "困惑度更低）的：a。"),
        (0.99, "No difference in perplexity shows for a.", "困惑度看不出差异的：a。"),
        (1.01, "No difference in perplexity shows for a.", "困惑度看不出差异的：a。"),
        (1.03, "Harder to predict (a higher perplexity): a.", "困惑度更高）的：a。"),
    ],
)
def test_the_finding_judges_perplexity_by_the_interval_of_the_ratio(ratio, english, chinese):
    assert finding(a=beside_people(0.0, ratio)).endswith(english)
    assert finding("zh", a=beside_people(0.0, ratio)).endswith(chinese)


def test_the_finding_lists_samplers_side_by_side_and_none_twice():
    told = finding(a=beside_people(-0.5, 0.1), b=beside_people(-0.4, 0.2), c=beside_people(0.0, 1.0))
    assert "Less diverse than people: a, b." in told and "(a lower perplexity): a, b." in told
    assert told.count("a, b") == 2 and "More diverse" not in told and "Harder" not in told


def test_a_sampler_without_an_interval_shows_no_difference():
    unknown = beside_people(-0.5, 0.1)
    unknown.diversity_difference = estimate(-0.5)
    unknown.perplexity_ratio = estimate(None)
    told = finding(a=unknown)
    assert "No difference in diversity shows for a. No difference in perplexity shows for a." in told


@pytest.mark.parametrize("word", ["half", "nearest", "lowest", "overlap"])
def test_no_sentence_says_what_holds_on_one_scale_only(word):
    measured = made_records.samplers()
    told = [phrases.finding(measured), phrases.why_loops(measured), phrases.lesson(measured)]
    assert not any(word in sentence for sentence in told)


# Why greedy decoding loops.


def why(language="en", written=None, people=None, difference=(0.6, 0.75), **changes):
    measured = made_records.self_reinforcement(
        written=written, people=people, written_minus_people=estimate(sum(difference) / 2, *difference), **changes
    )
    return phrases.why_loops(made_records.samplers(self_reinforcement=measured), language)


@pytest.mark.parametrize(
    ("probability", "english", "chinese"),
    [
        ((0.1, 0.15, 0.16), "A sentence that is written again becomes more probable", "会变得更可能"),
        ((0.1, 0.12, 0.14), "It does not show whether", "看不出"),
        ((0.1, 0.09, 0.06), "It does not show whether", "看不出"),
        ((0.1, 0.06, 0.04), "A sentence that is written again becomes less probable", "反而更不可能"),
    ],
)
def test_whether_a_sentence_becomes_more_probable_is_told_by_the_interval(probability, english, chinese):
    assert why(written=rounds(probability)).startswith(english)
    assert chinese in why("zh", written=rounds(probability)).split("：")[0]


def test_the_probabilities_of_the_first_third_and_last_round_are_told():
    told = why(written=rounds((0.1, 0.5, 0.8, 0.9)), rounds=4)
    assert "a probability of 0.10 in round 1, 0.80 in round 3 and 0.90 in round 4" in told
    assert "over 16 sentences of people's (round 3 minus round 1: +0.70 (+0.65 – +0.75), 95 % interval over the" in told
    chinese = why("zh", written=rounds((0.1, 0.5, 0.8, 0.9)), rounds=4)
    assert numbers(told) == numbers(chinese)


def test_the_loops_of_greedy_decoding_are_told_if_there_are_enough():
    assert (
        "in the 3 loops of greedy decoding, prompts included, that have three or more identical rounds, 0.30 in"
        in why()
    )
    none = made_records.rounds((), texts=0)
    assert "loops of greedy" not in why(greedy=none) and "循环里" not in why("zh", greedy=none)


@pytest.mark.parametrize(
    ("people", "difference", "english", "chinese"),
    [
        ((0.1, 0.1, 0.14), (0.1, 0.2), "which shows no rise from the length of the context", "看不出上文变长"),
        ((0.1, 0.1, 0.16), (0.1, 0.2), "the context explains only a part of the rise", "只能解释这种上升的一部分"),
        ((0.1, 0.1, 0.16), (-0.1, 0.2), "the context may explain the rise", "也可能只是因为"),
    ],
)
def test_what_the_length_of_the_context_explains_is_told_by_people_s_stories(people, difference, english, chinese):
    assert f"{english}." in why(people=rounds(people), difference=difference)
    assert chinese in why("zh", people=rounds(people), difference=difference)


def test_where_nothing_rises_there_is_nothing_to_explain():
    flat = rounds((0.1, 0.1, 0.1))
    assert "explain" not in why(written=flat) and "解释" not in why("zh", written=flat)
    assert "at the same places, the probability is 0.10 and 0.11." in why(written=flat)


def test_what_both_samplers_would_write_is_counted():
    share = [estimate(0.0), estimate(12.5), estimate(81.25)]
    chance = [estimate(0.0), estimate(2.0), estimate(45.0)]
    told = why(written=rounds(greedy_whole_percent=share, top_k_whole_percent=chance))
    assert "the whole sentence again in 13 of 16 cases in round 3 and in 13 in round 3" in told  # 3 is the last, too
    assert "top-k sampling (k=5) would do so with a chance of 45 % and 45 %." in told


# What to take away.


def lesson(language="en", loops=(3, 0, 1), **changes):
    measured = made_records.samplers(
        greedy=made_records.text_group("greedy", loops[0]),
        top_k=made_records.text_group("top-k", loops[1]),
        others=[made_records.text_group("top-p", loops[2])],
        self_reinforcement=made_records.self_reinforcement(**changes),
    )
    return phrases.lesson(measured, language)


def test_the_lesson_follows_only_from_a_rise_that_the_length_does_not_explain():
    rise = "A phrase that has just been written makes itself more probable."
    assert lesson().startswith(rise) and "使自己更可能再次出现" in lesson("zh")
    for changes in (
        {"written": rounds((0.1, 0.1, 0.12))},
        {"written": rounds((0.3, 0.2, 0.1))},
        {"written_minus_people": estimate(0.1, -0.1, 0.3)},
    ):
        assert lesson(**changes).startswith("These figures do not show that a phrase")
        assert lesson("zh", **changes).startswith("从这些数字看不出")


def test_the_lesson_tells_how_often_each_sampler_stays_in_the_last_round():
    last = rounds(
        greedy_whole_percent=[estimate(0.0), estimate(0.0), estimate(75.0)],
        top_k_whole_percent=[estimate(0.0), estimate(0.0), estimate(52.0)],
    )
    told = lesson(written=last)
    assert "In round 3 of a sentence, each of its tokens is the most probable one in 12 of 16 cases" in told
    assert "Top-k sampling (k=5) leaves a sentence in that round with a chance of 48 %." in told


def test_the_lesson_names_the_samplers_without_a_loop():
    assert lesson().endswith(
        "No loop was seen in 4 texts each of top-k; so few texts do not set these apart from a sampler with a "
        "single loop."
    )
    assert lesson(loops=(3, 0, 0)).endswith(
        "each of top-k, top-p; so few texts do not set these apart from a sampler with a single loop."
    )
    assert "without a loop" not in lesson(loops=(3, 1, 1)) and "没有一次" not in lesson("zh", loops=(3, 1, 1))


# The answer.


def answer(language="en", **changes):
    return phrases.answer(made_records.results("03_greedy_vs_top_k", made_records.samplers(**changes)), language)


def test_greedy_against_top_k_answers_with_loops_differences_and_what_repeating_does():
    told = answer()
    assert told.startswith(
        "Greedy decoding fell into a loop in 3 of 4 texts, top-k sampling (k=5) in 0 of 8, and people in 0 of 4."
    )
    assert "40 %, 5 % and 1 % of a text's four-word phrases had occurred before" in told
    assert "the probability of its tokens goes from 0.10 to 0.80; in people's stories" in told
    assert "from 0.10 to 0.11." in told
    assert numbers(told) == numbers(answer("zh"))


@pytest.mark.parametrize(("points", "told"), [(75.0, "+75 (+55 – +95)"), (-10.0, "-10 (-30 – +10)")])
def test_the_answer_tells_the_paired_differences_with_their_sign(points, told):
    of_loops = made_records.differences(0.0, loop=points)
    assert (
        f"differs from top-k by {told} percentage points in the share of texts with a loop, and by +0 (-20 – +20)"
        in answer(greedy_minus_top_k=of_loops)
    )
    assert f"陷入循环的文本 {told} 个百分点" in answer("zh", greedy_minus_top_k=of_loops)


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_rule_of_loops_is_explained_with_its_numbers(language):
    told = numbers(wording.say("repetition_explained", language))
    for number in (metrics.MIN_TIMES, metrics.TAIL, metrics.MIN_REPEATED, metrics.MIN_REPEATED_LONG):
        assert str(number) in told
