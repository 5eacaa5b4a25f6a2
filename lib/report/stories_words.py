"""Say what fine-tuning on stories changed: lengths, style, learning curve, speed."""

import itertools
import math

from lib.claims import rules
from lib.core.records import (
    Estimate,
    RedditFinetune,
    TextLengths,
)
from lib.report import words
from lib.report.numbers import percent_range, with_interval
from lib.report.wording import say


def text_lengths(measured: RedditFinetune, language: str = "en") -> str:
    """Say how many texts the model ends itself, before and after fine-tuning and after the other trainings."""
    lengths = measured.ends.lengths
    return say(
        "lengths_told",
        language,
        texts=lengths.after.texts,
        most=lengths.after.most_new_tokens,
        **{f"ended_{name}": getattr(lengths, name).ended for name in ("before", "after", "without", "cut")},
    )


def text_ends(measured: RedditFinetune, k: int, language: str = "en") -> str:
    """Say where the model learned to end its texts, as far as the figures show it."""
    ends, likely = measured.ends, measured.ends.probability
    before, after = likely.before.after_sentence, likely.after.after_sentence
    in_top_k, text = likely.after.after_sentence_in_top_k, likely.after.after_text
    share = words.figure(ends.training.ends_per_sentence_percent)
    figures = {"before": words.figure(before.value), "after": words.figure(after.value)}
    rises = words.apart(before, after)
    parts = [
        say("ends_trained", language, share=share),
        say("ends_rise" if rises else "ends_no_rise", language, **figures),
    ]
    if rises and text.value is not None:
        known = words.apart(after, text)
        parts.append(
            say("ends_the_length" if known else "ends_not_the_length", language, text=words.figure(text.value))
        )
    if rises and in_top_k.value and in_top_k.value < 100:
        sentences = math.ceil(math.log(0.5) / math.log(1 - in_top_k.value / 100))
        told = words.figure(in_top_k.value)
        parts.append(say("ends_half", language, k=k, in_top_k=told, sentences=sentences))
    return words.joined(parts, language)


def ends_cause(measured: RedditFinetune, language: str = "en") -> str:
    """Say what the end token in training does, by the trainings without it and on texts that are all cut."""
    ends, likely, lengths = measured.ends, measured.ends.probability, measured.ends.lengths
    before, after, without, cut = (
        one.after_sentence for one in (likely.before, likely.after, likely.without, likely.cut)
    )
    short = lengths.after.median_new_tokens
    causes = (
        words.apart(before, after)
        and words.apart(without, after)
        and words.apart(short, lengths.without.median_new_tokens)
    )
    differs = words.apart(cut, after) and words.apart(short, lengths.cut.median_new_tokens)
    parts = [
        say("ends_cause" if causes else "ends_no_cause", language, without=words.figure(without.value)),
        say(
            "ends_cut" if differs else "ends_cut_alike",
            language,
            texts=ends.cut_texts,
            probability=words.figure(cut.value),
            median=_median(lengths.cut, language),
        ),
        say("ends_bits", language, bits=words.bits(ends.bits_without_minus_after, language)),
    ]
    return words.joined(parts, language)


def _median(lengths: TextLengths, language: str) -> str:
    """Tell the median length; "or more" where fewer than half of the texts were ended before the limit."""
    told = words.figure(lengths.median_new_tokens.value)
    return say("or_more", language, figure=told) if _is_cut(lengths) else told


def _is_cut(lengths: TextLengths) -> bool:
    """Return whether so many texts reached the limit that the median is a lower limit."""
    return 2 * lengths.ended < lengths.texts


def _length(lengths: TextLengths, language: str) -> str:
    """Tell the median length with its unit, and that it is a lower limit where it is."""
    told = words.figure(lengths.median_new_tokens.value)
    return say("length_at_least" if _is_cut(lengths) else "length_told", language, figure=told)


def style(measured: RedditFinetune, language: str = "en") -> str:
    """Say how well the texts can be told from people's, and whether fine-tuning brought them nearer."""
    told = measured.style
    pairs = {name: _pairs(getattr(told.auc, name), language) for name in ("before", "after", "people")}
    parts = [say("style_told", language, **pairs)]
    names = {
        "auc": say("style_by_auc", language),
        "jsd": say("style_by_jsd", language),
        "both": say("style_by_both", language),
    }
    for measure in ("auc", "jsd"):
        nearer = rules.reaches(told.after_minus_before[measure], 0)
        parts.append(
            say(
                "style_undecided" if nearer is None else "style_farther" if nearer else "style_nearer",
                language,
                measure=names[measure],
            )
        )
    floors = {measure: rules.reaches(told.after_minus_floor[measure], 0) for measure in ("auc", "jsd")}
    if floors["auc"] == floors["jsd"]:
        floors = {"both": floors["auc"]}
    for measure, above in floors.items():
        parts.append(
            say(
                "style_at_floor" if above is None else "style_above_floor" if above else "style_below_floor",
                language,
                measure=names[measure],
            )
        )
    return words.joined(parts, language)


