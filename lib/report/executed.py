"""Clean executed notebooks for publication, and update them for a page."""

import inspect
import json
from pathlib import Path

import nbformat

from lib.core import notebook_files, paths
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
    paths.write(file, text + "\n")


def read(file: Path):
    """Read an executed notebook.

    Raises:
        UserError: If it is cut off or damaged.
    """
    try:
        return notebook_files.read(file)
    except UserError:
        raise UserError(
            f"{file.parent.name}/{file.name} is cut off or damaged (it is no notebook). Run `make report NOTEBOOK="
            f"{file.parent.name.partition('@')[0]} PROFILE={file.parent.parent.name}` anew."
        ) from None


def with_prose_of(notebook, source):
    """Take the prose of a notebook's source, and which code it shows, if its code has stayed the same since it ran.

    Args:
        notebook: The executed notebook, whose cells are changed.
        source: The notebook as it is in `notebooks/`.
    """
    injected = [cell for cell in notebook.cells if _is_injected(cell)]
    ran = [cell for cell in notebook.cells if cell.cell_type == "code" and not _is_injected(cell)]
    if [cell.source for cell in ran] != [cell.source for cell in source.cells if cell.cell_type == "code"]:
        return
    cells, left = [], iter(ran)
    for cell in source.cells:
        if cell.cell_type != "code":
            cells.append(nbformat.from_dict({**cell, "metadata": {}}))
            continue
        cells.append(next(left))
        tags = cell.metadata.get("tags", [])
        if tags != cells[-1].metadata.get("tags", []):
            cells[-1].metadata["tags"] = tags
        if "parameters" in cell.metadata.get("tags", []):
            cells += injected
    notebook.cells = cells


def _is_injected(cell) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


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
        inspect.signature(views.VIEWS[view["view"]]).bind(page, **view["options"])
        return page.show(view["view"], **view["options"])
    except (KeyError, TypeError, AttributeError) as error:  # a view, a figure or a caption of another version
        results = page.results
        raise UserError(
            f"{page.folder.name}/{NAME} shows {view.get('view')!r}, which this code cannot make "
            f"({type(error).__name__}: {error}). Run `make report NOTEBOOK={results.notebook} "
            f"PROFILE={results.profile}` anew."
        ) from None
