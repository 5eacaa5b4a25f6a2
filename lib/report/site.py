"""Make the pages of a profile from its results: a page for each report, and their index.

Usage: `python -m lib.report.site --profile cpu` (`make render`) makes all pages again without running a notebook.
"""

import argparse
import contextlib
import copy
import functools
import itertools
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbconvert
import nbformat

from lib import notebooks
from lib.claims import experiments, judgement
from lib.core import command_line, locks, notebook_files, paths, published, records
from lib.core.errors import UserError
from lib.core.records import Claim, Corpus, Judgement, Model, Results
from lib.report import (
    answers,
    bench_words,
    claims_words,
    escaping,
    executed,
    html,
    numbering,
    numbers,
    translation,
    views,
    wording,
    words,
)
from lib.report.page import index_name, report_name

RESULTS = "results.json"
CLAIMS = "claims.json"
BENCH = "bench"  # the notebook on speed, and its profile
PERCENT = re.compile(r"(?<=[\d)]) %(?=[\s.,;:)<，。；：）、])")  # no line ends between a number and its sign
LINKS = re.compile("<!-- links -->.*?<!-- end of links -->", re.DOTALL)


def render(profile: str) -> Path:
    """Make all pages of a profile again.

    Args:
        profile: The folder of `outputs/`.

    Returns:
        The index in English.

    Raises:
        UserError: If there are no reports, or their results or executed notebooks cannot be read.
    """
    folder, problems, since_ns = paths.of_profile(profile), [], time.time_ns()
    with locks.only_one(folder) if folder.is_dir() else contextlib.nullcontext():
        published.restore(folder)
        reports = sorted((file.parent for file in folder.glob(f"*/{RESULTS}")), key=_position)
        if not reports:
            raise UserError(
                f"There are no reports in {paths.on_terminal(folder)} to render. Run `make all PROFILE={profile}` "
                "first."
            )
        for report in reports:
            try:
                render_report(report)
            except UserError as error:  # the other pages are made all the same
                if "@" in report.name:
                    print(f"A variant's page is as it was: {error}", flush=True)
                else:
                    problems.append(str(error))
        index = render_index(profile)
        if problems:
            raise UserError(" ".join(problems))
        published.mark_rendered(folder, since_ns)
    return index


def render_report(folder: Path) -> None:
    """Make a report's page in each language, from its `results.json` and its executed notebook.

    The views in the executed notebook are updated too, so that it matches the page in English.
    """
    results, kept = records.load(folder / RESULTS), folder / executed.NAME
    if not kept.is_file():
        raise UserError(
            f"{folder.name} has no {executed.NAME}, which its page is made from. Run `make report NOTEBOOK="
            f"{results.notebook} PROFILE={results.profile}` anew."
        )
    notebook = executed.read(kept)
    source = paths.NOTEBOOKS / f"{results.notebook}.ipynb"
    if source.is_file():
        executed.with_prose_of(notebook, notebook_files.read(source))
    executed.redraw(notebook, views.Page(results, folder))
    executed.write(notebook, kept)
    for language in wording.LANGUAGES:
        told = copy.deepcopy(notebook)
        translation.translate(told, results.notebook, language)
        page = views.Page(results, folder, language)
        if language != "en":
            executed.redraw(told, page)
        paths.write(folder / report_name(language), _page(told, page))


def rendered(folder: Path) -> set[str]:
    """Return the files of a report that `render_report` writes, relative to its folder: if it ran, if it will."""
    drawn = [file for file in folder.glob("figures/**/*.svg") if file.stem in views.FIGURES]
    pages = map(report_name, wording.LANGUAGES)
    return {published.NOTEBOOK, *pages, *(file.relative_to(folder).as_posix() for file in drawn)}


