"""Generating text, token by token counted, and laid out as a table."""

import difflib
import inspect
import time

import numpy as np
import pandas as pd

from lib import progress
from lib.errors import UserError
from lib.stand_in import byte_characters


def make_sampler(name: str, seed: int, **options):
    """Makes one of KerasHub's samplers.

    Args:
        name: `"greedy"`, `"random"`, `"top_k"`, `"top_p"`, `"beam"` or `"contrastive"`.
        seed: For the samplers that draw at random; greedy, beam and contrastive take none.
        **options: The sampler's own, such as `k`, `p` or `temperature`.

    Raises:
        UserError: If there is no such sampler or it has no such option.
    """
    import keras_nlp

    samplers = {
        "greedy": keras_nlp.samplers.GreedySampler,
        "random": keras_nlp.samplers.RandomSampler,
        "top_k": keras_nlp.samplers.TopKSampler,
        "top_p": keras_nlp.samplers.TopPSampler,
        "beam": keras_nlp.samplers.BeamSampler,
        "contrastive": keras_nlp.samplers.ContrastiveSampler,
    }
    if name not in samplers:
        near = difflib.get_close_matches(name, samplers, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UserError(f"sampler is {name!r}; allowed are {', '.join(samplers)}.{hint}")
    taken = {*inspect.signature(samplers[name]).parameters, "temperature"} - {"kwargs"}
    if unknown := set(options) - taken:
        raise UserError(f"sampler {name!r} has no option {min(unknown)!r}; it has {', '.join(sorted(taken))}.")
    return samplers[name](**options, **({"seed": seed} if "seed" in taken else {}))


def use_sampler(causal_lm, sampler) -> None:
    """Sets a model's sampler without `compile`, which would silently replace the optimizer too.

    The generate function compiles anew at the next call.
    """
    causal_lm.sampler = sampler
    causal_lm.generate_function = None


def count_tokens(tokenizer, text: str) -> int:
    """The number of tokens of a text, without start and end token."""
    return len(np.asarray(tokenizer(text)))


def prompt_length(causal_lm, prompt: str, max_length: int) -> int:
    """The number of tokens that a prompt takes up in `generate`, a start token included."""
    inputs = causal_lm.preprocessor.generate_preprocess([prompt], sequence_length=max_length)
    return int(np.sum(np.asarray(inputs["padding_mask"])))


def check_prompts(causal_lm, prompts: list[str], max_length: int) -> None:
    """Refuses a `max_length` that leaves no room for a new token, or is more than the model can hold.

    Raises:
        UserError: If so.
    """
    limit = getattr(causal_lm.backbone, "max_sequence_length", None)
    if limit and max_length > limit:
        raise UserError(f"max_length is {max_length}, but this model holds at most {limit} tokens.")
    for prompt in prompts:
        tokens = prompt_length(causal_lm, prompt, max_length)
        if tokens >= max_length:
            raise UserError(
                f"max_length is {max_length}, but the prompt {prompt[:40]!r} alone takes that many tokens or more; "
                "max_length counts the prompt. Raise max_length or shorten the prompt."
            )


def generate_samples(
    causal_lm,
    prompts: list[str],
    sampler,
    max_length: int,
    num_samples: int = 1,
    seed: int | None = None,
    label: str = "",
) -> pd.DataFrame:
    """Generates several continuations of several prompts in one batch.

    Every row runs to `max_length`, so that one compiled function serves all; a text is then cut at its end token.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`.
        prompts: The prompts, none empty.
        sampler: What `make_sampler` returned. It is set on the model if another one was.
        max_length: Tokens in a text, the prompt's included.
        num_samples: Continuations of each prompt.
        seed: What to set a random sampler's state to before it draws, so that a call can be repeated exactly. None
            leaves the state as it is.
        label: A name for this set of samples, such as `"before fine-tuning"`.

    Returns:
        A row per text: `label`, `prompt`, `sampler`, `seed`, `sample` (from 1), `text`, `continuation`, `new_tokens`
        (up to and without the end token), `ended` (whether the model ended the text itself), `invalid_bytes` (bytes
        of the continuation that are not UTF-8), `batch_seconds` (wall time of the whole batch, compiling included).

    Raises:
        UserError: If a prompt does not fit.
    """
    check_prompts(causal_lm, prompts, max_length)
    if causal_lm.sampler is not sampler:
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

    tokenizer = causal_lm.preprocessor.tokenizer
    rows = []
    for index, (prompt, length) in enumerate(zip(batch, lengths, strict=True)):
        new, ended = until_end(token_ids[index, length:], tokenizer.end_token_id)
        content = token_bytes(new, tokenizer)
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
                "new_tokens": len(new),
                "ended": ended,
                "invalid_bytes": len(content) - len(content.decode(errors="ignore").encode()),
                "batch_seconds": seconds,
            }
        )
    return pd.DataFrame(rows)


def until_end(token_ids: np.ndarray, end_token_id: int) -> tuple[np.ndarray, bool]:
    """The tokens before the first end token, and whether there was one."""
    ends = np.flatnonzero(token_ids == end_token_id)
    return (token_ids[: ends[0]], True) if len(ends) else (token_ids, False)


def token_bytes(token_ids, tokenizer) -> bytes:
    """The bytes that byte-level BPE tokens stand for; special tokens stand for none."""
    special = set(tokenizer.special_token_ids)
    byte_of = {character: byte for byte, character in enumerate(byte_characters())}
    pieces = "".join(tokenizer.id_to_token(int(token)) for token in token_ids if int(token) not in special)
    return bytes(byte_of[character] for character in pieces)


def describe(sampler) -> str:
    """A sampler's name with the options that matter, such as `top_k (k=5)`."""
    names = {"GreedySampler": "greedy", "RandomSampler": "random", "TopKSampler": "top_k", "TopPSampler": "top_p"}
    config = sampler.get_config()
    shown = [f"{key}={config[key]}" for key in ("k", "p", "num_beams", "alpha") if config.get(key) is not None]
    if config.get("temperature", 1.0) != 1.0:
        shown.append(f"temperature={config['temperature']}")
    name = names.get(type(sampler).__name__, type(sampler).__name__.removesuffix("Sampler").lower())
    return f"{name} ({', '.join(shown)})" if shown else name
