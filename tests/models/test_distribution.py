import itertools
import re

import keras
import numpy as np
import pytest

from lib.core import backends
from lib.core.errors import UserError
from lib.models import distribution, memory

GIB = memory.GIB
EXTRA_LARGE = memory.KNOWN["gpt2_extra_large_en"]


@pytest.fixture(scope="module")
def told(presets, run_apart, tmp_path_factory):
    """What `distributed_on_jax.py` found out on eight virtual devices."""
    saved = tmp_path_factory.mktemp("saved") / "model"
    return run_apart("models/distributed_on_jax.py", presets / "gpt2", presets / "llama", saved)


# Replicas x devices in each. Two devices divide the matrices of the attention by heads, eight by the model's width.
DIVIDED = [("gpt2", "8 x 1"), ("gpt2", "4 x 2"), ("gpt2", "1 x 8"), ("llama", "2 x 2")]


@pytest.mark.parametrize(("kind", "how"), DIVIDED)
def test_devices_that_share_a_training_come_to_what_one_comes_to(told, kind, how):
    alone, shared = told[kind]["1 x 1"], told[kind][how]
    assert alone["packed"] and shared["packed"]
    assert alone["history"]["token_loss"][-1] < alone["history"]["token_loss"][0]
    for name, values in alone["history"].items():
        assert shared["history"][name] == pytest.approx(values, rel=1e-4), name
    assert shared["evaluated"] == pytest.approx(alone["evaluated"], rel=1e-4)
    assert np.abs(np.array(shared["weights"]) - alone["weights"]).max() < 1e-4
    assert shared["bits"] == pytest.approx(alone["bits"], rel=1e-4)


@pytest.mark.parametrize(("kind", "how"), DIVIDED)
def test_devices_write_the_tokens_that_one_writes(told, kind, how):
    assert told[kind][how]["written"] == told[kind]["1 x 1"]["written"]  # three texts: no multiple of the devices
    assert told["gpt2"]["1 x 8"]["written alone"] == told["gpt2"]["1 x 1"]["written alone"]
    first, second = told[kind][how]["written"]
    assert first != second  # the sampler goes on drawing


@pytest.mark.parametrize(("kind", "how"), DIVIDED)
def test_the_texts_and_the_matrices_are_divided(told, kind, how):
    replicas, model = map(int, how.split(" x "))
    shared = told[kind][how]
    assert (shared["on"], shared["share"]) == (replicas * model, 1 / model)
    assert shared["shape"][:-1] == ([replicas] if replicas > 1 else [])
    if replicas > 1:
        assert shared["shape"][-1] <= told[kind]["1 x 1"]["shape"][-1] / 2


def test_a_step_sums_each_gradient_once_over_the_devices(told):
    assert told["sent alone"] == {}
    assert set(told["sent"]) == {"all-reduce"}
    assert 4 * told["parameters"] <= told["sent"]["all-reduce"] <= 4 * 1.01 * told["parameters"]


