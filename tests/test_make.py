"""Make's graph, with a stand-in for the environment: its Python writes down what it is asked to run."""

import ctypes
import os
import platform
import shutil
import subprocess
import sys
import time

import pytest

from lib import notebooks
from lib.bundle import manifest
from lib.core import backends, paths
from lib.models import memory

PYTHON = """#!/bin/sh
[ "$1 $2" = "-m lib.report.site" ] && echo render >> ran && mkdir -p "outputs/$4" && touch "outputs/$4/.rendered"
[ "$1 $2" = "-m lib.report.readme" ] && echo readme >> ran
[ "$1 $2" = "-m lib.runner" ] || exit 0
echo "$3" >> ran
env | grep ^MALLOC_ > malloc
mkdir -p "outputs/$5/$3" && touch "outputs/$5/$3/.done"
"""
RENDER = ["render"]  # the pages are made anew, and nothing is run
ALL = [*notebooks.in_order(), *RENDER]


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


def make(checkout, *arguments, status=0, profile=("PROFILE=smoke",), **variables):
    """Runs make; returns the notebooks that it ran, and what it printed: the errors where it was to fail."""
    others = ("MAKE", "MFLAGS", "MALLOC", "PROFILE", "CUDA_VISIBLE_DEVICES", "REPORT_OUTPUTS", "REPORT_GPUS", "BUNDLE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    # So `python3` is no script of a version manager, which looks for a Python for a fifth of a second each time.
    environment["PATH"] = os.pathsep.join([os.path.join(sys.base_prefix, "bin"), environment["PATH"]])
    done = subprocess.run(
        ["make", *profile, *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        env=environment | variables,
        timeout=60,
    )
    assert done.returncode == status, done.stdout + done.stderr
    ran = checkout / "ran"
    names = ran.read_text().split() if ran.exists() else []
    ran.unlink(missing_ok=True)
    return names, done.stderr if status else done.stdout


def touch(checkout, name):
    (checkout / name).touch()
    os.utime(checkout / name, (time.time() + 5, time.time() + 5))


def test_help_is_the_default_and_lists_the_targets_a_line_each(checkout):
    ran, output = make(checkout)
    assert ran == []
    for target in ("all", "report", "lab", "smoke", "test", "lint", "bundle", "clean"):
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
        ("experiments/smoke/01_baseline.yaml", ["01_baseline", "00_summary", "render"]),
        (
            "experiments/smoke/02_reddit_finetune.yaml",
            ["02_reddit_finetune", "03_greedy_vs_top_k", "00_summary", "render"],
        ),
        ("experiments/cpu/02_reddit_finetune.yaml", []),
        ("experiments/blog_post.yaml", ["00_summary", "render"]),
        ("experiments/published.yaml", ["03_greedy_vs_top_k", "00_summary", "render"]),
        ("lib/core/records.py", ALL),
        ("lib/data/tang_poems.py", ALL),
        ("lib/models/generation.py", ALL),
        ("lib/training/packing.py", ALL),
        ("lib/evaluation/timing.py", ALL),
        ("lib/runner.py", ALL),
        ("lib/claims/rules.py", RENDER),
        ("experiments/claims.yaml", RENDER),
        ("lib/report/views.py", RENDER),
        ("lib/report/sentences/poems.yaml", RENDER),
        ("lib/report/template/style.css", RENDER),
        ("lib/report/template/macros.html.j2", RENDER),
        ("lib/notebooks.py", RENDER),
        ("lib/report/recorder.py", ALL),
        ("lib/panel.py", []),
        ("README.md", []),
    ],
)
def test_what_is_touched_is_run_again_with_what_depends_on_it(checkout, touched, expected):
    make(checkout, "all")
    (checkout / "README.md").touch()
    touch(checkout, touched)
    assert planned(checkout) == expected
    assert make(checkout, "all")[0] == expected


def planned(checkout):
    """What `make -n` says that `make all` would run: the runner's notebooks, and whether it would render."""
    _, output = make(checkout, "-n", "reports")
    lines = [line.split() for line in output.splitlines() if "/python -m lib." in line]
    return ["render" if line[2] == "lib.report.site" else line[3] for line in lines]


@pytest.mark.parametrize(
    ("notebook", "expected"),
    [
        ("03_greedy_vs_top_k", ["03_greedy_vs_top_k", "00_summary", "render"]),
        ("04_tang_poetry", ["04_tang_poetry", "05_from_scratch", "00_summary", "render"]),
    ],
)
def test_a_notebook_s_code_is_run_again_and_its_prose_rendered(checkout, notebook, expected):
    make(checkout, "all")
    file = checkout / "notebooks" / f"{notebook}.ipynb"
    for change, wanted in (
        (("**Question.**", "**Query.**"), RENDER),
        (("report.finish()", "report.finish() "), expected),
    ):
        text = file.read_text(encoding="utf-8")
        assert change[0] in text
        file.write_text(text.replace(*change), encoding="utf-8")
        soon = time.time() + 5
        os.utime(file, (soon, soon))
        assert planned(checkout) == wanted
        assert make(checkout, "all")[0] == wanted


