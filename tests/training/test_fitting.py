import keras
import numpy as np
import pytest
import tensorflow as tf

from lib.core import backends
from lib.core.errors import UserError
from lib.models import pretrained
from lib.training import batches, fitting, packing

TEXTS = ["the lake", "we went home by the long road", "rain", "a dog followed us up the hill and back again"] * 2


@pytest.fixture(scope="module")
def fitted(tiny_preset):
    """The tiny model after four steps with a learning rate of zero: every step's loss is that of the same weights."""
    tiny_lm = pretrained.load_causal_lm(str(tiny_preset), sequence_length=32)
    tiny_lm.compile(
        optimizer=keras.optimizers.SGD(0.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=[
            "accuracy",
            keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss"),
        ],
        jit_compile=False,  # as `backends.select` has it for TensorFlow on a CPU
    )
    log = fitting.StepLog(4)
    train = batches.evaluation_batches(TEXTS, 2)
    history = tiny_lm.fit(train, callbacks=[log], shuffle=False, verbose=0)
    return tiny_lm, log, history.history


def token_losses(causal_lm, texts):
    """The loss of each position by NumPy, and which positions count."""
    x, y, weights = causal_lm.preprocessor(texts)
    logits = np.asarray(causal_lm(x), dtype="float64")
    logits -= logits.max(axis=-1, keepdims=True)
    losses = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, np.asarray(y)[..., None], -1)[..., 0]
    return losses, np.asarray(weights).astype(float)


def test_each_step_s_loss_is_recovered_from_keras_running_means(fitted):
    causal_lm, log, _ = fitted
    for index, row in enumerate(log.table().itertuples()):
        losses, weights = token_losses(causal_lm, TEXTS[2 * index : 2 * index + 2])
        assert row.loss == pytest.approx((losses * weights).mean(), rel=1e-4)


def test_keras_loss_is_diluted_by_padding_and_token_loss_is_not(fitted):
    causal_lm, log, history = fitted
    losses, weights = token_losses(causal_lm, TEXTS)
    last = log.table().iloc[-1]
    assert last["mean_token_loss"] == pytest.approx((losses * weights).sum() / weights.sum(), rel=1e-4)
    assert last["mean_loss"] == pytest.approx((losses * weights).mean(), rel=1e-4)
    assert last["mean_loss"] == pytest.approx(history["loss"][-1])
    assert last["mean_loss"] < 0.8 * last["mean_token_loss"]
    train = packing.batches(causal_lm, TEXTS, 2, 4, seed=1)
    assert packing.filled(causal_lm, train) == (2 * 32, pytest.approx(weights.mean()))  # not packed on TensorFlow
    assert packing.trainee(causal_lm, 32) is causal_lm


def test_every_step_is_timed(fitted):
    _, log, _ = fitted
    assert list(log.table()["step"]) == [1, 2, 3, 4]
    assert (log.table()["seconds"] > 0).all()


def test_steps_that_are_read_together_have_the_same_losses(fitted, monkeypatch):
    causal_lm, alone, history = fitted
    monkeypatch.setattr(backends, "waits_for_steps", lambda: False)
    monkeypatch.setattr(fitting, "TOGETHER", 2)
    log, read = fitting.StepLog(4), []
    seen = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: read.append(len(log.rows)))
    callbacks = fitting.callbacks(causal_lm, log, seen)
    again = causal_lm.fit(batches.evaluation_batches(TEXTS, 2), callbacks=callbacks, shuffle=False, verbose=0)
    assert read == [1, 1, 3, 3]  # the first alone, the last at the end
    columns = ["step", "loss", "mean_loss", "mean_token_loss", "mean_accuracy"]
    np.testing.assert_allclose(log.table()[columns], alone.table()[columns], rtol=1e-5)
    seconds = log.table()["seconds"]
    assert seconds[1] == seconds[2] > 0 and seconds[3] > 0
    assert again.history["loss"] == pytest.approx(history["loss"])


def test_fine_tuning_lowers_the_loss(tiny_lm):
    tiny_lm.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        weighted_metrics=["accuracy", keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss")],
    )
    log = fitting.StepLog(30)
    tiny_lm.fit(batches.training_batches(TEXTS, 4, 30, seed=1), callbacks=[log], shuffle=False, verbose=0)
    losses = log.table()["loss"]
    assert len(losses) == 30
    assert losses.iloc[-1] < 0.8 * losses.iloc[0]


def make_small_lm():
    """A model of the same inputs and outputs that is traced in a moment.

    It has no embedding layer: Adam leaves out the rows of one that a batch does not touch, which depends on the batch.
    GPT-2's is its output matrix as well, and all of it is touched.
    """
    keras.utils.set_random_seed(1)
    one_hot = keras.layers.Lambda(lambda ids: keras.ops.one_hot(ids, 20))
    small = keras.Sequential([one_hot, keras.layers.Dense(8, activation="gelu"), keras.layers.Dense(20)])
    small.build((None, 6))
    return small


@pytest.fixture
def small_lm():
    return make_small_lm()


def rows(num_texts, length=6):
    """Token ids, labels and weights, as a preprocessor makes them; each text has padding of another length."""
    ids = np.random.default_rng(1).integers(0, 20, (num_texts, length))
    return ids, np.roll(ids, -1, axis=1), np.arange(length) < 2 + np.arange(num_texts)[:, None] % 5


