"""Judge the post's claims by the experiments' results.

To add a claim, put its words into `blog_post.yaml`, its rule into `claims.yaml`, and a function here that finds its
effects and its evidence in the results.
"""

from collections.abc import Callable

from lib.claims import post, rules
from lib.claims.experiments import Experiments
from lib.core.records import Claim, ClaimKind, Effect, Estimate, PostText, Verdict

FEW = 500  # stories; the post takes them to be enough
DEMANDS = ("well_formed", "rhyme", "parallel_words", "parallel_tones")
MANY = 4 * FEW  # the fewest stories that 500 are held against
ENOUGH = 0.5  # of the stories that the post trains on: fewer do not test what it says of the style

Effects = dict[tuple[str, str], Estimate]
"""By the name of the measure and, where there is one for each prompt, the prompt."""


def judge(found: Experiments, figures: dict, post_texts: list[PostText]) -> list[Claim]:
    """Judge all claims, and put figures beside the opinions.

    Args:
        found: The result of `experiments.load`.
        figures: The result of `post.blog_post`.
        post_texts: The texts that the post prints, judged.
    """
    return [
        _judged(name, rule, figures["quotes"][name], *CLAIMS[name](found, figures, post_texts))
        for name, rule in post.rules().items()
    ]


def _judged(name: str, rule: dict, quote: dict, measured: Effects, evidence: dict) -> Claim:
    kind = ClaimKind(rule["kind"])
    wanted = {effect["measure"]: effect for effect in rule["effects"]}
    effects = [
        Effect(
            measure=measure,
            of=of,
            unit=wanted[measure]["unit"],
            smallest=wanted[measure]["smallest"],
            estimate=estimate,
            reaches=rules.reaches(estimate, wanted[measure]["smallest"]),
        )
        for (measure, of), estimate in measured.items()
    ]
    return Claim(
        name=name,
        kind=kind,
        quote=quote["text"],
        translation=quote["translation"],
        heading=quote["heading"],
        effects=effects,
        verdict=Verdict.NOT_JUDGED if kind is ClaimKind.OPINION else rules.verdict(effects),
        evidence=evidence,
    )


def _speed(found: Experiments, figures: dict, post_texts: list[PostText]) -> tuple[Effects, dict]:
    measured = found.reddit.measured
    before, after = measured.timing.before, measured.timing.after
    words, words_after = post.words_of_calls(figures)
    return {("speed_ratio", ""): measured.speed_ratio}, {
        "ratio": _told(measured.speed_ratio),
        "pairs": min(before.later_calls.n, after.later_calls.n),
        "post_times": post.speed_up(figures),
        "post_words": words,
        "post_words_after": words_after,
        "post_shortening": words / words_after,
        "first_before": before.first_call_seconds,
        "first_after": after.first_call_seconds,
    }


def _gibberish(found: Experiments, figures: dict, post_texts: list[PostText]) -> tuple[Effects, dict]:
    measured = found.baseline.measured
    model, people = measured.quality.chinese, measured.quality.people_chinese
    more = measured.chinese_minus_people
    return {
        ("words_missing", ""): rules.minus(more["words"]),
        ("looped_more", ""): more["looped"],
    }, {
        "texts": model.texts,
        "in_english": model.answers_in_english,
        "with_loop": sum((one.looped or 0) > 0 for one in model.by_text),
        "mostly_loop": sum((one.looped or 0) > 50 for one in model.by_text),
        "words": _told(model.shares["words"]),
        "people_words": _told(people.shares["words"]),
        "looped": _told(model.shares["looped"]),
        "people_looped": _told(people.shares["looped"]),
    }


def _style(found: Experiments, figures: dict, post_texts: list[PostText]) -> tuple[Effects, dict]:
    style, training = found.reddit.measured.style, found.reddit.measured.training
    stories, post_stories = training.steps * training.batch_size, _stories_of_the_post(figures)
    effects = {
        ("nearer_to_people", ""): rules.minus(style.after_minus_before["auc"]),
        ("not_told_apart", ""): rules.minus(style.after_minus_floor["auc"]),
    }
    return effects if stories >= ENOUGH * post_stories else {}, {
        "before": _told(style.auc.before),
        "after": _told(style.auc.after),
        "floor": _told(style.auc.people),
        "words_before": _told(style.jsd.before),
        "words_after": _told(style.jsd.after),
        "words_floor": _told(style.jsd.people),
        "texts": style.texts,
        "stories": stories,
        "post_stories": post_stories,
    }


