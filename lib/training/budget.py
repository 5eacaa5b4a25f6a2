"""Training for a fixed time: how many steps fit into it, and what ends a training whose time is up."""

import time

import numpy as np


def steps_within(seconds: float, probe_seconds: list[float]) -> int:
    """How many training steps fit into a time, judged by some that were made to find out.

    Args:
        seconds: The time for all, the steps of the probe and two times compiling included.
        probe_seconds: The seconds of the steps of the probe. The first one compiled, as the first of the run will.

    Returns:
        The steps, at least 2.
    """
    first, *later = probe_seconds
    step = float(np.mean(later[len(later) // 3 :] or [first]))  # the first ones may still warm up
    return max(2, 1 + int((seconds - sum(probe_seconds) - first) / step))


def stop_after(seconds: float, trainee):
    """Ends a training with the step in which its time is up, should the machine have got slower than the probe said.

    Args:
        seconds: The time, from the beginning of `fit`.
        trainee: What is trained.

    Returns:
        A Keras callback.
    """
    import keras

    ends = []

    def check(batch, logs):
        trainee.stop_training = time.perf_counter() > ends[-1]

    def begin(logs):
        ends.append(time.perf_counter() + seconds)

    return keras.callbacks.LambdaCallback(on_train_begin=begin, on_train_batch_end=check)
