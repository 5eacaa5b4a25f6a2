import re

import made_records
import pytest
from made_records import estimate

from lib.claims import beside_post, head_to_head, judgement, post, post_claims, rules
from lib.core import records
from lib.core.records import CallState, DecodingStep, PeakMemoryOf, SpeedVerdict, Verdict, Winner
from lib.report import phrases, site, wording

POST = post.blog_post()
FOUND = made_records.experiments()
ANSWERED = made_records.RECORDED


def numbers(text):
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text.replace("rep-4", "")))


def claim(start, language="en", **changes):
    """A claim in words, by the beginning of what the post says in English."""
    judged = post_claims.judge(made_records.experiments(**changes), POST, made_records.post_texts())
    (only,) = [one for one in judged if phrases.claim(one)["says"].startswith(start)]
    return phrases.claim(only, language)


def row(start, language="en", found=None):
    """A row beside the post's, by the beginning of what it is of in English."""
    rows = beside_post.rows(found or FOUND, POST)
    (only,) = [one for one in rows if phrases.beside(one)["what"].startswith(start)]
    return phrases.beside(only, language)


# The post's claims.


def test_a_claim_says_whether_later_calls_got_faster():
    told = claim("Fine-tuning makes generating 2.5 times")
    assert told["verdict"] == "holds" and "later calls are faster" in told["because"]
    slow = made_records.reddit(after=made_records.timing("after", 16.0, (4.9, 5.0, 5.1)))
    told = claim("Fine-tuning makes generating", reddit=slow)
    assert told["verdict"] == "does not hold" and "the same within the spread" in told["because"]


@pytest.mark.parametrize(
    ("after", "verdict", "because"),
    [
        ((2.0, 2.0, 2.0), "holds", "1.00 to 1.00 fewer"),
        ((4.0, 4.0, 4.0), "does not hold", "1.00 to 1.00 more"),
        ((2.0, 3.0, 4.0), "undecided", "between 1.00 fewer and 1.00 more"),
    ],
)
def test_a_claim_says_by_how_many_bits_the_style_was_learned(after, verdict, because):
    told = claim("Fine-tuned on stories", reddit=made_records.reddit(bits_before=(3.0, 3.0, 3.0), bits_after=after))
    assert told["verdict"] == verdict and f"take {because} bits per character than before" in told["because"]


def test_of_a_single_text_it_is_not_known_by_how_many_bits():
    of_one = made_records.reddit(bits_before=(3.0,), bits_after=(2.0,))
    told = claim("Fine-tuned on stories", reddit=of_one)
    assert told["verdict"] == "undecided" and "nan" not in told["because"] and not numbers(told["because"])


def test_a_claim_counts_the_texts_that_end_in_a_loop():
    told = claim("Greedy")
    assert told["verdict"] == "holds"
    assert "rep-4 40.0 (36.0–44.0) % against 5.00 (4.50–5.50) %, people 1.00 (0.900–1.10) %" in told["because"]
    assert "3 of 4 texts against 0" in told["because"]
    single = made_records.samplers(greedy=made_records.text_group("greedy", 0, 1, rep_4=estimate(40.0)))
    told = claim("Greedy", samplers=single)
    assert told["verdict"] == "undecided" and "rep-4 40.0 % against" in told["because"]


@pytest.mark.parametrize(
    ("rhyme", "verdict"),
    [
        (90.0, "holds"),  # above chance (0 to 10), and as the Tang poets (85 to 95)
        (45.0, "holds in part"),
        (7.0, "does not hold"),
        (estimate(46.0, 2.0, 90.0), "undecided"),
        (None, "undecided"),
    ],
)
def test_a_claim_says_how_often_poems_rhyme_by_chance_and_in_the_post(rhyme, verdict):
    told = claim("Its poems rhyme", tang=made_records.tang(after=made_records.poem_form(rhyme=rhyme)))
    assert told["verdict"] == verdict
    assert ("(nothing to judge)" in told["because"]) == (rhyme is None)
    assert "by chance 5 %, Tang poets 90 %" in told["because"]
    assert "post's own poem 0 of 1" in told["because"]


def test_a_claim_says_how_well_formed_the_poems_are():
    told = claim("Fine-tuned on poems")
    assert told["verdict"] == "holds in part"
    assert told["because"] == "60 % are well formed; before fine-tuning 5 %; of whole poems by Tang poets 95 %"


