"""Read YAML strictly, and report in one line what PyYAML accepts silently or fails on.

PyYAML keeps the last of two equal names, reads 010 as 8 and 12:30 as 750, and lets Python fail on an invalid date.
"""

import codecs
import copy
import functools
import re
import reprlib
from pathlib import Path

import yaml

from lib.core import paths
from lib.core.errors import UserError

TEXT, INT, FLOAT, MERGE, VALUE = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "merge", "value"))
SURROGATES = re.compile("[\ud800-\udfff]")


def read(file: Path):
    """Read a YAML file.

    Args:
        file: The file, in UTF-8.

    Returns:
        The content; None if the file is empty.

    Raises:
        UserError: If the file cannot be read, is not UTF-8, or is rejected by `parse`.
    """
    where = paths.shown(file)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(
            f"{where} cannot be read: {error.strerror}. Check that it is there, and its permissions."
        ) from None
    return copy.deepcopy(parsed(_decoded(content, where), where))


@functools.lru_cache(maxsize=100)
def parsed(text: str, where: str):
    """Parse the content of a file once: pages ask for the same rules and figures again and again."""
    return parse(text, where)


def parse(text: str, where: str):
    """Parse YAML.

    Args:
        text: The YAML.
        where: The place where it was given, for the message.

    Returns:
        The content; None if there is none. An emoji that is written as two escapes becomes one character.

    Raises:
        UserError: If the text is invalid, or if it has a name twice in a mapping, a name that is not a text, a tag, an
            alias that contains itself, an invalid date, or a number that YAML reads differently from people.
    """
    try:
        loader = _Loader(text, where)
        return loader.get_single_data()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(
            f"{where}: line {line} holds the character U+{error.character:04X}, which YAML does not allow. Take it out."
        ) from None
    except yaml.MarkedYAMLError as error:
        problem = f"{error.context}, {error.problem}" if error.problem.startswith("but ") else error.problem
        raise UserError(
            f"{where} is not valid YAML (line {error.problem_mark.line + 1}): {problem:.100}. Correct it; a text that "
            "holds ': ' or ' #', or begins with a sign, must be in quotes."
        ) from None
    except RecursionError:
        raise UserError(f"{where}: lists or mappings nest too deeply (line {loader.line + 1}). Write fewer.") from None
    except (ValueError, OverflowError):  # from the scanner; `construct_object` reports other numbers
        raise UserError(
            f"{where}: line {loader.line + 1} has a number that is too large, such as that of an escape \\U00110000, "
            "which stands for no character. Correct it."
        ) from None


def shown(value, most: int = 60) -> str:
    """Format a value for a message as Python writes it: on one line and in printable characters.

    Args:
        value: The value.
        most: The approximate limit of characters. An ellipsis marks a cut.
    """
    text = repr(value[: most + 1]) if isinstance(value, str) else _BRIEF.repr(value)
    if len(text) <= most + 2:
        return text
    return f"{text[: most + 1]}{text[0] if isinstance(value, str) else ''}…"


class _Brief(reprlib.Repr):
    def __init__(self):
        super().__init__()
        self.fillvalue = "…"
        self.maxstring = self.maxother = 100
        self.maxlong = 5000  # so that the beginning is kept, as for all other types

    def repr_int(self, x, level):
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python does not write more than 4,300 digits
            return hex(x)[:100]

    def repr_date(self, x, level):
        return str(x)

    repr_datetime = repr_date


_BRIEF = _Brief()


def _decoded(content: bytes, where: str) -> str:
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or content.count(0) > len(content) // 4
    if utf_16:
        raise UserError(f"{where} is not UTF-8; it looks like UTF-16. Save it as UTF-8.")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{where} is not UTF-8 (line {line}). Save it as UTF-8.") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, but stricter. See `parse`."""

    def __init__(self, text: str, where: str):
        super().__init__(text)
        self.where = where

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            node = self.anchors.get(event.anchor)
            if node is not None and node.end_mark is None:  # its end has not been read yet
                raise self._refusal(event, f"*{_plain(event.anchor)}", "contains itself. Write out what it stands for.")
        elif event.tag is not None:
            tag = _plain(event.tag.replace("tag:yaml.org,2002:", "!!"))
            raise self._refusal(event, f"the tag {tag}", "is not allowed. Leave it out; put a text in quotes.")
        return super().compose_node(parent, index)

    def compose_scalar_node(self, anchor):
        node = super().compose_scalar_node(anchor)
        if SURROGATES.search(node.value):  # a pair of them, as JSON writes an emoji, is one character
            node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return node

    def compose_mapping_node(self, anchor):
        node = super().compose_mapping_node(anchor)
        lines = {}
        for name, _ in node.value:
            if name.tag not in (TEXT, MERGE):
                what = f"the name {_plain(name.value)}" if isinstance(name, yaml.ScalarNode) else "a name"
                raise self._refusal(name, what, "is not a text to YAML. Put it in quotes, or correct it.")
            if name.value in lines:
                first, second = lines[name.value], _line(name)
                both = f"lines {first} and {second}" if first != second else f"line {first}"
                raise UserError(f"{self.where}: {_plain(name.value)} is given twice, in {both}. Keep one of them.")
            lines[name.value] = _line(name)
        return node

    def construct_object(self, node, deep=False):
        try:
            value = super().construct_object(node, deep)
            reason = _otherwise(node.value, value) if node.tag in (INT, FLOAT) else ""
        except (ValueError, OverflowError):
            reason = "is too long a number" if node.tag in (INT, FLOAT) else "is no date that there is"
        if reason:
            raise self._refusal(node, _plain(node.value), f"{reason}. Correct it, or put it in quotes if it is a text.")
        return value

    def _refusal(self, place, what: str, told: str) -> UserError:
        return UserError(f"{self.where}: {what} in line {_line(place)} {told}")


for _tag in (MERGE, VALUE):  # << and = as values, which PyYAML cannot read
    _Loader.add_constructor(_tag, _Loader.construct_yaml_str)


def _line(place) -> int:
    return place.start_mark.line + 1


def _plain(text: str) -> str:
    """Return a text without quotes, unless it would be unreadable."""
    return text if text.isprintable() and 0 < len(text) <= 60 else shown(text)


def _otherwise(written: str, number) -> str:
    """Explain why YAML reads a number differently from people; `""` if it does not."""
    digits = written.replace("_", "")
    if ":" in digits:
        return f"is {shown(number)} to YAML, which counts in sixties where there is a colon"
    if re.fullmatch("[-+]?0[0-7]+", digits) and int(digits) != number:
        return f"is {shown(number)} to YAML, which counts in eights after a leading 0"
    return ""
