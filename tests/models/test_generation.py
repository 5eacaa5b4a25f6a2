import contextlib

import numpy as np
import pytest

from lib.core.errors import UserError
from lib.models import byte_level, generation, pretrained, samplers

PROMPTS = ["My trip was", "I"]


def texts(causal_lm, sampler, **options):
    return list(generation.generate_samples(causal_lm, PROMPTS, sampler, 24, **options)["text"])


def test_the_same_seed_gives_the_same_texts_and_another_one_others(tiny_lm):
    sampler = samplers.make_sampler("top_k", 1, k=5)
    first = texts(tiny_lm, sampler, seed=1)
    function = tiny_lm.generate_function
    assert texts(tiny_lm, sampler, seed=2) != first
    assert texts(tiny_lm, sampler, seed=1) == first
    assert tiny_lm.generate_function is function  # and nothing was compiled anew
    assert texts(tiny_lm, samplers.make_sampler("top_k", 1, k=5)) == first


def test_greedy_in_a_batch_is_greedy_alone_and_is_what_generate_gives(tiny_lm):
    sampler = samplers.make_sampler("greedy", 1)
    batch = generation.generate_samples(tiny_lm, PROMPTS, sampler, 24)
    for prompt, row in zip(PROMPTS, batch.itertuples(), strict=True):
        alone = generation.generate_samples(tiny_lm, [prompt], sampler, 24).iloc[0]
        assert row.text == alone["text"]
    plain = tiny_lm.generate(PROMPTS, max_length=24, stop_token_ids=None)
    if not batch["ended"].any() and not batch["invalid_bytes"].any():
        assert list(batch["text"]) == plain


def test_new_tokens_leave_out_prompt_and_start_token(tiny_lm):
    samples = generation.generate_samples(tiny_lm, PROMPTS, samplers.make_sampler("greedy", 1), 24, num_samples=2)
    assert list(samples["sample"]) == [1, 2, 1, 2]
    for row in samples.itertuples():
        length = 1 + generation.count_tokens(tiny_lm.preprocessor.tokenizer, row.prompt)
        assert generation.prompt_length(tiny_lm, row.prompt, 24) == length
        assert row.prompt_tokens == length and type(samples["prompt_tokens"].tolist()[0]) is int
        assert row.new_tokens == 24 - length or row.ended
        assert len(row.token_ids) == row.new_tokens and {type(token) for token in row.token_ids} <= {int}
        tokenizer = tiny_lm.preprocessor.tokenizer
        assert byte_level.token_bytes(row.token_ids, tokenizer).decode(errors="replace") == row.continuation
        assert tokenizer.end_token_id not in row.token_ids
        assert row.text == row.prompt + row.continuation


def test_a_sampler_is_set_without_touching_the_optimizer(tiny_lm):
    tiny_lm.compile(optimizer="sgd", sampler="greedy")
    generation.use_sampler(tiny_lm, samplers.make_sampler("top_k", 1))
    assert type(tiny_lm.optimizer).__name__ == "SGD"


def test_a_text_is_cut_at_its_first_end_token():
    kept, ended = generation.until_end(np.array([5, 6, 2, 7, 2]), 2)
    assert (list(kept), ended) == ([5, 6], True)
    kept, ended = generation.until_end(np.array([5, 6]), 2)
    assert (list(kept), ended) == ([5, 6], False)


@pytest.mark.parametrize(("max_length", "told"), [(4, "max_length counts the prompt"), (129, "at most 128 tokens")])
def test_a_max_length_that_does_not_fit_is_refused(tiny_lm, max_length, told):
    with pytest.raises(UserError, match=told) as error:
        generation.check_fits(tiny_lm, ["My trip was"], max_length)
    assert f"max_length is {max_length}" in str(error.value)


def test_a_sequence_length_beyond_the_model_s_positions_is_refused(tiny_preset):
    """On JAX such a model writes silent nonsense, on TensorFlow it fails in the middle of a training."""
    for length, allowed in ((128, True), (129, False)):
        causal_lm = pretrained.load_causal_lm(str(tiny_preset), sequence_length=length)
        with contextlib.nullcontext() if allowed else pytest.raises(UserError) as error:
            generation.check_fits(causal_lm, ["My trip was"], 20)
    assert str(error.value) == "sequence_length is 129, but this model holds at most 128 tokens."


def test_where_tokens_are_timed_two_must_have_room(tiny_lm):
    tokens = generation.prompt_length(tiny_lm, "My trip was", 100)
    generation.check_fits(tiny_lm, ["My trip was"], tokens + 1)
    generation.check_fits(tiny_lm, ["My trip was"], tokens + 2, new_tokens=2)
    with pytest.raises(
        UserError, match=f"length is {tokens + 1}, but after the prompt 'My trip was' it leaves room for"
    ):
        generation.check_fits(tiny_lm, ["My trip was"], tokens + 1, new_tokens=2, name="length")


@pytest.mark.parametrize("line", ["top_k k={}", "top_p p=0.9 k={}", "contrastive k={} alpha=0.5"])
def test_a_sampler_that_chooses_from_more_tokens_than_there_are_is_refused(tiny_lm, line):
    known = tiny_lm.backbone.vocabulary_size
    generation.check_fits(tiny_lm, ["a"], 20, samplers.parse_sampler(line.format(known), 1))
    sampler = samplers.parse_sampler(line.format(50000), 1)
    for refuses in (generation.check_fits, lambda *given: generation.generate_samples(*given[:2], given[3], given[2])):
        with pytest.raises(UserError, match=f"k is 50000, but this model knows only {known} tokens"):
            refuses(tiny_lm, ["a"], 20, sampler)
