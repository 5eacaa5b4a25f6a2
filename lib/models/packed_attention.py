"""Attention for training on a GPU: one kernel for texts that are packed end to end, and one for its gradient.

A text here has at most 128 tokens, so all its attention weights of a head fit into the registers of one block of a GPU.
Each block reads the queries, keys and values of its text where the fused product left them, and writes its rows of the
result. So nothing is padded, gathered, transposed or split in the GPU's memory, and no attention weight ever gets
there: as in FlashAttention (Dao et al., 2022), the backward pass computes them anew. The kernels are written in Pallas
and compiled by Triton.

Attention weights and, with `kept`, other values are dropped by random numbers that are a hash of their place.
"""

import dataclasses
import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from lib.models import gpu_kernels

MAX_LENGTH = 128  # of a text, in tokens
HEAD_DIMS = 16, 32, 64  # those whose blocks fit into the memory and the registers of a multiprocessor


def fits(length: int, head_dim: int) -> bool:
    """Whether `packed_attention` can be used for texts of up to `length` tokens and heads of this width."""
    return length <= MAX_LENGTH and head_dim in HEAD_DIMS


def hashed(seed, index):
    """Hash indices, for random numbers that are computed where they are used and need no memory.

    The hash is `fmix32`, the finaliser of MurmurHash3 (Appleby, https://github.com/aappleby/smhasher, public domain):
    of the index, and again of that and the seed. A hash can be the seed of another.

    Args:
        seed: An integer or an array of integers.
        index: Likewise, of a shape that broadcasts with that of `seed`.

    Returns:
        uint32 array: 32 random bits for each index.
    """
    return _fmix32(_fmix32(jnp.asarray(index).astype(jnp.uint32)) ^ jnp.asarray(seed).astype(jnp.uint32))


def _fmix32(x):
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def kept(seed, rows, columns, dropout: float):
    """Decide which values of a matrix dropout keeps. What is kept has to be divided by `1 - dropout`.

    Args:
        seed: uint32 scalar, for instance `hashed` of the seed of a step and the number of the dropout.
        rows: int `(rows,)`: the numbers of the rows. The same seed, row and column give the same decision.
        columns: int `(columns,)`: the numbers of the columns.
        dropout: The share of values to drop, as a fraction.

    Returns:
        bool `(rows, columns)`.
    """
    bits = hashed(hashed(seed, rows)[:, None], columns[None])  # for each value a single `fmix32`
    return bits >= np.uint32(round(2**32 * dropout))


@dataclasses.dataclass(frozen=True)
class _Shapes:
    """What the kernels are compiled for."""

    num_heads: int
    num_key_value_heads: int
    head_dim: int
    size: int  # the rows of a block
    dropout: float

    @property
    def group(self) -> int:
        """The number of query heads that share a key-value head."""
        return self.num_heads // self.num_key_value_heads


def packed_attention(query_key_value, starts, seed, *, num_heads, num_key_value_heads, head_dim, length, dropout=0.0):
    """Compute causal attention within each of several packed texts. A group of query heads shares a key-value head.

    Products have factors of the type of `query_key_value` (float32 ones may be rounded to TF32) and are summed in
    float32, as is the softmax.

    Args:
        query_key_value: float32 or bfloat16 `(tokens, (num_heads + 2 * num_key_value_heads) * head_dim)`: the queries
            of the packed tokens head after head, then the keys, then the values.
        starts: int32 `(texts + 1,)`: the first token of each text, 0 for the first, and the end of the last text.
            Texts may be empty. Tokens after the end are padding: their results and gradients are 0.
        seed: uint32 scalar. Each gives another dropout.
        num_heads: The number of query heads.
        num_key_value_heads: The number of heads of keys and values.
        head_dim: The width of a head, one of `HEAD_DIMS`.
        length: The largest number of tokens of a text, at most `MAX_LENGTH`.
        dropout: The share of attention weights that are set to 0, as a fraction.

    Returns:
        `(tokens, num_heads * head_dim)`, of the type of `query_key_value`.
    """
    if not fits(length, head_dim):
        raise ValueError(f"At most {MAX_LENGTH} tokens and a head_dim of {HEAD_DIMS} fit, not {length} and {head_dim}.")
    size = max(16, pl.next_power_of_2(length))
    shapes = _Shapes(num_heads, num_key_value_heads, head_dim, size, dropout)
    return _attention(shapes, query_key_value, starts, jnp.asarray(seed, jnp.uint32))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attention(shapes: _Shapes, query_key_value, starts, seed):
    width = shapes.num_heads * shapes.head_dim
    return _call(_forward_kernel, shapes, shapes.num_heads, width, starts, seed, query_key_value)


def _attention_backward(shapes, inputs, gradient):
    query_key_value, starts, seed = inputs
    heads, width = shapes.num_key_value_heads, query_key_value.shape[1]
    return _call(_backward_kernel, shapes, heads, width, starts, seed, query_key_value, gradient), None, None


_attention.defvjp(lambda shapes, *inputs: (_attention(shapes, *inputs), inputs), _attention_backward)


def _call(kernel, shapes: _Shapes, heads: int, width: int, starts, seed, *arrays):
    """Run a kernel for each head of each text, and of the padding at the end."""
    # With 8 warps, a thread holds 64 of the numbers of a 128 x 128 matrix. It has 255 registers.
    params = triton.CompilerParams(num_warps=8 if shapes.size == MAX_LENGTH else 4, num_stages=1)
    return pl.pallas_call(
        functools.partial(kernel, shapes),
        out_shape=jax.ShapeDtypeStruct((len(arrays[0]), width), arrays[0].dtype),
        grid=(len(starts), heads),
        compiler_params=params,
        interpret=not gpu_kernels.on_gpu(),
        name=f"packed_attention{kernel.__name__.removesuffix('_kernel')}",
    )(starts, seed.reshape(1), *arrays)


