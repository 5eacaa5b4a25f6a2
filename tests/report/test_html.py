import math
import re
from html.parser import HTMLParser

import made_records
import pytest

from lib.evaluation import metrics
from lib.report import html, poem_cards


def text_of(label, prompt="I", **changes):
    return made_records.sample(label, prompt, changes.pop("text", f" {label}"), seed=7, new_tokens=5, **changes)


def test_tables_are_escaped_and_chinese_is_marked_as_such():
    row = {"text": "<script>alert(1)</script>", "poem": "春眠", "seconds": 1234.5678, "ok": True, "no": None}
    page = html.table([row], caption="a < b")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<caption><span>a &lt; b</span></caption>" in page
    assert '<td lang="zh">春眠</td>' in page
    assert '<td class="number">1,235</td>' in page
    assert ">yes</td>" in page and ">–</td>" in page
    assert page.index(">text</th>") < page.index(">poem</th>") < page.index(">seconds</th>")


def test_a_column_s_name_is_escaped_and_shown_with_spaces():
    page = html.table([{"first_call < s": 1.0}])
    assert '<th scope="col" class="number">first call &lt; s</th>' in page
    assert 'aria-label="Table of first call &lt; s"' in page
    assert 'aria-label="Times"' in html.table([{"a": 1}], "Times")


def test_a_number_has_a_comma_and_a_dash_where_there_is_none():
    page = html.table([{"a": 12345, "b": math.nan, "c": 0.012345, "d": False}])
    assert '<td class="number">12,345</td><td class="number">–</td><td class="number">0.0123</td>' in page
    assert ">no</td>" in page


def test_without_rows_there_is_no_table():
    assert html.table([]) == html.table([], "Times") == ""


def test_a_long_text_may_be_broken_into_lines_and_a_short_one_may_not():
    page = html.table([{name: "short" for name in "abcd"} | {"long": "long " * 10}])
    assert page.count('class="wide"') == 1 and '<td lang="en">short</td>' in page


def test_a_table_of_few_columns_and_long_texts_is_a_list_on_a_phone():
    page = html.table([{"what_it_is": "short", "seconds": 1.5}])
    assert "stacked" not in page and "data-label" not in page
    page = html.table([{"what_it_is": "long " * 10, "seconds": 1.5}])
    assert "<table class=stacked>" in page
    assert 'data-label="what it is"' in page and '<td class="number" data-label="seconds">1.50</td>' in page
    assert "stacked" not in html.table([{name: "long " * 10 for name in "abcde"}])


def test_samples_stand_side_by_side_with_prompt_sampler_and_seed():
    rows = [text_of(when, "I <", sampler="greedy") for when in ("before", "after")]
    page = html.samples(rows, by="label", caption="a < b")
    assert page.index(">before</th>") < page.index(">after</th>")
    assert "<b>I &lt;</b> before" in page and "<caption>a &lt; b</caption>" in page
    assert '<th scope="row" lang="en">I &lt;</th>' in page
    assert "greedy, seed 7, 5 new tokens" in page
    assert "sample 1" not in page
    for row in rows:
        row.seed = None
    assert ">greedy, 5 new tokens<" in html.samples(rows, by="label")


def test_the_sampler_is_not_told_twice():
    assert html.note(text_of("greedy", sampler="greedy"), marked=False) == "seed 7, 5 new tokens"


def test_texts_from_one_prompt_are_numbered_where_there_are_several():
    rows = [text_of(label, number=number) for number in (1, 2) for label in ("a", "b")]
    page = html.samples(rows, by="label")
    assert page.count("<tr>") == 1 + 2
    assert "sample 1" in page and "sample 2" in page


def test_samples_can_stand_in_rows_by_sampler_with_gaps():
    rows = [text_of(label, prompt) for label, prompt in (("greedy", "I"), ("greedy", "We"), ("people", "We"))]
    page = html.samples(rows, by="prompt", down="label")
    assert page.index(">I</th>") < page.index(">We</th>")
    assert page.index(">greedy") < page.index(">people")
    assert page.count("<td></td>") == 1 and "text by</th>" in page


def test_each_text_names_its_language_and_its_column():
    page = html.samples([text_of("a", "我爱中国!", text="拳")], by="label")
    assert '<th scope="row" lang="zh">我爱中国!</th>' in page
    assert '<td class="text" lang="zh" data-label="a"><b>我爱中国!</b>拳<div class="note" lang="en">' in page


def test_a_text_that_does_not_begin_with_its_prompt_is_shown_as_it_is():
    row = text_of("a", "I")
    row.text = "You\nwent"
    page = html.samples([row], by="label")
    assert ">You<br>went<div" in page and "<b>" not in page


def looped(prompt, text):
    told = metrics.repetition(text)
    return made_records.sample(
        "greedy",
        prompt,
        text.removeprefix(prompt),
        rep_4_percent=told["rep_4"],
        looped_percent=told["looped"],
        looped_spans=told["looped_spans"],
    )


