"""Measures and writes what `files` keeps in `outputs/bench`; `make bench` then makes the report of it."""

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

from bench import files, protocol, shape
from bench.ours import EXACT
from lib.core import paths, progress
from lib.core.errors import UserError
from lib.evaluation import provenance
from lib.models import memory

ROUNDS = {"generate": 7, "generate 8": 3, "finetune": 3, "samplers": 2}
FASTER, SMALLER = "at least", "at most"
CALL = "197 new tokens, top-k 5"
TEXTS = f"{CALL}; here from text to text, there from token ids to token ids"
STEP = "steps of 8 texts"
ROUNDED = f"{STEP}; here with products of bfloat16, there all in float32"
LIMIT = "the memory-bandwidth limit"
POST, HUGGING_FACE = "the post's lines", "transformers"  # KerasHub on TensorFlow; Hugging Face's, on PyTorch


def row(work: str, peer: str, unit: str, ours: list, theirs: list, target: float | None, note: str = "") -> dict:
    """A row of `bench.json`: how many times as fast this project is, round by round.

    Args:
        work: What was done.
        peer: By whom else.
        unit: Of the samples; more is better.
        ours: This project's samples, a round each.
        theirs: The peer's, of the same rounds.
        target: The ratio to reach, if there is one.
        note: What else a reader must know.
    """
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    return _judged(work, peer, unit, ours, theirs, ratios, FASTER, target, note)


def _judged(work, peer, unit, ours, theirs, ratios, direction, target, note) -> dict:
    median = statistics.median(ratios) if ratios else None
    met = None
    if median is not None and target is not None:
        met = median >= target if direction == FASTER else median <= target
    return {
        "work": work,
        "peer": peer,
        "unit": unit,
        "ours": ours,
        "theirs": theirs,
        "ratios": ratios,
        "ratio_median": median,
        "ratio_low": min(ratios, default=None),
        "ratio_high": max(ratios, default=None),
        "target": None if target is None else f"{'>=' if direction == FASTER else '<='} {target}",
        "met": met,
        "note": note,
    }


def in_turn(
    sides: dict[str, tuple[protocol.Side, str]], rounds: int, label: str, ready=(), warm_ups: int = 1
) -> dict[str, list[float]]:
    """Has each side do its task to warm up, then once a round, in turn; every second round backwards.

    Args:
        sides: For each name the side and its task.
        rounds: How many.
        label: What is told meanwhile.
        ready: The names of sides that need no warming up.
        warm_ups: How often the others do it before.

    Returns:
        For each name its work per second, a sample a round.
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
            told = side.run(task)
            rates[name].append(told["work"] / told["seconds"])
    return rates


class Bench:
    """What every work needs: where the sides start, and how often they are asked.

    Args:
        size: `"124M"`, or `"tiny"`, which proves that every step works.
        peers: The Python that has transformers; None leaves that side out.
        scratch: A folder for logs and for the texts' tokens.
    """

    def __init__(self, size: str, peers: str | None, scratch: Path):
        self.size, self.peers, self.scratch = size, peers, scratch
        self.rounds = dict.fromkeys(ROUNDS, 2) if size == "tiny" else ROUNDS

    def keras(self, stack, side: str, work: str) -> protocol.Side:
        """Starts this project's side (`ours`) or the post's (`post`)."""
        progress.note(f"{work}: starting {side}")
        command = [sys.executable, "-m", "bench.ours", side, work, self.size]
        without = () if side == "ours" else memory.MALLOC
        return stack.enter_context(protocol.Side(command, self.scratch / f"{side}-{work}.log", without))

    def transformers(self, stack, work: str) -> protocol.Side | None:
        """Starts the side of transformers, if there is one."""
        if self.peers is None:
            return None
        progress.note(f"{work}: starting transformers")
        command = [self.peers, "-m", "bench.peers", work, str(self.scratch)]
        return stack.enter_context(protocol.Side(command, self.scratch / f"peers-{work}.log", memory.MALLOC))


def generate(bench: Bench) -> list[dict]:
    """Generating one text and eight."""
    work = "generate, batch {}"
    with contextlib.ExitStack() as stack:
        ours, post = bench.keras(stack, "ours", "generate"), bench.keras(stack, "post", "generate")
        peers = bench.transformers(stack, "generate")
        # Memory is read right before or after this side, since a shared machine's bandwidth changes within minutes.
        sides = {"read": (peers, "read")} if peers else {}
        sides |= {"ours": (ours, "1"), "post": (post, "1")}
        if peers:
            sides["peers"] = (peers, "1")
        one = in_turn(sides, bench.rounds["generate"], "batch 1")
        sides = {"ours": (ours, "8"), "post": (post, "8"), "calls": (post, "8 calls")}
        if peers:
            sides["peers"] = (peers, "8")
        eight = in_turn(sides, bench.rounds["generate 8"], "batch 8", ready=("calls",))
    unit = "new tokens/s"
    rows = [row(work.format(1), POST, unit, one["ours"], one["post"], None, CALL)]
    if peers:
        rows += [
            row(work.format(1), HUGGING_FACE, unit, one["ours"], one["peers"], 1.5, TEXTS),
            row(
                work.format(1),
                LIMIT,
                unit,
                one["ours"],
                [rate / _bytes() for rate in one["read"]],
                0.75,
                f"{CALL}; the limit: every weight read once for a token",
            ),
        ]
    rows.append(row(work.format(8), POST, unit, eight["ours"], eight["post"], None, CALL))
    rows.append(
        row(work.format(8), f"{POST}, 8 calls one after another", unit, eight["ours"], eight["calls"], None, CALL)
    )
    if peers:
        rows.append(row(work.format(8), HUGGING_FACE, unit, eight["ours"], eight["peers"], 1.1, TEXTS))
    return rows


def _read_bandwidth(rows: list[dict]) -> str:
    """The rate at which the machine's memory was read for the row of the limit."""
    rates = [statistics.median(one["theirs"]) * _bytes() / 1e9 for one in rows if one["peer"] == LIMIT]
    return f"{rates[0]:.1f} GB/s" if rates else "not measured"


