import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from lib.core import paths, published

CODE = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [{"output_type": "stream"}]}
NOTEBOOK = json.dumps({"cells": [{"cell_type": "markdown", "metadata": {}, "source": "# It"}, CODE]})


NAME = "01_baseline"


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """A profile with a whole report and an index."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    folder = tmp_path / "outputs" / "small"
    made(folder / NAME)
    (folder / "index.html").write_text("index")
    published.list_pages(folder)
    published.mark_rendered(folder, 10**18)
    return folder


def made(report, text="results"):
    """A report as a run leaves it, with its page."""
    (report / "model" / "assets").mkdir(parents=True)
    (report / "figures" / "zh").mkdir(parents=True)
    for name in ("results.json", "samples.csv", "model/model.weights.h5", "model/assets/vocab.json", "figures/own.svg"):
        (report / name).write_text(text)
    for name in ("report.html", "report.zh.html", "figures/loss.svg", "figures/zh/loss.svg"):
        (report / name).write_text("page")
    (report / "notebook.ipynb").write_text(NOTEBOOK)
    rendered = ["report.html", "report.zh.html", "notebook.ipynb", "figures/loss.svg", "figures/zh/loss.svg"]
    published.seal(report, rendered, 10**18)
    return report


def test_what_a_run_left_is_whole_whatever_rendering_writes_again(outputs):
    assert published.fault(outputs / NAME) == published.fault_of_pages(outputs) == ""
    for name in ("report.html", "report.zh.html", "figures/loss.svg"):
        (outputs / NAME / name).write_text("another page")
    (outputs / NAME / "notebook.ipynb").write_text(NOTEBOOK.replace("It", "That"))
    assert published.fault(outputs / NAME) == ""
    assert published.fault_of_pages(outputs) == "01_baseline/figures/loss.svg has changed"


def flip(file):
    """Changes a bit, and neither size nor time."""
    before = os.stat(file)
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(file):
    os.truncate(file, file.stat().st_size // 2)


OF_THE_RUN = ["results.json", "samples.csv", "model/model.weights.h5", "model/assets/vocab.json", "figures/own.svg"]
OF_RENDERING = ["index.html", *(f"{NAME}/{file}" for file in ("report.html", "report.zh.html", "figures/zh/loss.svg"))]


@pytest.mark.parametrize(("damage", "told"), [(os.remove, "is missing"), (cut, "has changed"), (flip, "has changed")])
@pytest.mark.parametrize("name", OF_THE_RUN)
def test_a_damaged_result_lets_make_run_the_report_again(outputs, capsys, name, damage, told):
    damage(outputs / NAME / name)
    published.check("small")
    assert f"01_baseline is not whole and will be run again: {name} {told}." in capsys.readouterr().out
    assert not (outputs / NAME / published.DONE).exists()


@pytest.mark.parametrize(("damage", "told"), [(os.remove, "is missing"), (cut, "has changed"), (flip, "has changed")])
@pytest.mark.parametrize("name", OF_RENDERING)
def test_a_damaged_page_lets_make_render_and_not_run(outputs, capsys, name, damage, told):
    damage(outputs / name)
    published.check("small")
    assert capsys.readouterr().out == f"The pages of the profile small will be made again: {name} {told}.\n"
    assert (outputs / NAME / published.DONE).exists()
    assert not (outputs / published.RENDERED).exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "notebook.ipynb is missing"),
        ("", "notebook.ipynb is cut off or damaged"),
        (NOTEBOOK[:30], "notebook.ipynb is cut off or damaged"),
        ("[" * 30000, "notebook.ipynb is cut off or damaged"),
        ('{"cells": [1]}', "notebook.ipynb is cut off or damaged"),
        (NOTEBOOK.replace('"metadata": {}, ', ""), "notebook.ipynb is cut off or damaged"),
        ('{"cells": []}', "notebook.ipynb has no outputs"),
        (json.dumps({"cells": [CODE | {"outputs": []}]}), "notebook.ipynb has no outputs"),
    ],
)
def test_without_its_notebook_no_page_can_be_made_so_the_report_is_run_again(outputs, content, told):
    file = outputs / NAME / "notebook.ipynb"
    file.unlink() if content is None else file.write_text(content)
    assert published.fault(outputs / NAME) == told


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', '{"results.json": [1]}', "[" * 30000])
def test_a_list_of_files_that_is_damaged_counts_as_damage(outputs, content):
    (outputs / NAME / published.DONE).write_text(content)
    assert published.fault(outputs / NAME) == "its list of files, .done, is empty or damaged"
    (outputs / published.PAGES).write_text(content)
    assert published.fault_of_pages(outputs) == ".pages is cut off or damaged"


def test_a_list_without_results_is_none(outputs):
    (outputs / NAME / published.DONE).write_text("{}")
    assert published.fault(outputs / NAME) == "its .done does not list results.json"


def test_a_report_without_a_list_is_taken_as_it_is(outputs):
    (outputs / NAME / published.DONE).unlink()
    assert published.fault(outputs / NAME) == ""


@pytest.mark.parametrize("name", ["01_baseline@12345678", "a_reader_s_own"])
def test_damage_is_told_until_it_is_mended_where_make_would_not_run_the_report(outputs, capsys, name):
    report = made(outputs / name)
    published.list_pages(outputs)
    (report / "samples.csv").write_text("other")
    for _ in range(2):
        published.check("small")
        told = capsys.readouterr().out
        assert told == f"{name} is not whole: samples.csv has changed. Run it again, or remove its folder.\n"
        assert (report / published.DONE).exists()


def test_a_variant_without_a_page_is_no_reason_to_render_again(outputs):
    variant = made(outputs / "01_baseline@12345678")
    (variant / "report.html").unlink()
    published.list_pages(outputs)
    assert published.fault_of_pages(outputs) == ""


def test_what_is_whole_is_left_alone_and_nothing_is_said(outputs, capsys):
    published.check("small")
    published.check("other")
    assert capsys.readouterr().out == ""
    assert (outputs / NAME / published.DONE).exists() and (outputs / published.RENDERED).exists()


def test_pages_that_were_never_finished_are_made_again(outputs):
    made(outputs / "more")
    assert published.fault_of_pages(outputs) == "more/figures/loss.svg is new"
    (outputs / "more" / "report.html").unlink()
    published.list_pages(outputs)
    assert published.fault_of_pages(outputs) == "they are not finished"


def test_the_marks_have_the_time_at_which_the_run_began(outputs):
    assert (outputs / NAME / published.DONE).stat().st_mtime_ns == 10**18
    assert (outputs / published.RENDERED).stat().st_mtime_ns == 10**18


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_finished_report_takes_the_place_of_the_former_one(outputs, monkeypatch, exchanges):
    if not exchanges:
        monkeypatch.setattr(published, "_exchanged", lambda first, second: False)
    new = made(outputs / ".run-1" / NAME, "new")
    assert published.publish(new, outputs) == outputs / NAME
    assert (outputs / NAME / "results.json").read_text() == "new"
    assert published.fault(outputs / NAME) == ""
    assert not (outputs / f"{published.FORMER}01_baseline").exists()
    assert new.exists() == exchanges  # the former report, which goes with the scratch folder


def test_this_system_exchanges_folders_in_one_step(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert published._exchanged(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "b").exists() and (tmp_path / "b" / "a").exists()
    assert not published._exchanged(tmp_path / "a", tmp_path / "none")


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_where_the_second_renaming_fails_the_former_report_is_there(outputs, monkeypatch, error):
    monkeypatch.setattr(published, "_exchanged", lambda first, second: False)
    new = made(outputs / ".run-1" / NAME, "new")
    rename = type(new).rename

    def fails(self, target):
        if self == new:
            raise error
        return rename(self, target)

    monkeypatch.setattr(type(new), "rename", fails)
    with pytest.raises(error):
        published.publish(new, outputs)
    assert (outputs / NAME / "results.json").read_text() == "results"


@pytest.mark.parametrize("there", [True, False])
def test_a_report_that_a_killed_run_set_aside_is_put_back(outputs, there):
    shutil.copytree(outputs / NAME, outputs / f"{published.FORMER}01_baseline")
    if not there:
        shutil.rmtree(outputs / NAME)
    (outputs / ".run-1" / NAME).mkdir(parents=True)
    (outputs / ".index.html.part").touch()
    (outputs / NAME if there else outputs / ".run-1").joinpath(".report.html.part").touch()
    published.check("small")
    assert published.fault(outputs / NAME) == ""
    hidden = {entry.name for entry in outputs.rglob(".*")}
    assert hidden == {published.DONE, published.PAGES, published.RENDERED, ".lock"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_until_all_is_published(number):
    done = []

    def told(*_):
        raise KeyboardInterrupt

    before = signal.signal(number, told)
    try:
        with pytest.raises(KeyboardInterrupt), published.uninterrupted():
            signal.raise_signal(number)
            done.append(1)
        assert done == [1] and signal.getsignal(number) is told
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_ignored_and_other_threads_may_publish_too():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with published.uninterrupted():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    def publish():
        with published.uninterrupted():
            pass

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join()


@pytest.mark.parametrize("profile", ["../../x", "a/b", "/tmp", "..", ".", "", ".run-1"])
def test_a_profile_is_the_name_of_a_folder(profile, capsys):
    assert published.main(["--profile", profile]) == 2
    assert f"error: profile is {profile!r}; it must be the name of a folder" in capsys.readouterr().err


def test_it_runs_without_the_environment_s_packages(outputs):
    (outputs / NAME / "results.json").unlink()
    variables = {"REPORT_OUTPUTS": str(outputs.parent), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-S", "-m", "lib.core.published", "--profile", "small"]
    done = subprocess.run(command, cwd=paths.ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "01_baseline is not whole" in done.stdout
