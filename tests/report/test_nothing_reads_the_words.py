"""The words of the reports can be anything: no number, no verdict and no record depends on them.

Every string of the wording is replaced by nonsense, in both languages. What is judged and what is recorded stays the
same, byte for byte, and all pages are still made.
"""

import hashlib
import json
import re

import made_records
import nbformat
import pytest
from test_views import SHOWN, evaluated

from lib import notebooks
from lib.claims import beside_post, head_to_head, judgement, post, post_claims
from lib.core import parameters, paths, records
from lib.evaluation import provenance
from lib.report import executed, recorder, side_by_side, site, views, wording

RUNS = {
    "as made up": {},
    "other verdicts": {
        "baseline": made_records.baseline(
            own_step=None,
            on_tensorflow=made_records.timing("as in the post, on TensorFlow", backend="tensorflow", xla=False),
            as_in_post=made_records.timing("as in the post, on JAX", backend="jax"),
        ),
        "reddit": made_records.reddit(bits_after=(2.0, 2.1), after=made_records.timing("after", 16.0, (7.0, 7.1))),
        "samplers": made_records.samplers(greedy=made_records.text_group("greedy", rep_4=5.0)),
        "tang": made_records.tang(after=made_records.poem_form(3.0, None, None)),
        "scratch": made_records.scratch(bits=(12.0, 12.5), form=made_records.poem_form(20.0, None)),
    },
}


def nonsense(name, language):
    """What stands for a string of the wording: letters without a meaning, a brace or a digit."""
    digest = hashlib.sha256(f"{name} {language}".encode()).hexdigest()
    return "".join(chr(ord("g") + int(digit, 16)) for digit in digest[:12])


@pytest.fixture
def without_words(monkeypatch):
    """Replaces every string of the wording, once it is called."""
    known = wording.templates()
    replaced = {name: {language: nonsense(name, language) for language in texts} for name, texts in known.items()}
    assert len({text for texts in replaced.values() for text in texts.values()}) == 2 * len(known)
    return lambda: monkeypatch.setattr(wording, "templates", lambda: replaced)


