from pathlib import Path

from lib import paths


def test_outputs_and_cache_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "out"))
    assert paths.resolve("outputs/cpu/x") == tmp_path / "out" / "cpu" / "x"
    monkeypatch.delenv("REPORT_OUTPUTS")
    assert paths.resolve("outputs/cpu/x") == paths.ROOT / "outputs" / "cpu" / "x"
    monkeypatch.delenv("REPORT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.cache() == tmp_path / "gpt2-text-generation"
    assert paths.cache().is_dir()


def test_a_relative_path_does_not_depend_on_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert paths.resolve("experiments/smoke/poems").is_dir()
    assert paths.resolve("/tmp/x") == Path("/tmp/x")


def test_shown_tells_no_more_of_the_machine_than_needed(tmp_path):
    assert paths.shown(paths.ROOT / "lib" / "paths.py") == "lib/paths.py"
    assert paths.shown(Path.home() / "a" / "b") == "~/a/b"
    assert "/" not in paths.shown(tmp_path / "b")
