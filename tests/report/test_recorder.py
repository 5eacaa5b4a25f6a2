import json

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from lib.core.errors import UserError
from lib.evaluation import metrics
from lib.report import recorder


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, as HTML."""
    pages = []
    monkeypatch.setattr(recorder, "display", lambda page: pages.append(page.data))
    return pages


@pytest.fixture
def report(shown, tmp_path):
    return recorder.Results("00_summary", {"profile": "test", "output_dir": str(tmp_path / "out")})


def test_tables_are_escaped_and_chinese_is_marked_as_such(shown):
    table = pd.DataFrame(
        [{"text": "<script>alert(1)</script>", "poem": "春眠", "seconds": 1234.5678, "ok": True, "no": None}]
    )
    recorder.show_table(table, caption="a < b")
    (page,) = shown
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "a &lt; b" in page
    assert '<td lang="zh">春眠</td>' in page
    assert '<td class="number">1,235</td>' in page


def test_samples_stand_side_by_side_with_prompt_sampler_and_seed(shown):
    rows = [
        {
            "prompt": "I <",
            "sample": 1,
            "sampler": "greedy",
            "seed": 7,
            "new_tokens": 5,
            "text": f"I < {when}",
            "label": when,
        }
        for when in ("before", "after")
    ]
    recorder.show_side_by_side(pd.DataFrame(rows), by="label")
    (page,) = shown
    assert page.index(">before</th>") < page.index(">after</th>")
    assert "<b>I &lt;</b> before" in page
    assert "greedy, seed 7, 5 new tokens" in page
    assert "sample 1" not in page
    deterministic = pd.DataFrame(rows).astype({"seed": object}).assign(seed=None)
    recorder.show_side_by_side(deterministic, by="label")
    assert "greedy, 5 new tokens" in shown[1]


def test_samples_can_stand_in_rows_by_sampler_with_gaps(shown):
    rows = [
        {"prompt": prompt, "sample": 1, "sampler": label, "label": label, "seed": None, "new_tokens": 5, "text": prompt}
        for label, prompt in (("greedy", "I"), ("greedy", "We"), ("people", "We"))
    ]
    recorder.show_side_by_side(pd.DataFrame(rows), by="prompt", rows="label")
    (page,) = shown
    assert page.index(">I</th>") < page.index(">We</th>")
    assert page.index(">greedy") < page.index(">people")
    assert page.count("<td></td>") == 1 and "text by</th>" in page


def test_the_rounds_of_a_loop_are_marked_after_the_first():
    text = "I went home and slept and slept and slept and slept"
    row = pd.Series({"prompt": "I", "text": text, **metrics.repetition(text)})
    assert recorder.marked_text(row) == "<b>I</b> went home and slept<mark> and slept and slept and slept</mark>"
    row = pd.Series({"prompt": "I", "text": "I went home", **metrics.repetition("I went home")})
    assert recorder.marked_text(row) == "<b>I</b> went home"


def test_poems_are_set_a_line_a_clause(shown):
    recorder.show_poems(pd.DataFrame([{"text": "春眠不覺曉，處處聞啼鳥。", "note": "孟<浩然"}]))
    assert '<p lang="zh">春眠不覺曉，<br>處處聞啼鳥。</p>' in shown[0]
    assert "孟&lt;浩然" in shown[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (1234.5, "1,234"), (12.345, "12.3"), (0.012345, "0.0123"), (float("inf"), "inf")],
)
def test_number_has_three_significant_digits(value, expected):
    assert recorder.number(value) == expected


def test_figures_are_written_and_shown_with_their_alternative_text(report, shown, tmp_path):
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    report.figure("lines", figure, alt='a "line"', caption="A line.")
    assert (tmp_path / "out" / "figures" / "lines.svg").read_text().startswith("<?xml")
    assert 'alt="a &quot;line&quot;"' in shown[-1]
    assert not plt.fignum_exists(figure.number)


def test_finish_writes_what_was_found_and_no_path(report, tmp_path):
    report.metrics["loss"] = pd.Series([1.5]).mean()
    report.stand_ins.append("a in place of b")
    report.finish("It is so.")
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert content["answer"] == "It is so." and "answer_zh" not in content
    assert content["metrics"] == {"loss": 1.5}
    assert content["stand_ins"] == ["a in place of b"]
    assert content["provenance"]["keras-hub"] == "0.32.0"
    assert content["provenance"]["code"].startswith(("commit", "unknown"))
    assert str(tmp_path) not in json.dumps(content)


def test_finish_keeps_the_answer_in_every_language_and_shows_the_english_one(report, shown, tmp_path):
    report.finish({"en": "It is so.", "zh": "是这样。"})
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (content["answer"], content["answer_zh"]) == ("It is so.", "是这样。")
    assert "It is so." in shown[-2] and "是这样" not in "".join(shown)


def test_a_figure_that_is_not_a_number_is_not_written(report):
    report.metrics["loss"] = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        report.finish("It is so.")


def test_a_wrong_value_in_the_parameters_cell_is_refused(shown, tmp_path):
    with pytest.raises(UserError, match="the parameters cell: profile is ''"):
        recorder.Results("00_summary", {"profile": "", "output_dir": str(tmp_path)})


def test_chinese_percent():
    assert recorder.chinese_percent(pd.Series(["春眠", "ab"])) == 50
    assert recorder.chinese_percent(pd.Series([""])) == 0


def test_a_table_of_few_columns_and_long_texts_is_a_list_on_a_phone(shown):
    recorder.show_table(pd.DataFrame({"what_it_is": ["short"], "seconds": [1.5]}))
    assert "stacked" not in shown[-1] and "data-label" not in shown[-1]
    recorder.show_table(pd.DataFrame({"what_it_is": ["long " * 10], "seconds": [1.5]}))
    assert "<table class=stacked>" in shown[-1]
    assert 'data-label="what it is"' in shown[-1] and '<td class="number" data-label="seconds">1.50</td>' in shown[-1]
    recorder.show_table(pd.DataFrame({name: ["long " * 10] for name in "abcde"}))
    assert "stacked" not in shown[-1]
