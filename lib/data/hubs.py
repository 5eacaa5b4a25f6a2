"""Find presets in the caches of Kaggle and Hugging Face, check them, and fetch them.

The hubs' own clients fetch, in a process of its own (`python -m lib.data.hubs`), see `lib.core.watchdog`. The SHA-256
of every file is recorded after a fetch, so that later damage is found and the file fetched again.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import h5py
import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers
from kagglesdk.kaggle_env import get_endpoint, get_env
from safetensors import safe_open
from tqdm import tqdm

from lib.core import paths, progress, redaction, watchdog
from lib.data import checksums, downloads

# The files that a language model is loaded from: weights of Keras or safetensors, configurations, vocabularies. A
# repository may also hold its weights in half a dozen other formats.
HF_WANTED = ["*.json", "*.txt", "*.weights.h5", "*.safetensors", "assets/*"]
HF_UNWANTED = ["onnx/*"]
CHUNK_BYTES = 2**20  # written at once
MISSING = "there is no"  # the beginning of a problem that is a missing file


class Unavailable(Exception):
    """The reason, in one line, why a hub does not provide a preset or a file."""


def fetch(handle: str, expected_bytes: int = 0) -> Path:
    """Fetch a preset with its hub's own client, or continue a fetch that was interrupted.

    Kaggle's client continues inside a file. Hugging Face's client keeps the complete files and fetches the others.

    Args:
        handle: `kaggle://owner/model/framework/variation[/version]` or `hf://owner/name`.
        expected_bytes: The size of the preset, for the progress bar; 0 if it is unknown.

    Returns:
        A folder that `from_preset` loads without network access.

    Raises:
        Unavailable: If the fetch fails, if nothing arrives for `watchdog.STALL_SECONDS`, or if the files are damaged.
    """
    growing = _place(handle, _roots(handle)[0])
    output = _run(handle.split("://")[0], [handle], growing, handle, expected_bytes)
    folder = Path(output.splitlines()[-1]).resolve()
    if problem := problem_with(folder):
        _forget(handle, folder)
        raise Unavailable(f"the fetched files are incomplete or damaged: {problem}")
    checksums.record(folder)
    return folder


def fetch_file(dataset: str, name: str, file: Path) -> None:
    """Fetch a file of a data set on Hugging Face, or continue a fetch that was interrupted.

    Args:
        dataset: The data set, `owner/name`.
        name: The file's path in the data set.
        file: The file to write. Until it is complete, it has the suffix `.part`.

    Raises:
        Unavailable: If the fetch fails, or if nothing arrives for `watchdog.STALL_SECONDS`.
    """
    unfinished = file.with_name(f"{file.name}.part")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    _run("hf", [dataset, name, str(unfinished)], unfinished, file.name)
    unfinished.replace(file)


def cached(handle: str) -> tuple[Path | None, str]:
    """Look for a preset in this project's cache and in the cache of the hub's client.

    A damaged copy is removed from the cache that `fetch` writes to. The client's own cache is left as it is.

    Args:
        handle: See `fetch`.

    Returns:
        The preset's folder, or None if there is no complete copy; and what is wrong with a damaged copy, or `""`.
    """
    trouble = ""
    for root in _roots(handle):
        folder = _folder(handle, root)
        if folder is None:
            continue
        if not (problem := checksums.problem(folder) or problem_with(folder)):
            checksums.record(folder)
            return folder, ""
        if handle.startswith("hf://") and problem.startswith(MISSING):
            continue  # an unfinished fetch, which the client continues
        trouble = f"the copy in the cache is damaged: {problem}"
        _forget(handle, folder)
    return None, trouble


def problem_with(folder: Path) -> str:
    """Tell why a preset cannot be loaded, as far as its files show this without loading them.

    Args:
        folder: A Keras preset or a Hugging Face checkpoint.

    Returns:
        A few words, or `""`.
    """
    if problem := _file_problem(folder / "config.json"):
        return problem
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "registered_name" in config:  # Keras
        weights, index, others = "model.weights.h5", "model.weights.json", ["tokenizer.json"]
        if problem := _task_problem(folder, config):
            return problem
        if not any((folder / "assets" / "tokenizer").glob("*")):
            return f"{MISSING} vocabulary in assets/tokenizer"
    else:
        weights, index = "model.safetensors", "model.safetensors.index.json"
        others = ["vocab.json", "merges.txt"] if config.get("model_type") == "gpt2" else []
    names = {weights}
    if not (folder / weights).is_file() and (folder / index).is_file():
        if problem := _file_problem(folder / index):
            return problem
        shards = json.loads((folder / index).read_text(encoding="utf-8")).get("weight_map", {}).values()
        names = {name for shard in shards for name in (shard if isinstance(shard, list) else [shard])}
    return next(filter(None, (_file_problem(folder / name) for name in [*sorted(names), *others])), "")


def offline() -> bool:
    """Tell whether the user has set `HF_HUB_OFFLINE`, which forbids any request to Hugging Face."""
    return downloads.offline("HF_HUB_OFFLINE")


def endpoint(scheme: str) -> str:
    """Return the address of a hub. `HF_ENDPOINT` and `KAGGLE_API_ENVIRONMENT` change it."""
    if scheme == "hf":
        return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    return get_endpoint(get_env())


def cache_variables() -> dict[str, str]:
    """Return the environment variables that make the hubs' clients use this project's cache.

    A cache that the user names (`KAGGLEHUB_CACHE`, `HF_HUB_CACHE`, `HF_HOME`) is kept.
    """
    variables = {}
    if not os.environ.get("KAGGLEHUB_CACHE"):
        variables["KAGGLEHUB_CACHE"] = str(paths.cache() / "kagglehub")
    if not os.environ.get("HF_HUB_CACHE") and not os.environ.get("HF_HOME"):
        variables["HF_HUB_CACHE"] = str(paths.cache() / "huggingface")
    return variables


def _roots(handle: str) -> list[Path]:
    """Return the caches of a hub: the one that the user names, or else this project's and the client's own."""
    if handle.startswith("kaggle://"):
        variable, own = "KAGGLEHUB_CACHE", os.environ.get("KAGGLEHUB_CACHE") or "~/.cache/kagglehub"
    else:
        variable, own = "HF_HUB_CACHE", constants.HF_HUB_CACHE
    # Without a home folder, `~` is not expanded, and the client's own cache does not exist.
    return [Path(os.path.expanduser(root)).resolve() for root in (cache_variables().get(variable), own) if root]


def _place(handle: str, root: Path) -> Path:
    """Return the folder in a cache that holds all versions of a preset."""
    name = handle.split("://")[1]
    if handle.startswith("hf://"):
        return root / f"models--{name.replace('/', '--')}"
    return root.joinpath("models", *name.split("/")[:4])


def _folder(handle: str, root: Path) -> Path | None:
    """Return a preset's folder in a cache, or None if it was not fetched there to the end."""
    name = handle.split("://")[1]
    if handle.startswith("hf://"):
        try:
            # With no file asked for, an incomplete copy counts as well; `problem_with` knows which files are needed.
            return Path(
                huggingface_hub.snapshot_download(name, cache_dir=root, local_files_only=True, allow_patterns=[])
            )
        except (LocalEntryNotFoundError, HFValidationError):
            return None
    place = _place(handle, root)
    newest_first = sorted((int(mark.stem) for mark in place.glob("*.complete") if mark.stem.isdigit()), reverse=True)
    for version in name.split("/")[4:] or map(str, newest_first):
        complete = (place / f"{version}.complete").is_file()
        # `from_preset` fetches file by file, and marks each.
        marks = [path.name for path in (place / ".complete" / version).glob("*.complete")]
        weights = any(mark.startswith("model.weights.") for mark in marks)
        if (place / version).is_dir() and (complete or ("config.json.complete" in marks and weights)):
            return place / version
    return None


