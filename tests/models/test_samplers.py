"""Compares the samplers with their definitions, applied literally to one text at a time.

Run as a script (by `run_apart`, with the folders of a GPT-2 and of a llama preset) it prints what JAX generates.
"""

import json
import sys

import keras
import keras_nlp
import numpy as np
import pytest
from keras import ops

from lib.core.errors import UserError
from lib.core.records import Sampler
from lib.models import decoding, generation, pretrained, samplers

CASES = [f"no_repeat_ngram n={n}" for n in (1, 2, 3, 4)] + [f"repetition_penalty penalty={p}" for p in (1.0, 1.3)]

# Logits that depend on the last token alone, of both signs. 0, the padding, is a token like any other, and 1 begins
# and ends texts, which is likely. Greedy decoding soon goes round in circles here.
TABLE = np.random.default_rng(2).normal(size=(40, 40)).astype("float32")
TABLE[:, 1] += 1
TABLE_PROMPTS = [[1, 5], [1, 7, 7, 7, 0, 7, 9], [1, 3, 4, 3, 4, 3, 4, 3], [1]]
TABLE_LENGTH = 32

PROMPTS = ["My trip was", "I", "the rain the rain the", "床前明月光,床前"]
LENGTH = 48
# The penalty is high, since the tiny models repeat themselves with great confidence.
MODEL_CASES = ["no_repeat_ngram n=2", "no_repeat_ngram n=3", "repetition_penalty penalty=3"]


def compiled(function, xla=True):
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=xla)


def from_table(sampler, text_start, prompts=TABLE_PROMPTS, table=TABLE, length=TABLE_LENGTH, xla=True):
    """What a sampler writes in one batch, in KerasHub's loop."""
    token_ids, mask = np.zeros((len(prompts), length), "int32"), np.zeros((len(prompts), length), bool)
    for row, prompt in enumerate(prompts):
        token_ids[row, : len(prompt)], mask[row, : len(prompt)] = prompt, True

    def following(prompt, cache, index):
        return ops.take(ops.convert_to_tensor(table), ops.take(prompt, index - 1, axis=1), axis=0), None, cache

    def write(token_ids, mask):
        return sampler(next=following, prompt=token_ids, index=min(map(len, prompts)), mask=mask)

    sampler.text_start = text_start
    return np.asarray(compiled(write, xla)(token_ids, mask)).tolist()


def literally(case, logits_of, prompt, length, text_start):
    """A text by the definitions.

    Args:
        case: One of `CASES`.
        logits_of: A function of a list of tokens that gives the next one's logits.
        prompt: A list of tokens.
        length: How many tokens there shall be in the end.
        text_start: How many tokens at the beginning are not text.
    """
    name, option = case.split()
    value = float(option.split("=")[1])
    tokens = list(prompt)
    while len(tokens) < length:
        logits = np.array(logits_of(tokens), "float32")
        text = tokens[text_start:]
        if name == "no_repeat_ngram":
            held = ngrams(text, int(value))
            for token in range(len(logits)):
                if ngrams([*text, token], int(value))[-1:] and ngrams([*text, token], int(value))[-1] in held:
                    logits[token] = -np.inf
        else:
            for token in set(text):
                logits[token] = logits[token] / value if logits[token] > 0 else logits[token] * value
        tokens.append(int(np.argmax(logits)))
    return tokens


def ngrams(tokens, n):
    return [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]


def from_model(causal_lm, case, prompts=PROMPTS):
    samples = generation.generate_samples(causal_lm, prompts, samplers.parse_sampler(case, 1), LENGTH)
    return samples["token_ids"].tolist()


def literal_table(case, text_start):
    return [
        literally(case, lambda tokens: TABLE[tokens[-1]], prompt, TABLE_LENGTH, text_start) for prompt in TABLE_PROMPTS
    ]


@pytest.fixture(scope="module")
def gpt2(presets):
    return pretrained.load_causal_lm(str(presets / "gpt2"), sequence_length=32)


