"""Compute medians and spreads of times, and confidence intervals of means and shares."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from lib.core.records import Estimate, Spread

STEADY = 0.05  # a spread is narrow if the median absolute deviation is at most this share of the median,
TAIL = 0.25  # and the 90th percentile exceeds the median by at most this share of it
RESAMPLES = 2000


def spread(seconds: Sequence[float]) -> Spread:
    """Summarize repeated measurements of a time.

    Args:
        seconds: One or more measurements. The spread of a single one is unknown and counts as wide.
    """
    samples = np.asarray(seconds, float)
    median = float(np.median(samples))
    mad, p90 = float(np.median(np.abs(samples - median))), float(np.percentile(samples, 90))
    return Spread(
        n=len(samples),
        median_seconds=median,
        p90_seconds=p90,
        mad_seconds=mad,
        wide=bool(len(samples) < 2 or mad > STEADY * median or p90 > (1 + TAIL) * median),
    )


def interval(values: Sequence[float], level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Compute the bootstrap interval of a mean: quantiles of the means of 2,000 resamples (percentile method).

    Source: Efron, Bootstrap Methods: Another Look at the Jackknife, 1979; Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993. For a few values it is too narrow.

    Args:
        values: The values; NaN is left out.
        level: The share of the resamples' means inside the interval, as a fraction.
        seed: Seed of the resampling.

    Returns:
        The lower and the upper end, in the values' unit; NaN for fewer than two values.
    """
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return math.nan, math.nan
    if np.all(values == values[0]):
        return float(values[0]), float(values[0])
    ends = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(ends.low), float(ends.high)


def mean(values: Sequence[float]) -> Estimate:
    """Return the mean of the finite values with its bootstrap interval."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    low, high = interval(values)
    return Estimate(value=float(np.mean(values)) if len(values) else None, low=low, high=high)


def mean_difference(minuend: Sequence[float | None], subtrahend: Sequence[float | None]) -> Estimate:
    """Return the mean of the differences of pairs, with its bootstrap interval over the pairs.

    Args:
        minuend: A value for each pair; a pair with None is left out.
        subtrahend: The same.
    """
    first, second = (np.array(values, float) for values in (minuend, subtrahend))  # None becomes NaN
    return mean(first - second)


def difference_of_means(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Estimate:
    """Return the difference of the means of two independent groups, with its bootstrap interval.

    Both groups are resampled. See `mean_difference` for pairs.

    Args:
        first: The values of one group; NaN is left out.
        second: The values of the other, which are subtracted.
        seed: Seed of the resampling.
    """
    groups = [np.asarray(values, float) for values in (first, second)]
    groups = [values[np.isfinite(values)] for values in groups]
    if not all(map(len, groups)):
        return Estimate(value=None)
    value = float(groups[0].mean() - groups[1].mean())
    if min(map(len, groups)) < 2:
        return Estimate(value=value)
    random = np.random.default_rng(seed)
    means = [values[random.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1) for values in groups]
    low, high = np.percentile(means[0] - means[1], [2.5, 97.5])
    return Estimate(value=value, low=low, high=high)


def paired_share_difference(first: Sequence[bool], second: Sequence[bool]) -> Estimate:
    """Return the difference of two shares of the same cases, in percentage points, with its 95 % interval.

    The interval is that of Newcombe, Improved confidence intervals for the difference between binomial proportions
    based on paired data, 1998, method 10: Wilson's intervals of both shares, with the correlation of the pairs. Unlike
    the bootstrap interval, it has a width even if all pairs are alike.

    Args:
        first: Whether each case counts in one group.
        second: The same for the other group, in the same order; its share is subtracted.
    """
    one, other = (np.asarray(values, bool) for values in (first, second))
    total = len(one)
    if not total:
        return Estimate(value=None)
    shares = one.mean(), other.mean()
    (low_1, high_1), (low_2, high_2) = (share_interval(int(values.sum()), total) for values in (one, other))
    both, neither = int((one & other).sum()), int((~one & ~other).sum())
    only_one, only_other = int((one & ~other).sum()), int((~one & other).sum())
    product = (both + only_one) * (only_other + neither) * (both + only_other) * (only_one + neither)
    excess = both * neither - only_one * only_other
    if excess > 0:
        excess = max(excess - total / 2, 0)  # Newcombe's correction for continuity
    phi = excess / math.sqrt(product) if product else 0.0

    def reach(down: float, up: float) -> float:
        return math.sqrt(max(0.0, down**2 - 2 * phi * down * up + up**2))

    value = shares[0] - shares[1]
    low = value - reach(shares[0] - low_1, high_2 - shares[1])
    high = value + reach(high_1 - shares[0], shares[1] - low_2)
    return Estimate(value=100 * value, low=100 * low, high=100 * high)


def difference_of_estimates(first: Estimate, second: Estimate) -> Estimate:
    """Return the difference of two independent figures, with a 95 % interval made from theirs.

    Source: Zou and Donner, Construction of confidence limits about effect measures: a general approach, 2008 (the
    method of variance estimates recovery, MOVER). The distances from the figures to the ends of their intervals are
    added as squares. It takes any two intervals, also those that are not symmetric.

    Args:
        first: A figure with its interval.
        second: The one that is subtracted.
    """
    if first.value is None or second.value is None:
        return Estimate(value=None)
    value = first.value - second.value
    if not (first.has_interval and second.has_interval):
        return Estimate(value=value)
    down = math.hypot(first.value - first.low, second.high - second.value)
    up = math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value=value, low=value - down, high=value + up)


def share_interval(count: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the confidence interval of a share by Wilson's score method (1927).

    Unlike the bootstrap interval, it has a width even if all or none of the cases count.

    Returns:
        The ends as fractions; NaN if `total` is 0.
    """
    if not total:
        return math.nan, math.nan
    told = stats.binomtest(int(count), int(total)).proportion_ci(confidence_level=level, method="wilson")
    return float(told.low), float(told.high)


def share(count: int, total: int) -> Estimate:
    """Return a share in percent, with Wilson's interval."""
    low, high = (100 * end for end in share_interval(count, total))
    return Estimate(value=100 * count / total if total else None, low=low, high=high)


def ratio(parts: np.ndarray, wholes: np.ndarray, seed: int = 0) -> Estimate:
    """Return the share of all parts in all wholes, in percent, with its 95 % interval.

    The interval is a bootstrap over the rows (poems), without resamples whose wholes are 0. If none or all of the pairs
    count, the bootstrap would have no width; the interval is then Wilson's over the pairs.

    Args:
        parts: int `(rows,)`, what counts in each row.
        wholes: int `(rows,)`, what could count.
        seed: Seed of the resampling.

    Returns:
        An estimate without a value if there is nothing to count, without an interval if fewer than two rows count.
    """
    value = _percent(parts, wholes)
    if np.count_nonzero(wholes) < 2:
        return Estimate(value=value)
    if parts.sum() in (0, wholes.sum()):
        return share(int(parts.sum()), int(wholes.sum()))
    random = np.random.default_rng(seed)
    drawn = (random.integers(len(parts), size=len(parts)) for _ in range(RESAMPLES))
    low, high = np.nanpercentile([_percent(parts[rows], wholes[rows]) for rows in drawn], [2.5, 97.5])
    return Estimate(value=value, low=low, high=high)


def _percent(parts: np.ndarray, wholes: np.ndarray) -> float:
    return float(100 * parts.sum() / wholes.sum()) if wholes.sum() else math.nan
