import os
import subprocess
import sys
import time

import pytest

from lib.core import paths
from lib.data import cache


@pytest.fixture
def filled(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    folder = paths.cache()
    (folder / "packages" / "inner").mkdir(parents=True)
    (folder / "packages" / "inner" / "a.tgz").write_bytes(b"0" * 3_000_000)
    (folder / "small.json").write_bytes(b"0" * 500_000)
    (tmp_path / "elsewhere").write_text("stays")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    return folder


def test_what_lies_there_is_listed_with_its_size_and_stays(filled, capsys):
    assert cache.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"The cache is {paths.on_terminal(filled)}."
    assert lines[1].split() == ["3.0", "MB", "packages"]
    assert lines[2].split() == ["0.5", "MB", "small.json"]
    assert lines[-1].split()[:2] == ["3.5", "MB"]
    assert (filled / "packages" / "inner" / "a.tgz").exists()


def test_cleaning_says_how_much_it_frees_and_leaves_nothing_but_what_links_point_to(filled, capsys, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", "/somewhere/else")
    assert cache.main(["--clean"]) == 0
    told = capsys.readouterr().out
    assert "Removed; 3.5 MB are free again." in told
    assert "KAGGLEHUB_CACHE names /somewhere/else, a folder outside this cache" in told
    assert list(filled.iterdir()) == []
    assert (filled.parent / "elsewhere").read_text() == "stays"


def test_a_cache_that_is_someone_s_home_or_a_checkout_is_left_alone(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path))
    (tmp_path / "letter").write_text("dear")
    assert cache.main(["--clean"]) == 2
    assert "it is left as it is" in capsys.readouterr().err
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "project"))
    (tmp_path / "project" / ".git").mkdir(parents=True)
    assert cache.main(["--clean"]) == 2
    assert (tmp_path / "letter").exists()


def test_a_folder_that_held_other_things_before_is_never_cleared(monkeypatch, tmp_path, capsys):
    (tmp_path / "cache" / "another-program").mkdir(parents=True)
    (tmp_path / "cache" / "another-program" / "letter").write_text("dear")
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    (paths.cache() / "packages").mkdir()
    assert cache.main(["--clean"]) == 2
    assert "held other things before this project used it" in capsys.readouterr().err
    assert sorted(entry.name for entry in paths.cache().iterdir()) == ["another-program", "packages"]
    assert (tmp_path / "cache" / "another-program" / "letter").read_text() == "dear"


def test_a_training_that_no_run_has_gone_on_with_is_forgotten(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    cache.forget_old_trainings()
    folder = paths.cache() / cache.TRAININGS / "cpu-04_tang_poetry"
    folder.mkdir(parents=True)
    for name, days in (("new.npz", 1), ("old.npz", 15), ("old.part", 15)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - days * 24 * 3600,) * 2)
    cache.forget_old_trainings()
    assert [file.name for file in folder.iterdir()] == ["new.npz"]


def test_clearing_that_is_interrupted_can_be_gone_on_with(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    for name in "abc":
        (paths.cache() / name).mkdir()
    rmtree, removed = cache.shutil.rmtree, []

    def interrupted(folder):
        if removed:
            raise KeyboardInterrupt
        removed.append(folder)
        rmtree(folder)

    monkeypatch.setattr(cache.shutil, "rmtree", interrupted)
    assert cache.main(["--clean"]) == 130
    monkeypatch.setattr(cache.shutil, "rmtree", rmtree)
    assert cache.main(["--clean"]) == 0
    assert list((tmp_path / "cache").iterdir()) == []


def test_one_that_was_empty_or_not_there_is_cleared(monkeypatch, tmp_path):
    for name in ("new", "empty"):
        monkeypatch.setenv("REPORT_CACHE", str(tmp_path / name))
        if name == "empty":
            (tmp_path / name).mkdir()
        (paths.cache() / "packages").mkdir()
        assert cache.main(["--clean"]) == 0
        assert list((tmp_path / name).iterdir()) == []


@pytest.mark.parametrize("home", ["folder/user", "link"])
def test_so_is_one_that_holds_someone_s_home(monkeypatch, tmp_path, capsys, home):
    (tmp_path / "folder" / "user").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "folder" / "letter").write_text("dear")
    monkeypatch.setenv("HOME", str(tmp_path / home))
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "folder"))
    assert cache.main(["--clean"]) == 2
    assert "it is left as it is" in capsys.readouterr().err
    assert (tmp_path / "folder" / "letter").exists()


@pytest.mark.parametrize("arguments", [[], ["--clean"]])
def test_one_that_cannot_be_used_is_told_in_a_line(tmp_path, arguments):
    (tmp_path / "file").touch()
    command = [sys.executable, "-S", "-m", "lib.data.cache", *arguments]
    environment = {"REPORT_CACHE": str(tmp_path / "file"), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=paths.ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    told = "The cache, ~/file, cannot be written: File exists. Name another folder in REPORT_CACHE."
    assert done.stderr == f"error: {told}\n"
    assert done.stdout == ""


def test_it_runs_without_the_environment_s_packages(filled):
    environment = {"REPORT_CACHE": str(filled), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-S", "-m", "lib.data.cache"], cwd=paths.ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "packages" in done.stdout
