"""Make sentences from records, in each language. No code parses these sentences.

To reword a sentence, edit `wording.yaml`. To answer a new notebook's question, add a function to `ANSWERS` and its
template `answer_<notebook>` to `wording.yaml`.
"""

import math
import re
from collections.abc import Callable

from lib.claims import experiments, head_to_head, judgement, rules
from lib.core.records import (
    Beside,
    CallState,
    Claim,
    Contest,
    DecodingStep,
    Estimate,
    FromScratch,
    GreedyVsTopK,
    Machine,
    PoemForm,
    PoemScale,
    Results,
    SpeedVerdict,
    StandIn,
    TextGroup,
    Timing,
    Verdict,
    Winner,
)
from lib.report import wording
from lib.report.numbers import number, percent, percent_range, with_interval
from lib.report.wording import say

NOTICEABLE_SHARE = 5.0  # percentage points; a smaller difference of couplets is called small
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|(?<=[。！？])(?=.)")


# Words for values that are one of a few.


def verdict(value: Verdict, language: str = "en") -> str:
    """A verdict in words."""
    return say(f"verdict_{Verdict(value).name.lower()}", language)


def speed(value: SpeedVerdict, language: str = "en") -> str:
    """Whether later calls got faster, in words."""
    return say(f"speed_{SpeedVerdict(value).name.lower()}", language)


def step(value: DecodingStep, language: str = "en") -> str:
    """Whose decoding step ran, in words."""
    return say(f"step_{DecodingStep(value).name.lower()}", language)


def stand_ins(used: list[StandIn], language: str = "en") -> str:
    """Say which stand-in replaces what, each once; `""` if there is none."""
    parts = dict.fromkeys(say("stand_in", language, used=one.used, requested=one.requested) for one in used)
    return say("between", language).join(parts)


def title(notebook: str, language: str = "en") -> str:
    """A notebook's title."""
    return say(f"title_{notebook}", language) if wording.has(f"title_{notebook}") else notebook


def code(machine: Machine) -> str:
    """The version of the code that ran."""
    if machine.commit is None:
        return f"unknown ({machine.no_commit_because})"
    return f"commit {machine.commit}" + (", with changes" if machine.code_changed else "")


def headline(answer: str) -> tuple[str, str]:
    """Split an answer into its first sentence and the rest."""
    first, *more = SENTENCE_END.split(answer, maxsplit=1)
    return first, "".join(more)


# The post's claims.


def claim(judged: Claim, language: str = "en") -> dict[str, str]:
    """A claim in words: `says`, what the post says; `verdict`; `because`, the figures behind it."""
    return {
        "says": say(f"claim_{judged.name}", language, **_of_claim(judged, language)),
        "verdict": verdict(judged.verdict, language),
        "because": say(f"because_{judged.name}", language, **_of_claim(judged, language)),
    }


def _of_claim(judged: Claim, language: str) -> dict:
    """Return the values that the templates of a claim name."""
    values = dict(judged.evidence)
    if judged.name == "speed":
        values["verdict"] = speed(values["speed"], language)
    elif judged.name == "style":
        values["by"] = _change(Estimate(**values["change"]), language)
    elif judged.name == "loops":
        values |= {name: with_interval(Estimate(**values[name])) for name in ("greedy", "top_k", "people")}
    elif judged.name in ("form", "rhyme"):
        values |= {
            name: percent(values[name], language) for name in ("after", "before", "shuffled", "tang") if name in values
        }
        if judged.name == "rhyme":
            values["post"] = say("pairs", language, count=values["post_rhymes"], all=values["post_pairs"])
    elif judged.name == "scratch":
        values |= {f"{who}_{what}": percent(values[f"{who}_{what}"], language) for who, what in _PAIRS}
    return values


_PAIRS = [(who, what) for who in ("own", "their") for what in ("form", "rhyme")]


def _change(estimate: Estimate, language: str) -> str:
    """Say by how many bits per character a figure changes, by its interval."""
    if not estimate.has_interval:
        return say("bits_unknown", language)
    if estimate.high < 0:
        return say("bits_fewer", language, low=-estimate.high, high=-estimate.low)
    if estimate.low > 0:
        return say("bits_more", language, low=estimate.low, high=estimate.high)
    return say("bits_between", language, fewer=-estimate.low, more=estimate.high)


