import json
import os
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ElementTree

import made_records
import pytest
from made_records import estimate
from matplotlib.figure import Figure

from lib.core import paths, records
from lib.core.records import CallState
from lib.report import figures

SVG = "{http://www.w3.org/2000/svg}"
POEM = "床前明月光，疑是地上霜。"
REPEATED = {
    figures.WRITTEN: made_records.rounds(),
    figures.LOOPS: made_records.rounds((0.3, 0.5, 0.7)),
    figures.STORIES: made_records.rounds((0.1, 0.12, 0.11)),
}
SHARES = made_records.poem_form(50.0, 50.0, None)


LABELS = {  # some of the texts of each kind of figure
    "calls": ["as in the post", "own step", "call 1", "seconds"],
    "loss": ["step", "loss (nats)", "mean so far, per token"],
    "repetition": ["greedy", "people", "perplexity to the model (log scale)"],
    "repeated": ["a sentence, written again", "loops of greedy decoding", "probability of a token", "3"],
    "speed": ["Blog post", "before, first call", "after, first call", "before, later calls", "22.8", "6.5"],
    "form": ["before", f"after, {POEM}", "well formed", "%"],
    "gibberish": ["Chinese: letters in words", "English: looped", "people, Chinese declaration"],
    "bits": ["stories", POEM, "1.25", "9.50"],
}


CALLS = [
    ("Blog post", [("before", CallState.FIRST, 22.81), ("after", CallState.FIRST, 9.0)]),
    ("Here", [("before", CallState.FIRST, 15.0), ("before", CallState.LATER, 6.5)]),
]


def widths(figure):
    return [patch.get_width() for patch in figure.axes[0].patches]


def heights(axes):
    return [pytest.approx(patch.get_height()) for patch in axes.patches]


def labelled(text):
    figure = Figure()
    axes = figure.subplots()
    axes.barh([f"after {text}"], [1])
    axes.set_title(f"{text} $x^2$")
    return figure


def texts_of(file):
    """The texts of an SVG file."""
    return ["".join(text.itertext()) for text in ElementTree.parse(file).getroot().iter(f"{SVG}text")]


def gibberish_rows(**changes):
    quality = made_records.quality(**changes)
    return {
        "Chinese": [
            ("model", quality.chinese),
            ("people", quality.people_chinese),
            ("chance", quality.people_shuffled),
        ],
        "English": [("model", quality.english)],
    }


def demands(groups):
    """The picture of the three demands, of groups with a single run."""
    scale = {share: (estimate(90.0, 85.0, 95.0), estimate(5.0)) for share in figures.DEMANDS}
    return figures.poem_demands({name: [form] for name, form in groups.items()}, {}, scale)


def all_kinds():
    """A figure of each kind."""
    people = made_records.text_group("people", perplexity=30.0)
    return {
        "calls": figures.call_times([made_records.timing("as in the post"), made_records.timing("own step")]),
        "loss": figures.loss_curve(made_records.training().curve),
        "repetition": figures.repetition_by_perplexity([made_records.text_group("greedy"), people], "people"),
        "repeated": figures.repetition_probability(REPEATED),
        "speed": figures.speed(CALLS),
        "form": demands({"before": SHARES, f"after, {POEM}": SHARES}),
        "gibberish": figures.gibberish(gibberish_rows()),
        "bits": figures.bits_per_character({"stories": {"before": 1.25}, "poems": {POEM: 9.5}}),
    }


def test_call_times_draws_each_call_and_tells_it():
    timings = [
        made_records.timing("a", 14.8, (6.8, 6.9), (0.1,)),
        made_records.timing("b", 9.0, (4.2,), (0.1,)),
    ]
    figure, alt = figures.call_times(timings)
    assert [[patch.get_width() for patch in axes.patches] for axes in figure.axes] == [[14.8, 6.8, 6.9], [9.0, 4.2]]
    first, *later = (patch.get_facecolor() for patch in figure.axes[0].patches)
    assert first not in later and len(set(later)) == 1
    assert "a: 14.8, 6.8, 6.9; b: 9.0, 4.2." in alt


def test_loss_curve_tells_where_it_starts_and_ends():
    curve = records.LossCurve(loss=[4.0, 2.0], mean_loss=[4.0, 3.0], mean_token_loss=[5.0, 4.25])
    figure, alt = figures.loss_curve(curve)
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[4, 2], [4, 3], [5, 4.25]]
    assert all(list(line.get_xdata()) == [1, 2] for line in figure.axes[0].lines)
    assert "starts at 5.00 and ends at 4.25" in alt


