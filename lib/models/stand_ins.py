"""Make the models that stand in for another one where no model hub can be reached, as preset folders in the cache."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import keras_nlp

from lib.core import paths, progress
from lib.data import checksums, downloads
from lib.models import byte_level, convert_smollm2

FORMAT = 1  # raise it when a model is made in another way, so that cached folders are made anew


@dataclass(frozen=True)
class StandInModel:
    """A model that can stand in for another one.

    Attributes:
        title: Its name in the reports.
        source: What it is made from.
        save: Saves it as a preset in a folder.
    """

    title: str
    source: str
    save: Callable[[Path], None]


def save_tiny_random(folder: Path) -> None:
    """Save a GPT-2 with two small random layers as a preset.

    It writes noise, and shows within seconds that every step of a notebook works.

    Args:
        folder: The preset folder to make.
    """
    keras.utils.set_random_seed(0)
    tokens = [*byte_level.byte_characters(), "th", "the", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = keras_nlp.models.GPT2Tokenizer(vocabulary=vocabulary, merges=["t h", "th e"])
    backbone = keras_nlp.models.GPT2Backbone(
        vocabulary_size=len(vocabulary),
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=128,
        dropout=0.0,
    )
    preprocessor = keras_nlp.models.GPT2CausalLMPreprocessor(tokenizer, sequence_length=64)
    keras_nlp.models.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor).save_to_preset(str(folder))


STAND_INS: dict[str, StandInModel] = {
    "smollm2_135m": StandInModel("SmolLM2-135M-Instruct", convert_smollm2.SOURCE, convert_smollm2.save_preset),
    "tiny_random": StandInModel("tiny random GPT-2", "made here", save_tiny_random),
}


def folder(name: str) -> Path:
    """Return the preset folder of a stand-in. It is made on first use and kept in the cache.

    Args:
        name: A key of `STAND_INS`.

    Raises:
        UserError: If the package that it is made from cannot be downloaded.
    """
    place = paths.cache() / f"{name}-{FORMAT}"
    if place.is_dir() and (problem := checksums.problem(place)):
        progress.note(f"{name} in the cache is damaged ({problem}); it is made anew")
        shutil.rmtree(place)
    if not place.is_dir():
        with downloads.scratch() as scratch:
            made = scratch / "preset"
            STAND_INS[name].save(made)
            try:
                os.rename(made, place)
            except OSError:  # another process was quicker
                shutil.rmtree(made)
    checksums.record(place)
    return place
