"""Make sentences from records, in each language. No code parses these sentences.

To reword a sentence, edit `wording.yaml`. To answer a new notebook's question, add a function to `ANSWERS` and its
template `answer_<notebook>` to `wording.yaml`.
"""

import itertools
import math
import re
from collections.abc import Callable

from lib.claims import head_to_head, judgement, post, post_claims, rules
from lib.core.records import (
    Baseline,
    Beside,
    CallState,
    Claim,
    ClaimKind,
    Contest,
    DecodingStep,
    Estimate,
    FromScratch,
    GreedyVsTopK,
    Machine,
    PoemScale,
    RedditFinetune,
    Results,
    SelfReinforcement,
    SpeedVerdict,
    StandIn,
    TangPoetry,
    TextLengths,
    TextQuality,
    Timing,
    Verdict,
    Winner,
)
from lib.report import bench_words, wording
from lib.report.numbers import DASH, number, percent, percent_range, signed, with_interval
from lib.report.wording import say

NOTICEABLE_SHARE = 5.0  # percentage points; a smaller difference of couplets is called small
FAR = 1.5  # a smaller ratio of two first calls counts as alike: each is a single call
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
    parts = dict.fromkeys(
        say("stand_in", language, used=wording.label(one.used, language), requested=one.requested) for one in used
    )
    return _enumerated(list(parts), language) if parts else ""


def title(notebook: str, language: str = "en") -> str:
    """A notebook's title."""
    return say(f"title_{notebook}", language) if wording.has(f"title_{notebook}") else notebook


def question(notebook: str, language: str = "en") -> str:
    """The question that a notebook asks, for its card on the index; `""` if it has none."""
    return say(f"question_{notebook}", language) if wording.has(f"question_{notebook}") else ""


def code(machine: Machine, language: str = "en") -> str:
    """The version of the code that ran."""
    if machine.commit is None:
        return say("code_unknown", language, because=wording.label(machine.no_commit_because or "", language))
    return say("code_changed" if machine.code_changed else "code_commit", language, commit=machine.commit)


def ran_on(machine: Machine, language: str = "en") -> str:
    """The processor, the device and the backend, for the top of a page, where the profile follows."""
    told = say("machine_cores", language, processor=machine.processor, cores=machine.cores)
    if machine.device and machine.device != "CPU":
        told += say("comma", language) + machine.device
    told += say("banner_keras", language, backend=wording.label(machine.keras, language)) if machine.keras else ""
    return f"{told}{say('banner_profile', language)} "


def headline(answer: str) -> tuple[str, str]:
    """Split an answer into its first sentence and the rest."""
    first, *more = SENTENCE_END.split(answer, maxsplit=1)
    return first, "".join(more)


# The post's claims.


def claim(judged: Claim, language: str = "en") -> dict[str, str]:
    """A claim in words.

    Returns:
        `short`, the claim in few words; `says`, what the post says (translated, but for Chinese readers); `verdict`;
        `evidence`, the figure that decides, in a sentence; `because`, all figures behind it; `kind`, whether the post
        says it, takes it for granted or thinks it.
    """
    return {
        "short": _capital(say(f"short_{judged.name}", language)),
        "says": judged.quote if language == "zh" else judged.translation,
        "verdict": verdict(judged.verdict, language),
        "evidence": evidence(judged, language),
        "because": say(f"because_{judged.name}", language, **_of_claim(judged, language)),
        "kind": say(f"kind_{ClaimKind(judged.kind).name.lower()}", language),
    }


def evidence(judged: Claim, language: str = "en") -> str:
    """Tell the figure that decides a claim, or why it was not tested, in a sentence."""
    if judged.verdict is Verdict.NOT_TESTED:
        return _capital(say("untested", language, because=_untested(judged, language)))
    return say(f"evidence_{judged.name}", language, **_in_short(judged, language))


def _untested(judged: Claim, language: str) -> str:
    return say(f"untested_{judged.name}", language, **judged.evidence)


def _in_short(judged: Claim, language: str) -> dict:
    """Return the values that the template of a claim's evidence in a sentence names: rounded, without intervals."""
    digits = 3 if judged.name == "style" else 2  # an AUC of 0.995 is not 1
    values = {}
    for name, value in judged.evidence.items():
        is_estimate = isinstance(value, dict) and set(value) == ESTIMATE
        values[name] = _number_or_dash(value["value"], digits) if is_estimate else value
    if judged.name == "speed":
        values["ratio"] = with_interval(Estimate(**judged.evidence["ratio"]), language)
    elif judged.name == "few_stories":
        bits = {stories: f"{of_point:.2f}" for stories, of_point in values["points"]}
        values |= {
            "near": bits[min(bits, key=lambda stories: abs(stories - post_claims.FEW))],
            "last": bits[values["most"]],
        }
    elif judged.name in ("fine_tuning_needed", "poem"):
        values |= _over_prompts(values["demands"], language)
    return values


