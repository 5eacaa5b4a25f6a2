import os
import re
import subprocess
import sys
import time

import pytest

from lib.core import backends, paths, programs
from lib.core.errors import UserError

# What a CPU gets; the second where it multiplies bfloat16.
ON_JAX = ("jax, float32", "jax, float32 (matrix products of training in bfloat16)")[backends.multiplies_bfloat16()]


def run(code):
    """Runs code in a fresh Python, where Keras is not imported yet."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.fixture
def nvidia_smi(monkeypatch, tmp_path):
    """An nvidia-smi that lists a GPU of some compute capability."""

    def lists(gpu, capability="7.5"):
        lines = f"case \"$*\" in -L) echo '{gpu}';; *compute_cap*) echo '{capability}';; esac"
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{lines}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return lists


def test_keras_runs_on_what_was_selected_and_cannot_be_switched_after(nvidia_smi):
    """Without a GPU, it is JAX. Naming float32 rounds nothing."""
    nvidia_smi("No devices were found")
    done = run(
        "from lib.core import backends\n"
        "print(backends.select('auto', 'auto'))\n"
        "print(backends.select('jax'))\n"
        "print(backends.select('jax', 'float32'))\n"
        "import keras; print(keras.backend.backend(), backends.selected.backend)\n"
        "import sys; print('sklearn' in sys.modules); import sklearn.base; print(sklearn.__name__)\n"
        "backends.select('tensorflow')"
    )
    chosen = 2 * [f"{ON_JAX}, XLA on"] + ["jax, float32, XLA on"]
    assert done.stdout.splitlines() == [*chosen, "jax jax", "False", "sklearn"]  # which Keras need not import
    assert "backend is 'tensorflow', but Keras already runs on 'jax'. Restart the kernel." in done.stderr


def test_no_gpu_that_is_used_is_none(nvidia_smi, monkeypatch):
    assert not backends.has_gpu()
    nvidia_smi("No devices were found")
    assert not backends.has_gpu()
    nvidia_smi("GPU 0: Tesla T4 (UUID: GPU-0)")
    assert backends.has_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not backends.has_gpu()


@pytest.mark.parametrize("hidden", ["", "-1", "-1,0", " -1", "NoDevFiles", ",0"])
def test_a_gpu_that_is_hidden_is_none(nvidia_smi, monkeypatch, hidden):
    nvidia_smi("GPU 0: Tesla T4 (UUID: GPU-0)")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert not backends.has_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,-1")
    assert backends.has_gpu()


def test_an_nvidia_smi_that_stands_still_is_waited_for_once(monkeypatch, tmp_path):
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\necho >> {tmp_path}/asked\nPATH=/usr/bin:/bin exec sleep 100\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(backends, "NVIDIA_SMI_SECONDS", 1)
    monkeypatch.setattr(backends, "_nvidia_smi_hangs", False)
    start = time.monotonic()
    assert not backends.has_gpu()
    assert backends.compute_capability() == 0
    assert not backends.has_gpu()
    assert time.monotonic() - start < 20
    assert (tmp_path / "asked").read_text() == "\n"


@pytest.mark.parametrize(
    ("backend", "who"), [("auto", "neither JAX nor TensorFlow can"), ("jax", "JAX "), ("tensorflow", "TensorFlow ")]
)
def test_a_gpu_that_cannot_be_used_is_refused(nvidia_smi, backend, who):
    """This machine has a driver's tool that lists a GPU, and no GPU: as one whose driver does not work."""
    nvidia_smi("GPU 0: Tesla T4 (UUID: GPU-0)")
    done = run(f"from lib.core import backends\nprint(backends.select({backend!r}))")
    assert f"nvidia-smi lists GPU 0: Tesla T4, but {who}" in done.stderr
    assert "CUDA_VISIBLE_DEVICES=-1" in done.stderr and "LD_LIBRARY_PATH" not in done.stderr


