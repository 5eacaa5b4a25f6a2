"""Make the samplers by name. Two of them are defined here, since KerasHub lacks them.

To add a sampler, write its class here and add a line to `SAMPLERS`; if it has an option that no other sampler has, add
a line to `OPTIONS` too. The notebooks, the command line and the panel then know it.

The two samplers defined here are greedy, and keep greedy decoding from repeating itself. KerasHub's own loop does the
work: a sampler gets the logits of the next token from a function, and here that function is wrapped, so that the loop
sees logits that depend on the text so far.
"""

import copy
import difflib
import inspect
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass

import keras
import keras_nlp
from keras import ops

from lib.core.errors import UserError
from lib.core.records import Sampler
from lib.models import gpu_kernels

register = keras.saving.register_keras_serializable(package="gpt2_text_generation")

# The logit of a token that must not be chosen. It is finite, so that the softmax is defined even if no token is left;
# the sampler then chooses the token with the lowest id.
SUPPRESSED = -1e9
IN_PROGRAM = ("temperature", "p", "penalty")  # options that a compiled program takes as arguments


@dataclass(frozen=True)
class Option:
    """An option of one or more samplers.

    Attributes:
        kind: The type of its values, `numbers.Integral` or `numbers.Real`.
        is_allowed: Tells whether a value of that type is allowed.
        allowed: The allowed values in words.
        example: An allowed value.
        lowest: The lowest value that the panel offers.
        highest: The highest value that the panel offers; None for the number of tokens in the vocabulary.
        step: The step between two values in the panel.
        without_effect: A value that changes nothing, so that `describe` leaves it out; None if there is none.
    """

    kind: type
    is_allowed: Callable[[float], bool]
    allowed: str
    example: float
    lowest: float
    highest: float | None
    step: float
    without_effect: float | None = None


_whole, _real = numbers.Integral, numbers.Real
_from_1 = "whole numbers from 1 on"

OPTIONS: dict[str, Option] = {  # in the order in which `describe` writes them
    "k": Option(_whole, lambda k: k >= 1, _from_1, 5, 1, None, 1),
    "p": Option(_real, lambda p: 0 < p <= 1, "numbers above 0, up to 1", 0.9, 0.01, 1.0, 0.05),
    "num_beams": Option(_whole, lambda beams: 1 <= beams <= 100, "whole numbers from 1 to 100", 5, 1, 50, 1),
    "alpha": Option(_real, lambda alpha: 0 <= alpha <= 1, "numbers from 0 to 1", 0.6, 0.0, 1.0, 0.1),
    "n": Option(_whole, lambda n: n >= 1, _from_1, 3, 1, 100, 1),
    "penalty": Option(_real, lambda p: 1 <= p < math.inf, "numbers from 1 (no penalty) on", 1.2, 1.0, 10.0, 0.1),
    "temperature": Option(_real, lambda t: 0 < t < math.inf, "numbers above 0", 0.7, 0.01, 10.0, 0.1, 1.0),
}


def check_option(name: str, value) -> None:
    """Check a value of one of the `OPTIONS`.

    Raises:
        UserError: If it is not allowed.
    """
    option = OPTIONS[name]
    if not isinstance(value, option.kind) or isinstance(value, bool) or not option.is_allowed(value):
        raise UserError(
            f"{name} is {value!r}; allowed are {option.allowed}. Set {name} to {option.example}, for example."
        )


class AdjustingSampler(keras_nlp.samplers.Sampler):
    """Adjusts the logits to the text so far, then chooses the most probable token.

    Attributes:
        text_start: The position at which the text begins in each row: 1 after a start token, else 0. A start token is
            not part of the text. GPT-2 uses the same token as its end token, and if it counted as text, every text
            would become less likely to end. `generation.use_sampler` sets it.
    """

    text_start = 0

    def __call__(self, next, *arguments, **options):
        def adjusted(prompt, cache, index):
            logits, hidden_states, cache = next(prompt, cache, index)
            return self.adjust(ops.cast(logits, "float32"), prompt, index), hidden_states, cache

        return super().__call__(adjusted, *arguments, **options)

    def adjust(self, logits, prompt, index):
        """Change the logits of the next token.

        Args:
            logits: float32 `(batch, vocabulary)`.
            prompt: int `(batch, max_length)`. The text so far is at the positions `[text_start, index)`. After it
                comes padding, or the rest of a longer prompt, which the loop keeps whatever the sampler chooses.
            index: The position of the next token, an int32 scalar.

        Returns:
            float32 `(batch, vocabulary)`.
        """
        raise NotImplementedError

    def get_next_token(self, probabilities):
        return ops.argmax(probabilities, axis=-1)


