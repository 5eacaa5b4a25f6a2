"""Presets from Kaggle and Hugging Face: found in their caches, checked, or fetched by their own clients.

A fetch runs in a process of its own (`python -m lib.data.hubs <handle>`), see `lib.core.watchdog`. Once fetched, the files'
SHA-256 are kept, so that a file that was damaged later is found and fetched anew.
"""

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

from lib.core import paths, progress, redaction, watchdog
from lib.data import downloads

# What a language model is loaded from: weights as Keras or safetensors files, configurations, vocabularies. A
# repository may also hold its weights in half a dozen other formats.
HF_WANTED = ["*.json", "*.txt", "*.weights.h5", "*.safetensors", "assets/*"]
HF_UNWANTED = ["onnx/*"]
MISSING = "there is no"  # how a problem begins that is a missing file


class Unavailable(Exception):
    """Why a preset cannot be had from a hub, in a line."""


def fetch(handle: str, expected_bytes: int = 0) -> Path:
    """Fetches a preset with its hub's own client, or goes on with a fetch that was interrupted.

    Args:
        handle: `kaggle://owner/model/framework/variation[/version]` or `hf://owner/name`.
        expected_bytes: How large it is, for the progress bar; 0 where nobody knows.

    Returns:
        A folder that `from_preset` loads without asking the network.

    Raises:
        Unavailable: If it cannot be fetched, nothing arrives for `watchdog.STALL_SECONDS`, or what came is damaged.
    """
    scheme = handle.split("://")[0]
    if scheme == "hf" and offline():
        raise Unavailable("it is not in the cache, and HF_HUB_OFFLINE is set")
    host = endpoint(scheme)
    if not downloads.reachable(host):
        raise Unavailable(f"{redaction.clean(host)} cannot be reached")
    progress.note(f"fetching {handle}")
    try:
        output = watchdog.run(
            [sys.executable, "-m", "lib.data.hubs", handle],
            [_growing(handle)],
            f"fetching {handle}",
            expected_bytes,
            cache_variables() | {"HF_HUB_DISABLE_XET": "1"},  # plain HTTP goes on where it was interrupted
        )
    except watchdog.Failure as failure:
        raise Unavailable(redaction.clean(str(failure))[:300]) from None
    folder = Path(output.splitlines()[-1])
    if problem := problem_with(folder):
        _forget(handle, folder)
        raise Unavailable(f"what was fetched is not whole: {problem}")
    downloads.seal(folder)
    return folder


def cached(handle: str) -> tuple[Path | None, str]:
    """Looks for a preset in this project's cache and that of the hub's client.

    Args:
        handle: See `fetch`.

    Returns:
        Its folder, or None if it is not there whole; and what is wrong with it, or `""`. A damaged copy is removed
        where a fetch would write to; the client's usual folder is left alone.
    """
    trouble = ""
    for root in _roots(handle):
        folder = _folder(handle, root)
        if folder is None:
            continue
        if not (problem := downloads.damage(folder) or problem_with(folder)):
            downloads.seal(folder)
            return folder, ""
        if handle.startswith("hf://") and problem.startswith(MISSING):
            continue  # unfinished, and the client goes on where it stopped
        trouble = f"the copy in the cache is damaged: {problem}"
        _forget(handle, folder)
    return None, trouble


def problem_with(folder: Path) -> str:
    """What keeps a preset folder from being loaded, as far as its files tell without loading it.

    Args:
        folder: A Keras preset or a Hugging Face checkpoint.

    Returns:
        A few words, or `""`.
    """
    config, problem = _read_json(folder / "config.json")
    if problem:
        return problem
    is_keras = "registered_name" in config
    weights = "model.weights.h5" if is_keras else "model.safetensors"
    index = "model.weights.json" if is_keras else "model.safetensors.index.json"
    files = [weights]
    if not (folder / weights).is_file() and (folder / index).is_file():
        content, problem = _read_json(folder / index)
        if problem:
            return problem
        shards = content.get("weight_map", {}).values()
        files = sorted({name for shard in shards for name in (shard if isinstance(shard, list) else [shard])})
    for name in files:
        if problem := _weights_problem(folder / name):
            return problem
    if is_keras:
        needed = ["tokenizer.json"]
        if not any((folder / "assets" / "tokenizer").glob("*")):
            return f"{MISSING} vocabulary in assets/tokenizer"
    else:
        needed = ["vocab.json", "merges.txt"] if config.get("model_type") == "gpt2" else []
    for name in needed:
        if not (folder / name).is_file():
            return f"{MISSING} {name}"
        if name.endswith(".json") and (problem := _read_json(folder / name)[1]):
            return problem
    return ""


def offline() -> bool:
    """Whether the user has set `HF_HUB_OFFLINE`, so that Hugging Face must not be asked for anything."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def endpoint(scheme: str) -> str:
    """The address that a hub's client talks to. `HF_ENDPOINT` and `KAGGLE_API_ENVIRONMENT` change it."""
    if scheme == "hf":
        return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    from kagglesdk.kaggle_env import get_endpoint, get_env

    return get_endpoint(get_env())


