import contextlib
import json
import os
import socket
import sys
import time

import browser
import nbformat
import psutil
import pytest

from lib import panel
from lib.core import paths
from lib.models import samplers

WATCH = """area => {
    window.shown = [];
    const watcher = new MutationObserver(() => window.shown.push(area.innerText));
    watcher.observe(area, {childList: true, subtree: true, characterData: true});
}"""


@pytest.fixture
def shown(monkeypatch):
    """What the panel displays, as HTML."""
    texts = []
    monkeypatch.setattr(panel, "display", lambda html: texts.append(html.data))
    return texts


@pytest.fixture
def tried(tiny_lm):
    return panel.Panel(tiny_lm, 24, "My trip was", 7)


def test_all_samplers_can_be_chosen_and_each_has_its_own_fields(tried):
    fields = {}
    for name in tried.sampler.options:
        tried.sampler.value = name
        fields[name] = [field.description for field in tried.field_row.children]
    assert list(fields) == list(samplers.SAMPLERS)
    expected = {
        "greedy": [],
        "random": ["temperature"],
        "top_k": ["k", "temperature"],
        "top_p": ["p", "k", "temperature"],
        "beam": ["num_beams", "temperature"],
        "contrastive": ["k", "alpha", "temperature"],
        "no_repeat_ngram": ["n"],
        "repetition_penalty": ["penalty"],
    }
    assert {name: fields[name] for name in expected} == expected


def test_the_limits_are_kept_and_are_those_of_the_samplers(tried):
    tried.sampler.value = "contrastive"
    tried.fields["alpha"].value = 3
    tried.fields["k"].value = 0
    assert tried.fields["alpha"].value == 1 and tried.fields["k"].value == 1
    tried.fields["k"].value = 10**9
    assert tried.fields["k"].value == tried.causal_lm.preprocessor.tokenizer.vocabulary_size()
    tried.seed.value = -1
    assert tried.seed.value == 0
    for name, option in samplers.OPTIONS.items():
        for value in (option.lowest, option.highest or option.lowest, option.example):
            samplers.check_option(name, value)


@pytest.mark.parametrize("name", ["greedy", "random", "top_p", "beam", "contrastive", "repetition_penalty"])
def test_a_click_generates_with_the_values_that_a_sampler_begins_with(tried, shown, name):
    tried.sampler.value = name
    tried.button.click()
    assert len(shown) == 1
    assert "<b>My trip was</b>" in shown[0] and "new tokens" in shown[0] and "rep-4" in shown[0]
    assert not tried.button.disabled


def test_a_seed_gives_its_text_again(tried, shown):
    for seed in (7, 8, 7):
        tried.seed.value = seed
        tried.button.click()
    assert shown[0] == shown[2] != shown[1]
    assert "top_k (k=5)" in shown[0] and "seed 7" in shown[0] and "seed 8" in shown[1]


@pytest.mark.parametrize(
    ("prompt", "told"), [("  ", "The prompt is empty"), ("My trip was " * 9, "max_length is 24, but the prompt")]
)
def test_what_is_wrong_is_a_line(tried, shown, capsys, prompt, told):
    tried.prompt.value = prompt
    tried.button.click()
    out = capsys.readouterr().out.replace("\x1b[2K\r", "")  # how an output is cleared where there is no kernel
    assert told in out and len(out.splitlines()) == 1
    assert shown == [] and not tried.button.disabled


def test_in_a_report_run_there_is_no_panel(monkeypatch, tiny_lm, tmp_path, capsys):
    displayed = []
    monkeypatch.setattr(panel, "display", displayed.append)
    panel.show(tiny_lm, 24)
    assert [type(box).__name__ for box in displayed] == ["VBox"]
    monkeypatch.setenv("REPORT_PROGRESS", str(tmp_path / "progress.jsonl"))
    panel.show(tiny_lm, 24)
    assert len(displayed) == 1
    assert capsys.readouterr().out == ""


@pytest.fixture
def area(tried, monkeypatch):
    """The panel's output area. There is no kernel, without which ipywidgets' own takes nothing in."""
    stand_in = Area()
    monkeypatch.setattr(tried, "output", stand_in)
    monkeypatch.setattr(panel, "display", lambda html: stand_in.take(html.data))
    return stand_in


