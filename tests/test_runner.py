import contextlib
import errno
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import own_notebooks
import psutil
import pytest
from nbclient.exceptions import CellTimeoutError
from papermill.clientwrap import PapermillNotebookClient

from lib import kernels, runner
from lib.core import backends, locks, paths, published

NOTEBOOKS = {
    "works": [
        "report = recorder.Recorder('works', globals())",
        "report.measured.steps = steps\nreport.finish(f'{steps} steps.')",
    ],
    "fails": ["report = recorder.Recorder('fails', globals())", "raise RuntimeError('no such luck')"],
    "refuses": ["from lib.core.errors import UserError", "raise UserError('max_length is 3; it must be more.')"],
    "dies": ["import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"],
    "aborts": ["import os", "os.write(2, b'Unknown flag in XLA_FLAGS: --no\\n')\nos.abort()"],
    "exits": ["import os", "os._exit(3)"],
    "mute": [
        "session = get_ipython().kernel.session\nsend = session.send",
        "session.send = lambda stream, kind, *a, **b: None if kind == 'execute_reply' else send(stream, kind, *a, **b)",
    ],
    "full": ["import errno, os", "raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))"],
    "sleeps": ["import pathlib, time\npathlib.Path('{started}').touch()", "time.sleep(300)"],
    "asks": [
        "import os\nreport = recorder.Recorder('asks', globals())",
        "1\n2",
        "report.finish(str([type(get_ipython()).__name__, 'tensorflow' in __import__('sys').modules]))",
    ],
    "hungry": ["numbers = bytearray(4 * 10**9)"],
    "silent": ["pass"],
    "leaks": [
        "import os, sys\nsecret = os.environ['HF_TOKEN']\nprint(secret)\nprint(secret, file=sys.stderr)",
        "report = recorder.Recorder('leaks', globals())",
        "(report.folder / 'samples.csv').write_text(secret)\nreport.finish(f'It is {secret}.')",
        "if steps == 7:\n    raise RuntimeError(secret)",
    ],
}
QUICK_SETUP = """from lib.core import imports
with imports.many_objects_kept():
    from lib.report import recorder"""
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
    return set_up(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    """The outputs of a run of the notebook `works`."""
    with pytest.MonkeyPatch.context() as patch:
        place = set_up(tmp_path_factory.mktemp("once"), patch)
        assert main("works") == 0
    return place / "outputs"


@pytest.fixture
def ran(place, run_once):
    """A `place` in which the notebook `works` has run."""
    shutil.copytree(run_once, place / "outputs")
    return place


def set_up(folder, patch):
    """Writes notebooks and experiments to a folder, and has the runner use it until the patches are undone."""
    for name, cells in NOTEBOOKS.items():
        notebook = nbformat.v4.new_notebook()
        parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        recorded = any("recorder." in cell for cell in cells)
        setup = nbformat.v4.new_code_cell(QUICK_SETUP if recorded else "import time")
        notebook.cells = [nbformat.v4.new_markdown_cell(f"# It {name}"), setup, parameters]
        cells = [cell.replace("{started}", str(folder / "started")) for cell in cells]
        notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
        (folder / "notebooks").mkdir(exist_ok=True)
        nbformat.write(notebook, folder / "notebooks" / f"{name}.ipynb")
        (folder / "experiments" / "small").mkdir(parents=True, exist_ok=True)
        (folder / "experiments" / "small" / f"{name}.yaml").write_text("steps: 5\n")
    patch.setattr(paths, "NOTEBOOKS", folder / "notebooks")
    patch.setattr(paths, "EXPERIMENTS", folder / "experiments")
    patch.setenv("REPORT_OUTPUTS", str(folder / "outputs"))
    patch.setattr(kernels, "ARGUMENTS", own_notebooks.arguments(folder / "notebooks"))
    return folder


def main(*arguments):
    return runner.main([*arguments, "--profile", "small"] if "--profile" not in arguments else list(arguments))


def left_behind(place):
    folder = place / "outputs" / "small"
    own = (".lock", published.PAGES)
    return sorted(path.name for path in folder.iterdir() if path.name not in own) if folder.exists() else []


def test_a_report_is_published_with_its_parameters_and_results(place, capfd):
    assert main("works") == 0
    folder = place / "outputs" / "small" / "works"
    pages = ["report.html", "report.zh.html"]
    assert sorted(path.name for path in folder.iterdir()) == [".done", "notebook.ipynb", *pages, "results.json"]
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


def test_a_variant_goes_to_a_folder_of_its_own_and_the_index_says_what_differs(ran):
    assert main("works", "steps=7", "prompt=The night was", "max_length=20") == 0  # the last is as it is
    names = left_behind(ran)
    assert names[:3] == ["index.html", "index.zh.html", "works"] and re.fullmatch("works@[0-9a-f]{8}", names[3])
    folder = ran / "outputs" / "small"
    assert '<p class="answer">5 steps.</p>' in (folder / "works" / "report.html").read_text(encoding="utf-8")
    page = (folder / names[3] / "report.html").read_text(encoding="utf-8")
    assert "7 steps." in page and "A variant: steps = 7; prompt = The night was." in page
    content = json.loads((folder / names[3] / "results.json").read_text(encoding="utf-8"))
    assert content["changed"] == {"steps": 7, "prompt": "The night was"}
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert f'<a href="{names[3]}/report.html">' in index
    assert "A variant, with steps: 7; prompt: The night was" in index
    assert main("works", "prompt=The night was", "steps=7") == 0  # the same again
    assert left_behind(ran) == names


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["step=5"], "the command line: there is no parameter 'step'"),
        (["steps=99"], "the command line: steps is '99'; it must be a whole number from 1 to 10"),
        (["steps"], "'steps' is not of the form name=value"),
        (["steps=4", "steps=6"], "steps is given twice"),
        (["steps=5"], "'steps=5' is what the report itself has"),
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


