"""Load the Reddit stories of `reddit_tifu` from TensorFlow Datasets (TFDS).

TFDS itself prepares the stories, from a file whose SHA-256 it has registered. The file comes from Google Drive, from a
user who placed it by hand, or, gzipped, from a mirror on Hugging Face: `python -m lib.data.reddit_tifu` (`make data`).
"""

import gzip
import os
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import tensorflow_datasets as tfds

from lib.core import command_line, imports, paths, progress, redaction, watchdog
from lib.core.errors import UserError
from lib.data import checksums, downloads, hubs

FILE = "tifu_all_tokenized_and_filtered.json"
MIRROR = ("ctr4si/reddit_tifu", f"data/{FILE}.gz")  # a data set on Hugging Face, and its file
DRIVE = "https://drive.google.com"
COMMAND = [sys.executable, "-m", "lib.data.reddit_tifu"]
# The beginning and the title of TFDS's first example, which identify the data (blog post; TFDS's page of reddit_tifu).
FIRST = {"short": ("me and a friend decided to go to the beach last sunday", "liking seafood")}

# The errors of TensorFlow that damaged stories raise, by name: importing it would import Keras too, whose backend must
# be chosen first.
DAMAGED = ("DataLossError", "OutOfRangeError")


class Unavailable(UserError):
    """No source provides the file.

    Attributes:
        attempts: The sources tried, a line each, with the reason why they failed.
    """

    def __init__(self, attempts: list[str]):
        tried = "; ".join(attempts)
        super().__init__(f"dataset is 'reddit_tifu', but it cannot be fetched. Tried {tried}. {advice()}")
        self.attempts = attempts


def builder(config: str):
    """Return TFDS's builder of `reddit_tifu`.

    Args:
        config: `"short"` (documents with titles) or `"long"` (those that also have a summary).
    """
    return tfds.builder(f"reddit_tifu/{config}", data_dir=data_folder())


def data_folder() -> Path:
    """Return TFDS's data folder: `TFDS_DATA_DIR`, or its default if that holds the stories, or one in the cache."""
    if named := os.environ.get("TFDS_DATA_DIR"):
        return paths.expanded(named)
    home = paths.home()
    usual = home and home / "tensorflow_datasets"
    return usual if usual and (usual / "reddit_tifu").is_dir() else paths.cache() / "tensorflow_datasets"


def place() -> Path:
    """Return the path where users place the file by hand."""
    return data_folder() / "downloads" / "manual" / FILE


def examples(config: str, num_examples: int | None = None) -> tuple[list[tuple[str, str]], str, list[str]]:
    """Read the stories. Prepare them first if necessary.

    Args:
        config: See `builder`.
        num_examples: The number of stories to read, from the first on; all by default.

    Returns:
        Pairs of a document and its title (`short`) or summary (`long`); the source of the stories, with TFDS's name and
        version; and the attempts that failed before, a line each.

    Raises:
        UserError: If the stories are neither prepared nor available, or if they are not the expected ones.
    """
    attempts = prepare(config)
    try:
        pairs = _read(config, num_examples)
    except Exception as error:
        if type(error).__name__ not in DAMAGED:
            raise
        progress.note("the prepared stories are damaged; preparing them again")
        shutil.rmtree(builder(config).data_path)
        attempts += ["the prepared stories were damaged, and were prepared again", *prepare(config)]
        pairs = _read(config, num_examples)
    document, title = pairs[0]
    if config in FIRST and not (document.startswith(FIRST[config][0]) and title == FIRST[config][1]):
        raise UserError(
            f"dataset is 'reddit_tifu', but its first story begins {document[:60]!r}, not {FIRST[config][0]!r}. "
            f"Remove {builder(config).data_path} and run again."
        )
    return pairs, f"TensorFlow Datasets {builder(config).info.full_name}", attempts


