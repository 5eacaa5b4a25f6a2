"""Nothing but names, code and generated texts is in English on a Chinese page."""

import re

import bs4
import made_records
import pytest
from test_views import SHOWN, evaluated, outputs, page_of, results_of  # noqa: F401  (a fixture is among them)

from lib.core import paths, records

NOT_OURS = "script, code, pre, td.text, .poem p, .seen .text, li[lang], .variant"  # code, texts, what programs said
PHRASE = re.compile(r"[a-z]{2,}(?: [a-z]{2,})+")  # two English words or more, without a capital
WORD = re.compile(
    r"(?<![/-])\b(?:people|before|after|texts?|yes|no|none|models?|mean|median|seconds?|tokens?|poems?|stories|round)\b(?!/)"
)
QUOTED = {"trip was", "he said", "she said"}  # a prompt, and examples of English words


def english_in(made):
    """The English words of a view."""
    soup = bs4.BeautifulSoup(made, "html.parser")
    told = [image.get("alt", "") for image in soup.select("img")]
    for part in soup.select(NOT_OURS):
        part.decompose()
    told += [text for text in soup.stripped_strings]
    told += [part[name] for name in ("aria-label", "data-label", "title") for part in soup.select(f"[{name}]")]
    return {english for text in told for english in words(text)}


def words(text):
    return {*PHRASE.findall(text), *WORD.findall(text)} - QUOTED


def data_of(results):
    """What a page quotes: parameters, training texts, beginnings, what programs say of the machine."""
    quoted = [getattr(results.measured, name, "") for name in ("examples", "openings", "machine", "gpu")]
    return f"{list(results.parameters.values())} {quoted}"


@pytest.mark.parametrize("notebook", made_records.RECORDED)
def test_no_view_of_a_chinese_page_has_english_words(outputs, notebook):  # noqa: F811
    results = results_of(notebook)
    page, left = page_of(results, outputs, "zh"), {}
    data = data_of(results)
    shown = [(view, evaluated(options, results)) for view, options in SHOWN[notebook]]
    for view, options in [
        *shown,
        ("parameter_list", {}),
        ("answer", {}),
        ("environment", {}),
        ("corpus", {"number": 0}),
    ]:
        if found := {one for one in english_in(page.show(view, **options)) if one not in data}:
            left[view, str(options)] = found
    assert left == {}


@pytest.mark.parametrize("notebook", made_records.RECORDED)
def test_no_figure_of_a_chinese_page_has_english_words(outputs, notebook):  # noqa: F811
    page = page_of(results_of(notebook), outputs, "zh")
    left = {}
    for view, options in SHOWN[notebook]:
        if view == "figure":
            name = evaluated(options, page.results)["name"]
            page.show(view, name=name)
            drawn = (page.folder / page.figure_file(name)).read_text(encoding="utf-8")
            texts = re.findall("<text[^>]*>(.*?)</text>", drawn, re.DOTALL)
            if found := {english for text in texts for english in words(text)}:
                left[name] = found
    assert left == {}


COMMITTED = ("cpu", "bench")  # other profiles hold runs of the reader's own
PAGES = sorted(page for profile in COMMITTED for page in (paths.ROOT / "outputs" / profile).rglob("*.zh.html"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_no_committed_chinese_page_has_english_words(page):
    results, data = page.with_name("results.json"), ""
    if results.is_file():
        data = data_of(records.load(results))
    found = english_in(page.read_text(encoding="utf-8"))
    assert {one for one in found if one not in data} == set()
