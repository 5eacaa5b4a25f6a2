import ast
import itertools
import re
import string

import made_records
import pytest
from test_views import CALLS

from lib import notebooks
from lib.claims import beside_post, head_to_head, post, post_claims
from lib.core import paths
from lib.core.records import (
    BenchPeer,
    BenchWork,
    CallState,
    ClaimKind,
    DecodingStep,
    PeakMemoryOf,
    SpeedVerdict,
    Verdict,
    Winner,
)
from lib.evaluation import metrics
from lib.report import answers, claims_words, explorer, numbering, views, wording

NAMES = sorted(wording.templates())
SOURCES = sorted((paths.ROOT / "lib").rglob("*.py"))
TEMPLATES = sorted((paths.ROOT / "lib" / "report" / "template").glob("*.j2"))


def values_of(template):
    """The values that a template names, each with how it is written: `{"first": ".1f"}`."""
    return {(field, how) for _, field, how, _ in string.Formatter().parse(template) if field}


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_says_the_same_values_in_every_language(name):
    templates = wording.templates()[name]
    assert tuple(templates) == wording.LANGUAGES
    assert values_of(templates["en"]) == values_of(templates["zh"])
    words = re.sub("{[^}]*}", "", templates["zh"])
    assert not words.strip() or re.search("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]", words)
    words = re.sub("{[^}]*}", "", templates["en"])
    assert not re.search("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]", words)


def test_a_missing_value_is_an_error_and_no_half_sentence():
    with pytest.raises(KeyError):
        wording.say("no such entry")
    with pytest.raises(KeyError):
        wording.say("index_title", "fr")
    with pytest.raises(KeyError):
        wording.say("index_profile")
    assert wording.say("index_reports") == "The reports"
    assert wording.say("machine", "zh", where="CPU", backend="jax") == "CPU，Keras 后端为 jax"
    assert wording.has("machine") and not wording.has("no such entry")


def test_every_language_has_a_name_and_a_tag():
    assert set(wording.NAMES) == set(wording.TAGS) == set(wording.LANGUAGES)


# Which entries the code names.


