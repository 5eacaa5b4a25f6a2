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
    GreedyVsTopK,
    Machine,
    RedditFinetune,
    Results,
    SpeedVerdict,
    StandIn,
    TextGroup,
    TextLengths,
    Timing,
    Verdict,
    Winner,
)
from lib.report import wording
from lib.report.numbers import DASH, number, percent, with_interval
from lib.report.wording import say

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


def trained_where(theirs: Machine, here: Machine, language: str = "en") -> str:
    """Say when and on what the fine-tuned model was trained, and whether equal time means equal work in this run."""
    told = say("trained_where", language, date=theirs.date, processor=theirs.processor, device=theirs.device or "CPU")
    same = (theirs.processor, theirs.cores, theirs.device) == (here.processor, here.cores, here.device)
    return told if same else told + say("another_machine", language)


# Fine-tuning on stories: lengths, style, learning curve, speed.


def text_lengths(measured: RedditFinetune, length: int, language: str = "en") -> str:
    """Say how long the texts are before and after fine-tuning and without an end token, beside the training texts.

    Args:
        measured: What 02 measured.
        length: The number of tokens to which a training text is cut.
        language: One of `wording.LANGUAGES`.
    """
    lengths, training = measured.ends.lengths, measured.ends.training
    groups = {name: getattr(lengths, name) for name in ("before", "after", "without", "cut")}
    return say(
        "lengths_told",
        language,
        texts=lengths.after.texts,
        most=lengths.after.most_new_tokens,
        training=training.median_tokens,
        trained_cut=training.cut,
        trained=training.texts,
        length=length,
        **{name: _median(group, language) for name, group in groups.items()},
        **{f"ended_{name}": group.ended for name, group in groups.items()},
    )


def text_ends(measured: RedditFinetune, k: int, language: str = "en") -> str:
    """Say why the model ends its texts where it does, as far as the figures show it."""
    ends, likely = measured.ends, measured.ends.probability
    quarters = likely.after.after_sentence_by_quarter
    before, after, without = (one.after_sentence for one in (likely.before, likely.after, likely.without))
    in_top_k, text = likely.after.after_sentence_in_top_k, likely.after.after_text
    parts = [
        say(
            "ends_probability",
            language,
            share=_figure(Estimate(value=ends.training.ends_per_sentence_percent)),
            before=_figure(before),
            after=_figure(after),
            elsewhere=_figure(likely.after.elsewhere),
            in_top_k=_figure(in_top_k),
            k=k,
            quarters=say("and", language).join(DASH if one is None else number(one, 2) for one in quarters),
        )
    ]
    rises = _apart(before, after)
    if rises and in_top_k.value and in_top_k.value < 100:
        sentences = math.ceil(math.log(0.5) / math.log(1 - in_top_k.value / 100))
        parts.append(say("ends_half", language, sentences=sentences))
    if rises and text.value is not None:
        parts.append(
            say("ends_the_length" if _apart(after, text) else "ends_not_the_length", language, text=_figure(text))
        )
    longer = _apart(ends.lengths.after.median_new_tokens, ends.lengths.without.median_new_tokens)
    parts.append(
        say(
            "ends_cause" if rises and longer and _apart(without, after) else "ends_no_cause",
            language,
            without=_figure(without),
        )
    )
    cut, of_cut = likely.cut.after_sentence, ends.lengths.cut
    differ = _apart(cut, after) and _apart(ends.lengths.after.median_new_tokens, of_cut.median_new_tokens)
    parts.append(
        say(
            "ends_cut" if differ else "ends_cut_alike",
            language,
            texts=ends.cut_texts,
            probability=_figure(cut),
            median=_median(of_cut, language),
        )
    )
    parts.append(say("ends_bits", language, bits=_bits(ends.bits_without_minus_after, language)))
    return _sentences(parts, language)


