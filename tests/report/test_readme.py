import subprocess

import pytest

from lib.core import paths
from lib.report import readme


@pytest.fixture
def committed(monkeypatch, tmp_path):
    """The READMEs and outputs/ as they are committed: a run of the user's own changes the ones in the working tree."""
    archive = subprocess.run(
        ["git", "-C", str(paths.ROOT), "archive", "HEAD", *readme.FILES.values(), "outputs"],
        check=True,
        capture_output=True,
    )
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=archive.stdout, check=True)
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path


@pytest.mark.parametrize(
    ("language", "name"), [(one, name) for one, blocks in readme.BLOCKS.items() for name in blocks]
)
def test_the_readme_states_the_figures_of_the_committed_run_and_of_the_estimate(committed, language, name):
    text = (committed / readme.FILES[language]).read_text(encoding="utf-8")
    begin, end = readme.marks(name)
    written = text.split(begin)[1].split(end)[0].strip()
    assert written == readme.BLOCKS[language][name](), "run `make readme` and commit what it changed"


def test_a_summary_without_chinese_is_quoted_in_english(monkeypatch):
    monkeypatch.setattr(readme.results, "load", lambda *_: {"answer": "It is so."})
    assert readme.finding_block("zh") == "It is so."


def test_what_is_shown_stays_in_its_table_and_its_quotation():
    assert readme._table([{"what": "a\nb|c"}], ("what",)).splitlines()[2:] == ["| a b\\|c |"]
    assert readme._quote("# a\n<b>\x1b") == "> &#35; a  \n> &#60;b&#62;␛  "


def test_each_readme_leads_to_the_other():
    for name, other in zip(readme.FILES.values(), reversed(readme.FILES.values()), strict=True):
        assert f"]({other})" in (paths.ROOT / name).read_text(encoding="utf-8").split("##")[0]


def test_a_ratio_has_a_spread_only_if_it_was_measured_more_than_once():
    row = {"ratio_low": 1.0, "ratio_median": 1.5, "ratio_high": 2.0}
    assert readme._ratio(row | {"ratios": [1.0, 1.5, 2.0]}) == "1.50 (1.00 to 2.00)"
    assert readme._ratio(row | {"ratios": [1.5]}) == "1.50, once"
    assert readme._ratio({"ratios": []}) == "not measured"
