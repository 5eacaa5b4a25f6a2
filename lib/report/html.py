"""Make the parts of a page as HTML, with the macros of `template/macros.html.j2`. All content is escaped."""

import base64
import functools
import math
import re
from pathlib import Path

import jinja2
import markupsafe

from lib.core import chinese
from lib.core.records import Sample
from lib.report import escaping, wording
from lib.report.numbers import DASH, number

TEMPLATE = Path(__file__).parent / "template"
LONG = 30  # a cell with more characters may be broken into lines
INTERVAL = re.compile(r"(?P<value>[+−-]?[\d.,]+) ?[(（](?P<interval>[+−-]?[\d.,]+ ?(?:–|to|到) ?[+−-]?[\d.,]+)[)）]")
NUMBER = re.compile(r"[<>≤≥]?[+−-]?\d[\d.,]*(?: %)?")
FEW = 4  # columns of a table whose rows a phone shows one below the other


class Code(str):
    """A text that is the same in every language, such as a parameter's name."""


def environment() -> jinja2.Environment:
    """Return the environment of all templates except those that nbconvert fills."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.globals["say"] = wording.say
    made.filters |= {"visible": escaping.visible, "language": chinese.language, "note": note, "label": wording.label}
    return made


def style(*files: str) -> str:
    """Return rules of style: the content of files of `template/`."""
    return "\n".join((TEMPLATE / file).read_text(encoding="utf-8") for file in files)


@functools.cache
def _macros():
    return environment().get_template("macros.html.j2").module


def table(rows: list[dict], caption: str = "", language: str = "en", name: str = "") -> str:
    """Make a table; `""` without rows.

    On a phone, the cells of a table with few columns and long texts are stacked, and other tables scroll.

    Args:
        rows: Values by column, all rows with the same columns; `_` in a column's name is shown as a space.
        caption: Shown above it.
        language: The language of the page, into which heads and cells are translated, see `wording.label`.
        name: What the page's text refers to the table by, see `numbering`.
    """
    if not rows:
        return ""
    columns = [wording.label(str(name).replace("_", " "), language) for name in rows[0]]
    stacked = len(columns) <= FEW and any(len(str(value)) > LONG for row in rows for value in row.values())
    cells = [[_cell(value, language) for value in row.values()] for row in rows]
    numeric = [
        place for place, column in enumerate(zip(*cells, strict=True)) if all(one["kind"] == "number" for one in column)
    ]
    return str(_macros().table(columns, cells, numeric, caption, stacked, language, name))


def _cell(value, language: str) -> dict[str, str]:
    if isinstance(value, bool):
        return {"kind": "", "lang": "", "text": wording.label("yes" if value else "no", language)}
    if isinstance(value, int):
        return {"kind": "number", "lang": "", "text": f"{value:,}"}
    if isinstance(value, float):
        return {"kind": "number", "lang": "", "text": DASH if math.isnan(value) else number(value)}
    text = DASH if value is None else value if isinstance(value, Code) else wording.label(str(value), language)
    text = wording.PERCENT.sub("%", text) if language == "zh" else text
    if found := INTERVAL.fullmatch(text):
        return {"kind": "number", "lang": "", "text": found["value"], "interval": f"({found['interval']})"}
    kind = "number" if text == DASH or NUMBER.fullmatch(text) else "wide" if len(text) > LONG else ""
    return {"kind": kind, "lang": chinese.language(text), "text": text}


def paragraph(text: str, kind: str = "") -> str:
    """Make a paragraph.

    Args:
        text: The text.
        kind: Its class: `"note"` for small print, `"answer"`.
    """
    return str(_macros().paragraph(text, kind))


def links(targets: list[tuple[str, str]]) -> str:
    """Make a list of links: the text of each, and the file that it leads to."""
    return str(_macros().links(targets))


def beside(table: str, text: str) -> str:
    """Set a small table and what is said about it side by side on a wide screen, and below each other elsewhere.

    Args:
        table: The table, as HTML.
        text: Paragraphs, as HTML.
    """
    return str(_macros().beside(markupsafe.Markup(table), markupsafe.Markup(text)))


def folded(summary: str, content: str) -> str:
    """Fold a part of a page below a line that opens it.

    Args:
        summary: The line.
        content: The part, as HTML.
    """
    return str(_macros().folded(summary, markupsafe.Markup(content)))


def claims(cards: list[dict], language: str = "en") -> str:
    """Show what a post says, a card for each claim.

    Args:
        cards: For each claim the texts `name`, `kind`, `quote` (in Chinese), `says` (its translation), `heading`,
            `verdict`, `short`, `evidence`, `because`; `effects`, a table as HTML; `rule`, texts by heading; `report`,
            the address and the title of the report that it rests on, or None; `sweeps`, what runs with other seeds
            found: address, question and finding.
        language: The language of the page.
    """
    safe = [card | {"effects": markupsafe.Markup(card["effects"])} for card in cards]
    return str(_macros().claims(safe, language))


def figure(file: Path, alt: str, caption: str, name: str = "") -> str:
    """Make a picture with its alternative text and caption; the page contains the file's content.

    Args:
        file: The picture.
        alt: Its alternative text.
        caption: Shown with it.
        name: What the page's text refers to it by, see `numbering`.
    """
    return str(_macros().figure(data_uri(file), alt, caption, name))


def bullets(lines: list[str]) -> str:
    """Make a list with a dot for each line."""
    return str(_macros().bullets(lines))


def attempts(tried: list[str], used: str, language: str = "en") -> str:
    """Say which source was used, and list which ones failed before it and why, folded away.

    Args:
        tried: The sources that failed, each with the reason, as a program reported it.
        used: The source that was used.
        language: The language of the page.
    """
    told = wording.say("attempts_used", language, used=wording.label(used, language))
    return str(_macros().attempts(told, tried, wording.say("attempts_failed", language)))


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


def poems(cards: list[dict]) -> str:
    """Show poems line by line, with a mark below each character for its tone, and rhymes in colours and with letters.

    Args:
        cards: For each poem `head`, a line above it; `lines`, the result of `poems.marked`; `notes`, lines below it.
    """
    return str(_macros().poems(cards))


def seen(texts: list[dict], across: int, heading: str, legend: list[str], told: str, language: str = "en") -> str:
    """Show texts with each piece on a ground by its class.

    Args:
        texts: For each text `label`, `drawn`, `prompt`, `note`, and `pieces`: `text`, `step` and `title` of each.
        across: How many stand side by side on a wide page.
        heading: What the legend is of.
        legend: The range of each class.
        told: What is said after the legend.
        language: The language of the page.
    """
    return str(_macros().seen(texts, across, heading, legend, told, language))


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
