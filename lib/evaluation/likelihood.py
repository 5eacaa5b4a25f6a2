"""Score given texts with a model: nats of each token, perplexity, bits per character."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
from scipy import special

from lib.core import backends, progress
from lib.core.errors import UserError
from lib.core.records import Likelihood
from lib.evaluation import metrics
from lib.models import byte_level, generation, jax_forward

ROWS = 4  # texts at a time; the logits of 4 texts of 200 tokens take 160 MB
ROWS_ON_GPU = 32  # where a call costs tens of milliseconds, however few texts it has


def rows_at_a_time() -> int:
    """Return how many texts are scored at a time."""
    return ROWS_ON_GPU if backends.selected and backends.selected.on_gpu else ROWS


class _Logits(keras.Model):
    """The logits of tokens. It shares a model's weights; `predict` compiles it on every backend."""

    def __init__(self, causal_lm):
        super().__init__(name=type(self).__name__.strip("_").lower())
        self.causal_lm = causal_lm

    def call(self, inputs):
        return jax_forward.logits(self.causal_lm, inputs)[:, :-1]


class _Nats(_Logits):
    """The negative log-likelihood of tokens."""

    def call(self, inputs):
        return keras.ops.sparse_categorical_crossentropy(
            inputs["token_ids"][:, 1:], super().call(inputs), from_logits=True
        )


def scorer(causal_lm):
    """Return what `nats` computes with. Given to several calls with rows of the same length, it is compiled once."""
    return _compiled(_Nats(causal_lm))


def _compiled(model: _Logits) -> _Logits:
    model.compile(jit_compile=backends.selected.xla if backends.selected else "auto")
    return model


def nats(causal_lm, rows: list, model=None) -> list[np.ndarray]:
    """Compute the negative log-likelihood of every token after the first, given those before it.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`.
        rows: The token ids of each text, including a start token if the model has one.
        model: The result of `scorer`; None makes one.

    Returns:
        For each text, the nats of its tokens from the second one on.
    """
    return [own.astype("float64") for own in _after_the_first(model or scorer(causal_lm), rows)]


def choices(causal_lm, rows: list, k: int, suppressed: Sequence[int] = ()) -> list[np.ndarray]:
    """Compute how greedy decoding and top-k sampling would choose every token after the first.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`.
        rows: The token ids of each text, including a start token if the model has one.
        k: The number of tokens that top-k sampling draws from.
        suppressed: Tokens that are never chosen, as in `generate_samples(keep_going=True)`. The others share their
            probability.

    Returns:
        For each text float `(tokens - 1, 3)`: the token's probability; 1 if no token is more probable, else 0; the
        probability that top-k sampling draws it.
    """
    results = []
    for row, logits in zip(rows, _allowed(causal_lm, rows, suppressed), strict=True):
        chosen = np.take_along_axis(logits, np.array(row[1:], int)[:, None], axis=-1)[:, 0]
        others = logits.shape[-1] - min(k, logits.shape[-1])
        best = np.partition(logits, others, axis=-1)[:, others:]  # NumPy does not sort, and is faster than XLA on a CPU
        drawn = np.where(chosen >= best[:, 0], np.exp(chosen - special.logsumexp(best, axis=-1)), 0.0)
        probability = np.exp(chosen - special.logsumexp(logits, axis=-1))
        results.append(np.stack([probability, chosen >= best.max(axis=-1), drawn], axis=-1).astype("float64"))
    return results


def log_probabilities(causal_lm, rows: list, suppressed: Sequence[int] = ()) -> Iterator[np.ndarray]:
    """Compute the log-probabilities of the whole vocabulary at every token after the first, given those before it.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`.
        rows: The token ids of each text, including a start token if the model has one.
        suppressed: As for `choices`.

    Yields:
        For each text float32 `(tokens - 1, vocabulary)`, in nats.
    """
    for logits in _allowed(causal_lm, rows, suppressed):
        yield logits - special.logsumexp(logits, axis=-1, keepdims=True)


