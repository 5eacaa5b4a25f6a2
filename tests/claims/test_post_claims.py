import made_records
import pytest
from made_records import estimate, poem_form, text_group, timing

from lib.claims import post, post_claims
from lib.core.records import Contest, Rule, SpeedVerdict, Verdict, Winner

POST = post.blog_post()


def claim(name, found=None, texts=None):
    """One of the claims, judged by a run."""
    found = found or made_records.experiments()
    claims = post_claims.judge(found, POST, texts or made_records.post_texts())
    (only,) = [judged for judged in claims if judged.name == name]
    return only


def test_each_claim_is_judged_by_a_rule_that_was_fixed_beforehand():
    claims = post_claims.judge(made_records.experiments(), POST, made_records.post_texts())
    assert {judged.name: judged.rule for judged in claims} == {
        "speed": Rule.LATER_CALLS_FASTER,
        "gibberish": Rule.MORE_REPETITION_OR_BROKEN_BYTES,
        "style": Rule.INTERVAL_BELOW_ZERO,
        "loops": Rule.INTERVALS_APART,
        "form": Rule.FLOOR_AND_CEILING,
        "rhyme": Rule.FLOOR_AND_CEILING,
        "scratch": Rule.BETTER_BITS_NO_WORSE_FORM,
    }


def test_each_claim_carries_the_words_of_the_post():
    judged = claim("speed")
    assert judged.quote == "耗时 9s ,速度 22 token/s,相对于之前是有所提升的"
    assert judged.heading == "使用 Reddit 数据集进行微调"
    assert set(POST["quotes"]) == {
        one.name for one in post_claims.judge(made_records.experiments(), POST, [*made_records.post_texts()])
    }


@pytest.mark.parametrize(
    ("after", "verdict", "speed", "times"),
    [
        ((3.9, 4.0, 4.1), Verdict.HOLDS, SpeedVerdict.FASTER, 1.25),
        ((4.9, 5.0, 5.1), Verdict.DOES_NOT_HOLD, SpeedVerdict.SAME, 1.0),
        ((7.9, 8.0, 8.1), Verdict.DOES_NOT_HOLD, SpeedVerdict.SLOWER, 0.625),
    ],
)
def test_the_speed_up_holds_only_if_later_calls_are_faster(after, verdict, speed, times):
    reddit = made_records.reddit(timing("before", 17.6, (4.9, 5.0, 5.1)), timing("after", 16.0, after))
    judged = claim("speed", made_records.experiments(reddit=reddit))
    assert judged.verdict is verdict
    assert judged.effect == estimate(times) and judged.unit == "ratio"
    assert judged.evidence == {"times": pytest.approx(22.81 / 9), "speed": speed}


@pytest.mark.parametrize(
    ("rep_4", "broken", "verdict"),
    [
        (50.0, 7, Verdict.HOLDS),
        (0.5, 7, Verdict.HOLDS),  # broken bytes alone
        (50.0, 0, Verdict.HOLDS),  # repetition alone
        (0.5, 0, Verdict.DOES_NOT_HOLD),
        (1.0, 0, Verdict.DOES_NOT_HOLD),  # as much as after the English prompt
    ],
)
def test_gibberish_is_repetition_or_broken_bytes(rep_4, broken, verdict):
    chinese = made_records.outcome("我爱中国!", rep_4, broken)
    judged = claim("gibberish", made_records.experiments(baseline=made_records.baseline(chinese=chinese)))
    assert judged.verdict is verdict
    assert judged.effect == estimate(rep_4 - 1.0) and judged.unit == "percent"
    assert judged.evidence == {"chinese": rep_4, "english": 1.0, "broken": broken}


@pytest.mark.parametrize(
    ("after", "verdict", "low", "high"),
    [
        ((2.0, 2.0, 2.0), Verdict.HOLDS, -1, -1),
        ((4.0, 4.0, 4.0), Verdict.DOES_NOT_HOLD, 1, 1),
        ((2.0, 3.0, 4.0), Verdict.UNDECIDED, -1, 1),
        ((2.0, 2.0, None), Verdict.HOLDS, -1, -1),  # the third text has no figure
        ((2.0, None, None), Verdict.UNDECIDED, None, None),  # a single one has no interval
    ],
)
def test_the_style_is_learned_if_held_out_texts_take_fewer_bits(after, verdict, low, high):
    reddit = made_records.reddit(bits_before=(3.0, 3.0, 3.0), bits_after=after)
    judged = claim("style", made_records.experiments(reddit=reddit))
    assert judged.verdict is verdict
    assert (judged.effect.low, judged.effect.high) == (low, high)
    assert judged.evidence["change"] == judged.effect.model_dump()


@pytest.mark.parametrize(
    ("greedy", "top_k", "verdict"),
    [
        (estimate(40, 39, 41), estimate(5, 4, 6), Verdict.HOLDS),
        (estimate(40, 39, 41), estimate(5, 4, 50), Verdict.UNDECIDED),
        (estimate(40, 39, 41), estimate(90, 80, 95), Verdict.DOES_NOT_HOLD),
        (estimate(40), estimate(5, 4, 6), Verdict.UNDECIDED),  # of a single text
    ],
)
def test_greedy_loops_if_it_repeats_itself_more_than_top_k_by_more_than_the_intervals(greedy, top_k, verdict):
    samplers = made_records.samplers(
        greedy=text_group("greedy", 3, 4, rep_4=greedy),
        top_k=text_group("top-k", 0, 8, rep_4=top_k),
        people=text_group("people", rep_4=estimate(1, 0, 2)),
    )
    judged = claim("loops", made_records.experiments(samplers=samplers))
    assert judged.verdict is verdict
    assert judged.effect.value == greedy.value - top_k.value
    assert judged.evidence == {
        "greedy": greedy.model_dump(),
        "top_k": top_k.model_dump(),
        "people": {"value": 1, "low": 0, "high": 2},
        "greedy_loops": 3,
        "top_k_loops": 0,
        "texts": 4,
    }


