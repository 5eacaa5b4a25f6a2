"""Make the tables, texts, poems and pictures of the pages from a report's records.

A notebook shows a view by its name (`Recorder.show`), and its output keeps that name and the options. So `make render`
can make the view again from `results.json`, with the current code and wording, without running anything.

The views for any notebook are here; those of a topic are in `<topic>_page.py`, which is imported here to register them.
"""

from pathlib import Path

from lib.core import parameters, paths, redaction
from lib.core.records import Sample
from lib.report import (  # the pages register their views
    answers,
    baseline_page,  # noqa: F401
    bench_page,  # noqa: F401
    figures,
    html,
    numbers,
    poems_page,  # noqa: F401
    samplers_page,  # noqa: F401
    stories_page,  # noqa: F401
    summary_page,  # noqa: F401
    sweep_page,  # noqa: F401
    tables,
    timing_page,  # noqa: F401
    wording,
    words,
)
from lib.report.page import FIGURES, MIME, VIEWS, Page, report_name, view  # noqa: F401  (others take them from here)


@view
def table(page: Page, rows: list[dict], caption: str = "") -> str:
    """A table of the given rows."""
    return page.table(rows, caption)


@view
def text(page: Page, text: str, kind: str = "") -> str:
    """A given paragraph."""
    return html.paragraph(text, kind)


@view
def picture(page: Page, file: str, alt: str, caption: str) -> str:
    """A picture that the notebook wrote into the report's folder."""
    return html.figure(page.picture(file), alt, caption)


@view
def figure(page: Page, name: str) -> str:
    """A figure that is drawn from the records, one of `FIGURES`."""
    drawn, alt = FIGURES[name](page)
    file = page.figure_file(name)
    (page.folder / file).parent.mkdir(parents=True, exist_ok=True)
    figures.save(drawn, page.folder / file)
    if page.language == "en" and file not in page.results.figures:
        page.results.figures.append(file)
    return html.figure(page.folder / file, alt, page.say(f"caption_{name}"), name)


def described(page: Page, file: str) -> tuple[str, str]:
    """Describe a figure of a report, and return its caption too; `""` for a figure that the notebook drew itself."""
    name = Path(file).stem
    return (FIGURES[name](page)[1], page.say(f"caption_{name}")) if name in FIGURES else ("", "")


@view
def parameter_list(page: Page) -> str:
    """The parameters, with the values of the run, folded; `""` if there are none."""
    source = paths.NOTEBOOKS / f"{page.results.notebook}.ipynb"
    declared = parameters.declared(source) if source.is_file() else {}
    rows = [
        {
            "parameter": html.Code(name),
            "value": html.Code(numbers.parameter(value)),
            "meaning": declared[name].help if name in declared else "",
        }
        for name, value in page.results.parameters.items()
        if (name in declared or not declared) and name not in parameters.RUNNER_SETS
    ]
    return html.folded(page.say("parameters_folded"), page.table(rows)) if rows else ""


@view
def model(page: Page, number: int = 0) -> str:
    """The sources of the model that failed before one worked; `""` if none failed.

    Args:
        page: The page.
        number: Which of the models, from 0.
    """
    used = page.results.models[number]
    return (
        html.attempts([redaction.clean(attempt) for attempt in used.attempts], used.source, page.language)
        if used.attempts
        else ""
    )


@view
def corpus(page: Page, number: int) -> str:
    """The texts that were used: how many; folded, the source, the licence, and how many were found and dropped.

    Args:
        page: The page.
        number: Which of the corpora, from 0.
    """
    used = page.results.corpora[number]
    tried = [redaction.clean(attempt) for attempt in used.attempts]
    told = html.attempts(tried, used.source, page.language) if tried else ""
    name, kept = wording.label(used.name, page.language), used.counts.get("kept", 0)
    summary = words.capital(page.say("corpus_folded", name=name, kept=kept))
    return told + html.folded(summary, page.table(tables.corpus(used, page.language)))


@view
def answer(page: Page) -> str:
    """The notebook's finding."""
    return html.paragraph(answers.answer(page.results, page.language), "answer")


@view
def environment(page: Page) -> str:
    """The environment that the report was made with, folded."""
    return html.folded(page.say("environment_folded"), page.table(tables.machine(page.results.machine, page.language)))


@view
def examples(page: Page) -> str:
    """The first training texts, with their titles."""
    rows = [{"title": title, "text (its beginning)": text} for title, text in page.measured.examples]
    return page.table(rows, page.say("table_examples"))


def _chosen(page: Page, labels: list[str] | None, prompts: list[str] | None, most: int | None) -> list[Sample]:
    """Return the samples of the given labels and prompts, the first `most` of each."""
    return [
        sample
        for sample in page.measured.samples
        if (labels is None or sample.label in labels)
        and (prompts is None or sample.prompt in prompts)
        and (most is None or sample.number <= most)
    ]


@view
def samples(
    page: Page,
    by: str = "label",
    down: str = "prompt",
    labels: list[str] | None = None,
    prompts: list[str] | None = None,
    most: int | None = None,
    marked: bool = False,
    caption: str = "",
    folded: bool = False,
) -> str:
    """Texts side by side.

    Args:
        page: The page.
        by: The field of a sample whose values stand side by side.
        down: The field whose values stand below each other.
        labels: The groups shown; all by default.
        prompts: The prompts shown; all by default.
        most: How many texts of each group and prompt are shown; all by default.
        marked: Whether the rounds of a loop are marked.
        caption: A name in `sentences/`.
        folded: Whether the texts are folded below their caption.
    """
    shown, told = _chosen(page, labels, prompts, most), page.say(caption) if caption else ""
    made = html.samples(shown, by, "" if folded else told, marked, down, page.language)
    return html.folded(told, made) if folded else made


@view
def explained(page: Page, names: list[str]) -> str:
    """The meanings of table columns, folded: entries of `sentences/`."""
    told = "\n".join(page.say(f"{name}_explained") for name in names)
    topics = words.listed([page.say(f"topic_{name}") for name in names], page.language)
    return html.folded(page.say("explained", topic=topics), html.paragraph(told, "note"))
