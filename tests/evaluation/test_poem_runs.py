import made_records
import pandas as pd
import pytest
from made_records import estimate, poem_form

from lib.core.records import Estimate
from lib.evaluation import few_values, poem_runs, statistics


def forms(*well_formed, **shares):
    return [poem_form(well_formed=value, **shares) for value in well_formed]


def test_the_mean_over_runs_is_cut_at_what_is_possible():
    told = poem_runs.over_runs(forms(50.0, 60.0, 70.0))["well_formed"]
    assert told == few_values.over_runs([50.0, 60.0, 70.0])
    told = poem_runs.over_runs(forms(80.0, 100.0))["well_formed"]
    assert told.value == 90 and told.low == 0 and told.high == 100  # Student's with one degree of freedom
    assert poem_runs.over_runs(forms(80.0))["well_formed"] == estimate(80.0)
    assert poem_runs.over_runs(forms(80.0, 80.0, 80.0))["well_formed"] == estimate(80.0)  # no interval of no width
    assert poem_runs.over_runs(forms(80.0, None, 70.0))["well_formed"].value == 75


def test_a_difference_of_paired_runs_is_that_of_the_pairs():
    told = poem_runs.difference(forms(60.0, 72.0, 81.0), forms(10.0, 20.0, 30.0), paired=True)
    assert told["well_formed"] == few_values.over_runs([50.0, 52.0, 51.0])
    unpaired = poem_runs.difference(forms(60.0, 72.0, 81.0), forms(10.0, 20.0, 30.0))
    assert unpaired["well_formed"] == few_values.difference_over_runs([60.0, 72.0, 81.0], [10.0, 20.0, 30.0])
    assert set(told) == set(poem_runs.DIFFERENCES)


@pytest.mark.parametrize("runs", [1, 3])
def test_without_a_spread_between_runs_the_interval_is_that_within_the_first(runs):
    # The factory's intervals are 5 each way: 5 * sqrt(2) for the difference.
    for paired in (True, False):
        told = poem_runs.difference(forms(*[60.0] * runs), forms(*[10.0] * runs), paired)["well_formed"]
        assert (told.value, told.low, told.high) == pytest.approx((50, 50 - 50**0.5, 50 + 50**0.5))


def test_a_share_that_nothing_has_is_no_difference():
    told = poem_runs.difference(forms(60.0, rhyme=None), forms(10.0))
    assert told["rhyme"] == Estimate(value=None)


def test_beside_a_fixed_figure_both_intervals_count():
    fixed = {"well_formed": estimate(40.0, 36.0, 44.0)}
    told = poem_runs.beside(forms(60.0, 64.0, 62.0), fixed)["well_formed"]
    over = few_values.over_runs([60.0, 64.0, 62.0])
    assert told == statistics.difference_of_estimates(over, fixed["well_formed"])
    one = poem_runs.beside(forms(60.0), fixed)["well_formed"]
    assert (one.value, one.low) == pytest.approx((20, 20 - 41**0.5))  # 5 within the run, 4 of the figure


def test_the_prompt_in_traditional_characters_is_compared():
    assert poem_runs.compared_prompt(["春眠不觉晓", "春眠不覺曉"]) == "春眠不覺曉"
    assert poem_runs.compared_prompt(["春眠不觉晓"]) == "春眠不觉晓"
    assert poem_runs.compared_prompt(["春眠不覺曉", "白日依山盡"]) == "春眠不覺曉"


def test_poems_have_the_number_of_their_run():
    told = poem_runs.numbered([pd.DataFrame({"text": ["a", "b"]}), pd.DataFrame({"text": ["c"]})])
    assert told["run"].tolist() == [1, 1, 2] and told["text"].tolist() == ["a", "b", "c"]


SIMPLIFIED, TRADITIONAL = "春眠不觉晓", "春眠不覺曉"


def runs_of_two_prompts():
    """Two runs; after the simplified prompt no poem is well formed."""
    return [
        made_records.poem_run(
            run,
            form_by_prompt={SIMPLIFIED: poem_form(0.0), TRADITIONAL: poem_form(70.0 + 10.0 * run)},
            before_by_prompt={SIMPLIFIED: poem_form(0.0), TRADITIONAL: poem_form(10.0)},
            bits=bits,
        )
        for run, bits in ((1, (9.0, 9.5)), (2, (9.2, 9.9)))
    ]


def test_prompts_are_never_put_together():
    told = poem_runs.of_fine_tuning(runs_of_two_prompts(), made_records.poem_scale())
    assert told["form"].prompt == TRADITIONAL and told["form"].after.shares["well_formed"].value == 80
    assert told["after_over_runs"][TRADITIONAL]["well_formed"].value == 85
    assert told["after_over_runs"][SIMPLIFIED]["well_formed"].value == 0
    assert told["after_minus_before"][TRADITIONAL]["well_formed"].value == 75
    assert told["tang_minus_after"][TRADITIONAL]["well_formed"].value == 10
    assert told["after_minus_chance"][TRADITIONAL]["parallel_words"].value == 62 - 50
    assert told["ceiling_minus_after"][TRADITIONAL]["parallel_words"].value == 90 - 62
    assert set(told["after_minus_chance"][TRADITIONAL]) == set(poem_runs.BY_CHANCE)
    assert told["bits_over_runs"].value == pytest.approx((9.25 + 9.55) / 2)


def test_the_model_from_scratch_is_compared_after_the_same_prompt():
    tang = made_records.tang(runs=runs_of_two_prompts())
    theirs = made_records.fine_tuned(prompt=TRADITIONAL, runs=tang.runs)
    own = [
        made_records.poem_run(run, poem_form(50.0 + run), bits, prompt=TRADITIONAL)
        for run, bits in ((1, (8.0, 8.4)), (2, (8.2, 8.8)))
    ]
    told = poem_runs.of_scratch(own, theirs, {SIMPLIFIED: TRADITIONAL, TRADITIONAL: TRADITIONAL})
    assert told["prompt"] == TRADITIONAL
    assert told["minus_fine_tuned"]["well_formed"] == poem_runs._within(
        few_values.difference_over_runs([51.0, 52.0], [80.0, 90.0]), -100.0
    )
    # By poem, means of the runs: 8.1 and 8.6 against 9.1 and 9.7.
    assert told["bits_per_character_difference"].value == pytest.approx(((8.1 - 9.1) + (8.6 - 9.7)) / 2)
    assert told["bits_per_character_difference_over_runs"] == few_values.difference_over_runs([8.2, 8.5], [9.25, 9.55])