def test_a_claim_compares_the_two_models():
    told = claim("Good Chinese")
    assert told["verdict"] == "holds"
    assert "comes to 8.25 bits per character" in told["because"] and "the fine-tuned one to 9.25" in told["because"]
    assert "80 % of its poems against 60 %, and 14 % of its pairs rhyme against 12 %" in told["because"]


def test_a_claim_about_gibberish_tells_repetition_and_broken_bytes():
    told = claim("An English model")
    assert told["verdict"] == "holds"
    assert told["because"].startswith("rep-4 50 % after the Chinese prompt, 1 % after the English one; 7 bytes")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tang": made_records.tang(after=made_records.poem_form(rhyme=None, well_formed=None))},
        {"reddit": made_records.reddit(bits_after=(2.0, 2.1))},
        {"reddit": made_records.reddit(bits_after=(1.0, 1.8))},
        {"reddit": made_records.reddit(bits_before=(2.0,), bits_after=(1.0,))},
        {"samplers": made_records.samplers(greedy=made_records.text_group("greedy", rep_4=estimate(None)))},
    ],
)
def test_a_claim_in_chinese_says_the_same_in_chinese(changes):
    for judged in post_claims.judge(made_records.experiments(**changes), POST, made_records.post_texts()):
        english, chinese = (phrases.claim(judged, language) for language in wording.LANGUAGES)
        assert set(english) == set(chinese) == {"says", "verdict", "because"}
        for key in english:
            assert numbers(english[key]) == numbers(chinese[key])
            assert re.search("[\u4e00-\u9fff]", chinese[key]), key
            assert not re.search(r"None|nan|\{", english[key] + chinese[key])


def claims(*verdicts, says=""):
    """Claims of some verdicts."""
    (template,) = [
        one for one in post_claims.judge(FOUND, POST, made_records.post_texts()) if one.name == (says or "form")
    ]
    return [template.model_copy(update={"verdict": verdict}) for verdict in verdicts]


def test_the_claims_are_told_by_their_verdicts(monkeypatch):
    monkeypatch.setattr(
        phrases, "claim", lambda judged, language="en": {"says": judged.name, "verdict": "", "because": ""}
    )
    judged = claims(Verdict.HOLDS, Verdict.DOES_NOT_HOLD, Verdict.HOLDS)
    for one, name in zip(judged, "ABC", strict=True):
        one.name = name
    assert phrases.verdicts(judged) == "Holds: A; C. Does not hold: B."
    assert phrases.verdicts(judged, "zh") == "成立：A；C。不成立：B。"


@pytest.mark.parametrize(
    ("counts", "english", "chinese"),
    [
        ((4, 1, 2, 0, 0), "4 hold, 1 holds in part and 2 do not hold", "4 个成立，1 个部分成立，2 个不成立"),
        (
            (1, 2, 1, 1, 0),
            "1 holds, 2 hold in part, 1 does not hold and 1 is undecided",
            "1 个成立，2 个部分成立，1 个不成立，1 个未定",
        ),
        ((5, 0, 0, 2, 0), "5 hold and 2 are undecided", "5 个成立，2 个未定"),
        ((0, 0, 7, 0, 0), "7 do not hold", "7 个不成立"),
        ((5, 0, 0, 0, 1), "5 hold and 1 is not tested here", "5 个成立，1 个这里没有检验"),
        ((0, 0, 0, 0, 2), "2 are not tested here", "2 个这里没有检验"),
    ],
)
def test_the_tally_counts_the_verdicts_and_leaves_out_those_of_none(counts, english, chinese):
    judged = claims(*(verdict for verdict, count in zip(Verdict, counts, strict=True) for _ in range(count)))
    assert phrases.tally(judged) == f"Of the post's {sum(counts)} claims {english}."
    assert phrases.tally(judged, "zh") == f"博客的 {sum(counts)} 个说法中，{chinese}。"


# The post's figures beside those here.


def test_the_share_of_compiling_is_told():
    told = row("Pretrained model, one call, 200 tokens")
    assert told["post"] == "22.81 s"
    assert told["here"] == "first call 20.0 s, later calls 5.00 s (200 tokens, KerasHub's decoding step)"
    assert "75 % of it" in told["why"]
    assert "the post does not name its GPU; here: Test CPU, Keras on jax" in told["why"]