def _over_prompts(by_prompt: dict, language: str) -> dict[str, str]:
    """Return the demands on poems as ranges over the prompts, from the result of `post_claims.demands`.

    They are `before` and `after`, the well-formed poems, and `rhyme` and `tang`, the line pairs that rhyme here and in
    Tang poems.
    """
    shares = {
        "before": ("well_formed", "before"),
        "after": ("well_formed", "after"),
        "rhyme": ("rhyme", "after"),
        "tang": ("rhyme", "tang"),
    }
    return {
        name: percent_range([one[share][group]["value"] for one in by_prompt.values()], language)
        for name, (share, group) in shares.items()
    }


def _number_or_dash(value: float | None, digits: int) -> str:
    return DASH if value is None else number(value, digits)


def rule(judged: Claim, language: str = "en") -> dict[str, str]:
    """Say how a claim is judged, as it was written down before the run: by heading, without what does not apply."""
    told = post.rules()[judged.name]
    names = ("compares", "interval", "enough", "needs")
    headings = {"compares": "compared"}
    parts = {say(headings.get(name, name), language): told[name][language] for name in names if name in told}
    if judged.verdict is not Verdict.NOT_TESTED:
        parts.pop(say("needs", language), None)
    return parts


def effects(judged: Claim, language: str = "en") -> list[dict[str, str]]:
    """List a claim's effects: what was measured, the smallest that matters, and whether it is reached."""
    rows = []
    for effect in judged.effects:
        unit = f"unit_{effect.unit.replace(' ', '_').lower()}"
        reached = {True: "reaches_true", False: "reaches_false", None: "reaches_unknown"}[effect.reaches]
        rows.append(
            {
                say("heading_effect", language): say(f"effect_{effect.measure}", language, of=effect.of),
                say("heading_measured", language): say(
                    unit, language, estimate=with_interval(effect.estimate, language)
                ),
                say("heading_smallest", language): say(unit, language, estimate=f"{effect.smallest:g}"),
                say("heading_reaches", language): say(reached, language),
            }
        )
    return rows


def _of_claim(judged: Claim, language: str) -> dict:
    """Return the values that the template of a claim's evidence names."""
    values = {
        name: with_interval(Estimate(**value), language)
        if isinstance(value, dict) and set(value) == ESTIMATE
        else value
        for name, value in judged.evidence.items()
    }
    between = say("between", language)
    if judged.name == "few_stories":
        values["points"] = say("and", language).join(
            say("curve_point", language, stories=stories, bits=bits) for stories, bits in values["points"]
        )
    elif judged.name == "fine_tuning_needed":
        values["listed"] = between.join(
            say("because_fine_tuning_needed_one", language, prompt=prompt, **_demand(shares, "well_formed", language))
            for prompt, shares in values["demands"].items()
        )
    elif judged.name == "poem":
        values["post"] = say("pairs", language, count=values["post_rhymes"], all=values["post_pairs"])
    return values


ESTIMATE = set(Estimate.model_fields)


def demand_rows(by_prompt: dict, language: str = "en") -> list[dict[str, str]]:
    """List the demands on poems that the post names, a row a prompt, with Tang poets and chance below.

    Args:
        by_prompt: The result of `post_claims.demands`.
        language: One of `wording.LANGUAGES`.
    """
    groups = [(say("poems_after", language, prompt=prompt), shares, "after") for prompt, shares in by_prompt.items()]
    shares = next(iter(by_prompt.values()))
    groups += [(say(f"poems_{name}", language), shares, name) for name in ("tang", "chance")]
    return [
        {say("heading_group", language): told}
        | {say(heading, language): _demand(shares, share, language)[group] for share, heading in DEMANDS.items()}
        for told, shares, group in groups
    ]


DEMANDS = {"well_formed": "heading_form", "rhyme": "heading_rhyme", "parallel_words": "heading_parallel"}


def _demand(shares: dict, share: str, language: str) -> dict[str, str]:
    """Return a demand's figures as text: `after`, `before`, `tang`, `chance`."""
    return {name: with_interval(Estimate(**estimate), language) for name, estimate in shares[share].items()}


def tally(claims: list[Claim], language: str = "en") -> str:
    """Say how many claims hold, in a sentence without the verdicts that no claim has. Opinions are not counted."""
    claims = [judged for judged in claims if judged.kind is not ClaimKind.OPINION]
    parts = []
    for value in Verdict:
        if count := sum(judged.verdict is value for judged in claims):
            name = f"tally_{value.name.lower()}"
            parts.append(say(f"{name}_one" if count == 1 else name, language, count=count))
    *most, last = parts
    listed = [say("tally_comma", language).join(most), last] if most else [last]
    return say("tally", language, all=len(claims), counts=say("tally_last", language).join(listed))


def verdicts(claims: list[Claim], language: str = "en") -> str:
    """Say which claims hold, which do not, and which were not tested and why. Opinions are left out."""
    claims = [judged for judged in claims if judged.kind is not ClaimKind.OPINION]
    told = []
    for value in Verdict:
        listed = [_clause(judged, language) for judged in claims if judged.verdict is value]
        if listed:
            told.append(say(f"found_{value.name.lower()}", language, claims=_enumerated(listed, language)))
    return _joined(told, language)


