"""What the blog post says, and whether it holds: one sentence a claim, made from the experiments' results."""

import pandas as pd

from lib.claims import beside_post
from lib.evaluation import continuations, metrics, poem_form
from lib.models import small_gpt2
from lib.report import wording

IN_PART = "in part"
VERDICTS = {True: "holds", IN_PART: "holds_in_part", False: "does_not_hold", None: "open"}


def texts_of_the_post(post: dict) -> pd.DataFrame:
    """Judges the texts that the post prints as those here are judged.

    Returns:
        A row for each text: `text of the post`, `rep_4_percent`, `ends_in_a_loop`, and for the poem `well_formed`,
        `rhyming_pairs` and `alternating_tones` (such as `"0 of 1"`).
    """
    rows = []
    for name, text in post["texts"].items():
        told = metrics.repetition(text)
        row = {"text of the post": name, "rep_4_percent": told["rep_4"], "ends_in_a_loop": told["loop_times"] > 0}
        if name == "poem":
            (poem,) = poem_form.judge([text]).to_dict("records")
            row["well_formed"] = bool(poem["well_formed"])
            row["rhyming_pairs"] = f"{poem['rhymes']} of {poem['rhyme_pairs']}"
            row["alternating_tones"] = f"{poem['alternating']} of {poem['tone_pairs']}"
        rows.append(row)
    return pd.DataFrame(rows).astype(object).where(lambda table: table.notna(), None)


def table(found: dict[str, dict], post: dict, language: str = "en") -> pd.DataFrame:
    """What the post says, whether it holds here, and by what figures.

    Args:
        found: What `beside_post.load_all` returned.
        post: What `beside_post.blog_post` returned.
        language: One of `wording.LANGUAGES`, for what is in the cells.

    Returns:
        Rows of `the post says`, `here` (`"holds"`, `"holds in part"`, `"does not hold"` or `"open"`: the figures do not
        decide it) and `because`.
    """
    baseline, reddit, samplers, tang, scratch = (found[notebook]["metrics"] for notebook in beside_post.NOTEBOOKS)
    english, chinese, *_ = baseline["prompts"]
    greedy, top_k, *_, people = samplers["cells"]
    form = tang["form"]
    _, *learned = small_gpt2.difference(reddit["likelihood"]["after"], reddit["likelihood"]["before"])
    (poem,) = texts_of_the_post(post)[lambda table: table["text of the post"] == "poem"].to_dict("records")
    rhyming, pairs = poem["rhyming_pairs"].split(" of ")

    def row(claim: str, holds: bool | str | None, **values) -> dict[str, str]:
        return {
            "the post says": wording.say(f"claim_{claim}", language, **values),
            "here": wording.say(VERDICTS[holds], language),
            "because": wording.say(f"because_{claim}", language, **values),
        }

    def percent(value: float) -> str:
        return continuations.percent(value, language)

    rows = [
        row(
            "speed",
            beside_post.verdict(found) == beside_post.FASTER,
            times=beside_post.post_speed_up(post),
            verdict=beside_post.verdict(found, language),
        ),
        row(
            "gibberish",
            bool(chinese["rep_4_percent"] > english["rep_4_percent"] or chinese["broken_bytes"] > 0),
            chinese=chinese["rep_4_percent"],
            english=english["rep_4_percent"],
            broken=chinese["broken_bytes"],
        ),
        row("style", _decided(-learned[1], -learned[0]), by=_by(*learned, language)),
        row(
            "loops",
            _decided(*_apart(greedy, top_k, "rep_4")),
            greedy=_rep_4(greedy),
            top_k=_rep_4(top_k),
            people=_rep_4(people),
            greedy_loops=greedy["loops"],
            texts=greedy["texts"],
            top_k_loops=top_k["loops"],
        ),
        row(
            "form",
            _reached(form, "well_formed", "before"),
            **{name: percent(form[name]["well_formed_percent"]) for name in ("after", "before", "tang")},
        ),
        row(
            "rhyme",
            _reached(form, "rhyme", "shuffled"),
            **{name: percent(form[name]["rhyme_percent"]) for name in ("after", "shuffled", "tang")},
            post=wording.say("pairs", language, count=rhyming, all=pairs),
        ),
        row(
            "scratch",
            _from_scratch_wins(scratch["wins"]),
            own_bits=scratch["likelihood"]["bits_per_character"],
            their_bits=tang["likelihood"]["after"]["bits_per_character"],
            own_form=percent(scratch["form"]["well_formed_percent"]),
            their_form=percent(form["after"]["well_formed_percent"]),
            own_rhyme=percent(scratch["form"]["rhyme_percent"]),
            their_rhyme=percent(form["after"]["rhyme_percent"]),
        ),
    ]
    return pd.DataFrame(rows)