def test_tokens_per_second_counts_new_tokens_and_says_what_the_post_counts():
    told = row("Tokens per second")
    assert told["post"] == "8.77 (prompt counted)"
    assert told["here"] == "later calls 30.0, new tokens only; 10.0 as the post counts"


def test_the_speed_up_is_the_post_s_arithmetic_and_ours():
    told = row("Speed-up")
    assert told["post"] == "2.53 times"
    assert told["here"].startswith("1.25 times: later calls took 5.00 s before and 4.00 s after, both with KerasHub's")
    assert told["here"].endswith("; faster")
    assert "a later one after makes 4.40 times" in told["why"]


def test_calls_of_different_decoding_steps_are_not_set_against_each_other():
    told = row("One call after")
    assert told["post"] == "9.0 s" and "first call 16.0 s, later calls 4.00 s (200 tokens, KerasHub's" in told["here"]
    assert "another decoding step" not in told["why"]
    own = {name: made_records.timing(name, step=DecodingStep.OWN) for name in ("before", "after")}
    told = row("One call after", found=made_records.experiments(reddit=made_records.reddit(**own)))
    assert "this project's decoding step" in told["here"] and "another decoding step" in told["why"]


def test_a_step_tells_its_batch_and_what_it_ran_on():
    told = row("Fine-tuning on poems, a step")
    assert told["post"] == "242 ms (20 texts)"
    assert told["here"] == "500 ms (8 texts; 80.0 useful tokens/s); the first 20.0 s"
    assert "the post does not name its GPU; here: Test CPU, Keras on jax" in told["why"]
    assert row("Fine-tuning on stories, a step")["post"] == "196 ms (32 texts)"


def test_losses_tell_the_share_of_padding_and_the_stand_ins():
    told = row("Fine-tuning on poems, loss")
    assert (told["post"], told["here"]) == ("2.325", "2.000")
    assert "the same preset and texts; 32 texts seen instead of 10,000" in told["why"]
    assert "50 % of the positions are text, and per token it is 4.000" in told["why"]
    baseline = made_records.results("01_baseline", stand_ins=[made_records.stand_in(), made_records.stand_in()])
    found = made_records.experiments(baseline=baseline)
    assert row("The Chinese prompt", found=found)["why"] == "counted here; small in place of big"
    assert "以 small 代替 big" in row("The Chinese prompt", "zh", found)["why"]


def test_accuracies_tell_those_of_held_out_texts():
    told = row("Fine-tuning on stories, accuracy")
    assert told["post"] == "0.3263"
    assert told["here"] == "0.2500 (held out: 0.2000 before, 0.3000 after)"


def test_loops_stand_beside_those_of_people():
    told = row("Greedy decoding")
    assert told["here"].startswith("a loop in 3 of 4 texts (top-k: 0 of 8; people: 0 of 4); rep-4 40 %")
    assert "140 tokens" in told["why"]


def test_repetition_and_broken_bytes_after_the_chinese_prompt_stand_beside_the_english_one():
    told = row("The Chinese prompt")
    assert told["here"] == "rep-4 50 % (English: 1 %), 7 bytes that are not UTF-8 (English: 0)"


def test_a_poem_s_form_is_a_share():
    told = row("A poem after")
    assert told["post"].startswith("12.86 s; ")
    assert told["here"] == (
        "first call 9.00 s, later calls 2.00 s; well formed: 60 % (before: 5 %, whole poems by Tang poets: 95 %)"
    )
    unknown = made_records.tang(after=made_records.poem_form(well_formed=None))
    assert (
        "well formed: (nothing to judge) (before"
        in row("A poem after", found=made_records.experiments(tang=unknown))["here"]
    )


def test_rhymes_and_tones_stand_beside_people_and_chance():
    told = row("Its rhyme")
    assert "even lines: 12 % (Tang poets: 90 %, by chance: 5 %)" in told["here"]
    assert "tones: 55 % (Tang poets: 90 %, by chance: 48 %)" in told["here"]


