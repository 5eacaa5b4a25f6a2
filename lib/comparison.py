"""The experiments' results beside the figures of the blog post, with the reason for each difference."""

import pandas as pd
import yaml

from lib import judging, paths, results, timing
from lib.errors import UserError

NOTEBOOKS = ("01_baseline", "02_reddit_finetune", "03_greedy_vs_top_k", "04_tang_poetry", "05_from_scratch")


def blog_post() -> dict:
    """The blog post's figures, from `experiments/blog_post.yaml`."""
    return yaml.safe_load((paths.EXPERIMENTS / "blog_post.yaml").read_text(encoding="utf-8"))


def published(cells: pd.DataFrame) -> pd.DataFrame:
    """Sets the repetition and the self-BLEU of Holtzman et al. beside the rows of `judging.cells` that come nearest.

    Returns:
        `published` (the method there), `here` (the row), and for both `loops_percent` and `self_bleu_4`; only the
        methods that are among the rows.
    """
    told = yaml.safe_load((paths.EXPERIMENTS / "published.yaml").read_text(encoding="utf-8"))["holtzman"]
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
            loaded[notebook] = results.load(profile, notebook)
        except FileNotFoundError:
            raise UserError(
                f"profile is {profile!r}, and there are no results of {notebook} in it. "
                f"Run `make report NOTEBOOK={notebook} PROFILE={profile}` first."
            ) from None
    return loaded