@pytest.fixture(scope="module")
def literal_texts(presets):
    """A function of a kind of model and a case that gives the new tokens of `PROMPTS`, by the definitions."""

    def texts(kind, case):
        causal_lm = pretrained.load_causal_lm(str(presets / kind), sequence_length=32)
        forward = compiled(lambda token_ids: causal_lm({"token_ids": token_ids, "padding_mask": token_ids >= 0}), False)

        def logits_of(tokens):
            token_ids = np.zeros((1, LENGTH), "int32")
            token_ids[0, : len(tokens)] = tokens
            return np.asarray(forward(token_ids))[0, len(tokens) - 1]

        tokenizer, written = causal_lm.preprocessor.tokenizer, []
        start = [tokenizer.start_token_id] if tokenizer.start_token_id is not None else []
        for prompt in PROMPTS:
            tokens = [*start, *np.asarray(tokenizer(prompt)).tolist()]
            new = literally(case, logits_of, tokens, LENGTH, len(start))[len(tokens) :]
            written.append(generation.until_end(np.array(new), tokenizer.end_token_id)[0].tolist())
        return written

    return texts


@pytest.fixture(scope="module")
def on_jax(presets, run_apart):
    return run_apart("models/test_samplers.py", presets / "gpt2", presets / "llama")