@register
class NoRepeatNGramSampler(AdjustingSampler):
    """Chooses the most probable token that does not repeat an n-gram of the text, prompt included.

    Source: Paulus et al., A Deep Reinforced Model for Abstractive Summarization, 2017, section 2.5 (trigrams).

    Args:
        n: The length of an n-gram in tokens, 1 or more.
        **kwargs: As for `keras_nlp.samplers.Sampler`.

    Raises:
        UserError: If `n` is not allowed.
    """

    def __init__(self, n: int = 3, **kwargs):
        super().__init__(**kwargs)
        check_option("n", n)
        self.n = n

    def adjust(self, logits, prompt, index):
        starts = prompt.shape[1] - self.n + 1  # the positions at which an n-gram can begin
        if starts < 1:
            return logits
        # Marks the n-grams that end before `index` and begin with the last n - 1 tokens.
        begin = ops.arange(starts, dtype="int32")
        same = ops.logical_and(begin >= self.text_start, begin + self.n <= index)[None]
        for offset in range(self.n - 1):
            # Clipped, since the position is negative for a text of fewer than n tokens; no n-gram is in it either.
            position = ops.maximum(index - (self.n - 1) + offset, 0)
            same = ops.logical_and(
                same, prompt[:, offset : offset + starts] == ops.take(prompt, position[None], axis=1)
            )
        completing = prompt[:, self.n - 1 :]
        return ops.where(occurring(completing, same, logits), SUPPRESSED, logits)

    def get_config(self):
        return {**super().get_config(), "n": self.n}


@register
class RepetitionPenaltySampler(AdjustingSampler):
    """Makes every token of the text, prompt included, less probable, then chooses the most probable token.

    The logit of such a token is divided by the penalty. Source: Keskar et al., CTRL: A Conditional Transformer Language
    Model for Controllable Generation, 2019, section 4.1. A division would raise a negative logit, so a negative logit
    is multiplied instead, as in `RepetitionPenaltyLogitsProcessor` of Hugging Face's transformers.

    Args:
        penalty: 1 (which changes nothing) or more; the paper's is 1.2.
        **kwargs: As for `keras_nlp.samplers.Sampler`.

    Raises:
        UserError: If `penalty` is not allowed.
    """

    def __init__(self, penalty: float = 1.2, **kwargs):
        super().__init__(**kwargs)
        check_option("penalty", penalty)
        self.penalty = penalty

    def adjust(self, logits, prompt, index):
        position = ops.arange(prompt.shape[1], dtype="int32")
        in_text = ops.logical_and(position >= self.text_start, position < index)[None]
        lowered = ops.where(logits > 0, logits / self.penalty, logits * self.penalty)
        return ops.where(occurring(prompt, in_text, logits), lowered, logits)

    def get_config(self):
        return {**super().get_config(), "penalty": self.penalty}


class SuppressTokens(keras_nlp.samplers.Sampler):
    """Wraps another sampler, of any kind, and keeps it from choosing some tokens.

    Args:
        sampler: The other sampler. It keeps its random state and goes on drawing from it.
        token_ids: The tokens to suppress.
    """

    def __init__(self, sampler, token_ids):
        super().__init__()
        self.sampler, self.token_ids = sampler, sorted(token_ids)

    @property
    def variables(self):
        return self.sampler.variables

    def __call__(self, next, *arguments, **options):
        def without(prompt, cache, index):
            logits, hidden_states, cache = next(prompt, cache, index)
            vocabulary = ops.arange(logits.shape[-1], dtype="int32")
            suppressed = ops.any(vocabulary[:, None] == ops.convert_to_tensor(self.token_ids, dtype="int32"), axis=1)
            return ops.where(suppressed, SUPPRESSED, ops.cast(logits, "float32")), hidden_states, cache

        return self.sampler(without, *arguments, **options)


