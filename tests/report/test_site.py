import copy
import html
import re
import shutil
import time

import made_records
import nbformat
import pytest

from lib.claims import judgement, post
from lib.core import paths, published, records
from lib.core.errors import UserError
from lib.report import answers, claims_words, executed, recorder, site, views, wording, words

CLAIMS = list(post.rules())
HOSTILE = "</p></main><script>alert(1)</script>\x1b\u202e"
SOURCE = [
    nbformat.v4.new_markdown_cell("# One < two\n\n**Question.** What?"),
    nbformat.v4.new_code_cell(
        'secret: int = 1  # what\nprofile: str = "lab"  # set\noutput_dir: str = "outputs/lab/one"  # set',
        metadata={"tags": ["parameters"]},
    ),
    nbformat.v4.new_markdown_cell("## A < section"),
    nbformat.v4.new_code_cell("folded()"),
    nbformat.v4.new_code_cell("causal_lm.generate()", metadata={"tags": ["show"]}),
]
OUTPUTS = [
    nbformat.v4.new_output("stream", name="stderr", text="could not find a driver"),
    nbformat.v4.new_output("stream", name="stdout", text="2.07 tokens <per> character"),
    nbformat.v4.new_output(
        "display_data",
        {views.MIME: {"view": "text", "options": {"text": "shown < here", "kind": ""}}, "text/html": "<p>old</p>"},
    ),
    nbformat.v4.new_output("display_data", {"text/html": "<p>not a view</p>"}),
]