def _bytes() -> int:
    return 4 * memory.KNOWN["gpt2_base_en"].parameters


def finetune(bench: Bench) -> list[dict]:
    """Training steps of eight texts, in tokens that are predicted.

    Where this side multiplies in bfloat16, it is compared on the poems in float32 too, and with a peer in bfloat16.
    """
    rows, unit = [], "useful tokens/s"
    with contextlib.ExitStack() as stack:
        ours, post = bench.keras(stack, "ours", "finetune"), bench.keras(stack, "post", "finetune")
        peers = bench.transformers(stack, "finetune")
        rounds = f"poems{EXACT}" in ours.tasks
        for corpus in ("poems", "prose"):
            both = f"{corpus}{EXACT}" in ours.tasks
            sides = {"ours": (ours, corpus), "post": (post, corpus)}
            if both:
                sides["exact"] = (ours, corpus + EXACT)
            if peers:
                sides |= {how: (peers, f"{corpus}, {how}") for how in ("padded", "packed")}
            if peers and both:
                sides["bfloat16"] = (peers, f"{corpus}, packed, bfloat16")
            # Two, since the first steps still take more memory.
            rates = in_turn(sides, bench.rounds["finetune"], f"fine-tuning on {corpus}", warm_ups=2)
            work, note = f"fine-tune on {corpus}", ROUNDED if rounds else STEP
            compared = [(work, "ours", f"{POST}, padded", "post", 1.5, note)]
            if peers:
                compared.append((work, "ours", f"{HUGGING_FACE}, padded", "padded", None, note))
                compared.append((work, "ours", f"{HUGGING_FACE}, packed", "packed", 1.1, note))
            if both:
                compared.append((work + EXACT, "exact", f"{POST}, padded", "post", None, STEP))
            if peers and both:
                compared.append((work + EXACT, "exact", f"{HUGGING_FACE}, packed", "packed", None, STEP))
                peer = f"{HUGGING_FACE}, packed, bfloat16"
                compared.append((work, "ours", peer, "bfloat16", None, f"{STEP}; both with products of bfloat16"))
            rows += [
                row(name, peer, unit, rates[one], rates[other], target, told)
                for name, one, peer, other, target, told in compared
            ]
    return rows


def samplers(bench: Bench) -> list[dict]:
    """All that notebook 03 generates, compiling included."""
    with contextlib.ExitStack() as stack:
        sides = {side: (bench.keras(stack, side, "samplers"), "all") for side in ("ours", "post")}
        rates = in_turn(sides, bench.rounds["samplers"], "samplers", ready=sides)  # compiling is part of it
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


