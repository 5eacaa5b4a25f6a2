"""Train a model anew several times, to see how much a result depends on the training run."""

from collections.abc import Callable, Iterator

import keras
import numpy as np

from lib.core import progress
from lib.models import memory


def runs(causal_lm, num_runs: int, seed: int, fresh_weights: Callable[[], list] | None = None) -> Iterator[int]:
    """Yield the seed of each training run, with the model set back before every run but the first.

    In the end the model has the weights of the first run again. So the first run is the one that is saved and timed.
    Of a large model this takes memory for two more copies of the weights, if there is more than one run.

    Args:
        causal_lm: The model, as it is to be trained in the first run.
        num_runs: The number of runs.
        seed: The seed of the first run. Each further run has the next one.
        fresh_weights: Makes random weights for a further run, after Keras' seed was set to the run's. None trains from
            the weights that the model has now.
    """
    begin = causal_lm.get_weights() if num_runs > 1 and fresh_weights is None else None
    first = None
    for run in range(num_runs):
        if run:
            memory.release()  # the last run's optimizer, which holds two copies of the weights
            progress.note(f"training run {run + 1} of {num_runs}")
            keras.utils.set_random_seed(seed + run)
            causal_lm.set_weights(begin if fresh_weights is None else fresh_weights())
        yield seed + run
        if not run and num_runs > 1:
            first = causal_lm.get_weights()
    if first is not None:
        causal_lm.set_weights(first)


def drawn(texts: list[str], count: int, seed: int) -> list[str]:
    """Draw texts for a training run at random, all of them if there are no more."""
    return [texts[index] for index in np.random.default_rng(seed).permutation(len(texts))[:count]]
