"""Sweeps on the real Snakemake. In place of a notebook, a run is a script that takes no time."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import one_node_slurm
import pytest
import yaml

from lib import runner
from lib.core import paths
from lib.core.errors import UserError
from lib.sweeps import one, plan, start

SNAKEMAKE = Path(os.environ.get("SNAKEMAKE") or paths.ROOT / ".venv-sweep" / "bin" / "snakemake")
needs_snakemake = pytest.mark.skipif(not SNAKEMAKE.is_file(), reason="no Snakemake: `make test` installs it")
# What Snakemake starts in place of Python: its arguments are -m lib.sweeps run PLAN ID --threads N --claim.
STUB = """#!/bin/sh
folder=$(dirname "$4")
echo "$5" >> "$folder/made"
[ -f "$folder/slow" ] && sleep 60
if [ -f "$folder/fails-$5" ]; then echo "no such luck" > "$folder/runs/$5/failed.txt"; exit 1; fi
mkdir -p "$folder/runs/$5/report"
touch "$folder/runs/$5/report/results.json"
rm -f "$folder/runs/$5/failed.txt"
echo report > "$folder/runs/$5/done"
sed -n 's/.*"04_tang_poetry": "\\([0-9a-z]*\\)".*/\\1/p' "$folder/plan.json" >> "$folder/runs/$5/done"
"""
SWEEP = """
question: {en: "Does it?", zh: 行吗？}
notebook: 04_tang_poetry
profile: smoke
grid: {learning_rate: [0.001, 0.01], seed: [1, 2]}
seeds: [seed]
figures: [{path: tokens_per_character, en: tokens, zh: 词元}]
threads: 1
"""


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    """A sweep of four runs, each of which is the stub."""
    experiments = tmp_path / "experiments"
    experiments.mkdir()
    for folder in paths.EXPERIMENTS.iterdir():
        (experiments / folder.name).symlink_to(folder)
    (experiments / paths.SWEEPS).unlink()
    (experiments / paths.SWEEPS).mkdir()
    (experiments / paths.SWEEPS / "one.yaml").write_text(SWEEP, encoding="utf-8")
    (tmp_path / "stub").write_text(STUB)
    (tmp_path / "stub").chmod(0o755)
    monkeypatch.setattr(paths, "EXPERIMENTS", experiments)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "stub"))
    monkeypatch.setattr(start, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(runner, "run", lambda notebook, profile: paths.of_profile(profile) / notebook)
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    return plan.read("one")


def made(sweep):
    """Which runs were started since the last time this was asked."""
    file = sweep.folder / "made"
    found = file.read_text().split() if file.is_file() else []
    file.unlink(missing_ok=True)
    return sorted(found)


def wait_until(true, seconds=90):
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.1)


def as_if_done(place):
    (place / "report").mkdir(parents=True)
    (place / "report" / "results.json").touch()
    (place / "done").write_text("report")


@needs_snakemake
def test_all_runs_are_made_once_and_only_what_is_missing_or_changed_again(sweep, monkeypatch, capsys):
    ids = sorted(run.id for run in sweep.runs)
    assert start.start("one", snakemake=str(SNAKEMAKE)) == 0
    assert made(sweep) == ids
    told = capsys.readouterr().out
    assert "one: 4 runs, 4 of them to be made" in told and "one: 4 of 4 runs done, 0 failed." in told
    shutil.rmtree(sweep.place(sweep.runs[2]))
    assert start.start("one", snakemake=str(SNAKEMAKE)) == 0
    assert made(sweep) == [sweep.runs[2].id]
    code = plan.code(sweep)
    monkeypatch.setattr(plan, "code", lambda sweep: {name: "other" for name in code})
    assert start.start("one", snakemake=str(SNAKEMAKE)) == 0
    assert made(sweep) == ids


@needs_snakemake
def test_a_run_that_fails_is_tried_twice_and_the_others_go_on(sweep, capsys):
    sweep.folder.mkdir(parents=True)
    mark = sweep.folder / f"fails-{sweep.runs[0].id}"
    mark.touch()
    assert start.start("one", snakemake=str(SNAKEMAKE)) == 1
    assert made(sweep) == sorted([run.id for run in sweep.runs] + [sweep.runs[0].id])
    assert "one: 3 of 4 runs done, 1 failed." in capsys.readouterr().out
    mark.unlink()
    assert start.start("one", snakemake=str(SNAKEMAKE)) == 0
    assert made(sweep) == [sweep.runs[0].id]


@needs_snakemake
def test_where_all_runs_fail_the_reason_of_the_first_is_told(sweep):
    sweep.folder.mkdir(parents=True)
    for run in sweep.runs:
        (sweep.folder / f"fails-{run.id}").touch()
    with pytest.raises(UserError, match=r"No run of one succeeded, so there is no report\. The first .*: no such luck"):
        start.start("one", snakemake=str(SNAKEMAKE))


@needs_snakemake
def test_a_sweep_that_was_killed_goes_on_where_it_was(sweep):
    """Snakemake is killed while one run is made and one is done: it is made again, and that one alone."""
    first, *rest = sorted(run.id for run in sweep.runs)
    file = plan.write(sweep)
    for number in rest[1:]:
        as_if_done(sweep.folder / "runs" / number)
    (sweep.folder / "slow").touch()
    command = [str(SNAKEMAKE), *start._options(file, "local", start.Machine(1, 0, 10**6))]
    killed = subprocess.Popen(command, cwd=paths.ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until((sweep.folder / "made").is_file)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert len(made(sweep)) == 1
    (sweep.folder / "slow").unlink()
    assert start.start("one", snakemake=str(SNAKEMAKE)) == 0
    assert made(sweep) == [first, rest[0]]


@needs_snakemake
def test_a_scheduler_that_takes_scripts_can_run_them(sweep, monkeypatch, tmp_path):
    """As sbatch does, it is handed a script for each run and runs it elsewhere."""
    submit = tmp_path / "submit"
    submit.write_text(
        f'#!/bin/sh\nfor script; do :; done\necho "$script" >> {tmp_path}/submitted\nsh "$script" >&2 &\n'
    )
    submit.chmod(0o755)
    profile = tmp_path / "profiles" / "cluster"
    profile.mkdir(parents=True)
    settings = {
        "executor": "cluster-generic",
        "cluster-generic-submit-cmd": str(submit),
        "jobs": 2,
        "keep-going": True,
        "latency-wait": 20,
        "seconds-between-status-checks": 1,
    }
    (profile / "config.yaml").write_text(json.dumps(settings))
    monkeypatch.setattr(start, "PROFILES", tmp_path / "profiles")
    assert start.start("one", on="cluster", snakemake=str(SNAKEMAKE)) == 0
    assert made(sweep) == sorted(run.id for run in sweep.runs)
    assert len((tmp_path / "submitted").read_text().split()) == 4


@pytest.fixture
def on_slurm(monkeypatch, tmp_path):
    """The name of a folder of settings for a real Slurm: the project's own, but jobs are asked for more often."""
    settings = yaml.safe_load((start.PROFILES / "slurm" / "config.yaml").read_text(encoding="utf-8"))
    settings |= {"slurm-init-seconds-before-status-checks": 1, "seconds-between-status-checks": 1}
    profile = tmp_path / "profiles" / "slurm"
    profile.mkdir(parents=True)
    (profile / "config.yaml").write_text(json.dumps(settings))
    monkeypatch.setattr(start, "PROFILES", tmp_path / "profiles")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        try:
            variables = stack.enter_context(one_node_slurm.running(Path(folder)))
        except one_node_slurm.NotStarted as reason:
            pytest.skip(str(reason))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield "slurm"


