"""The form of a Chinese poem."""

import re

import numpy as np

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # inside a character class

MARK = "[，。？！；：、]"
CLAUSE_END = re.compile(f"{MARK}|\n")
LINE_LENGTHS = (5, 7)


def clauses(poem: str) -> list[str]:
    """A poem's clauses, without their punctuation: what is set on a line each."""
    return [clause.strip() for clause in CLAUSE_END.split(poem) if clause.strip()]


def lines(poem: str) -> list[str]:
    """A poem's clauses with their punctuation, to be printed a line each."""
    return [
        line for line in re.findall("[^，。？！；：、\n]*[，。？！；：、]+|[^，。？！；：、\n]+", poem) if line.strip()
    ]


def is_well_formed(poem: str) -> bool:
    """Whether a poem has an even number of clauses, all of five or all of seven characters, and nothing else.

    Each clause ends with one punctuation mark. A poem that was cut off within a clause is not well formed.
    """
    return any(re.fullmatch(f"(?:(?:[{HAN}]{{{length}}}{MARK}){{2}})+", poem.strip()) for length in LINE_LENGTHS)


def form(poems: list[str]) -> dict[str, float]:
    """Judges the form of several poems.

    Returns:
        `poems` (how many); `well_formed_percent` (of the poems, see `is_well_formed`); `regular_clauses_percent` (of
        the clauses: those of five or seven Chinese characters); `chinese_percent` (of the characters, punctuation left
        out: those that are Chinese).
    """
    parts = [part for poem in poems for part in clauses(poem)]
    characters = "".join(parts)
    regular = [len(part) in LINE_LENGTHS and bool(re.fullmatch(f"[{HAN}]+", part)) for part in parts]
    return {
        "poems": len(poems),
        "well_formed_percent": 100 * float(np.mean([is_well_formed(poem) for poem in poems])) if poems else 0.0,
        "regular_clauses_percent": 100 * float(np.mean(regular)) if parts else 0.0,
        "chinese_percent": 100 * len(re.findall(f"[{HAN}]", characters)) / len(characters) if characters else 0.0,
    }