def test_a_gpu_is_named_where_one_ran():
    gpu = made_records.machine(device="Tesla T4", keras="tensorflow, float32")
    found = made_records.experiments(baseline=made_records.results("01_baseline", machine=gpu))
    assert "Tesla T4, Keras on tensorflow" in row("A poem", found=found)["why"]


@pytest.mark.parametrize("judged", beside_post.rows(FOUND, POST), ids=lambda judged: f"{judged.name} {judged.subject}")
def test_every_row_says_what_it_is_of_and_why_figures_differ_and_the_same_in_chinese(judged):
    english, chinese = (phrases.beside(judged, language) for language in wording.LANGUAGES)
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
        before, after = phrases.beside(before), phrases.beside(after)
        assert before["here"] != after["here"] or before["why"] != after["why"], before["what"]
        assert before["post"] == after["post"]


def compiling(found, language="en"):
    timing = found.reddit.measured.timing
    explained = beside_post.compiling(found, POST)
    speed = rules.compare_speed(timing.before, timing.after)
    return phrases.compiling(explained, POST, found.baseline.measured.as_in_post, speed, language)


def test_the_share_of_the_post_s_speed_up_that_compiling_explains_is_told():
    assert "2.53 times as fast, from 22.81 s to 9.0 s" in (told := compiling(FOUND))
    assert "here 4.00 times as long" in told and "explains all of it and more" in told
    assert "1.25 times as fast: faster" in told
    found = made_records.experiments(
        baseline=made_records.baseline(as_in_post=made_records.timing("as in the post", 10.0, (6.25,)))
    )
    assert "explains 51 % of it" in compiling(found)
    for one in (FOUND, found):
        assert numbers(compiling(one)) == numbers(compiling(one, "zh"))


# Timing.


def test_what_calls_were_timed_with_is_told_with_the_rule_and_the_formulas():
    timing = made_records.timing(threads=4)
    told = phrases.conditions(timing, 3)
    assert told.startswith("A timed run, on CPU with 4 threads, float32, XLA on; sampler greedy, batch 1, 50 tokens")
    assert "at least 3 of them, at most 6." in told and "Time per output token = (later call" in told
    assert told.endswith("Peak memory: of the whole process so far (its resident set).")
    exact = made_records.timing(deterministic=True, xla=False, peak_memory_of=PeakMemoryOf.JAX_GPU)
    told = phrases.conditions(exact, 3)
    assert told.startswith("A deterministic run, whose times are no measure of speed, on") and "XLA off" in told
    assert told.endswith("of the GPU, as JAX counts it.")
    for one in (timing, exact):
        assert numbers(phrases.conditions(one, 3)) == numbers(phrases.conditions(one, 3, "zh"))


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_whatever_can_be_one_of_a_few_has_words_of_its_own(language):
    for said, values in (
        (phrases.verdict, Verdict),
        (phrases.speed, SpeedVerdict),
        (phrases.step, DecodingStep),
        (phrases.state, CallState),
        (phrases.spread, (True, False)),
    ):
        assert len({said(value, language) for value in values}) == len(list(values))
    memory = {wording.say(f"memory_{value.name.lower()}", language) for value in PeakMemoryOf}
    assert len(memory) == len(PeakMemoryOf)
    assert all(wording.say(f"better_{winner.name.lower()}", language, measures="x") for winner in Winner)


# Samplers, and the model from scratch.


def test_the_finding_names_who_is_like_people():
    told = phrases.finding(made_records.samplers())
    assert "diversity of 0.95 and a perplexity of 30" in told
    assert "overlap people's: top-k, top_p p=0.9." in told
    assert re.search(r"greedy \(0.50\)", told) and re.search(r"top_p p=0.9 \(25\)", told)
    alone = made_records.samplers(top_k=made_records.text_group("top-k", diversity=0.3, perplexity=2.0), others=[])
    assert "people's: none." in phrases.finding(alone)
    assert "没有" in phrases.finding(alone, "zh")
    assert numbers(told) == numbers(phrases.finding(made_records.samplers(), "zh"))


def test_the_nearest_perplexity_is_that_of_the_smallest_ratio():
    measured = made_records.samplers(
        people=made_records.text_group("people", perplexity=30.0),
        greedy=made_records.text_group("greedy", perplexity=12.0, diversity=0.5),  # 18 away, but 2.5 times
        top_k=made_records.text_group("top-k", perplexity=60.0),  # 30 away, but twice
        others=[],
    )
    assert "top-k (60)" in phrases.finding(measured)