def _clause(judged: Claim, language: str) -> str:
    """A claim as a clause of a sentence that lists several."""
    told = say(f"short_{judged.name}", language)
    if judged.verdict is Verdict.NOT_TESTED:
        return say("listed_whether", language, claim=told, because=_untested(judged, language))
    return say("listed_that", language, claim=told)


def _enumerated(parts: list[str], language: str) -> str:
    *most, last = parts
    if not most:
        return last
    return say("list_last", language).join([say("list_comma", language).join(most), last])


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
    if row.name == "greedy":
        return row.here
    if row.name == "chinese":
        return {group: _readable(shares, language) for group, shares in row.here.items()}
    if row.name == "poem":
        return _over_prompts(row.here["demands"], language)
    if row.name == "speed_up":
        return _readable(row.here, language) | {"times": with_interval(Estimate(**row.here["times"]), language)}
    return _readable(row.here, language)


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
        values = {name: number(seconds) for name, seconds in values.items()}
    if "token_loss" in values:
        values["token_loss"] = number(values["token_loss"])
    return values


def compiling(compared: dict, figures: dict, timing: Timing, change: SpeedVerdict, language: str = "en") -> str:
    """Say what compiling changes in the calls here, and what that suggests for the post's.

    Args:
        compared: The result of `beside_post.compiling`.
        figures: The result of `post.blog_post`.
        timing: The calls before fine-tuning, of this run.
        change: Whether fine-tuning made later calls faster in this run.
        language: One of `wording.LANGUAGES`.
    """
    first = compared["first_before"], compared["first_after"]
    alike = change is SpeedVerdict.SAME and max(first) < FAR * min(first)
    return say(
        "compiling",
        language,
        first=figures["baseline"]["seconds"],
        after=figures["reddit"]["seconds_after"],
        step=step(timing.step, language),
        verdict=speed(change, language),
        alike=say("compiling_alike", language) if alike else "",
        first_before=first[0],
        first_after=first[1],
        speed_up=compared["speed_up"],
        change=with_interval(Estimate(**compared["change"]), language),
    )


# Timing.


def conditions(timings: list[Timing], language: str = "en") -> str:
    """Describe the conditions of timed calls, and name those whose times differ much.

    Args:
        timings: The calls, all timed under the same conditions.
        language: One of `wording.LANGUAGES`.
    """
    timing = timings[0]
    told = say(
        "timing_conditions",
        language,
        run=say("run_deterministic", language) if timing.deterministic else "",
        device=timing.device,
        threads=timing.threads,
        precision=timing.precision,
        xla=say("on" if timing.xla else "off", language),
        sampler=timing.sampler,
        batch=timing.batch_size,
        prompt=timing.prompt_tokens,
    )
    if wide := [wording.label(one.label, language) for one in timings if one.later_calls.wide]:
        told += say("timing_wide", language, calls=say("and", language).join(wide))
    return told


def measured_how(timing: Timing, fewest: int, language: str = "en") -> str:
    """Say by which rule and formulas calls are timed.

    Args:
        timing: One of the timings.
        fewest: The smallest number of later calls.
        language: One of `wording.LANGUAGES`.
    """
    memory = say(f"memory_{timing.peak_memory_of.name.lower()}", language)
    return say("timing_explained", language, fewest=fewest, most=2 * fewest, memory=memory)


def state(value: CallState, language: str = "en") -> str:
    """Say in words which calls a time belongs to."""
    return say(f"state_{CallState(value).name.lower()}", language)


def first_call(timing: Timing, language: str = "en") -> str:
    """Say how much longer a first call took than later ones, and how much of that was compiling."""
    longer = timing.first_call_seconds - timing.later_calls.median_seconds
    values = {"step": step(timing.step, language), "longer": longer}
    if longer <= 0:
        return say("first_call_no_longer", language, **values)
    if timing.first_call_compiling_seconds is None:
        return say("first_call_not_divided", language, **values)
    return say("first_call", language, **values, compiling=timing.first_call_compiling_seconds)


# What becomes of the Chinese prompt.


def gibberish_in_short(results: Results, language: str = "en") -> str:
    """Say what became of both prompts, without intervals."""
    quality, parameters = results.measured.quality, results.parameters

    def told(group: TextQuality, name: str) -> str:
        return share_with_interval(Estimate(value=group.shares[name].value), language)

    return say(
        "gibberish_in_short",
        language,
        prompt=parameters["prompt"],
        words_english=told(quality.english, "words"),
        words_stories=told(quality.people_stories, "words"),
        chinese_prompt=parameters["chinese_prompt"],
        words=told(quality.chinese, "words"),
        words_people=told(quality.people_chinese, "words"),
        looped=told(quality.chinese, "looped"),
        looped_people=told(quality.people_chinese, "looped"),
    )


