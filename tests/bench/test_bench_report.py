"""The bench's report, rendered from a few rows with known numbers."""

import html

import nbformat
import pandas as pd
import pytest

from bench import __main__ as bench
from bench import comparisons, costs, files
from lib import runner
from lib.core import paths, records
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


def compared(work, peer, ratios, target=None, precisions=("float32", "float32")):
    return bench.row(
        work, peer, "tokens/s", [60.0 * one for one in ratios], [60.0] * len(ratios), target, "", precisions
    )


ROWS = [
    compared("generate, batch 1", "transformers", [1.61, 1.43, 1.52], 1.5),
    compared("generate, batch 1", "the memory-bandwidth limit", [0.8, 0.7, 0.9]),
    compared("generate, batch 8", "transformers", [1.11, 1.07, 1.09], 1.2),
    compared("fine-tune on poems", "the post's lines, padded", [1.9, 2.0, 2.1], None, ("bfloat16", "float32")),
    compared("fine-tune on poems, all in float32", "the post's lines, padded", [1.2, 1.1, 1.3]),
    compared("fine-tune on poems", "transformers, packed, bfloat16", [0.9, 0.8, 0.95], None, ("bfloat16",) * 2),
]


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
        "weights": pytest.approx(10 * 4e9 / 12e9),
        "arithmetic": pytest.approx(2 * 12 * 2e9 / 150e9),
        "cache": pytest.approx(2 * 9 * (2 * 10 * 1000 * 4 * 12) / 8e9),
    }
    assert costs.predict(MODEL, row) == pytest.approx(sum(parts.values()))
    assert costs.parts(MODEL, row | {"batch": 1})["weights"] == pytest.approx(10 * 4e9 / 20e9)
    assert costs.parts(MODEL | {"cache_gb_per_s": None}, row)["cache"] == 0


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


def test_files_that_are_missing_or_damaged_are_told(tmp_path):
    folder = tmp_path / "bench"
    files.write(folder, {"machine": {}, "rows": ROWS, "growth": grown()})
    assert files.read(folder)["rows"] == ROWS
    (folder / "growth.json").write_text("[1, ")
    with pytest.raises(UserError, match=r"outputs/bench/growth\.json is cut off or damaged. Run `make bench`"):
        files.read(folder)
    (folder / "growth.json").unlink()
    with pytest.raises(UserError, match=r"There is no outputs/bench/growth\.json"):
        files.read(folder)


def test_the_page_is_made_from_what_was_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    machine = {"processor": "A processor, 2 cores", "peers": "torch 2", "read bandwidth": "28.5 GB/s", "minutes": 24.1}
    files.write(tmp_path / "bench", {"machine": machine, "rows": ROWS, "growth": grown()})
    folder = runner.run("bench", "bench")
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    assert folder == tmp_path / "bench" / "bench"
    results = records.load(folder / "results.json")
    assert [one.ratios for one in results.measured.comparisons] == [pytest.approx(row["ratios"]) for row in ROWS]
    assert results.measured.cost.weights_gb_per_s == pytest.approx(20)
    assert [one.fitted_seconds for one in results.measured.growth] == [
        pytest.approx(costs.predict(MODEL, row)) for row in grown()
    ]
    assert results.figures == ["figures/bench_ratios.svg", "figures/bench_mixed_ratios.svg", "figures/bench_growth.svg"]
    assert results.answer == {}  # it is made from the records
    assert "1.52 times as fast as Hugging Face transformers (1.43 to 1.61)" in page
    assert "A processor, 2 cores, without a GPU; 24 minutes" in page
    assert list(pd.read_csv(folder / "comparisons.csv")["ratio_median"]) == [row["ratio_median"] for row in ROWS]
    assert len(pd.read_csv(folder / "gpu_estimates.csv")) == len(costs.on_gpus())


def test_every_row_that_the_bench_writes_has_a_name_in_the_records():
    rows = files.read(paths.ROOT / "outputs" / "bench")["rows"]
    told = comparisons.comparisons(rows)
    assert (
        len(told) == len(rows) == len({(one.work, one.peer, one.precision_here, one.precision_there) for one in told})
    )
    for row, one in zip(rows, told, strict=True):
        assert one.ratios == pytest.approx(row["ratios"])
        assert (one.target is None) == (row["target"] is None)
        assert row["target"] is None or row["target"] == f">= {one.target}"


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
