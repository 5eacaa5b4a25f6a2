import pytest
from made_records import estimate

from lib.claims import rules
from lib.core.records import Effect, SpeedVerdict, Verdict, Winner


def effect(low, high, smallest=0.0):
    """An effect with an interval, and whether it reaches the smallest one."""
    found = estimate(0.0 if low is None else (low + high) / 2, low, high)
    return Effect(
        measure="any", unit="points", smallest=smallest, estimate=found, reaches=rules.reaches(found, smallest)
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (10.1, 20.0, True),
        (-20.0, 9.9, False),
        (5.0, 15.0, None),
        (10.0, 15.0, None),  # not more than the smallest
        (5.0, 10.0, None),
        (None, None, None),
    ],
)
def test_an_effect_reaches_the_smallest_that_matters_by_its_whole_interval(low, high, expected):
    assert rules.reaches(estimate(10.0, low, high), 10.0) is expected


ABOVE, BELOW, BETWEEN = effect(1.0, 2.0), effect(-2.0, -1.0), effect(-1.0, 1.0)


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([ABOVE], Verdict.HOLDS),
        ([BELOW], Verdict.DOES_NOT_HOLD),
        ([BETWEEN], Verdict.UNDECIDED),
        ([ABOVE, ABOVE], Verdict.HOLDS),
        ([ABOVE, BELOW], Verdict.HOLDS_IN_PART),
        ([ABOVE, BETWEEN], Verdict.HOLDS_IN_PART),
        ([BELOW, BETWEEN], Verdict.UNDECIDED),
        ([BELOW, BELOW], Verdict.DOES_NOT_HOLD),
        ([effect(None, None)], Verdict.UNDECIDED),
        ([], Verdict.NOT_TESTED),
    ],
)
def test_a_claim_is_judged_by_all_its_effects(effects, expected):
    assert rules.verdict(effects) is expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.2, 1.3, SpeedVerdict.FASTER),
        (0.7, 0.9, SpeedVerdict.SLOWER),
        (0.95, 1.05, SpeedVerdict.SAME),
        (1.05, 1.2, SpeedVerdict.FASTER),
        (1.01, 1.05, SpeedVerdict.SAME),
        (0.85, 1.0, SpeedVerdict.UNDECIDED),
        (0.5, 2.0, SpeedVerdict.UNDECIDED),
        (None, None, SpeedVerdict.UNDECIDED),
    ],
)
def test_calls_are_the_same_only_if_the_whole_interval_is_less_than_a_tenth(low, high, expected):
    assert rules.speed(estimate(1.0, low, high)) is expected


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


def test_turning_the_sign_turns_the_interval():
    assert rules.minus(estimate(2.0, 1.0, 4.0)) == estimate(-2.0, -4.0, -1.0)
    assert rules.minus(estimate(2.0)) == estimate(-2.0)
    assert rules.minus(estimate(None)) == estimate(None)
