"""Tables, samples and figures: onto the page and into files."""

import base64
import csv
import json
import math
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML, display

from lib.core import chinese, parameters, paths, progress, redaction
from lib.evaluation import provenance
from lib.report import escaping, fonts, wording

LONG = 30  # characters of a cell that may be broken into lines
LAB_STYLE = "<style>.jp-RenderedHTMLCommon :is(td, th):not(.number) { text-align: left; }</style>"
FEW = 4  # columns of a table whose rows a phone shows one below the other


class Results:
    """Collects what a notebook found, and writes it to its output folder.

    Args:
        notebook: The notebook's stem, such as `"01_baseline"`. Its parameters are checked and shown.
        namespace: The notebook's `globals()`, from which the values of its declared parameters are taken.

    Raises:
        UserError: If a parameter has a value that is not allowed.
    """

    def __init__(self, notebook: str, namespace: dict):
        self.notebook = notebook
        declared = parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")
        self.parameters = {
            name: parameter.check(namespace[name], "the parameters cell") for name, parameter in declared.items()
        }
        parameters.check_together(self.parameters, "the parameters cell")
        self.folder = paths.resolve(self.parameters["output_dir"])
        self.folder.mkdir(parents=True, exist_ok=True)
        self.started = time.perf_counter()
        self.metrics: dict = {}
        self.figures: list[dict] = []
        self.sources: list[str] = []
        self.stand_ins: list[str] = []
        self.attempts: list[str] = []
        rows = [
            (name, shown(self.parameters[name]), parameter.help)
            for name, parameter in declared.items()
            if name not in parameters.RUNNER_SETS
        ]
        if not progress.in_report_run():  # whose pages have their own style; JupyterLab sets texts to the right
            display(HTML(LAB_STYLE))
        show_table(pd.DataFrame(rows, columns=["parameter", "value", "meaning"]))

    def used_model(self, model, causal_lm) -> None:
        """Notes which model ran, and shows it.

        Args:
            model: What `models.find` returned.
            causal_lm: The loaded model.
        """
        self.stand_ins += model.stand_ins
        source = f" ({model.source})" if model.source else ""
        self.sources.append(f"Model: {model.name}{source}, {causal_lm.count_params():,} parameters")
        self._tried(model.attempts, model.source)

    def used_corpus(self, corpus, requested: str) -> None:
        """Notes which texts were used, and shows what was found, dropped and kept.

        Args:
            corpus: A `datasets.Corpus`.
            requested: The name that was asked for.
        """
        text = f"Texts: {corpus.name} ({corpus.source})"
        if corpus.is_stand_in:
            self.stand_ins.append(f"{corpus.name} in place of {requested}")
        self.sources.append(text)
        self.metrics.setdefault("corpora", []).append({"name": corpus.name, "sha256": corpus.sha256, **corpus.counts})
        rows = [("source", corpus.source), ("licence", corpus.licence)]
        rows += [(name, f"{count:,}") for name, count in corpus.counts.items()]
        rows.append(("SHA-256 of the cleaned texts", corpus.sha256))
        self._tried(corpus.attempts, corpus.source)
        show_table(pd.DataFrame(rows, columns=["texts", corpus.name]))

    def _tried(self, attempts: list[str], used: str) -> None:
        """Shows which sources failed, and why, and which one was used in the end."""
        if attempts:
            items = "".join(f"<li>{escaping.as_html(redaction.clean(attempt))}</li>" for attempt in attempts)
            display(HTML(f"<p>Tried in vain:</p><ul>{items}</ul><p>Used instead: {escaping.as_html(used)}.</p>"))
            self.attempts += attempts

    def used_results(self, found: dict[str, dict]) -> None:
        """Notes which results of other notebooks were read, with the models, texts and stand-ins behind them.

        Args:
            found: Contents of `results.json`, by notebook.
        """
        for content in found.values():
            self.sources += [source for source in content["sources"] if source not in self.sources]
            self.stand_ins += [name for name in content["stand_ins"] if name not in self.stand_ins]

    def table(self, name: str, table: pd.DataFrame, caption: str = "", show: pd.DataFrame | None = None) -> None:
        """Writes a table to `<name>.csv` and shows it.

        Args:
            name: The file's stem.
            table: What is written, with all its digits.
            caption: Shown above it.
            show: What is shown, where that differs from what is written.
        """
        self.add_file(name, table)
        show_table(table if show is None else show, caption)

    def add_file(self, name: str, table: pd.DataFrame) -> None:
        """Writes a table to `<name>.csv` without showing it."""
        table.to_csv(self.folder / f"{name}.csv", index=False, quoting=csv.QUOTE_NONNUMERIC, errors="backslashreplace")

    def figure(self, name: str, figure, alt: str, caption: str) -> None:
        """Writes a figure to `figures/<name>.svg`, shows it with its alternative text, and closes it.

        Args:
            name: The file's stem.
            figure: A matplotlib figure.
            alt: What it shows, for who cannot see it.
            caption: Shown below it.
        """
        if advice := fonts.replace_missing(figure):
            progress.note(advice)
            caption = f"{caption} {advice}"
        file = self.folder / "figures" / f"{name}.svg"
        file.parent.mkdir(exist_ok=True)
        figure.savefig(file, metadata={"Date": None})
        plt.close(figure)
        self.figures.append({"file": f"figures/{name}.svg", "alt": alt, "caption": caption})
        display(
            HTML(
                f'<figure><img src="{data_uri(file)}" alt="{escaping.attribute(alt)}">'
                f"<figcaption>{escaping.as_html(caption)}</figcaption></figure>"
            )
        )

    def finish(self, answer: str | dict[str, str]) -> None:
        """Shows the answer and the environment, and writes `results.json`.

        Args:
            answer: What the notebook found, in a sentence or two made from its results: in English, or by language. The
                file has them as `answer` (English) and `answer_<language>`; the English one is shown.
        """
        told = {"en": answer} if isinstance(answer, str) else answer
        facts = provenance.collect()
        content = {
            "notebook": self.notebook,
            "profile": self.parameters["profile"],
            **{wording.key("answer", language): text for language, text in told.items()},
            "minutes": (time.perf_counter() - self.started) / 60,
            "sources": self.sources,
            "stand_ins": self.stand_ins,
            "attempts": self.attempts,
            "metrics": self.metrics,
            "figures": self.figures,
            "parameters": {name: value for name, value in self.parameters.items() if name != "output_dir"},
            "provenance": facts,
        }
        write_json(self.folder / "results.json", content)
        display(HTML(f'<p class="answer">{escaping.as_html(told["en"])}</p>'))
        show_table(pd.DataFrame(facts.items(), columns=["environment", "value"]))