def tally(table: pd.DataFrame, language: str = "en") -> str:
    """How many of the claims of `table` hold, in a sentence that leaves out the verdicts of none."""
    parts = []
    for verdict in VERDICTS.values():
        if count := int((table["here"] == wording.say(verdict, language)).sum()):
            name = f"tally_{verdict}_one" if count == 1 else f"tally_{verdict}"
            parts.append(wording.say(name, language, count=count))
    *most, last = parts
    listed = [wording.say("tally_comma", language).join(most), last] if most else [last]
    counts = wording.say("tally_last", language).join(listed)
    return wording.say("tally", language, all=len(table), counts=counts)


def verdicts(table: pd.DataFrame, language: str = "en") -> str:
    """The claims of `table` in a sentence or two, sorted by whether they hold."""
    told = ""
    for verdict, claims in table.groupby("here", sort=False)["the post says"]:
        name, listed = f"{verdict[0].upper()}{verdict[1:]}", wording.say("between", language).join(claims)
        told += wording.say("verdict_claims", language, verdict=name, claims=listed)
    return told.strip()


def answer(found: dict[str, dict], post: dict) -> dict[str, str]:
    """What the summary says, by language. Its arguments are those of `table`."""
    baseline, *_ = found["01_baseline"]["metrics"]["timing"]
    before, after = (row["warm"]["median"] for row in found["02_reddit_finetune"]["metrics"]["timing"])
    claims = wording.each(table, found, post)
    return wording.both(
        "answer_00_summary",
        tally={language: tally(rows, language) for language, rows in claims.items()},
        verdicts={language: verdicts(rows, language) for language, rows in claims.items()},
        before=before,
        after=after,
        verdict=wording.each(beside_post.verdict, found),
        ratio=baseline["first_call_seconds"] / baseline["warm"]["median"],
        step=wording.each(beside_post.step, baseline),
    )


def _reached(form: dict[str, dict], measure: str, floor: str) -> bool | str | None:
    """Whether the poems after fine-tuning are above a floor in some measure, and as good as Tang poets'.

    Returns:
        True if they are, `IN_PART` if above the floor alone, False if neither, None if the intervals do not tell.
    """
    above = _decided(*_apart(form["after"], form[floor], measure))
    below = _decided(*_apart(form["tang"], form["after"], measure))
    if above:
        return IN_PART if below else True
    return False if below else None


def _from_scratch_wins(wins: dict[str, str]) -> bool | str | None:
    """Whether the model from scratch is the better one: in bits per character, and in no measure of form the worse.

    Args:
        wins: What `small_gpt2.wins` returned.
    """
    better = {"from scratch": True, "fine-tuned": False}
    worse = [name for name in ("well_formed", "rhyme", "alternating") if better.get(wins.get(name)) is False]
    decided = better.get(wins["bits_per_character"])
    return IN_PART if decided and worse else decided


def _rep_4(row: dict) -> str:
    row = small_gpt2.with_nan(row)
    return continuations.with_interval(row["rep_4"], row["rep_4_low"], row["rep_4_high"])


def _apart(one: dict, other: dict, measure: str) -> tuple[float, float]:
    """By how much one interval lies above another: the smallest and the largest difference that they allow."""
    ends = [summary[f"{measure}_{end}"] for summary in (one, other) for end in ("low", "high")]
    if None in ends:
        return float("nan"), float("nan")
    low, high, other_low, other_high = ends
    return low - other_high, high - other_low


def _decided(low: float, high: float) -> bool | None:
    """Whether a difference is above 0, by its interval; None if that holds 0, or there is none."""
    return True if low > 0 else False if high < 0 else None


def _by(low: float, high: float, language: str) -> str:
    """How many more or fewer, in words, by an interval."""
    if high < 0:
        return wording.say("bits_fewer", language, low=-high, high=-low)
    if low > 0:
        return wording.say("bits_more", language, low=low, high=high)
    return wording.say("bits_between", language, fewer=-low, more=high)
