"""The protocol between the bench and a side: JSON lines on standard input and output. Standard library only."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


class SideFailed(Exception):
    """Raised if a side exits before it answers."""


def answers():
    """Reserves standard output for answers and redirects other output to standard error. Call this first."""
    kept = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return kept


def serve(tasks: dict[str, Callable[[], float]], answers) -> None:
    """Answers requests until standard input ends.

    Args:
        tasks: Maps a name to a function that does the task, waits for the device, and returns the amount of work, such
            as the number of new tokens.
        answers: The stream that `answers()` returned.
    """
    print(json.dumps({"tasks": list(tasks)}), file=answers)
    for line in sys.stdin:
        task = tasks[json.loads(line)]
        start = time.perf_counter()
        work = task()
        print(json.dumps({"seconds": time.perf_counter() - start, "work": work}), file=answers)


class Side:
    """A process that serves tasks. Use it as a context manager.

    Args:
        command: The command to start.
        log: The file for its standard error.
        without: Environment variables to remove.
    """

    def __init__(self, command: list[str], log: Path, without: tuple[str, ...] = ()):
        self._log = open(log, "w")  # noqa: SIM115  (closed in __exit__)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=Path(__file__).parents[1],
            env={name: value for name, value in os.environ.items() if name not in without},
            text=True,
            bufsize=1,
        )
        self._command = command
        self.tasks = None

    def __enter__(self) -> "Side":
        try:
            self.tasks = self._answer()["tasks"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def run(self, task: str) -> dict:
        """Runs a task once. Returns its `seconds` and `work`."""
        print(json.dumps(task), file=self._process.stdin)
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            tail = Path(self._log.name).read_text(errors="replace")[-2000:]
            raise SideFailed(f"{' '.join(self._command[1:])} ended before it answered. Its last words:\n{tail}")
        return json.loads(line)