@needs_snakemake
def test_on_slurm_a_run_that_fails_is_tried_twice_and_the_others_go_on(sweep, on_slurm, capsys):
    fails, succeeds = (run.id for run in sweep.runs[::2])
    for run in sweep.runs[1::2]:
        as_if_done(sweep.place(run))
    (sweep.folder / f"fails-{fails}").touch()
    assert start.start("one", on=on_slurm, snakemake=str(SNAKEMAKE)) == 1
    assert made(sweep) == sorted([fails, fails, succeeds])
    assert "one: 3 of 4 runs done, 1 failed." in capsys.readouterr().out


def jobs(*fields):
    """These fields of each job that Slurm knows."""
    command = ["squeue", "--noheader", f"--Format={','.join(fields)}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split() for line in told.splitlines()]


@needs_snakemake
def test_slurm_is_told_what_a_run_may_use_and_to_cancel_the_jobs_of_an_interrupted_sweep(sweep, on_slurm, monkeypatch):
    """Snakemake forgets the jobs whose state it is asking for when it ends. Here it is killed, and forgets all."""
    sizes = "threads: 2\ngpus: 1\nhours: 3\nmemory_gb: 12\n"
    file = paths.EXPERIMENTS / paths.SWEEPS / "one.yaml"
    file.write_text(SWEEP.replace("threads: 1\n", sizes), encoding="utf-8")
    sweep.folder.mkdir(parents=True)
    (sweep.folder / "slow").touch()
    count, asked = start._count, []

    def interrupted(sweep):
        log = sweep.folder / start.LOG
        submitted = log.read_text().count("has been submitted") if log.is_file() else 0
        if submitted == 4 and (sweep.folder / "made").is_file():
            asked.extend(jobs("NumCPUs", "MinMemory", "TimeLimit", "Partition", "tres-per-job"))
            raise KeyboardInterrupt
        return count(sweep)

    monkeypatch.setattr(start, "_count", interrupted)
    monkeypatch.setattr(start, "_end", lambda process: (os.killpg(process.pid, signal.SIGKILL), process.wait()))
    with pytest.raises(KeyboardInterrupt):
        start.start("one", on=on_slurm, snakemake=str(SNAKEMAKE))
    assert len(made(sweep)) == 1
    assert [one[:-1] for one in asked] == [["2", "12000M", "3:00:00", "main"]] * 4
    assert all(one[-1].endswith("gpu:1") for one in asked)  # gres:gpu:1 or gres/gpu:1, by Slurm's version
    wait_until(lambda: not jobs("JobID"))
    assert not jobs("JobID")


@pytest.mark.parametrize(("sacct", "asked"), [("exit 0", []), ("exit 1", ["--slurm-status-command", "squeue"])])
def test_squeue_is_asked_for_jobs_where_slurm_keeps_no_accounts(sweep, monkeypatch, tmp_path, sacct, asked):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sacct").write_text(f"#!/bin/sh\n{sacct}\n")
    (tmp_path / "bin" / "sacct").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    options = start._options(plan.write(sweep), "slurm", start.Machine(1, 0, 10**6))
    assert options[options.index("--config") + 3 :] == asked
    assert "--slurm-status-command" not in start._options(plan.write(sweep), "local", start.Machine(1, 0, 10**6))


def test_what_cannot_start_is_told_before_anything_runs(sweep, monkeypatch):
    with pytest.raises(UserError, match="There is no folder 'moon' in workflow/profiles; there are kubernetes, local"):
        start.start("one", on="moon")
    with pytest.raises(UserError, match="There is no program '/nowhere/snakemake'"):
        start.start("one", snakemake="/nowhere/snakemake")
    assert start.start("one", snakemake="/nowhere/snakemake", only_check=True) == 0
    file = paths.EXPERIMENTS / paths.SWEEPS / "one.yaml"
    file.write_text(f"{SWEEP}gpus: 1\n", encoding="utf-8")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(UserError, match="one needs GPUs, 1 a run, and this machine has 0"):
        start.start("one", snakemake=str(SNAKEMAKE))


def test_each_run_claims_cores_and_gpus_of_its_own(own_cache):
    with one._claimed("core", ["0", "1", "2"], 2) as first, one._claimed("core", ["0", "1", "2"], 1) as second:
        assert (first, second) == (["0", "1"], ["2"])
    with one._claimed("core", ["0", "1", "2"], 3) as again:
        assert again == ["0", "1", "2"]
    with pytest.raises(UserError, match="A run needs 4 cores, and this process may use 3"):
        one._claimed("core", ["0", "1", "2"], 4).__enter__()


def test_a_run_waits_until_what_another_sweep_has_claimed_is_free(own_cache, monkeypatch):
    held = one._claimed("core", ["0", "1"], 2)
    held.__enter__()
    monkeypatch.setattr(one.time, "sleep", lambda seconds: held.__exit__(None, None, None))
    with one._claimed("core", ["0", "1"], 1) as mine:
        assert mine == ["0"]


def test_on_a_machine_with_gpus_a_run_sees_the_ones_it_claimed(own_cache, monkeypatch):
    monkeypatch.setattr(one.backends, "has_gpu", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    with one._gpus(1):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-a"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
        with one._gpus(1):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"


def test_the_gpus_are_counted_by_their_lines(monkeypatch):
    lines = "GPU 0: NVIDIA GeForce RTX 4090 Laptop GPU (UUID: GPU-0)\nGPU 1: NVIDIA A100 (UUID: GPU-1)\n"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(one.backends, "has_gpu", lambda: True)
    monkeypatch.setattr(one.backends, "nvidia_smi", lambda *arguments: lines)
    assert one.gpus() == ["0", "1"]


@pytest.mark.parametrize(
    ("machine", "sizes", "expected"),
    [
        ((16, 0, 64_000), {"threads": 2, "memory_gb": 8.0}, 8),
        ((16, 0, 20_000), {"threads": 2, "memory_gb": 8.0}, 2),
        ((16, 2, 640_000), {"threads": 2, "memory_gb": 8.0, "gpus": 1}, 2),
        ((2, 0, 4_000), {"threads": 4, "memory_gb": 8.0}, 1),
    ],
)
def test_cores_gpus_and_memory_limit_how_many_run_at_a_time(sweep, machine, sizes, expected):
    assert start.Machine(*machine).at_once(dataclasses.replace(sweep, **sizes)) == expected


def test_once_runs_shared_the_machine_or_a_scheduler_placed_them_it_stays_so(sweep):
    sweep.folder.mkdir(parents=True)
    told = []
    for at_once in (1, 3, 1, 0, 3):
        start._remember(sweep, at_once)
        told.append(json.loads((sweep.folder / "at_once.json").read_text()))
    assert told == [1, 3, 3, 0, 0]
