"""The pages in a real Chromium: as a reader opens them, from disk, without a network."""

import contextlib
import functools
import json
import os
import shutil
from pathlib import Path

import browser
import made_records
import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe

from lib import notebooks
from lib.core import records
from lib.evaluation import metrics
from lib.models import byte_level
from lib.report import executed, readme, recorder, side_by_side, site, views, wording

pytestmark = pytest.mark.skipif(not browser.executable(), reason=browser.MISSING)
SIZES = {"phone": browser.PHONE, "tablet": (820, 1180), "wide": browser.WIDE}
REPORTS = [f"{notebook}/report.html" for notebook in sorted(one.name for one in notebooks.ALL)]
CHINESE = [name.replace(".html", ".zh.html") for name in REPORTS]
PAGES = ["index.html", "index.zh.html", *REPORTS, *CHINESE]
EXPLORER = REPORTS.index("03_greedy_vs_top_k/report.html")
EXPLORER_ONLY = [wording.say("explorer_without_script", language) for language in wording.LANGUAGES]
SMALLEST_TEXT = 11  # pixels
TEXT_SIZES = """images => images.flatMap(image => {
    const drawn = atob(image.src.split(",")[1])
    const scale = image.getBoundingClientRect().width / Number(drawn.match(/viewBox="0 0 ([0-9.]+)/)[1])
    return [...drawn.matchAll(/<text[^>]*font-size: ([0-9.]+)px/g)].map(text => scale * Number(text[1]))
})"""
TEXTS = "parts => parts.map(part => part.innerText)"
SCREENSHOTS = os.environ.get("REPORT_SCREENSHOTS")  # a folder for pictures of all pages, which take most of the time
HOSTILE = {
    "script": "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>",
    "markup": "</td></tr></table></main><h1>taken over</h1><style>* { display: none }</style><!-- ",
    "Markdown": "# heading **bold** `code` [link](https://example.com) | a | b |\n\n---\n> quoted $x^2$",
    "ANSI": "\x1b[31mred\x1b[0m \x07 \x00 \x08",
    "direction": "left \u202eright to left\u2066 \u200f\ufeff",
    "long line": "x" * 2_000,
    "invalid UTF-8": b"half a character \xe6\x98, \xff\xfe".decode(errors="replace"),
}
VISIBLE = {
    "ANSI": "␛[31mred␛[0m ␇ ␀ ␈",
    "direction": "left [U+202E]right to left[U+2066] [U+200F][U+FEFF]",
}


@pytest.fixture(scope="module")
def chromium():
    with browser.opened() as opened:
        yield opened


