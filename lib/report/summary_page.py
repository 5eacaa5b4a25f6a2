"""The views of the summary: the post's claims and figures."""

from matplotlib.figure import Figure

from lib.claims import beside_post, experiments, judgement, post, rules
from lib.core.records import CallState, ClaimKind, Timing
from lib.report import claims_words, figures, html, samplers_page, sweep_words, tables, words
from lib.report.page import Page, drawing, report_name, view


def _profile(page: Page) -> str:
    return page.results.profile


@view
def claims(page: Page, opinions: bool = False) -> str:
    """The post's claims: its words, the verdict, the figure that decides it, and, folded, how it was judged.

    Args:
        page: The page.
        opinions: Whether to show the post's opinions, which are not judged, instead.
    """
    judged = judgement.of_profile(_profile(page), page.measured.post_texts).claims
    shown = [claim for claim in judged if (claim.kind is ClaimKind.OPINION) == opinions]
    cards = [
        {
            **claims_words.claim(claim, page.language),
            "name": claim.name,
            "quote": claim.quote,
            "heading": claim.heading,
            "effects": page.table(
                claims_words.demand_rows(claim.evidence["demands"], page.language)
                if opinions and "demands" in claim.evidence
                else claims_words.effects(claim, page.language)
            ),
            "rule": {} if opinions else claims_words.rule(claim, page.language),
            "report": {
                "file": f"../{post.rules()[claim.name]['report']}/{report_name(page.language)}",
                "title": words.title(post.rules()[claim.name]["report"], page.language),
            },
            "sweeps": [] if opinions else _sweeps(page, post.rules()[claim.name]["report"]),
        }
        for claim in shown
    ]
    rule = html.folded(page.say("rule_heading"), html.paragraph(page.say("rule_words")))
    return ("" if opinions else rule) + html.claims(cards, page.language)


def _sweeps(page: Page, notebook: str) -> list[dict[str, str]]:
    """Return what sweeps of a report found about other settings and seeds."""
    return [
        {
            "file": f"../../{results.profile}/{results.notebook}/{report_name(page.language)}",
            "question": results.measured.question[page.language],
            "found": sweep_words.found(results.measured, 0, page.language),
        }
        for results in experiments.sweeps(_profile(page))
        if results.measured.notebook == notebook
    ]


@view
def post_texts(page: Page) -> str:
    """The texts that the post prints, with their measures."""
    return page.table(tables.post_texts(page.measured.post_texts, page.language), page.say("table_post_texts"))


@view
def beside(page: Page) -> str:
    """The post's figures beside those of this run, and why they differ."""
    rows = beside_post.rows(experiments.load(_profile(page)), post.blog_post())
    keys = {"what": "heading_what", "post": "heading_post", "here": "heading_run", "why": "heading_why"}
    told = [claims_words.beside(row, page.language) for row in rows]
    return page.table(
        [{page.say(heading): row[key] for key, heading in keys.items()} for row in told], page.say("table_beside")
    )


@drawing
def speed(page: Page) -> tuple[Figure, str]:
    """The time of a call before and after fine-tuning, in the post and in this run."""
    found, told = experiments.load(_profile(page)), post.blog_post()
    as_in_post, around = found.baseline.measured.most_like_the_post, found.reddit.measured.timing
    first, later = CallState.FIRST, CallState.LATER
    of_post = [("before", first, told["baseline"]["seconds"]), ("after", first, told["reddit"]["seconds_after"])]

    def calls(when: str, timing: Timing) -> list[tuple[str, CallState, float]]:
        return [(when, first, timing.first_call_seconds), (when, later, timing.later_calls.median_seconds)]

    if as_in_post.backend:
        code = page.say("timed_as_in_post_on", backend=words.BACKENDS[as_in_post.backend])
    else:
        code = page.say("timed_as_in_post", step=words.step(as_in_post.step, page.language))
    groups = [
        (page.say("timed_post"), of_post),
        (code, calls("before", as_in_post)),
        (
            page.say("timed_around", step=words.step(around.before.step, page.language)),
            [*calls("before", around.before), *calls("after", around.after)],
        ),
    ]
    return figures.speed(groups, language=page.language)


@view
def compiling(page: Page) -> str:
    """What compiling changes in the calls here, and what that suggests for the post's."""
    found, told = experiments.load(_profile(page)), post.blog_post()
    sentence = claims_words.compiling(
        beside_post.compiling(found, told),
        told,
        found.reddit.measured.timing.before,
        rules.speed(found.reddit.measured.speed_ratio),
        page.language,
    )
    return html.paragraph(sentence)


@view
def rates(page: Page) -> str:
    """Tokens per second of the post's calls and of this run's, folded."""
    rows = beside_post.rates(experiments.load(_profile(page)), post.blog_post())
    table = page.table(tables.rates(rows, page.language), page.say("table_rates"))
    return html.folded(page.say("rates_folded"), table)


@drawing
def all_repetition(page: Page) -> tuple[Figure, str]:
    """Repetition and perplexity of every text, from the results of 03."""
    return samplers_page.strips(experiments.load(_profile(page)).samplers.measured, page.language)


def _bits(page: Page) -> dict[str, dict[str, float]]:
    """Bits per character by texts and model, in words."""
    found = beside_post.bits(experiments.load(_profile(page)))
    return {
        page.say(f"bits_{texts}"): {page.say(f"bits_{texts}_{model}"): one.value for model, one in models.items()}
        for texts, models in found.items()
    }


@drawing
def bits(page: Page) -> tuple[Figure, str]:
    """Bits per character on held-out texts."""
    return figures.bits_per_character(_bits(page), language=page.language)
