import re

import made_records
import pytest
from made_records import estimate

from lib.claims import beside_post, head_to_head, judgement, post, post_claims, rules
from lib.core import records
from lib.core.records import CallState, DecodingStep, PeakMemoryOf, SpeedVerdict, Verdict, Winner
from lib.report import answers, claims_words, poems_words, samplers_words, site, timing_words, views, wording, words
from lib.report.numbers import DASH, number, with_interval

POST = post.blog_post()
FOUND = made_records.experiments()
ANSWERED = made_records.RECORDED


def numbers(text):
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text.replace("rep-4", "")))


def judge(**changes):
    """All claims by their names."""
    found = made_records.experiments(**changes)
    return {one.name: one for one in post_claims.judge(found, POST, made_records.post_texts())}


def claim(name, language="en", **changes):
    """A claim in words."""
    return claims_words.claim(judge(**changes)[name], language)


def row(start, language="en", found=None):
    """A row beside the post's, by the beginning of what it is of in English."""
    rows = beside_post.rows(found or FOUND, POST)
    (only,) = [one for one in rows if claims_words.beside(one)["what"].startswith(start)]
    return claims_words.beside(only, language)


# The post's claims.


def test_a_claim_is_told_in_the_post_s_words_and_translated():
    told = claim("loops")
    assert told["says"] == POST["quotes"]["loops"]["translation"] and told["kind"] == "Said under"
    assert claim("loops", "zh")["says"] == POST["quotes"]["loops"]["text"]
    assert claim("few_stories")["kind"] == "Taken for granted under" and claim("poem")["kind"] == "An opinion under"


@pytest.mark.parametrize(
    ("ratio", "verdict", "because"),
    [
        (estimate(1.25, 1.2, 1.3), "holds", "took 1.25 (1.20–1.30) times as long"),
        (estimate(1.0, 0.98, 1.02), "does not hold", "took 1.000 (0.980–1.020) times as long"),
        (estimate(1.1), "undecided", "took 1.10 times as long"),
    ],
)
def test_a_claim_says_by_how_much_later_calls_differ(ratio, verdict, because):
    told = claim("speed", reddit=made_records.reddit(speed_ratio=ratio))
    assert told["verdict"] == verdict and because in told["because"]
    assert "Calls of the same number of tokens" in told["because"] and "Over 3 pairs" in told["because"]
    assert "took 17.6 s before fine-tuning and 16.0 s after it" in told["because"]


def test_the_evidence_on_few_stories_compares_about_500_with_the_most():
    judged = judge()["few_stories"]
    judged.verdict = Verdict.HOLDS
    judged.evidence |= {"most": 8000, "points": [[32, 1.5], [490, 1.41], [8000, 1.4]]}
    told = claims_words.evidence(judged)
    assert "1.41 bits per character after training on about 500 stories and 1.40 after 8,000" in told


@pytest.mark.parametrize("name", post_claims.CLAIMS)
@pytest.mark.parametrize("steps", [4, 500])  # of 32 stories: too few to judge the style, and as many as in the post
def test_a_claim_s_evidence_is_a_short_sentence_with_a_figure(name, steps):
    reddit = made_records.reddit()
    reddit.training.steps, reddit.training.batch_size = steps, 32
    english, chinese = (claim(name, language, reddit=reddit)["evidence"] for language in wording.LANGUAGES)
    assert len(english.split()) <= 25 and len(re.findall("[\u4e00-\u9fff]", chinese)) <= 40
    assert english.endswith(".") and chinese.endswith("。")
    assert english[0].isupper() or english[0].isdigit()
    assert numbers(english) == numbers(chinese) != []
    assert not re.search(r"None|nan\b|[{}]", english + chinese)