def test_a_report_is_as_old_as_what_its_run_read(place):
    """So make runs it again if a source was edited meanwhile."""
    before = time.time_ns()
    assert main("works") == 0
    folder = place / "outputs" / "small" / "works"
    done = (folder / published.DONE).stat().st_mtime_ns
    assert before <= done < (folder / "results.json").stat().st_mtime_ns - 10**9


def test_what_was_edited_while_a_run_waited_for_another_is_read(place, monkeypatch):
    only_one = locks.only_one

    @contextlib.contextmanager
    def edited(outputs):
        with only_one(outputs):
            (place / "experiments" / "small" / "works.yaml").write_text("steps: 7")
            yield

    monkeypatch.setattr(runner.locks, "only_one", edited)
    assert main("works") == 0
    answer = json.loads((place / "outputs" / "small" / "works" / "results.json").read_text())["answer"]["en"]
    assert answer == "7 steps."


def test_code_that_was_edited_while_a_run_waited_is_not_run_half_old_and_half_new(place, capfd, monkeypatch):
    monkeypatch.setattr(runner, "_execute", None)
    stat = Path(runner.site.__file__).stat()
    only_one = locks.only_one

    @contextlib.contextmanager
    def edited(outputs):
        with only_one(outputs):
            monkeypatch.setattr(runner.time, "time_ns", lambda: stat.st_mtime_ns + 10**9)
            yield

    monkeypatch.setattr(runner.locks, "only_one", edited)
    monkeypatch.setattr(runner.time, "time_ns", lambda: stat.st_mtime_ns - 1)
    assert main("works") == 2
    assert "was changed while this run waited for another one. Run it again." in capfd.readouterr().err


