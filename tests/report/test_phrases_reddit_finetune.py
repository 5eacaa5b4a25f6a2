"""What 02 says of its figures, on either side of each rule."""

import re

import made_records
import pytest
from made_records import estimate

from lib.core import records
from lib.report import answers, figures, stories_words, tables, views, wording


def measured(**changes):
    return made_records.reddit(**changes)


LENGTHS = made_records.text_lengths((10, 20, 197, 197), [True, True, False, False])
WORSE = (8, 1.35, 1.45), (120, 1.4, 1.55)  # more stories, and both texts harder to predict


def results(**changes):
    return made_records.results("02_reddit_finetune", measured(**changes))


def numbers(text):
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text.replace("top-k", "")))


def ends(likely=None, **lengths):
    return measured(ends=made_records.text_ends(likely, lengths))


# Lengths.


def test_how_many_texts_the_model_ended_is_told_for_each_training():
    told = stories_words.text_lengths(measured())
    assert told.startswith("The model ends 0 of 4 texts itself before fine-tuning, and 4 after it.")
    assert "Trained without an end token it ends 0, and trained on texts that are all cut 0." in told
    assert "stopped at the length limit (at most 197 new tokens)" in told


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ([True, True, True, False], "their median length is 50 tokens"),
        ([True, True, False, False], "their median length is 50 tokens"),
        ([True, False, False, False], "their median length is at least 50 tokens (a limit cut the texts off)"),
    ],
)
def test_a_median_is_a_lower_limit_where_fewer_than_half_of_the_texts_ended(ended, told):
    lengths = made_records.text_lengths((40, 45, 50, 60), ended)
    changed = made_records.text_ends(lengths={"after": lengths})
    assert told in answers.answer(results(ends=changed))


# Why texts end.


def test_where_a_model_ends_its_texts_is_told_by_the_probability_of_the_end_token():
    told = stories_words.text_ends(measured(), 5)
    assert "15 % of the sentences are followed by an end token" in told  # 3 of 4 texts are whole, with 20 sentences
    assert "raises the probability of the end token from 0.40 % to 20 %" in told
    assert "5 most likely tokens only, the probability after a sentence of these texts is 30 %" in told
    assert "half of them have ended by sentence 2" in told  # 1 - 0.7 ** 2 = 0.51
    same = stories_words.text_ends(ends({"after": made_records.end_probability(0.4)}), 5)
    assert "0.40 % before fine-tuning and 0.40 % after it, which is no clear rise" in same and "raises" not in same


def test_the_end_token_is_the_cause_where_it_got_likelier_and_texts_are_longer_without_it():
    told = stories_words.ends_cause(measured())
    assert told.startswith("The end token behind the training texts is what makes the model's texts short.")


@pytest.mark.parametrize(
    ("likely", "lengths"),
    [
        ({}, {"without": made_records.text_lengths()}),  # without it texts are as short
        ({"after": made_records.end_probability(0.4)}, {}),  # fine-tuning made it no likelier
        ({"without": made_records.end_probability(20.0)}, {}),  # without it, it is as likely
        ({}, {"without": made_records.text_lengths((10, 11, 12, 13))}),
    ],
)
def test_the_end_token_is_not_called_the_cause_where_one_of_these_is_not_so(likely, lengths):
    told = stories_words.ends_cause(ends(likely, **lengths))
    assert "is what makes the model's texts short" not in told
    assert "This run does not show that the end token makes the model's texts short" in told


def test_how_soon_half_of_the_texts_end_is_told_by_the_probability_in_the_top_k():
    for in_top_k, sentences in ((50.0, 1), (49.0, 2), (30.0, 2), (29.0, 3), (10.0, 7)):
        told = stories_words.text_ends(ends({"after": made_records.end_probability(20.0, in_top_k, 19.0)}), 5)
        assert f"half of them have ended by sentence {sentences}." in told
        assert (1 - in_top_k / 100) ** sentences <= 0.5 < (1 - in_top_k / 100) ** (sentences - 1)
    assert "half of the texts" not in stories_words.text_ends(ends({"after": made_records.end_probability(0.4)}), 5)


