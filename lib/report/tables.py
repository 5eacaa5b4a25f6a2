"""Lay records out as the rows of tables: values by column."""

from lib.claims import head_to_head
from lib.core.records import (
    BatchTime,
    BeforeAfter,
    CallState,
    FromScratch,
    HeldOutLoss,
    Likelihood,
    Machine,
    PoemForm,
    PoemLine,
    PostText,
    PublishedRow,
    TextGroup,
    TextQuality,
    Timing,
    Training,
    Winner,
    WordList,
)
from lib.evaluation import metrics
from lib.report import phrases
from lib.report.numbers import DASH, number, with_interval

FORM = {
    "well_formed": "well formed %",
    "regular_lines": "regular lines %",
    "han": "Chinese characters %",
    "rhyme": "rhyming pairs %",
    "alternating": "alternating tones %",
    "distinct": "distinct characters %",
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
            "at a time": training.texts_at_a_time,
            "first step s": training.first_step_seconds,
            "later median ms": 1000 * later.median_seconds,
            "p90 ms": 1000 * later.p90_seconds,
            "MAD ms": 1000 * later.mad_seconds,
            "spread": phrases.spread(later.wide),
            "positions per step": training.positions,
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
            **{f"{label}, letters in words %": one.words[name] for name, label in names.items()},
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
            "rhyme group": "、".join(line.rhyme_groups) or ("" if number % 2 else "unknown"),
            "rhymes": _known(line.rhymes) if line.is_rhyme_line else "",
        }
        for number, line in enumerate(lines, 1)
    ]


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
        Winner.NEITHER: "no difference within the intervals",
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


def published(rows: list[PublishedRow]) -> list[dict]:
    """Published figures beside those here."""
    return [
        {
            "published": row.method,
            "here": row.here,
            "loops percent published": row.loops_percent_published,
            "loops percent here": row.loops_percent_here,
            "self-BLEU-4 published": row.self_bleu_4_published,
            "self-BLEU-4 here": row.self_bleu_4_here,
        }
        for row in rows
    ]


def post_texts(texts: list[PostText]) -> list[dict]:
    """The texts that the post prints, judged."""
    return [
        {
            "text of the post": text.name,
            "rep 4 percent": text.rep_4_percent,
            "ends in a loop": text.ends_in_a_loop,
            "well formed": text.well_formed,
            "rhyming pairs": None if text.rhymes is None else f"{text.rhymes} of {text.rhyme_pairs}",
            "alternating tones": None if text.alternating is None else f"{text.alternating} of {text.tone_pairs}",
        }
        for text in texts
    ]


def rates(rows: list[dict]) -> list[dict]:
    """Tokens per second of the post's calls and of those here, from `beside_post.rates`."""
    table = []
    for row in rows:
        whose, label, state = row["call"]
        parts = ["blog post" if whose == "post" else "here", label]
        if state:
            parts.append(phrases.state(CallState.FIRST if state == "first" else CallState.LATER))
        if row["wide"]:
            parts.append("wide spread")
        table.append(
            {
                "call": ", ".join(parts),
                "seconds": row["seconds"],
                "as the post counts": row["as_the_post_counts"],
                "new tokens only": row["new_tokens_only"],
            }
        )
    return table


def machine(facts: Machine) -> list[dict]:
    """What a report was made with, a row a fact."""
    rows = {
        "date": facts.date,
        "code": phrases.code(facts),
        "Python": f"{facts.python} on {facts.system}",
        "processor": f"{facts.processor}, {facts.cores} cores",
        "memory": f"{facts.memory_gib:.0f} GiB, of which this notebook used {facts.peak_memory_gib:.1f} GiB at its peak"
        + ("; freed memory is kept" if facts.keeps_freed_memory else ""),
        "Keras backend": facts.keras,
        "device": facts.device,
        "environment variables set aside": ", ".join(facts.variables_set_aside),
        **facts.packages,
        **{f"{name} lock": f"SHA-256 {digest}" for name, digest in facts.locks.items()},
    }
    return [{"environment": name, "value": value} for name, value in rows.items() if value]
