"""A cost model of generating, fitted to measurements, and estimates for GPUs that were not measured."""

import statistics

import numpy as np
import scipy.optimize

from lib.models import memory

FLOAT32 = 4  # bytes
GIGA = 1e9

# Memory in GB, memory bandwidth in GB/s, and dense float32 TFLOP/s without tensor cores. From NVIDIA's data sheets (T4,
# A100 80GB SXM, H100 SXM) and architecture papers (GA102, Ada).
GPUS = {
    "NVIDIA T4": (16, 320, 8.1),
    "NVIDIA RTX 3090": (24, 936, 35.6),
    "NVIDIA RTX 4090": (24, 1008, 82.6),
    "NVIDIA A100 80 GB": (80, 2039, 19.5),
    "NVIDIA H100 SXM": (80, 3350, 67.0),
}
# gpt2_base_en_cnn_dailymail has the shape of gpt2_base_en.
PRESETS = tuple(name for name in memory.KNOWN if not name.endswith("cnn_dailymail"))
NEW_TOKENS = 197  # 200 with the prompt "My trip was", as in the post
GENERATED = (8, 200)  # texts, tokens per text
TRAINED = (32, 128)  # texts, tokens per text
BANDWIDTH_REACHED = (0.3, 0.75)  # shares of the limit that programs reach, low and high
ARITHMETIC_REACHED = (0.3, 0.6)


def fit(rows: list[dict]) -> dict:
    """Fits the cost model of a call of `generate` to measured calls.

    P is the number of float32 parameters, b the batch size, n the number of new tokens per text, and `max_length` the
    number of positions, prompt included:

        seconds = fixed
                + (n + 1) 4 P / weight rate            each pass reads P: one for the prompt, one per new token;
                                                       the rate differs between batch 1 and larger batches
                + b max_length 2 P / arithmetic rate   two operations per weight, position and text
                + b n cache / cache rate               each new token reads the keys and values of its text
        cache   = 2 layers hidden_dim 4 max_length     bytes

    The cache counts with its allocated length, `max_length`: each step computes attention over the whole cache and
    masks the positions that are not filled yet. The formula assumes as many key-value heads as heads, as in GPT-2.

    The weights have two rates because batch 1 uses a transposed layout (`lib.models.decoding`).

    The fit is a non-negative least squares of the relative errors of the median seconds.

    Args:
        rows: Rows of `bench.growth`: `new_tokens` (per text), `batch`, `parameters`, `num_layers`, `hidden_dim`,
            `max_length` and `seconds` (of each later call).

    Returns:
        `fixed_seconds`, `weights_gb_per_s` (batch 1), `weights_batch_gb_per_s` (larger batches),
        `arithmetic_gflop_per_s`, `cache_gb_per_s`, `median_error_percent` and `max_error_percent` (absolute relative
        errors). A rate is None if its term was fitted with 0 seconds.
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
    """Splits the predicted seconds of a call into its four costs.

    Args:
        model: The result of `fit`.
        row: A row as in `fit`; `seconds` is not used.

    Returns:
        Seconds for `"fixed"`, `"weights"`, `"arithmetic"` and `"cache"`.
    """
    _, weights, batch, arithmetic, cache = _terms(row)

    def at(amount, rate):
        return amount / (rate * GIGA) if rate else 0.0

    return {
        "fixed": model["fixed_seconds"],
        "weights": at(weights, model["weights_gb_per_s"]) + at(batch, model["weights_batch_gb_per_s"]),
        "arithmetic": at(arithmetic, model["arithmetic_gflop_per_s"]),
        "cache": at(cache, model["cache_gb_per_s"]),
    }


def predict(model: dict, row: dict) -> float:
    """Predicts the seconds of a call, the sum of `parts`."""
    return sum(parts(model, row).values())


def on_gpus() -> list[dict]:
    """Estimates time and memory of the post's presets on known GPUs, in float32. Nothing here is measured.

    - Lower bound of the seconds of a call with 197 new tokens at batch 1: 197 * 4 * parameters / memory bandwidth.
    - Lower bound of the seconds of a step on 32 texts of 128 tokens: 6 * parameters * 4096 / float32 rate.
    - Expected seconds: the lower bound divided by the share of the limit that programs reach, `BANDWIDTH_REACHED` or
      `ARITHMETIC_REACHED`.
    - Memory: `memory.estimate` + `memory.RUNTIME["GPU"]`. It fits if it is at most the GPU's GB, 10^9 bytes each.

    Returns:
        A row per preset and GPU: `preset`, `gpu`, `parameters`, `call_least_s`, `call_expected_low_s`,
        `call_expected_high_s`, `step_least_s`, `step_expected_low_s`, `step_expected_high_s`, `generating_gib`,
        `fine_tuning_gib`, `generating_fits`, `fine_tuning_fits` and `texts_at_a_time` (the batch that
        `memory.largest_batch` would choose on that GPU; 0 if not even one text fits).
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
    """Returns the factors of the five coefficients: 1, weight bytes (batch 1, larger), operations, cache bytes."""
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
