import pytest

from lib import paths, readme


@pytest.mark.parametrize("name", readme.BLOCKS)
def test_the_readme_states_the_figures_of_the_committed_run_and_of_the_estimate(monkeypatch, name):
    monkeypatch.delenv("REPORT_OUTPUTS", raising=False)
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    begin, end = readme.marks(name)
    written = text.split(begin)[1].split(end)[0].strip()
    assert written == readme.BLOCKS[name](), "run `make readme`"