def test_whether_the_model_tells_the_end_of_a_text_is_told_by_the_intervals():
    alike = stories_words.text_ends(ends({"after": made_records.end_probability(20.0, 30.0, 23.0)}), 5)
    assert "nothing here shows that it knows which sentence is the last" in alike
    knows = stories_words.text_ends(ends({"after": made_records.end_probability(20.0, 30.0, 60.0)}), 5)
    assert "it is 60 %, which is more. So the model partly knows" in knows and "nothing here shows" not in knows


def test_texts_that_are_cut_are_cleared_only_where_their_training_gives_longer_texts_and_unlikelier_ends():
    told = stories_words.ends_cause(measured())
    assert "End tokens behind 4 texts that are all cut hardly had this effect: trained on them" in told
    for changed in (
        ends({"cut": made_records.end_probability(20.0)}),
        ends(cut=made_records.text_lengths()),
    ):
        told = stories_words.ends_cause(changed)
        assert "hardly had" not in told and "Trained on 4 texts that are all cut, the model gives it" in told


# Style.


def test_style_is_nearer_farther_or_undecided_by_the_interval_of_the_difference():
    for change, told in (
        (estimate(-0.1, -0.2, -0.001), "By the classifier's AUC, fine-tuning brings the texts closer to people's."),
        (estimate(0.1, 0.001, 0.2), "By the classifier's AUC, fine-tuning moves the texts away from people's."),
        (estimate(-0.1, -0.2, 0.001), "By the classifier's AUC, it is not clear whether fine-tuning brings the texts"),
        (estimate(-0.1), "By the classifier's AUC, it is not clear"),
    ):
        said = stories_words.style(measured(style=made_records.style({"auc": change})))
        assert told in said
        assert "By word frequencies, fine-tuning brings the texts closer to people's." in said
        assert said.startswith("The classifier ranks a person's text above the model's in 90 % of pairs before")


def test_style_is_held_against_other_people_s_texts():
    for floor, told in (
        (estimate(0.3, 0.001, 0.4), "they are still farther from people's"),
        (estimate(0.1, -0.001, 0.2), "it is not clear whether they are farther from people's"),
        (estimate(-0.1, -0.2, -0.001), "they are even closer to people's"),
    ):
        alike = stories_words.style(measured(style=made_records.style(None, {name: floor for name in ("auc", "jsd")})))
        assert f"By both measures, {told}" in alike
    differ = stories_words.style(measured(style=made_records.style(None, {"jsd": estimate(0.1, -0.001, 0.2)})))
    assert "By the classifier's AUC, they are still farther" in differ
    assert "By word frequencies, it is not clear whether they are farther" in differ


# The learning curve.


def test_each_number_of_stories_is_compared_with_the_one_before():
    told = stories_words.learning_curve(measured())
    assert told.startswith("Each larger number of stories makes the held-out texts easier to predict")
    assert "With 120 stories instead of 8, they take 0.15 to 0.15 fewer bits per character." in told
    worse = stories_words.learning_curve(measured(learning_curve=made_records.learning_curve(WORSE)))
    assert "do not clearly become easier to predict from 8 to 120 stories." in worse
    assert "With 120 stories instead of 8, they take 0.050 to 0.10 more bits per character." in worse
    one = made_records.learning_curve(((8, 1.35, 1.6),))
    told = stories_words.learning_curve(measured(learning_curve=one))
    assert "With 8 stories, held-out texts take between 0.050 fewer and 0.10 more bits per character" in told


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (((8, 1.4, 1.4), (500, 1.3, 1.3)), "does not test whether 500"),  # none is larger
        (((8, 1.4, 1.4), (350, 1.3, 1.3), (1000, 1.2, 1.2)), "does not test whether 500"),  # none is near
        (
            ((400, 1.3, 1.3), (1000, 1.2, 1.25)),
            "From 400 to 1,000 stories they take 0.050 to 0.10 fewer bits per character, so more",
        ),
        (((500, 1.3, 1.3), (1000, 1.35, 1.45)), "0.050 to 0.15 more bits per character, so more stories do not help"),
        (((500, 1.3, 1.3), (1000, 1.2, 1.4)), "it is not clear whether more stories help"),
    ],
)
def test_500_stories_are_held_against_more_only_where_both_were_run(points, told):
    said = stories_words.learning_curve(measured(learning_curve=made_records.learning_curve(points)))
    assert told in said
    assert ("does not test" in said) == ("does not test" in told)


