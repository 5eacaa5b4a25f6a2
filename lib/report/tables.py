"""Lay records out as the rows of tables: values by column."""

from statistics import quantiles

from lib.claims import head_to_head
from lib.core.records import (
    BatchTime,
    BeforeAfter,
    ByTraining,
    CallState,
    Corpus,
    DecodingStep,
    Estimate,
    FromScratch,
    HeldOutLoss,
    LearningCurve,
    Likelihood,
    Machine,
    PoemForm,
    PoemLine,
    PostText,
    PublishedRow,
    Rounds,
    Style,
    TextEnds,
    TextGroup,
    TextQuality,
    Timing,
    Training,
    Winner,
    WordList,
)
from lib.evaluation import metrics
from lib.report import wording, words
from lib.report.numbers import DASH, number, signed, with_interval
from lib.report.wording import say

DEMANDS = {  # the three that the post names
    "well_formed": "regular form, %",
    "rhyme": "rhyming pairs, %",
    "parallel_tones": "opposite tones, %",
    "parallel_words": "matching words, percentile",
}
FORM = {
    "regular_lines": "regular lines, %",
    "han": "Chinese characters, %",
    "alternating": "alternating tones, %",
    "distinct": "different characters, %",
    "rhyme_secondary": "rhyme by a rarer reading only, %",
}
ON_PAGE = ("loop", "rep_4", "diversity", "longest_repeated", "perplexity", "distinct_2", "self_bleu_4", "copied")
RUNS = {
    "before": "before fine-tuning",
    "after": "after fine-tuning",
    "without": "no end token",
    "cut": "texts all cut",
}


WHOSE_STEP = {DecodingStep.KERASHUB: "KerasHub's", DecodingStep.OWN: "this project's"}


def speeds(timings: list[Timing]) -> list[dict]:
    """Seconds and tokens per second, a row a timing."""
    return [
        {
            "calls": timing.label,
            "decoding step": WHOSE_STEP[timing.step],
            "new tokens": timing.new_tokens,
            "first call, seconds": timing.first_call_seconds,
            "later call, seconds": _range(timing.later_calls.median_seconds, timing.seconds[CallState.LATER]),
            "new tokens per second": timing.new_tokens_per_second,
        }
        for timing in timings
    ]


def latencies(timings: list[Timing]) -> list[dict]:
    """The first token and those after it, Chinese, memory, loading, a row a timing. What no timing has is left out."""
    rows = [
        {
            "calls": timing.label,
            "first token, milliseconds": _range(
                1000 * timing.first_token.median_seconds,
                [1000 * seconds for seconds in timing.seconds[CallState.FIRST_TOKEN]],
            ),
            "each token after it, milliseconds": 1000 * timing.seconds_per_output_token,
            "Chinese characters per second": timing.chinese_characters_per_second or None,
            "peak memory, GiB": timing.peak_memory_gib,
            "loading the model, seconds": timing.load_seconds,
        }
        for timing in timings
    ]
    known = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    return [{name: row[name] for name in known} for row in rows]


def _range(median: float, values: list[float]) -> str:
    """A median with the least and the greatest of the values in brackets, if there are several."""
    several = len(values) > 1
    return with_interval(
        Estimate(value=median, low=min(values) if several else None, high=max(values) if several else None)
    )


def steps(training: Training) -> list[dict]:
    """The times of the training steps, in one row."""
    later = 1000 * training.later_steps.median_seconds
    half = [1000 * seconds for seconds in training.warm_step_seconds]
    low, _, high = quantiles(half, n=4, method="inclusive") if len(half) > 1 else (None,) * 3
    return [
        {
            "steps": training.steps,
            "texts per step": training.batch_size,
            "first step, seconds": training.first_step_seconds,
            "later step, milliseconds": with_interval(Estimate(value=later, low=low, high=high)),
            "useful tokens per second": training.useful_tokens_per_second,
            "all steps, seconds": training.seconds,
        }
    ]


def more_of_steps(training: Training) -> list[dict]:
    """What else is known of the training steps, in one row."""
    return [
        {
            "texts at a time": training.texts_at_a_time,
            "positions per step": training.positions,
            "of these useful, %": training.useful_percent,
            "tokens per second if all texts were padded": training.padded_tokens_per_second,
            "peak memory, GiB": training.peak_memory_gib,
        }
    ]


