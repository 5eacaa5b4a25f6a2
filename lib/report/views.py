"""Make the tables, texts, poems and pictures of the pages from a report's records.

A notebook shows a view by its name (`Recorder.show`), and its output keeps that name and the options. So `make render`
can make the view again from `results.json`, with the current code and wording, without running anything.
"""

from pathlib import Path

from matplotlib.figure import Figure

from lib.claims import beside_post, experiments, judgement, post, rules
from lib.core import parameters, paths, redaction
from lib.core.records import CallState, ClaimKind, Estimate, PoemForm, PoemScale, Rounds, Sample, TextGroup, Timing
from lib.evaluation import metrics, prosody
from lib.report import (
    answers,
    baseline_words,
    bench_page,  # noqa: F401  (registers the views of the bench's page)
    claims_words,
    figures,
    html,
    numbers,
    poem_cards,
    poems_words,
    samplers_words,
    stories_words,
    tables,
    timing_words,
    wording,
    words,
)
from lib.report import explorer as explorers
from lib.report import seen as seen_texts
from lib.report.page import FIGURES, MIME, VIEWS, Page, drawing, report_name, view  # noqa: F401  (others take them from here)

# For any notebook: the options hold the content.


@view
def table(page: Page, rows: list[dict], caption: str = "") -> str:
    """A table of the given rows."""
    return page.table(rows, caption)


@view
def text(page: Page, text: str, kind: str = "") -> str:
    """A given paragraph."""
    return html.paragraph(text, kind)


@view
def picture(page: Page, file: str, alt: str, caption: str) -> str:
    """A picture that the notebook wrote into the report's folder."""
    return html.figure(page.folder / file, alt, caption)


@view
def figure(page: Page, name: str) -> str:
    """A figure that is drawn from the records, one of `FIGURES`."""
    drawn, alt = FIGURES[name](page)
    file = page.figure_file(name)
    (page.folder / file).parent.mkdir(parents=True, exist_ok=True)
    figures.save(drawn, page.folder / file)
    if page.language == "en" and file not in page.results.figures:
        page.results.figures.append(file)
    return html.figure(page.folder / file, alt, page.say(f"caption_{name}"), name)


def described(page: Page, file: str) -> tuple[str, str]:
    """Describe a figure of a report, and return its caption too; `""` for a figure that the notebook drew itself."""
    name = Path(file).stem
    return (FIGURES[name](page)[1], page.say(f"caption_{name}")) if name in FIGURES else ("", "")


# The beginning and the end of every report.


@view
def parameter_list(page: Page) -> str:
    """The parameters, with the values of the run, folded; `""` if there are none."""
    source = paths.NOTEBOOKS / f"{page.results.notebook}.ipynb"
    declared = parameters.declared(source) if source.is_file() else {}
    rows = [
        {
            "parameter": html.Code(name),
            "value": html.Code(numbers.parameter(value)),
            "meaning": declared[name].help if name in declared else "",
        }
        for name, value in page.results.parameters.items()
        if (name in declared or not declared) and name not in parameters.RUNNER_SETS
    ]
    return html.folded(page.say("parameters_folded"), page.table(rows)) if rows else ""


@view
def model(page: Page, number: int = 0) -> str:
    """The sources of the model that failed before one worked; `""` if none failed.

    Args:
        page: The page.
        number: Which of the models, from 0.
    """
    used = page.results.models[number]
    return (
        html.attempts([redaction.clean(attempt) for attempt in used.attempts], used.source, page.language)
        if used.attempts
        else ""
    )


@view
def corpus(page: Page, number: int) -> str:
    """The texts that were used: how many; folded, the source, the licence, and how many were found and dropped.

    Args:
        page: The page.
        number: Which of the corpora, from 0.
    """
    used = page.results.corpora[number]
    tried = [redaction.clean(attempt) for attempt in used.attempts]
    told = html.attempts(tried, used.source, page.language) if tried else ""
    name, kept = wording.label(used.name, page.language), used.counts.get("kept", 0)
    summary = page.say("corpus_folded", name=name, kept=kept)
    return told + html.folded(summary, page.table(tables.corpus(used, page.language)))


@view
def answer(page: Page) -> str:
    """The notebook's finding."""
    return html.paragraph(answers.answer(page.results, page.language), "answer")


@view
def environment(page: Page) -> str:
    """The environment that the report was made with, folded."""
    return html.folded(page.say("environment_folded"), page.table(tables.machine(page.results.machine, page.language)))


# Timing and training.


def _timings(page: Page) -> list[Timing]:
    measured = page.measured
    if hasattr(measured, "as_in_post"):
        return [timing for timing in (measured.as_in_post, measured.own_step) if timing is not None]
    if hasattr(measured, "fine_tuned"):
        return [measured.timing, measured.fine_tuned.timing]
    timing = measured.timing
    return [timing] if isinstance(timing, Timing) else [timing.before, timing.after]


