"""The views of samplers, loops and repetition."""

from matplotlib.figure import Figure

from lib.core.records import Rounds, TextGroup
from lib.evaluation import metrics
from lib.report import explorer as explorers
from lib.report import figures, html, samplers_words, tables
from lib.report import seen as seen_texts
from lib.report.page import Page, drawing, view


def _groups(page: Page) -> list[TextGroup]:
    measured = page.measured
    return measured.groups if hasattr(measured, "groups") else measured.texts


@view
def repetition(page: Page, caption: str, first: bool = False) -> str:
    """How much the texts of each group repeat themselves.

    Args:
        page: The page.
        caption: A name in `sentences/`; its values are `count` (texts of a group) and `seed`.
        first: Whether only greedy, top-k and people are shown.
    """
    groups = _groups(page)
    if first:
        groups = [page.measured.greedy, page.measured.top_k, page.measured.people]
    told = page.say(caption, count=groups[0].texts, seed=page.results.parameters["seed"])
    made = page.table(tables.text_groups(groups, metrics.Table.REPETITION), told)
    return made if first else made + _rest(page, metrics.Table.REPETITION)


def _rest(page: Page, table: metrics.Table) -> str:
    """The metrics of all groups for which a table of six columns has no room."""
    rows = tables.text_groups(_groups(page), table, rest=True)
    return html.folded(page.say(f"rest_{table}"), page.table(rows))


@view
def variety(page: Page) -> str:
    """How varied, copied and likely the texts of each group are."""
    made = page.table(tables.text_groups(_groups(page), metrics.Table.VARIETY), page.say("table_variety"))
    return made + _rest(page, metrics.Table.VARIETY)


@view
def finding(page: Page) -> str:
    """How the samplers compare with people."""
    first, *others = samplers_words.finding(page.measured, page.language).split("\n")
    return html.paragraph(first) + html.bullets(others)


@view
def held_out_loops(page: Page) -> str:
    """How many of people's texts have a loop."""
    told = page.measured.held_out_loops
    if not told.loops and not told.loops_holtzman:
        return html.paragraph(page.say("held_out_no_loops", texts=told.texts), "note")
    return html.paragraph(page.say("held_out_loops", **told.model_dump()), "note")


@view
def differences(page: Page) -> str:
    """How much more greedy decoding repeats itself than top-k sampling and people, after the same beginnings."""
    measured = page.measured
    compared = {measured.top_k.label: measured.greedy_minus_top_k, measured.people.label: measured.greedy_minus_people}
    told = html.paragraph(samplers_words.repeated(measured, page.language))
    caption = page.say("table_differences", count=len(measured.openings))
    return html.beside(page.table(tables.differences(compared), caption), told)


def _repeated(page: Page) -> dict[str, Rounds]:
    told = page.measured.self_reinforcement
    return {figures.WRITTEN: told.written, figures.LOOPS: told.greedy, figures.STORIES: told.people}


@drawing
def repetition_probability(page: Page) -> tuple[Figure, str]:
    """How probable a sentence's tokens are, against how often it has been written."""
    return figures.repetition_probability(_repeated(page), language=page.language)


@view
def rounds(page: Page) -> str:
    """What greedy decoding and top-k sampling make of a sentence, round by round, folded."""
    lines = _repeated(page)
    made = page.table(tables.rounds(lines), page.say("table_rounds"))
    made += page.table(tables.rounds(lines, whole=True), page.say("table_whole_rounds"))
    return html.folded(page.say("rounds"), made + html.paragraph(page.say("rounds_explained"), "note"))


@view
def why_loops(page: Page) -> str:
    """How a repetition makes the next one more probable."""
    return "".join(html.paragraph(part) for part in samplers_words.why_loops(page.measured, page.language))


@view
def lesson(page: Page) -> str:
    """What is to be learned from the loops."""
    return html.paragraph(samplers_words.lesson(page.measured, page.language))


@view
def same_as_greedy(page: Page) -> str:
    """How many texts of each sampler equal greedy's."""
    return html.paragraph(samplers_words.same_as_greedy(page.measured, page.language))


@view
def named_again(page: Page) -> str:
    """The samplers that were named more than once; `""` if none was."""
    again = ", ".join(page.measured.named_again)
    return html.paragraph(page.say("named_again", samplers=again), "note") if again else ""


@view
def published(page: Page) -> str:
    """Published figures beside those of this run."""
    rows = tables.published(page.measured.published, page.measured.groups)
    told = samplers_words.published(page.measured, page.language)
    return page.table(rows, page.say("table_published")) + (html.paragraph(told) if told else "")


@view
def batch_times(page: Page) -> str:
    """The time of a batch with each sampler, folded."""
    made = page.table(tables.batch_times(page.measured.times), page.say("table_batch_times"))
    return html.folded(page.say("batch_times"), made)


@drawing
def repetition_by_perplexity(page: Page) -> tuple[Figure, str]:
    """Repetition and perplexity of every text, for each sampler and people."""
    return strips(page.measured, page.language)


def strips(measured, language: str) -> tuple[Figure, str]:
    counted = [text for text in measured.samples if text.prompt in measured.openings]
    return figures.repetition_by_perplexity(measured.groups, counted, measured.people.label, language)


@view
def seen(page: Page, across: int = 2) -> str:
    """Texts as the model sees them: each token on a ground by its probability; `""` in results without such texts.

    Args:
        page: The page.
        across: How many texts stand side by side on a wide page.
    """
    return seen_texts.block(page.measured.seen, across, page.language)


@view
def explorer(page: Page) -> str:
    """Sliders for temperature, k and p over next-token probabilities; `""` in results without them."""
    return explorers.block(page.measured.explorer, page.language)
