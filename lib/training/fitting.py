"""Fit a training step into the memory, and record the loss and time of every step."""

import contextlib
import gc
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib.core import backends, command_line, progress, records
from lib.core.errors import UserError
from lib.models import distribution, memory

TOGETHER = 10  # steps on a GPU, see `StepLog`


class Batch:
    """A training batch, whole or in equal parts whose gradients are averaged before the weights are updated.

    As a context manager, it catches an out-of-memory error if the weights were not updated before it, and sets
    `too_large`. See `batches_that_fit`.

    Attributes:
        size: The number of texts in a part.
        parts: The number of parts in a batch; 1 if it is whole.
        accumulation: The `gradient_accumulation_steps` of a Keras optimizer, which is None for a whole batch.
        too_large: Whether a part did not fit into the memory.
    """

    def __init__(self, size: int, parts: int, causal_lm):
        self.size, self.parts = size, parts
        self.accumulation = parts if parts > 1 else None
        self.too_large = False
        self._causal_lm = causal_lm

    def schedule(self, schedule):
        """Make a learning-rate schedule count batches. Keras would make it count the parts."""
        return _BatchSchedule(schedule, self.parts) if self.parts > 1 else schedule

    def __enter__(self) -> "Batch":
        self._before = self._fingerprint()
        return self

    def __exit__(self, kind, error, traceback) -> bool:
        if error is None or not is_out_of_memory(error):
            return False
        if not _has_all_weights(self._causal_lm) or not np.array_equal(self._before, self._fingerprint()):
            raise UserError(
                f"The memory ran out while training on {self.size} texts at a time. Restart with a batch_size of "
                f"{max(1, self.size // 2)}, or with a smaller sequence_length."
            ) from None
        self.too_large = True
        return True

    def _fingerprint(self) -> np.ndarray:
        """Copy the last weight, which every update changes. (The optimizer's counter also counts a failed step.)"""
        return np.array(self._causal_lm.trainable_variables[-1])


