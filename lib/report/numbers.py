"""Write figures for readers: significant digits, percent, intervals."""

import math

from lib.core.records import Estimate
from lib.report import wording

DASH = "–"
DIGITS = 5  # of a figure whose interval is very narrow


def number(value: float, digits: int = 3) -> str:
    """A figure with so many significant digits, and no exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def with_interval(estimate: Estimate, language: str = "en") -> str:
    """A figure with its interval, such as `"0.94 (0.92–0.96)"`; a dash where there is none. See `parts`."""
    if estimate.value is None:
        return DASH
    if not estimate.has_interval:
        return number(estimate.value)
    value, low, high = parts(estimate)
    worded = estimate.low < 0 and estimate.low != estimate.high
    between = wording.say("range", language, low=low, high=high) if worded else f"{low}{DASH}{high}"
    return f"{value} ({between})"


def parts(estimate: Estimate) -> list[str]:
    """The figure and both ends of its interval, which it has to have.

    All three have as many decimals as the width of the interval has in two significant digits, and at most `DIGITS`
    significant digits.
    """
    figures = [estimate.value, estimate.low, estimate.high]
    width = estimate.high - estimate.low
    if not width:
        return [number(figure) for figure in figures]
    most = max(abs(estimate.low), abs(estimate.high))
    decimals = max(0, min(1 - math.floor(math.log10(width)), DIGITS - 1 - math.floor(math.log10(most))))
    return [_rounded(figure, decimals) for figure in figures]


def _rounded(figure: float, decimals: int) -> str:
    """A figure with so many decimals, and no minus before a zero."""
    return f"{round(figure, decimals) + 0.0:,.{decimals}f}"


def signed(estimate: Estimate, decimals: int = 0) -> str:
    """A difference with its interval, such as `"+94 (+71 – +99)"`; a dash where there is none."""
    if estimate.value is None:
        return DASH
    if not estimate.has_interval:
        return f"{estimate.value:+.{decimals}f}"
    return f"{estimate.value:+.{decimals}f} ({estimate.low:+.{decimals}f} – {estimate.high:+.{decimals}f})"


def percent(value: float | None, language: str = "en") -> str:
    """A share for a sentence, such as `"12 %"`; or that there was nothing to judge."""
    return wording.say("nothing_to_judge", language) if value is None else f"{value:.0f} %"


def percent_range(values: list[float | None], language: str = "en") -> str:
    """The lowest and the highest of some shares, such as `"81 to 94 %"`; one share where they are told alike.

    A share that is not 0 or 100 is not told as if it were.
    """
    known = sorted(value for value in values if value is not None)
    if not known:
        return wording.say("nothing_to_judge", language)
    low, high = (_whole(value) for value in (known[0], known[-1]))
    return f"{low if low == high else wording.say('range', language, low=low, high=high)} %"


def _whole(value: float) -> str:
    """A share without decimals, but for one that would be rounded to 0 or 100."""
    rounded = f"{value:.0f}"
    return number(value, 3 if value > 50 else 1) if rounded in ("0", "100") and value not in (0, 100) else rounded


def parameter(value) -> str:
    """A parameter's value as readers write it."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def target_met(met: bool | None, target: str | None, low: float | None) -> str | None:
    """Say whether a comparison of the bench meets its target.

    Args:
        met: Whether the median of the ratios does; None without a target.
        target: The target, such as `">= 1.5"`.
        low: The lowest of the ratios.
    """
    if met is None or target is None:
        return None
    if met and target.startswith(">=") and low is not None and low < float(target.removeprefix(">=").split()[0]):
        return "met in the median, not in every pair"
    return "met" if met else "missed"