@view
def speeds(page: Page) -> str:
    """Seconds and tokens per second of the calls that were timed."""
    timings = _timings(page)
    counts = sorted({timing.later_calls.n for timing in timings})
    told = page.say("range", low=counts[0], high=counts[-1]) if len(counts) > 1 else counts[0]
    return page.table(tables.speeds(timings), page.say("table_speeds", calls=told))


@view
def latencies(page: Page) -> str:
    """The first token and those after it."""
    return page.table(tables.latencies(_timings(page)), page.say("table_latencies"))


@view
def conditions(page: Page) -> str:
    """The conditions of the timed calls, and how the times are measured, which is folded away."""
    timings, fewest = _timings(page), page.results.parameters["warm_repeats"]
    told = html.paragraph(timing_words.conditions(timings, page.language), "note")
    how = html.paragraph(timing_words.measured_how(timings[0], fewest, page.language), "note")
    return told + html.folded(page.say("fold_timing"), how)


@drawing
def calls(page: Page) -> tuple[Figure, str]:
    """The seconds of each call."""
    return figures.call_times(_timings(page), language=page.language)


@drawing
def loss(page: Page) -> tuple[Figure, str]:
    """The training loss by step."""
    return figures.loss_curve(page.measured.training.curve, language=page.language)


@view
def steps(page: Page) -> str:
    """The times of the training steps; what few readers need is folded away."""
    training = page.measured.training
    more = page.table(tables.more_of_steps(training), page.say("table_more_of_steps"))
    told = page.table(tables.steps(training), page.say("table_steps"))
    return told + html.folded(page.say("fold_steps"), more)


@view
def held_out(page: Page, what: str) -> str:
    """Loss and likelihood on held-out texts, before and after.

    Args:
        page: The page.
        what: `"texts"` or `"poems"`.
    """
    measured = page.measured
    length = page.results.parameters["sequence_length"]
    told = page.say(f"held_out_{what}")
    caption = page.say("table_held_out", count=measured.held_out_texts, what=told, length=length)
    return page.table(tables.held_out(measured.held_out, measured.likelihood, what), caption)


@view
def examples(page: Page) -> str:
    """The first training texts, with their titles."""
    rows = [{"title": title, "text (its beginning)": text} for title, text in page.measured.examples]
    return page.table(rows, page.say("table_examples"))


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


# Fine-tuning on stories.


@view
def text_lengths(page: Page) -> str:
    """How long the texts are, beside the training texts."""
    ends, length = page.measured.ends, page.results.parameters["sequence_length"]
    counts = {"texts": ends.lengths.after.texts, "trained": ends.training.texts, "cut": ends.training.cut}
    caption = page.say("table_lengths", length=length, **counts)
    told = html.paragraph(stories_words.text_lengths(page.measured, page.language))
    return told + page.table(tables.text_lengths(ends), caption)


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
    return page.table(tables.style(told), caption) + html.paragraph(stories_words.style(page.measured, page.language))


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
    return page.table(tables.learning_curve(curve), caption) + told


@drawing
def learning_curve(page: Page) -> tuple[Figure, str]:
    """Held-out bits per character against the number of stories."""
    measured = page.measured
    return figures.learning_curve(measured.learning_curve, measured.likelihood.before.by_text, language=page.language)


@view
def speed_ratio(page: Page) -> str:
    """How later calls before and after fine-tuning compare."""
    return html.paragraph(stories_words.speed_ratio(page.measured, page.language))


# Generated texts.


def _chosen(page: Page, labels: list[str] | None, prompts: list[str] | None, most: int | None) -> list[Sample]:
    """Return the samples of the given labels and prompts, the first `most` of each."""
    return [
        sample
        for sample in page.measured.samples
        if (labels is None or sample.label in labels)
        and (prompts is None or sample.prompt in prompts)
        and (most is None or sample.number <= most)
    ]


@view
def samples(
    page: Page,
    by: str = "label",
    down: str = "prompt",
    labels: list[str] | None = None,
    prompts: list[str] | None = None,
    most: int | None = None,
    marked: bool = False,
    caption: str = "",
    folded: bool = False,
) -> str:
    """Texts side by side.

    Args:
        page: The page.
        by: The field of a sample whose values stand side by side.
        down: The field whose values stand below each other.
        labels: The groups shown; all by default.
        prompts: The prompts shown; all by default.
        most: How many texts of each group and prompt are shown; all by default.
        marked: Whether the rounds of a loop are marked.
        caption: A name in `wording.yaml`.
        folded: Whether the texts are folded below their caption.
    """
    shown, told = _chosen(page, labels, prompts, most), page.say(caption) if caption else ""
    made = html.samples(shown, by, "" if folded else told, marked, down, page.language)
    return html.folded(told, made) if folded else made


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
def first_calls(page: Page) -> str:
    """How much of what the first calls took longer was compiling."""
    return "".join(html.paragraph(timing_words.first_call(timing, page.language)) for timing in _timings(page))


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


