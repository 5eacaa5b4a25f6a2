"""Generating on JAX with a decoding step of its own: KerasHub's tokens, in less time.

Generating a token reads every weight once, so that memory bandwidth is the limit. KerasHub's step stays well below it:
it multiplies by query, key and value matrices one after the other, carries a single stacked cache that is taken apart
and put together again at every token, and runs its first pass over all of `max_length`. Here the three matrices are
joined before the loop, every layer has a cache of its own that is written in place, and the first pass covers the
prompt alone, without the product with the vocabulary. `make bench` measures what that brings.

The sampling loop is KerasHub's own (`Sampler.__call__`), with its random state, so a seed draws the same tokens.
"""

import math
import types

import keras
import keras_nlp

BUCKET = 16  # the first pass is compiled for prompts whose lengths round up to the same multiple of this


def speed_up(causal_lm):
    """Has a model's `generate` use the decoding step of this module wherever it can.

    It can on JAX, in float32, for GPT-2 and Llama models, with the samplers that choose token after token: greedy,
    random, top-k and top-p. Everything else (TensorFlow, 16 bits, beam search, contrastive search, other models)
    goes on as KerasHub has it. Nothing but speed changes.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`; its compiled generate function is thrown away.

    Returns:
        The same model.
    """
    if _decoder(causal_lm) is not None:
        causal_lm.make_generate_function = types.MethodType(_make_generate_function, causal_lm)
        causal_lm.generate_function = None
    return causal_lm


def uses_own_step(causal_lm) -> bool:
    """Whether `generate` of this model, with the sampler that it has now, uses the decoding step of this module."""
    if getattr(causal_lm.make_generate_function, "__func__", None) is not _make_generate_function:
        return False
    return type(causal_lm.sampler).__call__ is keras_nlp.samplers.Sampler.__call__ and not causal_lm.run_eagerly


def _make_generate_function(causal_lm):
    if not uses_own_step(causal_lm):
        return type(causal_lm).make_generate_function(causal_lm)
    if causal_lm.generate_function is None:
        causal_lm.generate_function = _generate_function(_decoder(causal_lm), causal_lm.sampler)
    return causal_lm.generate_function


def _decoder(causal_lm):
    if keras.backend.backend() != "jax" or causal_lm.dtype_policy.compute_dtype != "float32":
        return None
    for backbone, decoder in ((keras_nlp.models.GPT2Backbone, _GPT2), (keras_nlp.models.LlamaBackbone, _Llama)):
        if isinstance(causal_lm.backbone, backbone):
            return decoder(causal_lm.backbone)
    return None


def _generate_function(decoder, sampler):
    """Makes the function that `generate` calls with a batch of token ids.

    Args:
        decoder: A `_GPT2` or `_Llama`.
        sampler: The sampler; its random state is read before a call and written back after it.

    Returns:
        A function of `inputs` (`token_ids`, int `(batch, max_length)`, and `padding_mask`, the same shape) and
        `stop_token_ids`, which returns the same two filled in, as `CausalLM.generate_step` does.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    def compiled(weights, state, token_ids, padding_mask, stop_token_ids, prefill):
        weights = decoder.join(weights)
        batch, max_length = token_ids.shape
        heads, size = decoder.num_key_value_heads, decoder.head_dim
        keys, values = jnp.zeros((batch * heads, max_length, size)), jnp.zeros((batch * heads, max_length, size))
        caches = [(keys, values) for _ in weights["layers"]]
        _, caches = _forward(decoder, weights, token_ids[:, :prefill], caches, 0)

        def next_token(token_ids, caches, index):
            last = jax.lax.dynamic_slice_in_dim(token_ids, index - 1, 1, axis=1)
            x, caches = _forward(decoder, weights, last, caches, index - 1)
            return decoder.logits(weights, x[:, 0]), None, caches

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

    def generate(inputs, stop_token_ids=None):
        token_ids = jnp.asarray(np.asarray(inputs["token_ids"]), "int32")
        padding_mask = np.asarray(inputs["padding_mask"]).astype(bool)
        shortest = int(padding_mask.sum(axis=1).min())
        filled, kept, state = compiled(
            decoder.weights(),
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


def _kept(token_ids, padding_mask, stop_token_ids):
    """Marks the tokens up to and with a row's first new stop token; all, if there are no stop tokens."""
    import jax.numpy as jnp

    if stop_token_ids is None:
        return jnp.ones_like(padding_mask)
    stops = (jnp.isin(token_ids, jnp.asarray(stop_token_ids)) & ~padding_mask).astype("int32")
    return jnp.cumsum(stops, axis=-1) - stops == 0


