import gc
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from lib.core import backends
from lib.models import decoding, pretrained

LOGITS_TOLERANCE = 1e-4  # between the backends, on logits of about 1


@pytest.fixture(scope="module")
def on_jax(presets, run_apart):
    """What `on_jax.py` found out."""
    return run_apart("models/on_jax.py", presets / "gpt2", presets / "llama")


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_every_sampler_writes_the_tokens_that_kerashub_writes(on_jax, kind):
    for name, (hub, own) in on_jax[kind]["samplers"].items():
        assert not hub["own"]
        assert own["own"] == (not name.startswith("beam")), name
        assert own["calls"] == hub["calls"], name
    drawn = on_jax[kind]["samplers"]["top_k, runs on"][1]["calls"]
    assert drawn[0]["token_ids"] != drawn[1]["token_ids"]
    stopped, ran_on = (on_jax[kind]["samplers"][f"greedy, {how}"][1]["calls"][0] for how in ("stops", "runs on"))
    assert np.sum(stopped["padding_mask"]) < np.sum(ran_on["padding_mask"])


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_greedy_in_a_batch_is_greedy_alone(on_jax, kind):
    assert on_jax[kind]["together"] == on_jax[kind]["alone"]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_compiled_function_reads_the_weights_of_the_day(on_jax, kind):
    written = on_jax[kind]["together"]
    for used, compiled_anew in on_jax[kind]["other weights"]:
        assert used == compiled_anew != written
        written = used
    assert on_jax[kind]["as in post"] and on_jax[kind]["in a list"]


def test_what_was_made_of_weights_goes_when_one_of_them_goes():
    made = []
    cached = decoding._CachedByWeights(lambda weights: made.append(len(weights)) or {"joined": weights[0] + weights[1]})
    first, second = jnp.ones(3), jnp.ones(3)
    assert cached([first, second]) is cached([first, second]) and made == [2]
    del second
    gc.collect()
    assert cached._result is None  # its memory is free while the next weights are made
    assert cached([first, jnp.zeros(3)])["joined"].tolist() == [1, 1, 1] and made == [2, 2]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_what_it_does_not_know_stays_with_kerashub(on_jax, kind, tiny_lm):
    assert not on_jax[kind]["mixed_float16"] and on_jax[kind]["mixed_bfloat16"]
    before = tiny_lm.make_generate_function.__func__
    assert decoding.speed_up(tiny_lm) is tiny_lm  # on TensorFlow
    assert tiny_lm.make_generate_function.__func__ is before
    assert not decoding.uses_own_step(tiny_lm)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_program_serves_what_differs_in_data_only(on_jax, kind):
    assert on_jax[kind]["programs"] == [1, 1, 1, 2, 3, 3]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_sampler_gets_no_program_of_another(on_jax, kind):
    free, forbidding = on_jax[kind]["a reader's own"]
    assert free != forbidding
    top_1, greedy = on_jax[kind]["changed"]
    assert top_1 == greedy


def test_xla_takes_its_time_to_compile_what_generates(monkeypatch):
    """Its preset for fast compiling made generating 7 % slower."""
    made = []
    generator = decoding._Generator(SimpleNamespace(fused=lambda weights, layout: weights))
    monkeypatch.setattr(decoding.jax, "jit", lambda function, **options: made.append(options["compiler_options"]))
    for flags in (backends.COMPILE_FAST, ""):
        monkeypatch.setenv("XLA_FLAGS", flags)
        generator._program(sampler=None)
    assert made == [backends.COMPILE_AS_USUAL, None]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_length_that_does_not_fit_is_not_tried_for_shorter_texts(on_jax, kind):
    longest, shorter = on_jax[kind]["tried"]
    assert shorter < longest


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_kernels_for_a_gpu_write_the_same_tokens(on_jax, kind):
    runs = on_jax[kind]["on a GPU"]
    assert len(runs) == 6
    for name, (on_gpu, plain) in runs.items():
        assert on_gpu[1] == plain[1], name  # the random states
        if name.endswith("float32"):
            assert on_gpu == plain, name
    assert on_jax[kind]["rounded"] == ["bfloat16", "bfloat16", "float32"]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_given_texts_get_the_logits_that_kerashub_computes(on_jax, kind):
    assert on_jax[kind]["logits"] < LOGITS_TOLERANCE


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_backends_agree_on_the_logits(on_jax, presets, kind):
    causal_lm = pretrained.load_causal_lm(str(presets / kind), sequence_length=32)
    token_ids = np.arange(24).reshape(2, 12)
    on_tensorflow = causal_lm({"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)})
    np.testing.assert_allclose(np.load(presets / f"{kind}.npy"), on_tensorflow, atol=LOGITS_TOLERANCE, rtol=0)
    assert np.std(on_tensorflow) > 100 * LOGITS_TOLERANCE
