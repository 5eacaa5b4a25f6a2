"""Read the words of the reports, in English and Chinese, from `wording.yaml`: a template for each language."""

import functools
from pathlib import Path

from lib.core import yaml_files

LANGUAGES = ("en", "zh")
NAMES = {"en": "English", "zh": "中文"}
TAGS = {"en": "en", "zh": "zh-CN"}  # for the attribute `lang`


def say(name: str, language: str = "en", /, **values) -> str:
    """Return a sentence or a phrase in a language.

    Args:
        name: Its name in `wording.yaml`.
        language: One of `LANGUAGES`.
        **values: The values that its template names in braces. All languages name the same.

    Raises:
        KeyError: If there is no such name or language, or a value is missing.
    """
    return templates()[name][language].format(**values)


def has(name: str) -> bool:
    """Return whether `wording.yaml` has an entry."""
    return name in templates()


@functools.cache
def templates() -> dict[str, dict[str, str]]:
    """Return the templates by name and language."""
    return yaml_files.read(Path(__file__).with_name("wording.yaml"))
