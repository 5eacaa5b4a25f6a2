import errno
import os
import pwd
from pathlib import Path

import pytest

from lib.core import paths
from lib.core.errors import UserError
from lib.data import hubs


def test_outputs_and_cache_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "out"))
    assert paths.resolve("outputs/cpu/x") == tmp_path / "out" / "cpu" / "x"
    monkeypatch.delenv("REPORT_OUTPUTS")
    assert paths.resolve("outputs/cpu/x") == paths.ROOT / "outputs" / "cpu" / "x"
    monkeypatch.delenv("REPORT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.cache() == tmp_path / "gpt2-text-generation"
    assert paths.cache().is_dir()


@pytest.mark.parametrize("variable", ["REPORT_OUTPUTS", "REPORT_CACHE", "XDG_CACHE_HOME"])
def test_a_variable_may_name_the_home_folder_or_a_place_in_the_repository(monkeypatch, tmp_path, variable):
    monkeypatch.setattr(paths, "ROOT", tmp_path / "repository")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REPORT_CACHE")
    place = paths.outputs if variable == "REPORT_OUTPUTS" else paths.cache
    inner = "gpt2-text-generation" if variable == "XDG_CACHE_HOME" else ""
    monkeypatch.setenv(variable, "~/x")
    assert place() == tmp_path / "home" / "x" / inner
    monkeypatch.setenv(variable, "x")
    assert place() == tmp_path / "repository" / "x" / inner
    assert not (tmp_path / "~").exists() and not (tmp_path / "x").exists()


def test_a_cache_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^The cache, ~/file, cannot be written: File exists\. Name another folder"):
        paths.cache()
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "file" / "inner"))
    with pytest.raises(UserError, match=r"The cache, ~/file/inner, cannot be written: Not a directory\."):
        paths.cache()

    def refuse(**_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "read-only"))
    monkeypatch.setattr(paths.tempfile, "TemporaryFile", refuse)
    with pytest.raises(UserError, match=r"The cache, ~/read-only, cannot be written: Read-only file system\."):
        paths.cache()


def test_whether_the_cache_can_be_written_is_tried_once(monkeypatch, tmp_path):
    tried = []
    real = paths.tempfile.TemporaryFile
    monkeypatch.setattr(paths.tempfile, "TemporaryFile", lambda dir: tried.append(dir.name) or real(dir=dir))
    for name in ("one", "one", "other", "one"):
        monkeypatch.setenv("REPORT_CACHE", str(tmp_path / name))
        assert [entry.name for entry in paths.cache().iterdir()] == [paths.CACHE_MARK]
    assert tried == ["one", "other"]


@pytest.fixture
def homeless(monkeypatch):
    """A user whom the system does not know, as in a container that runs as any user id."""

    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "KAGGLEHUB_CACHE", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_home_folder_what_needs_none_works(homeless, tmp_path):
    assert paths.home() is None
    assert paths.shown(tmp_path / "b") == "b"
    assert paths.on_terminal(tmp_path / "b") == str(tmp_path / "b")
    assert paths.cache().is_dir()
    for handle in ("hf://nobody/nothing", "kaggle://nobody/nothing/keras/small"):
        assert hubs.cached(handle) == (None, "")


def test_without_a_home_folder_what_needs_one_says_so(homeless, monkeypatch):
    with pytest.raises(UserError, match=r"^~/x begins with a home folder that is not known\. Write the whole path\.$"):
        paths.resolve("~/x")
    monkeypatch.setenv("REPORT_CACHE", "~/x")
    with pytest.raises(UserError, match=r"^~/x begins"):
        paths.cache()
    monkeypatch.delenv("REPORT_CACHE")
    with pytest.raises(
        UserError, match=r"^There is no home folder to keep downloads in\. Name a folder .* REPORT_CACHE\."
    ):
        paths.cache()


def test_a_relative_path_does_not_depend_on_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert paths.resolve("experiments/smoke/poems").is_dir()
    assert paths.resolve("/tmp/x") == Path("/tmp/x")


def test_shown_tells_no_more_of_the_machine_than_needed(tmp_path):
    assert paths.shown(paths.ROOT / "lib" / "core" / "paths.py") == "lib/core/paths.py"
    assert paths.shown(Path.home() / "a" / "b") == "~/a/b"
    assert "/" not in paths.shown(tmp_path / "b")


def test_on_a_terminal_a_path_tells_where_things_are(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "out"))
    assert paths.on_terminal(paths.ROOT / "lib" / "core" / "paths.py") == "lib/core/paths.py"
    assert paths.on_terminal(tmp_path / "home" / "a b") == "~/a b"
    assert paths.on_terminal(tmp_path / "out" / "cpu") == str(tmp_path / "out" / "cpu")
    assert paths.shown(tmp_path / "out" / "cpu") == "outputs/cpu"


def test_a_home_folder_may_be_a_link_or_the_root(monkeypatch, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "link"))
    assert paths.on_terminal(tmp_path / "home" / "x") == paths.shown(tmp_path / "link" / "x") == "~/x"
    monkeypatch.setenv("HOME", "/")
    assert paths.shown(tmp_path / "x") == "x"
    assert paths.on_terminal(tmp_path / "x") == str(tmp_path / "x")
