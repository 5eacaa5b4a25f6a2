"""The command line of sweeps. `make sweep SWEEP=poem_seeds` calls `python -m lib.sweeps start poem_seeds`."""

import argparse
import sys
from pathlib import Path

from lib.core import command_line
from lib.kernels import NotebookFailed
from lib.sweeps import one, start


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Return the exit status."""
    return command_line.run(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.sweeps", description="Run a notebook over a grid.")
    commands = parser.add_subparsers(dest="command", required=True)
    started = commands.add_parser("start", help="make all runs that are missing, and the sweep's report")
    started.add_argument("sweep", help="the name of a YAML file in experiments/sweeps")
    started.add_argument("--on", default="local", help="a folder of workflow/profiles: local, slurm or kubernetes")
    started.add_argument("--cores", type=int, help="processor cores in use at a time; all by default")
    started.add_argument("--snakemake", default="snakemake", help="the program")
    started.add_argument("--only-check", action="store_true", help="check the sweep and say what it would run")
    made = commands.add_parser("run", help="make one run; Snakemake calls this")
    made.add_argument("plan", type=Path)
    made.add_argument("number")
    made.add_argument("--threads", type=int, default=0)
    made.add_argument("--claim", action="store_true", help="claim cores and GPUs of this machine")
    options = parser.parse_args(arguments)
    if options.command == "run":
        return 0 if one.make(options.plan, options.number, options.threads, options.claim) else 1
    try:
        return start.start(options.sweep, options.on, options.cores, options.snakemake, options.only_check)
    except NotebookFailed as error:
        return command_line.fail(str(error), status=1)


if __name__ == "__main__":
    sys.exit(main())
