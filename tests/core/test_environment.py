import json
import os
import subprocess
import sys

import pytest

from lib.core import environment, paths

HARMFUL = {
    "TF_USE_LEGACY_KERAS": "1",
    "XLA_FLAGS": "--no_such_flag=1 --xla_gpu_cuda_data_dir=/opt/cuda",
    "JAX_PLATFORMS": "cuda",
    "JAX_ENABLE_X64": "1",
    "JAX_DISABLE_JIT": "1",
    "JAX_COMPILATION_CACHE_DIR": "/nowhere",
    "KERAS_BACKEND": "torch",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "TF_XLA_FLAGS": "--tf_xla_persistent_cache_directory=/nowhere",
    "MPLBACKEND": "no such backend",
}


def test_what_changes_a_report_is_set_aside_and_the_rest_stays():
    kept = {"HOME": "/home/a", "CUDA_VISIBLE_DEVICES": "1", "TFDS_DATA_DIR": "/data", "TF_CPP_MIN_LOG_LEVEL": "3"}
    left, aside = environment.cleaned(kept | HARMFUL)
    assert left == kept | {"XLA_FLAGS": "--xla_gpu_cuda_data_dir=/opt/cuda"}
    assert aside == sorted(HARMFUL)


def test_an_empty_variable_and_flags_that_all_stay_are_not_worth_a_word():
    left, aside = environment.cleaned({"XLA_FLAGS": " --xla_gpu_cuda_data_dir=/opt/cuda", "JAX_PLATFORMS": ""})
    assert left == {"XLA_FLAGS": "--xla_gpu_cuda_data_dir=/opt/cuda"}
    assert aside == []


def test_a_kernel_gets_folders_of_its_own_and_the_names_of_what_was_set_aside(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("IPYTHONDIR", "/mine")
    variables, aside = environment.for_kernel(tmp_path)
    assert "JAX_ENABLE_X64" in aside and "JAX_ENABLE_X64" not in variables
    assert variables[environment.SET_ASIDE].split() == aside
    assert variables["IPYTHONDIR"] == str(tmp_path / "ipython") and variables["KERAS_HOME"] == str(tmp_path / "keras")
    assert os.environ["JAX_ENABLE_X64"] == "1"  # this process is left as it is


CODE = """
import json, os
from lib.core import backends, environment
settings = backends.select({backend!r})
import keras, keras_nlp
model = keras.Sequential([keras.layers.Dense(1)])
model.compile("sgd", "mse", jit_compile=settings.xla)
steps = model.fit(keras.ops.ones((6, 2)), keras.ops.ones((6, 1)), batch_size=2, verbose=0)
backends.select({backend!r})
from lib.evaluation import provenance
print(json.dumps({{
    "backend": keras.backend.backend(), "floatx": keras.config.floatx(), "epsilon": keras.config.epsilon(),
    "weights": str(model.weights[0].dtype), "steps": int(model.optimizer.iterations),
    "aside": ", ".join(provenance.collect().variables_set_aside),
}}))
"""


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_a_notebook_in_jupyterlab_computes_as_it_says_whatever_the_environment_holds(tmp_path, backend):
    """Each of the variables alone would change the figures, or end the run; the keras.json would do both."""
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"floatx": "float16", "backend": "torch", "epsilon": 1}')
    variables = {name: value for name, value in os.environ.items() if not name.startswith(environment.PREFIXES)}
    variables.pop(environment.SET_ASIDE, None)
    variables |= HARMFUL | {"HOME": str(tmp_path), "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-c", CODE.format(backend=backend)]
    done = subprocess.run(command, cwd=paths.ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "backend": backend,
        "floatx": "float32",
        "epsilon": 1e-7,
        "weights": "float32",
        "steps": 3,
        "aside": ", ".join(sorted(HARMFUL)),
    }
