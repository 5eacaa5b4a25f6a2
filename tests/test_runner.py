import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from lib import paths, runner

NOTEBOOKS = {
    "works": [
        "report = results.Results('works', globals())",
        "report.metrics['steps'] = steps\nreport.finish(f'{steps} steps.')",
    ],
    "fails": ["report = results.Results('fails', globals())", "raise RuntimeError('no such luck')"],
    "refuses": ["from lib.errors import UserError", "raise UserError('max_length is 3; it must be more.')"],
    "dies": ["import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"],
    "silent": ["pass"],
    "leaks": [
        "import os, sys\nsecret = os.environ['HF_TOKEN']\nprint(secret)\nprint(secret, file=sys.stderr)",
        "report = results.Results('leaks', globals())",
        "(report.folder / 'samples.csv').write_text(secret)\nreport.finish(f'It is {secret}.')",
        "if steps == 7:\n    raise RuntimeError(secret)",
    ],
}
PARAMETERS = """prompt: str = "My trip was"  # the prompt
prompts: list[str] = ["My trip was"]  # prompts
max_length: int = 20  # tokens [2..100]
sampler: str = "top_k"  # the sampler {greedy, top_k}
learning_rate: float = 1.0e-3  # rate [0..1]
steps: int = 3  # steps [1..10]
profile: str = "lab"  # set by the runner
output_dir: str = "outputs/lab/x"  # set by the runner"""


@pytest.fixture
def place(monkeypatch, tmp_path):
    """Notebooks, experiments and outputs of the test's own."""
    for name, cells in NOTEBOOKS.items():
        notebook = nbformat.v4.new_notebook()
        parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        setup = nbformat.v4.new_code_cell("from lib import results")
        notebook.cells = [nbformat.v4.new_markdown_cell(f"# It {name}"), setup, parameters]
        notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
        (tmp_path / "experiments" / "small").mkdir(parents=True, exist_ok=True)
        (tmp_path / "experiments" / "small" / f"{name}.yaml").write_text("steps: 5\n")
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(paths, "EXPERIMENTS", tmp_path / "experiments")
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    # The kernel is another process: it finds the test's notebooks through the same module, patched at its start.
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "paths.py").write_text(
        f"from pathlib import Path\nfrom lib import paths\npaths.NOTEBOOKS = Path({str(tmp_path / 'notebooks')!r})\n"
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return tmp_path


def main(*arguments):
    return runner.main([*arguments, "--profile", "small"] if "--profile" not in arguments else list(arguments))


def left_behind(place):
    folder = place / "outputs" / "small"
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock") if folder.exists() else []


def test_a_report_is_published_with_its_parameters_and_results(place, capfd):
    assert main("works") == 0
    folder = place / "outputs" / "small" / "works"
    assert sorted(path.name for path in folder.iterdir()) == [".done", "notebook.ipynb", "report.html", "results.json"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<title>It works</title>" in page
    assert '<p class="answer">5 steps.</p>' in page
    assert str(place) not in page
    for outside in ('src="http', 'href="http', "<script"):
        assert outside not in page
    index = (place / "outputs" / "small" / "index.html").read_text(encoding="utf-8")
    assert '<a href="works/report.html">It works</a>' in index
    assert left_behind(place) == ["index.html", "index.zh.html", "works"]
    assert "report.html is ready" in capfd.readouterr().out


def test_a_variant_goes_to_a_folder_of_its_own_and_the_index_says_what_differs(place):
    assert main("works") == 0
    assert main("works", "steps=7", "prompt=The night was", "max_length=20") == 0  # the last is as it is
    names = left_behind(place)
    assert names[:3] == ["index.html", "index.zh.html", "works"] and re.fullmatch("works@[0-9a-f]{8}", names[3])
    folder = place / "outputs" / "small"
    assert '<p class="answer">5 steps.</p>' in (folder / "works" / "report.html").read_text(encoding="utf-8")
    page = (folder / names[3] / "report.html").read_text(encoding="utf-8")
    assert "7 steps." in page and "A variant: steps is 7; prompt is The night was." in page
    content = json.loads((folder / names[3] / "results.json").read_text(encoding="utf-8"))
    assert content["changed"] == {"steps": 7, "prompt": "The night was"}
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert f'<a href="{names[3]}/report.html">' in index
    assert "A variant, with steps: 7; prompt: The night was" in index
    assert main("works", "prompt=The night was", "steps=7") == 0  # the same again
    assert left_behind(place) == names


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["step=5"], "the command line: there is no parameter 'step'"),
        (["steps=99"], "the command line: steps is '99'; it must be a whole number from 1 to 10"),
        (["steps"], "'steps' is not of the form name=value"),
        (["steps=4", "steps=6"], "steps is given twice"),
        (["steps=5"], "steps=5 is what the report itself has"),
        (["max_length=3", "prompts=[one two three four]"], "max_length is 3, but the prompt 'one two three four'"),
    ],
)
def test_a_wrong_change_is_a_line_and_status_2_before_anything_starts(place, capfd, monkeypatch, changes, told):
    monkeypatch.setattr(runner, "_execute", None)
    assert main("works", *changes) == 2
    error = capfd.readouterr().err
    assert error.startswith("error: ") and told in error and len(error.splitlines()) == 1
    assert not (place / "outputs").exists()


