"""Say how calls were timed, and what the first ones took."""

from lib.core.records import (
    Timing,
)
from lib.report import wording, words
from lib.report.wording import say


def conditions(timings: list[Timing], language: str = "en") -> str:
    """Describe the conditions of timed calls, and name those whose times differ much.

    Args:
        timings: The calls, all timed under the same conditions.
        language: One of `wording.LANGUAGES`.
    """
    timing = timings[0]
    told = say(
        "timing_conditions",
        language,
        run=say("run_deterministic", language) if timing.deterministic else "",
        device=timing.device,
        threads=timing.threads,
        precision=timing.precision,
        xla=say("on" if timing.xla else "off", language),
        sampler=timing.sampler,
        batch=timing.batch_size,
        prompt=timing.prompt_tokens,
    )
    if wide := [wording.label(one.label, language) for one in timings if one.later_calls.wide]:
        told += say("timing_wide", language, calls=say("and", language).join(wide))
    return told


def measured_how(timing: Timing, fewest: int, language: str = "en") -> str:
    """Say by which rule and formulas calls are timed.

    Args:
        timing: One of the timings.
        fewest: The smallest number of later calls.
        language: One of `wording.LANGUAGES`.
    """
    memory = say(f"memory_{timing.peak_memory_of.name.lower()}", language)
    return say("timing_explained", language, fewest=fewest, most=2 * fewest, memory=memory)


def first_call(timing: Timing, language: str = "en") -> str:
    """Say how much longer a first call took than later ones, and how much of that was compiling."""
    longer = timing.first_call_seconds - timing.later_calls.median_seconds
    values = {"step": words.step(timing.step, language), "longer": longer}
    if longer <= 0:
        return say("first_call_no_longer", language, **values)
    if timing.first_call_compiling_seconds is None:
        return say("first_call_not_divided", language, **values)
    return say("first_call", language, **values, compiling=timing.first_call_compiling_seconds)
