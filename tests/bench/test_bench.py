import json
import sys

import numpy as np
import pandas as pd
import pytest

from bench import __main__ as bench
from bench import files, layouts, protocol
from lib.core import backends, paths

SERVER = """
import time
from bench import protocol
answers = protocol.answers()
print("noise on standard output")
def fails(): raise ValueError("the reason")
protocol.serve({"three": lambda: time.sleep(0.01) or 3, "fails": fails}, answers)
"""


@pytest.fixture
def side(tmp_path):
    with protocol.Side([sys.executable, "-c", SERVER], tmp_path / "log") as started:
        yield started


def test_a_side_answers_with_work_and_seconds(side):
    assert side.tasks == ["three", "fails"]
    told = side.run("three")
    assert told["work"] == 3 and told["seconds"] >= 0.01


def test_a_side_does_not_get_the_variables_to_remove(tmp_path, monkeypatch):
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("LEFT_OUT", "1")
    told = "lambda: [name in os.environ for name in ('KEPT', 'LEFT_OUT')]"
    server = f"import os\nfrom bench import protocol\nprotocol.serve({{'told': {told}}}, protocol.answers())"
    with protocol.Side([sys.executable, "-c", server], tmp_path / "log", ("LEFT_OUT",)) as side:
        assert side.run("told")["work"] == [True, False]


def test_a_failing_side_gives_its_reason(side):
    with pytest.raises(protocol.SideFailed, match="the reason"):
        side.run("fails")


class Fake:
    def __init__(self, name, seconds, asked):
        self.name, self.seconds, self.asked = name, seconds, asked

    def run(self, task):
        self.asked.append(self.name)
        return {"work": 10, "seconds": self.seconds}


def test_sides_warm_up_and_then_take_turns():
    asked = []
    rates = bench.in_turn({"a": (Fake("a", 2, asked), "x"), "b": (Fake("b", 5, asked), "x")}, 3, "")
    assert asked == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert rates == {"a": [5, 5, 5], "b": [2, 2, 2]}
    asked.clear()
    bench.in_turn({"a": (Fake("a", 2, asked), "x")}, 1, "", warm_ups=2)
    assert asked == ["a", "a", "a"]
    asked.clear()
    bench.in_turn({"a": (Fake("a", 2, asked), "x"), "b": (Fake("b", 5, asked), "x")}, 1, "", ready=("b",))
    assert asked == ["a", "a", "b"]


def test_a_row_has_the_ratio_of_each_round():
    told = bench.row("w", "p", "u", [2.0, 6.0, 4.0], [1.0, 2.0, 4.0], 1.5)
    assert told["ratios"] == [2, 3, 1]
    assert (told["ratio_median"], told["ratio_low"], told["ratio_high"]) == (2, 1, 3)
    assert (told["target"], told["met"]) == (">= 1.5", True)
    assert bench.row("w", "p", "u", [1.0], [1.0], 1.5)["met"] is False
    assert bench.row("w", "p", "u", [1.0], [1.0], None)["met"] is None


FOUND = {  # two texts: "1 2 end", and "4 end" with two positions of padding
    "token_ids": np.array([[1, 2, 3, 9], [4, 9, 0, 0]]),
    "labels": np.array([[2, 3, 9, 0], [9, 0, 0, 0]]),
    "useful": np.array([[True, True, True, False], [True, False, False, False]]),
}


def test_padded_rows_predict_the_same_tokens():
    ((token_ids, labels, mask),) = layouts.padded(FOUND, 2)
    assert token_ids.tolist() == [[1, 2, 3, 9], [4, 9, 0, 0]]
    assert labels.tolist() == [[1, 2, 3, 9], [4, 9, -100, -100]]
    assert mask.tolist() == [[True] * 4, [True, True, False, False]]
    assert (labels[:, 1:] != layouts.IGNORED).sum() == FOUND["useful"].sum()


def test_packed_rows_are_full():
    batches = layouts.packed(FOUND, 1, 3)
    assert [block.tolist() for block, _, _ in batches] == [[[1, 2, 3]], [[9, 4, 9]]]
    assert all(labels is block and mask is None for block, labels, mask in batches)


def test_the_bench_runs_and_writes_its_rows(monkeypatch, tmp_path, capsys, quick_processes):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    assert bench.main(["--size", "tiny"]) == 0
    content = files.read(tmp_path / "bench")
    assert json.loads((tmp_path / "bench" / "bench.json").read_text()) == content["rows"]
    works = {row["work"] for row in content["rows"]}
    assert {"fine-tune on poems", "greedy and top-k over all prompts of 03"} <= works
    measured = [row for row in content["rows"] if row["ratios"]]
    assert len(measured) == 8 + backends.multiplies_bfloat16()  # with bfloat16, the poems are also trained in float32
    assert ("fine-tune on poems, all in float32" in works) == backends.multiplies_bfloat16()
    assert [row["work"] for row in measured if row["peer"] == "the post's lines, with XLA"] == [
        "generate, batch 1",
        "generate, batch 8",
    ]
    for row in measured:
        assert row["ratios"] == pytest.approx(np.divide(row["ours"], row["theirs"]))
        assert row["ratio_low"] <= row["ratio_median"] <= row["ratio_high"]
    samples = pd.read_csv(tmp_path / "bench" / "samples.csv")
    assert len(samples) == sum(len(row["ours"]) + len(row["theirs"]) for row in content["rows"])
    assert {row["by"] for row in content["growth"]} == {"new tokens", "batch", "parameters"}
    assert content["machine"]["peers"] == "none"
    assert "fine-tune on prose" in capsys.readouterr().out


def test_unusable_peers_are_reported_before_anything_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    assert bench.main(["--size", "tiny", "--peers", sys.executable]) == 2
    assert "cannot import torch and transformers" in capsys.readouterr().err
    assert not (tmp_path / "bench").exists()
    assert (paths.ROOT / "requirements" / "bench.txt").is_file()
