import keras
import numpy as np
import pytest

from lib.core.errors import UserError
from lib.models import byte_level, pretrained, small_gpt2
from lib.training import batches, fitting, packing

POEMS = [
    "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少？",
    "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。",
    "〇丨𠀀𠀁𠂇，é㐀ab。",  # characters of two, three and four bytes, some with the same first bytes
]


@pytest.fixture
def small():
    """A model whose vocabulary is made of the poems."""
    keras.utils.set_random_seed(1)
    return small_gpt2.make(POEMS, sequence_length=32, num_layers=2, num_heads=2, hidden_dim=16)


def test_every_character_is_one_token_alone_and_in_a_poem(small):
    tokenizer = small.preprocessor.tokenizer
    alone = {character: np.asarray(tokenizer(character)).tolist() for character in set().union(*POEMS)}
    assert {len(token_ids) for token_ids in alone.values()} == {1}
    assert len({token_ids[0] for token_ids in alone.values()}) == len(alone)
    for poem in POEMS:
        assert np.asarray(tokenizer(poem)).tolist() == [alone[character][0] for character in poem]
        assert byte_level.token_bytes(np.asarray(tokenizer(poem)), tokenizer).decode() == poem


@pytest.mark.parametrize("text", ["春眠不觉晓", "An English line, 123!", "鳥 new\nline\tand 春", "𠃑", "žé"])
def test_any_other_text_is_spelled_in_bytes_and_comes_back(small, text):
    tokenizer = small.preprocessor.tokenizer
    token_ids = np.asarray(tokenizer(text))
    assert len(token_ids) > len(set(text) & set().union(*POEMS))
    assert tokenizer.detokenize(token_ids) == text
    assert byte_level.token_bytes(token_ids, tokenizer).decode() == text


def test_the_vocabulary_depends_on_nothing_but_the_characters():
    tokens, merges = small_gpt2.vocabulary(POEMS)
    assert small_gpt2.vocabulary(["".join(reversed(POEMS))]) == (tokens, merges)
    assert len(set(tokens)) == len(tokens) == 256 + len(merges) + 1
    assert tokens[-1] == "<|endoftext|>"


def test_a_saved_model_is_loaded_with_the_same_logits_and_tokens(small, tmp_path):
    pretrained.save(small, tmp_path / "model", "GPT-2 from scratch")
    found = pretrained.find(str(tmp_path / "model"))
    loaded = pretrained.load(found, sequence_length=32)
    assert found.name == "GPT-2 from scratch"
    inputs, own_inputs = loaded.preprocessor(POEMS)[0], small.preprocessor(POEMS)[0]
    np.testing.assert_array_equal(inputs["token_ids"], own_inputs["token_ids"])
    np.testing.assert_array_equal(loaded(inputs), small(own_inputs))


def test_a_training_text_begins_with_the_start_token_and_ends_with_the_end_token(small):
    tokenizer = small.preprocessor.tokenizer
    token_ids, labels, useful = packing.tokenize(small, POEMS[:1])
    assert token_ids[0, 0] == labels[0, len(POEMS[0])] == tokenizer.end_token_id
    assert useful.sum() == len(POEMS[0]) + 1
    assert list(token_ids[0, 1 : len(POEMS[0]) + 1]) == np.asarray(tokenizer(POEMS[0])).tolist()


def test_training_lowers_the_loss(small):
    small.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy", keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss")],
    )
    log = fitting.StepLog(20)
    small.fit(batches.training_batches(POEMS, 3, 20, seed=1), callbacks=[log], shuffle=False, verbose=0)
    losses = log.table()["loss"]
    assert losses.iloc[-1] < 0.5 * losses.iloc[0]


def test_a_hidden_dim_that_cannot_be_divided_is_refused():
    with pytest.raises(UserError, match=r"hidden_dim is 10 and num_heads 4.* such as 8"):
        small_gpt2.make(POEMS, 32, num_layers=1, num_heads=4, hidden_dim=10)


def test_a_poem_is_cut_after_a_sentence():
    assert small_gpt2.beginnings(POEMS[:2], most=24) == POEMS[:2]
    assert small_gpt2.beginnings(POEMS[:2], most=23) == ["春眠不覺曉，處處聞啼鳥。", "白日依山盡，黃河入海流。"]
    assert small_gpt2.beginnings(POEMS[:2], most=12) == ["春眠不覺曉，處處聞啼鳥。", "白日依山盡，黃河入海流。"]
    assert small_gpt2.beginnings(POEMS[:1], most=11) == [POEMS[0][:11]]
