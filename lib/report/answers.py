"""Say in a few sentences what each notebook found. No code parses these sentences.

To reword one, edit `sentences/`. To answer a new notebook's question, add a function to `ANSWERS` and its template
`answer_<notebook>` to `sentences/`.
"""

from collections.abc import Callable

from lib.claims import head_to_head, judgement
from lib.core.records import (
    Estimate,
    Results,
)
from lib.report import (
    baseline_words,
    bench_words,
    claims_words,
    poems_words,
    samplers_words,
    stories_words,
    sweep_words,
    words,
)
from lib.report.numbers import percent_range
from lib.report.wording import say


def answer(results: Results, language: str = "en") -> str:
    """Return a notebook's finding in a sentence or two; `""` if it has no template."""
    if results.notebook in ANSWERS:
        values = ANSWERS[results.notebook](results, language)
        return say(f"answer_{results.notebook}", language, **values)
    return results.answer.get(language) or results.answer.get("en", "")


def _answer_summary(results: Results, language: str) -> dict:
    claims = judgement.of_profile(results.profile, results.measured.post_texts).claims
    return {"tally": claims_words.tally(claims, language), "verdicts": claims_words.verdicts(claims, language)}


def _answer_baseline(results: Results, language: str) -> dict:
    timing = results.measured.most_like_the_post
    compiling = timing.first_call_compiling_seconds
    return {
        "on": say("on_backend", language, backend=words.BACKENDS[timing.backend]) if timing.backend else "",
        "first": timing.first_call_seconds,
        "compiling": "" if compiling is None else say("of_which_compiling", language, compiling=compiling),
        "later": timing.later_calls.median_seconds,
        "finding": baseline_words.gibberish_in_short(results, language),
    }


def _answer_reddit(results: Results, language: str) -> dict:
    measured = results.measured
    return {
        "lengths": stories_words.lengths_in_short(measured, language),
        "style": stories_words.style_in_short(measured, language),
        "bits_and_speed": stories_words.bits_and_speed_in_short(measured, language),
    }


def _answer_samplers(results: Results, language: str) -> dict:
    measured = results.measured
    groups = {"greedy": measured.greedy, "top_k": measured.top_k, "people": measured.people}
    told = {name: {"loops": group.loops, "texts": group.texts} for name, group in groups.items()}
    written = measured.self_reinforcement.written
    of_sentences = samplers_words.sentences(measured)
    is_all = of_sentences["greedy_last"] == of_sentences["count"]
    values = {
        "first": written.probability[0].value,
        "third": written.probability[2].value,
        "last": written.probability[-1].value,
        "whole": say("whole_sentences_all" if is_all else "whole_sentences", language, **of_sentences),
        **of_sentences,
    }
    return told | {
        "k": results.parameters["k"],
        "gap": samplers_words.gap(measured.greedy_minus_top_k["loop"], language),
        "why": say(
            "reinforced" if samplers_words.reinforces(measured.self_reinforcement) else "not_reinforced",
            language,
            **values,
        ),
    }


def _answer_tang(results: Results, language: str) -> dict:
    measured = results.measured

    def shares(by_prompt: dict[str, dict[str, Estimate]], share: str) -> str:
        return percent_range([of_prompt[share].value for of_prompt in by_prompt.values()], language)

    return {
        "before": shares(measured.before_over_runs, "well_formed"),
        "after": shares(measured.after_over_runs, "well_formed"),
        "by_prompt": say("by_prompt", language) if len(measured.after_over_runs) > 1 else "",
        "chance": poems_words.above_chance(list(measured.after_minus_chance.values()), language),
        "rhyme": shares(measured.after_over_runs, "rhyme"),
        "tang_rhyme": percent_range([measured.form.ceiling("rhyme").value], language),
        "chance_rhyme": words.share_with_interval(measured.form.chance("rhyme"), language),
    }


def _answer_scratch(results: Results, language: str) -> dict:
    measured = results.measured
    judged = head_to_head.contests(measured)
    bits = next(one for one in judged if one.measure == "bits_per_character")
    return {
        "parameters": words.rounded(measured.parameters),
        "own_seconds": measured.budget.total_seconds,
        "their_seconds": measured.fine_tuned.training.seconds,
        "own_bits": bits.from_scratch.value,
        "their_bits": bits.fine_tuned.value,
        "verdict": poems_words.contests([one for one in judged if one.measure in poems_words.IN_SHORT], language),
    }


def _answer_bench(results: Results, language: str) -> dict:
    return {"sentences": bench_words.answer(results.measured, language)}


def _answer_sweep(results: Results, language: str) -> dict:
    return {"found": sweep_words.answer(results.measured, language)}


ANSWERS: dict[str, Callable[[Results, str], dict]] = {
    "00_summary": _answer_summary,
    "01_baseline": _answer_baseline,
    "02_reddit_finetune": _answer_reddit,
    "03_greedy_vs_top_k": _answer_samplers,
    "04_tang_poetry": _answer_tang,
    "05_from_scratch": _answer_scratch,
    "06_sweep": _answer_sweep,
    "bench": _answer_bench,
}
