"""The views of a sweep's report."""

from matplotlib.figure import Figure

from lib.report import html, sweep_figures, sweep_words, words
from lib.report.numbers import parameter, with_interval
from lib.report.page import Page, drawing, view

MOST_ROWS = 12  # of a table that is not folded


@view
def sweep_question(page: Page) -> str:
    """What the sweep is to answer, and what was run for it."""
    measured = page.measured
    told = page.say("comma").join(
        page.say("sweep_axis", name=name, values=page.say("comma").join(map(parameter, values)))
        for name, values in measured.grid.items()
    )
    if measured.fixed:
        told = page.say("sweep_fixed", grid=told, fixed=sweep_words.setting(measured.fixed, page.language))
    values = {"notebook": words.title(measured.notebook, page.language), "profile": measured.run_profile}
    ran = page.say("sweep_ran", grid=told, minutes=sweep_words.minutes(measured), **values)
    status = sweep_words.status(measured, page.language)
    if measured.machines:
        where = page.say("sweep_ran_on", machines=sweep_words.machines(measured, page.language))
        status = page.say("sentence_space").join([where, status])
    return html.paragraph(measured.question[page.language]) + html.paragraph(
        f"{ran}{page.say('sentence_space')}{status}"
    )


@view
def sweep_found(page: Page) -> str:
    """What was found on each figure."""
    return html.bullets(
        [sweep_words.found(page.measured, index, page.language) for index in range(len(page.measured.sweep_figures))]
    )


@view
def sweep_spreads(page: Page) -> str:
    """What makes each figure differ from run to run."""
    measured = page.measured
    rows = [
        {
            page.say("sweep_head_figure"): sweep_words.title(measured, index, page.language),
            page.say("sweep_head_settings"): words.number_or_dash(one.between_settings, 3),
            page.say("sweep_head_seeds"): with_interval(one.between_seeds, page.language),
            page.say("sweep_head_within"): words.number_or_dash(one.within_run, 3),
        }
        for index, one in enumerate(measured.spreads)
    ]
    return page.table(rows, page.say("sweep_table_spreads")) + html.paragraph(page.say("sweep_spreads_told"), "note")


@view
def sweep_settings(page: Page) -> str:
    """Each figure of each setting: the mean over the seeds."""
    measured = page.measured
    rows = [
        _point(page, one.point)
        | {page.say("sweep_head_runs"): one.runs}
        | {
            sweep_words.title(measured, index, page.language): with_interval(value, page.language)
            for index, value in enumerate(one.over_seeds)
        }
        for one in measured.settings
    ]
    return _folded_if_long(page, rows, page.say("sweep_table_settings"))


def _point(page: Page, point: dict) -> dict:
    return {name: html.Code(parameter(value)) for name, value in point.items()}


def _folded_if_long(page: Page, rows: list[dict], caption: str) -> str:
    return page.table(rows, caption) if len(rows) <= MOST_ROWS else html.folded(caption, page.table(rows))


@view
def sweep_differences(page: Page) -> str:
    """The best setting of each figure beside the others; `""` if there is one setting."""
    measured = page.measured
    rows = [
        {
            page.say("sweep_head_figure"): sweep_words.title(measured, one.figure, page.language),
            page.say("sweep_head_best"): sweep_words.setting(one.best, page.language),
            page.say("sweep_head_other"): sweep_words.setting(one.other, page.language),
            page.say("sweep_head_pairs"): one.pairs,
            page.say("sweep_head_difference"): with_interval(one.difference, page.language),
            page.say("sweep_head_clear"): sweep_words.is_clear(measured, one),
        }
        for one in measured.differences
    ]
    if not rows:
        return ""
    note = html.paragraph(page.say("sweep_differences_told"), "note")
    return _folded_if_long(page, rows, page.say("sweep_table_differences")) + note


@view
def sweep_runs(page: Page) -> str:
    """A table of the runs, folded, and of those that failed."""
    measured = page.measured
    failed = [
        _point(page, run.point)
        | {page.say("sweep_head_run"): html.Code(run.id), page.say("sweep_head_reason"): run.failed}
        for run in measured.runs
        if run.failed and not run.report
    ]
    rows = [
        {page.say("sweep_head_run"): html.Code(run.id)}
        | _point(page, run.point)
        | {
            sweep_words.title(measured, index, page.language): with_interval(value, page.language)
            for index, value in enumerate(run.values)
        }
        for run in measured.runs
        if run.report
    ]
    told = page.table(failed, page.say("sweep_table_failed")) if failed else ""
    links = html.links(
        [(sweep_words.setting(run.point, page.language), run.report) for run in measured.runs if run.report]
    )
    return told + html.folded(page.say("sweep_table_runs"), page.table(rows) + links)


@drawing
def sweep_over_grid(page: Page) -> tuple[Figure, str]:
    """Each figure over the grid."""
    return sweep_figures.over_grid(page.measured, page.language)


@drawing
def sweep_parallel(page: Page) -> tuple[Figure, str]:
    """Each setting over all parameters and figures."""
    return sweep_figures.parallel(page.measured, page.language)


@drawing
def sweep_heat(page: Page) -> tuple[Figure, str]:
    """Each figure over two parameters."""
    return sweep_figures.heat(page.measured, page.language)