def test_the_rounds_of_a_loop_are_marked_after_the_first():
    text = "I went home and slept and slept and slept and slept"
    page = html.samples([looped("I", text)], by="label", marked=True)
    assert "<b>I</b> went home and slept<mark> and slept and slept and slept</mark><div" in page
    assert "55 % of the words are highlighted, rep-4 38 %" in page
    page = html.samples([looped("I", "I went home")], by="label", marked=True)
    assert "<b>I</b> went home<div" in page and "<mark>" not in page and "0 % of the words are highlighted" in page


def test_a_loop_is_only_marked_where_that_is_asked_for():
    page = html.samples([looped("I", "I went home and slept and slept and slept and slept")], by="label")
    assert "<mark>" not in page and "looped" not in page


def poem(text, head="a", notes=("b", "")):
    return {"head": head, "lines": poem_cards.marked(text), "notes": notes}


def test_poems_are_set_a_line_a_clause_with_tones_below_and_letters_for_rhymes():
    page = html.poems([poem("春眠不覺曉，處處聞啼鳥。", "孟<浩然"), poem("<b>")])
    assert "<ruby>春<rt>○</rt></ruby>" in page and '<rt class="compared">●</rt>' in page
    assert '<b class="rhyme rhyme-a">鳥</b><rt>●</rt></ruby><sup class="rhyme rhyme-a">a</sup></span>。</p>' in page
    assert "，<br>" in page and "孟&lt;浩然" in page and "&lt;b&gt;" in page
    assert page.count('class="poem"') == 2 and page.count('<div class="note">b</div>') == 2


def test_what_is_folded_away_opens_at_its_summary():
    page = html.folded("a < b", html.paragraph("c"))
    assert page == '<details class="more-table"><summary>a &lt; b</summary><p class="">c</p></details>'


def test_a_picture_is_in_the_page_with_its_alternative_text(tmp_path):
    (tmp_path / "a.svg").write_text("<svg/>")
    page = html.figure(tmp_path / "a.svg", 'a "line"', "A < b.")
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in page
    assert 'alt="a &#34;line&#34;"' in page and "<figcaption>A &lt; b.</figcaption>" in page
    (tmp_path / "a.png").write_bytes(b"picture")
    assert html.data_uri(tmp_path / "a.png").startswith("data:image/png;base64,")


def test_what_was_tried_first_is_a_list_that_is_folded_and_stays_in_english():
    for language, told in (("en", "Used instead: a &amp; b."), ("zh", "改用：a &amp; b。")):
        page = html.attempts(["no <network>", "b"], "a & b", language)
        assert '<li lang="en">no &lt;network&gt;</li><li lang="en">b</li></ul></details>' in page and told in page


def test_a_folded_part_has_a_line_that_opens_it():
    page = html.folded("a < b", html.paragraph("c < d"))
    assert page.startswith('<details class="more-table"><summary>a &lt; b</summary><p class="">c &lt; d</p>')


def test_a_parameter_s_name_is_translated_in_no_table():
    rows = [{"parameter": html.Code("prompt"), "meaning": "prompt"}]
    assert "<td>prompt</td><td>提示</td>" in re.sub(' lang="[a-z]*"', "", html.table(rows, language="zh"))


def markup(page):
    """The names of all tags and attributes in a piece of HTML."""
    tags, attributes = set(), set()

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.add(tag)
            attributes.update(name for name, _ in attrs)

    Parser().feed(page)
    return tags, attributes


@pytest.mark.parametrize("hostile", ["\x1b[31m\x00", "\u202e\u2066", "a\ud800", '"><script>', "'onclick='x"])
def test_in_every_part_of_a_page_every_character_can_be_seen_and_none_is_markup(hostile, tmp_path):
    (tmp_path / "a.svg").write_text("<svg/>")
    sample = made_records.sample()
    sample.label = sample.sampler = sample.prompt = hostile
    sample.text = hostile * 2
    pages = [
        html.table([{hostile: hostile, "b": hostile * 40}], hostile),
        html.paragraph(hostile),
        html.figure(tmp_path / "a.svg", hostile, hostile),
        html.attempts([hostile], hostile),
        html.samples([sample], "label", hostile, marked=True),
        html.samples([sample], "prompt", down="label"),
        html.poems([poem(hostile, hostile, [hostile])]),
        html.folded(hostile, html.paragraph(hostile)),
    ]
    for page in pages:
        page.encode()
        assert not set("\x1b\x00\u202e\u2066") & set(page)
        tags, attributes = markup(page)
        assert "script" not in tags
        assert attributes <= {"class", "lang", "scope", "role", "aria-label", "tabindex", "data-label", "src", "alt"}


def test_a_paragraph_keeps_its_lines_and_its_kind():
    assert html.paragraph("a\n<b>", "note") == '<p class="note">a<br>&lt;b&gt;</p>'