@pytest.mark.parametrize("text_start", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_from_a_table_of_logits_they_write_what_the_definitions_say(case, text_start, on_jax):
    expected = literal_table(case, text_start)
    assert from_table(samplers.parse_sampler(case, 1), text_start) == expected
    assert on_jax["table"][f"{case}, {text_start}"] == expected


@pytest.mark.parametrize("case", ["no_repeat_ngram n=3", "repetition_penalty penalty=1.3"])
def test_xla_changes_nothing(case):
    assert from_table(samplers.parse_sampler(case, 1), 1, xla=False) == literal_table(case, 1)


def test_the_table_would_show_a_mistake():
    greedy = from_table(samplers.make_sampler("greedy", 1), 1)
    assert greedy == literal_table("repetition_penalty penalty=1.0", 1)
    assert all(len(set(ngrams(row, 3))) < len(ngrams(row, 3)) for row in greedy)  # loops
    texts = [literal_table(case, text_start) for case in CASES if not case.endswith("=1.0") for text_start in (0, 1)]
    assert greedy not in texts
    unlike = {case: literal_table(case, 0) != literal_table(case, 1) for case in CASES}
    assert unlike["no_repeat_ngram n=1"] and unlike["repetition_penalty penalty=1.3"]


@pytest.mark.parametrize("case", MODEL_CASES)
def test_with_a_model_they_write_what_the_definitions_say(case, gpt2, literal_texts):
    assert from_model(gpt2, case) == literal_texts("gpt2", case)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("case", MODEL_CASES)
def test_so_they_do_on_jax(case, kind, literal_texts, on_jax):
    assert on_jax["own step"] == [True] * len(on_jax["models"])
    assert on_jax["models"][f"{kind}, {case}"] == literal_texts(kind, case) != on_jax["models"][f"{kind}, greedy"]


@pytest.mark.parametrize("case", MODEL_CASES[1:])
def test_in_a_batch_they_write_what_they_write_alone(case, gpt2):
    assert from_model(gpt2, case) == [from_model(gpt2, case, [prompt])[0] for prompt in PROMPTS]


def test_a_penalty_of_1_is_greedy_and_another_one_is_not(gpt2):
    greedy = from_model(gpt2, "greedy")
    assert from_model(gpt2, "repetition_penalty penalty=1") == greedy
    assert from_model(gpt2, "repetition_penalty penalty=1.3") != greedy


@pytest.mark.parametrize("n", [2, 3])
def test_no_n_gram_comes_twice_but_those_of_the_prompt(n, gpt2):
    tokenizer = gpt2.preprocessor.tokenizer
    repeated = {}
    for case in ("greedy", f"no_repeat_ngram n={n}"):
        repeated[case] = 0
        for prompt, new in zip(PROMPTS, from_model(gpt2, case), strict=True):
            tokens = np.asarray(tokenizer(prompt)).tolist()
            grams = ngrams(tokens + new, n)
            repeated[case] += sum(gram in grams[:place] for place, gram in enumerate(grams) if place > len(tokens) - n)
    assert repeated["greedy"] > 10
    assert repeated[f"no_repeat_ngram n={n}"] == 0


def test_a_start_token_does_not_keep_the_text_from_ending():
    table = np.zeros((4, 4), "float32")
    table[:, 1], table[:, 2], table[:, 3] = -1.0, -1.1, -1.2
    table[:, 0] = -9
    for case in ("no_repeat_ngram n=1", "repetition_penalty"):
        sampler = samplers.parse_sampler(case, 1)
        assert from_table(sampler, 1, [[1, 3]], table, 3) == [[1, 3, 1]]
        assert from_table(sampler, 0, [[1, 3]], table, 3) == [[1, 3, 2]]


def test_they_are_told_whether_a_model_has_a_start_token(gpt2, presets):
    sampler = samplers.make_sampler("no_repeat_ngram", 1)
    generation.use_sampler(gpt2, sampler)
    assert sampler.text_start == 1
    generation.use_sampler(pretrained.load_causal_lm(str(presets / "llama"), sequence_length=32), sampler)
    assert sampler.text_start == 0


def test_there_is_a_token_even_if_none_is_left():
    sampler = samplers.NoRepeatNGramSampler(1)
    assert from_table(sampler, 0, [[2]], TABLE[:4, :4], 7)[0][4:] == [0, 0, 0]
    assert from_table(samplers.NoRepeatNGramSampler(9), 0, [[2]], TABLE[:4, :4], 7) == from_table(
        samplers.make_sampler("greedy", 1), 0, [[2]], TABLE[:4, :4], 7
    )  # no room for a single n-gram


@pytest.mark.parametrize(
    ("sampler", "config"),
    [
        (samplers.NoRepeatNGramSampler(2), {"temperature": 1.0, "n": 2}),
        (samplers.RepetitionPenaltySampler(1.5, temperature=0.5), {"temperature": 0.5, "penalty": 1.5}),
    ],
)
def test_they_are_made_again_from_their_config(sampler, config):
    import keras_nlp

    again = keras_nlp.samplers.deserialize(keras_nlp.samplers.serialize(sampler))
    assert type(again) is type(sampler)
    assert again.get_config() == sampler.get_config() == config


@pytest.mark.parametrize("n", [0, -1, 2.0, "3", True, None])
def test_n_must_be_a_length(n):
    with pytest.raises(UserError, match=r"n is .*; allowed are whole numbers from 1 on. Set n to 3"):
        samplers.NoRepeatNGramSampler(n)


@pytest.mark.parametrize("penalty", [0, 0.9, float("nan"), float("inf"), "1.2", True, None])
def test_a_penalty_must_be_one(penalty):
    with pytest.raises(UserError, match=r"penalty is .*; allowed are numbers from 1 \(no penalty\) on. Set penalty to"):
        samplers.RepetitionPenaltySampler(penalty)


def test_which_samplers_choose_token_by_token():
    told = {name: samplers.token_by_token(samplers.make_sampler(name, 1)) for name in samplers.SAMPLERS}
    assert {name for name, is_so in told.items() if not is_so} == {"beam", "contrastive"}


@pytest.mark.parametrize(
    "name", ["greedy", "random", "top_k k=3", "beam num_beams=2", "contrastive k=2 alpha=0.6", "no_repeat_ngram n=2"]
)
def test_a_suppressed_token_is_never_chosen_whatever_the_sampler(name, gpt2):
    sampler = samplers.parse_sampler(name, 1)
    plain = generation.generate_samples(gpt2, PROMPTS, sampler, LENGTH, seed=1)
    common = max((token for row in plain["token_ids"] for token in row), key=[*plain["token_ids"].sum()].count)
    generation.use_sampler(gpt2, samplers.SuppressTokens(sampler, [common]))
    inputs = gpt2.preprocessor.generate_preprocess(PROMPTS, sequence_length=LENGTH)
    written = np.asarray(gpt2.make_generate_function()(inputs, stop_token_ids=None)["token_ids"])
    prompts = np.asarray(inputs["padding_mask"]).astype(bool)
    assert common not in written[~prompts]
    assert samplers.token_by_token(gpt2.sampler) == samplers.token_by_token(sampler)


def test_texts_that_keep_going_never_end_and_draw_on_with_the_same_seed(gpt2):
    sampler = samplers.make_sampler("random", 1)
    going = [
        generation.generate_samples(gpt2, PROMPTS, sampler, LENGTH, 4, seed, keep_going=True) for seed in (1, 1, 2)
    ]
    assert all((batch["new_tokens"] + batch["prompt_tokens"] == LENGTH).all() for batch in going)
    assert not going[0]["ended"].any() and set(going[0]["sampler"]) == {"random"}
    texts = [list(batch["token_ids"]) for batch in going]
    assert texts[0] == texts[1] != texts[2]


def test_a_sampler_that_is_named_twice_in_whatever_words_is_made_once():
    lines = ["top_k k=40", "random", "random temperature=1.0", "top_k k=40 temperature=1", "greedy", "top_p p=0.90"]
    made, again = samplers.parse_samplers(lines, 1, besides=["top_k k=40", "greedy"])
    assert [samplers.describe(sampler) for sampler in made] == ["random", "top_p (p=0.9)"]
    assert again == ["top_k (k=40)", "random", "top_k (k=40)", "greedy"]
    assert samplers.parse_samplers(["random"], 1, besides=["greedy"])[1] == []


def test_unknown_samplers_and_options_are_told():
    with pytest.raises(UserError, match=r"sampler is 'topk'; allowed are greedy, .* Did you mean 'top_k'"):
        samplers.make_sampler("topk", 1)
    with pytest.raises(UserError, match=r"sampler 'top_k' has no option 'q'; it has k, temperature\."):
        samplers.make_sampler("top_k", 1, q=3)
    with pytest.raises(UserError, match="sampler 'beam' has no option 'return_all_beams'"):
        samplers.make_sampler("beam", 1, return_all_beams=True)


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
        samplers.make_sampler(name, 1, **{option: value})
    told = f"{option} is {value!r}; allowed are {allowed}. Set {option} to "
    assert told in str(error.value)
    if type(value) in (int, float):
        with pytest.raises(UserError) as error:
            samplers.parse_sampler(f"{name} {option}={value}", 1)
        assert f"'{name} {option}={value}' is no sampler: {told}" in str(error.value)


def test_top_p_may_do_without_k():
    assert samplers.make_sampler("top_p", 1, p=1, k=None).k is None


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
    sampler = samplers.parse_sampler(text, 7)
    assert samplers.describe(sampler) == described
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
        samplers.parse_sampler(text, 1)
    message = str(error.value)
    assert message.startswith(f"{text!r} is no sampler: ") and "Write a name and, if need be, options" in message


def test_describe_names_the_options_that_matter():
    assert samplers.describe(samplers.make_sampler("greedy", 1)) == "greedy"
    assert samplers.describe(samplers.make_sampler("top_k", 1, k=7, temperature=0.5)) == "top_k (k=7, temperature=0.5)"
    assert samplers.describe(samplers.make_sampler("top_p", 1, p=0.9)) == "top_p (p=0.9)"


def test_the_records_name_the_samplers_and_a_reader_s_own_needs_a_line_here_alone(monkeypatch):
    assert set(Sampler) <= set(samplers.SAMPLERS)
    mine = type("Mine", (keras_nlp.samplers.GreedySampler,), {})
    monkeypatch.setitem(samplers.SAMPLERS, "mine", mine)
    made = samplers.parse_sampler("mine", 1)
    assert type(made) is mine and samplers.describe(made) == "mine"


if __name__ == "__main__":
    found = {"table": {}, "models": {}, "own step": []}
    for case in CASES:
        for text_start in (0, 1):
            found["table"][f"{case}, {text_start}"] = from_table(samplers.parse_sampler(case, 1), text_start)
    for kind, folder in zip(("gpt2", "llama"), sys.argv[1:], strict=True):
        causal_lm = pretrained.load_causal_lm(folder, sequence_length=32)
        for case in ["greedy", *MODEL_CASES]:
            found["models"][f"{kind}, {case}"] = from_model(causal_lm, case)
            found["own step"].append(decoding.uses_own_step(causal_lm))
    print(json.dumps(found))