def _forward_kernel(shapes, starts_ref, seed_ref, inputs_ref, output_ref):
    head = pl.program_id(1)
    key_head = shapes.num_heads + head // shapes.group

    def attend(text):
        value = text.load(inputs_ref, key_head + shapes.num_key_value_heads)
        weights = _weights(text.load(inputs_ref, head), text.load(inputs_ref, key_head))
        if shapes.dropout:
            weights = jnp.where(text.kept(seed_ref, head), weights * (1 / (1 - shapes.dropout)), 0.0)
        text.store(output_ref, head, _product(weights.astype(value.dtype), value))

    _for_text(shapes, starts_ref, output_ref, [head], attend)


def _backward_kernel(shapes, starts_ref, seed_ref, inputs_ref, gradient_ref, output_ref):
    first_head = pl.program_id(1) * shapes.group
    key_head = shapes.num_heads + pl.program_id(1)
    value_head = key_head + shapes.num_key_value_heads

    def attend(text):
        key, value = text.load(inputs_ref, key_head), text.load(inputs_ref, value_head)

        def add_head(index, sums):
            of_key, of_value = sums
            head = first_head + index
            query, gradient = text.load(inputs_ref, head), text.load(gradient_ref, head)
            weights = scaled = _weights(query, key)
            if shapes.dropout:  # a sign marks what is dropped, and needs no registers
                signed = jnp.where(text.kept(seed_ref, head), weights, -weights)
                weights, scaled = jnp.abs(signed), jnp.maximum(signed, 0.0) * (1 / (1 - shapes.dropout))
            # Let p be a weight, c p the same scaled or dropped, and g the gradient of that. The gradient of the score
            # is p (c g - s), with s the sum of c p g over the row.
            of_scores = scaled * _product(gradient, value.T)
            of_scores -= weights * jnp.sum(of_scores, axis=1, keepdims=True)
            of_scores = (of_scores * (1 / math.sqrt(shapes.head_dim))).astype(key.dtype)
            text.store(output_ref, head, _product(of_scores, key))
            of_value += _product(scaled.astype(value.dtype).T, gradient)
            return of_key + _product(of_scores.T, query), of_value

        zeros = jnp.zeros((text.size, shapes.head_dim), jnp.float32)
        of_key, of_value = jax.lax.fori_loop(0, shapes.group, add_head, (zeros, zeros))
        text.store(output_ref, key_head, of_key)
        text.store(output_ref, value_head, of_value)

    heads = [*(first_head + index for index in range(shapes.group)), key_head, value_head]
    _for_text(shapes, starts_ref, output_ref, heads, attend)


class _Rows:
    """The rows of a text, or some of the padding: the first `count` of a block of `size` rows."""

    def __init__(self, shapes, text, first, count, size):
        self.shapes, self.text, self.first, self.size = shapes, text, first, size
        self.mask = jnp.broadcast_to((jnp.arange(size) < count)[:, None], (size, shapes.head_dim))

    def load(self, ref, head):
        """Load the rows of a head, and zeros for the rest of the block."""
        return triton.load(self._of_head(ref, head), mask=self.mask, other=0.0)

    def store(self, ref, head, values):
        """Store the rows of a head, and nothing of the rest of the block, where another text begins."""
        triton.store(self._of_head(ref, head), values.astype(ref.dtype), mask=self.mask)

    def _of_head(self, ref, head):
        return ref.at[pl.ds(self.first, self.size), pl.ds(head * self.shapes.head_dim, self.shapes.head_dim)]

    def kept(self, seed_ref, head):
        """Whether dropout keeps each attention weight of a head, the same in both passes."""
        index = jnp.arange(self.size)
        rows = (self.text * self.shapes.num_heads + head) * MAX_LENGTH + index
        return kept(seed_ref[0], rows, index, self.shapes.dropout)


def _for_text(shapes, starts_ref, output_ref, heads, attend):
    """Apply `attend` to this block's text. The blocks after those of the texts clear the padding of some heads."""
    text, texts, tokens = pl.program_id(0), starts_ref.shape[0] - 1, output_ref.shape[0]
    sizes = [shapes.size // 2, shapes.size] if shapes.size > 32 else [shapes.size]  # a short text computes less

    @pl.when(text < texts)
    def _():
        first = starts_ref[text]
        count = starts_ref[text + 1] - first
        for less, size in itertools.pairwise([0, *sizes]):
            rows = _Rows(shapes, text, first, count, size)
            pl.when((count > less) & (count <= size))(functools.partial(attend, rows))

    @pl.when(text == texts)
    def _():
        end = starts_ref[texts]

        def clear(block, _):
            first = end + block * shapes.size
            rows = _Rows(shapes, text, first, tokens - first, shapes.size)
            for head in heads:
                rows.store(output_ref, head, jnp.zeros((shapes.size, shapes.head_dim)))

        jax.lax.fori_loop(0, pl.cdiv(tokens - end, shapes.size), clear, None)


def _weights(query, key):
    """Compute the attention weights of a head, float32 `(rows, rows)`."""
    row, column = (jax.lax.broadcasted_iota(jnp.int32, (len(query), len(key)), axis) for axis in (0, 1))
    scores = jnp.where(column <= row, _product(query, key.T) * (1 / math.sqrt(query.shape[1])), -jnp.inf)
    weights = jnp.exp(scores - jnp.max(scores, axis=1, keepdims=True))
    return weights * (1 / jnp.sum(weights, axis=1, keepdims=True))


def _product(a, b):
    return jax.lax.dot_general(a, b, (((1,), (0,)), ((), ())), preferred_element_type=jnp.float32)
