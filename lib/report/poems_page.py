"""The views of poems, and of the model from scratch."""

from matplotlib.figure import Figure

from lib.core.records import Estimate, FromScratch, PoemForm, PoemScale, Sample
from lib.evaluation import prosody
from lib.report import figures, html, poem_cards, poems_words, tables, wording
from lib.report.page import Page, drawing, view


@view
def example_poems(page: Page) -> str:
    """The first training poems, with author and title."""
    titles, texts = zip(*page.measured.examples, strict=True)
    counted = poem_cards.counts(list(texts))
    cards = [_poem_card(page, *card) for card in zip(titles, texts, counted, strict=True)]
    return html.poems(cards) + _poem_marks(page)


def _poem_card(page: Page, head: str, poem: str, counted: dict, note: str = "", given: int = 0) -> dict:
    """Return what `html.poems` shows of a poem."""
    told = poems_words.poem_counts(counted, page.language)
    return {"head": head, "lines": poem_cards.marked(poem, given), "notes": [told, note]}


def _poem_marks(page: Page) -> str:
    """Explain the marks beside the characters of a poem."""
    marks = {name: poem_cards.MARKS[getattr(prosody, name.upper())] for name in TONES}
    return html.paragraph(page.say("poem_marks", **marks), "note")


TONES = ("level", "oblique", "ambiguous", "unknown")


@view
def poems(page: Page, labels: list[str], fine_tuned: bool = False) -> str:
    """The best, the median and the worst poem from each prompt by their points, and one by a Tang poet.

    Args:
        page: The page.
        labels: The groups of poems; all but the first are folded away.
        fine_tuned: Whether they are those of the fine-tuned model that this one is compared with. The marks and the
            points are explained beside the model's own.
    """
    first, *others = labels
    told = _ranked_poems(page, first, fine_tuned, [] if fine_tuned else [_spring_dawn(page)])
    for label in others:
        summary = page.say("fold_poems", label=wording.label(label, page.language))
        told += html.folded(summary, _ranked_poems(page, label, fine_tuned))
    if fine_tuned:
        return told
    return told + _poem_marks(page) + html.paragraph(page.say("poem_points"), "note")


def _ranked_poems(page: Page, label: str, fine_tuned: bool, beside: list[dict] = ()) -> str:
    """Show three poems from each prompt; the cards `beside` stand with those of the first."""
    by_prompt: dict[str, list[Sample]] = {}
    for sample in page.measured.fine_tuned.samples if fine_tuned else page.measured.samples:
        if sample.label == label:
            by_prompt.setdefault(sample.prompt, []).append(sample)
    told, named = "", wording.label(label, page.language)
    for prompt, group in by_prompt.items():
        cards = []
        for place, sample, counted in poem_cards.ranked(group):
            head = page.say(f"poem_{place}", **_points(counted))
            note = page.say("poem_drawn", seed=sample.seed, number=sample.number)
            cards.append(_poem_card(page, head, sample.text, counted, note, len(prompt)))
        told += html.paragraph(page.say("poems_chosen", label=named, prompt=prompt, count=len(group)))
        told += html.poems([*cards, *beside])
        beside = ()
    return told


def _spring_dawn(page: Page) -> dict:
    """Return the card of the poem that the post's prompt is taken from."""
    (counted,) = poem_cards.counts([poem_cards.SPRING_DAWN])
    head = page.say("poem_tang", **_points(counted))
    return _poem_card(page, head, poem_cards.SPRING_DAWN, counted, page.say("poem_tang_note", title="春曉"))


def _points(counted: dict) -> dict:
    return {"points": f"{counted['points']:.2g}", "most": poem_cards.MOST_POINTS}


@view
def tokens_per_character(page: Page) -> str:
    """How many tokens a Chinese character takes."""
    return html.paragraph(page.say("tokens_per_character", tokens=page.measured.tokens_per_character))


@view
def poem_demands(page: Page) -> str:
    """The three demands that the post names, beside Tang poets and chance; each run is folded away."""
    scale, rows, by_run = _scale(page), [], []
    for name, runs, over_runs in _poem_groups(page):
        rows.append((name, over_runs if len(runs) > 1 else runs[0].shares))
        by_run += [(page.say("group_run", name=name, run=run), form.shares) for run, form in enumerate(runs, 1)]
    rows.append((page.say("group_whole"), scale.tang_poets.shares))
    rows.append((page.say("group_middle"), scale.regulated_middle.shares))
    rows.append((page.say("group_outer"), scale.regulated_outer.shares))
    by_chance = {share: scale.chance(share) for share in ("rhyme", "parallel_tones", "parallel_words")}
    rows.append((page.say("group_chance"), by_chance))
    told = page.table(tables.poem_demands(rows), page.say("table_demands"))
    told += html.paragraph(poems_words.poems_beside_chance(page.measured, page.language))
    if isinstance(page.measured, FromScratch) and (short := poems_words.short_poems(page.measured, page.language)):
        told += html.paragraph(short)
    return told + html.folded(page.say("fold_runs"), page.table(tables.poem_demands(by_run), page.say("table_runs")))


def _scale(page: Page) -> PoemScale:
    return page.measured.fine_tuned.scale if hasattr(page.measured, "fine_tuned") else page.measured.form


