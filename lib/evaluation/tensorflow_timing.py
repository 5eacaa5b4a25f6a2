"""Time the post's own lines on TensorFlow, which the post ran on, for a notebook that runs on JAX.

Keras has one backend in a process, so this starts a process of its own.
"""

import json
import sys
import time

import keras
import keras_nlp

from lib.core import backends, progress, redaction, watchdog
from lib.core.errors import UserError
from lib.core.records import Timing
from lib.evaluation import timing
from lib.models import memory, pretrained

LABELS = {"tensorflow": "as in the post, on TensorFlow", "jax": "as in the post, on JAX"}


def measure(handle: str, **asked) -> tuple[Timing | None, str]:
    """Time `generate` on TensorFlow, in this process's precision.

    A report does not depend on it. If it fails, as where TensorFlow cannot use the GPU or the memory is too small for
    the model a second time, the reason is returned.

    Args:
        handle: The preset, see `pretrained.find`.
        asked: What `timed` is asked besides.

    Returns:
        The timing and `""`, or None and the reason in one line.
    """
    progress.note("timing the post's lines on TensorFlow, in a process of their own")
    asked |= {"precision": backends.selected.precision, "deterministic": backends.selected.deterministic}
    command = [sys.executable, "-m", "lib.evaluation.tensorflow_timing", json.dumps({"handle": handle, **asked})]
    try:
        told = watchdog.run(command, [], "timing on TensorFlow", environment={"KERAS_BACKEND": "tensorflow"})
    except watchdog.Failure as failure:
        reason = redaction.clean(str(failure))
        progress.note(f"TensorFlow was not timed: {reason}")
        return None, reason
    return Timing.model_validate_json(told.splitlines()[-1]), ""


def timed(
    handle: str,
    sequence_length: int,
    prompt: str,
    max_length: int,
    k: int,
    fewest: int,
    seed: int,
    precision: str,
    deterministic: bool,
) -> Timing:
    """Load a preset with the post's two lines and time its `generate`, on TensorFlow in this process.

    Args:
        handle: The preset, see `pretrained.find`.
        sequence_length: The length that the preprocessor is set to, in tokens.
        prompt: The prompt.
        max_length: The number of tokens in a text, including the prompt.
        k: How many tokens top-k sampling chooses from.
        fewest: The smallest number of later calls, see `timing.repeat`.
        seed: The seed of all that is random.
        precision: See `backends.select`.
        deterministic: See `backends.select`.

    Raises:
        UserError: If TensorFlow cannot use the machine's GPU, or the memory is too small.
    """
    backends.select("tensorflow", precision, deterministic)
    keras.utils.set_random_seed(seed)
    model = pretrained.find(handle, pretrained.NONE, memory.generating(1, max_length))
    start = time.perf_counter()
    preprocessor = keras_nlp.models.CausalLMPreprocessor.from_preset(model.handle, sequence_length=sequence_length)
    causal_lm = keras_nlp.models.CausalLM.from_preset(model.handle, preprocessor=preprocessor)
    load_seconds = time.perf_counter() - start
    # The post leaves XLA to Keras, too: off on a CPU, on with a GPU.
    causal_lm.compile(sampler=keras_nlp.samplers.TopKSampler(k=k, seed=seed))
    found = timing.measure(causal_lm, [prompt], max_length, fewest, LABELS["tensorflow"], load_seconds)
    return found.model_copy(update={"xla": bool(causal_lm.jit_compile)})


def main(arguments: list[str]) -> int:
    """Print the result of `timed`, whose arguments are given as JSON, or why there is none.

    Returns:
        The exit status.
    """
    watchdog.end_with_parent()
    try:
        print(timed(**json.loads(arguments[0])).model_dump_json())
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