def test_a_page_that_was_damaged_before_a_run_is_found_after_it(ran):
    outputs = ran / "outputs" / "small"
    shutil.copytree(outputs / "works", outputs / "other")
    runner.site.render("small")
    page = outputs / "other" / "report.html"
    page.write_text(page.read_text().replace("5 steps", "6 steps"))
    assert main("works", "steps=7") == 0
    assert published.fault_of_pages(outputs) == "they are not finished"


def test_a_report_whose_folder_is_a_mount_point_is_refused_before_anything_starts(place, capfd, monkeypatch):
    (place / "outputs" / "small" / "works").mkdir(parents=True)
    monkeypatch.setattr(os.path, "ismount", lambda folder: Path(folder).name == "works")
    monkeypatch.setattr(runner, "_execute", None)
    assert main("works") == 2
    assert "works is a mount point, and a report is published by replacing its folder." in capfd.readouterr().err


@pytest.mark.parametrize(
    ("limit", "told", "unexplained", "hint"),
    [
        (resource.RLIM_INFINITY, "ImportError: lib.so: failed to map segment from shared object", False, "Close what"),
        (resource.RLIM_INFINITY, "ValueError: no", True, ""),
        (1_500_000_000, "MemoryError: ", False, "This shell lets a process have 1.5 GB of memory (ulimit -v)."),
        (1_500_000_000, "CellExecutionError: ", True, "This shell lets a process have 1.5 GB of memory (ulimit -v)."),
        (1_500_000_000, "ValueError: no", False, ""),
    ],
)
def test_a_failure_for_want_of_memory_says_so(monkeypatch, limit, told, unexplained, hint):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    found = kernels._of_memory(told, unexplained)
    assert hint in found and bool(hint) == bool(found)


def test_a_limit_of_memory_ends_a_run_with_a_line_and_leaves_no_kernel(place):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (3_000_000_000, 3_000_000_000))\n"
    command = [sys.executable, "-c", limit + code_of_a_run("hungry")]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    told = done.stderr.splitlines()[-1]
    assert told.startswith("error: hungry failed in cell") and "(ulimit -v)" in told
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(place) in " ".join(one.info["cmdline"] or [])]


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
        ("dies", "its kernel was killed (SIGKILL)"),
        ("aborts", "its kernel died (SIGABRT). Its last words: Unknown flag in XLA_FLAGS: --no"),
        ("exits", "its kernel ended by itself, with status 3"),
        ("mute", "its kernel was done with a cell, but its answer did not come in 2 s"),
        ("silent", "left no results.json"),
    ],
)
def test_a_failed_run_keeps_the_old_report_and_the_notebook(place, capfd, monkeypatch, name, told):
    monkeypatch.setattr(kernels, "IDLE_SECONDS", 2)
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


@pytest.mark.parametrize(("times_taken", "status"), [(1, 0), (99, 1)])
def test_a_kernel_whose_port_another_program_took_is_started_again(place, monkeypatch, capfd, times_taken, status):
    create, started = kernels._Client.create_kernel_manager, []

    def with_taken_port(client):
        manager = create(client)
        started.append(manager)
        if len(started) <= times_taken:
            manager.cache_ports, manager.shell_port = False, server.getsockname()[1]
        return manager

    monkeypatch.setattr(kernels._Client, "create_kernel_manager", with_taken_port)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert main("works") == status
    assert len(started) == (2 if status == 0 else kernels.STARTS)
    assert ("its kernel did not start" in capfd.readouterr().err) == (status == 1)


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
        (["wrks"], "There is no notebook 'wrks'; there are aborts, asks, dies"),
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


def test_a_disk_that_is_full_is_a_line_and_status_2(place, capfd, monkeypatch):
    assert main("full") == 2
    assert capfd.readouterr().err.splitlines()[-1].startswith("error: The disk is full. Free some space")
    assert left_behind(place) == []

    def no_space(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "report.html")

    monkeypatch.setattr(runner.site, "render_report", no_space)
    assert main("works") == 2
    error = capfd.readouterr().err
    assert "its results are kept" in error and "The disk is full (report.html)" in error
    folder = place / "outputs" / "small"
    assert (folder / "works" / "results.json").is_file() and not (folder / "works" / "report.html").exists()
    assert published.fault(folder / "works") == ""
    assert published.fault_of_pages(folder) == "they are not finished"


