import numpy as np
import pytest

from lib.evaluation import few_values


def test_runs_vary_by_students_interval():
    found = few_values.over_runs([10.0, 20.0, None, 30.0])
    assert found.value == pytest.approx(20)
    assert found.high == pytest.approx(20 + 4.3027 * 10 / 3**0.5, abs=0.01)
    assert few_values.over_runs([10.0]).low is None and few_values.over_runs([None]).value is None


def test_two_groups_of_runs_differ_by_welchs_interval():
    from scipy import stats

    first, second = [10.0, 20.0, 30.0], [1.0, 2.0, 4.0, 5.0]
    found = few_values.difference_over_runs(first, second)
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    same = few_values.difference_over_runs([5.0, 5.0], [3.0, 3.0])
    assert (same.low, same.high) == (2.0, 2.0)


def test_ratios_of_pairs_are_averaged_in_the_logarithm():
    found = few_values.mean_ratio([2.0, 8.0], [1.0, 1.0])
    assert found.value == pytest.approx(4.0)
    assert found.low * found.high == pytest.approx(16.0)


def test_two_groups_have_the_ratio_of_their_geometric_means():
    found = few_values.ratio_of_groups([2.0, 8.0], [1.0, 4.0, 2.0])
    assert found.value == pytest.approx(4.0 / 2.0)
    assert found.low < 2.0 < found.high and found.low * found.high == pytest.approx(4.0)
    assert few_values.ratio_of_groups([2.0], [1.0, 4.0]).low is None


def test_a_deviation_has_the_chi_square_interval():
    from scipy import stats

    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = few_values.deviation(float(((values - 4) ** 2).sum()), 3)
    assert found.value == pytest.approx(values.std(ddof=1))
    variances = 3 * found.value**2 / stats.chi2.ppf([0.975, 0.025], 3)
    assert (found.low, found.high) == pytest.approx(tuple(np.sqrt(variances)))
    assert few_values.deviation(0.0, 0).value is None
