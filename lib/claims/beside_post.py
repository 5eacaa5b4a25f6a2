"""Compare each figure of the post with the one measured here, and explain the difference."""

from lib.claims import post, post_claims, rules
from lib.claims.experiments import Experiments
from lib.core.records import Beside, Estimate, Results


def rows(found: Experiments, figures: dict) -> list[Beside]:
    """Compare the results with the post's.

    Args:
        found: The result of `experiments.load`.
        figures: The result of `post.blog_post`.
    """
    return [*_speed(found, figures), *_trainings(found, figures), *_texts(found, figures)]


def _speed(found: Experiments, figures: dict) -> list[Beside]:
    as_in_post, measured = found.baseline.measured.most_like_the_post, found.reddit.measured
    own = measured.timing
    first, later = as_in_post.first_call_seconds, as_in_post.later_calls.median_seconds
    machine = _machine(found.baseline)
    before, after = own.before.later_calls.median_seconds, own.after.later_calls.median_seconds
    return [
        Beside(
            name="call",
            post={"seconds": figures["baseline"]["seconds"], "tokens": figures["baseline"]["max_length"]},
            here={"first": first, "later": later, "tokens": as_in_post.max_length, "step": as_in_post.step},
            why={"times": first / later, **machine, "backend": as_in_post.backend or machine["backend"]},
        ),
        Beside(
            name="rate",
            post={"rate": figures["baseline"]["tokens_per_second"]},
            here={"later": as_in_post.new_tokens_per_second, "first": as_in_post.max_length / first},
            why={},
        ),
        Beside(
            name="after",
            post={
                "seconds": figures["reddit"]["seconds_after"],
                "rate": figures["reddit"]["tokens_per_second_after"],
            },
            here={
                "first": own.after.first_call_seconds,
                "later": after,
                "tokens": own.after.max_length,
                "rate": own.after.new_tokens_per_second,
                "step": own.after.step,
            },
            why={
                "another_step": own.after.step != as_in_post.step,
                "another_backend": as_in_post.backend if as_in_post.backend != own.after.backend else "",
                **machine,
            },
        ),
        Beside(
            name="speed_up",
            post={"times": post.speed_up(figures)},
            here={
                "times": measured.speed_ratio.model_dump(),
                "pairs": min(own.before.later_calls.n, own.after.later_calls.n),
                "before": before,
                "after": after,
                "step": own.after.step,
                "speed": rules.speed(measured.speed_ratio),
            },
            why={"first_before": own.before.first_call_seconds, "first_after": own.after.first_call_seconds},
        ),
    ]


def _trainings(found: Experiments, figures: dict) -> list[Beside]:
    table = []
    for subject, results, told in (
        ("stories", found.reddit, figures["reddit"]),
        ("poems", found.tang, figures["tang"]),
    ):
        measured = results.measured
        training, held_out = measured.training, measured.held_out
        batch = told.get("batch_size") or told["num_poems"] // told["num_steps"]
        stand_ins = [stand_in.model_dump() for stand_in in results.stand_ins]
        table += [
            Beside(
                name="step",
                subject=subject,
                post={"milliseconds": told["step_milliseconds"], "batch": batch},
                here={
                    "milliseconds": 1000 * training.later_steps.median_seconds,
                    "batch": training.batch_size,
                    "rate": training.useful_tokens_per_second,
                    "first": training.first_step_seconds,
                },
                why=_machine(found.baseline),
            ),
            Beside(
                name="training",
                subject=subject,
                post={"seconds": told["total_seconds"], "steps": told["num_steps"], "batch": batch},
                here={"seconds": training.seconds, "steps": training.steps, "batch": training.batch_size},
                why={
                    "printed": told["total_seconds"],
                    "product": told["num_steps"] * told["step_milliseconds"] / 1000,
                    **_machine(found.baseline),
                },
            ),
            Beside(
                name="loss",
                subject=subject,
                post={"loss": told["loss"]},
                here={"loss": training.final_mean_loss},
                why={
                    "stand_ins": stand_ins,
                    "here": training.steps * training.batch_size,
                    "post": told["num_steps"] * batch,
                    "lora_rank": results.parameters.get("lora_rank", 0),
                    "useful": training.useful_percent_if_padded,
                    "token_loss": training.final_mean_token_loss,
                },
            ),
            Beside(
                name="accuracy",
                subject=subject,
                post={"accuracy": told["accuracy"]},
                here={
                    "accuracy": training.final_mean_accuracy,
                    "before": held_out.before.accuracy,
                    "after": held_out.after.accuracy,
                },
                why={"stand_ins": stand_ins, "lora_rank": results.parameters.get("lora_rank", 0)},
            ),
        ]
    return table


