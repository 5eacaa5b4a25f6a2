import pytest


@pytest.fixture(scope="module")
def found(tmp_path_factory, run_apart):
    return run_apart("training/interrupted.py", "jax", tmp_path_factory.mktemp("jax"))


@pytest.mark.parametrize(("parts", "after"), [("parts1", [5]), ("parts2", [3, 5])])
def test_a_training_that_was_interrupted_comes_to_what_an_unbroken_one_does(found, parts, after):
    told = found[parts]
    assert told["continued"] == [True, True, 8]
    assert told["continued_after"] == after
    assert told["files"] == 1


def test_on_tensorflow_too(tmp_path, run_apart):
    found = run_apart("training/interrupted.py", "tensorflow", tmp_path, backend="tensorflow")
    told = found["parts2"]
    assert told["continued"] == told["again"] == [True, True, 8]
    assert told["continued_after"] == [3] and told["finished"] == [False, True]
    assert found["keys"] == [True, 1]


@pytest.mark.parametrize("parts", ["parts1", "parts2"])
def test_a_training_that_was_finished_is_not_made_again(found, parts):
    assert found[parts]["again"] == [True, True, 8]
    assert found[parts]["finished"] == [False, True]


def test_it_says_so(found):
    begins = "fine-tuning"  # it compiles only if no earlier training has kept the program
    goes_on = {step: f"fine-tuning goes on after step {step} of 8, where a run was interrupted" for step in (3, 5)}
    finished = "fine-tuning was made to its end by a run that was interrupted later; its weights are taken"
    unbroken_and_interrupted = [begins, begins]
    in_one_part = [*unbroken_and_interrupted, goes_on[5], begins, finished]
    in_two_parts = [*unbroken_and_interrupted, goes_on[3], begins, goes_on[5], begins, finished]
    assert found["notes"] == in_one_part + in_two_parts


def test_another_training_does_not_go_on_from_it(found):
    """Another order or length of texts, learning rate, number of parts, loss or model, or texts without an end."""
    assert found["keys"] == [True, 1]


def test_a_state_of_the_last_step_is_that_of_a_finished_training(found):
    assert found["last"]


def test_a_state_that_is_damaged_is_told_and_not_used(found):
    told = "the training that was kept is damaged; training from the beginning"
    assert found["damaged"] == [[False, 8, False, told]] * 3


def test_a_short_training_and_one_for_which_the_disk_has_no_room_are_not_kept(found):
    """Where nothing can be written, a training goes on to its end all the same."""
    assert any("cannot be kept: " in note for note in found["notes_of_all"])
    assert not found["short"]
    assert found["full"] == []
