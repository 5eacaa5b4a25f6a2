"""Time the post's own lines on TensorFlow, which the post ran on, for a notebook that runs on JAX.

Keras has one backend in a process, so this starts a process of its own.
"""

import json
import sys
import time
from pathlib import Path

import keras
import keras_nlp

from lib.core import backends, progress, redaction, watchdog
from lib.core.errors import UserError
from lib.core.records import Timing
from lib.evaluation import timing
from lib.models import memory, pretrained

LABELS = {"tensorflow": "as in the post, on TensorFlow", "jax": "as in the post, on JAX"}
MARK = "timing: "  # before the result, on standard output
LONGEST = 300  # characters of a reason


def measure(model: pretrained.Model, **asked) -> tuple[Timing | None, str]:
    """Time `generate` on TensorFlow, in this process's precision.

    A report does not depend on it. If it fails, as where TensorFlow cannot use the GPU or the memory is too small for
    the model a second time, the reason is returned.

    Args:
        model: The model, which was found before.
        asked: What `timed` is asked besides.

    Returns:
        The timing and `""`, or None and the reason in one line.
    """
    progress.note("timing the post's lines on TensorFlow, in a process of their own, a minute or two")
    asked |= {"precision": backends.selected.precision, "deterministic": backends.selected.deterministic}
    asked |= {"handle": model.handle, "name": model.name}
    command = [sys.executable, "-m", "lib.evaluation.tensorflow_timing", json.dumps(asked)]
    try:
        variables = {"KERAS_BACKEND": "tensorflow", "XLA_FLAGS": backends.flags_for_tensorflow()}
        told = watchdog.run(command, [], "timing on TensorFlow", environment=variables)
        found = [line.removeprefix(MARK) for line in told.splitlines() if line.startswith(MARK)]
        if not found:
            raise watchdog.Failure("it ended without a timing")
        return Timing.model_validate_json(found[0]), ""
    except (watchdog.Failure, ValueError) as failure:
        reason = redaction.clean(" ".join(str(failure).replace(model.handle, model.name).split()))[:LONGEST]
        progress.note(f"TensorFlow was not timed: {reason}")
        return None, reason


def timed(
    handle: str,
    name: str,
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

    XLA is on, as in the post: KerasNLP for Keras 2 turned it on wherever it worked
    (`jit_compile=is_xla_compatible(self)` in `GPT2CausalLM`). Keras 3 has it off on a CPU.

    Args:
        handle: The folder of the preset.
        name: The model's name, for messages.
        sequence_length: The length that the preprocessor is set to, in tokens.
        prompt: The prompt.
        max_length: The number of tokens in a text, including the prompt.
        k: How many tokens top-k sampling chooses from.
        fewest: The smallest number of later calls, see `timing.repeat`.
        seed: The seed of all that is random.
        precision: See `backends.select`.
        deterministic: See `backends.select`. TensorFlow has deterministic operations without XLA only.

    Raises:
        UserError: If TensorFlow cannot use the machine's GPU, or the memory is too small.
    """
    backends.select("tensorflow", precision, deterministic)
    keras.utils.set_random_seed(seed)
    memory.check(name, memory.shape_of(Path(handle)), (memory.generating(1, max_length),))
    start = time.perf_counter()
    preprocessor = keras_nlp.models.CausalLMPreprocessor.from_preset(handle, sequence_length=sequence_length)
    causal_lm = keras_nlp.models.CausalLM.from_preset(handle, preprocessor=preprocessor)
    load_seconds = time.perf_counter() - start
    sampler = keras_nlp.samplers.TopKSampler(k=k, seed=seed)
    causal_lm.compile(sampler=sampler, jit_compile=not deterministic)
    found = timing.measure(causal_lm, [prompt], max_length, fewest, LABELS["tensorflow"], load_seconds)
    return found.model_copy(update={"xla": bool(causal_lm.jit_compile)})


def main(arguments: list[str]) -> int:
    """Print the result of `timed`, whose arguments are given as JSON, or why there is none.

    Returns:
        The exit status.
    """
    watchdog.end_with_parent()
    try:
        print(MARK + timed(**json.loads(arguments[0])).model_dump_json())
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:  # TensorFlow's errors have many lines
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
