"""The views of calls and training steps that were timed, and of held-out losses."""

from matplotlib.figure import Figure

from lib.core.records import Timing
from lib.report import figures, html, tables, timing_words, words
from lib.report.page import Page, drawing, view


def _timings(page: Page) -> list[Timing]:
    measured = page.measured
    if hasattr(measured, "as_in_post"):
        return measured.timings
    if hasattr(measured, "fine_tuned"):
        return [measured.timing, measured.fine_tuned.timing]
    timing = measured.timing
    return [timing] if isinstance(timing, Timing) else [timing.before, timing.after]


@view
def speeds(page: Page) -> str:
    """Seconds and tokens per second of the calls that were timed."""
    timings = _timings(page)
    counts = sorted({timing.later_calls.n for timing in timings})
    told = page.say("range", low=counts[0], high=counts[-1]) if len(counts) > 1 else counts[0]
    return page.table(tables.speeds(timings), page.say("table_speeds", calls=told))


@view
def backends(page: Page) -> str:
    """How long calls took with another backend and another decoding step; and why not on TensorFlow, if they failed."""
    measured = page.measured
    told = ""
    if measured.no_tensorflow_because:
        told += html.paragraph(page.say("backends_not_compared", reason=measured.no_tensorflow_because), "note")
    if ratios := timing_words.ratios(measured, page.language):
        told += html.paragraph(ratios)
    return told


@view
def latencies(page: Page) -> str:
    """The first token and those after it."""
    return page.table(tables.latencies(_timings(page)), page.say("table_latencies"))


@view
def conditions(page: Page) -> str:
    """The conditions of the timed calls, and how the times are measured, which is folded away."""
    elsewhere = getattr(page.measured, "on_tensorflow", None)
    timings = sorted(
        _timings(page), key=lambda timing: timing is elsewhere
    )  # those of the notebook's process come first
    fewest = page.results.parameters["warm_repeats"]
    told = html.paragraph(timing_words.conditions(timings, page.language), "note")
    how = html.paragraph(timing_words.measured_how(timings, fewest, page.language), "note")
    return told + html.folded(page.say("fold_timing"), how)


@drawing
def calls(page: Page) -> tuple[Figure, str]:
    """The seconds of each call."""
    return figures.call_times(_timings(page), language=page.language)


@drawing
def loss(page: Page) -> tuple[Figure, str]:
    """The training loss by step."""
    return figures.loss_curve(page.measured.training.curve, language=page.language)


@view
def steps(page: Page) -> str:
    """The times of the training steps; what few readers need is folded away."""
    training = page.measured.training
    more = page.table(tables.more_of_steps(training), page.say("table_more_of_steps"))
    told = page.table(tables.steps(training), page.say("table_steps"))
    if training.continued_after:
        steps = words.listed([str(step) for step in training.continued_after], page.language)
        told += html.paragraph(page.say("training_continued", steps=steps), "note")
    if training.timed_together > 1:
        told += html.paragraph(page.say("timed_together", count=training.timed_together), "note")
    if training.devices_in_replica > 1:
        groups = {"replicas": training.replicas, "shared": training.devices_in_replica}
        told += html.paragraph(page.say("training_shared_weights", **groups), "note")
    elif training.replicas > 1:
        told += html.paragraph(page.say("training_shared_texts", count=training.replicas), "note")
    return told + html.folded(page.say("fold_steps"), more)


@view
def adapters(page: Page) -> str:
    """How many weights the low-rank adapters have, if they were trained in place of all weights; else nothing."""
    rank, training = page.results.parameters.get("lora_rank"), page.measured.training
    if not rank:
        return ""
    every = page.results.models[0].parameters
    told = page.say(
        "adapters",
        rank=rank,
        trained=training.trained_parameters,
        every=every,
        percent=100 * training.trained_parameters / every,
        megabytes=4 * training.trained_parameters / 1e6,
    )
    return html.paragraph(told)


@view
def held_out(page: Page, what: str) -> str:
    """Loss and likelihood on held-out texts, before and after.

    Args:
        page: The page.
        what: `"texts"` or `"poems"`.
    """
    measured = page.measured
    length = page.results.parameters["sequence_length"]
    told = page.say(f"held_out_{what}")
    caption = page.say("table_held_out", count=measured.held_out_texts, what=told, length=length)
    return page.table(tables.held_out(measured.held_out, measured.likelihood, what), caption)


@view
def first_calls(page: Page) -> str:
    """How much of what the first calls took longer was compiling."""
    return "".join(html.paragraph(timing_words.first_call(timing, page.language)) for timing in _timings(page))
