"""Generating text, token by token counted, and laid out as a table."""

import difflib
import inspect
import time

import numpy as np
import pandas as pd

from lib.core import progress
from lib.core.errors import UserError
from lib.evaluation import metrics
from lib.models.convert_smollm2 import byte_characters


def sampler_classes() -> dict:
    """The samplers by name: KerasHub's own and those of `samplers`."""
    import keras_nlp

    from lib.models import samplers

    return {
        "greedy": keras_nlp.samplers.GreedySampler,
        "random": keras_nlp.samplers.RandomSampler,
        "top_k": keras_nlp.samplers.TopKSampler,
        "top_p": keras_nlp.samplers.TopPSampler,
        "beam": keras_nlp.samplers.BeamSampler,
        "contrastive": keras_nlp.samplers.ContrastiveSampler,
        "no_repeat_ngram": samplers.NoRepeatNGramSampler,
        "repetition_penalty": samplers.RepetitionPenaltySampler,
    }


def make_sampler(name: str, seed: int, **options):
    """Makes one of the samplers.

    Args:
        name: `"greedy"`, `"random"`, `"top_k"`, `"top_p"`, `"beam"`, `"contrastive"`, `"no_repeat_ngram"` or
            `"repetition_penalty"`.
        seed: For the samplers that draw at random; the others take none.
        **options: The sampler's own, such as `k`, `p` or `temperature`.

    Raises:
        UserError: If there is no such sampler, it has no such option or the value of one makes no sense.
    """
    check_sampler(name, options)
    sampler_class = sampler_classes()[name]
    draws = "seed" in inspect.signature(sampler_class).parameters
    return sampler_class(**options, **({"seed": seed} if draws else {}))


