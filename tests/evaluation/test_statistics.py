import math

import numpy as np
import pytest

from lib.core.records import Estimate
from lib.evaluation import statistics


def test_spread_is_median_p90_and_mad():
    told = statistics.spread([1.0, 2.0, 4.0, 100.0, 3.0])
    assert (told.n, told.median_seconds, told.mad_seconds, told.wide) == (5, 3.0, 1.0, True)
    assert told.p90_seconds == pytest.approx(4 + 0.6 * 96)
    assert statistics.spread([10.0, 10.2, 10.4, 30.0, 10.1]).wide  # most are close together, but the tail is long
    assert not statistics.spread([10.0, 10.2, 10.4, 12.0, 10.1]).wide
    assert statistics.spread([10.0, 10.6, 9.4, 10.6, 9.4]).wide  # no long tail, but not close together
    assert not statistics.spread([10.0, 10.4, 9.6, 10.4, 9.6]).wide
    assert statistics.spread([1.0]).wide  # nothing is known of its spread


def test_interval():
    assert all(math.isnan(end) for values in ([], [1.0], [1.0, math.nan]) for end in statistics.interval(values))
    assert statistics.interval([3.0, 3.0, math.nan, 3.0]) == (3, 3)
    # Of 0 and 1 a resample has the mean 0, 1/2 or 1, the outer two in a quarter of the cases each.
    assert statistics.interval([0.0, 1.0]) == (0, 1)
    assert statistics.interval([0.0, 1.0], level=0.4) == (0.5, 0.5)
    assert statistics.interval(range(50)) == statistics.interval(range(50)) != statistics.interval(range(50), seed=1)


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = [low <= 5 <= high for low, high in (statistics.interval(rng.normal(5, 2, 40)) for _ in range(200))]
    assert 0.88 < np.mean(covered) < 0.99


def test_interval_of_many_values_is_that_of_the_normal_distribution():
    values = np.random.default_rng(3).normal(5, 2, size=400)
    low, high = statistics.interval(values)
    half = 1.96 * values.std() / math.sqrt(400)
    assert (low, high) == (pytest.approx(values.mean() - half, abs=0.03), pytest.approx(values.mean() + half, abs=0.03))


def test_interval_covers_the_true_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).exponential(size=(200, 50))
    for level, lowest, highest in [(0.95, 0.89, 0.98), (0.5, 0.42, 0.58)]:
        intervals = [statistics.interval(values, level=level) for values in draws]
        assert lowest < np.mean([low <= 1 <= high for low, high in intervals]) < highest


def test_interval_leaves_out_what_is_not_known():
    assert statistics.interval([math.nan, 1, 3, math.nan, 4]) == statistics.interval([1, 3, 4])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0, 0.1, 100 / 3])
def test_interval_of_equal_values(value):
    assert statistics.interval([value] * 7) == (value, value)


def test_a_mean_has_its_interval_and_leaves_out_what_is_not_finite():
    told = statistics.mean([1, math.nan, 3, math.inf, 4])
    assert told.value == pytest.approx(8 / 3)
    assert (told.low, told.high) == statistics.interval([1, 3, 4])
    alone = statistics.mean([2.0, math.nan])
    assert (alone.value, alone.low, alone.high) == (2, None, None)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, math.nan]])
def test_there_is_no_mean_of_nothing(values):
    told = statistics.mean(values)
    assert (told.value, told.low, told.high) == (None, None, None)


def test_the_mean_difference_is_of_pairs():
    told = statistics.mean_difference([8.0, 8.5, 9.0, 8.2], [8.9, 9.6, 9.9, 9.3])
    assert told.value == pytest.approx(-1.0)
    assert told.low < told.value < told.high < 0
    turned = statistics.mean_difference([8.9, 9.6, 9.9, 9.3], [8.0, 8.5, 9.0, 8.2])
    assert turned.value == pytest.approx(1.0) and turned.low > 0


def test_a_pair_without_a_figure_is_left_out_of_the_difference():
    for first, second in (([8.0, 9.0, 1.0], [9, 10, None]), ([8.0, 9.0, None], [9, 10, 1.0])):
        told = statistics.mean_difference(first, second)
        assert (told.value, told.low, told.high) == (-1.0, -1.0, -1.0)


def test_share_interval():
    # Wilson: (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), with z = 1.96; p = 0 and p = 1/2
    z2 = 1.959964**2
    assert statistics.share_interval(0, 16) == pytest.approx((0, z2 / 16 / (1 + z2 / 16)), abs=1e-5)
    assert statistics.share_interval(16, 16) == pytest.approx((1 - z2 / 16 / (1 + z2 / 16), 1), abs=1e-5)
    half = math.sqrt(z2 * (1 / 4 / 8 + z2 / 4 / 64)) / (1 + z2 / 8)
    assert statistics.share_interval(4, 8) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-5)
    assert all(math.isnan(end) for end in statistics.share_interval(0, 0))