def _forward(decoder, weights, token_ids, caches, start):
    """Runs the layers over some tokens whose predecessors' keys and values are in the caches.

    Args:
        decoder: A `_GPT2` or `_Llama`.
        weights: What `decoder.join` returned.
        token_ids: int `(batch, tokens)`.
        caches: For each layer its keys and values, `(batch * key-value heads, max_length, head_dim)` each, a layout
            that XLA reads and writes in place.
        start: The position of the first of the tokens.

    Returns:
        The hidden states before the last norm, `(batch, tokens, hidden_dim)`, and the caches with the tokens' own keys
        and values written in.
    """
    import jax

    x = decoder.embed(weights, token_ids, start)
    updated = []
    for layer, (keys, values) in zip(weights["layers"], caches, strict=True):
        query, key, value = decoder.project(layer, x, start)
        rows, tokens = keys.shape[0], token_ids.shape[1]
        key = key.transpose(0, 2, 1, 3).reshape(rows, tokens, -1)
        value = value.transpose(0, 2, 1, 3).reshape(rows, tokens, -1)
        keys = jax.lax.dynamic_update_slice_in_dim(keys, key, start, axis=1)
        values = jax.lax.dynamic_update_slice_in_dim(values, value, start, axis=1)
        x = decoder.finish(layer, x, _attention(query, keys, values, start))
        updated.append((keys, values))
    return x, updated