REACHED = [  # by a share after fine-tuning: the floor is 0 to 10, the ceiling 85 to 95
    (86.0, 94.0, Verdict.HOLDS),
    (40.0, 50.0, Verdict.HOLDS_IN_PART),
    (2.0, 12.0, Verdict.DOES_NOT_HOLD),
    (2.0, 90.0, Verdict.UNDECIDED),
    (None, None, Verdict.UNDECIDED),
]
FLOOR, CEILING = estimate(5.0, 0.0, 10.0), estimate(90.0, 85.0, 95.0)


@pytest.mark.parametrize(("low", "high", "verdict"), REACHED)
def test_poems_rhyme_if_they_do_more_than_by_chance_and_as_tang_poets_do(low, high, verdict):
    tang = made_records.tang(
        before=poem_form(rhyme=estimate(70, 65, 75)),  # does not count
        after=poem_form(rhyme=estimate(low, low, high)),
        tang_poets=poem_form(rhyme=CEILING),
        shuffled=poem_form(rhyme=FLOOR),
    )
    judged = claim("rhyme", made_records.experiments(tang=tang))
    assert judged.verdict is verdict
    evidence = {"after": low, "shuffled": 5.0, "tang": 90.0, "post_rhymes": 0, "post_pairs": 1}
    assert judged.evidence == evidence
    assert judged.effect.value == (None if low is None else low - 5.0)


@pytest.mark.parametrize(("low", "high", "verdict"), REACHED)
def test_the_form_is_learned_if_it_is_above_the_floor(low, high, verdict):
    tang = made_records.tang(
        before=poem_form(well_formed=FLOOR),
        after=poem_form(well_formed=estimate(low, low, high)),
        tang_poets=poem_form(well_formed=CEILING),
        shuffled=poem_form(well_formed=estimate(70, 65, 75)),  # does not count
    )
    judged = claim("form", made_records.experiments(tang=tang))
    assert judged.verdict is verdict
    assert judged.evidence == {"after": low, "before": 5.0, "tang": 90.0}
    assert judged.effect.value == (None if low is None else low - 5.0)


def test_the_rhymes_of_the_post_s_own_poem_are_told():
    texts = made_records.post_texts()
    texts[-1].rhymes, texts[-1].rhyme_pairs = 2, 3
    evidence = claim("rhyme", texts=texts[::-1]).evidence  # found by name, not by place
    assert (evidence["post_rhymes"], evidence["post_pairs"]) == (2, 3)


def contests(**winners):
    nothing = estimate(None)
    return [
        Contest(measure=measure, from_scratch=nothing, fine_tuned=nothing, winner=winner)
        for measure, winner in winners.items()
    ]


@pytest.mark.parametrize(
    ("winner", "verdict"),
    [
        (Winner.FROM_SCRATCH, Verdict.HOLDS),
        (Winner.FINE_TUNED, Verdict.DOES_NOT_HOLD),
        (Winner.NEITHER, Verdict.UNDECIDED),
    ],
)
def test_the_last_sentence_is_decided_by_bits_per_character(winner, verdict):
    assert post_claims.from_scratch_is_better(contests(bits_per_character=winner)) is verdict
    for form in Winner:
        told = contests(seconds_per_poem=form, regular_lines=form, bits_per_character=winner, han=form)
        assert post_claims.from_scratch_is_better(told) is verdict  # these do not count


@pytest.mark.parametrize("measure", ["well_formed", "rhyme", "alternating"])
def test_it_holds_in_part_if_the_form_is_worse(measure):
    def judged(bits, form):
        return post_claims.from_scratch_is_better(contests(bits_per_character=bits, **{measure: form}))

    assert judged(Winner.FROM_SCRATCH, Winner.FINE_TUNED) is Verdict.HOLDS_IN_PART
    assert judged(Winner.FROM_SCRATCH, Winner.NEITHER) is Verdict.HOLDS
    assert judged(Winner.FROM_SCRATCH, Winner.FROM_SCRATCH) is Verdict.HOLDS
    assert judged(Winner.FINE_TUNED, Winner.FINE_TUNED) is Verdict.DOES_NOT_HOLD
    assert judged(Winner.NEITHER, Winner.FINE_TUNED) is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("bits", "form", "verdict"),
    [
        ((8.0, 8.5), poem_form(80.0, 14.0, 60.0), Verdict.HOLDS),
        ((8.0, 8.5), poem_form(40.0, 14.0, 60.0), Verdict.HOLDS_IN_PART),
        ((10.0, 11.5), poem_form(80.0, 14.0, 60.0), Verdict.DOES_NOT_HOLD),
        ((8.0, 10.5), poem_form(80.0, 14.0, 60.0), Verdict.UNDECIDED),
    ],
)
def test_the_model_from_scratch_is_judged_by_what_both_measured(bits, form, verdict):
    scratch = made_records.scratch(bits, form=form)
    judged = claim("scratch", made_records.experiments(scratch=scratch))
    assert judged.verdict is verdict
    assert judged.effect == scratch.bits_per_character_difference
    assert judged.evidence == {
        "own_bits": pytest.approx(sum(bits) / 2),
        "their_bits": 9.25,
        "own_form": form.shares["well_formed"].value,
        "their_form": 60.0,
        "own_rhyme": 14.0,
        "their_rhyme": 12.0,
    }