def test_repetition_by_perplexity_has_a_point_for_each_group_and_a_star_for_people():
    groups = [
        made_records.text_group("greedy", perplexity=estimate(3.0, 2.5, 3.5), rep_4=estimate(40.0, 30.0, 50.0)),
        made_records.text_group("people", perplexity=estimate(40.0, 30.0, 50.0), rep_4=estimate(1.0, 0.0, 2.0)),
    ]
    figure, alt = figures.repetition_by_perplexity(groups, "people")
    lines = figure.axes[0].lines
    points = {
        line.get_marker(): (line.get_xdata()[0], line.get_ydata()[0]) for line in lines if len(line.get_xdata()) == 1
    }
    assert points == {"o": (3, 40), "*": (40, 1)}
    spans = [(list(line.get_xdata()), list(line.get_ydata())) for line in lines if len(line.get_xdata()) == 2]
    assert ([2.5, 3.5], [40, 40]) in spans and ([40, 40], [0, 2]) in spans
    colours = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert set(colours) == {"greedy", "people"} and colours["people"] == figures.ORANGE != colours["greedy"]
    assert "greedy: 40 % at 3.0; people: 1 % at 40.0." in alt


def test_a_group_whose_perplexity_is_not_known_has_no_point():
    groups = [
        made_records.text_group("greedy", perplexity=None),
        made_records.text_group("one text", perplexity=estimate(5.0), rep_4=estimate(2.0)),
        made_records.text_group("people"),
    ]
    figure, alt = figures.repetition_by_perplexity(groups, "people")
    assert {text.get_text() for text in figure.axes[0].texts} == {"one text", "people"}
    assert "greedy" not in alt and "None" not in alt
    assert len([line for line in figure.axes[0].lines if len(line.get_xdata()) == 2]) == 2  # people's


def test_without_any_figure_the_axes_are_drawn_alone(tmp_path):
    groups = [made_records.text_group("greedy", perplexity=None), made_records.text_group("people", rep_4=None)]
    figure, alt = figures.repetition_by_perplexity(groups, "people")
    figures.save(figure, tmp_path / "figure.svg")
    assert not figure.axes[0].texts and not figure.axes[0].lines and "None" not in alt


def test_labels_do_not_cover_each_other():
    groups = [made_records.text_group(f"sampler {number}", perplexity=10.0 + number / 10) for number in range(8)]
    figure, _ = figures.repetition_by_perplexity(groups, "people")
    renderer = figures.FigureCanvasAgg(figure).get_renderer()
    boxes = [figures.Text.get_window_extent(text, renderer) for text in figure.axes[0].texts]
    assert len(boxes) == 8
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[place + 1 :])


def test_repetition_probability_draws_a_line_and_a_band_for_each_kind_of_text():
    figure, alt = figures.repetition_probability(REPEATED)
    (axes,) = figure.axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[0.1, 0.6, 0.8], [0.3, 0.5, 0.7], [0.1, 0.12, 0.11]]
    assert all(list(line.get_xdata()) == [1, 2, 3] for line in axes.lines)
    ends = axes.collections[0].get_paths()[0].vertices
    assert (ends[:, 1].min(), ends[:, 1].max()) == (pytest.approx(0.05), pytest.approx(0.85))
    assert len({line.get_color() for line in axes.lines}) == 3
    assert "a sentence, written again: 0.10, 0.60, 0.80;" in alt


def test_a_line_without_texts_is_left_out():
    figure, alt = figures.repetition_probability(REPEATED | {figures.LOOPS: made_records.rounds((), texts=0)})
    assert len(figure.axes[0].lines) == 2 and "greedy" not in alt
    figures.repetition_probability({figures.WRITTEN: made_records.rounds((), texts=0)})


def test_bits_of_other_texts_have_a_panel_and_an_axis_of_their_own():
    figure, alt = figures.bits_per_character({"Stories": {"before": 1.4, "fine-tuned": 1.25}, "Poems": {"before": 9.5}})
    assert [[patch.get_width() for patch in axes.patches] for axes in figure.axes] == [[1.4, 1.25], [9.5]]
    assert [axes.get_xlim()[1] for axes in figure.axes] == pytest.approx([1.2 * 1.4, 1.2 * 9.5])
    assert alt.endswith("Stories: before 1.40, fine-tuned 1.25; Poems: before 9.50.")


def test_each_language_of_the_texts_has_panels_of_its_own():
    figure, alt = figures.gibberish(gibberish_rows())
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert list(panels) == [
        "Chinese: letters in words",
        "Chinese: looped",
        "English: letters in words",
        "English: looped",
    ]
    assert [patch.get_width() for patch in panels["Chinese: letters in words"].patches] == pytest.approx(
        [46.7, 78, 9], abs=0.1
    )
    assert len({patch.get_facecolor() for patch in panels["Chinese: letters in words"].patches}) == 3
    assert [len(axes.lines) for axes in figure.axes] == [
        3,
        2,
        1,
        1,
    ]  # an interval each; of shuffled characters no loops are told
    assert (
        "letters in words, people, Chinese declaration: 78.0" in alt
        and "looped, the model, Chinese prompt: 33.3" in alt
    )


