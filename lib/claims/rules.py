"""Define the rules for judging claims, which were fixed beforehand. Each has a name in `records.Rule`."""

import statistics

from lib.core.records import CallState, Estimate, SpeedVerdict, Timing, Verdict, Winner

NOTICEABLE = 0.1  # a smaller relative change of later calls counts as none


def compare_speed(before: Timing, after: Timing) -> SpeedVerdict:
    """Judge whether later calls got faster.

    They did not change if the medians differ by less than a tenth, or the ranges of the two overlap.
    """
    old, new = before.seconds[CallState.LATER], after.seconds[CallState.LATER]
    ratio = statistics.median(new) / statistics.median(old)
    if abs(ratio - 1) < NOTICEABLE or (min(old) <= max(new) and min(new) <= max(old)):
        return SpeedVerdict.SAME
    return SpeedVerdict.FASTER if ratio < 1 else SpeedVerdict.SLOWER


def difference(one: Estimate, other: Estimate) -> Estimate:
    """Subtract one figure from another, with the smallest and the largest difference that their intervals allow."""
    value = None if one.value is None or other.value is None else one.value - other.value
    if not (one.has_interval and other.has_interval):
        return Estimate(value=value)
    return Estimate(value=value, low=one.low - other.high, high=one.high - other.low)


def above_zero(estimate: Estimate) -> bool | None:
    """Return whether a figure's interval is above 0; None if it contains 0 or is missing."""
    if not estimate.has_interval:
        return None
    return True if estimate.low > 0 else False if estimate.high < 0 else None


def holds(decided: bool | None) -> Verdict:
    """Return the verdict of a claim that the figures decide, or leave undecided (None)."""
    return {True: Verdict.HOLDS, False: Verdict.DOES_NOT_HOLD, None: Verdict.UNDECIDED}[decided]


def floor_and_ceiling(reached: Estimate, floor: Estimate, ceiling: Estimate) -> Verdict:
    """Judge whether a figure is above a floor and as high as a ceiling.

    Returns:
        That the claim holds if the figure is above the floor and not below the ceiling, that it holds in part if it is
        above the floor alone, that it does not hold if it is below the ceiling alone, else that it is undecided.
    """
    above, below = above_zero(difference(reached, floor)), above_zero(difference(ceiling, reached))
    if above:
        return Verdict.HOLDS_IN_PART if below else Verdict.HOLDS
    return Verdict.DOES_NOT_HOLD if below else Verdict.UNDECIDED


def better(first_minus_second: Estimate, lower_is_better: bool) -> Winner:
    """Return the better of the model from scratch (the first) and the fine-tuned one, by a difference's interval."""
    above = above_zero(first_minus_second)
    if above is None:
        return Winner.NEITHER
    return Winner.FINE_TUNED if above == lower_is_better else Winner.FROM_SCRATCH
