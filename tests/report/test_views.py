import ast
import html
import inspect
import re
from collections import defaultdict

import made_records
import nbformat
import pytest

from lib.claims import post
from lib.core import parameters, paths
from lib.core.records import DecodingStep
from lib.report import recorder, views, wording

FILES = sorted(paths.NOTEBOOKS.glob("*.ipynb"))
GENERIC = {"table", "text", "picture", "figure"}  # for a reader's own notebook
POEM = made_records.POEM[:5]
NOTHING_TO_SHOW = {("00_summary", "parameter_list"), ("03_greedy_vs_top_k", "named_again")}
NOTHING_TO_SHOW |= {("01_baseline", "backends")}  # TensorFlow is not timed in `made_records`
NOTHING_TO_SHOW |= {("02_reddit_finetune", "adapters"), ("04_tang_poetry", "adapters")}


def calls_of_show(source, owner):
    """The calls of `<owner>.show("view", …)` in some code, as `(view, options)`; an option is an expression."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"{owner}.show":
            (view,) = node.args
            yield ast.literal_eval(view), {option.arg: option.value for option in node.keywords}


SHOWN = {
    file.stem: [
        call
        for cell in nbformat.read(file, as_version=4).cells
        if cell.cell_type == "code"
        for call in calls_of_show(cell.source, "report")
    ]
    for file in FILES
}
CALLS = [(notebook, view, options) for notebook, calls in SHOWN.items() for view, options in calls]
BY_RECORDER = [view for view, _ in calls_of_show(inspect.getsource(recorder), "self")]


def named(calls):
    return [f"{notebook}: {view}" for notebook, view, _ in calls]


def test_every_notebook_of_the_report_shows_views():
    assert set(made_records.RECORDED) <= {notebook for notebook, calls in SHOWN.items() if calls}
    assert len(CALLS) > 50


@pytest.mark.parametrize(("notebook", "view", "options"), CALLS, ids=named(CALLS))
def test_a_notebook_shows_a_view_that_exists_with_options_that_it_has(notebook, view, options):
    assert view in views.VIEWS
    inspect.signature(views.VIEWS[view]).bind(None, **options)
    if view == "figure":
        assert ast.literal_eval(options["name"]) in views.FIGURES


def test_every_view_is_used():
    used = {view for _, view, _ in CALLS} | set(BY_RECORDER) | GENERIC
    assert set(views.VIEWS) == used
    assert {"parameter_list", "model", "corpus", "answer", "environment"} <= set(BY_RECORDER)


def test_every_figure_is_used_and_has_a_caption():
    used = {ast.literal_eval(options["name"]) for _, view, options in CALLS if view == "figure"}
    assert set(views.FIGURES) == used
    assert all(wording.has(f"caption_{name}") for name in views.FIGURES)


def test_every_caption_that_a_notebook_names_has_words():
    names = defaultdict(list)
    for _, view, options in CALLS:
        for option, value in options.items():
            if view in ("samples", "repetition") and option == "caption":
                names[view].append(ast.literal_eval(value))
            if view == "explained":
                names[view] += [f"{name}_explained" for name in ast.literal_eval(value)]
    assert set(names) == {"samples", "repetition", "explained"}
    assert all(wording.has(name) for told in names.values() for name in told)


# Each view of each notebook, made from records.


@pytest.fixture
def outputs(monkeypatch, tmp_path):
    """The folder of a profile with made-up results of all experiments."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    for results in made_records.experiments().all():
        made_records.write(results, tmp_path)
    return tmp_path / "cpu"


def results_of(notebook, **changes):
    """Made-up results with the parameters that the notebook declares."""
    declared = parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")
    given = {name: parameter.default for name, parameter in declared.items() if name != "output_dir"}
    tried = made_records.model(attempts=["kaggle: no network"])
    fields = {
        "parameters": given | {"profile": "cpu"},
        "models": [tried],
        "answer": {"en": "It is so.", "zh": "是的。"},
    }
    return made_records.results(notebook, **(fields | changes))