def test_a_group_without_texts_has_no_bar():
    nobody = made_records.text_quality("nobody", (), (), ())
    figure, alt = figures.gibberish(gibberish_rows(people_shuffled=nobody))
    assert [len(axes.patches) for axes in figure.axes] == [2, 2, 1, 1] and "nobody" not in alt and "None" not in alt


def test_speed_draws_what_it_tells():
    figure, alt = figures.speed(CALLS)
    assert widths(figure) == [22.81, 9.0, 15, 6.5]
    first, later = figure.axes[0].patches[0], figure.axes[0].patches[-1]
    assert first.get_hatch() and not later.get_hatch()  # told apart in grey
    assert "Blog post: before, first call 22.8, after, first call 9.0; Here: before, first call 15.0, before, " in alt
    assert len(figure.axes) == 1


@pytest.mark.parametrize("kind", LABELS)
def test_text_in_a_figure_is_text_and_the_same_figure_is_the_same_file(kind, tmp_path):
    for name in ("one", "two"):
        figure, alt = all_kinds()[kind]
        figures.save(figure, tmp_path / f"{name}.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert set(LABELS[kind]) <= {text.strip() for text in texts_of(tmp_path / "one.svg")}
    assert len(alt) > 50 and alt.endswith(".")
    assert "<dc:date>" not in (tmp_path / "one.svg").read_text()
    assert "<image" not in (tmp_path / "one.svg").read_text()


def test_a_chinese_label_is_whole_and_no_warning_tells_that_this_machine_lacks_a_font(recwarn, tmp_path):
    figures.save(labelled(POEM), tmp_path / "figure.svg")
    figure, _ = demands({f"after, {POEM}": SHARES})
    figures.save(figure, tmp_path / "form.svg")
    assert [str(warning.message) for warning in recwarn if "Glyph" in str(warning.message)] == []
    assert f"after {POEM}" in texts_of(tmp_path / "figure.svg") and f"{POEM} $x^2$" in texts_of(tmp_path / "figure.svg")
    assert f"after, {POEM}" in texts_of(tmp_path / "form.svg")


def test_a_chinese_label_has_room_for_characters_that_are_wider_than_what_this_machine_draws(tmp_path):
    widths = []
    for label in ("x" * 12, POEM):
        figure = Figure()
        figure.subplots().barh([label], [1])
        figures.save(figure, tmp_path / "figure.svg")
        box = ElementTree.parse(tmp_path / "figure.svg").getroot().get("viewBox")
        with warnings.catch_warnings(action="ignore"):
            drawn = figure.get_tightbbox().width
        widths.append(float(box.split()[2]) / 72 - drawn)  # inches beyond what is drawn here
    assert widths[0] == pytest.approx(0.2, abs=0.01)
    assert widths[1] - widths[0] == pytest.approx(10 * len("床前明月光疑是地上霜") * figures.WIDER / 72, abs=0.01)


@pytest.mark.parametrize("label", ["<b> & \"'", "a$x^2$_{b}", "\U0001f600", "]]> -->"])
def test_a_label_is_told_as_it_is(label, tmp_path):
    figures.save(labelled(label), tmp_path / "figure.svg")
    assert {f"after {label}", f"{label} $x^2$"} <= set(texts_of(tmp_path / "figure.svg"))


@pytest.mark.parametrize(
    ("prompt", "seen"), [("\ufffe", "[U+FFFE]"), ("a\u202e", "a[U+202E]"), ("床\u200b", "床[U+200B]")]
)
def test_what_has_no_shape_in_a_prompt_can_be_seen_and_breaks_no_figure(prompt, seen, tmp_path):
    figure, _ = demands({f"after, {prompt}": SHARES})
    figures.save(figure, tmp_path / "figure.svg")
    assert f"after, {seen}" in texts_of(tmp_path / "figure.svg")


def test_a_reader_s_matplotlibrc_changes_no_figure(tmp_path):
    """Among them a setting that fails without LaTeX, and one that prints white on black."""
    code = (
        "import hashlib, json, pathlib, sys; from lib.report import figures; import matplotlib\n"
        "figure = figures.Figure(); axes = figure.subplots(); axes.plot([1, 2]); axes.set(title='a_b')\n"
        "file = pathlib.Path(sys.argv[1]); figures.save(figure, file)\n"
        "told = [matplotlib.rcParams['text.usetex'], hashlib.sha256(file.read_bytes()).hexdigest()]\n"
        "print(json.dumps(told))"
    )
    (tmp_path / "matplotlibrc").write_text(
        "text.usetex: True\naxes.facecolor: black\nfigure.facecolor: black\ntext.color: white\nlines.linewidth: 9\n"
        "svg.fonttype: path\n"
    )
    told = []
    for variables in ({}, {"MATPLOTLIBRC": str(tmp_path)}):
        command = [sys.executable, "-c", code, tmp_path / "figure.svg"]
        done = subprocess.run(command, cwd=paths.ROOT, env=os.environ | variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout.splitlines()[-1]))
    assert told[0] == told[1] and told[0][0] is False
