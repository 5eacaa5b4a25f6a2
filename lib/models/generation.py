"""Generate texts as a table, counting tokens, and check beforehand that they fit."""

import time

import numpy as np
import pandas as pd

from lib.core import progress
from lib.core.errors import UserError
from lib.models import byte_level, kerashub_private
from lib.models.samplers import AdjustingSampler, SuppressTokens, describe


def use_sampler(causal_lm, sampler) -> None:
    """Set a model's sampler without `compile`, which would also replace the optimizer by a new Adam.

    The next call of `generate` compiles unless the own step has a program for such samplers. An `AdjustingSampler`
    learns whether the model puts a start token before each text.
    """
    inner = sampler.sampler if isinstance(sampler, SuppressTokens) else sampler
    if isinstance(inner, AdjustingSampler) and causal_lm.preprocessor is not None:
        inner.text_start = prompt_length(causal_lm, "", 2)
    kerashub_private.set_sampler(causal_lm, sampler)


def count_tokens(tokenizer, text: str) -> int:
    """Count the tokens of a text, without start and end token."""
    return len(np.asarray(tokenizer(text)))


def prompt_length(causal_lm, prompt: str, max_length: int) -> int:
    """Count the tokens of a prompt in `generate`, start token included."""
    inputs = causal_lm.preprocessor.generate_preprocess([prompt], sequence_length=max_length)
    return int(np.sum(np.asarray(inputs["padding_mask"])))


def check_fits(
    causal_lm, prompts: list[str], max_length: int, *samplers, new_tokens: int = 1, name: str = "max_length"
) -> None:
    """Check that a model can handle some lengths and samplers, before it computes anything.

    Beyond its last position a model fails on TensorFlow and writes nonsense, without an error, on JAX.

    Args:
        causal_lm: The model, with the preprocessor that it trains with.
        prompts: The prompts.
        max_length: The number of tokens of a text, prompt included.
        *samplers: The samplers that the model will use.
        new_tokens: The number of tokens that must fit after each prompt; two where their time is measured.
        name: The name of the parameter that `max_length` comes from, for the message.

    Raises:
        UserError: If the model has too few positions for a length, a prompt leaves no room, or a sampler would choose
            from more tokens than the vocabulary has.
    """
    limit = getattr(causal_lm.backbone, "max_sequence_length", None)
    lengths = {name: max_length, "sequence_length": causal_lm.preprocessor.sequence_length}
    for parameter, length in lengths.items():
        if limit and length > limit:
            raise UserError(f"{parameter} is {length}, but this model holds at most {limit} tokens.")
    for prompt in prompts:
        tokens = prompt_length(causal_lm, prompt, max_length)
        if tokens >= max_length:
            problem = f"the prompt {prompt[:40]!r} alone takes that many tokens or more"
        elif tokens + new_tokens > max_length:
            problem = f"after the prompt {prompt[:40]!r} it leaves room for one token, and timing takes {new_tokens}"
        else:
            continue
        raise UserError(
            f"{name} is {max_length}, but {problem}; {name} counts the prompt. Raise {name} or shorten the prompt."
        )
    vocabulary = causal_lm.backbone.vocabulary_size
    for sampler in samplers:
        if (getattr(sampler, "k", None) or 0) > vocabulary:
            raise UserError(
                f"k is {sampler.k}, but this model knows only {vocabulary:,} tokens to choose from. Lower k."
            )


def generate_samples(
    causal_lm,
    prompts: list[str],
    sampler,
    max_length: int,
    num_samples: int = 1,
    seed: int | None = None,
    label: str = "",
    keep_going: bool = False,
) -> pd.DataFrame:
    """Generate several continuations of several prompts in one batch.

    Every row runs to `max_length`, so that one compiled function serves all. Each text is then cut at its end token.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`.
        prompts: The prompts, none of them empty.
        sampler: The sampler, see `samplers.make_sampler`. It is set on the model if the model has another one.
        max_length: The number of tokens of a text, prompt included.
        num_samples: The number of continuations of each prompt.
        seed: The value to set a random sampler's state to before it draws, so that a call can be repeated exactly. None
            leaves the state as it is.
        label: A name for this set of samples, such as `"before fine-tuning"`.
        keep_going: Whether to suppress the special tokens, which end a text, so that every text reaches `max_length`.

    Returns:
        A row per text: `label`, `prompt`, `sampler`, `seed`, `sample` (from 1), `text`, `continuation`, `prompt_tokens`
        (start token included), `new_tokens` (those before the end token), `token_ids` (a list of the ids of the new
        tokens), `ended` (whether the model wrote an end token), `invalid_bytes` (bytes of the continuation that are not
        valid UTF-8), `batch_seconds` (wall time of the whole batch in seconds, compilation included).

    Raises:
        UserError: If a prompt does not fit.
    """
    check_fits(causal_lm, prompts, max_length, sampler)
    tokenizer = causal_lm.preprocessor.tokenizer
    if keep_going:
        use_sampler(causal_lm, SuppressTokens(sampler, tokenizer.special_token_ids))
    elif causal_lm.sampler is not sampler:
        use_sampler(causal_lm, sampler)
    if seed is not None:
        for state in sampler.variables:
            state.assign(np.array([seed, 0], dtype="uint32"))
    progress.note(f"generating {len(prompts) * num_samples} texts, {label or type(sampler).__name__}")

    batch = [prompt for prompt in prompts for _ in range(num_samples)]
    inputs = causal_lm.preprocessor.generate_preprocess(batch, sequence_length=max_length)
    lengths = np.sum(np.asarray(inputs["padding_mask"]), axis=1)
    generate = causal_lm.make_generate_function()
    start = time.perf_counter()
    token_ids = np.asarray(generate(inputs, stop_token_ids=None)["token_ids"])
    seconds = time.perf_counter() - start

    rows = []
    for index, (prompt, length) in enumerate(zip(batch, lengths, strict=True)):
        new, ended = until_end(token_ids[index, length:], tokenizer.end_token_id)
        content = byte_level.token_bytes(new, tokenizer)
        continuation = content.decode(errors="replace")
        rows.append(
            {
                "label": label,
                "prompt": prompt,
                "sampler": describe(sampler),
                "seed": seed,
                "sample": index % num_samples + 1,
                "text": prompt + continuation,
                "continuation": continuation,
                "prompt_tokens": int(length),
                "new_tokens": len(new),
                "token_ids": new.tolist(),
                "ended": ended,
                "invalid_bytes": byte_level.invalid_bytes(content),
                "batch_seconds": seconds,
            }
        )
    return pd.DataFrame(rows)


def until_end(token_ids: np.ndarray, end_token_id: int) -> tuple[np.ndarray, bool]:
    """Return the tokens before the first end token, and whether there was one."""
    ends = np.flatnonzero(token_ids == end_token_id)
    return (token_ids[: ends[0]], True) if len(ends) else (token_ids, False)
