import subprocess
import sys

import numpy as np
import pytest

from lib.core import paths
from lib.models import byte_level


def test_byte_characters_are_gpt_2_s():
    characters = byte_level.byte_characters()
    assert len(set(characters)) == 256
    assert characters[ord("A")] == "A"
    assert characters[ord(" ")] == "Ġ"
    assert characters[ord("\n")] == "Ċ"


def test_bytes_are_restored_and_broken_utf_8_is_seen(tiny_lm):
    tokenizer = tiny_lm.preprocessor.tokenizer
    ids = np.asarray(tokenizer("the 春!"))
    assert byte_level.token_bytes(ids, tokenizer) == "the 春!".encode()
    assert byte_level.token_bytes([tokenizer.end_token_id], tokenizer) == b""
    broken = byte_level.token_bytes(ids[:-2], tokenizer)  # without "!" and the last byte of 春
    assert broken == "the 春".encode()[:-1]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", 0),
        (b"a", 0),
        ("春 the �".encode(), 0),  # the replacement character itself is valid
        ("春".encode()[:-1], 2),
        ("春".encode()[1:] + b"a", 2),
        (b"a\xffb", 1),
        (b"\x80\x80\x80", 3),
        (b"\xed\xa0\x80", 3),  # half a surrogate pair
    ],
)
def test_bytes_that_are_not_utf_8_are_counted(content, expected):
    assert byte_level.invalid_bytes(content) == expected


def test_it_and_the_estimate_of_memory_need_no_keras():
    code = (
        "import sys; from lib.models import byte_level, memory; assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, check=True)
