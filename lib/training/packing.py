"""Fine-tune on JAX without padding: the texts of a step are packed end to end.

A padded batch computes its padding too, which for short texts is a third of it or more. Here the products with the
weights, nearly all of the work, run over the packed tokens of the texts. Attention runs text by text in the padded
layout, so no text sees another, and positions begin anew in each. Loss, accuracy and gradients are those of the padded
batch (tested); only the order of summation differs. If `backends.select` chose it, training rounds the factors of
matrix products to bfloat16, see `jax_forward.bf16_product`; evaluation never does.

On a GPU, training in bfloat16 leaves out the padded layout too: a kernel of `packed_attention` reads each text where it
lies among the packed tokens.

Where several devices share a training (`distribution`), the texts of a step are dealt out to them. The inputs then have
an axis more, the first, for the replicas.

The texts of a run are dealt out so that all steps have nearly the same number of tokens, since XLA compiles for one
number. So the steps hold other texts than those of a padded run with the same seed.
"""

import functools
import math

import jax
import jax.numpy as jnp
import keras
import numpy as np
import tensorflow as tf

from lib.core import backends, progress
from lib.models import distribution, gpu_kernels, jax_forward, packed_attention
from lib.training import batches as text_batches

ROUND = 8  # the tokens of a step are rounded up to a multiple of this
DROPOUTS = 3  # in a layer: of the attention weights, after the attention, and after the feed-forward layers
ROUND_ON_GPU = 256  # so that other texts need no other program: compiling takes longer than computing some zeros


def trainee(causal_lm, length: int):
    """Return the model to `compile` and `fit` in order to fine-tune a language model.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM` with its preprocessor.
        length: The maximum length of a text in tokens, the preprocessor's `sequence_length`.

    Returns:
        A `Packed` that shares the model's weights, if `jax_forward` has the model's architecture and can be used; else
        the model itself.
    """
    architecture = jax_forward.architecture_of(causal_lm)
    if architecture is None or (architecture.dropout and isinstance(architecture, jax_forward.Llama)):
        if distribution.division().replicas > 1:
            progress.note("the texts of this model cannot be packed, so each device trains on all of them")
        return causal_lm  # KerasHub's Llama has its dropout at other places than `Packed`
    selected = backends.selected
    bf16 = selected is not None and (selected.bf16_training or selected.precision == "mixed_bfloat16")
    return Packed(causal_lm, length, bf16)