def page_of(results, outputs, language="en"):
    folder = outputs / results.notebook
    folder.mkdir(exist_ok=True)
    return views.Page(results, folder, language)


def evaluated(options, results):
    """The options of a call, its variables taken from the parameters or from the results."""
    known = results.parameters | {"both": ["greedy", "top-k"], "people": {"prompt": _First(["My trip was"])}}
    return {name: eval(compile(ast.Expression(value), "", "eval"), known) for name, value in options.items()}


class _First(list):
    @property
    def iloc(self):
        return self


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize("notebook", made_records.RECORDED)
def test_every_view_of_a_notebook_is_made_from_its_records_alone(outputs, notebook, language):
    results = results_of(notebook)
    page, words = page_of(results, outputs, language), ""
    shown = [(view, evaluated(options, results)) for view, options in SHOWN[notebook]]
    shown += [(view, {}) for view in ("parameter_list", "model", "answer", "environment")] + [("corpus", {"number": 0})]
    for view, options in shown:
        made = views.VIEWS[view](page, **options)
        assert bool(made) is ((notebook, view) not in NOTHING_TO_SHOW), view
        seen = re.sub('src="data:[^"]*"|<script.*?</script>', "", made, flags=re.DOTALL)
        assert not re.search(r"\bnan\b|\bNone\b|\{|\}|Estimate\(|BeforeAfter", seen), (view, seen)
        words += seen
    assert results == results_of(notebook, figures=results.figures)  # showing changes no record
    assert bool(re.search("[\u4e00-\u9fff]{4}", re.sub(POEM, "", words))) or language == "en"


@pytest.mark.parametrize("name", sorted(views.FIGURES))
def test_a_figure_is_drawn_from_records_and_described_in_words(outputs, name):
    (notebook, *_) = [
        notebook for notebook, view, options in CALLS if view == "figure" and ast.literal_eval(options["name"]) == name
    ]
    page = page_of(results_of(notebook), outputs)
    made = views.VIEWS["figure"](page, name)
    file = f"figures/{name}.svg"
    assert page.results.figures == [file] and "<text" in (page.folder / file).read_text(encoding="utf-8")
    alt, caption = views.described(page, file)
    assert f'alt="{views.html.escaping.attribute(alt)}"'.replace("&#x27;", "&#39;") in made
    assert f'<figcaption id="figure-{name}">{caption}</figcaption>' in html.unescape(made)
    assert len(alt) > 30 and "None" not in alt


def test_a_picture_of_a_notebook_s_own_is_described_by_no_record(outputs):
    assert views.described(page_of(results_of("01_baseline"), outputs), "figures/own.svg") == ("", "")


def test_a_parameter_that_the_notebook_has_no_more_is_left_out(outputs):
    results = results_of("01_baseline")
    results.parameters["cold_repeats"] = 3
    made = views.VIEWS["parameter_list"](page_of(results, outputs))
    assert "cold_repeats" not in made and "chinese_prompt" in made and "the post&#39;s Chinese prompt" in made


def test_samples_can_be_chosen_by_label_prompt_and_number(outputs):
    texts = [
        made_records.sample(label, prompt, f" {label} {prompt} {number}", number=number)
        for label in ("a", "b")
        for prompt in ("x", "y")
        for number in (1, 2)
    ]
    page = page_of(results_of("01_baseline", measured=made_records.baseline(samples=texts)), outputs)
    everything = views.VIEWS["samples"](page)
    assert all(f" {label} {prompt} {number}<" in everything for label in "ab" for prompt in "xy" for number in (1, 2))
    some = views.VIEWS["samples"](page, labels=["a"], prompts=["y"], most=1, caption="samples_english")
    assert re.findall(" [ab] [xy] [12]<", some) == [" a y 1<"]
    assert "<caption>Texts after the English prompt</caption>" in some


