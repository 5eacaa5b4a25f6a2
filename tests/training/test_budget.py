import keras
import numpy as np
import tensorflow as tf

from lib.training import budget, fitting


def test_training_ends_when_its_time_is_up():
    small = keras.Sequential([keras.layers.Embedding(20, 4), keras.layers.Dense(20)])
    small.compile(
        optimizer="sgd",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy", keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss")],
    )
    log, ids = fitting.StepLog(500), np.arange(12).reshape(2, 6)
    train = tf.data.Dataset.from_tensors((ids, ids, np.ones_like(ids))).repeat(500)
    small.fit(train, callbacks=[log, budget.stop_after(0.0, small)], shuffle=False, verbose=0)
    assert len(log.table()) == 1
    small.fit(train.take(3), callbacks=[log, budget.stop_after(1000.0, small)], shuffle=False, verbose=0)
    assert len(log.table()) == 3


def test_the_steps_fill_the_time_that_the_probe_leaves():
    probe = [3.0, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2]  # 4.5 s; then compiling takes 3 s again
    assert budget.steps_within(4.5 + 3 + 10 * 0.2 + 0.01, probe) == 11
    assert budget.steps_within(0.0, probe) == 2
    assert budget.steps_within(10.0, [1.0]) == 9
