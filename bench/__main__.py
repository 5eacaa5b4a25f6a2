"""Runs the bench and writes its measurements to `outputs/bench`, or on a GPU to `outputs/bench-h200` and the like.

`make bench` then renders the report.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import comparisons, files, gpu, protocol, shape, where
from bench.comparisons import HUGGING_FACE, LIMIT, POST
from bench.ours import EXACT, XLA
from bench.rows import row
from lib.core import paths, progress
from lib.core.errors import UserError
from lib.core.records import Precision
from lib.evaluation import provenance
from lib.models import memory
from lib.report import tables

ROUNDS = {"generate": 7, "generate 8": 3, "finetune": 3, "samplers": 2}
CALL = "197 new tokens, top-k 5"
TEXTS = f"{CALL}; here from text to text, there from token ids to token ids"
STEP = "steps of 8 texts"
ROUNDED = f"{STEP}; here with products of bfloat16, there all in float32"


def in_turn(
    sides: dict[str, tuple[protocol.Side, str]], rounds: int, label: str, ready=(), warm_ups: int = 1
) -> dict[str, list[float]]:
    """Warms up all sides, then runs the task of each side once per round, in turn; odd rounds go backwards.

    Args:
        sides: Maps a name to a side and its task.
        rounds: The number of rounds.
        label: The label of the progress messages.
        ready: Names of the sides that need no warm-up.
        warm_ups: The number of warm-up runs of each other side.

    Returns:
        Maps each name to its samples, one per round, in units of work per second.
    """
    for name, (side, task) in sides.items():
        if name not in ready:
            progress.note(f"{label}: {name} warms up")
            for _ in range(warm_ups):
                side.run(task)
    rates = {name: [] for name in sides}
    for number in range(rounds):
        progress.note(f"{label}: round {number + 1} of {rounds}")
        for name in list(sides) if number % 2 == 0 else reversed(sides):
            side, task = sides[name]
            answer = side.run(task)
            rates[name].append(answer["work"] / answer["seconds"])
    return rates


class Bench:
    """Starts the sides and holds the number of rounds.

    Args:
        size: `"124M"`, or `"tiny"` for a test that every step works.
        peers: The Python interpreter that has transformers installed. None leaves that side out.
        scratch: A folder for logs and token files.
    """

    def __init__(self, size: str, peers: str | None, scratch: Path):
        self.size, self.peers, self.scratch = size, peers, scratch
        self.rounds = dict.fromkeys(ROUNDS, 2) if size == "tiny" else ROUNDS

    def keras(self, stack, side: str, work: str) -> protocol.Side:
        """Starts the side of this project (`ours`) or of the post (`post`)."""
        progress.note(f"{work}: starting {side}")
        command = [sys.executable, "-m", "bench.ours", side, work, self.size]
        without = () if side == "ours" else memory.MALLOC
        return stack.enter_context(protocol.Side(command, self.scratch / f"{side}-{work}.log", without))

    def transformers(self, stack, work: str) -> protocol.Side | None:
        """Starts the side of transformers. Returns None if `peers` is None."""
        if self.peers is None:
            return None
        progress.note(f"{work}: starting transformers")
        command = [self.peers, "-m", "bench.peers", work, str(self.scratch)]
        log, environment = self.scratch / f"peers-{work}.log", protocol.for_peers(dict(os.environ))
        return stack.enter_context(protocol.Side(command, log, memory.MALLOC, environment))


def generate(bench: Bench) -> list[dict]:
    """Measures generating, at batch 1 and 8."""
    work = "generate, batch {}"
    with contextlib.ExitStack() as stack:
        ours, post = bench.keras(stack, "ours", "generate"), bench.keras(stack, "post", "generate")
        peers = bench.transformers(stack, "generate")
        # Reads memory right before or after this side: the bandwidth of a shared machine changes within minutes.
        sides = {"read": (peers, "read")} if peers else {}
        sides |= {"ours": (ours, "1"), "post": (post, "1"), "xla": (post, f"1{XLA}")}
        if peers:
            sides["peers"] = (peers, "1")
        one = in_turn(sides, bench.rounds["generate"], "batch 1")
        sides = {"ours": (ours, "8"), "post": (post, "8"), "xla": (post, f"8{XLA}"), "calls": (post, "8 calls")}
        if peers:
            sides["peers"] = (peers, "8")
        eight = in_turn(sides, bench.rounds["generate 8"], "batch 8", ready=("calls",))
    unit = "new tokens/s"
    rows = [
        row(work.format(1), POST, unit, one["ours"], one["post"], None, CALL),
        row(work.format(1), POST + XLA, unit, one["ours"], one["xla"], None, CALL),
    ]
    if peers:
        rows += [
            row(work.format(1), HUGGING_FACE, unit, one["ours"], one["peers"], 1.5, TEXTS),
            row(
                work.format(1),
                LIMIT,
                unit,
                one["ours"],
                [rate / comparisons.WEIGHT_BYTES for rate in one["read"]],
                0.75,
                f"{CALL}; the limit: every weight read once for a token",
            ),
        ]
    rows.append(row(work.format(8), POST, unit, eight["ours"], eight["post"], None, CALL))
    rows.append(row(work.format(8), POST + XLA, unit, eight["ours"], eight["xla"], None, CALL))
    rows.append(
        row(work.format(8), f"{POST}, 8 calls one after another", unit, eight["ours"], eight["calls"], None, CALL)
    )
    if peers:
        rows.append(row(work.format(8), HUGGING_FACE, unit, eight["ours"], eight["peers"], 1.1, TEXTS))
    return rows


def _read_bandwidth(rows: list[dict]) -> str:
    """Returns the memory bandwidth that was measured for the row of the limit."""
    rates = [statistics.median(one["theirs"]) for one in rows if one["peer"] == LIMIT]
    return f"{rates[0] * comparisons.WEIGHT_BYTES / 1e9:.1f} GB/s" if rates else "not measured"


def finetune(bench: Bench) -> list[dict]:
    """Measures training steps of eight texts, in predicted tokens per second.

    If this project multiplies in bfloat16, comparisons in equal precision are added for the poems: this project in
    float32, and transformers in bfloat16.
    """
    rows, unit = [], "useful tokens/s"
    with contextlib.ExitStack() as stack:
        ours, post = bench.keras(stack, "ours", "finetune"), bench.keras(stack, "post", "finetune")
        peers = bench.transformers(stack, "finetune")
        rounded = f"poems{EXACT}" in ours.tasks
        exact = (Precision.FLOAT32, Precision.FLOAT32)
        as_they_come = (Precision.BFLOAT16, Precision.FLOAT32) if rounded else exact
        for corpus in ("poems", "prose"):
            both = f"{corpus}{EXACT}" in ours.tasks
            sides = {"ours": (ours, corpus), "post": (post, corpus)}
            if both:
                sides["exact"] = (ours, corpus + EXACT)
            if peers:
                sides |= {how: (peers, f"{corpus}, {how}") for how in ("padded", "packed")}
            if peers and both:
                sides["bfloat16"] = (peers, f"{corpus}, packed, bfloat16")
            # Two warm-up passes: the first steps still allocate memory.
            rates = in_turn(sides, bench.rounds["finetune"], f"fine-tuning on {corpus}", warm_ups=2)
            work, note = f"fine-tune on {corpus}", ROUNDED if rounded else STEP
            compared = [(work, "ours", f"{POST}, padded", "post", 1.5, note, as_they_come)]
            if peers:
                compared.append((work, "ours", f"{HUGGING_FACE}, padded", "padded", None, note, as_they_come))
                compared.append((work, "ours", f"{HUGGING_FACE}, packed", "packed", 1.1, note, as_they_come))
            if both:
                compared.append((work + EXACT, "exact", f"{POST}, padded", "post", None, STEP, exact))
            if peers and both:
                compared.append((work + EXACT, "exact", f"{HUGGING_FACE}, packed", "packed", None, STEP, exact))
                peer = f"{HUGGING_FACE}, packed, bfloat16"
                both_rounded = (Precision.BFLOAT16, Precision.BFLOAT16)
                remark = f"{STEP}; both with products of bfloat16"
                compared.append((work, "ours", peer, "bfloat16", None, remark, both_rounded))
            rows += [
                row(name, peer, unit, rates[side], rates[other], target, remark, precisions)
                for name, side, peer, other, target, remark, precisions in compared
            ]
    return rows


def samplers(bench: Bench) -> list[dict]:
    """Measures everything that notebook 03 generates with greedy and top-k, compilation included."""
    with contextlib.ExitStack() as stack:
        sides = {side: (bench.keras(stack, side, "samplers"), "all") for side in ("ours", "post")}
        rates = in_turn(sides, bench.rounds["samplers"], "samplers", ready=sides)  # no warm-up: compilation counts
    work, peer = "greedy and top-k over all prompts of 03", POST
    return [
        row(
            work,
            peer,
            "texts/s",
            rates["ours"],
            rates["post"],
            3.0,
            "there `compile(sampler=)` and a call for each prompt; every round compiles anew",
        )
    ]


def growth(bench: Bench) -> list[dict]:
    """Runs `bench.growth` for each model size. Returns its rows."""
    rows = []
    for size in ["tiny"] if bench.size == "tiny" else shape.SIZES:
        progress.note(f"growth: {size}")
        command = [sys.executable, "-m", "bench.growth", size]
        with open(bench.scratch / f"growth-{size}.log", "w") as log:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=paths.ROOT)
        if done.returncode:
            raise protocol.SideFailed(Path(log.name).read_text(errors="replace")[-2000:])
        rows += json.loads(done.stdout.splitlines()[-1])
    return rows


def _prepare(size: str, scratch: Path) -> None:
    """Creates the models and tokenizes the texts before anything is timed, in a process of its own."""
    code = (
        "import sys; import numpy as np; from pathlib import Path; from bench import ours, shape\n"
        "size, folder = sys.argv[1], Path(sys.argv[2])\n"
        "causal_lm = ours.load('ours', size)\n"
        "for other in [] if size == 'tiny' else shape.SIZES: shape.folder(other)\n"
        "for corpus in ('poems', 'prose'):\n"
        "    np.savez(folder / f'{corpus}.npz', **shape.tokens(causal_lm, corpus, size == 'tiny'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, size, str(scratch)], capture_output=True, text=True, cwd=paths.ROOT
    )
    if done.returncode:
        raise protocol.SideFailed(f"Preparing failed. Its last words:\n{done.stderr[-2000:]}")


def _versions(peers: str | None) -> str:
    """Returns the versions of transformers and PyTorch. Raises `UserError` if they cannot be imported."""
    if peers is None:
        return "none"
    code = "import torch, transformers; print(f'transformers {transformers.__version__}, torch {torch.__version__}')"
    environment = protocol.for_peers(dict(os.environ))
    done = subprocess.run([peers, "-c", code], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise UserError(f"--peers is {peers}, which cannot import torch and transformers. `make bench` installs them.")
    return done.stdout.strip()


def _print_rows(rows: list[dict]) -> None:
    """Prints one line per row."""
    for one in rows:
        measured = one["ratio_median"] is not None
        result = f"{one['ratio_median']:.2f} ({one['target'] or 'no target'})" if measured else one["note"]
        print(f"{one['work']} / {one['peer']}: {result}")


def _on_cpu(size: str, peers: str | None, scratch: Path) -> dict:
    """Measures all that the bench measures on a CPU. Returns the content of its files."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # all sides run on the CPU
    bench = Bench(size, peers, scratch)
    _prepare(size, scratch)
    rows = [row for work in (generate, finetune, samplers) for row in work(bench)]
    return {"machine": {"read bandwidth": _read_bandwidth(rows)}, "rows": rows, "growth": growth(bench)}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--size", default=next(iter(shape.SIZES)), choices=[next(iter(shape.SIZES)), "tiny"], help="the model"
    )
    parser.add_argument(
        "--peers", help="the Python interpreter that has torch and transformers; without it they are left out"
    )
    options = parser.parse_args(arguments)
    start, profile = time.monotonic(), where.profile()
    measure = _on_cpu if profile == where.CPU else gpu.measure
    try:
        machine = {row["environment"]: row["value"] for row in tables.machine(provenance.collect())}
        machine["peers"] = _versions(options.peers)
        with tempfile.TemporaryDirectory() as folder:
            content = measure(options.size, options.peers, Path(folder))
    except (UserError, protocol.SideFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
    content["machine"] = machine | content["machine"] | {"minutes": (time.monotonic() - start) / 60}
    files.write(paths.outputs() / profile, content)
    _print_rows(content["rows"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
