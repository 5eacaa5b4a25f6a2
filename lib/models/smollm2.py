"""Define SmolLM2 for KerasHub: its Llama classes, with the config that a saved SmolLM2 needs to be loaded again.

KerasHub 0.32 reads a SmolLM2 checkpoint as Llama 3, with three faults. A saved preset does not record that the input
and output embeddings are tied. It does not record the names of the special tokens either, so it cannot be loaded. And
`generate` puts the start token before the prompt even if the preprocessor says `add_start_token=False`, so that every
continuation begins as a chat. The classes here record both in their config, and have no start token.
"""

import keras
import keras_nlp

from lib.models import kerashub_private

register = keras.saving.register_keras_serializable(package="gpt2_text_generation")


@register
class SmolLM2Backbone(keras_nlp.models.Llama3Backbone):
    """A Llama backbone whose config records whether its embeddings are tied."""

    def get_config(self):
        return {**super().get_config(), "tie_word_embeddings": self.tie_word_embeddings}


@register
class SmolLM2Tokenizer(keras_nlp.models.Llama3Tokenizer):
    """Byte-level BPE with SmolLM2's special tokens and no start token.

    Args:
        vocabulary: A dictionary from tokens to their ids.
        merges: The merge rules, in order.
        special_tokens: All special tokens. They are never split, and are left out of generated texts.
        end_token: The special token that ends a text.
        **kwargs: As for `keras_nlp.tokenizers.BytePairTokenizer`.
    """

    backbone_cls = SmolLM2Backbone

    def __init__(self, vocabulary=None, merges=None, special_tokens=(), end_token="<|im_end|>", **kwargs):
        self.special_names = sorted(special_tokens)
        kerashub_private.add_special_token(self, end_token, "end_token")
        for index, token in enumerate(self.special_names):
            if token != end_token:
                kerashub_private.add_special_token(self, token, f"special_token_{index:03d}")
        self.start_token_id = None
        self.pad_token_id = 0
        # Not the constructor of Llama3Tokenizer, which would add Llama's special tokens and a start token.
        keras_nlp.tokenizers.BytePairTokenizer.__init__(self, vocabulary=vocabulary, merges=merges, **kwargs)

    def get_config(self):
        return {**super().get_config(), "special_tokens": self.special_names, "end_token": self.end_token}


@register
class SmolLM2CausalLMPreprocessor(keras_nlp.models.Llama3CausalLMPreprocessor):
    """Llama's preprocessor with SmolLM2's tokenizer."""

    backbone_cls = SmolLM2Backbone
    tokenizer_cls = SmolLM2Tokenizer


@register
class SmolLM2CausalLM(keras_nlp.models.Llama3CausalLM):
    """Llama's language model with SmolLM2's backbone."""

    backbone_cls = SmolLM2Backbone
    preprocessor_cls = SmolLM2CausalLMPreprocessor
