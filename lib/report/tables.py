"""Lay records out as the rows of tables: values by column."""

from lib.claims import head_to_head
from lib.core.records import (
    BatchTime,
    BeforeAfter,
    ByTraining,
    CallState,
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
from lib.report import phrases, wording
from lib.report.numbers import DASH, number, signed, with_interval
from lib.report.wording import say

DEMANDS = {  # the three that the post names
    "well_formed": "form: well formed %",
    "rhyme": "rhyme: pairs %",
    "rhyme_secondary": "rhyme by a secondary reading only %",
    "parallel_tones": "parallel: opposite tones %",
    "parallel_words": "parallel: words of a kind, percentile",
}
FORM = {
    "regular_lines": "regular lines %",
    "han": "Chinese characters %",
    "alternating": "alternating tones %",
    "distinct": "distinct characters %",
}
RUNS = {
    "before": "before fine-tuning",
    "after": "after fine-tuning",
    "without": "the same training, no end token",
    "cut": "the same training, texts all cut",
}


def speeds(timings: list[Timing]) -> list[dict]:
    """Seconds and tokens per second, a row a timing."""
    return [
        {
            "label": timing.label,
            "decoding step": phrases.step(timing.step),
            "first call s": timing.first_call_seconds,
            "later calls, median s": timing.later_calls.median_seconds,
            "p90 s": timing.later_calls.p90_seconds,
            "MAD s": timing.later_calls.mad_seconds,
            "later calls": timing.later_calls.n,
            "spread": phrases.spread(timing.later_calls.wide),
            "new tokens": timing.new_tokens,
            "new tokens per s": timing.new_tokens_per_second,
        }
        for timing in timings
    ]


def latencies(timings: list[Timing]) -> list[dict]:
    """The first token and those after it, loading, memory, Chinese, a row a timing."""
    return [
        {
            "label": timing.label,
            "load s": timing.load_seconds,
            "time to first token ms": 1000 * timing.first_token.median_seconds,
            "its spread": phrases.spread(timing.first_token.wide),
            "time per output token ms": 1000 * timing.seconds_per_output_token,
            "Chinese characters per s": timing.chinese_characters_per_second,
            "peak memory GiB": timing.peak_memory_gib,
        }
        for timing in timings
    ]


def steps(training: Training) -> list[dict]:
    """The times of the training steps, in one row."""
    later = training.later_steps
    return [
        {
            "steps": training.steps,
            "texts per step": training.batch_size,
            "texts at a time": training.texts_at_a_time,
            "first step s": training.first_step_seconds,
            "later median ms": 1000 * later.median_seconds,
            "p90 ms": 1000 * later.p90_seconds,
            "MAD ms": 1000 * later.mad_seconds,
            "spread": phrases.spread(later.wide),
            "positions computed per step": training.positions,
            "tokens per s padded": training.padded_tokens_per_second,
            "tokens per s useful": training.useful_tokens_per_second,
            "total s": training.seconds,
            "peak memory GiB": training.peak_memory_gib,
        }
    ]


def held_out(losses: BeforeAfter[HeldOutLoss], likelihoods: BeforeAfter[Likelihood], what: str) -> list[dict]:
    """Loss and likelihood on held-out texts, before and after."""
    return [
        {
            f"held-out {what}": when,
            "loss": getattr(losses, when).loss,
            "token loss": getattr(losses, when).token_loss,
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
            "texts": name,
            "median new tokens": with_interval(group.median_new_tokens),
            "ended by the model %": with_interval(group.ended_percent),
            "shortest": min(group.new_tokens),
            "longest": max(group.new_tokens),
        }
        for name, group in _runs(ends.lengths)
    ]
    tokens = ends.training.tokens
    training = {
        "texts": "training texts, in tokens",
        "median new tokens": number(ends.training.median_tokens),
        "ended by the model %": DASH,
        "shortest": min(tokens),
        "longest": max(tokens),
    }
    return [*rows, training]


def end_probabilities(ends: TextEnds) -> list[dict]:
    """The probability of the end token by place, a row a training."""
    return [
        {
            "model": name,
            "after a sentence %": with_interval(told.after_sentence),
            "after a sentence, among the top k only %": with_interval(told.after_sentence_in_top_k),
            "where the text ends %": with_interval(told.after_text),
            "after any other token %": with_interval(told.elsewhere),
        }
        for name, told in _runs(ends.probability)
    ]


def _runs(runs: ByTraining) -> list[tuple]:
    return [(RUNS[name], getattr(runs, name)) for name in RUNS]


def style(told: Style) -> list[dict]:
    """How well texts can be told from people's, a row a group and a difference."""
    groups = {"before": "before fine-tuning", "after": "after fine-tuning", "people": "other people (the floor)"}
    rows = [
        {
            "compared with people": label,
            "AUC of the classifier": with_interval(getattr(told.auc, name)),
            "Jensen-Shannon divergence, bits": with_interval(getattr(told.jsd, name)),
        }
        for name, label in groups.items()
    ]
    differences = {"after - before": told.after_minus_before, "after - other people": told.after_minus_floor}
    return rows + [
        {
            "compared with people": label,
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
            "bits per character": with_interval(point.bits_per_character),
            "minus before training": _difference(point.minus_untrained),
            "minus the row above": _difference(point.minus_point_before),
        }
        for point in curve.points
    ]


def _difference(estimate: Estimate) -> str:
    """A difference with its sign and its interval."""
    if not estimate.has_interval:
        return DASH
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"


def quality(groups: list[TextQuality]) -> list[dict]:
    """How far the texts after each prompt are from people's, a row a group."""
    return [
        {
            "text by": group.label,
            "texts": group.texts,
            "in English": group.answers_in_english,
            "in Chinese": group.answers_in_chinese,
            "letters in words %": with_interval(group.shares["words"]),
            "looped %": with_interval(group.shares["looped"]),
            "broken bytes %": with_interval(group.shares["broken_bytes"]),
            "letters of the prompt's script %": with_interval(group.shares["prompt_script"]),
            "tokens per character": group.new_tokens / group.characters if group.characters else None,
        }
        for group in groups
    ]


def word_lists(lists: list[WordList], names: dict[str, str]) -> list[dict]:
    """The shares of letters in words by several lists, a row a list.

    Args:
        lists: The lists.
        names: The labels of the groups, by their names in `WordList.words`.
    """
    return [
        {
            "list": one.name,
            "its words occur at least": f"once in {number(1 / one.per_million, 1)} million words",
            "Chinese words": one.chinese_words,
            "English words": one.english_words,
            **{f"{label} %": one.words[name] for name, label in names.items()},
            "used": one.used,
        }
        for one in lists
    ]


def text_groups(groups: list[TextGroup], table: metrics.Table) -> list[dict]:
    """The metrics of groups of texts that belong into one table, a row a group."""
    shown = [metric for metric in metrics.REGISTRY.values() if metric.table is table]
    rows = []
    for group in groups:
        row: dict = {"texts by": group.label}
        if table is metrics.Table.REPETITION:
            row["texts"] = group.texts
        for metric in shown:
            estimate = group.metrics[metric.name]
            row[metric.label] = estimate.value if metric.of_group or metric.name == "words" else with_interval(estimate)
        rows.append(row)
    return rows


def poem_demands(groups: list[tuple[str, str, dict[str, Estimate]]]) -> list[dict]:
    """The three demands on poems, a row a group.

    Args:
        groups: Name, what its intervals are over, and shares; a share that is missing gets a dash.
    """
    return [
        {
            "poems by": name,
            "interval over": over,
            **{label: with_interval(shares.get(share, Estimate(value=None))) for share, label in DEMANDS.items()},
        }
        for name, over, shares in groups
    ]


def poem_forms(groups: dict[str, PoemForm]) -> list[dict]:
    """The form of groups of poems, a row a group."""
    return [
        {
            "poems by": name,
            "poems": form.poems,
            **{label: with_interval(form.shares[share]) for share, label in FORM.items()},
            "pairs for rhyme": form.rhyme_pairs,
            "rhyme not known %": form.rhyme_unknown_percent,
            "pairs for tones": form.tone_pairs,
            "tones not known %": form.tone_unknown_percent,
            "couplets": form.couplets,
            "longest copied": form.copied_longest,
        }
        for name, form in groups.items()
    ]


def poem_lines(lines: list[PoemLine]) -> list[dict]:
    """A poem line by line, with what is counted of it."""
    return [
        {
            "line": line.line,
            "characters": line.characters,
            "length": "as it should be" if line.regular else "wrong",
            "tones": line.tones,
            "alternates": _known(line.alternates) if line.regular or line.alternates is not None else DASH,
            "rhyme character": line.rhyme_character,
            "rhyme group, primary reading": "、".join(line.rhyme_groups) or ("" if number % 2 else "unknown"),
            "other readings": "、".join(line.other_rhyme_groups),
            "rhymes": _rhymes(line) if line.is_rhyme_line else "",
        }
        for number, line in enumerate(lines, 1)
    ]


def _rhymes(line: PoemLine) -> str:
    return "by a secondary reading only" if line.rhymes_secondary else _known(line.rhymes)


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
            "characters": told.characters,
            "poems": told.texts,
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
            "of which compiling s": training.first_step_seconds + probe,
            "steps": training.steps,
            "poems per step": training.batch_size,
            "poems": training.steps * training.batch_size,
            "step ms": 1000 * training.later_steps.median_seconds,
        }
        for model, parameters, training, seconds, probe in (
            ("from scratch", measured.parameters, own, budget.total_seconds, sum(budget.probe_seconds[:1])),
            ("fine-tuned", measured.fine_tuned.parameters, theirs, theirs.seconds, 0.0),
        )
    ]


