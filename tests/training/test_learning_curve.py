import keras
import numpy as np
import pytest

from lib.core.errors import UserError
from lib.training import fitting, learning_curve, packing

TEXTS = ["the lake was cold", "we went home by the long road", "rain fell", "a dog followed us up the hill"]


def recipe(causal_lm, size=2, parts=1):
    options = {
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "weighted_metrics": [
            "accuracy",
            keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss"),
        ],
        "run_eagerly": True,  # no step is made twice, so tracing it would cost more
    }
    return learning_curve.Recipe(fitting.Batch(size, parts, causal_lm), 1e-2, 32, 1, options)


def test_each_training_begins_with_the_same_weights_and_sees_so_many_stories(tiny_lm, monkeypatch):
    begins, seen = [], []
    batches = packing.batches

    def watched(trainee, texts, size, steps, seed):
        begins.append(np.array(tiny_lm.get_weights()[0]))
        seen.append((list(texts), size, steps))
        return batches(trainee, texts, size, steps, seed)

    monkeypatch.setattr(packing, "batches", watched)
    weights = tiny_lm.get_weights()
    ends = []
    for _ in learning_curve.trainings(tiny_lm, weights, TEXTS, [2, 3], recipe(tiny_lm)):
        ends.append(np.array(tiny_lm.get_weights()[0]))
    assert seen == [(TEXTS[:2], 2, 1), (TEXTS[:3], 2, 2)]
    assert all(np.array_equal(begin, weights[0]) for begin in begins)
    assert not np.array_equal(ends[0], weights[0]) and not np.array_equal(ends[0], ends[1])
    again = next(learning_curve.trainings(tiny_lm, weights, TEXTS, [2], recipe(tiny_lm)))
    assert again == (2, 1) and np.allclose(tiny_lm.get_weights()[0], ends[0])


def test_the_learning_rate_falls_to_0_within_the_steps_of_a_training(tiny_lm, monkeypatch):
    made = []
    adam = keras.optimizers.Adam

    def watched(schedule, **options):
        made.append(schedule)
        return adam(schedule, **options)

    monkeypatch.setattr(keras.optimizers, "Adam", watched)
    with monkeypatch.context() as patched:
        patched.setattr(tiny_lm, "fit", lambda *_, **__: None)
        learning_curve.train(tiny_lm, tiny_lm.get_weights(), TEXTS, recipe(tiny_lm), "x")
    assert [float(made[0](step)) for step in (0, 1, 2)] == pytest.approx([1e-2, 5e-3, 0])
    learning_curve.train(tiny_lm, tiny_lm.get_weights(), TEXTS, recipe(tiny_lm, 1, 2), "x")
    assert [float(made[1](part)) for part in range(5)] == pytest.approx([1e-2, 1e-2, 5e-3, 5e-3, 0])


def test_without_an_end_token_none_is_trained_on_and_the_preprocessor_is_as_before(tiny_lm, monkeypatch):
    trained = []
    batches = packing.batches

    def watched(trainee, texts, *arguments):
        trained.append(packing.tokenize(tiny_lm, texts)[1])
        return batches(trainee, texts, *arguments)

    monkeypatch.setattr(packing, "batches", watched)
    monkeypatch.setattr(tiny_lm, "fit", lambda *_, **__: None)
    for end_token in (True, False):
        steps = learning_curve.train(
            tiny_lm, tiny_lm.get_weights(), TEXTS[:3], recipe(tiny_lm), "x", end_token=end_token
        )
        assert steps == 2  # the last one is filled up
        assert tiny_lm.preprocessor.add_end_token is True
    end = tiny_lm.preprocessor.tokenizer.end_token_id
    assert [(labels == end).sum() for labels in trained] == [3, 0]


def test_more_stories_than_there_are_are_refused_by_the_parameter_s_name():
    with pytest.raises(
        UserError, match=r"story_counts asks for 5 stories, but the texts that are not held out are only 4\."
    ):
        learning_curve.check([2, 5], TEXTS)
    learning_curve.check([4], TEXTS)
