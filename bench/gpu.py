"""The bench on a GPU: all sides start and compile at the same time, and are then timed one at a time.

A side that fails, or is not ready in time, is left out and named with its reason. What the GPU itself can do, its
copying and its products of matrices, is measured in the same rounds.
"""

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from bench import comparisons, ours, protocol, shape
from bench.comparisons import COMPILED, HUGGING_FACE, KERASHUB_JAX, LIMIT, POST, STATIC
from bench.rows import row
from lib.core import backends, paths, progress
from lib.core.records import Precision
from lib.models import memory

OURS = "this project"
ROUNDS = 3
WARM_UPS = 2
READY_SECONDS = 300  # for starting, compiling and warming up, all sides at the same time; 90 were too few with 16 cores
QUIET_SECONDS = 60  # for warming up the sides that compile nothing
CALL_SECONDS = 30  # for a call that is timed
SAMPLE_SECONDS = 0.25  # a task that takes less is repeated
# The formats that are compared, with what Keras calls them: JAX and TensorFlow multiply float32 in TF32 on a GPU.
POLICIES = {Precision.TF32: "float32", Precision.BFLOAT16: "mixed_bfloat16"}
TEXTS = "197 new tokens, top-k 5; Keras from text to text, transformers from token ids to token ids"
STEPS = "steps of 32 texts of 128 tokens, none padded"
GENERATE, TRAIN = "generate, batch {}", "train on full texts"
COPY, PRODUCT = "copy", "product"
TARGETS = {(GENERATE.format(1), STATIC): 1.5, (TRAIN, COMPILED): 1.1}  # set before the first run


class Contestant(NamedTuple):
    """What is timed: a task of a process.

    Attributes:
        program: `OURS`, a peer of `comparisons.PEERS`, or what is measured of the GPU itself.
        precision: The number format that it multiplies in.
        process: The module and the arguments that the process begins with.
        task: The name of the task.
    """

    program: str
    precision: Precision
    process: tuple[str, ...]
    task: str


def contestants(peers: bool) -> dict[str, list[Contestant]]:
    """Returns all contestants, by the work that they do.

    Args:
        peers: Whether there is a Python that has PyTorch and transformers.
    """

    def keras(program, side, work, task):
        return {
            precision: Contestant(program, precision, ("gpu_ours", side, work, policy), task)
            for precision, policy in POLICIES.items()
        }

    def torch(program, work, task, *precisions):
        made = [Contestant(program, one, ("gpu_peers", work, one.value), task) for one in precisions]
        return made if peers else []

    def limit(name, task, precision=Precision.FLOAT32):
        process = ("gpu_peers", "limits", Precision.FLOAT32.value)
        return [Contestant(name, precision, process, task)] if peers else []

    works = {}
    for batch in ("1", "8"):
        # PyTorch's own default, float32, is measured as it comes, once.
        eager = (Precision.FLOAT32, *POLICIES) if batch == "1" else POLICIES
        works[GENERATE.format(batch)] = [
            *limit(COPY, "copy"),
            *keras(OURS, "ours", "generate", batch).values(),
            keras(KERASHUB_JAX, "kerashub", "generate", batch)[Precision.TF32],
            keras(POST, "post", "generate", batch)[Precision.TF32],
            *torch(STATIC, f"static {batch}", batch, *POLICIES),
            *torch(HUGGING_FACE, "generate", batch, *eager),
        ]
    works[TRAIN] = [
        *(one for precision in POLICIES for one in limit(PRODUCT, precision.value, precision)),
        *keras(OURS, "ours", "finetune", "train").values(),
        *keras(KERASHUB_JAX, "kerashub", "finetune", "train").values(),
        keras(POST, "post", "finetune", "train")[Precision.TF32],
        *torch(COMPILED, "finetune", "train compiled", *POLICIES),
        *torch(HUGGING_FACE, "finetune", "train", Precision.FLOAT32, *POLICIES),
    ]
    return works


