"""The experiments' results beside the figures of the blog post, with the reason for each difference."""

import yaml

from lib import paths, results
from lib.errors import UserError

NOTEBOOKS = ("01_baseline", "02_reddit_finetune", "03_greedy_vs_top_k", "04_tang_poetry")


def blog_post() -> dict:
    """The blog post's figures, from `experiments/blog_post.yaml`."""
    return yaml.safe_load((paths.EXPERIMENTS / "blog_post.yaml").read_text(encoding="utf-8"))


def load_all(profile: str) -> dict[str, dict]:
    """The `results.json` of the four experiments of a profile, by notebook.

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
    baseline, reddit, samplers, tang = (found[notebook]["metrics"] for notebook in NOTEBOOKS)
    timing, number = baseline["timing"], results.number
    machine = f"the post does not name its GPU; here: {_machine(found['01_baseline'])}"
    english, chinese = baseline["prompts"]
    greedy, top_k = samplers["samplers"]
    compile_share = 100 * (1 - timing["warm_seconds"] / timing["cold_seconds"])
    post_speed_up = post["baseline"]["seconds"] / post["reddit"]["seconds_after"]
    times = reddit["timing"]

    def row(what: str, blog: str, here: str, why: str) -> dict[str, str]:
        return {"what": what, "blog post": blog, "here": here, "why they differ": why}

    table = [
        row(
            f"Pretrained model, one call, {timing['max_length']} tokens",
            f"{post['baseline']['seconds']} s",
            f"{number(timing['cold_seconds'])} s cold, {number(timing['warm_seconds'])} s warm",
            f"the post timed the first call, which compiles; here that is {compile_share:.0f} % of it; {machine}",
        ),
        row(
            "Tokens per second, pretrained",
            f"{post['baseline']['tokens_per_second']} (prompt counted)",
            f"{number(timing['new_tokens'] / timing['warm_seconds'])} warm, new tokens only; "
            f"{number(timing['max_length'] / timing['cold_seconds'])} as the post counts",
            "the post divides by a time that contains compiling, and counts the prompt",
        ),
        row(
            "One call after fine-tuning",
            f"{post['reddit']['seconds_after']} s",
            f"{number(times['after_cold_seconds'])} s cold, {number(times['after_warm_seconds'])} s warm "
            f"({times['total_tokens']} tokens)",
            f"the size of the model is the same before and after; {machine}",
        ),
        row(
            "Speed-up by fine-tuning",
            f"{number(post_speed_up)} times",
            f"{number(times['before_warm_seconds'] / times['after_warm_seconds'])} times, warm against warm: "
            f"{times['verdict']}",
            f"the post's first time contains compiling; here a cold call before against a warm one after makes "
            f"{number(times['cold_before_over_warm_after'])} times",
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
                f"{number(fit['step_milliseconds'])} ms ({fit['batch_size']} texts); the first "
                f"{number(fit['first_step_seconds'])} s",
                machine,
            ),
            row(
                f"Fine-tuning on {name}, loss as Keras prints it",
                f"{figures['loss']}",
                f"{number(fit['final_mean_loss'], 4)}",
                f"{what_ran}; {texts_here:,} texts seen instead of {texts_post:,}. It is averaged over padding too: "
                f"here {fit['useful_percent']:.0f} % of the positions are text, and per token it is "
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
    poem_time = tang["timing"]
    well_formed = {name: f"{form['well_formed_percent']:.0f} %" for name, form in tang["form"].items()}
    return [
        *table,
        row(
            "Greedy decoding",
            "an endless loop",
            f"a loop in {greedy['loops']} of {greedy['texts']} texts (top-k: {top_k['loops']} of {top_k['texts']})",
            "counted here: a phrase of two words or more, at least three times, at the end of the text",
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
            f"{number(poem_time['cold_seconds'])} s cold, {number(poem_time['warm_seconds'])} s warm; "
            f"well formed: {well_formed['after']} (before: {well_formed['before']}, Tang poets: {well_formed['tang']})",
            f"form is counted here: an even number of clauses of five or seven characters; {machine}",
        ),
    ]


def _machine(content: dict) -> str:
    facts = content["provenance"]
    where = facts["processor"] if facts["device"] == "CPU" else facts["device"]
    return f"{where}, Keras on {facts['Keras backend'].split(',')[0]}"


def _what_ran(content: dict) -> str:
    return "; ".join(content["stand_ins"]) or "the same preset and texts"
