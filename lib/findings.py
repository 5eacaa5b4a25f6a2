"""What the blog post says, and whether it holds: one sentence a claim, made from the experiments' results."""

import pandas as pd

from lib import comparison, from_scratch, judging, metrics, poetry

IN_PART = "holds in part"


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
            (poem,) = poetry.judge([text]).to_dict("records")
            row["well_formed"] = bool(poem["well_formed"])
            row["rhyming_pairs"] = f"{poem['rhymes']} of {poem['rhyme_pairs']}"
            row["alternating_tones"] = f"{poem['alternating']} of {poem['tone_pairs']}"
        rows.append(row)
    return pd.DataFrame(rows).astype(object).where(lambda table: table.notna(), None)


def table(found: dict[str, dict], post: dict) -> pd.DataFrame:
    """What the post says, whether it holds here, and by what figures.

    Returns:
        Rows of `the post says`, `here` (`"holds"`, `"holds in part"`, `"does not hold"` or `"open"`: the figures do not
        decide it) and `because`.
    """
    baseline, reddit, samplers, tang, scratch = (found[notebook]["metrics"] for notebook in comparison.NOTEBOOKS)
    english, chinese, *_ = baseline["prompts"]
    greedy, top_k, *_, people = samplers["cells"]
    form, percent = tang["form"], judging.percent
    _, *learned = from_scratch.difference(reddit["likelihood"]["after"], reddit["likelihood"]["before"])
    (poem,) = texts_of_the_post(post)[lambda table: table["text of the post"] == "poem"].to_dict("records")
    rows = [
        (
            f"Fine-tuning makes generating {comparison.post_speed_up(post):.1f} times as fast",
            comparison.verdict(found) == "faster",
            f"a warm call is {comparison.verdict(found)}; the post's first call compiled, a later one need not",
        ),
        (
            "An English model writes gibberish after a Chinese prompt",
            bool(chinese["rep_4_percent"] > english["rep_4_percent"] or chinese["broken_bytes"] > 0),
            f"rep-4 {chinese['rep_4_percent']:.0f} % after the Chinese prompt, {english['rep_4_percent']:.0f} % after "
            f"the English one; {chinese['broken_bytes']} bytes that are not UTF-8",
        ),
        (
            "Fine-tuned on stories, it writes like them",
            _decided(-learned[1], -learned[0]),
            f"held-out stories take {_by(*learned)} bits per character than before",
        ),
        (
            "Greedy decoding ends in an endless loop, top-k sampling does not",
            _decided(*_apart(greedy, top_k, "rep_4")),
            f"rep-4 {_rep_4(greedy)} % against {_rep_4(top_k)} %, people {_rep_4(people)} %; a loop at the end of "
            f"{greedy['loops']} of {greedy['texts']} texts against {top_k['loops']}",
        ),
        (
            "Fine-tuned on poems, it writes in their form",
            _reached(form, "well_formed", "before"),
            f"{percent(form['after']['well_formed_percent'])} are well formed, before "
            f"{percent(form['before']['well_formed_percent'])}, Tang poets "
            f"{percent(form['tang']['well_formed_percent'])}",
        ),
        (
            "Its poems rhyme",
            _reached(form, "rhyme", "shuffled"),
            f"{percent(form['after']['rhyme_percent'])} of the pairs of even lines rhyme, by chance "
            f"{percent(form['shuffled']['rhyme_percent'])}, Tang poets {percent(form['tang']['rhyme_percent'])}; in "
            f"the post's own poem {poem['rhyming_pairs']}, since a character does not rhyme with itself",
        ),
        (
            "Good Chinese needs a model that is trained from scratch on Chinese",
            _from_scratch_wins(scratch["wins"]),
            f"in equal time the small model from scratch comes to {scratch['likelihood']['bits_per_character']:.2f} "
            f"bits per character on the same held-out poems, the fine-tuned one to "
            f"{tang['likelihood']['after']['bits_per_character']:.2f}; well formed are "
            f"{percent(scratch['form']['well_formed_percent'])} of its poems against "
            f"{percent(form['after']['well_formed_percent'])}, and {percent(scratch['form']['rhyme_percent'])} of its "
            f"pairs rhyme against {percent(form['after']['rhyme_percent'])}",
        ),
    ]
    told = {True: "holds", False: "does not hold", None: "open", IN_PART: IN_PART}
    return pd.DataFrame(
        [{"the post says": says, "here": told[holds], "because": because} for says, holds, because in rows]
    )


def verdicts(table: pd.DataFrame) -> str:
    """The claims of `table` in a sentence or two, sorted by whether they hold."""
    parts = []
    for verdict, claims in table.groupby("here", sort=False)["the post says"]:
        parts.append(f"{verdict[0].upper()}{verdict[1:]}: {'; '.join(claims)}.")
    return " ".join(parts)


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
        wins: What `from_scratch.wins` returned.
    """
    better = {"from scratch": True, "fine-tuned": False}
    worse = [name for name in ("well_formed", "rhyme", "alternating") if better.get(wins.get(name)) is False]
    decided = better.get(wins["bits_per_character"])
    return IN_PART if decided and worse else decided


def _rep_4(row: dict) -> str:
    row = from_scratch.with_nan(row)
    return judging.with_interval(row["rep_4"], row["rep_4_low"], row["rep_4_high"])


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


def _by(low: float, high: float) -> str:
    """How many more or fewer, in words, by an interval."""
    if high < 0:
        return f"{-high:.2f} to {-low:.2f} fewer"
    return f"{low:.2f} to {high:.2f} more" if low > 0 else f"between {-low:.2f} fewer and {high:.2f} more"