def _attention(query, keys, values, start):
    """Causal attention of tokens from position `start` on; each group of query heads shares a key-value head.

    Returns:
        `(batch, tokens, query heads * head_dim)`.
    """
    import jax
    import jax.numpy as jnp

    batch, tokens, num_heads, head_dim = query.shape
    rows, max_length, _ = keys.shape
    grouped = query.reshape(batch, tokens, rows // batch, -1, head_dim).transpose(0, 2, 1, 3, 4)
    scores = jnp.einsum("rqd,rsd->rqs", grouped.reshape(rows, -1, head_dim), keys) / math.sqrt(head_dim)
    position = start + jnp.arange(scores.shape[1]) // (scores.shape[1] // tokens)
    scores = jnp.where(jnp.arange(max_length) <= position[:, None], scores, -jnp.inf)
    mixed = jnp.einsum("rqs,rsd->rqd", jax.nn.softmax(scores, axis=-1), values)
    mixed = mixed.reshape(batch, rows // batch, tokens, -1, head_dim).transpose(0, 2, 1, 3, 4)
    return mixed.reshape(batch, tokens, num_heads * head_dim)


class _GPT2:
    """The steps of a `GPT2Backbone` (Radford et al., Language Models are Unsupervised Multitask Learners, 2019)."""

    def __init__(self, backbone):
        self.backbone = backbone
        self.num_heads = self.num_key_value_heads = backbone.num_heads
        self.head_dim = backbone.hidden_dim // backbone.num_heads
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

    def join(self, weights: dict) -> dict:
        """Makes plain matrices of the attention's kernels, and one of those of query, key and value."""
        import jax.numpy as jnp

        hidden_dim = self.backbone.hidden_dim

        def joined(layer):
            kernels = [layer[name][0].reshape(hidden_dim, -1) for name in ("query", "key", "value")]
            biases = [layer[name][1].reshape(-1) for name in ("query", "key", "value")]
            kernel, bias = layer["output"]
            return layer | {
                "projection": (jnp.concatenate(kernels, axis=1), jnp.concatenate(biases)),
                "output": (kernel.reshape(-1, hidden_dim), bias),
            }

        return weights | {"layers": [joined(layer) for layer in weights["layers"]]}

    def embed(self, weights, token_ids, start):
        import jax

        positions = jax.lax.dynamic_slice_in_dim(weights["positions"], start, token_ids.shape[1])
        return weights["tokens"][token_ids] + positions

    def project(self, layer, x, start):
        import jax.numpy as jnp

        kernel, bias = layer["projection"]
        together = self._norm(x, layer["attention_norm"]) @ kernel + bias
        return [part.reshape(*x.shape[:2], -1, self.head_dim) for part in jnp.split(together, 3, axis=-1)]

    def finish(self, layer, x, attended):
        import jax

        x = x + attended @ layer["output"][0] + layer["output"][1]
        up = self._norm(x, layer["feedforward_norm"]) @ layer["up"][0] + layer["up"][1]
        return x + jax.nn.gelu(up, approximate=True) @ layer["down"][0] + layer["down"][1]

    def logits(self, weights, x):
        return self._norm(x, weights["norm"]) @ weights["tokens"].T

    def _norm(self, x, scales):
        import jax

        gamma, beta = scales
        mean = x.mean(axis=-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + self.epsilon) * gamma + beta


class _Llama:
    """The steps of a `LlamaBackbone` (Touvron et al., LLaMA: Open and Efficient Foundation Language Models, 2023)."""

    def __init__(self, backbone):
        self.backbone = backbone
        self.num_heads, self.num_key_value_heads = backbone.num_query_heads, backbone.num_key_value_heads
        self.head_dim = backbone.hidden_dim // backbone.num_query_heads
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

    def join(self, weights: dict) -> dict:
        """Makes plain matrices of the kernels: one of query, key and value, one of gate and up."""
        import jax.numpy as jnp

        hidden_dim = self.backbone.hidden_dim

        def joined(layer):
            kernels = [layer[name].reshape(hidden_dim, -1) for name in ("query", "key", "value")]
            return layer | {
                "projection": jnp.concatenate(kernels, axis=1),
                "gate_up": jnp.concatenate([layer["gate"], layer["up"]], axis=1),
                "output": layer["output"].reshape(-1, hidden_dim),
            }

        return weights | {"layers": [joined(layer) for layer in weights["layers"]]}

    def embed(self, weights, token_ids, start):
        return weights["tokens"][token_ids]

    def project(self, layer, x, start):
        together = self._norm(x, layer["attention_norm"]) @ layer["projection"]
        heads = together.reshape(*x.shape[:2], -1, self.head_dim)
        key, value = self.num_heads, self.num_heads + self.num_key_value_heads
        rotary = self.backbone.transformer_layers[0]._self_attention_layer.rotary_embedding_layer
        turned = rotary(heads[:, :, :value], start_index=start)
        return turned[:, :, :key], turned[:, :, key:], heads[:, :, value:]

    def finish(self, layer, x, attended):
        import jax
        import jax.numpy as jnp

        x = x + attended @ layer["output"]
        gate, up = jnp.split(self._norm(x, layer["feedforward_norm"]) @ layer["gate_up"], 2, axis=-1)
        return x + (jax.nn.silu(gate) * up) @ layer["down"]

    def logits(self, weights, x):
        reverse = weights["reverse"] if "reverse" in weights else weights["tokens"].T
        return self._norm(x, weights["norm"]) @ reverse

    def _norm(self, x, scale):
        import jax

        return x * jax.lax.rsqrt((x**2).mean(axis=-1, keepdims=True) + self.epsilon) * scale


def _values(layer, *names):
    return tuple(getattr(layer, name).value for name in names)