def test_a_token_is_refused_as_a_change(place, token, capfd, monkeypatch):
    monkeypatch.setattr(runner, "_execute", None)
    assert main("works", f"prompt=my {token}") == 2
    assert token not in capfd.readouterr().err


def test_help_lists_the_parameters_of_a_notebook(place, capfd):
    assert main("works", "--help") == 0
    told = capfd.readouterr().out
    assert "steps: int = 3\n      steps; a whole number from 1 to 10" in told
    assert "sampler: str = top_k\n      the sampler; one of greedy, top_k" in told
    assert "output_dir" not in told
    assert main("--help") == 0
    assert "name=value" in capfd.readouterr().out
    assert main() == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fails", "failed in cell [5], \"raise RuntimeError('no such luck')\": RuntimeError: no such luck."),
        ("dies", "kernel died"),
        ("silent", "left no results.json"),
    ],
)
def test_a_failed_run_keeps_the_old_report_and_the_notebook(place, capfd, name, told):
    old = place / "outputs" / "small" / name / "report.html"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    assert main(name) == 1
    error = capfd.readouterr().err
    assert told in error
    assert f"failed/{name}.ipynb" in error
    assert "Traceback" not in error
    assert old.read_text() == "old"
    kept = [path.name for path in sorted((place / "outputs" / "small" / "failed").iterdir())]
    assert kept == [f"{name}.ipynb", f"{name}.log"]
    assert left_behind(place) == sorted(["failed", name])


@pytest.mark.parametrize(
    ("counts", "told"), [([1, None], "a cell did not run: 'b'"), ([1, 3], "did not run in order"), ([2, 1], "in order")]
)
def test_a_notebook_whose_cells_did_not_all_run_in_order_is_refused(tmp_path, counts, told):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(source, execution_count=count) for source, count in zip("ab", counts, strict=True)
    ]
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    (tmp_path / "results.json").touch()
    with pytest.raises(runner.NotebookFailed, match=told):
        runner._check_ran(tmp_path / "notebook.ipynb", tmp_path)


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_fakeTokenNobodyMaySee")
    return "hf_fakeTokenNobodyMaySee"


def seen_in(place):
    return [file.name for file in (place / "outputs").rglob("*") if file.is_file() and b"hf_fake" in file.read_bytes()]


def test_a_token_that_a_notebook_prints_is_in_no_report_and_no_result(place, token, capfd):
    assert main("leaks") == 0
    assert seen_in(place) == []
    assert "It is [removed]." in (place / "outputs" / "small" / "leaks" / "report.html").read_text(encoding="utf-8")
    told = capfd.readouterr()
    assert "was taken out of" in told.out
    assert token not in told.out + told.err


