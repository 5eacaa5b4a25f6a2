"""The views of what became of the Chinese prompt."""

from matplotlib.figure import Figure

from lib.report import baseline_words, figures, html, tables, wording
from lib.report.page import Page, drawing, view


@view
def quality(page: Page) -> str:
    """How far the texts after both prompts are from people's; what few readers need is folded away."""
    groups = page.measured.quality.groups
    told = page.table(tables.quality(groups), page.say("table_quality"))
    return told + html.folded(page.say("fold_quality"), page.table(tables.more_of_quality(groups)))


@view
def word_lists(page: Page) -> str:
    """The share of letters in words by several lists of words."""
    lists = page.measured.word_lists
    used = " ".join(wording.label(f"{one.name} list", page.language) for one in lists if one.used)
    return page.table(tables.word_lists(lists, page.language), page.say("table_word_lists", used=used))


@view
def gibberish_finding(page: Page) -> str:
    """What became of the Chinese prompt."""
    return "".join(map(html.paragraph, baseline_words.gibberish_finding(page.results, page.language)))


@drawing
def gibberish(page: Page) -> tuple[Figure, str]:
    """Letters in words and loops, for the texts after both prompts and people's."""
    quality = page.measured.quality
    return figures.gibberish(
        {
            "Chinese prompt": [
                ("model", quality.chinese),
                ("chance", quality.chinese_shuffled),
                ("people", quality.people_chinese),
                ("chance", quality.people_shuffled),
            ],
            "English prompt": [("model", quality.english), ("people", quality.people_stories)],
        },
        language=page.language,
    )