def _pairs(auc: Estimate, language: str) -> str:
    """An AUC as the share of pairs in which the classifier ranks the person's text higher."""
    return percent_range([None if auc.value is None else 100 * auc.value], language)


def learning_curve(measured: RedditFinetune, language: str = "en") -> str:
    """Say whether each larger number of stories makes held-out texts easier to predict, and whether 500 suffice."""
    first, *others = measured.learning_curve.points
    if not others:
        bits = words.bits(first.minus_point_before, language)
        told = [say("curve_only", language, stories=first.stories, bits=bits)]
    else:
        unclear = [
            say("curve_step", language, earlier=earlier.stories, stories=point.stories)
            for earlier, point in itertools.pairwise([first, *others])
            if not _easier(point.minus_point_before)
        ]
        listed = say("and", language).join(unclear)
        told = [say("curve_some", language, steps=listed) if unclear else say("curve_all", language)]
        earlier, last = [first, *others][-2:]
        bits = words.bits(last.minus_point_before, language)
        told.append(say("curve_last", language, earlier=earlier.stories, stories=last.stories, bits=bits))
    return words.joined([*told, _from_500(measured, language)], language)


def _easier(change: Estimate) -> bool:
    """Return whether the whole interval of a change in bits per character lies below zero."""
    return rules.reaches(change, 0) is False


def _from_500(measured: RedditFinetune, language: str) -> str:
    """Say whether more than about 500 stories help, if such trainings were run."""
    curve = measured.learning_curve
    last = curve.points[-1].stories
    if curve.last_minus_500 is None:
        return say("curve_500_not_run", language, last=last)
    more = rules.reaches(curve.last_minus_500, 0)
    return say(
        "curve_500_same" if more is None else "curve_500_more" if more else "curve_500_fewer",
        language,
        near=curve.near_500,
        last=last,
        bits=words.bits(curve.last_minus_500, language),
    )


def speed_ratio(measured: RedditFinetune, language: str = "en") -> str:
    """Say how later calls before and after fine-tuning compare, pair by pair, and what a first call takes."""
    before = measured.timing.before
    return say(
        "speed_ratio",
        language,
        pairs=before.later_calls.n,
        ratio=with_interval(measured.speed_ratio),
        verdict=words.speed(rules.speed(measured.speed_ratio), language),
        compiling=before.first_call_seconds / before.later_calls.median_seconds,
    )


def lengths_in_short(measured: RedditFinetune, language: str) -> str:
    """Say whether the model's texts became shorter or longer."""
    before, after = measured.ends.lengths.before, measured.ends.lengths.after
    shorter = words.apart(after.median_new_tokens, before.median_new_tokens)
    longer = words.apart(before.median_new_tokens, after.median_new_tokens)
    return say(
        "reddit_shorter" if shorter else "reddit_longer" if longer else "reddit_as_long",
        language,
        stories=measured.training.steps * measured.training.batch_size,
        before=_length(before, language),
        after=_length(after, language),
    )


def style_in_short(measured: RedditFinetune, language: str) -> str:
    """Say whether the words came nearer to people's, and how well a classifier tells the texts apart."""
    nearer = rules.reaches(measured.style.after_minus_before["jsd"], 0)
    return say(
        "reddit_words_unclear" if nearer is None else "reddit_words_farther" if nearer else "reddit_words_nearer",
        language,
        pairs=_pairs(measured.style.auc.after, language),
    )


def bits_and_speed_in_short(measured: RedditFinetune, language: str) -> str:
    """Say whether held-out texts became easier to predict, also with more stories, and whether calls got faster."""
    points = measured.learning_curve.points
    easier = rules.reaches(measured.bits_per_character_change, 0)
    told = say(f"reddit_speed_{rules.speed(measured.speed_ratio).name.lower()}", language)
    if easier is False and len(points) > 1 and all(_easier(point.minus_point_before) for point in points):
        return say("reddit_more_stories", language, last=points[-1].stories, speed=told)
    return say(
        "reddit_bits_unclear" if easier is None else "reddit_bits_more" if easier else "reddit_bits_fewer",
        language,
        speed=told,
    )