def occurring(token_ids, counted, logits):
    """Mark the tokens of the vocabulary that occur in each row.

    Args:
        token_ids: int `(batch, tokens)`.
        counted: bool, `(batch, tokens)` or `(1, tokens)`. Tokens where it is false do not count.
        logits: `(batch, vocabulary)`. Only the shape matters.

    Returns:
        bool `(batch, vocabulary)`.
    """
    batch, vocabulary = ops.shape(logits)
    rows = ops.broadcast_to(ops.arange(batch, dtype="int32")[:, None], ops.shape(token_ids))
    # Tokens that do not count go to a column after the vocabulary, which is cut off in the end.
    columns = ops.where(counted, ops.cast(token_ids, "int32"), vocabulary)
    places = ops.stack([ops.reshape(rows, (-1,)), ops.reshape(columns, (-1,))], axis=-1)
    marks = ops.scatter_update(
        ops.zeros((batch, vocabulary + 1), dtype="int32"), places, ops.ones_like(places[:, 0], dtype="int32")
    )
    return marks[:, :vocabulary] > 0


SAMPLERS: dict[str, type] = {
    Sampler.GREEDY.value: keras_nlp.samplers.GreedySampler,
    Sampler.RANDOM.value: keras_nlp.samplers.RandomSampler,
    Sampler.TOP_K.value: keras_nlp.samplers.TopKSampler,
    Sampler.TOP_P.value: keras_nlp.samplers.TopPSampler,
    Sampler.BEAM.value: keras_nlp.samplers.BeamSampler,
    Sampler.CONTRASTIVE.value: keras_nlp.samplers.ContrastiveSampler,
    Sampler.NO_REPEAT_NGRAM.value: NoRepeatNGramSampler,
    Sampler.REPETITION_PENALTY.value: RepetitionPenaltySampler,
}


def make_sampler(name: str, seed: int, **options):
    """Make a sampler.

    Args:
        name: A key of `SAMPLERS`.
        seed: For the samplers that draw at random; the others take none.
        **options: The sampler's own options, such as `k`, `p` or `temperature`.

    Raises:
        UserError: If there is no such sampler, it has no such option, or a value is not allowed.
    """
    check_sampler(name, options)
    draws = "seed" in inspect.signature(SAMPLERS[name]).parameters
    return SAMPLERS[name](**options, **({"seed": seed} if draws else {}))