def test_a_disk_that_fills_up_with_the_index_leaves_whole_pages_and_make_runs_again(ran, capfd, monkeypatch):
    folder = ran / "outputs" / "small"
    before = {file.name: file.read_text() for file in folder.glob("*.html")}
    write_text = Path.write_text

    def no_space(file, *arguments, **options):
        if "index" in file.name:
            write_text(file, "half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        return write_text(file, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", no_space)
    assert main("works") == 2
    assert "The disk is full" in capfd.readouterr().err
    assert {file.name: file.read_text() for file in folder.glob("*.html")} == before
    assert left_behind(ran) == ["index.html", "index.zh.html", "works"]
    assert (folder / "works" / "report.html").is_file() and published.fault(folder / "works") == ""
    assert published.fault_of_pages(folder) != ""  # so that make renders


def test_what_a_killed_kernel_is_told_of_depends_on_what_is_known(monkeypatch, tmp_path):
    counts = tmp_path / "memory.events"
    monkeypatch.setattr(kernels, "OOM_COUNTS", (str(tmp_path / "none"), str(counts)))
    assert kernels._memory_kills() == 0
    counts.write_text("low 0\noom 4\noom_kill 3\n")
    assert kernels._told(-signal.SIGKILL, 2) == "its kernel was killed by the system for want of memory"
    assert "by somebody or by a guard of the memory" in kernels._told(-signal.SIGKILL, 3)
    for status in (-signal.SIGSEGV, 1, None):
        assert "memory" not in kernels._told(status, 0)


