"""Which engine Keras computes with."""

import os
import subprocess
import sys

from lib.errors import UserError

BACKENDS = ("tensorflow", "jax")


def select(name: str) -> str:
    """Makes Keras run on a backend; call it before Keras is imported.

    TensorFlow is what the blog post ran on, and the choice where there is a GPU. On a CPU the choice is JAX, which
    compiles several times faster (first training step of the stand-in on two cores: 23 s against 109 s, later steps
    alike). TensorFlow carries the data (`tf.data`) on both.

    Args:
        name: `"tensorflow"`, `"jax"`, or `"auto"`, which chooses as told above.

    Returns:
        The backend's name.

    Raises:
        UserError: If the name is another one, or Keras already runs on another backend.
    """
    if name not in ("auto", *BACKENDS):
        raise UserError(f"backend is {name!r}; allowed are auto, {', '.join(BACKENDS)}.")
    if name == "auto":
        name = "tensorflow" if has_gpu() else "jax"
    if "keras" in sys.modules and (running := sys.modules["keras"].backend.backend()) != name:
        raise UserError(f"backend is {name!r}, but Keras already runs on {running!r}. Restart the kernel.")
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if name == "jax":
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")  # TensorFlow only reads data here
    return name


def has_gpu() -> bool:
    """Whether the machine has an NVIDIA GPU, found out as the Makefile does, without importing TensorFlow.

    TensorFlow imports Keras, and Keras chooses its backend when it is imported.
    """
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    except FileNotFoundError:
        return False
    return listed.stdout.startswith("GPU")
