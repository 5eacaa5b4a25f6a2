import json
import math
import re

import browser
import made_records
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from lib.evaluation import seen
from lib.report import explorer, html, wording

STYLE = html.style("style.css", "parts.css")
needs_browser = pytest.mark.skipif(not browser.executable(), reason=browser.MISSING)


def data_of(made):
    """The JSON in a page."""
    return json.loads(re.search('<script type="application/json">(.*?)</script>', made, re.DOTALL)[1])


# What the page holds.


def test_results_without_the_records_show_nothing():
    assert explorer.block(None, "en") == ""


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_page_holds_the_probabilities_to_a_tenth_of_a_percent(language):
    record = made_records.explorer()
    told = data_of(explorer.block(record, language))
    assert told["temperatures"] == record.temperatures and told["vocabulary"][2:] == ["↵", "春"]
    for text, known in zip(told["texts"], record.texts, strict=True):
        assert text["best"] == known.best and text["rest"] == known.rest
        for fall, probabilities in zip(text["fall"], known.probabilities, strict=True):
            logs = -np.cumsum(fall) / explorer.PER_NAT
            np.testing.assert_allclose(np.exp(logs), probabilities, rtol=1e-3)


def test_a_probability_of_0_in_the_records_is_told_as_the_least_one():
    assert explorer.falls([0.5, 0.25, 0.0]) == [round(1000 * math.log(2)), round(1000 * math.log(2)), 0]


def test_what_ends_a_text_is_told_as_it_was_counted():
    assert "are suppressed" in explorer.block(made_records.explorer(), "en")
    assert "are not suppressed" in explorer.block(made_records.explorer(suppressed=False), "en")


def test_a_token_is_seen_and_ends_no_script():
    hostile = "</script><img src=x onerror='window.broken = 1'>\x1b\u202e"
    made = explorer.block(made_records.explorer(tokens=(hostile, " a", "\n", "<!--")), "en")
    assert made.count("</script") == 2 and "<img" not in made and "<!--" not in made
    assert not set("\x1b\u202e") & set(made)
    assert data_of(made)["vocabulary"] == [hostile.replace(" ", "␣")[:-2] + "␛[U+202E]", "␣a", "↵", "<!--"]


def test_as_much_as_a_report_holds_stays_below_500_kilobytes():
    rng = np.random.default_rng(0)
    places = range(seen.PLACES)
    weights = 1 / np.arange(1, seen.MOST + 1)
    texts = [
        made_records.explorer()
        .texts[0]
        .model_copy(
            update={
                "written": [" word"] * seen.PLACES,
                "written_tokens": [4999] * seen.PLACES,
                "written_ranks": [99] * seen.PLACES,
                "best": [rng.permutation(5000)[: seen.MOST].tolist() for _ in places],
                "probabilities": [(weights / weights.sum()).tolist() for _ in places],
                "rest": [[0.1234] * len(seen.TEMPERATURES) for _ in places],
            }
        )
        for _ in range(4)
    ]
    record = made_records.explorer(texts=texts, vocabulary=[" a long token"] * 5000, most=seen.MOST)
    assert len(explorer.block(record, "en").encode()) < 500_000


# The script, in a browser.


@pytest.fixture(scope="module")
def chromium():
    with browser.opened() as opened:
        yield opened


@pytest.fixture(scope="module")
def page_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorer")
    for language in wording.LANGUAGES:
        body = f"<main><h1>Explorer</h1>{explorer.block(made_records.explorer(), language)}</main>"
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Explorer</title>'
        page = f'<!DOCTYPE html><html lang="{language}"><head>{head}<style>{STYLE}</style></head>{body}</html>'
        (folder / f"{language}.html").write_text(page, "utf-8")
    return folder


def rows(page):
    """The rows of the table: token, and chance or that it is cut off."""
    cells = page.locator(".explorer tbody tr").all()
    return [(row.locator("th").inner_text(), row.locator("td.number").inner_text()) for row in cells]


def slide(page, part, value):
    page.locator(f"[data-part={part}]").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')) }", value
    )


SAMPLERS = [
    ({"k": 1}, "top_k"),
    ({"k": 3}, "top_k"),
    ({"p": 0.1}, "top_p"),
    ({"p": 0.6}, "top_p"),
    ({"p": 0.9}, "top_p"),
    ({"p": 0.5, "k": 4}, "top_p"),
    ({}, "random"),
]


@needs_browser
@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
@pytest.mark.parametrize(("options", "name"), SAMPLERS, ids=[f"{name} {options}" for options, name in SAMPLERS])
def test_the_script_cuts_off_what_kerashub_s_samplers_cut_off(chromium, page_files, options, name, temperature):
    from lib.models import samplers

    logits = np.log([0.3, 0.25, 0.15, 0.1, 0.08, 0.06, 0.04, 0.02])
    sampler = samplers.make_sampler(name, 1, temperature=temperature, **options)
    draws = 20_000
    probabilities = sampler.compute_probabilities(np.tile(logits.astype("float32"), (draws, 1)))
    drawn = np.bincount(np.asarray(sampler.get_next_token(probabilities)), minlength=len(logits)) / draws
    with browser.page_of(chromium, page_files / "en.html") as (page, _):
        given = {"logs": logits.tolist(), "temperature": temperature, "k": options.get("k"), "p": options.get("p", 1)}
        told = page.evaluate(
            "({logs, temperature, k, p}) => { const chances = chancesAt(logs, 0, temperature); "
            "return {chances, ...keptBy(chances, 0, k ?? Infinity, p)}; }",
            given,
        )
    np.testing.assert_allclose(told["chances"], np.asarray(probabilities)[0], rtol=1e-5)
    assert told["kept"] == [bool(share) for share in drawn]
    shares = np.where(told["kept"], told["chances"], 0) / told["total"]
    np.testing.assert_allclose(drawn, shares, atol=0.015)