def test_the_poems_of_the_other_model_can_be_shown_too(outputs):
    page = page_of(results_of("05_from_scratch"), outputs)
    own = views.VIEWS["poems"](page, labels=["from scratch"])
    assert f"{POEM}, from scratch: the best" in own and "seed 2024, sample 1" in own
    theirs = views.VIEWS["poems"](page, labels=["after fine-tuning"], fine_tuned=True)
    assert f"{POEM}, after fine-tuning: the best" in theirs
    assert 'class="poem"' not in views.VIEWS["poems"](page, labels=["from scratch"], fine_tuned=True)


def test_the_form_of_all_prompts_stands_beside_tang_poets_and_chance(outputs):
    def groups(notebook):
        made = views.VIEWS["poem_forms"](page_of(results_of(notebook), outputs))
        return re.findall('<tr><td[^>]*>([^<]*)</td><td class="number">8</td>', made)

    last = ["Tang poets, whole poems", "chance: their characters, shuffled"]
    assert groups("04_tang_poetry") == [f"before fine-tuning, {POEM}", f"after fine-tuning, {POEM}", *last]
    assert groups("05_from_scratch") == [f"from scratch, {POEM}", f"fine-tuned, {POEM}", *last]


def poem_runs():
    """Results of 04 of two training runs, 40 and 60 percent of their poems well formed."""
    shares = {"before": made_records.poem_form(0.0), "prompt": POEM}
    runs = [made_records.poem_run(run, made_records.poem_form(20.0 + 20.0 * run), **shares) for run in (1, 2)]
    return results_of("04_tang_poetry", measured=made_records.tang(runs=runs))


def test_the_demands_are_shown_over_the_runs_and_of_each_run_folded_away(outputs):
    made = views.VIEWS["poem_demands"](page_of(poem_runs(), outputs))
    rows = dict(re.findall("<tr><td[^>]*>([^<]*)</td><td[^>]*>(.*?)</td>", made))
    rows = {name: re.sub("<[^>]*>", "", told) for name, told in rows.items()}
    assert rows[f"after fine-tuning, {POEM}"] == "50 (0–100)"  # cut at what is possible
    assert rows["Tang poets, whole poems"] == "95 (90–100)"
    assert rows["Tang poets, couplets that must be parallel"] == rows["chance"] == "–"
    assert rows[f"after fine-tuning, {POEM}: run 1"] == "40 (35–45)"
    assert made.index("<details") < made.index(": run 1")
    assert f"Poems that begin with {POEM}" in made


def test_the_picture_of_the_demands_has_a_dot_for_each_run(outputs):
    figure, alt = views.FIGURES["demands"](page_of(poem_runs(), outputs))
    assert (
        f"poems of regular form, %: Tang 95; before fine-tuning, {POEM} 0, 0; after fine-tuning, {POEM} 40, 60." in alt
    )
    assert "places with opposite tones, %: Tang 95; chance 50; " in alt
    assert "pairs of even lines that rhyme, %: Tang 90; " in alt
    (dots,) = [line for line in figure.axes[0].lines if list(line.get_xdata()) == [40.0, 60.0]]
    assert dots.get_marker() == "o"
    assert "demands" in views.FIGURES and views.FIGURES["demands"](page_of(results_of("05_from_scratch"), outputs))


def test_the_best_the_median_and_the_worst_poem_of_each_prompt_are_shown_beside_a_tang_poet(outputs):
    texts = ["，" * number + f"第{number}首。" for number in range(1, 6)]
    samples = [
        made_records.sample(label, prompt, text, number=number)
        for label in ("after fine-tuning", "before fine-tuning")
        for prompt in (POEM, "春")
        for number, text in enumerate(texts, 1)
    ]
    page = page_of(results_of("04_tang_poetry", measured=made_records.tang(samples=samples)), outputs)
    shown = views.VIEWS["poems"](page, labels=["after fine-tuning", "before fine-tuning"])
    heads = [head.partition(":")[0] for head in re.findall('<div class="note"><b>([^<]*)</b></div>', shown)]
    three = ["Best", "Median", "Worst"]
    assert heads == [*three, "A Tang poet", *three, *three, *three]
    assert shown.count("of 5 poems") == 4 and shown.index("<details") < shown.index(", before fine-tuning: the best")
    assert "Points: a poem earns one point for regular form" in shown and "● oblique" in shown


