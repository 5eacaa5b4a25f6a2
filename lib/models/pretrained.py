"""Find, load and save pretrained language models."""

import difflib
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import keras_nlp

from lib.core import paths, progress, published
from lib.core.errors import UserError
from lib.core.records import Record, StandIn
from lib.data import hubs

# The last one registers SmolLM2's classes for `from_preset`.
from lib.models import decoding, distribution, memory, stand_ins

NONE = "none"
ORIGIN_FILE = "origin.json"  # what `save` records beside the weights
# OpenAI's weights in Hugging Face's format, which KerasHub converts. The preset tuned on CNN/Daily Mail has none.
OPENAI = {
    "gpt2_base_en": "hf://openai-community/gpt2",
    "gpt2_medium_en": "hf://openai-community/gpt2-medium",
    "gpt2_large_en": "hf://openai-community/gpt2-large",
    "gpt2_extra_large_en": "hf://openai-community/gpt2-xl",
}
HANDLE_PART = re.compile(r"[\w-][\w.-]*", re.ASCII)  # a part of a hub's handle, which becomes a folder's name
POST_PRESETS = (*OPENAI, "gpt2_base_en_cnn_dailymail")


class Origin(Record):
    """What a saved model was made from."""

    name: str
    stand_ins: list[StandIn]


@dataclass
class Model:
    """A model that was found, and is ready to be loaded.

    Attributes:
        handle: The argument for `from_preset`.
        name: Its name in the reports.
        stand_ins: What was used in place of what: the model itself, or the model and texts that it was trained from.
        attempts: The sources that were tried before, each with the reason why it failed.
        source: The source: a hub's handle, a package, or a folder.
        division: How the devices share a training of it.
    """

    handle: str
    name: str
    stand_ins: list[StandIn] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    source: str = ""
    division: memory.Division = memory.WHOLE


def find(preset: str, stand_in_name: str = NONE, *needs: memory.Need) -> Model:
    """Find a preset, and download it if need be.

    The name of a preset has these sources, tried in this order: the cache of a hub, KerasHub's preset on Kaggle, the
    same preset on Hugging Face, and OpenAI's weights on Hugging Face, which KerasHub converts. If all of them fail, the
    stand-in is used, if one is named.

    Args:
        preset: The name of a KerasHub preset (`gpt2_base_en`), a `kaggle://` or `hf://` handle, or the path of a preset
            folder.
        stand_in_name: The model to use if no source of a preset can be reached: a key of `stand_ins.STAND_INS`, or
            `"none"`. A misspelt name or a missing folder is an error even if a stand-in is named.
        needs: What the model will be used for. Their memory is estimated before anything is downloaded.

    Returns:
        The model from the first source that can be used.

    Raises:
        UserError: If there is no such preset, none of its sources can be used and no stand-in is named, or the memory
            is too small for it.
    """
    if stand_in_name not in (NONE, *stand_ins.STAND_INS):
        raise UserError(f"stand_in is {stand_in_name!r}; allowed are {', '.join((NONE, *stand_ins.STAND_INS))}.")
    if preset in stand_ins.STAND_INS:
        return _checked(_stand_in(preset), preset, needs)
    if "://" not in preset and (preset not in known_presets()):
        return _checked(_local(preset), preset, needs)
    attempts, handles = [], _handles(preset)
    for handle in handles:
        folder, trouble = hubs.cached(handle)
        if folder:
            return _checked(Model(str(folder), preset, attempts=attempts, source=handle), preset, needs)
        if trouble:
            attempts.append(f"{handle}: {trouble}")
            progress.note(attempts[-1])
    shape = memory.KNOWN.get(preset)
    memory.check(preset, shape, needs, memory.divided(shape, needs))
    for handle in handles:
        try:
            folder = hubs.fetch(handle, 4 * shape.parameters if shape else 0)
            return _checked(Model(str(folder), preset, attempts=attempts, source=handle), preset, needs)
        except hubs.Unavailable as reason:
            attempts.append(f"{handle}: {reason}")
            progress.note(f"cannot load {attempts[-1]}")
    if stand_in_name == NONE:
        raise UserError(
            f"preset is {preset!r}, and none of its sources can be used. "
            + " ".join(f"Tried {attempt}." for attempt in attempts)
            + " Check the network, set preset to a local preset folder, or name a stand-in"
            + f" (stand_in: {', '.join(stand_ins.STAND_INS)})."
        )
    model = _stand_in(stand_in_name)
    model.stand_ins, model.attempts = [StandIn(used=model.name, requested=preset)], attempts
    return _checked(model, model.name, needs)


def load_causal_lm(preset: str, sequence_length: int, stand_in_name: str = NONE):
    """Find and load a pretrained language model with its preprocessor, as the blog post does.

    Args:
        preset: See `find`.
        sequence_length: The length in tokens to which training texts are cut or padded.
        stand_in_name: See `find`.

    Returns:
        A `keras_nlp.models.CausalLM` with float32 weights and its preprocessor, its `generate` sped up
        (`decoding.speed_up`).

    Raises:
        UserError: See `find`.
    """
    return load(find(preset, stand_in_name), sequence_length)


