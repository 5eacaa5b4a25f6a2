"""Finding, loading and saving the language models."""

import difflib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from lib import downloads, paths, progress, stand_in
from lib.errors import UserError

NONE = "none"
ORIGIN_FILE = "origin.json"  # beside the weights of a model that `save` wrote
WEIGHTS_FILES = ("model.weights.h5", "model.weights.json", "model.safetensors", "model.safetensors.index.json")
STAND_INS = {"smollm2_135m": "SmolLM2-135M-Instruct", "tiny_random": "tiny random GPT-2"}


@dataclass
class Model:
    """Where a model was found.

    Attributes:
        handle: What `from_preset` takes.
        name: What a reader should call it.
        stand_ins: What stands in for what, a line each: the model itself, or what it was fine-tuned from and on.
        attempts: What was tried before, a line each, with the reason why it failed.
    """

    handle: str
    name: str
    stand_ins: list[str] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)


def find(preset: str, stand_in_name: str = NONE) -> Model:
    """Finds a preset: in a local folder, on Kaggle, on Hugging Face; else the named stand-in.

    Args:
        preset: A KerasHub preset name (`gpt2_base_en`), a `kaggle://` or `hf://` handle, or a preset folder's path.
        stand_in_name: What to use where a preset of a hub cannot be reached: a key of `STAND_INS`, or `"none"`. A
            misspelt name or a missing folder is an error all the same.

    Returns:
        The first source that answers.

    Raises:
        UserError: If there is no such preset, or none of its sources can be reached and no stand-in is named.
    """
    from lib import smollm2  # noqa: F401  (from_preset must know the stand-in's classes)

    if stand_in_name not in (NONE, *STAND_INS):
        raise UserError(f"stand_in is {stand_in_name!r}; allowed are {', '.join((NONE, *STAND_INS))}.")
    if preset in STAND_INS:
        return Model(str(stand_in.folder(preset)), STAND_INS[preset])
    if "://" not in preset and (preset not in known_presets()):
        return _local(preset)
    attempts = []
    handles = _handles(preset)
    for handle in handles:
        if folder := _cached(handle):
            return Model(str(folder), preset)
    for handle in handles:
        reason = _why_not(handle)
        if reason is None:
            return Model(handle, preset, attempts=attempts)
        attempts.append(f"{handle}: {reason}")
        progress.note(f"cannot load {attempts[-1]}")
    if stand_in_name == NONE:
        raise UserError(
            f"preset is {preset!r}, and none of its sources can be used. "
            + " ".join(f"Tried {attempt}." for attempt in attempts)
            + " Check the network, set preset to a local preset folder, or name a stand-in"
            + f" (stand_in: {', '.join(STAND_INS)})."
        )
    folder = stand_in.folder(stand_in_name)
    name = STAND_INS[stand_in_name]
    return Model(str(folder), name, stand_ins=[f"{name} in place of {preset}"], attempts=attempts)


def load_causal_lm(preset: str, sequence_length: int, stand_in_name: str = NONE):
    """Loads a language model with its preprocessor, as the blog post does.

    Args:
        preset: See `find`.
        sequence_length: The length, in tokens, that training texts are cut or padded to.
        stand_in_name: See `find`.

    Returns:
        A `keras_nlp.models.CausalLM` with float32 weights, its preprocessor attached.

    Raises:
        UserError: See `find`.
    """
    return load(find(preset, stand_in_name), sequence_length)


def load(model: Model, sequence_length: int):
    """Loads a model that `find` found. See `load_causal_lm`."""
    import keras_nlp

    preprocessor = keras_nlp.models.CausalLMPreprocessor.from_preset(model.handle, sequence_length=sequence_length)
    return keras_nlp.models.CausalLM.from_preset(model.handle, preprocessor=preprocessor)


def save(causal_lm, folder: Path, name: str = "", stand_ins: list[str] | None = None) -> None:
    """Saves a model as a preset; `from_preset` loads it back with identical logits.

    Args:
        causal_lm: The model.
        folder: Where to; what lay there is replaced.
        name: What a reader should call the model. It is kept beside the weights, for `find` to read.
        stand_ins: What stood in for what when it was made; kept as well, so that no later report passes it off as
            something else.
    """
    folder = Path(folder)
    if folder.exists():
        shutil.rmtree(folder)
    causal_lm.save_to_preset(str(folder))
    origin = {"name": name or folder.name, "stand_ins": stand_ins or []}
    (folder / ORIGIN_FILE).write_text(json.dumps(origin, ensure_ascii=False), encoding="utf-8")


def known_presets() -> list[str]:
    """The names of all presets of language models that KerasHub knows."""
    import keras_nlp

    return sorted(keras_nlp.models.CausalLM.presets)


def _local(preset: str) -> Model:
    folder = paths.resolve(preset)
    if (folder / "config.json").is_file():
        origin = {"name": paths.shown(folder), "stand_ins": []}
        if (folder / ORIGIN_FILE).is_file():
            origin = json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8"))
        return Model(str(folder), **origin)
    if preset.startswith("outputs/"):
        notebook = folder.parent.name
        raise UserError(
            f"preset is {preset!r}, but no model was saved there. Run `make report NOTEBOOK={notebook}` first."
        )
    near = difflib.get_close_matches(preset, known_presets(), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UserError(
        f"preset is {preset!r}, which is neither a KerasHub preset of a language model nor a folder with a config.json."
        f"{hint} The post's presets are gpt2_base_en, gpt2_medium_en, gpt2_large_en, gpt2_extra_large_en and "
        "gpt2_base_en_cnn_dailymail."
    )


def _handles(preset: str) -> list[str]:
    """The addresses of a preset, in the order in which they are tried."""
    import keras_nlp

    if "://" in preset:
        if preset.split("://")[0] not in ("kaggle", "hf"):
            raise UserError(f"preset is {preset!r}; a handle begins with kaggle:// or hf://.")
        return [preset]
    kaggle = keras_nlp.models.CausalLM.presets[preset]["kaggle_handle"]
    return [kaggle, f"hf://keras/{preset}"]


def _why_not(handle: str) -> str | None:
    """Why a handle cannot be loaded from its hub, in a few words; None where it can."""
    from keras_hub.src.utils.preset_utils import get_file

    hosts = {"kaggle": "https://www.kaggle.com", "hf": os.environ.get("HF_ENDPOINT") or "https://huggingface.co"}
    host = hosts[handle.split("://")[0]]
    if not downloads.reachable(host):
        return f"{downloads.without_secrets(host)} cannot be reached"
    try:
        get_file(handle, "config.json")
    except Exception as error:  # any failure of a hub's client means: try the next source
        return downloads.without_secrets(f"{type(error).__name__}: {str(error).splitlines()[0][:200]}")
    return None


def _cached(handle: str) -> Path | None:
    """The folder in which a hub's client keeps a preset, if its weights were downloaded to the end.

    It is loaded as a local folder, since KerasHub asks the hub even then for optional files that it does not hold.
    """
    scheme, name = handle.split("://")
    if scheme == "hf":
        import huggingface_hub

        found = [huggingface_hub.try_to_load_from_cache(name, file) for file in WEIGHTS_FILES]
        return next((Path(file).parent for file in found if isinstance(file, str)), None)
    from kagglehub.cache import Cache
    from kagglehub.handle import parse_model_handle

    parsed = parse_model_handle(name)
    if not parsed.is_versioned():
        return None
    found = [Cache().load_from_cache(parsed, file) for file in WEIGHTS_FILES]
    return next((Path(file).parent for file in found if file), None)