def test_a_token_is_in_no_log_and_no_message_of_a_failed_run(place, token, capfd):
    (place / "experiments" / "small" / "leaks.yaml").write_text("steps: 7")
    assert main("leaks") == 1
    assert seen_in(place) == []
    assert (place / "outputs" / "small" / "failed" / "leaks.log").exists()
    told = capfd.readouterr()
    assert "RuntimeError: [removed]" in told.err
    assert token not in told.out + told.err


def test_a_token_is_refused_as_a_parameter(place, token, capfd, monkeypatch):
    monkeypatch.setattr(runner, "_execute", None)
    (place / "experiments" / "small" / "works.yaml").write_text(f"prompts: [one, 'my {token}']")
    assert main("works") == 2
    error = capfd.readouterr().err
    assert "prompts holds a password or token" in error
    assert token not in error


def test_a_good_run_replaces_the_old_report_and_clears_the_failed_one(place):
    old = place / "outputs" / "small" / "works" / "left-over.csv"
    kept = place / "outputs" / "small" / "failed" / "works.ipynb"
    for file in (old, kept):
        file.parent.mkdir(parents=True)
        file.touch()
    assert main("works") == 0
    assert not old.exists()
    assert not kept.exists()


def test_bad_input_that_only_the_notebook_can_see_is_a_line_and_status_2(place, capfd):
    assert main("refuses") == 2
    assert capfd.readouterr().err.splitlines()[-1] == "error: max_length is 3; it must be more."
    assert left_behind(place) == []


@pytest.mark.parametrize(
    ("yaml", "told"),
    [
        ("step: 5", "there is no parameter 'step'; there are prompt, prompts, max_length"),
        ("steps: -1", "steps is -1; it must be a whole number from 1 to 10"),
        ("learning_rate: fast", "learning_rate is 'fast'"),
        ("sampler: topk", "one of greedy, top_k. Did you mean 'top_k'?"),
        ("prompt: ''", "prompt is ''"),
        ("prompts: []", "prompts is []"),
        ("steps: [", "not valid YAML"),
        (
            "max_length: 4\nprompts: [one two three four five]",
            "max_length is 4, but the prompt 'one two three four five'",
        ),
    ],
)
def test_a_wrong_yaml_is_a_line_and_status_2_before_anything_starts(place, capfd, monkeypatch, yaml, told):
    (place / "experiments" / "small" / "works.yaml").write_text(yaml)
    monkeypatch.setattr(runner, "_execute", None)  # nothing may be started
    assert main("works") == 2
    error = capfd.readouterr().err
    assert error.startswith("error: ")
    assert told in error
    assert len(error.splitlines()) == 1
    assert not (place / "outputs").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["wrks"], "There is no notebook 'wrks'; there are dies, fails"),
        (["works", "--profile", "smal"], "There is no profile 'smal'; there are small."),
    ],
)
def test_an_unknown_notebook_or_profile_is_told(place, capfd, arguments, told):
    assert main(*arguments) == 2
    assert told in capfd.readouterr().err
    assert not (place / "outputs").exists()


def test_a_missing_yaml_is_told(place, capfd):
    (place / "experiments" / "small" / "works.yaml").unlink()
    assert main("works") == 2
    assert "There is no works.yaml" in capfd.readouterr().err


def test_an_outputs_folder_that_cannot_be_written_is_told(place, capfd, monkeypatch):
    (place / "outputs").write_text("a file where a folder should be")
    assert main("works") == 2
    error = capfd.readouterr().err
    assert "cannot be written" in error
    assert "REPORT_OUTPUTS" in error


def test_the_first_error_of_the_command_line_is_short(place):
    done = subprocess.run(
        [sys.executable, "-m", "lib.runner", "04_tang_poem"],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 2
    assert "Did you mean '04_tang_poetry'" in done.stderr
    assert "Traceback" not in done.stderr
