"""Make the parts of a page as HTML, with the macros of `template/macros.html.j2`. All content is escaped."""

import base64
import functools
import math
from pathlib import Path

import jinja2
import markupsafe

from lib.core import chinese
from lib.core.records import Sample
from lib.report import escaping, wording
from lib.report.numbers import DASH, number

TEMPLATE = Path(__file__).parent / "template"
LONG = 30  # a cell with more characters may be broken into lines
FEW = 4  # columns of a table whose rows a phone shows one below the other


def environment() -> jinja2.Environment:
    """Return the environment of all templates except those that nbconvert fills."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.globals["say"] = wording.say
    made.filters |= {"visible": escaping.visible, "language": chinese.language, "note": note, "label": wording.label}
    return made


@functools.cache
def _macros():
    return environment().get_template("macros.html.j2").module


def table(rows: list[dict], caption: str = "", language: str = "en") -> str:
    """Make a table; `""` without rows.

    On a phone, the cells of a table with few columns and long texts are stacked, and other tables scroll.

    Args:
        rows: Values by column, all rows with the same columns; `_` in a column's name is shown as a space.
        caption: Shown above it.
        language: The language of the page, into which heads and cells are translated, see `wording.label`.
    """
    if not rows:
        return ""
    columns = [wording.label(str(name).replace("_", " "), language) for name in rows[0]]
    stacked = len(columns) <= FEW and any(len(str(value)) > LONG for row in rows for value in row.values())
    cells = [[_cell(value, language) for value in row.values()] for row in rows]
    return str(_macros().table(columns, cells, caption, stacked, language))


def _cell(value, language: str) -> dict[str, str]:
    if isinstance(value, bool):
        return {"kind": "", "lang": "", "text": wording.label("yes" if value else "no", language)}
    if isinstance(value, int):
        return {"kind": "number", "lang": "", "text": f"{value:,}"}
    if isinstance(value, float):
        return {"kind": "number", "lang": "", "text": DASH if math.isnan(value) else number(value)}
    text = DASH if value is None else wording.label(str(value), language)
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
            `verdict`, `short`, `evidence`, `because`; `effects`, a table as HTML; `rule`, texts by heading; `report`,
            the address and the title of the report that it rests on, or None.
        language: The language of the page.
    """
    safe = [card | {"effects": markupsafe.Markup(card["effects"])} for card in cards]
    return str(_macros().claims(safe, language))


def folded(summary: str, content: str) -> str:
    """Fold a part of a page away, below a line that opens it.

    Args:
        summary: The line.
        content: The part, as HTML.
    """
    return str(_macros().folded(summary, markupsafe.Markup(content)))


def figure(file: Path, alt: str, caption: str) -> str:
    """Make a picture with its alternative text and caption; the page contains the file's content."""
    return str(_macros().figure(data_uri(file), alt, caption))


def attempts(tried: list[str], used: str, language: str = "en") -> str:
    """List which sources failed and why, and which one was used in the end."""
    return str(_macros().attempts(tried, used, language))


def samples(
    rows: list[Sample],
    by: str,
    caption: str = "",
    marked: bool = False,
    down: str = "prompt",
    language: str = "en",
) -> str:
    """Show texts in columns.

    Args:
        rows: The texts.
        by: The field of a sample whose values stand side by side.
        caption: Shown above.
        marked: Whether to mark the rounds of a loop, and to say how much of each text repeats itself.
        down: The field whose values stand below each other.
        language: The language of the page.
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
    corner = wording.label("text by" if down == "label" else down, language)
    return str(_macros().samples(corner, columns, list(lines.values()), caption, marked, language))


def note(sample: Sample, marked: bool, language: str = "en") -> str:
    """Make the note below a text: sampler, seed, tokens and, if loops are marked, how much repeats itself."""
    parts = [] if sample.label == sample.sampler else [sample.sampler]
    parts += [] if sample.seed is None else [wording.say("note_seed", language, seed=sample.seed)]
    parts.append(wording.say("note_tokens", language, tokens=sample.new_tokens))
    if marked and sample.rep_4_percent is not None:
        parts.append(wording.say("note_looped", language, looped=sample.looped_percent, rep_4=sample.rep_4_percent))
    return wording.say("comma", language).join(parts)


def poems(cards: list[tuple[str, str]]) -> str:
    """Show poems with one clause on each line.

    Args:
        cards: For each poem its text, and a note that is printed below it.
    """
    return str(_macros().poems([{"lines": chinese.lines(text), "note": told} for text, told in cards]))


def data_uri(file: Path) -> str:
    """Encode a picture's file as a `data:` address."""
    kind = {".svg": "svg+xml", ".png": "png"}[file.suffix]
    return f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