@pytest.fixture
def outputs(monkeypatch, tmp_path):
    """The folder of the profile `small`, and a notebook `one` beside the project's own."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    shutil.copytree(paths.NOTEBOOKS, tmp_path / "notebooks", ignore=shutil.ignore_patterns(".*"))
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    write_source()
    return tmp_path / "outputs" / "small"


def write_source(cells=SOURCE):
    nbformat.write(nbformat.v4.new_notebook(cells=cells), paths.NOTEBOOKS / "one.ipynb")


def results_of(notebook="one", **changes):
    fields = {
        "profile": "small",
        "minutes": 1.25,
        "models": [made_records.model(name="<tiny>", source="made here", parameters=10_672)],
        "corpora": [made_records.corpus()],
        "stand_ins": [made_records.stand_in("a", "b")] * 2,  # of the model, and of the texts
        "answer": {"en": "a < b. And more.", "zh": "甲 < 乙。还有。"},
    }
    return made_records.results(notebook, **(fields | changes))


def put(outputs, results, folder=None, cells=SOURCE):
    """Puts results and an executed notebook where the runner would."""
    folder = outputs / (folder or results.notebook)
    folder.mkdir(parents=True, exist_ok=True)
    recorder.write(folder, results)
    cells = copy.deepcopy(cells)
    cells[-1].outputs = copy.deepcopy(OUTPUTS)
    injected = f'secret = 2\noutput_dir = "outputs/small/{folder.name}"'
    cells.insert(2, nbformat.v4.new_code_cell(injected, metadata={"tags": ["injected-parameters"]}))
    executed.write(nbformat.v4.new_notebook(cells=cells), folder / executed.NAME)
    return folder


def put_all(outputs):
    """Puts made-up results of all notebooks of the report."""
    for results in made_records.experiments().all():
        put(outputs, results.model_copy(update={"profile": "small"}))
    put(outputs, results_of("00_summary"))
    (outputs / "04_tang_poetry" / "figures").mkdir()
    (outputs / "04_tang_poetry" / "figures" / "form.svg").write_text("<svg/>")
    tang = records.load(outputs / "04_tang_poetry" / "results.json")
    tang.figures = ["figures/loss.svg", "figures/form.svg"]
    recorder.write(outputs / "04_tang_poetry", tang)


def html_of(file):
    return file.read_text(encoding="utf-8")


@pytest.fixture
def page(outputs):
    """A report of a notebook with an output of each kind."""
    folder = put(outputs, results_of())
    site.render_report(folder)
    return html_of(folder / "report.html")


def rendered(outputs, **changes):
    folder = put(outputs, results_of(**changes))
    site.render_report(folder)
    return html_of(folder / "report.html")


def unbroken(page):
    """A page with plain spaces before its percent signs."""
    return page.replace("\N{NO-BREAK SPACE}%", " %")


def banner(page):
    return page[page.index("<section") : page.index("</section>")]


# A report.


def test_the_answer_the_stand_ins_and_the_machine_come_right_after_the_title(page):
    assert page.index("<h1") < page.index("Question.") < page.index("<section") < page.index("<details")
    for told in (
        "a &lt; b",
        "a in place of b",
        "&lt;tiny&gt; (made here), 10,672 parameters",
        "Tang poems (npm)",
        "Test CPU, 2 cores",
        "1.2 minutes",
        "commit 0123456789ab",
        "2026-01-01 10:00 UTC",
    ):
        assert banner(page).count(told) == 1, told
    assert "Keras on jax, float32" in banner(page)
    assert banner(page).count("And more.") == page.count("And more.") == 1
    assert "<title>One &lt; two</title>" in page


def test_the_description_of_a_page_is_its_headline(page):
    (description,) = [tag for tag in re.findall("<meta [^>]*>", page) if 'name="description"' in tag]
    assert 'content="a &lt; b."' in description


def test_code_is_folded_but_where_it_is_worth_seeing(page):
    assert page.count('<details class="code"') == 2
    assert page.count('<details class="code" open="">') == 1
    assert "secret" not in page
    assert "output_dir" not in page


def test_outputs_are_shown_without_the_libraries_noise(page):
    assert "shown &lt; here" in page and "<p>not a view</p>" in page
    assert "2.07 tokens &lt;per&gt; character" in page
    assert "could not find a driver" not in page


def test_the_contents_lead_to_the_sections(page):
    (target, text), *more = re.findall('<li><a href="#([^"]*)">(.*?)</a></li>', page)
    assert text == "A &lt; section" and f'id="{target}"' in page and not more


def test_the_files_beside_a_report_are_linked(outputs):
    folder = put(outputs, results_of())
    (folder / "samples.csv").write_text("a\n")
    (folder / "model.bin").write_text("a\n")
    site.render_report(folder)
    footer = html_of(folder / "report.html").partition("<footer>")[2]
    assert re.findall("Files:(.*)</p>", footer)[0].count("<a ") == 3
    for file in ("notebook.ipynb", "results.json", "samples.csv"):
        assert f'<a href="{file}">{file}</a>' in footer


def test_the_banner_of_a_notebook_without_keras_does_not_speak_of_it(page, outputs):
    without = rendered(outputs, machine=made_records.machine(keras="", device=""))
    assert "Keras on jax, float32" in page
    assert "Test CPU, 2 cores; profile" in without and "Keras on" not in without


def test_the_banner_names_a_gpu(page, outputs):
    assert "2 cores, a &lt; GPU; Keras" in rendered(outputs, machine=made_records.machine(device="a < GPU"))
    assert ", CPU" not in banner(page)


def test_the_banner_of_a_variant_tells_what_was_changed(page, outputs):
    assert "A variant" not in page
    told = rendered(outputs, changed={"k": 40, "prompts": ["a < b", "c"]})
    assert "A variant: k = 40; prompts = a &lt; b, c." in told


def test_a_page_needs_nothing_from_outside_and_runs_nothing(page):
    assert "<script" not in page and not re.findall(r'(?:src|<link[^>]*href)="(?:https?:)?//', page)


def test_a_page_is_made_anew_from_the_records_and_the_notebook_kept_beside_it_says_the_same(outputs):
    folder = put(outputs, results_of())
    site.render_report(folder)
    kept = nbformat.read(folder / executed.NAME, as_version=4)
    assert kept.cells[-1].outputs[2]["data"]["text/html"] == '<p class="">shown &lt; here</p>'
    assert kept.cells[0].source == SOURCE[0].source  # the title is not split off in it
    assert len(kept.cells) == len(SOURCE) + 1


def test_made_twice_a_page_is_the_same_byte_for_byte(outputs):
    put(outputs, results_of())
    put_all(outputs)

    def content():
        return {file: file.read_bytes() for file in sorted(outputs.rglob("*")) if file.is_file()}

    site.render("small")
    once = content()
    site.render("small")
    assert content() == once and len(once) > 20


def test_reworded_prose_changes_the_page_without_a_run(outputs, page):
    cells = copy.deepcopy(SOURCE)
    cells[0].source, cells[2].source = "# Reworded\n\n**Question.** Why?", "## Another heading"
    write_source(cells)
    site.render_report(outputs / "one")
    told = html_of(outputs / "one" / "report.html")
    assert "Another heading" in told and "Why?" in told and "A &lt; section" not in told
    assert "<title>Reworded</title>" in told


def test_prose_of_code_that_has_changed_since_the_run_is_not_taken(outputs, page):
    cells = copy.deepcopy(SOURCE)
    cells[2].source, cells[3].source = "## Another heading", "folded(2)"
    write_source(cells)
    site.render_report(outputs / "one")
    told = html_of(outputs / "one" / "report.html")
    assert "Another heading" not in told and "A &lt; section" in told


def test_hostile_text_in_the_records_is_shown_and_is_never_markup(outputs):
    told = rendered(
        outputs,
        answer={"en": f"{HOSTILE}. More: {HOSTILE}"},
        stand_ins=[made_records.stand_in(HOSTILE, "b")],
        models=[made_records.model(name=HOSTILE, source=HOSTILE)],
        corpora=[made_records.corpus(name=HOSTILE, source=HOSTILE)],
        changed={"prompt": HOSTILE},
        machine=made_records.machine(processor=HOSTILE, device=HOSTILE, keras=HOSTILE),
    )
    assert "<script" not in told and told.count("</main>") == 1
    assert told.count("alert(1)") >= 9
    assert not {"\x1b", "\u202e"} & set(told)


def test_half_an_emoji_in_the_records_breaks_no_page(outputs):
    folder = put(outputs, results_of())
    results = results_of()
    results.answer["en"] = "a\ud83d"
    recorder.write(folder, results)
    site.render_report(folder)
    site.render_index("small")
    assert "a[U+D83D]" in html_of(folder / "report.html") and "a[U+D83D]" in html_of(outputs / "index.html")


# What is missing.


def test_without_the_executed_notebook_the_command_that_makes_it_is_told(outputs):
    folder = put(outputs, results_of())
    (folder / executed.NAME).unlink()
    with pytest.raises(UserError, match=r"one has no notebook\.ipynb.*make report NOTEBOOK=one PROFILE=small"):
        site.render_report(folder)


def test_a_variant_without_its_executed_notebook_is_named(outputs):
    folder = put(outputs, results_of(changed={"k": 40}), "one@12345678")
    (folder / executed.NAME).unlink()
    with pytest.raises(UserError, match=r"one@12345678 has no notebook\.ipynb"):
        site.render_report(folder)


def test_without_any_report_the_command_that_makes_them_is_told(outputs, capsys):
    assert site.main(["--profile", "small"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: There are no reports in") and "make all PROFILE=small" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"metrics": {}}', '{"schema_version": 2}', '{"schema_version": 99}']
)
def test_results_that_cannot_be_read_are_told_in_a_line_with_the_command(outputs, capsys, content):
    folder = put(outputs, results_of())
    (folder / "results.json").write_text(content)
    assert site.main(["--profile", "small"]) == 2
    told = capsys.readouterr().err
    assert "one/results.json" in told and "make report NOTEBOOK=one PROFILE=small" in told and told.count("\n") == 1


@pytest.mark.parametrize("view", [{"view": "gone", "options": {}}, {"view": "text", "options": {"gone": 1}}])
def test_a_view_that_this_code_does_not_have_is_told_in_a_line_with_the_command(outputs, capsys, view):
    folder = put(outputs, results_of())
    kept = nbformat.read(folder / executed.NAME, as_version=4)
    kept.cells[-1].outputs[2]["data"][views.MIME] = view
    executed.write(kept, folder / executed.NAME)
    assert site.main(["--profile", "small"]) == 2
    told = capsys.readouterr().err
    assert "make report NOTEBOOK=one PROFILE=small" in told and told.count("\n") == 1


@pytest.mark.parametrize(
    "file", ["../../../secret.svg", "{here}/secret.svg", "figures/link.svg", "results.json", "no.svg"]
)
def test_a_picture_from_elsewhere_is_not_taken_into_a_page(outputs, capsys, tmp_path, file):
    (tmp_path / "secret.svg").write_text("<svg>secret</svg>")
    folder = put(outputs, results_of())
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures" / "link.svg").symlink_to(tmp_path / "secret.svg")
    kept = nbformat.read(folder / executed.NAME, as_version=4)
    options = {"file": file.format(here=tmp_path), "alt": "", "caption": ""}
    kept.cells[-1].outputs[2]["data"][views.MIME] = {"view": "picture", "options": options}
    executed.write(kept, folder / executed.NAME)
    assert site.main(["--profile", "small"]) == 2
    told = capsys.readouterr().err
    assert "one names the picture" in told and "Run `make report NOTEBOOK=one PROFILE=small` anew." in told


@pytest.mark.parametrize("profile", ["../../x", "a/b", "/tmp"])
def test_pages_are_made_below_the_outputs_alone(outputs, capsys, profile):
    assert site.main(["--profile", profile]) == 2
    assert f"profile is {profile!r}; it must be the name of a folder in outputs/" in capsys.readouterr().err


def test_a_page_that_is_cut_off_inside_a_character_stays_a_damaged_one(outputs):
    for name in ("one", "one@12345678"):
        put(outputs, results_of(), name)
    site.render("small")
    page = outputs / "one" / "report.zh.html"
    content = page.read_bytes()
    page.write_bytes(content[: content.rindex("。".encode()) + 1])
    with pytest.raises(UnicodeDecodeError):
        page.read_text(encoding="utf-8")
    site.render_index("small")
    assert page.read_bytes().endswith(content[: content.rindex("。".encode()) + 1][-20:])
    site.render("small")
    assert page.read_bytes() == content


def test_a_report_that_went_on_from_an_interrupted_run_says_so(outputs):
    told = rendered(outputs, continued_trainings=2)
    assert "this one continued from it (trainings taken over: 2)" in told
    assert "（沿用的训练：2 次）" in html_of(outputs / "one" / "report.zh.html")
    assert "continued from it" not in rendered(outputs)


def test_rendering_tells_make_that_all_pages_are_made_unless_one_is_not(outputs):
    folder = put(outputs, results_of())
    before = time.time_ns()
    site.render("small")
    assert before <= (outputs / published.RENDERED).stat().st_mtime_ns < (outputs / "index.html").stat().st_mtime_ns
    assert published.fault_of_pages(outputs) == ""
    (outputs / published.RENDERED).unlink()
    (folder / executed.NAME).write_text("{")
    with pytest.raises(UserError, match="cut off or damaged"):
        site.render("small")
    assert not (outputs / published.RENDERED).exists()


def test_the_command_makes_all_pages_and_says_where_they_are(outputs, capsys):
    put(outputs, results_of())
    put(outputs, results_of(changed={"k": 40}), "one@12345678")
    assert site.main(["--profile", "small"]) == 0
    assert "small/index.html" in capsys.readouterr().out
    assert {file.parent.name for file in outputs.rglob("report.html")} == {"one", "one@12345678"}


# The index.


def test_a_page_that_used_no_stand_in_does_not_speak_of_one(outputs):
    for stand_ins, expected in (([made_records.stand_in("a", "b")], True), ([], False)):
        put(outputs, results_of(stand_ins=stand_ins))
        index = html_of(site.render_index("small"))
        assert ("Stand-ins" in index) is ("a in place of b" in index) is expected
        assert "a &lt; b" in index
        assert ("Stand-ins" in rendered(outputs, stand_ins=stand_ins)) is expected


def test_the_index_has_a_card_for_each_report_in_each_language(outputs):
    put_all(outputs)
    english = html_of(site.render_index("small"))
    chinese = html_of(outputs / "index.zh.html")
    for language, index in (("en", english), ("zh", chinese)):
        titles = re.findall(f'<h3><a href="([^"]*)/{site.report_name(language)}">(.*?)</a></h3>', index)
        names = [name for name in sorted(made_records.RECORDED) if name != "00_summary"]
        assert titles == [(name, words.title(name, language).replace("'", "&#39;")) for name in names]
        assert f'<html lang="{wording.TAGS[language]}">' in index
        answer, _ = words.headline(answers.answer(records.load(outputs / "04_tang_poetry" / "results.json"), language))
        assert f'<p class="answer">{answer}</p>' in unbroken(index)
        _, more = words.headline(answers.answer(records.load(outputs / "05_from_scratch" / "results.json"), language))
        assert f'<p class="more">{more}</p>' in unbroken(index)  # all of it, not the next sentence alone
        questions = re.findall('<p class="question">(.*?)</p>', index)
        assert questions == [words.question(name, language) for name in names]
    assert 'href="index.zh.html"' in english and 'href="index.html"' in chinese
    assert "3.5 minutes, 2026-01-01 10:00 UTC" in english
    assert "用时 3.5 分钟" in chinese


def test_a_card_shows_the_last_picture_that_there_is(outputs):
    put_all(outputs)
    index = html_of(site.render_index("small"))
    assert index.count("<img") == 1 and 'src="data:image/svg+xml;base64,PHN2Zy8+"' in index
    (outputs / "04_tang_poetry" / "figures" / "form.svg").unlink()
    assert "<img" not in html_of(site.render_index("small"))


def test_the_index_begins_with_what_was_replaced_and_how_many_claims_hold(outputs):
    put_all(outputs)
    index = html_of(site.render_index("small"))
    above = index[: index.index("<table")]
    assert "a in place of b" in above and "Of the post&#39;s 7 testable statements, " in above
    assert '<a href="00_summary/report.html">' in index[index.index("</table>") : index.index('<div class="cards">')]


def test_the_card_of_a_reader_s_own_notebook_has_its_own_title_and_answer(outputs):
    put(outputs, results_of())
    index = html_of(site.render_index("small"))
    assert '<h3><a href="one/report.html">One &lt; two</a></h3>' in index
    assert '<p class="answer">a &lt; b.</p>' in index and '<p class="more">And more.</p>' in index
    assert "question" not in index[index.index("<article") :]
    assert "甲 &lt; 乙。" in html_of(outputs / "index.zh.html")


def test_a_variant_s_card_tells_what_was_changed(outputs):
    put(outputs, results_of())
    put(outputs, results_of(changed={"k": 40, "prompts": ["a < b"]}), "one@12345678")
    index = html_of(site.render_index("small"))
    assert index.count("A variant, with k: 40; prompts: a &lt; b") == 1
    assert 'href="one@12345678/report.html"' in index


def test_claims_are_told_with_verdict_and_evidence_once_all_notebooks_have_run(outputs):
    put_all(outputs)
    site.render_index("small")
    judged = judgement.of_profile("small").testable
    for language in wording.LANGUAGES:
        index = unbroken(html_of(outputs / site.index_name(language)))
        rows = re.findall('<tr><th scope="row"><a href="(.*?)">(.*?)</a></th><td>(.*?)</td><td>(.*?)</td>', index)
        expected = []
        for claim in judged:
            told = claims_words.claim(claim, language)
            place = f"00_summary/{site.report_name(language)}#claim-{claim.name}"
            expected.append((place, told["short"], f"<b>{told['verdict']}</b>", told["evidence"]))
        assert [tuple(map(html.unescape, row)) for row in rows] == expected


def test_what_is_judged_is_written_as_records(outputs):
    put_all(outputs)
    site.render_index("small")
    written = html_of(outputs / "claims.json")
    judged = records.Judgement.model_validate_json(written)
    assert judged == judgement.of_profile("small") and judged.profile == "small"
    assert [claim.name for claim in judged.claims] == CLAIMS
    assert records.dump(judged) == written


@pytest.mark.parametrize("missing", ["00_summary", "04_tang_poetry"])
def test_before_all_notebooks_have_run_the_index_tells_of_those_that_have(outputs, missing):
    put_all(outputs)
    shutil.rmtree(outputs / missing)
    index = html_of(site.render_index("small"))
    assert "What the post says" not in index and "<table" not in index
    assert len(re.findall('<article class="card">', index)) == 5 - (missing != "00_summary")
    assert not (outputs / "claims.json").exists()


def test_claims_that_can_no_longer_be_judged_are_not_left_behind(outputs):
    put_all(outputs)
    site.render_index("small")
    shutil.rmtree(outputs / "00_summary")
    site.render_index("small")
    assert not (outputs / "claims.json").exists()


@pytest.mark.parametrize("content", ["{", '{"metrics": {}}'])
def test_a_report_of_an_older_version_does_not_keep_a_new_one_from_the_index(outputs, content):
    """As after an update: the runner publishes one report after the other, and makes the index after each."""
    put_all(outputs)
    (outputs / "05_from_scratch" / "results.json").write_text(content)
    index = html_of(site.render_index("small"))
    assert 'href="01_baseline/report.html"' in index and 'href="05_from_scratch/report.html"' not in index


def test_hostile_text_in_the_index_is_shown_and_is_never_markup(outputs):
    hostile = results_of(
        answer={"en": f"{HOSTILE}. More: {HOSTILE}", "zh": HOSTILE},
        stand_ins=[made_records.stand_in(HOSTILE, HOSTILE)],
        changed={"prompt": HOSTILE},
    )
    put(outputs, hostile, "one@12345678")
    site.render_index("small")
    for language in wording.LANGUAGES:
        index = html_of(outputs / site.index_name(language))
        assert "<script" not in index and index.count("</main>") == 1 and index.count("alert(1)") >= 3
        assert not {"\x1b", "\u202e"} & set(index)


# Links between reports.


def links(outputs, name):
    return re.findall('<a rel="([a-z]+)" href="([^"]*)">(.*?)</a>', html_of(outputs / name / "report.html"))


def test_a_report_leads_to_those_before_and_after_it(outputs):
    put_all(outputs)
    site.render("small")
    assert links(outputs, "00_summary")[:1] == [
        ("next", "../01_baseline/report.html", "Baseline: the pretrained model →")
    ]
    around = links(outputs, "03_greedy_vs_top_k")
    expected = [("prev", "../02_reddit_finetune/report.html"), ("next", "../04_tang_poetry/report.html")]
    assert [link[:2] for link in around] == expected * 2  # above and below
    assert [rel for rel, *_ in links(outputs, "05_from_scratch")] == ["prev", "prev"]
    for name in made_records.RECORDED:
        assert all((outputs / name / target).is_file() for _, target, _ in links(outputs, name))


def test_a_variant_leads_to_the_report_itself_and_stands_in_no_order(outputs):
    put_all(outputs)
    variant = made_records.results("02_reddit_finetune", profile="small", changed={"k": 40})
    put(outputs, variant, "02_reddit_finetune@12345678")
    put(outputs, results_of(changed={"k": 40}), "one@12345678")
    site.render("small")
    told = "The report itself: Fine-tuning on Reddit stories"
    assert links(outputs, "02_reddit_finetune@12345678")[0] == ("up", "../02_reddit_finetune/report.html", told)
    assert links(outputs, "one@12345678") == []  # whose report itself is not there
    assert links(outputs, "03_greedy_vs_top_k")[0][1] == "../02_reddit_finetune/report.html"


def test_links_follow_the_reports_that_there_are(outputs):
    put_all(outputs)
    site.render("small")
    shutil.rmtree(outputs / "02_reddit_finetune")
    site.render_index("small")
    assert links(outputs, "03_greedy_vs_top_k")[0][1] == "../01_baseline/report.html"


def test_the_title_is_the_first_line_of_the_notebook(outputs):
    assert site.title("one") == "One < two"
