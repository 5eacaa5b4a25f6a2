import getpass
import json
import subprocess
from pathlib import Path

import pytest

from lib.evaluation import provenance


def test_a_report_tells_what_it_was_made_with_and_nothing_of_its_user():
    facts = provenance.collect()
    assert facts["tensorflow"] == "2.21.0"
    assert facts["Python"].startswith("3.")
    assert "GiB at its peak" in facts["memory"]
    assert len(facts["cpu lock"]) == len("SHA-256 ") + 16
    told = json.dumps(facts)
    assert str(Path.home()) not in told
    assert f"/{getpass.getuser()}" not in told


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
    assert provenance.commit() == f"commit {head}"
    (folder / "outputs" / "old.html").write_text("2")
    assert provenance.commit() == f"commit {head}"
    (folder / "code.py").write_text("2")
    assert provenance.commit() == f"commit {head}, with changes"


def test_a_copy_without_git_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance.paths, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit() == "unknown (not a git checkout)"