def data_uri(figure: Path) -> str:
    """A figure's file, as an address that holds it."""
    kind = {".svg": "svg+xml", ".png": "png"}[figure.suffix]
    return f"data:image/{kind};base64,{base64.b64encode(figure.read_bytes()).decode()}"


def write_json(file: Path, content: dict) -> None:
    """Writes results as JSON.

    Raises:
        ValueError: If a figure is not a number, which JSON cannot hold.
    """
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False, default=float)
    file.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def load(profile: str, notebook: str) -> dict:
    """Reads the `results.json` that a notebook left in the published outputs of a profile."""
    return json.loads((paths.outputs() / profile / notebook / "results.json").read_text(encoding="utf-8"))


def show_table(table: pd.DataFrame, caption: str = "") -> None:
    """Shows a table; every cell is escaped.

    On a phone the rows of a table with few columns and long texts come one below the other, and other tables scroll.
    """
    if table.empty:
        return
    names = [str(name).replace("_", " ") for name in table.columns]
    head = "".join(f'<th scope="col">{escaping.as_html(name)}</th>' for name in names)
    stacked = len(names) <= FEW and any(len(str(value)) > LONG for value in table.to_numpy().flat)
    labels = [f' data-label="{escaping.attribute(name)}"' if stacked else "" for name in names]
    rows = "".join(f"<tr>{''.join(map(_cell, row, labels))}</tr>" for row in table.itertuples(index=False, name=None))
    top = f"<caption>{escaping.as_html(caption)}</caption>" if caption else ""
    name = escaping.attribute(caption or f"Table of {', '.join(names)}")
    display(
        HTML(
            f'<div class="scroll" role="region" aria-label="{name}" tabindex="0">'
            f"<table{' class=stacked' if stacked else ''}>{top}<thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table></div>"
        )
    )


def show_text(text: str, kind: str = "") -> None:
    """Shows a paragraph that was computed.

    Args:
        text: What it says.
        kind: `"note"` for small print.
    """
    display(HTML(f'<p class="{kind}">{escaping.as_html(text)}</p>'))


