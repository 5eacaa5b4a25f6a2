"""Times all notebooks of the profile `cpu` against an earlier commit of this repository: `make bench-all`.

Each notebook is run by both, in turn, so that both see the same machine. This one's reports are published as by
`make all`, those of the earlier code are thrown away. Downloads come from the cache.
"""

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lib import memory, paths, provenance, results

BEFORE = "ce132c9"  # the last commit before the notebooks were made faster
NOTEBOOKS = ("01_baseline", "02_reddit_finetune", "03_greedy_vs_top_k", "04_tang_poetry", "00_summary")


def run(notebook: str, root: Path) -> float:
    """Runs a notebook of a checkout with this environment. Returns the seconds."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    # Each has its own outputs; how memory is kept is part of what is compared.
    for name in ("REPORT_OUTPUTS", *(memory.MALLOC if root != paths.ROOT else ())):
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
    options = parser.parse_args(arguments)
    git = ["git", "-C", str(paths.ROOT)]
    with tempfile.TemporaryDirectory() as scratch:
        earlier = Path(scratch) / "before"
        subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(earlier), options.before], check=True)
        try:
            seconds = {"before": {}, "after": {}}
            trees = [("before", earlier), ("after", paths.ROOT)]
            for number, notebook in enumerate(NOTEBOOKS):
                for name, root in trees if number % 2 == 0 else reversed(trees):
                    seconds[name][notebook] = run(notebook, root)
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(earlier)], check=True)
    date = datetime.date.today().isoformat()
    commits = {"before": f"commit {options.before}", "after": provenance.commit()}
    folder = paths.outputs() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    content = {name: {"commit": commits[name], "date": date, "seconds": seconds[name]} for name in seconds}
    results.write_json(folder / "make_all.json", {"processor": provenance.processor(), **content})
    before, after = (sum(seconds[name].values()) for name in ("before", "after"))
    print(f"before {before:.0f} s, after {after:.0f} s: {after / before:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
