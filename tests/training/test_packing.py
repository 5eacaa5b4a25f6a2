import numpy as np
import pytest

from lib.models import memory
from lib.training import packing


@pytest.fixture(scope="module")
def trained(presets, run_apart):
    """What `packed_on_jax.py` found out."""
    return run_apart("training/packed_on_jax.py", presets / "gpt2", presets / "llama")


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_packed_training_is_padded_training(trained, kind):
    told = trained[kind]
    assert told["change"] > 0.01
    assert told["difference"] < 1e-3 * told["change"]
    assert set(told["packed"]) == {"loss", "accuracy", "token_loss"}
    for name, values in told["padded"].items():
        assert told["packed"][name] == pytest.approx(values, rel=1e-4), name
    assert told["padded"]["token_loss"][1] < told["padded"]["token_loss"][0]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_low_rank_adapters_are_trained_and_nothing_else(trained, kind, presets):
    told = trained[kind]["adapters"]
    assert told["packed"] and told["frozen"]
    if kind == "gpt2":
        assert told["trained"] == memory.shape_of(presets / "gpt2").trained(lora_rank=2)
    padded, packed = told["histories"]
    for name, values in padded.items():
        assert packed[name] == pytest.approx(values, rel=1e-4), name
    assert padded["token_loss"][2] < padded["token_loss"][0]
    assert told["difference"] < 1e-5


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_model_writes_with_its_adapters_and_keeps_them_when_saved(trained, kind):
    told = trained[kind]["adapters"]
    assert told["own step"]
    assert (
        told["written"] == told["written by KerasHub"] == told["written after saving"] == told["written from the file"]
    )
    assert told["written"] != told["written without"]
    assert not any(told["merged"])


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_model_with_adapters_elsewhere_is_left_to_kerashub(trained, kind):
    assert trained[kind]["adapters"]["elsewhere"]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_training_in_bf16_goes_nearly_the_same_way(trained, kind):
    if not trained["multiplies bfloat16"]:
        pytest.skip("this processor does not multiply bfloat16, so nothing is rounded on it")
    bf16, packed = trained[kind]["bf16"], trained[kind]["packed"]
    assert bf16["history"]["loss"] == pytest.approx(packed["loss"], rel=0.01)
    assert bf16["history"]["loss"] != packed["loss"]
    assert bf16["cosine"] > 0.999
    assert 1e-4 < bf16["difference"] < 0.03  # bfloat16 holds 8 bits: a value is off by up to 0.4 %
    assert bf16["evaluated"][0] == bf16["evaluated"][1]  # evaluation never rounds


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_kernels_for_a_gpu_train_nearly_the_same_way(trained, kind):
    told = trained["on a GPU"][kind]
    exact, kernels = (np.array(told[how]["step"]) for how in ("exact", "kernels"))
    assert told["kernels"]["history"]["loss"] == pytest.approx(told["exact"]["history"]["loss"], rel=0.01)
    assert kernels @ exact / np.linalg.norm(kernels) / np.linalg.norm(exact) > 0.999
    assert 1e-4 < np.linalg.norm(kernels - exact) / np.linalg.norm(exact) < 0.03
    assert told["width"] == [333, 384]  # a multiple of 128; the rest has no weight in the loss
    if kind == "gpt2":
        dropped = np.array(told["dropout"]["step"])
        assert 0.02 < np.linalg.norm(dropped - exact) / np.linalg.norm(exact) < 1


def test_trainings_of_any_length_have_the_same_program(trained):
    assert trained["programs"] == {"Keras": False, "own": True}


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_no_text_sees_another(trained, kind):
    assert trained[kind]["together"] == pytest.approx(trained[kind]["apart"], rel=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_packed_evaluation_is_padded_evaluation(trained, kind):
    padded, uneven, even = trained[kind]["evaluated"]
    assert set(padded) == {"loss", "accuracy", "token_loss"}
    assert uneven == pytest.approx(padded, rel=1e-4)  # four texts and two
    assert even == pytest.approx(padded, rel=1e-4)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_padding_is_left_out(trained, kind):
    (padded, share), (packed, packed_share) = trained[kind]["filled"], trained[kind]["packed filled"]
    assert padded == 6 * 32
    assert packed_share * packed == pytest.approx(share * padded)
    assert packed < padded and packed % packing.ROUND == 0 and packed_share * packed > packed - packing.ROUND


def test_values_are_dropped_in_training_alone_and_others_each_time(trained):
    assert trained["dropout"] == [True, False, False]
    assert trained["dropped"]["share"] == pytest.approx(0.1, abs=0.003)
    assert trained["dropped"]["others"] == pytest.approx([1 / 0.9], rel=1e-4)
    assert trained["dropped"]["the same again"]  # so that the gradients are those of what was computed
    assert trained["dropped"]["as often as by chance"] == pytest.approx([0.01] * 3, abs=0.001)


def test_memory_that_runs_out_is_told_by_jax_in_words_of_its_own(trained):
    assert trained["out of memory"] is True
    assert trained["weights"] == [True, False]


def test_texts_are_dealt_out_once_each_and_evenly():
    rng = np.random.default_rng(1)
    order, lengths = rng.permutation(60), rng.integers(5, 128, 60)
    groups = packing.deal(order, lengths[order], 10, seed=1)
    assert sorted(np.concatenate(groups)) == list(range(60))
    assert {len(group) for group in groups} == {6}
    totals = [lengths[group].sum() for group in groups]
    assert max(totals) < 1.05 * np.mean(totals)
    assert max(lengths[order].reshape(10, 6).sum(axis=1)) > 1.15 * np.mean(totals)  # dealt as they come
    again, other = (packing.deal(order, lengths[order], 10, seed=seed) for seed in (1, 2))
    assert [list(group) for group in again] == [list(group) for group in groups]
    assert [list(group) for group in other] != [list(group) for group in groups]
    longest = [max(lengths[group]) for group in groups]
    assert longest != sorted(longest, reverse=True)  # steps are not in the order of their longest texts


def test_a_step_s_arrays_lead_there_and_back():
    token_ids = np.array([[5, 6, 0], [7, 0, 0]])
    useful = token_ids > 0
    inputs, labels, weights = packing._pack(token_ids, token_ids + 10, useful, 4)
    assert inputs["token_ids"].tolist() == [5, 6, 7, 0]
    assert inputs["padded_index"].tolist() == [0, 1, 3, 6]  # 6: past the end of the six places
    assert inputs["source_index"].tolist() == [0, 1, 4, 2, 4, 4]  # 4: past the end of the four tokens
    assert labels.tolist() == [15, 16, 17, 0]
    assert weights.tolist() == pytest.approx([4 / 6, 4 / 6, 4 / 6, 0])
