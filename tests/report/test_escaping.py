import html

import pytest

from lib.report import escaping


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain, 中文，é, 👍\tand\ntwo lines", "plain, 中文，é, 👍\tand\ntwo lines"),
        ("\x1b[31mred\x00\x7f", "␛[31mred␀␡"),
        ("a\r\nb\rc", "a\nb␍c"),
        ("\u202eabc\u2066\u200f\ufeff", "[U+202E]abc[U+2066][U+200F][U+FEFF]"),
        ("a\u2028b\x85\ud800", "a[U+2028]b[U+0085][U+D800]"),
    ],
)
def test_every_character_can_be_seen(text, seen):
    assert escaping.visible(text) == seen
    escaping.visible(text).encode()


def test_as_html_and_as_an_attribute_no_text_is_markup():
    text = "<b title=\"x\" id='y'>&amp;\n\x1b"
    assert escaping.as_html(text) == "&lt;b title=&quot;x&quot; id=&#x27;y&#x27;&gt;&amp;amp;<br>␛"
    assert html.unescape(escaping.attribute(text)) == escaping.visible(text)
    assert not set("<>\"'") & set(escaping.attribute(text))


def test_as_markdown_a_line_is_what_it_was():
    line = r"a **b** `c` [d](e) <f> | \ ~g~ &h; _i_ $x$ https://j www.k l@m"
    written = escaping.as_markdown(line)
    assert html.unescape(written) == line
    assert not set("*`[]<>|\\~_$@") & set(written) and "://" not in written and "www." not in written


@pytest.mark.parametrize("line", ["# a", "- a", "---", "===", "+ a", "1. a", "12) a", "    code", "\t- a", "> a"])
def test_at_the_beginning_of_a_line_too(line):
    written = escaping.as_markdown(line)
    assert html.unescape(written) == line and written.startswith("&#")


def test_what_is_no_markup_is_left_alone():
    assert escaping.as_markdown("custom-made, 1.5 + 2 (at 5:30)! #3") == "custom-made, 1.5 + 2 (at 5:30)! #3"
