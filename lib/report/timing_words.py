"""Say how calls were timed, and what the first ones took."""

from lib.core.records import Baseline, Timing
from lib.report import numbers, wording, words
from lib.report.wording import say


def conditions(timings: list[Timing], language: str = "en") -> str:
    """Describe the conditions of timed calls, and name those whose times differ much.

    Args:
        timings: The calls, all timed under the conditions of the first, but XLA may be on for some and off for others.
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
    for one in timings:
        if one.xla != timing.xla:
            xla = say("on" if one.xla else "off", language)
            told += say("timing_other_xla", language, calls=wording.label(one.label, language), xla=xla)
    if wide := [wording.label(one.label, language) for one in timings if one.later_calls.wide]:
        told += say("timing_wide", language, calls=say("and", language).join(wide))
    return told


def measured_how(timings: list[Timing], fewest: int, language: str = "en") -> str:
    """Say by which rule and formulas calls are timed.

    Args:
        timings: The calls.
        fewest: The smallest number of later calls.
        language: One of `wording.LANGUAGES`.
    """
    kinds = dict.fromkeys(say(f"memory_{timing.peak_memory_of.name.lower()}", language) for timing in timings)
    memory = say("and", language).join(kinds)
    return say("timing_explained", language, fewest=fewest, most=2 * fewest, memory=memory)


def first_call(timing: Timing, language: str = "en") -> str:
    """Say how much longer a first call took than later ones, and how much of that was compiling."""
    longer = timing.first_call_seconds - timing.later_calls.median_seconds
    values = {"step": words.timed_step(timing, language), "longer": longer}
    if longer <= 0:
        return say("first_call_no_longer", language, **values)
    if timing.first_call_compiling_seconds is None:
        return say("first_call_not_divided", language, **values)
    return say("first_call", language, **values, compiling=timing.first_call_compiling_seconds)


def ratios(measured: Baseline, language: str = "en") -> str:
    """Say how calls on two backends and with two decoding steps compare; nothing after a deterministic run."""
    here, told = measured.as_in_post, []
    if here.deterministic:  # such a run measures no speed
        return ""
    if ratio := measured.seconds_on_tensorflow_to_jax:
        xla = {
            name: say("on" if one.xla else "off", language)
            for name, one in (("there", measured.on_tensorflow), ("here", here))
        }
        told.append(say("backends", language, times=numbers.with_interval(ratio, language), **xla))
    if ratio := measured.seconds_of_kerashub_to_own:
        backend = words.BACKENDS[here.backend]
        told.append(say("decoding_steps", language, times=numbers.with_interval(ratio, language), backend=backend))
    if told and here.later_calls.n > 1:
        told.append(say("ratios_of_calls", language, pairs=here.later_calls.n))
    return say("sentence_space", language).join(told)
