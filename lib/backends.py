"""Which engine Keras computes with."""

import os
import sys

from lib.errors import UserError

BACKENDS = ("tensorflow", "jax")


def select(name: str) -> str:
    """Makes Keras run on the named backend; call it before Keras is imported.

    TensorFlow is what the blog post ran on, and the choice of `experiments/gpu`. On a CPU, JAX compiles several times
    faster (first training step of the stand-in on two cores: 23 s against 109 s, later steps alike), so it is the
    choice of `experiments/cpu`. TensorFlow carries the data (`tf.data`) on both.

    Args:
        name: `"tensorflow"` or `"jax"`.

    Returns:
        The name.

    Raises:
        UserError: If the name is another one, or Keras already runs on another backend.
    """
    if name not in BACKENDS:
        raise UserError(f"backend is {name!r}; allowed are {', '.join(BACKENDS)}.")
    if "keras" in sys.modules:
        running = sys.modules["keras"].backend.backend()
        if running != name:
            raise UserError(f"backend is {name!r}, but Keras already runs on {running!r}. Restart the kernel.")
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if name == "jax":
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")  # TensorFlow only reads data here
    return name
