"""Read the words of the reports, in English and Chinese.

Sentences are templates in `sentences/`, a file for each topic, in each language. Short English texts of the code and of
the records (heads of tables, labels of figures and groups, meanings of parameters) are translated by
`labels.<language>.yaml`.
"""

import functools
import re
from pathlib import Path

from lib.core import yaml_files
from lib.core.errors import UserError

LANGUAGES = ("en", "zh")
NAMES = {"en": "English", "zh": "中文"}
TAGS = {"en": "en", "zh": "zh-CN"}  # for the attribute `lang`
RANGE = re.compile(r" ?\(([+−-]?[\d.,]+ ?(?:–|到) ?[+−-]?[\d.,]+)\) ?")
PERCENT = re.compile(r"(?<=[\d)）]) %")


def say(name: str, language: str = "en", /, **values) -> str:
    """Return a sentence or a phrase in a language.

    Args:
        name: Its name in `sentences/`.
        language: One of `LANGUAGES`.
        **values: The values that its template names in braces. All languages name the same.

    Raises:
        KeyError: If there is no such name or language, or a value is missing.
    """
    told = templates()[name][language].format(**values)
    return chinese_marks(told) if language == "zh" else told


def chinese_marks(text: str) -> str:
    """Set a Chinese text as its readers expect it: wide brackets around a range, no space before a per cent sign."""
    return PERCENT.sub("%", RANGE.sub(r"（\1）", text))


def label(text: str, language: str = "en") -> str:
    """Translate a short text. One that has no entry, such as a sampler's name, stays as it is.

    Args:
        text: The text, in English.
        language: One of `LANGUAGES`.
    """
    return labels(language).get(text, text)


@functools.cache
def labels(language: str) -> dict[str, str]:
    """Return the translations of short texts into a language, by the text in English."""
    return yaml_files.read(Path(__file__).with_name(f"labels.{language}.yaml"))


def has(name: str) -> bool:
    """Return whether `sentences/` has an entry."""
    return name in templates()


@functools.cache
def templates() -> dict[str, dict[str, str]]:
    """Return the templates by name and language, from all files of `sentences/`.

    Raises:
        UserError: If an entry stands in two files.
    """
    found: dict[str, dict[str, str]] = {}
    for file in sorted(Path(__file__).with_name("sentences").glob("*.yaml")):
        entries = yaml_files.read(file)
        if twice := sorted(set(found) & set(entries)):
            raise UserError(
                f"{file.name} has {', '.join(twice)}, which another file of {file.parent} has too. Keep one."
            )
        found |= entries
    return found