def gibberish_finding(results: Results, language: str = "en") -> list[str]:
    """Say in which language the model answers the Chinese prompt, how many letters form words, and how much repeats.

    Returns:
        A paragraph for each of the three.
    """
    measured, prompt = results.measured, results.parameters["chinese_prompt"]
    quality = measured.quality
    texts, english, chinese = (
        getattr(quality.chinese, name) for name in ("texts", "answers_in_english", "answers_in_chinese")
    )
    answers = say(
        "gibberish_answers",
        language,
        prompt=prompt,
        texts=texts,
        english=english,
        chinese=chinese,
        neither=texts - english - chinese,
    )
    if quality.chinese.without_letters:
        answers += say("gibberish_no_letters", language, count=quality.chinese.without_letters)
    words = say("gibberish_words", language, **_beside_people(quality.chinese, measured, "words", language))
    if chinese and chinese < texts:
        words += say(
            "gibberish_words_in_chinese",
            language,
            words=share_with_interval(quality.chinese_answers.shares["words"], language),
            shuffled=share_with_interval(quality.chinese_shuffled.shares["words"], language),
            side=side(measured.chinese_answers_minus_people["words"], language),
        )
    loops = say("gibberish_looped", language, **_beside_people(quality.chinese, measured, "looped", language))
    if quality.chinese.shares["broken_bytes"].value:  # that no byte is broken says nothing of gibberish
        broken = _beside_people(quality.chinese, measured, "broken_bytes", language)
        loops += say("gibberish_broken", language, **broken)
    return [answers.strip(), words.strip(), loops.strip()]


def _beside_people(group: TextQuality, measured: Baseline, name: str, language: str) -> dict[str, str]:
    quality = measured.quality
    groups = {"here": group, "english": quality.english, "people": quality.people_chinese}
    groups["shuffled"] = quality.people_shuffled
    told = {key: share_with_interval(one.shares[name], language) for key, one in groups.items()}
    return told | {"side": side(measured.chinese_minus_people[name], language)}


def side(difference: Estimate, language: str = "en") -> str:
    """Say on which side of 0 the interval of a difference from people lies, in percentage points."""
    if not difference.has_interval:
        return say("side_unknown", language)
    if difference.high < 0:
        return say("side_below", language, low=_points(-difference.high), high=_points(-difference.low))
    if difference.low > 0:
        return say("side_above", language, low=_points(difference.low), high=_points(difference.high))
    if difference.low == difference.high:
        return say("side_same", language)
    return say("side_both", language, fewer=_points(-difference.low), more=_points(difference.high))


def share_with_interval(estimate: Estimate, language: str = "en") -> str:
    """A share with its interval, such as `"41 % (29–54)"`; or that there was nothing to judge."""
    if estimate.value is None:
        return say("nothing_to_judge", language)
    if not estimate.has_interval or estimate.low == estimate.high:
        return f"{_points(estimate.value)} %"
    return f"{_points(estimate.value)} % ({_points(estimate.low)}–{_points(estimate.high)})"


def _points(value: float) -> str:
    """A share or a difference of shares. Only none is `"0"`, and only all is `"100"`."""
    if 0 < abs(value) < 1:
        return number(value, 1)
    return number(value, 3) if 99 < value < 100 else f"{value + 0.0:.0f}"  # + 0.0 makes 0 of -0


# Samplers, and the model from scratch.


def finding(measured: GreedyVsTopK, language: str = "en") -> str:
    """Say how the samplers compare with people in diversity and in perplexity, by paired differences."""
    told = ""
    for measure, field, equal in (("diversity", "diversity_difference", 0), ("perplexity", "perplexity_ratio", 1)):
        sides = {
            wording.label(label, language): _side(getattr(one, field), equal)
            for label, one in measured.beside_people.items()
        }
        for side in ("below", "open", "above"):
            if samplers := [label for label, where in sides.items() if where == side]:
                told += say(f"finding_{measure}_{side}", language, samplers=say("and", language).join(samplers))
    people = measured.people.metrics
    values = {name: _or_nan(people[name].value) for name in ("diversity", "perplexity")}
    return say("finding", language, groups=told, **values)


def _side(estimate: Estimate, equal: float) -> str:
    """Return on which side of a value an interval lies: `"below"`, `"above"` or, if that is not known, `"open"`."""
    if not estimate.has_interval or estimate.low <= equal <= estimate.high:
        return "open"
    return "below" if estimate.high < equal else "above"


def repeated(measured: GreedyVsTopK, language: str = "en") -> str:
    """Say how much of the texts of greedy decoding, of top-k sampling and of people repeats itself."""
    groups = {"greedy": measured.greedy, "top_k": measured.top_k, "people": measured.people}
    told = {name: percent(group.metrics["rep_4"].value, language) for name, group in groups.items()}
    return say("repeated", language, **told)


def why_loops(measured: GreedyVsTopK, language: str = "en") -> list[str]:
    """Say in three paragraphs how a repetition makes the next one more probable."""
    told = measured.self_reinforcement
    written, people, greedy = told.written, told.people, told.greedy
    verdict, loops = _rises(told), ""
    if len(greedy.texts) > 2:
        first, _, third, *_ = greedy.probability
        loops = say("loops_greedy", language, count=greedy.texts[2], first=first.value, third=third.value)
    return [
        say(
            "loops_written",
            language,
            verdict=say(f"loops_written_{verdict}", language),
            first=written.probability[0].value,
            third=written.probability[2].value,
            last=written.probability[-1].value,
            change=signed(written.third_minus_first, 2),
            loops=loops,
            **_sentences(measured),
        ),
        say(
            "loops_people",
            language,
            first=people.probability[0].value,
            third=people.probability[2].value,
            verdict=say(f"loops_people_{_length_explains(told)}", language) if verdict == "more" else "",
        ),
        say("loops_trap", language, **_sentences(measured)),
    ]