def test_a_share_is_in_percent_with_wilson_s_interval():
    told = statistics.share(3, 4)
    assert told.value == 75
    assert (told.low, told.high) == pytest.approx([100 * end for end in statistics.share_interval(3, 4)])
    nothing = statistics.share(0, 0)
    assert (nothing.value, nothing.low, nothing.high) == (None, None, None)


def ratio(*rows):
    """The ratio of rows of (part, whole)."""
    parts, wholes = (np.array(column, int) for column in zip(*rows, strict=True))
    return statistics.ratio(parts, wholes)


def test_interval_of_a_ratio_is_that_of_the_bootstrap():
    # 100 rows of one pair each, 50 of which count: the standard error is 100 * sqrt(0.5 * 0.5 / 100) = 5 percent.
    told = ratio(*[(1, 1), (0, 1)] * 50)
    assert told.value == 50
    assert (told.low, told.high) == pytest.approx((50 - 1.96 * 5, 50 + 1.96 * 5), abs=1)
    assert ratio(*[(1, 1), (0, 1)] * 50) == told  # the seed is fixed


def test_interval_of_a_ratio_has_a_width_where_none_or_all_pairs_count():
    for part, percent in ((1, 100), (0, 0)):
        told = ratio(*[(part, 1)] * 20)
        assert told == statistics.share(20 * part, 20)
        assert told.value == percent and told.high - told.low > 15


def test_ratios_weigh_rows_by_their_pairs():
    assert ratio((10, 10), (0, 1)).value == pytest.approx(100 * 10 / 11)  # not the mean of 100 and 0


def test_a_ratio_has_no_interval_unless_two_rows_can_be_judged_and_no_value_without_one():
    one = ratio((1, 2), (0, 0))
    assert (one.value, one.low, one.high) == (50, None, None)
    for rows in ([(0, 0)], [(0, 0), (0, 0)]):
        none = ratio(*rows)
        assert (none.value, none.low, none.high) == (None, None, None)
    empty = statistics.ratio(np.array([], int), np.array([], int))
    assert (empty.value, empty.low, empty.high) == (None, None, None)


@pytest.mark.filterwarnings("error")
def test_resamples_in_which_nothing_can_be_judged_are_left_out():
    told = ratio((1, 1), (0, 1), (0, 0), (0, 0), (0, 0))  # a resample in 13 has none of the first two
    assert told.value == 50 and 0 <= told.low < told.high <= 100


def test_two_independent_groups_differ_by_their_means():
    found = statistics.difference_of_means([1.0, 2.0, 3.0, 4.0] * 10, [0.0, 1.0] * 20)
    assert found.value == pytest.approx(2.0)
    assert found.low < 2.0 < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * ((1.25 / 40 + 0.25 / 40) ** 0.5), rel=0.1)
    assert statistics.difference_of_means([1.0], [0.0, 2.0]).low is None
    assert statistics.difference_of_means([], [0.0, 2.0]).value is None


def test_shares_of_the_same_cases_differ_by_newcombes_interval():
    first = [True] * 14 + [False] * 2
    second = [False] * 14 + [False] * 2
    found = statistics.paired_share_difference(first, second)
    # By hand: Wilson gives 0.6398..0.9650 for 14 of 16 and 0..0.1936 for none of 16; with a share of 0, phi is 0.
    assert found.value == pytest.approx(87.5)
    assert found.low == pytest.approx(100 * (0.875 - ((0.875 - 0.6398) ** 2 + 0.1936**2) ** 0.5), abs=0.1)
    assert found.high == pytest.approx(100 * (0.875 + (0.9650 - 0.875)), abs=0.1)
    alike = statistics.paired_share_difference([True] * 16, [True] * 16)
    assert alike.value == 0 and alike.low < 0 < alike.high


def test_pairs_that_agree_make_the_interval_of_shares_narrower():
    mixed = [True, False] * 20
    same = statistics.paired_share_difference(mixed, mixed)
    opposite = statistics.paired_share_difference(mixed, mixed[::-1])
    assert same.high - same.low < opposite.high - opposite.low


def test_the_difference_of_two_estimates_adds_the_distances_to_their_ends_as_squares():
    # 60 (57 to 64) minus 40 (36 to 45): down sqrt(3² + 5²), up sqrt(4² + 4²).
    told = statistics.difference_of_estimates(Estimate(value=60, low=57, high=64), Estimate(value=40, low=36, high=45))
    assert (told.value, told.low, told.high) == pytest.approx((20, 20 - 34**0.5, 20 + 32**0.5))
    assert statistics.difference_of_estimates(Estimate(value=60), Estimate(value=40, low=36, high=45)) == Estimate(
        value=20
    )
    assert statistics.difference_of_estimates(Estimate(value=None), Estimate(value=40)) == Estimate(value=None)
