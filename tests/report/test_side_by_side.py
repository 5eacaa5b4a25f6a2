import json

import pandas as pd
import pytest

from lib.core import paths
from lib.report import side_by_side

FACTS = {"processor": "Test CPU", "date": "2026-01-01", "code": "commit 0123"}


def put(outputs, name, metrics, samples=(), **parameters):
    folder = outputs / "small" / name
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "one.png").write_bytes(b"picture of " + name.encode())
    content = {
        "notebook": "03_greedy_vs_top_k",
        "answer": f"{name} < all",
        "stand_ins": [],
        "parameters": parameters,
        "metrics": metrics,
        "figures": [{"file": "figures/one.png", "alt": f"What {name} shows", "caption": "One."}],
        "provenance": FACTS,
    }
    (folder / "results.json").write_text(json.dumps(content))
    if samples:
        pd.DataFrame(samples, columns=["label", "prompt", "sample", "text"]).to_csv(folder / "samples.csv", index=False)


@pytest.fixture
def outputs(monkeypatch, tmp_path):
    """Two reports, the second a variant of the first."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    cells = [{"label": "greedy", "rep_4": 20.0, "texts": 4}, {"label": "top-k", "rep_4": 1.0, "texts": 4}]
    changed = [{"label": "greedy", "rep_4": 20.0, "texts": 4}, {"label": "top-k", "rep_4": 3.5, "texts": 4}]
    texts = [("greedy", "I", 1, "I went <b>"), ("top-k", "I", 1, "I saw")]
    put(tmp_path, "03", {"cells": cells, "raw": [1.0, 2.0]}, texts, k=5, prompts=["I", "春眠"], seed=1)
    others = [("greedy", "I", 1, "I went <b>"), ("top-k", "I", 1, "I ran"), ("top-k", "I", 2, "I sat")]
    put(tmp_path, "03@1234", {"cells": changed}, others, k=40, prompts=["I"], seed=1)
    return tmp_path


def test_parameters_figures_pictures_and_samples_stand_side_by_side(outputs, capsys):
    assert side_by_side.main(["03", "outputs/small/03@1234", "--profile", "small"]) == 0
    assert "small/compare/03--03@1234.html" in capsys.readouterr().out
    page = (outputs / "small" / "compare" / "03--03@1234.html").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith('<tr><th scope="row"')]
    assert rows[:3] == [
        '<tr><th scope="row" lang="en">k</th><td lang="en">5</td><td lang="en">40</td></tr>',
        '<tr><th scope="row" lang="en">prompts</th><td lang="zh">I, 春眠</td><td lang="en">I</td></tr>',
        '<tr><th scope="row" lang="en">cells, top-k, rep_4</th><td lang="en">1.00</td><td lang="en">3.50</td></tr>',
    ]
    assert page.count("data:image/png;base64,") == 2 and 'alt="What 03@1234 shows"' in page
    assert page.count("I went &lt;b&gt;") == 2 and "03 &lt; all" in page
    assert ">I saw</td>" in page and ">I ran</td>" in page
    assert 'data-label="03">–</td>' in page and ">I sat</td>" in page
    assert "<script" not in page and 'src="http' not in page
    assert 'href="../03@1234/report.html"' in page


def test_samples_of_other_labels_stand_side_by_side_in_order():
    a = pd.DataFrame([("before", "I", 1, "one")], columns=["label", "prompt", "sample", "text"])
    b = pd.DataFrame([("later", "I", 1, "two")], columns=["label", "prompt", "sample", "text"])
    assert side_by_side.samples(a, b) == [("before / I / 1 — later / I / 1", "one", "two")]
    assert side_by_side.samples(pd.DataFrame(), b) == []


def test_a_report_that_is_not_there_is_told(outputs, capsys):
    assert side_by_side.main(["03", "04", "--profile", "small"]) == 2
    assert capsys.readouterr().err == f"error: There is no report '04' in {outputs}/small; there are 03, 03@1234.\n"


def test_reports_of_a_real_run_can_be_set_side_by_side(monkeypatch, tmp_path):
    found = [side_by_side.read("cpu", name) for name in ("02_reddit_finetune", "03_greedy_vs_top_k")]
    page = side_by_side.page(*found)
    assert "02_reddit_finetune beside 03_greedy_vs_top_k" in page
    assert str(paths.ROOT) not in page