def lesson(measured: GreedyVsTopK, language: str = "en") -> str:
    """Say what is to be learned from the loops, as far as the figures show it."""
    shown = _reinforces(measured.self_reinforcement)
    sentence = say("lesson_more" if shown else "lesson_open", language)
    without = [group for group in (measured.greedy, measured.top_k, *measured.others) if not group.loops]
    if without:
        listed = say("and", language).join(wording.label(group.label, language) for group in without)
        sentence += say("lesson_without", language, texts=measured.greedy.texts, samplers=listed)
    return sentence


def _sentences(measured: GreedyVsTopK) -> dict:
    """Return what both samplers would do with a sentence in its third and in its last round."""
    told = measured.self_reinforcement
    written = told.written
    count = written.texts[0]
    third, last = ((written.greedy_whole_percent[n], written.top_k_whole_percent[n]) for n in (2, -1))
    return {
        "count": count,
        "rounds": told.rounds,
        "k": told.k,
        "greedy_third": round(third[0].value * count / 100),
        "greedy_last": round(last[0].value * count / 100),
        "top_k_third": third[1].value,
        "top_k_last": last[1].value,
        "leaves": 100 - last[1].value,
    }


def _rises(told: SelfReinforcement) -> str:
    """Return whether a sentence becomes `"more"` or `"less"` probable from round 1 to 3, or `"open"`."""
    return {"above": "more", "below": "less", "open": "open"}[_side(told.written.third_minus_first, 0)]


def _length_explains(told: SelfReinforcement) -> str:
    """Return how much of the rise the length of the context explains: `"none"`, `"part"`, or `"open"`."""
    if _side(told.written_minus_people, 0) != "above":
        return "open"
    return "part" if _side(told.people.third_minus_first, 0) == "above" else "none"


def _reinforces(told: SelfReinforcement) -> bool:
    """Return whether a repeated sentence becomes more probable by more than the length of the context explains."""
    return _rises(told) == "more" and _length_explains(told) != "open"


def same_as_greedy(measured: GreedyVsTopK, language: str = "en") -> str:
    """Say how many texts of each other sampler equal greedy's, token by token."""
    texts = measured.greedy.texts
    parts = [
        say("same_texts", language, sampler=name, count=count, all=texts)
        for name, count in measured.same_as_greedy.items()
        if count
    ]
    if not parts:
        return say("none_same_as_greedy", language)
    return say("same_as_greedy", language, listed=say("and", language).join(parts))


def contests(judged: list[Contest], language: str = "en") -> str:
    """Say which model is better in which measures, a sentence for each of the two and one for neither."""
    parts = []
    for winner in Winner:
        names = [say(f"measure_{one.measure}", language) for one in judged if one.winner is winner]
        if names:
            parts.append(say(f"better_{winner.name.lower()}", language, measures=_listed(names, language)))
    return say("sentence_space", language).join(parts)


def _listed(names: list[str], language: str) -> str:
    """Put names into a list such as `"a, b and c"`."""
    *most, last = names
    return say("listed", language, most=say("and", language).join(most), last=last) if most else last


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
    parts = [say("couplets_question", language)]
    for share, difference in scale.middle_minus_outer.items():
        measure = say(f"measure_{share}", language)
        if not difference.has_interval:
            parts.append(say("couplets_unknown", language, measure=measure))
            continue
        apart = difference.low > 0 or difference.high < 0
        small = share == "parallel_tones" and abs(difference.value) < NOTICEABLE_SHARE
        parts.append(
            say(
                "couplets_hardly_apart" if small else "couplets_apart" if apart else "couplets_alike",
                language,
                measure=measure,
                middle=number(scale.regulated_middle.shares[share].value),
                outer=number(scale.regulated_outer.shares[share].value),
                value=number(difference.value, 2),
                low=number(difference.low, 2),
                high=number(difference.high, 2),
            )
        )
    return say("sentence_space", language).join(parts)


def trained_where(theirs: Machine, here: Machine, language: str = "en") -> str:
    """Say when and on what the fine-tuned model was trained, and whether equal time means equal work in this run."""
    told = say("trained_where", language, date=theirs.date, processor=theirs.processor, device=theirs.device or "CPU")
    same = (theirs.processor, theirs.cores, theirs.device) == (here.processor, here.cores, here.device)
    return told if same else told + say("another_machine", language)


# Fine-tuning on stories: lengths, style, learning curve, speed.


def text_lengths(measured: RedditFinetune, language: str = "en") -> str:
    """Say how many texts the model ends itself, before and after fine-tuning and after the other trainings."""
    lengths = measured.ends.lengths
    return say(
        "lengths_told",
        language,
        texts=lengths.after.texts,
        most=lengths.after.most_new_tokens,
        **{f"ended_{name}": getattr(lengths, name).ended for name in ("before", "after", "without", "cut")},
    )


