"""GPT-2 and Llama as plain JAX functions of a KerasHub backbone's weights, shaped for a processor's matrix products.

`decoding` generates with them and `packing` trains with them. They compute what KerasHub's layers compute (tested), in
less time on a CPU: query, key and value are one product; every product is one of two matrices, where the gradient of
KerasHub's einsums takes XLA almost twice as long; and a bias' gradient is a product too, since XLA sums columns slowly.
In training the products may be of values rounded to bfloat16.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import keras
import keras_nlp

PADDING = 8  # rows, see `_rounded_backward`
WIDEST = 4096  # inputs, see `_row_product`


def of(causal_lm, rounded: bool = False):
    """The architecture of a model, if this module knows it and can be used.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`.
        rounded: Whether its products with weights are `rounded_product`s.

    Returns:
        A `GPT2` or `Llama`; None for other models, on TensorFlow, and in 16 bits.
    """
    if keras.backend.backend() != "jax" or causal_lm.dtype_policy.compute_dtype != "float32":
        return None
    for backbone, architecture in ((keras_nlp.models.GPT2Backbone, GPT2), (keras_nlp.models.LlamaBackbone, Llama)):
        if isinstance(causal_lm.backbone, backbone):
            return architecture(causal_lm.backbone, rounded)
    return None


def joined(weights: dict, matrices: dict) -> dict:
    """A model's weights with the matrices that its architecture made of some of them in their place."""
    layers = [layer | made for layer, made in zip(weights["layers"], matrices["layers"], strict=True)]
    return weights | matrices | {"layers": layers}


class Turned(NamedTuple):
    """A matrix that lies output by output, as XLA reads it fastest on a CPU when it multiplies a single row.

    Attributes:
        outputs: `(outputs, inputs)`.
        ones: `(inputs,)`, an argument of the compiled function, where single rows are multiplied: see `_row_product`.
    """

    outputs: jax.Array
    ones: jax.Array | None = None


def _turned(kernel) -> Turned:
    """Turns a matrix `(inputs, outputs)` for single rows."""
    return Turned(kernel.T, jnp.ones(len(kernel)))


def dense(x, kernel, bias=None, rounded: bool = False):
    """`x @ kernel + bias`: `(..., inputs)` times `(inputs, outputs)`, plus `(outputs,)`.

    Args:
        x: The rows to be multiplied.
        kernel: The matrix, or a `Turned` one.
        bias: What is added, if anything.
        rounded: Whether the product and those of its gradients are `rounded_product`s.
    """
    rows = x.reshape(-1, x.shape[-1])
    turned = isinstance(kernel, Turned)
    matrix = kernel.outputs if turned else kernel
    if rounded:
        product = rounded_product(rows, matrix, turned)
    elif turned and kernel.ones is not None and len(rows) == 1 and rows.shape[1] < WIDEST:
        product = _row_product(rows[0], kernel)[None]
    else:
        product = _product(rows, matrix, 1, int(turned))
    if bias is not None:
        product = _add_bias(product, bias)
    return product.reshape(*x.shape[:-1], product.shape[-1])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def rounded_product(x, matrix, turned: bool):
    """A product of two matrices rounded to bfloat16, summed in float32; its gradients likewise.

    So mixed precision multiplies (Micikevicius et al., Mixed Precision Training, 2018, section 3; Kalamkar et al., A
    Study of BFLOAT16 for Deep Learning Training, 2019, section 3). All else stays in float32.

    Args:
        x: `(rows, inputs)`.
        matrix: `(inputs, outputs)`; or `(outputs, inputs)`, if it is turned.
        turned: Whether it is.

    Returns:
        float32 `(rows, outputs)`.
    """
    return _rounded_forward(x, matrix, turned)[0]


def _rounded_forward(x, matrix, turned):
    rounded = matrix.astype(jnp.bfloat16)
    return _product(x.astype(jnp.bfloat16), rounded, 1, int(turned)), (x, rounded)


def _rounded_backward(turned, kept, gradient):
    x, matrix = kept
    of_x = _product(gradient.astype(jnp.bfloat16), matrix, 1, 1 - turned)
    if turned:  # of the vocabulary, where turning the gradient takes as long as rounding it saves
        return of_x, _product(gradient, x, 0, 0)
    # XLA multiplies bfloat16 fast only along the rows of the first matrix, and would undo a transposition that nothing
    # stands behind. A few rows of zeros stand behind this one.
    turned_x = jnp.pad(x.T.astype(jnp.bfloat16), ((0, 0), (0, PADDING)))
    return of_x, _product(turned_x, jnp.pad(gradient.astype(jnp.bfloat16), ((0, PADDING), (0, 0))), 1, 0)


rounded_product.defvjp(_rounded_forward, _rounded_backward)


def _product(a, b, along_a: int, along_b: int):
    """The product of two matrices, in float32, summed along an axis of each."""
    return jax.lax.dot_general(a, b, (((along_a,), (along_b,)), ((), ())), preferred_element_type=jnp.float32)


def _row_product(row, kernel: Turned):
    """The product of a single row, `(inputs,)`, with a turned matrix: `(outputs,)`.

    For a CPU, XLA makes one loop of the transposition and the product, which reads the matrix as it lies, at the full
    bandwidth of the memory. It does so for rows of less than 16 KiB, and the loop is fast only if it has nothing else
    in it: neither what the row is computed from, which would be done anew for every output, nor a bias. So the row is
    divided by ones that XLA knows nothing of, since it never does a division twice, and the product multiplied by one.
    There are as many ones as inputs, since XLA would take a single one, and a row's reshaping with it, into the loop.
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
    """Leaves a value as it is: what the functions below do with their results unless they train."""
    return x


class GPT2:
    """The steps of a `GPT2Backbone` (Radford et al., Language Models are Unsupervised Multitask Learners, 2019).

    Attributes:
        num_heads, num_key_value_heads: Attention heads; here the two are the same.
        head_dim: The width of each.
        dropout: The share of values that training sets to 0.
        dense: The function `dense`, told whether to round.
    """

    def __init__(self, backbone, rounded: bool = False):
        self.backbone = backbone
        self.dense = functools.partial(dense, rounded=rounded)
        self.num_heads = self.num_key_value_heads = backbone.num_heads
        self.head_dim = backbone.hidden_dim // backbone.num_heads
        self.dropout = backbone.dropout
        self.epsilon = backbone.layer_norm.epsilon

    def weights(self) -> dict:
        """The model's weights as they are, nothing copied."""
        return {
            "tokens": self.backbone.token_embedding.embeddings.value,
            "positions": self.backbone.position_embedding.position_embeddings.value,
            "norm": _values(self.backbone.layer_norm, "gamma", "beta"),
            "layers": [
                {
                    "attention_norm": _values(layer._self_attention_layer_norm, "gamma", "beta"),
                    **{
                        name: _values(getattr(layer._self_attention_layer, f"_{name}_dense"), "kernel", "bias")
                        for name in ("query", "key", "value", "output")
                    },
                    "feedforward_norm": _values(layer._feedforward_layer_norm, "gamma", "beta"),
                    "up": _values(layer._feedforward_intermediate_dense, "kernel", "bias"),
                    "down": _values(layer._feedforward_output_dense, "kernel", "bias"),
                }
                for layer in self.backbone.transformer_layers
            ],
        }

    def matrices(self, weights: dict, turned: bool = False) -> dict:
        """Makes plain matrices of each layer's attention kernels, and one of those of query, key and value.

        Args:
            weights: What `weights` returned.
            turned: Whether all matrices of a layer are made, and made `Turned`, for single rows.

        Returns:
            What `joined` puts into the weights.
        """
        hidden_dim = self.backbone.hidden_dim

        def of_layer(layer):
            kernels = [layer[name][0].reshape(hidden_dim, -1) for name in ("query", "key", "value")]
            biases = [layer[name][1].reshape(-1) for name in ("query", "key", "value")]
            kernel, bias = layer["output"]
            made = {
                "projection": (jnp.concatenate(kernels, axis=1), jnp.concatenate(biases)),
                "output": (kernel.reshape(-1, hidden_dim), bias),
            }
            if not turned:
                return made
            made |= {name: layer[name] for name in ("up", "down")}
            return {name: (_turned(kernel), bias) for name, (kernel, bias) in made.items()}

        layers = [of_layer(layer) for layer in weights["layers"]]
        return {"layers": layers, "ones": jnp.ones(hidden_dim)} if turned else {"layers": layers}

    def embed(self, weights, token_ids, positions):
        """The first hidden states, `(..., hidden_dim)`, of tokens `(...)` at positions that broadcast to that shape."""
        return weights["tokens"][token_ids] + weights["positions"][positions]

    def project(self, layer, x):
        """Query, key and value, each `(..., heads, head_dim)`, of hidden states `(..., hidden_dim)`."""
        together = self.dense(_normalised(x, layer["attention_norm"], self.epsilon), *layer["projection"])
        return [part.reshape(*x.shape[:-1], -1, self.head_dim) for part in jnp.split(together, 3, axis=-1)]

    def rotate(self, heads, start):
        """Nothing: positions are in the embeddings."""
        return heads

    def finish(self, layer, x, attended, dropout=no_dropout):
        """The hidden states after a layer, from those before it and what its attention made of them."""
        x = x + dropout(self.dense(attended, *layer["output"]))
        up = self.dense(_normalised(x, layer["feedforward_norm"], self.epsilon), *layer["up"])
        return x + dropout(self.dense(jax.nn.gelu(up, approximate=True), *layer["down"]))

    def logits(self, weights, x):
        """`(..., vocabulary_size)`, of the last layer's hidden states."""
        return self.dense(_normalised(x, weights["norm"], self.epsilon), Turned(weights["tokens"], weights.get("ones")))


class Llama:
    """The steps of a `LlamaBackbone` (Touvron et al., LLaMA: Open and Efficient Foundation Language Models, 2023).

    Its attributes and methods are those of `GPT2`.
    """

    def __init__(self, backbone, rounded: bool = False):
        self.backbone = backbone
        self.dense = functools.partial(dense, rounded=rounded)
        self.num_heads, self.num_key_value_heads = backbone.num_query_heads, backbone.num_key_value_heads
        self.head_dim = backbone.hidden_dim // backbone.num_query_heads
        self.dropout = backbone.dropout
        self.epsilon = backbone.layer_norm.epsilon

    def weights(self) -> dict:
        """The model's weights as they are, nothing copied."""
        embedding = self.backbone.token_embedding
        reverse = {} if embedding.tie_weights else {"reverse": embedding.reverse_embeddings.value}
        return reverse | {
            "tokens": embedding.embeddings.value,
            "norm": self.backbone.layer_norm.scale.value,
            "layers": [
                {
                    "attention_norm": layer._self_attention_layernorm.scale.value,
                    **{
                        name: getattr(layer._self_attention_layer, f"_{name}_dense").kernel.value
                        for name in ("query", "key", "value", "output")
                    },
                    "feedforward_norm": layer._feedforward_layernorm.scale.value,
                    "gate": layer._feedforward_gate_dense.kernel.value,
                    "up": layer._feedforward_intermediate_dense.kernel.value,
                    "down": layer._feedforward_output_dense.kernel.value,
                }
                for layer in self.backbone.transformer_layers
            ],
        }

    def matrices(self, weights: dict, turned: bool = False) -> dict:
        """Makes plain matrices of each layer's kernels: one of query, key and value, one of gate and up."""
        hidden_dim = self.backbone.hidden_dim

        def of_layer(layer):
            kernels = [layer[name].reshape(hidden_dim, -1) for name in ("query", "key", "value")]
            made = {
                "projection": jnp.concatenate(kernels, axis=1),
                "gate_up": jnp.concatenate([layer["gate"], layer["up"]], axis=1),
                "output": layer["output"].reshape(-1, hidden_dim),
            }
            if not turned:
                return made
            return {name: _turned(kernel) for name, kernel in (made | {"down": layer["down"]}).items()}

        layers = [of_layer(layer) for layer in weights["layers"]]
        return {"layers": layers, "ones": jnp.ones(hidden_dim)} if turned else {"layers": layers}

    def embed(self, weights, token_ids, positions):
        return weights["tokens"][token_ids]

    def project(self, layer, x):
        together = self.dense(_scaled(x, layer["attention_norm"], self.epsilon), layer["projection"])
        heads = together.reshape(*x.shape[:-1], -1, self.head_dim)
        key, value = self.num_heads, self.num_heads + self.num_key_value_heads
        return heads[..., :key, :], heads[..., key:value, :], heads[..., value:, :]

    def rotate(self, heads, start):
        """Turns queries or keys `(batch, tokens, heads, head_dim)` by their positions, which begin with `start`."""
        rotary = self.backbone.transformer_layers[0]._self_attention_layer.rotary_embedding_layer
        return rotary(heads, start_index=start)

    def finish(self, layer, x, attended, dropout=no_dropout):  # which a Llama is not given
        x = x + self.dense(attended, layer["output"])
        together = self.dense(_scaled(x, layer["feedforward_norm"], self.epsilon), layer["gate_up"])
        gate, up = jnp.split(together, 2, axis=-1)
        return x + self.dense(jax.nn.silu(gate) * up, layer["down"])

    def logits(self, weights, x):
        reverse = weights["reverse"] if "reverse" in weights else Turned(weights["tokens"], weights.get("ones"))
        return self.dense(_scaled(x, weights["norm"], self.epsilon), reverse)


def attention(query, keys, values, start, dropout=no_dropout):
    """Causal attention of tokens from position `start` on; each group of query heads shares a key-value head.

    Args:
        query: `(batch, tokens, query heads, head_dim)`.
        keys: `(batch * key-value heads, length, head_dim)`, those of the tokens and of all before them.
        values: The same shape.
        start: The position of the first of the tokens.
        dropout: What is done with the weights of the attention.

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


def by_head(heads):
    """Lays out keys or values `(batch, tokens, heads, head_dim)` as `attention` takes them."""
    batch, tokens, count, head_dim = heads.shape
    return heads.transpose(0, 2, 1, 3).reshape(batch * count, tokens, head_dim)


def _normalised(x, scales, epsilon):
    gamma, beta = scales
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + epsilon) * gamma + beta


def _scaled(x, scale, epsilon):
    return x * jax.lax.rsqrt((x**2).mean(axis=-1, keepdims=True) + epsilon) * scale


def _values(layer, *names):
    return tuple(getattr(layer, name).value for name in names)
