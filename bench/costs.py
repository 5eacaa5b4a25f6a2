"""What generating costs: a model fitted to what was measured, and estimates for GPUs that nobody here has."""

import statistics

import numpy as np
import scipy.optimize

from lib.models import memory

FLOAT32 = 4  # bytes
GIGA = 1e9

# NVIDIA's data sheets (T4; A100 80GB SXM; H100 SXM) and architecture papers (GA102, Ada): memory in GB, its bandwidth
# in GB/s, and dense float32 arithmetic without tensor cores in TFLOP/s.
GPUS = {
    "NVIDIA T4": (16, 320, 8.1),
    "NVIDIA RTX 3090": (24, 936, 35.6),
    "NVIDIA RTX 4090": (24, 1008, 82.6),
    "NVIDIA A100 80 GB": (80, 2039, 19.5),
    "NVIDIA H100 SXM": (80, 3350, 67.0),
}
PRESETS = tuple(
    name for name in memory.KNOWN if not name.endswith("cnn_dailymail")
)  # that one has gpt2_base_en's shape
NEW_TOKENS = 197  # 200 with the prompt "My trip was", as in the post
GENERATED = (8, 200)  # texts, tokens in each
TRAINED = (32, 128)  # texts, tokens in each
BANDWIDTH_REACHED = (0.3, 0.75)  # shares of the limit
ARITHMETIC_REACHED = (0.3, 0.6)
FORMULAS = (
    "All of this is estimated, nothing of it measured. "
    f"A call, at least = {NEW_TOKENS} new tokens × {FLOAT32} bytes × parameters / memory bandwidth: at batch 1 every "
    "token reads every weight once. Expected: that divided by the share of the bandwidth that programs reach, "
    f"{100 * BANDWIDTH_REACHED[0]:.0f} to {100 * BANDWIDTH_REACHED[1]:.0f} %. Where a token takes a millisecond or "
    "less, starting the GPU's kernels can take longer than reading the weights, and a call longer than this says. "
    f"A training step, at least = 6 operations × parameters × {TRAINED[0] * TRAINED[1]:,} tokens / float32 rate: 2 a "
    "weight forwards and 4 backwards, attention not counted. Expected: that divided by "
    f"{100 * ARITHMETIC_REACHED[0]:.0f} to {100 * ARITHMETIC_REACHED[1]:.0f} %. In TF32, which TensorFlow uses for "
    "float32 from the A100's generation on, a step can take less than that. "
    f"Memory = what lib/models/memory.py estimates, plus {memory.RUNTIME['GPU'] / memory.GIB:.0f} GiB for CUDA; a GPU's GB "
    "are taken as 10^9 bytes."
)


def fit(rows: list[dict]) -> dict:
    """Fits the cost of a call of `generate` to measured calls.

    With P parameters of 4 bytes, n new tokens in each of b texts, and `max_length` positions of which n are new:

        seconds = fixed
                + (n + 1) 4 P / weight rate            every pass, the prompt's and one for each new token, reads P;
                                                       a single text at one rate, several at another
                + b max_length 2 P / arithmetic rate   two operations a weight at every position of every text
                + b n cache / cache rate               every new token reads its text's keys and values
        cache   = 2 layers hidden_dim 4 max_length     bytes

    The cache counts with its allocated length, `max_length`, not with the mean number of positions filled: each step
    computes attention over all of it and masks what is not written yet. As many key-value heads as heads are assumed,
    as GPT-2 has them.

    The weights have two rates, since a single text is generated with matrices of another layout (`lib.models.decoding`).

    The coefficients are the least squares of the relative errors of the rows' median seconds, none of them negative.

    Args:
        rows: Rows of `bench.growth`: `new_tokens` (of a text), `batch`, `parameters`, `num_layers`,
            `hidden_dim`, `max_length` and `seconds` (of every warm call).

    Returns:
        `fixed_seconds`, `weights_gb_per_s` (of a single text), `weights_batch_gb_per_s`, `arithmetic_gflop_per_s`,
        `cache_gb_per_s` (a rate is None where its term was fitted with 0 seconds), `median_error_percent`,
        `max_error_percent` (relative errors without their sign).
    """
    seconds = np.array([statistics.median(row["seconds"]) for row in rows])
    terms = np.array([_terms(row) for row in rows]) / seconds[:, None]
    scale = terms.max(axis=0)
    coefficients = scipy.optimize.nnls(terms / scale, np.ones(len(rows)))[0] / scale
    errors = 100 * np.abs(terms @ coefficients - 1)
    fixed, *rates = coefficients
    weights, batch, arithmetic, cache = (float(1 / rate / GIGA) if rate > 0 else None for rate in rates)
    return {
        "fixed_seconds": float(fixed),
        "weights_gb_per_s": weights,
        "weights_batch_gb_per_s": batch,
        "arithmetic_gflop_per_s": arithmetic,
        "cache_gb_per_s": cache,
        "median_error_percent": float(np.median(errors)),
        "max_error_percent": float(errors.max()),
    }