def show_side_by_side(
    samples: pd.DataFrame, by: str, caption: str = "", marked: bool = False, rows: str = "prompt"
) -> None:
    """Shows texts in columns: a row for each prompt and sample, a column for each value of `by`.

    Args:
        samples: Rows with `prompt`, `sample`, `sampler`, `seed`, `text` and the columns that `by` and `rows` name; with
            `looped` and the other columns of `metrics.repetition` where `marked`.
        by: The column whose values stand side by side.
        caption: Shown above.
        marked: Whether the rounds of a loop are marked, and how much of each text repeats itself is told.
        rows: The column whose values stand below each other.
    """
    columns = list(dict.fromkeys(samples[by]))
    several = samples["sample"].nunique() > 1
    head = "".join(
        f'<th scope="col" lang="{chinese.language(str(column))}">{escaping.as_html(str(column))}</th>'
        for column in columns
    )
    body = []
    for (name, number), texts in samples.groupby([rows, "sample"], sort=False):
        cells = []
        for column in columns:
            told = [_sample(row, marked) for row in texts[texts[by] == column].itertuples()]
            cells += [
                f'<td class="text" lang="{lang}" data-label="{escaping.attribute(str(column))}">{text}'
                f'<div class="note" lang="en">{escaping.as_html(note)}</div></td>'
                for text, note, lang in told
            ] or ["<td></td>"]
        numbered = f'<div class="note">sample {number}</div>' if several else ""
        title = f'<th scope="row" lang="{chinese.language(name)}">{escaping.as_html(name)}{numbered}</th>'
        body.append(f"<tr>{title}{''.join(cells)}</tr>")
    corner = "text by" if rows == "label" else rows
    top = f"<caption>{escaping.as_html(caption)}</caption>" if caption else ""
    display(
        HTML(
            f'<table class="samples">{top}<thead><tr><th scope="col">{escaping.as_html(corner)}</th>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>"
        )
    )


def _sample(row, marked: bool) -> tuple[str, str, str]:
    """A text as HTML, a note on it, and its language."""
    note = [] if row.label == row.sampler else [row.sampler]
    note.append(f"{row.new_tokens} new tokens")
    if row.seed is not None and row.seed == row.seed:
        note.insert(len(note) - 1, f"seed {row.seed:.0f}")
    if marked:
        note += [f"{row.looped:.0f} % looped", f"rep-4 {row.rep_4:.0f} %"]
    return (
        marked_text(row) if marked else prompted_text(row.prompt, row.text),
        ", ".join(note),
        chinese.language(row.text),
    )


def show_poems(poems: pd.DataFrame) -> None:
    """Shows poems, a line a clause.

    Args:
        poems: Rows with `text` and `note`, which is printed below the poem.
    """
    cards = []
    for row in poems.itertuples():
        lines = "<br>".join(escaping.as_html(line) for line in chinese.lines(row.text))
        cards.append(
            f'<div class="poem"><p lang="zh">{lines}</p><div class="note">{escaping.as_html(row.note)}</div></div>'
        )
    display(HTML(f'<div class="poems">{"".join(cards)}</div>'))


def marked_text(row) -> str:
    """A text as HTML: its prompt bold, and the rounds of its loop after the first one marked."""
    if not row.loop_times:
        return prompted_text(row.prompt, row.text)
    start = int(row.loop_end)
    return prompted_text(row.prompt, row.text[:start]) + f"<mark>{escaping.as_html(row.text[start:])}</mark>"


def prompted_text(prompt: str, text: str) -> str:
    """A text as HTML, its prompt bold."""
    if not text.startswith(prompt):
        return escaping.as_html(text)
    return f"<b>{escaping.as_html(prompt)}</b>{escaping.as_html(text[len(prompt) :])}"


def chinese_percent(texts: pd.Series) -> float:
    """The share of Chinese characters in all that some texts hold, in percent."""
    together = "".join(texts)
    return 100 * len(chinese.characters(together)) / max(1, len(together))


def number(value: float, digits: int = 3) -> str:
    """A figure with so many significant digits, and no exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def output_files(folder: Path) -> list[str]:
    """The names of the files that a reader may want from a result folder."""
    return sorted(path.name for path in Path(folder).iterdir() if path.suffix in (".csv", ".json"))


def shown(value) -> str:
    """A parameter's value as a reader should see it."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cell(value, label: str = "") -> str:
    if isinstance(value, bool):
        return f"<td{label}>{'yes' if value else 'no'}</td>"
    if isinstance(value, int):
        return f'<td class="number"{label}>{value:,}</td>'
    if isinstance(value, float):
        return f'<td class="number"{label}>{"–" if math.isnan(value) else number(value)}</td>'
    text = "–" if value is None else str(value)
    wide = ' class="wide"' if len(text) > LONG else ""
    return f'<td{wide}{label} lang="{chinese.language(text)}">{escaping.as_html(text)}</td>'
