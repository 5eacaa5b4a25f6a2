import re

import nbformat
import pytest

from lib import notebooks
from lib.core import parameters, paths
from lib.data import corpora, poem_cleaning
from lib.report import translation, wording, words

OTHERS = [language for language in wording.LANGUAGES if language != "en"]
NAMES = [*(one.name for one in notebooks.ALL), "bench"]


def prose_of(notebook):
    cells = nbformat.read(paths.NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells
    return {cell.id: cell.source for cell in cells if cell.cell_type == "markdown"}


def levels(text):
    return re.findall("^#+(?= )", text, re.MULTILINE)


def code(text):
    return sorted(re.findall("`[^`]+`", text))


def targets(text):
    return sorted(re.findall(r"\]\(([^)]*)\)", text))


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("notebook", NAMES)
def test_every_cell_has_a_translation_with_the_same_headings_code_and_links(notebook, language):
    prose, told = prose_of(notebook), translation.read(notebook, language)
    assert list(told) == list(prose)
    for cell, text in prose.items():
        assert levels(told[cell]) == levels(text), cell
        assert code(told[cell]) == code(text), cell
        assert targets(told[cell]) == sorted(
            link.replace("report.html", f"report.{language}.html") for link in targets(text)
        ), cell
        assert re.search("[\u4e00-\u9fff]", told[cell]), cell


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("notebook", NAMES)
def test_the_title_is_the_one_of_the_index(notebook, language):
    first = next(iter(translation.read(notebook, language).values()))
    assert first.splitlines()[0] == f"# {words.title(notebook, language)}"


def test_a_cell_without_a_translation_stays_as_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    (tmp_path / "zh").mkdir()
    (tmp_path / "zh" / "one.md").write_text("<!-- cell b -->\n# 二\n\n正文\n", encoding="utf-8")
    cells = [nbformat.v4.new_markdown_cell(text, id=name) for name, text in (("a", "# One"), ("b", "# Two"))]
    cells.append(nbformat.v4.new_code_cell("code()", id="c"))
    for language, told in (("en", ["# One", "# Two", "code()"]), ("zh", ["# One", "# 二\n\n正文", "code()"])):
        notebook = nbformat.v4.new_notebook(cells=[cell.copy() for cell in cells])
        translation.translate(notebook, "one", language)
        assert [cell.source for cell in notebook.cells] == told
    assert translation.read("another", "zh") == {}


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("file", sorted(paths.NOTEBOOKS.glob("*.ipynb")), ids=lambda file: file.stem)
def test_the_meaning_of_every_parameter_has_a_translation(file, language):
    declared = parameters.declared(file)
    meanings = {one.help for name, one in declared.items() if name not in parameters.RUNNER_SETS}
    assert meanings - set(wording.labels(language)) == set()


@pytest.mark.parametrize("language", OTHERS)
def test_the_names_and_counts_of_texts_have_translations(language):
    made = corpora.load_tiny_prose()
    names = {made.name, made.source, *made.counts, *(f"dropped: {reason}" for reason in poem_cleaning.REASONS)}
    assert names - set(wording.labels(language)) == set()