def test_render_makes_the_pages_of_a_fresh_clone_without_a_run(checkout):
    assert make(checkout, "render")[0] == ["render"]
    assert make(checkout, "render", profile=("PROFILE=cpu",))[0] == ["render", "readme"]
    assert make(checkout, "render", "REPORT_OUTPUTS=elsewhere", profile=("PROFILE=cpu",))[0] == ["render"]


def test_what_is_not_whole_is_found_before_make_looks_at_times(checkout):
    make(checkout, "all")
    python = checkout / ".venv" / "bin" / "python"
    finds = '[ "$1 $2 $3 $4" = "-m lib.core.published --profile smoke" ] && echo checked >> ran'
    removes = finds + " && rm outputs/smoke/02_reddit_finetune/.done outputs/smoke/.rendered"
    again = ["02_reddit_finetune", "03_greedy_vs_top_k", "00_summary", "render"]
    for found, expected in ((finds, []), (removes, again)):
        python.write_text(PYTHON.replace("#!/bin/sh\n", f"#!/bin/sh\n{found}\n"))
        os.utime(python, (1, 1))
        assert make(checkout, "all")[0] == ["checked", *expected]
    assert make(checkout, "report", "NOTEBOOK=03_greedy_vs_top_k")[0] == ["checked", *expected[:2]]


def test_a_new_lock_means_a_new_environment_and_new_reports(checkout):
    make(checkout, "all")
    lock = "gpu" if "GPU" in backends.nvidia_smi("-L") else "cpu"
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


def test_a_report_that_ran_is_kept_though_its_page_could_not_be_made(checkout):
    """The runner ends with status 2 then. Make would remove what a failed command has written."""
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(f'{PYTHON}\n[ "$3" = 02_reddit_finetune ] && exit 2\nexit 0\n')
    os.utime(python, (1, 1))
    assert make(checkout, "all", status=2)[0] == ["01_baseline", "02_reddit_finetune"]
    assert (checkout / "outputs" / "smoke" / "02_reddit_finetune" / ".done").exists()
    python.write_text(PYTHON)
    os.utime(python, (1, 1))
    assert make(checkout, "all")[0] == ALL[2:]


def test_a_misspelt_profile_reaches_the_runner_which_says_what_there_is(checkout):
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(PYTHON.replace('echo "$3"', 'echo "$5" >> ran; exit 2'))
    ran, _ = make(checkout, "all", "PROFILE=smok", status=2)
    assert ran == ["smok"]


@pytest.mark.parametrize("given", ["k=7", "NOTEBOK=01_baseline", "prompt='The night was'"])
def test_a_variable_that_make_does_not_know_is_refused(checkout, given):
    name = given.split("=")[0]
    ran, told = make(checkout, "report", "NOTEBOOK=03_greedy_vs_top_k", given, status=2)
    assert ran == []
    assert len(told.splitlines()) == 1
    assert f"error: make has no variable '{name}'; a notebook's parameters go into ARGS" in told
    assert f'make report NOTEBOOK=03_greedy_vs_top_k ARGS="{name}=..."' in told


def test_what_stands_in_a_value_is_no_variable(checkout):
    for arguments in ("k=40 prompt='The night was'", "a\\ b=1", "a\nb=1"):
        assert make(checkout, "help", f"ARGS={arguments}", "A=x=y", "MALLOC_ARENA_MAX=2")[0] == []


@pytest.fixture
def nvidia_smi(tmp_path_factory):
    """Puts a stand-in for nvidia-smi first on the path; returns the variables that make it be found."""

    def write(body):
        folder = tmp_path_factory.mktemp("bin")
        (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{body}\n")
        (folder / "nvidia-smi").chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}

    return write


LISTS = "echo 'GPU 0: Tesla T4 (UUID: GPU-0)'"


def profile_of(output):
    return output.split("here it is ")[1].split(".")[0]


@pytest.mark.parametrize("hidden", ["", "-1", "-1,0", " -1", "NoDevFiles", ",0"])
def test_gpus_that_are_hidden_count_for_neither_make_nor_python(checkout, nvidia_smi, monkeypatch, hidden):
    variables = nvidia_smi(LISTS)
    assert profile_of(make(checkout, profile=(), **variables)[1]) == "gpu"
    assert profile_of(make(checkout, profile=(), CUDA_VISIBLE_DEVICES="0,-1", **variables)[1]) == "gpu"
    assert profile_of(make(checkout, profile=(), CUDA_VISIBLE_DEVICES=hidden, **variables)[1]) == "cpu"
    for name, value in (variables | {"CUDA_VISIBLE_DEVICES": "0,-1"}).items():
        monkeypatch.setenv(name, value)
    assert backends.has_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert not backends.has_gpu()