def _forget(handle: str, folder: Path) -> None:
    """Remove a damaged preset from the cache that a fetch writes to."""
    root = _roots(handle)[0]
    if not folder.resolve().is_relative_to(root) or not _place(handle, root).resolve().is_relative_to(root):
        return
    if handle.startswith("hf://"):
        shutil.rmtree(_place(handle, root), ignore_errors=True)
        return
    shutil.rmtree(folder, ignore_errors=True)
    (folder.parent / f"{folder.name}.complete").unlink(missing_ok=True)
    shutil.rmtree(folder.parent / ".complete" / folder.name, ignore_errors=True)


def _file_problem(file: Path) -> str:
    """Tell whether a file of a preset is missing, cut off or damaged, or return `""`."""
    if not file.is_file():
        return f"{MISSING} {file.name}"
    try:
        if file.suffix == ".h5":
            h5py.File(file, "r").close()
        elif file.suffix == ".safetensors":
            safe_open(file, framework="np")
        elif file.suffix == ".json" and not isinstance(json.loads(file.read_text(encoding="utf-8")), dict):
            raise ValueError("not a mapping")
    except Exception as error:  # each library raises its own kinds
        return f"{file.name} is cut off or damaged ({str(error).splitlines()[0][:100]})"
    return ""


def _task_problem(folder: Path, config: dict) -> str:
    """Tell whether the model that a Keras preset builds, that of `task.json`, is another than `config.json` says.

    The memory that a model takes is estimated from `config.json`.
    """
    if not (folder / "task.json").is_file():
        return ""
    if problem := _file_problem(folder / "task.json"):
        return problem
    try:
        task = json.loads((folder / "task.json").read_text(encoding="utf-8"))["config"]["backbone"]["config"]
        sizes = {name: size for name, size in config["config"].items() if type(size) is int}
        other = next((name for name, size in sizes.items() if task.get(name, size) != size), "")
    except (KeyError, TypeError, AttributeError):
        return "task.json is not that of a language model"
    return f"{other} is {task[other]!r} in task.json and {sizes[other]!r} in config.json" if other else ""


