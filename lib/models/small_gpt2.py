"""A small GPT-2 with a token for every character, trained from nothing."""

from lib.core.errors import UserError
from lib.models import convert_smollm2

END = "<|endoftext|>"
SENTENCE_END = "。？！"


def make(texts: list[str], sequence_length: int, num_layers: int, num_heads: int, hidden_dim: int):
    """Makes a GPT-2 with random weights whose tokenizer has a token for every character of some texts.

    It is KerasHub's own in every part, so that it is saved as a preset and loaded as any other. Nothing is dropped in
    training, since a short training sees hardly a text twice.

    Args:
        texts: The texts whose characters become tokens.
        sequence_length: The most tokens of a text, start token included; training texts are cut or padded to it.
        num_layers: Transformer layers.
        num_heads: Attention heads in each.
        hidden_dim: The width of the hidden states, a multiple of `num_heads`. Feed-forward layers are four times as
            wide.

    Returns:
        A `keras_nlp.models.GPT2CausalLM` with its preprocessor, its `generate` sped up (`decoding.speed_up`). What is
        random is drawn from Keras' global seed.

    Raises:
        UserError: If `hidden_dim` cannot be divided among the heads.
    """
    import keras_nlp

    from lib.models import decoding

    if hidden_dim % num_heads:
        raise UserError(
            f"hidden_dim is {hidden_dim} and num_heads {num_heads}; the first must be a multiple of the second, such "
            f"as {num_heads * max(1, round(hidden_dim / num_heads))}."
        )
    tokens, merges = vocabulary(texts)
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
    """A byte-level BPE vocabulary with a token for every character of some texts.

    The bytes of a character are merged from the left; characters whose first bytes are the same share those merges. In
    UTF-8 a byte that begins a character never stands inside one, so no merge joins parts of two characters, and their
    order does not matter. Single bytes are tokens too: whatever else is written is spelled with them.

    Args:
        texts: The texts.

    Returns:
        The tokens in the order of their ids, GPT-2's end token last, and the merges as `GPT2Tokenizer` takes them.
    """
    symbols = convert_smollm2.byte_characters()
    merges = {}  # a dict, not a set, which has another order in every process
    for character in sorted(set().union(*texts)):
        spelled = [symbols[byte] for byte in character.encode()]
        for end in range(1, len(spelled)):
            merges["".join(spelled[:end]), spelled[end]] = None
    return [*symbols, *("".join(pair) for pair in merges), END], [" ".join(pair) for pair in merges]


def beginnings(texts: list[str], most: int) -> list[str]:
    """Cuts each text after the last of its sentences that fits, so that a model does not learn to stop within one.

    Args:
        texts: The texts.
        most: Characters that may be left.

    Returns:
        The texts; one whose first sentence is longer than that is cut within it.
    """
    cut = []
    for text in texts:
        end = max(text.rfind(mark, 0, most) for mark in SENTENCE_END) + 1
        cut.append(text if len(text) <= most else text[: end or most])
    return cut