def test_a_cuda_of_the_system_is_named_where_a_gpu_cannot_be_used(nvidia_smi, monkeypatch, tmp_path):
    nvidia_smi("GPU 0: Tesla T4 (UUID: GPU-0)")
    (tmp_path / "cuda").mkdir()
    (tmp_path / "cuda" / "libcudnn.so.8").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{tmp_path}/cuda")
    done = run("from lib.core import backends\nprint(backends.select())")
    assert f"LD_LIBRARY_PATH names a CUDA in {tmp_path}/cuda, which may be of another version: unset" in done.stderr


def test_jax_computes_on_a_gpu_if_it_can(nvidia_smi):
    """JAX is told that there is a GPU."""
    nvidia_smi("GPU 0: NVIDIA A100 (UUID: GPU-0)", capability="8.0")
    code = "import jax\njax.default_backend = lambda: 'gpu'\nfrom lib.core import backends\nprint(backends.select())\n"
    expected = "jax, float32 (matrix products in TF32{}), XLA on, GPU memory as needed"
    told = run(code + "print(backends.select('auto', 'float32'))").stdout.splitlines()
    assert told == [expected.format(", of training in bfloat16"), expected.format("")]
    nvidia_smi("GPU 0: Tesla T4 (UUID: GPU-0)", capability="7.5")
    assert run(code).stdout.strip() == "jax, mixed_float16, XLA on, GPU memory as needed"


def test_xla_compiles_fast_for_a_cpu_where_that_was_tried(nvidia_smi):
    """XLA reads its flags when it first computes, and ends the process if it does not know one."""
    computes = "import jax.numpy, os; jax.numpy.ones(1); print(os.environ.get('XLA_FLAGS'))"
    computes += "; from lib.core import backends; print(backends.compiler_options())"
    selects = "from lib.core import backends; backends.select('jax', deterministic={}); {}\n" + computes
    nvidia_smi("No devices were found")
    both = f"--xla_gpu_deterministic_ops=true {backends.COMPILE_FAST}"
    for deterministic, before, told in (
        (False, "", backends.COMPILE_FAST),
        (True, "backends.select('jax', deterministic=True)", both),
    ):
        done = run(selects.format(deterministic, before))
        assert done.stdout.splitlines() == [told, str(backends.COMPILE_AS_USUAL)], done.stderr
    done = run(f"from lib.core import backends; backends.TRIED_WITH = '0'; backends.select('jax')\n{computes}")
    assert done.stdout.splitlines() == ["None", "None"]
    nvidia_smi("GPU 0: NVIDIA T4 (UUID: GPU-1)")
    done = run("from lib.core import backends; backends._prepare_jax(False)\n" + computes)
    assert done.stdout.splitlines() == ["None", "None"]


def test_the_flag_that_compiles_fast_was_tried_with_the_locked_jaxlib():
    (locked,) = re.findall(
        r"^jaxlib==(\S+)", (paths.ROOT / "requirements" / "cpu.txt").read_text("utf-8"), re.MULTILINE
    )
    assert locked == backends.TRIED_WITH, "measure with the new version whether XLA compiles faster and no slower code"


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
def test_a_processor_s_flags_tell_whether_it_multiplies_bfloat16(tmp_path, flag):
    cpuinfo = tmp_path / "cpuinfo"
    assert not backends.multiplies_bfloat16(str(cpuinfo))  # no Linux
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512f\nbugs\t\t: none\n")
    assert not backends.multiplies_bfloat16(str(cpuinfo))
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: fpu avx2 {flag} avx512f\nbugs\t\t: none\n")
    assert backends.multiplies_bfloat16(str(cpuinfo))


def test_tensorflow_on_a_cpu_runs_without_xla_and_compiles_as_ever():
    done = run(
        "from lib.core import backends\n"
        "with backends.compiling_anew(): pass\n"
        "print(backends.select('tensorflow', 'float32'))\n"
        "with backends.compiling_anew(): print('went on')"
    )
    assert done.stdout.splitlines() == ["tensorflow, float32, XLA off", "went on"]


