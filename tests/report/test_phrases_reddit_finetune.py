"""What 02 says of its figures, on either side of each rule."""

import re

import made_records
import pytest
from made_records import estimate

from lib.core import records
from lib.report import phrases, views, wording


def measured(**changes):
    return made_records.reddit(**changes)


def results(**changes):
    return made_records.results("02_reddit_finetune", measured(**changes))


def numbers(text):
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text.replace("top-k", "")))


def ends(likely=None, **lengths):
    return measured(ends=made_records.text_ends(likely, lengths))


# Lengths.


def test_how_many_texts_the_model_ended_is_told_with_the_medians_and_the_training_texts():
    told = phrases.text_lengths(measured(), 128)
    assert told.startswith("Of 4 texts each, the model ended 0 itself before fine-tuning, 4 after it, 0 after the same")
    limit = "197 (158–236) or more"
    assert f"The medians are {limit}, 30 (24–36), {limit} and {limit} new tokens" in told
    assert told.endswith("The training texts have 108 tokens in the median, and 1 of 4 are cut at 128 tokens.")


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ([True, True, True, False], "50 new tokens in the median"),
        ([True, True, False, False], "50 new tokens in the median"),
        ([True, False, False, False], "50 or more new tokens in the median"),
    ],
)
def test_a_median_is_a_lower_limit_where_fewer_than_half_of_the_texts_ended(ended, told):
    lengths = made_records.text_lengths((40, 45, 50, 60), ended)
    changed = made_records.text_ends(lengths={"after": lengths})
    assert told in phrases.answer(results(ends=changed))


# Why texts end.


def test_the_end_token_is_the_cause_where_it_got_likelier_and_texts_are_longer_without_it():
    told = phrases.text_ends(measured(), 5)
    assert "an end token follows 15 % of the sentence ends" in told  # 3 of 4 texts are whole, with 20 sentences
    assert "0.40 (0.36–0.44) % before fine-tuning and 20 (18–22) % after it" in told
    assert "15, 20, 25, – % in the first to the last quarter" in told
    assert "among 5 tokens only, which makes that probability 30 (27–33) %" in told
    assert "half of the texts end within 2 sentences, if their" in told  # 1 - 0.7 ** 2 = 0.51
    assert "So the end token behind these training texts is what makes the model's texts short" in told


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
    told = phrases.text_ends(ends(likely, **lengths), 5)
    assert "is what makes the model's texts short" not in told
    assert "This run does not show that the end token makes the model's texts short" in told


def test_how_soon_half_of_the_texts_end_is_told_by_the_probability_in_the_top_k():
    for in_top_k, sentences in ((50.0, 1), (49.0, 2), (30.0, 2), (29.0, 3), (10.0, 7)):
        told = phrases.text_ends(ends({"after": made_records.end_probability(20.0, in_top_k, 19.0)}), 5)
        assert f"half of the texts end within {sentences} sentences" in told
        assert (1 - in_top_k / 100) ** sentences <= 0.5 < (1 - in_top_k / 100) ** (sentences - 1)
    assert "half of the texts" not in phrases.text_ends(ends({"after": made_records.end_probability(0.4)}), 5)


def test_whether_the_model_tells_the_end_of_a_text_is_told_by_the_intervals():
    alike = phrases.text_ends(ends({"after": made_records.end_probability(20.0, 30.0, 23.0)}), 5)
    assert "these figures do not show that the model tells the end of a text from the end of a sentence" in alike
    knows = phrases.text_ends(ends({"after": made_records.end_probability(20.0, 30.0, 60.0)}), 5)
    assert "gives it 60 (54–66) %, which is more." in knows and "does not tell" not in knows


def test_texts_that_are_cut_are_cleared_only_where_their_training_gives_longer_texts_and_unlikelier_ends():
    told = phrases.text_ends(measured(), 5)
    assert (
        "An end token behind a text that is cut hardly does so: trained on 4 other, longer texts that are all cut"
        in told
    )
    for changed in (
        ends({"cut": made_records.end_probability(20.0)}),
        ends(cut=made_records.text_lengths()),
    ):
        told = phrases.text_ends(changed, 5)
        assert "hardly does so" not in told and "Trained on 4 texts that are all cut, the model gives it" in told


# Style.


def test_style_is_nearer_farther_or_undecided_by_the_interval_of_the_difference():
    for change, told in (
        (estimate(-0.1, -0.2, -0.001), "By the classifier's AUC, fine-tuning brings the texts nearer to people's"),
        (estimate(0.1, 0.001, 0.2), "By the classifier's AUC, fine-tuning takes the texts farther from people's"),
        (
            estimate(-0.1, -0.2, 0.001),
            "By the classifier's AUC, it is not decided whether fine-tuning brings the texts nearer",
        ),
        (estimate(-0.1), "By the classifier's AUC, it is not decided"),
    ):
        said = phrases.style(measured(style=made_records.style({"auc": change})))
        assert told in said
        assert "By word frequencies, fine-tuning brings the texts nearer to people's (-0.020, -0.030 to -0.010)" in said