def _run(scheme: str, arguments: list[str], growing: Path, what: str, expected_bytes: int = 0) -> str:
    """Run `main` in a process of its own, unless the hub cannot be reached. Return its output."""
    if downloads.offline():
        raise Unavailable(f"it is not in the cache, and {downloads.OFFLINE} is set")
    if scheme == "hf" and offline():
        raise Unavailable("it is not in the cache, and HF_HUB_OFFLINE is set")
    if not downloads.reachable(endpoint(scheme)):
        raise Unavailable(f"{redaction.clean(endpoint(scheme))} cannot be reached")
    progress.note(f"fetching {what}")
    command = [sys.executable, "-m", "lib.data.hubs", *arguments]
    variables = cache_variables() | {"HF_HUB_DISABLE_XET": "1"}  # only plain HTTP continues after a broken connection
    try:
        return watchdog.run(command, [growing], f"fetching {what}", expected_bytes, variables)
    except watchdog.Failure as failure:
        raise Unavailable(redaction.clean(str(failure))[:300]) from None


def main(arguments: list[str]) -> int:
    """Fetch a preset (one argument) or a file of a data set (three), without a time limit.

    The folder is printed on stdout, an error in one line on stderr.

    Returns:
        The exit status.
    """
    watchdog.end_with_parent()
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES  # with 10 MB, a slow connection would look stalled to the watchdog
    try:
        print((_fetch_file if len(arguments) == 3 else _fetch_preset)(*arguments))
    except Exception as error:  # the clients raise many kinds
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _fetch_preset(handle: str) -> str:
    scheme, name = handle.split("://")
    if scheme == "kaggle":
        import kagglehub  # noqa: PLC0415  (fails without a home folder, as in a container with an unknown user)

        return kagglehub.model_download(name)
    return huggingface_hub.snapshot_download(name, allow_patterns=HF_WANTED, ignore_patterns=HF_UNWANTED)


def _fetch_file(dataset: str, name: str, unfinished: str) -> str:
    """Append what is missing to an unfinished file. `hf_hub_download` would start again in every process."""
    address = huggingface_hub.hf_hub_url(dataset, name, repo_type="dataset", endpoint=endpoint("hf"))
    size = huggingface_hub.get_hf_file_metadata(address).size
    with open(unfinished, "ab") as file:
        if size and file.tell() > size:  # of another version of the file
            file.seek(0)
            file.truncate()
        http_get(
            address,
            file,
            resume_size=file.tell(),
            headers=build_hf_headers(),
            expected_size=size,
            tqdm_class=_Progress,
        )
    return unfinished


class _Progress(tqdm):
    """Passes the progress of a download on to `progress.step`."""

    def display(self, *arguments, **options):
        total = max(self.n, self.total or 1) // watchdog.MEGABYTE
        progress.step(int(self.n) // watchdog.MEGABYTE, max(1, total), "fetching", unit="MB")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
