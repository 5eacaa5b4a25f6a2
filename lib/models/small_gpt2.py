"""Make a small GPT-2 with a token for every character, to be trained from scratch."""

import keras_nlp

from lib.core.errors import UserError
from lib.models import byte_level, decoding, distribution, memory

END = "<|endoftext|>"
SENTENCE_ENDS = "。？！"


def make(texts: list[str], sequence_length: int, num_layers: int, num_heads: int, hidden_dim: int):
    """Make a GPT-2 with random weights, and a tokenizer with a token for every character of some texts.

    All its classes are KerasHub's, so it is saved and loaded like any other preset. It has no dropout, since a short
    training hardly sees a text twice.

    Args:
        texts: The texts whose characters become tokens.
        sequence_length: The number of positions, in tokens, start token included. Training texts are cut or padded to
            it.
        num_layers: The number of transformer layers.
        num_heads: The number of attention heads in each layer.
        hidden_dim: The width of the hidden states, a multiple of `num_heads`. Feed-forward layers are four times as
            wide.

    Returns:
        A `keras_nlp.models.GPT2CausalLM` with its preprocessor, its `generate` sped up (`decoding.speed_up`). The
        weights depend on the seed that `keras.utils.set_random_seed` set.

    Raises:
        UserError: If `hidden_dim` is not a multiple of `num_heads`.
    """
    if hidden_dim % num_heads:
        raise UserError(
            f"hidden_dim is {hidden_dim} and num_heads {num_heads}; the first must be a multiple of the second, such "
            f"as {num_heads * max(1, round(hidden_dim / num_heads))}."
        )
    tokens, merges = vocabulary(texts)
    distribution.set_up(memory.divided(None, ()))
    backbone = keras_nlp.models.GPT2Backbone(
        vocabulary_size=len(tokens),
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=4 * hidden_dim,
        max_sequence_length=sequence_length,
        dropout=0.0,
    )
    tokenizer = keras_nlp.models.GPT2Tokenizer(
        vocabulary={token: index for index, token in enumerate(tokens)}, merges=merges
    )
    preprocessor = keras_nlp.models.GPT2CausalLMPreprocessor(tokenizer, sequence_length=sequence_length)
    return decoding.speed_up(keras_nlp.models.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor))


def vocabulary(texts: list[str]) -> tuple[list[str], list[str]]:
    """Build a byte-level BPE vocabulary with a token for every character of some texts.

    The bytes of a character are merged from the left. Characters with the same first bytes share those merges. In UTF-8
    the first byte of a character never occurs inside one, so no merge joins parts of two characters, and the order of
    the merges does not matter. Single bytes are tokens too, so any other text can be written with them.

    Args:
        texts: The texts.

    Returns:
        The tokens in the order of their ids, GPT-2's end token last; and the merges for `GPT2Tokenizer`.
    """
    symbols = byte_level.byte_characters()
    merges = {}  # a dictionary, since the order of a set differs between processes
    for character in sorted(set().union(*texts)):
        spelled = [symbols[byte] for byte in character.encode()]
        for end in range(1, len(spelled)):
            merges["".join(spelled[:end]), spelled[end]] = None
    return [*symbols, *("".join(pair) for pair in merges), END], [" ".join(pair) for pair in merges]


def beginnings(texts: list[str], most: int) -> list[str]:
    """Cut each text after its last sentence that fits, so that a model does not learn to stop within a sentence.

    Args:
        texts: The texts.
        most: The maximum length in characters.

    Returns:
        The texts. If even the first sentence is too long, it is cut.
    """
    cut = []
    for text in texts:
        end = max(text.rfind(mark, 0, most) for mark in SENTENCE_ENDS) + 1
        cut.append(text if len(text) <= most else text[: end or most])
    return cut
