import json
import os
import re
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
    "calls": ["as in the post", "own step", "first call", "call 2", "20.0", "seconds"],
    "loss": ["training step", "loss (nats)", "mean so far, per token"],
    "repetition": ["greedy", "people", "(logarithmic axis)", "phrases (rep-4, %)"],
    "repeated": ["a sentence, written again", "loops of greedy decoding", "the next token of the sentence", "3"],
    "speed": ["Blog post", "before, first call", "after, first call", "before, later calls", "22.8", "6.5"],
    "form": ["before", "after,", POEM, "poems of regular form, %", "Tang 90", "chance 5.0", "50"],
    "gibberish": [
        "Chinese prompt: letters or Chinese characters in words",
        "people: Human Rights Declaration",
        "mean 78 %",
    ],
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
        "Chinese prompt": [
            ("model", quality.chinese),
            ("people", quality.people_chinese),
            ("chance", quality.people_shuffled),
        ],
        "English prompt": [("model", quality.english)],
    }


def demands(groups):
    """The picture of the three demands, of groups with a single run."""
    scale = {share: (estimate(90.0, 85.0, 95.0), estimate(5.0)) for share in figures.DEMANDS}
    return figures.poem_demands([(name, [form], form.shares) for name, form in groups.items()], scale)


def all_kinds():
    """A figure of each kind."""
    people = made_records.text_group("people", perplexity=30.0)
    return {
        "calls": figures.call_times([made_records.timing("as in the post"), made_records.timing("own step")]),
        "loss": figures.loss_curve(made_records.training().curve),
        "repetition": figures.repetition_by_perplexity([made_records.text_group("greedy"), people], [], "people"),
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
    first, *later = figure.axes[0].patches
    assert first.get_hatch() and not any(patch.get_hatch() for patch in later)  # grey print has no colours
    assert first.get_facecolor() not in {patch.get_facecolor() for patch in later}
    assert [text.get_text() for text in figure.axes[0].texts] == ["14.8", "6.8", "6.9"]
    assert "a: 14.8, 6.8, 6.9; b: 9.0, 4.2." in alt


def test_loss_curve_tells_where_it_starts_and_ends():
    curve = records.LossCurve(loss=[4.0, 2.0], mean_loss=[4.0, 3.0], mean_token_loss=[5.0, 4.25])
    figure, alt = figures.loss_curve(curve)
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[4, 2], [4, 3], [5, 4.25]]
    assert all(list(line.get_xdata()) == [1, 2] for line in figure.axes[0].lines)
    assert "starts at 5.00 and ends at 4.25" in alt


def strips(groups, texts=()):
    """The strip plot, its dots by panel and place, and its middles: `{(panel, row): values}`."""
    figure, alt = figures.repetition_by_perplexity(groups, list(texts), "people")
    dots, middles = {}, {}
    for panel, axes in enumerate(figure.axes):
        for line in axes.lines:
            if line.get_marker() in "oD":
                dots[panel, round(line.get_ydata().mean())] = list(line.get_xdata())
            elif len(set(line.get_xdata())) == 1:
                middles[panel, round(sum(line.get_ydata()) / 2)] = line.get_xdata()[0]
    return figure, alt, dots, middles


def judged(label, *figures_of):
    return [
        made_records.sample(label, rep_4_percent=rep_4, perplexity=perplexity, number=number)
        for number, (rep_4, perplexity) in enumerate(figures_of, 1)
    ]