def held_out(losses: BeforeAfter[HeldOutLoss], likelihoods: BeforeAfter[Likelihood], what: str) -> list[dict]:
    """Loss and likelihood on held-out texts, before and after."""
    return [
        {
            f"held-out {what}": f"{when} fine-tuning",
            "loss, padding included": getattr(losses, when).loss,
            "loss per token": getattr(losses, when).token_loss,
            "accuracy": getattr(losses, when).accuracy,
            "perplexity": getattr(likelihoods, when).perplexity,
            "bits per character": getattr(likelihoods, when).bits_per_character,
        }
        for when in ("before", "after")
    ]


def text_lengths(ends: TextEnds) -> list[dict]:
    """How long the texts are, a row a group, and the training texts."""
    rows = [
        {
            "group": name,
            "median tokens": _rounded(group.median_new_tokens),
            "ended by the model %": with_interval(group.ended_percent),
            "shortest": min(group.new_tokens),
            "longest": max(group.new_tokens),
        }
        for name, group in _runs(ends.lengths)
    ]
    tokens = ends.training.tokens
    training = {
        "group": "training texts",
        "median tokens": number(ends.training.median_tokens),
        "ended by the model %": DASH,
        "shortest": min(tokens),
        "longest": max(tokens),
    }
    return [*rows, training]


def end_probabilities(ends: TextEnds) -> list[dict]:
    """The probability of the end token by place, a row a training."""
    return [
        {
            "group": name,
            "after a sentence %": _small(told.after_sentence),
            "after a sentence, among the top k %": _small(told.after_sentence_in_top_k),
            "at the end of the text %": _small(told.after_text),
            "elsewhere %": _small(told.elsewhere),
        }
        for name, told in _runs(ends.probability)
    ]


def end_probabilities_by_quarter(ends: TextEnds) -> list[dict]:
    """The probability of the end token after a sentence, by the quarter of the text, a row a training."""
    heads = ("first quarter %", "second quarter %", "third quarter %", "last quarter %")
    return [
        {
            "group": name,
            **{
                head: _small(Estimate(value=value))
                for head, value in zip(heads, told.after_sentence_by_quarter, strict=True)
            },
        }
        for name, told in _runs(ends.probability)
    ]


def _runs(runs: ByTraining) -> list[tuple]:
    return [(RUNS[name], getattr(runs, name)) for name in RUNS]


def _small(estimate: Estimate) -> str:
    """A percentage with its interval; below a hundredth of a percent, only that it is."""
    if not estimate.value:
        return DASH if estimate.value is None else "0"
    top = estimate.high if estimate.has_interval else estimate.value
    return "<0.01" if top < 0.01 else _rounded(estimate) if top >= 10 else with_interval(estimate)


def _rounded(estimate: Estimate) -> str:
    """A figure of some tens or more with its interval, without decimals."""
    ends = f" ({estimate.low:.0f}{DASH}{estimate.high:.0f})" if estimate.has_interval else ""
    return f"{estimate.value:.0f}{ends}"


def style(told: Style) -> list[dict]:
    """How well texts can be told from people's, a row a group and a difference."""
    groups = {"before": "before fine-tuning", "after": "after fine-tuning", "people": "other people"}
    rows = [
        {
            "group": label,
            "AUC of the classifier": with_interval(getattr(told.auc, name)),
            "Jensen-Shannon divergence, bits": with_interval(getattr(told.jsd, name)),
        }
        for name, label in groups.items()
    ]
    differences = {"after minus before": told.after_minus_before, "after minus other people": told.after_minus_floor}
    return rows + [
        {
            "group": label,
            "AUC of the classifier": _difference(one["auc"]),
            "Jensen-Shannon divergence, bits": _difference(one["jsd"]),
        }
        for label, one in differences.items()
    ]


def learning_curve(curve: LearningCurve) -> list[dict]:
    """Held-out bits per character by the number of stories, a row a training."""
    return [
        {
            "stories": point.stories,
            "steps": point.steps,
            "bits per character": _bits(point.bits_per_character),
            "minus before training": _difference(point.minus_untrained),
            "minus the row above": _difference(point.minus_point_before),
        }
        for point in curve.points
    ]


def _bits(estimate: Estimate) -> str:
    """Bits per character with their interval, with two decimals."""
    if not estimate.has_interval:
        return DASH if estimate.value is None else f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} ({estimate.low:.2f}{DASH}{estimate.high:.2f})"