def _page(notebook, page: views.Page) -> str:
    results, folder, language = page.results, page.folder, page.language
    first, more = words.headline(answers.answer(results, language))
    report = {
        "title": notebook.cells[0].source.splitlines()[0].lstrip("# "),
        "say": page.say,
        "tag": wording.TAGS[language],
        "languages": _languages(language, report_name),
        "index": _index_of(results.profile, language),
        "headline": first,
        "more": more,
        "contents": _contents(notebook),
        "files": sorted(path.name for path in folder.iterdir() if path.suffix in (".csv", ".json", ".ipynb")),
        "stand_ins": words.stand_ins(results.stand_ins, language),
        "changed": page.say("between").join(
            f"{name} = {numbers.parameter(value)}" for name, value in results.changed.items()
        ),
        "sources": _sources(page),
        "ran_on": words.ran_on(results.machine, language),
        "took": page.say(
            "banner_minutes",
            minutes=results.minutes,
            date=results.machine.date,
            code=words.code(results.machine, language),
        ),
        "continued": page.say("banner_continued", count=results.continued_trainings)
        if results.continued_trainings
        else "",
        "notebook": results.notebook,
        "profile": results.profile,
        "experiment": _experiment(results),
    }
    _split_title(notebook)
    _without_answer(notebook)
    text, _ = _exporter().from_notebook_node(notebook, resources={"report": report})
    return _finished(numbering.number(text, language))


@functools.cache
def _exporter() -> nbconvert.HTMLExporter:
    """Make what turns notebooks into pages, once: it compiles its templates at the first page."""
    # nbconvert's own templates are named too; otherwise a reader's template of the same name would come first.
    own = [str(html.TEMPLATE.parent), str(Path(sys.prefix) / "share" / "jupyter" / "nbconvert" / "templates")]
    exporter = nbconvert.HTMLExporter(template_name=html.TEMPLATE.name, extra_template_basedirs=own)
    exporter.register_filter("visible", escaping.visible)
    return exporter


def _finished(page: str) -> str:
    """Return a page as it is written: no line ends between a number and its sign, and no character is invisible."""
    return escaping.visible(PERCENT.sub("\N{NO-BREAK SPACE}%", page))


def _languages(language: str, file: Callable[[str], str]) -> list[dict]:
    """Return what a page's switch between the languages shows, with the files of the other pages."""
    return [
        {"name": wording.NAMES[one], "tag": wording.TAGS[one], "file": file(one), "is_current": one == language}
        for one in wording.LANGUAGES
    ]


def _experiment(results: Results) -> str:
    """Return the YAML file that a report was made from, for its foot."""
    if results.profile.startswith(paths.SWEEP):
        return f"experiments/sweeps/{results.profile.removeprefix(paths.SWEEP)}.yaml"
    return f"experiments/{results.profile}/{results.notebook}.yaml"


def _index_of(profile: str, language: str) -> str:
    """Return the link from a report to the index that links to it: for the bench and the sweeps it is that of `cpu`."""
    is_linked_from_cpu = profile == BENCH or profile.startswith(paths.SWEEP)
    if is_linked_from_cpu and (paths.outputs() / "cpu" / index_name(language)).is_file():
        return f"../../cpu/{index_name(language)}"
    return f"../{index_name(language)}"


def _sources(page: views.Page) -> list[tuple[str, str]]:
    """Return the models and texts of a report, for the top of its page; of the bench's, machine and versions too."""
    if page.results.notebook == BENCH:
        return bench_words.conditions(page.measured, page.language)
    told = []
    for model in page.results.models:
        name = _named(page, model) if model.source else wording.label(model.name, page.language)
        told.append((page.say("banner_model"), page.say("banner_size", name=name, parameters=model.parameters)))
    told += [(page.say("banner_texts"), _named(page, corpus)) for corpus in page.results.corpora]
    return list(dict.fromkeys(told))  # a corpus cut to other lengths is the same texts


def _named(page: views.Page, used: Model | Corpus) -> str:
    """Name a model or texts, with the source."""
    name, source = (wording.label(text, page.language) for text in (used.name, used.source))
    return page.say("banner_named", name=name, source=source)


def title(notebook: str) -> str:
    """Return a notebook's title: the first line of its first cell; its name if there is no such notebook any more."""
    file = paths.NOTEBOOKS / f"{notebook}.ipynb"
    if not file.is_file():
        return notebook
    return notebook_files.read(file).cells[0].source.splitlines()[0].lstrip("# ")


def _title(notebook: str, language: str) -> str:
    """Return a notebook's title in a language, if it has phrases; else as it stands in the notebook."""
    told = words.title(notebook, language)
    return title(notebook) if told == notebook else told


def _contents(notebook) -> list[dict[str, str]]:
    """Return the headings of a notebook's sections, as HTML, with the ids that nbconvert gives them."""
    markdown = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    found = re.findall(
        r'<h2 id="([^"]*)">(.*?)<a class="anchor-link"', "".join(map(nbconvert.filters.markdown2html, markdown))
    )
    return [{"id": name, "text": text} for name, text in found]


