import json
import os
import subprocess
import sys

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from lib.core import paths
from lib.evaluation import continuations, timing
from lib.report import figures


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def widths(figure):
    return [patch.get_width() for patch in figure.axes[0].patches]


def heights(axes):
    return [pytest.approx(patch.get_height()) for patch in axes.patches]


def test_call_times_draws_each_call_and_tells_it():
    rows = [
        {"label": "a", "samples": {timing.COLD: [14.8], timing.WARM: [6.8, 6.9], timing.FIRST_TOKEN: [0.1]}},
        {"label": "b", "samples": {timing.COLD: [9.0], timing.WARM: [4.2]}},
    ]
    figure, alt = figures.call_times(rows)
    assert [[patch.get_width() for patch in axes.patches] for axes in figure.axes] == [[14.8, 6.8, 6.9], [9.0, 4.2]]
    assert "a: 14.8, 6.8, 6.9; b: 9.0, 4.2." in alt


def test_loss_curve_tells_where_it_starts_and_ends():
    steps = pd.DataFrame({"step": [1, 2], "loss": [4.0, 2.0], "mean_loss": [4.0, 3.0], "mean_token_loss": [5.0, 4.25]})
    figure, alt = figures.loss_curve(steps)
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[4, 2], [4, 3], [5, 4.25]]
    assert "starts at 5.00 and ends at 4.25" in alt


def test_repetition_by_perplexity_has_a_point_for_each_row_and_a_star_for_people():
    cells = pd.DataFrame(
        {
            "label": ["greedy", "people"],
            "perplexity": [3.0, 40.0],
            "perplexity_low": [2.5, 30.0],
            "perplexity_high": [3.5, 50.0],
            "rep_4": [40.0, 1.0],
            "rep_4_low": [30.0, 0.0],
            "rep_4_high": [50.0, 2.0],
        }
    )
    figure, alt = figures.repetition_by_perplexity(cells)
    lines = figure.axes[0].lines
    points = {
        line.get_marker(): (line.get_xdata()[0], line.get_ydata()[0]) for line in lines if len(line.get_xdata()) == 1
    }
    assert points == {"o": (3, 40), "*": (40, 1)}
    spans = [(list(line.get_xdata()), list(line.get_ydata())) for line in lines if len(line.get_xdata()) == 2]
    assert ([2.5, 3.5], [40, 40]) in spans and ([40, 40], [0, 2]) in spans
    assert {text.get_text() for text in figure.axes[0].texts} == {"greedy", "people"}
    assert "greedy: 40 % at 3.0; people: 1 % at 40.0." in alt


def test_form_and_bits_draw_what_they_tell():
    shares = {f"{name}_{part}": 50.0 for name in ("well_formed", "rhyme") for part in ("percent", "low", "high")}
    none = {f"alternating_{part}": None for part in ("percent", "low", "high")}
    figure, alt = figures.poem_form({"before": shares | none, continuations.TANG: shares | none})
    assert [len(axes.patches) for axes in figure.axes] == [2, 2, 0]
    assert "pairs that rhyme, Tang poets: 50" in alt and "alternate" not in alt
    nan = {name: float("nan") for name in none}  # as it is before it was written as JSON
    figure, alt = figures.poem_form({"before": shares | nan, continuations.TANG: shares | nan})
    assert [len(axes.patches) for axes in figure.axes] == [2, 2, 0] and "nan" not in alt
    figure, alt = figures.bits_per_character({"stories": 1.25, "poems": 9.5})
    assert widths(figure) == [1.25, 9.5]
    assert "poems 9.50." in alt


def test_speed_draws_what_it_tells():
    figure, alt = figures.speed([22.81, 9.0], [15.0, 16.0], [7.0, 6.5])
    assert heights(figure.axes[0]) == [22.81, 9.0]
    assert heights(figure.axes[1]) == [15, 16, 7, 6.5]
    assert "cold: 15.0 and 16.0; warm: 7.0 and 6.5" in alt


def test_a_reader_s_matplotlibrc_changes_no_figure(tmp_path):
    """Among them a setting that fails without LaTeX, and one that prints white on black."""
    code = (
        "import hashlib, io, json; from lib import figures; import matplotlib.pyplot as plt; axes = plt.subplots()[1]\n"
        "axes.plot([1, 2]); axes.set(title='a_b'); file = io.BytesIO()\n"
        "plt.savefig(file, format='svg', metadata={'Date': None})\n"
        "print(json.dumps([plt.rcParams['text.usetex'], hashlib.sha256(file.getvalue()).hexdigest()]))"
    )
    (tmp_path / "matplotlibrc").write_text(
        "text.usetex: True\naxes.facecolor: black\nfigure.facecolor: black\ntext.color: white\nlines.linewidth: 9\n"
    )
    told = []
    for variables in ({}, {"MATPLOTLIBRC": str(tmp_path)}):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=paths.ROOT, env=os.environ | variables, capture_output=True, text=True)
        told.append(json.loads(done.stdout.splitlines()[-1]))
    assert told[0] == told[1] and told[0][0] is False