def test_a_claim_s_evidence_without_figures_says_so_and_rounds_no_share_to_all():
    reddit = made_records.reddit()
    reddit.style.auc.after = estimate(0.9951)
    reddit.training.steps, reddit.training.batch_size = 500, 32
    assert "in 99.5 % of pairs (90.0 % before; guessing: 50 %)" in claim("style", reddit=reddit)["evidence"]
    judged = judge()["content"]
    judged.evidence["words"] = estimate(None).model_dump()
    assert claims_words.claim(judged)["evidence"].startswith(f"{DASH} % of the letters")


def test_a_claim_counts_the_texts_that_loop():
    told = claim("loops")
    assert told["because"] == (
        "All texts continue the same 4 beginnings. With greedy decoding 3 of them fall into a loop, "
        "with top-k sampling (k=5) 0. Of the texts that people wrote, 0 have a loop. The tokens that end a text were "
        "suppressed, and every text ends at a length limit: whether a loop would go on for ever was not tested."
    )
    none = made_records.samplers(greedy=made_records.text_group("greedy", 0, 4))
    assert claim("loops", samplers=none)["evidence"].startswith(
        "With end tokens suppressed, 0 of 4 texts by greedy decoding contain a loop"
    )


def test_a_claim_about_gibberish_tells_words_loops_and_answers_in_english():
    measured = FOUND.baseline.measured.quality
    told = claim("gibberish")["because"]
    assert (
        with_interval(measured.chinese.shares["words"]) in told
        and with_interval(measured.people_chinese.shares["looped"]) in told
    )
    count, texts = measured.chinese.answers_in_english, measured.chinese.texts
    assert f"The model wrote {texts} texts" in told and f"{count} texts are in English" in told


def test_what_is_not_tested_says_what_would_test_it():
    reddit = made_records.reddit()
    reddit.learning_curve.last_minus_500 = None
    judged = judge(reddit=reddit)
    told = claims_words.claim(judged["few_stories"])
    assert told["verdict"] == "not tested here" and "its code takes 16,000" in told["because"]
    assert told["evidence"].startswith("A test needs one training on about 500 stories and one on 2,000 or more")
    for name in ("few_stories", "scratch"):
        assert (
            claims_words.rule(judged[name])["What would test it"]
            and claims_words.rule(judged[name], "zh")["怎样才能检验"]
        )
    assert "What would test it" not in claims_words.rule(judge()["loops"])


def test_a_rule_is_told_with_the_effect_that_was_measured():
    samplers = made_records.samplers()
    samplers.greedy_minus_top_k["loop"] = estimate(75.0, 40.0, 90.0)
    judged = judge(samplers=samplers)["loops"]
    assert claims_words.effects(judged) == [
        {
            "effect": "texts in a loop, greedy minus top-k",
            "measured (95 % interval)": "75 (40–90) points",
            "smallest that matters": "20 points",
            "reached": "yes",
        }
    ]
    assert list(claims_words.rule(judged)) == ["What is compared", "Interval", "Sample size"]
    samplers.greedy_minus_top_k["loop"] = estimate(25.0, 10.0, 40.0)
    (row,) = claims_words.effects(judge(samplers=samplers)["loops"], "zh")
    assert list(row.values())[-1] == "无法确定"


def test_a_small_model_is_said_to_be_no_test_of_a_large_one():
    told = claim("scratch")
    assert told["verdict"] == "not tested here" and "has only about 3,300,000 parameters" in told["evidence"]


