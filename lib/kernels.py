"""Run a notebook with papermill, in a kernel of this interpreter, and stop waiting if the kernel does not answer.

By default, papermill starts the kernel that Jupyter has registered as `python3`, which may belong to another
installation. It also waits forever for the answer to a cell, and a cell that uses widgets can lose its answer
(nbclient, issue 312).
"""

import asyncio
import contextlib
import functools
import logging
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import papermill
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from lib.core import command_line, redaction
from lib.core.errors import UserError

ARGUMENTS = [  # of the kernel's command
    "--InteractiveShell.ast_node_interactivity=last_expr",  # overrides a system-wide setting
    "--IPKernelApp.capture_fd_output=False",  # else the last words of a library that aborts the process are lost
]
START_SECONDS = 120  # the time that a kernel has to start
STARTS = 4  # how often a kernel is started at most, if its ports are taken
PORT_TAKEN = "Address already in use"
IDLE_SECONDS = 30  # the longest wait for a cell's answer after the kernel reports idle; normally both come together
LAST_WORDS = 300  # characters
OOM_COUNTS = (  # of the whole system, and of a container (control groups, versions 2 and 1)
    "/proc/vmstat",
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
)
NOISE = re.compile(  # ipykernel warnings, XLA and TensorFlow logs, stack traces, papermill's own message
    r"\[IPKernelApp\] WARNING|Debugger warning|frozen modules|PYDEVD|^\s*(@|\*\*\*|#\d)|^Extension modules|^\s*File "
    r"|^[IW]\d{4} |: [IW] \w+/|^WARNING: All log messages|^Kernel died while"
)
NO_MEMORY = re.compile("MemoryError|Cannot allocate memory|failed to map segment|bad_alloc|can't start new thread")


class NotebookFailed(Exception):
    """A notebook did not run to its end."""