def _median(lengths: TextLengths, language: str, interval: bool = True) -> str:
    """Tell the median length; "or more" where fewer than half of the texts were ended before the limit."""
    median = lengths.median_new_tokens
    told = _figure(median if interval else Estimate(value=median.value))
    return say("or_more", language, figure=told) if 2 * lengths.ended < lengths.texts else told


def _figure(estimate: Estimate) -> str:
    """A figure with two digits and its interval, such as `"20 (18–22)"`."""
    if estimate.value is None:
        return DASH
    value, *ends = (number(one, 2) for one in (estimate.value, estimate.low, estimate.high) if one is not None)
    return f"{value} ({'–'.join(ends)})" if estimate.has_interval else value


def _bits(estimate: Estimate, language: str) -> str:
    """Say by how many bits per character a figure changes, by its interval, with two digits."""
    if not estimate.has_interval:
        return say("bits_unknown", language)
    low, high = (number(abs(end), 2) for end in (estimate.low, estimate.high))
    if estimate.high < 0:
        return say("change_fewer", language, low=high, high=low)
    if estimate.low > 0:
        return say("change_more", language, low=low, high=high)
    return say("change_between", language, fewer=low, more=high)


def _apart(lower: Estimate, higher: Estimate) -> bool:
    """Return whether the interval of one figure lies above that of another."""
    return lower.has_interval and higher.has_interval and lower.high < higher.low


def _sentences(parts: list[str], language: str) -> str:
    return (" " if language == "en" else "").join(part.strip() for part in parts)


def style(measured: RedditFinetune, language: str = "en") -> str:
    """Say how well the texts can be told from people's, and whether fine-tuning brought them nearer."""
    told = measured.style
    groups = {"auc": told.auc, "jsd": told.jsd}
    parts = [
        say(
            "style_told",
            language,
            texts=told.texts,
            words=told.words,
            **{
                f"{measure}_{who}": _figure(getattr(group, who))
                for measure, group in groups.items()
                for who in ("before", "after", "people")
            },
        )
    ]
    for measure in groups:
        change, floor = told.after_minus_before[measure], told.after_minus_floor[measure]
        name = say("style_by_auc" if measure == "auc" else "style_by_jsd", language)
        nearer, above = rules.above_zero(change), rules.above_zero(floor)
        parts.append(
            say(
                "style_undecided" if nearer is None else "style_farther" if nearer else "style_nearer",
                language,
                measure=name,
                change=_signed(change, language),
            )
            + say(
                "style_at_floor" if above is None else "style_above_floor" if above else "style_below_floor",
                language,
                floor=_signed(floor, language),
            )
        )
    return _sentences(parts, language)


def _signed(estimate: Estimate, language: str) -> str:
    if not estimate.has_interval:
        return DASH
    return say("signed_interval", language, value=estimate.value, low=estimate.low, high=estimate.high)


def learning_curve(measured: RedditFinetune, language: str = "en") -> str:
    """Say by how much held-out texts change from each number of stories to the next, and from 500 to the most."""
    curve = measured.learning_curve
    first, *others = curve.points
    bits = _bits(first.minus_point_before, language)
    steps = say("curve_first" if others else "curve_only", language, stories=first.stories, bits=bits)
    steps += say("between", language).join(
        say(
            "curve_step",
            language,
            stories=point.stories,
            earlier=earlier.stories,
            bits=_bits(point.minus_point_before, language),
        )
        for earlier, point in zip(curve.points, others, strict=False)
    )
    if others:
        steps += say("full_stop", language)
    told = say("curve_told", language, trainings=len(curve.points), texts=len(first.by_text), steps=steps)
    return _sentences([told, _from_500(measured, language)], language)


def _from_500(measured: RedditFinetune, language: str) -> str:
    """Say whether more than about 500 stories help, if such trainings were run."""
    curve = measured.learning_curve
    last = curve.points[-1].stories
    if curve.last_minus_500 is None:
        return say("curve_500_not_run", language, last=last)
    more = rules.above_zero(curve.last_minus_500)
    return say(
        "curve_500_same" if more is None else "curve_500_more" if more else "curve_500_fewer",
        language,
        near=curve.near_500,
        last=last,
        bits=_bits(curve.last_minus_500, language),
    )


