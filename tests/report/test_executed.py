import copy
from pathlib import Path

import made_records
import nbformat
import pytest

from lib.core.errors import UserError
from lib.report import executed, views

MACHINE = "/tmp/scratch-0f3a"


def view(name, old="<p>old</p>", **options):
    """An output that shows a view."""
    return nbformat.v4.new_output(
        "display_data", {views.MIME: {"view": name, "options": options}, "text/html": old}, metadata={"a": 1}
    )


@pytest.fixture
def ran():
    """A notebook as papermill leaves it."""
    notes = {"papermill": {"duration": 0.1, "start_time": "2026"}, "execution": {"iopub.status.busy": "2026"}}
    cells = [
        nbformat.v4.new_markdown_cell("# One\n\nWhat?"),
        nbformat.v4.new_code_cell('k: int = 1\noutput_dir: str = "outputs/lab/one"', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            f'# Parameters\nk = 2\nprofile = "cpu"\noutput_dir = "{MACHINE}/one"\n',
            metadata={"tags": ["injected-parameters"]},
        ),
        nbformat.v4.new_markdown_cell("Before."),
        nbformat.v4.new_code_cell(
            "generate()",
            metadata={"tags": ["show"]},
            execution_count=2,
            outputs=[
                nbformat.v4.new_output("stream", name="stderr", text=f"{MACHINE}: no driver"),
                nbformat.v4.new_output("stream", name="stdout", text="2.07 tokens"),
                view("text", text="It is so.", kind=""),
            ],
        ),
    ]
    for cell in cells:
        cell.metadata.update(copy.deepcopy(notes))
        cell.metadata.setdefault("tags", [])
    return nbformat.v4.new_notebook(
        cells=cells,
        metadata={"papermill": {"output_path": f"{MACHINE}/one.ipynb"}, "language_info": {"name": "python"}},
    )


def source_of(ran):
    """The notebook's source."""
    source = copy.deepcopy(ran)
    source.cells = [cell for cell in source.cells if "injected-parameters" not in cell.metadata.tags]
    for cell in source.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return source


def test_what_belongs_to_the_machine_and_the_run_alone_is_taken_out(ran, tmp_path):
    file = tmp_path / "one.ipynb"
    nbformat.write(ran, file)
    executed.clean(file, "outputs/cpu/one")
    text = file.read_text(encoding="utf-8")
    for gone in ("papermill", "execution", MACHINE, "no driver", "stderr", "language_info", "2026"):
        assert gone not in text.replace("execution_count", "")
    cleaned = nbformat.read(file, as_version=4)
    nbformat.validate(cleaned)
    assert set(cleaned.metadata) == {"kernelspec"}
    assert cleaned.cells[2].source == '# Parameters\nk = 2\nprofile = "cpu"\noutput_dir = "outputs/cpu/one"'
    assert cleaned.cells[1].source == ran.cells[1].source  # the declaration is not what was injected
    assert [cell.metadata.get("tags", []) for cell in cleaned.cells] == [cell.metadata.tags for cell in ran.cells]
    outputs = cleaned.cells[-1].outputs
    assert [output.get("name") for output in outputs] == ["stdout", None]
    assert outputs[1]["data"] == view("text", text="It is so.", kind="")["data"]
    assert cleaned.cells[-1].execution_count == 2


def test_cleaning_twice_changes_nothing(ran, tmp_path):
    file = tmp_path / "one.ipynb"
    nbformat.write(ran, file)
    executed.clean(file, "outputs/cpu/one")
    once = file.read_bytes()
    executed.clean(file, "outputs/cpu/one")
    assert file.read_bytes() == once


def test_a_place_with_a_quotation_mark_stays_python(ran, tmp_path):
    file = tmp_path / "one.ipynb"
    nbformat.write(ran, file)
    executed.clean(file, 'outputs/"cpu"/one')
    values = {}
    exec(nbformat.read(file, as_version=4).cells[2].source, values)
    assert values["output_dir"] == 'outputs/"cpu"/one' and values["k"] == 2


