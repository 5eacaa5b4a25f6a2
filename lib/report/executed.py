"""Clean executed notebooks for publication, and update them for a page."""

import inspect
import json
from pathlib import Path

import nbformat

from lib.core.errors import UserError
from lib.report import views

NAME = "notebook.ipynb"
OUTPUT_DIR = "output_dir"


def clean(file: Path, place: str) -> None:
    """Remove from an executed notebook what belongs only to this machine and this run.

    That is papermill's metadata, the times of cells, the stderr of libraries, and the path of the scratch folder in the
    cell of injected parameters.

    Args:
        file: The notebook, which is overwritten.
        place: The path that replaces the scratch folder's, such as `"outputs/cpu/01_baseline"`.
    """
    notebook = nbformat.read(file, as_version=4)
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for cell in notebook.cells:
        cell.metadata = {"tags": cell.metadata.tags} if cell.metadata.get("tags") else {}
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        if "injected-parameters" in cell.metadata.get("tags", []):
            lines = [line for line in cell.source.splitlines() if not line.startswith(f"{OUTPUT_DIR} =")]
            cell.source = "\n".join([*lines, f"{OUTPUT_DIR} = {json.dumps(place)}"])
    write(notebook, file)


def write(notebook, file: Path) -> None:
    """Write a notebook in a fixed format."""
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)
    file.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def with_prose_of(notebook, source):
    """Copy the prose of a notebook's source if the code has not changed since the notebook ran.

    Args:
        notebook: The executed notebook, which is changed.
        source: The notebook from `notebooks/`.
    """
    ran = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    same = len(ran) == len(source.cells) and all(
        old.cell_type == new.cell_type and (old.cell_type != "code" or old.source == new.source)
        for old, new in zip(ran, source.cells, strict=True)
    )
    if same:
        for old, new in zip(ran, source.cells, strict=True):
            if old.cell_type == "markdown":
                old.source = new.source


def redraw(notebook, page: views.Page) -> None:
    """Make all views of a notebook again from its records.

    Args:
        notebook: The executed notebook, whose outputs are changed.
        page: The page that the views are made for.

    Raises:
        UserError: If a view does not exist, or takes other options.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if view := output.get("data", {}).get(views.MIME):
                output["data"]["text/html"] = _made(view, page)


def _made(view: dict, page: views.Page) -> str:
    try:
        make = views.VIEWS[view["view"]]
        inspect.signature(make).bind(page, **view["options"])
    except (KeyError, TypeError):
        results = page.results
        raise UserError(
            f"{page.folder.name}/{NAME} shows {view.get('view')!r} as this code does not. Run `make report "
            f"NOTEBOOK={results.notebook} PROFILE={results.profile}` anew."
        ) from None
    return make(page, **view["options"])