def test_the_marks_of_tones_are_explained_below_the_first_poem(outputs):
    shown = views.VIEWS["first_poem"](page_of(results_of("04_tang_poetry"), outputs))
    assert "中 has readings of both kinds" in shown and "？ is not in the rhyme table" in shown


def test_the_page_tells_the_converted_prompt(outputs):
    asked = {"春眠不觉晓": POEM, POEM: POEM}
    shown = views.VIEWS["asked"](
        page_of(results_of("05_from_scratch", measured=made_records.scratch(asked=asked)), outputs)
    )
    assert f"The model is asked to continue {POEM}." in shown and f"春眠不觉晓 became {POEM}." in shown
    same = views.VIEWS["asked"](page_of(results_of("05_from_scratch"), outputs))
    assert f"continue {POEM}." in same and "converted" not in same


def test_without_an_own_decoding_step_the_times_are_those_of_the_post_s(outputs):
    measured = made_records.baseline(own_step=None)
    made = views.VIEWS["speeds"](page_of(results_of("01_baseline", measured=measured), outputs))
    assert made.count("<tr>") == 2 and "as in the post" in made


def test_the_post_s_lines_on_tensorflow_stand_beside_the_same_on_jax(outputs):
    there = made_records.timing(
        "as in the post, on TensorFlow", 30.0, (9.9, 10.0, 10.1), backend="tensorflow", xla=False
    )
    here = made_records.timing("as in the post, on JAX", backend="jax")
    ratios = {
        "seconds_on_tensorflow_to_jax": made_records.estimate(2.0, 1.9, 2.1),
        "seconds_of_kerashub_to_own": made_records.estimate(1.5, 1.4, 1.6),
    }
    measured = made_records.baseline(on_tensorflow=there, as_in_post=here, **ratios)
    page = page_of(results_of("01_baseline", measured=measured), outputs)
    assert views.VIEWS["speeds"](page).count("<tr>") == 4
    told = html.unescape(views.VIEWS["backends"](page))
    assert (
        "On TensorFlow (XLA off), a later call of the post's lines took 2.00 (1.90–2.10) times as long as on JAX"
        in told
    )
    assert "With KerasHub's decoding step on JAX, a later call took 1.50 (1.40–1.60) times as long as" in told
    assert "over 3 pairs of calls" in told
    told = html.unescape(views.VIEWS["conditions"](page))
    assert "with XLA on." in told and "In the row “as in the post, on TensorFlow”, XLA was off." in told
    told = html.unescape(views.VIEWS["first_calls"](page))
    assert "With KerasHub's decoding step on TensorFlow, the first call took 20.0 s longer" in told
    assert "With KerasHub's decoding step on JAX, the first call took 15.0 s longer" in told
    exact = made_records.baseline(as_in_post=here.model_copy(update={"deterministic": True}), **ratios)
    assert views.VIEWS["backends"](page_of(results_of("01_baseline", measured=exact), outputs)) == ""
    measured = made_records.baseline(no_tensorflow_because="the <b>GPU cannot be used")
    told = views.VIEWS["backends"](page_of(results_of("01_baseline", measured=measured), outputs))
    assert "The post's lines could not be timed on TensorFlow: the <b>GPU cannot be used" in html.unescape(told)
    assert "<b>" not in told


