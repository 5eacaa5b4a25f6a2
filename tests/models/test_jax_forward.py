import re

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from lib.core import backends
from lib.models import jax_forward

RNG = np.random.default_rng(1)
X, MATRIX, GRADIENT = (RNG.standard_normal(shape).astype("float32") for shape in ((13, 24), (24, 40), (13, 40)))


def to_bf16(values):
    """Rounded by another library than the one that is tested."""
    return values.astype(ml_dtypes.bfloat16).astype("float32")


@pytest.mark.parametrize("ones", [None, jnp.ones(24)])
@pytest.mark.parametrize("rows", [1, 13])
def test_a_transposed_matrix_gives_the_same_product(rows, ones):
    transposed = jax_forward.Transposed(jnp.asarray(MATRIX.T), ones)
    expected = X[:rows] @ MATRIX + GRADIENT[0]
    np.testing.assert_allclose(jax_forward.dense(X[:rows], transposed, GRADIENT[0]), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(jax_forward.dense(X[:rows], MATRIX, GRADIENT[0]), expected, rtol=1e-5, atol=1e-5)


def compiled_step(inputs):
    """The program of a product with a single row, between what a layer has around it, as XLA's text."""

    def step(heads, values, kernel, bias):
        row = jnp.einsum("hqd,hde->hqe", heads, values).reshape(1, inputs)
        return jnp.tanh(jax_forward.dense(jax.nn.gelu(row), kernel, bias))

    kernel = jax_forward.Transposed(jnp.zeros((40, inputs)), jnp.ones(inputs))
    width = inputs // 4
    arguments = jnp.zeros((4, 1, width)), jnp.zeros((4, width, width)), kernel, jnp.zeros(40)
    return jax.jit(step).lower(*arguments).compile().as_text()


def test_xla_makes_one_loop_of_a_single_row_s_product_and_nothing_else():
    (loop,) = (part for part in compiled_step(256).split("\n\n") if " dot(" in part and " copy(" in part)
    assert re.findall(r"= \S+ (\w+)\(", loop) == ["parameter", "parameter", "transpose", "copy", "dot"]


def test_a_row_too_wide_for_that_loop_is_multiplied_without_a_transposition():
    program = compiled_step(jax_forward.WIDEST_ROW)
    assert " dot(" in program and " transpose(" not in program and " copy(" not in program


@pytest.mark.skipif(not backends.multiplies_bfloat16(), reason="this processor does not multiply bfloat16")
@pytest.mark.parametrize("transposed", [False, True])
def test_a_bf16_product_rounds_what_is_multiplied_and_nothing_else(transposed):
    kernel = jax_forward.Transposed(jnp.asarray(MATRIX.T)) if transposed else jnp.asarray(MATRIX)
    product, back = jax.vjp(lambda x, kernel: jax_forward.dense(x, kernel, bf16=True), jnp.asarray(X), kernel)
    assert product.dtype == jnp.float32
    np.testing.assert_allclose(product, to_bf16(X) @ to_bf16(MATRIX), rtol=1e-5, atol=1e-5)
    of_x, of_kernel = back(jnp.asarray(GRADIENT))
    np.testing.assert_allclose(of_x, to_bf16(GRADIENT) @ to_bf16(MATRIX).T, rtol=1e-5, atol=1e-5)
    of_matrix = of_kernel.outputs.T if transposed else of_kernel
    np.testing.assert_allclose(of_matrix, to_bf16(X).T @ to_bf16(GRADIENT), rtol=1e-5, atol=1e-5)
    assert np.abs(np.asarray(product) - X @ MATRIX).max() > 1e-3


@pytest.mark.skipif(not backends.multiplies_bfloat16(), reason="this processor does not multiply bfloat16")
@pytest.mark.parametrize("transposed", [False, True])
def test_xla_multiplies_bfloat16_along_the_rows_of_the_first_matrix_alone(transposed):
    """Otherwise it multiplies float32, which takes twice as long."""
    x, matrix, gradient = (RNG.standard_normal(shape).astype("float32") for shape in ((64, 256), (256, 512), (64, 512)))

    def step(x, kernel, gradient):
        return jax.vjp(lambda *factors: jax_forward.dense(*factors, bf16=True), x, kernel)[1](gradient)

    kernel = jax_forward.Transposed(jnp.asarray(matrix.T)) if transposed else jnp.asarray(matrix)
    program = jax.jit(step).lower(x, kernel, gradient).compile()
    along = re.findall(r"lhs_contracting_dims=\{(\d)\}", program.as_text())
    assert along == ["1", "1"]
    of_matrix = program(x, kernel, gradient)[1]
    of_matrix = of_matrix.outputs.T if transposed else of_matrix
    np.testing.assert_allclose(of_matrix, to_bf16(x).T @ to_bf16(gradient), rtol=1e-4, atol=1e-4)
