import dataclasses
import json
import shutil
from pathlib import Path

import keras_nlp
import psutil
import pytest

from lib.core import backends
from lib.core.errors import UserError
from lib.models import memory, pretrained

BASE = memory.KNOWN["gpt2_base_en"]
GIB = memory.GIB


@pytest.fixture(autouse=True)
def freed_memory_is_handed_back(monkeypatch):
    for name in memory.MALLOC:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """An nvidia-smi that reports so much free memory, and Keras set up for a GPU."""

    def free(mebibytes):
        script = f"#!/bin/sh\ncase \"$*\" in *memory.free*) echo {mebibytes};; *) echo 'GPU 0: Tesla T4';; esac\n"
        (tmp_path / "nvidia-smi").write_text(script)
        (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(memory, "_gpu_free_at_first", None)
        monkeypatch.setattr(backends, "selected", backends.Settings("tensorflow", "float32", True, True, True))

    return free


@pytest.mark.parametrize("preset", pretrained.POST_PRESETS)
def test_the_parameters_of_the_post_s_five_presets_are_those_that_kerashub_states(preset):
    stated = keras_nlp.models.GPT2CausalLM.presets[preset]["metadata"]["params"]
    assert memory.KNOWN[preset].parameters == stated


# Growth of the resident set by two training steps on a CPU (GPT-2's twelve layers, Adam, float32), weights not counted.
MEASURED = [
    ("jax", 8, 128, 50257, 3.61),
    ("jax", 2, 512, 50257, 4.69),
    ("jax", 24, 128, 1000, 5.28),
    ("tensorflow", 2, 128, 50257, 2.04),
    ("tensorflow", 8, 128, 50257, 3.55),
    ("tensorflow", 24, 128, 1000, 5.48),
]


@pytest.mark.parametrize(("backend", "batch_size", "length", "vocabulary_size", "measured"), MEASURED)
def test_the_estimate_for_training_agrees_with_what_was_measured(
    backend, batch_size, length, vocabulary_size, measured
):
    shape = memory._gpt2(12, 768, 12, vocabulary_size)
    estimated = memory.estimate(shape, memory.training(batch_size, length)) - 4 * shape.parameters
    assert estimated / GIB == pytest.approx(measured, rel=0.15)


def test_freed_memory_that_is_kept_counts_in_main_memory_alone(monkeypatch):
    need = memory.training(4, 128)
    estimated = memory.estimate(BASE, need)
    assert memory.needed(BASE, need, "main memory") == estimated + 2 * GIB
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "0")
    assert memory.needed(BASE, need, "main memory") == int(1.2 * estimated) + 2 * GIB
    assert memory.needed(BASE, need, "GPU") == estimated + GIB


# Peaks of whole notebooks (02 and 04, profile cpu: SmolLM2-135M on JAX), started by make, which has glibc keep memory.
@pytest.mark.parametrize(("batch_size", "length", "peak"), [(4, 128, 6.22), (8, 56, 5.66)])
def test_the_estimate_with_freed_memory_kept_agrees_with_what_was_measured(monkeypatch, batch_size, length, peak):
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "0")
    shape = memory.Shape(num_layers=30, hidden_dim=576, num_heads=9, vocabulary_size=49152, parameters=134_515_008)
    needed = memory.needed(shape, memory.training(batch_size, length), "main memory")
    assert needed / GIB == pytest.approx(peak, rel=0.15)


@pytest.mark.parametrize(("batch_size", "on_gpu", "share"), [(1, False, 1), (8, False, 3), (1, True, 1), (8, True, 1)])
def test_matrices_that_decoding_lays_out_anew_are_counted(monkeypatch, batch_size, on_gpu, share):
    need = memory.generating(batch_size, 200)
    on_jax = backends.Settings("jax", "float32", xla=True, on_gpu=on_gpu, memory_growth=False)
    monkeypatch.setattr(backends, "selected", None)
    before = memory.needed(BASE, need, "main memory")
    monkeypatch.setattr(backends, "selected", on_jax)
    assert memory.needed(BASE, need, "main memory") - before == 4 * 12 * 12 * 768**2 // share
    assert (
        memory.needed(BASE, memory.training(8, 128), "main memory")
        == memory.estimate(BASE, memory.training(8, 128)) + memory.RUNTIME["main memory"]
    )


def test_the_estimate_for_generating_many_texts_is_above_what_was_measured_and_not_far(monkeypatch):
    """The peak of notebook 01 (profile cpu: 128 texts of 200 tokens, SmolLM2-135M on JAX), started by make."""
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "0")
    on_jax = backends.Settings("jax", "float32", xla=True, on_gpu=False, memory_growth=False)
    monkeypatch.setattr(backends, "selected", on_jax)
    shape = memory.Shape(30, 576, 9, vocabulary_size=49152, parameters=134_515_008, num_key_value_heads=3)
    assert 3.87 < memory.needed(shape, memory.generating(128, 200, token_by_token=True), "main memory") / GIB < 6
    monkeypatch.setattr(backends, "selected", dataclasses.replace(on_jax, backend="tensorflow"))
    assert memory.needed(shape, memory.generating(128, 200, token_by_token=True), "main memory") == memory.needed(
        shape, memory.generating(128, 200), "main memory"
    )