def cache_variables() -> dict[str, str]:
    """The environment variables that make the hubs' clients keep their files in this project's cache.

    What the user has set himself (`KAGGLEHUB_CACHE`, `HF_HUB_CACHE`, `HF_HOME`) stays.
    """
    variables = {}
    if not os.environ.get("KAGGLEHUB_CACHE"):
        variables["KAGGLEHUB_CACHE"] = str(paths.cache() / "kagglehub")
    if not os.environ.get("HF_HUB_CACHE") and not os.environ.get("HF_HOME"):
        variables["HF_HUB_CACHE"] = str(paths.cache() / "huggingface")
    return variables


def _roots(handle: str) -> list[Path]:
    """Where a hub's files may lie: the folder the user named, or else this project's cache and the client's own.

    `~` is left as it is where there is no home folder; then nothing lies there.
    """
    own = cache_variables()
    if handle.startswith("kaggle://"):
        named, variable = os.environ.get("KAGGLEHUB_CACHE"), "KAGGLEHUB_CACHE"
        default = "~/.cache/kagglehub"
    else:
        home = os.environ.get("HF_HOME")
        named = os.environ.get("HF_HUB_CACHE") or (home and os.path.join(home, "hub"))
        variable = "HF_HUB_CACHE"
        default = f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface/hub"
    return [Path(os.path.expanduser(place)) for place in ([named] if named else [own[variable], default])]


def _folder(handle: str, root: Path) -> Path | None:
    """The folder of a preset below the root of a cache, if its download was finished there."""
    name = handle.split("://")[1]
    if handle.startswith("hf://"):
        repository = root / f"models--{name.replace('/', '--')}"
        with contextlib.suppress(OSError):
            snapshot = repository / "snapshots" / (repository / "refs" / "main").read_text().strip()
            return snapshot if (snapshot / "config.json").is_file() else None
        return None
    parts = name.split("/")
    place = root.joinpath("models", *parts[:4])
    newest_first = sorted((int(mark.stem) for mark in place.glob("*.complete") if mark.stem.isdigit()), reverse=True)
    versions = [parts[4]] if len(parts) == 5 else map(str, newest_first)
    for version in versions:
        whole = (place / f"{version}.complete").is_file()
        # `from_preset` fetches file by file, and marks each.
        marks = [path.name for path in (place / ".complete" / version).glob("*.complete")]
        weights = any(mark.startswith("model.weights.") for mark in marks)
        if (place / version).is_dir() and (whole or ("config.json.complete" in marks and weights)):
            return place / version
    return None


def _growing(handle: str) -> Path:
    """The folder that a fetch of a preset writes to."""
    name, root = handle.split("://")[1], _roots(handle)[0]
    if handle.startswith("hf://"):
        return root / f"models--{name.replace('/', '--')}"
    return root.joinpath("models", *name.split("/")[:4])


def _forget(handle: str, folder: Path) -> None:
    """Removes a damaged preset from where a fetch would write to."""
    root = _roots(handle)[0]
    if not folder.is_relative_to(root):
        return
    if handle.startswith("hf://"):
        shutil.rmtree(folder.parent.parent, ignore_errors=True)
        return
    shutil.rmtree(folder, ignore_errors=True)
    (folder.parent / f"{folder.name}.complete").unlink(missing_ok=True)
    shutil.rmtree(folder.parent / ".complete" / folder.name, ignore_errors=True)


def _read_json(file: Path) -> tuple[dict, str]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, f"{MISSING} {file.name}"
    except ValueError:
        return {}, f"{file.name} is cut off or not JSON"
    return (content, "") if isinstance(content, dict) else ({}, f"{file.name} is not a mapping")


def _weights_problem(file: Path) -> str:
    if not file.is_file():
        return f"{MISSING} {file.name}"
    try:
        if file.suffix == ".h5":
            import h5py

            h5py.File(file, "r").close()
        else:
            from safetensors import safe_open

            safe_open(file, framework="np")
    except Exception as error:  # either library raises kinds of its own
        return f"{file.name} is cut off or damaged ({str(error).splitlines()[0][:100]})"
    return ""


def _fetch_here(handle: str) -> str:
    """Fetches a preset with its hub's client, in this process, without a time limit."""
    scheme, name = handle.split("://")
    if scheme == "kaggle":
        import kagglehub

        return kagglehub.model_download(name)
    import huggingface_hub

    return huggingface_hub.snapshot_download(name, allow_patterns=HF_WANTED, ignore_patterns=HF_UNWANTED)


def main(handle: str) -> int:
    """The process that fetches. Prints the folder, or one line on stderr. Returns the exit status."""
    watchdog.end_with_parent()
    try:
        folder = _fetch_here(handle)
    except Exception as error:  # any failure of a client means: try the next source
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        print(f"{type(error).__name__}: {' '.join(lines)}", file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
