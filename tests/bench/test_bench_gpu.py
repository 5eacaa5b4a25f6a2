"""The bench on a GPU: which sides there are, how they are timed, and what is left out.

Its sides run on the CPU here, with a tiny model; only the card's name is made up.
"""

import html
import os
import subprocess
import sys

import numpy as np
import pytest

from bench import __main__ as bench
from bench import comparisons, files, gpu, protocol, where
from lib import runner
from lib.core import backends, paths, records
from lib.core.records import Precision

PEERS = paths.ROOT / ".venv-bench" / "bin" / "python"
TF32, ROUNDED = Precision.TF32, Precision.BFLOAT16


# Where.


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "h100"),
        ("NVIDIA H100 NVL", "h100"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("Tesla T4", "t4"),
        ("", "gpu"),
    ],
)
def test_a_card_has_a_short_name(card, name):
    assert where.short_name(card) == name


def test_the_machine_chooses_the_folder(monkeypatch):
    told = {True: "GPU 0: NVIDIA H200", False: "NVIDIA H200"}
    monkeypatch.setattr(backends, "nvidia_smi", lambda *arguments: told["-L" in arguments])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert where.profile() == "bench-h200"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert where.profile() == "bench"


def test_peers_get_no_packages_of_this_python_and_keep_the_driver(tmp_path):
    for name in ("driver", "packages"):
        (tmp_path / name).mkdir()
    (tmp_path / "driver" / "libcuda.so.1").touch()
    given = {"PYTHONPATH": "/ours", "LD_LIBRARY_PATH": f"{tmp_path}/packages::{tmp_path}/driver", "PATH": "/bin"}
    assert protocol.for_peers(given) == {"LD_LIBRARY_PATH": f"{tmp_path}/driver", "PATH": "/bin"}
    assert protocol.for_peers({"LD_LIBRARY_PATH": f"{tmp_path}/packages"}) == {}


# What is compared.


def test_every_contestant_has_a_name_in_the_records_and_a_task_that_its_process_serves():
    works = gpu.contestants(True)
    assert set(works) <= set(comparisons.WORKS)
    for found in works.values():
        assert len({(one.program, one.precision) for one in found}) == len(found)
        for one in found:
            assert one.program in comparisons.PEERS or one.program in (gpu.OURS, gpu.COPY, gpu.PRODUCT)
            assert (paths.ROOT / "bench" / f"{one.process[0]}.py").is_file()
    without = [one for found in gpu.contestants(False).values() for one in found]
    assert {one.process[0] for one in without} == {"gpu_ours"}
    policies = {one.process[3] for one in without}
    assert policies <= set(backends.PRECISIONS)


def test_what_compiles_nothing_warms_up_last():
    late = {
        one.process for found in gpu.contestants(True).values() for one in found if gpu._compiles_nothing(one.process)
    }
    assert late == {
        *(("gpu_peers", "generate", precision.value) for precision in Precision),
        ("gpu_peers", "limits", "float32"),
        ("gpu_peers", "finetune", "float32"),
    }


def test_equal_precision_is_compared_and_one_row_is_as_they_come():
    rates = {
        (gpu.COPY, Precision.FLOAT32): [1e12] * 3,
        (gpu.OURS, TF32): [300.0] * 3,
        (gpu.OURS, ROUNDED): [400.0] * 3,
        (gpu.STATIC, TF32): [200.0] * 3,
        (gpu.HUGGING_FACE, Precision.FLOAT32): [100.0] * 3,
        (gpu.HUGGING_FACE, ROUNDED): [100.0] * 3,
    }
    made = gpu.rows_of("generate, batch 1", rates)
    told = [(one["peer"], one["precision_here"], one["precision_there"], one["ratio_median"]) for one in made]
    assert told == [
        (gpu.STATIC, "TF32", "TF32", 1.5),
        (gpu.LIMIT, "TF32", "TF32", pytest.approx(300 * comparisons.WEIGHT_BYTES / 1e12)),
        (gpu.HUGGING_FACE, "bfloat16", "bfloat16", 4),
        (gpu.LIMIT, "bfloat16", "bfloat16", pytest.approx(200 * comparisons.WEIGHT_BYTES / 1e12)),
        (gpu.HUGGING_FACE, "TF32", "float32", 3),
    ]
    assert [one["target"] for one in made] == [">= 1.5", None, None, None, None]
    assert gpu.LIMIT not in {one["peer"] for one in gpu.rows_of("generate, batch 8", rates)}
    assert gpu.rows_of("generate, batch 1", {(gpu.STATIC, TF32): [1.0]}) == []


