"""Chinese characters, and the clauses of poems."""

import re

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # for the inside of a character class
_ONE_HAN = re.compile(f"[{HAN}]")
MARK = "[，。？！；：、]"
LINE_LENGTHS = (5, 7)  # characters in a clause of a regular poem
_CLAUSE_END = re.compile(f"{MARK}|\n")
_LINE = re.compile("[^，。？！；：、\n]*[，。？！；：、]+|[^，。？！；：、\n]+")


def characters(text: str) -> list[str]:
    """The Chinese characters of a text, in order."""
    return _ONE_HAN.findall(text)


def language(text: str) -> str:
    """The value of HTML's `lang` attribute for a text: `"zh"` if it holds a Chinese character, else `"en"`."""
    return "zh" if _ONE_HAN.search(text) else "en"


def clauses(poem: str) -> list[str]:
    """A poem's clauses without their punctuation. Each is printed on a line of its own."""
    return [clause.strip() for clause in _CLAUSE_END.split(poem) if clause.strip()]


def lines(poem: str) -> list[str]:
    """A poem's clauses with their punctuation, to be printed on a line each."""
    return [line for line in _LINE.findall(poem) if line.strip()]


def is_regular_line(line: str) -> bool:
    """Whether a clause has five or seven Chinese characters and nothing else."""
    return len(line) in LINE_LENGTHS and all(map(_ONE_HAN.fullmatch, line))
