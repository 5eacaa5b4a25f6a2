"""The form of Chinese poems: lengths of lines, rhyme, tones."""

import itertools
import re

import numpy as np
import pandas as pd

from lib.core import chinese
from lib.evaluation import metrics, prosody

RESAMPLES = 2000


def is_well_formed(poem: str) -> bool:
    """Whether a poem has an even number of clauses, all of five or all of seven characters, and nothing else.

    Each clause ends with one punctuation mark. A poem that was cut off within a clause is not well formed.
    """
    return any(
        re.fullmatch(f"(?:(?:[{chinese.HAN}]{{{length}}}{chinese.MARK}){{2}})+", poem.strip())
        for length in chinese.LINE_LENGTHS
    )


def judge(poems: list[str], training: list[str] = (), given: int = 0) -> pd.DataFrame:
    """Judges the form of poems. A line is a clause, see `core.chinese.clauses`.

    Even lines rhyme, and within a line the tones of the second, fourth and sixth characters alternate (Wang Li,
    漢語詩律學, 1958); see `prosody.rhyming` and `prosody.alternations` for what counts.

    Args:
        poems: The poems.
        training: Poems from which they may be copied.
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
    """Deals the poems' Chinese characters out anew at random across all of them; everything else stays where it was.

    So judged, they show how much rhyme and alternation comes by chance.
    """
    characters = np.array(chinese.characters("".join(poems)), dtype=object)
    dealt = iter(np.random.default_rng(seed).permutation(characters))
    return [re.sub(f"[{chinese.HAN}]", lambda _: next(dealt), poem) for poem in poems]


def summary(judged: pd.DataFrame) -> dict[str, float]:
    """Sums up what `judge` returned for a group of poems.

    Returns:
        `poems` (how many); for `well_formed`, `regular_lines`, `han` and `distinct` the mean over the poems in percent,
        `_percent`, and its 95 % interval, `_low` and `_high` (bootstrap; of `well_formed`, a share, Wilson's); for
        `rhyme` and `alternating` the same of the pairs of all poems together that could be judged, resampled by poem;
        `rhyme_pairs` and `tone_pairs` (how many that are), `rhyme_unknown_percent` and `tone_unknown_percent` (of all
        pairs: those that could not);
        `copied_mean` and `copied_longest`. nan where there is nothing to judge.
    """
    told = {"poems": len(judged)}
    for column in ("well_formed", "regular_lines", "han", "distinct"):
        values = judged[column].to_numpy(float) * (100 if column == "well_formed" else 1)
        mean = float(values.mean()) if len(values) else float("nan")
        ends = metrics.interval(values)
        if column == "well_formed":
            ends = tuple(100 * end for end in metrics.share_interval(judged[column].sum(), len(judged)))
        told |= _with_interval(column, mean, ends)
    for name, part, whole, unknown in (
        ("rhyme", "rhymes", "rhyme_pairs", "rhyme_unknown"),
        ("alternating", "alternating", "tone_pairs", "tone_unknown"),
    ):
        parts, wholes, lost = (judged[column].to_numpy(int) for column in (part, whole, unknown))
        told |= _with_interval(name, _ratio(parts, wholes), _ratio_interval(parts, wholes))
        told |= {whole: int(wholes.sum()), f"{unknown}_percent": _ratio(lost, wholes + lost)}
    copied = judged["copied"].dropna().astype(float)
    return told | {"copied_mean": float(copied.mean()), "copied_longest": float(copied.max())}


def _with_interval(name: str, percent: float, interval: tuple[float, float]) -> dict[str, float]:
    return {f"{name}_percent": percent, f"{name}_low": float(interval[0]), f"{name}_high": float(interval[1])}


def _ratio(parts: np.ndarray, wholes: np.ndarray) -> float:
    return float(100 * parts.sum() / wholes.sum()) if wholes.sum() else float("nan")


def _ratio_interval(parts: np.ndarray, wholes: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of `_ratio`; nan unless two poems have pairs.

    By bootstrap over poems, resamples without pairs left out; where none or all of the pairs count, which leaves that
    no width, by Wilson's method over pairs.
    """
    if np.count_nonzero(wholes) < 2:
        return float("nan"), float("nan")
    if parts.sum() in (0, wholes.sum()):
        return tuple(100 * end for end in metrics.share_interval(parts.sum(), wholes.sum()))
    random = np.random.default_rng(seed)
    drawn = (random.integers(len(parts), size=len(parts)) for _ in range(RESAMPLES))
    ratios = [_ratio(parts[rows], wholes[rows]) for rows in drawn]
    return tuple(np.nanpercentile(ratios, [2.5, 97.5]))


def annotated(poem: str) -> pd.DataFrame:
    """Shows line by line what `judge` counts.

    Returns:
        A row for each line: `line` (without its mark); `characters` (Chinese ones); `length` (`"as it should be"` if
        they are five or seven, nothing else, and as many as in the first line, else `"wrong"`); `tones`, see
        `prosody.tone_pattern`; `alternates` (`"yes"`, `"no"` if a pair does not, `"unknown"` if none is known not to,
        `"–"` if the line is not regular); for even lines `rhyme_character`, `rhyme_group` (`"unknown"` if none) and,
        from the second of them on, `rhymes` with the one before (`"yes"`, `"no"`, `"unknown"`), else `""`.
    """
    parts = chinese.clauses(poem)
    rhymes = {number: found for number, *found in _even_lines(parts)}
    columns = ["line", "characters", "length", "tones", "alternates", "rhyme_character", "rhyme_group", "rhymes"]
    rows = []
    for number, line in enumerate(parts, 1):
        regular = _is_regular(line)
        pairs = prosody.alternations(line)
        alternates = False if False in pairs else None if None in pairs else True
        character, rhyme = rhymes.get(number, ("", None))
        rows.append(
            {
                "line": line,
                "characters": len(chinese.characters(line)),
                "length": "as it should be" if regular and len(line) == len(parts[0]) else "wrong",
                "tones": prosody.tone_pattern(line),
                "alternates": _answer(alternates) if regular else "–",
                "rhyme_character": character if re.fullmatch(f"[{chinese.HAN}]", character) else "",
                "rhyme_group": "、".join(sorted(prosody.rhyme_groups(character))) or ("unknown" if character else ""),
                "rhymes": _answer(rhyme) if number > 2 and character else "",
            }
        )
    return pd.DataFrame(rows, columns=columns)


def _even_lines(parts: list[str]) -> list[tuple[int, str, bool | None]]:
    """The even lines: number, last character, whether it rhymes with the one before (None: unknown, or the first)."""
    ends = [line[-1] for line in parts[1::2]]
    rhymes = [None, *(prosody.rhyming(*pair) for pair in itertools.pairwise(ends))]
    return [(2 * index, *found) for index, found in enumerate(zip(ends, rhymes, strict=False), 1)]


def _answer(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[value]