def tally(claims: list[Claim], language: str = "en") -> str:
    """Say how many claims hold, in a sentence without the verdicts that no claim has."""
    parts = []
    for value in Verdict:
        if count := sum(judged.verdict is value for judged in claims):
            name = f"tally_{value.name.lower()}"
            parts.append(say(f"{name}_one" if count == 1 else name, language, count=count))
    *most, last = parts
    listed = [say("tally_comma", language).join(most), last] if most else [last]
    return say("tally", language, all=len(claims), counts=say("tally_last", language).join(listed))


def verdicts(claims: list[Claim], language: str = "en") -> str:
    """List the claims in a sentence or two, sorted by their verdicts."""
    told = ""
    for value in dict.fromkeys(judged.verdict for judged in claims):
        listed = [claim(judged, language)["says"] for judged in claims if judged.verdict is value]
        told += say(
            "verdict_claims",
            language,
            verdict=_capital(verdict(value, language)),
            claims=say("between", language).join(listed),
        )
    return told.strip()


# The post's figures beside those here.


def beside(row: Beside, language: str = "en") -> dict[str, str]:
    """Put a row into words: `what`, the `post`'s figure, the one `here`, and `why` they differ."""

    def tell(part: str, values: dict) -> str:
        name = f"{part}_{row.name}"
        return say(name, language, **values) if wording.has(name) else ""

    subject = {"texts": say(row.subject, language)} if row.subject else {}
    return {
        "what": tell("what", subject | row.post),
        "post": tell("post", _readable(row.post, language) if row.name == "speed_up" else row.post),
        "here": tell("here", _here(row, language)),
        "why": tell("why", _why(row, language)),
    }


def _here(row: Beside, language: str) -> dict:
    """Return the values of this run's figure for its template."""
    if row.name in ("greedy", "chinese"):
        return row.here
    if row.name == "rhyme":
        return {part: _percents(shares, language) for part, shares in row.here.items()}
    if row.name == "poem":
        shares = {name: row.here[name] for name in ("before", "after", "tang", "shuffled")}
        return _readable(row.here, language) | _percents(shares, language)
    return _readable(row.here, language, 4 if row.name in ("loss", "accuracy") else 3)


def _percents(shares: dict[str, float | None], language: str) -> dict[str, str]:
    return {name: percent(value, language) for name, value in shares.items()}


def _readable(values: dict, language: str, digits: int = 3) -> dict:
    """Format values as text: floats with `digits` digits, enums in words."""
    told = {}
    for name, value in values.items():
        if name == "step":
            told[name] = step(value, language)
        elif name == "speed":
            told[name] = speed(value, language)
        else:
            told[name] = number(value, digits) if isinstance(value, float) else value
    return told


def _why(row: Beside, language: str) -> dict:
    values = dict(row.why)
    if "where" in values:
        machine = say("machine", language, where=values.pop("where"), backend=values.pop("backend"))
        values["machine"] = say("machine_unknown", language, machine=machine)
    if "stand_ins" in values:
        used = [StandIn(**one) for one in values.pop("stand_ins")]
        values["what_ran"] = stand_ins(used, language) or say("same_as_the_post", language)
    if "another_step" in values:
        values["step"] = say("another_step", language) if values.pop("another_step") else ""
    if row.name == "speed_up":
        values["times"] = number(values["times"])
    if "token_loss" in values:
        values["token_loss"] = number(values["token_loss"], 4)
    return values


def compiling(
    explained: dict[str, float], figures: dict, timing: Timing, change: SpeedVerdict, language: str = "en"
) -> str:
    """Say how much of the post's speed-up compilation explains.

    Args:
        explained: The result of `beside_post.compiling`.
        figures: The result of `post.blog_post`.
        timing: The calls as in the post, of this run.
        change: Whether fine-tuning made later calls faster in this run.
        language: One of `wording.LANGUAGES`.
    """
    share = (
        say("compiling_all", language)
        if explained["percent"] > 100
        else say("compiling_share", language, percent=explained["percent"])
    )
    return say(
        "compiling",
        language,
        first=figures["baseline"]["seconds"],
        after=figures["reddit"]["seconds_after"],
        step=step(timing.step, language),
        share=share,
        verdict=speed(change, language),
        **{name: explained[name] for name in ("speed_up", "factor", "change")},
    )


# Timing.


