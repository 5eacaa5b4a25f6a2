"""Wall-clock times that say what they measured: the first call, which compiles, apart from the warm ones."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from lib import progress

COLD = "cold: first call, compiles"
WARM = "warm"
SAME = 0.1  # medians that differ by less than this share are taken as equal


def time_calls(function: Callable, new_tokens: int, total_tokens: int, warm_repeats: int, label: str) -> pd.DataFrame:
    """Times a generating call once cold and several times warm.

    The call must return its text (or anything that is only there once the device is done), and make the same number of
    new tokens every time, so that the times can be compared.

    Args:
        function: What to call, without arguments.
        new_tokens: The tokens that one call generates, the prompt's not counted.
        total_tokens: `max_length`: the prompt's tokens and the new ones. The post divides this by the seconds.
        warm_repeats: How many calls after the first.
        label: What the rows are of, such as `"before fine-tuning"`.

    Returns:
        A row per call: `label`, `call` (from 1), `state`, `seconds`, `new_tokens`, `tokens_per_second` (new tokens
        only) and `tokens_per_second_as_in_post` (the prompt counted as well).
    """
    rows = []
    for call in range(1, warm_repeats + 2):
        progress.note(f"timing {label}, call {call} of {warm_repeats + 1}")
        start = time.perf_counter()
        function()
        seconds = time.perf_counter() - start
        rows.append(
            {
                "label": label,
                "call": call,
                "state": COLD if call == 1 else WARM,
                "seconds": seconds,
                "new_tokens": new_tokens,
                "tokens_per_second": new_tokens / seconds,
                "tokens_per_second_as_in_post": total_tokens / seconds,
            }
        )
    return pd.DataFrame(rows)


def summarize(timings: pd.DataFrame) -> pd.DataFrame:
    """Condenses timed calls to a row for each label and state.

    Args:
        timings: Rows of `time_calls`.

    Returns:
        `label`, `state`, `calls` (how many), `seconds` (their median), `fastest` and `slowest` (seconds), `new_tokens`
        (of one call), `tokens_per_second` and `tokens_per_second_as_in_post` (both at the median time).
    """
    groups = timings.groupby(["label", "state"], sort=False)
    table = groups.agg(
        calls=("seconds", "size"),
        seconds=("seconds", "median"),
        fastest=("seconds", "min"),
        slowest=("seconds", "max"),
        new_tokens=("new_tokens", "first"),
    ).reset_index()
    total = groups.apply(
        lambda rows: float(np.round(rows["tokens_per_second_as_in_post"] * rows["seconds"]).iloc[0]),
        include_groups=False,
    ).to_numpy()
    table["tokens_per_second"] = table["new_tokens"] / table["seconds"]
    table["tokens_per_second_as_in_post"] = total / table["seconds"]
    return table


def median_seconds(timings: pd.DataFrame, label: str, state: str) -> float:
    """The median time of the calls with that label and state, in seconds."""
    return float(timings.query("label == @label and state == @state")["seconds"].median())


def compare(timings: pd.DataFrame, before: str, after: str) -> str:
    """Says in words whether warm calls got faster.

    Args:
        timings: Rows of `time_calls`.
        before: The label of the calls to compare with.
        after: The label of the calls to judge.

    Returns:
        `"the same within the spread of the calls"` if the medians differ by less than a tenth or the two ranges
        overlap; else `"faster"` or `"slower"`.
    """
    warm = timings[timings["state"] == WARM]
    old, new = (warm.loc[warm["label"] == label, "seconds"] for label in (before, after))
    ratio = new.median() / old.median()
    if abs(ratio - 1) < SAME or (old.min() <= new.max() and new.min() <= old.max()):
        return "the same within the spread of the calls"
    return "faster" if ratio < 1 else "slower"
