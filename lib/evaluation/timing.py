"""Wall-clock times that say what they measured: the first call, which compiles, apart from the warm ones."""

import os
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.core import backends, chinese, progress
from lib.core.errors import UserError
from lib.report import wording

COLD = "cold: first call, compiles"
WARM = "warm"
FIRST_TOKEN = "warm, one new token"
STEADY = 0.05  # a spread is narrow if the median absolute deviation is at most this share of the median,
TAIL = 0.25  # and the 90th percentile is above the median by at most this share of it
LIMIT = 2  # calls are repeated at most this many times as often as asked for
RULE = (
    "The first call compiles and stands apart. Warm calls are made until their median absolute deviation (MAD) is at "
    f"most {100 * STEADY:.0f} % of their median and their 90th percentile at most {100 * TAIL:.0f} % above it: at "
    "least {fewest} of them, at most {most}. Where the spread is still wider then, it is flagged as wide."
)
FORMULAS = (
    "Time to first token: a warm call of the same batch that makes a single new token. Time per output token = (warm "
    "call - time to first token) / (new tokens of a text - 1). KerasHub's first pass covers all positions of a text, "
    "new ones included; what it takes for those counts with the tokens after the first. New tokens per second = new "
    "tokens of all texts / warm call; the prompt is not counted. All are medians over the calls."
)


def spread(seconds) -> dict:
    """Condenses repeated measurements.

    Args:
        seconds: One or more of them.

    Returns:
        `n`, `median`, `p90` (the 90th percentile, interpolated), `mad` (the median absolute deviation from the median,
        unscaled) and `wide` (whether that is more than `STEADY` of the median, or the 90th percentile more than `TAIL`
        above it, or there is one measurement alone).
    """
    samples = np.asarray(seconds, float)
    median = float(np.median(samples))
    mad, p90 = float(np.median(np.abs(samples - median))), float(np.percentile(samples, 90))
    return {
        "n": len(samples),
        "median": median,
        "p90": p90,
        "mad": mad,
        "wide": bool(len(samples) < 2 or mad > STEADY * median or p90 > (1 + TAIL) * median),
    }


def repeat(call: Callable, fewest: int, label: str) -> list[float]:
    """Times a warm call as often as the rule asks for, see `RULE`.

    Args:
        call: What to call, without arguments. It must return only when the device is done.
        fewest: The number of calls to begin with.
        label: What is told meanwhile.

    Returns:
        The seconds of every call.
    """
    seconds = []
    while _more(seconds, fewest):
        progress.note(f"timing {label}, warm call {len(seconds) + 1}")
        seconds.append(stopwatch(call))
    return seconds


def _more(seconds: list[float], fewest: int) -> bool:
    """Whether the rule asks for another warm call."""
    return len(seconds) < fewest or (spread(seconds)["wide"] and len(seconds) < LIMIT * fewest)


