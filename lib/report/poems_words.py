"""Say how far poems meet the demands on them, and how the two models compare."""

from lib.core import chinese
from lib.core.records import (
    Contest,
    Estimate,
    FromScratch,
    Machine,
    PoemScale,
    TangPoetry,
    Winner,
)
from lib.report import words
from lib.report.numbers import number
from lib.report.wording import say

NOTICEABLE_SHARE = 5.0  # percentage points; a smaller difference of couplets is called small
FEWEST_LINES = 4  # of a poem in which even lines can rhyme


def contests(judged: list[Contest], language: str = "en") -> str:
    """Say which model is better in which measures, a sentence for each of the two and one for neither."""
    parts = []
    for winner in Winner:
        names = [say(f"measure_{one.measure}", language) for one in judged if one.winner is winner]
        if names:
            parts.append(say(f"better_{winner.name.lower()}", language, measures=words.listed(names, language)))
    return say("sentence_space", language).join(parts)


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


def above_chance(by_prompt: list[dict[str, Estimate]], language: str) -> str:
    """Say in which of rhyme and parallelism the poems from all, some or none of the prompts are above chance."""
    groups = {"all": [], "some": [], "none": [], "unknown": []}
    for share in JUDGED_BY_CHANCE:
        known = [one[share] for one in by_prompt if one[share].value is not None]
        above = [one.has_interval and one.low > 0 for one in known]
        kind = "unknown" if not known else "all" if all(above) else "some" if any(above) else "none"
        groups[kind].append(say(f"measure_{share}", language))
    parts = [
        say(f"above_chance_{kind}", language, measures=words.listed(measures, language))
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
        if isinstance(measured, FromScratch):  # the fine-tuned model continues the same prompt
            poems = say("poems_from_scratch", language)
        else:
            poems = say("poems_from_prompt", language, prompts=say("or_prompt", language).join(prompts))
        for side in ("above", "alike", "below", "unknown"):
            pairs = zip(JUDGED_BY_CHANCE, sides, strict=True)
            measures = [say(f"measure_{share}", language) for share, one in pairs if one == side]
            if measures:
                told.append(say(f"chance_{side}", language, poems=poems, measures=words.listed(measures, language)))
    return say("sentence_space", language).join(told)


def short_poems(measured: FromScratch, language: str = "en") -> str:
    """Say how many poems by the model from scratch are too short to rhyme; `""` if none is."""
    short = sum(len(chinese.clauses(one.text)) < FEWEST_LINES for one in measured.samples)
    return say("short_poems", language, short=short, all=len(measured.samples)) if short else ""


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
