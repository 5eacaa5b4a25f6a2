"""What a fine-tuning run leaves behind: a loss for every step, and the time each step took."""

import time

import keras
import numpy as np
import pandas as pd

from lib import progress


class StepLog(keras.callbacks.Callback):
    """Records loss, token loss, accuracy and time of every training step.

    Keras hands a callback running means over the epoch. A step's own loss is recovered from two neighbouring means,
    which is exact because all batches have the same size; token loss and accuracy, whose weights differ from batch to
    batch, stay running means.

    Args:
        num_steps: Steps in all, for the progress bar.
    """

    def __init__(self, num_steps: int):
        super().__init__()
        self.num_steps = num_steps
        self.rows = []

    def on_train_begin(self, logs=None):
        progress.note("fine-tuning; the first step compiles")
        self.rows, self._last = [], time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
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
        progress.step(step, self.num_steps, f"fine-tuning, loss {self.rows[-1]['loss']:.2f}")

    def table(self) -> pd.DataFrame:
        """A row per step: `step`, `loss`, `mean_loss`, `mean_token_loss`, `mean_accuracy`, `seconds`."""
        return pd.DataFrame(self.rows)

    def summary(self) -> dict[str, float]:
        """The run in figures.

        Returns:
            `steps`; `seconds` (all of them); `first_step_seconds` (it compiles); `step_milliseconds` (the median of the
            later steps) with its `fastest_` and `slowest_`; `final_mean_loss`, `final_mean_token_loss` and
            `final_mean_accuracy`, the means over the whole run that Keras prints last.
        """
        table = self.table()
        later = table["seconds"].iloc[1:] * 1000 if len(table) > 1 else table["seconds"] * 1000
        last = table.iloc[-1]
        return {
            "steps": len(table),
            "seconds": float(table["seconds"].sum()),
            "first_step_seconds": float(table["seconds"].iloc[0]),
            "step_milliseconds": float(later.median()),
            "fastest_step_milliseconds": float(later.min()),
            "slowest_step_milliseconds": float(later.max()),
            "final_mean_loss": float(last["mean_loss"]),
            "final_mean_token_loss": float(last["mean_token_loss"]),
            "final_mean_accuracy": float(last["mean_accuracy"]),
        }

    def times(self, batch_size: int, useful: float) -> pd.DataFrame:
        """The times of the steps as a table of one row, to be shown.

        Args:
            batch_size: Texts in a step.
            useful: What `useful_share` returned.
        """
        summary = self.summary()
        return pd.DataFrame(
            [
                {
                    "steps": summary["steps"],
                    "texts_per_step": batch_size,
                    "first_step_seconds": summary["first_step_seconds"],
                    "later_steps_ms": summary["step_milliseconds"],
                    "fastest_ms": summary["fastest_step_milliseconds"],
                    "slowest_ms": summary["slowest_step_milliseconds"],
                    "total_seconds": summary["seconds"],
                    "useful_positions_percent": 100 * useful,
                }
            ]
        )


def useful_share(causal_lm, texts: list[str]) -> float:
    """The share of positions of the padded training rows that hold a token to be predicted, not padding."""
    _, _, weights = causal_lm.preprocessor(list(texts))
    return float(np.mean(np.asarray(weights)))