# Speed, and the answer.


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        (estimate(1.25, 1.01, 1.5), "faster after fine-tuning"),
        (estimate(0.8, 0.7, 0.99), "slower after fine-tuning"),
        (estimate(1.03, 1.01, 1.05), "the same within a tenth"),
        (estimate(1.0, 0.92, 1.09), "the same within a tenth"),
        (estimate(1.0, 0.9, 1.2), "not decided"),
        (estimate(1.2), "not decided"),
    ],
)
def test_calls_got_faster_by_the_interval_of_the_ratio_of_pairs(ratio, told):
    said = stories_words.speed_ratio(measured(speed_ratio=ratio))
    assert f": {told}" in said and "over 3 pairs of calls" in said
    assert "takes 3.5 times as long as a later one" in said
    short = {
        "faster after fine-tuning": "generating the same number of tokens takes less time than before fine-tuning.",
        "slower after fine-tuning": "generating the same number of tokens takes more time than before fine-tuning.",
        "the same within a tenth": "generating the same number of tokens takes as long as before fine-tuning, "
        "within a tenth.",
        "not decided": "vary too much to tell whether they changed.",
    }
    assert answers.answer(results(speed_ratio=ratio)).endswith(short[told])


def sentences(text):
    return re.findall(r"[.!?](?= |$)", text)


def test_the_answer_tells_lengths_style_bits_and_speed_in_three_sentences():
    told = answers.answer(results())
    assert told.startswith("After fine-tuning on 16 stories the model ends its texts sooner: their median length is 30")
    assert "instead of at least 197 tokens (a limit cut the texts off)." in told
    assert "comes closer to people's, but a classifier still ranks the person's text above the model's in 80 %" in told
    assert "The more stories it trains on (up to 120 here), the better it predicts unseen texts" in told
    assert len(sentences(told)) == 3


def test_the_answer_tells_longer_texts_and_those_that_are_as_long():
    short, long = made_records.text_lengths(), made_records.text_lengths((190, 194, 197, 197), False)
    longer = made_records.text_ends(lengths={"before": short, "after": long})
    assert "ends its texts later: their median length is at least 197 tokens" in answers.answer(results(ends=longer))
    alike = made_records.text_ends(lengths={"before": short, "after": short})
    assert "does not clearly change how long" in answers.answer(results(ends=alike))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (estimate(-0.1, -0.2, -0.01), "choice of words comes closer to people's"),
        (estimate(0.1, 0.01, 0.2), "choice of words moves away from people's"),
        (estimate(0.1, -0.01, 0.2), "choice of words does not clearly come closer"),
    ],
)
def test_the_answer_tells_by_the_interval_whether_the_words_came_closer(change, told):
    assert told in answers.answer(results(style=made_records.style({"jsd": change})))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "It predicts unseen texts better than before, although not each larger number of stories helps further"),
        ({"bits_before": (1.2, 1.3), "bits_after": (1.3, 1.5)}, "It predicts unseen texts worse than before"),
        ({"bits_before": (1.2, 1.3), "bits_after": (1.1, 1.4)}, "It is not clear whether it predicts unseen texts"),
    ],
)
def test_the_answer_promises_nothing_of_more_stories_where_one_step_brought_nothing(changes, told):
    worse = made_records.learning_curve(WORSE)
    assert told in answers.answer(results(learning_curve=worse, **changes))


