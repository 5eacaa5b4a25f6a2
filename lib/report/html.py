"""Make the parts of a page as HTML, with the macros of `template/macros.html.j2`. All content is escaped."""

import base64
import functools
import math
from pathlib import Path

import jinja2
import markupsafe

from lib.core import chinese
from lib.core.records import Sample
from lib.report import escaping
from lib.report.numbers import DASH, number

TEMPLATE = Path(__file__).parent / "template"
LONG = 30  # a cell with more characters may be broken into lines
FEW = 4  # columns of a table whose rows a phone shows one below the other


def environment() -> jinja2.Environment:
    """Return the environment of all templates except those that nbconvert fills."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"visible": escaping.visible, "language": chinese.language, "note": note}
    return made


@functools.cache
def _macros():
    return environment().get_template("macros.html.j2").module


def table(rows: list[dict], caption: str = "") -> str:
    """Make a table; `""` without rows.

    On a phone, the cells of a table with few columns and long texts are stacked, and other tables scroll.

    Args:
        rows: Values by column, all rows with the same columns; `_` in a column's name is shown as a space.
        caption: Shown above it.
    """
    if not rows:
        return ""
    columns = [str(name).replace("_", " ") for name in rows[0]]
    stacked = len(columns) <= FEW and any(len(str(value)) > LONG for row in rows for value in row.values())
    cells = [[_cell(value) for value in row.values()] for row in rows]
    return str(_macros().table(columns, cells, caption, stacked))


def _cell(value) -> dict[str, str]:
    if isinstance(value, bool):
        return {"kind": "", "lang": "", "text": "yes" if value else "no"}
    if isinstance(value, int):
        return {"kind": "number", "lang": "", "text": f"{value:,}"}
    if isinstance(value, float):
        return {"kind": "number", "lang": "", "text": DASH if math.isnan(value) else number(value)}
    text = DASH if value is None else str(value)
    return {"kind": "wide" if len(text) > LONG else "", "lang": chinese.language(text), "text": text}


def paragraph(text: str, kind: str = "") -> str:
    """Make a paragraph.

    Args:
        text: The text.
        kind: Its class: `"note"` for small print, `"answer"`.
    """
    return str(_macros().paragraph(text, kind))


def claims(cards: list[dict], language: str = "en") -> str:
    """Show what a post says, a card for each claim.

    Args:
        cards: For each claim the texts `name`, `kind`, `quote` (in Chinese), `says` (its translation), `heading`,
            `verdict`, `because`; `effects`, a table as HTML; `rule`, texts by heading.
        language: The language of the page.
    """
    safe = [card | {"effects": markupsafe.Markup(card["effects"])} for card in cards]
    return str(_macros().claims(safe, language))


def figure(file: Path, alt: str, caption: str) -> str:
    """Make a picture with its alternative text and caption; the page contains the file's content."""
    return str(_macros().figure(data_uri(file), alt, caption))


def attempts(tried: list[str], used: str) -> str:
    """List which sources failed and why, and which one was used in the end."""
    return str(_macros().attempts(tried, used))


def samples(rows: list[Sample], by: str, caption: str = "", marked: bool = False, down: str = "prompt") -> str:
    """Show texts in columns.

    Args:
        rows: The texts.
        by: The field of a sample whose values stand side by side.
        caption: Shown above.
        marked: Whether to mark the rounds of a loop, and to say how much of each text repeats itself.
        down: The field whose values stand below each other.
    """
    columns = list(dict.fromkeys(str(getattr(sample, by)) for sample in rows))
    several = len({sample.number for sample in rows}) > 1
    lines: dict[tuple, dict] = {}
    for sample in rows:
        name = str(getattr(sample, down))
        line = lines.setdefault(
            (name, sample.number), {"name": name, "number": sample.number if several else 0, "texts": {}}
        )
        line["texts"].setdefault(str(getattr(sample, by)), []).append(sample)
    for line in lines.values():
        line["texts"] = {name: line["texts"].get(name, []) for name in columns}
    corner = "text by" if down == "label" else down
    return str(_macros().samples(corner, columns, list(lines.values()), caption, marked))


def note(sample: Sample, marked: bool) -> str:
    """Make the note below a text: sampler, seed, tokens and, if loops are marked, how much repeats itself."""
    parts = [] if sample.label == sample.sampler else [sample.sampler]
    parts += [] if sample.seed is None else [f"seed {sample.seed}"]
    parts.append(f"{sample.new_tokens} new tokens")
    if marked and sample.rep_4_percent is not None:
        parts += [f"{sample.looped_percent:.0f} % looped", f"rep-4 {sample.rep_4_percent:.0f} %"]
    return ", ".join(parts)


def poems(cards: list[tuple[str, str]]) -> str:
    """Show poems with one clause on each line.

    Args:
        cards: For each poem its text, and a note that is printed below it.
    """
    return str(_macros().poems([{"lines": chinese.lines(text), "note": told} for text, told in cards]))


def seen(texts: list[dict], across: int, heading: str, legend: list[str], told: str) -> str:
    """Show texts with each piece on a ground by its class.

    Args:
        texts: For each text `label`, `drawn`, `prompt`, `note`, and `pieces`: `text`, `step` and `title` of each.
        across: How many stand side by side on a wide page.
        heading: What the legend is of.
        legend: The range of each class.
        told: What is said after the legend.
    """
    return str(_macros().seen(texts, across, heading, legend, told))


def explorer(words: dict[str, str], about: str, data: str) -> str:
    """Make the sampler explorer, with its script.

    Args:
        words: The labels of its parts.
        about: What it shows.
        data: JSON that holds no markup.
    """
    script = (TEMPLATE / "explorer.js").read_text(encoding="utf-8")
    return str(_macros().explorer(words, about, markupsafe.Markup(data), markupsafe.Markup(script)))


def data_uri(file: Path) -> str:
    """Encode a picture's file as a `data:` address."""
    kind = {".svg": "svg+xml", ".png": "png"}[file.suffix]
    return f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