class Sides:
    """The processes that are timed. Use it as a context manager.

    Args:
        size: The model's size.
        peers: The Python interpreter that has PyTorch and transformers; None leaves it out.
        scratch: A folder for logs and the token file.

    Attributes:
        lost: The reasons why processes were left out, by process.
    """

    def __init__(self, size: str, peers: str | None, scratch: Path):
        self.size, self.peers, self.scratch = size, peers, scratch
        self.lost: dict[tuple[str, ...], str] = {}
        self._started: dict[tuple[str, ...], protocol.Side] = {}

    def __enter__(self) -> "Sides":
        return self

    def __exit__(self, *_) -> None:
        for side in self._started.values():
            side.__exit__()

    def start(self, processes) -> None:
        """Starts processes, without waiting for them."""
        for process in processes:
            module, *arguments = process
            if module == "gpu_ours":
                side, work, policy = arguments
                command, environment = [sys.executable, "-m", "bench.gpu_ours", side, work, self.size, policy], None
            else:
                work, precision = arguments
                command = [self.peers, "-m", "bench.gpu_peers", work, precision, self.size, str(self.tokens)]
                # Several compile at the same time; and nothing is to be asked of a hub.
                own = {"TORCHINDUCTOR_COMPILE_THREADS": "4", "HF_HUB_OFFLINE": "1"}
                environment = protocol.for_peers(dict(os.environ)) | own
            log = self.scratch / f"{'-'.join(process).replace(' ', '-')}.log"
            self._started[process] = protocol.Side(command, log, memory.MALLOC, environment)

    @property
    def tokens(self) -> Path:
        """The file of the token ids that PyTorch trains on."""
        return self.scratch / "tokens.npz"

    def make_ready(self, tasks: dict[tuple[str, ...], list[str]], seconds: float) -> None:
        """Warms up processes at the same time. Those that fail, or are not ready in time, are ended.

        Args:
            tasks: The tasks of each process.
            seconds: How long it may take.
        """
        if not tasks:
            return
        until = time.monotonic() + seconds

        def ready(process):
            self._started[process].wait(until - time.monotonic())
            for task in tasks[process]:
                for _ in range(WARM_UPS):
                    self._started[process].run(task, until - time.monotonic())
            progress.note(f"ready: {' '.join(process)}")

        with ThreadPoolExecutor(len(tasks)) as pool:
            for process, done in {process: pool.submit(ready, process) for process in tasks}.items():
                try:
                    done.result()
                except protocol.SideFailed as failure:
                    self._lose(process, failure)

    def run(self, one: Contestant) -> float | None:
        """Runs a task, for `SAMPLE_SECONDS` at least. Returns its work per second; None if it is left out."""
        work = seconds = 0.0
        while one.process not in self.lost and seconds < SAMPLE_SECONDS:
            try:
                told = self._started[one.process].run(one.task, CALL_SECONDS)
            except protocol.SideFailed as failure:
                self._lose(one.process, failure)
            else:
                work, seconds = work + told["work"], seconds + told["seconds"]
        return None if one.process in self.lost else work / seconds

    def _lose(self, process: tuple[str, ...], failure: protocol.SideFailed) -> None:
        progress.note(f"left out: {' '.join(process)}: {failure}")
        self.lost[process] = failure.reason
        self._started[process].__exit__()


Rates = dict[tuple[str, Precision], list[float]]


def in_turn(sides: Sides, found: list[Contestant], label: str) -> Rates:
    """Times the contestants of a work in turn, once per round; every other round goes backwards.

    Returns:
        The rates of each program and precision, one per round. Those that failed on the way are left out.
    """
    rates = {(one.program, one.precision): [] for one in found}
    for number in range(ROUNDS):
        progress.note(f"{label}: round {number + 1} of {ROUNDS}")
        for one in found if number % 2 == 0 else reversed(found):
            if (rate := sides.run(one)) is not None:
                rates[one.program, one.precision].append(rate)
    whole = {name: samples for name, samples in rates.items() if len(samples) == ROUNDS}
    for (program, precision), samples in whole.items():
        progress.note(f"{label}: {program}, {precision}: {', '.join(f'{rate:,.0f}' for rate in samples)} a second")
    return whole


def rows_of(work: str, rates: Rates) -> list[dict]:
    """Returns the rows of a work: in equal precision, beside the GPU's limit, and last as the programs come."""
    unit, note = ("useful tokens/s", STEPS) if work == TRAIN else ("new tokens/s", TEXTS)
    rows = []
    for here in POLICIES:
        ours = rates.get((OURS, here))
        if ours is None:
            continue
        for (program, there), theirs in rates.items():
            if there is here and program not in (OURS, PRODUCT):
                rows.append(row(work, program, unit, ours, theirs, TARGETS.get((work, program)), note, (here, there)))
        if work == GENERATE.format(1) and (copied := rates.get((COPY, Precision.FLOAT32))):
            most = [rate / comparisons.weight_bytes(here) for rate in copied]
            remark = "the limit: every weight read once for a token, as fast as memory is copied"
            rows.append(row(work, LIMIT, unit, ours, most, None, remark, (here, here)))
    ours, theirs = rates.get((OURS, Precision.TF32)), rates.get((HUGGING_FACE, Precision.FLOAT32))
    if ours and theirs:
        remark = f"{note}; each in the format that it takes by itself"
        formats = (Precision.TF32, Precision.FLOAT32)
        rows.append(row(work, HUGGING_FACE, unit, ours, theirs, None, remark, formats))
    return rows