def _stories_of_the_post(figures: dict) -> int:
    return figures["reddit"]["num_steps"] * figures["reddit"]["batch_size"]


def _few_stories(found: Experiments, figures: dict, post_texts: list[PostText]) -> tuple[Effects, dict]:
    curve = found.reddit.measured.learning_curve
    most = max(point.stories for point in curve.points)
    tested = curve.last_minus_500 is not None and most >= MANY
    return {("gain_beyond_500", ""): curve.last_minus_500} if tested else {}, {
        "most": most,
        "post_stories": _stories_of_the_post(figures),
        "points": [[point.stories, point.bits_per_character.value] for point in curve.points],
    }


def _loops(found: Experiments, figures: dict, post_texts: list[PostText]) -> tuple[Effects, dict]:
    measured = found.samplers.measured
    return {("loop_greedy_minus_top_k", ""): measured.greedy_minus_top_k["loop"]}, {
        "greedy": measured.greedy.loops,
        "top_k": measured.top_k.loops,
        "people": measured.people.loops,
        "texts": measured.greedy.texts,
        "k": found.samplers.parameters["k"],
    }


def _fine_tuning_needed(found: Experiments, figures: dict, post_texts: list[PostText]) -> tuple[Effects, dict]:
    measured = found.tang.measured
    more = {
        ("well_formed_more", prompt): shares["well_formed"] for prompt, shares in measured.after_minus_before.items()
    }
    for share in ("rhyme", "parallel_words"):
        for prompt, shares in measured.after_minus_chance.items():
            more[f"{share}_above_chance", prompt] = shares[share]
    return more, {"demands": demands(found)}


def _scratch(found: Experiments, figures: dict, post_texts: list[PostText]) -> tuple[Effects, dict]:
    return {}, {"millions": found.scratch.measured.parameters / 1e6}


def _content(found: Experiments, figures: dict, post_texts: list[PostText]) -> tuple[Effects, dict]:
    quality = found.baseline.measured.quality
    return {}, {
        "looped": _told(quality.english.shares["looped"]),
        "people_looped": _told(quality.people_stories.shares["looped"]),
        "words": _told(quality.english.shares["words"]),
        "people_words": _told(quality.people_stories.shares["words"]),
    }


def _poem(found: Experiments, figures: dict, post_texts: list[PostText]) -> tuple[Effects, dict]:
    (poem,) = [text for text in post_texts if text.name == "poem"]
    return {}, {"demands": demands(found), "post_rhymes": poem.rhymes, "post_pairs": poem.rhyme_pairs}


CLAIMS: dict[str, Callable] = {
    "speed": _speed,
    "gibberish": _gibberish,
    "style": _style,
    "few_stories": _few_stories,
    "loops": _loops,
    "fine_tuning_needed": _fine_tuning_needed,
    "scratch": _scratch,
    "content": _content,
    "poem": _poem,
}


def demands(found: Experiments) -> dict[str, dict[str, dict]]:
    """Collect the figures of the three demands on poems that the post names: regular form, rhyme, parallel couplets.

    Returns:
        By the prompt and the share of `poem_form`: the estimates `after` and `before` fine-tuning, means over the
        training runs; `tang`, of Tang poets; and `chance`, without a value where there is no such figure.
    """
    measured = found.tang.measured
    return {
        prompt: {
            share: {
                "after": _told(after[share]),
                "before": _told(measured.before_over_runs[prompt][share]),
                "tang": _told(measured.form.ceiling(share)),
                "chance": _told(measured.form.chance(share) or Estimate(value=None)),
            }
            for share in DEMANDS
        }
        for prompt, after in measured.after_over_runs.items()
    }


def _told(estimate: Estimate) -> dict:
    return estimate.model_dump()
