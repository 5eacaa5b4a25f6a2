"""Work that may hang, done in a process of its own, which is given up when it stands still.

The clients of model hubs and TensorFlow Datasets have no time limit, or one of minutes: a server that accepts a
connection and then says nothing would hold up a run for ever. Here the process is watched from outside: it goes on as
long as the files it writes grow, or it computes.
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

from lib.core import paths, progress

STALL_SECONDS = 60.0  # without progress, after which a process is given up
STALL_BYTES = 64 * 1024  # what counts as progress: so much more on the disk, ...
BUSY_SECONDS = 2.0  # ... or so much more processor time
MEGABYTE = 1_000_000


class Failure(Exception):
    """What a process left undone, and why, in a line."""


def run(command: list[str], watched: list[Path], doing: str, expected_bytes: int = 0, environment=None) -> str:
    """Runs a command until it ends, or until it has stood still for `STALL_SECONDS`.

    Args:
        command: The program and its arguments.
        watched: Folders that it writes to; their growth is progress.
        doing: What it does, for the progress bar.
        expected_bytes: How much it will write, for the progress bar; 0 where nobody knows.
        environment: Variables of its environment, in addition to this process's.

    Returns:
        What it wrote to stdout.

    Raises:
        Failure: With the last line of what it wrote to stderr, or telling that it stood still.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, env={**os.environ, **(environment or {})}, start_new_session=True
        )
        try:
            _watch(process, watched, doing, expected_bytes)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0), err.seek(0)
        lines = [line for line in err.read().decode(errors="replace").splitlines() if line.strip()]
        if process.returncode:
            raise Failure(lines[-1].strip() if lines else f"it ended with status {process.returncode}")
        return out.read().decode(errors="replace")


def end_with_parent() -> None:
    """Ends this process once the one that started it is gone: a notebook that was killed must not leave a download."""
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _watch(process: subprocess.Popen, watched: list[Path], doing: str, expected_bytes: int) -> None:
    start = written = sum(map(paths.size, watched))
    busy, moved = 0.0, time.monotonic()
    while process.poll() is None:
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