def test_each_text_has_a_dot_and_each_group_a_median_with_people_on_top():
    groups = [
        made_records.text_group("random", perplexity=90.0),
        made_records.text_group("greedy", perplexity=3.0),
        made_records.text_group("people", perplexity=40.0),
    ]
    texts = judged("greedy", (80.0, 2.0), (20.0, 3.0), (90.0, 5.0)) + judged("people", (0.0, 30.0), (2.0, 50.0))
    texts += judged("random", (0.0, 90.0))
    figure, alt, dots, middles = strips(groups, texts)
    assert dots[0, 0] == [0, 2] and dots[1, 0] == [30, 50]
    assert dots[0, 1] == [80, 20, 90] and dots[1, 1] == [2, 3, 5] and dots[1, 2] == [90]
    assert [middles[0, row] for row in range(3)] == [1, 80, 0] and middles[1, 0] == 40
    assert [text.get_text() for text in figure.axes[0].texts] == ["people", "greedy", "random"]
    assert alt.endswith("people, 1 %, 40; greedy, 80 %, 3.0; random, 0 %, 90.")
    assert figure.axes[1].get_xscale() == "log"


def test_dots_of_the_same_figure_lie_apart_and_always_in_the_same_way():
    groups = [made_records.text_group("people")]
    heights = [
        list(strips(groups, judged("people", *[(0.0, 5.0)] * 20))[0].axes[0].lines[0].get_ydata()) for _ in range(2)
    ]
    assert heights[0] == heights[1] and len(set(heights[0])) == 20 and max(map(abs, heights[0])) < 0.2


def test_without_figures_of_the_texts_a_group_has_its_mean_and_interval():
    groups = [
        made_records.text_group("greedy", perplexity=estimate(3.0, 2.5, 3.5), rep_4=estimate(40.0, 30.0, 50.0)),
        made_records.text_group("people", perplexity=None),
    ]
    figure, alt, dots, middles = strips(groups)
    assert not dots and middles[0, 1] == 40 and middles[1, 1] == 3 and (1, 0) not in middles
    assert [2.5, 3.5] in [list(line.get_xdata()) for line in figure.axes[1].lines]
    assert alt.endswith("people, 5 %; greedy, 40 %, 3.0.") and "None" not in alt


def test_without_any_figure_the_axes_are_drawn_alone(tmp_path):
    figure, alt, dots, middles = strips([made_records.text_group("people", perplexity=None, rep_4=None)])
    figures.save(figure, tmp_path / "figure.svg")
    assert not dots and not middles and "None" not in alt


def test_repetition_probability_draws_a_line_and_a_band_for_each_kind_of_text():
    figure, alt = figures.repetition_probability(REPEATED)
    (axes,) = figure.axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[0.1, 0.6, 0.8], [0.3, 0.5, 0.7], [0.1, 0.12, 0.11]]
    assert all(list(line.get_xdata()) == [1, 2, 3] for line in axes.lines)
    ends = axes.collections[0].get_paths()[0].vertices
    assert (ends[:, 1].min(), ends[:, 1].max()) == (pytest.approx(0.05), pytest.approx(0.85))
    assert len({line.get_color() for line in axes.lines}) == len({line.get_marker() for line in axes.lines}) == 3
    assert [text.get_text() for text in axes.texts] == list(REPEATED)
    assert "a sentence, written again 0.10, 0.60, 0.80;" in alt


def test_the_label_of_a_line_stands_where_no_other_line_is_near():
    figure, _ = figures.repetition_probability(REPEATED)  # they end at 0.8, 0.7 and 0.11
    above = {text.get_text(): text.get_verticalalignment() == "bottom" for text in figure.axes[0].texts}
    assert above == {figures.WRITTEN: True, figures.LOOPS: False, figures.STORIES: False}


def test_a_line_without_texts_is_left_out():
    figure, alt = figures.repetition_probability(REPEATED | {figures.LOOPS: made_records.rounds((), texts=0)})
    assert len(figure.axes[0].lines) == 2 and "greedy" not in alt
    figures.repetition_probability({figures.WRITTEN: made_records.rounds((), texts=0)})


def test_bits_of_other_texts_have_a_panel_and_an_axis_of_their_own():
    figure, alt = figures.bits_per_character({"Stories": {"before": 1.4, "fine-tuned": 1.25}, "Poems": {"before": 9.5}})
    assert [[patch.get_width() for patch in axes.patches] for axes in figure.axes] == [[1.4, 1.25], [9.5]]
    assert [axes.get_xlim()[1] for axes in figure.axes] == pytest.approx([1.2 * 1.4, 1.2 * 9.5])
    assert alt.endswith("Stories: before 1.40, fine-tuned 1.25; Poems: before 9.50.")


