"""Generate on JAX with a decoding step of this project: the same tokens as KerasHub's step, in less time.

A new token reads every weight once, so memory bandwidth limits the speed. KerasHub's step stays well below that limit.
It multiplies by the query, key and value matrices one after the other; it carries a single stacked cache, which it
takes apart and puts together at every token; and its first pass computes all of `max_length`. Here the three matrices
are one (and so are Llama's gate and up matrices), each layer has its own cache, which is written in place, and the
first pass computes the prompt only, without the product with the vocabulary.

For a single text all matrices are also transposed: XLA on a CPU reads a matrix at the full bandwidth if it is stored
output by output and multiplied in a loop of its own (35 GB/s on an AMD EPYC of 2022, where sums read 35, against 17 to
25 otherwise). The fused and transposed matrices are made once for all calls with the same weights. They take as much
memory again as the attention weights of the layers, or for a single text as all weights of the layers. Notebook 01
measures the gain.

On a GPU the kernels of `gpu_kernels` do the work of a layer where they fit the model: attention for any number of
texts, all of it for a single one. All matrices are transposed there. With Keras' policy `mixed_bfloat16` they are
rounded to bfloat16, which halves what a token reads; the sums stay in float32, and the tokens may then differ from
KerasHub's, which rounds sums too.

Where several devices share a training (`distribution`), the first one generates. If they share the matrices, all do.

The sampling loop is KerasHub's (`Sampler.__call__`), with its random state, so a seed draws the same tokens.
"""

import copy
import functools
import math
import weakref

import jax
import jax.numpy as jnp
import keras
import numpy as np

from lib.core import backends
from lib.models import distribution, gpu_kernels, jax_forward, kerashub_private, samplers

BUCKET = 16  # the first pass is compiled once for all prompts whose lengths round up to the same multiple of this


def speed_up(causal_lm):
    """Make a model's `generate` use the decoding step of this module if possible. Only the speed changes.

    It is possible on JAX, in float32 or bfloat16, for GPT-2 and Llama models, with the samplers that choose token after
    token: greedy, random, top-k, top-p and the two that `samplers` defines. Otherwise (on TensorFlow, in float16, with
    beam or contrastive search, for other models) `generate` stays KerasHub's.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`. Its compiled generate function is discarded.

    Returns:
        The same model.
    """
    if jax_forward.architecture_of(causal_lm) is not None:
        kerashub_private.replace_make_generate_function(causal_lm, _make_generate_function)
    return causal_lm


def uses_own_step(causal_lm) -> bool:
    """Tell whether `generate` of a model, with its current sampler, uses the decoding step of this module."""
    if not kerashub_private.has_make_generate_function(causal_lm, _make_generate_function):
        return False
    return samplers.token_by_token(causal_lm.sampler) and not causal_lm.run_eagerly


def forget(causal_lm) -> None:
    """Forget what was compiled for a model, so that the next call of `generate` compiles as the first one did."""
    _generators.pop(causal_lm, None)
    causal_lm.generate_function = None


_generators = weakref.WeakKeyDictionary()  # the `_Generator` of each model


def _make_generate_function(causal_lm):
    if not uses_own_step(causal_lm):
        return type(causal_lm).make_generate_function(causal_lm)
    if causal_lm.generate_function is None:
        if causal_lm not in _generators:
            _generators[causal_lm] = _of_model(causal_lm)
        causal_lm.generate_function = functools.partial(_generators[causal_lm], causal_lm.sampler)
    return causal_lm.generate_function


def _of_model(causal_lm) -> "_Generator":
    architecture, settings = jax_forward.architecture_of(causal_lm), backends.selected
    if settings is None or not settings.on_gpu:
        return _Generator(architecture)
    known = settings.capability >= gpu_kernels.LEAST_CAPABILITY and distribution.division().model == 1
    architecture.kernels = known and gpu_kernels.fits(architecture.head_dim, *architecture.widths)
    dtype = "bfloat16" if causal_lm.dtype_policy.compute_dtype == "bfloat16" else None
    return _Generator(architecture, on_gpu=True, dtype=dtype)