@pytest.fixture
def outputs(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def test_the_words_are_replaced(without_words):
    assert wording.say("verdict_holds") == "holds"
    without_words()
    for language in wording.LANGUAGES:
        assert wording.say("verdict_holds", language) == nonsense("verdict_holds", language)
        assert wording.say("answer_01_baseline", language, first=1.0) == nonsense("answer_01_baseline", language)


def judged(found):
    figures = post.blog_post()
    return records.dump(
        records.Judgement(
            profile="cpu",
            claims=post_claims.judge(found, figures, made_records.post_texts()),
            beside_post=beside_post.rows(found, figures),
            from_scratch=head_to_head.contests(found.scratch.measured),
        )
    ) + json.dumps([beside_post.rates(found, figures), beside_post.compiling(found, figures)])


@pytest.mark.parametrize("run", RUNS)
def test_what_is_judged_stays_the_same(without_words, run):
    found = made_records.experiments(**RUNS[run])
    before = judged(found)
    without_words()
    assert judged(found) == before
    assert not any(nonsense(name, "en") in before for name in wording.templates())


def test_the_runs_are_judged_in_several_ways():
    verdicts = {claim["verdict"] for run in RUNS.values() for claim in claims_of(made_records.experiments(**run))}
    assert len(verdicts) >= 4


def claims_of(found):
    return [
        json.loads(records.dump(one)) for one in post_claims.judge(found, post.blog_post(), made_records.post_texts())
    ]


# What a notebook records, and the pages.


def namespace(notebook, folder):
    """The parameters of a notebook, as its `globals()` hold them."""
    declared = parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")
    values = {name: parameter.default for name, parameter in declared.items()}
    return values | {"profile": "cpu", "output_dir": str(folder)}


def record_all(monkeypatch, outputs, changes):
    """Records and shows what all notebooks do, without Keras, and keeps it as the runner does."""
    monkeypatch.setattr(provenance, "collect", made_records.machine)
    monkeypatch.setattr(recorder.time, "perf_counter", lambda: 0.0)
    measured = {result.notebook: result.measured for result in made_records.experiments(**changes).all()}
    measured["00_summary"] = made_records.summary()
    for notebook in (name for name in notebooks.in_order() if name in made_records.RECORDED):
        shown = []
        monkeypatch.setattr(recorder, "display", lambda output, raw=False, shown=shown: shown.append(output))
        report = recorder.Recorder(notebook, namespace(notebook, outputs / "cpu" / notebook))
        report.results.models.append(made_records.model())
        report.results.corpora.append(made_records.corpus())
        report.results.stand_ins.append(made_records.stand_in())
        for name in type(measured[notebook]).model_fields:
            setattr(report.measured, name, getattr(measured[notebook], name))
        for view, options in SHOWN[notebook]:
            report.show(view, **evaluated(options, report.results))
        report.finish()
        bundles = [nbformat.v4.new_output("display_data", one) for one in shown if isinstance(one, dict)]
        first = nbformat.read(paths.NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells[0].source
        title = nbformat.v4.new_markdown_cell(f"{first}\n\n## Results", id="title")
        code = nbformat.v4.new_code_cell("shown()", id="shown", outputs=bundles)
        executed.write(nbformat.v4.new_notebook(cells=[title, code]), report.folder / executed.NAME)


def files_of(outputs):
    """The content of all files by their names, in order."""
    return {str(file.relative_to(outputs)): file.read_bytes() for file in sorted(outputs.rglob("*")) if file.is_file()}


def without_text(page):
    """The numbers of a page: those alone in a cell of a table, and the widths of its tables."""
    return re.findall(r'<td class="number"[^>]*>([^<]*)</td>', page), [
        len(re.findall("<th |<td", row)) for row in re.findall("<tr>.*?</tr>", page, re.DOTALL)
    ]


@pytest.mark.parametrize("run", RUNS)
def test_what_is_recorded_stays_the_same_and_the_pages_are_still_made(monkeypatch, outputs, without_words, run):
    record_all(monkeypatch, outputs, RUNS[run])
    site.render("cpu")
    with_words = files_of(outputs)
    without_words()
    record_all(monkeypatch, outputs, RUNS[run])
    site.render("cpu")
    replaced = files_of(outputs)
    assert list(replaced) == list(with_words)
    kept = [name for name in with_words if name.endswith(("results.json", "claims.json", ".csv"))]
    assert len(kept) == len(made_records.RECORDED) + 1
    for name in kept:
        assert replaced[name] == with_words[name], name
    told = [name for name in with_words if name.endswith(".html")]
    assert len(told) == (len(made_records.RECORDED) + 1) * len(wording.LANGUAGES)
    for name in told:
        before, after = (content[name].decode() for content in (with_words, replaced))
        assert before != after
        assert without_text(before) == without_text(after), name
    assert nonsense("index_claims", "zh") in replaced["cpu/index.zh.html"].decode()
    assert nonsense("answer_01_baseline", "en") in replaced["cpu/01_baseline/report.html"].decode()


def test_figures_draw_the_same(monkeypatch, outputs, without_words):
    record_all(monkeypatch, outputs, {})
    page = views.Page(records.load(outputs / "cpu" / "00_summary" / "results.json"), outputs / "cpu" / "00_summary")

    def bars():
        return {
            name: [patch.get_bbox().bounds for axes in views.FIGURES[name](page)[0].axes for patch in axes.patches]
            for name in ("speed", "all_repetition", "bits")
        }

    before = bars()
    without_words()
    assert bars() == before and len(before["bits"]) == 5


def test_two_reports_still_differ_in_the_same(monkeypatch, outputs, without_words):
    record_all(monkeypatch, outputs, {})
    pair = [side_by_side.read("cpu", name) for name in ("02_reddit_finetune", "04_tang_poetry")]

    def differing():
        page = side_by_side.page(outputs / "cpu", *pair)
        return re.findall(r'<tr><th scope="row"[^\n]*', page)

    before = differing()
    without_words()
    assert differing() == before and len(before) > 20


def test_the_judgement_that_is_written_is_the_one_that_is_judged(monkeypatch, outputs, without_words):
    record_all(monkeypatch, outputs, {})
    site.render_index("cpu")
    without_words()
    written = (outputs / "cpu" / "claims.json").read_text(encoding="utf-8")
    assert written == records.dump(judgement.of_profile("cpu"))
