"""Compute a decoding step on an NVIDIA GPU with few kernels, written in Pallas for Triton.

With a single text a kernel runs for a few microseconds, hardly longer than it takes to start one. XLA makes about
sixteen of a layer, these functions five: a product takes the normalisation before it, the activation and the residual
connection after it along, and attention over the kept keys and values is one kernel. docs/gpu.md has what was measured.

Elsewhere Pallas' interpreter runs them, slowly, for the tests.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

TILE = 6144  # the numbers of a matrix that a program of `dense` holds in its registers, 48 for each of 128 threads
WIDEST_CHUNK = 256
POSITIONS = 256  # that a program of `attention` looks at together
LEAST_CAPABILITY = 8.0  # of the GPUs for which Triton compiles


class Norm(NamedTuple):
    """A normalisation of rows before a product.

    Attributes:
        scale: `(inputs,)`.
        shift: `(inputs,)` for a layer normalisation; None for a root-mean-square normalisation.
        epsilon: What is added to the variance.
    """

    scale: jax.Array
    shift: jax.Array | None
    epsilon: float

    def __call__(self, x):
        """Normalise rows, `(..., inputs)`."""
        if self.shift is None:
            return x * jax.lax.rsqrt((x**2).mean(axis=-1, keepdims=True) + self.epsilon) * self.scale
        mean = x.mean(axis=-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + self.epsilon) * self.scale + self.shift


def on_gpu() -> bool:
    """Tell whether JAX computes on a GPU."""
    return jax.default_backend() == "gpu"


def gelu(x):
    """GPT-2's activation, the approximation by tanh."""
    return jax.nn.gelu(x, approximate=True)


def gated_silu(x):
    """Llama's activation: of two halves, `(..., 2 * outputs)`, the first gates the second."""
    gate, up = jnp.split(x, 2, axis=-1)
    return jax.nn.silu(gate) * up


def fits(head_dim: int, *widths: int) -> bool:
    """Tell whether the kernels can compute a model: blocks have powers of two as sizes."""
    return head_dim >= 16 and head_dim & (head_dim - 1) == 0 and all(width % 16 == 0 for width in widths)


def dense(x, matrix, bias=None, *, norm: Norm | None = None, activation=None, residual=None):
    """Compute `residual + activation(norm(x) @ matrix.T + bias)` of a single row in one kernel.

    A program computes a few outputs. It asks for its part of the matrix first, and normalises the row while that is on
    its way.

    Args:
        x: The row, float32 `(inputs,)`.
        matrix: `(outputs, inputs)`, float32 or bfloat16. The products and sums are float32.
        bias: `(outputs,)`, or None.
        norm: The normalisation of the row, or None.
        activation: `gelu`, `gated_silu` or None.
        residual: `(outputs,)`, or None.

    Returns:
        float32 `(outputs,)`; half as many with `gated_silu`.
    """
    gated = activation is gated_silu
    outputs, inputs = matrix.shape[0] // (2 if gated else 1), matrix.shape[1]
    chunk = math.gcd(inputs, WIDEST_CHUNK)
    block = max(1, TILE // inputs // (2 if gated else 1))
    block = 16 if outputs > 2**15 else 1 << (block.bit_length() - 1)
    given = {"bias": bias, "scale": norm and norm.scale, "shift": norm and norm.shift, "residual": residual}
    given = {name: value for name, value in given.items() if value is not None}

    def kernel(x_ref, matrix_ref, *references):
        *references, result = references
        refs = dict(zip(given, references, strict=True))
        rows = pl.program_id(0) * block + jnp.arange(block)
        inside = rows < outputs
        columns = [start + jnp.arange(chunk) for start in range(0, inputs, chunk)]

        def part_of_matrix(first_row):
            def part(column):
                mask = jnp.broadcast_to(inside[:, None], (block, chunk))
                return triton.load(matrix_ref.at[first_row + rows[:, None], column[None, :]], mask=mask, other=0)

            return [part(column) for column in columns]

        parts = [part_of_matrix(half * outputs) for half in range(2 if gated else 1)]
        row = [triton.load(x_ref.at[column]) for column in columns]
        if norm is not None:
            mean = 0.0 if norm.shift is None else sum(jnp.sum(part) for part in row) / inputs
            variance = sum(jnp.sum((part - mean) * (part - mean)) for part in row) / inputs
            factor = jax.lax.rsqrt(variance + norm.epsilon)
            row = [
                (part - mean) * factor * triton.load(refs["scale"].at[column])
                for part, column in zip(row, columns, strict=True)
            ]
            if norm.shift is not None:
                row = [part + triton.load(refs["shift"].at[column]) for part, column in zip(row, columns, strict=True)]

        def product(part, first_row):
            summed = sum(of_matrix.astype("float32") * of_row for of_matrix, of_row in zip(part, row, strict=True))
            summed = jnp.sum(summed, axis=1)
            if bias is None:
                return summed
            return summed + triton.load(refs["bias"].at[first_row + rows], mask=inside, other=0)

        y = product(parts[0], 0)
        if gated:
            y = y * jax.nn.sigmoid(y) * product(parts[1], outputs)
        elif activation is not None:
            y = activation(y)
        if residual is not None:
            y += triton.load(refs["residual"].at[rows], mask=inside, other=0)
        triton.store(result.at[rows], y, mask=inside)

    return pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((outputs,), jnp.float32),
        grid=(pl.cdiv(outputs, block),),
        compiler_params=triton.CompilerParams(num_warps=4, num_stages=1),
        interpret=not on_gpu(),
        name="row",
    )(x, matrix, *given.values())