class _BatchSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning-rate schedule that counts batches of several parts."""

    def __init__(self, schedule, parts: int):
        self.schedule, self.parts = schedule, parts

    def __call__(self, step):
        return self.schedule(keras.ops.floor_divide(step, self.parts))

    def get_config(self):
        return {"schedule": self.schedule, "parts": self.parts}


def batches_that_fit(causal_lm, folder: str, batch_size: int, length: int, lora_rank: int = 0) -> Iterator[Batch]:
    """Try a batch whole, then in halves, quarters and so on, until a part fits into the memory.

    The first try is the largest part that should fit by the estimate of `memory`. Use it as

        for batch in batches_that_fit(...):
            with batch:
                compile and fit, with batch.size and batch.accumulation

    Args:
        causal_lm: The model.
        folder: The preset folder from which it was loaded.
        batch_size: The number of texts in a batch. It stays the effective batch size, whatever the parts.
        length: The number of tokens in each text.
        lora_rank: The rank of the low-rank adapters that are trained; 0 if all weights are.

    Yields:
        Batches, each with smaller parts than the one before, while the parts are too large.

    Raises:
        UserError: If not even a single text fits.
    """
    shape = memory.shape_of(Path(folder))
    size = memory.largest_batch(shape, batch_size, length, lora_rank, distribution.division())
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
    """Tell whether an error of TensorFlow or JAX says that the memory ran out. Both say nearly the same of a disk."""
    if command_line.NO_SPACE.search(str(error)):
        return False
    return type(error).__name__ == "ResourceExhaustedError" or "RESOURCE_EXHAUSTED" in str(error)


def _has_all_weights(causal_lm) -> bool:
    """Tell whether a model still has its weights. JAX donates their memory to a step, even to one that fails."""
    values = [variable.value for variable in causal_lm.variables]
    return not any(getattr(value, "is_deleted", bool)() for value in values)


class _Unread(keras.callbacks.CallbackList):
    """Callbacks that get the results of a step as arrays of the device, which need not be computed yet.

    Keras' own list converts them to numbers first, and so waits for every step.
    """

    def on_train_batch_end(self, batch, logs=None):
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


def callbacks(trainee, *given):
    """Return the `callbacks` of a model's `fit`: as they are, or so that `fit` does not wait for every step.

    Args:
        trainee: The model.
        *given: The callbacks. On a GPU, they get the results of a step as arrays; see `StepLog`.
    """
    return list(given) if backends.waits_for_steps() else _Unread(list(given), add_history=True, model=trainee)


class StepLog(keras.callbacks.Callback):
    """Records loss, token loss, accuracy and time of every training step.

    A GPU computes a step while the next one is prepared, as long as nothing waits for its result. So there the results
    of ten steps are read at a time (see `callbacks`), and each of these steps counts a tenth of their time.

    Keras passes running means over the epoch to a callback. The loss of a step follows from two successive means,
    exactly, because all batches have the same size. Token loss and accuracy stay running means, because their weights
    differ from batch to batch.

    Args:
        num_steps: The number of steps, for the progress bar.
        parts: The number of parts in a batch, see `Batch`.
        label: The text of the progress bar.
        compiles_anew: Whether the first step compiles also where an earlier training has kept the program.

    Attributes:
        timed_together: The number of steps whose results are read, and whose time is taken, at a time. A step that
            compiles is timed alone.
        rows: See `table`. The last steps are in it only after `read`.
        continued_after: The steps after which the training was interrupted, to be continued in a later run. The step
            after each compiles.
    """

    def __init__(self, num_steps: int, parts: int = 1, label: str = "fine-tuning", compiles_anew: bool = True):
        super().__init__()
        self.num_steps, self.parts, self.label, self.compiles_anew = num_steps, parts, label, compiles_anew
        self.timed_together = 1 if backends.waits_for_steps() else TOGETHER
        self.rows, self.continued_after = [], []
        self._unread = []
        self._first_step = contextlib.ExitStack()

    def on_train_begin(self, logs=None):
        progress.note(f"{self.label}; the first step compiles" if self.compiles_anew else self.label)
        self._first_step.close()  # of a training that failed
        if self.compiles_anew:
            self._first_step.enter_context(backends.compiling_anew())
        self.rows, self.continued_after, self._unread, self._last = [], [], [], time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if (batch + 1) % self.parts:
            return
        self._unread.append(logs)
        compiles = not self.rows or self.continued_after[-1:] == [len(self.rows)]
        if compiles or len(self._unread) >= self.timed_together:
            self.read()
        if compiles:
            self._first_step.close()
            self.leave_out()  # in between, compiled programs were kept

    def on_epoch_end(self, epoch, logs=None):
        self.read()

    def read(self) -> None:
        """Wait for the steps that are not in `rows` yet, and add them."""
        if not self._unread:
            return
        unread = [{name: float(logs[name]) for name in ("loss", "token_loss", "accuracy")} for logs in self._unread]
        now = time.perf_counter()
        for logs in unread:
            step = len(self.rows) + 1
            before = self.rows[-1]["mean_loss"] * (step - 1) if self.rows else 0.0
            self.rows.append(
                {
                    "step": step,
                    "loss": logs["loss"] * step - before,
                    "mean_loss": logs["loss"],
                    "mean_token_loss": logs["token_loss"],
                    "mean_accuracy": logs["accuracy"],
                    "seconds": (now - self._last) / len(unread),
                }
            )
        self._unread, self._last = [], now
        progress.step(len(self.rows), self.num_steps, f"{self.label}, loss {self.rows[-1]['loss']:.2f}")

    def state(self) -> dict:
        """Return what `take_up` needs to continue the log, for JSON."""
        return {"rows": self.rows, "continued_after": self.continued_after}

    def warm_seconds(self) -> list[float]:
        """Return the times of the steps that compile nothing."""
        return records.warm_steps([row["seconds"] for row in self.rows], self.continued_after)

    def total_seconds(self) -> float:
        """Return the time of all steps. One that compiled again after an interruption counts as the others' median."""
        warm, again = self.warm_seconds(), len(set(self.continued_after))
        first = self.rows[0]["seconds"]
        return first + sum(warm) + (again * statistics.median(warm) if again and warm else 0.0)

    def take_up(self, state: dict) -> None:
        """Continue the log of a training that was interrupted, or that was finished before."""
        self.rows, self.continued_after = state["rows"], state["continued_after"]
        if len(self.rows) < self.num_steps:
            self.continued_after = [*self.continued_after, len(self.rows)]

    def leave_out(self) -> None:
        """Leave the time since the last step out of the next one's: in it, something else was done."""
        self._last = time.perf_counter()

    def table(self) -> pd.DataFrame:
        """Return a row per step.

        Returns:
            `step` (from 1), `loss` (of the step alone), `mean_loss`, `mean_token_loss`, `mean_accuracy` (running means;
            losses in nats, accuracy as a fraction) and `seconds`.
        """
        return pd.DataFrame(self.rows)
