import json

import nbformat
import pytest

from lib.core import paths
from lib.report import site

CONTENT = {
    "notebook": "one",
    "profile": "small",
    "answer": "a < b",
    "minutes": 1.25,
    "sources": ["Model: <tiny>, 10 parameters"],
    "stand_ins": ["a in place of b", "a in place of b"],  # of the model, and of the texts
    "figures": [],
    "metrics": {},
    "provenance": {
        "processor": "Test CPU",
        "device": "CPU",
        "Keras backend": "jax, float32",
        "date": "2026-01-01 00:00 UTC",
        "code": "commit 0123",
    },
}


@pytest.fixture
def page(monkeypatch, tmp_path):
    """A report of a notebook with an output of each kind."""
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    notebook = nbformat.v4.new_notebook()
    outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="could not find a driver"),
        nbformat.v4.new_output("stream", name="stdout", text="2.07 tokens <per> character"),
        nbformat.v4.new_output("display_data", {"text/html": "<p>shown</p>"}),
    ]
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# One < two\n\n**Question.** What?"),
        nbformat.v4.new_code_cell("secret = 1", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("output_dir = '/home/someone'", metadata={"tags": ["injected-parameters"]}),
        nbformat.v4.new_code_cell("folded()"),
        nbformat.v4.new_code_cell("causal_lm.generate()", metadata={"tags": ["show"]}, outputs=outputs),
    ]
    nbformat.write(notebook, tmp_path / "one.ipynb")
    (tmp_path / "results.json").write_text(json.dumps(CONTENT))
    site.render_report(tmp_path / "one.ipynb", tmp_path)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_answer_the_stand_ins_and_the_machine_come_right_after_the_title(page):
    banner = page[page.index("<section") : page.index("</section>")]
    assert page.index("<h1") < page.index("<section") < page.index("<details")
    for told in (
        "a &lt; b",
        "a in place of b",
        "&lt;tiny&gt;, 10 parameters",
        "Test CPU",
        "1.2 minutes",
        "commit 0123",
    ):
        assert banner.count(told) == 1
    assert "<title>One &lt; two</title>" in page


def test_code_is_folded_but_where_it_is_worth_seeing(page):
    assert page.count('<details class="code"') == 2
    assert page.count('<details class="code" open="">') == 1
    assert "secret" not in page
    assert "/home/someone" not in page


def test_outputs_are_shown_without_the_libraries_noise(page):
    assert "<p>shown</p>" in page
    assert "2.07 tokens &lt;per&gt; character" in page
    assert "could not find a driver" not in page


def test_the_banner_of_a_notebook_without_keras_does_not_speak_of_it(page, tmp_path):
    facts = {name: CONTENT["provenance"][name] for name in ("processor", "date", "code")}
    (tmp_path / "results.json").write_text(json.dumps(CONTENT | {"provenance": facts}))
    site.render_report(tmp_path / "one.ipynb", tmp_path)
    assert "Keras on jax, float32" in page
    assert "Test CPU; profile" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_page_that_used_no_stand_in_does_not_speak_of_one(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    for stand_ins, expected in ((["a in place of b"], True), ([], False)):
        folder = tmp_path / "small" / "00_summary"
        folder.mkdir(parents=True, exist_ok=True)
        content = CONTENT | {"notebook": "00_summary", "stand_ins": stand_ins}
        (folder / "results.json").write_text(json.dumps(content))
        index = site.render_index("small").read_text(encoding="utf-8")
        assert ("Stand-ins" in index) is expected
        assert "a &lt; b" in index
