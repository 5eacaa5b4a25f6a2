"""The sentences of 03: each is read on either side of what it turns on."""

import re

import made_records
import pytest
from made_records import beside_people, estimate, rounds

from lib.evaluation import metrics
from lib.report import answers, samplers_words, wording


def numbers(text):
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text.replace("rep-4", "")))


def finding(language="en", **beside):
    return samplers_words.finding(made_records.samplers(beside_people=beside), language)


def test_the_finding_tells_the_figures_of_people():
    told = samplers_words.finding(made_records.samplers())
    assert told.startswith("People's texts have a diversity of 0.95 and a perplexity of 30 to this model.")
    assert numbers(told) == numbers(samplers_words.finding(made_records.samplers(), "zh"))
    unknown = made_records.samplers(people=made_records.text_group("people", perplexity=None))
    assert "a perplexity of nan" in samplers_words.finding(unknown)


@pytest.mark.parametrize(
    ("diversity", "english", "chinese"),
    [
        (-0.03, "Diversity lower than people's: a.", "多样性低于人写的文本：a。"),
        (-0.01, "Diversity not clearly different from people's: a.", "多样性看不出差异：a。"),
        (0.01, "Diversity not clearly different from people's: a.", "多样性看不出差异：a。"),
        (0.03, "Diversity higher than people's: a.", "多样性高于人写的文本：a。"),
    ],
)
def test_the_finding_judges_diversity_by_the_interval_of_the_paired_difference(diversity, english, chinese):
    told = finding(a=beside_people(diversity, 1.0))
    assert english in told
    assert sum(start in told for start in ("Diversity lower", "Diversity not clearly", "Diversity higher")) == 1
    assert chinese in finding("zh", a=beside_people(diversity, 1.0))


@pytest.mark.parametrize(
    ("ratio", "english", "chinese"),
    [
        (0.97, "Perplexity lower than people's, so easier to predict: a.", "即更容易预测：a。"),
        (0.99, "Perplexity not clearly different from people's: a.", "困惑度看不出差异：a。"),
        (1.01, "Perplexity not clearly different from people's: a.", "困惑度看不出差异：a。"),
        (1.03, "Perplexity higher than people's, so harder to predict: a.", "即更难预测：a。"),
    ],
)
def test_the_finding_judges_perplexity_by_the_interval_of_the_ratio(ratio, english, chinese):
    assert finding(a=beside_people(0.0, ratio)).endswith(english)
    assert finding("zh", a=beside_people(0.0, ratio)).endswith(chinese)


def test_the_finding_lists_samplers_side_by_side_and_none_twice():
    told = finding(a=beside_people(-0.5, 0.1), b=beside_people(-0.4, 0.2), c=beside_people(0.0, 1.0))
    assert "Diversity lower than people's: a, b." in told and "easier to predict: a, b." in told
    assert told.count("a, b") == 2 and "higher" not in told


def test_a_sampler_without_an_interval_shows_no_difference():
    unknown = beside_people(-0.5, 0.1)
    unknown.diversity_difference = estimate(-0.5)
    unknown.perplexity_ratio = estimate(None)
    told = finding(a=unknown)
    assert (
        "Diversity not clearly different from people's: a.\nPerplexity not clearly different from people's: a." in told
    )


@pytest.mark.parametrize("word", ["half", "nearest", "lowest", "overlap"])
def test_no_sentence_says_what_holds_on_one_scale_only(word):
    measured = made_records.samplers()
    told = [samplers_words.finding(measured), *samplers_words.why_loops(measured), samplers_words.lesson(measured)]
    assert not any(word in sentence for sentence in told)


# Why greedy decoding loops.


def why(language="en", written=None, people=None, difference=(0.6, 0.75), **changes):
    measured = made_records.self_reinforcement(
        written=written, people=people, written_minus_people=estimate(sum(difference) / 2, *difference), **changes
    )
    return "\n".join(samplers_words.why_loops(made_records.samplers(self_reinforcement=measured), language))


@pytest.mark.parametrize(
    ("probability", "english", "chinese"),
    [
        (
            (0.1, 0.15, 0.16),
            "A sentence that is written again becomes more probable.",
            "一个句子越重复，模型再写它的概率就越高",
        ),
        ((0.1, 0.12, 0.14), "These figures do not show whether", "看不出"),
        ((0.1, 0.09, 0.06), "These figures do not show whether", "看不出"),
        ((0.1, 0.06, 0.04), "A sentence that is written again becomes less probable.", "反而变得更不可能"),
    ],
)
def test_whether_a_sentence_becomes_more_probable_is_told_by_the_interval(probability, english, chinese):
    assert why(written=rounds(probability)).startswith(english)
    assert chinese in why("zh", written=rounds(probability)).split("。")[0]