def contests(measured: FromScratch) -> list[dict]:
    """Which model is better, a row a measure."""
    names = {
        Winner.FROM_SCRATCH: "from scratch",
        Winner.FINE_TUNED: "fine-tuned",
        Winner.NEITHER: "not told apart by the interval of the difference",
    }
    return [
        {"measure": phrases.say(f"measure_{one.measure}"), "better": names[one.winner]}
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
    columns = {"loop": "has a loop", "loop_holtzman": "ends in a loop (Holtzman)", "looped": "looped words"}
    return [
        {"greedy minus": label} | {name: signed(told[key]) for key, name in (columns | {"rep_4": "rep-4"}).items()}
        for label, told in compared.items()
    ]


def rounds(lines: dict[str, Rounds]) -> list[dict]:
    """The first three rounds and the last one, a row for each line of the picture and each round."""
    return [
        {
            "text": name,
            "round": place + 1,
            "texts": told.texts[place],
            "probability of a token": with_interval(told.probability[place]),
            "tokens that are the model's first choice %": with_interval(told.most_probable_percent[place]),
            "greedy writes the whole round %": with_interval(told.greedy_whole_percent[place]),
            "chance that top-k draws the token %": with_interval(told.top_k_percent[place]),
            "chance that top-k writes the whole round %": with_interval(told.top_k_whole_percent[place]),
        }
        for name, told in lines.items()
        for place in dict.fromkeys((0, 1, 2, len(told.texts) - 1))
        if 0 <= place < len(told.texts)
    ]


def published(rows: list[PublishedRow]) -> list[dict]:
    """Published figures beside those here."""
    return [
        {
            "published": row.method,
            "here": row.here,
            "ends in a loop %, published": row.loops_percent_published,
            "ends in a loop %, here": row.loops_percent_here,
            "self-BLEU-4 published": row.self_bleu_4_published,
            "self-BLEU-4 here": row.self_bleu_4_here,
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
            parts.append(phrases.state(CallState.FIRST if state == "first" else CallState.LATER, language))
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


def machine(facts: Machine, language: str = "en") -> list[dict]:
    """What a report was made with, a row a fact."""
    rows = {
        "date": facts.date,
        "code": phrases.code(facts, language),
        "Python": f"{facts.python} ({facts.system})",
        "processor": say("machine_cores", language, processor=facts.processor, cores=facts.cores),
        "memory": say("machine_memory", language, total=facts.memory_gib, peak=facts.peak_memory_gib)
        + (say("machine_keeps_memory", language) if facts.keeps_freed_memory else ""),
        "Keras backend": facts.keras,
        "device": facts.device,
        "environment variables set aside": ", ".join(facts.variables_set_aside),
        **facts.packages,
        **{f"{name} lock": f"SHA-256 {digest}" for name, digest in facts.locks.items()},
    }
    return [{"environment": name, "value": value} for name, value in rows.items() if value]
