"""Define the rules for judging claims, which were fixed beforehand in `experiments/claims.yaml`."""

from lib.core.records import Effect, Estimate, SpeedVerdict, Verdict, Winner

NOTICEABLE = 1.1  # a smaller change of the time of later calls, as a factor, counts as none


def reaches(estimate: Estimate, smallest: float) -> bool | None:
    """Return whether the whole interval of an effect lies above the smallest one that matters, or below it.

    Returns:
        True, False, or None if the interval contains the smallest effect or is missing.
    """
    if not estimate.has_interval:
        return None
    return True if estimate.low > smallest else False if estimate.high < smallest else None


def verdict(effects: list[Effect]) -> Verdict:
    """Judge a claim by its effects.

    Returns:
        That the claim holds if all effects reach their smallest, that it holds in part if some do, that it does not
        hold if none does, that it is undecided if the intervals do not tell, and that it is not tested without effects.
    """
    found = [effect.reaches for effect in effects]
    if not found:
        return Verdict.NOT_TESTED
    if any(found):
        return Verdict.HOLDS if all(found) else Verdict.HOLDS_IN_PART
    return Verdict.UNDECIDED if None in found else Verdict.DOES_NOT_HOLD


def speed(ratio: Estimate) -> SpeedVerdict:
    """Judge by the interval of the time before over the time after whether later calls got faster.

    They are the same if the whole interval is a change by less than a tenth, else faster or slower if it is clear of 1.
    """
    if not ratio.has_interval:
        return SpeedVerdict.UNDECIDED
    if ratio.low > 1 / NOTICEABLE and ratio.high < NOTICEABLE:
        return SpeedVerdict.SAME
    if ratio.low > 1:
        return SpeedVerdict.FASTER
    return SpeedVerdict.SLOWER if ratio.high < 1 else SpeedVerdict.UNDECIDED


def better(first_minus_second: Estimate, lower_is_better: bool) -> Winner:
    """Return the better of the model from scratch (the first) and the fine-tuned one, by a difference's interval."""
    above = reaches(first_minus_second, 0)
    if above is None:
        return Winner.NEITHER
    return Winner.FINE_TUNED if above == lower_is_better else Winner.FROM_SCRATCH


def minus(estimate: Estimate) -> Estimate:
    """Return an estimate with its sign turned."""
    if not estimate.has_interval:
        return Estimate(value=None if estimate.value is None else -estimate.value)
    return Estimate(value=-estimate.value, low=-estimate.high, high=-estimate.low)
