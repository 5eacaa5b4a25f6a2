"""Run work that may hang in a separate process, and end it if it makes no progress.

The clients of model hubs and TensorFlow Datasets have no time limit, or one of minutes: a server that accepts a
connection and never answers would block a run forever. This module watches the process from outside: it may continue
as long as the files that it writes grow or it uses processor time.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psutil

from lib.core import command_line, paths, progress

STALL_SECONDS = 60.0  # without progress before a process is ended
STALL_BYTES = 64 * 1024  # progress is this much more on the disk, ...
BUSY_SECONDS = 2.0  # ... or this much more processor time
MEGABYTE = 1_000_000
POLLS = 3  # seconds in a row in which make must have ended
MAKES = ("make", "gmake")


class Failure(Exception):
    """A process failed; the message gives the reason in one line."""


def run(command: list[str], watched: list[Path], doing: str, expected_bytes: int = 0, environment=None) -> str:
    """Run a command until it ends, or until it makes no progress for `STALL_SECONDS`.

    Args:
        command: The program and its arguments.
        watched: The folders that it writes to; their growth counts as progress.
        doing: A description of the work, for the progress bar.
        expected_bytes: The number of bytes that it will write, for the progress bar; 0 if unknown.
        environment: Environment variables, in addition to this process's own.

    Returns:
        The command's stdout.

    Raises:
        Failure: If it failed, with the last line of its stderr, or if it made no progress.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = _start(command, out, err, environment)
        try:
            _watch(process, watched, doing, expected_bytes)
        finally:
            _end(process)
        if process.returncode:
            raise Failure(_reason(process.returncode, err))
        out.seek(0)
        return out.read().decode(errors="replace")


class Talk:
    """A process that is asked line by line on its stdin, and answers on its stdout. Use it as a context manager.

    Args:
        command: The program and its arguments.
        mark: What its answers begin with. Other lines are not looked at.
        environment: Environment variables, in addition to this process's own.
    """

    def __init__(self, command: list[str], mark: str, environment=None):
        self._command, self._mark, self._environment = command, mark, environment
        self._answered = 0

    def __enter__(self) -> "Talk":
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self._process = _start(self._command, self._out, self._err, self._environment, stdin=subprocess.PIPE)
        return self

    def __exit__(self, *_) -> None:
        _end(self._process)
        for file in (self._process.stdin, self._out, self._err):
            with contextlib.suppress(BrokenPipeError):
                file.close()

    def ask(self, line: str) -> str:
        """Write a line, and return the answer to it.

        Raises:
            Failure: If the process ends, with the last line of its stderr, or if it makes no progress.
        """
        with contextlib.suppress(BrokenPipeError):  # it has ended; what follows tells why
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        """Return the next answer, without its mark. Raises as `ask` does."""
        _watch(self._process, [], "", 0, until=lambda: len(self._answers()) > self._answered)
        answers = self._answers()
        if len(answers) == self._answered:
            self._process.wait()
            raise Failure(_reason(self._process.returncode, self._err))
        self._answered += 1
        return answers[self._answered - 1]

    def _answers(self) -> list[str]:
        """All answers so far. A line that is not whole yet is none."""
        told = os.pread(self._out.fileno(), os.fstat(self._out.fileno()).st_size, 0).decode(errors="replace")
        whole = told.rpartition("\n")[0].splitlines()
        return [line.removeprefix(self._mark) for line in whole if line.startswith(self._mark)]


def _start(command: list[str], out, err, environment, stdin=None) -> subprocess.Popen:
    variables = {**os.environ, **(environment or {})}
    return subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err, env=variables, start_new_session=True)


def _end(process: subprocess.Popen) -> None:
    """Kill a process, and what it has started, unless it has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _reason(status: int, err) -> str:
    """Say why a process has ended."""
    err.seek(0)
    lines = [line for line in err.read().decode(errors="replace").splitlines() if line.strip()]
    if status < 0:
        return f"it was ended by {signal.Signals(-status).name}"
    return lines[-1].strip() if status and lines else f"it ended with status {status}"


def end_with_parent() -> None:
    """End this process when its parent ends: a killed notebook must not leave a download running."""
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_with_make() -> None:
    """Interrupt this process when a make that started it ends, or is interrupted itself.

    Ctrl+C in a terminal reaches make and all that it started. A SIGINT to make alone does not: make then waits, with
    the signal blocked, until its commands end. Where the system does not tell which signals are blocked, it goes on
    waiting.
    """
    makes = [one for one in psutil.Process().parents() if one.name() in MAKES]
    if not makes:
        return
    blocked_before = {one.pid: _blocks_interrupt(one.pid) for one in makes}

    def goes_on(one: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            ended = not one.is_running() or one.status() == psutil.STATUS_ZOMBIE
            return not ended and _blocks_interrupt(one.pid) == blocked_before[one.pid]
        return False

    def watch():
        ended = 0
        while ended < POLLS:  # make also blocks signals for a moment where it starts a command
            time.sleep(1)
            ended = 0 if all(map(goes_on, makes)) else ended + 1
        if not command_line.interrupted:  # as by Ctrl+C, which has reached both
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _blocks_interrupt(pid: int) -> bool:
    """Tell whether a process has SIGINT blocked, as Linux has it in `/proc`."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        blocked = int(next(line for line in lines if line.startswith("SigBlk:")).split()[1], 16)
        return bool(blocked >> (signal.SIGINT - 1) & 1)
    return False


def _watch(
    process: subprocess.Popen, watched: list[Path], doing: str, expected_bytes: int, until=lambda: False
) -> None:
    """Wait until a process ends, or `until` is true. Raises Failure if it makes no progress."""
    start = written = sum(map(paths.size, watched))
    busy, moved = 0.0, time.monotonic()
    while process.poll() is None and not until():
        time.sleep(0.2)
        now_written, now_busy = sum(map(paths.size, watched)), _processor_seconds(process.pid)
        if abs(now_written - written) >= STALL_BYTES or now_busy - busy >= BUSY_SECONDS:
            written, busy, moved = now_written, now_busy, time.monotonic()
        if expected_bytes:
            done = min(max(now_written - start, 0), expected_bytes)
            progress.step(done // MEGABYTE, max(1, expected_bytes // MEGABYTE), doing, unit="MB")
        if time.monotonic() - moved > STALL_SECONDS:
            raise Failure(f"given up: nothing arrived for {STALL_SECONDS:.0f} s")


def _processor_seconds(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system
