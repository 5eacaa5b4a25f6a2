"""Fitting a training step into the memory, and what a run leaves behind: a loss and a time for every step."""

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib.core import progress
from lib.core.errors import UserError
from lib.evaluation import timing
from lib.models import memory


class Batch:
    """A training batch, whole or in equal parts whose gradients are averaged before the weights are changed.

    As a context it takes an out-of-memory error that comes before the weights were changed for the answer that the
    parts are too large, see `batches_that_fit`.

    Attributes:
        size: Texts in a part.
        parts: Parts in a batch; 1 if it is whole.
        accumulation: The `gradient_accumulation_steps` of a Keras optimizer, which is None for a whole batch.
        too_large: Whether the memory could not hold it.
    """

    def __init__(self, size: int, parts: int, causal_lm):
        self.size, self.parts = size, parts
        self.accumulation = parts if parts > 1 else None
        self.too_large = False
        self._causal_lm = causal_lm

    def schedule(self, schedule):
        """Makes a learning-rate schedule count batches; Keras would have it count the parts."""
        return _PerBatch(schedule, self.parts) if self.parts > 1 else schedule

    def __enter__(self) -> "Batch":
        self._before = self._fingerprint()
        return self

    def __exit__(self, kind, error, traceback) -> bool:
        if error is None or not is_out_of_memory(error):
            return False
        if not _is_whole(self._causal_lm) or not np.array_equal(self._before, self._fingerprint()):
            raise UserError(
                f"The memory ran out while training on {self.size} texts at a time. Restart with a batch_size of "
                f"{max(1, self.size // 2)}, or with a smaller sequence_length."
            ) from None
        self.too_large = True
        return True

    def _fingerprint(self) -> np.ndarray:
        """The last of the weights, which every update changes. (The optimizer counts a step that failed as well.)"""
        return np.array(self._causal_lm.trainable_variables[-1])


class _PerBatch(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, schedule, parts: int):
        self.schedule, self.parts = schedule, parts

    def __call__(self, step):
        return self.schedule(keras.ops.floor_divide(step, self.parts))

    def get_config(self):
        return {"schedule": self.schedule, "parts": self.parts}