class Area:
    """Does as an `Output` in a kernel does: takes in what is shown inside it, and is cleared at once or by the next.

    Attributes:
        states: What it has shown so far, one text after each change.
    """

    def __init__(self):
        self.states, self.texts, self.clear_first, self.inside = [], [], False, contextlib.ExitStack()

    def __enter__(self):
        self.inside.enter_context(contextlib.redirect_stdout(self))

    def __exit__(self, *_):
        self.inside.close()

    def clear_output(self, wait=False):
        self.clear_first = wait
        if not wait:
            self.texts.clear()
            self.states.append("")

    def take(self, text):
        assert sys.stdout is self, "shown outside the panel"
        if self.clear_first:
            self.texts.clear()
        self.clear_first = False
        self.texts.append(text)
        self.states.append("".join(self.texts))

    write = take

    def flush(self):
        pass


def test_the_text_takes_the_place_of_the_notes_and_a_refusal_that_of_the_text(tried, area, capsys):
    assert tried.output is area
    tried.button.click()
    *notes, text = area.states
    assert notes[0] == "" and "generating 1 texts" in notes[-1] and not any("<b>" in note for note in notes)
    assert "<b>My trip was</b>" in text and "generating 1 texts" not in text
    tried.prompt.value = " "
    tried.button.click()
    assert area.states[len(notes) + 1] == ""
    assert "The prompt is empty" in area.states[-1] and "My trip was" not in area.states[-1]
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not browser.executable(), reason=browser.MISSING)
def test_in_jupyterlab_a_click_shows_a_text_and_a_refusal_replaces_it(tiny_preset, tmp_path):
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    notebook.cells = [
        nbformat.v4.new_code_cell(
            "from lib import panel\n"
            "from lib.models import pretrained\n"
            f"panel.show(pretrained.load_causal_lm({str(tiny_preset)!r}, 32), 24, 'My trip was', 7)"
        )
    ]
    with lab(tmp_path, notebook) as address, browser.opened() as chromium:
        page = chromium.new_page(viewport={"width": browser.WIDE[0], "height": browser.WIDE[1]})
        page.goto(address)
        page.get_by_text("| Idle").wait_for(timeout=60_000)  # JupyterLab drops what is run before its kernel is there
        page.locator(".jp-CodeCell .cm-content").click()
        page.keyboard.press("Shift+Enter")
        button, area = page.get_by_role("button", name="Generate"), page.locator(".widget-output")
        button.wait_for(timeout=120_000)  # TensorFlow has to start
        area.evaluate(WATCH)
        button.click()
        area.locator("b", has_text="My trip was").wait_for(timeout=60_000)
        assert "generating 1 texts" not in area.inner_text()
        assert "generating 1 texts" in "".join(page.evaluate("shown"))
        page.get_by_label("Prompt").fill(" ")
        button.click()
        area.get_by_text("The prompt is empty").wait_for()
        assert "My trip was" not in area.inner_text()
        assert page.locator(".jp-Cell-outputArea").first.inner_text().count("The prompt is empty") == 1


@contextlib.contextmanager
def lab(folder, notebook):
    """A JupyterLab without the user's settings, which has ended with all its kernels when the block has.

    Yields:
        The address of the notebook in it.
    """
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **own, "IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(paths.ROOT)}
    environment.pop("REPORT_PROGRESS", None)
    root = folder / "root"
    root.mkdir()
    nbformat.write(notebook, root / "panel.ipynb")
    options = [
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    command = [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={root}"]
    with open(folder / "log", "w") as log:
        server = psutil.Popen(command, env=environment, cwd=root, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 60
        while not (told := listening(folder / "runtime")):
            assert server.poll() is None and time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"{told['url']}lab/tree/panel.ipynb?token={told['token']}"
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):  # where it has ended by itself
            started = [server, *server.children(recursive=True)]
            server.terminate()
            _, left = psutil.wait_procs(started, timeout=15)
            for process in left:
                process.kill()
            psutil.wait_procs(left, timeout=15)


def listening(folder):
    """What a Jupyter server has written of itself in a folder, as soon as it takes connections."""
    for file in folder.glob("jpserver-*.json"):
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(file.read_text())
            socket.create_connection(("127.0.0.1", told["port"]), timeout=5).close()
            return told
    return None
