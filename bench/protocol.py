"""How the bench talks to a side: lines of JSON over its standard input and output. Standard library only."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


class SideFailed(Exception):
    """A side that ended before it answered."""


def answers():
    """Keeps standard output for answers, and sends whatever else is written there to standard error. Call it first."""
    kept = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return kept


def serve(tasks: dict[str, Callable[[], float]], answers) -> None:
    """Answers requests until there are no more.

    Args:
        tasks: For each name what to do; it returns the work done, such as the number of new tokens, once the device is
            done with it.
        answers: What the function of that name returned.
    """
    print(json.dumps({"tasks": list(tasks)}), file=answers)
    for line in sys.stdin:
        task = tasks[json.loads(line)]
        start = time.perf_counter()
        work = task()
        print(json.dumps({"seconds": time.perf_counter() - start, "work": work}), file=answers)


class Side:
    """A process that serves tasks. Use it as a context.

    Args:
        command: What to start.
        log: Where its standard error goes.
        without: Variables of this process that it is not given.
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
        """Has a task done once. Returns `seconds` and `work`."""
        print(json.dumps(task), file=self._process.stdin)
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            tail = Path(self._log.name).read_text(errors="replace")[-2000:]
            raise SideFailed(f"{' '.join(self._command[1:])} ended before it answered. Its last words:\n{tail}")
        return json.loads(line)
