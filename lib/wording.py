"""What the reports say in more than one language, from one file: `wording.yaml`, a template for each language."""

import functools
from pathlib import Path

import yaml

LANGUAGES = ("en", "zh")
NAMES = {"en": "English", "zh": "中文"}
TAGS = {"en": "en", "zh": "zh-CN"}  # for the attribute `lang`


def say(name: str, language: str = "en", /, **values) -> str:
    """A sentence or a phrase in a language.

    Args:
        name: Its name in `wording.yaml`.
        language: One of `LANGUAGES`.
        **values: What its template names in braces. All languages name the same.

    Raises:
        KeyError: If there is no such name or language, or a value is missing.
    """
    return _templates()[name][language].format(**values)


def both(name: str, /, **values) -> dict[str, str]:
    """The same in all languages, by language."""
    return {language: say(name, language, **values) for language in LANGUAGES}


@functools.cache
def _templates() -> dict[str, dict[str, str]]:
    return yaml.safe_load(Path(__file__).with_name("wording.yaml").read_text(encoding="utf-8"))
