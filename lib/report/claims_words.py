"""Put the post's claims and figures into words, beside what was found here."""

from lib.claims import post, post_claims
from lib.core.records import (
    Beside,
    Claim,
    ClaimKind,
    Estimate,
    SpeedVerdict,
    StandIn,
    Timing,
    Verdict,
)
from lib.report import wording, words
from lib.report.numbers import number, percent_range, with_interval
from lib.report.wording import say

FAR = 1.5  # a smaller ratio of two first calls counts as alike: each is a single call


def claim(judged: Claim, language: str = "en") -> dict[str, str]:
    """A claim in words.

    Returns:
        `short`, the claim in few words; `says`, what the post says (translated, but for Chinese readers); `verdict`;
        `evidence`, the figure that decides, in a sentence; `because`, all figures behind it; `kind`, whether the post
        says it, takes it for granted or thinks it.
    """
    return {
        "short": words.capital(say(f"short_{judged.name}", language)),
        "says": judged.quote if language == "zh" else judged.translation,
        "verdict": words.verdict(judged.verdict, language),
        "evidence": evidence(judged, language),
        "because": say(f"because_{judged.name}", language, **_of_claim(judged, language)),
        "kind": say(f"kind_{ClaimKind(judged.kind).name.lower()}", language),
    }


def evidence(judged: Claim, language: str = "en") -> str:
    """Tell the figure that decides a claim, or why it was not tested, in a sentence."""
    if judged.verdict is Verdict.NOT_TESTED:
        return words.capital(say("untested", language, because=_untested(judged, language)))
    return say(f"evidence_{judged.name}", language, **_in_short(judged, language))


def _untested(judged: Claim, language: str) -> str:
    values = judged.evidence
    if "millions" in values:
        values = values | {"parameters": words.rounded(1e6 * values["millions"])}
    return say(f"untested_{judged.name}", language, **values)


def _in_short(judged: Claim, language: str) -> dict:
    """Return the values that the template of a claim's evidence in a sentence names: rounded, without intervals."""
    values = {}
    for name, value in judged.evidence.items():
        is_estimate = isinstance(value, dict) and set(value) == ESTIMATE
        values[name] = words.number_or_dash(value["value"], 2) if is_estimate else value
    if judged.name == "speed":
        values["ratio"] = with_interval(Estimate(**judged.evidence["ratio"]), language)
    elif judged.name == "style":
        pairs = {f"pairs_{name}": judged.evidence[name]["value"] for name in ("before", "after")}
        values |= {name: f"{100 * share:.1f} %" for name, share in pairs.items()}  # 99.5 % is not all
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
        reached = {True: "reaches_true", False: "reaches_false", None: "reaches_unknown"}[effect.reaches]
        rows.append(
            {
                say("heading_effect", language): say(f"effect_{effect.measure}", language, of=effect.of),
                say("heading_measured", language): with_unit(
                    with_interval(effect.estimate, language), effect.unit, language
                ),
                say("heading_smallest", language): with_unit(f"{effect.smallest:g}", effect.unit, language),
                say("heading_reaches", language): say(reached, language),
            }
        )
    return rows


def with_unit(figure: str, unit: str, language: str) -> str:
    """Say a figure with its unit; one of `PURE_NUMBERS` stands alone."""
    if unit in PURE_NUMBERS:
        return figure
    unit = f"unit_{unit.replace(' ', '_')}"
    return say(unit, language, estimate=figure)


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
    elif judged.name == "scratch":
        values["parameters"] = words.rounded(1e6 * values["millions"])
    elif judged.name == "poem":
        values["post"] = say("pairs", language, count=values["post_rhymes"], all=values["post_pairs"])
    return values


ESTIMATE = set(Estimate.model_fields)
PURE_NUMBERS = {"ratio", "AUC"}  # units that are not said


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
            told.append(say(f"found_{value.name.lower()}", language, claims=words.enumerated(listed, language)))
    return words.joined(told, language)


def _clause(judged: Claim, language: str) -> str:
    """A claim as a clause of a sentence that lists several."""
    told = say(f"short_{judged.name}", language)
    if judged.verdict is Verdict.NOT_TESTED:
        return say("listed_whether", language, claim=told)
    return say("listed_that", language, claim=told)


def beside(row: Beside, language: str = "en") -> dict[str, str]:
    """Put a row into words: `what`, the `post`'s figure, the one `here`, and `why` they differ."""

    def tell(part: str, values: dict) -> str:
        name = f"{part}_{row.name}"
        if wording.has(name):
            return say(name, language, **values)
        return str(values[row.name])  # a figure that stands alone

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
            told[name] = words.step(value, language)
        elif name == "speed":
            told[name] = words.speed(value, language)
        else:
            told[name] = number(value, digits) if isinstance(value, float) else value
    return told


def _why(row: Beside, language: str) -> dict:
    values = dict(row.why)
    if "where" in values:
        backend = values.pop("backend")
        machine = say("machine", language, where=values.pop("where"), backend=words.BACKENDS.get(backend, backend))
        values["machine"] = say("machine_unknown", language, machine=machine)
    if "stand_ins" in values:
        used = [StandIn(**one) for one in values.pop("stand_ins")]
        values["what_ran"] = words.stand_ins(used, language) or say("same_as_the_post", language)
    if rank := values.pop("lora_rank", 0):
        values["what_ran"] = say("why_adapters", language, what_ran=values["what_ran"], rank=rank)
    if "another_step" in values:
        step, backend = values.pop("another_step"), words.BACKENDS.get(values.pop("another_backend", ""))
        values["step"] = say("another_step", language) if step else ""
        if backend:
            values["step"] = say("another_backend", language, backend=backend)
        if step and backend:
            values["step"] = say("another_step_and_backend", language, backend=backend)
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
        step=words.step(timing.step, language),
        verdict=words.speed(change, language),
        alike=say("compiling_alike", language) if alike else "",
        first_before=first[0],
        first_after=first[1],
        speed_up=compared["speed_up"],
        change=with_interval(Estimate(**compared["change"]), language),
    )
