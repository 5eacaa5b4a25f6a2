import json
import re
import subprocess

import made_records
import pytest

from lib.core import paths
from lib.core.errors import UserError
from lib.report import phrases, readme, recorder, wording


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


@pytest.fixture
def outputs(monkeypatch, tmp_path):
    """Made-up results of all notebooks in `outputs/cpu`."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    for results in made_records.experiments().all():
        made_records.write(results, tmp_path)
    made_records.write(summary(), tmp_path)
    return tmp_path


def summary(**changes):
    fields = {"figures": ["figures/speed.svg", "figures/bits.svg"], "stand_ins": [made_records.stand_in("a", "b")] * 2}
    return made_records.results("00_summary", **(fields | changes))


def test_the_finding_is_what_the_summary_answers(outputs):
    for language in wording.LANGUAGES:
        assert readme.finding_block(language) == phrases.answer(summary(), language)
    assert readme.finding_block().startswith("Of the post's 7 testable statements")
    assert readme.finding_block("zh").startswith("博客有 7 个可以检验的说法")


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_results_tell_claims_figures_samples_and_minutes(outputs, language):
    told = readme.results_block(language)
    first, *_ = told.splitlines()
    assert "Test CPU, 2 cores" in first and "jax, float32" in first and "2026-01-01" in first
    assert first.count({"en": "a in place of b", "zh": "以 a 代替 b"}[language]) == 1
    tables = [len(re.findall(r"^\| .* \|$", table, re.M)) - 2 for table in re.findall(r"(?:^\|.*\n?)+", told, re.M)]
    assert tables == [7, 16, len(made_records.RECORDED)]
    assert wording.say("verdict_holds", language) in told and "22.81" in told
    assert f"| [{phrases.title('04_tang_poetry', language)}](outputs/cpu/04_tang_poetry/report.html) | 3.5 |" in told
    for name in ("speed", "bits"):
        assert re.search(rf"^!\[[^\]]{{20,}}\]\(outputs/cpu/00_summary/figures/{name}\.svg\)$", told, re.M)
    assert "outputs/cpu/00_summary/report.html" in told
    assert not re.search(r"None|nan\b|[{}]", told)


def test_without_a_stand_in_the_results_do_not_speak_of_one(outputs):
    made_records.write(summary(stand_ins=[]), outputs)
    assert "Stand-ins" not in readme.results_block() and "替代品" not in readme.results_block("zh")


def test_the_samples_are_the_first_of_each_kind_and_each_prompt(outputs):
    label = "after fine-tuning"
    texts = [
        made_records.sample(label, prompt, f"，{number}。", number=number)
        for prompt in ("春", "月")
        for number in (1, 2)
    ]
    before = made_records.sample("before fine-tuning", "春", "，零。")
    results = made_records.results("04_tang_poetry", made_records.tang(samples=[before, *texts]))
    made_records.write(results, outputs)
    told = readme.results_block()
    assert "> 春，  \n> 1。  " in told and "> 月，  \n> 1。  " in told
    assert "2。" not in told and "零" not in told
    assert told.index("> 春，") < told.index("> 月，")
    assert "A poem from 春, after fine-tuning on Tang poems" in told
    assert "以“月”开头的一首诗" in readme.results_block("zh")


def test_what_is_shown_stays_in_its_table_and_its_quotation(outputs):
    assert readme._table([{"what": "a\nb|c"}], {"what": "what"}).splitlines() == ["| what |", "| --- |", "| a b\\|c |"]
    assert readme._table([], {"a": "heading_here"}, "zh").startswith("| 这里 |")
    assert readme._quote("# a\n<b>\x1b") == "> &#35; a  \n> &#60;b&#62;␛  "
    hostile = made_records.reddit(samples=[made_records.sample("after fine-tuning", "# a", "\n<b>|\x1b")])
    made_records.write(made_records.results("02_reddit_finetune", hostile), outputs)
    assert "> &#35; a  \n> &#60;b&#62;&#124;␛  " in readme.results_block()


def test_each_readme_leads_to_the_other():
    for name, other in zip(readme.FILES.values(), reversed(readme.FILES.values()), strict=True):
        assert f"]({other})" in (paths.ROOT / name).read_text(encoding="utf-8").split("##")[0]


def test_a_ratio_has_a_spread_only_if_it_was_measured_more_than_once():
    row = {"ratio_low": 1.0, "ratio_median": 1.5, "ratio_high": 2.0}
    assert readme._ratio(row | {"ratios": [1.0, 1.5, 2.0]}) == "1.50 (1.00 to 2.00)"
    assert readme._ratio(row | {"ratios": [1.5]}) == "1.50, once"
    assert readme._ratio({"ratios": []}) == "not measured"


def test_the_bench_tells_its_ratios_and_targets(outputs):
    assert readme.bench_block() == "No run of it is kept here yet."
    (outputs / "bench").mkdir()
    rows = [
        {"work": "generate", "peer": "nanoGPT", "target": ">= 2", "met": True, "ratios": [2.5]},
        {"work": "render", "peer": None, "target": None, "met": None, "ratios": []},
        {"work": "fit", "peer": "KerasHub", "target": "<= 5 %", "met": False, "ratios": [1.0, 2.0]},
    ]
    rows = [row | {"ratio_low": 2.2, "ratio_median": 2.5, "ratio_high": 3.0} for row in rows]
    (outputs / "bench" / "bench.json").write_text(json.dumps(rows))
    machine = {"processor": "Test CPU", "date": "2026-01-01 10:00 UTC", "peers": "nanoGPT"}
    (outputs / "bench" / "machine.json").write_text(json.dumps(machine))
    told = readme.bench_block()
    assert "Measured on Test CPU, 2026-01-01, beside nanoGPT" in told
    assert "| generate | nanoGPT | 2.50, once | ≥ 2, met |" in told
    assert "| render |  | not measured |  |" in told
    assert "| fit | KerasHub | 2.50 (2.20 to 3.00) | ≤ 5 %, missed |" in told


def test_only_what_stands_between_the_marks_is_replaced(outputs, monkeypatch, tmp_path):
    monkeypatch.setattr(readme.paths, "ROOT", tmp_path)
    for language, name in readme.FILES.items():
        blocks = "\n\nin the middle\n\n".join(
            f"{begin}\n\nold\n\n{end}" for begin, end in map(readme.marks, readme.BLOCKS[language])
        )
        (tmp_path / name).write_text(f"before\n\n{blocks}\n\nafter\n", encoding="utf-8")
    assert readme.main() == 0
    for language, name in readme.FILES.items():
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text.splitlines()
        assert text.count("in the middle") == len(readme.BLOCKS[language]) - 1
        assert phrases.answer(summary(), language) in text
    once = [(tmp_path / name).read_bytes() for name in readme.FILES.values()]
    readme.main()
    assert [(tmp_path / name).read_bytes() for name in readme.FILES.values()] == once


def test_results_of_an_older_version_are_told_with_the_command(outputs):
    (outputs / "cpu" / "01_baseline" / "results.json").write_text('{"metrics": {}}')
    with pytest.raises(UserError, match="make report NOTEBOOK=01_baseline PROFILE=cpu"):
        readme.results_block()


def test_half_an_emoji_in_a_sample_can_be_written(outputs):
    measured = made_records.baseline()
    measured.samples[0].text = "a\ud83d"
    recorder.write(outputs / "cpu" / "01_baseline", made_records.results("01_baseline", measured))
    assert "> a&#91;U+D83D&#93;" in readme.results_block()
