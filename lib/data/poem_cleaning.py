"""Clean a poem of the collection chinese-poetry, or tell why it is incomplete.

The collection prints editors' notes between the verses, and splits its text after each full stop, even inside a note.
So a poem is cleaned as one text, never string by string, and its couplets are counted afterwards.
"""

import re

from lib.core import chinese

NOTE = re.compile(r"（[^（）]*）|\([^()]*\)")  # the innermost: notes are nested
# The beginnings of notes about lost text: "below is missing", "characters are missing", "this line lacks".
GAP = re.compile(r"[（(](?:\[[^\]]*\])?(?:[上下中前後]缺|[闕缺脫][）)]|缺.{1,3}字|此句(?:原本)?[缺脫]|此間似脫|句內脫)")
FOOTNOTE = re.compile(r"[\[［〖][一二三四五六七八九十○〇0-9]+[\]］〗]")
SET_OFF = re.compile(r"[\s\[\]［］〖〗「」『』《》〈〉“”‘’]")  # brackets and quotation marks; their content stays
LOST = re.compile("[□○●…]")  # printed for an illegible character
# Editors' words outside of brackets: titles of later works, "the note says", and "n poems".
EDITORS = re.compile("全唐詩|詩紀事|太平廣記|話後集|五代會要|注云|。詩[一二三四五六七八九十]+首。$")
LONGEST = 17  # characters in a clause; anything longer is prose, or clauses that lost the mark between them
WHOLE = re.compile(f"(?:[{chinese.HAN}]+{chinese.MARK})+")

NO_TEXT = "no text"
INCOMPLETE = "lost text, as the editors note"
STRAY = "stray characters"
PROSE = "editors' words"
NO_MARK = "a mark is missing"
HALF = "half a couplet is missing"
REASONS = (NO_TEXT, INCOMPLETE, STRAY, PROSE, NO_MARK, HALF)


def clean(paragraphs: list[str]) -> tuple[str, str]:
    """Clean a poem, so that each clause ends with exactly one punctuation mark.

    Notes in round brackets and footnote numbers are removed. The full stop after a note is removed too, because the
    clause before it already has a mark. Square brackets, quotation marks and title marks are removed; their content
    stays.

    Args:
        paragraphs: The strings of the poem's entry.

    Returns:
        The poem, and the reason why it is incomplete: one of `REASONS`, or `""`.
    """
    text, incomplete = "\n".join(paragraphs), False
    while notes := NOTE.findall(text):
        incomplete = incomplete or any(GAP.match(note) for note in notes)
        text = NOTE.sub("", text)
    lines = [SET_OFF.sub("", line) for line in FOOTNOTE.sub("", text).split("\n")]
    text = re.sub(f"^{chinese.MARK}+|(?<={chinese.MARK}){chinese.MARK}+", "", "".join(lines))
    return text, _problem(text, lines, incomplete)


def _problem(text: str, lines: list[str], incomplete: bool) -> str:
    if not text:
        return NO_TEXT
    if incomplete or LOST.search(text):
        return INCOMPLETE
    if not re.fullmatch(f"(?:[{chinese.HAN}]|{chinese.MARK})+", text):
        return STRAY
    if EDITORS.search(text):
        return PROSE
    lengths = [len(clause) for clause in chinese.clauses(text)]
    if not WHOLE.fullmatch(text) or max(lengths) > LONGEST:
        return NO_MARK
    shortest = min(lengths)
    if shortest in chinese.LINE_LENGTHS and not any(length % shortest for length in lengths):
        if max(lengths) > shortest:  # clauses that lost the mark between them
            return NO_MARK
        # Some of these are complete and have lines in threes; nothing distinguishes them from the others.
        if len(lengths) % 2 and {1, 2} <= {len(chinese.clauses(line)) for line in lines}:
            return HALF
    return ""


def is_regular(poem: str, clause_length: int) -> bool:
    """Tell whether a poem consists of couplets of two clauses of the same length with regular punctuation.

    The second clause of a couplet must end with a full stop, a question or exclamation mark, or a semicolon; the first
    must end with a mark other than a full stop. Couplets printed with commas alone or as two sentences do not pass.

    Args:
        poem: A cleaned poem.
        clause_length: The number of characters in a clause.
    """
    clause = f"[{chinese.HAN}]{{{clause_length}}}"
    return bool(re.fullmatch(f"(?:{clause}[，？！；：、]{clause}[。？！；])+", poem))