def marks(axes):
    """The values of the texts in a panel, by their mark; the means are told apart by theirs."""
    found = {}
    for line in axes.lines:
        found.setdefault(line.get_marker(), []).extend(map(float, line.get_xdata()))
    return {marker: sorted(values) for marker, values in found.items() if marker in ("o", "^", "x", "D") and values}


def test_each_prompt_has_panels_of_its_own_with_a_mark_for_each_text_and_a_diamond_for_the_mean():
    figure, alt = figures.gibberish(gibberish_rows())
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert list(panels) == [
        "Chinese prompt: letters or Chinese characters in words",
        "Chinese prompt: characters in loops",
        "English prompt: letters or Chinese characters in words",
        "English prompt: characters in loops",
    ]
    words = marks(panels["Chinese prompt: letters or Chinese characters in words"])
    assert words["o"] == [8, 10, 20, 30, 76, 80] and words["^"] == [90]
    assert words["D"] == pytest.approx([9, 46.7, 78], abs=0.1)
    loops = marks(panels["Chinese prompt: characters in loops"])  # of shuffled characters no loops are told
    assert (loops["o"], loops["^"], len(loops["D"])) == ([0, 1, 40, 60], [0], 2)
    colours = {line.get_color() for line in panels["Chinese prompt: letters or Chinese characters in words"].lines}
    assert len(colours) == 3
    assert "letters or Chinese characters in words, people: Human Rights Declaration: mean 78 %" in alt
    assert "characters in loops, the model, Chinese prompt: mean 33 %" in alt


def test_a_group_without_texts_has_no_row():
    nobody = made_records.text_quality("nobody", (), (), ())
    figure, alt = figures.gibberish(gibberish_rows(people_shuffled=nobody))
    assert [len(marks(axes)["D"]) for axes in figure.axes] == [2, 2, 1, 1] and "nobody" not in alt and "None" not in alt


def test_a_share_that_no_text_has_gets_no_panel():
    rows = gibberish_rows()
    rows["English prompt"] = [("model", made_records.text_quality("too short", (10.0,), (None,), (0.0,)))]
    panels = [axes.get_title(loc="left") for axes in figures.gibberish(rows)[0].axes]
    assert len(panels) == 3 and panels[2] == "English prompt: letters or Chinese characters in words"


def test_every_answer_has_a_mark_of_its_own():
    assert set(figures.ANSWERS) == set(records.AnswerLanguage)
    assert len(set(figures.ANSWERS.values())) == len(figures.ANSWERS)


@pytest.mark.parametrize(
    "draw",
    [
        lambda language: figures.call_times([made_records.timing("as in the post")], language),
        lambda language: figures.loss_curve(made_records.training().curve, language),
        lambda language: figures.gibberish(gibberish_rows(), language),
    ],
    ids=["calls", "loss", "gibberish"],
)
def test_a_figure_on_a_chinese_page_has_chinese_labels_and_is_as_wide(draw, tmp_path):
    figure, alt = draw("zh")
    figures.save(figure, tmp_path / "figure.svg")
    words = " ".join(texts_of(tmp_path / "figure.svg"))
    assert not set(re.findall("[A-Za-z]+", f"{words} {alt}")) - {"Keras"}
    assert figure.get_figwidth() == figures.WIDTH
    assert {text.get_fontsize() for text in figure.findobj(figures.Text) if text.get_text()} == {10.5}


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
    assert {"after,", POEM} <= set(texts_of(tmp_path / "form.svg"))  # in two lines


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
    assert widths[1] - widths[0] == pytest.approx(10.5 * len("床前明月光疑是地上霜") * figures.WIDER / 72, abs=0.01)


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
