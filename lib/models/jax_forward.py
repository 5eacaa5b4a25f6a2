"""Compute GPT-2 and Llama as plain JAX functions of a KerasHub backbone's weights.

`decoding` generates with them and `packing` trains with them. They compute the same as KerasHub's layers (tested), in
less time on a CPU: the three products for query, key and value are one; every product is one of two matrices, since XLA
takes almost twice as long for the gradient of KerasHub's einsums; and the gradient of a bias is a product too, since
XLA sums columns slowly. In training the products may round their factors to bfloat16.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import keras
import keras_nlp

from lib.models import kerashub_private

ZERO_ROWS = 8  # see `_bf16_backward`
WIDEST_ROW = 4096  # the length of a row in numbers, see `_row_product`


def architecture_of(causal_lm, bf16: bool = False):
    """Return the functions of a model's architecture, if this module has them and can be used.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`.
        bf16: Whether to round the factors of products with weights to bfloat16, see `bf16_product`.

    Returns:
        A `GPT2` or `Llama`. None for other models, on TensorFlow, and if the model computes in 16 bits.
    """
    if keras.backend.backend() != "jax" or causal_lm.dtype_policy.compute_dtype != "float32":
        return None
    for backbone, architecture in ((keras_nlp.models.GPT2Backbone, GPT2), (keras_nlp.models.LlamaBackbone, Llama)):
        if isinstance(causal_lm.backbone, backbone):
            return architecture(causal_lm.backbone, bf16)
    return None


def with_fused(weights: dict, fused: dict) -> dict:
    """Return a model's weights with the matrices that its architecture's `fused` made in place of their parts."""
    layers = [layer | made for layer, made in zip(weights["layers"], fused["layers"], strict=True)]
    return weights | fused | {"layers": layers}


class Transposed(NamedTuple):
    """A transposed matrix. XLA on a CPU reads it fastest in this layout if it multiplies a single row.

    Attributes:
        outputs: The matrix, `(outputs, inputs)`.
        ones: Ones, `(inputs,)`, as an argument of the compiled function, if single rows are multiplied. See
            `_row_product`.
    """

    outputs: jax.Array
    ones: jax.Array | None = None


def _transposed(kernel) -> Transposed:
    """Transpose a matrix `(inputs, outputs)` for products with single rows."""
    return Transposed(kernel.T, jnp.ones(len(kernel)))


def dense(x, kernel, bias=None, bf16: bool = False):
    """Compute a dense layer, `x @ kernel + bias`.

    Args:
        x: The rows, `(..., inputs)`.
        kernel: The matrix, `(inputs, outputs)`, or a `Transposed` one.
        bias: `(outputs,)`, or None.
        bf16: Whether this product and those of its gradients round their factors, see `bf16_product`.

    Returns:
        `(..., outputs)`.
    """
    rows = x.reshape(-1, x.shape[-1])
    transposed = isinstance(kernel, Transposed)
    matrix = kernel.outputs if transposed else kernel
    if bf16:
        product = bf16_product(rows, matrix, transposed)
    elif transposed and kernel.ones is not None and len(rows) == 1 and rows.shape[1] < WIDEST_ROW:
        product = _row_product(rows[0], kernel)[None]
    else:
        product = _product(rows, matrix, 1, int(transposed))
    if bias is not None:
        product = _add_bias(product, bias)
    return product.reshape(*x.shape[:-1], product.shape[-1])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def bf16_product(x, matrix, transposed: bool):
    """Multiply two matrices that are rounded to bfloat16, and sum in float32. The gradients are computed likewise.

    Mixed precision multiplies in this way (Micikevicius et al., Mixed Precision Training, 2018, section 3; Kalamkar et
    al., A Study of BFLOAT16 for Deep Learning Training, 2019, section 3). Everything else stays in float32.

    Args:
        x: `(rows, inputs)`.
        matrix: `(inputs, outputs)`, or `(outputs, inputs)` if it is transposed.
        transposed: Whether it is.

    Returns:
        float32 `(rows, outputs)`.
    """
    return _bf16_forward(x, matrix, transposed)[0]


def _bf16_forward(x, matrix, transposed):
    matrix = matrix.astype(jnp.bfloat16)
    return _product(x.astype(jnp.bfloat16), matrix, 1, int(transposed)), (x, matrix)


def _bf16_backward(transposed, kept, gradient):
    x, matrix = kept
    of_x = _product(gradient.astype(jnp.bfloat16), matrix, 1, 1 - transposed)
    if transposed:  # the vocabulary's matrix, for which a transposition of the gradient costs as much as rounding saves
        return of_x, _product(gradient, x, 0, 0)
    # XLA multiplies bfloat16 fast only along the rows of the first matrix, and would optimise away a transposition that
    # is used as it is. With a few rows of zeros appended, it keeps the transposition.
    x_transposed = jnp.pad(x.T.astype(jnp.bfloat16), ((0, 0), (0, ZERO_ROWS)))
    return of_x, _product(x_transposed, jnp.pad(gradient.astype(jnp.bfloat16), ((0, ZERO_ROWS), (0, 0))), 1, 0)


bf16_product.defvjp(_bf16_forward, _bf16_backward)


def _product(a, b, along_a: int, along_b: int):
    """Multiply two matrices, summing along an axis of each in float32."""
    return jax.lax.dot_general(a, b, (((along_a,), (along_b,)), ((), ())), preferred_element_type=jnp.float32)


def _row_product(row, kernel: Transposed):
    """Multiply a single row, `(inputs,)`, by a transposed matrix. Return `(outputs,)`.

    On a CPU, XLA fuses the transposition and the product into one loop, which reads the matrix in its layout at the
    full bandwidth of the memory. It does so for rows of less than 16 KiB. The loop is fast only if nothing else is
    fused into it: neither what computes the row, which would run again for every output, nor a bias. So the row is
    divided by ones whose values XLA does not know, because XLA never computes a division twice, and the product is
    multiplied by one of them. There are as many ones as inputs, since XLA would fuse a single one, and the reshaping of
    the row with it, into the loop.
    """
    return (row / kernel.ones) @ kernel.outputs.T * kernel.ones[0]


@jax.custom_vjp
def _add_bias(product, bias):
    return product + bias


_add_bias.defvjp(
    lambda product, bias: (product + bias, None),
    lambda _, gradient: (gradient, (jnp.ones((1, len(gradient))) @ gradient)[0]),
)


def no_dropout(x):
    """Return a value unchanged: the functions below apply this in place of dropout unless they train."""
    return x


class GPT2:
    """The functions of a `GPT2Backbone` (Radford et al., Language Models are Unsupervised Multitask Learners, 2019).

    Attributes:
        num_heads: The number of attention heads.
        num_key_value_heads: The number of heads of keys and values; for GPT-2 the same.
        head_dim: The width of a head.
        dropout: The share of values that training sets to 0, as a fraction.
        dense: The function `dense` with its `bf16` set.
    """

    def __init__(self, backbone, bf16: bool = False):
        self.backbone = backbone
        self.dense = functools.partial(dense, bf16=bf16)
        self.num_heads = self.num_key_value_heads = backbone.num_heads
        self.head_dim = backbone.hidden_dim // backbone.num_heads
        self.dropout = backbone.dropout
        self.epsilon = backbone.layer_norm.epsilon

    def weights(self) -> dict:
        """Return the model's weights, without copies."""
        return {
            "tokens": self.backbone.token_embedding.embeddings.value,
            "positions": self.backbone.position_embedding.position_embeddings.value,
            "norm": _values(self.backbone.layer_norm, "gamma", "beta"),
            "layers": [_gpt2_layer(kerashub_private.gpt2_parts(layer)) for layer in self.backbone.transformer_layers],
        }

    def fused(self, weights: dict, transposed: bool = False) -> dict:
        """Make matrices of the attention kernels of each layer, and one matrix of those of query, key and value.

        Args:
            weights: The weights, see `weights`.
            transposed: Whether to make all matrices of a layer, each of them `Transposed`, for single rows.

        Returns:
            The matrices, for `with_fused`.
        """
        hidden_dim = self.backbone.hidden_dim

        def of_layer(layer):
            kernels = [layer[name][0].reshape(hidden_dim, -1) for name in ("query", "key", "value")]
            biases = [layer[name][1].reshape(-1) for name in ("query", "key", "value")]
            kernel, bias = layer["output"]
            made = {
                "query_key_value": (jnp.concatenate(kernels, axis=1), jnp.concatenate(biases)),
                "output": (kernel.reshape(-1, hidden_dim), bias),
            }
            if not transposed:
                return made
            made |= {name: layer[name] for name in ("up", "down")}
            return {name: (_transposed(kernel), bias) for name, (kernel, bias) in made.items()}

        layers = [of_layer(layer) for layer in weights["layers"]]
        return {"layers": layers, "ones": jnp.ones(hidden_dim)} if transposed else {"layers": layers}

    def embed(self, weights, token_ids, positions):
        """Embed tokens.

        Args:
            weights: The weights.
            token_ids: int `(...)`.
            positions: int, of a shape that broadcasts to that of `token_ids`.

        Returns:
            Hidden states, `(..., hidden_dim)`.
        """
        return weights["tokens"][token_ids] + weights["positions"][positions]

    def query_key_value(self, layer, x):
        """Compute query, key and value, each `(..., heads, head_dim)`, of hidden states `(..., hidden_dim)`."""
        together = self.dense(_layer_norm(x, layer["attention_norm"], self.epsilon), *layer["query_key_value"])
        return [part.reshape(*x.shape[:-1], -1, self.head_dim) for part in jnp.split(together, 3, axis=-1)]

    def rotate(self, heads, start):
        """Return queries or keys unchanged, since the embeddings contain the positions."""
        return heads

    def after_attention(self, layer, x, attended, dropout=no_dropout):
        """Compute the rest of a layer.

        Args:
            layer: The weights of the layer.
            x: The hidden states before the layer, `(..., hidden_dim)`.
            attended: The result of `attention`, `(..., heads * head_dim)`.
            dropout: A function that drops values in training.

        Returns:
            The hidden states after the layer, `(..., hidden_dim)`.
        """
        x = x + dropout(self.dense(attended, *layer["output"]))
        up = self.dense(_layer_norm(x, layer["feedforward_norm"], self.epsilon), *layer["up"])
        return x + dropout(self.dense(jax.nn.gelu(up, approximate=True), *layer["down"]))

    def logits(self, weights, x):
        """Compute logits, `(..., vocabulary_size)`, of the hidden states after the last layer."""
        x = _layer_norm(x, weights["norm"], self.epsilon)
        return self.dense(x, Transposed(weights["tokens"], weights.get("ones")))