def test_a_divided_model_is_saved_and_loaded_whole_or_divided(told):
    divided, whole, otherwise = map(np.array, told["saved"])
    np.testing.assert_allclose(whole, divided, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(otherwise, divided, rtol=1e-4, atol=1e-4)


def test_adapters_and_models_that_are_not_packed_are_trained_too(told):
    for alone, shared in (told["adapters"], (told["gpt2"]["1 x 1"]["history"], told["unpacked"])):
        for name, values in alone.items():
            assert shared[name] == pytest.approx(values, rel=1e-4), name
    assert told["unpacked is told"] == (
        "the texts of this model cannot be packed, so each device trains on all of them"
    )


def test_each_replica_drops_other_values(told):
    assert told["dropout"] == [True, False]


def test_a_batch_that_does_not_fit_is_divided_further(told):
    assert told["halved"] == [2, 4, True]
    assert told["notes"][:2] == [
        f"a batch of 8 does not fit into the memory; taking {size} texts at a time" for size in (4, 2)
    ]
    kind, text = told["half done"]
    assert kind == "UserError" and text.startswith("The memory ran out while training on 8 texts at a time.")
    assert told["lost"]


def test_devices_that_are_not_there_are_refused_in_a_line(told):
    assert (told["devices"], told["name"]) == (8, "8 × CPU")
    more, *others = told["refused"]
    assert more == "devices is 9, but JAX finds 8 (CPU). Lower it, or set it to all."
    for word, text in zip(("0", "two"), others, strict=True):
        assert text == f"devices is '{word}'; allowed are all, and a whole number from 1 up."
    assert told["one"] == 1


def test_tensorflow_trains_on_one_device():
    assert backends._number_of_devices("all", "tensorflow") == 1
    with pytest.raises(
        UserError, match=r"devices is 2, but TensorFlow trains on one device here\. Set backend to jax\."
    ):
        backends._number_of_devices("2", "tensorflow")


class Mesh:
    """A mesh that no layout asks anything of."""

    shape, axis_names = (1, 4), (distribution.REPLICAS, distribution.MODEL)


@pytest.mark.parametrize("by_heads", [True, False])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_every_matrix_has_one_place_in_the_layout(kind, by_heads, presets):
    import keras_nlp

    backbone = keras_nlp.models.CausalLM.from_preset(str(presets / kind)).backbone
    patterns = list(distribution.layout_map(Mesh, by_heads).keys())
    found = {
        variable.path: [one for one in patterns if re.fullmatch(one, variable.path)] for variable in backbone.variables
    }
    for variable in backbone.variables:
        matrix = variable.path.endswith("/kernel")
        assert len(found[variable.path]) in ((1,) if matrix else (0, 1))
        if found[variable.path]:
            axes = distribution.layout_map(Mesh, by_heads)[variable.path].axes
            assert len(axes) == len(variable.shape)
            assert axes.count(distribution.MODEL) == (1 if matrix or by_heads or "intermediate" in variable.path else 0)
    unused = set(patterns) - set(itertools.chain(*found.values()))
    assert all(pattern.endswith("/bias") for pattern in unused) and (kind == "llama" or not unused)  # Llama has none


def on_gpus(monkeypatch, devices, gib):
    settings = backends.Settings("jax", "float32", True, True, True, devices=devices)
    monkeypatch.setattr(backends, "selected", settings)
    monkeypatch.setattr(memory, "available", lambda: (gib * GIB, "GPU"))


@pytest.mark.parametrize(
    ("devices", "gib", "expected"),
    [
        (1, 16, (1, 1)),
        (8, 40, (8, 1)),
        (2, 24, (1, 2)),
        (4, 24, (2, 2)),
        (4, 15, (1, 4)),
        (8, 9, (1, 8)),
        (3, 15, (3, 1)),
    ],
)
def test_matrices_are_divided_among_no_more_devices_than_needed(monkeypatch, devices, gib, expected):
    on_gpus(monkeypatch, devices, gib)
    division = memory.divided(EXTRA_LARGE, (memory.training(32, 128),))
    assert (division.replicas, division.model) == expected  # 1,600 is no multiple of 3


def test_what_several_gpus_cannot_hold_either_is_refused(monkeypatch):
    on_gpus(monkeypatch, 2, 8)
    needs = (memory.training(32, 128),)
    with pytest.raises(UserError, match=r"takes about 17\.2 GiB; the GPU has 8\.0 GiB free"):
        memory.check("gpt2_extra_large_en", EXTRA_LARGE, needs, memory.divided(EXTRA_LARGE, needs))


def test_each_gpu_has_its_share_of_texts_and_weights():
    shape = memory.Shape(num_layers=2, hidden_dim=8, num_heads=2, vocabulary_size=10, parameters=1000)
    layer = 8 * (4 * 4 + 2) + (12 * 8 * 4 + 2 * 5 * (2 * 4 + 1)) / 4
    shared = 80 + 920 // 4  # the embeddings are whole
    expected = 16 * shared + int(1.75 * 2 * 10 * layer) + 4 * (4 * 100)  # 2 of 3 texts at the most
    assert memory.estimate(shape, memory.training(3, 5), division=memory.Division(2, 4)) == expected
    assert memory.largest_batch(shape, 32, 5, division=memory.Division(2, 4)) == 32


def test_without_a_distribution_nothing_is_divided():
    assert keras.distribution.distribution() is None and distribution.division() == memory.WHOLE