@pytest.mark.parametrize(
    "tell",
    [
        lambda one, language: answers.answer(made_records.results("02_reddit_finetune", one), language),
        stories_words.text_lengths,
        lambda one, language: stories_words.text_ends(one, 5, language),
        stories_words.ends_cause,
        stories_words.style,
        stories_words.learning_curve,
        stories_words.speed_ratio,
    ],
)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ends": made_records.text_ends({"after": made_records.end_probability(0.4)})},
        {"style": made_records.style({"auc": estimate(0.1, 0.05, 0.2)}, {"jsd": estimate(0.0, -0.1, 0.1)})},
        {"learning_curve": made_records.learning_curve(((500, 1.3, 1.3), (1000, 1.2, 1.25)))},
        {"speed_ratio": estimate(1.0, 0.5, 1.5)},
    ],
)
def test_the_chinese_says_the_same(tell, changes):
    english, chinese = (tell(measured(**changes), language) for language in wording.LANGUAGES)
    assert numbers(english) == numbers(chinese)
    assert re.search("[\u4e00-\u9fff]", chinese)
    assert not re.search(r"None|nan\b|[{}]", english + chinese)


@pytest.mark.parametrize("name", ["survival", "style", "learning_curve"])
def test_the_pictures_say_their_figures(name, tmp_path):
    page = views.Page(results(), tmp_path)
    page.results.parameters |= {"sequence_length": 128, "k": 5, "warm_repeats": 3}
    _, alt = views.FIGURES[name](page)
    expected = {
        "survival": "after fine-tuning: 30; no end token: 197; texts all cut: 197; training texts 108",
        "style": "after fine-tuning: AUC 0.80 (0.70–0.90); after fine-tuning: 0.38 (0.30–0.40)",
        "learning_curve": "from before training (1.45), by the number of stories. 8 stories: -0.050; 120",
    }
    assert expected[name] in alt


def test_a_text_that_was_cut_is_not_drawn_as_ended():
    runs = dict.fromkeys(("before", "after", "without", "cut"), LENGTHS)
    figure, _ = figures.survival(runs, 105.0)
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [0, 10, 20, 197]
    assert list(line.get_ydata()) == [100, 75, 50, 50]


def test_the_share_of_sentence_ends_with_an_end_token_leaves_out_texts_that_are_cut():
    trained = records.TrainingTexts(texts=120, cut=6, tokens=[105], median_tokens=105, sentences=684)
    assert trained.ends_per_sentence_percent == pytest.approx(100 * 114 / 684)
    none = records.TrainingTexts(texts=1, cut=1, tokens=[105], median_tokens=105, sentences=0)
    assert none.ends_per_sentence_percent is None


def test_every_text_has_a_mark_in_the_picture_of_style():
    figure, _ = figures.style(made_records.style())
    above = figure.axes[0]
    assert [list(line.get_xdata()) for line in above.lines] == [[1.0, 0.0], [-1.0, 0.5]] * 3


def test_every_text_has_a_mark_in_the_picture_of_the_learning_curve():
    curve = made_records.learning_curve()
    figure, _ = figures.learning_curve(curve, [1.4, None])
    assert [list(line.get_ydata()) for line in figure.axes[0].lines[:2]] == [
        [pytest.approx(-0.05)],
        [pytest.approx(-0.2)],
    ]


def test_names_at_the_ends_of_lines_keep_their_order_and_do_not_overlap():
    assert figures._spread([100, 96, 95, 0], 18, 100) == [100, 82, 64, 0]
    assert figures._spread([0, 0, 50], 18, 100) == [0, 18, 50]


def test_the_lines_of_texts_are_named_in_the_language_of_the_page():
    runs = dict.fromkeys(("before fine-tuning", "after fine-tuning", "no end token", "texts all cut"), LENGTHS)
    for language, name in (("en", "after\nfine-tuning"), ("zh", "微调后")):
        figure, alt = figures.survival(runs, 105.0, language)
        assert name in [text.get_text() for text in figure.axes[0].texts]
        assert name.replace("\n", " ") in alt


def test_a_tiny_probability_is_told_as_tiny_and_none_as_0():
    likely = {"after": made_records.end_probability(20.0, 0.0, 0.2, 0.0001)}
    row = tables.end_probabilities(made_records.text_ends(likely))[1]
    assert list(row.values()) == ["after fine-tuning", "20 (18–22)", "0", "0.200 (0.180–0.220)", "<0.01"]


def test_a_number_of_the_last_quarter_that_is_not_known_is_a_dash():
    rows = tables.end_probabilities_by_quarter(made_records.text_ends())
    assert list(rows[0].values()) == ["before fine-tuning", "15", "20", "25", "–"]
