"""Time calls of `generate` and training steps, separately for the first one, which compiles, and the later ones."""

import math
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.core import backends, chinese, progress
from lib.core.errors import UserError
from lib.core.records import CallState, DecodingStep, Estimate, LossCurve, Spread, Timing, Training
from lib.evaluation import compiling, few_values, provenance, statistics
from lib.models import decoding, distribution, generation, samplers
from lib.training import packing

LIMIT = 2  # the most calls are this multiple of the fewest


def repeat(call: Callable, fewest: int, label: str) -> list[float]:
    """Time a call repeatedly, until the spread is narrow or `LIMIT * fewest` calls are made.

    Args:
        call: The function to call, without arguments. It must return only when the device has finished.
        fewest: The smallest number of calls.
        label: The text of the progress display.

    Returns:
        The seconds of every call.
    """
    seconds = []
    while _more(seconds, fewest):
        progress.note(f"timing {label}, later call {len(seconds) + 1}")
        seconds.append(stopwatch(call))
    return seconds


def _more(seconds: list[float], fewest: int) -> bool:
    """Return whether another call is needed."""
    return len(seconds) < fewest or (statistics.spread(seconds).wide and len(seconds) < LIMIT * fewest)


def stopwatch(call: Callable) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(causal_lm, prompts: list[str], max_length: int, fewest: int, label: str, load_seconds=None) -> Timing:
    """Time `generate` with early stopping off, so that every call makes the same number of new tokens.

    `generate` returns text, so it returns only when the device has finished.

    Args:
        causal_lm: A compiled `keras_nlp.models.CausalLM`. What was compiled for its `generate` before is forgotten, so
            that the first call compiles.
        prompts: One batch of prompts.
        max_length: The number of tokens in a text, including the prompt; at least two more than the longest prompt has.
        fewest: The smallest number of later calls, see `repeat`.
        label: The label of the record, such as `"before fine-tuning"`.
        load_seconds: The time that the model took to load, if it was measured.

    Raises:
        UserError: If there is no room for two new tokens.
    """
    lengths = [generation.prompt_length(causal_lm, prompt, max_length) for prompt in prompts]
    if max(lengths) + 2 > max_length:
        raise UserError(
            f"max_length is {max_length}, but a prompt takes {max(lengths)} tokens; to time the tokens after the first "
            f"one, max_length must be at least {max(lengths) + 2}."
        )
    written = []

    def call(length: int = max_length):
        written.append(causal_lm.generate(prompts, max_length=length, stop_token_ids=None))

    progress.note(f"timing {label}, first call")
    decoding.forget(causal_lm)
    with backends.compiling_anew(), compiling.watch() as watch:
        first = stopwatch(call)
    later = repeat(call, fewest, label)
    characters = [
        sum(len(chinese.characters(text[len(prompt) :])) for text, prompt in zip(texts, prompts, strict=True))
        for texts in written[1:]
    ]
    one_more = max(lengths) + 1
    call(one_more)  # KerasHub's step compiles again for a new length
    first_token = repeat(lambda: call(one_more), fewest, f"{label}, first token")
    memory_gib, memory_of = provenance.peak_memory()
    settings = backends.selected
    facts = {
        "label": label,
        "step": DecodingStep.OWN if decoding.uses_own_step(causal_lm) else DecodingStep.KERASHUB,
        "sampler": samplers.describe(causal_lm.sampler),
        "batch_size": len(prompts),
        "prompt_tokens": max(lengths),
        "max_length": max_length,
        "new_tokens": sum(max_length - length for length in lengths),
        "chinese_characters": float(np.median(characters)),
        "load_seconds": load_seconds,
        "first_call_seconds": first,
        "first_call_compiling_seconds": watch.seconds if settings.backend == "jax" else None,
        "peak_memory_gib": memory_gib,
        "peak_memory_of": memory_of,
        "device": backends.device_name(),
        "backend": settings.backend,
        "precision": settings.precision,
        "xla": settings.xla,
        "deterministic": settings.deterministic,
        "threads": backends.cpu_threads(),
    }
    return _timing(facts, {CallState.FIRST: [first], CallState.LATER: later, CallState.FIRST_TOKEN: first_token})


def _timing(facts: dict, seconds: dict[CallState, list[float]]) -> Timing:
    """Make a record from the facts about some calls and the figures computed from their seconds."""
    later = statistics.spread(seconds[CallState.LATER])
    first_token = statistics.spread(seconds[CallState.FIRST_TOKEN])
    later_tokens = facts["max_length"] - facts["prompt_tokens"] - 1
    return Timing(
        **facts,
        seconds=seconds,
        later_calls=later,
        first_token=first_token,
        seconds_per_output_token=(later.median_seconds - first_token.median_seconds) / later_tokens,
        new_tokens_per_second=facts["new_tokens"] / later.median_seconds,
        chinese_characters_per_second=facts["chinese_characters"] / later.median_seconds,
    )


