import contextlib

import numpy as np
import pytest

from lib.core.errors import UserError
from lib.models import generation, pretrained

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
        assert row.prompt_tokens == length and type(samples["prompt_tokens"].tolist()[0]) is int
        assert row.new_tokens == 24 - length or row.ended
        assert len(row.token_ids) == row.new_tokens and {type(token) for token in row.token_ids} <= {int}
        tokenizer = tiny_lm.preprocessor.tokenizer
        assert generation.token_bytes(row.token_ids, tokenizer).decode(errors="replace") == row.continuation
        assert tokenizer.end_token_id not in row.token_ids
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
    generation.check_fits(tiny_lm, ["a"], 20, generation.parse_sampler(line.format(known), 1))
    sampler = generation.parse_sampler(line.format(50000), 1)
    for refuses in (generation.check_fits, lambda *given: generation.generate_samples(*given[:2], given[3], given[2])):
        with pytest.raises(UserError, match=f"k is 50000, but this model knows only {known} tokens"):
            refuses(tiny_lm, ["a"], 20, sampler)


def test_a_sampler_that_is_named_twice_in_whatever_words_is_made_once():
    lines = ["top_k k=40", "random", "random temperature=1.0", "top_k k=40 temperature=1", "greedy", "top_p p=0.90"]
    made, again = generation.parse_samplers(lines, 1, besides=["top_k k=40", "greedy"])
    assert [generation.describe(sampler) for sampler in made] == ["random", "top_p (p=0.9)"]
    assert again == ["top_k (k=40)", "random", "top_k (k=40)", "greedy"]
    assert generation.parse_samplers(["random"], 1, besides=["greedy"])[1] == []


def test_unknown_samplers_and_options_are_told():
    with pytest.raises(UserError, match=r"sampler is 'topk'; allowed are greedy, .* Did you mean 'top_k'"):
        generation.make_sampler("topk", 1)
    with pytest.raises(UserError, match=r"sampler 'top_k' has no option 'q'; it has k, temperature\."):
        generation.make_sampler("top_k", 1, q=3)
    with pytest.raises(UserError, match="sampler 'beam' has no option 'return_all_beams'"):
        generation.make_sampler("beam", 1, return_all_beams=True)


BAD_VALUES = [
    ("top_k", "k", 0, "whole numbers from 1 on"),
    ("top_k", "k", 2.5, "whole numbers from 1 on"),
    ("top_k", "k", None, "whole numbers from 1 on"),
    ("contrastive", "k", -1, "whole numbers from 1 on"),
    ("top_p", "p", 0, "numbers above 0, up to 1"),
    ("top_p", "p", 2, "numbers above 0, up to 1"),
    ("top_p", "k", 0, "whole numbers from 1 on"),
    ("random", "temperature", 0, "numbers above 0"),
    ("random", "temperature", float("nan"), "numbers above 0"),
    ("random", "temperature", "hot", "numbers above 0"),
    ("greedy", "temperature", float("inf"), "numbers above 0"),
    ("beam", "num_beams", 0, "whole numbers from 1 to 100"),
    ("beam", "num_beams", 100_000, "whole numbers from 1 to 100"),
    ("contrastive", "alpha", 1.1, "numbers from 0 to 1"),
    ("contrastive", "alpha", -0.1, "numbers from 0 to 1"),
    ("contrastive", "alpha", True, "numbers from 0 to 1"),
    ("no_repeat_ngram", "n", 0, "whole numbers from 1 on"),
    ("repetition_penalty", "penalty", 0.9, "numbers from 1 (no penalty) on"),
]


@pytest.mark.parametrize(("name", "option", "value", "allowed"), BAD_VALUES)
def test_values_that_make_no_sense_are_refused(name, option, value, allowed):
    with pytest.raises(UserError) as error:
        generation.make_sampler(name, 1, **{option: value})
    told = f"{option} is {value!r}; allowed are {allowed}. Set {option} to "
    assert told in str(error.value)
    if type(value) in (int, float):
        with pytest.raises(UserError) as error:
            generation.parse_sampler(f"{name} {option}={value}", 1)
        assert f"'{name} {option}={value}' is no sampler: {told}" in str(error.value)


def test_top_p_may_do_without_k():
    assert generation.make_sampler("top_p", 1, p=1, k=None).k is None


@pytest.mark.parametrize(
    ("text", "described"),
    [
        ("greedy", "greedy"),
        ("top_k k=5", "top_k (k=5)"),
        ("top_p p=0.9", "top_p (p=0.9)"),
        ("  top_p   k=20 p=.5 ", "top_p (k=20, p=0.5)"),
        ("random temperature=0.7", "random (temperature=0.7)"),
        ("random temperature=2", "random (temperature=2)"),
        ("beam", "beam (num_beams=5)"),
        ("contrastive k=5 alpha=0.6", "contrastive (k=5, alpha=0.6)"),
        ("contrastive alpha=1e-1", "contrastive (k=5, alpha=0.1)"),
        ("no_repeat_ngram n=3", "no_repeat_ngram (n=3)"),
        ("repetition_penalty", "repetition_penalty (penalty=1.2)"),
    ],
)
def test_a_sampler_is_read_from_a_line(text, described):
    sampler = generation.parse_sampler(text, 7)
    assert generation.describe(sampler) == described
    assert getattr(sampler, "seed", 7) == 7


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("topk k=5", "sampler is 'topk'; allowed are greedy, .*, repetition_penalty. Did you mean 'top_k'"),
        ("", "sampler is ''; allowed are greedy"),
        (None, "sampler is 'None'; allowed are greedy"),
        ("k=5", "sampler is 'k=5'; allowed are greedy"),
        ("top_k q=5", "sampler 'top_k' has no option 'q'; it has k, temperature"),
        ("top_k seed=5", "sampler 'top_k' has no option 'seed'; it has k, temperature"),
        ("top_k name=5", "sampler 'top_k' has no option 'name'; it has k, temperature"),
        ("top_k 5", "'5' is not of the form option=number"),
        ("top_k k=", "'k=' is not of the form option=number"),
        ("top_k =5", "'=5' is not of the form option=number"),
        ("top_k k=five", "'k=five' is not of the form option=number"),
        ("top_k k = 5", "'k' is not of the form option=number"),
        ("top_k k=5 k=6", "k is given twice"),
        ("top_k k=5.0", "k is 5.0; allowed are whole numbers from 1 on"),
        ("random temperature=nan", "temperature is nan; allowed are numbers above 0"),
    ],
)
def test_a_line_that_names_no_sampler_is_told(text, told):
    with pytest.raises(UserError, match=told) as error:
        generation.parse_sampler(text, 1)
    message = str(error.value)
    assert message.startswith(f"{text!r} is no sampler: ") and "Write a name and, if need be, options" in message


def test_describe_names_the_options_that_matter():
    assert generation.describe(generation.make_sampler("greedy", 1)) == "greedy"
    assert (
        generation.describe(generation.make_sampler("top_k", 1, k=7, temperature=0.5)) == "top_k (k=7, temperature=0.5)"
    )
    assert generation.describe(generation.make_sampler("top_p", 1, p=0.9)) == "top_p (p=0.9)"