# How it is timed. These sides answer as told: a process that fails, hangs or works.

SERVER = """
import json, sys, time
from bench import protocol
answers = protocol.answers()
print(json.dumps({"tasks": ["works", "fails", "hangs"]}), file=answers)
for line in sys.stdin:
    task = json.loads(line)
    if task == "fails": raise ValueError("the reason")
    if task == "hangs": time.sleep(60)
    print(json.dumps({"seconds": 0.01, "work": 3}), file=answers)  # the same on a busy machine
"""


class Served(gpu.Sides):
    """Sides that are all the same small server."""

    def start(self, processes):
        for process in processes:
            code = "import sys; sys.exit('no such card')" if process == ("absent",) else SERVER
            self._started[process] = protocol.Side([sys.executable, "-c", code], self.scratch / f"{process[0]}.log")


def contestant(name, task):
    return gpu.Contestant(name, TF32, (name,), task)


def test_a_side_that_fails_or_hangs_is_left_out_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "CALL_SECONDS", 3)
    with Served("tiny", None, tmp_path) as sides:
        tasks = {(name,): ["works"] for name in ("good", "absent", "late", "later")} | {("bad",): ["fails"]}
        hanging = {("hanging",): ["hangs"]}
        sides.start(tasks | hanging)
        sides.make_ready(tasks, 60)
        sides.make_ready(hanging, 1)
        sides.make_ready({}, 0)
        assert sides.lost == {
            ("absent",): "no such card",
            ("bad",): "ValueError: the reason",
            ("hanging",): "it did not answer in time",
        }
        found = [contestant("good", "works"), contestant("late", "hangs"), contestant("later", "fails")]
        rates = gpu.in_turn(sides, [*found, contestant("bad", "works")], "work")
        assert set(rates) == {("good", TF32)} and len(rates["good", TF32]) == gpu.ROUNDS
        assert rates["good", TF32] == pytest.approx([300] * gpu.ROUNDS)
        assert sides.lost["late",] == "it did not answer in time"
        assert sides.lost["later",] == "ValueError: the reason"


def test_a_short_task_is_repeated(tmp_path, monkeypatch):
    class Side:
        calls = 0

        def run(self, task, limit):
            self.calls += 1
            return {"work": 3, "seconds": 0.1}

    sides = gpu.Sides("tiny", None, tmp_path)
    sides._started["short",] = side = Side()
    assert sides.run(contestant("short", "works")) == pytest.approx(30)
    assert side.calls == 3


def test_the_last_error_of_a_log_is_the_reason():
    log = "Traceback\n  File x\nlib.core.errors.UserError: jax cannot use the machine's GPU.\nW0000 closing\n\n"
    assert protocol.last_error(log) == "lib.core.errors.UserError: jax cannot use the machine's GPU."
    assert protocol.last_error("one\ntwo\n") == "two"
    assert protocol.last_error("") == "it ended without a word"
    assert len(protocol.last_error("x" * 1000)) == protocol.LONGEST


def test_if_nothing_can_be_compared_all_reasons_are_told(tmp_path, monkeypatch):
    class Absent(Served):
        def start(self, processes):
            for process in processes:
                log = self.scratch / f"{len(self._started)}.log"  # one each: opening it empties it
                self._started[process] = protocol.Side([sys.executable, "-c", "import sys; sys.exit('no card')"], log)

    monkeypatch.setattr(gpu, "Sides", Absent)
    monkeypatch.setattr(gpu, "_prepare", lambda size, file: None)
    with pytest.raises(protocol.SideFailed, match="gpu_ours ours generate float32: no card"):
        gpu.measure("tiny", None, tmp_path)


