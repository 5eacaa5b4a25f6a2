"""Access the parts of KerasHub 0.32 that are not public, or that its documentation does not say may be replaced.

No other module does so, because an upgrade of KerasHub may change any of them without notice.
`tests/models/test_kerashub_private.py` names each attribute, and fails if one is gone.
"""

import types
from collections.abc import Callable
from typing import NamedTuple


class LayerParts(NamedTuple):
    """The sublayers of a transformer layer that have weights.

    Attributes:
        attention_norm: The normalisation before the attention.
        query: The projection to queries; its kernel has the shape `(hidden_dim, heads, head_dim)`.
        key: The projection to keys, with the number of key-value heads.
        value: The projection to values, likewise.
        output: The projection back; its kernel has the shape `(heads, head_dim, hidden_dim)`.
        feedforward_norm: The normalisation before the feed-forward layers.
        up: The projection to the intermediate width.
        down: The projection back from it.
        gate: The projection that gates `up`; None for GPT-2, which has none.
    """

    attention_norm: object
    query: object
    key: object
    value: object
    output: object
    feedforward_norm: object
    up: object
    down: object
    gate: object | None = None


def gpt2_parts(layer) -> LayerParts:
    """Return the sublayers of a layer of a `GPT2Backbone`."""
    attention = layer._self_attention_layer
    return LayerParts(
        attention_norm=layer._self_attention_layer_norm,
        query=attention.query_dense,
        key=attention.key_dense,
        value=attention.value_dense,
        output=attention.output_dense,
        feedforward_norm=layer._feedforward_layer_norm,
        up=layer._feedforward_intermediate_dense,
        down=layer._feedforward_output_dense,
    )


def llama_parts(layer) -> LayerParts:
    """Return the sublayers of a layer of a `LlamaBackbone`."""
    attention = layer._self_attention_layer
    return LayerParts(
        attention_norm=layer._self_attention_layernorm,
        query=attention._query_dense,
        key=attention._key_dense,
        value=attention._value_dense,
        output=attention._output_dense,
        feedforward_norm=layer._feedforward_layernorm,
        up=layer._feedforward_intermediate_dense,
        down=layer._feedforward_output_dense,
        gate=layer._feedforward_gate_dense,
    )


def rotary_embedding(layer):
    """Return the `RotaryEmbedding` of a layer of a `LlamaBackbone`."""
    return layer._self_attention_layer.rotary_embedding_layer


def add_special_token(tokenizer, token: str, attribute: str) -> None:
    """Make a token special, so that a tokenizer neither splits it nor writes it into a text.

    Call it before the tokenizer gets its vocabulary.

    Args:
        tokenizer: The tokenizer.
        token: The token.
        attribute: The tokenizer's attribute that will hold it. Its id goes into the attribute with `_id` appended.
    """
    tokenizer._add_special_token(token, attribute)


def set_sampler(causal_lm, sampler) -> None:
    """Set a model's sampler without `compile`, which would also replace the optimizer by a new Adam.

    The next call of `generate` compiles anew.
    """
    causal_lm.sampler = sampler
    causal_lm.generate_function = None


def replace_make_generate_function(causal_lm, make: Callable) -> None:
    """Replace a model's method `make_generate_function`. The next call of `generate` compiles anew.

    Args:
        causal_lm: The model.
        make: A function of the model that returns what `generate` calls with a batch, and keeps it in the model's
            `generate_function`, which `compile` sets to None.
    """
    causal_lm.make_generate_function = types.MethodType(make, causal_lm)
    causal_lm.generate_function = None


def has_make_generate_function(causal_lm, make: Callable) -> bool:
    """Tell whether `replace_make_generate_function` gave this function to a model."""
    return getattr(causal_lm.make_generate_function, "__func__", None) is make
