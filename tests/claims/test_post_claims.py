import made_records
import pytest
from made_records import estimate

from lib.claims import post, post_claims
from lib.core.records import ClaimKind, Verdict

POST, RULES = post.blog_post(), post.rules()


def judge(found=None, texts=None):
    """All claims by their names, judged by a run."""
    claims = post_claims.judge(found or made_records.experiments(), POST, texts or made_records.post_texts())
    return {claim.name: claim for claim in claims}


def claim(name, **changes):
    """One of the claims, judged by a run."""
    return judge(made_records.experiments(**changes))[name]


def test_each_claim_has_the_words_of_the_post_and_a_rule_that_was_written_before_the_run():
    claims = judge()
    assert list(claims) == list(RULES) == list(post_claims.CLAIMS)
    assert set(claims) == set(POST["quotes"])
    for name, judged in claims.items():
        assert judged.quote == POST["quotes"][name]["text"] and judged.heading and judged.translation
        assert judged.kind == RULES[name]["kind"]
        for effect in judged.effects:
            (rule,) = [one for one in RULES[name]["effects"] if one["measure"] == effect.measure]
            assert (effect.unit, effect.smallest) == (rule["unit"], rule["smallest"])


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule["kind"] != "opinion"])
def test_the_rule_says_what_is_compared_over_what_the_interval_varies_and_why_the_texts_suffice(name):
    rule = RULES[name]
    told = ("compares", "interval", "enough") if rule["effects"] else ("compares", "needs")
    for part in told:
        assert set(rule[part]) == {"en", "zh"} and all(rule[part].values())
    assert all(set(effect) == {"measure", "unit", "smallest"} for effect in rule["effects"])


def test_what_the_post_only_thinks_is_not_judged():
    opinions = [judged for judged in judge().values() if judged.kind is ClaimKind.OPINION]
    assert {judged.name for judged in opinions} == {"content", "poem"}
    for judged in opinions:
        assert judged.verdict is Verdict.NOT_JUDGED and not judged.effects and judged.evidence


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(1.2, 1.4, Verdict.HOLDS), (0.95, 1.05, Verdict.DOES_NOT_HOLD), (1.05, 1.3, Verdict.UNDECIDED)],
)
def test_generating_is_faster_if_the_pairs_of_calls_say_so(low, high, verdict):
    judged = claim("speed", reddit=made_records.reddit(speed_ratio=estimate(1.2, low, high)))
    assert judged.verdict is verdict
    assert judged.evidence["post_times"] == pytest.approx(22.81 / 9)
    assert (judged.evidence["post_words"], judged.evidence["post_words_after"]) == (172, 109)  # as the post prints them
    assert judged.evidence["post_shortening"] == pytest.approx(172 / 109)


@pytest.mark.parametrize(
    ("words", "looped", "verdict"),
    [
        (estimate(-40, -60, -20), estimate(30, 20, 40), Verdict.HOLDS),
        (estimate(-40, -60, -20), estimate(0, -5, 5), Verdict.HOLDS_IN_PART),
        (estimate(0, -5, 5), estimate(30, 20, 40), Verdict.HOLDS_IN_PART),
        (estimate(0, -5, 5), estimate(0, -5, 5), Verdict.DOES_NOT_HOLD),
        (estimate(40, 20, 60), estimate(0, -5, 5), Verdict.DOES_NOT_HOLD),  # more words than people's is no gibberish
        (estimate(-10, -30, 5), estimate(0, -5, 5), Verdict.UNDECIDED),
    ],
)
def test_gibberish_lacks_words_and_gets_stuck_in_loops(words, looped, verdict):
    baseline = made_records.baseline()
    baseline.chinese_minus_people |= {"words": words, "looped": looped}
    assert claim("gibberish", baseline=baseline).verdict is verdict


def test_broken_bytes_and_english_words_are_no_evidence_for_gibberish():
    baseline = made_records.baseline()
    before = claim("gibberish", baseline=baseline)
    baseline.chinese_minus_people["broken_bytes"] = estimate(90, 80, 99)
    assert claim("gibberish", baseline=baseline) == before


@pytest.mark.parametrize(
    ("nearer", "apart", "verdict"),
    [  # after minus before, and after minus people against people
        (estimate(-0.3, -0.4, -0.2), estimate(0.0, -0.05, 0.05), Verdict.HOLDS),
        (estimate(-0.3, -0.4, -0.2), estimate(0.3, 0.2, 0.4), Verdict.HOLDS_IN_PART),
        (estimate(0.0, -0.04, 0.04), estimate(0.3, 0.2, 0.4), Verdict.DOES_NOT_HOLD),
        (estimate(0.3, 0.2, 0.4), estimate(0.4, 0.3, 0.5), Verdict.DOES_NOT_HOLD),  # farther away
        (estimate(-0.1, -0.3, 0.1), estimate(0.3, 0.2, 0.4), Verdict.UNDECIDED),
    ],
)
def test_the_style_is_judged_by_generated_texts(nearer, apart, verdict):
    assert claim("style", reddit=styled(nearer, apart, steps=500)).verdict is verdict


def styled(nearer, apart, steps):
    """A fine-tuning on so many steps of 32 stories; the post's code takes 500."""
    reddit = made_records.reddit()
    reddit.training.steps, reddit.training.batch_size = steps, 32
    reddit.style.after_minus_before["auc"], reddit.style.after_minus_floor["auc"] = nearer, apart
    return reddit


