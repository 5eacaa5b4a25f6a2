"""Make's graph, with a stand-in for the environment: its Python writes down what it is asked to run."""

import ctypes
import os
import shutil
import subprocess
import sys
import time

import pytest

from lib import memory, paths

PYTHON = """#!/bin/sh
[ "$1 $2" = "-m lib.runner" ] || exit 0
echo "$3" >> ran
env | grep ^MALLOC_ > malloc
mkdir -p "outputs/$5/$3" && touch "outputs/$5/$3/.done"
"""
ALL = ["01_baseline", "02_reddit_finetune", "03_greedy_vs_top_k", "04_tang_poetry", "05_from_scratch", "00_summary"]


@pytest.fixture
def checkout(tmp_path):
    """A copy of the repository's sources, long since installed."""
    for name in ("Makefile", "pyproject.toml", "requirements", "experiments", "notebooks", "lib"):
        source = paths.ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    past = time.time() - 1000
    for path in tmp_path.rglob("*"):
        os.utime(path, (past, past))
    for lock in ("cpu", "gpu", "dev"):
        stamp = tmp_path / ".venv" / f".installed-{lock}"
        stamp.touch()
        os.utime(stamp, (past + 1, past + 1))
    return tmp_path


def make(checkout, *arguments, status=0):
    others = ("MAKE", "MFLAGS", "MALLOC")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    done = subprocess.run(
        ["make", "PROFILE=smoke", *arguments], cwd=checkout, capture_output=True, text=True, env=environment
    )
    assert done.returncode == status, done.stdout + done.stderr
    ran = checkout / "ran"
    names = ran.read_text().split() if ran.exists() else []
    ran.unlink(missing_ok=True)
    return names, done.stdout


def touch(checkout, name):
    (checkout / name).touch()
    os.utime(checkout / name, (time.time() + 5, time.time() + 5))


def test_help_is_the_default_and_lists_the_targets_a_line_each(checkout):
    ran, output = make(checkout)
    assert ran == []
    for target in ("all", "report", "lab", "smoke", "test", "lint", "clean"):
        assert any(line.strip().startswith(f"make {target} ") for line in output.splitlines())


@pytest.mark.parametrize("jobs", [[], ["-j2"]])
def test_all_runs_in_order_and_a_second_time_does_nothing_and_says_so(checkout, jobs):
    ran, output = make(checkout, "all", *jobs)
    assert ran == ALL
    assert "outputs/smoke/index.html" in output
    ran, output = make(checkout, "all", *jobs)
    assert ran == []
    assert "Nothing to do" in output
    assert "outputs/smoke/index.html" in output


@pytest.mark.parametrize(
    ("touched", "expected"),
    [
        ("experiments/smoke/01_baseline.yaml", ["01_baseline", "00_summary"]),
        ("experiments/smoke/02_reddit_finetune.yaml", ["02_reddit_finetune", "03_greedy_vs_top_k", "00_summary"]),
        ("experiments/cpu/02_reddit_finetune.yaml", []),
        ("notebooks/03_greedy_vs_top_k.ipynb", ["03_greedy_vs_top_k", "00_summary"]),
        ("notebooks/04_tang_poetry.ipynb", ["04_tang_poetry", "05_from_scratch", "00_summary"]),
        ("experiments/blog_post.yaml", ["00_summary"]),
        ("experiments/published.yaml", ["03_greedy_vs_top_k", "00_summary"]),
        ("lib/timing.py", ALL),
        ("lib/readme.py", []),
        ("lib/report_template/style.css", ALL),
    ],
)
def test_what_is_touched_is_run_again_with_what_depends_on_it(checkout, touched, expected):
    make(checkout, "all")
    touch(checkout, touched)
    assert make(checkout, "all")[0] == expected


def test_a_new_lock_means_a_new_environment_and_new_reports(checkout):
    make(checkout, "all")
    lock = "gpu" if shutil.which("nvidia-smi") else "cpu"
    touch(checkout, f"requirements/{lock}.txt")
    ran, output = make(checkout, "all")
    assert "Installing" in output
    assert ran == ALL


def test_report_runs_one_notebook_and_what_it_needs(checkout):
    assert make(checkout, "report", "NOTEBOOK=03_greedy_vs_top_k")[0] == ["02_reddit_finetune", "03_greedy_vs_top_k"]
    assert make(checkout, "report", "NOTEBOOK=04_tang_poetry")[0] == ["04_tang_poetry"]
    make(checkout, "report", "NOTEBOOK=06_none", status=2)


def test_a_variant_is_run_with_its_arguments_after_what_it_needs(checkout):
    (checkout / ".venv" / "bin" / "python").write_text(PYTHON.replace('echo "$3"', 'echo "$6|$7" >> given; echo "$3"'))
    arguments = "ARGS=k=40 prompt='The night was'"
    ran, _ = make(checkout, "report", "NOTEBOOK=03_greedy_vs_top_k", arguments)
    assert ran == ["02_reddit_finetune", "03_greedy_vs_top_k"]
    assert (checkout / "given").read_text().splitlines()[-1] == "k=40|prompt=The night was"
    assert make(checkout, "report", "NOTEBOOK=03_greedy_vs_top_k", arguments)[0] == ["03_greedy_vs_top_k"]
    make(checkout, "report", "NOTEBOOK=06_none", arguments, status=2)


def test_a_failed_notebook_stops_make_and_is_tried_again(checkout):
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(PYTHON.replace('echo "$3"', '[ "$3" = 02_reddit_finetune ] && exit 2; echo "$3"'))
    python.chmod(0o755)
    os.utime(python, (1, 1))
    ran, _ = make(checkout, "all", status=2)
    assert ran == ["01_baseline"]
    assert not (checkout / "outputs" / "smoke" / "02_reddit_finetune").exists()
    python.write_text(PYTHON)
    assert make(checkout, "all")[0] == ALL[1:]


def test_a_misspelt_profile_reaches_the_runner_which_says_what_there_is(checkout):
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(PYTHON.replace('echo "$3"', 'echo "$5" >> ran; exit 2'))
    ran, _ = make(checkout, "all", "PROFILE=smok", status=2)
    assert ran == ["smok"]


FAULTS = """
import ctypes, resource, threading
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def use():
    block = libc.malloc(256 << 20)
    ctypes.memset(block, 1, 256 << 20)
    libc.free(block)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread = threading.Thread(target=use)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(environment):
    done = subprocess.run([sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc's malloc")
def test_on_a_cpu_memory_is_kept_for_its_next_use(checkout):
    """Every page of a block that the system had to hand out costs a fault; those of a block that was kept, none."""
    make(checkout, "report", "NOTEBOOK=04_tang_poetry", "GPU=1")
    assert (checkout / "malloc").read_text() == ""
    make(checkout, "report", "NOTEBOOK=01_baseline", "GPU=0")
    told = dict(line.split("=") for line in (checkout / "malloc").read_text().split())
    assert set(told) == set(memory.MALLOC)
    assert page_faults({}) > 1000 > 10 * page_faults(told)