def attention(query_key_value, keys, values, position, rotation=None, *, num_heads: int):
    """Attend from one token of each text to the tokens before it and itself, and keep its key and value.

    Args:
        query_key_value: The queries, keys and values of the token, head after head,
            `(batch, (num_heads + 2 * key-value heads) * head_dim)`.
        keys: The keys of the tokens before it, `(batch * key-value heads, length, head_dim)`.
        values: The values, of the same shape.
        position: The position of the token, an int32 scalar.
        rotation: The cosines and sines by which queries and keys are rotated (`jax_forward.Llama`), two arrays
            `(head_dim / 2,)`; None if they are not.
        num_heads: The number of query heads; a group of them shares a key-value head.

    Returns:
        The mixed values, float32 `(batch, num_heads * head_dim)`, and keys and values with those of the token.
    """
    batch = query_key_value.shape[0]
    rows, length, head_dim = keys.shape
    kv_heads, half = rows // batch, head_dim // 2
    group = num_heads // kv_heads
    block = min(POSITIONS, max(16, 1 << (length - 1).bit_length()))
    first, second = (slice(0, half), slice(half, head_dim))  # the halves of a head, which a rotation mixes

    def kernel(token, old_keys, old_values, position_ref, *references):
        *rotation_refs, new_keys, new_values, result = references
        text, head = pl.program_id(0), pl.program_id(1)
        row, here = text * kv_heads + head, position_ref[0]
        of_half = jnp.arange(half)

        def halves(number, rotated):
            start = number * head_dim
            one, two = (triton.load(token.at[text, start + part.start + of_half]) for part in (first, second))
            one, two = one.astype("float32"), two.astype("float32")
            if not rotated or not rotation_refs:
                return one, two
            cosine, sine = (triton.load(reference.at[of_half]) for reference in rotation_refs)
            return one * cosine - two * sine, two * cosine + one * sine

        key, value = halves(num_heads + head, True), halves(num_heads + kv_heads + head, False)
        for kept, made in ((new_keys, key), (new_values, value)):
            for part, of_part in zip((first, second), made, strict=True):
                triton.store(kept.at[row, here, part.start + of_half], of_part.astype(kept.dtype))
        queries = [
            [part / math.sqrt(head_dim) for part in halves(head * group + member, True)] for member in range(group)
        ]

        def look_at(number, carried):
            places = number * block + jnp.arange(block)
            before = places < here
            mask = jnp.broadcast_to(before[:, None], (block, half))

            def load(kept, part):
                at = kept.at[row, places[:, None], part.start + of_half[None, :]]
                return triton.load(at, mask=mask, other=0).astype("float32")

            old_key, old_value = ([load(kept, part) for part in (first, second)] for kept in (old_keys, old_values))
            found = []
            for query, (highest, total, *mixed) in zip(queries, carried, strict=True):
                products = zip(old_key, query, strict=True)
                scores = jnp.sum(sum(of_key * of_query[None] for of_key, of_query in products), axis=1)
                scores = jnp.where(before, scores, -jnp.inf)
                new_highest = jnp.maximum(highest, jnp.max(scores))
                weights, shrunk = jnp.exp(scores - new_highest), jnp.exp(highest - new_highest)
                mixed = [
                    of_mixed * shrunk + jnp.sum(weights[:, None] * of_value, axis=0)
                    for of_mixed, of_value in zip(mixed, old_value, strict=True)
                ]
                found.append((new_highest, total * shrunk + jnp.sum(weights), *mixed))
            return tuple(found)

        def of_itself(query):
            score = sum(jnp.sum(of_key * of_query) for of_key, of_query in zip(key, query, strict=True))
            return score, jnp.float32(1), *value

        blocks = (here + block - 1) // block
        attended = jax.lax.fori_loop(0, blocks, look_at, tuple(of_itself(query) for query in queries))
        for member, (_, total, *mixed) in enumerate(attended):
            for part, of_part in zip((first, second), mixed, strict=True):
                place = (head * group + member) * head_dim + part.start + of_half
                triton.store(result.at[text, place], of_part / total)

    keys, values, mixed = pl.pallas_call(
        kernel,
        out_shape=[
            jax.ShapeDtypeStruct(keys.shape, keys.dtype),
            jax.ShapeDtypeStruct(values.shape, values.dtype),
            jax.ShapeDtypeStruct((batch, num_heads * head_dim), jnp.float32),
        ],
        grid=(batch, kv_heads),
        input_output_aliases={1: 0, 2: 1},
        compiler_params=triton.CompilerParams(num_warps=8, num_stages=1),
        interpret=not on_gpu(),
        name="attention",
    )(query_key_value, keys, values, jnp.reshape(position, 1), *(rotation or ()))
    return mixed, keys, values


def top_k(values, k: int, groups: int = 64):
    """Find the largest numbers of each row, as `jax.lax.top_k` does: of each group of columns first, then of those.

    XLA looks through a row on a GPU with a single program: 67 µs for GPT-2's vocabulary on an H200.

    Args:
        values: `(batch, columns)`.
        k: How many.
        groups: Into how many groups the columns are divided.

    Returns:
        The numbers, `(batch, k)`, in descending order, and their columns.
    """
    batch, columns = values.shape
    width = -(-columns // groups)
    if k >= width:
        return jax.lax.top_k(values, k)
    grouped = jnp.pad(values, ((0, 0), (0, groups * width - columns)), constant_values=-jnp.inf)
    best, places = jax.lax.top_k(grouped.reshape(batch * groups, width), k)
    best, found = jax.lax.top_k(best.reshape(batch, groups * k), k)
    places = places.reshape(batch, groups, k) + width * jnp.arange(groups)[None, :, None]
    return best, jnp.take_along_axis(places.reshape(batch, groups * k), found, axis=1)
