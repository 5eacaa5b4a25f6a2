import re
import shutil

import made_records
import pytest

from lib.core import paths
from lib.report import recorder, side_by_side, views

NAMES = ("03_greedy_vs_top_k", "03_greedy_vs_top_k@12345678")
HOSTILE = "</td></main><script>alert(1)</script>\x1b\u202e"


def results_of(measured=None, **parameters):
    return made_records.results(
        "03_greedy_vs_top_k",
        measured or made_records.samplers(),
        profile="small",
        parameters={"seed": 1} | parameters,
        figures=["figures/repetition_by_perplexity.svg"],
    )


def put(outputs, name, results):
    folder = outputs / "small" / name
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    recorder.write(folder, results)
    for file in results.figures:
        (folder / file).write_text(f"<svg>{name}</svg>")


def text_of(label, text, number=1):
    return made_records.sample(label, "I", f" {text}", number=number)


@pytest.fixture
def outputs(monkeypatch, tmp_path):
    """Two reports, the second a variant of the first."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    first = made_records.samplers(samples=[text_of("greedy", "went <b>"), text_of("top-k", "saw")])
    second = made_records.samplers(
        top_k=made_records.text_group("top-k", 0, 8, rep_4=7.5, diversity=0.9, perplexity=12.0),
        samples=[text_of("greedy", "went <b>"), text_of("top-k", "ran"), text_of("top-k", "sat", 2)],
    )
    put(tmp_path, NAMES[0], results_of(first, k=5, prompts=["I", "春眠"]))
    put(tmp_path, NAMES[1], results_of(second, k=40, prompts=["I"]))
    return tmp_path


def compared(outputs, a=NAMES[0], b=NAMES[1]):
    assert side_by_side.main([a, b, "--profile", "small"]) == 0
    return (outputs / "small" / "compare" / f"{a}--{b}.html").read_text(encoding="utf-8")


def rows_of(page):
    return [line for line in page.splitlines() if line.startswith('<tr><th scope="row"')]


def names_of(page):
    return [re.findall('<th scope="row"[^>]*>(.*?)</th>', row)[0] for row in rows_of(page)]


def test_parameters_figures_pictures_and_samples_stand_side_by_side(outputs, capsys):
    assert side_by_side.main([NAMES[0], f"outputs/small/{NAMES[1]}", "--profile", "small"]) == 0
    assert f"small/compare/{NAMES[0]}--{NAMES[1]}.html" in capsys.readouterr().out
    page = compared(outputs)
    assert rows_of(page)[:3] == [
        '<tr><th scope="row" lang="en">k</th><td lang="en">5</td><td lang="en">40</td></tr>',
        '<tr><th scope="row" lang="en">prompts</th><td lang="zh">I, 春眠</td><td lang="en">I</td></tr>',
        '<tr><th scope="row" lang="en">top_k, metrics, rep_4</th><td lang="en">5.0 (4.5 – 5.5)</td>'
        '<td lang="en">7.5 (6.8 – 8.2)</td></tr>',
    ]
    assert page.count("data:image/svg+xml;base64,") == 2
    assert page.count('alt="Share of repeated four-word phrases and perplexity,') == 2
    assert page.count("The orange diamonds on top are texts by people") == 2
    assert page.count("I went &lt;b&gt;") == 2
    assert ">I saw</td>" in page and ">I ran</td>" in page
    assert f'data-label="{NAMES[0]}">–</td>' in page and ">I sat</td>" in page
    assert "<script" not in page and 'src="http' not in page
    assert f'href="../{NAMES[1]}/report.html"' in page
    assert f"<title>{NAMES[0]} beside {NAMES[1]}</title>" in page


def test_each_report_is_told_with_its_answer_its_stand_ins_and_what_made_it(outputs):
    variant = results_of(k=40)
    variant.stand_ins = [made_records.stand_in("a < b", "c")] * 2
    variant.machine.cores = 64
    put(outputs, NAMES[1], variant)
    page = compared(outputs)
    assert page.count("Greedy decoding fell into a loop in 3 of 4 texts, top-k sampling (k=") == 2
    assert "(k=5)" in page and "(k=40)" in page
    assert page.count("Stand-ins:") == 1 and page.count("a &lt; b in place of c") == 1
    assert page.count("2026-01-01 10:00 UTC, Test CPU") == 2 and page.count("commit 0123456789ab") == 2
    assert page.count("Greedy against top-k</h2>") == 2


def test_samples_are_no_figures_and_calls_are_not_listed_one_by_one(outputs):
    page = compared(outputs)
    assert not [name for name in names_of(page) if name.startswith("samples")]
    put(outputs, "01_baseline", made_records.results("01_baseline", profile="small"))
    slow = made_records.baseline(as_in_post=made_records.timing("as in the post", 30.0, (6.0, 6.1, 6.2)))
    put(outputs, "01_baseline@1", made_records.results("01_baseline", slow, profile="small"))
    names = names_of(compared(outputs, "01_baseline", "01_baseline@1"))
    assert "as_in_post, later_calls, median_seconds" in names
    assert not [name for name in names if "seconds, " in name]


def test_a_figure_has_its_path_and_a_row_of_a_list_its_label():
    measured = {
        "groups": [{"label": "greedy", "rep_4": 20.0}, {"prompt": "I", "rep_4": 1.0}, {"rep_4": 2.0}],
        "raw": [1.0, 2.0],
        "curve": [],
        "nested": {"a": {"b": 12345}},
        "met": True,
        "name": "x",
        "none": None,
    }
    assert side_by_side.figures(measured) == {
        "groups, greedy, rep_4": "20.0",
        "groups, I, rep_4": "1.00",
        "groups, 3, rep_4": "2.00",
        "nested, a, b": "12,345",
    }


def test_a_figure_stands_with_its_interval_and_those_of_every_text_are_left_out():
    rate = {"value": 20.0, "low": 15.0, "high": 26.0}
    measured = {"greedy": {"rep_4": rate, "by_text": [{"rep_4": 12.0}]}, "samples": [{"rep_4": 12.0}]}
    assert side_by_side.figures(measured) == {"greedy, rep_4": "20 (15 – 26)"}


def test_the_page_is_in_both_languages_and_each_leads_to_the_other(outputs):
    english = compared(outputs)
    pages = outputs / "small" / "compare"
    chinese = (pages / f"{NAMES[0]}--{NAMES[1]}.zh.html").read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in chinese and f"<title>{NAMES[0]} 与 {NAMES[1]} 并排对照</title>" in chinese
    assert f'href="{NAMES[0]}--{NAMES[1]}.zh.html"' in english and f'href="{NAMES[0]}--{NAMES[1]}.html"' in chinese
    assert f'href="../{NAMES[1]}/report.zh.html"' in chinese and 'href="../index.zh.html"' in chinese
    assert names_of(chinese) == names_of(english)
    assert "贪心解码的 4 篇文本中有 3 篇陷入循环" in chinese and "不同的参数" in chinese
    prose = re.sub("<style>.*?</style>|<[^>]*>", " ", chinese, flags=re.DOTALL)
    assert not re.search("Parameters|Figures|Pictures|Samples|All reports|None|Stand-ins", prose)


def test_a_long_table_of_figures_is_folded(outputs):
    assert "<details" not in compared(outputs)
    put(outputs, "01_baseline", made_records.results("01_baseline", profile="small"))
    put(outputs, "04_tang_poetry", made_records.results("04_tang_poetry", profile="small"))
    assert re.search(r"<details[^>]*><summary>\d+ rows</summary>", compared(outputs, "01_baseline", "04_tang_poetry"))


def test_what_only_one_of_two_has_stands_beside_a_dash():
    assert side_by_side.differences({"a": 1, "b": 2}, {"a": 1, "c": [3, 4]}) == [("b", "2", "–"), ("c", "–", "3, 4")]
    assert side_by_side.differences({"a": 1}, {"a": 1}) == []


def test_two_equal_reports_differ_in_nothing(outputs):
    shutil.copytree(outputs / "small" / NAMES[0], outputs / "small" / "copy")
    page = compared(outputs, NAMES[0], "copy")
    assert page.count("<p>None.</p>") == 2


def test_samples_of_other_labels_stand_side_by_side_in_order():
    a, b = [text_of("before", "one")], [text_of("later", "two")]
    assert side_by_side.samples(a, b) == [("before / I / 1 — later / I / 1", "I one", "I two")]
    assert side_by_side.samples([], b) == []


def test_a_report_that_is_not_there_is_told(outputs, capsys):
    assert side_by_side.main([NAMES[0], "04", "--profile", "small"]) == 2
    there = ", ".join(NAMES)
    assert capsys.readouterr().err == f"error: There is no report '04' in {outputs}/small; there are {there}.\n"


def test_results_that_cannot_be_read_are_told_in_a_line(outputs, capsys):
    (outputs / "small" / NAMES[1] / "results.json").write_text('{"metrics": {}}')
    assert side_by_side.main([*NAMES, "--profile", "small"]) == 2
    told = capsys.readouterr().err
    assert f"{NAMES[1]}/results.json has no schema_version" in told and told.count("\n") == 1


@pytest.mark.parametrize("profile", ["../../x", "small/../..", "/tmp"])
def test_a_page_is_written_below_the_outputs_alone(outputs, capsys, profile):
    assert side_by_side.main([*NAMES, "--profile", profile]) == 2
    assert f"profile is {profile!r}; it must be the name of a folder in outputs/" in capsys.readouterr().err


def test_a_picture_from_elsewhere_is_not_shown(outputs, tmp_path, capsys):
    (tmp_path / "secret.svg").write_text("<svg>secret</svg>")
    for file in (str(tmp_path / "secret.svg"), "../../../secret.svg", "results.json", "figures/none.svg"):
        results = made_records.results("03_greedy_vs_top_k", profile="small", figures=[file])
        recorder.write(outputs / "small" / NAMES[1], results)
        assert side_by_side.main([*NAMES, "--profile", "small"]) == 2
        assert f"names the picture {file!r}, which is not a picture in its folder" in capsys.readouterr().err


def test_a_picture_of_a_reader_s_own_has_a_name_at_least(outputs):
    for name in ("own", "own@1"):
        results = made_records.results("01_baseline", profile="small", figures=["figures/own.svg"])
        put(outputs, name, results)
    page = compared(outputs, "own", "own@1")
    assert 'alt="A figure of own"' in page and 'alt="A figure of own@1"' in page


@pytest.mark.filterwarnings("ignore:Glyph")
def test_hostile_text_is_shown_and_is_never_markup(outputs):
    measured = made_records.samplers(samples=[made_records.sample(HOSTILE, HOSTILE, HOSTILE)])
    measured.greedy.label = HOSTILE
    variant = results_of(measured, k=40, prompts=[HOSTILE])
    variant.stand_ins = [made_records.stand_in(HOSTILE, HOSTILE)]
    put(outputs, NAMES[1], variant)
    page = compared(outputs)
    assert "<script" not in page and page.count("</main>") == 1 and page.count("alert(1)") >= 4
    assert not {"\x1b", "\u202e"} & set(page)


@pytest.mark.parametrize("notebook", made_records.RECORDED)
def test_any_two_reports_can_be_set_side_by_side(outputs, notebook):
    for results in [*made_records.experiments().all(), made_records.results("00_summary")]:
        put(outputs, results.notebook, results.model_copy(update={"profile": "small"}))
    a, b = (side_by_side.read("small", name) for name in (notebook, "02_reddit_finetune"))
    page = side_by_side.page(outputs / "small", a, b)
    assert f"{notebook} beside 02_reddit_finetune" in page
    assert str(paths.ROOT) not in page and str(outputs) not in page
    assert views.MIME not in page
