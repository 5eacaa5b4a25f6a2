import keras
import numpy as np
import pytest

from lib import datasets, training

TEXTS = ["the lake", "we went home by the long road", "rain", "a dog followed us up the hill and back again"] * 2


@pytest.fixture
def fitted(tiny_lm):
    """The tiny model after four steps with a learning rate of zero: every step's loss is that of the same weights."""
    tiny_lm.compile(
        optimizer=keras.optimizers.SGD(0.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=[
            "accuracy",
            keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss"),
        ],
    )
    log = training.StepLog(4)
    train = datasets.evaluation_batches(TEXTS, 2)
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
    summary = log.summary()
    assert summary["final_mean_token_loss"] == pytest.approx((losses * weights).sum() / weights.sum(), rel=1e-4)
    assert summary["final_mean_loss"] == pytest.approx((losses * weights).mean(), rel=1e-4)
    assert summary["final_mean_loss"] == pytest.approx(history["loss"][-1])
    assert summary["final_mean_loss"] < 0.8 * summary["final_mean_token_loss"]
    assert training.useful_share(causal_lm, TEXTS) == pytest.approx(weights.mean())


def test_the_first_step_is_timed_apart(fitted):
    _, log, _ = fitted
    table, summary = log.table(), log.summary()
    assert list(table["step"]) == [1, 2, 3, 4]
    assert summary["steps"] == 4
    assert summary["first_step_seconds"] == table["seconds"][0]
    assert summary["step_milliseconds"] == pytest.approx(1000 * table["seconds"][1:].median())
    assert summary["seconds"] == pytest.approx(table["seconds"].sum())


def test_fine_tuning_lowers_the_loss(tiny_lm):
    tiny_lm.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        weighted_metrics=["accuracy", keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss")],
    )
    log = training.StepLog(30)
    tiny_lm.fit(datasets.training_batches(TEXTS, 4, 30, seed=1), callbacks=[log], shuffle=False, verbose=0)
    losses = log.table()["loss"]
    assert len(losses) == 30
    assert losses.iloc[-1] < 0.8 * losses.iloc[0]
