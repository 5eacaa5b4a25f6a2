import math

import pytest
from made_records import estimate

from lib.core.records import Estimate
from lib.report import numbers


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (1234.5, "1,234"), (12.345, "12.3"), (0.012345, "0.0123"), (-2.5, "-2.50"), (math.inf, "inf")],
)
def test_number_has_three_significant_digits(value, expected):
    assert numbers.number(value) == expected


def test_number_can_have_more_or_fewer_digits():
    assert numbers.number(3.30471, 4) == "3.305"
    assert numbers.number(0.123, 2) == "0.12"


def test_an_interval_stands_in_brackets_and_a_dash_where_there_is_no_figure():
    assert numbers.with_interval(estimate(4.0, 2.0, 8.0)) == "4.0 (2.0–8.0)"
    assert numbers.with_interval(estimate(2.0)) == "2.00"
    assert numbers.with_interval(estimate(None)) == "–"
    assert numbers.with_interval(estimate(math.nan, math.nan, math.nan)) == "–"
    assert numbers.with_interval(estimate(0.0, 0.0, 0.0)) == "0 (0–0)"


@pytest.mark.parametrize(
    ("value", "low", "high", "told"),
    [
        (77.52, 70.14, 83.71, "78 (70–84)"),
        (0.7061, 0.0, 1.97, "0.7 (0.0–2.0)"),
        (0.912, 0.8871, 0.9372, "0.912 (0.887–0.937)"),
        (-0.0716, -0.0842, -0.0613, "-0.072 (-0.084 to -0.061)"),
        (1.0, -0.001, 2.0, "1.0 (0.0 to 2.0)"),
        (12345.6, 9000.0, 16000.0, "12,346 (9,000–16,000)"),
    ],
)
def test_an_interval_has_no_more_digits_than_its_width_tells(value, low, high, told):
    assert numbers.with_interval(estimate(value, low, high)) == told


def test_a_difference_has_its_sign():
    assert numbers.signed(estimate(94.4, 71.0, 99.0)) == "+94 (+71 – +99)"
    assert numbers.signed(estimate(-0.126, -0.2, 0.1), 2) == "-0.13 (-0.20 – +0.10)"
    assert (numbers.signed(estimate(3.0)), numbers.signed(estimate(None))) == ("+3", "–")


def test_shares_in_sentences():
    assert numbers.percent(12.4) == "12 %"
    assert numbers.percent(0.0, "zh") == "0 %"
    assert numbers.percent(None) == "(nothing to judge)"
    assert numbers.percent(None, "zh") == "（没有可评判的）"


def test_a_parameter_is_shown_as_readers_write_it():
    assert numbers.parameter(["My trip was", "春眠"]) == "My trip was, 春眠"
    assert numbers.parameter(5) == "5" and numbers.parameter(True) == "True" and numbers.parameter("auto") == "auto"


@pytest.mark.parametrize(
    ("met", "target", "low", "told"),
    [
        (True, ">= 0.75", 0.8, "met"),
        (True, ">= 0.75", 0.6, "met in the median, not in every pair"),
        (False, ">= 0.75", 0.6, "missed"),
        (None, None, 0.6, None),
        (None, ">= 0.75", None, None),
        (False, "<= 5 %", 1.0, "missed"),
    ],
)
def test_a_target_that_not_every_pair_meets_is_told_so(met, target, low, told):
    assert numbers.target_met(met, target, low) == told


def test_a_very_narrow_interval_makes_no_long_figure():
    narrow = Estimate(value=0.384219, low=0.384219, high=0.3842191)
    assert numbers.with_interval(narrow) == "0.38422 (0.38422–0.38422)"
