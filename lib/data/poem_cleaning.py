"""From an entry of the collection of Tang poems to a whole poem, or to the reason why it cannot be made whole.

The collection prints editors' notes between the verses, and cuts its text into strings after each full stop, within
notes too. So a poem is cleaned as a whole, never string by string, and its couplets are counted afterwards.
"""

import re

from lib.core import chinese

NOTE = re.compile(r"（[^（）]*）|\([^()]*\)")  # innermost, since notes stand within notes
# What a note that tells of lost text begins with: "below is missing", "characters are missing", "this line lacks".
GAP = re.compile(r"[（(](?:\[[^\]]*\])?(?:[上下中前後]缺|[闕缺脫][）)]|缺.{1,3}字|此句(?:原本)?[缺脫]|此間似脫|句內脫)")
FOOTNOTE = re.compile(r"[\[［〖][一二三四五六七八九十○〇0-9]+[\]］〗]")
SET_OFF = re.compile(r"[\s\[\]［］〖〗「」『』《》〈〉“”‘’]")  # brackets and quotation marks, whose content stays
LOST = re.compile("[□○●…]")  # printed where a character cannot be read
# Words of the editors that stand outside of brackets: titles of works that no Tang poet names, and "n poems are known".
EDITORS = re.compile("全唐詩|詩紀事|太平廣記|話後集|五代會要|注云|。詩[一二三四五六七八九十]+首。$")
LONGEST = 17  # characters of a clause; what is longer is prose, or clauses run together
WHOLE = re.compile(f"(?:[{chinese.HAN}]+{chinese.MARK})+")

NO_TEXT = "no text"
INCOMPLETE = "lost text, as the editors note"
STRAY = "stray characters"
PROSE = "editors' words"
NO_MARK = "a mark is missing"
HALF = "half a couplet is missing"
REASONS = (NO_TEXT, INCOMPLETE, STRAY, PROSE, NO_MARK, HALF)


def clean(paragraphs: list[str]) -> tuple[str, str]:
    """Cleans a poem: every clause that is kept has its one mark, and every mark its clause.

    Notes in round brackets go, and the full stop behind a note with them, whose clause has one already; so do the
    numbers of footnotes. Square brackets, quotation marks and title marks go, and what they enclose stays.

    Args:
        paragraphs: The strings of the poem's entry.

    Returns:
        The poem, and why it is not whole, one of `REASONS`, or `""`.
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
        if max(lengths) > shortest:  # clauses run together
            return NO_MARK
        # Some of these are whole, and have lines in threes; nothing tells them from the others.
        if len(lengths) % 2 and {1, 2} <= {len(chinese.clauses(line)) for line in lines}:
            return HALF
    return ""


def is_regular(poem: str, clause_length: int) -> bool:
    """Whether a poem is couplets of two clauses of a length, each first one with a mark, each second with a full stop.

    Question and exclamation marks and semicolons count as full stops. A couplet that an editor printed with commas
    alone, or as two sentences, does not pass.
    """
    clause = f"[{chinese.HAN}]{{{clause_length}}}"
    return bool(re.fullmatch(f"(?:{clause}[，？！；：、]{clause}[。？！；])+", poem))
