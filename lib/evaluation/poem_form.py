"""Measure the form of Chinese poems: lengths of lines, rhyme, tones."""

import itertools
import re

import numpy as np
import pandas as pd

from lib.core import chinese
from lib.core.records import PoemForm, PoemLine
from lib.evaluation import metrics, prosody, statistics

SHARES = ("well_formed", "regular_lines", "han", "rhyme", "alternating", "distinct")  # percent, see `summary`


def is_well_formed(poem: str) -> bool:
    """Return whether a poem has an even number of clauses, all of five or all of seven characters, and nothing else.

    Each clause ends with one punctuation mark. A poem that was cut off within a clause is not well formed.
    """
    return any(
        re.fullmatch(f"(?:(?:[{chinese.HAN}]{{{length}}}{chinese.MARK}){{2}})+", poem.strip())
        for length in chinese.LINE_LENGTHS
    )


def judge(poems: list[str], training: list[str] = (), given: int = 0) -> pd.DataFrame:
    """Measure the form of poems. A line is a clause, see `core.chinese.clauses`.

    Even lines rhyme, and within a line the tones of the second, fourth and sixth characters alternate (Wang Li,
    漢語詩律學, 1958); see `prosody.rhyming` and `prosody.alternations` for what counts.

    Args:
        poems: The poems.
        training: Poems that they may have copied from.
        given: Characters at the beginning of each poem that its author did not choose, such as a prompt's. They do not
            count as copied, and the tones of the lines that they begin are not judged.

    Returns:
        A row for each poem: `poem`; `well_formed`, see `is_well_formed`; `regular_lines` (percent of the lines: those
        of five or seven Chinese characters and nothing else); `han` (percent of the characters, marks left out: those
        that are Chinese); `rhyme_pairs` (neighbouring even lines, so 2 and 4, 4 and 6, whose last characters are
        known), `rhymes` (those that rhyme), `rhyme_unknown` (those that cannot be judged); `tone_pairs` (second and
        fourth, fourth and sixth character of regular lines, both tones known and unambiguous), `alternating` (those
        that differ), `tone_unknown` (those that cannot be judged); `distinct` (percent of the Chinese characters:
        distinct / all); `copied` (characters, marks left out: the longest span that is in a training poem; nan without
        training poems).
    """
    rows = [_judged(poem, given) for poem in poems]
    copied = [float("nan")] * len(rows)
    if len(training):
        own = ["".join(chinese.clauses(poem[given:])) for poem in poems]
        copied = metrics.longest_copied_spans(own, ["".join(chinese.clauses(poem)) for poem in training])
    columns = list(_judged("", given))
    return pd.DataFrame(rows, columns=columns).assign(copied=copied)


def _judged(poem: str, given: int) -> dict:
    parts = chinese.clauses(poem)
    characters = "".join(parts)
    han = chinese.characters(characters)
    rhymes = [rhyme for *_, rhyme in _even_lines(parts)][1:]
    own = parts[len(chinese.clauses(poem[:given])) :]
    pairs = [pair for line in own if _is_regular(line) for pair in prosody.alternations(line)]
    return {
        "poem": poem,
        "well_formed": is_well_formed(poem),
        "regular_lines": _percent(sum(map(_is_regular, parts)), len(parts)),
        "han": _percent(len(han), len(characters)),
        "rhyme_pairs": len(rhymes) - rhymes.count(None),
        "rhymes": rhymes.count(True),
        "rhyme_unknown": rhymes.count(None),
        "tone_pairs": len(pairs) - pairs.count(None),
        "alternating": pairs.count(True),
        "tone_unknown": pairs.count(None),
        "distinct": _percent(len(set(han)), len(han)),
    }


def _is_regular(line: str) -> bool:
    return len(line) in chinese.LINE_LENGTHS and bool(re.fullmatch(f"[{chinese.HAN}]+", line))


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
    (`well_formed`, a share of the poems, with Wilson's). `rhyme` and `alternating` are shares of the pairs of all poems
    together that could be judged, resampled by poem.
    """
    shares = {"well_formed": statistics.share(int(judged["well_formed"].sum()), len(judged))}
    for column in ("regular_lines", "han", "distinct"):
        shares[column] = statistics.mean(judged[column].to_numpy(float))
    pairs = {}
    for name, part, whole, unknown in (
        ("rhyme", "rhymes", "rhyme_pairs", "rhyme_unknown"),
        ("alternating", "alternating", "tone_pairs", "tone_unknown"),
    ):
        parts, wholes, lost = (judged[column].to_numpy(int) for column in (part, whole, unknown))
        shares[name] = statistics.ratio(parts, wholes)
        pairs |= {whole: int(wholes.sum()), f"{unknown}_percent": statistics.ratio(lost, wholes + lost).value}
    copied = judged["copied"].dropna().astype(float)
    return PoemForm(
        poems=len(judged),
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
        regular = _is_regular(line)
        pairs = prosody.alternations(line)
        character, rhyme = rhymes.get(number, ("", None))
        rows.append(
            PoemLine(
                line=line,
                characters=len(chinese.characters(line)),
                regular=regular and len(line) == len(parts[0]),
                tones=prosody.tone_pattern(line),
                alternates=None if not regular else False if False in pairs else None if None in pairs else True,
                rhyme_character=character if re.fullmatch(f"[{chinese.HAN}]", character) else "",
                rhyme_groups=sorted(prosody.rhyme_groups(character)),
                rhymes=rhyme,
                is_rhyme_line=number > 2 and bool(character),
            )
        )
    return rows


def _even_lines(parts: list[str]) -> list[tuple[int, str, bool | None]]:
    """Return number, last character and rhyme with the one before (None: unknown or first) of each even line."""
    ends = [line[-1] for line in parts[1::2]]
    rhymes = [None, *(prosody.rhyming(*pair) for pair in itertools.pairwise(ends))]
    return [(2 * index, *found) for index, found in enumerate(zip(ends, rhymes, strict=False), 1)]


def by_prompt(samples: pd.DataFrame, training: list[str]) -> dict[str, pd.DataFrame]:
    """Measure the form of poems for each prompt.

    Args:
        samples: Rows with `prompt` and `text`.
        training: Poems that they may have copied from.

    Returns:
        The result of `judge` for each prompt.
    """
    return {
        prompt: judge(list(poems["text"]), training, given=len(prompt))
        for prompt, poems in samples.groupby("prompt", sort=False)
    }


def summaries(judged: dict[str, pd.DataFrame]) -> dict[str, PoemForm]:
    """Summarize the form of the poems of each prompt in the result of `by_prompt`."""
    return {prompt: summary(poems) for prompt, poems in judged.items()}


def together(judged: dict[str, pd.DataFrame]) -> PoemForm:
    """Summarize the form of the poems of all prompts in the result of `by_prompt`."""
    return summary(pd.concat(judged.values()))
