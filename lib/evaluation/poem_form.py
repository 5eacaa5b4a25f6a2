"""Measure the form of Chinese poems: lengths of lines, rhyme, tones, parallelism."""

import itertools
import re

import numpy as np
import pandas as pd

from lib.core import chinese
from lib.core.records import PoemForm, PoemLine
from lib.evaluation import metrics, parallelism, prosody, statistics

SHARES = (  # percent, see `summary`
    "well_formed",
    "regular_lines",
    "han",
    "rhyme",
    "rhyme_secondary",
    "alternating",
    *parallelism.SHARES,
    "distinct",
)


def judge(
    poems: list[str],
    training: list[str] = (),
    given: int = 0,
    couplets: parallelism.Parallelism | None = None,
) -> pd.DataFrame:
    """Measure the form of poems. A line is a clause, see `core.chinese.clauses`.

    Even lines rhyme, and within a line the tones of the second, fourth and sixth characters alternate (Wang Li,
    漢語詩律學, 1958); see `prosody.rhyming` and `prosody.alternations` for what counts.

    Args:
        poems: The poems, all by the same writer: whether couplets are parallel is told by the writer's other lines.
        training: Poems that they may have copied from.
        given: Characters at the beginning of each poem that its author did not choose, such as a prompt's. They do not
            count as copied; whether the tones of the lines that they begin alternate is not judged, nor is the
            parallelism of the couplets that they begin.
        couplets: What tells how alike the lines of a couplet are; None leaves that out.

    Returns:
        A row for each poem: `poem`; `well_formed`, see `prosody.is_well_formed`; `regular_lines` (percent of the lines:
        those of five or seven Chinese characters and nothing else); `han` (percent of the characters, marks left out:
        those that are Chinese); `rhyme_pairs` (neighbouring even lines, so 2 and 4, 4 and 6, whose last characters are
        known), `rhymes` (those that rhyme by their primary readings, `prosody.rhyming`), `rhymes_secondary` (those that
        rhyme by another reading only), `rhyme_unknown` (those that cannot be judged); `tone_pairs` (second and fourth,
        fourth and sixth character of regular lines, both tones known and unambiguous), `alternating` (those that
        differ), `tone_unknown` (those that cannot be judged); what `parallelism.counted` counts; `distinct` (percent of
        the Chinese characters: distinct / all); `copied` (characters, marks left out: the longest span that is in a
        training poem; nan without training poems).
    """
    pairs = parallelism.counted([prosody.couplets(poem, given) for poem in poems], couplets)
    rows = [_judged(poem, given, counts) for poem, counts in zip(poems, pairs, strict=True)]
    copied = [float("nan")] * len(rows)
    if len(training):
        own = ["".join(chinese.clauses(poem[given:])) for poem in poems]
        copied = metrics.longest_copied_spans(own, ["".join(chinese.clauses(poem)) for poem in training])
    columns = list(_judged("", given, *parallelism.counted([[]], None)))
    return pd.DataFrame(rows, columns=columns).assign(copied=copied)


def _judged(poem: str, given: int, couplets: dict[str, float]) -> dict:
    parts = chinese.clauses(poem)
    characters = "".join(parts)
    han = chinese.characters(characters)
    rhymes = [rhyme for _, _, rhyme, _ in _even_lines(parts)][1:]
    secondary = [other for *_, other in _even_lines(parts)][1:]
    own = parts[len(chinese.clauses(poem[:given])) :]
    pairs = [pair for line in own if chinese.is_regular_line(line) for pair in prosody.alternations(line)]
    return {
        "poem": poem,
        "well_formed": prosody.is_well_formed(poem),
        "regular_lines": _percent(sum(map(chinese.is_regular_line, parts)), len(parts)),
        "han": _percent(len(han), len(characters)),
        "rhyme_pairs": len(rhymes) - rhymes.count(None),
        "rhymes": rhymes.count(True),
        "rhymes_secondary": sum(secondary),
        "rhyme_unknown": rhymes.count(None),
        "tone_pairs": len(pairs) - pairs.count(None),
        "alternating": pairs.count(True),
        "tone_unknown": pairs.count(None),
        **couplets,
        "distinct": _percent(len(set(han)), len(han)),
    }


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 0.0


def shuffled(poems: list[str], seed: int) -> list[str]:
    """Shuffle the Chinese characters across all poems; everything else keeps its place.

    The form of the shuffled poems shows how much rhyme and alternation occurs by chance.
    """
    characters = np.array(chinese.characters("".join(poems)), dtype=object)
    dealt = iter(np.random.default_rng(seed).permutation(characters))
    return [re.sub(f"[{chinese.HAN}]", lambda _: next(dealt), poem) for poem in poems]


