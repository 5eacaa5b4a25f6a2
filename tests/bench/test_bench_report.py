"""The bench's report, rendered from a few rows with known numbers."""

import copy
import html
import json

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest

from bench import costs, files
from bench import figures as bench_figures
from lib import runner
from lib.core import paths
from lib.core.errors import UserError
from lib.models import memory

MODEL = {
    "fixed_seconds": 0.05,
    "weights_gb_per_s": 20.0,
    "weights_batch_gb_per_s": 12.0,
    "arithmetic_gflop_per_s": 150.0,
    "cache_gb_per_s": 8.0,
    "median_error_percent": 0.0,
    "max_error_percent": 0.0,
}
SMALL = {"new_tokens": 197, "batch": 1, "parameters": 124439808, "num_layers": 12, "hidden_dim": 768}
LARGE = {"parameters": 354823168, "num_layers": 24, "hidden_dim": 1024}


def grown():
    """Returns rows of `growth` that follow `MODEL`; the fastest and the slowest calls are off by 10 %."""
    rows = [SMALL | {"by": "new tokens", "new_tokens": count} for count in (32, 197, 800)]
    rows += [SMALL | {"by": "batch", "batch": count} for count in (1, 4, 16)]
    rows += [SMALL | {"by": "parameters"}, SMALL | LARGE | {"by": "parameters"}]
    for row in rows:
        row["max_length"] = row["new_tokens"] + 3
        row["seconds"] = [factor * costs.predict(MODEL, row) for factor in (0.9, 1.1, 1.0)]
    return rows


def compared(work, peer, ratios, target, met, note=""):
    low, median, high = sorted(ratios) if ratios else (None, None, None)
    return {
        "work": work,
        "peer": peer,
        "unit": "tokens/s",
        "ours": [60.0, 62.0, 61.0] if ratios else [],
        "theirs": [40.0, 41.0, 42.0] if ratios else [],
        "ratios": ratios,
        "ratio_median": median,
        "ratio_low": low,
        "ratio_high": high,
        "target": target,
        "met": met,
        "note": note,
    }


ROWS = [
    compared("generate, batch 1", "Hugging Face transformers", [1.61, 1.43, 1.52], ">= 1.5", True),
    compared("generate, batch 8", "Hugging Face transformers", [1.11, 1.07, 1.09], ">= 1.2", False),
    compared("samplers", "the post's lines", [0.57, 0.55, 0.56], ">= 0.5", True),
    compared("fine-tune", "KerasHub", [1.9, 2.0, 2.1], None, None),
    compared("fine-tune, all in float32", "KerasHub", [1.2, 1.1, 1.3], None, None),
    compared("fine-tune", "transformers, bfloat16", [0.9, 0.8, 1.0], None, None),
    compared("beam search", "vLLM", [], ">= 1", None, "vLLM needs a GPU"),
]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_fit_recovers_the_costs_behind_the_rows():
    model = costs.fit(grown())
    assert model == {name: pytest.approx(value, rel=1e-6, abs=1e-6) for name, value in MODEL.items()}


def test_the_fit_reports_its_errors_and_a_cost_of_zero():
    rows = grown()
    for row in rows:
        row["seconds"] = [costs.predict(MODEL | {"cache_gb_per_s": None}, row)]
    model = costs.fit(rows)
    assert model["cache_gb_per_s"] is None or model["cache_gb_per_s"] > 1e6
    assert model["weights_gb_per_s"] == pytest.approx(20, rel=1e-3)
    rows[0]["seconds"] = [2 * rows[0]["seconds"][0]]
    model = costs.fit(rows)
    assert model["max_error_percent"] == pytest.approx(
        max(abs(100 * (costs.predict(model, row) / row["seconds"][0] - 1)) for row in rows)
    )
    assert 0 < model["median_error_percent"] < model["max_error_percent"]


