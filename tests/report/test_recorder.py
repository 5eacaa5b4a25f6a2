import json
import math
import types

import made_records
import nbformat
import numpy as np
import pandas as pd
import pydantic
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from lib.core import paths, progress, records
from lib.core.errors import UserError
from lib.report import recorder, views

PARAMETERS = """\
k: int = 5  # how many < all [1..9]
prompts: list[str] = ["I", "春眠"]  # what to continue
prompt: str = "My trip was"  # the post's prompt
chinese_prompt: str = "我爱中国!"  # the post's Chinese prompt
seed: int = 2024  # of all that is random
warm_repeats: int = 2  # timed calls
profile: str = "lab"  # set by the runner
output_dir: str = "outputs/lab/own"  # set by the runner
"""
VALUES = {
    "k": 5,
    "prompts": ["I", "春眠"],
    "prompt": "My trip was",
    "chinese_prompt": "我爱中国!",
    "seed": 2024,
    "warm_repeats": 2,
    "profile": "test",
}


@pytest.fixture
def shown(monkeypatch):
    """What is displayed: bundles, or objects of IPython."""
    outputs = []
    monkeypatch.setattr(recorder, "display", lambda output, raw=False: outputs.append(output))
    return outputs


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The folder of a report; a notebook `own` declares its parameters, and so do the project's own."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    cell = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    for name in ("own", "01_baseline", "04_tang_poetry"):
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebooks / f"{name}.ipynb")
    monkeypatch.setattr(paths, "NOTEBOOKS", notebooks)
    return tmp_path / "out"


def start(folder, notebook="own", **changes):
    return recorder.Recorder(notebook, VALUES | {"output_dir": str(folder)} | changes)


@pytest.fixture
def report(shown, folder):
    started = start(folder)
    shown.clear()
    return started


def pages(shown):
    """The HTML of all that is displayed."""
    return "".join(bundle["text/html"] for bundle in shown if isinstance(bundle, dict))


def views_of(shown):
    return [bundle[views.MIME]["view"] for bundle in shown if isinstance(bundle, dict)]


def found_model(**changes):
    given = {"name": "small", "source": "npm <i>", "attempts": [], "stand_ins": []}
    return types.SimpleNamespace(**given | changes)


CAUSAL_LM = types.SimpleNamespace(count_params=lambda: 10_672)


def found_corpus(**changes):
    given = {"name": "stories", "source": "npm", "licence": "MIT", "sha256": "0" * 64, "counts": {"kept": 1000}}
    return types.SimpleNamespace(**given | {"attempts": [], "is_stand_in": False} | changes)


def test_a_wrong_value_in_the_parameters_cell_is_refused(shown, folder):
    with pytest.raises(UserError, match="the parameters cell: profile is ''"):
        start(folder, profile="")
    with pytest.raises(UserError, match="the parameters cell: k is 99"):
        start(folder, k=99)


def test_the_parameters_are_shown_with_what_they_mean_and_without_those_that_the_runner_sets(shown, folder):
    report = start(folder)
    page = pages(shown)
    assert "<td" in page and "how many &lt; all" in page and "I, 春眠" in page
    assert "output dir" not in page and "profile" not in page and str(folder) not in page
    assert report.results.parameters == VALUES
    assert report.results.profile == "test" and report.folder == folder and folder.is_dir()


@pytest.mark.parametrize("in_run", [True, False])
def test_only_in_jupyterlab_a_style_is_shown(monkeypatch, shown, folder, in_run):
    monkeypatch.setattr(progress, "in_report_run", lambda: in_run)
    start(folder)
    styles = [output for output in shown if not isinstance(output, dict)]
    assert [style.data for style in styles] == ([] if in_run else [recorder.LAB_STYLE])


def test_what_is_shown_is_a_view_by_its_name_beside_its_html(monkeypatch, report):
    given = []
    monkeypatch.setattr(recorder, "display", lambda output, raw=False: given.append((output, raw)))
    report.show("text", text="a < b", kind="note")
    ((bundle, raw),) = given
    assert raw and bundle == {
        "application/vnd.text-generation-report.view+json": {
            "view": "text",
            "options": {"text": "a < b", "kind": "note"},
        },
        "text/html": '<p class="note">a &lt; b</p>',
    }


def test_a_view_with_nothing_to_tell_is_not_shown(report, shown):
    report.used_model(found_model(), CAUSAL_LM)
    report.show_table(pd.DataFrame())
    assert shown == []