class _Generator:
    """Generates with a model, and keeps the programs that were compiled for it.

    One program serves all samplers of a kind, whatever their seed, temperature, p or penalty, with and without
    suppressed tokens; all shorter texts than those that it was compiled for, in a batch of the same size; and all
    prompts whose lengths round up to the same multiple of `BUCKET`. A shorter text then has the caches of the longer
    one, which costs less than compiling.

    Args:
        architecture: The model's architecture, see `jax_forward.architecture_of`.
        on_gpu: Whether to store all matrices transposed, for any number of texts, and to look for the top k in stages.
        dtype: The type to round the matrices to, or None.
    """

    def __init__(self, architecture, on_gpu: bool = False, dtype: str | None = None):
        self.architecture, self.on_gpu, self.dtype = architecture, on_gpu, dtype
        fused = jax.jit(architecture.fused, static_argnames="layout")
        self._fused = _CachedByWeights(
            lambda weights, layout: fused(distribution.on_first_device(weights), layout=layout)
        )
        self._programs = {}  # by kind of sampler
        self._lengths = {}  # those that were compiled, by kind of sampler, number of texts and first pass

    def __call__(self, sampler, inputs, stop_token_ids=None):
        """Generate, as `CausalLM.generate_step` does.

        Args:
            sampler: The sampler. Its random state is read first and written back in the end.
            inputs: `token_ids`, int `(batch, max_length)`, and `padding_mask`, of the same shape.
            stop_token_ids: The tokens that end a text, or None.

        Returns:
            `token_ids` and `padding_mask` with the new tokens.
        """
        sampler, suppressed = samplers.without_suppression(sampler)
        token_ids, padding_mask = np.asarray(inputs["token_ids"]), np.asarray(inputs["padding_mask"]).astype(bool)
        batch, max_length = token_ids.shape
        kind, options = samplers.kind_and_options(sampler)
        stops = None if stop_token_ids is None else tuple(stop_token_ids)
        prefill = BUCKET * math.ceil(int(padding_mask.sum(axis=1).min()) / BUCKET)
        compiled = self._lengths.setdefault((kind, batch, prefill, stops), set())
        length = min((known for known in compiled if known >= max_length), default=max(max_length, prefill))
        if kind not in self._programs:
            self._programs[kind] = self._program(copy.copy(sampler))  # the copy keeps its options
        more = ((0, 0), (0, length - max_length))
        layout = jax_forward.Layout(
            transposed=self.on_gpu or batch == 1, ones=not self.on_gpu and batch == 1, dtype=self.dtype
        )
        weights = self.architecture.weights()
        never = np.zeros(self.architecture.backbone.vocabulary_size, bool)
        never[suppressed] = True
        filled, padding_mask, state = self._programs[kind](
            distribution.on_first_device(weights),
            self._fused(weights, layout=layout),
            distribution.on_first_device([variable.value for variable in sampler.variables]),
            options,
            never,
            np.pad(token_ids, more).astype("int32"),
            np.pad(padding_mask, more),
            np.int32(max_length),
            stop_token_ids=stops,
            prefill=prefill,
        )
        filled = np.asarray(filled)
        compiled.add(length)  # now that it did fit into the memory
        for variable, value in zip(sampler.variables, state, strict=True):
            variable.assign(value)
        return {
            "token_ids": filled[:, :max_length],
            "padding_mask": np.asarray(padding_mask)[:, :max_length],
        }

    def _program(self, sampler):
        """Make the function that generates with samplers of the same kind as the given one, to be compiled."""
        architecture, on_gpu = self.architecture, self.on_gpu

        def compiled(weights, fused, state, options, never, token_ids, padding_mask, end, stop_token_ids, prefill):
            weights = jax_forward.with_fused(weights, fused)
            batch, length = token_ids.shape
            heads, size = architecture.num_key_value_heads, architecture.head_dim
            keys, values = jnp.zeros((batch * heads, length, size)), jnp.zeros((batch * heads, length, size))
            caches = [(keys, values) for _ in weights["layers"]]
            _, caches = _forward(architecture, weights, token_ids[:, :prefill], caches, 0)

            def next_token(token_ids, caches, index):
                last = jax.lax.dynamic_slice_in_dim(token_ids, index - 1, 1, axis=1)
                forward = _forward_one if architecture.kernels else _forward
                x, caches = forward(architecture, weights, last, caches, index - 1)
                logits = architecture.logits(weights, x[:, 0])
                return jnp.where(never, samplers.SUPPRESSED, logits), None, caches

            with keras.StatelessScope(state_mapping=zip(sampler.variables, state, strict=True)) as scope:
                filled = samplers.with_options(sampler, options, end, quick_top_k=on_gpu)(
                    next=next_token,
                    prompt=token_ids,
                    cache=caches,
                    index=jnp.min(jnp.sum(padding_mask.astype("int32"), axis=-1)),
                    mask=padding_mask,
                    stop_token_ids=stop_token_ids,
                )
            state = [scope.get_current_value(variable) for variable in sampler.variables]
            return filled, _until_stop(filled, padding_mask, stop_token_ids), state

        static, options = ("stop_token_ids", "prefill"), backends.compiler_options()
        return jax.jit(compiled, static_argnames=static, compiler_options=options)