def test_the_demands_on_poems_are_told_for_each_prompt_beside_people_and_chance():
    measured = FOUND.tang.measured
    assert claim("poem")["because"].endswith("In the post's own poem 0 of 1 pairs of even lines rhyme.")
    by_prompt = post_claims.demands(FOUND)
    *prompts, tang, chance = claims_words.demand_rows(by_prompt)
    for row, (prompt, after) in zip(prompts, measured.after_over_runs.items(), strict=True):
        assert row["poems"] == f"after {prompt}"
        assert row["well formed, % of the poems"] == with_interval(after["well_formed"])
    rhyme = "rhyming, % of the pairs of even lines"
    assert tang[rhyme] == with_interval(measured.form.ceiling("rhyme"))
    assert chance[rhyme] == with_interval(measured.form.chance("rhyme"))
    assert chance["well formed, % of the poems"] == DASH  # shuffling keeps the form
    assert [len(row) for row in claims_words.demand_rows(by_prompt, "zh")] == [4] * (len(prompts) + 2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tang": made_records.tang(after=made_records.poem_form(rhyme=None, well_formed=None))},
        {"reddit": made_records.reddit(speed_ratio=estimate(1.1))},
        {"samplers": made_records.samplers(greedy=made_records.text_group("greedy", rep_4=estimate(None)))},
    ],
)
def test_a_claim_in_chinese_says_the_same_in_chinese(changes):
    for judged in judge(**changes).values():
        english, chinese = (claims_words.claim(judged, language) for language in wording.LANGUAGES)
        assert set(english) == set(chinese) == {"short", "says", "verdict", "evidence", "because", "kind"}
        for key in english:
            if key != "says":
                assert numbers(english[key]) == numbers(chinese[key])
            assert re.search("[\u4e00-\u9fff]", chinese[key]), key
            assert not re.search(r"None|nan|\{", english[key] + chinese[key])
        for language in wording.LANGUAGES:
            for row in claims_words.effects(judged, language):
                assert not re.search(r"None|nan|\{", " ".join(row.values()))


def claims(*verdicts):
    """Claims of some verdicts."""
    return [judge()["loops"].model_copy(update={"verdict": verdict}) for verdict in verdicts]


def test_the_claims_are_told_by_their_verdicts_without_opinions():
    judged = claims(Verdict.HOLDS, Verdict.DOES_NOT_HOLD, Verdict.HOLDS)
    for one, name in zip(judged, ("speed", "style", "loops"), strict=True):
        one.name = name
    told = claims_words.verdicts([*judged, judge()["poem"]])
    assert told == (
        "What holds is that generating takes less time after fine-tuning, and that greedy decoding falls into an "
        "endless loop. What does not hold is that fine-tuning gives the texts the style of the dataset."
    )
    assert claims_words.verdicts(judged, "zh").startswith("成立的有：微调后生成文本更快；")


def test_a_claim_that_was_not_tested_is_told_and_its_own_card_gives_the_reason():
    judged = judge()["scratch"]
    assert claims_words.verdicts([judged]) == (
        "What this run does not test is whether really good Chinese takes a large model trained anew on Chinese."
    )
    reason = "The largest model trained from scratch here has only about 3,300,000 parameters."
    assert claims_words.claim(judged)["evidence"] == reason


@pytest.mark.parametrize(
    ("counts", "english", "chinese"),
    [
        (
            (4, 1, 2, 0, 0),
            "4 hold in this run, 1 holds in part and 2 do not hold",
            "4 个成立，1 个部分成立，2 个不成立",
        ),
        (
            (1, 2, 1, 1, 0),
            "1 holds in this run, 2 hold in part, 1 does not hold and 1 is undecided",
            "1 个成立，2 个部分成立，1 个不成立，1 个无法判定",
        ),
        ((5, 0, 0, 2, 0), "5 hold in this run and 2 are undecided", "5 个成立，2 个无法判定"),
        ((0, 0, 7, 0, 0), "7 do not hold", "7 个不成立"),
        ((5, 0, 0, 0, 1), "5 hold in this run and 1 is not tested", "5 个成立，1 个没有检验"),
        ((0, 0, 0, 0, 2), "2 are not tested", "2 个没有检验"),
    ],
)
def test_the_tally_counts_the_verdicts_and_leaves_out_those_of_none(counts, english, chinese):
    values = [value for value in Verdict if value is not Verdict.NOT_JUDGED]
    judged = claims(*(verdict for verdict, count in zip(values, counts, strict=True) for _ in range(count)))
    with_opinion = [*judged, judge()["poem"]]
    assert claims_words.tally(with_opinion) == f"Of the post's {sum(counts)} testable statements, {english}."
    assert claims_words.tally(with_opinion, "zh") == f"博客有 {sum(counts)} 个可以检验的说法，在这次运行中，{chinese}。"


