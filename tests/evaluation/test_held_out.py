import types

import keras
import made_records
import numpy as np
import pytest

from lib.core import backends
from lib.core.records import HeldOutLoss
from lib.evaluation import held_out, likelihood, statistics

TEXTS = ["the lake was cold", "we went home", "a dog followed us"]


def test_a_model_is_judged_by_loss_per_token_and_by_likelihood(tiny_lm, monkeypatch):
    monkeypatch.setattr(backends, "selected", backends.Settings("tensorflow", "float32", False, False, False))
    losses, bits = held_out.HeldOut(tiny_lm, TEXTS, 2, 32, context=32, characters=10).measure("before")
    assert bits == likelihood.held_out(tiny_lm, TEXTS, 32, characters=10)
    assert (bits.texts, bits.cut_to) == (3, 10)
    tokens = sum(len(likelihood.prompt_tokens(tiny_lm, text)) for text in TEXTS)  # an end token, not the start token
    nats = losses.token_loss * tokens
    assert losses.loss == pytest.approx(nats / (3 * 32), rel=1e-4)  # averaged over padding, too
    whole = likelihood.held_out(tiny_lm, TEXTS, 32, given=0)
    assert whole.nats < nats < whole.nats + 3 * 20  # the likelihood leaves out the end of a text
    assert 0 <= losses.accuracy <= 1


def test_the_likelihood_is_that_of_the_weights_of_the_moment(tiny_lm, monkeypatch):
    monkeypatch.setattr(backends, "selected", backends.Settings("tensorflow", "float32", False, False, False))
    judge = held_out.HeldOut(tiny_lm, TEXTS, 2, 32, context=32)
    before = judge.likelihood()
    tiny_lm.set_weights([2 * values for values in tiny_lm.get_weights()])
    after = judge.likelihood()
    assert after != before and after == likelihood.held_out(tiny_lm, TEXTS, 32)


def test_a_position_counts_if_no_token_is_likelier(monkeypatch):
    monkeypatch.setattr(backends, "selected", types.SimpleNamespace(xla=False))
    logits = np.random.default_rng(1).standard_normal((2, 30, 7)).astype("float32")
    labels = logits.argmax(axis=-1)
    labels[0, ::2] = (labels[0, ::2] + 1) % 7
    found = np.asarray(held_out.is_likeliest(labels, logits))
    assert found.dtype == "float32" and found.tolist() == [[0, 1] * 15, [1] * 30]
    weights = np.arange(60).reshape(2, 30)
    metric, keras_own = held_out.compile_options()["weighted_metrics"][0], keras.metrics.SparseCategoricalAccuracy()
    for one in (metric, keras_own):
        one.update_state(labels, logits, sample_weight=weights)
    assert metric.name == "accuracy" and float(metric.result()) == pytest.approx(float(keras_own.result()), rel=1e-6)


def test_what_was_measured_before_and_after_is_recorded_with_the_change_of_bits():
    measured = made_records.reddit()
    sides = {}
    for when, loss, by_text in (("before", 4.0, (1.5, 1.25, None)), ("after", 3.5, (1.0, 1.0, 2.0))):
        sides[when] = (HeldOutLoss(loss=loss / 2, token_loss=loss, accuracy=0.25), made_records.likelihood(by_text))
    held_out.record(measured, **sides)
    assert measured.held_out_texts == 3
    assert (measured.held_out.before.token_loss, measured.held_out.after.token_loss) == (4.0, 3.5)
    assert (measured.likelihood.before, measured.likelihood.after) == (sides["before"][1], sides["after"][1])
    assert measured.bits_per_character_change == statistics.mean_difference([1.0, 1.0], [1.5, 1.25])
    assert measured.bits_per_character_change.value == -0.375  # after minus before
    assert type(type(measured).model_validate(measured.model_dump())) is type(measured)


def test_xla_is_used_where_the_backend_was_chosen_with_it(monkeypatch):
    for xla in (False, True):
        monkeypatch.setattr(backends, "selected", types.SimpleNamespace(xla=xla))
        assert held_out.compile_options()["jit_compile"] is xla
