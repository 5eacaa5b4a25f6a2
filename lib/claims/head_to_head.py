"""Compare the model from scratch with the fine-tuned one, measure by measure."""

from lib.claims import rules
from lib.core.records import Contest, Estimate, FromScratch, SpeedVerdict, Winner

SHARES = ("well_formed", "regular_lines", "han", "rhyme", "alternating")  # of the form of poems; more is better


def contests(measured: FromScratch) -> list[Contest]:
    """Judge which model is better.

    Bits per character: by the 95 % bootstrap interval of the mean difference on the same poem. Shares of the form: if
    their 95 % intervals do not overlap. Seconds per poem: `rules.compare_speed`.

    Returns:
        A contest for `bits_per_character`, for each of `SHARES` that both have, and for `seconds_per_poem`.
    """
    theirs = measured.fine_tuned
    found = [
        Contest(
            measure="bits_per_character",
            from_scratch=Estimate(value=measured.likelihood.bits_per_character),
            fine_tuned=Estimate(value=theirs.likelihood.after.bits_per_character),
            winner=rules.better(measured.bits_per_character_difference, lower_is_better=True),
        )
    ]
    for share in SHARES:
        own, other = measured.form.shares[share], theirs.form.shares[share]
        if own.has_interval and other.has_interval:
            winner = rules.better(rules.difference(own, other), lower_is_better=False)
            found.append(Contest(measure=share, from_scratch=own, fine_tuned=other, winner=winner))
    speed = rules.compare_speed(theirs.timing, measured.timing)
    winners = {SpeedVerdict.FASTER: Winner.FROM_SCRATCH, SpeedVerdict.SLOWER: Winner.FINE_TUNED}
    seconds = Contest(
        measure="seconds_per_poem",
        from_scratch=Estimate(value=measured.timing.later_calls.median_seconds),
        fine_tuned=Estimate(value=theirs.timing.later_calls.median_seconds),
        winner=winners.get(speed, Winner.NEITHER),
    )
    return [*found, seconds]
