import io
import json
import sys
import threading

from lib import progress


def test_a_kernel_tells_the_runner_and_leaves_nothing_in_the_report(monkeypatch, tmp_path, capsys):
    file = tmp_path / "progress.jsonl"
    monkeypatch.setenv("REPORT_PROGRESS", str(file))
    progress.note("loading 春")
    progress.step(1, 3, "fine-tuning")
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        {"note": "loading 春"},
        {"done": 1, "total": 3, "text": "fine-tuning", "unit": "step"},
    ]
    assert capsys.readouterr().out == ""
    assert progress.keras_verbosity() == 0


def test_without_a_runner_notes_are_printed_and_keras_shows_its_bars(monkeypatch, capsys):
    monkeypatch.delenv("REPORT_PROGRESS", raising=False)
    progress.note("loading")
    progress.step(1, 3, "fine-tuning")
    assert capsys.readouterr().out == "loading\n"
    assert progress.keras_verbosity() == 1


class Terminal(io.StringIO):
    def __init__(self, interactive):
        super().__init__()
        self.interactive = interactive

    def isatty(self):
        return self.interactive


def watched(monkeypatch, tmp_path, interactive, last=3):
    file = tmp_path / "progress.jsonl"
    monkeypatch.setenv("REPORT_PROGRESS", str(file))
    progress.note("loading 春")
    for done in range(1, last + 1):
        progress.step(done, 3, "fine-tuning")
    terminal, stop = Terminal(interactive), threading.Event()
    stop.set()
    progress._watch("02", file, terminal, stop)
    return terminal.getvalue()


def test_plain_lines_where_there_is_no_terminal(monkeypatch, tmp_path):
    lines = watched(monkeypatch, tmp_path, interactive=False).splitlines()
    assert lines[0].endswith("02: loading 春")
    assert lines[-1].endswith("02: fine-tuning, step 3 of 3")
    assert not any("\r" in line for line in lines)


def test_other_units_are_named(monkeypatch, tmp_path, capsys):
    with progress.shown("data", tmp_path / "progress.jsonl", sys.stderr):
        progress.step(670, 670, "fetching", unit="MB")
    assert capsys.readouterr().err.strip().endswith("data: fetching, 670 of 670 MB")


def test_a_bar_on_a_terminal(monkeypatch, tmp_path):
    shown = watched(monkeypatch, tmp_path, interactive=True, last=2)
    assert "02: loading 春" in shown
    assert "02: fine-tuning" in shown
    assert "/3 [" in shown
    assert "\r" in shown
