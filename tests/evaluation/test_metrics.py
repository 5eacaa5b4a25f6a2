import json
import math
import random
import time

import pytest

from lib.core import paths, yaml_files
from lib.evaluation import metrics

EMPTY, ONE, SAME = [], ["a"], ["a"] * 6


@pytest.mark.parametrize(
    ("tokens", "n", "expected"),
    [
        ("a b c d e", 4, 0),
        ("a b a b a b", 2, 60),  # 5 bigrams, 2 distinct
        ("a a a a", 1, 75),
        ("a b", 4, 0),  # too short for any
    ],
)
def test_rep_n(tokens, n, expected):
    assert metrics.rep_n(tokens.split(), n) == pytest.approx(expected)


def test_words_keep_contractions_together_and_cut_chinese_into_characters():
    text = "I don't know, 春眠"
    assert [text[start:end] for start, end in metrics.words(text)] == ["I", "don't", "know", ",", "春", "眠"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x y a b a b a b", (2, 2, 3)),
        ("x a b c a b c a b c a", (1, 3, 10 / 3)),  # the last round is cut off
        ("x a b a b", None),  # twice is not a loop
        ("a b a b a b x", None),  # not at the end
        ("a a a a a a", None),  # one token is not a phrase
        ("", None),
    ],
)
def test_find_loop(text, expected):
    loop = metrics.find_loop(text.split())
    assert (loop and (loop.start, loop.period, pytest.approx(loop.times))) == expected
    assert loop is None or loop.end == len(text.split())


DETOUR = (
    " I had to make a detour to the town of Nymos, which was a little more than a day's journey from here. The town"
    " was small, but it was home."
)
# What top_p p=0.1 wrote after "My trip was" in an earlier run: rep-4 is 64 %, and there is no loop by Holtzman's rule.
KRONSTADT = f" to the old town of Kronstadt, and{DETOUR * 3} I had to make a detour to the town of Nym"
SENTENCE = "one two three four five six seven eight . "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x y a b a b a b", (2, 8, 2)),  # what Holtzman's rule finds
        ("x a b c a b c a b c a", (1, 11, 3)),
        ("x a b a b", None),  # twice, and short
        ("a a a a a a a a a a a a a a a a a a a a a", None),  # one token is not a phrase
        ("ha , ha , ha", None),  # two and a half rounds
        ("", None),
        ("a b a b a b 1 2 3 4 5", (0, 6, 2)),  # a few words follow
        ("a b a b a b 1 2 3 4 5 6", None),  # one more than `TAIL`
        ("a b a b a b a b a b 1 2 3 4 5 6", (0, 10, 2)),  # 8 tokens that only repeat
        ("no , no , no , no , no , 1 2 3 4 5 6", (0, 10, 2)),
        ("I tried . I tried . I tried . 1 2 3 4 5 6", None),  # 6, as people write
        (f"{SENTENCE * 2} 1 2 3 4 5 6", None),  # a sentence of 9 tokens, twice
        (f"{SENTENCE * 3} 1 2 3 4 5 6", (0, 27, 9)),
        (f"x {SENTENCE * 2} one two three four five six", None),  # 15 tokens only repeat, in less than three rounds
        (f"x {SENTENCE * 2} one two three four five six seven", (1, 26, 9)),  # 16
        (f"{SENTENCE}he said . {SENTENCE}she said . {SENTENCE}he said .", (0, 33, 12)),  # but for a single token
        ("a b he c d she " * 2 + "a b it c d she a b he c d we", None),  # too many of them
    ],
)
def test_find_loops(text, expected):
    loops = metrics.find_loops(text.split())
    assert ((loops and (loops[0].start, loops[0].end, loops[0].period)) or None) == expected


def test_a_single_token_may_differ_only_where_that_is_asked_for():
    tokens = f"{SENTENCE}he said . {SENTENCE}she said . {SENTENCE}he said .".split()
    assert metrics.find_loops(tokens) and not metrics.find_loops(tokens, differing=False)


def test_every_loop_of_holtzman_s_rule_is_a_loop():
    chance = random.Random(1)
    found = 0
    for _ in range(3000):
        tokens = [chance.choice("ab") for _ in range(chance.randrange(14))]
        if metrics.holtzman_repetition(tokens):
            found += 1
            assert metrics.has_loop(tokens), tokens
    assert found > 50