def test_a_kernel_that_does_not_come_up_is_told_with_its_last_words(place, capfd, monkeypatch):
    python = place / "python"
    python.write_text("#!/bin/sh\necho no module named ipykernel >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert main("works") == 1
    error = capfd.readouterr().err
    assert "its kernel did not start: Kernel died before replying to kernel_info" in error
    assert "Its last words: no module named ipykernel" in error and "Traceback" not in error


def test_a_limit_ends_a_run_and_none_is_the_default(place, capfd):
    start = time.monotonic()
    assert main("sleeps", "--limit", "0.05") == 1
    assert "it took longer than the limit, 0.05 minutes." in capfd.readouterr().err
    assert time.monotonic() - start < 60
    assert left_behind(place) == ["failed"]
    with pytest.raises(SystemExit, match="2"):
        main("sleeps", "--limit", "-1")
    assert "it must be a number of minutes above 0" in capfd.readouterr().err


def test_outputs_that_do_not_come_are_no_limit_that_was_set(place, capfd, monkeypatch):
    def lose(client):
        raise CellTimeoutError("Timeout waiting for IOPub output")

    monkeypatch.setattr(PapermillNotebookClient, "papermill_execute_cells", lose)
    assert main("works") == 1
    error = capfd.readouterr().err
    assert "its answer did not come" in error and "limit" not in error and "Traceback" not in error


def code_of_a_run(name):
    """The code of a run in a process of its own, on the notebooks of the test."""
    return (
        "import sys; from pathlib import Path; from lib import kernels, runner; from lib.core import paths\n"
        # A job in the background has SIGINT ignored, and hands that on to what it starts.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"paths.NOTEBOOKS, paths.EXPERIMENTS = Path({str(paths.NOTEBOOKS)!r}), Path({str(paths.EXPERIMENTS)!r})\n"
        f"kernels.ARGUMENTS = {kernels.ARGUMENTS!r}\n"
        f"sys.exit(runner.main([{name!r}, '--profile', 'small']))"
    )


def in_a_process(place, name):
    """Starts a run in a process of its own, and waits until its kernel is in a cell."""
    code = code_of_a_run(name)
    process = subprocess.Popen([sys.executable, "-c", code], cwd=paths.ROOT, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not (place / "started").exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_run_that_is_told_to_stop_leaves_nothing_behind(place, number):
    process = in_a_process(place, "sleeps")
    process.send_signal(number)
    assert "Interrupted" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert left_behind(place) == []


def test_what_a_killed_run_left_is_cleared_by_the_next_one_and_a_living_one_is_left_alone(place, capfd):
    process = in_a_process(place, "sleeps")
    (left,) = (name for name in left_behind(place) if name.startswith(published.RUNNING))
    with pytest.raises(BlockingIOError), open(place / "outputs" / "small" / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # so that another run would wait
    process.kill()
    process.communicate()
    assert left_behind(place) == [left]
    assert main("works") == 0
    assert left_behind(place) == ["index.html", "index.zh.html", "works"]


@pytest.fixture
def state(ran, capfd):
    """Published reports, and what a later run of one of them leaves in its scratch folder."""
    outputs = ran / "outputs" / "small"
    shutil.copytree(outputs / "works", outputs / "other")
    runner.site.render("small")
    (ran / "state").mkdir()
    shutil.move(ran / "outputs", ran / "state" / "outputs")
    (ran / "experiments" / "small" / "works.yaml").write_text("steps: 7")
    assert main("works") == 0
    new = ran / "outputs" / "small" / "works"
    for name in (published.DONE, "report.html", "report.zh.html"):
        (new / name).unlink()
    shutil.move(new, ran / "state" / "new")
    return ran


@pytest.mark.parametrize("how", ["exchanged", "renamed twice"])
def test_wherever_a_run_is_killed_while_it_publishes_nothing_is_lost(state, how):
    command = [sys.executable, paths.ROOT / "tests" / "kill_sweep.py", state]
    command += ["--without-exchange"] if how == "renamed twice" else []
    done = subprocess.run(
        command, cwd=paths.ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "."}
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [one["wrong"] for one in found] == [{}, {}]
    assert sum(one["killed"] for one in found) > 40, found


def test_a_reader_s_own_set_up_does_not_reach_a_report(place, monkeypatch, capfd):
    """A start-up file and settings of IPython, another kernel named python3, variables of the engines."""
    profile = place / "ipython" / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "mine.py").write_text("raise SystemExit('from the start-up file')")
    (profile / "ipython_config.py").write_text("c.InteractiveShell.ast_node_interactivity = 'all'")
    kernel = place / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["/no/python"], "display_name": "x", "language": "python"}))
    template = place / "jupyter" / "nbconvert" / "templates" / "classic"
    template.mkdir(parents=True)
    (template / "index.html.j2").write_text("my own template")
    for name, value in {
        "IPYTHONDIR": str(place / "ipython"),
        "JUPYTER_PATH": str(place / "jupyter"),
        "JAX_COMPILATION_CACHE_DIR": str(place / "cache"),
        "XLA_FLAGS": "--no_such_flag --xla_gpu_cuda_data_dir=/cuda",
        "PYTHONSTARTUP": "/no/file",
    }.items():
        monkeypatch.setenv(name, value)
    assert main("asks") == 0
    folder = place / "outputs" / "small" / "asks"
    assert json.loads((folder / "results.json").read_text())["answer"]["en"] == "['ZMQInteractiveShell', False]"
    (cell,) = (cell for cell in nbformat.read(folder / "notebook.ipynb", 4).cells if cell.source == "1\n2")
    assert [output.data["text/plain"] for output in cell.outputs] == ["2"]
    page = (folder / "report.html").read_text()
    assert "my own template" not in page
    told = ("JAX_COMPILATION_CACHE_DIR", "PYTHONSTARTUP", "XLA_FLAGS")
    assert all(name in page for name in told)
    assert "set aside, since a report depends on its parameters alone: JAX" in capfd.readouterr().err


