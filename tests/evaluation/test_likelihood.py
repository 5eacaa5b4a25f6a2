import math

import numpy as np
import pandas as pd
import pytest

from lib.core.errors import UserError
from lib.evaluation import likelihood
from lib.models import generation, samplers


def by_hand(causal_lm, row):
    """The nats of the tokens after the first, from the logits of this row alone."""
    token_ids = np.array([row])
    logits = np.asarray(causal_lm({"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)}), "float64")[0]
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return [-log_probabilities[place, token] for place, token in enumerate(row[1:])]


def test_nats_are_those_of_each_row_alone_whatever_lies_beside_it(tiny_lm):
    texts = ["My trip was", "I", "春眠不覺", "", "a", "some more words"]  # more than one batch, of other lengths
    rows = [likelihood.prompt_tokens(tiny_lm, text) for text in texts]
    assert [len(row) for row in rows] == [1 + len(text.encode()) for text in texts]  # a byte a token, and the start
    for own, row in zip(likelihood.nats(tiny_lm, rows), rows, strict=True):
        np.testing.assert_allclose(own, by_hand(tiny_lm, row), rtol=1e-4)


def test_log_probabilities_are_of_the_whole_vocabulary_without_what_is_suppressed(tiny_lm):
    rows = [likelihood.prompt_tokens(tiny_lm, text) for text in ("My trip was", "I", "a", "b", "some words")]
    for row, told in zip(rows, likelihood.log_probabilities(tiny_lm, rows), strict=True):
        assert told.shape == (len(row) - 1, tiny_lm.backbone.vocabulary_size)
        np.testing.assert_allclose(
            [-told[place, token] for place, token in enumerate(row[1:])], by_hand(tiny_lm, row), 1e-4
        )
    whole, *_ = likelihood.log_probabilities(tiny_lm, rows)
    told, *_ = likelihood.log_probabilities(tiny_lm, rows, [3, 5])
    assert np.isneginf(told[:, [3, 5]]).all()
    left = 1 - np.exp(whole[:, [3, 5]]).sum(axis=-1)
    np.testing.assert_allclose(np.exp(told[:, 4]), np.exp(whole[:, 4]) / left, rtol=1e-4)


def test_choices_are_those_of_greedy_decoding_and_of_top_k_sampling(tiny_lm):
    rows = [likelihood.prompt_tokens(tiny_lm, text) for text in ("My trip was", "I", "a", "b", "some words")]
    for row, told in zip(rows, likelihood.choices(tiny_lm, rows, 3), strict=True):
        token_ids = np.array([row])
        inputs = {"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)}
        logits = np.asarray(tiny_lm(inputs), "float64")[0]
        assert told.shape == (len(row) - 1, 3)
        np.testing.assert_allclose(told[:, 0], np.exp(-np.array(by_hand(tiny_lm, row))), rtol=1e-4)
        for place, token in enumerate(row[1:]):
            best = np.argsort(-logits[place])[:3]
            weights = np.exp(logits[place][best])
            drawn = dict(zip(best.tolist(), weights / weights.sum(), strict=True)).get(token, 0.0)
            assert told[place, 1] == (token == best[0])
            assert told[place, 2] == pytest.approx(drawn, rel=1e-4)


def test_a_suppressed_token_is_not_chosen_and_leaves_its_probability_to_the_others(tiny_lm):
    start = likelihood.prompt_tokens(tiny_lm, "I")
    inputs = {"token_ids": np.array([start]), "padding_mask": np.ones((1, len(start)), int)}
    logits = np.asarray(tiny_lm(inputs), "float64")[0, -1]
    best, second = np.argsort(-logits)[:2].tolist()
    chances = np.exp(logits) / np.exp(logits).sum()
    told = [own[-1] for own in likelihood.choices(tiny_lm, [[*start, best], [*start, second]], 1, [best])]
    assert told[0].tolist() == [0, 0, 0]
    assert told[1] == pytest.approx([chances[second] / (1 - chances[best]), 1, 1], rel=1e-4)


def test_the_most_probable_token_is_chosen_by_greedy_decoding_and_most_often_by_top_k_sampling(tiny_lm):
    start = likelihood.prompt_tokens(tiny_lm, "I")
    inputs = {"token_ids": np.array([start]), "padding_mask": np.ones((1, len(start)), int)}
    best, second, third = np.argsort(-np.asarray(tiny_lm(inputs))[0, -1])[:3].tolist()
    told = [own[-1] for own in likelihood.choices(tiny_lm, [[*start, token] for token in (best, second, third)], 2)]
    assert [own[1] for own in told] == [1, 0, 0]
    assert told[0][2] > told[1][2] > told[2][2] == 0 and told[0][2] + told[1][2] == pytest.approx(1, rel=1e-5)
    everything = likelihood.choices(tiny_lm, [[*start, best]], 10**6)[0]  # more than there are tokens
    assert everything[-1, 2] == pytest.approx(everything[-1, 0], rel=1e-5)


def test_the_perplexity_is_of_the_continuation_alone(tiny_lm):
    samples = pd.DataFrame({"prompt": ["My trip", "I"], "token_ids": [[5, 9, 11], []]})
    first, second = likelihood.perplexities(tiny_lm, samples)
    row = [*likelihood.prompt_tokens(tiny_lm, "My trip"), 5, 9, 11]
    assert first == pytest.approx(math.exp(np.mean(by_hand(tiny_lm, row)[-3:])), rel=1e-4)
    assert math.isnan(second)


def test_bits_per_character_leave_out_what_is_given(tiny_lm):
    told = likelihood.held_out(tiny_lm, ["春眠不", "我ab"], 32)
    first, second = (by_hand(tiny_lm, likelihood.prompt_tokens(tiny_lm, text)) for text in ("春眠不", "我ab"))
    nats = sum(first[3:]) + sum(second[3:])  # without the three bytes of the first character
    assert (told.texts, told.max_length, told.cut_to) == (2, 32, None)
    assert (told.tokens, told.characters) == (6 + 2, 2 + 2)
    assert told.nats == pytest.approx(nats, rel=1e-4)
    assert told.loss == pytest.approx(nats / 8, rel=1e-4)
    assert told.perplexity == pytest.approx(math.exp(nats / 8), rel=1e-4)
    assert told.bits_per_character == pytest.approx(nats / math.log(2) / 4, rel=1e-4)
    assert told.by_text == [pytest.approx(sum(own[3:]) / math.log(2) / 2, rel=1e-4) for own in (first, second)]


def test_texts_are_cut_to_characters_or_to_the_context(tiny_lm):
    whole = likelihood.held_out(tiny_lm, ["abcdefgh"], 32)
    cut = likelihood.held_out(tiny_lm, ["abcdefghij"], 32, characters=8)
    assert cut.nats == pytest.approx(whole.nats) and cut.cut_to == 8
    assert likelihood.held_out(tiny_lm, ["abcdefghij"], 9).nats == pytest.approx(whole.nats)  # and the start token
    assert likelihood.held_out(tiny_lm, ["abcdefghij"], 32, given=4).characters == 6


def test_a_text_without_anything_to_predict_has_no_figure(tiny_lm):
    told = likelihood.held_out(tiny_lm, ["", "a", "春", "ab"], 32)
    assert told.by_text == [None, None, None, pytest.approx(told.bits_per_character)]
    assert (told.tokens, told.characters) == (1, 1)


def test_texts_without_anything_to_predict_are_refused(tiny_lm):
    with pytest.raises(UserError, match="3 held-out texts were to be judged, and after the first character of each"):
        likelihood.held_out(tiny_lm, ["", "a", "春"], 32)


def test_a_text_all_of_one_character_counts_each_of_them(tiny_lm):
    assert likelihood.held_out(tiny_lm, ["aaaa"], 32).characters == 3
    assert likelihood.held_out(tiny_lm, ["春春春春"], 32).characters == 3


def test_what_greedy_decoding_writes_is_always_the_most_probable_token(tiny_lm):
    texts = generation.generate_samples(
        tiny_lm, ["I", "We", "The man"], samplers.make_sampler("greedy", 0), 32, label="greedy", keep_going=True
    )
    prompts = [likelihood.prompt_tokens(tiny_lm, prompt) for prompt in texts["prompt"]]
    rows = [[*prompt, *new] for prompt, new in zip(prompts, texts["token_ids"], strict=True)]
    special = tiny_lm.preprocessor.tokenizer.special_token_ids
    for prompt, told in zip(prompts, likelihood.choices(tiny_lm, rows, 3, special), strict=True):
        assert len(told) == 31 and told[len(prompt) - 1 :, 1].all()
