"""Find out where a model ends its texts: the probability of the end token in given texts, and the lengths it writes."""

import itertools
import re
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from lib.core import backends, progress
from lib.core.records import EndProbability, TextLengths, TrainingTexts
from lib.evaluation import likelihood, statistics
from lib.models import byte_level, jax_forward
from lib.training import packing

SENTENCE_END = re.compile(r"[.!?][\"'”’)]*(?=\s|$)")
MOST = 32  # texts in which the end token is measured


class _EndProbability(keras.Model):
    """The probability of the end token as the next one, of all tokens and of the `k` most likely."""

    def __init__(self, causal_lm, k: int):
        super().__init__(name="end_probability")
        self.causal_lm, self.k = causal_lm, k
        self.end_token_id = causal_lm.preprocessor.tokenizer.end_token_id

    def call(self, inputs):
        logits = jax_forward.logits(self.causal_lm, inputs)
        end = logits[..., self.end_token_id]
        # Of logits in a matrix. XLA on a CPU takes 40 times as long for the probabilities of a stack of texts.
        rows = keras.ops.reshape(logits, (-1, logits.shape[-1]))
        likeliest = keras.ops.reshape(keras.ops.top_k(rows, self.k)[0], (*logits.shape[:2], self.k))
        ends = keras.ops.exp(end - keras.ops.logsumexp(logits, axis=-1))
        among = keras.ops.exp(end - keras.ops.logsumexp(likeliest, axis=-1))
        among = keras.ops.where(end >= likeliest[..., -1], among, keras.ops.zeros_like(among))
        return keras.ops.stack([ends, among], axis=-1)


class EndToken:
    """Given texts, and a model whose probability of the end token is measured after their tokens.

    Args:
        causal_lm: The model.
        texts: The texts, which the model was not trained on. The first `MOST` are taken.
        max_length: The number of tokens to which a text is cut.
        k: The number of tokens that top-k sampling chooses from.
    """

    def __init__(self, causal_lm, texts: list[str], max_length: int, k: int):
        self.causal_lm, self.texts, self.max_length = causal_lm, texts[:MOST], max_length
        self.model = _EndProbability(causal_lm, min(k, causal_lm.backbone.vocabulary_size))
        self.model.compile(jit_compile=backends.selected.xla if backends.selected else "auto")

    def probability(self) -> EndProbability:
        """Measure the model in its current state.

        Returns:
            Means over the texts of the mean over their places.
        """
        progress.note(f"probability of the end token in {len(self.texts)} texts")
        model, texts, max_length = self.model, self.texts, self.max_length
        tokenizer = self.causal_lm.preprocessor.tokenizer
        rows = [likelihood.prompt_tokens(self.causal_lm, text) for text in texts]
        places = [sentence_ends(row, text, tokenizer) for row, text in zip(rows, texts, strict=True)]
        by_text: dict[str, list[float]] = {"sentence": [], "sentence_top_k": [], "text": [], "elsewhere": []}
        quarters: list[list[float]] = [[], [], [], []]
        computed = likelihood.predicted(model, [row[:max_length] for row in rows])
        for row, ends, told in zip(rows, places, computed, strict=True):
            told, last = told[: min(len(row), max_length)].astype(float), len(row) - 1
            within = [place for place in ends if place < min(last, len(told))]
            others = [place for place in range(len(told)) if place not in ends and place != last]
            for place in within:
                quarters[4 * place // max_length].append(told[place, 0])
            by_text["sentence"].append(_mean(told[within, 0]))
            by_text["sentence_top_k"].append(_mean(told[within, 1]))
            by_text["elsewhere"].append(_mean(told[others, 0]))
            by_text["text"].append(_mean(told[last:, 0]))
        found = {name: statistics.mean(100 * np.array(values)) for name, values in by_text.items()}
        return EndProbability(
            after_sentence=found["sentence"],
            after_sentence_by_quarter=[100 * _mean(values) for values in quarters],
            after_sentence_in_top_k=found["sentence_top_k"],
            after_text=found["text"],
            elsewhere=found["elsewhere"],
        )


def sentence_ends(token_ids: list[int], text: str, tokenizer) -> list[int]:
    """Return the places of the tokens that hold the last character of a sentence of the text."""
    pieces = [byte_level.token_bytes([token], tokenizer) for token in token_ids]
    ends = np.cumsum([len(piece) for piece in pieces])
    bytes_before = [len(text[: match.end()].encode()) for match in SENTENCE_END.finditer(text)]
    return sorted({int(np.searchsorted(ends, place)) for place in bytes_before if place <= ends[-1]})


def longer_texts(causal_lm, texts: list[str], length: int, count: int) -> list[str]:
    """Return the first texts that have more than `length` tokens, so that a training cuts them; at most `count`."""
    found = (text for text in texts if len(likelihood.prompt_tokens(causal_lm, text)) > length)
    return list(itertools.islice(found, count))


def training_texts(causal_lm, texts: list[str], length: int) -> TrainingTexts:
    """Describe the texts of a training: how long they are, and what stands before their end token.

    Args:
        causal_lm: The model, for its preprocessor.
        texts: The texts.
        length: The number of tokens to which a text is cut, the preprocessor's `sequence_length`.
    """
    tokenizer = causal_lm.preprocessor.tokenizer
    rows = [likelihood.prompt_tokens(causal_lm, text) for text in texts]
    trained = packing.tokenize(causal_lm, texts)[2].sum(axis=1)
    cut = [len(row) > length for row in rows]
    sentences = [
        sum(place < count for place in sentence_ends(row, text, tokenizer))
        for row, text, count in zip(rows, texts, trained, strict=True)
    ]
    return TrainingTexts(
        texts=len(texts),
        cut=sum(cut),
        tokens=[int(count) for count in trained],
        median_tokens=float(np.median(trained)),
        sentences=sum(sentences),
    )


def lengths(samples: pd.DataFrame, max_length: int) -> TextLengths:
    """Summarize how long generated texts are.

    Args:
        samples: Rows of `generation.generate_samples`.
        max_length: The number of tokens at which a text was cut, prompt included.
    """
    new_tokens = samples["new_tokens"].to_numpy(int)
    random = np.random.default_rng(0)
    drawn = np.median(random.choice(new_tokens, (statistics.RESAMPLES, len(new_tokens))), axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return TextLengths(
        texts=len(samples),
        median_new_tokens={"value": float(np.median(new_tokens)), "low": float(low), "high": float(high)},
        ended=int(samples["ended"].sum()),
        ended_percent=statistics.share(int(samples["ended"].sum()), len(samples)),
        new_tokens=new_tokens.tolist(),
        ended_by_model=samples["ended"].astype(bool).tolist(),
        most_new_tokens=int(max_length - samples["prompt_tokens"].min()),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