def test_a_loop_that_is_cut_off_within_a_word_is_a_loop():
    judged = metrics.repetition(KRONSTADT)
    ((begin, end),) = judged["looped_spans"]
    assert KRONSTADT[:begin].endswith("The town was small, but it was home.")
    assert KRONSTADT[end:] == " Nym"
    assert judged["looped"] == pytest.approx(100 * 78 / 121) and judged["loop_times"] == pytest.approx(112 / 34)
    assert not metrics.holtzman_repetition(metrics.word_tokens(KRONSTADT))


def test_the_post_s_greedy_and_chinese_texts_are_loops_and_its_poem_is_not():
    texts = yaml_files.read(paths.EXPERIMENTS / "blog_post.yaml")["texts"]
    greedy, chinese, poem = (metrics.repetition(texts[name]) for name in ("greedy", "chinese", "poem"))
    assert greedy["loop_times"] > 8 and greedy["looped"] > 80
    begin, _ = greedy["looped_spans"][0]
    assert texts["greedy"][:begin].endswith(
        "i was in the process of getting my degree. i was in the process of getting my degree"
    )
    assert chinese["loop_times"] >= 2 and 50 < chinese["looped"] < 70
    assert not metrics.holtzman_repetition(metrics.word_tokens(texts["chinese"]))
    assert (poem["looped"], poem["looped_spans"]) == (0, [])


@pytest.mark.parametrize(
    "text",
    [
        "The lake was cold, so we sat by the water and ate ice cream.",
        '"No, no, no!" he said. "Ha ha ha ha ha ha! I tried. I tried. I tried, and I never made it."',
        "He sang: the farmer in the dell, the farmer in the dell, heigh-ho, the derry-o, the farmer in the dell.",
        "There were apples and pears and plums and nuts and figs and dates and limes and grapes.",
        "鵝，鵝，鵝，曲項向天歌。白毛浮綠水，紅掌撥清波。",
        "願當來世，生淨土，法王家。願當來世，生淨土，法王家。",  # the longest refrain of the Tang poems
    ],
)
def test_what_people_write_has_no_loop(text):
    judged = metrics.repetition(text)
    assert (judged["looped"], judged["loop_times"], judged["looped_spans"]) == (0, 0, [])


def test_a_loop_that_the_text_leaves_is_told_where_it_stands():
    text = "It began. We went home. We went home. We went home. We went home. And then the sun came up over the hill."
    judged = metrics.repetition(text)
    ((begin, end),) = judged["looped_spans"]
    assert text[begin:end] == ". We went home. We went home. We went home."  # the first round begins with a full stop
    assert judged["looped"] == pytest.approx(100 * 13 / 29)


def test_no_text_of_people_in_the_committed_reports_has_a_loop_and_no_text_with_much_repetition_is_without():
    texts = json.loads((paths.ROOT / "outputs/cpu/03_greedy_vs_top_k/results.json").read_text(encoding="utf-8"))
    judged = {"people": [], "greedy": []}
    for sample in texts["measured"]["samples"]:
        if sample["label"] in judged:
            judged[sample["label"]].append(metrics.repetition(sample["text"].removeprefix(sample["prompt"])))
    assert len(judged["people"]) >= 16 and all(one["looped"] == 0 for one in judged["people"])
    assert judged["greedy"] and all(one["looped"] > 0 for one in judged["greedy"] if one["rep_4"] > 50)


def test_rare_chinese_characters_are_cut_apart_as_well():
    assert metrics.word_tokens("〇𠀀𠀁㐀 a𠀀b") == ["〇", "𠀀", "𠀁", "㐀", "a", "𠀀", "b"]