# The post's figures beside those here.


def test_a_first_call_is_told_beside_a_later_one():
    told = row("Pretrained model, one call, 200 tokens")
    assert told["post"] == "22.81 s"
    assert told["here"] == "first call 20.0 s, later calls 5.00 s (200 tokens, KerasHub's decoding step)"
    assert "Here a first call takes 4.0 times as long as a later one" in told["why"]
    assert "The post does not name its GPU; this run used Test CPU, Keras on JAX." in told["why"]


def test_tokens_per_second_counts_new_tokens_and_says_what_the_post_counts():
    told = row("Pretrained model, tokens per second")
    assert told["post"] == "8.77, prompt included"
    assert told["here"] == "30.0 in later calls, new tokens only; 10.0 in the first call, counted as the post does"


@pytest.mark.parametrize(
    ("step", "backend", "told"),
    [
        (DecodingStep.KERASHUB, "", "rows above."),
        (DecodingStep.OWN, "", "rows above, which used another decoding step."),
        (DecodingStep.KERASHUB, "tensorflow", "rows above, which ran on TensorFlow."),
        (DecodingStep.OWN, "tensorflow", "rows above, which used another decoding step, on TensorFlow."),
    ],
)
def test_what_sets_a_later_call_apart_from_the_rows_above_is_told(step, backend, told):
    found = made_records.experiments(
        baseline=made_records.baseline(as_in_post=made_records.timing(backend=backend)),
        reddit=made_records.reddit(after=made_records.timing("after fine-tuning", step=step)),
    )
    assert row("One call after fine-tuning on stories", found=found)["why"].endswith(told)


def test_the_speed_up_is_the_post_s_arithmetic_and_ours():
    told = row("Time of a call before fine-tuning")
    assert told["post"] == "2.53 times"
    ratio = with_interval(FOUND.reddit.measured.speed_ratio)
    assert told["here"].startswith(
        f"{ratio} times over 3 pairs of later calls, so faster after fine-tuning (5.00 s before, 4.00 s after, "
    )
    assert "Such first calls took 17.6 s before and 16.0 s after fine-tuning here" in told["why"]


def test_calls_of_different_decoding_steps_are_not_set_against_each_other():
    told = row("One call after")
    assert told["post"] == "9.0 s, 22 tokens/s"
    assert "first call 16.0 s, later calls 4.00 s, 37.5 new tokens/s (200 tokens, KerasHub's" in told["here"]
    assert "another decoding step" not in told["why"]
    own = {name: made_records.timing(name, step=DecodingStep.OWN) for name in ("before", "after")}
    told = row("One call after", found=made_records.experiments(reddit=made_records.reddit(**own)))
    assert "this project's decoding step" in told["here"] and "another decoding step" in told["why"]


def test_a_step_tells_its_batch_and_what_it_ran_on():
    told = row("Fine-tuning on poems: time of a step")
    assert told["post"] == "242 ms (20 texts)"
    assert told["here"] == "500 ms (8 texts); the first step 20.0 s"
    assert row("Fine-tuning on stories: time of a step")["post"] == "196 ms (32 texts)"


def test_losses_tell_the_share_of_padding_and_the_stand_ins():
    told = row("Fine-tuning on poems: loss")
    assert (told["post"], told["here"]) == ("2.325", "2.00")
    assert "The model and the texts are those of the post. 32 texts were seen here, 10,000 in the post." in told["why"]
    assert "50 % of the positions are text, and the loss per token is 4.00" in told["why"]
    baseline = made_records.results("01_baseline", stand_ins=[made_records.stand_in(), made_records.stand_in()])
    found = made_records.experiments(baseline=baseline)
    assert row("The Chinese prompt", found=found)["why"].endswith("here many texts are counted. small in place of big.")
    assert "以“small”代替“big”" in row("The Chinese prompt", "zh", found)["why"]