@pytest.mark.parametrize(("steps", "is_tested"), [(249, False), (250, True)])
def test_a_small_training_does_not_test_what_the_post_says_of_the_style(steps, is_tested):
    judged = claim("style", reddit=styled(estimate(0.0, -0.04, 0.04), estimate(0.3, 0.2, 0.4), steps))
    assert (judged.verdict is Verdict.DOES_NOT_HOLD) == is_tested == bool(judged.effects)
    assert (judged.verdict is Verdict.NOT_TESTED) == (not is_tested)
    assert (judged.evidence["stories"], judged.evidence["post_stories"]) == (32 * steps, 16000)


@pytest.mark.parametrize(
    ("most", "gain", "verdict"),
    [
        (16_000, estimate(-0.01, -0.015, -0.005), Verdict.HOLDS),
        (16_000, estimate(-0.1, -0.12, -0.08), Verdict.DOES_NOT_HOLD),
        (16_000, estimate(-0.03, -0.05, -0.01), Verdict.UNDECIDED),
        (1_999, estimate(-0.01, -0.015, -0.005), Verdict.NOT_TESTED),
        (2_000, estimate(-0.01, -0.015, -0.005), Verdict.HOLDS),
        (16_000, None, Verdict.NOT_TESTED),
    ],
)
def test_whether_500_stories_are_enough_is_judged_only_beside_many_more(most, gain, verdict):
    reddit = made_records.reddit()
    reddit.learning_curve.points[-1].stories = most
    reddit.learning_curve.last_minus_500 = gain
    judged = claim("few_stories", reddit=reddit)
    assert judged.verdict is verdict
    assert (judged.evidence["most"], judged.evidence["post_stories"]) == (most, 16_000)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(40, 90, Verdict.HOLDS), (-10, 15, Verdict.DOES_NOT_HOLD), (5, 60, Verdict.UNDECIDED)],
)
def test_greedy_loops_are_compared_with_top_k_on_the_same_beginnings(low, high, verdict):
    samplers = made_records.samplers()
    samplers.greedy_minus_top_k["loop"] = estimate((low + high) / 2, low, high)
    judged = claim("loops", samplers=samplers)
    assert judged.verdict is verdict
    assert judged.evidence == {"greedy": 3, "top_k": 0, "people": 0, "texts": 4, "k": 5}


@pytest.mark.parametrize(
    ("simplified", "traditional", "verdict"),
    [
        (estimate(80, 60, 100), estimate(85, 70, 100), Verdict.HOLDS),
        (estimate(0, -1, 1), estimate(85, 70, 100), Verdict.HOLDS_IN_PART),
        (estimate(0, -1, 1), estimate(0, -1, 1), Verdict.DOES_NOT_HOLD),
        (estimate(0, -1, 1), estimate(50, -90, 190), Verdict.UNDECIDED),
    ],
)
def test_whether_chinese_needs_fine_tuning_is_judged_for_each_script_of_the_prompt(simplified, traditional, verdict):
    prompts = {"春眠不觉晓": simplified, "春眠不覺曉": traditional}
    reached = estimate(50, 40, 60)
    judged = claim("fine_tuning_needed", tang=demanding(prompts, dict.fromkeys(prompts, reached)))
    assert judged.verdict is (Verdict.HOLDS_IN_PART if verdict is not Verdict.HOLDS else verdict)
    assert [(effect.measure, effect.of) for effect in judged.effects] == [
        (measure, prompt)
        for measure in ("well_formed_more", "rhyme_above_chance", "parallel_words_above_chance")
        for prompt in prompts
    ]
    missed = estimate(1, -5, 7)
    judged = claim("fine_tuning_needed", tang=demanding(prompts, dict.fromkeys(prompts, missed)))
    assert judged.verdict is (Verdict.HOLDS_IN_PART if verdict is Verdict.HOLDS else verdict)


def demanding(form, others):
    """A fine-tuning on poems that gains so much form, and so much rhyme and parallelism above chance, by prompt."""
    return made_records.tang(
        after_minus_before={prompt: {"well_formed": one} for prompt, one in form.items()},
        after_minus_chance={prompt: {"rhyme": one, "parallel_words": one} for prompt, one in others.items()},
    )


def test_a_small_model_does_not_test_what_the_post_says_of_a_large_one():
    for bits in ((1.0, 1.1), (20.0, 21.0)):
        judged = claim("scratch", scratch=made_records.scratch(bits))
        assert judged.verdict is Verdict.NOT_TESTED and not judged.effects


def test_the_rhymes_of_the_post_s_own_poem_are_told():
    texts = made_records.post_texts()
    texts[-1].rhymes, texts[-1].rhyme_pairs = 2, 3
    evidence = judge(texts=texts[::-1])["poem"].evidence  # found by name, not by place
    assert (evidence["post_rhymes"], evidence["post_pairs"]) == (2, 3)


def test_the_demands_on_poems_stand_beside_people_and_chance_for_each_prompt():
    found = made_records.experiments()
    measured = found.tang.measured
    told = post_claims.demands(found)
    assert list(told) == list(measured.after_over_runs)
    for prompt, shares in told.items():
        assert list(shares) == list(post_claims.DEMANDS)
        for share, groups in shares.items():
            assert groups["after"] == measured.after_over_runs[prompt][share].model_dump()
            assert groups["before"] == measured.before_over_runs[prompt][share].model_dump()
            assert groups["tang"] == measured.form.ceiling(share).model_dump()
        assert shares["well_formed"]["chance"]["value"] is None  # shuffling keeps the form
        assert shares["rhyme"]["chance"] == measured.form.shuffled.shares["rhyme"].model_dump()
        assert shares["parallel_words"]["chance"] == measured.form.random_couplets.shares["parallel_words"].model_dump()