def _difference(estimate: Estimate) -> str:
    """A difference with its sign and its interval."""
    if not estimate.has_interval:
        return DASH
    told = f"{estimate.value:+.3f} ({estimate.low:+.3f} {DASH} {estimate.high:+.3f})"
    return told.replace("-", "−")


def quality(groups: list[TextQuality]) -> list[dict]:
    """How far the texts after each prompt are from people's, a row a group."""
    return [
        {
            "texts by": group.label,
            "number of texts": group.texts,
            "of these in Chinese": group.answers_in_chinese,
            "of these in English": group.answers_in_english,
            "letters in words, %": with_interval(group.shares["words"]),
            "characters in loops, %": with_interval(group.shares["looped"]),
        }
        for group in groups
    ]


def more_of_quality(groups: list[TextQuality]) -> list[dict]:
    """What else is counted of the texts after each prompt, a row a group."""
    return [
        {
            "texts by": group.label,
            "letters of the prompt's script, %": with_interval(group.shares["prompt_script"]),
            "broken bytes, %": with_interval(group.shares["broken_bytes"]),
            "tokens per character": group.new_tokens / group.characters if group.characters else None,
        }
        for group in groups
    ]


def word_lists(lists: list[WordList], language: str = "en") -> list[dict]:
    """The shares of letters in words by several lists, a row a list."""
    groups = {
        "the model's Chinese": "chinese_answers",
        "people's Chinese": "people_chinese",
        "the same, shuffled": "people_shuffled",
    }
    return [
        {
            "list": f"{one.name} list",
            "its rarest words": say("per_million_words", language, count=number(one.per_million, 1)),
            "its Chinese words": one.chinese_words,
        }
        | {label: DASH if one.words[name] is None else f"{number(one.words[name])} %" for label, name in groups.items()}
        for one in lists
    ]


def text_groups(groups: list[TextGroup], table: metrics.Table, rest: bool = False) -> list[dict]:
    """The metrics of groups of texts that belong into one table, a row a group.

    Args:
        groups: The groups.
        table: Which of the metrics.
        rest: Whether those that are not `ON_PAGE` are shown instead of those that are.
    """
    shown = [one for one in metrics.REGISTRY.values() if one.table is table and (one.name in ON_PAGE) is not rest]
    shown.sort(key=lambda metric: ON_PAGE.index(metric.name) if metric.name in ON_PAGE else 0)
    rows = []
    for group in groups:
        row: dict = {"texts by": group.label}
        if table is metrics.Table.REPETITION and not rest:
            row["texts"] = group.texts
        for metric in shown:
            estimate = group.metrics[metric.name]
            row[metric.label] = estimate.value if metric.of_group or metric.name == "words" else with_interval(estimate)
        rows.append(row)
    return rows


def poem_demands(groups: list[tuple[str, dict[str, Estimate]]]) -> list[dict]:
    """The three demands on poems, a row a group.

    Args:
        groups: Name and shares of each; a share that is missing gets a dash.
    """
    return [
        {"poems by": name}
        | {label: with_interval(shares.get(share, Estimate(value=None))) for share, label in DEMANDS.items()}
        for name, shares in groups
    ]


def poem_forms(groups: list[tuple[str, PoemForm]]) -> list[dict]:
    """The rest of the form of groups of poems, a row a group."""
    return [
        {"poems by": name} | {label: with_interval(form.shares[share]) for share, label in FORM.items()}
        for name, form in groups
    ]


def poem_counts(groups: list[tuple[str, PoemForm]], language: str = "en") -> list[dict]:
    """How much there was to judge in groups of poems, and the longest copy, a row a group."""
    return [
        {
            "poems by": name,
            "poems": form.poems,
            "pairs of even lines judged": _judged(form.rhyme_pairs, form.rhyme_unknown_percent, language),
            "pairs of alternating tones judged": _judged(form.tone_pairs, form.tone_unknown_percent, language),
            "couplets judged": form.couplets,
            "longest copy, characters": None if form.copied_longest is None else round(form.copied_longest),
        }
        for name, form in groups
    ]


def _judged(count: int, unknown_percent: float | None, language: str) -> str:
    """Tell how many pairs could be judged, and of how many."""
    if not count or unknown_percent is None:
        return str(count)
    return say("count_of", language, count=count, all=round(count / (1 - unknown_percent / 100)))