def load(model: Model, sequence_length: int):
    """Load a model that `find` returned, divided among the devices. See `load_causal_lm`."""
    distribution.set_up(model.division, memory.heads_of(Path(model.handle)))
    preprocessor = keras_nlp.models.CausalLMPreprocessor.from_preset(model.handle, sequence_length=sequence_length)
    return decoding.speed_up(keras_nlp.models.CausalLM.from_preset(model.handle, preprocessor=preprocessor))


def save(causal_lm, folder: Path, name: str = "", stand_ins: list[StandIn] | None = None) -> None:
    """Save a model as a preset. Loaded again, it computes the same logits.

    Args:
        causal_lm: The model.
        folder: The folder to make. If it exists, it is replaced.
        name: The model's name in the reports. It is recorded beside the weights, for `find`.
        stand_ins: What was used in place of what when the model was trained. It is recorded too, so that every report
            on the model can say so.
    """
    folder = Path(folder)
    if folder.exists():
        shutil.rmtree(folder)
    causal_lm.save_to_preset(str(folder))
    origin = Origin(name=name or folder.name, stand_ins=stand_ins or [])
    (folder / ORIGIN_FILE).write_text(origin.model_dump_json(), encoding="utf-8")


def known_presets() -> list[str]:
    """List the names of KerasHub's presets of language models."""
    return sorted(keras_nlp.models.CausalLM.presets)


def _local(preset: str) -> Model:
    folder = paths.resolve(preset)
    if (folder / "config.json").is_file():
        if problem := published.fault(folder.parent):
            raise UserError(
                f"preset is {preset!r}, the model of a report that is not whole: {problem}. {_run(folder)} anew."
            )
        if problem := hubs.problem_with(folder):
            raise UserError(f"preset is {preset!r}, a folder that cannot be loaded: {problem}. Fetch or make it anew.")
        name, used = _origin(preset, folder)
        return Model(str(folder), name, used, source=f"folder {paths.shown(folder)}")
    if preset.startswith("outputs/"):
        raise UserError(f"preset is {preset!r}, but no model was saved there. {_run(folder)} first.")
    near = difflib.get_close_matches(preset, known_presets(), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UserError(
        f"preset is {preset!r}, which is neither a KerasHub preset of a language model nor a folder with a config.json."
        f"{hint} The post's presets are {', '.join(POST_PRESETS)}."
    )


def _origin(preset: str, folder: Path) -> tuple[str, list[StandIn]]:
    """Read the name and the stand-ins that `save` recorded. Without a record, the name is the folder's."""
    file = folder / ORIGIN_FILE
    if not file.is_file():
        return paths.shown(folder), []
    try:
        origin = Origin.model_validate_json(file.read_bytes())
    except ValueError:
        raise UserError(
            f"preset is {preset!r}, a model that was saved by an older version of this code, or whose "
            f"{ORIGIN_FILE} is damaged. {_run(folder)} anew."
        ) from None
    return origin.name, origin.stand_ins


def _run(folder: Path) -> str:
    """Say how a report that saves a model is made."""
    notebook, profile = folder.parent.name.partition("@")[0], folder.parent.parent.name
    return f"Run `make report NOTEBOOK={notebook} PROFILE={profile}`"


def _handles(preset: str) -> list[str]:
    """List the handles of a preset in the order in which they are tried."""
    if "://" in preset:
        scheme, name = preset.split("://", 1)
        slashes = {"kaggle": (3, 4), "hf": (1,)}.get(scheme, ())
        parts = name.split("/")
        if name.count("/") not in slashes or not all(HANDLE_PART.fullmatch(part) for part in parts):
            raise UserError(
                f"preset is {preset!r}; a handle is kaggle://owner/model/framework/variation[/version] or "
                "hf://owner/name, of letters, digits, '-', '_' and '.', and no part begins with '.'."
            )
        return [preset]
    handles = [keras_nlp.models.CausalLM.presets[preset]["kaggle_handle"], f"hf://keras/{preset}"]
    return handles + ([OPENAI[preset]] if preset in OPENAI else [])


def _checked(model: Model, preset: str, needs: tuple[memory.Need, ...]) -> Model:
    """Check that there is enough memory for a model on the disk. Return the model, divided among the devices."""
    shape = memory.shape_of(Path(model.handle))
    model.division = memory.divided(shape, needs)
    memory.check(preset, shape, needs, model.division)
    return model


def _stand_in(name: str) -> Model:
    """Make a stand-in, if it is not in the cache. See `stand_ins.folder`."""
    made = stand_ins.STAND_INS[name]
    return Model(str(stand_ins.folder(name)), made.title, source=made.source)