def test_the_probabilities_of_the_first_third_and_last_round_are_told():
    told = why(written=rounds((0.1, 0.5, 0.8, 0.9)), rounds=4)
    assert "over 16 sentences, the model gives a token of the sentence a probability of 0.10 in round 1, 0.80" in told
    assert "0.80 in round 3 and 0.90 in round 4. The change from round 1 to round 3 is +0.70 (+0.65 – +0.75)" in told
    chinese = why("zh", written=rounds((0.1, 0.5, 0.8, 0.9)), rounds=4)
    assert numbers(told) == numbers(chinese)


def test_the_loops_of_greedy_decoding_are_told_if_there_are_enough():
    assert (
        "Of the loops that greedy decoding fell into, 3 have at least three identical rounds; texts after our own "
        "prompts count here too. The average probability of their tokens is 0.30 in round 1 and 0.70 in round 3."
        in why()
    )
    none = made_records.rounds((), texts=0)
    assert "loops of greedy" not in why(greedy=none) and "贪心解码的循环" not in why("zh", greedy=none)


@pytest.mark.parametrize(
    ("people", "difference", "english", "chinese"),
    [
        ((0.1, 0.1, 0.14), (0.1, 0.2), "a longer text alone shows no such rise", "看不出这种上升"),
        (
            (0.1, 0.1, 0.16),
            (0.1, 0.2),
            "a longer text alone explains only a part of the rise",
            "只能解释这种上升的一部分",
        ),
        ((0.1, 0.1, 0.16), (-0.1, 0.2), "a longer text alone may explain the rise", "也可能只是因为"),
    ],
)
def test_what_the_length_of_the_context_explains_is_told_by_people_s_stories(people, difference, english, chinese):
    assert f"{english}." in why(people=rounds(people), difference=difference)
    assert chinese in why("zh", people=rounds(people), difference=difference)


def test_where_nothing_rises_there_is_nothing_to_explain():
    flat = rounds((0.1, 0.1, 0.1))
    assert "explain" not in why(written=flat) and "解释" not in why("zh", written=flat)
    assert "the probability is 0.10 at the place of round 1 and 0.11 at the place of round 3." in why(written=flat)


def test_what_both_samplers_would_write_is_counted():
    share = [estimate(0.0), estimate(12.5), estimate(81.25)]
    chance = [estimate(0.0), estimate(2.0), estimate(45.0)]
    told = why(written=rounds(greedy_whole_percent=share, top_k_whole_percent=chance))
    assert "That is so for 13 of 16 sentences in round 3 and for 13 in round 3." in told  # 3 is the last, too
    assert (
        "Top-k sampling (k=5) draws its tokens" in told
        and "a chance of 45 % in round 3 and 45 % in round 3, and" in told
    )


# What to take away.


def lesson(language="en", loops=(3, 0, 1), **changes):
    measured = made_records.samplers(
        greedy=made_records.text_group("greedy", loops[0]),
        top_k=made_records.text_group("top-k", loops[1]),
        others=[made_records.text_group("top-p", loops[2])],
        self_reinforcement=made_records.self_reinforcement(**changes),
    )
    return samplers_words.lesson(measured, language)


def test_the_lesson_follows_only_from_a_rise_that_the_length_does_not_explain():
    rise = "A phrase that has just been written makes itself more probable, and greedy decoding"
    assert lesson().startswith(rise) and "模型再写它的概率会升高" in lesson("zh")
    for changes in (
        {"written": rounds((0.1, 0.1, 0.12))},
        {"written": rounds((0.3, 0.2, 0.1))},
        {"written_minus_people": estimate(0.1, -0.1, 0.3)},
    ):
        assert lesson(**changes).startswith("These figures do not show that a phrase")
        assert lesson("zh", **changes).startswith("从这些数字看不出")


def test_the_lesson_names_the_samplers_without_a_loop():
    assert " No loop was seen in 4 texts each of top-k. With so few texts" in lesson()
    assert " No loop was seen in 4 texts each of top-k, top-p. With so few texts" in lesson(loops=(3, 0, 0))
    assert "No loop was seen" not in lesson(loops=(3, 1, 1)) and "没有出现循环" not in lesson("zh", loops=(3, 1, 1))


def test_how_much_of_a_text_repeats_is_told_for_both_samplers_and_people():
    told = samplers_words.repeated(made_records.samplers())
    assert "On average, 40 % of the four-word phrases in a text by greedy decoding" in told
    assert "With top-k sampling it is 5 %, and in people's texts 1 %. " in told
    assert numbers(told) == numbers(samplers_words.repeated(made_records.samplers(), "zh"))
    unknown = made_records.samplers(people=made_records.text_group("people", rep_4=None))
    assert "in people's texts (nothing to judge)." in samplers_words.repeated(unknown)


