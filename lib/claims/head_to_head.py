"""Compare the model from scratch with the fine-tuned one, measure by measure."""

from lib.claims import rules
from lib.core.records import CallState, Contest, Estimate, FromScratch, SpeedVerdict, Winner
from lib.evaluation import few_values

SHARES = (
    "well_formed",
    "regular_lines",
    "han",
    "rhyme",
    "alternating",
    "parallel_tones",
    "parallel_words",
)  # more is better


def contests(measured: FromScratch) -> list[Contest]:
    """Judge which model is better.

    Each measure by the 95 % interval of the difference: of bits per character over the training runs, or, from a single
    run, over the held-out poems; of shares of the form, after the same prompt, over the training runs of both
    (`FromScratch.minus_fine_tuned`). Seconds per poem by
    the ratio of the later calls of both, `rules.speed`.

    Returns:
        A contest for `bits_per_character`, for each of `SHARES` whose difference has an interval, and for
        `seconds_per_poem`.
    """
    theirs = measured.fine_tuned
    over_runs = measured.bits_per_character_difference_over_runs
    bits = over_runs if over_runs.has_interval else measured.bits_per_character_difference
    found = [
        Contest(
            measure="bits_per_character",
            from_scratch=measured.bits_over_runs,
            fine_tuned=few_values.over_runs([run.likelihood.bits_per_character for run in theirs.runs]),
            winner=rules.better(bits, lower_is_better=True),
        )
    ]
    for share in SHARES:
        difference = measured.minus_fine_tuned[share]
        if difference.has_interval:
            own, other = measured.form_over_runs[measured.prompt][share], theirs.form_over_runs[share]
            winner = rules.better(difference, lower_is_better=False)
            found.append(Contest(measure=share, from_scratch=own, fine_tuned=other, winner=winner))
    calls = [timing.seconds[CallState.LATER] for timing in (theirs.timing, measured.timing)]
    speed = rules.speed(few_values.ratio_of_groups(*calls))
    winners = {SpeedVerdict.FASTER: Winner.FROM_SCRATCH, SpeedVerdict.SLOWER: Winner.FINE_TUNED}
    seconds = Contest(
        measure="seconds_per_poem",
        from_scratch=Estimate(value=measured.timing.later_calls.median_seconds),
        fine_tuned=Estimate(value=theirs.timing.later_calls.median_seconds),
        winner=winners.get(speed, Winner.NEITHER),
    )
    return [*found, seconds]
