import numpy as np
import pandas as pd
import pytest

from lib.evaluation import likelihood, seen
from lib.models import generation, pretrained, samplers


@pytest.fixture
def greedy(tiny_lm):
    """Two texts of greedy decoding that do not end."""
    prompts = ["I", "My trip was"]
    sampler = samplers.make_sampler("greedy", 0)
    return generation.generate_samples(tiny_lm, prompts, sampler, 32, label="greedy", keep_going=True)


def row_of(token_ids, prompt="I", label="greedy"):
    """A text of the given tokens."""
    row = {"label": label, "prompt": prompt, "sampler": "greedy", "seed": None, "token_ids": token_ids}
    return pd.DataFrame([row])


def chances(causal_lm, tokens):
    """The probabilities of the token after these."""
    token_ids = np.array([tokens])
    logits = np.asarray(causal_lm({"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)}), "float64")[0, -1]
    return np.exp(logits) / np.exp(logits).sum()


def test_each_token_has_its_probability_and_its_rank(tiny_lm):
    start = likelihood.prompt_tokens(tiny_lm, "I")
    order = np.argsort(-chances(tiny_lm, start)).tolist()
    written = [order[2], 70, 71]
    (text,) = seen.texts(tiny_lm, [row_of(written)])
    assert text.ranks[0] == 3 and text.tokens == [1, 1, 1] and not text.suppressed
    for place, token in enumerate(written):
        told = chances(tiny_lm, [*start, *written[:place]])
        assert text.probabilities[place] == pytest.approx(told[token], rel=1e-3)
        assert text.ranks[place] == 1 + (told > told[token]).sum()


def test_greedy_decoding_always_writes_the_most_probable_token(tiny_lm, greedy):
    told = seen.texts(tiny_lm, [greedy], keep_going=True)
    assert [text.prompt for text in told] == ["I", "My trip was"]
    for text, row in zip(told, greedy.itertuples(), strict=True):
        assert set(text.ranks) == {1} and len(text.ranks) == row.new_tokens
        assert "".join(text.pieces) == row.continuation and text.suppressed


def test_a_text_without_tokens_has_no_figures(tiny_lm):
    (text,) = seen.texts(tiny_lm, [row_of([])])
    assert text.pieces == text.tokens == text.probabilities == text.ranks == []


def test_a_model_without_a_start_token_sees_the_first_token_too(presets):
    causal_lm = pretrained.load_causal_lm(str(presets / "llama"), sequence_length=32)
    assert likelihood.prompt_tokens(causal_lm, "") == []
    tokens = np.asarray(causal_lm.preprocessor.tokenizer("ab")).tolist()
    (text,) = seen.texts(causal_lm, [row_of(tokens, prompt="")])
    assert text.pieces == ["a", "b"] and len(text.probabilities) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("aé", [("a", 1), ("é", 2)]),
        ("春a", [("春", 3), ("a", 1)]),
        (b"\xe6\x98", [("�", 2)]),  # cut off
        (b"\xe6a", [("�a", 2)]),  # something else comes in place of the rest
        (b"\xff\xe6\x98\xa5", [("�", 1), ("春", 3)]),
        ("", []),
    ],
)
def test_a_piece_is_a_whole_character_or_bytes_that_are_none(tiny_lm, content, told):
    tokenizer = tiny_lm.preprocessor.tokenizer
    content = content if isinstance(content, bytes) else content.encode()
    assert seen.pieces(list(content), tokenizer) == told  # the token of a byte has its number


def test_the_explorer_keeps_the_most_probable_tokens_and_what_is_left(tiny_lm, greedy):
    texts, kept = seen.explore(tiny_lm, [greedy, row_of([70, 71], label="people")], True, ["greedy"])
    assert [text.label for text in texts] == ["greedy", "greedy", "people"]
    assert [text.label for text in kept.texts] == ["greedy", "greedy"]
    assert kept.suppressed and kept.most == seen.MOST and len(kept.vocabulary) >= seen.MOST
    start = likelihood.prompt_tokens(tiny_lm, "I")
    special = tiny_lm.preprocessor.tokenizer.special_token_ids
    text, tokens = kept.texts[0], greedy["token_ids"][0]
    assert "".join(texts[0].pieces).startswith("".join(text.written))
    for place in (0, 5):
        told = chances(tiny_lm, [*start, *tokens[:place]])
        told[list(special)] = 0
        told /= told.sum()
        ordered = np.sort(told)[::-1]
        np.testing.assert_allclose(text.probabilities[place], ordered[: seen.MOST], rtol=2e-3)
        assert text.best[place][0] == text.written_tokens[place] and text.written_ranks[place] == 1
        for temperature, rest in zip(kept.temperatures, text.rest[place], strict=True):
            weights = ordered ** (1 / temperature)
            assert rest == pytest.approx(weights[seen.MOST :].sum() / weights.sum(), rel=1e-2)


def test_no_more_places_are_kept_than_the_page_can_hold(tiny_lm):
    tokens = [70] * (seen.PLACES + 5)
    (text,), kept = seen.explore(tiny_lm, [row_of(tokens)], labels=["greedy"])
    assert len(text.ranks) == len(tokens)
    assert len(kept.texts[0].best) == len(kept.texts[0].written) == seen.PLACES


def test_the_beginning_of_a_text_that_people_wrote_is_given(tiny_lm):
    rows = seen.given(tiny_lm.preprocessor.tokenizer, "春眠不覺曉，處處", 5, "孟浩然 春曉")
    (text,) = seen.texts(tiny_lm, [rows])
    assert (text.label, text.prompt, text.sampler, text.seed) == ("孟浩然 春曉", "春眠不覺曉", "people", None)
    assert text.pieces == ["，", "處", "處"] and text.tokens == [3, 3, 3]