def again(bench: Bench) -> list[dict]:
    """`make all` where there is nothing to do, in seconds: of the profile `cpu`, or of `smoke` where only that is."""
    work, target = "make all again, nothing changed", 3.0
    for profile in () if bench.size == "tiny" else ("cpu", "smoke"):
        make = ["make", f"PROFILE={profile}"]
        if subprocess.run([*make, "-q", "reports"], cwd=paths.ROOT, capture_output=True).returncode:
            continue
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([*make, "all"], cwd=paths.ROOT, capture_output=True, check=True)
            seconds.append(time.perf_counter() - start)
        note = f"seconds, not a ratio; profile {profile}"
        return [_judged(work, "", "seconds", seconds, [], seconds, SMALLER, target, note)]
    note = "not measured: the reports are not up to date here"
    return [_judged(work, "", "seconds", [], [], [], SMALLER, target, note)]


def make_all(bench: Bench) -> list[dict]:
    """What `make bench-all` left: `make all` before and after, which takes too long to be part of this."""
    work, target = "make all, cpu profile", 0.7
    file = paths.outputs() / "bench" / "make_all.json"
    if bench.size == "tiny" or not file.is_file():
        note = "not measured: `make bench-all` does, in half an hour"
        return [_judged(work, "", "seconds", [], [], [], SMALLER, target, note)]
    told = json.loads(file.read_text(encoding="utf-8"))
    if told["processor"] != provenance.processor():
        note = f"not measured on this machine; on {told['processor']} by `make bench-all`"
        return [_judged(work, "", "seconds", [], [], [], SMALLER, target, note)]
    before, after = (sum(told[name]["seconds"].values()) for name in ("before", "after"))
    note = f"in seconds, notebook by notebook in turn, once each; {told['after']['commit']}, {told['after']['date']}"
    peer = f"itself before, {told['before']['commit']}"
    return [_judged(work, peer, "seconds", [after], [before], [after / before], SMALLER, target, note)]


def growth(bench: Bench) -> list[dict]:
    """The rows of `bench.growth`, of every size."""
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


def renew_make_all() -> list[dict]:
    """Measures the two rows of `make all` alone and puts them into the `bench.json` that is there. Returns them."""
    folder = paths.outputs() / "bench"
    content = files.read(folder)
    if (here := provenance.processor()) not in content["machine"]["processor"]:
        raise UserError(f"outputs/bench is of another machine ({content['machine']['processor']}; this is {here}).")
    bench = Bench(next(iter(shape.SIZES)), None, folder)
    rows = make_all(bench) + again(bench)
    works = {one["work"] for one in rows}
    files.write(folder, content | {"rows": [one for one in content["rows"] if one["work"] not in works] + rows})
    return rows


def _prepare(size: str, scratch: Path) -> None:
    """Makes the models and the texts' tokens before anything is timed, in a process that then ends."""
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
    if peers is None:
        return "none"
    code = "import torch, transformers; print(f'transformers {transformers.__version__}, torch {torch.__version__}')"
    done = subprocess.run([peers, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"--peers is {peers}, which cannot import torch and transformers. `make bench` installs them.")
    return done.stdout.strip()


def _tell(rows: list[dict]) -> None:
    for one in rows:
        measured = one["ratio_median"] is not None
        told = f"{one['ratio_median']:.2f} ({one['target'] or 'no target'})" if measured else one["note"]
        print(f"{one['work']} / {one['peer'] or 'itself'}: {told}")


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--size", default=next(iter(shape.SIZES)), choices=[next(iter(shape.SIZES)), "tiny"], help="the model"
    )
    parser.add_argument("--peers", help="the Python that has torch and transformers; without it they are left out")
    parser.add_argument("--make-all", action="store_true", help="renew the rows of `make all` alone")
    options = parser.parse_args(arguments)
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # all sides compute on the CPU
    start = time.monotonic()
    try:
        if options.make_all:
            _tell(renew_make_all())
            return 0
        machine = provenance.collect() | {"peers": _versions(options.peers)}
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(options.size, options.peers, Path(folder))
            _prepare(options.size, bench.scratch)
            rows = [row for work in (generate, finetune, samplers, make_all, again) for row in work(bench)]
            machine["read bandwidth"] = _read_bandwidth(rows)
            content = {"machine": machine, "rows": rows, "growth": growth(bench)}
    except (UserError, protocol.SideFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
    machine["minutes"] = (time.monotonic() - start) / 60
    files.write(paths.outputs() / "bench", content)
    _tell(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
