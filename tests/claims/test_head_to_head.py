import made_records
import pytest
from made_records import estimate, poem_form, timing

from lib.claims import head_to_head
from lib.core.records import Winner

BITS, OTHER_BITS = (8.0, 8.5, 9.0, 8.2), (8.9, 9.6, 9.9, 9.3)


def measured(own, other):
    """What 05 measured, from bits by poem, form and time of the one model and of the other."""
    (bits, form, time), (their_bits, their_form, their_time) = own, other
    likelihood = {"before": made_records.likelihood((20.0,) * 4), "after": made_records.likelihood(their_bits)}
    theirs = made_records.fine_tuned(likelihood=likelihood, form=their_form, timing=their_time)
    return made_records.scratch(bits, fine_tuned=theirs, form=form, timing=time)


OWN = (
    BITS,
    poem_form(well_formed=estimate(88, 82, 95), rhyme=None, alternating=estimate(82, 77, 87)),
    timing("from scratch", later=(0.1, 0.11)),
)
OTHER = (
    OTHER_BITS,
    poem_form(well_formed=estimate(60, 40, 81), rhyme=12.0, alternating=estimate(75, 70, 81)),
    timing("fine-tuned", later=(2.0, 2.1)),
)


def winners(own, other):
    return {contest.measure: contest.winner for contest in head_to_head.contests(measured(own, other))}


def test_who_wins_is_told_by_the_intervals():
    found = winners(OWN, OTHER)
    assert found["bits_per_character"] is found["well_formed"] is found["seconds_per_poem"] is Winner.FROM_SCRATCH
    assert found["alternating"] is Winner.NEITHER  # 7 with an interval of 7.8 each way
    turned = winners(OTHER, OWN)
    assert turned["bits_per_character"] is turned["well_formed"] is turned["seconds_per_poem"] is Winner.FINE_TUNED
    assert turned["alternating"] is Winner.NEITHER


def test_a_share_that_one_of_them_lacks_is_left_out():
    assert "rhyme" not in winners(OWN, OTHER) and "rhyme" not in winners(OTHER, OWN)
    without_interval = (OWN[0], poem_form(rhyme=estimate(100.0)), OWN[2])
    assert "rhyme" not in winners(without_interval, OTHER)
    assert list(winners(OWN, OWN)) == [
        "bits_per_character",
        "well_formed",
        "regular_lines",
        "han",
        "alternating",
        "parallel_tones",
        "parallel_words",
        "seconds_per_poem",
    ]


def test_models_that_are_alike_have_no_winner():
    bits = (8.0, 9.0, 8.5, 8.2), (8.2, 8.8, 8.6, 8.1)
    found = winners((bits[0], *OWN[1:]), (bits[1], *OWN[1:]))
    assert set(found.values()) == {Winner.NEITHER}


def test_each_contest_holds_the_figures_of_both():
    contests = {contest.measure: contest for contest in head_to_head.contests(measured(OWN, OTHER))}
    bits = contests["bits_per_character"]
    assert bits.from_scratch.value == pytest.approx(sum(BITS) / 4)
    assert bits.fine_tuned.value == pytest.approx(sum(OTHER_BITS) / 4)  # after fine-tuning, not before
    assert contests["well_formed"].from_scratch == estimate(88)  # one run: no interval over runs
    assert contests["well_formed"].fine_tuned == estimate(60)
    seconds = contests["seconds_per_poem"]
    assert (seconds.from_scratch.value, seconds.fine_tuned.value) == pytest.approx((0.105, 2.05))


def test_bits_are_judged_poem_by_poem():
    # Poems differ by more than models do: only the differences on the same poem tell which is better.
    own = [4.0, 8.0, 12.0, 16.0]
    found = measured(
        (own, *OWN[1:]), ([bits + by for bits, by in zip(own, (0.1, 0.2, 0.1, 0.2), strict=True)], *OTHER[1:])
    )
    assert head_to_head.contests(found)[0].winner is Winner.FROM_SCRATCH


def over_runs(own, other, **shares):
    """What 05 measured, with several runs of each model, by bits per character and well-formed poems."""

    def runs(values):
        return [
            made_records.poem_run(run, poem_form(well_formed), (bits, bits + 1), poem_form(0.0))
            for run, (bits, well_formed) in enumerate(values, 1)
        ]

    tang = made_records.tang(runs=runs(other))
    theirs = made_records.fine_tuned(runs=tang.runs, form_over_runs=tang.after_over_runs[tang.form.prompt])
    return made_records.scratch(runs=runs(own), fine_tuned=theirs)


def test_with_several_runs_the_intervals_are_over_the_runs():
    apart = over_runs([(8.0, 50.0), (8.1, 54.0), (7.9, 46.0)], [(9.0, 80.0), (9.1, 84.0), (8.9, 76.0)])
    found = {contest.measure: contest for contest in head_to_head.contests(apart)}
    assert found["bits_per_character"].winner is Winner.FROM_SCRATCH
    assert found["well_formed"].winner is Winner.FINE_TUNED
    assert found["well_formed"].from_scratch.value == 50 and found["well_formed"].fine_tuned.value == 80
    # The same means, and runs that differ more than the models do: within each run the intervals would be apart.
    wide = over_runs([(8.0, 50.0), (9.5, 90.0), (6.5, 10.0)], [(9.0, 80.0), (10.0, 95.0), (8.0, 65.0)])
    found = {contest.measure: contest for contest in head_to_head.contests(wide)}
    assert found["bits_per_character"].winner is found["well_formed"].winner is Winner.NEITHER