def text_ends(measured: RedditFinetune, k: int, language: str = "en") -> str:
    """Say where the model learned to end its texts, as far as the figures show it."""
    ends, likely = measured.ends, measured.ends.probability
    before, after = likely.before.after_sentence, likely.after.after_sentence
    in_top_k, text = likely.after.after_sentence_in_top_k, likely.after.after_text
    share = _figure(ends.training.ends_per_sentence_percent)
    figures = {"before": _figure(before.value), "after": _figure(after.value)}
    rises = _apart(before, after)
    parts = [
        say("ends_trained", language, share=share),
        say("ends_rise" if rises else "ends_no_rise", language, **figures),
    ]
    if rises and text.value is not None:
        known = _apart(after, text)
        parts.append(say("ends_the_length" if known else "ends_not_the_length", language, text=_figure(text.value)))
    if rises and in_top_k.value and in_top_k.value < 100:
        sentences = math.ceil(math.log(0.5) / math.log(1 - in_top_k.value / 100))
        told = _figure(in_top_k.value)
        parts.append(say("ends_half", language, k=k, in_top_k=told, sentences=sentences))
    return _joined(parts, language)


def ends_cause(measured: RedditFinetune, language: str = "en") -> str:
    """Say what the end token in training does, by the trainings without it and on texts that are all cut."""
    ends, likely, lengths = measured.ends, measured.ends.probability, measured.ends.lengths
    before, after, without, cut = (
        one.after_sentence for one in (likely.before, likely.after, likely.without, likely.cut)
    )
    short = lengths.after.median_new_tokens
    causes = _apart(before, after) and _apart(without, after) and _apart(short, lengths.without.median_new_tokens)
    differs = _apart(cut, after) and _apart(short, lengths.cut.median_new_tokens)
    parts = [
        say("ends_cause" if causes else "ends_no_cause", language, without=_figure(without.value)),
        say(
            "ends_cut" if differs else "ends_cut_alike",
            language,
            texts=ends.cut_texts,
            probability=_figure(cut.value),
            median=_median(lengths.cut, language),
        ),
        say("ends_bits", language, bits=_bits(ends.bits_without_minus_after, language)),
    ]
    return _joined(parts, language)


def _median(lengths: TextLengths, language: str) -> str:
    """Tell the median length; "or more" where fewer than half of the texts were ended before the limit."""
    told = _figure(lengths.median_new_tokens.value)
    return say("or_more", language, figure=told) if 2 * lengths.ended < lengths.texts else told


def _figure(value: float | None) -> str:
    """A figure with two digits."""
    return DASH if value is None else number(value, 2)


def _bits(estimate: Estimate, language: str) -> str:
    """Say by how many bits per character a figure changes, by its interval, with two digits."""
    if not estimate.has_interval:
        return say("change_unknown", language)
    low, high = (number(abs(end), 2) for end in (estimate.low, estimate.high))
    if estimate.high < 0:
        return say("change_fewer", language, low=high, high=low)
    if estimate.low > 0:
        return say("change_more", language, low=low, high=high)
    return say("change_between", language, fewer=low, more=high)


def _apart(lower: Estimate, higher: Estimate) -> bool:
    """Return whether the interval of one figure lies above that of another."""
    return lower.has_interval and higher.has_interval and lower.high < higher.low


def _joined(parts: list[str], language: str) -> str:
    """Put sentences one after another."""
    return (" " if language == "en" else "").join(part.strip() for part in parts)


def style(measured: RedditFinetune, language: str = "en") -> str:
    """Say how well the texts can be told from people's, and whether fine-tuning brought them nearer."""
    told = measured.style
    pairs = {name: _pairs(getattr(told.auc, name), language) for name in ("before", "after", "people")}
    parts = [say("style_told", language, **pairs)]
    names = {
        "auc": say("style_by_auc", language),
        "jsd": say("style_by_jsd", language),
        "both": say("style_by_both", language),
    }
    for measure in ("auc", "jsd"):
        nearer = rules.reaches(told.after_minus_before[measure], 0)
        parts.append(
            say(
                "style_undecided" if nearer is None else "style_farther" if nearer else "style_nearer",
                language,
                measure=names[measure],
            )
        )
    floors = {measure: rules.reaches(told.after_minus_floor[measure], 0) for measure in ("auc", "jsd")}
    if floors["auc"] == floors["jsd"]:
        floors = {"both": floors["auc"]}
    for measure, above in floors.items():
        parts.append(
            say(
                "style_at_floor" if above is None else "style_above_floor" if above else "style_below_floor",
                language,
                measure=names[measure],
            )
        )
    return _joined(parts, language)


def _pairs(auc: Estimate, language: str) -> str:
    """An AUC as the share of pairs in which the classifier ranks the person's text higher."""
    return percent_range([None if auc.value is None else 100 * auc.value], language)