def _split_title(notebook) -> None:
    """Move what follows title and question into a cell of its own, so that the answer can stand between them."""
    first = notebook.cells[0]
    title, question, *rest = [*first.source.split("\n\n", maxsplit=2), ""][:3]
    first.source = f"{title}\n\n{question}"
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell("".join(rest).strip()))


def _without_answer(notebook) -> None:
    """Remove the answer at the end of a notebook, which JupyterLab shows; on a page it stands at the top."""
    for cell in notebook.cells:
        if "outputs" in cell:
            views_of = [output.get("data", {}).get(views.MIME, {}).get("view") for output in cell.outputs]
            cell.outputs = [one for one, view in zip(cell.outputs, views_of, strict=True) if view != "answer"]


def render_index(profile: str) -> Path:
    """Make a profile's `index.html` and `index.zh.html`, judge its claims, and link the reports to each other.

    The index has a card for each published report. Once the experiments and the summary have run, it begins with the
    verdicts on the post's claims, which also go to `claims.json`.

    Returns:
        The index in English.
    """
    folder = paths.of_profile(profile)
    reports = _readable(folder)
    _link(folder, reports)
    judged = _judge(profile)
    template = html.environment().get_template("overview.html.j2")
    for language in wording.LANGUAGES:
        cards = [_card(folder / name, results, language) for name, results in reports.items()]
        page = template.render(
            profile=profile,
            language=language,
            languages=_languages(language, index_name),
            file=report_name(language),
            tag=wording.TAGS[language],
            say=lambda name, language=language, **values: wording.say(name, language, **values),
            style=html.style("style.css", "parts.css"),
            stand_ins=words.stand_ins([one for results in reports.values() for one in results.stand_ins], language),
            claims=[_claim(claim, language) for claim in judged.testable] if judged else [],
            summary=next((card for card in cards if card["folder"] == notebooks.SUMMARY), None),
            cards=[card for card in cards if card["folder"] != notebooks.SUMMARY],
            is_bench=_is_bench(profile),
            benches=_bench_cards(profile, language),
            sweeps=_sweep_cards(profile, language),
        )
        paths.write(folder / index_name(language), _finished(page))
    published.list_pages(folder)
    return folder / index_name("en")


def _position(report: Path) -> tuple[int, str]:
    """Return what sorts the reports as `lib/notebooks.py` does, variants after their report and others last."""
    listed = [notebook.name for notebook in notebooks.ALL]
    name = report.name.partition("@")[0]
    return (listed.index(name) if name in listed else len(listed), report.name)


def _readable(folder: Path) -> dict[str, Results]:
    """Return the results of the reports that this code can read, by folder; print advice for the others."""
    reports = {}
    for file in sorted(folder.glob(f"*/{RESULTS}"), key=lambda file: _position(file.parent)):
        try:
            reports[file.parent.name] = records.load(file)
        except UserError as error:
            print(f"The index leaves a report out: {error}", flush=True)
    return reports


def _judge(profile: str) -> Judgement | None:
    """Judge a profile's claims and write the verdicts; return None until all of its notebooks have run."""
    file = paths.of_profile(profile) / CLAIMS
    try:
        judged = judgement.of_profile(profile)
    except UserError as error:
        if file.is_file():
            print(f"The post's claims are left out: {error}", flush=True)
        file.unlink(missing_ok=True)
        return None
    paths.write(file, records.dump(judged))
    return judged


def _card(folder: Path, results: Results, language: str) -> dict:
    """Return what the index shows of a report."""
    try:
        answer = answers.answer(results, language)
    except UserError:  # the summary's, if one of its experiments is missing
        answer = ""
    headline, more = words.headline(answer)
    shown = views.Page(results, folder, language)
    cover = _cover(shown)
    if results.notebook == BENCH:  # its page takes seconds, its measuring does not
        (_, took), *_ = bench_words.conditions(results.measured, language)
    else:
        took = wording.say("index_took", language, minutes=f"{results.minutes:.1f}", date=results.machine.date)
    return {
        "folder": folder.name,
        "title": _title(results.notebook, language),
        "question": words.question(results.notebook, language),
        "headline": headline,
        "more": more,
        "differs": [f"{name}: {numbers.parameter(value)}" for name, value in results.changed.items()],
        "picture": html.data_uri(folder / shown.figure_file(cover)) if cover else None,
        "caption": _caption(shown, cover) if cover else "",
        "took": took,
    }