def summary(judged: pd.DataFrame) -> PoemForm:
    """Summarize the result of `judge` for a group of poems.

    `well_formed`, `regular_lines`, `han` and `distinct` are means over the poems, with a bootstrap interval
    (`well_formed`, a share of the poems, with Wilson's). `rhyme`, `rhyme_secondary` and `alternating` are shares of the
    pairs of all poems together that could be judged, resampled by poem; so are the shares of `parallelism.summary`.
    """
    shares = {"well_formed": statistics.share(int(judged["well_formed"].sum()), len(judged))}
    for column in ("regular_lines", "han", "distinct"):
        shares[column] = statistics.mean(judged[column].to_numpy(float))
    pairs = {}
    for name, part, whole, unknown in (
        ("rhyme", "rhymes", "rhyme_pairs", "rhyme_unknown"),
        ("rhyme_secondary", "rhymes_secondary", "rhyme_pairs", "rhyme_unknown"),
        ("alternating", "alternating", "tone_pairs", "tone_unknown"),
    ):
        parts, wholes, lost = (judged[column].to_numpy(int) for column in (part, whole, unknown))
        shares[name] = statistics.ratio(parts, wholes)
        pairs |= {whole: int(wholes.sum()), f"{unknown}_percent": statistics.ratio(lost, wholes + lost).value}
    shares |= parallelism.shares(judged)
    copied = judged["copied"].dropna().astype(float)
    return PoemForm(
        poems=len(judged),
        couplets=int(judged["couplets"].sum()),
        shares={name: shares[name] for name in SHARES},
        copied_mean=copied.mean(),
        copied_longest=copied.max(),
        **pairs,
    )


def annotated(poem: str) -> list[PoemLine]:
    """Describe line by line what `judge` counts."""
    parts = chinese.clauses(poem)
    rhymes = {number: found for number, *found in _even_lines(parts)}
    rows = []
    for number, line in enumerate(parts, 1):
        regular = chinese.is_regular_line(line)
        pairs = prosody.alternations(line)
        character, rhyme, secondary = rhymes.get(number, ("", None, False))
        primary = prosody.primary_groups(character)
        rows.append(
            PoemLine(
                line=line,
                characters=len(chinese.characters(line)),
                regular=regular and len(line) == len(parts[0]),
                tones=prosody.tone_pattern(line),
                alternates=None if not regular else False if False in pairs else None if None in pairs else True,
                rhyme_character=character if re.fullmatch(f"[{chinese.HAN}]", character) else "",
                rhyme_groups=sorted(primary),
                other_rhyme_groups=sorted(prosody.rhyme_groups(character) - primary),
                rhymes=rhyme,
                rhymes_secondary=secondary,
                is_rhyme_line=number > 2 and bool(character),
            )
        )
    return rows


def _even_lines(parts: list[str]) -> list[tuple[int, str, bool | None, bool]]:
    """Return what rhyme tells of each even line.

    Returns:
        Number, last character, whether it rhymes with the one before by their primary readings (None: unknown or
        first), and whether it does so by another reading only.
    """
    ends = [line[-1] for line in parts[1::2]]
    pairs = list(itertools.pairwise(ends))
    rhymes = [None, *(prosody.rhyming(*pair) for pair in pairs)]
    secondary = [False, *(prosody.rhyming(*pair) is False and prosody.rhyming_by_any_reading(*pair) for pair in pairs)]
    return [(2 * index, *found) for index, found in enumerate(zip(ends, rhymes, secondary, strict=False), 1)]


def by_prompt(
    samples: pd.DataFrame, training: list[str], couplets: parallelism.Parallelism | None = None
) -> dict[str, pd.DataFrame]:
    """Measure the form of poems for each prompt.

    Args:
        samples: Rows with `prompt` and `text`.
        training: Poems that they may have copied from.
        couplets: See `judge`.

    Returns:
        The result of `judge` for each prompt.
    """
    return {
        prompt: judge(list(poems["text"]), training, len(prompt), couplets)
        for prompt, poems in samples.groupby("prompt", sort=False)
    }


def summaries(judged: dict[str, pd.DataFrame]) -> dict[str, PoemForm]:
    """Summarize the form of the poems of each prompt in the result of `by_prompt`."""
    return {prompt: summary(poems) for prompt, poems in judged.items()}
