"""Say how the samplers compare, and why greedy decoding loops."""

from lib.core.records import (
    Estimate,
    GreedyVsTopK,
    SelfReinforcement,
)
from lib.report import wording, words
from lib.report.numbers import percent, signed
from lib.report.wording import say


def finding(measured: GreedyVsTopK, language: str = "en") -> str:
    """Say how the samplers compare with people in diversity and in perplexity, by paired differences."""
    told = ""
    for measure, field, equal in (("diversity", "diversity_difference", 0), ("perplexity", "perplexity_ratio", 1)):
        sides = {
            wording.label(label, language): words.side_of(getattr(one, field), equal)
            for label, one in measured.beside_people.items()
        }
        for side in ("below", "open", "above"):
            if samplers := [label for label, where in sides.items() if where == side]:
                told += say(f"finding_{measure}_{side}", language, samplers=say("and", language).join(samplers))
    people = measured.people.metrics
    values = {name: words.or_nan(people[name].value) for name in ("diversity", "perplexity")}
    return say("finding", language, groups=told, **values)


def repeated(measured: GreedyVsTopK, language: str = "en") -> str:
    """Say how much of the texts of greedy decoding, of top-k sampling and of people repeats itself."""
    groups = {"greedy": measured.greedy, "top_k": measured.top_k, "people": measured.people}
    told = {name: percent(group.metrics["rep_4"].value, language) for name, group in groups.items()}
    count = measured.greedy.loops
    lasting = say("repeated_to_the_end", language, lasting=_lasting(measured), loops=count) if count else ""
    return say("repeated", language, lasting=lasting, **told)


def _lasting(measured: GreedyVsTopK) -> int:
    """Count the texts of greedy decoding, after people's beginnings, whose last loop lasts to the end of the text."""
    texts = [one for one in measured.samples if one.label == measured.greedy.label and one.prompt in measured.openings]
    return sum(bool(one.looped_spans) and one.looped_spans[-1][1] >= len(one.text.rstrip()) for one in texts)


def published(measured: GreedyVsTopK, language: str = "en") -> str:
    """Say which sampler differs most from its published share of loops; `""` if none clearly does."""
    here = {group.label: group.metrics["loop_holtzman"] for group in measured.groups}
    apart = [row for row in measured.published if words.side_of(here[row.here], row.loops_percent_published) != "open"]
    if not apart:
        return ""
    row = max(apart, key=lambda row: abs(row.loops_percent_published - here[row.here].value))
    return say(
        "published_farthest",
        language,
        here=wording.label(row.here, language),
        method=wording.label(row.method, language),
        published=words.figure(row.loops_percent_published),
        value=words.share_with_interval(here[row.here], language),
    )


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
            **sentences(measured),
        ),
        say(
            "loops_people",
            language,
            first=people.probability[0].value,
            third=people.probability[2].value,
            verdict=say(f"loops_people_{_length_explains(told)}", language) if verdict == "more" else "",
        ),
        say("loops_trap", language, **sentences(measured)),
    ]


def lesson(measured: GreedyVsTopK, language: str = "en") -> str:
    """Say what is to be learned from the loops, as far as the figures show it."""
    shown = reinforces(measured.self_reinforcement)
    sentence = say("lesson_more" if shown else "lesson_open", language)
    without = [group for group in (measured.greedy, measured.top_k, *measured.others) if not group.loops]
    if without:
        listed = say("and", language).join(wording.label(group.label, language) for group in without)
        sentence += say("lesson_without", language, texts=measured.greedy.texts, samplers=listed)
    return sentence


def sentences(measured: GreedyVsTopK) -> dict:
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
    return {"above": "more", "below": "less", "open": "open"}[words.side_of(told.written.third_minus_first, 0)]


def _length_explains(told: SelfReinforcement) -> str:
    """Return how much of the rise the length of the context explains: `"none"`, `"part"`, or `"open"`."""
    if words.side_of(told.written_minus_people, 0) != "above":
        return "open"
    return "part" if words.side_of(told.people.third_minus_first, 0) == "above" else "none"


def reinforces(told: SelfReinforcement) -> bool:
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


def gap(difference: Estimate, language: str) -> str:
    """Say how the shares of texts with a loop differ, in percentage points, and how sure that is."""
    if not difference.has_interval:
        return say("gap_unknown", language)
    if words.side_of(difference, 0) == "open":
        return say("gap_open", language, value=difference.value, low=difference.low, high=difference.high)
    low, high = sorted(map(abs, (difference.low, difference.high)))
    return say("gap", language, value=abs(difference.value), low=low, high=high)
