import subprocess

import pytest

from lib import paths, readme


@pytest.fixture
def committed(monkeypatch, tmp_path):
    """README.md and outputs/ as they are committed: a run of the user's own changes the ones in the working tree."""
    archive = subprocess.run(
        ["git", "-C", str(paths.ROOT), "archive", "HEAD", "README.md", "outputs"], check=True, capture_output=True
    )
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=archive.stdout, check=True)
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path


@pytest.mark.parametrize("name", readme.BLOCKS)
def test_the_readme_states_the_figures_of_the_committed_run_and_of_the_estimate(committed, name):
    text = (committed / "README.md").read_text(encoding="utf-8")
    begin, end = readme.marks(name)
    written = text.split(begin)[1].split(end)[0].strip()
    assert written == readme.BLOCKS[name](), "run `make readme` and commit what it changed"