class _CachedByWeights:
    """A function of weights that keeps its result while it is called with the same arrays and options.

    It keeps weak references to the arrays, so that it does not keep the weights of a model alive that is trained
    further. Once one of the arrays is gone, no call can ask for the result any more, and it is dropped too.
    """

    def __init__(self, function):
        self._function, self._arrays, self._options, self._result = function, [], None, None

    def __call__(self, weights, **options):
        arrays = jax.tree.leaves(weights)
        same = len(self._arrays) == len(arrays) and all(
            kept() is array for kept, array in zip(self._arrays, arrays, strict=True)
        )
        if not same or options != self._options or self._result is None:
            self._drop()  # frees its memory before the new result needs it
            result = self._function(weights, **options)
            self._arrays, self._options = [weakref.ref(array, self._drop) for array in arrays], options
            self._result = result
        return self._result

    def _drop(self, _=None):
        self._result = None


def _until_stop(token_ids, padding_mask, stop_token_ids):
    """Mark the tokens of each row up to and including its first new stop token, or all if there are no stop tokens."""
    if stop_token_ids is None:
        return jnp.ones_like(padding_mask)
    stops = (jnp.isin(token_ids, jnp.asarray(stop_token_ids)) & ~padding_mask).astype("int32")
    return jnp.cumsum(stops, axis=-1) - stops == 0


def _forward(architecture, weights, token_ids, caches, start):
    """Run the layers over some tokens. The caches hold the keys and values of the tokens before them.

    Args:
        architecture: The model's architecture, see `jax_forward.architecture_of`.
        weights: Its weights, see `jax_forward.with_fused`.
        token_ids: int `(batch, tokens)`.
        caches: The keys and values of each layer, `(batch * key-value heads, max_length, head_dim)` each. XLA reads
            and writes this layout in place.
        start: The position of the first of the tokens.

    Returns:
        The hidden states before the last norm, `(batch, tokens, hidden_dim)`, and the caches with the keys and values
        of these tokens added.
    """

    @jax.jit  # traced once for all layers; the compiled program is the same
    def run_layer(layer, x, keys, values, start):
        query, key, value = architecture.query_key_value(layer, x)
        query, key = architecture.rotate(query, start), jax_forward.heads_first(architecture.rotate(key, start))
        keys = jax.lax.dynamic_update_slice_in_dim(keys, key, start, axis=1)
        values = jax.lax.dynamic_update_slice_in_dim(values, jax_forward.heads_first(value), start, axis=1)
        attended = jax_forward.attention(query, keys, values, start)
        return architecture.after_attention(layer, x, attended), (keys, values)

    x = architecture.embed(weights, token_ids, start + jnp.arange(token_ids.shape[1]))
    updated = []
    for layer, (keys, values) in zip(weights["layers"], caches, strict=True):
        x, cache = run_layer(layer, x, keys, values, start)
        updated.append(cache)
    return x, updated


def _forward_one(architecture, weights, token_ids, caches, position):
    """Run the layers over one token of each text with `gpu_kernels`; arguments and results as of `_forward`."""
    rotation = architecture.rotation(position)

    @jax.jit  # traced once for all layers
    def run_layer(layer, x, keys, values):
        together = architecture.projections(layer, x)
        attended, keys, values = gpu_kernels.attention(
            together, keys, values, position, rotation, num_heads=architecture.num_heads
        )
        return architecture.after_attention(layer, x, attended), (keys, values)

    x = architecture.embed(weights, token_ids[:, 0], position)
    updated = []
    for layer, (keys, values) in zip(weights["layers"], caches, strict=True):
        x, cache = run_layer(layer, x, keys, values)
        updated.append(cache)
    return x[:, None], updated