def in_turn(timings: list[Timing], ways: list[Callable[[int], float]], fewest: int) -> list[Timing]:
    """Time later calls of several ways to generate, in turn.

    Between two calls that are minutes apart, a machine may become slower or faster by a tenth; alternating calls run
    under the same conditions. The order within a round alternates, too.

    Args:
        timings: The result of `measure` for each way, with the same prompts and `max_length`.
        ways: For each, a function of a `max_length` that makes one call of that length, already compiled, and returns
            its seconds. See `way`.
        fewest: The smallest number of rounds; they continue as long as `repeat` would continue for any way.

    Returns:
        The timings, with the later calls and those to the first token replaced.
    """
    first_token, later = ([[] for _ in timings] for _ in range(2))
    while any(_more(seconds, fewest) for seconds in later):
        progress.note(f"timing in turn, round {len(later[0]) + 1}")
        order = range(len(timings)) if len(later[0]) % 2 == 0 else reversed(range(len(timings)))
        for index in order:  # none always comes first
            call, one_more = ways[index], timings[index].prompt_tokens + 1
            call(
                one_more
            )  # not timed: with other weights it joins matrices, and after another process it finds cold caches
            first_token[index].append(call(one_more))
            later[index].append(call(timings[index].max_length))
    derived = {
        "seconds",
        "later_calls",
        "first_token",
        "seconds_per_output_token",
        "new_tokens_per_second",
        "chinese_characters_per_second",
    }
    return [
        _timing(
            timing.model_dump(exclude=derived),
            timing.seconds | {CallState.LATER: later[index], CallState.FIRST_TOKEN: first_token[index]},
        )
        for index, timing in enumerate(timings)
    ]


def way(causal_lm, prompts: list[str]) -> Callable[[int], float]:
    """Return how a model generates now, for `in_turn`: with the function that its last `generate` has compiled.

    Args:
        causal_lm: The model, as `measure` left it.
        prompts: The batch of that measurement.
    """
    compiled = causal_lm.generate_function

    def seconds(length: int) -> float:
        causal_lm.generate_function = compiled
        return stopwatch(lambda: causal_lm.generate(prompts, max_length=length, stop_token_ids=None))

    return seconds


def measure_in_turn(causal_lm, timings: list[Timing], weights: list, prompts: list[str], fewest: int) -> list[Timing]:
    """Time later calls of a model with several sets of weights, see `in_turn`.

    Args:
        causal_lm: The model, whose `generate` is already compiled. It keeps the last weights.
        timings: See `in_turn`.
        weights: The result of the model's `get_weights` for each set.
        prompts: The batch of those measurements.
        fewest: See `in_turn`.
    """
    generate, there = way(causal_lm, prompts), [None]  # the set that the model has now

    def with_weights(index: int) -> Callable[[int], float]:
        def seconds(length: int) -> float:
            if there != [index]:
                causal_lm.set_weights(weights[index])
                there[0] = index
            return generate(length)

        return seconds

    told = in_turn(timings, [with_weights(index) for index in range(len(weights))], fewest)
    causal_lm.set_weights(weights[-1])
    return told


def paired_ratio(first: Timing, second: Timing) -> Estimate:
    """Return how many times as long later calls of one timing took as those of another, made in turn with them.

    Args:
        first: A result of `in_turn`.
        second: Another result of the same call.

    Returns:
        The geometric mean of the ratios of the pairs, with Student's interval over the pairs.
    """
    return few_values.mean_ratio(first.seconds[CallState.LATER], second.seconds[CallState.LATER])


def calls(timings: list[Timing]) -> pd.DataFrame:
    """List every timed call.

    Returns:
        `label`, `state` (a `CallState`), `call` (from 1 in each state), `seconds`, `new_tokens`.
    """
    return pd.DataFrame(
        [
            {
                "label": timing.label,
                "state": state.value,
                "call": call,
                "seconds": seconds,
                "new_tokens": timing.batch_size if state is CallState.FIRST_TOKEN else timing.new_tokens,
            }
            for timing in timings
            for state, several in timing.seconds.items()
            for call, seconds in enumerate(several, 1)
        ]
    )


def training(trainee, log, batch_size: int, length: int, positions: int, useful: float) -> Training:
    """Summarize the steps of a training.

    Args:
        trainee: The model that was trained.
        log: The `fitting.StepLog` of the training.
        batch_size: The number of texts in a step.
        length: The number of tokens to which each text is cut or, in a padded batch, padded.
        positions: The number of positions that a part of a step computes, see `packing.filled`.
        useful: The share of those that hold a token to be predicted, as a fraction.

    Raises:
        UserError: If the loss became infinite or NaN.
    """
    table = log.table()
    seconds = table["seconds"].tolist()
    if not np.isfinite(table["mean_token_loss"]).all():
        raise UserError(
            f"The loss was not a number after step {1 + int(np.argmin(np.isfinite(table['mean_token_loss'])))}. Lower "
            "learning_rate, or set precision to float32."
        )
    later: Spread = statistics.spread(log.warm_seconds() or seconds)
    positions *= log.parts
    tokens, padded = useful * positions, batch_size * length
    last, divided = table.iloc[-1], distribution.division()
    return Training(
        steps=len(table),
        continued_after=log.continued_after,
        timed_together=log.timed_together,
        batch_size=batch_size,
        texts_at_a_time=batch_size // log.parts,
        seconds=log.total_seconds(),
        first_step_seconds=seconds[0],
        later_steps=later,
        padded_tokens_per_second=padded / later.median_seconds,
        useful_tokens_per_second=tokens / later.median_seconds,
        positions=positions,
        useful_percent=100 * useful,
        useful_percent_if_padded=100 * tokens / padded,
        peak_memory_gib=provenance.peak_memory()[0],
        replicas=divided.replicas if isinstance(trainee, packing.Packed) else 1,
        devices_in_replica=divided.model,
        trained_parameters=sum(math.prod(weight.shape) for weight in trainee.trainable_variables),
        step_seconds=seconds,
        final_mean_loss=last["mean_loss"],
        final_mean_token_loss=last["mean_token_loss"],
        final_mean_accuracy=last["mean_accuracy"],
        curve=LossCurve(**{name: table[name].tolist() for name in LossCurve.model_fields}),
    )