def first_arguments():
    """The first argument of every call of `say` or `has` in the code, as an expression."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("say", "has"):
                yield node.args[0]


def literals(argument):
    """The names that an expression can be, as far as they stand in it."""
    if isinstance(argument, ast.IfExp):
        return literals(argument.body) | literals(argument.orelse)
    return {argument.value} if isinstance(argument, ast.Constant) else set()


def family(prefixes, *parts):
    return {f"{prefix}{'_'.join(rest)}" for prefix in prefixes for rest in itertools.product(*parts)}


def lower(kind):
    return [value.name.lower() for value in kind]


def is_opinion(rule):
    return rule["kind"] == ClaimKind.OPINION


FOUND, POST, RULES = made_records.experiments(), post.blog_post(), post.rules()
CLAIMS = [claim.name for claim in post_claims.judge(FOUND, POST, made_records.post_texts())]
ROWS = {row.name for row in beside_post.rows(FOUND, POST)}
CONTESTS = [contest.measure for contest in head_to_head.contests(FOUND.scratch.measured)]
NOTEBOOKS = [*(one.name for one in notebooks.ALL), *notebooks.ASIDE]
PACES = ["faster", "slower", "undecided"]
# By the names that the code puts together: those that they can be.
FAMILIES = {
    "verdict_{}": family(["verdict_"], lower(Verdict)),
    "speed_{}": family(["speed_"], lower(SpeedVerdict)),
    "reddit_speed_{}": family(["reddit_speed_"], lower(SpeedVerdict)),
    "step_{}": family(["step_"], lower(DecodingStep)),
    "state_{}": family(["state_"], lower(CallState)),
    "memory_{}": family(["memory_"], lower(PeakMemoryOf)),
    "better_{}": family(["better_"], lower(Winner)),
    "measure_{}": family(["measure_"], CONTESTS),
    "chance_{}": family(["chance_"], ["above", "alike", "below", "unknown"]),
    "above_chance_{}": family(["above_chance_"], ["all", "some", "none", "unknown"]),
    "poem_{}": family(["poem_"], ["best", "median", "worst"]),
    "because_{}": family(["because_"], CLAIMS),
    "evidence_{}": family(["evidence_"], [name for name, rule in RULES.items() if rule["effects"] or is_opinion(rule)]),
    "untested_{}": family(["untested_"], [name for name, rule in RULES.items() if "needs" in rule]),
    "found_{}": family(["found_"], [verdict for verdict in lower(Verdict) if verdict != "not_judged"]),
    "question_{}": family(["question_"], [name for name in NOTEBOOKS if wording.has(f"question_{name}")]),
    "poems_{}": {"poems_tang", "poems_chance"},
    "kind_{}": family(["kind_"], lower(ClaimKind)),
    "short_{}": family(["short_"], CLAIMS),
    "effect_{}": {f"effect_{effect['measure']}" for rule in RULES.values() for effect in rule["effects"]},
    "title_{}": family(["title_"], NOTEBOOKS),
    "answer_{}": family(["answer_"], NOTEBOOKS),
    "bits_{}": family(["bits_"], beside_post.bits(FOUND)),
    "bits_{}_{}": {f"bits_{texts}_{model}" for texts, models in beside_post.bits(FOUND).items() for model in models},
    "topic_{}": family(["topic_"], ["repetition", "variety", "form", "gibberish", "demands"]),
    "caption_{}": family(["caption_"], views.FIGURES),
    "cover_{}": family(["cover_"], [one.name for one in notebooks.ALL if one.cover]),
    "finding_{}_{}": family(["finding_"], ["diversity", "perplexity"], ["below", "open", "above"]),
    "loops_written_{}": family(["loops_written_"], ["more", "less", "open"]),
    "loops_people_{}": family(["loops_people_"], ["none", "part", "open"]),
    "rest_{}": family(["rest_"], metrics.Table),
    "held_out_{}": family(["held_out_"], ["texts", "poems"]),
    "{}_explained": {f"{name}_explained" for name in ("repetition", "variety", "form", "gibberish", "demands")},
    "numbered_{}": family(["numbered_"], numbering.KINDS.values()),
    "bench_peer_{}": family(["bench_peer_"], lower(BenchPeer)),
    "bench_work_{}": family(["bench_work_"], lower(BenchWork)),
    "bench_unit_{}": family(["bench_unit_"], ["new", "predicted", "texts"]),
    "bench_result_{}": family(["bench_result_"], PACES),
    "bench_against_{}": family(["bench_against_"], PACES),
    "bench_bound_{}": family(["bench_bound_"], ["memory", "reading", "arithmetic"]),
    "bench_axis_{}": family(["bench_axis_"], ["tokens", "batch", "parameters"]),
    "sweep_at_once_{}": family(["sweep_at_once_"], ["0", "1", "2"]),
    "sweep_{}_clear": {f"sweep_{name}_clear" for name in ("none", "some", "all")},
    "explorer_{}": family(["explorer_"], [*explorer.LABELS, *explorer.SCRIPT, "without_script"]),
}
# By the variables that hold such a name: those that it can be.
VARIABLES = {
    "tally": {f"tally_{verdict}{one}" for verdict in lower(Verdict) if verdict != "not_judged" for one in ("", "_one")},
    "row": family(["what_", "post_", "here_", "why_"], ROWS)
    - {"post_loss", "post_accuracy", "here_loss"},  # bare figures
    "label": {"picture_written", "picture_stories"},
    "subject": set(("stories", "poems")),
    "caption": {
        ast.literal_eval(options["caption"])
        for _, view, options in CALLS
        if view in ("samples", "repetition") and "caption" in options
    },
    "name": {"compared", "interval", "enough", "needs"},
    "unit": {
        f"unit_{effect['unit'].replace(' ', '_').lower()}"
        for rule in RULES.values()
        for effect in rule["effects"]
        if effect["unit"] not in claims_words.PURE_NUMBERS
    },
    "reached": {"reaches_true", "reaches_false", "reaches_unknown"},
    "heading": set(re.findall("heading_[a-z]+", "".join(file.read_text() for file in [*SOURCES, *TEMPLATES]))),
}


def test_every_name_in_the_code_has_an_entry():
    named = set().union(*map(literals, first_arguments()))
    assert len(named) > 40 and named - set(NAMES) == set()


def test_every_name_in_the_templates_has_an_entry():
    named = {name for file in TEMPLATES for name in re.findall(r"say\('([^']*)'", file.read_text())}
    assert len(named) > 5 and named - set(NAMES) == set()


def test_every_name_that_the_code_puts_together_is_of_a_family_and_has_an_entry():
    put_together = {
        "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in argument.values)
        for argument in first_arguments()
        if isinstance(argument, ast.JoinedStr)
    }
    assert put_together == set(FAMILIES)
    assert set().union(*FAMILIES.values()) - set(NAMES) == set()


def test_every_name_that_a_variable_holds_has_an_entry():
    assert set().union(*VARIABLES.values()) - set(NAMES) == set()


def test_every_entry_is_used():
    used = set().union(*FAMILIES.values(), *VARIABLES.values())
    used |= set().union(*map(literals, first_arguments()))
    used |= {name for file in TEMPLATES for name in re.findall(r"say\('([^']*)'", file.read_text())}
    assert set(NAMES) - used == set()


def test_every_answer_has_a_function():
    assert set(answers.ANSWERS) == {name.removeprefix("answer_") for name in NAMES if name.startswith("answer_")}


@pytest.mark.parametrize(
    "names",
    [
        ["heading_claim", "heading_here", "heading_evidence"],
        ["heading_claim", "heading_here", "heading_evidence"],
        ["picture_greedy", "picture_top_k", "picture_people"],
        ["heading_what", "heading_post", "heading_run", "heading_why"],
        sorted(FAMILIES["bits_{}"]),
        sorted(name for name in FAMILIES["bits_{}_{}"] if "poems" in name),
        sorted(FAMILIES["title_{}"]),
    ],
    ids=lambda names: names[0],
)
@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_what_stands_side_by_side_has_different_names(names, language):
    assert len({wording.say(name, language) for name in names}) == len(names)


def test_a_chinese_sentence_has_wide_brackets_around_a_range_and_no_space_before_a_per_cent_sign():
    assert wording.chinese_marks("1.011 (0.987–1.037) 倍，47 % 的字") == "1.011（0.987–1.037）倍，47% 的字"
    assert wording.chinese_marks("−0.5 (−1.0 到 +0.2)，+94 (+71 – +99)") == "−0.5（−1.0 到 +0.2），+94（+71 – +99）"
    assert wording.chinese_marks("top_k (k=5)，repetition_penalty (penalty=1.2)") == (
        "top_k (k=5)，repetition_penalty (penalty=1.2)"
    )
    told = wording.say("evidence_speed", "zh", ratio="1.0 (0.9–1.1)", post_times=2.5)
    assert "（0.9–1.1）" in told and "(" not in told
    assert "1.0 (0.9–1.1)" in wording.say("evidence_speed", "en", ratio="1.0 (0.9–1.1)", post_times=2.5)