def batches_that_fit(causal_lm, folder: str, batch_size: int, length: int) -> Iterator[Batch]:
    """Tries a batch whole, then in halves, quarters, ... until a part fits into the memory.

    The first try is the largest part that the memory is estimated to hold. Use it as

        for batch in batches_that_fit(...):
            with batch:
                compile and fit, with batch.size and batch.accumulation

    Args:
        causal_lm: The model.
        folder: Where it was loaded from.
        batch_size: Texts in a batch. It stays the effective batch whatever the parts.
        length: Tokens in each.

    Yields:
        Batches, each with smaller parts than the one before, as long as the one before was too large.

    Raises:
        UserError: If not even a single text fits.
    """
    size = memory.largest_batch(memory.shape_of(Path(folder)), batch_size, length)
    while True:
        if size < batch_size:
            progress.note(f"a batch of {batch_size} does not fit into the memory; taking {size} texts at a time")
        batch = Batch(size, batch_size // size, causal_lm)
        yield batch
        if not batch.too_large:
            return
        if size == 1:
            raise UserError(
                f"The memory cannot hold a training step on a single text of {length} tokens. Choose a smaller "
                "sequence_length or preset, precision: auto, or close what else uses the memory."
            )
        gc.collect()
        size = memory.half(size, batch_size)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of TensorFlow or JAX says that the memory ran out."""
    return type(error).__name__ == "ResourceExhaustedError" or "RESOURCE_EXHAUSTED" in str(error)


def _is_whole(causal_lm) -> bool:
    """Whether a model still has its weights: JAX gives their memory to a step, even to one that fails."""
    values = [variable.value for variable in causal_lm.variables]
    return not any(getattr(value, "is_deleted", bool)() for value in values)


class StepLog(keras.callbacks.Callback):
    """Records loss, token loss, accuracy and time of every training step.

    Keras hands a callback running means over the epoch. A step's own loss is recovered from two neighbouring means,
    which is exact because all batches have the same size; token loss and accuracy, whose weights differ from batch to
    batch, stay running means.

    Args:
        num_steps: Steps in all, for the progress bar.
        parts: Into how many parts a step's batch is divided, see `Batch`.
        label: What the progress bar calls it.
    """

    def __init__(self, num_steps: int, parts: int = 1, label: str = "fine-tuning"):
        super().__init__()
        self.num_steps, self.parts, self.label = num_steps, parts, label
        self.rows = []

    def on_train_begin(self, logs=None):
        progress.note(f"{self.label}; the first step compiles")
        self.rows, self._last = [], time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if (batch + 1) % self.parts:
            return
        mean_loss = float(logs["loss"])  # waits for the device
        now = time.perf_counter()
        step = len(self.rows) + 1
        before = self.rows[-1]["mean_loss"] * (step - 1) if self.rows else 0.0
        self.rows.append(
            {
                "step": step,
                "loss": mean_loss * step - before,
                "mean_loss": mean_loss,
                "mean_token_loss": float(logs["token_loss"]),
                "mean_accuracy": float(logs["accuracy"]),
                "seconds": now - self._last,
            }
        )
        self._last = now
        progress.step(step, self.num_steps, f"{self.label}, loss {self.rows[-1]['loss']:.2f}")

    def table(self) -> pd.DataFrame:
        """A row per step: `step`, `loss`, `mean_loss`, `mean_token_loss`, `mean_accuracy`, `seconds`."""
        return pd.DataFrame(self.rows)

    def summary(self, batch_size: int, length: int, positions: int, useful: float) -> dict:
        """The run in figures.

        Args:
            batch_size: Texts in a step.
            length: Tokens that each is cut to, and in a padded batch padded to.
            positions: Positions that a part of a step really computes, see `packing.filled`.
            useful: The share of those that hold a token to be predicted.

        Returns:
            `steps`; `batch_size`; `at_a_time` (texts in a part of the batch); `seconds` (of all steps);
            `first_step_seconds` (it compiles); `later_steps`, the `timing.spread` of the others' seconds, with their
            median in `step_milliseconds`; `padded_tokens_per_second` (as if every text were padded, which is how the
            post's Keras counts) and `useful_tokens_per_second` (tokens that are predicted), both at that median;
            `positions` (of a step); `useful_percent` of them; `useful_percent_if_padded`;
            `peak_memory_gib`; `step_seconds`, the seconds of every step; `final_mean_loss`, `final_mean_token_loss` and
            `final_mean_accuracy`, the means over the whole run that Keras prints last.
        """
        table = self.table()
        seconds = table["seconds"].tolist()
        later = timing.spread(seconds[1:] or seconds)
        positions *= self.parts
        tokens, padded = useful * positions, batch_size * length
        last = table.iloc[-1]
        return {
            "steps": len(table),
            "batch_size": batch_size,
            "at_a_time": batch_size // self.parts,
            "seconds": sum(seconds),
            "first_step_seconds": seconds[0],
            "later_steps": later,
            "step_milliseconds": 1000 * later["median"],
            "padded_tokens_per_second": padded / later["median"],
            "useful_tokens_per_second": tokens / later["median"],
            "positions": positions,
            "useful_percent": 100 * useful,
            "useful_percent_if_padded": 100 * tokens / padded,
            "peak_memory_gib": timing.peak_memory()[0],
            "step_seconds": seconds,
            "final_mean_loss": float(last["mean_loss"]),
            "final_mean_token_loss": float(last["mean_token_loss"]),
            "final_mean_accuracy": float(last["mean_accuracy"]),
        }


def times(fit: dict) -> pd.DataFrame:
    """The times of the steps as a table of one row, to be shown.

    Args:
        fit: What `StepLog.summary` returned.
    """
    later = fit["later_steps"]
    return pd.DataFrame(
        [
            {
                "steps": fit["steps"],
                "texts_per_step": fit["batch_size"],
                "at_a_time": fit["at_a_time"],
                "first_step_s": fit["first_step_seconds"],
                "later_median_ms": 1000 * later["median"],
                "p90_ms": 1000 * later["p90"],
                "MAD_ms": 1000 * later["mad"],
                "spread": "wide" if later["wide"] else "narrow",
                "positions_per_step": fit["positions"],
                "tokens_per_s_padded": fit["padded_tokens_per_second"],
                "tokens_per_s_useful": fit["useful_tokens_per_second"],
                "total_s": fit["seconds"],
                "peak_memory_GiB": fit["peak_memory_gib"],
            }
        ]
    )