def test_tensorflow_on_a_gpu_is_set_up_with_xla_memory_growth_and_its_tensor_cores(nvidia_smi):
    """Here only TensorFlow finds one. It is told that there is a GPU, and what is asked of it is written down."""
    nvidia_smi("GPU 0: NVIDIA A100 (UUID: GPU-0)", capability="8.0")
    done = run(
        "from lib.core import imports\n"
        "with imports.many_objects_kept(): import tensorflow as tf\n"
        "tf.config.list_physical_devices = lambda kind: ['the GPU']\n"
        "tf.config.experimental.set_memory_growth = lambda *asked: print(*asked)\n"
        "import sys\n"
        "for name in [name for name in sys.modules if name.split('.')[0] == 'keras']: del sys.modules[name]\n"
        "from lib.core import backends, progress\n"
        "progress.note = print\n"
        "print(backends.select('auto', 'float32'))\n"
        "print(backends.select())\n"
        "import keras; print(keras.config.dtype_policy().name)"
    )
    growth = "the GPU True"
    expected = ["JAX cannot use the GPU and TensorFlow can, so TensorFlow computes.", growth]
    expected += ["tensorflow, float32 (matrix products in TF32), XLA on, GPU memory as needed"]
    expected += [growth, "tensorflow, mixed_bfloat16, XLA on, GPU memory as needed", "mixed_bfloat16"]
    assert done.stdout.splitlines() == expected, done.stderr


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ("6.1", "float32"),
        ("7.0", "mixed_float16"),
        ("7.5", "mixed_float16"),
        ("8.0", "mixed_bfloat16"),
        ("9.0", "mixed_bfloat16"),
        ("", "float32"),
    ],
)
def test_the_precision_follows_the_tensor_cores(nvidia_smi, capability, expected):
    nvidia_smi("GPU 0: some GPU", capability)
    assert backends.fastest_precision(backends.compute_capability()) == expected


def test_the_gpu_that_is_visible_is_the_one_that_is_asked(monkeypatch, tmp_path):
    (tmp_path / "nvidia-smi").write_text('#!/bin/sh\n[ "$1" = --id=GPU-2 ] && echo 8.6 && exit; echo 6.1\n')
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-2,GPU-1")
    assert backends.compute_capability() == 8.6
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert backends.compute_capability() == 6.1


def test_unknown_names_are_told():
    with pytest.raises(UserError, match="backend is 'torch'; allowed are auto, tensorflow, jax"):
        backends.select("torch")
    with pytest.raises(UserError, match="precision is 'float8'; allowed are auto, float32, mixed_float16"):
        backends.select("auto", "float8")


def test_deterministic_operations_turn_xla_off_on_tensorflow_and_are_told():
    done = run(
        "from lib.core import backends\n"
        "print(backends.select('tensorflow', deterministic=True))\n"
        "from tensorflow.python.framework import config\n"
        "print(config.is_op_determinism_enabled())"
    )
    assert done.stdout.splitlines() == ["tensorflow, float32, XLA off, deterministic operations", "True"]


# Compiled programs.

# What `select` does for JAX. A stand-in for TensorFlow, which would only be told to use no GPU, saves its import.
SET_UP = """
import importlib.machinery
import types
stand_in = sys.modules["tensorflow"] = types.ModuleType("tensorflow")
stand_in.__spec__ = importlib.machinery.ModuleSpec("tensorflow", None)
stand_in.config = types.SimpleNamespace(set_visible_devices=lambda *asked: None)
backends._set_up_jax()
backends.selected = backends.Settings("jax", "float32", xla=True, on_gpu=False, memory_growth=False)
"""
COMPILES = """
import sys
import jax
from lib.core import backends
counted = {"hits": 0, "compiled": 0}

def count(event, **_):
    counted["hits"] += event == "/jax/compilation_cache/cache_hits"

jax.monitoring.register_event_listener(count)
{set_up}
double = lambda: jax.jit(lambda x: 2 * x + 3)(jax.numpy.arange(7)).tolist()
"""


