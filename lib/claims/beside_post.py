"""The experiments' results beside the figures of the blog post, with the reason for each difference."""

import pandas as pd

from lib.core import paths, yaml_files
from lib.core.errors import UserError
from lib.evaluation import continuations, timing
from lib.report import recorder, wording

NOTEBOOKS = ("01_baseline", "02_reddit_finetune", "03_greedy_vs_top_k", "04_tang_poetry", "05_from_scratch")
FASTER = wording.say("speed_faster")


def blog_post() -> dict:
    """The blog post's figures, from `experiments/blog_post.yaml`."""
    return yaml_files.read(paths.EXPERIMENTS / "blog_post.yaml")


def published(cells: pd.DataFrame) -> pd.DataFrame:
    """Sets the repetition and the self-BLEU of Holtzman et al. beside the rows of `continuations.cells` that come nearest.

    Returns:
        `published` (the method there), `here` (the row), and for both `loops_percent` and `self_bleu_4`; only the
        methods that are among the rows.
    """
    told = yaml_files.read(paths.EXPERIMENTS / "published.yaml")["holtzman"]
    rows = cells.set_index("label")
    return pd.DataFrame(
        [
            {
                "published": row["method"],
                "here": row["here"],
                "loops_percent_published": float(row["repetition"]),
                "loops_percent_here": float(rows.loc[row["here"], "loop"]),
                "self_bleu_4_published": float(row["self_bleu_4"]),
                "self_bleu_4_here": float(rows.loc[row["here"], "self_bleu_4"]),
            }
            for row in told["rows"]
            if row["here"] in rows.index
        ]
    )


def load_all(profile: str) -> dict[str, dict]:
    """The `results.json` of the experiments of a profile, by notebook.

    Raises:
        UserError: If one of them has not been run.
    """
    loaded = {}
    for notebook in NOTEBOOKS:
        try:
            loaded[notebook] = recorder.load(profile, notebook)
        except FileNotFoundError:
            raise UserError(
                f"profile is {profile!r}, and there are no results of {notebook} in it. "
                f"Run `make report NOTEBOOK={notebook} PROFILE={profile}` first."
            ) from None
    return loaded