def test_gpus_are_counted_once_however_many_makes_run(checkout, nvidia_smi, tmp_path):
    asked = tmp_path / "asked"
    variables = nvidia_smi(f"echo >> {asked}; {LISTS}")
    assert make(checkout, "all", **variables)[0] == ALL
    assert asked.read_text() == "\n"
    make(checkout, "REPORT_GPUS=1", **variables)
    assert asked.read_text() == "\n"


def test_a_driver_s_tool_that_stands_still_is_not_waited_for(checkout, nvidia_smi):
    start = time.monotonic()
    output = make(checkout, "help", "GPU_SECONDS=1", profile=(), **nvidia_smi("exec sleep 100"))[1]
    assert profile_of(output) == "cpu"
    assert time.monotonic() - start < 20


def test_gpus_are_found_where_there_is_no_timeout(checkout, nvidia_smi):
    folder = nvidia_smi(LISTS)["PATH"].split(":")[0]
    for name in ("make", "awk", "grep"):
        os.symlink(shutil.which(name), os.path.join(folder, name))
    assert profile_of(make(checkout, profile=(), PATH=folder)[1]) == "gpu"


@pytest.fixture
def home(checkout, tmp_path_factory):
    """A home folder; and the stand-in writes to where Python says that reports go."""
    asked = f"$({sys.executable} -c 'from lib.core import paths; print(paths.outputs())')"
    (checkout / ".venv" / "bin" / "python").write_text(PYTHON.replace("outputs/", f"{asked}/"))
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("how", ["environment", "command line"])
@pytest.mark.parametrize("named", ["elsewhere", "~/reports/", "../{home}/deep/er", "{checkout}/out"])
def test_reports_go_where_report_outputs_says(checkout, home, named, how):
    named = named.format(home=os.path.relpath(home, checkout.parent), checkout=checkout)
    place = os.path.normpath(checkout / named.replace("~", str(home)))
    given = [f"REPORT_OUTPUTS={named}"] if how == "command line" else []
    variables = {"HOME": str(home)} | ({} if given else {"REPORT_OUTPUTS": named})
    ran, output = make(checkout, "all", *given, **variables)
    assert ran == ALL
    told = output.splitlines()[-1].removeprefix("Reports: ").removesuffix("/smoke/index.html")
    assert os.path.normpath(checkout / told) == place
    assert "Nothing to do" in make(checkout.parent, "-C", str(checkout), "all", *given, **variables)[1]
    ran, output = make(checkout, "report", "NOTEBOOK=04_tang_poetry", *given, **variables)
    assert ran == []
    assert output.splitlines()[-1] == f"Report: {told}/smoke/04_tang_poetry/report.html"
    assert os.path.isfile(f"{place}/smoke/00_summary/.done")
    assert not (checkout / "outputs").exists() and not (checkout / "~").exists()


def test_cleaning_leaves_reports_and_all_that_is_not_a_report_s(checkout, home):
    leaves = ["cpu/03/report.html", "cpu/index.html", "mine/03/.done", "mine/failed/x", "mine/03/model/x", "letter"]
    leaves.append("cpu/03/notebook.ipynb")
    goes = ["smoke/03/report.html", "cpu/failed/x", "cpu/03/model/x", "gpu/.run-1/x", "cpu/03/.done", "bench/.lock"]
    goes.append("gpu/.rendered")
    for base in (home / "out", checkout / "outputs"):
        for name in (*leaves, *goes):
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).touch()
    make(checkout, "clean", HOME=str(home), REPORT_OUTPUTS="~/out")
    assert all((home / "out" / name).exists() for name in leaves)
    assert not any((base / name).exists() for base in (home / "out", checkout / "outputs") for name in goes)


@pytest.mark.parametrize("named", ["/tmp/my reports", "/tmp/x ", "/tmp/a:b", "/tmp/50%", "/tmp/$x", "~nobody", "/a/*"])
def test_a_place_that_make_cannot_use_is_refused_where_it_is_needed(checkout, named):
    for target in ("all", "report", "smoke", "clean"):
        ran, told = make(checkout, target, status=2, REPORT_OUTPUTS=named)
        assert ran == []
        assert len(told.splitlines()) == 1
        assert f"error: REPORT_OUTPUTS is '{named}'; make cannot use a path with white space or special" in told
    assert make(checkout, "help", REPORT_OUTPUTS=named)[0] == []


@pytest.mark.parametrize("named", ["~/downloads", "downloads"])
def test_the_cache_is_where_report_cache_says(checkout, home, named):
    given = f"REPORT_CACHE={named}"
    output = make(checkout, "cache", given, f"PYTHON={sys.executable}", HOME=str(home))[1]
    assert output.splitlines()[0] == f"The cache is {named}."
    assert ((home if named.startswith("~") else checkout) / "downloads").is_dir()
    assert not (checkout / "~").exists()


