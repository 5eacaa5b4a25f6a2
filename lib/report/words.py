"""Put values into words: verdicts, steps, titles, machines, intervals, lists."""

import math
import re

from lib.core.records import (
    CallState,
    DecodingStep,
    Estimate,
    Machine,
    SpeedVerdict,
    StandIn,
    Timing,
    Verdict,
)
from lib.report import wording
from lib.report.numbers import DASH, number
from lib.report.wording import say

BACKENDS = {"jax": "JAX", "tensorflow": "TensorFlow"}
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|(?<=[。！？])(?=.)")


def verdict(value: Verdict, language: str = "en") -> str:
    """A verdict in words."""
    return say(f"verdict_{Verdict(value).name.lower()}", language)


def speed(value: SpeedVerdict, language: str = "en") -> str:
    """Whether later calls got faster, in words."""
    return say(f"speed_{SpeedVerdict(value).name.lower()}", language)


def step(value: DecodingStep, language: str = "en") -> str:
    """Whose decoding step ran, in words."""
    return say(f"step_{DecodingStep(value).name.lower()}", language)


def timed_step(timing: Timing, language: str = "en") -> str:
    """Whose decoding step was timed, and on which backend if that is known, in words."""
    name = step(timing.step, language)
    return say("step_on", language, step=name, backend=BACKENDS[timing.backend]) if timing.backend else name


def stand_ins(used: list[StandIn], language: str = "en") -> str:
    """Say which stand-in replaces what, each once; `""` if there is none."""
    parts = dict.fromkeys(
        say("stand_in", language, used=wording.label(one.used, language), requested=one.requested) for one in used
    )
    return enumerated(list(parts), language) if parts else ""


def title(notebook: str, language: str = "en") -> str:
    """A notebook's title."""
    return say(f"title_{notebook}", language) if wording.has(f"title_{notebook}") else notebook


def question(notebook: str, language: str = "en") -> str:
    """The question that a notebook asks, for its card on the index; `""` if it has none."""
    return say(f"question_{notebook}", language) if wording.has(f"question_{notebook}") else ""


def code(machine: Machine, language: str = "en") -> str:
    """The version of the code that ran."""
    if machine.commit is None:
        return say("code_unknown", language, because=wording.label(machine.no_commit_because or "", language))
    return say("code_changed" if machine.code_changed else "code_commit", language, commit=machine.commit)


def ran_on(machine: Machine, language: str = "en") -> str:
    """The processor, the device and the backend, for the top of a page, where the profile follows."""
    told = say("machine_cores", language, processor=machine.processor, cores=machine.cores)
    if machine.device and machine.device != "CPU":
        told += say("comma", language) + machine.device
    told += say("banner_keras", language, backend=wording.label(machine.keras, language)) if machine.keras else ""
    return f"{told}{say('banner_profile', language)} "


def headline(answer: str) -> tuple[str, str]:
    """Split an answer into its first sentence and the rest."""
    first, *more = SENTENCE_END.split(answer, maxsplit=1)
    return first, "".join(more)


def rounded(count: float) -> str:
    """A large count with two significant digits, such as `"1,700,000"`."""
    return f"{float(f'{count:.2g}'):,.0f}"


def number_or_dash(value: float | None, digits: int) -> str:
    return DASH if value is None else number(value, digits)


def enumerated(parts: list[str], language: str) -> str:
    *most, last = parts
    if not most:
        return last
    return say("list_last", language).join([say("list_comma", language).join(most), last])


def state(value: CallState, language: str = "en") -> str:
    """Say in words which calls a time belongs to."""
    return say(f"state_{CallState(value).name.lower()}", language)


def side(difference: Estimate, language: str = "en") -> str:
    """Say on which side of 0 the interval of a difference from people lies, in percentage points."""
    if not difference.has_interval:
        return say("side_unknown", language)
    if difference.high < 0:
        return say("side_below", language, low=_points(-difference.high), high=_points(-difference.low))
    if difference.low > 0:
        return say("side_above", language, low=_points(difference.low), high=_points(difference.high))
    if difference.low == difference.high:
        return say("side_same", language)
    return say("side_both", language, fewer=_points(-difference.low), more=_points(difference.high))


def share_with_interval(estimate: Estimate, language: str = "en") -> str:
    """A share with its interval, such as `"41 % (29–54)"`; or that there was nothing to judge."""
    if estimate.value is None:
        return say("nothing_to_judge", language)
    if not estimate.has_interval or estimate.low == estimate.high:
        return f"{_points(estimate.value)} %"
    return f"{_points(estimate.value)} % ({_points(estimate.low)}–{_points(estimate.high)})"


def _points(value: float) -> str:
    """A share or a difference of shares. Only none is `"0"`, and only all is `"100"`."""
    if 0 < abs(value) < 1:
        return number(value, 1)
    return number(value, 3) if 99 < value < 100 else f"{value + 0.0:.0f}"  # + 0.0 makes 0 of -0


def side_of(estimate: Estimate, equal: float) -> str:
    """Return on which side of a value an interval lies: `"below"`, `"above"` or, if that is not known, `"open"`."""
    if not estimate.has_interval or estimate.low <= equal <= estimate.high:
        return "open"
    return "below" if estimate.high < equal else "above"


def listed(names: list[str], language: str) -> str:
    """Put names into a list such as `"a, b and c"`."""
    *most, last = names
    return say("listed", language, most=say("and", language).join(most), last=last) if most else last


def figure(value: float | None) -> str:
    """A figure with two digits."""
    return DASH if value is None else number(value, 2)


def bits(estimate: Estimate, language: str) -> str:
    """Say by how many bits per character a figure changes, by its interval, with two digits."""
    if not estimate.has_interval:
        return say("change_unknown", language)
    low, high = (number(abs(end), 2) for end in (estimate.low, estimate.high))
    if estimate.high < 0:
        return say("change_fewer", language, low=high, high=low)
    if estimate.low > 0:
        return say("change_more", language, low=low, high=high)
    return say("change_between", language, fewer=low, more=high)


def apart(lower: Estimate, higher: Estimate) -> bool:
    """Return whether the interval of one figure lies above that of another."""
    return lower.has_interval and higher.has_interval and lower.high < higher.low


def joined(parts: list[str], language: str) -> str:
    """Put sentences one after another."""
    return (" " if language == "en" else "").join(part.strip() for part in parts)


def or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def capital(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}"
