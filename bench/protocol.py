"""The protocol between the bench and a side: JSON lines on standard input and output. Standard library only."""

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ERROR = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b")
LONGEST = 200  # characters of a reason
NOT_FOR_PEERS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")  # they name packages of another Python


class SideFailed(Exception):
    """Raised if a side exits before it answers, or does not answer in time.

    Args:
        message: What happened, with the side's last words.
        reason: The same in one line.
    """

    def __init__(self, message: str, reason: str = ""):
        super().__init__(message)
        self.reason = reason or message


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


def for_peers(variables: dict[str, str]) -> dict[str, str]:
    """Returns the environment of another Python: without what names the packages and libraries of this one.

    Of `LD_LIBRARY_PATH`, the folders remain that hold the GPU's driver: some machines name it nowhere else.

    Args:
        variables: The environment of this process.
    """
    left = {name: value for name, value in variables.items() if name not in NOT_FOR_PEERS}
    folders = left.pop("LD_LIBRARY_PATH", "").split(":")
    if drivers := [folder for folder in folders if folder and any(Path(folder).glob("libcuda.so*"))]:
        left["LD_LIBRARY_PATH"] = ":".join(drivers)
    return left


class Side:
    """A process that serves tasks. Use it as a context manager.

    Args:
        command: The command to start.
        log: The file for its standard error.
        without: Environment variables to remove.
        environment: The environment variables; None for those of this process.
    """

    def __init__(
        self, command: list[str], log: Path, without: tuple[str, ...] = (), environment: dict[str, str] | None = None
    ):
        self._log = open(log, "w")  # noqa: SIM115  (closed in __exit__)
        variables = os.environ if environment is None else environment
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=Path(__file__).parents[1],
            env={name: value for name, value in variables.items() if name not in without},
            text=True,
            bufsize=1,
        )
        self._command = command
        self.tasks = None

    def __enter__(self) -> "Side":
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def wait(self, limit: float | None = None) -> None:
        """Waits until the side has started, at most `limit` seconds."""
        self.tasks = self._answer(limit)["tasks"]

    def run(self, task: str, limit: float | None = None) -> dict:
        """Runs a task once. Returns its `seconds` and `work`.

        Args:
            task: The name of the task.
            limit: The longest time to wait, in seconds. None sets no limit.

        Raises:
            SideFailed: If the side ends, or does not answer in time.
        """
        with contextlib.suppress(BrokenPipeError):  # it has ended; what follows tells why
            print(json.dumps(task), file=self._process.stdin)
        return self._answer(limit)

    def _answer(self, limit: float | None) -> dict:
        # An answer is one line, which is written at once and read whole: nothing is left in a buffer between answers.
        if limit is not None and not select.select([self._process.stdout], [], [], max(0, limit))[0]:
            raise self._failed("did not answer in time", "it did not answer in time")
        line = self._process.stdout.readline()
        if not line:
            raise self._failed("ended before it answered", last_error(self._written()))
        return json.loads(line)

    def _failed(self, how: str, reason: str) -> SideFailed:
        told = f"{' '.join(self._command[1:])} {how}. Its last words:\n{self._written()[-2000:]}"
        return SideFailed(told, reason)

    def _written(self) -> str:
        return Path(self._log.name).read_text(errors="replace")


def last_error(log: str) -> str:
    """Returns the line of a log that says why its process ended: the last error of Python, else the last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if ERROR.match(line)]
    return (errors or lines or ["it ended without a word"])[-1][:LONGEST]
