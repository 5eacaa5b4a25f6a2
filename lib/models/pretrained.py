"""Finding, loading and saving the language models."""

import difflib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from lib.core import paths, progress
from lib.core.errors import UserError
from lib.data import hubs
from lib.models import convert_smollm2, memory

NONE = "none"
ORIGIN_FILE = "origin.json"  # beside the weights of a model that `save` wrote
STAND_INS = {"smollm2_135m": "SmolLM2-135M-Instruct", "tiny_random": "tiny random GPT-2"}
# OpenAI's weights in Hugging Face's format, which KerasHub converts. The preset tuned on CNN/Daily Mail has none.
OPENAI = {
    "gpt2_base_en": "hf://openai-community/gpt2",
    "gpt2_medium_en": "hf://openai-community/gpt2-medium",
    "gpt2_large_en": "hf://openai-community/gpt2-large",
    "gpt2_extra_large_en": "hf://openai-community/gpt2-xl",
}
POST_PRESETS = (*OPENAI, "gpt2_base_en_cnn_dailymail")


@dataclass
class Model:
    """Where a model was found.

    Attributes:
        handle: What `from_preset` takes.
        name: What a reader should call it.
        stand_ins: What stands in for what, a line each: the model itself, or what it was fine-tuned from and on.
        attempts: What was tried before, a line each, with the reason why it failed.
        source: Where it came from: a hub's handle, a package, or a folder.
    """

    handle: str
    name: str
    stand_ins: list[str] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    source: str = ""


def find(preset: str, stand_in_name: str = NONE, *needs: memory.Need) -> Model:
    """Finds a preset, and fetches it if need be.

    A preset's name stands for these sources, tried in this order: what lies in a hub's cache; KerasHub's own preset on
    Kaggle; the same on Hugging Face; OpenAI's weights on Hugging Face, which KerasHub converts. If all fail, it is the
    stand-in, if one is named.

    Args:
        preset: A KerasHub preset name (`gpt2_base_en`), a `kaggle://` or `hf://` handle, or a preset folder's path.
        stand_in_name: What to use where a preset of a hub cannot be had: a key of `STAND_INS`, or `"none"`. A
            misspelt name or a missing folder is an error all the same.
        needs: What is going to be done with it. Whether the memory holds that is estimated before anything is fetched.

    Returns:
        The first source that answers.

    Raises:
        UserError: If there is no such preset, none of its sources can be used and no stand-in is named, or the memory
            cannot hold it.
    """
    from lib.models import smollm2  # noqa: F401  (from_preset must know the stand-in's classes)

    if stand_in_name not in (NONE, *STAND_INS):
        raise UserError(f"stand_in is {stand_in_name!r}; allowed are {', '.join((NONE, *STAND_INS))}.")
    if preset in STAND_INS:
        return _checked(
            Model(str(convert_smollm2.folder(preset)), STAND_INS[preset], source=_package(preset)), preset, needs
        )
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
    memory.check(preset, shape, needs)
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
            + f" (stand_in: {', '.join(STAND_INS)})."
        )
    folder, name = convert_smollm2.folder(stand_in_name), STAND_INS[stand_in_name]
    stand_ins = [f"{name} in place of {preset}"]
    return _checked(Model(str(folder), name, stand_ins, attempts, _package(stand_in_name)), name, needs)


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
    """Loads a model that `find` found, and speeds up its `generate`. See `load_causal_lm` and `decoding.speed_up`."""
    import keras_nlp

    from lib.models import decoding

    preprocessor = keras_nlp.models.CausalLMPreprocessor.from_preset(model.handle, sequence_length=sequence_length)
    return decoding.speed_up(keras_nlp.models.CausalLM.from_preset(model.handle, preprocessor=preprocessor))


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
        if problem := hubs.problem_with(folder):
            raise UserError(f"preset is {preset!r}, a folder that cannot be loaded: {problem}. Fetch or make it anew.")
        origin = {"name": paths.shown(folder), "stand_ins": []}
        if (folder / ORIGIN_FILE).is_file():
            origin = json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8"))
        return Model(str(folder), **{"source": f"folder {paths.shown(folder)}"} | origin)
    if preset.startswith("outputs/"):
        notebook = folder.parent.name
        raise UserError(
            f"preset is {preset!r}, but no model was saved there. Run `make report NOTEBOOK={notebook}` first."
        )
    near = difflib.get_close_matches(preset, known_presets(), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UserError(
        f"preset is {preset!r}, which is neither a KerasHub preset of a language model nor a folder with a config.json."
        f"{hint} The post's presets are {', '.join(POST_PRESETS)}."
    )


def _handles(preset: str) -> list[str]:
    """The addresses of a preset, in the order in which they are tried."""
    import keras_nlp

    if "://" in preset:
        scheme, name = preset.split("://", 1)
        slashes = {"kaggle": (3, 4), "hf": (1,)}.get(scheme, ())
        if name.count("/") not in slashes or not all(name.split("/")):
            raise UserError(
                f"preset is {preset!r}; a handle is kaggle://owner/model/framework/variation[/version] or hf://owner/name."
            )
        return [preset]
    handles = [keras_nlp.models.CausalLM.presets[preset]["kaggle_handle"], f"hf://keras/{preset}"]
    return handles + ([OPENAI[preset]] if preset in OPENAI else [])


def _checked(model: Model, preset: str, needs: tuple[memory.Need, ...]) -> Model:
    """Checks that the memory holds what is going to be done with a model that lies on the disk."""
    memory.check(preset, memory.shape_of(Path(model.handle)), needs)
    return model


def _package(stand_in_name: str) -> str:
    return (
        f"package {convert_smollm2.PACKAGE} {convert_smollm2.VERSION}"
        if stand_in_name == "smollm2_135m"
        else "made here"
    )