def learning_curve(measured: RedditFinetune, language: str = "en") -> str:
    """Say whether each larger number of stories makes held-out texts easier to predict, and whether 500 suffice."""
    first, *others = measured.learning_curve.points
    if not others:
        bits = _bits(first.minus_point_before, language)
        told = [say("curve_only", language, stories=first.stories, bits=bits)]
    else:
        unclear = [
            say("curve_step", language, earlier=earlier.stories, stories=point.stories)
            for earlier, point in itertools.pairwise([first, *others])
            if not _easier(point.minus_point_before)
        ]
        listed = say("and", language).join(unclear)
        told = [say("curve_some", language, steps=listed) if unclear else say("curve_all", language)]
        earlier, last = [first, *others][-2:]
        bits = _bits(last.minus_point_before, language)
        told.append(say("curve_last", language, earlier=earlier.stories, stories=last.stories, bits=bits))
    return _joined([*told, _from_500(measured, language)], language)


def _easier(change: Estimate) -> bool:
    """Return whether the whole interval of a change in bits per character lies below zero."""
    return rules.reaches(change, 0) is False


def _from_500(measured: RedditFinetune, language: str) -> str:
    """Say whether more than about 500 stories help, if such trainings were run."""
    curve = measured.learning_curve
    last = curve.points[-1].stories
    if curve.last_minus_500 is None:
        return say("curve_500_not_run", language, last=last)
    more = rules.reaches(curve.last_minus_500, 0)
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
        verdict=speed(rules.speed(measured.speed_ratio), language),
        compiling=before.first_call_seconds / before.later_calls.median_seconds,
    )


# What each notebook found.


def answer(results: Results, language: str = "en") -> str:
    """Return a notebook's finding in a sentence or two; `""` if it has no template."""
    if results.notebook in ANSWERS:
        values = ANSWERS[results.notebook](results, language)
        return say(f"answer_{results.notebook}", language, **values)
    return results.answer.get(language) or results.answer.get("en", "")


def _answer_summary(results: Results, language: str) -> dict:
    claims = judgement.of_profile(results.profile, results.measured.post_texts).claims
    return {"tally": tally(claims, language), "verdicts": verdicts(claims, language)}


def _answer_baseline(results: Results, language: str) -> dict:
    timing = results.measured.as_in_post
    compiling = timing.first_call_compiling_seconds
    return {
        "first": timing.first_call_seconds,
        "compiling": "" if compiling is None else say("of_which_compiling", language, compiling=compiling),
        "later": timing.later_calls.median_seconds,
        "finding": gibberish_in_short(results, language),
    }


def _answer_reddit(results: Results, language: str) -> dict:
    measured = results.measured
    return {
        "lengths": _lengths_in_short(measured, language),
        "style": _style_in_short(measured, language),
        "bits_and_speed": _bits_and_speed_in_short(measured, language),
    }


def _lengths_in_short(measured: RedditFinetune, language: str) -> str:
    """Say whether the model's texts became shorter or longer."""
    before, after = measured.ends.lengths.before, measured.ends.lengths.after
    shorter = _apart(after.median_new_tokens, before.median_new_tokens)
    longer = _apart(before.median_new_tokens, after.median_new_tokens)
    return say(
        "reddit_shorter" if shorter else "reddit_longer" if longer else "reddit_as_long",
        language,
        stories=measured.training.steps * measured.training.batch_size,
        before=_median(before, language),
        after=_median(after, language),
    )


def _style_in_short(measured: RedditFinetune, language: str) -> str:
    """Say whether the words came nearer to people's, and how well a classifier tells the texts apart."""
    nearer = rules.reaches(measured.style.after_minus_before["jsd"], 0)
    return say(
        "reddit_words_unclear" if nearer is None else "reddit_words_farther" if nearer else "reddit_words_nearer",
        language,
        pairs=_pairs(measured.style.auc.after, language),
    )


def _bits_and_speed_in_short(measured: RedditFinetune, language: str) -> str:
    """Say whether held-out texts became easier to predict, also with more stories, and whether calls got faster."""
    points = measured.learning_curve.points
    easier = rules.reaches(measured.bits_per_character_change, 0)
    told = say(f"reddit_speed_{rules.speed(measured.speed_ratio).name.lower()}", language)
    if easier is False and len(points) > 1 and all(_easier(point.minus_point_before) for point in points):
        return say("reddit_more_stories", language, last=points[-1].stories, speed=told)
    return say(
        "reddit_bits_unclear" if easier is None else "reddit_bits_more" if easier else "reddit_bits_fewer",
        language,
        speed=told,
    )


def _answer_samplers(results: Results, language: str) -> dict:
    measured = results.measured
    groups = {"greedy": measured.greedy, "top_k": measured.top_k, "people": measured.people}
    told = {name: {"loops": group.loops, "texts": group.texts} for name, group in groups.items()}
    written = measured.self_reinforcement.written
    values = {
        "first": written.probability[0].value,
        "third": written.probability[2].value,
        "last": written.probability[-1].value,
        **_sentences(measured),
    }
    return told | {
        "k": results.parameters["k"],
        "gap": _gap(measured.greedy_minus_top_k["loop"], language),
        "why": say("reinforced" if _reinforces(measured.self_reinforcement) else "not_reinforced", language, **values),
    }


