"""Load the texts that models are trained and evaluated on, and split them."""

import hashlib

import numpy as np

from lib.core import progress
from lib.core.errors import UserError
from lib.data import reddit_tifu
from lib.data.brown import load_brown_fiction
from lib.data.corpus import Corpus

NONE = "none"
REDDIT_CONFIGS = {"reddit_tifu": "short", "reddit_tifu_long": "long"}
HELD_OUT_SHARE = 0.1


def load_prose(name: str, stand_in: str = NONE, num_examples: int | None = None, words: int = 90) -> Corpus:
    """Load the prose of the Reddit experiment by its name.

    Args:
        name: `"reddit_tifu"` (the post's stories, TFDS's `short`), `"reddit_tifu_long"`, `"brown_fiction"` or
            `"tiny_prose"`.
        stand_in: The corpus to use if Reddit's stories are unavailable: one of the last two, or `"none"`.
        num_examples: The number of Reddit stories to read; all by default.
        words: The length of a passage of the Brown corpus, see `load_brown_fiction`.

    Raises:
        UserError: If the corpus is unavailable and no stand-in is named.
    """
    others = {"brown_fiction": lambda: load_brown_fiction(words), "tiny_prose": load_tiny_prose}
    if name in others:
        return others[name]()
    if name not in REDDIT_CONFIGS or stand_in not in (NONE, *others):
        raise UserError(
            f"dataset is {name!r} and dataset_stand_in {stand_in!r}; allowed are "
            f"{', '.join((*REDDIT_CONFIGS, *others))}."
        )
    try:
        return load_reddit_tifu(REDDIT_CONFIGS[name], num_examples)
    except reddit_tifu.Unavailable as error:
        if stand_in == NONE:
            raise
        progress.note(f"using {stand_in} in place of {name}")
        corpus = others[stand_in]()
        corpus.is_stand_in = True
        corpus.attempts = error.attempts
        return corpus


def load_reddit_tifu(config: str = "short", num_examples: int | None = None) -> Corpus:
    """Load Reddit stories through TensorFlow Datasets, as the blog post does.

    Args:
        config: `"short"` (79,740 stories with titles) or `"long"` (the 42,139 stories that also have a summary).
        num_examples: The number of examples to read, from the first on; all by default.

    Raises:
        UserError: If the stories are neither prepared on this machine nor available.
    """
    pairs, source, attempts = reddit_tifu.examples(config, num_examples)
    title_of = {}
    for document, title in pairs:
        title_of.setdefault(document, title)
    return Corpus(
        name=f"Reddit TIFU ({config})",
        source=source,
        licence="as published by its authors (Kim et al., 2019); the texts belong to Reddit's users",
        texts=list(title_of),
        titles=list(title_of.values()),
        groups=[str(index) for index in range(len(title_of))],
        counts={"found": len(pairs), "dropped: duplicate": len(pairs) - len(title_of), "kept": len(title_of)},
        attempts=attempts,
    )


def load_tiny_prose() -> Corpus:
    """Make sixty short English texts from a handful of words, for runs that only test the code."""
    people = ("my brother", "a neighbour", "the driver")
    places = ("the lake", "a small town", "the station", "the hill")
    events = ("it began to rain", "we lost the map", "the car broke down", "a dog followed us", "nobody was there")
    texts = [
        f"Last week {person} and I went to {place}. On the way {event}, so we laughed and went home."
        for person in people
        for place in places
        for event in events
    ]
    return Corpus(
        name="tiny made-up prose",
        source="made by lib/data/corpora.py",
        licence="MIT",
        texts=texts,
        titles=[f"story {index + 1}" for index in range(len(texts))],
        groups=[str(index) for index in range(len(texts))],
        counts={"found": len(texts), "kept": len(texts)},
    )


def split(corpus: Corpus, num_train: int | None, num_held_out: int | None, seed: int) -> tuple[list[str], list[str]]:
    """Draw training and held-out texts at random. They share no text and no document.

    The held-out texts come from the tenth of the documents that `is_set_aside` selects by name. So no notebook trains
    on a text that another one holds out, whichever part of the corpus each of them loads.

    Args:
        corpus: The texts.
        num_train: The most texts to train on; None takes all that are not set aside.
        num_held_out: The number of texts to hold out; None takes all that are set aside.
        seed: The seed of the draw.

    Returns:
        The training texts and the held-out texts.

    Raises:
        UserError: If the corpus is too small.
    """
    rng = np.random.default_rng(seed)
    held_out, train = [], []
    for text, group in zip(corpus.texts, corpus.groups, strict=True):
        (held_out if is_set_aside(group) else train).append(text)
    if len(held_out) < max(1, num_held_out or 0) or not train:
        raise UserError(
            f"held_out_examples is {num_held_out}; {corpus.name} has {len(corpus.texts)} texts, of which "
            f"{len(held_out)} are set aside to be held out. Ask for at most that many."
        )
    held_out = [str(text) for text in rng.permutation(held_out)[:num_held_out]]
    return [str(text) for text in rng.permutation(train)[:num_train]], held_out


def is_set_aside(group: str) -> bool:
    """Tell whether the texts of a document are held out: a tenth of the documents is, by a hash of the name."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") < HELD_OUT_SHARE * 2**32