def stopwatch(call: Callable) -> float:
    """The seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(causal_lm, prompts: list[str], max_length: int, fewest: int, label: str, load_seconds=None) -> dict:
    """Times `generate`, with early stopping off, so that every call makes the same number of new tokens.

    `generate` returns text, which is only there once the device is done.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`; the sampler is the one that it was compiled with. If it generated
            before, throw its compiled function away first (`generation.use_sampler`): the first call is to be cold.
        prompts: One batch of them.
        max_length: Tokens in a text, the prompt's included; at least two more than the longest prompt has.
        fewest: Warm calls to begin with, see `RULE`.
        label: What the row is of, such as `"before fine-tuning"`.
        load_seconds: How long the model took to load, if that was measured.

    Returns:
        A row: `label`, `step` (whose decoding step ran), `sampler`, `batch_size`, `prompt_tokens` (of the longest
        prompt, a start token included), `max_length`, `new_tokens` (of all texts together), `load_seconds`,
        `first_call_seconds`, `warm` (`spread` of the seconds), `first_token` (`spread` of the seconds to the first
        token), `seconds_per_output_token`, `tokens_per_second`, `chinese_characters_per_second` (of what was written
        after the prompt), `peak_memory_gib`, `peak_memory_of`, `device`, `precision`, `xla`, `deterministic`,
        `threads`, and `samples`: the seconds of every call, by `COLD`, `WARM` and `FIRST_TOKEN`.

    Raises:
        UserError: If there is no room for two new tokens.
    """
    from lib.evaluation import provenance
    from lib.models import decoding, generation

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
    cold = stopwatch(call)
    warm = repeat(call, fewest, label)
    characters = [
        sum(len(chinese.characters(text[len(prompt) :])) for text, prompt in zip(texts, prompts, strict=True))
        for texts in written[1:]
    ]
    one_more = max(lengths) + 1
    call(one_more)  # another length is compiled anew
    first_token = repeat(lambda: call(one_more), fewest, f"{label}, first token")
    memory_gib, memory_of = peak_memory()
    settings = backends.selected
    row = {
        "label": label,
        "step": "this project's" if decoding.uses_own_step(causal_lm) else "KerasHub's",
        "sampler": generation.describe(causal_lm.sampler),
        "batch_size": len(prompts),
        "prompt_tokens": max(lengths),
        "max_length": max_length,
        "new_tokens": sum(max_length - length for length in lengths),
        "chinese_characters": float(np.median(characters)),
        "load_seconds": load_seconds,
        "first_call_seconds": cold,
        "peak_memory_gib": memory_gib,
        "peak_memory_of": memory_of,
        "device": provenance.device(settings.backend),
        "precision": settings.precision,
        "xla": settings.xla,
        "deterministic": settings.deterministic,
        "threads": threads(),
        "samples": {COLD: [cold], WARM: warm, FIRST_TOKEN: first_token},
    }
    return row | _speeds(row)


def _speeds(row: dict) -> dict:
    """What follows from the samples of a row."""
    warm, first_token = spread(row["samples"][WARM]), spread(row["samples"][FIRST_TOKEN])
    later_tokens = row["max_length"] - row["prompt_tokens"] - 1
    return {
        "warm": warm,
        "first_token": first_token,
        "seconds_per_output_token": (warm["median"] - first_token["median"]) / later_tokens,
        "tokens_per_second": row["new_tokens"] / warm["median"],
        "chinese_characters_per_second": row["chinese_characters"] / warm["median"],
    }


def measure_in_turn(causal_lm, rows: list[dict], weights: list, prompts: list[str], fewest: int) -> None:
    """Times warm calls of a model with one set of weights and with another, in turn, and puts them into their rows.

    Between two calls that are minutes apart a machine may well get slower or faster by a tenth; calls that alternate
    see the same machine.

    Args:
        causal_lm: The model, whose `generate` is compiled already. It keeps the last of the weights.
        rows: A row of `measure` for each set of weights, of the same prompts and `max_length`. Their warm calls and
            those to the first token are replaced, with what follows from them.
        weights: For each row, what the model's `get_weights` returned.
        prompts: The batch that they were measured with.
        fewest: Rounds to begin with; they go on as long as `RULE` asks for more in any of the rows.
    """

    def call(length: int):
        causal_lm.generate(prompts, max_length=length, stop_token_ids=None)

    first_token, warm = ([[] for _ in rows] for _ in range(2))
    while any(_more(samples, fewest) for samples in warm):
        progress.note(f"timing in turn, round {len(warm[0]) + 1}")
        for index, row in enumerate(rows):
            causal_lm.set_weights(weights[index])
            one_more = row["prompt_tokens"] + 1
            call(one_more)  # the first call with other weights joins matrices
            first_token[index].append(stopwatch(lambda length=one_more: call(length)))
            warm[index].append(stopwatch(lambda length=row["max_length"]: call(length)))
    for index, row in enumerate(rows):
        row["samples"] |= {WARM: warm[index], FIRST_TOKEN: first_token[index]}
        row.update(_speeds(row))


def calls(rows: list[dict]) -> pd.DataFrame:
    """Every timed call of some rows of `measure`.

    Returns:
        `label`, `state` (`COLD`, `WARM` or `FIRST_TOKEN`), `call` (from 1 in each state), `seconds`, `new_tokens`.
    """
    return pd.DataFrame(
        [
            {
                "label": row["label"],
                "state": state,
                "call": call,
                "seconds": seconds,
                "new_tokens": row["batch_size"] if state == FIRST_TOKEN else row["new_tokens"],
            }
            for row in rows
            for state, samples in row["samples"].items()
            for call, seconds in enumerate(samples, 1)
        ]
    )


def speeds(rows: list[dict]) -> pd.DataFrame:
    """Rows of `measure` as a table to be shown: seconds and tokens per second."""
    return pd.DataFrame(
        [
            {
                "label": row["label"],
                "decoding_step": row["step"],
                "first_call_s": row["first_call_seconds"],
                "warm_median_s": row["warm"]["median"],
                "p90_s": row["warm"]["p90"],
                "MAD_s": row["warm"]["mad"],
                "warm_calls": row["warm"]["n"],
                "spread": "wide" if row["warm"]["wide"] else "narrow",
                "new_tokens": row["new_tokens"],
                "new_tokens_per_s": row["tokens_per_second"],
            }
            for row in rows
        ]
    )


def latencies(rows: list[dict]) -> pd.DataFrame:
    """Rows of `measure` as a table to be shown: the first token and those after it, loading, memory, Chinese."""
    return pd.DataFrame(
        [
            {
                "label": row["label"],
                "load_s": float("nan") if row["load_seconds"] is None else row["load_seconds"],
                "time_to_first_token_ms": 1000 * row["first_token"]["median"],
                "its_spread": "wide" if row["first_token"]["wide"] else "narrow",
                "time_per_output_token_ms": 1000 * row["seconds_per_output_token"],
                "Chinese_characters_per_s": row["chinese_characters_per_second"],
                "peak_memory_GiB": row["peak_memory_gib"],
            }
            for row in rows
        ]
    )


def conditions(row: dict, fewest: int) -> str:
    """What a table of rows was measured with, in sentences: the machine, the rule and the formulas."""
    xla = "on" if row["xla"] else "off"
    return (
        f"{kind_of_run(row['deterministic'])}, on {row['device']} with {row['threads']} threads, {row['precision']}, "
        f"XLA {xla}; sampler {row['sampler']}, batch {row['batch_size']}, {row['prompt_tokens']} tokens in the prompt, "
        f"start token included. {RULE.format(fewest=fewest, most=LIMIT * fewest)} {FORMULAS} "
        f"Peak memory: of {row['peak_memory_of']}."
    )


def kind_of_run(deterministic: bool) -> str:
    """Says whether a run was there to be timed or to be repeated exactly; the second is slower, and may not use XLA."""
    return "A deterministic run, whose times are no measure of speed" if deterministic else "A timed run"


def compare(before: dict, after: dict, language: str = "en") -> str:
    """Says in words whether warm calls got faster.

    Args:
        before: A row of `measure`, to compare with.
        after: The row to judge.
        language: One of `wording.LANGUAGES`.

    Returns:
        `"the same within the spread of the calls"` if the medians differ by less than a tenth or the two ranges
        overlap; else `"faster"` or `"slower"`.
    """
    old, new = before["samples"][WARM], after["samples"][WARM]
    ratio = np.median(new) / np.median(old)
    if abs(ratio - 1) < 0.1 or (min(old) <= max(new) and min(new) <= max(old)):
        return wording.say("speed_same", language)
    return wording.say("speed_faster" if ratio < 1 else "speed_slower", language)


def compiling_explains(speed_up: float, cold: float, warm: float) -> float:
    """How much of a speed-up compiling explains, in percent.

    The speed-up `s` of a call after against a first call before is split into the factor that compiling makes,
    `c = cold / warm`, and the rest: `log(c) / log(s)` of it, on the scale on which factors add up. 100 is all of it;
    more than that means that compiling alone would make a larger one.

    Args:
        speed_up: The factor to be explained, more than 1.
        cold: The seconds of a first call.
        warm: The seconds of a warm call of the same model.
    """
    return float(100 * np.log(cold / warm) / np.log(speed_up))


def peak_memory() -> tuple[float, str]:
    """The most memory held so far, in GiB, and what it is of: the GPU as the backend counts it, or the process."""
    from lib.evaluation import provenance

    settings = backends.selected
    on_gpu = settings is not None and settings.on_gpu
    if on_gpu and settings.backend == "tensorflow":
        import tensorflow as tf

        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30, "the GPU, as TensorFlow counts it"
    if on_gpu:
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 2**30, "the GPU, as JAX counts it"
    return provenance.peak_memory_gib(), "the whole process so far (its resident set)"


def threads() -> int:
    """The threads that may compute on the CPU: TensorFlow's setting if there is one, else the cores of this process."""
    import tensorflow as tf

    set_ = tf.config.threading.get_intra_op_parallelism_threads() if backends.selected.backend == "tensorflow" else 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return set_ or cores