def fit_in_parts(causal_lm, data, batch_size, part, xla=False, num_steps=3):
    """Trains on batches that are taken in parts; returns the weights and the log."""
    batch = fitting.Batch(part, batch_size // part, causal_lm)
    schedule = keras.optimizers.schedules.PolynomialDecay(0.01, decay_steps=num_steps, end_learning_rate=0.0)
    adam = keras.optimizers.Adam(batch.schedule(schedule), gradient_accumulation_steps=batch.accumulation)
    token_loss = keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    causal_lm.compile(optimizer=adam, loss=loss, weighted_metrics=["accuracy", token_loss], jit_compile=xla)
    log = fitting.StepLog(num_steps, batch.parts)
    with batch:
        batches = tf.data.Dataset.from_tensor_slices(data).batch(batch.size)
        causal_lm.fit(batches, shuffle=False, callbacks=[log], verbose=0)
    return causal_lm.get_weights(), log.table()


@pytest.mark.parametrize("xla", [False, True])
def test_a_batch_in_parts_trains_as_a_whole_one_does(xla):
    whole, whole_log = fit_in_parts(make_small_lm(), rows(24), 8, 8, xla)
    parts, parts_log = fit_in_parts(make_small_lm(), rows(24), 8, 2, xla)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert list(parts_log["step"]) == [1, 2, 3]
    for column in ("loss", "mean_token_loss", "mean_accuracy"):
        np.testing.assert_allclose(parts_log[column], whole_log[column], rtol=1e-5)


def test_gpt2_trains_in_mixed_precision_with_xla_in_parts(tiny_preset):
    keras.config.set_dtype_policy("mixed_float16")  # with loss scaling, which the bfloat16 one does without
    try:
        causal_lm = pretrained.load_causal_lm(str(tiny_preset), sequence_length=32)
        texts = ["the lake was cold and we went home", "the old dog followed us"] * 8
        weights, log = fit_in_parts(causal_lm, texts, 4, 2, xla=True, num_steps=4)
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(weight.dtype == np.float32 for weight in weights)
    assert log["loss"].iloc[-1] < log["loss"].iloc[0] - 0.1


def hungry(most):
    """A loss for which TensorFlow really has to ask for more memory than there is, if a batch has more than `most`."""
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)

    def loss(labels, logits):
        too_many = tf.maximum(0, tf.shape(logits)[0] - most)
        burden = tf.random.uniform([tf.cast(too_many, tf.int64) * 2**40])
        # A factor, so that the gradients depend on it: else the weights might be changed before the memory runs out.
        return cross_entropy(labels, logits) * (1 + 1e-30 * tf.reduce_sum(burden))

    return loss


def refusing(most):
    """The same at once: TensorFlow waits ten seconds for memory to come free before it says that there is none."""
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)

    def check(rows):
        if rows > most:
            raise MemoryError("OOM when allocating tensor")  # which TensorFlow turns into its own error
        return np.float32(1)

    def loss(labels, logits):
        one = tf.reshape(tf.py_function(check, [tf.shape(logits)[0]], tf.float32), ())
        return cross_entropy(labels, logits) * tf.stop_gradient(one)

    return loss


def tried(small_lm, tiny_preset, most, steps_before=0, batch_size=16, loss=refusing):
    sizes = []
    for batch in fitting.batches_that_fit(small_lm, str(tiny_preset), batch_size, 32):
        sizes.append((batch.size, batch.parts))
        with batch:
            if steps_before:
                small_lm.compile(optimizer=keras.optimizers.Adam(0.1), loss="sparse_categorical_crossentropy")
                small_lm.fit(*rows(steps_before)[:2], batch_size=1, verbose=0)
            adam = keras.optimizers.Adam(0.001, gradient_accumulation_steps=batch.accumulation)
            small_lm.compile(optimizer=adam, loss=loss(most), jit_compile=False)
            small_lm.fit(*rows(16)[:2], batch_size=batch.size, verbose=0)
    return sizes


def test_a_batch_for_which_tensorflow_finds_no_memory_is_halved(small_lm, tiny_preset, capsys):
    assert tried(small_lm, tiny_preset, most=8, loss=hungry) == [(16, 1), (8, 2)]
    assert "a batch of 16 does not fit into the memory; taking 8 texts at a time" in capsys.readouterr().out


def test_a_batch_for_which_the_memory_runs_out_is_halved_until_it_fits(small_lm, tiny_preset, capsys):
    assert tried(small_lm, tiny_preset, most=4) == [(16, 1), (8, 2), (4, 4)]
    assert "a batch of 16 does not fit into the memory; taking 4 texts at a time" in capsys.readouterr().out
    assert int(small_lm.optimizer.iterations) == 1


def test_where_not_even_one_text_fits_the_user_is_told_what_helps(small_lm, tiny_preset):
    with pytest.raises(UserError, match="a single text of 32 tokens"):
        tried(small_lm, tiny_preset, most=0, batch_size=2)


def test_memory_that_runs_out_later_is_not_tried_again_on_changed_weights(small_lm, tiny_preset):
    with pytest.raises(UserError, match="Restart with a batch_size of 8"):
        tried(small_lm, tiny_preset, most=4, steps_before=1)


def test_other_errors_go_through(tiny_lm):
    with pytest.raises(ZeroDivisionError), fitting.Batch(4, 1, tiny_lm):
        raise ZeroDivisionError


def test_a_disk_that_is_full_is_no_memory_that_ran_out():
    """TensorFlow has one kind of error for both."""
    for told, memory in (("OOM when allocating", True), ("a.tfrecord; No space left on device", False)):
        assert fitting.is_out_of_memory(type("ResourceExhaustedError", (Exception,), {})(told)) == memory
        assert fitting.is_out_of_memory(ValueError(f"RESOURCE_EXHAUSTED: {told}")) == memory