def test_accuracies_tell_those_of_held_out_texts():
    told = row("Fine-tuning on stories: accuracy")
    assert told["post"] == "0.3263"
    assert told["here"] == "0.250 (held out: 0.200 before, 0.300 after)"


def test_a_training_is_told_with_what_the_post_s_log_says():
    told = row("Fine-tuning on stories: time in all")
    assert told["post"] == "128 s for 500 steps of 32"
    assert "The post's log says 128 s, while its steps times its milliseconds come to 98 s" in told["why"]


def test_loops_stand_beside_those_of_people():
    told = row("Greedy decoding")
    assert told["here"] == "a loop in 3 of 4 texts (top-k sampling: 0 of 8; people: 0 of 4)"
    assert "140 tokens" in told["why"]


def test_words_after_the_chinese_prompt_stand_beside_people_s():
    quality = FOUND.baseline.measured.quality
    told = row("The Chinese prompt")["here"]
    assert f"{number(quality.chinese.shares['words'].value)} % of the letters and Chinese characters form words" in told
    assert f"(a Chinese legal text: {number(quality.people_chinese.shares['words'].value)} %)" in told


def test_poems_are_told_over_the_prompts():
    assert row("A poem after")["here"] == "first call 9.00 s, later calls 2.00 s"
    told = row("The poems after")
    assert f"{told['here']}." == claim("poem")["evidence"]
    assert "parallelism, regular form and rhyme" in told["post"]


def test_a_gpu_is_named_where_one_ran():
    gpu = made_records.machine(device="Tesla T4", keras="tensorflow, float32")
    found = made_records.experiments(baseline=made_records.results("01_baseline", machine=gpu))
    assert "Tesla T4, Keras on TensorFlow" in row("Pretrained model, one call", found=found)["why"]


@pytest.mark.parametrize("judged", beside_post.rows(FOUND, POST), ids=lambda judged: f"{judged.name} {judged.subject}")
def test_every_row_says_what_it_is_of_and_why_figures_differ_and_the_same_in_chinese(judged):
    english, chinese = (claims_words.beside(judged, language) for language in wording.LANGUAGES)
    for told in (english, chinese):
        assert list(told) == ["what", "post", "here", "why"]
        assert all(told.values())
        assert not re.search(r"None|nan\b|[{}]|\[|\]", "".join(told.values()))
    for key, text in english.items():
        assert numbers(text) == numbers(chinese[key])
        assert re.search("[\u4e00-\u9fff]", chinese[key]) or numbers(text) == [text], text