def rows(found: dict[str, dict], post: dict, language: str = "en") -> list[dict[str, str]]:
    """Sets the results beside the post's.

    Args:
        found: What `load_all` returned.
        post: What `blog_post` returned.
        language: One of `wording.LANGUAGES`, for what is in the cells.

    Returns:
        Rows of `what`, `blog post`, `here` and `why they differ`; every figure and every reason comes from the two.
    """
    baseline, reddit, samplers, tang, _ = (found[notebook]["metrics"] for notebook in NOTEBOOKS)
    as_in_post, number = baseline["timing"][0], recorder.number
    english, chinese, *_ = baseline["prompts"]
    greedy, top_k, *_, people = samplers["cells"]
    cold, warm = as_in_post["first_call_seconds"], as_in_post["warm"]["median"]
    before, after = reddit["timing"]
    warm_before, warm_after = before["warm"]["median"], after["warm"]["median"]

    def say(name: str, **values) -> str:
        return wording.say(name, language, **values)

    def row(name: str, blog: str, what: dict | None = None, here: dict | None = None, why: dict | None = None) -> dict:
        return {
            "what": say(f"what_{name}", **(what or {})),
            "blog post": blog,
            "here": say(f"here_{name}", **here) if here else "",
            "why they differ": say(f"why_{name}", **(why or {})),
        }

    machine = say("machine_unknown", machine=_machine(found["01_baseline"], language))
    other_step = say("another_step") if after["step"] != as_in_post["step"] else ""
    table = [
        row(
            "call",
            say("seconds", seconds=post["baseline"]["seconds"]),
            {"tokens": as_in_post["max_length"]},
            {"cold": number(cold), "warm": number(warm), "step": step(as_in_post, language)},
            {"percent": 100 * (1 - warm / cold), "machine": machine},
        ),
        row(
            "rate",
            say("post_rate", rate=post["baseline"]["tokens_per_second"]),
            here={
                "warm": number(as_in_post["tokens_per_second"]),
                "cold": number(as_in_post["max_length"] / cold),
            },
        ),
        row(
            "after",
            say("seconds", seconds=post["reddit"]["seconds_after"]),
            here={
                "cold": number(after["first_call_seconds"]),
                "warm": number(warm_after),
                "tokens": after["max_length"],
                "step": step(after, language),
            },
            why={"step": other_step, "machine": machine},
        ),
        row(
            "speed_up",
            say("times", times=number(post_speed_up(post))),
            here={
                "times": number(warm_before / warm_after),
                "before": number(warm_before),
                "after": number(warm_after),
                "step": step(after, language),
                "verdict": verdict(found, language),
            },
            why={"times": number(before["first_call_seconds"] / warm_after)},
        ),
    ]
    for name, notebook, metrics, figures in (
        ("stories", "02_reddit_finetune", reddit, post["reddit"]),
        ("poems", "04_tang_poetry", tang, post["tang"]),
    ):
        fit, held_out, texts = metrics["training"], metrics["held_out"], {"texts": say(name)}
        post_batch = figures.get("batch_size") or figures["num_poems"] // figures["num_steps"]
        what_ran = _what_ran(found[notebook], language)
        table += [
            row(
                "step",
                say("post_step", milliseconds=figures["step_milliseconds"], batch=post_batch),
                texts,
                {
                    "milliseconds": number(fit["step_milliseconds"]),
                    "batch": fit["batch_size"],
                    "rate": number(fit["useful_tokens_per_second"]),
                    "first": number(fit["first_step_seconds"]),
                },
                {"machine": machine},
            ),
            row(
                "loss",
                f"{figures['loss']}",
                texts,
                {"loss": number(fit["final_mean_loss"], 4)},
                {
                    "what_ran": what_ran,
                    "here": fit["steps"] * fit["batch_size"],
                    "post": figures["num_steps"] * post_batch,
                    "useful": fit["useful_percent_if_padded"],
                    "token_loss": number(fit["final_mean_token_loss"], 4),
                },
            ),
            row(
                "accuracy",
                f"{figures['accuracy']}",
                texts,
                {
                    "accuracy": number(fit["final_mean_accuracy"], 4),
                    "before": number(held_out["before"]["accuracy"], 4),
                    "after": number(held_out["after"]["accuracy"], 4),
                },
                {"what_ran": what_ran},
            ),
        ]
    (poem_time,) = tang["timing"]
    well_formed, rhyme, tones = (
        {name: continuations.percent(form[f"{kind}_percent"], language) for name, form in tang["form"].items()}
        for kind in ("well_formed", "rhyme", "alternating")
    )
    return [
        *table,
        row(
            "greedy",
            say("post_greedy"),
            here={"greedy": greedy, "top_k": top_k, "people": people},
            why={"tokens": found["03_greedy_vs_top_k"]["parameters"]["max_length"]},
        ),
        row(
            "chinese",
            say("post_chinese"),
            here={"chinese": chinese, "english": english},
            why={"what_ran": _what_ran(found["01_baseline"], language)},
        ),
        row(
            "poem",
            say("post_poem", seconds=post["tang"]["seconds"]),
            here={
                "cold": number(poem_time["first_call_seconds"]),
                "warm": number(poem_time["warm"]["median"]),
                **{name: well_formed[name] for name in ("after", "before", "tang")},
            },
            why={"machine": machine},
        ),
        row("rhyme", say("post_rhyme"), here={"rhyme": rhyme, "tones": tones}),
    ]


def post_speed_up(post: dict) -> float:
    """How many times faster the post's call after fine-tuning was than its first call."""
    return post["baseline"]["seconds"] / post["reddit"]["seconds_after"]


def verdict(found: dict[str, dict], language: str = "en") -> str:
    """Whether generating got faster by fine-tuning, warm calls against warm calls. See `timing.compare`."""
    return timing.compare(*found["02_reddit_finetune"]["metrics"]["timing"], language)


