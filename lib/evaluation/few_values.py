"""Compute intervals of figures that were measured a few times: over training runs, or over timed calls.

They assume values that are about normal, as a few values cannot be resampled. The pages need this module, and it needs
`scipy.special` alone, which is imported in a tenth of the time of `scipy.stats`.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from lib.core.records import Estimate


def over_runs(values: Sequence[float | None], level: float = 0.95) -> Estimate:
    """Return the mean of a figure over training runs, with Student's interval.

    Args:
        values: The figure of each run; None is left out. From fewer than two there is no interval.
        level: The probability that the interval holds the true mean, as a fraction.
    """
    found = np.array([value for value in values if value is not None], float)
    if not len(found):
        return Estimate(value=None)
    value = float(found.mean())
    if len(found) < 2:
        return Estimate(value=value)
    half = float(special.stdtrit(len(found) - 1, (1 + level) / 2) * found.std(ddof=1) / math.sqrt(len(found)))
    return Estimate(value=value, low=value - half, high=value + half)


def deviation(squares: float, freedom: int) -> Estimate:
    """Return a standard deviation with its 95 % interval, which assumes normal values (the chi-square interval).

    Args:
        squares: The sum of the squared distances from the mean, or from the means of several groups.
        freedom: The degrees of freedom: the number of values minus that of the means.
    """
    if not freedom:
        return Estimate(value=None)
    low, high = (math.sqrt(squares / float(special.chdtri(freedom, above))) for above in (0.025, 0.975))
    return Estimate(value=math.sqrt(squares / freedom), low=low, high=high)


def difference_over_runs(first: Sequence[float | None], second: Sequence[float | None]) -> Estimate:
    """Return the difference of the means of two groups of training runs, with Welch's 95 % interval.

    Source: Welch, The generalization of Student's problem when several different population variances are involved,
    1947.

    Args:
        first: A figure of each run of one group; None is left out.
        second: The same of the other, which is subtracted. Its number of runs may differ.
    """
    groups = [np.array([value for value in values if value is not None], float) for values in (first, second)]
    if not all(map(len, groups)):
        return Estimate(value=None)
    value = float(groups[0].mean() - groups[1].mean())
    if min(map(len, groups)) < 2:
        return Estimate(value=value)
    parts = [values.var(ddof=1) / len(values) for values in groups]
    if not sum(parts):
        return Estimate(value=value, low=value, high=value)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(values) - 1) for part, values in zip(parts, groups, strict=True))
    half = float(special.stdtrit(freedom, 0.975) * math.sqrt(sum(parts)))
    return Estimate(value=value, low=value - half, high=value + half)


def ratio_of_groups(numerators: Sequence[float], denominators: Sequence[float]) -> Estimate:
    """Return the ratio of the geometric means of two groups, with Welch's 95 % interval of the mean logarithms.

    Args:
        numerators: Positive values.
        denominators: The same. Their number may differ.
    """
    told = difference_over_runs(*([math.log(value) for value in values] for values in (numerators, denominators)))
    return Estimate(**{end: None if value is None else math.exp(value) for end, value in told.model_dump().items()})


def mean_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Estimate:
    """Return the geometric mean of the ratios of pairs, with Student's 95 % interval of the mean logarithm.

    Args:
        numerators: A positive value for each pair.
        denominators: The same.
    """
    logarithms = np.log(np.asarray(numerators, float)) - np.log(np.asarray(denominators, float))
    told = over_runs(list(logarithms))
    return Estimate(**{end: None if value is None else math.exp(value) for end, value in told.model_dump().items()})
