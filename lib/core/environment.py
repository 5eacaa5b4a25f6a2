"""Keep the reader's own set-up out of a report by removing environment variables that would change it.

A report states how it was made: the YAML file's backend, float32, a first call that compiles. Environment variables of
Keras, JAX, TensorFlow and XLA could change that silently or end a run, and so could an IPython start-up file. This
module alone decides what reaches a notebook. The runner uses it for its kernels (`for_kernel`), and `backends.select`
uses it if a notebook runs in JupyterLab (`clean_here`).
"""

import os
import sys
from pathlib import Path

from lib.core import paths

PREFIXES = ("KERAS_", "JAX_", "TF_", "TF2_", "XLA_", "TPU_")
NAMES = (
    "CUDA_LAUNCH_BLOCKING",
    "MATPLOTLIBRC",
    "MPLBACKEND",
    "NVIDIA_TF32_OVERRIDE",
    "PYTHONOPTIMIZE",
    "PYTHONSTARTUP",
    "PYTHONWARNINGS",
)
# Prefixes of variables that change no figure: logs, the share of GPU memory that a program may take, and Terraform's.
KEPT = ("TF_CLI_", "TF_CPP_", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_VAR_", "XLA_PYTHON_CLIENT_MEM_FRACTION")
KEPT_FLAG = "--xla_gpu_cuda_data_dir="  # the folder of CUDA; without it XLA may not find its GPU compiler
SET_ASIDE = "REPORT_SET_ASIDE"  # the runner passes the removed names to a kernel in it
TRAININGS = "REPORT_TRAININGS"  # the runner names in it the folder where trainings are kept until a report is published
ENGINES = ("keras", "jax", "tensorflow")  # these read the environment on import


def cleaned(variables: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Remove the variables that would change a report or end its run.

    Args:
        variables: Environment variables.

    Returns:
        The remaining variables, and the names of those that were changed or removed.
    """
    left, aside = dict(variables), []
    for name in sorted(variables):
        if name.startswith(KEPT) or not (name.startswith(PREFIXES) or name in NAMES):
            continue
        value = left.pop(name)
        if name == "XLA_FLAGS" and (flags := [flag for flag in value.split() if flag.startswith(KEPT_FLAG)]):
            left[name] = " ".join(flags)
        if value.strip() and left.get(name) != value.strip():
            aside.append(name)
    return left, aside


def for_kernel(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Return the environment of a report's kernel, with the default settings of IPython and Keras.

    Args:
        folder: A folder for this run's own files of IPython and Keras, and for temporary files: a killed kernel leaves
            some.

    Returns:
        The variables, and the names of this process's variables that were removed or changed.
    """
    variables, aside = cleaned(dict(os.environ))
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    own = {"IPYTHONDIR": str(folder / "ipython"), "KERAS_HOME": str(folder / "keras"), SET_ASIDE: " ".join(aside)}
    return variables | own | {"TMPDIR": str(temporary)}, aside


def clean_here() -> None:
    """Clean this process's environment, unless the runner has done so or an engine has already read it."""
    if SET_ASIDE in os.environ or any(engine in sys.modules for engine in ENGINES):
        return
    left, aside = cleaned(dict(os.environ))
    for name in set(os.environ) - set(left):
        del os.environ[name]
    os.environ |= left | {"KERAS_HOME": str(paths.cache() / "keras"), SET_ASIDE: " ".join(aside)}


def set_aside() -> list[str]:
    """Return the names of the variables that were removed or changed for this process."""
    return os.environ.get(SET_ASIDE, "").split()