def _gpt2_layer(parts: kerashub_private.LayerParts) -> dict:
    """Return the weights of a GPT-2 layer: `(gamma, beta)` or `(kernel, bias)` of each sublayer."""
    norms = {name: _values(getattr(parts, name), "gamma", "beta") for name in ("attention_norm", "feedforward_norm")}
    names = ("query", "key", "value", "output", "up", "down")
    return norms | {name: _values(getattr(parts, name), "kernel", "bias") for name in names}


class Llama:
    """The functions of a `LlamaBackbone` (Touvron et al., LLaMA: Open and Efficient Foundation Language Models, 2023).

    The class has the attributes and methods of `GPT2`.
    """

    def __init__(self, backbone, bf16: bool = False):
        self.backbone = backbone
        self.dense = functools.partial(dense, bf16=bf16)
        self.num_heads, self.num_key_value_heads = backbone.num_query_heads, backbone.num_key_value_heads
        self.head_dim = backbone.hidden_dim // backbone.num_query_heads
        self.dropout = backbone.dropout
        self.epsilon = backbone.layer_norm.epsilon

    def weights(self) -> dict:
        """Return the model's weights, without copies."""
        embedding = self.backbone.token_embedding
        reverse = {} if embedding.tie_weights else {"reverse": embedding.reverse_embeddings.value}
        return reverse | {
            "tokens": embedding.embeddings.value,
            "norm": self.backbone.layer_norm.scale.value,
            "layers": [_llama_layer(kerashub_private.llama_parts(layer)) for layer in self.backbone.transformer_layers],
        }

    def fused(self, weights: dict, transposed: bool = False) -> dict:
        """Make matrices of the kernels of each layer: one of query, key and value, and one of gate and up."""
        hidden_dim = self.backbone.hidden_dim

        def of_layer(layer):
            kernels = [layer[name].reshape(hidden_dim, -1) for name in ("query", "key", "value")]
            made = {
                "query_key_value": jnp.concatenate(kernels, axis=1),
                "gate_up": jnp.concatenate([layer["gate"], layer["up"]], axis=1),
                "output": layer["output"].reshape(-1, hidden_dim),
            }
            if not transposed:
                return made
            return {name: _transposed(kernel) for name, kernel in (made | {"down": layer["down"]}).items()}

        layers = [of_layer(layer) for layer in weights["layers"]]
        return {"layers": layers, "ones": jnp.ones(hidden_dim)} if transposed else {"layers": layers}

    def embed(self, weights, token_ids, positions):
        return weights["tokens"][token_ids]

    def query_key_value(self, layer, x):
        together = self.dense(_rms_norm(x, layer["attention_norm"], self.epsilon), layer["query_key_value"])
        heads = together.reshape(*x.shape[:-1], -1, self.head_dim)
        key, value = self.num_heads, self.num_heads + self.num_key_value_heads
        return heads[..., :key, :], heads[..., key:value, :], heads[..., value:, :]

    def rotate(self, heads, start):
        """Rotate queries or keys, `(batch, tokens, heads, head_dim)`, by their positions, which begin with `start`."""
        return kerashub_private.rotary_embedding(self.backbone.transformer_layers[0])(heads, start_index=start)

    def after_attention(self, layer, x, attended, dropout=no_dropout):  # ignored, see `packing.trainee`
        x = x + self.dense(attended, layer["output"])
        together = self.dense(_rms_norm(x, layer["feedforward_norm"], self.epsilon), layer["gate_up"])
        gate, up = jnp.split(together, 2, axis=-1)
        return x + self.dense(jax.nn.silu(gate) * up, layer["down"])

    def logits(self, weights, x):
        reverse = weights["reverse"] if "reverse" in weights else Transposed(weights["tokens"], weights.get("ones"))
        return self.dense(_rms_norm(x, weights["norm"], self.epsilon), reverse)