def parts(model: dict, row: dict) -> dict[str, float]:
    """The seconds of a call by what they go to.

    Args:
        model: What `fit` returned.
        row: A row as in `fit`; `seconds` is not used.

    Returns:
        Seconds by `"fixed"`, `"reading weights"`, `"arithmetic"` and `"reading the cache"`.
    """
    _, weights, batch, arithmetic, cache = _terms(row)

    def at(amount, rate):
        return amount / (rate * GIGA) if rate else 0.0

    return {
        "fixed": model["fixed_seconds"],
        "reading weights": at(weights, model["weights_gb_per_s"]) + at(batch, model["weights_batch_gb_per_s"]),
        "arithmetic": at(arithmetic, model["arithmetic_gflop_per_s"]),
        "reading the cache": at(cache, model["cache_gb_per_s"]),
    }


def predict(model: dict, row: dict) -> float:
    """The seconds of a call. See `parts`."""
    return sum(parts(model, row).values())


def coefficients(model: dict) -> list[dict]:
    """What `fit` found, as rows to be shown."""
    found = (
        ("fixed, for each call", model["fixed_seconds"], "s"),
        ("weights, read by every pass over a single text", model["weights_gb_per_s"], "GB/s"),
        ("weights, read by every pass over several texts", model["weights_batch_gb_per_s"], "GB/s"),
        ("arithmetic, for every position of every text", model["arithmetic_gflop_per_s"], "GFLOP/s"),
        ("keys and values, read by every new token", model["cache_gb_per_s"], "GB/s"),
    )
    return [
        {"cost": cost, "fitted": "no share of the time" if value is None else value, "unit": unit}
        for cost, value, unit in found
    ]


def on_gpus() -> list[dict]:
    """Estimates what the post's presets take on known GPUs, in float32. Nothing here is measured.

    - Least seconds of a call of 197 new tokens at batch 1 = 197 * 4 * parameters / memory bandwidth.
    - Least seconds of a training step of 32 texts of 128 tokens = 6 * parameters * 4096 / float32 rate.
    - Expected seconds = the least / the share of the limit that programs reach: 0.3 to 0.75 of the bandwidth, 0.3 to
      0.6 of the rate.
    - Memory = `memory.estimate` + `memory.RUNTIME["GPU"]`; it fits if a GPU's GB, 10^9 bytes each, are no less.

    `FORMULAS` tells the same to a reader.

    Returns:
        A row for each preset and GPU: `preset`, `gpu`, `parameters`, `call_least_s`, `call_expected_low_s`,
        `call_expected_high_s`, `step_least_s`, `step_expected_low_s`, `step_expected_high_s`, `generating_gib`,
        `fine_tuning_gib`, `generating_fits`, `fine_tuning_fits`, `texts_at_a_time` (the part of 32 that
        `memory.largest_batch` would choose there; 0 if not even one fits).
    """
    rows = []
    for preset in PRESETS:
        shape = memory.KNOWN[preset]
        generating, training = _needed(shape, memory.generating(*GENERATED)), _needed(shape, memory.training(*TRAINED))
        for gpu, (gigabytes, bandwidth, rate) in GPUS.items():
            call = NEW_TOKENS * FLOAT32 * shape.parameters / (bandwidth * GIGA)
            step = 6 * shape.parameters * TRAINED[0] * TRAINED[1] / (1000 * rate * GIGA)
            room = gigabytes * GIGA
            rows.append(
                {
                    "preset": preset,
                    "gpu": gpu,
                    "parameters": shape.parameters,
                    "call_least_s": call,
                    "call_expected_low_s": call / BANDWIDTH_REACHED[1],
                    "call_expected_high_s": call / BANDWIDTH_REACHED[0],
                    "step_least_s": step,
                    "step_expected_low_s": step / ARITHMETIC_REACHED[1],
                    "step_expected_high_s": step / ARITHMETIC_REACHED[0],
                    "generating_gib": generating / memory.GIB,
                    "fine_tuning_gib": training / memory.GIB,
                    "generating_fits": generating <= room,
                    "fine_tuning_fits": training <= room,
                    "texts_at_a_time": _texts_at_a_time(shape, room),
                }
            )
    return rows


def _terms(row: dict) -> tuple[float, ...]:
    """What the five coefficients are multiplied with: 1, bytes of one text or of several, operations, bytes."""
    new_tokens, batch, positions = row["new_tokens"], row["batch"], row["max_length"]
    cache = 2 * row["num_layers"] * row["hidden_dim"] * FLOAT32 * positions
    weights = float((new_tokens + 1) * FLOAT32 * row["parameters"])
    return (
        1.0,
        weights if batch == 1 else 0.0,
        weights if batch > 1 else 0.0,
        float(batch * positions * 2 * row["parameters"]),
        float(batch * new_tokens * cache),
    )


def _needed(shape: memory.Shape, need: memory.Need, accumulating: bool = False) -> int:
    return memory.estimate(shape, need, accumulating=accumulating) + memory.RUNTIME["GPU"]


def _texts_at_a_time(shape: memory.Shape, room: float) -> int:
    texts, length = TRAINED
    size = texts
    while _needed(shape, memory.training(size, length), accumulating=size < texts) > room:
        if size == 1:
            return 0
        size = memory.half(size, texts)
    return size