def step(row: dict, language: str = "en") -> str:
    """Whose decoding step ran in a row of `timing.measure`."""
    return wording.say(f"step_{row['step']}", language)


def rates(found: dict[str, dict], post: dict) -> list[dict]:
    """Sets the post's tokens per second beside the calls that were timed here.

    Args:
        found: What `load_all` returned.
        post: What `blog_post` returned.

    Returns:
        Rows of `call`, `seconds`, `as_the_post_counts` (all of `max_length` over the seconds) and `new_tokens_only`,
        which the post does not tell.
    """
    baseline, reddit = post["baseline"], post["reddit"]
    table = [
        {
            "call": f"blog post, {which}",
            "seconds": seconds,
            "as_the_post_counts": float(rate),
            "new_tokens_only": float("nan"),
        }
        for which, seconds, rate in (
            ("first call of all", baseline["seconds"], baseline["tokens_per_second"]),
            ("after fine-tuning", reddit["seconds_after"], reddit["tokens_per_second_after"]),
        )
    ]
    timed = found["01_baseline"]["metrics"]["timing"] + found["02_reddit_finetune"]["metrics"]["timing"]
    for row in timed:
        for state, seconds in (("cold", row["first_call_seconds"]), ("warm", row["warm"]["median"])):
            table.append(
                {
                    "call": f"here, {row['label']}, {state}" + (", wide spread" if row["warm"]["wide"] else ""),
                    "seconds": seconds,
                    "as_the_post_counts": row["max_length"] / seconds,
                    "new_tokens_only": row["new_tokens"] / seconds,
                }
            )
    return table


def bits(found: dict[str, dict]) -> dict[str, float]:
    """Bits per character on held-out texts, by text and model."""
    reddit, tang, scratch = (found[name]["metrics"]["likelihood"] for name in NOTEBOOKS[1:2] + NOTEBOOKS[3:])
    return {
        "stories, before": reddit["before"]["bits_per_character"],
        "stories, fine-tuned": reddit["after"]["bits_per_character"],
        "poems, before": tang["before"]["bits_per_character"],
        "poems, fine-tuned": tang["after"]["bits_per_character"],
        "poems, from scratch": scratch["bits_per_character"],
    }


def poem_groups(found: dict[str, dict]) -> dict[str, dict]:
    """What `poetry.summary` told of each group of poems."""
    form = found["04_tang_poetry"]["metrics"]["form"]
    return {
        "before": form["before"],
        "fine-tuned": form["after"],
        "from scratch": found["05_from_scratch"]["metrics"]["form"],
        continuations.TANG: form["tang"],
        continuations.CHANCE: form["shuffled"],
    }


def compiling(found: dict[str, dict], post: dict) -> str:
    """Says how much of the post's speed-up compiling explains, going by what compiling costs here."""
    row = found["01_baseline"]["metrics"]["timing"][0]
    cold, warm, speed_up = row["first_call_seconds"], row["warm"]["median"], post_speed_up(post)
    before, after = (row["warm"]["median"] for row in found["02_reddit_finetune"]["metrics"]["timing"])
    share = timing.compiling_explains(speed_up, cold, warm)
    told = "all of it and more" if share > 100 else f"{share:.0f} % of it (as shares of the logarithm)"
    return (
        f"The post's call became {speed_up:.2f} times as fast, from {post['baseline']['seconds']} s to "
        f"{post['reddit']['seconds_after']} s. Compiling alone makes the first call here {cold / warm:.2f} times as "
        f"long as a warm one of the same model ({step(row)}), which explains {told}. "
        f"Fine-tuning makes a warm call here "
        f"{before / after:.2f} times as fast: {verdict(found)}."
    )


def _machine(content: dict, language: str) -> str:
    facts = content["provenance"]
    where = facts["processor"] if facts["device"] == "CPU" else facts["device"]
    return wording.say("machine", language, where=where, backend=facts["Keras backend"].split(",")[0])


def _what_ran(content: dict, language: str) -> str:
    return wording.stand_ins(content["stand_ins"], language) or wording.say("same_as_the_post", language)
