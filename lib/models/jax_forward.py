"""Compute GPT-2 and Llama as plain JAX functions of a KerasHub backbone's weights.

`decoding` generates with them and `packing` trains with them. They compute the same as KerasHub's layers (tested), in
less time on a CPU: the three products for query, key and value are one; every product is one of two matrices, since XLA
takes almost twice as long for the gradient of KerasHub's einsums; and the gradient of a bias is a product too, since
XLA sums columns slowly. In training the products may round their factors to bfloat16.

On a GPU the product of a single row is a kernel of `gpu_kernels`, and training in bfloat16 keeps what need not be exact
in that type, since it waits for the memory most of the time.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import keras
import keras_nlp

from lib.models import distribution, gpu_kernels, kerashub_private
from lib.models.gpu_kernels import Norm

WIDEST_ROW = 4096  # the length of a row in numbers, see `_row_product`
WHOLE_COLUMNS = 128  # a GPU's matrix units multiply the vocabulary's matrix fast if its rows are a multiple of this
NEVER = -1e9  # the logit of a token that does not exist


def architecture_of(causal_lm, bf16: bool = False):
    """Return the functions of a model's architecture, if this module has them and can be used.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`.
        bf16: Whether to round the factors of products with weights to bfloat16, see `bf16_product`.

    Returns:
        A `GPT2` or `Llama`. None for other models, on TensorFlow, if the model computes in float16, and if it has
        low-rank adapters elsewhere than in the attention layers.
    """
    if keras.backend.backend() != "jax" or causal_lm.dtype_policy.compute_dtype not in ("float32", "bfloat16"):
        return None
    for backbone, architecture, parts in (
        (keras_nlp.models.GPT2Backbone, GPT2, kerashub_private.gpt2_parts),
        (keras_nlp.models.LlamaBackbone, Llama, kerashub_private.llama_parts),
    ):
        if isinstance(causal_lm.backbone, backbone):
            return None if _adapted_elsewhere(causal_lm.backbone, parts) else architecture(causal_lm.backbone, bf16)
    return None


def _adapted_elsewhere(backbone, parts) -> bool:
    """Tell whether other layers than those of the attention have low-rank adapters, see `LowRank`."""
    others = [backbone.token_embedding]
    for layer in map(parts, backbone.transformer_layers):
        others += [layer.up, layer.down, layer.gate]
    return any(getattr(layer, "lora_enabled", False) for layer in others)


def with_fused(weights: dict, fused: dict) -> dict:
    """Return a model's weights with the matrices that its architecture's `fused` made in place of their parts."""
    layers = [layer | made for layer, made in zip(weights["layers"], fused["layers"], strict=True)]
    return weights | fused | {"layers": layers}


def logits(causal_lm, inputs: dict):
    """Compute the logits of texts, as calling the model does, with the functions of this module if they can be used.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`.
        inputs: `token_ids`, int `(batch, tokens)`, and `padding_mask`, of the same shape. The padding is at the end.

    Returns:
        float32 `(batch, tokens, vocabulary_size)`. Those of padding have no meaning.
    """
    architecture = architecture_of(causal_lm)
    if architecture is None:
        return keras.ops.cast(causal_lm(inputs), "float32")

    @jax.jit  # traced once for all layers; the compiled program is the same
    def run_layer(layer, x):
        query, key, value = architecture.query_key_value(layer, x)
        query, key = architecture.rotate(query, 0), heads_first(architecture.rotate(key, 0))
        return architecture.after_attention(layer, x, attention(query, key, heads_first(value), 0))

    weights = fused_weights(architecture, architecture.weights())
    x = architecture.embed(weights, inputs["token_ids"], jnp.arange(inputs["token_ids"].shape[1]))
    for layer in weights["layers"]:
        x = run_layer(layer, x)
    return architecture.logits(weights, x)


def fused_weights(architecture, weights: dict) -> dict:
    """Return a model's weights with the matrices of its attention joined, for texts of several tokens."""
    return with_fused(weights, architecture.fused(weights))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LowRank:
    """A matrix with a low-rank adapter (Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021).

    Its value is `kernel + scale * a @ b`. Keras divides the last axis of the kernel, that of a head, so `a` has its
    other axes and `b` serves all heads.

    Attributes:
        kernel: The pretrained matrix, `(..., head_dim)`, which is not trained.
        a: `(..., rank)`.
        b: `(rank, head_dim)`.
        scale: The factor of their product.
    """

    kernel: jax.Array
    a: jax.Array
    b: jax.Array
    scale: float = dataclasses.field(metadata={"static": True})

    def reshape(self, *shape):
        """Return the value, in another shape."""
        return (self.kernel + self.scale * (self.a @ self.b)).reshape(*shape)


class Transposed(NamedTuple):
    """A transposed matrix. XLA on a CPU reads it fastest in this layout if it multiplies a single row.

    Attributes:
        outputs: The matrix, `(outputs, inputs)`.
        ones: Ones, `(inputs,)`, as an argument of the compiled function, if single rows are multiplied. See
            `_row_product`.
    """

    outputs: jax.Array
    ones: jax.Array | None = None


class Layout(NamedTuple):
    """How the matrices of a model are stored for generating.

    Attributes:
        transposed: Whether all matrices of a layer are `Transposed`.
        ones: Whether those have `ones`, for single rows on a CPU.
        dtype: The type of their numbers; None for that of the weights.
    """

    transposed: bool = False
    ones: bool = False
    dtype: str | None = None

    def stored(self, kernel) -> Transposed:
        """Store a matrix `(inputs, outputs)`."""
        outputs = kernel.T if self.dtype is None else kernel.T.astype(self.dtype)
        return Transposed(outputs, jnp.ones(len(kernel)) if self.ones else None)

    def of_vocabulary(self, weights: dict) -> dict:
        """Return what the product with the embeddings needs besides them, see `_vocabulary`."""
        made = {"ones": jnp.ones(weights["tokens"].shape[1])} if self.ones else {}
        return made if self.dtype is None else made | {"vocabulary": weights["tokens"].astype(self.dtype)}


AS_IT_IS = Layout()


def _vocabulary(weights: dict) -> Transposed:
    """Return the matrix by which hidden states are multiplied to get logits: the tokens' embeddings."""
    return Transposed(weights.get("vocabulary", weights["tokens"]), weights.get("ones"))


def no_dropout(x):
    """Return a value unchanged: the functions below apply this in place of dropout unless they train."""
    return x


def dense(
    x,
    kernel,
    bias=None,
    *,
    norm=None,
    activation=None,
    residual=None,
    dropout=no_dropout,
    bf16=False,
    rounded=False,
    kernels=False,
):
    """Compute `residual + dropout(activation(norm(x) @ kernel + bias))`.

    Args:
        x: The rows, `(..., inputs)`.
        kernel: The matrix, `(inputs, outputs)`, or a `Transposed` one.
        bias: `(outputs,)`, or None.
        norm: A `Norm` to apply to the rows, or None.
        activation: A function of the rows of outputs, or None.
        residual: What is added in the end, `(..., outputs)`, or None.
        dropout: A function that drops values in training.
        bf16: Whether this product and those of its gradients round their factors, see `bf16_product`.
        rounded: Whether that product is rounded too, before all else.
        kernels: Whether a single row is multiplied by a transposed matrix with `gpu_kernels.dense`.

    Returns:
        `(..., outputs)`; the width may be another one after the activation.
    """
    rows = x.reshape(-1, x.shape[-1])
    transposed = isinstance(kernel, Transposed)
    matrix = kernel.outputs if transposed else kernel
    if kernels and transposed and len(rows) == 1:
        flat = None if residual is None else residual.reshape(-1)
        y = gpu_kernels.dense(rows[0], matrix, bias, norm=norm, activation=activation, residual=flat)
        return y.reshape(*x.shape[:-1], -1)
    if norm is not None:
        rows = norm(rows)
    if bf16:
        product = bf16_product(rows, matrix, transposed, rounded).astype(jnp.float32)
    elif transposed and kernel.ones is not None and len(rows) == 1 and rows.shape[1] < WIDEST_ROW:
        product = _row_product(rows[0], kernel)[None]
    else:
        product = _product(rows.astype(matrix.dtype), matrix, 1, int(transposed))
    if bias is not None:
        product = _add_bias(product, bias)
    if activation is not None:
        product = activation(product)
    product = dropout(product.reshape(*x.shape[:-1], product.shape[-1]))
    return product if residual is None else residual + product


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def bf16_product(x, matrix, transposed: bool, rounded: bool = False):
    """Multiply two matrices that are rounded to bfloat16, and sum in float32. The gradients are computed likewise.

    Mixed precision multiplies in this way (Micikevicius et al., Mixed Precision Training, 2018, section 3; Kalamkar et
    al., A Study of BFLOAT16 for Deep Learning Training, 2019, section 3). Everything else stays in float32.

    Args:
        x: `(rows, inputs)`.
        matrix: `(inputs, outputs)`, or `(outputs, inputs)` if it is transposed.
        transposed: Whether it is.
        rounded: Whether to round the sums to bfloat16 in the end.

    Returns:
        `(rows, outputs)`, float32 or, if it is rounded, bfloat16.
    """
    return _bf16_forward(x, matrix, transposed, rounded)[0]


def _bf16_forward(x, matrix, transposed, rounded):
    rounded_x, matrix, like = x.astype(jnp.bfloat16), matrix.astype(jnp.bfloat16), jnp.zeros((), x.dtype)
    product = _product(rounded_x, matrix, 1, int(transposed), jnp.bfloat16 if rounded else jnp.float32)
    return product, (rounded_x, matrix, like)


def _bf16_backward(transposed, rounded, kept, gradient):
    x, matrix, like = kept
    rounded_gradient = gradient.astype(jnp.bfloat16)
    of_x = _product(rounded_gradient, matrix, 1, 1 - transposed, like.dtype)
    if gpu_kernels.on_gpu():
        factors = (rounded_gradient, x) if transposed else (x, rounded_gradient)
        return of_x, _product(*factors, 0, 0)
    of_matrix = _product(_turned(x), rounded_gradient, 1, 0)
    return of_x, _turned(of_matrix) if transposed else of_matrix


def _turned(matrix):
    """Transpose a matrix in memory, since XLA on a CPU multiplies bfloat16 fast only along the rows of the first one.

    XLA would optimise away a transposition next to a product. With an axis of length 1 in between, it keeps it.
    """
    return matrix[:, :, None].transpose(1, 2, 0).reshape(matrix.shape[::-1])


bf16_product.defvjp(_bf16_forward, _bf16_backward)


def _product(a, b, along_a: int, along_b: int, dtype=jnp.float32):
    """Multiply two matrices, summing along an axis of each in float32."""
    return jax.lax.dot_general(a, b, (((along_a,), (along_b,)), ((), ())), preferred_element_type=dtype)


def _row_product(row, kernel: Transposed):
    """Multiply a single row, `(inputs,)`, by a transposed matrix. Return `(outputs,)`.

    On a CPU, XLA fuses the transposition and the product into one loop, which reads the matrix in its layout at the
    full bandwidth of the memory. It does so for rows of less than 16 KiB. (It reads matrices of longer rows at the full
    bandwidth without this: measured with rows of 4,096 and 5,120 numbers.) The loop is fast only if nothing else is
    fused into it: neither what computes the row, which would run again for every output, nor a bias. So the row is
    divided by ones whose values XLA does not know, because XLA never computes a division twice, and the product is
    multiplied by one of them. There are as many ones as inputs, since XLA would fuse a single one, and the reshaping of
    the row with it, into the loop.
    """
    return (row / kernel.ones) @ kernel.outputs.T * kernel.ones[0]


@jax.custom_vjp
def _add_bias(product, bias):
    return product + bias


def _add_bias_backward(_, gradient):
    of_bias = gradient.sum(axis=0) if gpu_kernels.on_gpu() else (jnp.ones((1, len(gradient))) @ gradient)[0]
    return gradient, of_bias


_add_bias.defvjp(lambda product, bias: (product + bias, None), _add_bias_backward)


class GPT2:
    """The functions of a `GPT2Backbone` (Radford et al., Language Models are Unsupervised Multitask Learners, 2019).

    Attributes:
        num_heads: The number of attention heads.
        num_key_value_heads: The number of heads of keys and values; for GPT-2 the same.
        head_dim: The width of a head.
        dropout: The share of values that training sets to 0, as a fraction.
        widths: The numbers of inputs of its matrices.
        bf16: Whether training rounds the factors of products to bfloat16.
        rounded: Whether it also rounds the products before attention and inside the feed-forward layers, and has a
            vocabulary of whole columns, as a GPU likes it; see `packing`.
        kernels: Whether single rows are multiplied with `gpu_kernels`; see `decoding`.
        divided: Whether devices share the matrices; see `distribution`. They are then not joined, since splitting what
            joined ones come to would send it from device to device.
    """

    rounded = kernels = False

    def __init__(self, backbone, bf16: bool = False):
        self.backbone, self.bf16 = backbone, bf16
        self.widths = backbone.hidden_dim, backbone.intermediate_dim
        self.num_heads = self.num_key_value_heads = backbone.num_heads
        self.head_dim = backbone.hidden_dim // backbone.num_heads
        self.dropout = backbone.dropout
        self.epsilon = backbone.layer_norm.epsilon
        self.divided = distribution.division().model > 1

    def dense(self, x, kernel, bias=None, **options):
        """Compute a dense layer, see the function `dense`."""
        return dense(x, kernel, bias, bf16=self.bf16, kernels=self.kernels, **options)

    def weights(self) -> dict:
        """Return the model's weights, without copies."""
        return {
            "tokens": self.backbone.token_embedding.embeddings.value,
            "positions": self.backbone.position_embedding.position_embeddings.value,
            "norm": _values(self.backbone.layer_norm, "gamma", "beta"),
            "layers": [_gpt2_layer(kerashub_private.gpt2_parts(layer)) for layer in self.backbone.transformer_layers],
        }

    def fused(self, weights: dict, layout: Layout = AS_IT_IS) -> dict:
        """Make matrices of the attention kernels of each layer, and one matrix of those of query, key and value.

        Args:
            weights: The weights, see `weights`.
            layout: How to store the matrices.

        Returns:
            The matrices, for `with_fused`.
        """
        hidden_dim = self.backbone.hidden_dim

        def of_layer(layer):
            kernel, bias = layer["output"]
            made = {"output": (kernel.reshape(-1, hidden_dim), bias)}
            for name, parts in self.joined(query_key_value=("query", "key", "value")).items():
                kernels = [layer[part][0].reshape(hidden_dim, -1) for part in parts]
                biases = [layer[part][1].reshape(-1) for part in parts]
                made[name] = jnp.concatenate(kernels, axis=1), jnp.concatenate(biases)
            if not layout.transposed:
                return made
            made |= {name: layer[name] for name in ("up", "down")}
            return {name: (layout.stored(kernel), bias) for name, (kernel, bias) in made.items()}

        return {"layers": [of_layer(layer) for layer in weights["layers"]]} | layout.of_vocabulary(weights)

    def joined(self, **joined: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return which matrices are joined to one, by its name: as given, or each by itself if they are divided."""
        return {name: (name,) for names in joined.values() for name in names} if self.divided else joined

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

    def projections(self, layer, x):
        """Compute queries, keys and values of hidden states `(..., hidden_dim)`, head after head.

        Returns:
            `(..., (num_heads + 2 * num_key_value_heads) * head_dim)`.
        """
        norm = self._norm(layer["attention_norm"])
        return self.dense(x, *layer["query_key_value"], norm=norm, rounded=self.rounded)

    def query_key_value(self, layer, x):
        """Compute query, key and value, each `(..., heads, head_dim)`, of hidden states `(..., hidden_dim)`."""
        if not self.divided:
            return _split_heads(self, self.projections(layer, x))
        norm = self._norm(layer["attention_norm"])
        return [_in_heads(self, self.dense(x, *layer[name], norm=norm)) for name in ("query", "key", "value")]

    def rotate(self, heads, start):
        """Return queries or keys unchanged, since the embeddings contain the positions."""
        return heads

    def rotation(self, position):
        """Return the cosines and sines of a position; None, since nothing is rotated."""
        return None

    def rotate_projections(self, together, positions):
        """Return what `projections` computed, `(tokens, ...)`, with queries and keys rotated; here, as it is."""
        return together

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
        x = self.dense(attended, *layer["output"], residual=x, dropout=dropout)
        norm = self._norm(layer["feedforward_norm"])
        up = self.dense(x, *layer["up"], norm=norm, activation=gpu_kernels.gelu, rounded=self.rounded)
        return self.dense(up, *layer["down"], residual=x, dropout=dropout)

    def logits(self, weights, x):
        """Compute logits of the hidden states after the last layer.

        Returns:
            `(..., vocabulary_size)`. If `rounded`, a multiple of `WHOLE_COLUMNS`, with tokens that no text contains.
        """
        return self.in_whole_columns(x, _vocabulary(weights), self._norm(weights["norm"]))

    def in_whole_columns(self, x, matrix, norm):
        """Compute logits with a matrix of the vocabulary; if `rounded`, for whole columns of it, see `logits`."""
        size = self.backbone.vocabulary_size
        if not self.rounded or size % WHOLE_COLUMNS == 0:
            return self.dense(x, matrix, norm=norm)
        more = (0, -size % WHOLE_COLUMNS)
        if isinstance(matrix, Transposed):
            matrix = Transposed(jnp.pad(matrix.outputs, (more, (0, 0))))
        else:
            matrix = jnp.pad(matrix, ((0, 0), more))
        return jnp.where(jnp.arange(sum(more) + size) < size, self.dense(x, matrix, norm=norm), NEVER)

    def _norm(self, scale_shift) -> Norm:
        return Norm(*scale_shift, self.epsilon)


def _gpt2_layer(parts: kerashub_private.LayerParts) -> dict:
    """Return the weights of a GPT-2 layer: `(gamma, beta)` or `(kernel, bias)` of each sublayer."""
    norms = {name: _values(getattr(parts, name), "gamma", "beta") for name in ("attention_norm", "feedforward_norm")}
    names = ("query", "key", "value", "output", "up", "down")
    return norms | {name: (_kernel(getattr(parts, name)), getattr(parts, name).bias.value) for name in names}


class Llama:
    """The functions of a `LlamaBackbone` (Touvron et al., LLaMA: Open and Efficient Foundation Language Models, 2023).

    The class has the attributes and methods of `GPT2`.
    """

    rounded = kernels = False
    dense, in_whole_columns, joined = GPT2.dense, GPT2.in_whole_columns, GPT2.joined

    def __init__(self, backbone, bf16: bool = False):
        self.backbone, self.bf16 = backbone, bf16
        self.widths = backbone.hidden_dim, backbone.intermediate_dim
        self.num_heads, self.num_key_value_heads = backbone.num_query_heads, backbone.num_key_value_heads
        self.head_dim = backbone.hidden_dim // backbone.num_query_heads
        self.dropout = backbone.dropout
        self.epsilon = backbone.layer_norm.epsilon
        self.divided = distribution.division().model > 1

    def weights(self) -> dict:
        """Return the model's weights, without copies."""
        embedding = self.backbone.token_embedding
        reverse = {} if embedding.tie_weights else {"reverse": embedding.reverse_embeddings.value}
        return reverse | {
            "tokens": embedding.embeddings.value,
            "norm": self.backbone.layer_norm.scale.value,
            "layers": [_llama_layer(kerashub_private.llama_parts(layer)) for layer in self.backbone.transformer_layers],
        }

    def fused(self, weights: dict, layout: Layout = AS_IT_IS) -> dict:
        """Make matrices of the kernels of each layer: one of query, key and value, and one of gate and up."""
        hidden_dim = self.backbone.hidden_dim

        def of_layer(layer):
            made = {"output": layer["output"].reshape(-1, hidden_dim)}
            joined = self.joined(query_key_value=("query", "key", "value"), gate_up=("gate", "up"))
            for name, parts in joined.items():
                made[name] = jnp.concatenate([layer[part].reshape(hidden_dim, -1) for part in parts], axis=1)
            if not layout.transposed:
                return made
            return {name: layout.stored(kernel) for name, kernel in (made | {"down": layer["down"]}).items()}

        return {"layers": [of_layer(layer) for layer in weights["layers"]]} | layout.of_vocabulary(weights)

    def embed(self, weights, token_ids, positions):
        return weights["tokens"][token_ids]

    def projections(self, layer, x):
        norm = self._norm(layer["attention_norm"])
        return self.dense(x, layer["query_key_value"], norm=norm, rounded=self.rounded)

    def query_key_value(self, layer, x):
        if not self.divided:
            return _split_heads(self, self.projections(layer, x))
        norm = self._norm(layer["attention_norm"])
        return [_in_heads(self, self.dense(x, layer[name], norm=norm)) for name in ("query", "key", "value")]

    def rotate(self, heads, start):
        """Rotate queries or keys, `(batch, tokens, heads, head_dim)`, by their positions, which begin with `start`."""
        return kerashub_private.rotary_embedding(self.backbone.transformer_layers[0])(heads, start_index=start)

    def rotation(self, position):
        """Return the cosines and sines of a position, `(head_dim / 2,)` each, see `gpu_kernels.attention`."""
        half = self.head_dim // 2
        rotated = self.rotate(jnp.zeros((1, 1, 1, self.head_dim)).at[..., :half].set(1), position)  # (1, 0) each
        return rotated[0, 0, 0, :half], rotated[0, 0, 0, half:]

    def rotate_projections(self, together, positions):
        heads = together.reshape(len(together), -1, self.head_dim)
        turned = self.num_heads + self.num_key_value_heads
        rotary = kerashub_private.rotary_embedding(self.backbone.transformer_layers[0])
        rotated = rotary(heads[None, :, :turned], positions=positions)[0]
        return jnp.concatenate([rotated, heads[:, turned:]], axis=1).reshape(together.shape)

    def after_attention(self, layer, x, attended, dropout=no_dropout):  # ignored, see `packing.trainee`
        x = self.dense(attended, layer["output"], residual=x)
        norm = self._norm(layer["feedforward_norm"])
        if self.divided:
            up = self.dense(x, layer["gate"], norm=norm, activation=jax.nn.silu) * self.dense(x, layer["up"], norm=norm)
        else:
            up = self.dense(x, layer["gate_up"], norm=norm, activation=gpu_kernels.gated_silu, rounded=self.rounded)
        return self.dense(up, layer["down"], residual=x)

    def logits(self, weights, x):
        matrix = weights["reverse"] if "reverse" in weights else _vocabulary(weights)
        return self.in_whole_columns(x, matrix, self._norm(weights["norm"]))

    def _norm(self, scale) -> Norm:
        return Norm(scale, None, self.epsilon)


def _llama_layer(parts: kerashub_private.LayerParts) -> dict:
    """Return the weights of a Llama layer: the scale or kernel of each sublayer."""
    norms = {name: getattr(parts, name).scale.value for name in ("attention_norm", "feedforward_norm")}
    names = ("query", "key", "value", "output", "gate", "up", "down")
    return norms | {name: _kernel(getattr(parts, name)) for name in names}


def _in_heads(architecture, together):
    """Divide the last axis into heads, `(..., heads, head_dim)`."""
    return together.reshape(*together.shape[:-1], -1, architecture.head_dim)


def _split_heads(architecture, together):
    """Split what `projections` returns into queries, keys and values, `(..., heads, head_dim)` each."""
    heads = _in_heads(architecture, together)
    key = architecture.num_heads
    value = key + architecture.num_key_value_heads
    return heads[..., :key, :], heads[..., key:value, :], heads[..., value:, :]


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


def _kernel(layer) -> jax.Array | LowRank:
    """Return the matrix of a dense Keras layer, without copies."""
    if not layer.lora_enabled:
        return layer.kernel.value
    (kernel,) = (variable for variable in layer.variables if variable.name == "kernel")  # `layer.kernel` is the sum
    return LowRank(
        kernel.value, layer.lora_kernel_a.value, layer.lora_kernel_b.value, layer.lora_alpha / layer.lora_rank
    )


def _values(layer, *names):
    """Return the JAX arrays of some variables of a Keras layer."""
    return tuple(getattr(layer, name).value for name in names)