def test_the_model_that_ran_is_recorded_and_what_was_tried_before_is_shown(report, shown, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef")
    stand_in = made_records.stand_in()
    tried = ["kaggle: no network", UserError("hub < with hf_0123456789abcdef")]
    report.used_model(found_model(attempts=tried, stand_ins=[stand_in]), CAUSAL_LM)
    (model,) = report.results.models
    assert (model.name, model.source, model.parameters) == ("small", "npm <i>", 10_672)
    assert model.attempts[0] == "kaggle: no network"
    assert report.results.stand_ins == [stand_in]
    assert views_of(shown) == ["model"]
    assert ">kaggle: no network</li>" in pages(shown) and "hub &lt; with" in pages(shown)
    assert "Used instead: npm &lt;i&gt;." in pages(shown)
    assert "0123456789abcdef" not in pages(shown)


def test_what_a_model_s_loading_tried_is_shown_again_though_results_of_others_were_read_since(report, shown):
    report.used_model(found_model(attempts=["kaggle: no network"]), CAUSAL_LM)
    other = made_records.results("01_baseline", models=[made_records.model(attempts=["something else"])])
    report.used_results(other)
    (bundle,) = shown
    view = bundle[views.MIME]
    assert views.VIEWS[view["view"]](report.page, **view["options"]) == bundle["text/html"]


def test_the_texts_are_recorded_and_shown_with_what_was_dropped(report, shown):
    report.used_corpus(found_corpus(counts={"found": 1234, "dropped: a < b": 1, "kept": 1233}), "stories")
    report.used_corpus(found_corpus(name="fiction", is_stand_in=True, attempts=["no network"]), "reddit_tifu")
    assert [corpus.name for corpus in report.results.corpora] == ["stories", "fiction"]
    assert report.results.corpora[0].counts["found"] == 1234
    assert report.results.stand_ins == [made_records.stand_in("fiction", "reddit_tifu")]
    first, second = (bundle["text/html"] for bundle in shown)
    assert "1,234" in first and "dropped: a &lt; b" in first and "MIT" in first and f"{'0' * 16}…" in first
    assert ">stories</th>" in first and "no network" not in first and "Stories: 1,233 texts" in first
    assert ">fiction</th>" in second and ">no network</li>" in second
    assert [bundle[views.MIME]["options"] for bundle in shown] == [{"number": 0}, {"number": 1}]


def test_a_stand_in_is_recorded_once(report):
    stand_in = made_records.stand_in("fiction", "reddit_tifu")
    for _ in range(2):
        report.used_corpus(found_corpus(name="fiction", is_stand_in=True), "reddit_tifu")
    report.used_model(found_model(stand_ins=[stand_in]), CAUSAL_LM)
    assert report.results.stand_ins == [stand_in]


def test_what_stands_behind_the_results_of_others_is_recorded_once(report):
    found = made_records.experiments()
    for other in found.all():
        other.stand_ins = [made_records.stand_in()]
    found.tang.models = [made_records.model(name="another")]
    report.used_results(*found.all())
    assert [model.name for model in report.results.models] == ["gpt2_base_en", "another"]
    assert len(report.results.corpora) == 1 and report.results.stand_ins == [made_records.stand_in()]


def test_a_table_goes_to_a_file_and_is_shown_as_it_is(report, shown, folder):
    table = pd.DataFrame({"work_<": ["a\nb", 'c "d"'], "ratio": [1.5, np.nan], "n": [12345, 2], "met": [True, False]})
    report.table("rows", table, "A < b")
    pd.testing.assert_frame_equal(pd.read_csv(folder / "rows.csv"), table, check_dtype=False)
    (bundle,) = shown
    options = bundle[views.MIME]["options"]
    assert options["rows"][1] == {"work_<": 'c "d"', "ratio": None, "n": 2, "met": False}
    assert json.loads(json.dumps(options, allow_nan=False)) == options
    assert ">A &lt; b</span></caption>" in bundle["text/html"] and "12,345" in bundle["text/html"]
    assert bundle["text/html"].count(">yes</td>") == 1


def test_a_file_can_be_written_without_being_shown(report, shown, folder):
    report.add_file("samples", pd.DataFrame({"text": ["春眠\n", "=1+1"], "n": [1, 2]}))
    assert shown == []
    assert (folder / "samples.csv").read_text(encoding="utf-8") == '"text","n"\n"春眠\n",1\n"=1+1",2\n'


def test_figures_are_written_and_shown_with_their_alternative_text(report, shown, folder):
    drawn = Figure()
    drawn.subplots().plot([1, 2])
    report.show_picture("lines", drawn, alt='a "line"', caption="A < line.")
    assert (folder / "figures" / "lines.svg").read_text().startswith("<?xml")
    assert 'alt="a &#34;line&#34;"' in pages(shown) and "A &lt; line." in pages(shown)
    assert report.results.figures == ["figures/lines.svg"]
    assert shown[0][views.MIME]["options"]["file"] == "figures/lines.svg"


def test_a_figure_that_pyplot_made_is_shown_once(report):
    drawn, axes = pyplot.subplots()
    axes.plot([1, 2])
    report.show_picture("lines", drawn, alt="a line", caption="A line.")
    shown_again_by_jupyter = pyplot.fignum_exists(drawn.number)
    pyplot.close("all")
    assert not shown_again_by_jupyter


def test_a_figure_of_the_records_is_listed_once_however_often_it_is_shown(shown, folder):
    report = start(folder, "01_baseline")
    report.measured.as_in_post, report.measured.own_step = made_records.timing(), None
    for _ in range(2):
        report.show("figure", name="calls")
    assert report.results.figures == ["figures/calls.svg"]
    assert "<text" in (folder / "figures" / "calls.svg").read_text()


def test_finish_writes_what_was_found_and_no_path(report, folder, tmp_path):
    report.measured.loss = pd.Series([1.5]).mean()
    report.used_model(found_model(stand_ins=[made_records.stand_in("a", "b")]), CAUSAL_LM)
    report.finish("It is so.")
    written = (folder / "results.json").read_text(encoding="utf-8")
    loaded = records.load(folder / "results.json")
    assert loaded.answer == {"en": "It is so."}
    assert loaded.measured.loss == 1.5
    assert loaded.stand_ins == [made_records.stand_in("a", "b")]
    assert loaded.machine.packages["keras-hub"] == "0.32.0"
    assert loaded.machine.commit or loaded.machine.no_commit_because
    assert 0 <= loaded.minutes < 1
    assert (loaded.notebook, loaded.profile, loaded.changed) == ("own", "test", {})
    assert str(tmp_path) not in written


def test_finish_keeps_the_answer_in_every_language_and_shows_the_english_one(report, shown, folder):
    report.finish({"en": "It is < so.", "zh": "是这样。"})
    assert records.load(folder / "results.json").answer == {"en": "It is < so.", "zh": "是这样。"}
    assert views_of(shown) == ["answer", "environment"]
    assert '<p class="answer">It is &lt; so.</p>' in pages(shown) and "是这样" not in pages(shown)


def measure(report, measured):
    """Sets what a notebook measures, field by field, as a notebook does."""
    for name in type(measured).model_fields:
        setattr(report.measured, name, getattr(measured, name))


def test_finish_writes_the_records_of_a_notebook_of_the_report(shown, folder):
    report, measured = start(folder, "04_tang_poetry"), made_records.tang()
    measure(report, measured)
    report.finish()
    loaded = records.load(folder / "results.json")
    assert loaded.measured == measured and isinstance(loaded.measured, records.TangPoetry)
    assert loaded.answer == {}
    assert "60 % of the generated poems" in pages(shown)


@pytest.mark.parametrize("missing", ["samples", "quality", "as_in_post"])
def test_finish_refuses_what_is_missing_and_names_it(shown, folder, missing):
    report = start(folder, "01_baseline")
    measure(report, made_records.baseline())
    delattr(report.measured, missing)
    with pytest.raises(UserError, match=f"The results of 01_baseline are not whole: .*{missing}"):
        report.finish()
    assert not (folder / "results.json").exists()


def test_what_is_not_of_its_type_is_refused_where_it_is_set(shown, folder):
    report = start(folder, "04_tang_poetry")
    for wrong in (math.nan, "much", None):
        with pytest.raises(pydantic.ValidationError, match="tokens_per_character"):
            report.measured.tokens_per_character = wrong
    with pytest.raises(pydantic.ValidationError, match="tokens_per_caracter"):
        report.measured.tokens_per_caracter = 1.0


def test_a_figure_that_is_not_a_number_is_written_as_none(shown, folder, report):
    report.measured.loss, report.measured.rows = math.nan, [{"a": math.inf, "b": 1.0}]
    report.finish("It is so.")
    text = (folder / "results.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    measured = records.load(folder / "results.json").measured
    assert measured.loss is None and measured.rows == [{"a": None, "b": 1.0}]


def test_numpy_s_numbers_are_written_as_numbers(report, folder):
    report.measured.whole, report.measured.real = np.int64(3), np.float32(1.5)
    report.measured.rows = [{"n": np.int64(4), "met": np.bool_(True)}]
    report.finish("It is so.")
    measured = records.load(folder / "results.json").measured
    assert (measured.whole, measured.real, measured.rows) == (3, 1.5, [{"n": 4, "met": True}])


def test_half_an_emoji_in_a_text_is_survived(shown, folder):
    report, measured = start(folder, "04_tang_poetry"), made_records.tang()
    measured.samples[0].text = measured.examples[0][0] = "a\ud83d\x1b\x00"
    measure(report, measured)
    report.show("example_poems")
    report.show("poems", labels=["before fine-tuning"])
    report.finish()
    assert records.load(folder / "results.json").measured.samples[0].text == "a\ud83d\x1b\x00"
    assert "a[U+D83D]␛␀" in pages(shown) and "\x1b" not in pages(shown)
    pages(shown).encode()
