"""Keeps a reader's own set-up out of a report: what of the environment a run depends on, and what is set aside.

A report says what it was made with: the YAML's backend, float32, a first call that compiles. Environment variables of
Keras, JAX, TensorFlow and XLA would change that in silence, or end a run. So would a start-up file of IPython. This is
the one place that decides what reaches a notebook. The runner uses it for its kernels (`for_kernel`), and
`backends.select` where a notebook runs in JupyterLab (`clean_here`).
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
# How names begin of what changes no figure: logs, how much of a GPU's memory a program may take, Terraform's own.
KEPT = ("TF_CLI_", "TF_CPP_", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_VAR_", "XLA_PYTHON_CLIENT_MEM_FRACTION")
KEPT_FLAG = "--xla_gpu_cuda_data_dir="  # where CUDA lies, without which XLA may find no compiler for the GPU
SET_ASIDE = "REPORT_SET_ASIDE"  # by which the runner tells a kernel what was set aside
ENGINES = ("keras", "jax", "tensorflow")  # read the environment when they are imported


def cleaned(variables: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Takes out what would change a report or end its run.

    Args:
        variables: Environment variables.

    Returns:
        The variables that are left, and the names of those that were changed or taken out.
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
    """The environment of a report's kernel, with IPython and Keras set up as they come.

    Args:
        folder: Where IPython and Keras may keep what belongs to this run alone, and where temporary files go: a kernel
            that is killed leaves some.

    Returns:
        The variables, and the names of those of this process that were set aside.
    """
    variables, aside = cleaned(dict(os.environ))
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    own = {"IPYTHONDIR": str(folder / "ipython"), "KERAS_HOME": str(folder / "keras"), SET_ASIDE: " ".join(aside)}
    return variables | own | {"TMPDIR": str(temporary)}, aside


def clean_here() -> None:
    """Sets aside in this process what the runner would, unless it has, or an engine has read it already."""
    if SET_ASIDE in os.environ or any(engine in sys.modules for engine in ENGINES):
        return
    left, aside = cleaned(dict(os.environ))
    for name in set(os.environ) - set(left):
        del os.environ[name]
    os.environ |= left | {"KERAS_HOME": str(paths.cache() / "keras"), SET_ASIDE: " ".join(aside)}


def set_aside() -> list[str]:
    """The names of the variables that were set aside for this process."""
    return os.environ.get(SET_ASIDE, "").split()
