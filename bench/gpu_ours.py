"""The sides on a GPU that run on Keras. `bench.gpu` starts them, see `protocol`.

Usage: `python -m bench.gpu_ours SIDE WORK SIZE PRECISION`. SIDE is `ours` (JAX, with the changes that `lib` makes to a
model), `kerashub` (KerasHub on JAX, unchanged) or `post` (KerasHub on TensorFlow, unchanged). WORK is `generate` or
`finetune`. PRECISION is one of `backends.PRECISIONS`.
"""

import sys

from bench import ours, protocol
from lib.core import backends
from lib.core.errors import UserError


def training(side: str, causal_lm, size: str):
    """Returns a task that trains for some steps on full texts and counts the predicted tokens.

    The texts are tokenized beforehand. `fit` sends one step after another and does not wait in between; the task waits
    for the last one.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from bench import shape
    from lib.training import batches as text_batches
    from lib.training import packing

    texts, steps = shape.full_texts(size)
    length = causal_lm.preprocessor.sequence_length
    model = packing.trainee(causal_lm, length) if side == "ours" else causal_lm
    model.compile(optimizer=keras.optimizers.Adam(5e-5), **ours.compile_options(side))
    made = packing.batches(model, texts, len(texts) // steps, steps, seed=1)
    if model is causal_lm:  # these are raw texts
        made = [causal_lm.preprocessor(batch) for batch in made]
        causal_lm.preprocessor = None  # it would tokenize at every step
        stacked = tf.nest.map_structure(lambda *parts: np.stack([np.asarray(part) for part in parts]), *made)
        made = text_batches.without_autotuning(tf.data.Dataset.from_tensor_slices(stacked))
    predicted = int(sum(np.sum(np.asarray(weights) > 0) for _, _, weights in made))

    def task():
        model.fit(made, epochs=1, verbose=0)
        np.asarray(causal_lm.trainable_variables[-1])  # waits for the last step
        return predicted

    return task


def main(side: str, work: str, size: str, precision: str) -> None:
    """Serves the tasks of a workload."""
    answers = protocol.answers()
    causal_lm = ours.load(side, size, precision)
    if size != "tiny" and not backends.selected.on_gpu:
        raise UserError(f"{backends.selected.backend} cannot use the machine's GPU.")
    if work == "generate":
        causal_lm.compile(sampler="top_k")
        generate = ours.generating(causal_lm, size)
        tasks = {"1": lambda: generate(1), "8": lambda: generate(8)}
    else:
        tasks = {"train": training(side, causal_lm, size)}
    protocol.serve(tasks, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