def rows(found: dict[str, dict], post: dict) -> list[dict[str, str]]:
    """Sets the results beside the post's.

    Args:
        found: What `load_all` returned.
        post: What `blog_post` returned.

    Returns:
        Rows of `what`, `blog post`, `here` and `why they differ`; every figure and every reason comes from the two.
    """
    baseline, reddit, samplers, tang, _ = (found[notebook]["metrics"] for notebook in NOTEBOOKS)
    as_in_post, number = baseline["timing"][0], results.number
    machine = f"the post does not name its GPU; here: {_machine(found['01_baseline'])}"
    english, chinese, *_ = baseline["prompts"]
    greedy, top_k, *_, people = samplers["cells"]
    parameters = found["03_greedy_vs_top_k"]["parameters"]
    cold, warm = as_in_post["first_call_seconds"], as_in_post["warm"]["median"]
    before, after = reddit["timing"]
    warm_before, warm_after = before["warm"]["median"], after["warm"]["median"]

    def row(what: str, blog: str, here: str, why: str) -> dict[str, str]:
        return {"what": what, "blog post": blog, "here": here, "why they differ": why}

    table = [
        row(
            f"Pretrained model, one call, {as_in_post['max_length']} tokens",
            f"{post['baseline']['seconds']} s",
            f"{number(cold)} s cold, {number(warm)} s warm ({as_in_post['step']} decoding step)",
            f"the post timed the first call, which compiles; here that is {100 * (1 - warm / cold):.0f} % of it; "
            f"{machine}",
        ),
        row(
            "Tokens per second, pretrained",
            f"{post['baseline']['tokens_per_second']} (prompt counted)",
            f"{number(as_in_post['tokens_per_second'])} warm, new tokens only; "
            f"{number(as_in_post['max_length'] / cold)} as the post counts",
            "the post divides by a time that contains compiling, and counts the prompt",
        ),
        row(
            "One call after fine-tuning",
            f"{post['reddit']['seconds_after']} s",
            f"{number(after['first_call_seconds'])} s cold, {number(warm_after)} s warm "
            f"({after['max_length']} tokens, {after['step']} decoding step)",
            "to be compared with the calls of the next row, not with those above"
            + (", which another decoding step made" if after["step"] != as_in_post["step"] else "")
            + f"; {machine}",
        ),
        row(
            "Speed-up by fine-tuning",
            f"{number(post_speed_up(post))} times",
            f"{number(warm_before / warm_after)} times, {number(warm_before)} s warm before against "
            f"{number(warm_after)} s warm after, both with {after['step']} decoding step: {verdict(found)}",
            f"the post's first time contains compiling; here a cold call before against a warm one after makes "
            f"{number(before['first_call_seconds'] / warm_after)} times",
        ),
    ]
    for name, notebook, metrics, figures in (
        ("stories", "02_reddit_finetune", reddit, post["reddit"]),
        ("poems", "04_tang_poetry", tang, post["tang"]),
    ):
        fit, held_out = metrics["training"], metrics["held_out"]
        post_batch = figures.get("batch_size") or figures["num_poems"] // figures["num_steps"]
        what_ran = _what_ran(found[notebook])
        texts_here, texts_post = fit["steps"] * fit["batch_size"], figures["num_steps"] * post_batch
        table += [
            row(
                f"Fine-tuning on {name}, a step",
                f"{figures['step_milliseconds']} ms ({post_batch} texts)",
                f"{number(fit['step_milliseconds'])} ms ({fit['batch_size']} texts; "
                f"{number(fit['useful_tokens_per_second'])} useful tokens/s); the first "
                f"{number(fit['first_step_seconds'])} s",
                machine,
            ),
            row(
                f"Fine-tuning on {name}, loss as Keras prints it",
                f"{figures['loss']}",
                f"{number(fit['final_mean_loss'], 4)}",
                f"{what_ran}; {texts_here:,} texts seen instead of {texts_post:,}. It is averaged over padding too: "
                f"here {fit['useful_percent_if_padded']:.0f} % of the positions are text, and per token it is "
                f"{number(fit['final_mean_token_loss'], 4)}",
            ),
            row(
                f"Fine-tuning on {name}, accuracy on training texts",
                f"{figures['accuracy']}",
                f"{number(fit['final_mean_accuracy'], 4)} (held out: {number(held_out['before']['accuracy'], 4)} "
                f"before, {number(held_out['after']['accuracy'], 4)} after)",
                f"{what_ran}; both are means over the run, early steps included",
            ),
        ]
    (poem_time,) = tang["timing"]
    well_formed, rhyme, tones = (
        {name: judging.percent(form[f"{kind}_percent"]) for name, form in tang["form"].items()}
        for kind in ("well_formed", "rhyme", "alternating")
    )
    return [
        *table,
        row(
            "Greedy decoding",
            "an endless loop",
            f"a loop in {greedy['loops']} of {greedy['texts']} texts (top-k: {top_k['loops']} of {top_k['texts']}; "
            f"people: {people['loops']} of {people['texts']}); rep-4 {greedy['rep_4']:.0f} % (top-k: "
            f"{top_k['rep_4']:.0f} %; people: {people['rep_4']:.0f} %)",
            "counted here: a phrase of two words or more, at least three times, at the end of the text; texts of "
            f"{parameters['max_length']} tokens",
        ),
        row(
            "The Chinese prompt, before fine-tuning",
            "gibberish that gets stuck",
            f"rep-4 {chinese['rep_4_percent']:.0f} % (English: {english['rep_4_percent']:.0f} %), "
            f"{chinese['broken_bytes']} bytes that are not UTF-8 (English: {english['broken_bytes']})",
            f"counted here; {_what_ran(found['01_baseline'])}",
        ),
        row(
            "A poem after fine-tuning",
            f"{post['tang']['seconds']} s; “usable”, judged by eye",
            f"{number(poem_time['first_call_seconds'])} s cold, {number(poem_time['warm']['median'])} s warm; "
            f"well formed: {well_formed['after']} (before: {well_formed['before']}, Tang poets: {well_formed['tang']})",
            f"form is counted here: an even number of clauses of five or seven characters; {machine}",
        ),
        row(
            "Its rhyme and tones",
            "“decent, considering that poems need parallelism, form and rhyme”, judged by eye",
            f"rhyming pairs of even lines: {rhyme['after']} (Tang poets: {rhyme['tang']}, by chance: "
            f"{rhyme['shuffled']}); alternating tones: {tones['after']} (Tang poets: {tones['tang']}, by chance: "
            f"{tones['shuffled']})",
            "counted here by the 106 Pingshui rhymes; the post's author looked at a single poem",
        ),
    ]


def post_speed_up(post: dict) -> float:
    """How many times faster the post's call after fine-tuning was than its first call."""
    return post["baseline"]["seconds"] / post["reddit"]["seconds_after"]


def verdict(found: dict[str, dict]) -> str:
    """Whether generating got faster by fine-tuning, warm calls against warm calls. See `timing.compare`."""
    return timing.compare(*found["02_reddit_finetune"]["metrics"]["timing"])


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
        judging.TANG: form["tang"],
        judging.CHANCE: form["shuffled"],
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
        f"long as a warm one of the same model ({row['step']} decoding step), which explains {told}. "
        f"Fine-tuning makes a warm call here "
        f"{before / after:.2f} times as fast: {verdict(found)}."
    )


def _machine(content: dict) -> str:
    facts = content["provenance"]
    where = facts["processor"] if facts["device"] == "CPU" else facts["device"]
    return f"{where}, Keras on {facts['Keras backend'].split(',')[0]}"


def _what_ran(content: dict) -> str:
    return "; ".join(content["stand_ins"]) or "the same preset and texts"
