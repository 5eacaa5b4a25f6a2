"""From an executed notebook to an HTML report, and from the reports to their index."""

import json
from pathlib import Path

import jinja2
import nbconvert
import nbformat

from lib import paths, results

TEMPLATE = Path(__file__).parent / "report_template"


def title(notebook: str) -> str:
    """A notebook's title: the first line of its first cell."""
    cells = nbformat.read(paths.NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells
    return cells[0].source.splitlines()[0].lstrip("# ")


def render_report(executed: Path, folder: Path) -> None:
    """Writes `report.html` into a result folder.

    Args:
        executed: The executed notebook.
        folder: The folder with its `results.json`.
    """
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    content["title"] = title(content["notebook"])
    content["files"] = results.output_files(folder)
    exporter = nbconvert.HTMLExporter(template_name=TEMPLATE.name, extra_template_basedirs=[str(TEMPLATE.parent)])
    notebook = nbformat.read(executed, as_version=4)
    page, _ = exporter.from_notebook_node(notebook, resources={"report": content})
    (folder / "report.html").write_text(page, encoding="utf-8")


def render_index(profile: str) -> Path:
    """Writes `index.html` of a profile: every published report, its answer, when and from what it was made.

    Returns:
        The file.
    """
    folder = paths.outputs() / profile
    reports = []
    for file in sorted(folder.glob("*/results.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        content["title"] = title(content["notebook"])
        content["folder"] = file.parent.name
        content["differs"] = [f"{name}: {results.shown(value)}" for name, value in content.get("changed", {}).items()]
        reports.append(content)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=False, trim_blocks=True)
    page = environment.get_template("site.html.j2").render(profile=profile, reports=reports)
    index = folder / "index.html"
    unfinished = folder / ".index.html.part"
    unfinished.write_text(page, encoding="utf-8")
    unfinished.replace(index)
    return index