def test_half_an_emoji_in_an_output_is_written_and_read_again(ran, tmp_path):
    ran.cells[-1].outputs[1].text = "a\ud83d 春眠"
    executed.write(ran, tmp_path / "one.ipynb")
    assert "春眠" in (tmp_path / "one.ipynb").read_text(encoding="utf-8")
    assert nbformat.read(tmp_path / "one.ipynb", as_version=4).cells[-1].outputs[1].text == "a\ud83d 春眠"


def test_today_s_prose_is_taken_where_the_code_is_the_same(ran):
    source = source_of(ran)
    source.cells[0].source, source.cells[2].source = "# One, reworded", "Reworded."
    source.cells[-1].metadata["tags"] = []  # its code is not shown any more
    executed.with_prose_of(ran, source)
    assert ran.cells[-1].metadata["tags"] == []
    assert [cell.source for cell in ran.cells if cell.cell_type == "markdown"] == ["# One, reworded", "Reworded."]
    assert ran.cells[2].source.endswith(f'output_dir = "{MACHINE}/one"\n') and ran.cells[-1].outputs


@pytest.mark.parametrize("change", ["code", "another cell", "a cell less", "the parameters"])
def test_prose_about_other_code_is_not_taken(ran, change):
    source = source_of(ran)
    source.cells[0].source = "# Another"
    if change == "code":
        source.cells[-1].source = "generate(2)"
    elif change == "another cell":
        source.cells.append(nbformat.v4.new_code_cell("more()"))
    elif change == "a cell less":
        source.cells.pop()
    else:
        source.cells[1].source = "k: int = 3"
    before = copy.deepcopy(ran)
    executed.with_prose_of(ran, source)
    assert ran == before


def test_views_are_made_anew_and_all_else_is_left_alone(ran, tmp_path):
    results = made_records.results("04_tang_poetry")
    ran.cells[-1].outputs += [view("tokens_per_character"), view("examples")]
    before = copy.deepcopy(ran)
    executed.redraw(ran, views.Page(results, tmp_path))
    outputs = ran.cells[-1].outputs
    assert [output["data"]["text/html"] for output in outputs[2:4]] == [
        '<p class="">It is so.</p>',
        '<p class="">The model&#39;s tokenizer needs 2.20 tokens for a character of these poems, on average.</p>',
    ]
    assert "孟浩然" in outputs[4]["data"]["text/html"]
    for output in outputs:
        output.get("data", {}).pop("text/html", None)
    for output in before.cells[-1].outputs:
        output.get("data", {}).pop("text/html", None)
    assert ran == before


def test_another_language_can_be_asked_for(ran, tmp_path):
    ran.cells[-1].outputs = [view("tokens_per_character")]
    executed.redraw(ran, views.Page(made_records.results("04_tang_poetry"), tmp_path, "zh"))
    assert (
        ran.cells[-1].outputs[0]["data"]["text/html"]
        == '<p class="">模型的分词器平均用 2.20 个词元表示这些诗里的一个字。</p>'
    )


def test_a_paragraph_that_is_new_or_gone_is_taken_as_well(ran):
    source = source_of(ran)
    source.cells.insert(2, nbformat.v4.new_markdown_cell("A new paragraph."))
    source.cells.pop(0)
    executed.with_prose_of(ran, source)
    assert [cell.source.splitlines()[0] for cell in ran.cells] == [
        "k: int = 1",
        "# Parameters",
        "A new paragraph.",
        "Before.",
        "generate()",
    ]
    assert ran.cells[-1].outputs and ran.cells[-1].execution_count == 2


def test_an_executed_notebook_that_is_cut_off_is_told_so_in_a_line(tmp_path):
    file = tmp_path / "cpu" / "01_baseline" / "notebook.ipynb"
    file.parent.mkdir(parents=True)
    file.write_text('{"cells": [')
    with pytest.raises(UserError, match=r"01_baseline/notebook\.ipynb is cut off or damaged .* PROFILE=cpu` anew\.$"):
        executed.read(file)


def test_a_notebook_that_cannot_be_written_is_left_as_it_was(ran, tmp_path, monkeypatch):
    file = tmp_path / "one.ipynb"
    executed.write(ran, file)
    before = file.read_bytes()

    def no_space(place, *arguments, **options):
        raise OSError("no space")

    monkeypatch.setattr(Path, "write_text", no_space)
    with pytest.raises(OSError, match="no space"):
        executed.write(ran, file)
    assert file.read_bytes() == before