def test_the_parts_add_up_to_the_cost_of_a_call():
    row = {
        "new_tokens": 9,
        "batch": 2,
        "parameters": 10**9,
        "num_layers": 10,
        "hidden_dim": 1000,
        "max_length": 12,
        "seconds": [],
    }
    parts = costs.parts(MODEL, row)
    assert parts == {
        "fixed": 0.05,
        "reading weights": pytest.approx(10 * 4e9 / 12e9),
        "arithmetic": pytest.approx(2 * 12 * 2e9 / 150e9),
        "reading the cache": pytest.approx(2 * 9 * (2 * 10 * 1000 * 4 * 12) / 8e9),
    }
    assert costs.predict(MODEL, row) == pytest.approx(sum(parts.values()))
    assert costs.parts(MODEL, row | {"batch": 1})["reading weights"] == pytest.approx(10 * 4e9 / 20e9)
    without = MODEL | {"cache_gb_per_s": None}
    assert costs.parts(without, row)["reading the cache"] == 0
    assert [row["fitted"] for row in costs.coefficients(without)] == [0.05, 20.0, 12.0, 150.0, "no share of the time"]


def test_gpu_estimates_follow_from_the_data_sheets():
    rows = {(row["preset"], row["gpu"]): row for row in costs.on_gpus()}
    assert len(rows) == 4 * len(costs.GPUS)
    row = rows["gpt2_base_en", "NVIDIA T4"]
    assert row["call_least_s"] == pytest.approx(197 * 4 * 124439808 / 320e9)
    assert row["call_expected_low_s"] == pytest.approx(row["call_least_s"] / 0.75)
    assert row["call_expected_high_s"] == pytest.approx(row["call_least_s"] / 0.3)
    assert row["step_least_s"] == pytest.approx(6 * 124439808 * 4096 / 8.1e12)
    assert row["step_expected_low_s"] == pytest.approx(row["step_least_s"] / 0.6)
    assert row["step_expected_high_s"] == pytest.approx(row["step_least_s"] / 0.3)
    needed = memory.estimate(memory.KNOWN["gpt2_base_en"], memory.training(32, 128)) + memory.GIB
    assert row["fine_tuning_gib"] == pytest.approx(needed / memory.GIB)
    assert (row["generating_fits"], row["fine_tuning_fits"], row["texts_at_a_time"]) == (True, True, 32)
    row = rows["gpt2_medium_en", "NVIDIA T4"]
    assert (row["generating_fits"], row["fine_tuning_fits"], row["texts_at_a_time"]) == (True, False, 8)
    assert rows["gpt2_extra_large_en", "NVIDIA RTX 4090"]["texts_at_a_time"] == 0
    assert "none was measured" in costs.FORMULAS


