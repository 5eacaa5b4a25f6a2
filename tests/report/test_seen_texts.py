import re

import browser
import made_records
import pytest
from axe_playwright_python.sync_playwright import Axe

from lib.report import html, seen, wording

STYLE = html.style("style.css", "parts.css")
TEXTS = [
    made_records.seen_text("greedy", pieces=[" a"] * 6, probabilities=(0.95, 0.6, 0.2, 0.05, 0.002, 0.0001)),
    made_records.seen_text("top-k", seed=7, sampler="top_k (k=5)"),
    made_records.seen_text("people", "春眠", "不覺", (0.9, 0.1)),
]
needs_browser = pytest.mark.skipif(not browser.executable(), reason=browser.MISSING)


def test_every_probability_is_of_the_class_that_the_legend_says():
    assert [seen.step(value) for value in (1.0, 0.9, 0.8999, 0.5, 0.1, 0.01, 0.001, 0.0009, 0.0)] == [
        *(0, 0, 1, 1, 2, 3, 4, 5, 5)
    ]
    assert seen.legend() == ["≥ 0.9", "0.5–0.9", "0.1–0.5", "0.01–0.1", "0.001–0.01", "< 0.001"]
    assert set(re.findall(r"\.s(\d) \{", STYLE)) == {str(number) for number in range(len(seen.legend()))}


def test_a_token_tells_its_rank_and_its_probability():
    text = made_records.seen_text(pieces=[" long", "."], probabilities=(0.954, 1e-9), ranks=[1, 12345])
    assert seen.pieces(text, "en") == [
        {"text": " long", "step": 0, "title": "rank 1, probability 0.95"},
        {"text": ".", "step": 5, "title": "rank 12,345, probability < 0.000001"},
    ]
    assert seen.pieces(text, "zh")[0]["title"] == "第 1 名，概率 0.95"


def test_a_character_of_several_tokens_has_the_product_of_their_probabilities():
    text = made_records.seen_text(pieces=["春", "。"], tokens=[2, 1], probabilities=[0.5, 0.1, 0.9], ranks=[1, 2, 1])
    first, second = seen.pieces(text, "en")
    assert first == {"text": "春", "step": 3, "title": "rank 1, probability 0.50; rank 2, probability 0.10"}
    assert second["step"] == 0


def test_the_share_of_first_choices_is_told():
    assert seen.note(TEXTS[0], "en") == "Of the 6 tokens, 33 % were the model's first choice (rank 1)."
    assert seen.note(made_records.seen_text(pieces=[], probabilities=[]), "en") == ""


def test_a_text_is_told_with_its_sampler_and_seed_if_it_was_drawn():
    assert [seen.drawn(text, "en") for text in TEXTS] == ["", "top_k (k=5), seed 7", ""]


def test_results_without_such_texts_show_nothing():
    assert seen.block([], 3, "en") == ""


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_texts_stand_in_their_own_language_whatever_the_page_s(language):
    made = seen.block(TEXTS, 3, language)
    assert re.findall('<p class="text" lang="([a-z]+)">', made) == ["en", "en", "zh"]
    assert ("概率" in made) is (language == "zh") and "across-3" in made


def test_a_line_break_is_seen_and_untrusted_text_runs_nothing():
    made = seen.block([made_records.seen_text("<b>", "<i>", ["\n", "<script>\x1b"])], 2, "en")
    assert "↵<br></span>" in made and "&lt;script&gt;␛" in made
    assert "<script" not in made and "<i>" not in made and "<b><b>" not in made


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("seen") / "page.html"
    body = f"<main><h1>Texts</h1>{seen.block(TEXTS, 3, 'en')}</main>"
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Texts</title>'
    file.write_text(f'<!DOCTYPE html><html lang="en"><head>{head}<style>{STYLE}</style></head>{body}</html>', "utf-8")
    return file


LUMINANCE = """colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(one => one / 255).map(
        one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; }"""


@needs_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_ground_is_told_from_the_others_and_can_be_read_on(page_file, dark):
    with browser.opened() as chromium, browser.page_of(chromium, page_file, dark=dark) as (page, wrong):
        grounds = []
        for number in range(len(seen.legend())):
            piece = page.locator(f".text .s{number}").first
            style = piece.evaluate(
                "one => { const style = getComputedStyle(one); const light = " + LUMINANCE + "; return "
                "{ ground: style.backgroundColor, line: style.borderBottomStyle, lights: [light(style.color), "
                "light(style.backgroundColor)], print: style.printColorAdjust } }"
            )
            dim, bright = sorted(style["lights"])
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (number, style)
            assert style["print"] == "exact"
            grounds.append((style["ground"], style["line"]))
        assert len({ground for ground, _ in grounds}) == len(grounds)
        assert [line for _, line in grounds] == ["none"] * 3 + ["dotted", "dashed", "solid"]  # without colours as well
        assert [rule["id"] for rule in Axe().run(page).response["violations"] if rule["impact"] == "serious"] == []
        assert wrong == []


@needs_browser
@pytest.mark.parametrize(("size", "rows"), [(browser.WIDE, 1), (browser.PHONE, 3)], ids=["wide", "phone"])
def test_texts_stand_side_by_side_on_a_wide_page_and_below_each_other_on_a_phone(page_file, size, rows):
    with browser.opened() as chromium, browser.page_of(chromium, page_file, size) as (page, _):
        tops = {one.bounding_box()["y"] for one in page.locator(".seen-text").all()}
        assert len(tops) == rows and browser.overflow(page) == 0