class Packed(keras.Model):
    """A language model that is trained on packed batches, see `batches`. It has no weights of its own.

    Args:
        causal_lm: The model whose weights are trained.
        length: The maximum length of a text in tokens.
        bf16: Whether training rounds the factors of matrix products to bfloat16, see `jax_forward.bf16_product`.
            Evaluation never does.
    """

    def __init__(self, causal_lm, length: int, bf16: bool = False):
        super().__init__()
        self.causal_lm, self.length = causal_lm, length
        self._evaluated = jax_forward.architecture_of(causal_lm)
        self._trained = jax_forward.architecture_of(causal_lm, bf16)
        shared = distribution.division().model > 1  # XLA does not divide what a kernel computes
        self._on_gpu = bf16 and not shared and _kernels_fit(self._trained, length)
        self._trained.rounded = self._on_gpu
        self._seeds = keras.random.SeedGenerator(int(keras.random.randint((), 0, 2**31 - 1)))
        self.built = True

    def call(self, inputs, training=False):
        """Compute the logits of packed texts.

        Args:
            inputs: `token_ids`, int `(tokens,)`; `starts`, int `(texts + 1,)`, the index in it of each text's first
                token, and of the end of the last text; `padded_index`, int `(tokens,)`, the index of each token in the
                flattened padded batch; and `source_index`, int `(texts * length,)`, the index in `token_ids` of the
                token at each position of the flattened padded batch. An index past the end stands for no token.
            training: Whether to apply dropout.

        Returns:
            Logits `(tokens, vocabulary_size)`. With several replicas, inputs and logits have their axis first.
        """
        architecture = self._trained if training else self._evaluated
        seed = self._seeds.next() if training and architecture.dropout else None
        compute = self._logits_on_gpu if training and self._on_gpu else self._logits
        compute = functools.partial(compute, architecture)
        return distribution.on_replicas(compute, architecture.weights(), inputs, seed)

    def _logits(self, architecture, weights, inputs, seed):
        """Compute the logits of packed texts."""
        padded_index, source_index = inputs["padded_index"], inputs["source_index"]
        rows = len(source_index) // self.length
        dropouts = _Dropouts(architecture.dropout, seed)

        @jax.jit  # traced once for all layers; the compiled program is the same
        def run_layer(layer, x, padded_index, source_index, number):
            query, key, value = (
                _take_rows(part, source_index, padded_index).reshape(rows, self.length, *part.shape[1:])
                for part in architecture.query_key_value(layer, x)
            )
            keys = jax_forward.heads_first(architecture.rotate(key, 0))
            query, values = architecture.rotate(query, 0), jax_forward.heads_first(value)
            attended = jax_forward.attention(query, keys, values, 0, dropouts.of(DROPOUTS * number))
            attended = _take_rows(attended.reshape(rows * self.length, -1), padded_index, source_index)
            return architecture.after_attention(layer, x, attended, dropouts.after_attention(number))

        weights = jax_forward.fused_weights(architecture, weights)
        x = dropouts.of(0)(architecture.embed(weights, inputs["token_ids"], padded_index % self.length))
        for number, layer in enumerate(weights["layers"], 1):
            x = run_layer(layer, x, padded_index, source_index, number)
        return architecture.logits(weights, x)

    def _logits_on_gpu(self, architecture, weights, inputs, seed):
        """Compute the logits of packed texts, in training and with the kernels for a GPU."""
        starts = inputs["starts"]
        positions = inputs["padded_index"] % self.length
        heads = {name: getattr(architecture, name) for name in ("num_heads", "num_key_value_heads", "head_dim")}
        dropouts = _Dropouts(architecture.dropout, seed)

        @jax.jit  # traced once for all layers
        def run_layer(layer, x, number):
            together = architecture.rotate_projections(architecture.projections(layer, x), positions)
            attended = packed_attention.packed_attention(
                together.astype(jnp.bfloat16),
                starts,
                dropouts.seed(DROPOUTS * number),
                length=self.length,
                dropout=dropouts.rate,
                **heads,
            )
            return architecture.after_attention(layer, x, attended, dropouts.after_attention(number))

        weights = jax_forward.fused_weights(architecture, weights)
        x = dropouts.of(0)(architecture.embed(weights, inputs["token_ids"], positions))
        for number, layer in enumerate(weights["layers"], 1):
            x = run_layer(layer, x, number)
        return architecture.logits(weights, x)


class _Dropouts:
    """The dropouts of a training step, by number: 0 for the embeddings, and `DROPOUTS` for each layer from 1 on.

    Args:
        rate: The share of values to drop, as a fraction.
        seed: The data of a random key, two integers. None drops nothing.
    """

    def __init__(self, rate: float, seed):
        self.rate = 0 if seed is None else rate
        self._seed = jnp.uint32(0) if seed is None else packed_attention.hashed(*seed)

    def seed(self, number):
        """Return the seed of a dropout, for `packed_attention.kept`."""
        return packed_attention.hashed(self._seed, number)

    def of(self, number):
        """Return the dropout of that number, a function of an array."""
        if not self.rate:
            return jax_forward.no_dropout

        def dropped(x):
            rows, columns = jnp.arange(math.prod(x.shape[:-1])), jnp.arange(x.shape[-1])
            kept = packed_attention.kept(self.seed(number), rows, columns, self.rate)
            return jnp.where(kept.reshape(x.shape), x / (1 - self.rate), 0)

        return dropped

    def after_attention(self, layer):
        """Return the other two dropouts of a layer, as a function that applies one and then the other."""
        left = iter([self.of(DROPOUTS * layer + 1), self.of(DROPOUTS * layer + 2)])
        return lambda x: next(left)(x)


