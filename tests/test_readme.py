from lib import paths, readme


def test_the_readme_states_the_figures_of_the_committed_run(monkeypatch):
    monkeypatch.delenv("REPORT_OUTPUTS", raising=False)
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    written = text.split(readme.BEGIN)[1].split(readme.END)[0].strip()
    assert written == readme.block(), "run `make readme`"
