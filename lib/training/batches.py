"""Deal texts out to the steps of a training, and make batches of them for Keras."""

import math

import numpy as np
import tensorflow as tf


def training_batches(texts: list[str], batch_size: int, num_steps: int, seed: int):
    """Make batches of raw texts for `fit`. The model's preprocessor tokenizes them.

    Args:
        texts: The training texts. They are repeated as often as needed, each time in another order.
        batch_size: The number of texts in a step.
        num_steps: The number of steps.
        seed: The seed of the order. The order depends on nothing else: Keras may read the first batch and start again,
            and `tf.data`'s own shuffling would then use another order.

    Returns:
        A `tf.data.Dataset` of `num_steps` string tensors of shape `(batch_size,)`.
    """
    order = training_order(len(texts), batch_size * num_steps, seed)
    batches = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
    return without_autotuning(batches.map(lambda numbers: tf.gather(texts, numbers)).prefetch(2))


def training_order(num_texts: int, wanted: int, seed: int) -> np.ndarray:
    """Return the indices of the texts in training order: one random permutation of all texts after another."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(num_texts) for _ in range(math.ceil(wanted / num_texts))])[:wanted]


def evaluation_batches(texts: list[str], batch_size: int):
    """Make batches of raw texts for `evaluate`, in order. The last batch may be smaller."""
    return without_autotuning(tf.data.Dataset.from_tensor_slices(texts).batch(batch_size))


def without_autotuning(dataset):
    """Turn off the autotuning of a `tf.data.Dataset`, which these small texts do not need.

    The autotuning thread sleeps for up to a minute, and sometimes a finished iterator waits for it. `fit` then returned
    almost a minute after its last step.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