def check_sampler(name: str, options: dict) -> None:
    """Refuses what `make_sampler` cannot make; see there."""
    from lib.models import samplers

    classes = sampler_classes()
    if not isinstance(name, str) or name not in classes:
        near = difflib.get_close_matches(str(name), classes, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UserError(f"sampler is {name!r}; allowed are {', '.join(classes)}.{hint}")
    parameters = inspect.signature(classes[name]).parameters
    # The seed is no option here, and `generate` cannot handle the scores that come with all beams.
    taken = {*parameters, "temperature"} - {"kwargs", "seed", "return_all_beams"}
    if unknown := set(options) - taken:
        raise UserError(f"sampler {name!r} has no option {min(unknown)!r}; it has {', '.join(sorted(taken))}.")
    for option, value in options.items():
        may_be_none = option in parameters and parameters[option].default is None
        if not (may_be_none and value is None):
            samplers.check(option, value)


def parse_sampler(text: str, seed: int):
    """Makes the sampler that a line such as `"top_k k=5"`, `"random temperature=0.7"` or `"greedy"` names.

    Args:
        text: The sampler's name, then its options, all of them separated by spaces.
        seed: As for `make_sampler`.

    Raises:
        UserError: If the line is not of that form, or for what `make_sampler` refuses.
    """
    try:
        name, *pairs = str(text).split() or [""]
        options = {}
        for pair in pairs:
            option, _, value = pair.partition("=")
            if option in options:
                raise UserError(f"{option} is given twice.")
            options[option] = _number(value)
            if not option or options[option] is None:
                raise UserError(f"{pair!r} is not of the form option=number.")
        check_sampler(name, options)
    except UserError as reason:
        raise UserError(
            f"{text!r} is no sampler: {reason} Write a name and, if need be, options, such as "
            "'greedy', 'top_k k=5' or 'random temperature=0.7'."
        ) from None
    return make_sampler(name, seed, **options)


def parse_samplers(lines: list[str], seed: int, besides: list[str]) -> tuple[list, list[str]]:
    """Makes the samplers that some lines name, each once.

    Args:
        lines: Lines as `parse_sampler` takes them.
        seed: As for `make_sampler`.
        besides: Lines of samplers that are made elsewhere, and are left out here.

    Returns:
        The samplers, and what `describe` says of those that were named again, in whatever words.

    Raises:
        UserError: See `parse_sampler`.
    """
    known = {describe(parse_sampler(line, seed)) for line in besides}
    made, again = [], []
    for sampler in (parse_sampler(line, seed) for line in lines):
        label = describe(sampler)
        (again if label in known else made).append(label if label in known else sampler)
        known.add(label)
    return made, again


def _number(text: str) -> int | float | None:
    """The number that a text is, whole if it looks so; None if it is none."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return None


def use_sampler(causal_lm, sampler) -> None:
    """Sets a model's sampler without `compile`, which would silently replace the optimizer too.

    The generate function compiles anew at the next call. A sampler of `samplers` is told whether the model puts a start
    token before each text.
    """
    from lib.models import samplers

    own = sampler.sampler if isinstance(sampler, samplers.RulingOut) else sampler
    if isinstance(own, samplers.AdjustingSampler) and causal_lm.preprocessor is not None:
        own.text_start = prompt_length(causal_lm, "", 2)
    causal_lm.sampler = sampler
    causal_lm.generate_function = None


def count_tokens(tokenizer, text: str) -> int:
    """The number of tokens of a text, without start and end token."""
    return len(np.asarray(tokenizer(text)))


def prompt_length(causal_lm, prompt: str, max_length: int) -> int:
    """The number of tokens that a prompt takes up in `generate`, a start token included."""
    inputs = causal_lm.preprocessor.generate_preprocess([prompt], sequence_length=max_length)
    return int(np.sum(np.asarray(inputs["padding_mask"])))


def check_fits(
    causal_lm, prompts: list[str], max_length: int, *samplers, new_tokens: int = 1, name: str = "max_length"
) -> None:
    """Refuses lengths and samplers that a model cannot do with, before it computes anything.

    Beyond its last position a model fails on one backend and writes silent nonsense on another.

    Args:
        causal_lm: The model, with the preprocessor that it trains with.
        prompts: The prompts.
        max_length: Tokens in a text, the prompt's included.
        *samplers: The samplers that it is going to use.
        new_tokens: The fewest tokens that must have room after each prompt; two where their time is measured.
        name: What the parameter is called that `max_length` comes from.

    Raises:
        UserError: If a length is more than the model can hold, a prompt leaves no room, or a sampler wants to choose
            from more tokens than there are.
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
        keep_going: Whether the tokens that end a text are ruled out, so that all texts get as long as they may.

    Returns:
        A row per text: `label`, `prompt`, `sampler`, `seed`, `sample` (from 1), `text`, `continuation`, `prompt_tokens`
        (a start token included), `new_tokens` (up to and without the end token), `token_ids` (a list of the new tokens'
        ids), `ended` (whether the model ended the text itself), `invalid_bytes` (bytes of the continuation that are not
        UTF-8), `batch_seconds` (wall time of the whole batch, compiling included).

    Raises:
        UserError: If a prompt does not fit.
    """
    from lib.models import samplers

    check_fits(causal_lm, prompts, max_length, sampler)
    tokenizer = causal_lm.preprocessor.tokenizer
    if keep_going:
        use_sampler(causal_lm, samplers.RulingOut(sampler, tokenizer.special_token_ids))
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
                "prompt_tokens": int(length),
                "new_tokens": len(new),
                "token_ids": new.tolist(),
                "ended": ended,
                "invalid_bytes": metrics.invalid_bytes(content),
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
    names = {sampler_class: name for name, sampler_class in sampler_classes().items()}
    config = sampler.get_config()
    options = ("k", "p", "num_beams", "alpha", "n", "penalty")
    shown = [f"{key}={config[key]}" for key in options if config.get(key) is not None]
    if config.get("temperature", 1.0) != 1.0:
        shown.append(f"temperature={config['temperature']}")
    name = names.get(type(sampler), type(sampler).__name__.removesuffix("Sampler").lower())
    return f"{name} ({', '.join(shown)})" if shown else name
