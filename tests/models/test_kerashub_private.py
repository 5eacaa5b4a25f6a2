"""Name every attribute of KerasHub that is not public and that this project uses, so that an upgrade fails here."""

import ast
from importlib import metadata

import keras_nlp
import pytest

from lib.core import paths
from lib.models import kerashub_private

USED = {  # by function of `kerashub_private`: the objects and their attributes
    "gpt2_parts": {
        "GPT-2 layer": [
            "_self_attention_layer",
            "_self_attention_layer_norm",
            "_feedforward_layer_norm",
            "_feedforward_intermediate_dense",
            "_feedforward_output_dense",
        ],
        "GPT-2 attention": ["query_dense", "key_dense", "value_dense", "output_dense"],
    },
    "llama_parts": {
        "Llama layer": [
            "_self_attention_layer",
            "_self_attention_layernorm",
            "_feedforward_layernorm",
            "_feedforward_intermediate_dense",
            "_feedforward_output_dense",
            "_feedforward_gate_dense",
        ],
        "Llama attention": ["_query_dense", "_key_dense", "_value_dense", "_output_dense"],
    },
    "rotary_embedding": {"Llama layer": ["_self_attention_layer"], "Llama attention": ["rotary_embedding_layer"]},
    "add_special_token": {"tokenizer": ["_add_special_token"]},
    "set_sampler": {"language model": ["sampler", "generate_function"]},
    "replace_make_generate_function": {"language model": ["make_generate_function", "generate_function"]},
    "has_make_generate_function": {"language model": ["make_generate_function"]},
}
CASES = [
    (function, owner, attribute)
    for function, owners in USED.items()
    for owner, attributes in owners.items()
    for attribute in attributes
]
PRIVATE = {attribute for _, _, attribute in CASES if attribute.startswith("_")}
NOT_THEIRS = {"_exit", "_replace", "_asdict", "_fields"}  # of the standard library, and documented


@pytest.fixture(scope="module")
def owners():
    """The objects of KerasHub that have the attributes."""
    sizes = {"vocabulary_size": 4, "num_layers": 1, "hidden_dim": 8, "intermediate_dim": 8}
    gpt2 = keras_nlp.models.GPT2Backbone(**sizes, num_heads=2, max_sequence_length=4)
    llama = keras_nlp.models.LlamaBackbone(**sizes, num_query_heads=2, num_key_value_heads=1)
    causal_lm = keras_nlp.models.GPT2CausalLM(backbone=gpt2)
    causal_lm.compile(sampler="greedy")
    found = {
        "GPT-2 layer": gpt2.transformer_layers[0],
        "Llama layer": llama.transformer_layers[0],
        "tokenizer": keras_nlp.tokenizers.BytePairTokenizer,
        "language model": causal_lm,
    }
    for name in ("GPT-2", "Llama"):
        found[f"{name} attention"] = getattr(found[f"{name} layer"], "_self_attention_layer", None)
    return found


@pytest.mark.parametrize(("function", "owner", "attribute"), CASES)
def test_kerashub_still_has_every_attribute_that_is_used(function, owner, attribute, owners):
    assert hasattr(owners[owner], attribute), (
        f"In KerasHub {metadata.version('keras-hub')} the {owner} has no attribute {attribute!r} any more. "
        f"Adapt lib/models/kerashub_private.py, function {function}."
    )


def test_the_parts_of_a_layer_have_the_weights_that_are_read(owners):
    for parts, norm, weights in (
        (kerashub_private.gpt2_parts(owners["GPT-2 layer"]), ("gamma", "beta"), ("kernel", "bias")),
        (kerashub_private.llama_parts(owners["Llama layer"]), ("scale",), ("kernel",)),
    ):
        for name, part in parts._asdict().items():
            for weight in norm if name.endswith("norm") else weights:
                assert part is None or getattr(part, weight, None) is not None, (
                    f"In KerasHub {metadata.version('keras-hub')} the {name} of a layer has no weight {weight!r} any "
                    "more. Adapt lib/models/jax_forward.py."
                )
        assert parts.query.kernel.shape == (8, 2, 4) and parts.output.kernel.shape == (2, 4, 8)


def test_a_replaced_method_is_what_generate_calls_until_the_next_compile(owners):
    causal_lm, calls = owners["language model"], []

    def make(model):
        model.generate_function = calls.append
        return model.generate_function

    assert not kerashub_private.has_make_generate_function(causal_lm, make)
    kerashub_private.replace_make_generate_function(causal_lm, make)
    assert kerashub_private.has_make_generate_function(causal_lm, make)
    causal_lm.make_generate_function()("a batch")
    assert calls == ["a batch"] and causal_lm.generate_function is not None
    causal_lm.compile(sampler="top_k")
    assert causal_lm.generate_function is None


def attributes_in(file):
    """The private attributes that a module reads, of which it is told whether `self` or `cls` has them."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
            yield node.attr, isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def test_every_private_attribute_is_named_here_and_used_in_one_module_only():
    own = paths.ROOT / "lib" / "models" / "kerashub_private.py"
    assert {attribute for attribute, _ in attributes_in(own)} == PRIVATE
    for file in sorted((paths.ROOT / "lib").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        assert "keras_hub.src" not in text and "keras.src" not in text, file
        if file == own:
            continue
        of_others = {attribute for attribute, is_own in attributes_in(file) if not is_own} - NOT_THEIRS
        inherited = {attribute for attribute, _ in attributes_in(file)} & PRIVATE
        assert not of_others | inherited, f"{file} uses private attributes: {', '.join(of_others | inherited)}"
