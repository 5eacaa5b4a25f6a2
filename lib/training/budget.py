"""Train for a fixed time: estimate how many steps fit into it, and stop when it is up."""

import time

import keras
import numpy as np


def steps_within(seconds: float, probe_seconds: list[float]) -> int:
    """Estimate how many training steps fit into a time, from the times of a few probe steps.

    Args:
        seconds: The total time, including the probe steps and two compilations.
        probe_seconds: The times of the probe steps in seconds. The first one compiles, as the first step of the
            training will. On a GPU the others may be read together and have their mean, see `fitting.StepLog`.

    Returns:
        The number of steps, at least 2.
    """
    first, *later = probe_seconds
    step = float(np.mean(later[len(later) // 3 :] or [first]))  # the first ones may still warm up
    return max(2, 1 + int((seconds - sum(probe_seconds) - first) / step))


def stop_after(seconds: float, trainee):
    """Make a Keras callback that stops a training after the step in which its time is up.

    It takes effect if the machine has become slower than it was during the probe steps. A GPU still computes the steps
    that were sent to it by then, at most as many as `fitting.StepLog` reads together.

    Args:
        seconds: The time from the beginning of `fit`.
        trainee: The model that is trained.
    """
    ends = []

    def check(batch, logs):
        trainee.stop_training = time.perf_counter() > ends[-1]

    def begin(logs):
        ends.append(time.perf_counter() + seconds)

    return keras.callbacks.LambdaCallback(on_train_begin=begin, on_train_batch_end=check)