def _poem_groups(page: Page) -> list[tuple[str, list[PoemForm], dict[str, Estimate]]]:
    """The groups of generated poems, by prompt: name, the form of each run, the means over the runs."""
    measured = page.measured
    if hasattr(measured, "fine_tuned"):
        theirs = measured.fine_tuned
        groups = [
            (page.say("group_scratch", prompt=prompt), [run.form_by_prompt[prompt] for run in measured.runs], over)
            for prompt, over in measured.form_over_runs.items()
        ]
        forms = [run.form_by_prompt[theirs.prompt] for run in theirs.runs]
        groups.append((page.say("group_fine_tuned", prompt=theirs.prompt), forms, theirs.form_over_runs))
    else:
        groups = [
            (page.say("group_before", prompt=prompt), [run.before_by_prompt[prompt] for run in measured.runs], over)
            for prompt, over in measured.before_over_runs.items()
        ]
        groups += [
            (page.say("group_after", prompt=prompt), [run.form_by_prompt[prompt] for run in measured.runs], over)
            for prompt, over in measured.after_over_runs.items()
        ]
    return [(name, *_of_several_poems(forms, over)) for name, forms, over in groups]


def _of_several_poems(
    runs: list[PoemForm], over_runs: dict[str, Estimate]
) -> tuple[list[PoemForm], dict[str, Estimate]]:
    """Leave out what few poems decide: a share needs several poems in each run, and has no interval in a run of one."""
    kept = {share for share in over_runs if all(run.shares[share].has_interval for run in runs)}

    def of(shares: dict[str, Estimate]) -> dict[str, Estimate]:
        return {share: one if share in kept else Estimate(value=None) for share, one in shares.items()}

    return [run.model_copy(update={"shares": of(run.shares)}) for run in runs], of(over_runs)


@view
def poem_forms(page: Page) -> str:
    """The rest of the form of the poems of the first run; how much there was to judge is folded away."""
    scale = _scale(page)
    groups = [(name, runs[0]) for name, runs, _ in _poem_groups(page)]
    groups += [(page.say("group_whole"), scale.tang_poets), (page.say("group_shuffled"), scale.shuffled)]
    counts = page.table(tables.poem_counts(groups, page.language), page.say("table_counts"))
    return page.table(tables.poem_forms(groups), page.say("table_form")) + html.folded(page.say("fold_counts"), counts)


@view
def parallelism_told(page: Page) -> str:
    """Whether the two measures of parallelism tell couplets that must be parallel from those that need not be."""
    return html.paragraph(poems_words.parallelism(_scale(page), page.language))


@drawing
def demands(page: Page) -> tuple[Figure, str]:
    """The three demands, with a dot for each run, beside ceiling and chance."""
    return _demands(page, _poem_groups(page), _scale(page))


def _demands(page: Page, groups: list[tuple[str, list[PoemForm], dict[str, Estimate]]], scale: PoemScale):
    by_share = {share: (scale.ceiling(share), scale.chance(share)) for share in figures.DEMANDS}
    return figures.poem_demands(groups, by_share, language=page.language)


@view
def asked(page: Page) -> str:
    """What the model from scratch is asked in place of the prompts in simplified characters."""
    return html.paragraph(poems_words.asked(page.measured.asked, page.language))


@view
def first_poem(page: Page) -> str:
    """A poem line by line."""
    marks = {name: getattr(prosody, name.upper()) for name in TONES}
    told = html.paragraph(page.say("first_poem_explained", **marks), "note")
    return html.beside(page.table(tables.poem_lines(page.measured.first_poem, page.language)), told)


@view
def vocabulary(page: Page) -> str:
    """The size of the model from scratch, and how many tokens the prompts take."""
    measured = page.measured
    rows = {"parameters of the model": measured.parameters, "tokens in the vocabulary": measured.vocabulary_size}
    rows |= {page.say("tokens_of", text=prompt): count for prompt, count in measured.prompt_tokens.items()}
    return page.table([{"what": name, "count": count} for name, count in rows.items()])


@view
def trainings(page: Page) -> str:
    """The cost of the two trainings, and their machines."""
    told = poems_words.trained_where(page.measured.fine_tuned.machine, page.results.machine, page.language)
    table = page.table(tables.trainings(page.measured), page.say("table_trainings"))
    return html.beside(table, html.paragraph(told, "note"))


@view
def likelihoods(page: Page) -> str:
    """Bits per character of both models on the same poems."""
    measured = page.measured
    theirs = measured.fine_tuned.likelihood
    rows = {
        "from scratch": measured.likelihood,
        "fine-tuned": theirs.after,
        "the same before fine-tuning": theirs.before,
    }
    caption = page.say("table_likelihoods", count=measured.likelihood.texts, characters=measured.likelihood.characters)
    told = poems_words.difference(measured.bits_per_character_difference, page.language)
    told += poems_words.difference_over_runs(measured, page.language)
    return html.beside(page.table(tables.likelihoods(rows), caption), html.paragraph(told))


@view
def contests(page: Page) -> str:
    """Which model is better, measure by measure."""
    return page.table(tables.contests(page.measured), page.say("table_contests"))