def speed_ratio(measured: RedditFinetune, language: str = "en") -> str:
    """Say how later calls before and after fine-tuning compare, pair by pair, and what a first call takes."""
    before = measured.timing.before
    return say(
        "speed_ratio",
        language,
        pairs=before.later_calls.n,
        ratio=with_interval(measured.speed_ratio),
        verdict=_ratio_verdict(measured.speed_ratio, language),
        compiling=before.first_call_seconds / before.later_calls.median_seconds,
    )


def _ratio_verdict(ratio: Estimate, language: str) -> str:
    """Say whether calls got faster, by the interval of the ratio before / after."""
    if not ratio.has_interval:
        return say("speed_ratio_unknown", language)
    tenth = 1 + rules.NOTICEABLE
    return say(
        "speed_ratio_same"
        if 1 / tenth < ratio.low and ratio.high < tenth
        else "speed_ratio_faster"
        if ratio.low > 1
        else "speed_ratio_slower"
        if ratio.high < 1
        else "speed_ratio_unknown",
        language,
    )


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
    lengths, auc = measured.ends.lengths, measured.style.auc
    groups = {"before": lengths.before, "after": lengths.after, "without": lengths.without}
    told = {
        "lengths": say(
            "reddit_lengths",
            language,
            **{name: _median(group, language, interval=False) for name, group in groups.items()},
        ),
        "style": say(
            "reddit_style",
            language,
            before=_or_nan(auc.before.value),
            after=_or_nan(auc.after.value),
            floor=_or_nan(auc.people.value),
        ),
        "curve": _from_500(measured, language),
        "speed": say(
            "reddit_speed",
            language,
            pairs=before.later_calls.n,
            ratio=with_interval(measured.speed_ratio),
            verdict=_ratio_verdict(measured.speed_ratio, language),
            mixed=before.first_call_seconds / after.later_calls.median_seconds,
            compiling=before.first_call_seconds / before.later_calls.median_seconds,
        ),
    }
    return told | {
        "steps": measured.training.steps,
        "batch": measured.training.batch_size,
        "bits": _bits(measured.bits_per_character_change, language),
        "bits_before": measured.likelihood.before.bits_per_character,
        "bits_after": measured.likelihood.after.bits_per_character,
        "texts": measured.held_out_texts,
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
    groups = {
        "before": measured.form.before,
        "after": measured.form.after,
        "tang": measured.form.tang_poets,
        "chance": measured.form.shuffled,
    }
    shares = {
        f"{share}_{name}": percent(group.shares[share].value, language)
        for share in ("well_formed", "rhyme", "alternating")
        for name, group in groups.items()
    }
    return shares | {
        "steps": measured.training.steps,
        "batch": measured.training.batch_size,
        "tokens": measured.tokens_per_character,
        "bits_before": measured.likelihood.before.bits_per_character,
        "bits_after": measured.likelihood.after.bits_per_character,
    }


def _answer_scratch(results: Results, language: str) -> dict:
    measured = results.measured
    theirs = measured.fine_tuned
    own_form, their_form = measured.form.shares, theirs.form.shares
    return {
        "millions": measured.parameters / 1e6,
        "own_seconds": measured.budget.total_seconds,
        "their_seconds": theirs.training.seconds,
        "own_bits": measured.likelihood.bits_per_character,
        "their_bits": theirs.likelihood.after.bits_per_character,
        "own_form": percent(own_form["well_formed"].value, language),
        "their_form": percent(their_form["well_formed"].value, language),
        "own_rhyme": percent(own_form["rhyme"].value, language),
        "their_rhyme": percent(their_form["rhyme"].value, language),
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
