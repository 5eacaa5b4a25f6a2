import matplotlib.pyplot as plt
import pandas as pd
import pytest

from lib import figures, timing


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


def test_repetition_keeps_greedy_first_and_takes_means():
    samples = pd.DataFrame(
        {"prompt": ["a", "a", "a"], "method": ["greedy", "top-k", "top-k"], "rep_4": [80.0, 10.0, 20.0]}
    )
    figure, alt = figures.repetition(samples)
    assert widths(figure) == [80, 15]
    assert "greedy 80 percent, top-k 15 percent" in alt


def test_speed_and_effects_draw_what_they_tell():
    figure, alt = figures.speed([22.81, 9.0], [15.0, 16.0], [7.0, 6.5])
    assert heights(figure.axes[0]) == [22.81, 9.0]
    assert heights(figure.axes[1]) == [15, 16, 7, 6.5]
    assert "cold: 15.0 and 16.0; warm: 7.0 and 6.5" in alt
    figure, alt = figures.effects({"stories": (4.0, 3.5), "poems": (4.5, 2.8)}, {"greedy": 45.0, "top-k": 7.0})
    assert heights(figure.axes[0]) == [4.0, 4.5, 3.5, 2.8]
    assert heights(figure.axes[1]) == [45, 7]
    assert "poems 4.50 to 2.80" in alt
