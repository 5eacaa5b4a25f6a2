import json
import re
import subprocess
import unicodedata

import made_records
import pytest

from lib.claims import judgement
from lib.core import paths
from lib.core.errors import UserError
from lib.report import claims_words, picture, readme, recorder, site, wording

DOCS = sorted((paths.ROOT / "docs").glob("*.md"))
PAGES = [paths.ROOT / name for name in (*readme.READMES.values(), "CONTRIBUTING.md")] + DOCS
MOST_WORDS, MOST_CHARACTERS = 700, 1400
LINK = re.compile(r"\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\(([^)\s]+)\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def as_committed(tmp_path_factory):
    """The pages and outputs/ as they are committed: a run of the user's own changes those in the working tree."""
    folder = tmp_path_factory.mktemp("committed")
    archive = subprocess.run(
        ["git", "-C", str(paths.ROOT), "archive", "HEAD", *readme.BLOCKS, *picture.FILES.values(), "outputs"],
        check=True,
        capture_output=True,
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


@pytest.fixture
def committed(as_committed, monkeypatch):
    monkeypatch.setenv("REPORT_OUTPUTS", str(as_committed / "outputs"))
    return as_committed


@pytest.mark.parametrize(("file", "name"), [(file, name) for file, blocks in readme.BLOCKS.items() for name in blocks])
def test_a_page_states_the_figures_of_the_committed_run_and_of_the_estimate(committed, file, name):
    begin, end = readme.marks(name)
    written = (committed / file).read_text(encoding="utf-8").split(begin)[1].split(end)[0].strip()
    assert written == readme.BLOCKS[file][name](), "run `make readme` and commit what it changed"


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_picture_is_that_of_the_committed_run(committed, tmp_path, monkeypatch, language):
    file = committed / picture.FILES[language]
    monkeypatch.setattr(readme.paths, "ROOT", tmp_path)
    readme.draw_picture(language)
    assert (tmp_path / picture.FILES[language]).read_bytes() == file.read_bytes(), "run `make readme`"


@pytest.mark.parametrize("profile", ["cpu", "bench"])
def test_an_index_is_that_of_the_committed_runs(committed, profile):
    """An index quotes other runs too: that of the cpu profile has the answers of the bench and of the sweeps."""
    pages = [committed / "outputs" / profile / site.index_name(language) for language in wording.LANGUAGES]
    before = [page.read_text(encoding="utf-8") for page in pages]
    site.render_index(profile)
    after = [page.read_text(encoding="utf-8") for page in pages]
    assert after == before, f"run `python -m lib.report.site --profile {profile}` and commit what it changed"


# What every page keeps to.


def rendered(file):
    """The text of a page as a reader sees it: without marks, alternative texts and addresses."""
    text = re.sub("<!--.*?-->", "", file.read_text(encoding="utf-8"), flags=re.S)
    text = IMAGE.sub("", text)
    text = re.sub(r"\[([^\[\]]*)\]\([^)\s]+\)", r"\1", text)
    return re.sub("&#(\\d+);", lambda sign: chr(int(sign[1])), text)


def test_the_readme_has_at_most_700_words():
    words = [word for word in rendered(paths.ROOT / "README.md").split() if re.search(r"\w", word)]
    assert len(words) <= MOST_WORDS


def test_the_chinese_readme_has_at_most_1400_characters():
    text = rendered(paths.ROOT / "README.zh-CN.md")
    assert len(re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+", text)) <= MOST_CHARACTERS  # a foreign word is one


def anchors(file):
    """The anchors that GitHub gives a page's headings."""
    found = []
    for heading in re.findall("^#+ (.*)$", re.sub("^```.*?^```", "", rendered(file), flags=re.S | re.M), re.M):
        kept = (one for one in heading.lower() if one in "-_ " or unicodedata.category(one)[0] in "LNM")
        found.append("".join(kept).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_or_a_heading(page):
    text = page.read_text(encoding="utf-8")
    links = [link for link in (*LINK.findall(text), *IMAGE.findall(text)) if "://" not in link]
    assert links
    for link in links:
        name, _, anchor = link.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.is_relative_to(paths.ROOT) and file.exists(), link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_stands_in_the_makefile(page):
    targets = set(re.search(r"^\.PHONY: (.*)$", (paths.ROOT / "Makefile").read_text(), re.M)[1].split())
    code = re.findall("`{3}\n(.*?)`{3}|`([^`\n]+)`", rendered(page), re.S)
    called = {name for parts in code for name in re.findall(r"(?:^|\s)make ([a-z-]+)", "".join(parts), re.M)}
    assert called <= targets


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_a_page_begins_with_what_it_answers(page):
    _, first, *_ = page.read_text(encoding="utf-8").split("\n\n")
    assert first.startswith("This page answers: ")


def test_every_page_of_the_documentation_is_linked_from_a_readme():
    for name in readme.READMES.values():
        linked = set(LINK.findall((paths.ROOT / name).read_text(encoding="utf-8")))
        assert {f"docs/{page.name}" for page in DOCS} <= {link.partition("#")[0] for link in linked}


def test_each_readme_leads_to_the_other():
    for name, other in zip(readme.READMES.values(), reversed(readme.READMES.values()), strict=True):
        assert f"]({other})" in (paths.ROOT / name).read_text(encoding="utf-8").split("##")[0]


# The blocks.


@pytest.fixture
def outputs(monkeypatch, tmp_path):
    """Made-up results of all notebooks in `outputs/cpu`."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    for results in made_records.experiments().all():
        made_records.write(results, tmp_path)
    made_records.write(summary(), tmp_path)
    return tmp_path


def summary(**changes):
    fields = {"figures": ["figures/speed.svg", "figures/all_repetition.svg"]}
    return made_records.results("00_summary", **(fields | changes))


def greedy_text(prompt, text, **changes):
    return made_records.sample("greedy", prompt, text, **changes)


def with_samples(outputs, *samples):
    made_records.write(
        made_records.results("03_greedy_vs_top_k", made_records.samplers(samples=list(samples))), outputs
    )


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_finding_counts_the_verdicts_and_the_texts_in_a_loop(outputs, language):
    told = readme.finding_block(language)
    assert told.startswith(claims_words.tally(judgement.of_profile("cpu").claims, language))
    assert told.endswith(
        {
            "en": "With end tokens suppressed, 3 of 4 texts by greedy decoding contain a loop, 0 by top-k sampling, "
            "and 0 by people.",
            "zh": "屏蔽结束词元时，每组 4 篇中含有循环的：贪心解码 3 篇，top-k 采样 0 篇，人写的 0 篇。",
        }[language]
    )


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_verdicts_are_told_a_claim_a_row_without_opinions(outputs, language):
    told = readme.verdicts_block(language)
    _, _, *rows = told.splitlines()
    judged = judgement.of_profile("cpu").testable
    assert len(rows) == len(judged)
    for row, claim in zip(rows, judged, strict=True):
        in_words = claims_words.claim(claim, language)
        assert wording.say(f"short_{claim.name}", language) in row
        assert f"**{in_words['verdict']}**" in row and in_words["evidence"] in row


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_figure_has_an_alternative_text_and_says_what_it_shows(outputs, language):
    image, told = readme.figure_block(language).split("\n\n")
    assert re.fullmatch(r"!\[[^\]]{20,}\]\(outputs/cpu/00_summary/figures/[a-z/_]+\.svg\)", image)
    assert "rep-4" in told


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_picture_is_a_link_to_the_reports_with_an_alternative_text(outputs, language):
    told = readme.picture_block(language)
    assert re.fullmatch(rf"\[!\[[^\]]{{50,}}\]\({picture.FILES[language]}\)\]\(outputs/cpu/\)", told)


def test_the_loop_is_the_beginning_of_the_first_greedy_text_that_loops(outputs):
    with_samples(
        outputs,
        made_records.sample("top_k (k=5)", "One", " and one and one", looped_spans=[(8, 16)]),
        greedy_text("Two", " and no loop"),
        greedy_text("Three", " and\nthree" * 100, looped_spans=[(14, 900)], new_tokens=200),
        greedy_text("Four", " and four" * 100, looped_spans=[(13, 900)]),
    )
    told, quoted = readme.loop_block().split("\n\n")
    assert "“Three”" in told and "200 new tokens" in told
    assert re.fullmatch(r"> Three( and three)+( and)? …", quoted) and len(quoted) < 1.2 * readme.QUOTED
    assert "“Three”" in readme.loop_block("zh") and "200" in readme.loop_block("zh")


def test_a_short_text_is_quoted_whole_though_none_loops(outputs):
    with_samples(outputs, greedy_text("Two", " and no loop"))
    assert readme.loop_block().endswith("> Two and no loop")


def test_what_is_shown_stays_in_its_table_and_its_quotation(outputs):
    assert readme._table([{"what": "a\nb|c"}], {"what": "what"}).splitlines() == ["| what |", "| --- |", "| a b\\|c |"]
    assert readme._table([], {"a": "heading_here"}, "zh").startswith("| 本次结论 |")
    assert readme._quote("# a\n<b>\x1b") == "> &#35; a  \n> &#60;b&#62;␛  "
    with_samples(outputs, greedy_text("# a", "\n<b>|\x1b"))
    assert readme.loop_block().endswith("> &#35; a &#60;b&#62;&#124;␛")


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_what_comes_from_results_is_no_markup(outputs, language):
    hostile = "<img src=x onerror=alert(1)>"
    for name in ("01_baseline", "03_greedy_vs_top_k"):
        used = made_records.results(name, stand_ins=[made_records.stand_in(hostile, hostile)])
        used.machine.processor = hostile
        made_records.write(used, outputs)
    told = "".join(block(language) for block in readme.IN_README.values())
    assert "alert(1)" in told and "<img" not in told


def test_half_an_emoji_in_a_sample_can_be_written(outputs):
    measured = made_records.samplers(samples=[greedy_text("a", "")])
    measured.samples[0].text = "a\ud83d"
    recorder.write(outputs / "cpu" / "03_greedy_vs_top_k", made_records.results("03_greedy_vs_top_k", measured))
    assert "> a&#91;U+D83D&#93;" in readme.loop_block()


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_run_tells_machine_minutes_day_and_each_stand_in_once(outputs, language):
    told = readme.ran_block(language)
    minutes = sum(results.minutes for results in made_records.experiments().all())
    assert "Test CPU" in told and "2026-01-01" in told and f"{minutes:.0f}" in told
    assert "**" not in told
    for name in ("01_baseline", "02_reddit_finetune"):
        used = made_records.results(name, stand_ins=[made_records.stand_in("a", "b")])
        made_records.write(used, outputs)
    assert readme.ran_block(language).count({"en": "a in place of b", "zh": "以“a”代替“b”"}[language]) == 1


def test_results_of_an_older_version_are_told_with_the_command(outputs):
    (outputs / "cpu" / "01_baseline" / "results.json").write_text('{"metrics": {}}')
    with pytest.raises(UserError, match="make report NOTEBOOK=01_baseline PROFILE=cpu"):
        readme.verdicts_block()


# The bench.


def test_a_ratio_has_a_spread_only_if_it_was_measured_more_than_once():
    row = {"ratio_low": 1.0, "ratio_median": 1.5, "ratio_high": 2.0}
    assert readme._ratio(row | {"ratios": [1.0, 1.5, 2.0]}) == "1.50 (1.00 to 2.00)"
    assert readme._ratio(row | {"ratios": [1.5]}) == "1.50, once"
    assert readme._ratio({"ratios": []}) == "not measured"


def bench(outputs, rows):
    (outputs / "bench").mkdir(exist_ok=True)
    rows = [{"ratio_low": 2.2, "ratio_median": 2.5, "ratio_high": 3.0} | row for row in rows]
    (outputs / "bench" / "bench.json").write_text(json.dumps(rows))
    machine = {"processor": "Test CPU", "date": "2026-01-01 10:00 UTC", "peers": "nanoGPT"}
    (outputs / "bench" / "machine.json").write_text(json.dumps(machine))


def test_the_bench_tells_its_ratios_and_targets(outputs):
    assert readme.bench_block() == "No run of it is kept here yet."
    bench(
        outputs,
        [
            {"work": "generate", "peer": "nanoGPT", "target": ">= 2", "met": True, "ratios": [2.5]},
            {"work": "render", "peer": None, "target": None, "met": None, "ratios": []},
            {"work": "fit", "peer": "KerasHub", "target": "<= 5 %", "met": False, "ratios": [1.0, 2.0]},
        ],
    )
    told = readme.bench_block()
    assert "Measured on Test CPU, 2026-01-01, beside nanoGPT" in told
    assert "without XLA, unless a row names it." in told
    assert "| generate | nanoGPT | 2.50, once | ≥ 2, met |" in told
    assert "| render |  | not measured |  |" in told
    assert "| fit | KerasHub | 2.50 (2.20 to 3.00) | ≤ 5 %, missed |" in told


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_speed_is_that_of_the_bench_or_said_not_to_be_measured(outputs, language):
    unknown = wording.say("readme_no_speed", language)
    assert readme.speed_block(language) == unknown
    rows = [
        {"work": work, "peer": peer, "ratios": [1.0], "ratio_median": 1.5 + place}
        for place, (work, peer) in enumerate(readme.SPEED.values())
    ]
    bench(outputs, rows[1:])
    assert readme.speed_block(language) == unknown
    bench(outputs, rows)
    told = readme.speed_block(language)
    assert "Test CPU" in told and re.findall(r"\d\.\d", told) == ["1.5", "2.5", "3.5", "4.5", "5.5"]
    for with_xla, least in ((1.2, "1.2"), (1.7, "1.5")):
        row = rows[0] | {"peer": f"{rows[0]['peer']}, with XLA", "ratio_median": with_xla}
        bench(outputs, [*rows, row])
        assert re.findall(r"\d\.\d", readme.speed_block(language))[0] == least


# Writing.


def test_only_what_stands_between_the_marks_is_replaced(outputs, monkeypatch, tmp_path):
    monkeypatch.setattr(readme.paths, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    for name, blocks in readme.BLOCKS.items():
        made = "\n\nin the middle\n\n".join(f"{begin}\n\nold\n\n{end}" for begin, end in map(readme.marks, blocks))
        (tmp_path / name).write_text(f"before\n\n{made}\n\nafter\n", encoding="utf-8")
    assert readme.main() == 0
    files = [tmp_path / name for name in (*readme.BLOCKS, *picture.FILES.values())]
    for name, blocks in readme.BLOCKS.items():
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text.splitlines()
        assert text.count("in the middle") == len(blocks) - 1
    for language, name in readme.READMES.items():
        assert readme.finding_block(language) in (tmp_path / name).read_text(encoding="utf-8")
    once = [file.read_bytes() for file in files]
    readme.main()
    assert [file.read_bytes() for file in files] == once