def conditions(timing: Timing, fewest: int, language: str = "en") -> str:
    """Describe the conditions of timed calls: the machine, the rule and the formulas."""
    return say(
        "timing_conditions",
        language,
        run=say("run_deterministic" if timing.deterministic else "run_timed", language),
        device=timing.device,
        threads=timing.threads,
        precision=timing.precision,
        xla=say("on" if timing.xla else "off", language),
        sampler=timing.sampler,
        batch=timing.batch_size,
        prompt=timing.prompt_tokens,
        fewest=fewest,
        most=2 * fewest,
        memory=say(f"memory_{timing.peak_memory_of.name.lower()}", language),
    )


def spread(wide: bool, language: str = "en") -> str:
    """Say whether a spread is wide or narrow."""
    return say("spread_wide" if wide else "spread_narrow", language)


def state(value: CallState, language: str = "en") -> str:
    """Say in words which calls a time belongs to."""
    return say(f"state_{CallState(value).name.lower()}", language)


# Samplers, and the model from scratch.


def finding(measured: GreedyVsTopK, language: str = "en") -> str:
    """Say how the samplers compare with people in repetition and in perplexity."""
    people, others = measured.people.metrics, measured.groups[:-1]

    def overlaps(group: TextGroup) -> bool:
        own, theirs = group.metrics["diversity"], people["diversity"]
        return own.has_interval and theirs.has_interval and own.low <= theirs.high and theirs.low <= own.high

    def distance(group: TextGroup) -> float:
        own, theirs = group.metrics["perplexity"].value, people["perplexity"].value
        return max(own / theirs, theirs / own) if own and theirs else float("inf")

    nearest = min(others, key=distance)
    judged = [group for group in others if group.metrics["diversity"].value is not None] or others
    poorest = min(judged, key=lambda group: _or_nan(group.metrics["diversity"].value))
    return say(
        "finding",
        language,
        diversity=_or_nan(people["diversity"].value),
        perplexity=_or_nan(people["perplexity"].value),
        alike=say("and", language).join(group.label for group in others if overlaps(group)) or say("none", language),
        poorest=poorest.label,
        lowest=_or_nan(poorest.metrics["diversity"].value),
        nearest=nearest.label,
        near=_or_nan(nearest.metrics["perplexity"].value),
    )


def same_as_greedy(measured: GreedyVsTopK, language: str = "en") -> str:
    """Say how many texts of each other sampler equal greedy's, token by token."""
    texts = measured.greedy.texts
    parts = [
        say("same_texts", language, sampler=name, count=count, all=texts)
        for name, count in measured.same_as_greedy.items()
        if count
    ]
    return say("same_as_greedy", language, listed=say("and", language).join(parts) or say("none", language))


def contests(judged: list[Contest], language: str = "en") -> str:
    """Say in a sentence which model is better in which measures."""
    parts = []
    for winner in Winner:
        names = [say(f"measure_{one.measure}", language) for one in judged if one.winner is winner]
        if names:
            parts.append(say(f"better_{winner.name.lower()}", language, measures=say("and", language).join(names)))
    return _capital(say("between", language).join(parts) + say("full_stop", language))


def difference(estimate: Estimate, language: str = "en") -> str:
    """Say how the two models differ in bits per character."""
    if not estimate.has_interval:
        return say("scratch_difference_unknown", language)
    return say("scratch_difference", language, mean=estimate.value, low=estimate.low, high=estimate.high)


def difference_over_runs(measured: FromScratch, language: str = "en") -> str:
    """Say how the two models differ in bits per character over their training runs; `""` if either has a single run."""
    found = measured.bits_per_character_difference_over_runs
    if not found.has_interval:
        return ""
    counts = {"own": len(measured.runs), "theirs": len(measured.fine_tuned.runs)}
    return say("scratch_difference_runs", language, mean=found.value, low=found.low, high=found.high, **counts)


def asked(prompts: dict[str, str], language: str = "en") -> str:
    """Say which prompt the model from scratch is asked in place of one in simplified characters."""
    changed = [
        say("asked_as", language, given=given, asked=converted)
        for given, converted in prompts.items()
        if given != converted
    ]
    every = say("and", language).join(dict.fromkeys(prompts.values()))
    told = say("asked", language, prompts=every)
    return told + say("asked_converted", language, changed=say("and", language).join(changed)) if changed else told