# As far as a CPU allows: real sides on Keras, with the tiny model.


def few():
    """The contestants of the test: one of each kind, and one that fails."""
    works = gpu.contestants(False)
    generate, train = "generate, batch 1", gpu.TRAIN
    ours_and_kerashub = [one for one in works[generate] if one.program in (gpu.OURS, gpu.KERASHUB_JAX)]
    rounded = [one for one in works[train] if one.precision is ROUNDED]
    absent = gpu.Contestant(gpu.STATIC, TF32, ("gpu_ours", "ours", "generate", "no such precision"), "1")
    return {generate: [*ours_and_kerashub, absent], train: rounded}


def test_the_bench_on_a_gpu_writes_its_files_and_its_page(monkeypatch, tmp_path, quick_processes):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    monkeypatch.setattr(where, "profile", lambda: "bench-h200")
    kept = few()
    monkeypatch.setattr(gpu, "contestants", lambda peers: kept)
    monkeypatch.setattr(gpu, "READY_SECONDS", 240)
    monkeypatch.setattr(gpu, "_card", lambda: {"GPU": "NVIDIA H200", "driver": "580", "GPU memory": "143771 MiB"})
    assert bench.main(["--size", "tiny"]) == 0
    content = files.read(tmp_path / "bench-h200")
    assert {(row["work"], row["peer"]) for row in content["rows"]} == {
        ("generate, batch 1", gpu.KERASHUB_JAX),
        (gpu.TRAIN, gpu.KERASHUB_JAX),
    }
    assert content["growth"] == [] and not (tmp_path / "bench-h200" / "growth.csv").exists()
    assert content["machine"]["GPU"] == "NVIDIA H200" and content["machine"]["minutes"] > 0
    (left_out,) = content["gpu"]["left_out"]
    assert left_out["peer"] == gpu.STATIC and "no such precision" in left_out["reason"]
    folder = runner.run("bench", "bench-h200")
    measured = records.load(folder / "results.json").measured
    assert measured.gpu.name == "NVIDIA H200" and measured.longest_call is None and measured.growth == []
    assert len(measured.comparisons) == len(content["rows"])
    page = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    assert "On the GPU, NVIDIA H200" in page and "no such precision" in page
    assert "NVIDIA H200 with driver 580" in page


def test_a_side_does_not_fall_back_to_the_cpu_in_silence():
    done = subprocess.run(
        [sys.executable, "-c", GROWN_UP], capture_output=True, text=True, cwd=paths.ROOT, env=hidden()
    )
    assert protocol.last_error(done.stderr).endswith("UserError: jax cannot use the machine's GPU.")


GROWN_UP = """
from bench import gpu_ours, ours
load = ours.load
ours.load = lambda side, size, precision: load(side, "tiny", precision)
gpu_ours.main("ours", "generate", "124M", "float32")
"""


def hidden():
    return os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}


@pytest.mark.skipif(not PEERS.is_file(), reason="PyTorch and transformers are not here; `make bench` installs them")
@pytest.mark.parametrize(
    ("work", "precision", "task", "done"),
    [
        ("generate", "bfloat16", "8", 64),
        ("static 1", "TF32", "1", 8),
        ("finetune", "bfloat16", "train", 2 * 4 * 32),
        ("limits", "float32", "copy", 2 * 100 * 2**20),
        ("limits", "float32", "bfloat16", 50 * 2 * 64**3),
    ],
)
def test_the_sides_on_pytorch_do_their_work(tmp_path, work, precision, task, done):
    ids = np.arange(2 * 4 * 33).reshape(2, 4, 33)
    np.savez(tmp_path / "tokens.npz", token_ids=ids[..., :-1], labels=ids[..., 1:])
    command = [str(PEERS), "-m", "bench.gpu_peers", work, precision, "tiny", str(tmp_path / "tokens.npz")]
    with protocol.Side(command, tmp_path / "log", environment=protocol.for_peers(hidden())) as side:
        assert side.run(task, 60)["work"] == done
