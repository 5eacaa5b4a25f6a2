import numpy as np
import pytest

from lib import generation
from lib.errors import UserError

PROMPTS = ["My trip was", "I"]


def texts(causal_lm, sampler, **options):
    return list(generation.generate_samples(causal_lm, PROMPTS, sampler, 24, **options)["text"])


def test_the_same_seed_gives_the_same_texts_and_another_one_others(tiny_lm):
    sampler = generation.make_sampler("top_k", 1, k=5)
    first = texts(tiny_lm, sampler, seed=1)
    function = tiny_lm.generate_function
    assert texts(tiny_lm, sampler, seed=2) != first
    assert texts(tiny_lm, sampler, seed=1) == first
    assert tiny_lm.generate_function is function  # and nothing was compiled anew
    assert texts(tiny_lm, generation.make_sampler("top_k", 1, k=5)) == first


def test_greedy_in_a_batch_is_greedy_alone_and_is_what_generate_gives(tiny_lm):
    sampler = generation.make_sampler("greedy", 1)
    batch = generation.generate_samples(tiny_lm, PROMPTS, sampler, 24)
    for prompt, row in zip(PROMPTS, batch.itertuples(), strict=True):
        alone = generation.generate_samples(tiny_lm, [prompt], sampler, 24).iloc[0]
        assert row.text == alone["text"]
    plain = tiny_lm.generate(PROMPTS, max_length=24, stop_token_ids=None)
    if not batch["ended"].any() and not batch["invalid_bytes"].any():
        assert list(batch["text"]) == plain


def test_new_tokens_leave_out_prompt_and_start_token(tiny_lm):
    samples = generation.generate_samples(tiny_lm, PROMPTS, generation.make_sampler("greedy", 1), 24, num_samples=2)
    assert list(samples["sample"]) == [1, 2, 1, 2]
    for row in samples.itertuples():
        length = 1 + generation.count_tokens(tiny_lm.preprocessor.tokenizer, row.prompt)
        assert generation.prompt_length(tiny_lm, row.prompt, 24) == length
        assert row.new_tokens == 24 - length or row.ended
        assert row.text == row.prompt + row.continuation


def test_a_sampler_is_set_without_touching_the_optimizer(tiny_lm):
    tiny_lm.compile(optimizer="sgd", sampler="greedy")
    generation.use_sampler(tiny_lm, generation.make_sampler("top_k", 1))
    assert type(tiny_lm.optimizer).__name__ == "SGD"


def test_a_text_is_cut_at_its_first_end_token():
    kept, ended = generation.until_end(np.array([5, 6, 2, 7, 2]), 2)
    assert (list(kept), ended) == ([5, 6], True)
    kept, ended = generation.until_end(np.array([5, 6]), 2)
    assert (list(kept), ended) == ([5, 6], False)


def test_bytes_are_restored_and_broken_utf_8_is_seen(tiny_lm):
    tokenizer = tiny_lm.preprocessor.tokenizer
    ids = np.asarray(tokenizer("the 春!"))
    assert generation.token_bytes(ids, tokenizer) == "the 春!".encode()
    assert generation.token_bytes([tokenizer.end_token_id], tokenizer) == b""
    broken = generation.token_bytes(ids[:-2], tokenizer)  # without "!" and the last byte of 春
    assert broken == "the 春".encode()[:-1]


@pytest.mark.parametrize(("max_length", "told"), [(4, "max_length counts the prompt"), (129, "at most 128 tokens")])
def test_a_max_length_that_does_not_fit_is_refused(tiny_lm, max_length, told):
    with pytest.raises(UserError, match=told) as error:
        generation.check_prompts(tiny_lm, ["My trip was"], max_length)
    assert f"max_length is {max_length}" in str(error.value)


def test_unknown_samplers_and_options_are_told():
    with pytest.raises(UserError, match=r"sampler is 'topk'; allowed are greedy, .* Did you mean 'top_k'"):
        generation.make_sampler("topk", 1)
    with pytest.raises(UserError, match="sampler 'top_k' has no option 'q'"):
        generation.make_sampler("top_k", 1, q=3)


def test_describe_names_the_options_that_matter():
    assert generation.describe(generation.make_sampler("greedy", 1)) == "greedy"
    assert (
        generation.describe(generation.make_sampler("top_k", 1, k=7, temperature=0.5)) == "top_k (k=7, temperature=0.5)"
    )
    assert generation.describe(generation.make_sampler("top_p", 1, p=0.9)) == "top_p (p=0.9)"
