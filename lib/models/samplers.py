"""Two samplers that KerasHub lacks. Both are greedy, and keep greedy decoding from going round in circles.

KerasHub's own loop does the work: its samplers get the logits of the next token from a function, and here that function
is wrapped, so that the loop sees logits that take the text so far into account.
"""

import math
import numbers

import keras
import keras_nlp
from keras import ops

from lib.core.errors import UserError

register = keras.saving.register_keras_serializable(package="gpt2_text_generation")

# The logit of a token that must not be chosen. It is finite, so that the softmax is defined even if no token is left;
# the choice is then the token with the lowest id.
RULED_OUT = -1e9

# What the options of samplers, KerasHub's included, may be: the type, the range as a test and in words, an example.
RANGES = {
    "k": (numbers.Integral, lambda k: k >= 1, "whole numbers from 1 on", 5),
    "p": (numbers.Real, lambda p: 0 < p <= 1, "numbers above 0, up to 1", 0.9),
    "temperature": (numbers.Real, lambda temperature: 0 < temperature < math.inf, "numbers above 0", 0.7),
    "num_beams": (numbers.Integral, lambda num_beams: 1 <= num_beams <= 100, "whole numbers from 1 to 100", 5),
    "alpha": (numbers.Real, lambda alpha: 0 <= alpha <= 1, "numbers from 0 to 1", 0.6),
    "n": (numbers.Integral, lambda n: n >= 1, "whole numbers from 1 on", 3),
    "penalty": (numbers.Real, lambda penalty: 1 <= penalty < math.inf, "numbers from 1 (no penalty) on", 1.2),
}


def check(option: str, value) -> None:
    """Refuses a value that makes no sense for an option of `RANGES`.

    Raises:
        UserError: If so.
    """
    kind, within, allowed, example = RANGES[option]
    if not isinstance(value, kind) or isinstance(value, bool) or not within(value):
        raise UserError(f"{option} is {value!r}; allowed are {allowed}. Set {option} to {example}, for example.")


class AdjustingSampler(keras_nlp.samplers.Sampler):
    """Chooses the most probable token once the logits are adjusted to the text so far.

    Attributes:
        text_start: Where the text begins in each row: 1 if a start token comes before it, else 0. A start token is not
            part of the text, and GPT-2's is its end token too, which would become less probable in every text.
            `generation.use_sampler` sets it.
    """

    text_start = 0

    def __call__(self, next, *arguments, **options):
        def adjusted(prompt, cache, index):
            logits, hidden_states, cache = next(prompt, cache, index)
            return self.adjust(ops.cast(logits, "float32"), prompt, index), hidden_states, cache

        return super().__call__(adjusted, *arguments, **options)

    def adjust(self, logits, prompt, index):
        """Changes the logits of the next token.

        Args:
            logits: float32 `(batch, vocabulary)`.
            prompt: int `(batch, max_length)`, of which `[text_start, index)` is the text so far. What follows is
                padding, or the rest of a longer prompt, which the loop writes over whatever is chosen.
            index: The position of the next token, an int32 scalar.

        Returns:
            The shape of `logits`.
        """
        raise NotImplementedError

    def get_next_token(self, probabilities):
        return ops.argmax(probabilities, axis=-1)


@register
class NoRepeatNGramSampler(AdjustingSampler):
    """Chooses the most probable token that does not complete an n-gram which the text, prompt included, already holds.

    Source: Paulus et al., A Deep Reinforced Model for Abstractive Summarization, 2017, section 2.5 (trigrams).

    Args:
        n: The length of an n-gram in tokens, 1 or more.
        **kwargs: As for `keras_nlp.samplers.Sampler`.

    Raises:
        UserError: If there are no such n-grams.
    """

    def __init__(self, n: int = 3, **kwargs):
        super().__init__(**kwargs)
        check("n", n)
        self.n = n

    def adjust(self, logits, prompt, index):
        starts = prompt.shape[1] - self.n + 1  # how many n-grams have room
        if starts < 1:
            return logits
        # The n-grams that end before `index`, of those that begin as the last n - 1 tokens do.
        begin = ops.arange(starts, dtype="int32")
        same = ops.logical_and(begin >= self.text_start, begin + self.n <= index)[None]
        for offset in range(self.n - 1):
            # Clipped, since a text of fewer than n tokens has no position so early; it holds no n-gram to block either.
            position = ops.maximum(index - (self.n - 1) + offset, 0)
            same = ops.logical_and(
                same, prompt[:, offset : offset + starts] == ops.take(prompt, position[None], axis=1)
            )
        completing = prompt[:, self.n - 1 :]
        return ops.where(occurring(completing, same, logits), RULED_OUT, logits)

    def get_config(self):
        return {**super().get_config(), "n": self.n}