def parallelism(scale: PoemScale, language: str = "en") -> str:
    """Say whether the measures of parallelism tell middle couplets of regulated verse from first and last ones."""
    parts = []
    for share, difference in scale.middle_minus_outer.items():
        groups = scale.regulated_middle.shares[share], scale.regulated_outer.shares[share]
        if not difference.has_interval:
            parts.append(say("couplets_unknown", language, measure=say(f"measure_{share}", language)))
            continue
        apart = difference.low > 0 or difference.high < 0
        small = apart and share == "parallel_tones" and abs(difference.value) < NOTICEABLE_SHARE
        parts.append(
            say(
                "couplets_alike" if not apart else "couplets_hardly_apart" if small else "couplets_apart",
                language,
                measure=say(f"measure_{share}", language),
                middle=number(groups[0].value),
                outer=number(groups[1].value),
                value=number(difference.value),
                low=number(difference.low),
                high=number(difference.high),
            )
        )
    return say("sentence_space", language).join(map(_capital, parts))


def trained_where(theirs: Machine, here: Machine, language: str = "en") -> str:
    """Say when and on what the fine-tuned model was trained, and whether equal time means equal work in this run."""
    told = say("trained_where", language, date=theirs.date, processor=theirs.processor, device=theirs.device or "CPU")
    same = (theirs.processor, theirs.cores, theirs.device) == (here.processor, here.cores, here.device)
    return told if same else told + say("another_machine", language)


# What each notebook found.


def answer(results: Results, language: str = "en") -> str:
    """Return a notebook's finding in a sentence or two; `""` if it has no template."""
    if results.notebook in ANSWERS:
        values = ANSWERS[results.notebook](results, language)
        return say(f"answer_{results.notebook}", language, **values)
    return results.answer.get(language) or results.answer.get("en", "")


def _answer_summary(results: Results, language: str) -> dict:
    found = experiments.load(results.profile)
    claims = judgement.of_profile(results.profile, results.measured.post_texts).claims
    timing, own = found.baseline.measured.as_in_post, found.reddit.measured.timing
    return {
        "tally": tally(claims, language),
        "verdicts": verdicts(claims, language),
        "before": own.before.later_calls.median_seconds,
        "after": own.after.later_calls.median_seconds,
        "verdict": speed(rules.compare_speed(own.before, own.after), language),
        "ratio": timing.first_call_seconds / timing.later_calls.median_seconds,
        "step": step(timing.step, language),
    }


def _answer_baseline(results: Results, language: str) -> dict:
    measured, parameters = results.measured, results.parameters
    timing, own = measured.as_in_post, measured.own_step
    first, later = timing.first_call_seconds, timing.later_calls
    told = ""
    if own is not None:
        told = say("own_step", language, later=own.later_calls.median_seconds, rate=own.new_tokens_per_second)
    return {
        "first": first,
        "later": later.median_seconds,
        "n": later.n,
        "compiling": 100 * (1 - later.median_seconds / first),
        "rate": timing.new_tokens_per_second,
        "prompt": parameters["prompt"],
        "chinese_prompt": parameters["chinese_prompt"],
        "own": told,
        "english": measured.english.rep_4_percent,
        "english_bytes": measured.english.broken_bytes,
        "chinese": measured.chinese.rep_4_percent,
        "chinese_bytes": measured.chinese.broken_bytes,
        "stories": measured.people_stories.rep_4_percent,
        "poems": measured.people_poems.rep_4_percent,
    }


def _answer_reddit(results: Results, language: str) -> dict:
    measured = results.measured
    before, after = measured.timing.before, measured.timing.after
    return {
        "steps": measured.training.steps,
        "batch": measured.training.batch_size,
        "loss_before": measured.held_out.before.token_loss,
        "loss_after": measured.held_out.after.token_loss,
        "bits_before": measured.likelihood.before.bits_per_character,
        "bits_after": measured.likelihood.after.bits_per_character,
        "before": before.later_calls.median_seconds,
        "after": after.later_calls.median_seconds,
        "verdict": speed(rules.compare_speed(before, after), language),
        "mixed": before.first_call_seconds / after.later_calls.median_seconds,
        "compiling": before.first_call_seconds / before.later_calls.median_seconds,
    }


def _answer_samplers(results: Results, language: str) -> dict:
    measured = results.measured
    groups = {"greedy": measured.greedy, "top_k": measured.top_k, "people": measured.people}
    told = {
        name: {"loops": group.loops, "texts": group.texts, "rep_4": group.metrics["rep_4"].value}
        for name, group in groups.items()
    }
    return told | {"k": results.parameters["k"], "finding": finding(measured, language)}