def _kernels_fit(architecture, length: int) -> bool:
    """Tell whether a GPU can train a model with the kernels of `packed_attention`."""
    if backends.selected is None or backends.selected.capability < gpu_kernels.LEAST_CAPABILITY:
        return False
    return packed_attention.fits(length, architecture.head_dim)


@jax.custom_vjp
def _take_rows(x, index, inverse):
    """Take rows of a matrix, with zeros for an index past the end. `inverse` is the index that takes them back."""
    return jnp.take(x, index, axis=0, mode="fill", fill_value=0)


_take_rows.defvjp(
    lambda x, index, inverse: (_take_rows(x, index, inverse), (index, inverse)),
    # The gradient is a gather too. JAX's own gradient of a gather is a scatter, which XLA computes slowly on a CPU.
    lambda indices, gradient: (_take_rows(gradient, indices[1], indices[0]), None, None),
)


def batches(trained, texts: list[str], batch_size: int, num_steps: int, seed: int):
    """Make batches for the `fit` of a model from `trainee`.

    Args:
        trained: A `Packed`; or a `CausalLM`, which gets raw texts for its preprocessor (`batches.training_batches`).
        texts: The training texts. They are repeated, in another order each time, as often as needed.
        batch_size: The number of texts in a step.
        num_steps: The number of steps.
        seed: The seed for the order, which also depends on the lengths of the texts.

    Returns:
        A `tf.data.Dataset` of `num_steps` batches.
    """
    if not isinstance(trained, Packed):
        return text_batches.training_batches(texts, batch_size, num_steps, seed)
    tokenized = tokenize(trained.causal_lm, texts)
    counts = tokenized[2].sum(axis=1)
    order = text_batches.training_order(len(texts), batch_size * num_steps, seed)
    return _dataset(*_packs(*tokenized, deal(order, counts[order], num_steps, seed)))