def _texts(found: Experiments, figures: dict) -> list[Beside]:
    samplers, tang = found.samplers.measured, found.tang.measured
    groups = {"greedy": samplers.greedy, "top_k": samplers.top_k, "people": samplers.people}
    quality = found.baseline.measured.quality
    return [
        Beside(
            name="greedy",
            post={},
            here={name: {"loops": group.loops, "texts": group.texts} for name, group in groups.items()},
            why={"tokens": found.samplers.parameters["max_length"]},
        ),
        Beside(
            name="chinese",
            post={},
            here={
                name: {"words": group.shares["words"].value, "looped": group.shares["looped"].value}
                for name, group in (("chinese", quality.chinese), ("people", quality.people_chinese))
            },
            why={"stand_ins": [stand_in.model_dump() for stand_in in found.baseline.stand_ins]},
        ),
        Beside(
            name="poem_time",
            post={"seconds": figures["tang"]["seconds"]},
            here={
                "first": tang.timing.first_call_seconds,
                "later": tang.timing.later_calls.median_seconds,
            },
            why=_machine(found.baseline),
        ),
        Beside(name="poem", post={}, here={"demands": post_claims.demands(found)}, why={}),
    ]


def _machine(results: Results) -> dict:
    machine = results.machine
    where = machine.processor if machine.device == "CPU" else machine.device
    return {"where": where, "backend": machine.keras.split(",")[0]}


def rates(found: Experiments, figures: dict) -> list[dict]:
    """Compare the post's tokens per second with those of the calls timed here.

    Returns:
        Rows of `call`, a tuple of whose call it is (`"post"` or `"here"`), its label, and `"first"` or `"later"` for
        those here; `wide`; `seconds`; `as_the_post_counts` (all of `max_length` over the seconds); `new_tokens_only`,
        None for the post, which does not tell.
    """
    baseline, reddit = figures["baseline"], figures["reddit"]
    table = [
        {
            "call": ("post", label, state),
            "wide": False,
            "seconds": seconds,
            "as_the_post_counts": float(rate),
            "new_tokens_only": None,
        }
        for label, state, seconds, rate in (
            ("first call of all", "", baseline["seconds"], baseline["tokens_per_second"]),
            ("after fine-tuning", "", reddit["seconds_after"], reddit["tokens_per_second_after"]),
        )
    ]
    own = found.reddit.measured.timing
    for timing in (*found.baseline.measured.timings, own.before, own.after):
        for state, seconds in (("first", timing.first_call_seconds), ("later", timing.later_calls.median_seconds)):
            table.append(
                {
                    "call": ("here", timing.label, state),
                    "wide": state == "later" and timing.later_calls.wide,
                    "seconds": seconds,
                    "as_the_post_counts": timing.max_length / seconds,
                    "new_tokens_only": timing.new_tokens / seconds,
                }
            )
    return table


def compiling(found: Experiments, figures: dict) -> dict[str, float | dict]:
    """Set the post's speed-up beside what compiling and fine-tuning change in the calls timed here.

    Returns:
        `speed_up` of the post; `first_before` and `first_after`, the seconds of the first call of a newly compiled
        model before and after fine-tuning, here; `change`, the estimate of the time of a later call before fine-tuning
        over that after it, here.
    """
    measured = found.reddit.measured
    return {
        "speed_up": post.speed_up(figures),
        "first_before": measured.timing.before.first_call_seconds,
        "first_after": measured.timing.after.first_call_seconds,
        "change": measured.speed_ratio.model_dump(),
    }


def bits(found: Experiments) -> dict[str, dict[str, Estimate]]:
    """Return bits per character on held-out texts, by the texts and the model.

    They are comparable between models on the same texts, and not between stories and poems.
    """
    reddit, tang, scratch = found.reddit.measured, found.tang.measured, found.scratch.measured
    return {
        "stories": {
            "before": Estimate(value=reddit.likelihood.before.bits_per_character),
            "after": Estimate(value=reddit.likelihood.after.bits_per_character),
        },
        "poems": {
            "before": Estimate(value=tang.likelihood.before.bits_per_character),
            "after": Estimate(value=tang.likelihood.after.bits_per_character),
            "scratch": Estimate(value=scratch.likelihood.bits_per_character),
        },
    }
