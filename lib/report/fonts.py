"""Fonts for the figures: one with Chinese characters is looked for; where there is none, no boxes are drawn instead."""

import functools
import re
from pathlib import Path

from matplotlib import font_manager, rcParams
from matplotlib.text import Text

BASE = "DejaVu Sans"  # comes with matplotlib
# Files of fonts with simplified and traditional characters, the better ones first.
CHINESE = (
    "NotoSansCJK-Regular|NotoSansSC|NotoSansCJKsc|SourceHanSans|PingFang|HiraginoSansGB|Hiragino Sans GB|STHeiti|msyh|"
    "wqy-zenhei|wqy-microhei|DroidSansFallback|Arial Unicode|arialuni|simhei|simsun|uming"
)
SAMPLE = "春眠不觉晓覺曉"
ADVICE = (
    "No font with Chinese characters was found, so a question mark stands for each in the figures. Install one "
    "(Debian and Ubuntu: fonts-noto-cjk; Fedora: google-noto-sans-cjk-fonts; conda: font-ttf-noto-cjk) and run again."
)


@functools.cache
def chinese() -> str | None:
    """The family of a font with Chinese characters, which matplotlib then knows, or None if the machine has none."""
    files = sorted(Path(file) for file in font_manager.findSystemFonts())
    for name in CHINESE.split("|"):
        for file in files:
            if file.name.lower().startswith(name.lower()) and set(SAMPLE) <= _characters(str(file)):
                font_manager.fontManager.addfont(str(file))
                return font_manager.FontProperties(fname=str(file)).get_name()
    return None


def families() -> list[str]:
    """The families that a figure is drawn with: a character comes from the first that has it."""
    return [BASE] + ([chinese()] if chinese() else [])


def missing(figure) -> set[str]:
    """The characters of a figure that none of its fonts has: they would be drawn as boxes."""
    fonts = [font_manager.FontProperties(family=[family]) for family in rcParams["font.family"]]
    known = set().union(*(_characters(font_manager.findfont(font)) for font in fonts))
    written = "".join(text.get_text() for text in figure.findobj(Text))
    return {character for character in written if not character.isspace()} - known


def replace_missing(figure) -> str | None:
    """Puts a question mark in place of what would be drawn as a box.

    Returns:
        What to do about it, or None if the fonts have everything.
    """
    lost = missing(figure)
    if not lost:
        return None
    pattern = re.compile(f"[{re.escape(''.join(lost))}]")
    for axes in figure.axes:  # the labels of ticks are made anew when the figure is drawn
        for axis in (axes.xaxis, axes.yaxis):
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if any(map(pattern.search, labels)):
                axis.set_ticks(axis.get_ticklocs(), [pattern.sub("?", label) for label in labels])
    for text in figure.findobj(Text):
        text.set_text(pattern.sub("?", text.get_text()))
    return ADVICE


@functools.cache
def _characters(file: str) -> frozenset[str]:
    return frozenset(map(chr, font_manager.get_font(file).get_charmap()))
