"""Generating on JAX with a decoding step of its own: KerasHub's tokens, in less time.

Generating a token reads every weight once, so that memory bandwidth is the limit. KerasHub's step stays well below it:
it multiplies by query, key and value matrices one after the other, carries a single stacked cache that is taken apart
and put together again at every token, and runs its first pass over all of `max_length`. Here the three matrices are
joined (and Llama's gates), every layer has a cache of its own that is written in place, and the first pass covers the
prompt alone, without the product with the vocabulary. For a single text all matrices are also turned, since XLA on a
CPU reads a matrix at the full bandwidth when it lies output by output and is multiplied in a loop of its own (35 GB/s
on an AMD EPYC of 2022, where sums read 35, against 17 to 25 otherwise). What is joined or turned is made once for all
calls with the same weights, and takes as much memory again as the layers' attention, or for a single text as all of
the layers. Notebook 01 measures what that brings.

The sampling loop is KerasHub's own (`Sampler.__call__`), with its random state, so a seed draws the same tokens.
"""

import math
import types
import weakref

import jax
import jax.numpy as jnp
import keras
import numpy as np

from lib.models import jax_forward, samplers

BUCKET = 16  # the first pass is compiled for prompts whose lengths round up to the same multiple of this


def speed_up(causal_lm):
    """Has a model's `generate` use the decoding step of this module wherever it can.

    It can on JAX, in float32, for GPT-2 and Llama models, with the samplers that choose token after token: greedy,
    random, top-k, top-p and the two of `samplers`. Everything else (TensorFlow, 16 bits, beam search, contrastive
    search, other models) goes on as KerasHub has it. Nothing but speed changes.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`; its compiled generate function is thrown away.

    Returns:
        The same model.
    """
    if jax_forward.of(causal_lm) is not None:
        causal_lm.make_generate_function = types.MethodType(_make_generate_function, causal_lm)
        causal_lm.generate_function = None
    return causal_lm


def uses_own_step(causal_lm) -> bool:
    """Whether `generate` of this model, with the sampler that it has now, uses the decoding step of this module."""
    if getattr(causal_lm.make_generate_function, "__func__", None) is not _make_generate_function:
        return False
    return samplers.token_by_token(causal_lm.sampler) and not causal_lm.run_eagerly


def _make_generate_function(causal_lm):
    if not uses_own_step(causal_lm):
        return type(causal_lm).make_generate_function(causal_lm)
    if causal_lm.generate_function is None:
        causal_lm.generate_function = _generate_function(jax_forward.of(causal_lm), causal_lm.sampler)
    return causal_lm.generate_function


def _generate_function(architecture, sampler):
    """Makes the function that `generate` calls with a batch of token ids.

    Args:
        architecture: What `jax_forward.of` returned.
        sampler: The sampler; its random state is read before a call and written back after it.

    Returns:
        A function of `inputs` (`token_ids`, int `(batch, max_length)`, and `padding_mask`, the same shape) and
        `stop_token_ids`, which returns the same two filled in, as `CausalLM.generate_step` does.
    """

    def compiled(weights, matrices, state, token_ids, padding_mask, stop_token_ids, prefill):
        weights = jax_forward.joined(weights, matrices)
        batch, max_length = token_ids.shape
        heads, size = architecture.num_key_value_heads, architecture.head_dim
        keys, values = jnp.zeros((batch * heads, max_length, size)), jnp.zeros((batch * heads, max_length, size))
        caches = [(keys, values) for _ in weights["layers"]]
        _, caches = _forward(architecture, weights, token_ids[:, :prefill], caches, 0)

        def next_token(token_ids, caches, index):
            last = jax.lax.dynamic_slice_in_dim(token_ids, index - 1, 1, axis=1)
            x, caches = _forward(architecture, weights, last, caches, index - 1)
            return architecture.logits(weights, x[:, 0]), None, caches

        with keras.StatelessScope(state_mapping=zip(sampler.variables, state, strict=True)) as scope:
            filled = sampler(
                next=next_token,
                prompt=token_ids,
                cache=caches,
                index=jnp.min(jnp.sum(padding_mask.astype("int32"), axis=-1)),
                mask=padding_mask,
                stop_token_ids=stop_token_ids,
            )
        state = [scope.get_current_value(variable) for variable in sampler.variables]
        return filled, _kept(filled, padding_mask, stop_token_ids), state

    compiled = jax.jit(compiled, static_argnames=("stop_token_ids", "prefill"))
    matrices = _Cached(jax.jit(architecture.matrices, static_argnames="turned"))

    def generate(inputs, stop_token_ids=None):
        token_ids = jnp.asarray(np.asarray(inputs["token_ids"]), "int32")
        padding_mask = np.asarray(inputs["padding_mask"]).astype(bool)
        shortest = int(padding_mask.sum(axis=1).min())
        weights = architecture.weights()
        filled, kept, state = compiled(
            weights,
            matrices(weights, turned=len(token_ids) == 1),
            [variable.value for variable in sampler.variables],
            token_ids,
            jnp.asarray(padding_mask),
            None if stop_token_ids is None else tuple(stop_token_ids),
            prefill=min(token_ids.shape[1], BUCKET * math.ceil(shortest / BUCKET)),
        )
        for variable, value in zip(sampler.variables, state, strict=True):
            variable.assign(value)
        return {"token_ids": filled, "padding_mask": kept}

    return generate


