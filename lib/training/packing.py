"""Fine-tuning on JAX without padding: the texts of a step lie end to end.

A padded batch computes its padding too, which in short texts is a third or more of it. Here the products with the
weights, nearly all of the work, run over the texts' own tokens, laid end to end. Attention runs text by text, each laid
out at its own place, so that no text sees another and positions begin anew in each. Loss, accuracy and gradients are
those of the padded batch (tested); only the order of summation differs. Where `backends.select` says so, training
multiplies values rounded to bfloat16, see `jax_forward.rounded_product`; evaluating never does.

The texts of a run are dealt out so that every step has nearly the same number of tokens, since XLA compiles for one.
So the steps hold other texts than those of a padded run with the same seed.
"""

import jax
import jax.numpy as jnp
import keras
import numpy as np

from lib.core import backends
from lib.data import corpora
from lib.models import jax_forward

ROUND = 8  # the tokens of a step are rounded up to a multiple of this


def trainee(causal_lm, length: int):
    """What to `compile` and `fit` in order to fine-tune a model.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM` with its preprocessor.
        length: Tokens that a text is cut to, the preprocessor's `sequence_length`.

    Returns:
        A `Packed` that shares the model's weights, where `architectures` knows the model and it can be used; else the
        model itself.
    """
    architecture = jax_forward.of(causal_lm)
    if architecture is None or (architecture.dropout and isinstance(architecture, jax_forward.Llama)):
        return causal_lm  # KerasHub's Llama drops other values than `Packed` does
    return Packed(causal_lm, length, rounded=backends.selected is not None and backends.selected.products == "bfloat16")


