import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.models import jax_forward, packed_attention

HEAD_DIM = 16


def packed(counts, padding=0, num_heads=2, num_key_value_heads=2, dtype=jnp.float32):
    """Make random queries, keys and values of texts of some lengths, a gradient of the result, and the lengths."""
    tokens = sum(counts) + padding
    random = np.random.default_rng(1)
    shapes = (tokens, (num_heads + 2 * num_key_value_heads) * HEAD_DIM), (tokens, num_heads * HEAD_DIM)
    return *(jnp.asarray(random.standard_normal(shape), dtype) for shape in shapes), counts


def attend(query_key_value, starts, seed=0, num_heads=2, num_key_value_heads=2, **options):
    heads = {"num_heads": num_heads, "num_key_value_heads": num_key_value_heads, "head_dim": HEAD_DIM}
    options = heads | {"length": 16} | options
    return packed_attention.packed_attention(query_key_value, starts, seed, **options)


def expected(query_key_value, starts, seed=0, num_heads=2, num_key_value_heads=2, dropout=0.0):
    """The same by `jax_forward.attention`, text by text."""
    results = jnp.zeros((len(query_key_value), num_heads * HEAD_DIM))
    for text, (first, end) in enumerate(itertools.pairwise(starts)):
        if end == first:
            continue
        heads = query_key_value[first:end].astype(jnp.float32).reshape(1, end - first, -1, HEAD_DIM)
        query, key, value = jnp.split(heads, [num_heads, num_heads + num_key_value_heads], axis=2)
        keys, values = jax_forward.heads_first(key), jax_forward.heads_first(value)

        def dropped(weights, text=text, tokens=end - first):
            """Drop weights, `(key-value heads, tokens * heads of a group, tokens)`."""
            rows = text * num_heads * packed_attention.MAX_LENGTH + jnp.arange(tokens)
            offsets = range(0, num_heads * packed_attention.MAX_LENGTH, packed_attention.MAX_LENGTH)
            masks = [packed_attention.kept(seed, rows + offset, jnp.arange(tokens), dropout) for offset in offsets]
            masks = jnp.stack(masks).reshape(num_key_value_heads, -1, tokens, tokens).transpose(0, 2, 1, 3)
            return jnp.where(masks.reshape(weights.shape), weights / (1 - dropout), 0)

        results = results.at[first:end].set(jax_forward.attention(query, keys, values, 0, dropped)[0])
    return results


def assert_same(query_key_value, gradient, counts, tolerance=1e-5, length=16, **options):
    """Compare the results and their gradients."""
    starts = tuple(itertools.accumulate(counts, initial=0))

    @jax.jit
    def both(query_key_value, gradient, starts_array):
        result, back = jax.vjp(lambda x: attend(x, starts_array, length=length, **options), query_key_value)
        reference, reference_back = jax.vjp(lambda x: expected(x, starts, **options), query_key_value)
        return (result, *back(gradient)), (reference, *reference_back(gradient.astype(jnp.float32)))

    for result, reference in zip(*both(query_key_value, gradient, jnp.asarray(starts, jnp.int32)), strict=True):
        assert result.dtype == query_key_value.dtype
        result, reference = (np.asarray(x.astype(jnp.float32)) for x in (result, reference))
        np.testing.assert_allclose(result, reference, rtol=tolerance, atol=tolerance)
        assert not result[starts[-1] :].any()


@pytest.mark.parametrize("heads", [(2, 2), (3, 1)])
def test_results_and_gradients_are_those_of_each_text_alone(heads):
    num_heads, num_key_value_heads = heads
    of_heads = {"num_heads": num_heads, "num_key_value_heads": num_key_value_heads}
    assert_same(*packed([9, 16, 3], padding=5, **of_heads), **of_heads)


def test_dropout_drops_the_same_weights_in_both_passes():
    of_heads = {"num_heads": 4, "num_key_value_heads": 2}
    assert_same(*packed([9, 16], padding=5, **of_heads), **of_heads, dropout=0.3, seed=3)


def test_texts_may_be_empty_and_padding_long():
    assert_same(*packed([0, 7, 0, 0, 5, 0], padding=40))


def test_there_may_be_one_text_of_one_token():
    assert_same(*packed([1]))


def test_texts_of_all_lengths_fit_into_their_blocks():
    assert_same(*packed([20, 17]), length=20)
    assert_same(*packed([33, 32, 64]), length=64)  # 32 tokens have a smaller block


def test_blocks_may_run_in_any_order(monkeypatch):
    program_id = packed_attention.pl.program_id
    monkeypatch.setattr(packed_attention.pl, "program_id", lambda axis: program_id(axis) if axis else 3 - program_id(0))
    assert_same(*packed([9, 5, 3], padding=5))


def test_bfloat16_is_rounded_and_float32_summed():
    assert_same(*packed([9, 16], padding=7, dtype=jnp.bfloat16), tolerance=0.03, dropout=0.2)


def test_longer_texts_and_other_heads_are_refused():
    assert packed_attention.fits(packed_attention.MAX_LENGTH, 64)
    assert not packed_attention.fits(packed_attention.MAX_LENGTH + 1, 64)
    assert not packed_attention.fits(8, 48)
    with pytest.raises(ValueError, match="129"):
        attend(packed([4])[0], jnp.array([0, 4]), length=129)


@functools.partial(jax.jit, static_argnums=1)
def dropped_weights(seed, dropout):
    """The attention weights of two texts and two heads, each weight divided by its value without dropout."""
    tokens = HEAD_DIM
    values = jnp.broadcast_to(jnp.eye(tokens)[None, :, None], (2, tokens, 2, tokens)).reshape(2 * tokens, -1)
    query_key_value = jnp.pad(values, ((0, 0), (4 * HEAD_DIM, 0)))  # of queries and keys of 0, all weights are equal
    weights = attend(query_key_value, jnp.array([0, tokens, 2 * tokens]), seed, dropout=dropout)
    weights = weights.reshape(2, tokens, 2, tokens).transpose(0, 2, 1, 3) * jnp.arange(1, tokens + 1)[:, None]
    return weights[..., *np.tril_indices(tokens)].reshape(4, -1)


def test_dropout_drops_its_share_and_scales_the_rest():
    weights = np.stack([dropped_weights(seed, 0.25) for seed in range(10)])
    assert abs((weights == 0).mean() - 0.25) < 0.02
    np.testing.assert_allclose(weights[weights != 0], 4 / 3, rtol=1e-5)


def test_each_seed_text_and_head_has_its_own_dropout():
    weights = [*dropped_weights(5, 0.5), *dropped_weights(6, 0.5)]
    np.testing.assert_array_equal(weights[:4], dropped_weights(5, 0.5))
    assert all(0.3 < np.mean(one == other) < 0.7 for one, other in itertools.combinations(weights, 2))


def test_hashes_are_uniform_and_independent():
    hashes = [np.asarray(packed_attention.hashed(seed, np.arange(2**14))) for seed in range(4)]
    bits = [np.unpackbits(part.view(np.uint8)).astype(bool) for part in hashes]
    assert all(abs(part.mean() - 0.5) < 0.005 for part in bits)
    assert all(abs(np.mean(one == other) - 0.5) < 0.005 for one, other in itertools.combinations(bits, 2))
    assert all(abs(np.mean(part == np.roll(part, lag)) - 0.5) < 0.005 for part in bits for lag in (1, 32, 64))


def test_fmix32_is_murmurhash3_s():
    numbers = packed_attention._fmix32(np.array([0, 1, 2**32 - 1], np.uint32))
    np.testing.assert_array_equal(numbers, [0, 0x514E28B7, 0x81F16F39])