@pytest.fixture(scope="module")
def looked_at(chromium):
    """Opens a page, see `browser.page_of`, once for all tests that only look at it."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda *how: stack.enter_context(browser.page_of(chromium, *how)))


def shoot(page, name, full_page=True):
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=full_page)


@pytest.mark.parametrize(
    ("name", "size"), [(name, size) for name in PAGES for size in SIZES if size != "tablet" or ".zh." not in name]
)
def test_a_page_opens_without_a_network_an_error_or_a_horizontal_scroll(looked_at, smoke_outputs, name, size):
    assert (smoke_outputs / name).stat().st_size < 3e6
    page, wrong = looked_at(smoke_outputs / name, SIZES[size])
    assert page.title()
    shoot(page, f"{name.removesuffix('.html').replace('/', '-')}-{size}")
    assert browser.overflow(page) == 0
    assert page.evaluate("[...document.images].filter(image => !image.naturalWidth).length") == 0
    assert wrong == []


@pytest.mark.parametrize("name", REPORTS)
def test_the_first_screen_of_a_phone_has_title_question_finding_and_stand_ins(
    chromium, smoke_outputs, name, tmp_path, monkeypatch
):
    monkeypatch.setenv("REPORT_OUTPUTS", str(smoke_outputs.parent))
    folder = tmp_path / "report"
    shutil.copytree((smoke_outputs / name).parent, folder)
    results = records.load(folder / "results.json")
    results.stand_ins = [
        made_records.stand_in("SmolLM2-135M-Instruct", "gpt2_base_en"),
        made_records.stand_in("Brown corpus", "reddit_tifu"),
    ]
    recorder.write(folder, results)
    site.render_report(folder)
    with browser.page_of(chromium, folder / "report.html", browser.PHONE) as (page, _):
        parts = ("h1", ".prose p", ".answer", ".stand-in", ".banner dl")  # the last one may follow below
        tops = [page.locator(part).first.bounding_box()["y"] for part in parts]
        assert tops == sorted(tops)
        assert tops[-2] < browser.PHONE[1]


@pytest.mark.parametrize("name", REPORTS + CHINESE)
def test_a_phone_shows_the_text_of_figures_large_enough_to_read(looked_at, smoke_outputs, name):
    page, _ = looked_at(smoke_outputs / name, browser.PHONE)
    sizes = page.eval_on_selector_all("img[src^='data:image/svg']", TEXT_SIZES)
    assert [size for size in sizes if size < SMALLEST_TEXT] == []


@pytest.mark.parametrize("name", PAGES)
def test_without_a_script_a_page_reads_as_with_it(chromium, looked_at, smoke_outputs, name):
    page, _ = looked_at(smoke_outputs / name, browser.WIDE)
    with_script = page.eval_on_selector_all("main > *", TEXTS)
    with browser.page_of(chromium, smoke_outputs / name, script=False) as (page, _):
        without = page.eval_on_selector_all("main > *", TEXTS)
    assert all(map(any, (with_script, without)))
    explorer = [place for place, text in enumerate(without) if EXPLORER_ONLY[".zh." in name] in text]
    assert len(explorer) == (name in (REPORTS[EXPLORER], CHINESE[EXPLORER]))
    assert [text for place, text in enumerate(with_script) if place not in explorer] == [
        text for place, text in enumerate(without) if place not in explorer
    ]


@pytest.mark.parametrize("name", REPORTS)
def test_a_wide_screen_shows_a_caption_beside_its_figure_and_the_contents_beside_the_text(
    looked_at, smoke_outputs, name
):
    page, _ = looked_at(smoke_outputs / name, browser.WIDE)
    contents, title = (page.locator(part).bounding_box() for part in (".contents", "h1"))
    assert contents["x"] > title["x"] + title["width"]
    for figure in page.locator("figure").all():
        image, caption = (figure.locator(part).bounding_box() for part in ("img", "figcaption"))
        assert caption["x"] > image["x"] + image["width"]


@pytest.mark.parametrize("name", [f"{one}/report.html" for one in ("02_reddit_finetune", "03_greedy_vs_top_k")])
def test_what_is_said_of_a_small_table_stands_beside_it_on_a_wide_screen_and_below_it_on_a_phone(
    looked_at, smoke_outputs, name
):
    for size, axis, length in ((browser.WIDE, "x", "width"), (browser.PHONE, "y", "height")):
        page, _ = looked_at(smoke_outputs / name, size)
        pairs = page.locator(".beside").all()
        assert pairs
        for pair in pairs:
            table, told = (
                pair.locator(part).first.bounding_box() for part in (":scope > .scroll", ":scope > div:last-child")
            )
            assert told[axis] >= table[axis] + table[length]


@pytest.mark.parametrize("name", [REPORTS[EXPLORER], CHINESE[EXPLORER]])
def test_on_a_touch_screen_a_tap_shows_the_rank_of_a_token(chromium, smoke_outputs, name):
    with browser.page_of(chromium, smoke_outputs / name, browser.PHONE) as (page, _):
        assert page.evaluate("matchMedia('(hover: none)').matches")
        token = page.locator(".seen .text span").nth(1)
        told = "span => getComputedStyle(span, '::after').content"
        assert token.evaluate(told) == "none"
        token.tap()
        assert token.get_attribute("title") in token.evaluate(told)
        assert token.evaluate("span => getComputedStyle(span, '::after').position") == "fixed"


@pytest.mark.parametrize("name", REPORTS + CHINESE)
def test_a_page_changes_its_language_and_its_links_keep_it(chromium, smoke_outputs, name):
    other = (CHINESE + REPORTS)[(REPORTS + CHINESE).index(name)]
    with browser.page_of(chromium, smoke_outputs / name) as (page, _):
        around = page.eval_on_selector_all("header a[rel]", "links => links.map(link => link.getAttribute('href'))")
        assert {link.endswith(".zh.html") for link in around} == {name in CHINESE}
        page.locator(".languages a").click()
        assert page.url.endswith(other)


@pytest.mark.parametrize(
    ("name", "dark"), [*((name, False) for name in PAGES), *((name, True) for name in PAGES if ".zh." not in name)]
)
def test_a_page_is_accessible(looked_at, smoke_outputs, name, dark):
    how = (browser.PHONE, True) if dark else (browser.WIDE,)
    page, _ = looked_at(smoke_outputs / name, *how)
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]}"
        for rule in found
        if rule["impact"] in ("serious", "critical") or rule["id"] == "heading-order"
        for node in rule["nodes"]
    ]
    assert serious == []


@pytest.mark.parametrize("name", REPORTS)
def test_on_paper_nothing_is_cut_off(chromium, smoke_outputs, name, tmp_path):
    with browser.page_of(chromium, smoke_outputs / name, (680, 960)) as (page, _):  # A4 less its margins
        page.emulate_media(media="print")
        assert browser.overflow(page) == 0
        cut = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth + 1).length"
        assert page.evaluate(cut) == 0
        assert not page.locator("header").is_visible()
        assert page.pdf(format="A4", path=tmp_path / "report.pdf").startswith(b"%PDF")


@pytest.mark.parametrize("name", REPORTS)
def test_the_contents_and_the_neighbours_lead_somewhere(looked_at, smoke_outputs, name):
    place = REPORTS.index(name)
    page, _ = looked_at(smoke_outputs / name, browser.WIDE)
    targets = page.eval_on_selector_all(".contents a", "links => links.map(link => link.getAttribute('href'))")
    assert len(targets) == page.locator("h2").count() >= 4
    for target in targets:
        assert page.evaluate(f"document.getElementById({json.dumps(target[1:])})?.tagName") == "H2"
    for rel, other in (("prev", place - 1), ("next", place + 1)):
        links = page.locator(f"header a[rel={rel}]")
        there = 0 <= other < len(REPORTS)
        assert links.count() == there
        if there:
            assert links.get_attribute("href") == f"../{REPORTS[other]}"


def test_the_index_changes_its_language_without_a_script(chromium, smoke_outputs):
    with browser.page_of(chromium, smoke_outputs / "index.html") as (page, _):
        assert page.locator("html").get_attribute("lang") == "en"
        page.get_by_text("中文").click()
        assert page.url.endswith("index.zh.html")
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        assert page.locator(".card").count() == len(REPORTS) - 1  # the summary has none
        page.get_by_text("English").click()
        assert page.url.endswith("index.html")


def text_of(label, text):
    """A hostile text that continues itself, judged."""
    told = metrics.repetition(text + text)
    return made_records.sample(
        label,
        text,
        text,
        sampler="greedy",
        rep_4_percent=told["rep_4"],
        looped_percent=told["looped"],
        looped_spans=told["looped_spans"],
    )


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Two reports with hostile texts wherever a text can stand, their index and their comparison."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPORT_OUTPUTS", str(folder))
        make_hostile(folder)
    return folder / "smoke"


def make_hostile(made):
    """Writes the reports of `hostile`."""
    everything = " ".join(HOSTILE.values())
    samples = [text_of("greedy", text) for text in HOSTILE.values()]
    samples += [text_of(text, text) for text in HOSTILE.values()]
    measured = made_records.samplers(
        greedy=made_records.text_group(everything, 3, 4, diversity=0.5),
        beside_people={everything: made_records.beside_people(0.0, 1.0)},  # which the answer names
        samples=samples,
        named_again=list(HOSTILE.values()),
        seen=[made_records.seen_text(text, text, [text]) for text in HOSTILE.values()],
        explorer=made_records.explorer(tokens=[*HOSTILE.values()][:4]),
    )
    shown = [
        ("samples", {"by": "label", "labels": ["greedy"], "marked": True}),
        ("samples", {"by": "sampler", "down": "label", "labels": list(HOSTILE.values())}),
        ("poems", {"labels": list(HOSTILE.values())}),
        (
            "table",
            {"rows": [{"prompt": text, "text": text + text} for text in HOSTILE.values()], "caption": everything},
        ),
        ("text", {"text": HOSTILE["script"]}),
        *((name, {}) for name in ("model", "parameter_list", "named_again", "finding", "answer", "environment")),
        ("corpus", {"number": 0}),
        ("repetition", {"caption": "table_repetition"}),
        ("seen", {"across": 3}),
        ("explorer", {}),
    ]
    outputs = [
        nbformat.v4.new_output("display_data", {views.MIME: {"view": view, "options": options}, "text/html": "old"})
        for view, options in shown
    ]
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# Hostile\n\n**Question.** What?"),
        nbformat.v4.new_code_cell("1", outputs=outputs),
    ]
    for name, changed in (("03_greedy_vs_top_k", {}), ("03_greedy_vs_top_k@12345678", {"prompts": [everything]})):
        folder = made / "smoke" / name
        folder.mkdir(parents=True)
        results = made_records.results(
            "03_greedy_vs_top_k",
            measured,
            profile="smoke",
            changed=changed,
            parameters={"k": 5, "seed": 1, "prompts": [everything + name]},
            models=[made_records.model(name=everything, source=everything, attempts=[everything])],
            corpora=[made_records.corpus(name=everything, source=everything, licence=everything)],
            stand_ins=[made_records.stand_in(everything, everything)],
        )
        recorder.write(folder, results)
        executed.write(notebook, folder / executed.NAME)
    site.render("smoke")
    assert side_by_side.main(["03_greedy_vs_top_k", "03_greedy_vs_top_k@12345678", "--profile", "smoke"]) == 0


@pytest.mark.parametrize("name", ["report", "variant", "index", "index.zh", "compare"])
def test_untrusted_text_is_seen_and_breaks_nothing(chromium, hostile, name):
    files = {
        "report": "03_greedy_vs_top_k/report.html",
        "variant": "03_greedy_vs_top_k@12345678/report.html",
        "compare": "compare/03_greedy_vs_top_k--03_greedy_vs_top_k@12345678.html",
    }
    with browser.page_of(chromium, hostile / files.get(name, f"{name}.html"), browser.PHONE) as (page, wrong):
        shoot(page, f"hostile-{name}", full_page=False)  # which would be too high for a picture
        seen = page.locator("main").inner_text()
        for kind, text in HOSTILE.items():
            for line in VISIBLE.get(kind, text).splitlines():
                assert " ".join(line.split()) in " ".join(seen.split()), kind
        assert wrong == []
        assert page.evaluate("window.broken") is None
        assert page.locator("h1").count() == 1
        assert page.get_by_role("link", name="link").count() == 0
        assert browser.overflow(page) == 0


def test_a_sample_in_the_readme_shows_what_was_written(chromium, tmp_path):
    text = "\n".join(HOSTILE[kind] for kind in ("script", "markup", "Markdown", "ANSI", "direction"))
    page = tmp_path / "readme.html"
    page.write_text(f'<meta charset="utf-8">{site.nbconvert.filters.markdown2html(readme._quote(text))}')
    with browser.page_of(chromium, page) as (opened, wrong):
        seen = " ".join(opened.locator("body").inner_text().split())
        assert opened.locator("a, h1, h2, code, strong, table, img, script, hr").count() == 0
        assert wrong == []
    for kind in ("script", "markup", "Markdown", "ANSI", "direction"):
        for line in VISIBLE.get(kind, HOSTILE[kind]).splitlines():
            assert " ".join(line.split()) in seen


def test_bytes_that_are_no_text_come_out_of_the_tokenizer_as_signs_that_can_be_seen(tiny_lm):
    tokenizer = tiny_lm.preprocessor.tokenizer
    ids = [int(one) for one in tokenizer("春")][:2]
    assert byte_level.token_bytes(ids, tokenizer).decode(errors="replace") == "�"
