"""The kernels in Pallas' interpreter, set beside the same in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lib.models import gpu_kernels, jax_forward
from lib.models.gpu_kernels import Norm

RNG = np.random.default_rng(3)


def drawn(*shape):
    return jnp.asarray(RNG.standard_normal(shape).astype("float32"))


NORMS = {
    "layer": Norm(drawn(48), drawn(48), 1e-5),
    "root mean square": Norm(drawn(48), None, 1e-5),
    "none": None,
}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", [None, gpu_kernels.gelu, gpu_kernels.gated_silu])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_product_takes_along_what_is_around_it(norm, activation, dtype):
    outputs, shown = 300, 150 if activation is gpu_kernels.gated_silu else 300  # no multiple of a block
    x, matrix, bias, residual = drawn(48) + 3, drawn(outputs, 48).astype(dtype), drawn(outputs), drawn(shown)
    around = {"norm": NORMS[norm], "activation": activation}
    made = gpu_kernels.dense(x, matrix, bias, residual=residual, **around)
    expected = jax_forward.dense(x, matrix.T.astype("float32"), bias, residual=residual, **around)
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)
    bare = gpu_kernels.dense(x, matrix)
    np.testing.assert_allclose(bare, x @ matrix.T.astype("float32"), rtol=1e-4, atol=1e-4)


def test_a_vocabulary_is_multiplied_in_larger_blocks():
    x, matrix = drawn(16), drawn(2**15 + 7, 16)
    np.testing.assert_allclose(gpu_kernels.dense(x, matrix), matrix @ x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kv_heads", [3, 1])
@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize(("length", "position"), [(20, 0), (20, 13), (300, 299)])
def test_attention_keeps_the_token_and_looks_back(kv_heads, rotated, length, position):
    batch, heads, size = 2, 3, 16
    token = drawn(batch, (heads + 2 * kv_heads) * size)
    # What lies behind the position must not matter.
    keys, values = (drawn(batch * kv_heads, length, size).at[:, position:].set(np.nan) for _ in range(2))
    angles = drawn(size // 2)
    rotation = (jnp.cos(angles), jnp.sin(angles)) if rotated else None
    mixed, new_keys, new_values = gpu_kernels.attention(
        token, keys, values, jnp.int32(position), rotation, num_heads=heads
    )

    split = token.reshape(batch, 1, -1, size)
    query, key, value = split[:, :, :heads], split[:, :, heads : heads + kv_heads], split[:, :, heads + kv_heads :]
    if rotated:
        turn = lambda x: (  # noqa: E731
            jnp.concatenate([x[..., :8] * rotation[0] - x[..., 8:] * rotation[1],
                             x[..., 8:] * rotation[0] + x[..., :8] * rotation[1]], axis=-1)
        )  # fmt: skip
        query, key = turn(query), turn(key)
    expected_keys = keys.at[:, position].set(key.reshape(-1, size))
    expected_values = values.at[:, position].set(value.reshape(-1, size))
    seen = [kept[:, : position + 1] for kept in (expected_keys, expected_values)]
    np.testing.assert_allclose(mixed, jax_forward.attention(query, *seen, position)[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(new_keys, expected_keys, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(new_values, expected_values)


@pytest.mark.parametrize("columns", [1000, 4096])
def test_the_largest_of_groups_are_the_largest(columns):
    values = jnp.asarray(RNG.integers(0, 50, (3, columns)).astype("float32"))  # with many ties
    for made, expected in zip(gpu_kernels.top_k(values, 7), jax.lax.top_k(values, 7), strict=True):
        np.testing.assert_array_equal(made, expected)
    few = gpu_kernels.top_k(values[:, :30], 7)
    np.testing.assert_array_equal(few[1], jax.lax.top_k(values[:, :30], 7)[1])


@pytest.mark.parametrize(
    ("head_dim", "widths", "fit"),
    [(64, (768, 3072), True), (64, (576, 1536), True), (24, (48,), False), (8, (16,), False), (16, (40,), False)],
)
def test_some_models_do_not_fit(head_dim, widths, fit):
    assert gpu_kernels.fits(head_dim, *widths) is fit
