import fcntl
import io
import json
import os
import re
import struct
import subprocess
import sys
import termios
import threading

import nbformat
import pytest

from lib.core import environment, paths, progress


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


def test_a_bar_of_cells_with_the_time_left_since_the_last_run_or_so_far(monkeypatch, tmp_path):
    file, stop = tmp_path / "progress.jsonl", threading.Event()
    monkeypatch.setenv("REPORT_PROGRESS", str(file))
    progress.cell(2, 8)
    progress.step(1, 3, "fine-tuning")
    stop.set()
    shown = {}
    for minutes in (5, None):
        terminal = Terminal(interactive=True)
        progress._watch("02", file, terminal, stop, cells=8, minutes=minutes)
        shown[minutes] = terminal.getvalue()
        assert "02:  25%" in shown[minutes] and "2 of 8 cells [" in shown[minutes]
        assert "02: fine-tuning:  33%" in shown[minutes] and "1/3 [" in shown[minutes]
    assert re.search(r"2 of 8 cells \[00:0\d, 04:5\d left\]", shown[5])
    assert re.search(r"2 of 8 cells \[00:0\d, 00:0\d left\]", shown[None])


@pytest.mark.parametrize(
    ("minutes", "told"), [(5, ", about 5 min left"), (0.4, ", less than a minute left"), (None, ""), (0, "")]
)
def test_plain_lines_say_how_long_it_takes_where_that_is_known(monkeypatch, tmp_path, minutes, told):
    file, stop = tmp_path / "progress.jsonl", threading.Event()
    monkeypatch.setenv("REPORT_PROGRESS", str(file))
    progress.cell(2, 8)
    progress.note("loading")
    stop.set()
    terminal = Terminal(interactive=False)
    progress._watch("02", file, terminal, stop, cells=8, minutes=minutes)
    assert terminal.getvalue().splitlines() == [f"[ 0:00] 02: 8 cells{told}", f"[ 0:00] 02: loading{told}"]


CELLS = [
    "from lib.core import progress; from lib.report import recorder",
    "report = recorder.Recorder('small', globals())",
    "progress.note('loading')",
    "import time\nfor done in range(1, 4):\n    progress.step(done, 3, 'fine-tuning')\n    time.sleep(0.4)",
    "report.finish('Done.')",
]
PARAMETERS = 'profile: str = "lab"  # set by the runner\noutput_dir: str = "outputs/lab/small"  # set by the runner'
RUN = """
import sys
from pathlib import Path
from lib import kernels, runner
from lib.core import paths
import own_notebooks
kernels.ARGUMENTS = own_notebooks.arguments(Path("notebooks").resolve())
paths.NOTEBOOKS, paths.EXPERIMENTS = Path("notebooks").resolve(), Path("experiments").resolve()
sys.exit(runner.main(["small", "--profile", "own"]))
"""


@pytest.fixture
def run_small(tmp_path):
    """Runs a notebook with the real runner, in a folder of its own; takes the stderr that it writes to."""
    notebook = nbformat.v4.new_notebook()
    parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook.cells = [nbformat.v4.new_markdown_cell("# Small"), parameters, *map(nbformat.v4.new_code_cell, CELLS)]
    for folder in ("notebooks", "experiments/own", "outputs/own/small"):
        (tmp_path / folder).mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "notebooks" / "small.ipynb")
    (tmp_path / "experiments" / "own" / "small.yaml").write_text("{}")
    (tmp_path / "outputs" / "own" / "small" / "results.json").write_text('{"minutes": 7}')

    def run(stderr):
        variables = environment.cleaned(dict(os.environ))[0] | {
            "REPORT_OUTPUTS": str(tmp_path / "outputs"),
            "PYTHONPATH": f"{paths.ROOT}:{paths.ROOT}/tests",
        }
        command = [sys.executable, "-c", RUN]
        subprocess.run(command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, stderr=stderr, check=True)
        folder = tmp_path / "outputs" / "own" / "small"
        executed = nbformat.read(folder / "notebook.ipynb", as_version=4)
        outputs = json.dumps([cell.outputs for cell in executed.cells if cell.cell_type == "code"])
        return outputs + (folder / "report.html").read_text(encoding="utf-8")

    return run


def test_a_notebook_s_run_draws_two_bars_on_a_terminal_and_leaves_no_trace(run_small):
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    drawn = []

    def read():
        try:
            while chunk := os.read(ours, 65536):
                drawn.append(chunk)
        except OSError:  # the other end is closed
            pass

    reader = threading.Thread(target=read, daemon=True)  # or a run that fails would leave it waiting
    reader.start()
    report = run_small(theirs)
    os.close(theirs)
    reader.join()
    os.close(ours)
    text = b"".join(drawn).decode()
    assert re.search(r"small:  +0%\|.+\| 0 of 7 cells \[00:0\d, 0[67]:\d\d left\]", text)
    assert re.search(r"small: 100%\|█+\| 7 of 7 cells", text)
    assert re.search(r"small: fine-tuning:  \d\d%\|.+\| [12]/3 \[00:0\d<", text)
    assert re.search(r"\[ 0:\d\d\] small: loading, about 7 min left\r?\n", text)
    assert not re.search(r"of 7 cells|it/s|step/s|min left|\[ 0:0", report)


def test_a_notebook_s_run_writes_plain_lines_elsewhere(run_small, tmp_path):
    with open(tmp_path / "stderr", "wb") as stderr:
        report = run_small(stderr)
    lines = (tmp_path / "stderr").read_bytes().decode()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]|%", lines)
    assert [line[8:] for line in lines.splitlines()] == [
        "small: 7 cells, about 7 min left",
        "small: loading, about 7 min left",
        "small: fine-tuning, step 3 of 3, about 7 min left",
    ]
    assert not re.search(r"of 7 cells|min left|\[ 0:0", report)