@pytest.fixture
def compiling(monkeypatch, tmp_path):
    """Runs code in a process that keeps its programs in an own cache; returns what it printed."""
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))

    def run_it(code, set_up=SET_UP):
        done = run(COMPILES.replace("{set_up}", set_up) + code)
        assert done.returncode == 0, done.stderr[-2000:]
        assert "persistent compilation cache" not in done.stderr
        return done.stdout.split()

    return run_it


def kept(tmp_path):
    return sorted((tmp_path / "cache" / "programs").glob("*/*-cache"))


def test_a_program_that_one_run_has_compiled_the_next_run_finds(compiling, tmp_path):
    assert compiling("double(); print(counted['hits'])", 'backends.select("jax")') == ["0"]
    files = kept(tmp_path)
    assert files and len({file.parent for file in files}) == 1
    told = compiling("print(*double()); print(counted['hits'])", 'backends.select("jax")')
    assert told[:7] == [str(2 * number + 3) for number in range(7)] and int(told[7]) == len(files)
    assert kept(tmp_path) == files


def test_what_is_timed_as_a_first_call_compiles_whatever_is_kept_and_is_kept_too(compiling, tmp_path):
    anew = "with backends.compiling_anew(): double()\n"
    assert compiling(f"{anew}print(counted['hits'])") == ["0"]
    files = kept(tmp_path)
    assert files
    assert compiling(f"{anew}print(counted['hits'])") == ["0"]
    assert int(compiling("double(); print(counted['hits'])")[0]) == len(files)
    other = "print(jax.jit(lambda x: x - 1)(5)); print(counted['hits'])"
    assert compiling(f"{anew}{other}") == ["4", "0"]  # the block over, programs are kept and found again
    assert compiling(other) == ["4", "1"]
    files = kept(tmp_path)
    assert kept(tmp_path) == files
    assert not [file for file in (tmp_path / "cache" / "programs").rglob("*") if file.name.startswith(".")]


def test_a_program_that_is_cut_off_is_compiled_and_kept_again_without_a_warning(compiling, tmp_path):
    compiling("double()")
    for file in kept(tmp_path):
        file.write_bytes(file.read_bytes()[:-5])
    assert compiling("print(counted['hits']); print(*double())")[1:] == [str(2 * number + 3) for number in range(7)]
    assert int(compiling("double(); print(counted['hits'])")[0]) == len(kept(tmp_path))


def test_where_no_program_can_be_kept_each_run_compiles(compiling, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "programs").write_text("a file")
    told = compiling("print(*double())\nwith backends.compiling_anew(): print(*double())")
    assert told == 2 * [str(2 * number + 3) for number in range(7)]


def test_each_kind_of_processor_has_programs_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    folders = set()
    for flags in ("sse4_2 avx2", "sse4_2 avx2 avx512f"):
        for speed in ("2000.000", "3193.512"):  # which says nothing about the kind
            (tmp_path / "cpuinfo").write_text(f"model name\t: A CPU\ncpu MHz\t: {speed}\nflags\t: {flags}\n")
            folders.add(programs.folder(str(tmp_path / "cpuinfo")))
    assert len(folders) == 2 and all(folder.is_dir() for folder in folders)
    assert programs.folder(str(tmp_path / "none")).is_dir()


def test_a_program_is_looked_at_once(monkeypatch, tmp_path):
    looked_at = []
    monkeypatch.setattr(programs, "_is_whole", lambda file: looked_at.append(file.name) or True)
    for name in ("one", "two"):
        (tmp_path / f"{name}-cache").touch()
        programs.drop_damaged(tmp_path)
        os.utime(tmp_path / f"{name}-cache", (1, 1))  # long ago
    programs.drop_damaged(tmp_path)
    assert looked_at == ["one-cache", "two-cache"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["checked", "one-cache", "two-cache"]