@pytest.fixture
def bundle(checkout):
    """A bundle of the smoke profile that packs nothing, and the arguments that name it and its Python."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    (checkout / ".venv" / "lib" / f"python{python}" / "site-packages").mkdir(parents=True)
    folder = checkout / "my bundle"
    for name in (manifest.WHEELS, manifest.CACHE):
        (folder / name).mkdir(parents=True)
    (folder / manifest.REQUIREMENTS).touch()
    lock = paths.sha256(checkout / "requirements" / "gpu.txt")
    about = {"profile": "smoke", "lock": "gpu", "lock_sha256": lock, "commit": "", "packages": {}, "left": {}}
    manifest.write(folder, about | {"python": python, "machine": platform.machine()})
    return folder, ["BUNDLE=my bundle", f"PYTHON={sys.executable}", "REPORT_GPUS=0"]


def test_a_bundle_is_unpacked_once_and_names_profile_and_lock_and_no_network_is_asked(checkout, bundle):
    (checkout / ".venv" / "bin" / "python").write_text(PYTHON.replace("env | grep ^MALLOC_", "env"))
    variables = {"HF_HOME": "/somewhere", "REPORT_CACHE": str(checkout / "cache")}
    ran, output = make(checkout, "all", *bundle[1], profile=(), **variables)
    assert ran == ALL
    assert output.splitlines()[0] == "Checking the bundle"
    told = dict(line.partition("=")[::2] for line in (checkout / "malloc").read_text().splitlines())
    assert (told["REPORT_OFFLINE"], told["HF_HUB_OFFLINE"]) == ("1", "1")
    assert "HF_HOME" not in told
    assert os.path.getmtime(checkout / ".venv" / ".installed-gpu") > time.time() - 100
    ran, output = make(checkout, "all", *bundle[1], profile=(), **variables)
    assert ran == [] and "Nothing to do" in output and "Checking" not in output
    listed = manifest.read(bundle[0])
    manifest.save(bundle[0], listed | {"commit": "1"})
    assert "Checking the bundle" in make(checkout, "all", *bundle[1], profile=(), **variables)[1]


def test_a_bundle_that_is_not_whole_stops_make_before_anything_runs(checkout, bundle):
    (bundle[0] / manifest.REQUIREMENTS).unlink()
    ran, told = make(checkout, "all", *bundle[1], status=2)
    assert ran == []
    assert told.splitlines()[0] == (
        "error: my bundle/requirements.txt is missing. Copy it here again, or make the bundle anew (`make bundle`)."
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["BUNDLE=nowhere"], "error: BUNDLE is nowhere, but manifest.json cannot be read there: No such file"),
        (["BUNDLE=nowhere", "PYTHON=false"], "error: false is not Python 3.11, 3.12 or 3.13; name one that is"),
    ],
)
def test_a_bundle_that_cannot_be_read_is_told_in_a_line(checkout, given, expected):
    ran, told = make(checkout, "all", f"PYTHON={sys.executable}", *given, status=2)
    assert ran == []
    assert len(told.splitlines()) == 1
    assert expected in told


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "bundle|--profile|cpu|--lock|cpu|--platform|linux_x86_64"),
        (
            ["PROFILE=gpu", "BUNDLE=/data/a b", "BUNDLE_PYTHON=3.12", "HAVE=my list.txt", "PART=60"],
            "/data/a b|--profile|gpu|--lock|gpu|--platform|linux_x86_64|--python|3.12|--have|my list.txt|--part|60",
        ),
        (
            ["PROFILE=gpu", "BUNDLE_LOCK=cpu", "BUNDLE_PLATFORM=linux_aarch64"],
            "bundle|--profile|gpu|--lock|cpu|--platform|linux_aarch64",
        ),
    ],
)
def test_make_bundle_hands_on_what_it_is_given(checkout, given, expected):
    python = checkout / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\nIFS="|"; [ "$1 $2" = "-m lib.bundle" ] && shift 2 && echo "$*" > given\n')
    make(checkout, "bundle", *given, profile=(), REPORT_GPUS="0")
    assert (checkout / "given").read_text() == f"{expected}\n"


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
    make(checkout, "report", "NOTEBOOK=04_tang_poetry", "REPORT_GPUS=1")
    assert (checkout / "malloc").read_text() == ""
    make(checkout, "report", "NOTEBOOK=01_baseline", "REPORT_GPUS=0")
    told = dict(line.split("=") for line in (checkout / "malloc").read_text().split())
    assert set(told) == set(memory.MALLOC)
    assert page_faults({}) > 1000 > 10 * page_faults(told)