class _Cached:
    """A function of weights that keeps its result for as long as it is called with the same arrays and options.

    It holds the arrays weakly, so that it does not keep those of a model alive that is trained further; once one of
    them is gone, the result can no longer be asked for, and goes too.
    """

    def __init__(self, function):
        self._function, self._of, self._options, self._result = function, [], None, None

    def __call__(self, weights, **options):
        arrays = jax.tree.leaves(weights)
        same = len(self._of) == len(arrays) and all(was() is now for was, now in zip(self._of, arrays, strict=True))
        if not same or options != self._options or self._result is None:
            self._give_up()  # so that the memory is free before it is needed anew
            result = self._function(weights, **options)
            self._of, self._options = [weakref.ref(array, self._give_up) for array in arrays], options
            self._result = result
        return self._result

    def _give_up(self, _=None):
        self._result = None


def _kept(token_ids, padding_mask, stop_token_ids):
    """Marks the tokens up to and with a row's first new stop token; all, if there are no stop tokens."""
    if stop_token_ids is None:
        return jnp.ones_like(padding_mask)
    stops = (jnp.isin(token_ids, jnp.asarray(stop_token_ids)) & ~padding_mask).astype("int32")
    return jnp.cumsum(stops, axis=-1) - stops == 0


def _forward(architecture, weights, token_ids, caches, start):
    """Runs the layers over some tokens whose predecessors' keys and values are in the caches.

    Args:
        architecture: What `jax_forward.of` returned.
        weights: Its weights, joined.
        token_ids: int `(batch, tokens)`.
        caches: For each layer its keys and values, `(batch * key-value heads, max_length, head_dim)` each, a layout
            that XLA reads and writes in place.
        start: The position of the first of the tokens.

    Returns:
        The hidden states before the last norm, `(batch, tokens, hidden_dim)`, and the caches with the tokens' own keys
        and values written in.
    """

    @jax.jit  # traced once for all layers; the compiled program is the same
    def through(layer, x, keys, values, start):
        query, key, value = architecture.project(layer, x)
        query, key = architecture.rotate(query, start), jax_forward.by_head(architecture.rotate(key, start))
        keys = jax.lax.dynamic_update_slice_in_dim(keys, key, start, axis=1)
        values = jax.lax.dynamic_update_slice_in_dim(values, jax_forward.by_head(value), start, axis=1)
        return architecture.finish(layer, x, jax_forward.attention(query, keys, values, start)), (keys, values)

    x = architecture.embed(weights, token_ids, start + jnp.arange(token_ids.shape[1]))
    updated = []
    for layer, (keys, values) in zip(weights["layers"], caches, strict=True):
        x, kept = through(layer, x, keys, values, start)
        updated.append(kept)
    return x, updated