def _cover(page: views.Page) -> str:
    """Return the name of the figure that the index shows of a report; `""` if there is none."""
    drawn = [Path(file).stem for file in page.results.figures]
    there = [name for name in drawn if (page.folder / page.figure_file(name)).is_file()]
    wanted = next((one.cover for one in notebooks.ALL if one.name == page.results.notebook), "")
    return wanted if wanted in there else there[-1] if there else ""


def _caption(page: views.Page, figure: str) -> str:
    """Return what the index says below a figure: a short caption if the notebook has one, else the figure's own."""
    notebook = page.results.notebook
    if wording.has(f"cover_{notebook}"):
        return page.say(f"cover_{notebook}")
    return page.say(f"caption_{figure}") if wording.has(f"caption_{figure}") else ""


def _bench_cards(profile: str, language: str) -> list[dict]:
    """Return what an index shows of the benches: that of a CPU and those of GPUs. The bench's own index shows none."""
    if _is_bench(profile):
        return []
    cards = []
    for folder in sorted(page.parent for page in paths.outputs().glob(f"{BENCH}*/{BENCH}/report.html")):
        try:
            results = records.load(folder / RESULTS)
            first, more = words.headline(answers.answer(results, language))
        except (UserError, FileNotFoundError) as error:
            print(f"The index leaves a bench out: {error}", flush=True)
            continue
        (_, machine), *_ = bench_words.conditions(results.measured, language)
        cards.append(
            {
                "link": f"../{folder.parent.name}/{BENCH}/{report_name(language)}",
                "title": words.title(BENCH, language),
                "answer": wording.say("sentence_space", language).join([first, words.headline(more)[0]]).strip(),
                "machine": machine,
            }
        )
    return cards


def _is_bench(profile: str) -> bool:
    """Tell whether a profile holds the bench of a machine: `bench`, or `bench-h200` for a GPU."""
    return profile.split("-")[0] == BENCH


def _sweep_cards(profile: str, language: str) -> list[dict]:
    """Return what an index shows of the sweeps whose runs have the values of its profile."""
    return [
        {
            "link": f"../{results.profile}/{results.notebook}/{report_name(language)}",
            "title": results.measured.question[language],
            "answer": answers.answer(results, language),
        }
        for results in experiments.sweeps(profile)
    ]


def _claim(judged: Claim, language: str) -> dict:
    """Return what the index shows of a claim, with the place where the summary tells it."""
    return claims_words.claim(judged, language) | {
        "told": f"{notebooks.SUMMARY}/{report_name(language)}#claim-{judged.name}"
    }


def _link(folder: Path, reports: dict[str, Results]) -> None:
    """Write links to the neighbouring reports that exist into every page of every report."""
    order = [name for name in reports if "@" not in name]
    for name, language in itertools.product(reports, wording.LANGUAGES):
        report = folder / name / report_name(language)
        if not report.is_file():
            continue
        around = []
        if name in order:
            place = order.index(name)
            around = [("prev", "← ", "", order[place - 1 : place]), ("next", "", " →", order[place + 1 : place + 2])]
        elif (original := name.partition("@")[0]) in order:
            around = [("up", wording.say("link_original", language) + " ", "", [original])]
        links = [
            f'<a rel="{rel}" href="../{other}/{report_name(language)}">'
            f"{before}{escaping.as_html(_title(reports[other].notebook, language))}{after}</a>"
            for rel, before, after, others in around
            for other in others
        ]
        try:
            page = report.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # it is cut off; the list of pages tells so, and it is made anew
            continue
        linked = LINKS.sub(lambda _, links=links: f"<!-- links -->{' '.join(links)}<!-- end of links -->", page)
        if linked != page:
            paths.write(report, linked)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Return the exit status."""
    return command_line.run(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lib.report.site", description="Make all pages of a profile anew, without running a notebook."
    )
    parser.add_argument("--profile", default="cpu", help="the folder of outputs/ that holds the reports")
    options = parser.parse_args(arguments)
    print(f"Pages: {paths.on_terminal(render(options.profile))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