def _allowed(causal_lm, rows: list, suppressed: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the logits for the tokens of each row after the first, with those of suppressed tokens at -inf."""
    for logits in _after_the_first(_compiled(_Logits(causal_lm)), rows):
        logits = np.array(logits)  # a copy that can be written to
        logits[:, list(suppressed)] = -np.inf
        yield logits


def predicted(model, rows: list) -> Iterator[np.ndarray]:
    """Yield what a compiled model predicts for each row of token ids, with the places after the row's end.

    Args:
        model: A `keras.Model` of `token_ids` and `padding_mask`, both `(texts, tokens)`.
        rows: The token ids of each text. All are padded to the longest, so that the model is compiled once.
    """
    length, at_a_time = max([2, *map(len, rows)]), rows_at_a_time()
    for start in range(0, len(rows), at_a_time):
        batch = rows[start : start + at_a_time]
        token_ids, padding_mask = (np.zeros((at_a_time, length), "int32") for _ in range(2))
        for place, row in enumerate(batch):
            token_ids[place, : len(row)] = row
            padding_mask[place, : len(row)] = 1
        yield from np.asarray(model.predict_on_batch({"token_ids": token_ids, "padding_mask": padding_mask}))[
            : len(batch)
        ]


def _after_the_first(model, rows: list) -> Iterator[np.ndarray]:
    """Yield what a model predicts for the tokens of each row after the first."""
    for own, row in zip(predicted(model, rows), rows, strict=True):
        yield own[: max(0, len(row) - 1)]


def perplexities(causal_lm, samples) -> list[float]:
    """Compute a model's perplexity of each sample's continuation: the exponential of the mean nats of its tokens.

    An end token is not counted. A continuation without tokens has no perplexity.

    Args:
        causal_lm: The model.
        samples: Rows with `prompt` and `token_ids` (of the continuation), as `generation.generate_samples` and
            `continuations.openings` make them.

    Returns:
        A figure for each row; nan if there is no token.
    """
    progress.note(f"perplexity of {len(samples)} texts")
    prompts = [prompt_tokens(causal_lm, prompt) for prompt in samples["prompt"]]
    rows = [[*prompt, *new] for prompt, new in zip(prompts, samples["token_ids"], strict=True)]
    told = []
    for prompt, own in zip(prompts, nats(causal_lm, rows), strict=True):
        of_new = own[len(prompt) - 1 :]
        told.append(metrics.perplexity(float(np.mean(of_new))) if len(of_new) else float("nan"))
    return told


def prompt_tokens(causal_lm, text: str) -> list[int]:
    """Return the tokens of a text as `generate` sees it, including a start token."""
    length = generation.count_tokens(causal_lm.preprocessor.tokenizer, text) + 2
    inputs = causal_lm.preprocessor.generate_preprocess([text], sequence_length=length)
    return np.asarray(inputs["token_ids"])[0][np.asarray(inputs["padding_mask"])[0].astype(bool)].tolist()


def held_out(
    causal_lm, texts: list[str], max_length: int, given: int = 1, characters: int | None = None, model=None
) -> Likelihood:
    """Measure how well a model predicts texts that it was not trained on.

    The first characters are given and not counted, since only some models begin with a start token. A token that begins
    before the last of them ends is not counted either. So models with any tokenizer are evaluated on the same
    characters, and bits per character (Graves, Generating Sequences With Recurrent Neural Networks, 2013) are
    comparable between tokenizers, while loss and perplexity per token are not. The end of a text is not predicted.

    Args:
        causal_lm: The model.
        texts: The texts.
        max_length: The context: the number of tokens to which a text is cut, including a start token.
        given: The number of characters at the beginning of each text that are not counted.
        characters: The number of characters to which a text is cut, so that all tokenizers see the same part.
        model: The result of `scorer`; None makes one.

    Returns:
        The figures of all texts together, and each text's bits per character.

    Raises:
        UserError: If there is nothing to predict, or the model predicts no number.
    """
    progress.note(f"likelihood of {len(texts)} held-out texts")
    tokenizer = causal_lm.preprocessor.tokenizer
    texts = [text[:characters] for text in texts]
    rows = [prompt_tokens(causal_lm, text)[:max_length] for text in texts]
    total, tokens, counted_characters, by_text = 0.0, 0, 0, []
    for text, row, own in zip(texts, rows, nats(causal_lm, rows, model), strict=True):
        beginning = len(text[:given].encode())
        pieces = [byte_level.token_bytes([token], tokenizer) for token in row]
        begins = np.cumsum([0] + [len(piece) for piece in pieces[:-1]])
        counted = [
            place for place, begin in enumerate(begins) if place > 0 and begin >= beginning and len(pieces[place])
        ]
        written = sum(
            (byte & 0xC0) != 0x80 for place in counted for byte in pieces[place]
        )  # bytes that begin a character
        here = float(sum(own[place - 1] for place in counted))
        total, tokens, counted_characters = total + here, tokens + len(counted), counted_characters + written
        by_text.append(metrics.bits_per_character(here, written))
    if not tokens or not counted_characters:
        raise UserError(
            f"{len(texts)} held-out texts were to be judged, and after the first character of each there is nothing to "
            f"predict within {max_length} tokens. Raise held_out_examples or the length."
        )
    if not np.isfinite(total):
        raise UserError(
            "The model's likelihood of the held-out texts is not a number. Lower learning_rate, or set precision to "
            "float32."
        )
    loss = total / tokens
    return Likelihood(
        texts=len(texts),
        max_length=max_length,
        cut_to=characters,
        tokens=tokens,
        characters=counted_characters,
        nats=total,
        loss=loss,
        perplexity=metrics.perplexity(loss),
        bits_per_character=metrics.bits_per_character(total, counted_characters),
        by_text=by_text,
    )