def evaluation_batches(trained, texts: list[str], batch_size: int):
    """Make batches for the `evaluate` of a model from `trainee`, which gives the results of the padded model (tested).

    Args:
        trained: A `Packed`; or a `CausalLM`, which gets raw texts for its preprocessor.
        texts: The texts. Each is in one batch.
        batch_size: The maximum number of texts in a batch.

    Returns:
        A `tf.data.Dataset`.
    """
    if not isinstance(trained, Packed):
        return text_batches.evaluation_batches(texts, batch_size)
    steps = -(-len(texts) // batch_size)
    empty = steps * batch_size - len(texts)
    tokenized = [np.pad(part, ((0, empty), (0, 0))) for part in tokenize(trained.causal_lm, texts)]
    groups = deal(np.arange(steps * batch_size), tokenized[2].sum(axis=1), steps, seed=0)
    inputs, labels, weights = _packs(*tokenized, groups)
    return _dataset(inputs, labels, weights * (steps * batch_size / len(texts)))  # empty texts have no weight


def filled(trained, train) -> tuple[int, float]:
    """Count the positions that a training step computes.

    Args:
        trained: The model, see `trainee`.
        train: Its batches, see `batches`.

    Returns:
        The positions of a step, and the share of them, over all steps and as a fraction, that hold a token to be
        predicted.
    """
    weights = [batch[2] if isinstance(trained, Packed) else trained.preprocessor(batch)[2] for batch in train]
    weights = np.stack([np.asarray(step) for step in weights])
    return weights[0].size, float(np.mean(weights > 0))


def tokenize(causal_lm, texts: list[str]):
    """Apply the preprocessor: token ids, labels, and whether each label counts, each `(texts, length)`."""
    inputs, labels, weights = causal_lm.preprocessor(list(texts))
    return np.asarray(inputs["token_ids"]), np.asarray(labels), np.asarray(weights).astype(bool)


def deal(order: np.ndarray, counts: np.ndarray, num_steps: int, seed: int) -> list[np.ndarray]:
    """Deal texts out to steps, the same number to each, so that all steps have about the same number of tokens.

    The longest texts are dealt first, one to each step. In each further round, the longest text goes to the step with
    the fewest tokens. In the end the steps are shuffled.

    Args:
        order: The indices of the texts, as many as steps times texts in a step. Texts of equal length are dealt in this
            order.
        counts: The number of tokens of each of them.
        num_steps: The number of steps.
        seed: The seed for the shuffling.

    Returns:
        The indices of the texts of each step.
    """
    longest_first = np.argsort(-counts, kind="stable").reshape(-1, num_steps)
    groups, totals = [[] for _ in range(num_steps)], np.zeros(num_steps, int)
    for dealt in longest_first:
        for index, step in zip(dealt, np.argsort(totals, kind="stable"), strict=True):
            groups[step].append(order[index])
            totals[step] += counts[index]
    return [np.array(groups[step]) for step in np.random.default_rng(seed).permutation(num_steps)]


def _packs(token_ids, labels, useful, groups):
    """Pack each group of texts into a step, or into as many parts of one as there are replicas.

    All get the same number of tokens, since XLA compiles for one.
    """
    unit, replicas = ROUND if backends.waits_for_steps() else ROUND_ON_GPU, distribution.division().replicas
    if replicas == 1:
        shares = [[group] for group in groups]
    else:
        token_ids, labels, useful = (np.pad(part, ((0, 1), (0, 0))) for part in (token_ids, labels, useful))
        shares = [_shared(group, useful.sum(axis=1), replicas) for group in groups]
    tokens = unit * -(-max(useful[share].sum() for shared in shares for share in shared) // unit)
    packed = []
    for shared, group in zip(shares, groups, strict=True):
        parts = [_pack(token_ids[share], labels[share], useful[share], int(tokens)) for share in shared]
        inputs, targets, weights = (_stacked([part[place] for part in parts]) for place in range(3))
        packed.append((inputs, targets, weights * (sum(map(len, shared)) / len(group))))  # empty texts have no weight
    if replicas == 1:
        packed = [jax.tree.map(lambda part: part[0], step) for step in packed]
    return [_stacked([batch[part] for batch in packed]) for part in range(3)]


def _shared(group: np.ndarray, counts: np.ndarray, replicas: int) -> list[np.ndarray]:
    """Deal the texts of a step out to replicas, the same number to each, filled up with the last text, an empty one."""
    filled_up = np.concatenate([group, np.full(-len(group) % replicas, len(counts) - 1, dtype=int)])
    return deal(filled_up, counts[filled_up], replicas, seed=0)


def _dataset(*packed):
    return text_batches.without_autotuning(tf.data.Dataset.from_tensor_slices(packed))


def _pack(token_ids, labels, useful, tokens: int):
    """Pack one step: inputs, labels and weights. With the weights, Keras' mean over tokens is that over padded rows."""
    padded_index = np.flatnonzero(useful)
    past_padded, past_packed = useful.size, tokens

    def extended(values, value):
        return np.concatenate([values, np.full(tokens - len(values), value)]).astype("int32")

    source_index = np.full(useful.size, past_packed, "int32")
    source_index[padded_index] = np.arange(len(padded_index))
    inputs = {
        "token_ids": extended(token_ids.ravel()[padded_index], 0),
        "starts": np.concatenate([[0], np.cumsum(useful.sum(axis=1))]).astype("int32"),
        "padded_index": extended(padded_index, past_padded),
        "source_index": source_index,
    }
    weights = (np.arange(tokens) < len(padded_index)).astype("float32") * (tokens / useful.size)
    return inputs, extended(labels.ravel()[padded_index], 0), weights


def _stacked(parts):
    """Stack arrays, or the arrays of dictionaries name by name."""
    if isinstance(parts[0], dict):
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return np.stack(parts)
