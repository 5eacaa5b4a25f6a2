import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from lib import architectures, backends

RNG = np.random.default_rng(1)
X, MATRIX, GRADIENT = (RNG.standard_normal(shape).astype("float32") for shape in ((13, 24), (24, 40), (13, 40)))


def rounded(values):
    """Rounded by another library than the one that is tested."""
    return values.astype(ml_dtypes.bfloat16).astype("float32")


@pytest.mark.parametrize("rows", [1, 13])
def test_a_turned_matrix_gives_the_same_product(rows):
    turned = architectures.Turned(jnp.asarray(MATRIX.T))
    expected = X[:rows] @ MATRIX + GRADIENT[0]
    np.testing.assert_allclose(architectures.dense(X[:rows], turned, GRADIENT[0]), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(architectures.dense(X[:rows], MATRIX, GRADIENT[0]), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not backends.multiplies_bfloat16(), reason="this processor does not multiply bfloat16")
@pytest.mark.parametrize("turned", [False, True])
def test_a_rounded_product_rounds_what_is_multiplied_and_nothing_else(turned):
    kernel = architectures.Turned(jnp.asarray(MATRIX.T)) if turned else jnp.asarray(MATRIX)
    product, back = jax.vjp(lambda x, kernel: architectures.dense(x, kernel, rounded=True), jnp.asarray(X), kernel)
    assert product.dtype == jnp.float32
    np.testing.assert_allclose(product, rounded(X) @ rounded(MATRIX), rtol=1e-5, atol=1e-5)
    of_x, of_kernel = back(jnp.asarray(GRADIENT))
    np.testing.assert_allclose(of_x, rounded(GRADIENT) @ rounded(MATRIX).T, rtol=1e-5, atol=1e-5)
    if turned:  # the vocabulary's gradient is not rounded
        np.testing.assert_allclose(of_kernel.outputs, GRADIENT.T @ X, rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_allclose(of_kernel, rounded(X).T @ rounded(GRADIENT), rtol=1e-5, atol=1e-5)
    assert np.abs(np.asarray(product) - X @ MATRIX).max() > 1e-3