def execute(
    source: Path,
    executed: Path,
    parameters: dict,
    environment: dict[str, str],
    log: Path,
    on_cell_executed: Callable | None = None,
    limit_minutes: float | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a notebook and write the executed copy, even if it is incomplete.

    Args:
        source: The notebook's file.
        executed: The file for the executed notebook.
        parameters: Values that replace those of its `parameters` cell.
        environment: The kernel's environment variables.
        log: The file that receives the kernel's stderr; error messages quote its last lines.
        on_cell_executed: Called after each code cell.
        limit_minutes: The longest time that the run may take; None sets no limit.
        cwd: The kernel's working directory.

    Raises:
        UserError: If the notebook raised one.
        NotebookFailed: If a cell failed, the kernel ended or did not answer, or the time limit was reached.
    """
    name = source.stem
    logging.getLogger("papermill").setLevel(logging.ERROR)
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    memory_kills = _memory_kills()
    run = functools.partial(
        papermill.execute_notebook,
        _literal(source),
        _literal(executed),
        parameters,
        engine_name=_Engine.NAME,
        kernel_name="python3",
        language="python",
        cwd=cwd,
        progress_bar=False,
        environment=environment,
        connection_file=str(log.with_name("connection.json")),
        deadline=None if limit_minutes is None else time.monotonic() + 60 * limit_minutes,
        on_cell_executed=on_cell_executed,
    )
    try:
        _with_ports(run, log)
    except PapermillExecutionError as error:
        if error.ename == UserError.__name__:
            raise UserError(error.evalue) from None
        if command_line.NO_SPACE.search(error.evalue):
            raise UserError(command_line.DISK_FULL.format(where="")) from None
        line = next((line for line in error.source.splitlines() if line.strip()), "")
        raise NotebookFailed(
            f"{name} failed in cell [{error.exec_count}], {line!r}: {error.ename}: {error.evalue}."
            f"{_of_memory(f'{error.ename}: {error.evalue}', unexplained=not error.evalue)}"
        ) from None
    except _KernelEnded as ended:
        how = _told(ended.status, memory_kills)
        words = "" if ended.status == -signal.SIGKILL else _last_words(log)  # SIGKILL leaves no message
        raise NotebookFailed(f"{name} failed: {how}.{words}{_of_memory(words, unexplained=True)}") from None
    except _NoAnswer:
        raise NotebookFailed(
            f"{name} failed: its kernel was done with a cell, but its answer did not come in {IDLE_SECONDS} s. "
            f"Run it again.{_last_words(log)}"
        ) from None
    except _TimeUp:
        raise NotebookFailed(f"{name} failed: it took longer than the limit, {limit_minutes:g} minutes.") from None
    except _NotStarted as error:
        words = _last_words(log)
        raise NotebookFailed(
            f"{name} failed: its kernel did not start: {error}.{words}{_of_memory(words, unexplained=True)}"
        ) from None


def _with_ports(run: Callable, log: Path) -> None:
    """Run a notebook; again if its kernel did not get its ports.

    Jupyter chooses ports that are free, but the kernel takes them only seconds later. Another kernel that starts at the
    same time may be quicker.
    """
    for tries_left in reversed(range(STARTS)):
        try:
            run()
            return
        except _NotStarted:
            if not tries_left or PORT_TAKEN not in _last_words(log):
                raise


class _KernelEnded(Exception):
    """The kernel's process has ended."""

    def __init__(self, status: int | None):
        super().__init__(status)
        self.status = status


class _NotStarted(Exception):
    """The kernel did not start; the message gives the reason."""


class _NoAnswer(Exception):
    """The kernel is idle, but the answer to a cell has not arrived."""


class _TimeUp(Exception):
    """The run reached its time limit."""


class _OwnKernel(KernelSpecManager):
    """A kernel registry that returns this interpreter's kernel for every name."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *ARGUMENTS]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


class _Client(PapermillNotebookClient):
    """papermill's client; it raises an exception if the kernel ends or does not answer."""

    idle_without_answer = False
    connection_file = ""  # holds the kernel's ports; it is in the run's folder, so it is removed with the run

    def create_kernel_manager(self):
        self.km = AsyncKernelManager(
            kernel_name=self.kernel_name, kernel_spec_manager=_OwnKernel(), connection_file=self.connection_file
        )
        return self.km

    def start_new_kernel_client(self):
        try:
            return super().start_new_kernel_client()
        except RuntimeError as error:
            raise _NotStarted(error) from None

    def papermill_execute_cells(self):
        try:
            super().papermill_execute_cells()
        except DeadKernelError:
            if self.idle_without_answer:
                raise _NoAnswer from None
            process = getattr(self.km.provisioner, "process", None)
            raise _KernelEnded(process.poll() if process else None) from None
        except CellTimeoutError as error:  # for the cell, or for its last outputs
            raise (_NoAnswer if "IOPub" in str(error) else _TimeUp) from None

    def process_message(self, message, cell, cell_index):
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            asyncio.get_running_loop().call_later(IDLE_SECONDS, self._give_up, self.task_poll_for_reply)
        return super().process_message(message, cell, cell_index)

    def _give_up(self, awaited) -> None:
        if not awaited.done():
            self.idle_without_answer = True
            awaited.cancel()  # nbclient treats this as a dead kernel


class _Engine(NBClientEngine):
    """papermill's engine with `_Client` as its client."""

    NAME = "report"

    @classmethod
    def execute_managed_notebook(
        cls, nb_man, kernel_name, environment, connection_file, deadline, on_cell_executed, **_
    ):
        options = {"kernel_name": kernel_name, "startup_timeout": START_SECONDS, "iopub_timeout": 2 * IDLE_SECONDS}
        if deadline is not None:
            options["timeout_func"] = lambda cell: max(1, round(deadline - time.monotonic()))
        if on_cell_executed is not None:
            options["on_cell_executed"] = on_cell_executed
        client = _Client(nb_man, log=logging.getLogger("papermill"), **options)
        client.connection_file = connection_file
        return client.execute(env=environment)


papermill_engines.register(_Engine.NAME, _Engine)


def _literal(path: Path) -> str:
    """Escape a path for papermill, which expands `{name}`."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _told(status: int | None, memory_kills: int) -> str:
    """Describe how a kernel ended.

    Args:
        status: Its exit status, negative for a signal.
        memory_kills: The result of `_memory_kills` before the run.
    """
    if status == -signal.SIGKILL:
        if _memory_kills() > memory_kills:
            return "its kernel was killed by the system for want of memory"
        return "its kernel was killed (SIGKILL), by somebody or by a guard of the memory such as systemd-oomd"
    if status is not None and status < 0:
        with contextlib.suppress(ValueError):
            return f"its kernel died ({signal.Signals(-status).name})"
    return f"its kernel ended by itself, with status {status}"


def _of_memory(told: str, unexplained: bool = False) -> str:
    """Say that a failure comes from the memory, if its message or a limit of this shell speaks for that; else `""`.

    Args:
        told: The message.
        unexplained: Whether the message gives no other reason.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    limited = limit != resource.RLIM_INFINITY
    if not NO_MEMORY.search(told) and not (limited and unexplained):
        return ""
    if limited:
        return f" This shell lets a process have {limit / 1e9:.1f} GB of memory (ulimit -v). Raise or lift that."
    return " The memory ran out. Close what else uses it."


def _memory_kills() -> int:
    """Return how many processes the system has killed for lack of memory, summed over all available counters."""
    total = 0
    for place in OOM_COUNTS:
        with contextlib.suppress(OSError, ValueError):
            lines = Path(place).read_text(encoding="utf-8").splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return total


def _last_words(log: Path) -> str:
    """Return the last informative lines of a kernel's stderr as a sentence; `""` if there are none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    text = text.split("Fatal Python error")[0]  # the stacks of all threads follow it
    lines = [line.strip() for line in text.splitlines() if line.strip() and not NOISE.search(line)]
    words = " ".join(lines[-3:])
    return f" Its last words: {redaction.clean(words)[-LAST_WORDS:]}" if words else ""