def test_the_estimate_by_hand():
    shape = memory.Shape(num_layers=2, hidden_dim=8, num_heads=2, vocabulary_size=10, parameters=1000)
    # weights; keys and values of 2 layers x 15 positions x 8, twice; 15 x 10 logits, twice
    assert memory.estimate(shape, memory.generating(3, 5)) == 4000 + 2 * (2 * 2 * 15 * 8 * 4) + 2 * (4 * 150)
    # with half as many heads of keys and values; and with the logits of one position
    fewer = dataclasses.replace(shape, num_key_value_heads=1)
    assert memory.estimate(fewer, memory.generating(3, 5)) == 4000 + 2 * (2 * 2 * 15 * 4 * 4) + 2 * (4 * 150)
    one = memory.generating(3, 5, token_by_token=True)
    assert memory.estimate(shape, one) == 4000 + 2 * (2 * 2 * 15 * 8 * 4) + 2 * (4 * 30)
    layer = 8 * (16 * 4 + 2) + 2 * 5 * (2 * 4 + 1)
    training = 16_000 + int(1.75 * 2 * 15 * layer) + 4 * (4 * 150)
    assert memory.estimate(shape, memory.training(3, 5)) == training
    assert memory.estimate(shape, memory.training(3, 5), accumulating=True) == training + 4000
    # adapters of rank 3, of query and value of 2 layers: 8 x 2 rows and 4 columns; the activations stay
    adapters = 2 * 2 * (8 * 2 + 4) * 3
    assert memory.estimate(shape, memory.training(3, 5, lora_rank=3)) == training - 12 * (1000 - adapters)
    mixed = 18_000 + int(1.75 * 2 * 15 * (8 * 34 + 2 * 5 * 5)) + 4 * (4 * 150)
    assert memory.estimate(shape, memory.training(3, 5), "mixed_bfloat16") == mixed


def test_what_the_gpu_cannot_hold_is_refused_before_anything_is_fetched(gpu, monkeypatch):
    gpu(15_000)
    monkeypatch.setattr(pretrained.hubs, "fetch", None)  # nothing may be fetched
    monkeypatch.setattr(pretrained.hubs, "cached", lambda handle: (None, ""))
    with pytest.raises(UserError) as error:
        pretrained.find("gpt2_extra_large_en", "tiny_random", memory.generating(4, 200), memory.training(32, 128))
    for part in (
        "preset is 'gpt2_extra_large_en': fine-tuning it, at 128 tokens a text, takes about",
        "the GPU has 14.6 GiB free",
        "a smaller preset (gpt2_base_en, gpt2_medium_en, gpt2_large_en, gpt2_base_en_cnn_dailymail)",
        "nvidia-smi",
    ):
        assert part in str(error.value)


def test_generating_is_refused_with_advice_of_its_own(gpu):
    gpu(4_000)
    memory.check("gpt2_base_en", BASE, (memory.generating(8, 200),))
    with pytest.raises(UserError, match=r"generating 500 texts at a time with it.*a smaller max_length or fewer texts"):
        memory.check("gpt2_base_en", BASE, (memory.generating(500, 1024),))


def test_main_memory_is_what_counts_on_a_cpu_and_a_container_s_limit_too(monkeypatch, tmp_path):
    free, where = memory.available()
    assert where == "main memory"
    assert 0 < free < 2**45
    huge = dataclasses.replace(BASE, parameters=2**50)
    with pytest.raises(UserError, match=r"the main memory has .* GiB free.*closing other programs"):
        memory.check("huge", huge, (memory.generating(1, 8),))
    (tmp_path / "memory.max").write_text(str(3 * GIB))
    (tmp_path / "memory.current").write_text(str(GIB))
    limits = ((str(tmp_path / "memory.max"), str(tmp_path / "memory.current")),)
    monkeypatch.setattr(memory, "CONTAINER_LIMITS", limits)
    own = psutil.Process().memory_info().rss
    assert memory.available()[0] == pytest.approx(2 * GIB + own, rel=0.02)
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available()[0] == pytest.approx(free, rel=0.2)


def test_what_the_process_holds_already_is_not_counted_against_it(gpu):
    gpu(12_000)
    assert memory.largest_batch(BASE, 32, 128) == 32
    assert memory.available() == (12_000 * 2**20, "GPU")
    Path(shutil.which("nvidia-smi")).write_text("#!/bin/sh\necho 9000\n")  # the model lies there now
    assert memory.largest_batch(BASE, 32, 128) == 32


@pytest.mark.parametrize(("mebibytes", "size"), [(24_000, 32), (10_000, 16), (6_000, 8), (100, 1)])
def test_the_largest_part_of_a_batch_that_fits(gpu, mebibytes, size):
    gpu(mebibytes)
    assert memory.largest_batch(BASE, 32, 128) == size


def test_parts_divide_a_batch_evenly():
    sizes = [20]
    while sizes[-1] > 1:
        sizes.append(memory.half(sizes[-1], 20))
    assert sizes == [20, 10, 5, 2, 1]
    assert memory.half(7, 7) == 1


def test_the_shape_is_read_from_a_preset_s_configuration(tiny_preset, tmp_path):
    shape = memory.shape_of(tiny_preset)
    assert (shape.num_layers, shape.hidden_dim, shape.num_heads, shape.vocabulary_size) == (2, 16, 2, 259)
    assert memory.shape_of(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "albert"}))
    assert memory.shape_of(tmp_path) is None
    config = {"num_layers": 8, "hidden_dim": 8, "num_query_heads": 8, "vocabulary_size": 9, "num_key_value_heads": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert memory.shape_of(tmp_path) == memory.Shape(8, 8, 8, 9, parameters=0, num_key_value_heads=2)
    memory.check("albert", None, (memory.generating(1, 1),))
    assert memory.largest_batch(None, 32, 128) == 32