def test_style_is_held_against_other_people_s_texts():
    for floor, told in (
        (estimate(0.3, 0.001, 0.4), "they are still farther from them than other people's"),
        (estimate(0.1, -0.001, 0.2), "it is not decided whether they are farther from them"),
        (estimate(-0.1, -0.2, -0.001), "they are even nearer to them than other people's"),
    ):
        differs = {name: floor for name in ("auc", "jsd")}
        assert phrases.style(measured(style=made_records.style(None, differs))).count(told) == 2


# The learning curve.


def test_each_number_of_stories_is_compared_with_the_one_before():
    told = phrases.learning_curve(measured())
    assert told.startswith("2 trainings, one for each number of stories")
    assert "With 8 stories they take 0.050 to 0.050 fewer bits per character than before training" in told
    assert "with 120 instead of 8, 0.15 to 0.15 fewer." in told
    worse = made_records.learning_curve(((8, 1.35, 1.45), (120, 1.4, 1.55)))
    assert "with 120 instead of 8, 0.050 to 0.10 more." in phrases.learning_curve(measured(learning_curve=worse))
    one = made_records.learning_curve(((8, 1.35, 1.6),))
    told = phrases.learning_curve(measured(learning_curve=one))
    assert "With 8 stories they take between 0.050 fewer and 0.10 more bits per character" in told


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (((8, 1.4, 1.4), (500, 1.3, 1.3)), "was not tested here"),  # none is larger
        (((8, 1.4, 1.4), (350, 1.3, 1.3), (1000, 1.2, 1.2)), "was not tested here"),  # none is near
        (((400, 1.3, 1.3), (1000, 1.2, 1.25)), "From 400 to 1,000 stories held-out texts take 0.050 to 0.10 fewer"),
        (((500, 1.3, 1.3), (1000, 1.35, 1.45)), "0.050 to 0.15 more bits per character: more stories do not help"),
        (((500, 1.3, 1.3), (1000, 1.2, 1.4)), "it is not decided whether more stories help"),
    ],
)
def test_500_stories_are_held_against_more_only_where_both_were_run(points, told):
    curve = made_records.learning_curve(points)
    for said in (
        phrases.learning_curve(measured(learning_curve=curve)),
        phrases.answer(results(learning_curve=curve)),
    ):
        assert told in said
        assert ("not tested here" in said) == ("not tested here" in told)


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
    of = measured(speed_ratio=ratio)
    said = phrases.speed_ratio(of)
    assert f": {told}" in said and "of the 3 pairs of later calls" in said
    assert "took 3.5 times as long as the median later call" in said
    assert f": {told}" in phrases.answer(results(speed_ratio=ratio))


def test_the_answer_tells_bits_lengths_style_and_speed():
    told = phrases.answer(results())
    assert told.startswith("After 4 steps of 4 stories, held-out texts take 0.10 to 0.20 fewer bits per character")
    assert (
        "30 new tokens in the median (197 or more before fine-tuning). After the same training without an end token"
        in told
    )
    assert "AUC of 0.800 after fine-tuning and 0.900 before, and people's from other people's with 0.50" in told
    assert "took 17.6 s before and 16.0 s after" in told
    worse = phrases.answer(results(bits_before=(1.2, 1.3), bits_after=(1.3, 1.5)))
    assert "take 0.10 to 0.20 more bits per character than before" in worse


@pytest.mark.parametrize(
    "tell",
    [
        lambda one, language: phrases.answer(made_records.results("02_reddit_finetune", one), language),
        lambda one, language: phrases.text_lengths(one, 128, language),
        lambda one, language: phrases.text_ends(one, 5, language),
        phrases.style,
        phrases.learning_curve,
        phrases.speed_ratio,
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
        "survival": "fine-tuning 30; the same training, no end token 197; the same training, texts all cut 197;",
        "style": "classifier, AUC, after fine-tuning: 0.80; classifier, AUC, other people: 0.50",
        "learning_curve": "Before training 1.450; 8 stories 1.400; 120 stories 1.250",
    }
    assert expected[name] in alt


def test_a_text_that_was_cut_is_not_drawn_as_ended():
    lengths = made_records.text_lengths((10, 20, 197, 197), [True, True, False, False])
    runs = {name: lengths for name in ("before", "after", "without", "cut")}
    from lib.report import figures

    figure, _ = figures.survival(runs, 105.0)
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [0, 10, 20, 197]
    assert list(line.get_ydata()) == [100, 75, 50, 50]


def test_the_share_of_sentence_ends_with_an_end_token_leaves_out_texts_that_are_cut():
    trained = records.TrainingTexts(texts=120, cut=6, tokens=[105], median_tokens=105, sentences=684)
    assert trained.ends_per_sentence_percent == pytest.approx(100 * 114 / 684)
    none = records.TrainingTexts(texts=1, cut=1, tokens=[105], median_tokens=105, sentences=0)
    assert none.ends_per_sentence_percent is None