def test_loops_that_last_to_the_end_of_a_text_are_counted_after_people_s_beginnings_alone():
    def text(prompt, spans, more=""):
        return made_records.sample("greedy", prompt, " no" * 8 + more, looped_spans=spans)

    last = len("He said" + " no" * 8)
    measured = made_records.samplers(openings=["He said", "She said"])
    measured.samples = [
        text("He said", [(10, last)]),
        text("He said", [(10, last)], more=" \n"),  # spaces at the end end no loop
        text("She said", [(10, last)], more=" more, and other words"),
        text("My trip", [(10, last)]),  # our own prompt
        text("He said", []),
        made_records.sample("top-k", "He said", " no" * 8, looped_spans=[(10, last)]),
    ]
    says = "In 2 of the 3 texts by greedy decoding that have a loop, the loop lasts to the end of the text."
    assert samplers_words.repeated(measured).endswith(says)
    assert samplers_words.repeated(measured, "zh").endswith("贪心解码有循环的 3 篇中，2 篇一直循环到文本末尾。")
    measured.greedy.loops = 0
    assert "lasts to the end" not in samplers_words.repeated(measured)


# Beside published figures.


def published(here, language="en"):
    """The sentences on rows with a published figure and an interval here, by the label of the row."""
    measured = made_records.samplers()
    groups, rows = [], []
    for label, (percent, interval) in here.items():
        rows.append(
            {
                "method": label.upper(),
                "here": label,
                "loops_percent_published": percent,
                "loops_percent_here": interval[0],
            }
        )
        groups.append(made_records.text_group(label, loop_holtzman=estimate(*interval)))
    measured.greedy, measured.top_k, *measured.others, measured.people = groups
    measured.published = [{"self_bleu_4_published": 0.3, "self_bleu_4_here": 0.2} | row for row in rows]
    return samplers_words.published(measured, language)


def test_the_row_that_differs_most_from_its_published_figure_is_named():
    told = published(
        {"a": (29.0, (90.0, 70.0, 97.0)), "b": (1.0, (60.0, 40.0, 80.0)), "people": (0.0, (0.0, 0.0, 16.0))}
    )
    assert told == (
        "The row of a differs most from the published figures: 90 % (70–97) of the texts end in a loop here, and 29 % "
        "in the publication (A)."
    )


def test_figures_within_the_interval_here_differ_from_none():
    assert (
        published({"a": (74.0, (85.0, 64.0, 95.0)), "b": (1.0, (0.0, 0.0, 16.0)), "people": (0.0, (0.0, 0.0, 16.0))})
        == ""
    )


# The answer.


def answer(language="en", **changes):
    return answers.answer(made_records.results("03_greedy_vs_top_k", made_records.samplers(**changes)), language)


def test_greedy_against_top_k_answers_with_loops_their_difference_and_what_repeating_does():
    told = answer()
    assert told.startswith(
        "Greedy decoding fell into a loop in 3 of 4 texts, top-k sampling (k=5) in 0 of 8, and people in 0 of 4."
    )
    assert (
        "each written 3 times in a row: the model gave their tokens an average probability of 0.10 the first time"
        in told
    )
    assert numbers(told) == numbers(answer("zh"))


@pytest.mark.parametrize(
    ("points", "english", "chinese"),
    [
        (75.0, "by 75 percentage points (95 % confidence interval: 55 to 95)", "相差 75 个百分点"),
        (-75.0, "by 75 percentage points (95 % confidence interval: 55 to 95)", "相差 75 个百分点"),
        (-10.0, "do not show which of the two samplers loops more often: the difference is -10", "看不出"),
    ],
)
def test_the_answer_tells_the_difference_and_whether_it_can_be_none(points, english, chinese):
    of_loops = made_records.differences(0.0, loop=points)
    assert english in answer(greedy_minus_top_k=of_loops)
    assert chinese in answer("zh", greedy_minus_top_k=of_loops)


def test_a_difference_without_an_interval_is_told_to_be_unsure():
    unknown = made_records.differences(0.0) | {"loop": estimate(75.0)}
    assert "too few to tell how sure" in answer(greedy_minus_top_k=unknown)
    assert "无法判断" in answer("zh", greedy_minus_top_k=unknown)


def test_the_answer_names_a_cause_only_if_a_rise_shows_that_the_length_does_not_explain():
    flat = made_records.self_reinforcement(written=rounds((0.1, 0.1, 0.12)))
    for language, more, none in (
        ("en", "makes itself more probable. In a test", "do not show"),
        ("zh", "越重复越高", "看不出"),
    ):
        assert more in answer(language) and none not in answer(language)
        assert none in answer(language, self_reinforcement=flat)


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_rule_of_loops_is_explained_with_its_numbers(language):
    told = numbers(wording.say("repetition_explained", language))
    for number in (metrics.MIN_TIMES, metrics.TAIL, metrics.MIN_REPEATED, metrics.MIN_REPEATED_LONG):
        assert str(number) in told
