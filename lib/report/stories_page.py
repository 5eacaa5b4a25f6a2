"""The views of the fine-tuning on stories: lengths, style, learning curve, speed."""

from matplotlib.figure import Figure

from lib.report import figures, html, stories_words, tables
from lib.report.page import Page, drawing, view


@view
def text_lengths(page: Page) -> str:
    """How long the texts are, beside the training texts."""
    ends, length = page.measured.ends, page.results.parameters["sequence_length"]
    counts = {"texts": ends.lengths.after.texts, "trained": ends.training.texts, "cut": ends.training.cut}
    caption = page.say("table_lengths", length=length, **counts)
    told = html.paragraph(stories_words.text_lengths(page.measured, page.language))
    return html.beside(page.table(tables.text_lengths(ends), caption), told)


@view
def text_ends(page: Page) -> str:
    """Why the texts end where they do."""
    measured, language = page.measured, page.language
    table = page.table(tables.end_probabilities(measured.ends), page.say("table_ends", texts=measured.ends.texts))
    quarters = page.table(tables.end_probabilities_by_quarter(measured.ends))
    return (
        table
        + html.folded(page.say("ends_by_quarter"), quarters)
        + html.paragraph(stories_words.text_ends(measured, page.results.parameters["k"], language))
        + html.paragraph(stories_words.ends_cause(measured, language))
    )


@drawing
def survival(page: Page) -> tuple[Figure, str]:
    """The share of texts that still go on, by new tokens."""
    ends = page.measured.ends
    runs = {label: getattr(ends.lengths, name) for name, label in tables.RUNS.items()}
    return figures.survival(runs, ends.training.median_tokens, language=page.language)


@view
def style_table(page: Page) -> str:
    """How well the texts can be told from people's."""
    told = page.measured.style
    caption = page.say("table_style", texts=told.texts, words=told.words)
    says = html.paragraph(stories_words.style(page.measured, page.language))
    return html.beside(page.table(tables.style(told), caption), says)


@drawing
def style(page: Page) -> tuple[Figure, str]:
    """How well the texts can be told from people's."""
    return figures.style(page.measured.style, language=page.language)


@view
def learning_table(page: Page) -> str:
    """Held-out texts after trainings on more or fewer stories."""
    curve = page.measured.learning_curve
    caption = page.say("table_curve", texts=len(curve.points[0].by_text), untrained=curve.untrained)
    told = html.paragraph(stories_words.learning_curve(page.measured, page.language))
    return html.beside(page.table(tables.learning_curve(curve), caption), told)


@drawing
def learning_curve(page: Page) -> tuple[Figure, str]:
    """Held-out bits per character against the number of stories."""
    measured = page.measured
    return figures.learning_curve(measured.learning_curve, measured.likelihood.before.by_text, language=page.language)


@view
def speed_ratio(page: Page) -> str:
    """How later calls before and after fine-tuning compare."""
    return html.paragraph(stories_words.speed_ratio(page.measured, page.language))