@register
class RepetitionPenaltySampler(AdjustingSampler):
    """Makes every token that occurred in the text, prompt included, less probable, and chooses the most probable one.

    Its logit is divided by the penalty. Source: Keskar et al., CTRL: A Conditional Transformer Language Model for
    Controllable Generation, 2019, section 4.1. A negative logit would grow by that; it is multiplied instead, as
    `RepetitionPenaltyLogitsProcessor` of Hugging Face's transformers does.

    Args:
        penalty: 1 (which changes nothing) or more; the paper's is 1.2.
        **kwargs: As for `keras_nlp.samplers.Sampler`.

    Raises:
        UserError: If the penalty would be a reward.
    """

    def __init__(self, penalty: float = 1.2, **kwargs):
        super().__init__(**kwargs)
        check("penalty", penalty)
        self.penalty = penalty

    def adjust(self, logits, prompt, index):
        position = ops.arange(prompt.shape[1], dtype="int32")
        in_text = ops.logical_and(position >= self.text_start, position < index)[None]
        lowered = ops.where(logits > 0, logits / self.penalty, logits * self.penalty)
        return ops.where(occurring(prompt, in_text, logits), lowered, logits)

    def get_config(self):
        return {**super().get_config(), "penalty": self.penalty}


class RulingOut(keras_nlp.samplers.Sampler):
    """Another sampler, of whatever kind, that never gets to choose some tokens.

    Args:
        sampler: The other sampler. Its random state is used, and goes on.
        token_ids: The tokens.
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
            ruled_out = ops.any(vocabulary[:, None] == ops.convert_to_tensor(self.token_ids, dtype="int32"), axis=1)
            return ops.where(ruled_out, RULED_OUT, ops.cast(logits, "float32")), hidden_states, cache

        return self.sampler(without, *arguments, **options)


def occurring(token_ids, counted, logits):
    """Marks the tokens of the vocabulary that occur in a row.

    Args:
        token_ids: int `(batch, tokens)`.
        counted: bool, `(batch, tokens)` or `(1, tokens)`; tokens where it is false do not count.
        logits: `(batch, vocabulary)`; only the shape matters.

    Returns:
        bool `(batch, vocabulary)`.
    """
    batch, vocabulary = ops.shape(logits)
    rows = ops.broadcast_to(ops.arange(batch, dtype="int32")[:, None], ops.shape(token_ids))
    # What does not count goes to a column beyond the vocabulary, which is cut off.
    columns = ops.where(counted, ops.cast(token_ids, "int32"), vocabulary)
    places = ops.stack([ops.reshape(rows, (-1,)), ops.reshape(columns, (-1,))], axis=-1)
    marks = ops.scatter_update(
        ops.zeros((batch, vocabulary + 1), dtype="int32"), places, ops.ones_like(places[:, 0], dtype="int32")
    )
    return marks[:, :vocabulary] > 0


def token_by_token(sampler) -> bool:
    """Whether a sampler chooses token after token in KerasHub's own loop, from a token's logits alone.

    Such a sampler needs neither hidden states nor several candidates at a time, as contrastive and beam search do.
    """
    if isinstance(sampler, RulingOut):
        return token_by_token(sampler.sampler)
    return type(sampler).__call__ in (keras_nlp.samplers.Sampler.__call__, AdjustingSampler.__call__)
