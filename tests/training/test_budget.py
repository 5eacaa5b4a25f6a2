import keras
import pytest

from lib.models import small_gpt2
from lib.training import batches, budget, fitting

POEMS = ["春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少？", "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"]


@pytest.fixture
def small():
    """A model whose vocabulary is made of the poems."""
    keras.utils.set_random_seed(1)
    return small_gpt2.make(POEMS, sequence_length=32, num_layers=2, num_heads=2, hidden_dim=16)


def test_training_ends_when_its_time_is_up(small):
    small.compile(
        optimizer="sgd",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy", keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss")],
    )
    log = fitting.StepLog(500)
    train = batches.training_batches(POEMS, 1, 500, seed=1)
    small.fit(train, callbacks=[log, budget.stop_after(0.0, small)], shuffle=False, verbose=0)
    assert len(log.table()) == 1
    small.fit(train.take(3), callbacks=[log, budget.stop_after(1000.0, small)], shuffle=False, verbose=0)
    assert len(log.table()) == 3


def test_the_steps_fill_the_time_that_the_probe_leaves():
    probe = [3.0, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2]  # 4.5 s; then compiling takes 3 s again
    assert budget.steps_within(4.5 + 3 + 10 * 0.2 + 0.01, probe) == 11
    assert budget.steps_within(0.0, probe) == 2
    assert budget.steps_within(10.0, [1.0]) == 9