def test_word_tokens_are_lower_case_words_and_single_characters():
    assert metrics.word_tokens("I DON'T, 春眠") == ["i", "don't", ",", "春", "眠"]
    assert metrics.word_tokens("") == []


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (EMPTY, 1),
        (ONE, 1),
        (SAME, 1 / 5 * 1 / 4 * 1 / 3),  # 5 bigrams, 4 trigrams, 3 four-grams, one different of each
        (["a", "b", "a", "b"], 2 / 3),  # ab ba ab: 2 of 3; aba bab; abab
        (list("春眠春眠"), 2 / 3),
        (["all", "of", "these", "words", "differ"], 1),
    ],
)
def test_diversity(tokens, expected):
    assert metrics.diversity(tokens) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (EMPTY, 0),
        (ONE, 0),
        (SAME, 5),  # aaaaa at the first and at the second place
        (["a", "b", "c", "d"], 0),
        (["a", "b", "c", "x", "a", "b", "c"], 3),
        (list("春眠不覺春眠"), 2),
    ],
)
def test_longest_repeated_span(tokens, expected):
    assert metrics.longest_repeated_span(tokens) == expected


def runs(tokens):
    """Every run of a text, with how often it occurs."""
    found = {}
    for start in range(len(tokens)):
        for end in range(start + 1, len(tokens) + 1):
            found.setdefault(tuple(tokens[start:end]), []).append(start)
    return found


def test_spans_are_those_of_a_plain_search():
    chance = random.Random(1)
    for _ in range(200):
        texts = [[chance.choice("abc") for _ in range(chance.randrange(12))] for _ in range(3)]
        corpus = [[chance.choice("abcd") for _ in range(chance.randrange(9))] for _ in range(chance.randrange(4))]
        known = {run for text in corpus for run in runs(text)}
        copied = [max((len(run) for run in runs(text) if run in known), default=0) for text in texts]
        assert metrics.longest_copied_spans(texts, corpus) == copied
        twice = [max((len(run) for run, at in runs(text).items() if len(at) > 1), default=0) for text in texts]
        assert [metrics.longest_repeated_span(text) for text in texts] == twice


@pytest.mark.parametrize(
    ("text", "corpus", "expected"),
    [
        ("", ["春眠"], 0),
        ("春", ["春眠"], 1),
        ("春眠不覺曉", ["處處聞啼鳥", "又春眠不起"], 3),
        ("春眠不覺", ["春眠", "不覺"], 2),  # never across two texts of the corpus
        ("春春春春", ["春春"], 2),
        ("春眠", [], 0),
        (["we", "went", "home", "again"], [["then", "we", "went", "home"]], 3),
    ],
)
def test_longest_copied_span(text, corpus, expected):
    assert metrics.longest_copied_span(text, corpus) == expected


def test_no_texts_copy_nothing():
    assert metrics.longest_copied_spans([], ["春眠"]) == []


@pytest.mark.parametrize(
    ("texts", "n", "expected"),
    [
        ([EMPTY], 1, 0),
        ([], 1, 0),
        ([ONE], 1, 1),
        ([ONE], 2, 0),
        ([SAME], 1, 1 / 6),
        ([SAME], 2, 1 / 6),  # one bigram, over six tokens
        ([["a", "b"], ["a", "c"]], 1, 3 / 4),
        ([["a", "b"], ["b", "a"]], 2, 2 / 4),  # ab, ba: none across the texts
        ([list("春眠"), list("春曉")], 1, 3 / 4),
    ],
)
def test_distinct_n(texts, n, expected):
    assert metrics.distinct_n(texts, n) == pytest.approx(expected)


def test_self_bleu():
    same = [["we", "all", "went", "home", "again"]] * 3
    assert metrics.self_bleu(same) == pytest.approx(1)
    assert metrics.self_bleu([list("春眠不覺曉"), list("春眠不覺曉")]) == pytest.approx(1)
    assert metrics.self_bleu([["a", "b", "c", "d", "e"], ["f", "g", "h", "i", "j"]]) < 0.1
    # Against "a b c d": 3 of 4 words, 2 of 3 pairs; as long, so no penalty for brevity. The other way round the same.
    two = [["a", "b", "c", "d"], ["a", "b", "c", "e"]]
    assert metrics.self_bleu(two, n=2) == pytest.approx(math.sqrt(3 / 4 * 2 / 3))
    assert math.isnan(metrics.self_bleu([SAME])) and math.isnan(metrics.self_bleu([]))
    assert metrics.self_bleu([EMPTY, ONE]) == 0
    assert metrics.self_bleu([SAME, SAME]) == pytest.approx(1)