def test_ratios_draws_the_rows_with_a_ratio_and_a_target():
    figure, alt = bench_figures.ratios(ROWS)
    axes = figure.axes[0]
    points = {line.get_marker(): [] for line in axes.lines}
    for line in axes.lines:
        points[line.get_marker()] += [list(line.get_xdata())] if len(line.get_xdata()) else []
    assert points["o"] == [[1.52], [1.09], [0.56]]
    assert points["|"] == [[1.5], [1.2], [0.5]]
    assert points["None"][:3] == [[1.43, 1.61], [1.07, 1.11], [0.55, 0.57]]
    colours = [line.get_color() for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert colours == [bench_figures.BLUE, bench_figures.ORANGE, bench_figures.BLUE]
    assert axes.get_xscale() == "linear"
    assert "generate, batch 8, against Hugging Face transformers: 1.09 (1.07 to 1.11), missed" in alt
    assert not any(work in alt for work in ("fine-tune", "beam search"))
    wide = [*ROWS, compared("load", "KerasHub", [12.0, 13.0, 14.0], ">= 10", True)]
    assert bench_figures.ratios(wide)[0].axes[0].get_xscale() == "log"


def test_a_range_with_equal_ends_is_one_number():
    assert bench_figures.span(0.45, 0.47) == "0.450 to 0.470"
    assert bench_figures.span(0.45, 0.45) == "0.450"
    assert bench_figures.span(None, None) is None


def test_growth_draws_the_measurements_and_the_fitted_line():
    figure, alt = bench_figures.growth(grown(), MODEL)
    by_tokens, by_batch, by_parameters = figure.axes
    expected = [costs.predict(MODEL, row) for row in grown()]
    for axes, drawn in ((by_tokens, expected[:3]), (by_batch, None), (by_parameters, None)):
        points, fitted = axes.containers[0].lines[0].get_ydata(), axes.lines[-1].get_ydata()
        assert list(points) == pytest.approx(list(fitted))
        assert drawn is None or list(points) == pytest.approx(drawn)
    assert list(by_batch.lines[-1].get_ydata())[2] == pytest.approx(16 * 197 / expected[5])
    low, high = by_tokens.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((0.9 * expected[0], 1.1 * expected[0]))
    assert "new tokens per second by parameters, 124 M: " in alt


def test_the_report_gives_the_ratios_and_the_targets_met(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    machine = {"processor": "A processor, 2 cores", "peers": "torch 2", "read bandwidth": "28.5 GB/s", "minutes": 24.1}
    files.write(tmp_path / "bench", {"machine": machine, "rows": copy.deepcopy(ROWS), "growth": grown()})
    folder = runner.run("bench", "bench")
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    assert folder == tmp_path / "bench" / "bench"
    for told in ("1.52", "1.43 to 1.61", ">= 1.5", "not measured", "vLLM needs a GPU", "28.5 GB/s", costs.FORMULAS):
        assert told in page
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert found["answer"]["en"] == (
        "2 of 3 targets were met by the median of the pairs, 1 by every pair. "
        "Missed: generate, batch 8, against Hugging Face transformers (1.09, target >= 1.2). "
        "Met: generate, batch 1, against Hugging Face transformers (1.52, target >= 1.5); "
        "samplers, against the post's lines (0.560, target >= 0.5). "
        "Not measured: beam search, against vLLM. "
        "Fine-tuning multiplies in bfloat16 here and in float32 there; where both do the same: "
        "fine-tune, all in float32, against KerasHub (1.20); fine-tune, against transformers, bfloat16 (0.900)."
    )
    assert found["answer"]["en"] in page
    assert "The bench took 24 minutes on A processor, 2 cores." in page
    assert found["measured"]["fit"]["weights_gb_per_s"] == pytest.approx(20)
    assert len(found["figures"]) == 2
    assert list(pd.read_csv(folder / "sides.csv")["here"].dropna()) == [61.0] * 6
    assert len(pd.read_csv(folder / "gpu_estimates.csv")) == len(costs.on_gpus())


def test_without_measurements_the_report_says_what_to_run(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    namespace = {}
    with pytest.raises(UserError, match="make bench"):  # the runner prints it without a traceback, see test_runner
        for cell in nbformat.read(paths.NOTEBOOKS / "bench.ipynb", as_version=4).cells:
            if cell.cell_type == "code":
                exec(cell.source, namespace)
    assert "bench" not in namespace


def test_the_notebook_follows_the_style():
    cells = nbformat.read(paths.NOTEBOOKS / "bench.ipynb", as_version=4).cells
    assert len(cells) <= 30
    assert "**Question.**" in cells[0].source
    assert all(len(cell.source.splitlines()) <= 15 for cell in cells if cell.cell_type == "code")


@pytest.mark.parametrize(
    ("fitted", "told"), [(36.6, "36.6 GB/s, is above it"), (30.0, "30.0 GB/s, is 84 % of it"), (None, "")]
)
def test_a_fitted_rate_is_set_beside_the_bandwidth_that_was_measured(fitted, told):
    said = costs.beside_bandwidth({"weights_gb_per_s": fitted}, {"read bandwidth": "35.6 GB/s"})
    assert told in said and bool(said) == bool(told)
    assert costs.beside_bandwidth({"weights_gb_per_s": 30.0}, {}) == ""