def _gap(difference: Estimate, language: str) -> str:
    """Say how the shares of texts with a loop differ, in percentage points, and how sure that is."""
    if not difference.has_interval:
        return say("gap_unknown", language)
    if _side(difference, 0) == "open":
        return say("gap_open", language, value=difference.value, low=difference.low, high=difference.high)
    low, high = sorted(map(abs, (difference.low, difference.high)))
    return say("gap", language, value=abs(difference.value), low=low, high=high)


def _answer_tang(results: Results, language: str) -> dict:
    measured = results.measured

    def shares(by_prompt: dict[str, dict[str, Estimate]], share: str) -> str:
        return percent_range([of_prompt[share].value for of_prompt in by_prompt.values()], language)

    return {
        "before": shares(measured.before_over_runs, "well_formed"),
        "after": shares(measured.after_over_runs, "well_formed"),
        "by_prompt": say("by_prompt", language) if len(measured.after_over_runs) > 1 else "",
        "chance": _above_chance(list(measured.after_minus_chance.values()), language),
        "rhyme": shares(measured.after_over_runs, "rhyme"),
        "tang_rhyme": percent_range([measured.form.ceiling("rhyme").value], language),
        "chance_rhyme": percent_range([measured.form.chance("rhyme").value], language),
    }


def _above_chance(by_prompt: list[dict[str, Estimate]], language: str) -> str:
    """Say in which of rhyme and parallelism the poems from all, some or none of the prompts are above chance."""
    groups = {"all": [], "some": [], "none": [], "unknown": []}
    for share in JUDGED_BY_CHANCE:
        known = [one[share] for one in by_prompt if one[share].value is not None]
        above = [one.has_interval and one.low > 0 for one in known]
        kind = "unknown" if not known else "all" if all(above) else "some" if any(above) else "none"
        groups[kind].append(say(f"measure_{share}", language))
    parts = [
        say(f"above_chance_{kind}", language, measures=_listed(measures, language))
        for kind, measures in groups.items()
        if measures
    ]
    return say("sentence_space", language).join(parts)


JUDGED_BY_CHANCE = ("rhyme", "parallel_tones", "parallel_words")
IN_SHORT = ("bits_per_character", "well_formed", *JUDGED_BY_CHANCE, "seconds_per_poem")  # contests that an answer tells


def poems_beside_chance(measured: TangPoetry | FromScratch, language: str = "en") -> str:
    """Say, prompt by prompt, which of rhyme and parallelism are above chance after training."""
    if isinstance(measured, FromScratch):
        by_prompt = {measured.prompt: measured.minus_chance}
    else:
        by_prompt = measured.after_minus_chance
    alike: dict[tuple[str, ...], list[str]] = {}
    for prompt, minus_chance in by_prompt.items():
        sides = tuple(_beside_chance(minus_chance[share]) for share in JUDGED_BY_CHANCE)
        alike.setdefault(sides, []).append(prompt)
    told = []
    for sides, prompts in alike.items():
        named = say("or_prompt", language).join(prompts)
        for side in ("above", "alike", "below", "unknown"):
            pairs = zip(JUDGED_BY_CHANCE, sides, strict=True)
            measures = [say(f"measure_{share}", language) for share, one in pairs if one == side]
            if measures:
                told.append(say(f"chance_{side}", language, prompts=named, measures=_listed(measures, language)))
    return say("sentence_space", language).join(told)


def _beside_chance(difference: Estimate) -> str:
    """Return on which side of chance the interval of a difference lies."""
    if difference.value is None:
        return "unknown"
    if difference.has_interval and difference.low > 0:
        return "above"
    return "below" if difference.has_interval and difference.high < 0 else "alike"


def poem_counts(counted: dict, language: str = "en") -> str:
    """Say in a line how far a poem meets the demands.

    Args:
        counted: A result of `poem_cards.counts`.
        language: One of `wording.LANGUAGES`.
    """
    lines = counted["lines"]
    form = say("poem_irregular", language)
    if counted["well_formed"]:
        form = say("poem_regular", language, lines=len(lines), length=len(lines[0]))
    names = ("rhymes", "rhyme_pairs", "opposite", "tone_places")
    return say("poem_counts", language, form=form, **{name: counted[name] for name in names})


def _answer_scratch(results: Results, language: str) -> dict:
    measured = results.measured
    judged = head_to_head.contests(measured)
    bits = next(one for one in judged if one.measure == "bits_per_character")
    return {
        "millions": measured.parameters / 1e6,
        "own_seconds": measured.budget.total_seconds,
        "their_seconds": measured.fine_tuned.training.seconds,
        "own_bits": bits.from_scratch.value,
        "their_bits": bits.fine_tuned.value,
        "verdict": contests([one for one in judged if one.measure in IN_SHORT], language),
    }


def _answer_bench(results: Results, language: str) -> dict:
    return {"sentences": bench_words.answer(results.measured, language)}


ANSWERS: dict[str, Callable[[Results, str], dict]] = {
    "00_summary": _answer_summary,
    "01_baseline": _answer_baseline,
    "02_reddit_finetune": _answer_reddit,
    "03_greedy_vs_top_k": _answer_samplers,
    "04_tang_poetry": _answer_tang,
    "05_from_scratch": _answer_scratch,
    "bench": _answer_bench,
}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _capital(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}"