class Packed(keras.Model):
    """A language model that is trained on packed batches, see `batches`. It has no weights of its own.

    Args:
        causal_lm: The model whose weights are trained.
        length: Tokens that a text is cut to.
        rounded: Whether training multiplies in bfloat16, see `jax_forward.rounded_product`. Evaluating never does.
    """

    def __init__(self, causal_lm, length: int, rounded: bool = False):
        super().__init__()
        self.causal_lm, self.length = causal_lm, length
        self._evaluated, self._trained = jax_forward.of(causal_lm), jax_forward.of(causal_lm, rounded)
        self._seeds = keras.random.SeedGenerator(int(keras.random.randint((), 0, 2**31 - 1)))
        self.built = True

    def call(self, inputs, training=False):
        """Computes the logits of packed texts.

        Args:
            inputs: `token_ids`, int `(tokens,)`; `places`, int `(tokens,)`, where each lies in the padded batch, its
                rows one after another; `sources`, int `(texts * length,)`, the token at each of those places. Where
                there is none, both point past the end.
            training: Whether values are dropped.

        Returns:
            Logits `(tokens, vocabulary_size)`.
        """
        architecture = self._trained if training else self._evaluated
        places, sources = inputs["places"], inputs["sources"]
        rows = len(sources) // self.length
        seeds = [None] * (1 + len(self.causal_lm.backbone.transformer_layers))
        if training and architecture.dropout:
            seeds = jax.random.split(jax.random.wrap_key_data(self._seeds.next()), len(seeds))

        @jax.jit  # traced once for all layers; the compiled program is the same
        def through(layer, x, places, sources, seed):
            drop = self._dropout(seed)
            query, key, value = (
                _moved(part, sources, places).reshape(rows, self.length, *part.shape[1:])
                for part in architecture.project(layer, x)
            )
            keys = jax_forward.by_head(architecture.rotate(key, 0))
            query, values = architecture.rotate(query, 0), jax_forward.by_head(value)
            mixed = jax_forward.attention(query, keys, values, 0, drop)
            return architecture.finish(layer, x, _moved(mixed.reshape(rows * self.length, -1), places, sources), drop)

        weights = architecture.weights()
        weights = jax_forward.joined(weights, architecture.matrices(weights))
        x = self._dropout(seeds[0])(architecture.embed(weights, inputs["token_ids"], places % self.length))
        for layer, seed in zip(weights["layers"], seeds[1:], strict=True):
            x = through(layer, x, places, sources, seed)
        return architecture.logits(weights, x)

    def _dropout(self, seed):
        """A function that drops values at random, others at each call; without a seed, one that drops none.

        16 bits decide on a value, so half the random numbers of `keras.random.dropout`.
        """
        if seed is None:
            return jax_forward.no_dropout
        seeds, drop = iter(jax.random.split(seed, 3)), round(2**16 * self._trained.dropout)  # a layer drops thrice

        def dropped(x):
            words = jax.random.bits(next(seeds), (-(-x.size // 2),), "uint32")
            halves = jax.lax.bitcast_convert_type(words, jnp.uint16).reshape(-1)[: x.size].reshape(x.shape)
            return jnp.where(halves >= drop, x / (1 - drop / 2**16), 0)

        return dropped


@jax.custom_vjp
def _moved(x, sources, places):
    """Takes the rows of `x` at `sources`, zeros where that points past the end; `places` is the way back."""
    return jnp.take(x, sources, axis=0, mode="fill", fill_value=0)


_moved.defvjp(
    lambda x, sources, places: (_moved(x, sources, places), (sources, places)),
    # Moving back is a gather too. What JAX would make of it by itself is a scatter, which XLA does slowly on a CPU.
    lambda way, gradient: (_moved(gradient, way[1], way[0]), None, None),
)


def batches(trained, texts: list[str], batch_size: int, num_steps: int, seed: int):
    """Batches for `fit` of what `trainee` returned.

    Args:
        trained: A `Packed`; or a `CausalLM`, which gets raw texts for its preprocessor (`corpora.training_batches`).
        texts: The training texts, gone through again in another order as often as needed.
        batch_size: Texts in a step.
        num_steps: Steps in all.
        seed: What the order depends on beside the lengths of the texts.

    Returns:
        A `tf.data.Dataset` of `num_steps` batches.
    """
    if not isinstance(trained, Packed):
        return corpora.training_batches(texts, batch_size, num_steps, seed)
    tokenized = tokenize(trained.causal_lm, texts)
    counts = tokenized[2].sum(axis=1)
    order = corpora.training_order(len(texts), batch_size * num_steps, seed)
    return _dataset(*_packs(*tokenized, deal(order, counts[order], num_steps, seed)))


def evaluation_batches(trained, texts: list[str], batch_size: int):
    """Batches for `evaluate` of what `trainee` returned. It comes to what KerasHub's own model comes to (tested).

    Args:
        trained: A `Packed`; or a `CausalLM`, which gets raw texts for its preprocessor.
        texts: The texts, each of which is in one batch.
        batch_size: Texts in a batch, at most.

    Returns:
        A `tf.data.Dataset`.
    """
    if not isinstance(trained, Packed):
        return corpora.evaluation_batches(texts, batch_size)
    steps = -(-len(texts) // batch_size)
    empty = steps * batch_size - len(texts)
    tokenized = [np.pad(part, ((0, empty), (0, 0))) for part in tokenize(trained.causal_lm, texts)]
    groups = deal(np.arange(steps * batch_size), tokenized[2].sum(axis=1), steps, seed=0)
    inputs, labels, weights = _packs(*tokenized, groups)
    return _dataset(inputs, labels, weights * (steps * batch_size / len(texts)))  # the empty ones count for nothing


def filled(trained, train) -> tuple[int, float]:
    """What a training step computes.

    Args:
        trained: What `trainee` returned.
        train: What `batches` returned for it.

    Returns:
        The positions of a step, and the share of them, over all steps, that hold a token to be predicted.
    """
    weights = [batch[2] if isinstance(trained, Packed) else trained.preprocessor(batch)[2] for batch in train]
    weights = np.stack([np.asarray(step) for step in weights])
    return weights[0].size, float(np.mean(weights > 0))


def tokenize(causal_lm, texts: list[str]):
    """What the preprocessor makes of texts: token ids, labels, and which of them count; each `(texts, length)`."""
    inputs, labels, weights = causal_lm.preprocessor(list(texts))
    return np.asarray(inputs["token_ids"]), np.asarray(labels), np.asarray(weights).astype(bool)


def deal(order: np.ndarray, counts: np.ndarray, num_steps: int, seed: int) -> list[np.ndarray]:
    """Deals texts out to steps, the same number to each, so that all steps have about the same number of tokens.

    The longest texts are dealt first, one to each step; then each round's longest goes to the step that has least. The
    steps are shuffled in the end.

    Args:
        order: The numbers of the texts, as many as steps times texts in a step. It decides between equal lengths.
        counts: The tokens of each.
        num_steps: The steps.
        seed: Of the shuffling.

    Returns:
        The numbers of the texts of each step.
    """
    longest_first = np.argsort(-counts, kind="stable").reshape(-1, num_steps)
    groups, totals = [[] for _ in range(num_steps)], np.zeros(num_steps, int)
    for dealt in longest_first:
        for index, step in zip(dealt, np.argsort(totals, kind="stable"), strict=True):
            groups[step].append(order[index])
            totals[step] += counts[index]
    return [np.array(groups[step]) for step in np.random.default_rng(seed).permutation(num_steps)]


def _packs(token_ids, labels, useful, groups):
    """The steps of some groups of texts, each with as many tokens, since XLA compiles for one number of them."""
    tokens = ROUND * -(-max(useful[group].sum() for group in groups) // ROUND)
    packed = [_pack(token_ids[group], labels[group], useful[group], int(tokens)) for group in groups]
    return [_stacked([batch[part] for batch in packed]) for part in range(3)]


def _dataset(*packed):
    import tensorflow as tf

    return corpora.without_autotuning(tf.data.Dataset.from_tensor_slices(packed))


def _pack(token_ids, labels, useful, tokens: int):
    """One step: inputs, labels and weights. The weights make Keras' mean over tokens its mean over padded rows."""
    places = np.flatnonzero(useful)
    past = useful.size

    def extended(values, value):
        return np.concatenate([values, np.full(tokens - len(values), value)]).astype("int32")

    sources = np.full(past, tokens, "int32")
    sources[places] = np.arange(len(places))
    inputs = {
        "token_ids": extended(token_ids.ravel()[places], 0),
        "places": extended(places, past),
        "sources": sources,
    }
    weights = (np.arange(tokens) < len(places)).astype("float32") * (tokens / past)
    return inputs, extended(labels.ravel()[places], 0), weights


def _stacked(parts):
    if isinstance(parts[0], dict):
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return np.stack(parts)