def poem_lines(lines: list[PoemLine], language: str = "en") -> list[dict]:
    """A poem line by line, with what is counted of it."""
    return [
        {
            "line": line.line,
            "characters": line.characters if line.regular else say("wrong_length", language, count=line.characters),
            "tones": line.tones,
            "tones alternate": _known(line.alternates) if line.regular or line.alternates is not None else DASH,
            "rhyme group of the last character": _rhyme_groups(line, language) or ("" if number % 2 else "unknown"),
            "rhymes": _rhymes(line) if line.is_rhyme_line else "",
        }
        for number, line in enumerate(lines, 1)
    ]


def _rhyme_groups(line: PoemLine, language: str) -> str:
    """The groups of the primary reading and, in brackets, those of the others."""
    primary, others = "、".join(line.rhyme_groups), "、".join(line.other_rhyme_groups)
    return say("rhyme_groups", language, primary=primary, others=others) if others else primary


def _rhymes(line: PoemLine) -> str:
    return "by a rarer reading only" if line.rhymes_secondary else _known(line.rhymes)


def _known(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[value]


def likelihoods(rows: dict[str, Likelihood]) -> list[dict]:
    """Bits per character of models on the same poems, a row a model."""
    return [
        {
            "model": model,
            "bits per character": told.bits_per_character,
            "perplexity per token": told.perplexity,
            "tokens": told.tokens,
        }
        for model, told in rows.items()
    ]


def trainings(measured: FromScratch) -> list[dict]:
    """What the two trainings took."""
    own, theirs, budget = measured.training, measured.fine_tuned.training, measured.budget
    return [
        {
            "model": model,
            "parameters": parameters,
            "seconds": seconds,
            "of which first steps, seconds": training.first_step_seconds + probe,
            "training steps": training.steps,
            "poems read": training.steps * training.batch_size,
        }
        for model, parameters, training, seconds, probe in (
            ("from scratch", measured.parameters, own, budget.total_seconds, sum(budget.probe_seconds[:1])),
            ("fine-tuned", measured.fine_tuned.parameters, theirs, theirs.seconds, 0.0),
        )
    ]


CONTESTS = {  # the measures by which two models are compared
    "bits_per_character": "bits per character (fewer is better)",
    **DEMANDS,
    **FORM,
    "seconds_per_poem": "seconds for a poem (fewer is better)",
}
WINNERS = {
    Winner.FROM_SCRATCH: "from scratch",
    Winner.FINE_TUNED: "fine-tuned",
    Winner.NEITHER: "neither clearly",
}


def contests(measured: FromScratch) -> list[dict]:
    """Which model is better, a row a measure."""
    return [
        {
            "measure": CONTESTS[one.measure],
            "from scratch": with_interval(one.from_scratch),
            "fine-tuned": with_interval(one.fine_tuned),
            "better": WINNERS[one.winner],
        }
        for one in head_to_head.contests(measured)
    ]


def batch_times(times: list[BatchTime]) -> list[dict]:
    """The times of whole batches, a row a sampler."""
    return [
        {
            "label": one.label,
            "texts": one.texts,
            "new tokens": one.new_tokens,
            "batch seconds": one.batch_seconds,
            "seconds per text": one.batch_seconds / one.texts,
        }
        for one in times
    ]


def differences(compared: dict[str, dict[str, Estimate]]) -> list[dict]:
    """The differences of greedy decoding in repetition, a row for each group that is subtracted."""
    columns = {"loop": "has a loop", "looped": "looped words", "rep_4": "rep-4"}
    return [
        {"greedy minus": label} | {name: signed(told[key]) for key, name in columns.items()}
        for label, told in compared.items()
    ]


def rounds(lines: dict[str, Rounds], whole: bool = False) -> list[dict]:
    """The first three rounds and the last one, a row for each line of the picture and each round.

    Args:
        lines: By name.
        whole: Whether the figures are those of whole rounds, not of tokens.
    """
    columns = {
        "probability of a token": "probability",
        "most probable token %": "most_probable_percent",
        "chance that top-k draws it %": "top_k_percent",
    }
    if whole:
        columns = {
            "greedy writes the whole round %": "greedy_whole_percent",
            "chance that top-k writes it %": "top_k_whole_percent",
        }
    return [
        {"text": name, "round": place + 1, "texts": told.texts[place]}
        | {column: with_interval(getattr(told, field)[place]) for column, field in columns.items()}
        for name, told in lines.items()
        for place in dict.fromkeys((0, 1, 2, len(told.texts) - 1))
        if 0 <= place < len(told.texts)
    ]


def published(rows: list[PublishedRow], groups: list[TextGroup]) -> list[dict]:
    """Published figures beside those here.

    Args:
        rows: The rows.
        groups: The groups of texts, for the intervals.
    """
    loops = {group.label: with_interval(group.metrics["loop_holtzman"]) for group in groups}
    return [
        {
            "published": row.method,
            "here": row.here,
            "ends in a loop %, published": f"{row.loops_percent_published:.2g}",
            "ends in a loop %, here": loops[row.here],
            "self-BLEU-4 published": f"{row.self_bleu_4_published:.2g}",
            "self-BLEU-4 here": DASH if row.self_bleu_4_here is None else f"{row.self_bleu_4_here:.2g}",
        }
        for row in rows
    ]


POST_TEXTS = {
    "greedy": "text by greedy decoding",
    "chinese": "text after the Chinese prompt",
    "poem": "poem after fine-tuning",
}


def post_texts(texts: list[PostText], language: str = "en") -> list[dict]:
    """The texts that the post prints, judged: a row for each measure. Of Chinese, a character counts as a word."""

    def of_all(count: int | None, every: int | None) -> str | None:
        return None if count is None else say("pairs", language, count=count, all=every)

    rows = {
        "repeated phrases of four words (rep-4), %": lambda text: number(text.rep_4_percent, 2),
        "has a loop": lambda text: text.has_a_loop,
        "well-formed poem": lambda text: text.well_formed,
        "rhyming lines": lambda text: of_all(text.rhymes, text.rhyme_pairs),
        "alternating tones": lambda text: of_all(text.alternating, text.tone_pairs),
    }
    return [
        {"measured": name} | {POST_TEXTS.get(text.name, text.name): tell(text) for text in texts}
        for name, tell in rows.items()
    ]


def rates(rows: list[dict], language: str = "en") -> list[dict]:
    """Tokens per second of the post's calls and of those here, from `beside_post.rates`."""
    table = []
    for row in rows:
        whose, label, state = row["call"]
        parts = [wording.label(part, language) for part in ("blog post" if whose == "post" else "this run", label)]
        if state:
            parts.append(words.state(CallState.FIRST if state == "first" else CallState.LATER, language))
        if row["wide"]:
            parts.append(wording.label("wide spread", language))
        table.append(
            {
                "call": say("comma", language).join(parts),
                "seconds": row["seconds"],
                "tokens per second, prompt included": row["as_the_post_counts"],
                "tokens per second, new tokens only": row["new_tokens_only"],
            }
        )
    return table


def corpus(used: Corpus, language: str = "en") -> list[dict]:
    """What is known of the texts that were used, a row a fact; a reason for which no text was dropped is left out."""
    rows = {"source": used.source, "licence": used.licence}
    rows |= {name: f"{count:,}" for name, count in used.counts.items() if count}
    rows["SHA-256 of the cleaned texts"] = say("digits_of", language, digits=used.sha256[:16])
    return [{"corpus": name, used.name: value} for name, value in rows.items()]


def machine(facts: Machine, language: str = "en") -> list[dict]:
    """What a report was made with, a row a fact."""
    rows = {
        "date": facts.date,
        "code": words.code(facts, language),
        "Python": f"{facts.python} ({facts.system})",
        "processor": say("machine_cores", language, processor=facts.processor, cores=facts.cores),
        "memory": say("machine_memory", language, total=facts.memory_gib, peak=facts.peak_memory_gib)
        + (say("machine_keeps_memory", language) if facts.keeps_freed_memory else ""),
        "Keras backend": facts.keras,
        "device": facts.device,
        "environment variables set aside": ", ".join(facts.variables_set_aside),
        **facts.packages,
    }
    told = [{"environment": name, "value": value} for name, value in rows.items() if value]
    return told + [
        {
            "environment": say("machine_lock", language, name=name),
            "value": say("machine_digest", language, digits=digest),
        }
        for name, digest in facts.locks.items()
    ]