def _answer_tang(results: Results, language: str) -> dict:
    measured = results.measured
    form, runs = measured.form, measured.runs
    prompts = [form.prompt, *(prompt for prompt in form.after_by_prompt if prompt != form.prompt)]
    groups = [[run.form_by_prompt[prompt] for run in runs] for prompt in prompts]
    before = [[run.before_by_prompt[prompt] for run in runs] for prompt in prompts]
    told = [
        say(
            "poems_more" if number_of else "poems_first",
            language,
            prompt=prompt,
            before=_ranges(earlier, language)["well_formed"],
            **_ranges(group, language),
        )
        for number_of, (prompt, group, earlier) in enumerate(zip(prompts, groups, before, strict=True))
    ]
    return {
        "runs": runs_of(len(runs), language),
        "steps": measured.training.steps,
        "batch": measured.training.batch_size,
        "poems": say("sentence_space", language).join(told),
        "scale": _scale(form, language),
        "verdict": say("sentence_space", language).join(
            beside_chance(prompt, measured.after_minus_chance[prompt], language) for prompt in prompts
        ),
        "tokens": measured.tokens_per_character,
        "bits_before": measured.likelihood.before.bits_per_character,
        "bits_after": _number_range([run.likelihood.bits_per_character for run in runs], language),
    }


def runs_of(count: int, language: str = "en") -> str:
    """Say over how many training runs something was seen."""
    return say("in_one_run" if count == 1 else "in_runs", language, count=count)


_TOLD = ("well_formed", "rhyme", "parallel_tones", "parallel_words")


def _ranges(runs: list[PoemForm], language: str) -> dict[str, str]:
    """The lowest and the highest share over the runs, for each of the demands."""
    return {share: percent_range([run.shares[share].value for run in runs], language) for share in _TOLD}


def _number_range(values: list[float], language: str) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else say("range", language, low=low, high=high)


def _scale(scale: PoemScale, language: str) -> str:
    """Say what Tang poets come to, and what comes by chance."""
    return say(
        "poems_scale",
        language,
        **{f"tang_{share}": percent_range([scale.ceiling(share).value], language) for share in _TOLD},
        **{f"chance_{share}": percent_range([scale.chance(share).value], language) for share in _TOLD[1:]},
    )


def beside_chance(prompt: str, minus_chance: dict[str, Estimate], language: str = "en") -> str:
    """Say which of rhyme and parallelism are above chance after a prompt, by the intervals of the differences."""
    groups = {"above": [], "alike": [], "below": [], "unknown": []}
    for share in _TOLD[1:]:
        difference = minus_chance[share]
        if difference.value is None:
            groups["unknown"].append(say(f"measure_{share}", language))
            continue
        above, below = difference.has_interval and difference.low > 0, difference.has_interval and difference.high < 0
        groups["above" if above else "below" if below else "alike"].append(say(f"measure_{share}", language))
    parts = [
        say(f"chance_{name}", language, prompt=prompt, measures=say("and", language).join(measures))
        for name, measures in groups.items()
        if measures
    ]
    return say("sentence_space", language).join(parts)


def _answer_scratch(results: Results, language: str) -> dict:
    measured = results.measured
    theirs = measured.fine_tuned
    own = _ranges([run.form_by_prompt[measured.prompt] for run in measured.runs], language)
    others = _ranges([run.form_by_prompt[theirs.prompt] for run in theirs.runs], language)
    return {
        "runs": runs_of(len(measured.runs), language),
        "their_runs": say("runs_count", language, count=len(theirs.runs)) if len(theirs.runs) > 1 else "",
        "prompt": measured.prompt,
        "millions": measured.parameters / 1e6,
        "own_seconds": measured.budget.total_seconds,
        "their_seconds": theirs.training.seconds,
        "own_bits": _number_range([run.likelihood.bits_per_character for run in measured.runs], language),
        "their_bits": _number_range([run.likelihood.bits_per_character for run in theirs.runs], language),
        **{f"own_{share}": value for share, value in own.items()},
        **{f"their_{share}": value for share, value in others.items()},
        "own_time": number(measured.timing.later_calls.median_seconds, 2),
        "their_time": number(theirs.timing.later_calls.median_seconds, 2),
        "verdict": contests(head_to_head.contests(measured), language),
    }


ANSWERS: dict[str, Callable[[Results, str], dict]] = {
    "00_summary": _answer_summary,
    "01_baseline": _answer_baseline,
    "02_reddit_finetune": _answer_reddit,
    "03_greedy_vs_top_k": _answer_samplers,
    "04_tang_poetry": _answer_tang,
    "05_from_scratch": _answer_scratch,
}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _capital(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}"