def prepare(config: str) -> list[str]:
    """Let TFDS prepare the stories from the first source that works.

    The sources are the file placed by hand or fetched before, Google Drive, and the mirror on Hugging Face.

    Returns:
        The attempts that failed, a line each; an empty list if the stories are prepared already.

    Raises:
        Unavailable: If all sources fail. The message tells how to place the file by hand.
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
    raise Unavailable(attempts)


def advice() -> str:
    """Tell how to get the file on a machine that cannot fetch it."""
    registered, (dataset, name) = _registered(), MIRROR
    address = f"https://huggingface.co/datasets/{dataset}/resolve/main/{name}"
    return (
        f"On a machine that reaches Hugging Face: `curl -L {address} | gunzip > {FILE}` "
        f"({int(registered.size) // 10**6} MB, SHA-256 {registered.checksum}). Then, here: "
        f"`mkdir -p '{place().parent}' && mv {FILE} '{place().parent}'`. "
        "Or set dataset_stand_in: brown_fiction."
    )


def fetch_mirror() -> Path:
    """Fetch the file from its mirror, unpack it, and compare its SHA-256 with TFDS's.

    Returns:
        The file. A file that is there already and has the right SHA-256 is kept.

    Raises:
        UserError: If the file cannot be fetched, or if it is not the one that TFDS has registered.
    """
    registered, file = _registered(), place()
    if file.is_file() and checksums.sha256(file) == registered.checksum:
        return file
    packed, unpacked = file.with_name(f"{FILE}.gz"), file.with_name(f"{FILE}.part")
    try:
        hubs.fetch_file(*MIRROR, packed)
    except hubs.Unavailable as reason:
        raise UserError(
            f"{packed.name} cannot be fetched from Hugging Face: {reason}. Check the network and HF_ENDPOINT, and run "
            "again: an interrupted download continues."
        ) from None
    progress.note("unpacking and checking it")
    try:
        with gzip.open(packed) as source, open(unpacked, "wb") as target:
            shutil.copyfileobj(source, target, 2**20)
    except (OSError, EOFError, zlib.error) as error:
        unpacked.unlink(missing_ok=True)
        raise UserError(f"{packed.name} was fetched, but cannot be unpacked ({error}). Run again.") from None
    finally:
        packed.unlink()
    digest = checksums.sha256(unpacked)
    if digest != registered.checksum:
        unpacked.unlink()
        raise UserError(
            f"{FILE} was fetched from {redaction.clean(hubs.endpoint('hf'))}, but its SHA-256 is {digest}, not "
            f"{registered.checksum}, which TensorFlow Datasets has registered. It was not kept."
        )
    if file.is_file():
        _put_aside()
    return unpacked.replace(file)


def _registered():
    """Return the size and SHA-256 of the file, as TFDS has registered them."""
    infos = type(builder("short")).url_infos
    return next(info for address, info in infos.items() if address.startswith(DRIVE))


def _by_hand(config: str) -> None:
    if not place().is_file():
        raise watchdog.Failure("")
    registered, size = _registered(), place().stat().st_size
    if size != registered.size or checksums.sha256(place()) != registered.checksum:
        raise watchdog.Failure(
            f"{FILE} is not the file that TFDS has registered ({size:,} of {int(registered.size):,} bytes, or another "
            f"SHA-256); it is now called {_put_aside().name}"
        )
    _run_tfds(config)


def _put_aside() -> Path:
    """Rename a wrong file, so that TFDS does not read it."""
    return place().replace(place().with_suffix(".wrong"))


def _from_drive(config: str) -> None:
    fetched_before = any((data_folder() / "downloads").glob("*.INFO"))  # TFDS writes one for each file it has fetched
    if not fetched_before and not downloads.reachable(DRIVE):
        raise watchdog.Failure(f"{DRIVE} cannot be reached")
    try:
        _run_tfds(config)
    except watchdog.Failure:
        for unfinished in (data_folder() / "downloads").glob("*.tmp.*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _from_mirror(config: str) -> None:
    fetch_mirror()
    _run_tfds(config)


def _run_tfds(config: str) -> None:
    """Run TFDS's download and preparation in a process of its own, under the watchdog."""
    size = 0 if place().is_file() else int(_registered().size)
    progress.note("TensorFlow Datasets is preparing reddit_tifu")
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    watchdog.run([*COMMAND, "prepare", config], [folder], "preparing reddit_tifu", size)


def _prepare_here(config: str) -> None:
    """Run TFDS's download and preparation in this process, without a time limit."""
    tfds.disable_progress_bar()
    settings = tfds.download.DownloadConfig(manual_dir=place().parent)
    builder(config).download_and_prepare(download_config=settings)


def _read(config: str, num_examples: int | None) -> list[tuple[str, str]]:
    available = builder(config).info.splits["train"].num_examples
    split = "train" if num_examples is None or num_examples >= available else f"train[:{num_examples}]"
    stories = builder(config).as_dataset(split=split, as_supervised=True, shuffle_files=False)
    return [(document.decode(), title.decode()) for document, title in tfds.as_numpy(stories)]


def main(arguments: list[str]) -> int:
    """Run `make data`, or TFDS's preparation in a process of its own. Return the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if arguments[:1] == ["prepare"]:
        watchdog.end_with_parent()
        imports.leave_at_once()
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
    print(f"{file} is the file that TensorFlow Datasets has registered. It is prepared as reddit_tifu/short and /long.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