def test_a_perplexity_that_is_not_known_is_not_the_nearest_and_stops_nothing():
    measured = made_records.samplers(top_k=made_records.text_group("top-k", perplexity=None))
    assert "top_p p=0.9 (25)" in phrases.finding(measured)
    unknown = made_records.samplers(people=made_records.text_group("people", perplexity=None))
    assert "a perplexity of" in phrases.finding(unknown)


def test_texts_that_are_the_same_as_greedy_s_are_counted():
    told = phrases.same_as_greedy(made_records.samplers())
    assert told == "Texts that are the same as those of greedy, token by token: top_p p=0.9 1 of 4."
    none = made_records.samplers(same_as_greedy={"top-k": 0})
    assert phrases.same_as_greedy(none).endswith("token by token: none.")
    assert phrases.same_as_greedy(none, "zh").endswith("没有。")


def contest(measure, winner):
    return records.Contest(measure=measure, from_scratch=estimate(1.0), fine_tuned=estimate(2.0), winner=winner)


def test_who_is_better_in_what_is_told_in_a_sentence():
    some = [
        contest("rhyme", Winner.FINE_TUNED),
        contest("well_formed", Winner.FROM_SCRATCH),
        contest("seconds_per_poem", Winner.FINE_TUNED),
    ]
    assert phrases.contests(some) == (
        "The model from scratch is better in well-formed poems; the fine-tuned model is better in rhyme, seconds per "
        "poem."
    )
    assert (
        phrases.contests(some, "zh")
        == "从零训练的模型更好的方面：格式合格的诗；微调的模型更好的方面：押韵、每首诗的秒数。"
    )
    assert phrases.contests(some[:1]) == "The fine-tuned model is better in rhyme."
    assert phrases.contests([contest("han", Winner.NEITHER)]).startswith("The intervals of the differences do not tell")


def test_every_contest_has_a_name():
    measured = made_records.scratch()
    told = phrases.contests(head_to_head.contests(measured))
    assert all(wording.has(f"measure_{one.measure}") for one in head_to_head.contests(measured))
    assert (
        len({one.measure for one in head_to_head.contests(measured)}) == 9 and told.count(", ") + told.count("; ") == 8
    )


def test_the_difference_of_the_two_models_is_told_with_its_interval():
    told = phrases.difference(estimate(-1.0, -1.25, -0.5))
    assert "-1.00 bits per character on average" in told and "-1.25 to -0.50" in told
    assert "+0.50" in phrases.difference(estimate(-1.0, -1.25, 0.5))
    assert phrases.difference(estimate(-1.0)).startswith("There are too few poems")
    assert re.search("[\u4e00-\u9fff]", phrases.difference(estimate(-1.0), "zh"))


def test_where_the_other_model_was_trained_is_told_and_whether_that_was_another_machine():
    theirs = made_records.machine()
    told = phrases.trained_where(theirs, made_records.machine(date="2026-02-02 10:00 UTC"))
    assert told == "The fine-tuned model was trained on 2026-01-01 10:00 UTC on Test CPU, CPU."
    for other in ({"device": "a GPU"}, {"processor": "Another CPU"}, {"cores": 64}):
        assert "This is another machine" in phrases.trained_where(theirs, made_records.machine(**other)), other
        assert "这里是另一台机器" in phrases.trained_where(theirs, made_records.machine(**other), "zh")


# Stand-ins, titles, the code's version, headlines.


def test_stand_ins_are_told_once_each():
    used = [made_records.stand_in("a", "b"), made_records.stand_in("c", "d"), made_records.stand_in("a", "b")]
    assert phrases.stand_ins(used) == "a in place of b; c in place of d"
    assert phrases.stand_ins(used, "zh") == "以 a 代替 b；以 c 代替 d"
    assert phrases.stand_ins([]) == phrases.stand_ins([], "zh") == ""


def test_the_titles_are_those_of_the_notebooks():
    for notebook in ANSWERED:
        assert phrases.title(notebook) == site.title(notebook)
        assert re.search("[\u4e00-\u9fff]", phrases.title(notebook, "zh"))
    assert phrases.title("own", "zh") == "own"


