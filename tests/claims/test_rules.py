import made_records
import pytest
from made_records import estimate

from lib.claims import rules
from lib.core.records import SpeedVerdict, Verdict, Winner


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([2.0, 2.1], [2.05, 2.1], SpeedVerdict.SAME),
        ([2.0, 3.0], [2.9, 4.0], SpeedVerdict.SAME),  # the ranges overlap
        ([2.0, 2.0], [2.19, 2.19], SpeedVerdict.SAME),  # less than a tenth
        ([2.0, 2.0], [1.81, 1.81], SpeedVerdict.SAME),
        ([2.0, 2.1], [1.0, 1.1], SpeedVerdict.FASTER),
        ([2.0, 2.1], [4.0, 4.1], SpeedVerdict.SLOWER),
    ],
)
def test_speed_is_compared_by_no_more_than_the_calls_show(before, after, expected):
    # The first calls would tell the contrary.
    first = (1.0, 9.0) if expected is SpeedVerdict.FASTER else (9.0, 1.0)
    timings = [made_records.timing(first=at, later=later) for at, later in zip(first, (before, after), strict=True)]
    assert rules.compare_speed(*timings) is expected


def test_a_difference_has_the_ends_that_two_intervals_allow():
    assert rules.difference(estimate(10, 8, 12), estimate(4, 3, 7)) == estimate(6, 1, 9)
    assert rules.difference(estimate(10), estimate(4, 3, 7)) == estimate(6)
    assert rules.difference(estimate(10, 8, 12), estimate(4)) == estimate(6)
    assert rules.difference(estimate(None), estimate(4, 3, 7)) == estimate(None)
    assert rules.difference(estimate(10, 8, 12), estimate(None)) == estimate(None)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 2.0, True), (-2.0, -0.1, False), (-1.0, 1.0, None), (0.0, 1.0, None), (-1.0, 0.0, None), (None, None, None)],
)
def test_a_figure_is_above_zero_if_its_interval_is(low, high, expected):
    assert rules.above_zero(estimate(1.0, low, high)) is expected


def test_what_the_figures_do_not_decide_is_undecided():
    assert rules.holds(True) is Verdict.HOLDS
    assert rules.holds(False) is Verdict.DOES_NOT_HOLD
    assert rules.holds(None) is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (86.0, 94.0, Verdict.HOLDS),  # above the floor (0 to 10), and as high as the ceiling (85 to 95)
        (96.0, 99.0, Verdict.HOLDS),  # above both
        (40.0, 50.0, Verdict.HOLDS_IN_PART),
        (2.0, 12.0, Verdict.DOES_NOT_HOLD),
        (2.0, 90.0, Verdict.UNDECIDED),
        (None, None, Verdict.UNDECIDED),
    ],
)
def test_a_figure_is_judged_by_a_floor_and_a_ceiling(low, high, expected):
    floor, ceiling = estimate(5.0, 0.0, 10.0), estimate(90.0, 85.0, 95.0)
    assert rules.floor_and_ceiling(estimate(low, low, high), floor, ceiling) is expected


def test_without_the_interval_of_a_floor_nothing_is_above_it():
    reached, ceiling = estimate(45.0, 40.0, 50.0), estimate(90.0, 85.0, 95.0)
    assert rules.floor_and_ceiling(reached, estimate(5.0), ceiling) is Verdict.DOES_NOT_HOLD
    assert rules.floor_and_ceiling(reached, estimate(5.0), estimate(90.0)) is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("low", "high", "lower_is_better", "expected"),
    [
        (0.1, 0.2, True, Winner.FINE_TUNED),
        (-0.2, -0.1, True, Winner.FROM_SCRATCH),
        (0.1, 0.2, False, Winner.FROM_SCRATCH),
        (-0.2, -0.1, False, Winner.FINE_TUNED),
        (-0.1, 0.1, True, Winner.NEITHER),
        (-0.1, 0.1, False, Winner.NEITHER),
        (None, None, True, Winner.NEITHER),
    ],
)
def test_the_better_model_is_told_by_the_interval_of_the_difference(low, high, lower_is_better, expected):
    assert rules.better(estimate(0.0, low, high), lower_is_better) is expected
