import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from lib import generation, panel, paths, results, samplers


@pytest.fixture
def shown(monkeypatch):
    """What the panel displays, as HTML."""
    texts = []
    monkeypatch.setattr(results, "display", lambda html: texts.append(html.data))
    return texts


@pytest.fixture
def tried(tiny_lm):
    return panel.Panel(tiny_lm, 24, "My trip was", 7)


def test_all_samplers_can_be_chosen_and_each_has_its_own_fields(tried):
    fields = {}
    for name in tried.sampler.options:
        tried.sampler.value = name
        fields[name] = [field.description for field in tried.field_row.children]
    assert list(fields) == list(generation.sampler_classes())
    assert fields == {
        "greedy": [],
        "random": ["temperature"],
        "top_k": ["k", "temperature"],
        "top_p": ["p", "k", "temperature"],
        "beam": ["num_beams", "temperature"],
        "contrastive": ["k", "alpha", "temperature"],
        "no_repeat_ngram": ["n"],
        "repetition_penalty": ["penalty"],
    }


def test_the_limits_are_kept_and_are_those_of_the_samplers(tried):
    tried.sampler.value = "contrastive"
    tried.fields["alpha"].value = 3
    tried.fields["k"].value = 0
    assert tried.fields["alpha"].value == 1 and tried.fields["k"].value == 1
    tried.fields["k"].value = 10**9
    assert tried.fields["k"].value == tried.causal_lm.preprocessor.tokenizer.vocabulary_size()
    tried.seed.value = -1
    assert tried.seed.value == 0
    assert set(panel.LIMITS) == set(samplers.RANGES)
    for name, (low, high, _) in panel.LIMITS.items():
        for value in (low, high or low):
            samplers.check(name, value)


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


def test_no_keras_is_imported_before_its_backend_is_chosen():
    code = "import sys; from lib import panel; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, check=True)


def test_in_a_kernel_the_text_stands_in_the_panel(monkeypatch, tiny_preset):
    monkeypatch.delenv("REPORT_PROGRESS", raising=False)
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(
            "from lib import models, panel\n"
            f"tried = panel.Panel(models.load_causal_lm({str(tiny_preset)!r}, 32), 24, 'My trip was', 7)\n"
            "tried.box"
        ),
        nbformat.v4.new_code_cell("tried.button.click()"),
        nbformat.v4.new_code_cell("tried.prompt.value = ' '\ntried.button.click()"),
    ]
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(paths.ROOT)}})
    texts = []
    client.on_cell_executed = lambda **_: texts.append(str([*outputs(client)]))
    client.execute()
    assert "application/vnd.jupyter.widget-view+json" in notebook.cells[0].outputs[-1].data
    _, generated, refused = texts
    assert "<b>My trip was</b>" in generated and "generating 1 texts" not in generated
    assert "The prompt is empty" in refused and "My trip was" not in refused


def outputs(client):
    """What the output areas of widgets hold."""
    for state in client.widget_state.values():
        yield from state.get("outputs", [])