def grown(value):
    """A record as JSON with every number in it changed."""
    if isinstance(value, dict):
        return {key: grown(one) for key, one in value.items()}
    if isinstance(value, list):
        return [grown(one) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return value * 1.5 + 1 if isinstance(value, float) else value + 1


def test_every_row_changes_with_the_results():
    changed = made_records.experiments(
        **{
            name: records.Results.model_validate(
                grown(getattr(FOUND, name).model_dump(mode="json", exclude={"schema_version"}))
            )
            for name in ("baseline", "reddit", "samplers", "tang", "scratch")
        }
    )
    for before, after in zip(beside_post.rows(FOUND, POST), beside_post.rows(changed, POST), strict=True):
        before, after = claims_words.beside(before), claims_words.beside(after)
        assert before["here"] != after["here"] or before["why"] != after["why"], before["what"]
        assert before["post"] == after["post"]


def compiling(found, language="en"):
    """What compiling changes here, and what that suggests for the post."""
    compared = beside_post.compiling(found, POST)
    speed = rules.speed(found.reddit.measured.speed_ratio)
    return claims_words.compiling(compared, POST, found.reddit.measured.timing.before, speed, language)


@pytest.mark.parametrize(
    ("ratio", "first_after", "alike"),
    [
        (estimate(1.0, 0.95, 1.05), 16.0, True),
        (estimate(1.25, 1.2, 1.3), 16.0, False),  # later calls got faster
        (estimate(1.0, 0.95, 1.05), 7.0, False),  # first calls did
        (estimate(1.0, 0.5, 2.0), 16.0, False),
    ],
)
def test_that_neither_compiling_nor_fine_tuning_matters_is_said_only_if_neither_does_here(ratio, first_after, alike):
    after = made_records.timing("after", first_after, (4.9, 5.0, 5.1))
    found = made_records.experiments(reddit=made_records.reddit(after=after, speed_ratio=ratio))
    told = compiling(found)
    assert "took 22.81 s before fine-tuning and 9.0 s after it, a factor of 2.5" in told
    assert f"took 17.6 s before fine-tuning and {first_after:.1f} s after it" in told
    assert ("So here fine-tuning makes no such difference." in told) == alike
    assert ("所以在这里，微调不会造成这样的差别" in compiling(found, "zh")) == alike
    assert "Nothing here measures the post's own calls." in told
    assert numbers(told) == numbers(compiling(found, "zh"))


# Timing.


def test_what_calls_were_timed_with_is_told_with_the_rule_and_the_formulas():
    timing = made_records.timing(threads=4)
    told = timing_words.conditions([timing])
    assert told.startswith("The calls ran on CPU with 4 threads, in float32, with XLA on. The sampler was greedy, the")
    assert "the prompt had 50 tokens" in told
    how = timing_words.measured_how([timing], 3)
    assert "at least 3 and at most 6 times" in how and "each token after it = (later call" in how
    assert how.endswith("Peak memory is that of the whole process so far (its resident set).")
    exact = made_records.timing(deterministic=True, xla=False, peak_memory_of=PeakMemoryOf.JAX_GPU)
    told = timing_words.conditions([exact])
    assert told.startswith("This run was deterministic, so its times do not measure speed.") and "XLA off" in told
    assert timing_words.measured_how([exact], 3).endswith("of the GPU, as JAX counts it.")
    for one in (timing, exact):
        assert numbers(timing_words.conditions([one])) == numbers(timing_words.conditions([one], "zh"))
        assert numbers(timing_words.measured_how([one], 3)) == numbers(timing_words.measured_how([one], 3, "zh"))


def test_calls_whose_times_differ_widely_are_named():
    steady, wide = (
        made_records.timing("as in the post"),
        made_records.timing("after fine-tuning", 20.0, (3.0, 5.0, 9.0)),
    )
    assert "widely" not in timing_words.conditions([steady])
    assert timing_words.conditions([steady, wide]).endswith("differ widely in these rows: after fine-tuning.")
    assert timing_words.conditions([steady, wide], "zh").endswith("后续调用的时间相差较大的行：微调后。")


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_whatever_can_be_one_of_a_few_has_words_of_its_own(language):
    for said, values in (
        (words.verdict, Verdict),
        (words.speed, SpeedVerdict),
        (words.step, DecodingStep),
        (words.state, CallState),
    ):
        assert len({said(value, language) for value in values}) == len(list(values))
    memory = {wording.say(f"memory_{value.name.lower()}", language) for value in PeakMemoryOf}
    assert len(memory) == len(PeakMemoryOf)
    assert all(wording.say(f"better_{winner.name.lower()}", language, measures="x") for winner in Winner)


# Samplers, and the model from scratch.


def test_texts_that_are_the_same_as_greedy_s_are_counted():
    told = samplers_words.same_as_greedy(made_records.samplers())
    assert told == "Some samplers sometimes wrote exactly the text of greedy decoding: top_p p=0.9 in 1 of 4 texts."
    none = made_records.samplers(same_as_greedy={"top-k": 0})
    assert samplers_words.same_as_greedy(none).startswith("No other sampler wrote")
    assert samplers_words.same_as_greedy(none, "zh").startswith("没有其他解码方法")


def contest(measure, winner):
    return records.Contest(measure=measure, from_scratch=estimate(1.0), fine_tuned=estimate(2.0), winner=winner)


def test_who_is_better_in_what_is_told_in_a_sentence():
    some = [
        contest("rhyme", Winner.FINE_TUNED),
        contest("well_formed", Winner.FROM_SCRATCH),
        contest("seconds_per_poem", Winner.FINE_TUNED),
    ]
    assert poems_words.contests(some) == (
        "The model from scratch is better in regular form. The fine-tuned model is better in rhyme and speed of "
        "generating."
    )
    assert (
        poems_words.contests(some, "zh")
        == "从零训练的模型在这几项上更好：格式工整。微调的模型在这几项上更好：押韵和生成速度。"
    )
    assert poems_words.contests(some[:1]) == "The fine-tuned model is better in rhyme."
    assert poems_words.contests([contest("han", Winner.NEITHER)]) == (
        "In share of Chinese characters, the difference is too uncertain to name a winner."
    )


def test_every_contest_has_a_name():
    judged = head_to_head.contests(made_records.scratch())
    assert len({one.measure for one in judged}) == 9
    told = poems_words.contests(judged)
    assert all(wording.say(f"measure_{one.measure}") in told for one in judged)


def test_the_difference_of_the_two_models_is_told_with_its_interval():
    told = poems_words.difference(estimate(-1.0, -1.25, -0.5))
    assert (
        "on the same poem (from scratch minus fine-tuned) is -1.00 bits per character" in told
        and "-1.25 to -0.50" in told
    )
    assert "+0.50" in poems_words.difference(estimate(-1.0, -1.25, 0.5))
    assert poems_words.difference(estimate(-1.0)).startswith("There are too few poems")
    assert re.search("[\u4e00-\u9fff]", poems_words.difference(estimate(-1.0), "zh"))


def test_where_the_other_model_was_trained_is_told_and_whether_that_was_another_machine():
    theirs = made_records.machine()
    told = poems_words.trained_where(theirs, made_records.machine(date="2026-02-02 10:00 UTC"))
    assert told == "The fine-tuned model was trained on 2026-01-01 10:00 UTC, on Test CPU, CPU."
    for other in ({"device": "a GPU"}, {"processor": "Another CPU"}, {"cores": 64}):
        assert "trained on another machine" in poems_words.trained_where(theirs, made_records.machine(**other)), other
        assert "另一台机器" in poems_words.trained_where(theirs, made_records.machine(**other), "zh")


# Stand-ins, titles, the code's version, headlines.


def test_stand_ins_are_told_once_each():
    used = [made_records.stand_in("a", "b"), made_records.stand_in("c", "d"), made_records.stand_in("a", "b")]
    assert words.stand_ins(used) == "a in place of b, and c in place of d"
    assert words.stand_ins(used, "zh") == "以“a”代替“b”；以“c”代替“d”"
    assert words.stand_ins([]) == words.stand_ins([], "zh") == ""


def test_the_titles_are_those_of_the_notebooks():
    for notebook in ANSWERED:
        assert words.title(notebook) == site.title(notebook)
        assert re.search("[\u4e00-\u9fff]", words.title(notebook, "zh"))
    assert words.title("own", "zh") == "own"


def test_the_version_of_the_code_is_told():
    assert words.code(made_records.machine()) == "commit 0123456789ab"
    assert words.code(made_records.machine(code_changed=True)) == "commit 0123456789ab, with changes"
    unknown = made_records.machine(commit=None, no_commit_because="git is not installed")
    assert words.code(unknown) == "unknown (git is not installed)"


@pytest.mark.parametrize(
    ("answer", "first", "more"),
    [
        ("It took 5.2 s. A later call took 3 s.", "It took 5.2 s.", "A later call took 3 s."),
        ("After “我爱中国!” it loops.", "After “我爱中国!” it loops.", ""),
        ("It is so! And so? Yes.", "It is so!", "And so? Yes."),
        ("共 7 个。其中 5 个成立。", "共 7 个。", "其中 5 个成立。"),
        ("e.g. the one", "e.g. the one", ""),
        ("", "", ""),
    ],
)
def test_the_headline_is_the_first_sentence(answer, first, more):
    assert words.headline(answer) == (first, more)


# What each notebook found.


@pytest.fixture
def outputs(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    for results in FOUND.all():
        made_records.write(results, tmp_path)
    return tmp_path


@pytest.mark.parametrize("notebook", ANSWERED)
def test_every_notebook_has_an_answer_that_says_the_same_in_both_languages(outputs, notebook):
    results = made_records.results(notebook)
    english, chinese = (answers.answer(results, language) for language in wording.LANGUAGES)
    assert set(answers.ANSWERS) >= set(ANSWERED)
    assert numbers(english) == numbers(chinese)
    assert len(numbers(english)) >= 5
    assert not re.search(r"None|nan\b|[{}]", english + chinese)
    assert re.search("[\u4e00-\u9fff]", chinese) and not re.search(
        "[\u4e00-\u9fff]", english.replace("我爱中国", "").replace(made_records.POEM[:5], "")
    )
    for told in (english, chinese):
        first, more = words.headline(told)
        assert numbers(first) and more and len(first) < 250
    assert "  " not in english and ".." not in english and "。。" not in chinese and " 。" not in chinese


def test_the_summary_begins_with_how_many_claims_hold(outputs):
    results = made_records.results("00_summary")
    judged = judgement.of_profile("cpu", results.measured.post_texts).claims
    english, chinese = (answers.answer(results, language) for language in wording.LANGUAGES)
    assert english.startswith("Of the post's 7 testable statements, ") and chinese.startswith(
        "博客有 7 个可以检验的说法，"
    )
    for language, told in (("en", english), ("zh", chinese)):
        assert words.headline(told)[0] == claims_words.tally(judged, language)
        assert claims_words.verdicts(judged, language) in told


def test_a_notebook_of_a_reader_s_own_answers_in_its_own_words():
    own = made_records.results("own", answer={"en": "It is so.", "zh": "是这样。"})
    assert (answers.answer(own), answers.answer(own, "zh")) == ("It is so.", "是这样。")
    english = made_records.results("own", answer={"en": "It is so."})
    assert answers.answer(english, "zh") == "It is so."
    assert answers.answer(made_records.results("own")) == ""


def test_a_training_says_below_its_times_what_a_reader_must_know_of_them(tmp_path):
    measured = made_records.tang()
    measured.training = made_records.training((20.0, 0.4, 0.5, 19.0, 0.6, 18.0, 0.5), continued_after=[3, 5])
    results = made_records.results("04_tang_poetry", measured)
    for language, told in (("en", "interrupted after step 3 and 5."), ("zh", "第 3和5 步后中断")):
        assert told in views.Page(results, tmp_path, language).show("steps")
    measured.training = made_records.training(timed_together=10)
    results = made_records.results("04_tang_poetry", measured)
    for language, told in (("en", "the results of 10 steps were read at a time"), ("zh", "每 10 步读取一次")):
        assert told in views.Page(results, tmp_path, language).show("steps")
    measured.training = made_records.training(trained_parameters=500_000)
    results = made_records.results("04_tang_poetry", measured, parameters={"lora_rank": 4})
    every = results.models[0].parameters
    for language, told in (
        ("en", f"500,000 numbers, {50_000_000 / every:.2g} % as many. The file adapters.lora.h5 keeps them, in 2.0 MB"),
        ("zh", "秩为 4 的低秩适配器"),
    ):
        assert told in views.Page(results, tmp_path, language).show("adapters")
    measured.training = made_records.training(replicas=4, devices_in_replica=2)
    results = made_records.results("04_tang_poetry", measured)
    for language, told in (("en", "2 devices shared the weights"), ("zh", "每 2 个设备一组分担权重；共有 4 组")):
        assert told in views.Page(results, tmp_path, language).show("steps")
    measured.training = made_records.training()
    shown = views.Page(made_records.results("04_tang_poetry", measured), tmp_path).show("steps")
    assert "interrupted" not in shown and "read at a time" not in shown and "shared" not in shown