def test_zipf_coefficient():
    exact = [word for rank in (1, 2, 3, 4) for word in [str(rank)] * (12 // rank)]  # 12, 6, 4, 3: frequency ~ 1 / rank
    assert metrics.zipf_coefficient(exact) == pytest.approx(1)
    assert metrics.zipf_coefficient(list("春眠不覺曉")) == pytest.approx(0)  # all as frequent
    # Two tokens, four times and once: the line through (log 1, log 4) and (log 2, log 1) falls by log 4 / log 2.
    assert metrics.zipf_coefficient(["a"] * 4 + ["b"]) == pytest.approx(2)
    assert all(math.isnan(metrics.zipf_coefficient(tokens)) for tokens in (EMPTY, ONE, SAME))


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [("x a b a b a b", True), ("x a b a b", False), ("a a a a a a", False), ("", False), ("a", False)],
)
def test_holtzman_repetition(tokens, expected):
    assert metrics.holtzman_repetition(tokens.split()) is expected


def test_holtzman_repetition_of_characters():
    assert metrics.holtzman_repetition("春眠春眠春眠")
    assert not metrics.holtzman_repetition("春眠不覺曉")


def test_likelihood_is_turned_into_perplexity_and_bits():
    assert metrics.perplexity(math.log(20)) == pytest.approx(20)
    assert metrics.perplexity(0) == 1
    assert metrics.bits_per_character(8 * math.log(2), 4) == pytest.approx(2)
    assert math.isnan(metrics.bits_per_character(0, 0))


@pytest.mark.parametrize(
    ("texts", "n", "expected"),
    [
        # The precisions of 1- to 4-grams, the same for both.
        (["a b c d e", "a b c d f"], 4, (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)),
        (["春眠不觉晓", "春眠不觉秋"], 4, (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)),
        # None of two 3-grams, none of one 4-gram: 1 / (2 * 2) and 1 / (4 * 1).
        (["a b c d", "a b x d"], 4, (3 / 4 * 1 / 3 * 1 / 4 * 1 / 4) ** (1 / 4)),
        # The short one is right in all but its length; the long one has no such penalty.
        (["a b c d", "a b c d e f g h"], 4, (math.exp(1 - 8 / 4) + (4 / 8 * 3 / 7 * 2 / 6 * 1 / 5) ** (1 / 4)) / 2),
        # "a" counts once in each: 1 / 3 and, none of two bigrams, 1 / (2 * 2); the other: 1 / 3 and 1 / 4 too.
        (["a a a", "a b c"], 2, (1 / 3 * 1 / 4) ** (1 / 2)),
        (["a b", "a c"], 2, (1 / 2 * 1 / 2) ** (1 / 2)),
        # The third shares nothing; the others keep what they share.
        (["a b c d e", "a b c d f", "v w x y z"], 4, 2 / 3 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4)),
        (["a b c d", "a b c d", "a b c d"], 4, 1),
        (["a a a a a", "a a a a a"], 4, 1),
        (["a b c d", "a b c d", ""], 4, 2 / 3),
        (["a", "a"], 4, 0),  # no 4-gram
        (["a", "a"], 1, 1),
        (["", ""], 4, 0),
    ],
)
def test_self_bleu_is_what_is_computed_by_hand(texts, n, expected, caplog):
    score = metrics.self_bleu([metrics.word_tokens(text) for text in texts], n)
    assert score == pytest.approx(expected)
    assert 0 <= score <= 1
    assert not caplog.records  # no advice of sacrebleu in the reports


def test_zipf_coefficient_is_that_of_the_first_5000_ranks():
    twice = [*range(5000), *range(5000)]
    assert metrics.zipf_coefficient([*twice, *range(5000, 9000)]) == pytest.approx(0, abs=1e-9)
    fewer = [*range(4000), *range(4000)]
    assert metrics.zipf_coefficient([*fewer, *range(4000, 9000)]) > 0.1  # 1,000 of the ranks are of frequency 1