def _groups(page: Page) -> list[TextGroup]:
    measured = page.measured
    return measured.groups if hasattr(measured, "groups") else measured.texts


@view
def repetition(page: Page, caption: str, first: bool = False) -> str:
    """How much the texts of each group repeat themselves.

    Args:
        page: The page.
        caption: A name in `wording.yaml`; its values are `count` (texts of a group) and `seed`.
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
def explained(page: Page, names: list[str]) -> str:
    """The meanings of table columns, folded: entries of `wording.yaml`."""
    told = "\n".join(page.say(f"{name}_explained") for name in names)
    return html.folded(page.say("explained"), html.paragraph(told, "note"))


@view
def finding(page: Page) -> str:
    """How the samplers compare with people."""
    return html.paragraph(samplers_words.finding(page.measured, page.language))


@view
def held_out_loops(page: Page) -> str:
    """How many of people's texts have a loop."""
    told = page.measured.held_out_loops
    return html.paragraph(page.say("held_out_loops", **told.model_dump()), "note")


@view
def differences(page: Page) -> str:
    """How much more greedy decoding repeats itself than top-k sampling and people, after the same beginnings."""
    measured = page.measured
    compared = {measured.top_k.label: measured.greedy_minus_top_k, measured.people.label: measured.greedy_minus_people}
    told = html.paragraph(samplers_words.repeated(measured, page.language))
    caption = page.say("table_differences", count=len(measured.openings))
    return page.table(tables.differences(compared), caption) + told


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
    return page.table(tables.published(page.measured.published, page.measured.groups), page.say("table_published"))


@view
def batch_times(page: Page) -> str:
    """The time of a batch with each sampler, folded."""
    made = page.table(tables.batch_times(page.measured.times), page.say("table_batch_times"))
    return html.folded(page.say("batch_times"), made)


@drawing
def repetition_by_perplexity(page: Page) -> tuple[Figure, str]:
    """Repetition and perplexity of every text, for each sampler and people."""
    return _strips(page.measured, page.language)


def _strips(measured, language: str) -> tuple[Figure, str]:
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


# The form of poems, and the model from scratch.


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
    return told + html.folded(page.say("fold_runs"), page.table(tables.poem_demands(by_run), page.say("table_runs")))


def _scale(page: Page) -> PoemScale:
    return page.measured.fine_tuned.scale if hasattr(page.measured, "fine_tuned") else page.measured.form


def _poem_groups(page: Page) -> list[tuple[str, list[PoemForm], dict[str, Estimate]]]:
    """The groups of generated poems, by prompt: name, the form of each run, the means over the runs."""
    measured = page.measured
    if hasattr(measured, "fine_tuned"):
        theirs = measured.fine_tuned
        own = [
            (page.say("group_scratch", prompt=prompt), [run.form_by_prompt[prompt] for run in measured.runs], over)
            for prompt, over in measured.form_over_runs.items()
        ]
        forms = [run.form_by_prompt[theirs.prompt] for run in theirs.runs]
        return [*own, (page.say("group_fine_tuned", prompt=theirs.prompt), forms, theirs.form_over_runs)]
    before = [
        (page.say("group_before", prompt=prompt), [run.before_by_prompt[prompt] for run in measured.runs], over)
        for prompt, over in measured.before_over_runs.items()
    ]
    after = [
        (page.say("group_after", prompt=prompt), [run.form_by_prompt[prompt] for run in measured.runs], over)
        for prompt, over in measured.after_over_runs.items()
    ]
    return before + after


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
    return page.table(tables.poem_lines(page.measured.first_poem, page.language)) + told


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
    return page.table(tables.trainings(page.measured), page.say("table_trainings")) + html.paragraph(told, "note")


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
    return page.table(tables.likelihoods(rows), caption) + html.paragraph(told)


@view
def contests(page: Page) -> str:
    """Which model is better, measure by measure."""
    return page.table(tables.contests(page.measured), page.say("table_contests"))


# The summary.


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
        }
        for claim in shown
    ]
    rule = html.folded(page.say("rule_heading"), html.paragraph(page.say("rule_words")))
    return ("" if opinions else rule) + html.claims(cards, page.language)


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
    as_in_post, around = found.baseline.measured.as_in_post, found.reddit.measured.timing
    first, later = CallState.FIRST, CallState.LATER
    of_post = [("before", first, told["baseline"]["seconds"]), ("after", first, told["reddit"]["seconds_after"])]

    def calls(when: str, timing: Timing) -> list[tuple[str, CallState, float]]:
        return [(when, first, timing.first_call_seconds), (when, later, timing.later_calls.median_seconds)]

    groups = [
        (page.say("timed_post"), of_post),
        (page.say("timed_as_in_post", step=words.step(as_in_post.step, page.language)), calls("before", as_in_post)),
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
    return _strips(experiments.load(_profile(page)).samplers.measured, page.language)


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
