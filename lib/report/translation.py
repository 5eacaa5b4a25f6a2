"""Read the prose of the notebooks in other languages: `notebooks/<language>/<notebook>.md`.

Such a file holds the Markdown cells of a notebook, each below a line with the cell's id:

    <!-- cell 0 -->
    # 基线：预训练模型
"""

import re

import nbformat

from lib.core import paths

CELL = re.compile(r"^<!-- cell (\S+) -->$", re.MULTILINE)


def read(notebook: str, language: str) -> dict[str, str]:
    """Return the Markdown cells of a notebook in a language, by the cell's id; none if it is not translated.

    Args:
        notebook: The notebook's stem.
        language: One of `wording.LANGUAGES`, but not the notebook's own.
    """
    file = paths.NOTEBOOKS / language / f"{notebook}.md"
    if not file.is_file():
        return {}
    _, *parts = CELL.split(file.read_text(encoding="utf-8"))
    return {cell: text.strip() for cell, text in zip(parts[::2], parts[1::2], strict=True)}


def translate(notebook: nbformat.NotebookNode, name: str, language: str) -> None:
    """Put a notebook's prose into a language. A cell without a translation stays in English.

    Args:
        notebook: The notebook, whose cells are changed.
        name: Its stem.
        language: One of `wording.LANGUAGES`.
    """
    if language == "en":
        return
    cells = read(name, language)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cells.get(cell.id, cell.source)
