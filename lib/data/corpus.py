"""Define a corpus: cleaned texts with their origin."""

import hashlib
from dataclasses import dataclass, field


@dataclass
class Corpus:
    """Cleaned texts, and where they come from.

    Attributes:
        name: The name that reports show.
        source: The origin of the texts, with its version.
        licence: The terms of use.
        texts: The texts, in the order of the source.
        titles: A title for each text.
        groups: The document that each text is part of. The parts of one document are never split between training and
            held-out texts.
        counts: The number of texts found, dropped (by reason) and kept.
        is_stand_in: Whether this corpus replaces the one asked for.
        attempts: The sources that failed before, a line each, with the reason.
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