def _llama_layer(parts: kerashub_private.LayerParts) -> dict:
    """Return the weights of a Llama layer: the scale or kernel of each sublayer."""
    norms = {name: getattr(parts, name).scale.value for name in ("attention_norm", "feedforward_norm")}
    names = ("query", "key", "value", "output", "gate", "up", "down")
    return norms | {name: getattr(parts, name).kernel.value for name in names}


def attention(query, keys, values, start, dropout=no_dropout):
    """Compute causal attention for tokens from position `start` on. A group of query heads shares a key-value head.

    Args:
        query: `(batch, tokens, query heads, head_dim)`.
        keys: The keys of the tokens and of all tokens before them, `(batch * key-value heads, length, head_dim)`.
        values: The values, of the same shape.
        start: The position of the first token of `query`.
        dropout: A function that drops attention weights in training.

    Returns:
        `(batch, tokens, query heads * head_dim)`.
    """
    batch, tokens, num_heads, head_dim = query.shape
    rows, length, _ = keys.shape
    grouped = query.reshape(batch, tokens, rows // batch, -1, head_dim).transpose(0, 2, 1, 3, 4)
    scores = jnp.einsum("rqd,rsd->rqs", grouped.reshape(rows, -1, head_dim), keys) / math.sqrt(head_dim)
    position = start + jnp.arange(scores.shape[1]) // (scores.shape[1] // tokens)
    scores = jnp.where(jnp.arange(length) <= position[:, None], scores, -jnp.inf)
    mixed = jnp.einsum("rqs,rsd->rqd", dropout(jax.nn.softmax(scores, axis=-1)), values)
    mixed = mixed.reshape(batch, rows // batch, tokens, -1, head_dim).transpose(0, 2, 1, 3, 4)
    return mixed.reshape(batch, tokens, num_heads * head_dim)


def heads_first(heads):
    """Transpose keys or values, `(batch, tokens, heads, head_dim)`, to the layout that `attention` takes."""
    batch, tokens, count, head_dim = heads.shape
    return heads.transpose(0, 2, 1, 3).reshape(batch * count, tokens, head_dim)


def _layer_norm(x, gamma_beta, epsilon):
    gamma, beta = gamma_beta
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + epsilon) * gamma + beta


def _rms_norm(x, scale, epsilon):
    return x * jax.lax.rsqrt((x**2).mean(axis=-1, keepdims=True) + epsilon) * scale


def _values(layer, *names):
    """Return the JAX arrays of some variables of a Keras layer."""
    return tuple(getattr(layer, name).value for name in names)
