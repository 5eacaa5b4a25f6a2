"""Choose the poems that a page shows, and lay them out with their rhymes and tones marked."""

import itertools
import string

from lib.core import chinese
from lib.core.records import Sample
from lib.evaluation import prosody

MARKS = {prosody.LEVEL: "○", prosody.OBLIQUE: "●", prosody.AMBIGUOUS: "◐", prosody.UNKNOWN: "·"}  # of tones
MOST_POINTS = 3
SPRING_DAWN = "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"  # Meng Haoran; its first line is the post's prompt


def counts(poems: list[str], given: int = 0) -> list[dict]:
    """Count in each poem what the three demands ask for, and its points.

    A poem earns a point for regular form, the share of its pairs of even lines that rhyme, and the share of the tones
    in its couplets that are opposite. It earns nothing for a demand of which nothing can be judged.

    Args:
        poems: The poems.
        given: Characters at the beginning of each that its author did not choose, see `poem_form.judge`.

    Returns:
        For each poem its `lines`; whether it is `well_formed`; its `rhyme_pairs` and how many of them are `rhymes`; its
        `tone_places` and how many of them are `opposite`, all as in `poem_form.judge`; and `points`, 0 to
        `MOST_POINTS`.
    """
    return [_counts(poem, given) for poem in poems]


def _counts(poem: str, given: int) -> dict:
    lines = chinese.clauses(poem)
    rhymes = [prosody.rhyming(*ends) for ends in itertools.pairwise(line[-1] for line in lines[1::2])]
    opposites = prosody.opposites(prosody.couplets(poem, given))
    counted = {
        "lines": lines,
        "well_formed": prosody.is_well_formed(poem),
        "rhyme_pairs": len(rhymes) - rhymes.count(None),
        "rhymes": rhymes.count(True),
        "tone_places": len(opposites),
        "opposite": sum(opposites),
    }
    rhyme, opposite = (
        counted[part] / max(1, counted[whole])
        for part, whole in (("rhymes", "rhyme_pairs"), ("opposite", "tone_places"))
    )
    return counted | {"points": counted["well_formed"] + rhyme + opposite}


def ranked(samples: list[Sample]) -> list[tuple[str, Sample, dict]]:
    """Return the best, the median and the worst of poems with the same prompt, by their points.

    Args:
        samples: The poems; of equal ones the earlier is the better.

    Returns:
        For each its place (`"best"`, `"median"`, `"worst"`), the poem, and its counts. Fewer than three poems have
        fewer places.
    """
    rows = counts([sample.text for sample in samples], len(samples[0].prompt))
    order = sorted(zip(samples, rows, strict=True), key=lambda pair: -pair[1]["points"])
    places = {len(order) // 2: "median", len(order) - 1: "worst", 0: "best"}
    return [(places[place], *order[place]) for place in sorted(places)]


def marked(poem: str, given: int = 0) -> list[list[dict]]:
    """Mark tones and rhymes character by character.

    Args:
        poem: The poem.
        given: See `counts`.

    Returns:
        For each printed line its characters: `text`; `tone`, one of `MARKS`, or `""` if it is no Chinese character;
        `compared`, whether its tone is held against that of its partner in the couplet; `rhyme`, the letter of a word
        at the end of an even line, see `rhyme_letters`, else `""`.
    """
    compared, letters = _compared(poem, given), rhyme_letters([line[-1] for line in chinese.clauses(poem)[1::2]])
    printed, number = [], -1
    for line in chinese.lines(poem):
        clause = "".join(chinese.clauses(line))
        number, start = number + bool(clause), line.index(clause)
        end = start + len(clause) - 1 if clause and number % 2 else None
        printed.append(
            [
                {
                    "text": character,
                    "tone": MARKS[prosody.tone_pattern(character)] if chinese.characters(character) else "",
                    "compared": (number, place - start) in compared,
                    "rhyme": letters[number // 2] if place == end else "",
                }
                for place, character in enumerate(line)
            ]
        )
    return printed


def _compared(poem: str, given: int) -> set[tuple[int, int]]:
    """Return which tones `prosody.opposite_tones` compares: line and place, both from 0."""
    lines, skipped, found = chinese.clauses(poem), len(chinese.clauses(poem[:given])), set()
    for first in range(skipped + skipped % 2, len(lines), 2):
        for couplet in prosody.couplets("，".join(lines[first : first + 2])):  # one, or none
            for number, opposite in enumerate(prosody.opposite_tones(*couplet)):
                if opposite is not None:
                    found |= {(first, 2 * number + 1), (first + 1, 2 * number + 1)}
    return found


def rhyme_letters(ends: list[str]) -> list[str]:
    """Return the rhyme scheme: a letter for each word, the same one for words that rhyme, see `prosody.rhyming`.

    A word that the rhyme table lacks has none.
    """
    groups, letters = [], []
    for end in ends:
        if not prosody.rhyme_groups(end):
            letters.append("")
            continue
        rhyming = (number for number, group in enumerate(groups) if any(prosody.rhyming(end, one) for one in group))
        number = next(rhyming, len(groups))
        if number == len(groups):
            groups.append([])
        groups[number].append(end)
        letters.append(string.ascii_lowercase[number % len(string.ascii_lowercase)])
    return letters
