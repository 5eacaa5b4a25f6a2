import pytest

from lib.training import batches as dealt


def test_training_batches_are_as_many_as_asked_full_and_seeded():
    texts = [f"text {index}" for index in range(10)]

    def batches(seed):
        return [
            [text.decode() for text in batch] for batch in dealt.training_batches(texts, 4, 5, seed).as_numpy_iterator()
        ]

    first = batches(1)
    assert [len(batch) for batch in first] == [4] * 5
    assert sorted([text for batch in first for text in batch][:10]) == sorted(
        texts
    )  # each text once before any comes again
    assert first == batches(1) != batches(2)


@pytest.mark.parametrize("parts", [1, 2])
def test_the_order_is_the_same_however_often_keras_begins_anew(parts):
    """On JAX `fit` looks at a batch before it begins, if the model has just been compiled."""
    texts = [f"text {index}" for index in range(10)]
    batches = dealt.training_batches(texts, 4 // parts, 5 * parts, seed=1)
    next(batches.as_numpy_iterator())
    order = [text for batch in batches.as_numpy_iterator() for text in batch]
    whole = dealt.training_batches(texts, 4, 5, seed=1)
    assert order == [text for batch in whole.as_numpy_iterator() for text in batch]


def test_no_tuning_thread_can_hold_up_the_end_of_fit():
    for batches in (dealt.training_batches(["a", "b"], 1, 2, seed=1), dealt.evaluation_batches(["a"], 1)):
        assert batches.map(lambda text: text).options().autotune.enabled is False
