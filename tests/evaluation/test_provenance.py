import getpass
import importlib
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lib.core import backends, environment, records
from lib.core.records import PeakMemoryOf
from lib.evaluation import provenance


def test_a_report_tells_what_it_was_made_with_and_nothing_of_its_user(monkeypatch):
    monkeypatch.setattr(environment, "set_aside", lambda: ["TF_NUM_INTEROP_THREADS"])
    machine = provenance.collect()
    assert machine.packages["tensorflow"] == "2.21.0"
    assert set(machine.packages) == set(provenance.PACKAGES)
    assert machine.python.startswith("3.") and machine.system.startswith(platform.system())
    assert machine.processor and machine.cores >= 1
    assert 0.05 < machine.peak_memory_gib < machine.memory_gib
    assert machine.variables_set_aside == ["TF_NUM_INTEROP_THREADS"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", machine.date)
    assert set(machine.locks) == {"cpu", "gpu"}
    assert all(re.fullmatch("[0-9a-f]{16}", digits) for digits in machine.locks.values())
    told = records.dump(machine)
    assert str(Path.home()) not in told
    assert f"/{getpass.getuser()}" not in told


def test_keras_and_its_device_are_told_where_it_is_used(monkeypatch):
    importlib.import_module("keras")
    monkeypatch.setattr(backends, "selected", backends.Settings("tensorflow", "float32", False, False, False))
    machine = provenance.collect()
    assert machine.keras.startswith("tensorflow, ") and machine.device == "CPU"
    monkeypatch.delitem(sys.modules, "keras")
    machine = provenance.collect()
    assert (machine.keras, machine.device) == ("", "")


@pytest.mark.parametrize(
    ("backend", "on_gpu", "what"),
    [
        ("tensorflow", 1.5, PeakMemoryOf.TENSORFLOW_GPU),
        ("jax", 1.5, PeakMemoryOf.JAX_GPU),
        ("jax", None, PeakMemoryOf.PROCESS),
    ],
)
def test_the_peak_of_the_memory_says_what_it_is_of(monkeypatch, backend, on_gpu, what):
    monkeypatch.setattr(backends, "selected", backends.Settings(backend, "float32", False, False, False))
    monkeypatch.setattr(backends, "peak_gpu_memory_gib", lambda: on_gpu)
    gib, of = provenance.peak_memory()
    assert of is what
    assert gib == on_gpu if on_gpu else gib > 0.05


def test_memory_is_counted_in_gib():
    assert 0.05 < provenance.peak_memory_gib() < provenance.memory_gib() < 10_000


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    def git(*arguments):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "code.py").write_text("1")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "old.html").write_text("1")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    monkeypatch.setattr(provenance.paths, "ROOT", tmp_path)
    return tmp_path, git("rev-parse", "--short=12", "HEAD")


def test_the_commit_is_named_and_so_are_changes_to_the_code_but_not_to_the_reports(checkout):
    folder, head = checkout
    assert provenance.code() == (head, False, "")
    (folder / "outputs" / "old.html").write_text("2")
    assert provenance.code() == (head, False, "")
    (folder / "code.py").write_text("2")
    assert provenance.code() == (head, True, "")


def test_a_copy_without_git_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance.paths, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.code() == (None, False, "not a git checkout")


def test_a_machine_without_git_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.code() == (None, False, "git is not installed")
