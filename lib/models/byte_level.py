"""Translate the tokens of byte-level BPE into bytes. This module needs no Keras."""

from collections.abc import Iterable


def byte_characters() -> list[str]:
    """List the characters that byte-level BPE writes for the bytes 0 to 255, in that order.

    Printable bytes of Latin-1 stand for themselves, the others for the characters from U+0100 on (Radford et al.,
    Language Models are Unsupervised Multitask Learners, 2019, as in GPT-2's `bytes_to_unicode`).
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


BYTES = {character: byte for byte, character in enumerate(byte_characters())}


def token_bytes(token_ids: Iterable[int], tokenizer) -> bytes:
    """Return the bytes that tokens stand for. Special tokens stand for none.

    Args:
        token_ids: The ids of the tokens.
        tokenizer: A KerasHub tokenizer with a byte-level BPE vocabulary.
    """
    special = set(tokenizer.special_token_ids)
    pieces = "".join(tokenizer.id_to_token(int(token)) for token in token_ids if int(token) not in special)
    return bytes(BYTES[character] for character in pieces)


def invalid_bytes(content: bytes) -> int:
    """Count the bytes that are not part of valid UTF-8 (RFC 3629): all bytes minus those that decoding keeps."""
    return len(content) - len(content.decode(errors="ignore").encode())