def _prepare(size: str, file: Path) -> None:
    """Makes the model and tokenizes the texts before anything is timed, in a process of its own."""
    code = (
        "import sys, types; import numpy as np; from lib.core import backends; backends.select('jax')\n"
        "import keras_nlp; from bench import ours, shape; from lib.training import packing\n"
        "size, file = sys.argv[1:]; texts, steps = shape.full_texts(size)\n"
        "made = keras_nlp.models.CausalLMPreprocessor.from_preset(\n"
        "    str(shape.folder(size)), sequence_length=ours.sequence_length(size))\n"
        "ids, labels, useful = packing.tokenize(types.SimpleNamespace(preprocessor=made), texts)\n"
        "assert useful.all(); shaped = (steps, len(texts) // steps, -1)\n"
        "np.savez(file, token_ids=ids.reshape(shaped), labels=labels.reshape(shaped))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, size, str(file)],
        capture_output=True,
        text=True,
        cwd=paths.ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )
    if done.returncode:
        raise protocol.SideFailed(f"Preparing failed. Its last words:\n{done.stderr[-2000:]}")


def _compiles_nothing(process: tuple[str, ...]) -> bool:
    """Returns whether a process runs step by step only, as PyTorch does unless it is told to compile."""
    module, work, precision, *_ = process
    quiet = work in ("generate", "limits") or (work, precision) == ("finetune", Precision.FLOAT32.value)
    return module == "gpu_peers" and quiet


def _card() -> dict[str, str]:
    """Returns what is told of the card."""
    return {
        "GPU": backends.gpu_property("name"),
        "driver": backends.gpu_property("driver_version"),
        "GPU memory": f"{backends.gpu_property('memory.total')} MiB",
    }


def measure(size: str, peers: str | None, scratch: Path) -> dict:
    """Measures all that the bench measures on a GPU.

    Args:
        size: The model's size.
        peers: The Python interpreter that has PyTorch and transformers; None leaves it out.
        scratch: A folder for logs and the token file.

    Returns:
        The content of the bench's files, see `files.write`.

    Raises:
        protocol.SideFailed: If nothing could be compared.
    """
    works, tasks = contestants(peers is not None), {}
    for one in (one for found in works.values() for one in found):
        tasks.setdefault(one.process, {})[one.task] = None
    with Sides(size, peers, scratch) as sides:
        progress.note("all sides start and compile")
        made = shape.is_made(size)
        waiting = [one for one in tasks if one[:2] == ("gpu_peers", "finetune") or (one[0] == "gpu_ours" and not made)]
        sides.start(process for process in tasks if process not in waiting)
        _prepare(size, sides.tokens)
        sides.start(waiting)
        # XLA tries kernels while it compiles and keeps the fastest: what would keep the GPU busy meanwhile comes later.
        late = {process: list(names) for process, names in tasks.items() if _compiles_nothing(process)}
        sides.make_ready(
            {process: list(names) for process, names in tasks.items() if process not in late}, READY_SECONDS
        )
        sides.make_ready(late, QUIET_SECONDS)
        rates = {work: in_turn(sides, found, work) for work, found in works.items()}
    rows = [one for work, found in rates.items() for one in rows_of(work, found)]
    if not rows:
        told = "\n".join(f"{' '.join(process)}: {reason}" for process, reason in sides.lost.items())
        raise protocol.SideFailed(f"Nothing could be compared on this GPU.\n{told}")
    card = _card()
    gpu = {
        "name": card["GPU"],
        "driver": card["driver"],
        "copy_gb_per_s": _limit(rates, COPY, Precision.FLOAT32, 1e9),
        "tf32_tflop_per_s": _limit(rates, PRODUCT, Precision.TF32, 1e12),
        "bfloat16_tflop_per_s": _limit(rates, PRODUCT, Precision.BFLOAT16, 1e12),
        "parameters": memory.KNOWN["gpt2_base_en"].parameters,
        "step_texts": shape.GPU_STEPS[size][0],
        "step_tokens": shape.GPU_STEPS[size][0] * ours.sequence_length(size),
        "left_out": [
            {"work": work, "peer": one.program, "precision": one.precision, "reason": sides.lost[one.process]}
            for work, found in works.items()
            for one in found
            if one.process in sides.lost and one.program not in (COPY, PRODUCT)
        ],
    }
    for name, unit in (("copy_gb_per_s", "GB/s"), ("tf32_tflop_per_s", "TFLOP/s"), ("bfloat16_tflop_per_s", "TFLOP/s")):
        if gpu[name]:
            card[name.partition("_")[0]] = f"{statistics.median(gpu[name]):.0f} {unit}"
    return {"machine": card, "rows": rows, "growth": [], "gpu": gpu}


def _limit(rates: dict[str, Rates], what: str, precision: Precision, unit: float) -> list[float]:
    """Returns all samples of what was measured of the GPU itself, in a unit."""
    return [rate / unit for found in rates.values() for rate in found.get((what, precision), [])]