def test_the_version_of_the_code_is_told():
    assert phrases.code(made_records.machine()) == "commit 0123456789ab"
    assert phrases.code(made_records.machine(code_changed=True)) == "commit 0123456789ab, with changes"
    unknown = made_records.machine(commit=None, no_commit_because="git is not installed")
    assert phrases.code(unknown) == "unknown (git is not installed)"


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
    assert phrases.headline(answer) == (first, more)


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
    english, chinese = (phrases.answer(results, language) for language in wording.LANGUAGES)
    assert set(phrases.ANSWERS) >= set(ANSWERED)
    assert numbers(english) == numbers(chinese)
    assert len(numbers(english)) > 5
    assert not re.search(r"None|nan\b|[{}]", english + chinese)
    assert re.search("[\u4e00-\u9fff]", chinese) and not re.search(
        "[\u4e00-\u9fff]", english.replace("我爱中国", "").replace(made_records.POEM[:5], "")
    )
    for told in (english, chinese):
        first, more = phrases.headline(told)
        assert numbers(first) and more and len(first) < 250
    assert "  " not in english and ".." not in english and "。。" not in chinese and " 。" not in chinese


def test_the_summary_begins_with_how_many_claims_hold(outputs):
    results = made_records.results("00_summary")
    judged = judgement.of_profile("cpu", results.measured.post_texts).claims
    held = sum(one.verdict is Verdict.HOLDS for one in judged)
    english, chinese = (phrases.answer(results, language) for language in wording.LANGUAGES)
    assert english.startswith(f"Of the post's 7 claims {held} hold, ")
    assert chinese.startswith(f"博客的 7 个说法中，{held} 个成立，")
    for language, told in (("en", english), ("zh", chinese)):
        assert phrases.headline(told)[0] == phrases.tally(judged, language)
        assert phrases.verdicts(judged, language) in told
    assert "5.0 s before fine-tuning and 4.0 s after (faster)" in english and "4.0 times as long" in english


def test_the_baseline_answers_with_and_without_an_own_decoding_step():
    told = phrases.answer(made_records.results("01_baseline"))
    assert told.startswith(
        "Compiling is 75 % of the first call, which the post timed. That took 20.0 s and later calls"
    )
    assert "With this project's own decoding step a later call takes 3.0 s (50 new tokens/s)." in told
    assert "after 我爱中国! 50 % are repeated (Tang poets: 0 %), after “My trip was” 1 %" in told
    assert told.endswith("Bytes that are not valid UTF-8: 7 and 0.")
    without = made_records.results("01_baseline", made_records.baseline(own_step=None))
    assert "own decoding step" not in phrases.answer(without)
    assert "本项目自己的" not in phrases.answer(without, "zh") and "本项目自己的" in phrases.answer(
        made_records.results("01_baseline"), "zh"
    )


def test_the_fine_tuning_on_stories_answers_with_loss_bits_and_speed():
    told = phrases.answer(made_records.results("02_reddit_finetune"))
    assert told.startswith("After 4 steps of 4 texts the loss per token on held-out texts went from 4.50 to 4.10")
    assert "(bits per character: 1.40 to 1.25)" in told and "5.0 s before and 4.0 s after: faster." in told
    assert "a speed-up of 4.4 times here" in told and "3.5 times as long" in told


def test_greedy_against_top_k_answers_with_loops_and_the_finding():
    told = phrases.answer(made_records.results("03_greedy_vs_top_k"))
    assert told.startswith(
        "Greedy decoding ended in a loop in 3 of 4 texts, top-k sampling (k=5) in 0 of 8, people in 0 of 4."
    )
    assert "40 %, 5 % and 1 % had occurred before" in told
    assert told.endswith(phrases.finding(made_records.samplers()))


def test_a_notebook_of_a_reader_s_own_answers_in_its_own_words():
    own = made_records.results("own", answer={"en": "It is so.", "zh": "是这样。"})
    assert (phrases.answer(own), phrases.answer(own, "zh")) == ("It is so.", "是这样。")
    english = made_records.results("own", answer={"en": "It is so."})
    assert phrases.answer(english, "zh") == "It is so."
    assert phrases.answer(made_records.results("own")) == ""