@pytest.mark.filterwarnings("ignore:Glyph")
def test_hostile_text_is_shown_and_never_run_in_any_view(outputs):
    hostile = '</td><script>alert("1")</script>\x1b\u202e'
    measured = made_records.samplers(
        samples=[made_records.sample(hostile, hostile, hostile)],
        named_again=[hostile],
        same_as_greedy={hostile: 1},
        greedy=made_records.text_group(hostile, 0, 4),
        top_k=made_records.text_group(hostile, 0, 4),
        beside_people={hostile: made_records.beside_people(0.0, 1.0)},
    )
    results = results_of("03_greedy_vs_top_k", measured=measured)
    results.parameters["prompts"] = [hostile]
    results.corpora[0].name = results.corpora[0].source = results.models[0].source = hostile
    results.models[0].attempts, results.machine.device = [hostile], hostile
    page = page_of(results, outputs)
    for view, options in [
        *(
            (view, {})
            for view in ("model", "parameter_list", "environment", "named_again", "same_as_greedy", "finding")
        ),
        *((view, {}) for view in ("variety", "samples", "differences", "lesson")),
        ("corpus", {"number": 0}),
        ("figure", {"name": "repetition_by_perplexity"}),
    ]:
        made = views.VIEWS[view](page, **options)
        assert "alert" in made, view
        assert "<script" not in made and not set("\x1b\u202e") & set(made), view


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_a_claim_s_card_has_the_quotation_the_verdict_and_the_figure_and_folds_the_rule(outputs, language):
    page = views.Page(results_of("00_summary"), outputs, language)
    made = views.VIEWS["claims"](page)
    cards = re.findall('<section class="claim".*?</section>', made, re.DOTALL)
    names = [name for name, rule in post.rules().items() if rule["kind"] != "opinion"]
    for name, card in zip(names, cards, strict=True):
        shown, folded, _ = re.split('<details class="more-table">|</details>', card)
        assert post.blog_post()["quotes"][name]["text"] in html.unescape(shown)
        assert html.unescape(shown).index("<blockquote>") < html.unescape(shown).index('<p class="verdict">')
        assert f'href="../{post.rules()[name]["report"]}/{views.report_name(language)}"' in shown
        assert '<dl class="rule">' in folded and '<dl class="rule">' not in shown
    opinions = views.VIEWS["claims"](page, opinions=True)
    assert opinions.count('<section class="claim"') == 2 and '<dl class="rule">' not in opinions


def test_the_speed_picture_has_the_post_s_calls_then_its_code_here_then_both_weights(outputs):
    before, after = (
        made_records.timing(f"{when} fine-tuning", first, later, step=DecodingStep.OWN)
        for when, first, later in (("before", 7.5, (2.8,)), ("after", 8.5, (2.7,)))
    )
    found = made_records.results("02_reddit_finetune", measured=made_records.reddit(before=before, after=after))
    made_records.write(found, outputs.parent)
    _, alt = views.FIGURES["speed"](page_of(results_of("00_summary"), outputs))
    post_calls, as_in_post, around = alt.removesuffix(".").split("; ")
    assert post_calls.endswith("before, first call 22.8, after, first call 9.0")
    assert as_in_post.endswith("KerasHub's decoding step: before, first call 20.0, before, later calls 5.0")
    assert "this project's decoding step: before, first call 7.5, before, later calls 2.8" in around


def test_what_compiling_changes_is_told_of_the_step_that_was_timed(outputs):
    before, after = (made_records.timing(when, step=DecodingStep.OWN) for when in ("before", "after"))
    found = made_records.results("02_reddit_finetune", measured=made_records.reddit(before=before, after=after))
    made_records.write(found, outputs.parent)
    assert "(this project&#39;s decoding step)" in views.VIEWS["compiling"](page_of(results_of("00_summary"), outputs))


def test_the_loops_in_people_s_texts_are_told(outputs):
    results = results_of("03_greedy_vs_top_k")
    told = views.VIEWS["held_out_loops"](page_of(results, outputs))
    assert "applied to 277 held-out texts by people. They find 1 and 0 texts with a loop." in told
