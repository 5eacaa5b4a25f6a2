"""Times all notebooks of the profile `cpu` before and after they were made faster: `make bench-all`.

Two commits of this repository are compared, between which nothing but speed changed; what the notebooks do was widened
later. What makes them fast is still worked on: the second commit gets those modules as they are now committed. Each
notebook is run by both, in turn, so that both see the same machine. The reports are thrown away. Downloads come from
the cache.
"""

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lib.core import paths
from lib.evaluation import provenance
from lib.models import memory
from lib.report import recorder

BEFORE = "ce132c9"  # the last commit before the notebooks were made faster
AFTER = "0039995"  # the last one before they were made to do more
FASTER = ("architectures", "backends", "decoding", "packing", "samplers")  # modules of lib/
NOTEBOOKS = ("01_baseline", "02_reddit_finetune", "03_greedy_vs_top_k", "04_tang_poetry", "00_summary")


def run(notebook: str, root: Path, keeps_freed: bool) -> float:
    """Runs a notebook of a checkout with this environment. Returns the seconds.

    Args:
        notebook: Its stem.
        root: The checkout, with outputs of its own.
        keeps_freed: Whether memory that is freed is kept as the Makefile has it, which is part of what is compared.
    """
    environment = {**os.environ, "PYTHONPATH": str(root)}
    for name in ("REPORT_OUTPUTS", *(() if keeps_freed else memory.MALLOC)):
        environment.pop(name, None)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "lib.runner", notebook, "--profile", "cpu"], cwd=root, env=environment, check=True
    )
    return time.perf_counter() - start


def main(arguments: list[str] | None = None) -> int:
    """The command line. Writes `outputs/bench/make_all.json`."""
    parser = argparse.ArgumentParser(prog="python -m bench.make_all", description=__doc__)
    parser.add_argument("--before", default=BEFORE, help="the commit to compare with")
    parser.add_argument("--after", default=AFTER, help="the commit that is compared")
    options = parser.parse_args(arguments)
    git = ["git", "-C", str(paths.ROOT)]
    with tempfile.TemporaryDirectory() as scratch:
        trees = {name: Path(scratch) / name for name in ("before", "after")}
        try:
            for name, tree in trees.items():
                commit = getattr(options, name)
                subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(tree), commit], check=True)
            present = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True)
            present = present.stdout.strip()
            modules = [f"lib/{name}.py" for name in FASTER]
            subprocess.run(["git", "-C", str(trees["after"]), "checkout", "--quiet", present, *modules], check=True)
            seconds = {"before": {}, "after": {}}
            for number, notebook in enumerate(NOTEBOOKS):
                for name in trees if number % 2 == 0 else reversed(trees):
                    seconds[name][notebook] = run(notebook, trees[name], keeps_freed=name == "after")
        finally:
            for tree in trees.values():
                subprocess.run([*git, "worktree", "remove", "--force", str(tree)], check=False)
    date = datetime.date.today().isoformat()
    commits = {name: f"commit {getattr(options, name)}" for name in seconds}
    commits["after"] += f" with the {', '.join(FASTER[:-1])} and {FASTER[-1]} of {present}"
    folder = paths.outputs() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    content = {name: {"commit": commits[name], "date": date, "seconds": seconds[name]} for name in seconds}
    recorder.write_json(folder / "make_all.json", {"processor": provenance.processor(), **content})
    before, after = (sum(seconds[name].values()) for name in ("before", "after"))
    print(f"before {before:.0f} s, after {after:.0f} s: {after / before:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