def check_sampler(name: str, options: dict) -> None:
    """Check the arguments of `make_sampler`. See there."""
    if not isinstance(name, str) or name not in SAMPLERS:
        near = difflib.get_close_matches(str(name), SAMPLERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UserError(f"sampler is {name!r}; allowed are {', '.join(SAMPLERS)}.{hint}")
    # The seed is no option here, and `generate` cannot handle the scores that `return_all_beams` adds.
    taken = {*inspect.signature(SAMPLERS[name]).parameters, "temperature"} - {"kwargs", "seed", "return_all_beams"}
    if unknown := set(options) - taken:
        raise UserError(f"sampler {name!r} has no option {min(unknown)!r}; it has {', '.join(sorted(taken))}.")
    for option, value in options.items():
        if value is not None or not may_be_none(name, option):
            check_option(option, value)


def may_be_none(name: str, option: str) -> bool:
    """Tell whether an option of a sampler may be None, as `k` of top-p may, which then takes all tokens."""
    parameters = inspect.signature(SAMPLERS[name]).parameters
    return option in parameters and parameters[option].default is None


def effective_options(name: str) -> list[str]:
    """List the options of a sampler that change what it chooses."""
    names = [option for option in inspect.signature(SAMPLERS[name]).parameters if option in OPTIONS]
    # The most probable token is the same at every temperature.
    if not issubclass(SAMPLERS[name], keras_nlp.samplers.GreedySampler | AdjustingSampler):
        names.append("temperature")
    return names


def parse_sampler(text: str, seed: int):
    """Make the sampler that a line names, such as `"top_k k=5"`, `"random temperature=0.7"` or `"greedy"`.

    Args:
        text: The sampler's name and its options, separated by spaces.
        seed: As for `make_sampler`.

    Raises:
        UserError: If the line is not of that form, or `make_sampler` refuses the sampler.
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
    """Make the samplers that some lines name, each once.

    Args:
        lines: Lines as for `parse_sampler`.
        seed: As for `make_sampler`.
        besides: Lines of samplers that are made elsewhere, and are left out here.

    Returns:
        The samplers, and the descriptions (see `describe`) of those that were named again, even in other words.

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
    """Convert a text to a number, an integer if possible. Return None if it is not a number."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return None


def describe(sampler) -> str:
    """Return a sampler's name with the options that matter, such as `top_k (k=5)`."""
    names = {sampler_class: name for name, sampler_class in SAMPLERS.items()}
    name = str(names.get(type(sampler), type(sampler).__name__.removesuffix("Sampler").lower()))
    config = sampler.get_config()
    shown = [
        f"{option}={config[option]}"
        for option, known in OPTIONS.items()
        if config.get(option) is not None and config[option] != known.without_effect
    ]
    return f"{name} ({', '.join(shown)})" if shown else name


def token_by_token(sampler) -> bool:
    """Tell whether a sampler chooses token after token in KerasHub's own loop, from a token's logits alone.

    Such a sampler needs neither hidden states, as contrastive search does, nor several candidates at a time, as beam
    search does.
    """
    if isinstance(sampler, SuppressTokens):
        return token_by_token(sampler.sampler)
    return type(sampler).__call__ in (keras_nlp.samplers.Sampler.__call__, AdjustingSampler.__call__)


def without_suppression(sampler) -> tuple:
    """Return a sampler without `SuppressTokens` around it, and the tokens that were suppressed."""
    if not isinstance(sampler, SuppressTokens):
        return sampler, []
    inner, token_ids = without_suppression(sampler.sampler)
    return inner, sorted({*sampler.token_ids, *token_ids})


def kind_and_options(sampler) -> tuple[tuple, dict]:
    """Tell samplers that need different programs from those that need one with other options.

    Args:
        sampler: A sampler for which `token_by_token` is true, without `SuppressTokens`.

    Returns:
        The kind, which is hashable, and the options that are arguments of the kind's program, see `with_options`. A
        sampler of a class that is not in `SAMPLERS` is a kind of its own, since it may have options that it does not
        tell.
    """
    if type(sampler) not in SAMPLERS.values():
        return (sampler,), {}
    config = sampler.get_config()
    options = {name: float(config.pop(name)) for name in IN_PROGRAM if name in config}
    config.pop("seed", None)
    return (type(sampler), getattr(sampler, "text_start", 0), *sorted(config.items())), options


def with_options(sampler, options: dict, end, quick_top_k: bool = False):
    """Return a sampler with other options, for use inside a compiled function.

    Args:
        sampler: A sampler of the same kind. The new one draws from its random state.
        options: See `kind_and_options`. The values may be traced.
        end: The length at which texts end, prompt included; it may be less than that of the prompt's array.
        quick_top_k: Whether top-k looks in two stages, see `gpu_kernels.top_k`.
    """
    made = copy.copy(sampler)
    for name, value in options.items():
        setattr(made, name, value)

    def run_loop(cond, body, loop_vars, maximum_iterations, model=None):
        left = end - loop_vars[2]  # after the position of the next token
        return type(made).run_loop(made, cond, body, model=model, loop_vars=loop_vars, maximum_iterations=left)

    def next_token(probabilities):  # as in KerasHub, but for `top_k`
        best, tokens = gpu_kernels.top_k(probabilities, made.k)
        drawn = keras.random.categorical(ops.log(best), 1, seed=made.seed_generator, dtype="int32")
        return ops.squeeze(ops.take_along_axis(tokens, drawn, axis=-1), axis=-1)

    made.run_loop = run_loop
    if quick_top_k and type(sampler) is keras_nlp.samplers.TopKSampler:
        made.get_next_token = next_token
    return made
