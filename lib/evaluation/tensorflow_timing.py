"""Time the post's own lines on TensorFlow, which the post ran on, for a notebook that runs on JAX.

Keras has one backend in a process, so this starts a process of its own.
"""

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import keras_nlp

from lib.core import backends, progress, redaction, watchdog
from lib.core.errors import UserError
from lib.core.records import Timing
from lib.evaluation import timing
from lib.models import memory, pretrained

LABELS = {"tensorflow": "as in the post, on TensorFlow", "jax": "as in the post, on JAX"}
MARK = "timing: "  # before an answer, on standard output
LONGEST = 300  # characters of a reason


def in_turn(
    model: pretrained.Model, timings: list[Timing], ways: list[Callable[[int], float]], fewest: int, **asked
) -> tuple[Timing | None, list[Timing], str]:
    """Time `generate` on TensorFlow, in this process's precision and in turn with what this process times.

    A report does not depend on TensorFlow. If it fails, as where it cannot use the GPU or the memory is too small for
    the model a second time, the others are timed without it, and the reason is returned.

    Args:
        model: The model, which was found before.
        timings: What this process has timed, see `timing.in_turn`.
        ways: The same.
        fewest: The same.
        asked: What `started` is asked besides.

    Returns:
        The timing on TensorFlow, those of this process, and `""`; or None, those, and the reason in one line.
    """
    progress.note("starting the post's lines on TensorFlow, in a process of their own, a minute or two")
    asked |= {"precision": backends.selected.precision, "deterministic": backends.selected.deterministic}
    asked |= {"handle": model.handle, "name": model.name}
    command = [sys.executable, "-m", "lib.evaluation.tensorflow_timing", json.dumps(asked)]
    variables = {"KERAS_BACKEND": "tensorflow", "XLA_FLAGS": backends.flags_for_tensorflow()}
    try:
        with watchdog.Talk(command, MARK, variables) as there:
            first = _read(Timing.model_validate_json, there.answer())
            generate = functools.partial(_ask, there)
            first, *others = timing.in_turn([first, *timings], [generate, *ways], fewest)
            return first, others, ""
    except watchdog.Failure as failure:
        reason = redaction.clean(" ".join(str(failure).replace(model.handle, model.name).split()))[:LONGEST]
    progress.note(f"TensorFlow was not timed: {reason}")
    return None, timing.in_turn(timings, ways, fewest), reason


def _ask(there: watchdog.Talk, length: int) -> float:
    """Have the other process make a call. Returns its seconds."""
    return _read(float, there.ask(str(length)))


def _read(read: Callable, answer: str):
    try:
        return read(answer)
    except ValueError as error:
        raise watchdog.Failure(f"its answer cannot be read: {' '.join(str(error).split())}") from error


def started(
    handle: str,
    name: str,
    sequence_length: int,
    prompt: str,
    max_length: int,
    k: int,
    seed: int,
    precision: str,
    deterministic: bool,
) -> tuple[Timing, Callable[[int], float]]:
    """Load a preset with the post's two lines and time its first calls, on TensorFlow in this process.

    XLA is on, as in the post: KerasNLP for Keras 2 turned it on wherever it worked
    (`jit_compile=is_xla_compatible(self)` in `GPT2CausalLM`). Keras 3 has it off on a CPU.

    Args:
        handle: The folder of the preset.
        name: The model's name, for messages.
        sequence_length: The length that the preprocessor is set to, in tokens.
        prompt: The prompt.
        max_length: The number of tokens in a text, including the prompt.
        k: How many tokens top-k sampling chooses from.
        seed: The seed of all that is random.
        precision: See `backends.select`.
        deterministic: See `backends.select`. TensorFlow has deterministic operations without XLA only.

    Returns:
        The timing, with a single later call, and how to make more, see `timing.way`.

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
    found = timing.measure(causal_lm, [prompt], max_length, 1, LABELS["tensorflow"], load_seconds)
    return found.model_copy(update={"xla": bool(causal_lm.jit_compile)}), timing.way(causal_lm, [prompt])


def main(arguments: list[str]) -> int:
    """Print the timing of `started`, whose arguments are given as JSON; then the seconds of a call for each length.

    The lengths are read from standard input.

    Returns:
        The exit status.
    """
    watchdog.end_with_parent()
    try:
        found, generate = started(**json.loads(arguments[0]))
        print(MARK + found.model_dump_json(), flush=True)
        for line in sys.stdin:
            print(f"{MARK}{generate(int(line))}", flush=True)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:  # TensorFlow's errors have many lines
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