def test_longest_copied_spans_of_several_texts_do_not_mix():
    assert metrics.longest_copied_spans(["ab", "cd"], ["abcd"]) == [2, 2]  # not "abcd"
    assert metrics.longest_copied_spans(["xyz", "xyz"], ["x", "yz"]) == [2, 2]  # not from each other
    assert metrics.longest_copied_spans(["春眠不觉晓", "", "处处啼"], ["处处闻啼鸟", "不觉晓"]) == [3, 0, 2]
    assert metrics.longest_copied_spans([], ["a"]) == []


def test_longest_copied_spans_do_not_take_long():
    draw = random.Random(0)
    frequencies = [1 / rank for rank in range(1, 5001)]
    corpus = [draw.choices(range(5000), frequencies, k=100) for _ in range(3000)]
    texts = [draw.choices(range(5000), frequencies, k=200) for _ in range(100)]
    texts[7][50:120] = corpus[2999][20:90]
    start = time.perf_counter()
    lengths = metrics.longest_copied_spans(texts, corpus)
    assert time.perf_counter() - start < 10  # usually half a second
    assert lengths[7] >= 70
    assert max(lengths[:7]) < 20


def test_every_metric_says_its_unit_and_which_values_are_good():
    for name, metric in metrics.REGISTRY.items():
        assert metric.name == name and metric.label
        assert metric.unit in {"words", "percent", "fraction", "tokens", "none"}
        assert metric.better in metrics.Better and metric.table in metrics.Table
        assert not (metric.of_text and metric.of_group)
        assert ("%" in metric.label) == (metric.unit == "percent")
        assert ("(words)" in metric.label or name == "words") == (metric.unit == "words")
    assert len({metric.label for metric in metrics.REGISTRY.values()}) == len(metrics.REGISTRY)


def test_metrics_are_good_in_the_direction_that_they_say():
    names = {better: set() for better in metrics.Better}
    for name, metric in metrics.REGISTRY.items():
        names[metric.better].add(name)
    assert names == {
        metrics.Better.LOWER: {
            "rep_2",
            "rep_3",
            "rep_4",
            "loop",
            "loop_holtzman",
            "longest_repeated",
            "self_bleu_4",
            "copied",
            "invalid",
        },
        metrics.Better.HIGHER: {"diversity", "distinct_1", "distinct_2"},
        metrics.Better.NEITHER: {"words", "perplexity", "zipf"},
    }
    varied, repeated = list("abcdefgh"), list("abababab")
    for metric in metrics.REGISTRY.values():
        compute = metric.of_text or (lambda words, of=metric.of_group: of([words, words[::-1]]))
        if (metric.of_text or metric.of_group) and metric.better is not metrics.Better.NEITHER:
            assert (compute(repeated) > compute(varied)) == (metric.better is metrics.Better.LOWER), metric.name


def test_the_registry_computes_what_the_functions_do():
    tokens = metrics.word_tokens("We went home. We went home. We went home, and on and on and on")
    computed = {name: metric.of_text(tokens) for name, metric in metrics.REGISTRY.items() if metric.of_text}
    assert computed == {
        "words": len(tokens),
        "rep_2": metrics.rep_n(tokens, 2),
        "rep_3": metrics.rep_n(tokens, 3),
        "rep_4": metrics.rep_n(tokens, 4),
        "diversity": metrics.diversity(tokens),
        "loop": 100,
        "loop_holtzman": 100,
        "longest_repeated": metrics.longest_repeated_span(tokens),
    }
    assert metrics.REGISTRY["loop"].of_text(tokens[:5]) == metrics.REGISTRY["loop_holtzman"].of_text(tokens[:5]) == 0
    texts = [tokens, tokens[3:], list("xyxyxy")]
    computed = {name: metric.of_group(texts) for name, metric in metrics.REGISTRY.items() if metric.of_group}
    assert computed == {
        "distinct_1": metrics.distinct_n(texts, 1),
        "distinct_2": metrics.distinct_n(texts, 2),
        "self_bleu_4": metrics.self_bleu(texts, 4),
        "zipf": metrics.zipf_coefficient([token for text in texts for token in text]),
    }
    by_hand = {name for name, metric in metrics.REGISTRY.items() if not (metric.of_text or metric.of_group)}
    assert by_hand == {"perplexity", "copied", "invalid"}  # computed in `continuations`
