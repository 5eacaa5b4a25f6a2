import re

import matplotlib.pyplot as plt
import pytest

from lib.report import figures, fonts, recorder

POEM = "床前明月光，疑是地上霜。"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def labelled(text):
    figure, axes = plt.subplots()
    axes.bar([f"after {text}"], [1])
    axes.set_title(f"{text} $x^2$")
    return figure


def test_a_character_is_missing_if_no_font_of_the_figure_has_it(monkeypatch):
    assert fonts.missing(labelled("plain, é, ≥, →")) == set()
    monkeypatch.setitem(plt.rcParams, "font.family", [fonts.BASE])
    assert fonts.missing(labelled(POEM)) == set(POEM)


@pytest.mark.skipif(not fonts.chinese(), reason=fonts.ADVICE)
def test_with_a_chinese_font_every_glyph_of_a_chinese_label_is_drawn_and_none_is_a_box(recwarn, tmp_path):
    figure = labelled(POEM)
    assert figures.matplotlib.rcParams["font.family"] == [fonts.BASE, fonts.chinese()]
    assert fonts.replace_missing(figure) is None
    figure.savefig(tmp_path / "figure.svg")
    assert [str(warning.message) for warning in recwarn if "Glyph" in str(warning.message)] == []
    used = re.findall(r'xlink:href="#([\w-]+)-([0-9a-f]+)"', (tmp_path / "figure.svg").read_text())
    drawn = {int(glyph, 16) for font, glyph in used if not font.startswith("DejaVu")}
    font = fonts.font_manager.get_font(fonts.font_manager.findfont(fonts.chinese()))
    assert drawn == {font.get_char_index(ord(character)) for character in POEM}
    assert 0 not in {int(glyph, 16) for _, glyph in used}  # which is the box


def test_without_a_chinese_font_question_marks_stand_for_the_characters_and_it_is_said_what_to_install(
    monkeypatch, recwarn, tmp_path, capsys
):
    monkeypatch.setitem(plt.rcParams, "font.family", [fonts.BASE])
    shown = []
    monkeypatch.setattr(recorder, "display", lambda html: shown.append(html.data))
    (tmp_path / "out").mkdir()
    report = recorder.Results("00_summary", {"profile": "cpu", "output_dir": str(tmp_path / "out")})
    figure = labelled("月光")
    report.figure("poem", figure, alt="a bar", caption="A bar.")
    assert [str(warning.message) for warning in recwarn if "Glyph" in str(warning.message)] == []
    assert fonts.missing(figure) == set()
    assert figure.axes[0].get_title() == "?? $x^2$"
    assert "fonts-noto-cjk" in shown[-1] and "A bar." in shown[-1]
    assert "fonts-noto-cjk" in capsys.readouterr().out
    assert report.figures[0]["caption"] == f"A bar. {fonts.ADVICE}"


def test_a_machine_without_a_chinese_font_is_told_by_none(monkeypatch):
    fonts.chinese.cache_clear()
    monkeypatch.setattr(fonts.font_manager, "findSystemFonts", lambda: [])
    assert fonts.chinese() is None and fonts.families() == [fonts.BASE]
    fonts.chinese.cache_clear()
