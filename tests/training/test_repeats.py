import numpy as np
import pytest

from lib.training import repeats


class Model:
    """Stands for a model that has weights to be read and set."""

    def __init__(self):
        self.weights = [np.zeros(2)]

    def get_weights(self):
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights):
        self.weights = [weight.copy() for weight in weights]


def trained(num_runs, **options):
    """The weights that each run began with, their seeds, and the weights in the end; a run adds its seed."""
    model, began, seeds = Model(), [], []
    for seed in repeats.runs(model, num_runs, 10, **options):
        began.append(model.weights[0].tolist())
        seeds.append(seed)
        model.weights[0] += seed
    return began, seeds, model.weights[0].tolist()


def test_each_run_begins_with_the_same_weights_and_the_first_is_kept():
    assert trained(1) == ([[0, 0]], [10], [10, 10])
    assert trained(3) == ([[0, 0]] * 3, [10, 11, 12], [10, 10])


def test_fresh_weights_are_drawn_with_the_seed_of_the_run():
    import keras

    def fresh():
        return [keras.ops.convert_to_numpy(keras.random.normal((2,)))]

    began, seeds, end = trained(3, fresh_weights=fresh)
    keras.utils.set_random_seed(11)
    assert began[0] == [0, 0] and began[1] == fresh()[0].tolist() != began[2]
    assert seeds == [10, 11, 12] and end == [10, 10]


@pytest.mark.parametrize("count", [3, 100])
def test_texts_are_drawn_by_seed(count):
    texts = [str(number) for number in range(10)]
    drawn = repeats.drawn(texts, count, 1)
    assert drawn == repeats.drawn(texts, count, 1) != repeats.drawn(texts, count, 2)
    assert len(drawn) == len(set(drawn)) == min(count, 10) and set(drawn) <= set(texts)
