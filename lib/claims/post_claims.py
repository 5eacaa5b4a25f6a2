"""Judge the post's claims by the experiments' results."""

from lib.claims import head_to_head, post, rules
from lib.claims.experiments import Experiments
from lib.core.records import (
    Claim,
    Contest,
    Estimate,
    FromScratch,
    PostText,
    PromptOutcome,
    Rule,
    SpeedVerdict,
    Verdict,
    Winner,
)


def judge(found: Experiments, figures: dict, post_texts: list[PostText]) -> list[Claim]:
    """Judge all claims.

    Args:
        found: The result of `experiments.load`.
        figures: The result of `post.blog_post`.
        post_texts: The texts that the post prints, judged.
    """
    return [
        _speed(found, figures),
        _gibberish(found, figures),
        _style(found, figures),
        _loops(found, figures),
        _form(found, figures),
        _rhyme(found, figures, post_texts),
        _scratch(found, figures),
    ]


def _claim(name: str, figures: dict, **judged) -> Claim:
    """Make a claim, with the post's own words."""
    quote = figures["quotes"][name]
    return Claim(name=name, quote=quote["text"], heading=quote["heading"], **judged)


def _speed(found: Experiments, figures: dict) -> Claim:
    before, after = found.reddit.measured.timing.before, found.reddit.measured.timing.after
    speed = rules.compare_speed(before, after)
    return _claim(
        "speed",
        figures,
        measure="later_call_seconds_before_over_after",
        unit="ratio",
        rule=Rule.LATER_CALLS_FASTER,
        effect=Estimate(value=before.later_calls.median_seconds / after.later_calls.median_seconds),
        verdict=rules.holds(speed is SpeedVerdict.FASTER),
        evidence={"times": post.speed_up(figures), "speed": speed},
    )


def _gibberish(found: Experiments, figures: dict) -> Claim:
    english: PromptOutcome = found.baseline.measured.english
    chinese: PromptOutcome = found.baseline.measured.chinese
    more = chinese.rep_4_percent - english.rep_4_percent
    return _claim(
        "gibberish",
        figures,
        measure="rep_4_chinese_minus_english",
        unit="percent",
        rule=Rule.MORE_REPETITION_OR_BROKEN_BYTES,
        effect=Estimate(value=more),
        verdict=rules.holds(more > 0 or chinese.broken_bytes > 0),
        evidence={
            "chinese": chinese.rep_4_percent,
            "english": english.rep_4_percent,
            "broken": chinese.broken_bytes,
        },
    )


def _style(found: Experiments, figures: dict) -> Claim:
    change = found.reddit.measured.bits_per_character_change
    above = rules.above_zero(change)
    return _claim(
        "style",
        figures,
        measure="bits_per_character_change",
        unit="bits per character",
        rule=Rule.INTERVAL_BELOW_ZERO,
        effect=change,
        verdict=rules.holds(None if above is None else not above),
        evidence={"change": _told(change)},
    )


def _loops(found: Experiments, figures: dict) -> Claim:
    measured = found.samplers.measured
    greedy, top_k, people = (group.metrics["rep_4"] for group in (measured.greedy, measured.top_k, measured.people))
    effect = rules.difference(greedy, top_k)
    return _claim(
        "loops",
        figures,
        measure="rep_4_greedy_minus_top_k",
        unit="percent",
        rule=Rule.INTERVALS_APART,
        effect=effect,
        verdict=rules.holds(rules.above_zero(effect)),
        evidence={
            "greedy": _told(greedy),
            "top_k": _told(top_k),
            "people": _told(people),
            "greedy_loops": measured.greedy.loops,
            "top_k_loops": measured.top_k.loops,
            "texts": measured.greedy.texts,
        },
    )


def _form(found: Experiments, figures: dict) -> Claim:
    form = found.tang.measured.form
    after, before, tang = (group.shares["well_formed"] for group in (form.after, form.before, form.tang_poets))
    return _claim(
        "form",
        figures,
        measure="well_formed_after_minus_before",
        unit="percent",
        rule=Rule.FLOOR_AND_CEILING,
        effect=rules.difference(after, before),
        verdict=rules.floor_and_ceiling(after, before, tang),
        evidence={"after": after.value, "before": before.value, "tang": tang.value},
    )


def _rhyme(found: Experiments, figures: dict, post_texts: list[PostText]) -> Claim:
    form = found.tang.measured.form
    after, shuffled, tang = (group.shares["rhyme"] for group in (form.after, form.shuffled, form.tang_poets))
    (poem,) = [text for text in post_texts if text.name == "poem"]
    return _claim(
        "rhyme",
        figures,
        measure="rhyming_pairs_after_minus_by_chance",
        unit="percent",
        rule=Rule.FLOOR_AND_CEILING,
        effect=rules.difference(after, shuffled),
        verdict=rules.floor_and_ceiling(after, shuffled, tang),
        evidence={
            "after": after.value,
            "shuffled": shuffled.value,
            "tang": tang.value,
            "post_rhymes": poem.rhymes,
            "post_pairs": poem.rhyme_pairs,
        },
    )


def _scratch(found: Experiments, figures: dict) -> Claim:
    measured: FromScratch = found.scratch.measured
    form, other = measured.form.shares, measured.fine_tuned.form.shares
    return _claim(
        "scratch",
        figures,
        measure="bits_per_character_from_scratch_minus_fine_tuned",
        unit="bits per character",
        rule=Rule.BETTER_BITS_NO_WORSE_FORM,
        effect=measured.bits_per_character_difference,
        verdict=from_scratch_is_better(head_to_head.contests(measured)),
        evidence={
            "own_bits": measured.likelihood.bits_per_character,
            "their_bits": measured.fine_tuned.likelihood.after.bits_per_character,
            "own_form": form["well_formed"].value,
            "their_form": other["well_formed"].value,
            "own_rhyme": form["rhyme"].value,
            "their_rhyme": other["rhyme"].value,
        },
    )


def from_scratch_is_better(contests: list[Contest]) -> Verdict:
    """Judge whether the model from scratch needs fewer bits per character and is no worse in any measure of form."""
    winner = {contest.measure: contest.winner for contest in contests}
    decided = {Winner.FROM_SCRATCH: True, Winner.FINE_TUNED: False}.get(winner["bits_per_character"])
    worse = any(winner.get(name) is Winner.FINE_TUNED for name in ("well_formed", "rhyme", "alternating"))
    return Verdict.HOLDS_IN_PART if decided and worse else rules.holds(decided)


def _told(estimate: Estimate) -> dict:
    return estimate.model_dump()