@needs_browser
def test_what_the_page_does_not_list_is_counted_as_well(chromium, page_files):
    with browser.page_of(chromium, page_files / "en.html") as (page, _):

        def kept(rest, k, p):
            return page.evaluate(
                "([rest, k, p]) => keptBy(chancesAt([Math.log(0.5), Math.log(0.3)], rest, 1), rest, k ?? Infinity, p)",
                [rest, k, p],
            )

        assert kept(0.2, None, 1) == {"kept": [True, True], "others": 0.2, "total": pytest.approx(1)}
        assert kept(0.2, 2, 1) == {"kept": [True, True], "others": 0, "total": pytest.approx(0.8)}
        assert kept(0.2, None, 0.9)["others"] == pytest.approx(0.1)
        assert kept(0.2, None, 0.4) == {"kept": [True, False], "others": 0, "total": pytest.approx(0.5)}
        flat = page.evaluate("chancesAt([Math.log(0.5), Math.log(0.3)], 0.4, 2)")
        assert flat == pytest.approx([0.6 * 0.5**0.5 / (0.5**0.5 + 0.3**0.5), 0.6 * 0.3**0.5 / (0.5**0.5 + 0.3**0.5)])


@needs_browser
def test_the_explorer_draws_and_follows_its_sliders(chromium, page_files):
    with browser.page_of(chromium, page_files / "en.html") as (page, wrong):
        assert page.locator(".explorer").is_visible()
        assert [name for name, _ in rows(page)] == ["␣the", "␣a", "↵", "春", "all but these 20"]
        shares = [float(share.removesuffix(" %")) for _, share in rows(page)]
        assert shares == pytest.approx([60, 20, 10, 5, 5], rel=0.01)
        assert "Cut off: 0 % of" in page.locator("[data-part=kept]").inner_text()
        slide(page, "k", 1)  # the second stop: 2
        assert [share for _, share in rows(page)] == ["75.0 %", "25.0 %", "cut off", "cut off", "cut off"]
        assert (
            page.locator("[data-part=kept]").inner_text()
            == "Tokens to draw from: 2. Cut off: 20.0 % of the probability."
        )
        slide(page, "temperature", 2)  # 2.0
        assert rows(page)[0][1] == f"{100 * 0.6**0.5 / (0.6**0.5 + 0.2**0.5):.1f} %"
        slide(page, "p", 0.05)
        assert rows(page)[0][1] == "100 %"
        page.get_by_role("button", name="Draw ten times").click()
        assert page.locator("[data-part=drawn]").inner_text().split() == ["Drawn:", *["␣the"] * 10]
        slide(page, "position", 2)
        assert page.locator("[data-part=so-far]").inner_text().split() == ["My", "trip", "was", "the", "the", "[?]"]
        assert page.locator("[data-part=drawn]").inner_text() == ""
        page.locator("[data-part=text]").select_option("1")
        assert "↵, the token of rank 3" in page.locator("[data-part=written]").inner_text()
        assert page.locator(".explorer tbody mark").inner_text() == "↵"
        assert wrong == []


@needs_browser
def test_the_explorer_works_with_a_keyboard_and_says_what_it_shows(chromium, page_files):
    with browser.page_of(chromium, page_files / "en.html") as (page, _):
        slider = page.get_by_label("Place in the text")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") == "2 of the first 3"
        page.get_by_label("Top-k, k").focus()
        page.keyboard.press("Home")
        assert page.get_by_label("Top-k, k").get_attribute("aria-valuetext") == "1"
        assert rows(page)[0][1] == "100 %"
        assert page.get_by_role("status").count() == 2


@needs_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_explorer_fits_a_phone_and_is_accessible(chromium, page_files, language, dark):
    with browser.page_of(chromium, page_files / f"{language}.html", browser.PHONE, dark) as (page, wrong):
        slide(page, "k", 0)
        assert browser.overflow(page) == 0 and wrong == []
        found = Axe().run(page).response["violations"]
        assert [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")] == []
        words = page.locator(".explorer").inner_text()
        assert ("温度" in words and "截去" in words) is (language == "zh")
        assert not re.search("[{}]", words)


@needs_browser
def test_without_a_script_a_sentence_stands_in_its_place(chromium, page_files):
    with browser.page_of(chromium, page_files / "en.html", script=False) as (page, wrong):
        assert not page.locator(".explorer").is_visible()
        assert "With JavaScript" in page.content() and wrong == []
