"""What the reports say in more than one language, from one file: `wording.yaml`, a template for each language."""

import functools
from pathlib import Path

from lib.core import yaml_files

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
    """The same as `say` in all languages, by language; so may values be that differ (see `each`)."""

    def value(told, language: str):
        return told[language] if isinstance(told, dict) and tuple(told) == LANGUAGES else told

    return {
        language: say(name, language, **{key: value(told, language) for key, told in values.items()})
        for language in LANGUAGES
    }


def each(function, *arguments) -> dict[str, str]:
    """What a function with an argument `language` returns for each of them, by language."""
    return {language: function(*arguments, language=language) for language in LANGUAGES}


def key(name: str, language: str) -> str:
    """What a thing that is kept in several languages goes by: its name, and in other languages than English which."""
    return name if language == "en" else f"{name}_{language}"


def stand_ins(told: list[str], language: str = "en") -> str:
    """What stands in for what, each once, in a language.

    Args:
        told: What `results.json` lists, such as `"a in place of b"`.
        language: One of `LANGUAGES`.
    """
    pairs = [one.split(" in place of ") for one in dict.fromkeys(told)]
    parts = [
        say("stand_in", language, used=pair[0], requested=pair[1]) if len(pair) == 2 else " ".join(pair)
        for pair in pairs
    ]
    return say("between", language).join(parts)


@functools.cache
def _templates() -> dict[str, dict[str, str]]:
    return yaml_files.read(Path(__file__).with_name("wording.yaml"))
