import numpy as np
import pandas as pd
import pytest

from lib.core import backends
from lib.evaluation import likelihood, text_ends

TEXT = 'I sat. "No!" he said. We'


@pytest.fixture(autouse=True)
def selected(monkeypatch):
    monkeypatch.setattr(backends, "selected", backends.Settings("tensorflow", "float32", False, False, False))


def test_the_tokens_that_end_sentences_are_found(tiny_lm):
    tokenizer = tiny_lm.preprocessor.tokenizer
    tokens = likelihood.prompt_tokens(tiny_lm, TEXT)  # a start token, then a byte a token
    ends = text_ends.sentence_ends(tokens, TEXT, tokenizer)
    assert [TEXT[:place] for place in ends] == ["I sat.", 'I sat. "No!"', 'I sat. "No!" he said.']
    assert text_ends.sentence_ends(tokens[:10], TEXT, tokenizer) == [6]


def test_a_sentence_end_within_a_token_or_after_chinese_is_found_by_its_bytes(tiny_lm):
    tokenizer = tiny_lm.preprocessor.tokenizer
    text = "春. the."
    tokens = likelihood.prompt_tokens(tiny_lm, text)
    ends = text_ends.sentence_ends(tokens, text, tokenizer)
    assert ends == [4, len(tokens) - 1]  # the start token and three bytes stand before the first full stop


def probabilities(tiny_lm, text):
    tokens = likelihood.prompt_tokens(tiny_lm, text)
    logits = np.asarray(tiny_lm({"token_ids": np.array([tokens]), "padding_mask": np.ones((1, len(tokens)))}))[0]
    logits = logits.astype(float) - logits.max(-1, keepdims=True)
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def test_the_probability_of_the_end_token_is_told_by_place(tiny_lm):
    texts = [TEXT, "I ran. We"]
    told = text_ends.EndToken(tiny_lm, texts, 32, k=3).probability()
    end = tiny_lm.preprocessor.tokenizer.end_token_id
    after, text, elsewhere = [], [], []
    for one, ends in zip(texts, ([6, 12, 21], [6]), strict=True):
        own = 100 * probabilities(tiny_lm, one)[:, end]
        after.append(own[ends].mean())
        text.append(own[-1])
        elsewhere.append(np.delete(own, [*ends, len(own) - 1]).mean())
    assert told.after_sentence.value == pytest.approx(np.mean(after), rel=1e-3)
    assert told.after_text.value == pytest.approx(np.mean(text), rel=1e-3)
    assert told.elsewhere.value == pytest.approx(np.mean(elsewhere), rel=1e-3)
    own = 100 * probabilities(tiny_lm, TEXT)[:, end]
    first = np.mean([own[6], 100 * probabilities(tiny_lm, texts[1])[6, end]])
    assert told.after_sentence_by_quarter[:3] == pytest.approx([first, own[12], own[21]], rel=1e-3)
    assert told.after_sentence_by_quarter[3] is None


def test_among_the_k_most_likely_tokens_the_end_token_is_likelier_or_not_there(tiny_lm):
    end = tiny_lm.preprocessor.tokenizer.end_token_id
    all_tokens = tiny_lm.backbone.vocabulary_size
    own = probabilities(tiny_lm, "I ran. We")[6]
    place = int((own > own[end]).sum()) + 1
    for k, expected in ((place, own[end] / np.sort(own)[-place:].sum()), (all_tokens, own[end]), (place - 1, 0.0)):
        if k:
            told = text_ends.EndToken(tiny_lm, ["I ran. We"], 32, k).probability().after_sentence_in_top_k.value
            assert told == pytest.approx(100 * expected, rel=1e-3)


def test_a_text_that_is_cut_has_no_end(tiny_lm):
    told = text_ends.EndToken(tiny_lm, [TEXT], 12, k=3).probability()
    assert told.after_text.value is None and told.after_sentence.value is not None


def test_training_texts_are_as_long_as_what_is_predicted_and_cut_ones_are_counted(tiny_lm):
    texts = ["I ran. We sat.", "I ran. " * 6]
    told = text_ends.training_texts(tiny_lm, texts, 32)
    assert told.tokens == [15, 32]  # a byte a token, and an end token; 42 bytes are cut
    assert (told.texts, told.cut, told.median_tokens) == (2, 1, 23.5)
    assert told.sentences == 2 + 4  # a start token and 31 bytes, in which four full stops stand
    assert told.ends_per_sentence_percent == pytest.approx(100 / 6)


def test_texts_that_a_training_cuts_are_found(tiny_lm):
    texts = ["a" * 31, "b" * 32, "c" * 40, "d" * 50]  # and a start token
    assert text_ends.longer_texts(tiny_lm, texts, 32, 2) == texts[1:3]
    assert text_ends.longer_texts(tiny_lm, texts, 32, 9) == texts[1:]


def test_the_median_length_and_the_share_of_ended_texts_are_told():
    samples = pd.DataFrame({"new_tokens": [10, 20, 40, 197], "ended": [True, True, True, False], "prompt_tokens": 3})
    told = text_ends.lengths(samples, 200)
    assert told.median_new_tokens.value == 30
    assert 10 <= told.median_new_tokens.low <= 30 <= told.median_new_tokens.high <= 197
    assert (told.ended, told.ended_percent.value, told.most_new_tokens) == (3, 75.0, 197)
    assert told.new_tokens == [10, 20, 40, 197] and told.ended_by_model == [True, True, True, False]
