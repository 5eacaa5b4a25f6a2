"""Record how a model sees texts: the probability and the rank of each token, and what else could have come next."""

import codecs
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from lib.core import progress
from lib.core.records import NextTokens, SamplerExplorer, SeenText
from lib.evaluation import continuations, likelihood
from lib.models import byte_level

MOST = 200  # tokens that are kept of a distribution
PLACES = 40  # of a text whose distributions are kept
TEMPERATURES = tuple(step / 10 for step in range(1, 21))


def texts(causal_lm, samples: Sequence[pd.DataFrame], keep_going: bool = False) -> list[SeenText]:
    """Compute the probability and the rank of each token of some texts.

    Args:
        causal_lm: The model.
        samples: Rows like those of `generation.generate_samples` and `continuations.openings`.
        keep_going: Whether special tokens, which end a text, are suppressed, as in `generate_samples(keep_going=True)`.
    """
    return explore(causal_lm, samples, keep_going)[0]


def explore(
    causal_lm, samples: Sequence[pd.DataFrame], keep_going: bool = False, labels: Sequence[str] = ()
) -> tuple[list[SeenText], SamplerExplorer]:
    """Compute the same as `texts`, and keep the next-token probabilities along some of them.

    Args:
        causal_lm: The model.
        samples: As for `texts`.
        keep_going: As for `texts`.
        labels: The labels of the texts along which the probabilities are kept.
    """
    tokenizer = causal_lm.preprocessor.tokenizer
    seen, along, numbers = [], [], {}
    for row, token_ids, log_probabilities in _predictions(causal_lm, pd.concat(samples), keep_going):
        chosen = np.take_along_axis(log_probabilities, token_ids[:, None], axis=-1)
        ranks = 1 + (log_probabilities > chosen).sum(axis=-1)
        told = pieces(token_ids, tokenizer)
        seen.append(
            SeenText(
                label=row.label,
                prompt=row.prompt,
                sampler=row.sampler,
                seed=None if pd.isna(row.seed) else int(row.seed),
                suppressed=keep_going,
                pieces=[text for text, _ in told],
                tokens=[count for _, count in told],
                probabilities=np.exp(chosen[:, 0]),
                ranks=ranks,
            )
        )
        if row.label in labels:
            written = [text for piece, count in told for text in [""] * (count - 1) + [piece]]
            here = slice(0, PLACES)
            best, probabilities, rest = _most_probable(log_probabilities[here])
            along.append(
                NextTokens(
                    label=row.label,
                    prompt=row.prompt,
                    written=written[here],
                    written_tokens=[numbers.setdefault(token, len(numbers)) for token in token_ids[here].tolist()],
                    written_ranks=ranks[here],
                    best=[[numbers.setdefault(token, len(numbers)) for token in place] for place in best.tolist()],
                    probabilities=list(probabilities),
                    rest=list(rest),
                )
            )
    vocabulary = [byte_level.token_bytes([token], tokenizer).decode(errors="replace") for token in numbers]
    return seen, SamplerExplorer(
        most=MOST, suppressed=keep_going, temperatures=list(TEMPERATURES), vocabulary=vocabulary, texts=along
    )


def _predictions(causal_lm, rows: pd.DataFrame, keep_going: bool) -> Iterator[tuple]:
    """Yield each row with its new tokens and the log-probabilities of the vocabulary at each of them."""
    progress.note(f"probabilities of the tokens of {len(rows)} texts")
    tokenizer = causal_lm.preprocessor.tokenizer
    line_feed = np.asarray(tokenizer("\n")).tolist()  # for a model that knows no start token
    given = [likelihood.prompt_tokens(causal_lm, prompt) or line_feed for prompt in rows["prompt"]]
    whole = [[*prompt, *new] for prompt, new in zip(given, rows["token_ids"], strict=True)]
    suppressed = tokenizer.special_token_ids if keep_going else ()
    predicted = likelihood.log_probabilities(causal_lm, whole, suppressed)
    for row, prompt, log_probabilities in zip(rows.itertuples(), given, predicted, strict=True):
        yield row, np.array(row.token_ids, int), log_probabilities[len(prompt) - 1 :]


def _most_probable(log_probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the most probable tokens at each place.

    Args:
        log_probabilities: `(places, vocabulary)`.

    Returns:
        The tokens `(places, most)` by falling probability, theirs at temperature 1, and the probability of all other
        tokens together at each of `TEMPERATURES`, `(places, temperatures)`.
    """
    order = np.argsort(-log_probabilities, axis=-1)
    ordered = np.take_along_axis(log_probabilities, order, axis=-1).astype("float64")
    rest = np.zeros((len(ordered), len(TEMPERATURES)))
    for column, temperature in enumerate(TEMPERATURES):
        weights = np.exp((ordered - ordered[:, :1]) / temperature)
        rest[:, column] = weights[:, MOST:].sum(axis=-1) / weights.sum(axis=-1)
    return order[:, :MOST], np.exp(ordered[:, :MOST]), rest


def pieces(token_ids: Sequence[int], tokenizer) -> list[tuple[str, int]]:
    """Split tokens into pieces of whole characters, as a token of byte-level BPE may be a part of a character.

    Args:
        token_ids: The tokens.
        tokenizer: A KerasHub byte-level BPE tokenizer.

    Returns:
        For each piece its text, with `�` for bytes that are not valid UTF-8, and its number of tokens.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    made, text, count = [], "", 0
    for place, token in enumerate(token_ids, 1):
        text += decoder.decode(byte_level.token_bytes([token], tokenizer), final=place == len(token_ids))
        count += 1
        if not decoder.getstate()[0]:  # no character is half read
            made.append((text, count))
            text, count = "", 0
    return made


def given(tokenizer, text: str, characters: int, label: str) -> pd.DataFrame:
    """Take a text that people wrote, whose first characters are given.

    Args:
        tokenizer: The model's tokenizer.
        text: The text.
        characters: The number of characters that are given.
        label: Who wrote it.

    Returns:
        A row for `texts`.
    """
    rest = np.asarray(tokenizer(text[characters:])).tolist()
    row = {"label": label, "prompt": text[:characters], "sampler": continuations.PEOPLE, "seed": None}
    return pd.DataFrame([row | {"token_ids": rest}])
