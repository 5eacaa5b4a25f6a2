"""From an executed notebook to an HTML report, and from the reports to their index."""

import json
import re
import sys
from pathlib import Path

import jinja2
import nbconvert
import nbformat

from lib.claims import beside_post, post_claims
from lib.core import chinese, paths
from lib.core.errors import UserError
from lib.report import escaping, recorder, wording

TEMPLATE = Path(__file__).parent / "template"
SUMMARY = "00_summary"
LINKS = re.compile("<!-- links -->.*?<!-- end of links -->", re.DOTALL)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|(?<=[。！？])(?=.)")


def title(notebook: str) -> str:
    """A notebook's title: the first line of its first cell."""
    cells = nbformat.read(paths.NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells
    return cells[0].source.splitlines()[0].lstrip("# ")


def headline(answer: str) -> tuple[str, str]:
    """An answer's first sentence, and the others."""
    first, *more = SENTENCE_END.split(answer, maxsplit=1)
    return first, "".join(more)


def render_report(executed: Path, folder: Path) -> None:
    """Writes `report.html` into a result folder.

    Args:
        executed: The executed notebook.
        folder: The folder with its `results.json`.
    """
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    notebook = nbformat.read(executed, as_version=4)
    content["title"] = title(content["notebook"])
    content["files"] = recorder.output_files(folder)
    content["headline"], content["more"] = headline(content["answer"])
    content["contents"] = _contents(notebook)
    _split_title(notebook)
    # nbconvert's own templates are named too, or a reader's of the same name would come first.
    folders = [str(TEMPLATE.parent), str(Path(sys.prefix) / "share" / "jupyter" / "nbconvert" / "templates")]
    exporter = nbconvert.HTMLExporter(template_name=TEMPLATE.name, extra_template_basedirs=folders)
    exporter.register_filter("visible", escaping.visible)
    page, _ = exporter.from_notebook_node(notebook, resources={"report": content})
    (folder / "report.html").write_text(page, encoding="utf-8", errors="backslashreplace")


def _contents(notebook) -> list[dict[str, str]]:
    """The headings of a notebook's sections, as HTML, with the ids that nbconvert gives them."""
    markdown = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    found = re.findall(
        r'<h2 id="([^"]*)">(.*?)<a class="anchor-link"', "".join(map(nbconvert.filters.markdown2html, markdown))
    )
    return [{"id": name, "text": text} for name, text in found]


def _split_title(notebook) -> None:
    """Puts the title into a cell of its own, so that the finding can stand right below it."""
    first = notebook.cells[0]
    heading, _, rest = first.source.partition("\n")
    first.source = heading
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(rest.strip()))


def render_index(profile: str) -> Path:
    """Writes a profile's `index.html`, and `index.zh.html` in Chinese; links the reports to each other.

    The index has a card for each published report, the blog post's claims and figures beside those here.

    Returns:
        The file in English.
    """
    folder = paths.outputs() / profile
    reports = [_card(file) for file in sorted(folder.glob("*/results.json"))]
    _link(folder, [report["folder"] for report in reports])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["visible"] = escaping.visible
    environment.filters["language"] = chinese.language
    template = environment.get_template("site.html.j2")
    for language in wording.LANGUAGES:
        page = template.render(
            profile=profile,
            language=language,
            languages=[(name, wording.NAMES[name], wording.TAGS[name], index_name(name)) for name in wording.LANGUAGES],
            tag=wording.TAGS[language],
            say=lambda name, language=language, **values: wording.say(name, language, **values),
            style=(TEMPLATE / "style.css").read_text(encoding="utf-8"),
            cards=[_told(report, language) for report in reports],
            **_beside_the_post(profile, language),
        )
        paths.write(folder / index_name(language), page)
    return folder / index_name("en")


def index_name(language: str) -> str:
    """The file of the index in a language."""
    return "index.html" if language == "en" else f"index.{language}.html"


def _card(file: Path) -> dict:
    """What the index needs of a report."""
    content = json.loads(file.read_text(encoding="utf-8"))
    content["folder"] = file.parent.name
    content["differs"] = [f"{name}: {recorder.shown(value)}" for name, value in content.get("changed", {}).items()]
    figures = [figure for figure in content["figures"] if (file.parent / figure["file"]).is_file()]
    content["figure"] = None
    if figures and content["notebook"] != SUMMARY:
        content["figure"] = {**figures[-1], "data": recorder.data_uri(file.parent / figures[-1]["file"])}
    return content


def _told(report: dict, language: str) -> dict:
    """A card in a language."""
    first, more = headline(report.get(wording.key("answer", language)) or report["answer"])
    try:
        heading = wording.say(f"title_{report['notebook']}", language)
    except KeyError:
        heading = title(report["notebook"])
    if report["notebook"] == SUMMARY:  # whose findings are the table above
        more = ""
    stand_ins = wording.stand_ins(report["stand_ins"], language)
    return {**report, "title": heading, "headline": first, "more": more, "stand_ins": stand_ins}


def _beside_the_post(profile: str, language: str) -> dict:
    """The post's claims and figures, once the experiments and the summary have run."""
    summary = paths.outputs() / profile / SUMMARY / "results.json"
    try:
        found = beside_post.load_all(profile) if summary.is_file() else {}
    except UserError:
        found = {}
    if not found:
        return {"claims": [], "figures": []}
    post = beside_post.blog_post()
    return {
        "claims": post_claims.table(found, post, language).to_dict("records"),
        "figures": beside_post.rows(found, post, language),
    }


def _link(folder: Path, names: list[str]) -> None:
    """Writes into every report the links to its neighbours that exist."""
    order = [name for name in names if "@" not in name]
    for name in names:
        report = folder / name / "report.html"
        if not report.is_file():
            continue
        around = []
        if name in order:
            place = order.index(name)
            around = [("prev", "←", order[place - 1 : place]), ("next", "→", order[place + 1 : place + 2])]
        elif (original := name.partition("@")[0]) in order:
            around = [("up", "The report itself:", [original])]
        links = [
            f'<a rel="{rel}" href="../{other}/report.html">{sign} {escaping.as_html(_title_of(folder / other))}</a>'
            for rel, sign, others in around
            for other in others
        ]
        page = report.read_text(encoding="utf-8")
        linked = LINKS.sub(lambda _, links=links: f"<!-- links -->{' '.join(links)}<!-- end of links -->", page)
        if linked != page:
            paths.write(report, linked)


def _title_of(folder: Path) -> str:
    return title(json.loads((folder / "results.json").read_text(encoding="utf-8"))["notebook"])