def test_braces_and_blanks_in_the_project_s_path_are_no_placeholders(place, monkeypatch):
    folder = place / "a {x} b {0}"
    for name in ("notebooks", "experiments"):
        shutil.copytree(place / name, folder / name)
        monkeypatch.setattr(paths, name.upper(), folder / name)
    monkeypatch.setenv("REPORT_OUTPUTS", str(folder / "outputs"))
    assert main("works") == 0
    assert (folder / "outputs" / "small" / "works" / "report.html").is_file()


def test_help_and_errors_are_printed_on_a_terminal_that_knows_ascii_alone():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for arguments, status in ((["04_tang_poetry", "--help"], 0), (["04_tang_poetry", "prompts=[春, 春]"], 2)):
        command = [sys.executable, "-m", "lib.runner", *arguments]
        done = subprocess.run(command, cwd=paths.ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert "\\u6625" in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_a_command_whose_reader_has_gone_ends_without_a_word():
    done = subprocess.run(
        f"{sys.executable} -m lib.runner 04_tang_poetry --help | true",
        shell=True,
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""


@pytest.mark.parametrize(("gpu", "warned"), [(False, True), (True, False)])
def test_the_profile_gpu_without_a_gpu_is_warned_of(monkeypatch, capsys, gpu, warned):
    monkeypatch.setattr(backends, "has_gpu", lambda: gpu)
    runner._say_if_slow("gpu", {"backend": "auto"})
    assert ("none was found" in capsys.readouterr().out) == warned
    runner._say_if_slow("cpu", {"backend": "auto"})
    runner._say_if_slow("gpu", {"profile": "gpu"})  # the summary computes nothing
    assert capsys.readouterr().out == ""


def test_a_user_whom_the_system_does_not_know_and_who_has_no_home_gets_a_line(tmp_path):
    """As in a container; libraries ask for the home folder when they are imported."""
    code = (
        "import os, pwd, sys; pwd.getpwuid = {}.__getitem__; from lib import runner; from lib.core import paths\n"
        "sys.exit(runner.main(['01_baseline', '--profile', 'smoke']))"
    )
    variables = {name: value for name, value in os.environ.items() if name not in ("HOME", "REPORT_CACHE")}
    variables["REPORT_OUTPUTS"] = str(tmp_path / "none" / "of" / "it")
    (tmp_path / "none").write_text("a file where a folder should be")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=paths.ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "cannot be written: Not a directory" in done.stderr and "Traceback" not in done.stderr


def test_a_page_that_cannot_be_made_does_not_cost_the_run(ran, capfd, monkeypatch):
    """As where the wording was edited while the notebook ran."""
    render = runner.site.render_report

    def fails(folder):
        raise KeyError("caption_loss")

    monkeypatch.setattr(runner.site, "render_report", fails)
    assert main("works") == 2
    error = capfd.readouterr().err.splitlines()[-1]
    assert error == (
        "error: works ran and its results are kept, but its page could not be made: KeyError: 'caption_loss' Mend "
        "that, then run `make render PROFILE=small`."
    )
    folder = ran / "outputs" / "small" / "works"
    assert (folder / published.DONE).exists() and (folder / "results.json").is_file()
    assert not (folder / "report.html").exists()
    monkeypatch.setattr(runner.site, "render_report", render)
    runner.site.render("small")
    assert "5 steps." in (folder / "report.html").read_text(encoding="utf-8")


def test_pages_are_not_made_while_a_notebook_of_the_profile_runs(ran, capfd):
    folder = ran / "outputs" / "small"
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = threading.Thread(target=runner.site.render, args=["small"], daemon=True)
        waiting.start()
        waiting.join(1)
        assert waiting.is_alive()
    waiting.join(30)
    assert not waiting.is_alive()
    assert "Another notebook of this profile is running" in capfd.readouterr().out
