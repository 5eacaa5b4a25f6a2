"""Show a notebook's progress in the terminal without leaving a trace in the report.

The runner names a file in `REPORT_PROGRESS`; the kernel appends lines of JSON to it, and the runner shows them. Without
that variable (in JupyterLab), notes are printed and Keras draws its own bars.
"""

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from lib.core import redaction

PLAIN_SECONDS = 15  # between two lines of progress where no terminal shows a bar


def note(text: str) -> None:
    """Report what is being done now."""
    text = redaction.clean(text)
    if not _send(note=text):
        print(text, flush=True)


def step(done: int, total: int, text: str, unit: str = "step") -> None:
    """Report how much of a long task is done, in steps or in another unit."""
    _send(done=done, total=total, text=text, unit=unit)


def cell(done: int, total: int) -> None:
    """Report how many of a notebook's code cells have run."""
    _send(cell=done, cells=total)


def in_report_run() -> bool:
    """Return whether the runner, not a reader in JupyterLab, runs this process's notebook."""
    return bool(os.environ.get("REPORT_PROGRESS"))


def keras_verbosity() -> int:
    """Return `verbose` for `fit` and `evaluate`: 0 in a report run, so that the report shows no bar, else 1."""
    return 0 if in_report_run() else 1


@contextlib.contextmanager
def shown(name: str, messages: Path, terminal: TextIO, cells: int = 0, minutes: float | None = None):
    """Show the progress messages of this process, or of a kernel that it starts.

    Args:
        name: The text at the start of every line.
        messages: The file that passes the messages on.
        terminal: The stream to write to: bars on a terminal, else an occasional line.
        cells: The number of code cells of the running notebook; 0 if no notebook runs.
        minutes: The time that the last run took, if known.
    """
    stop = threading.Event()
    messages.touch()
    os.environ["REPORT_PROGRESS"] = str(messages)
    watcher = threading.Thread(target=_watch, args=(name, messages, terminal, stop, cells, minutes), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        del os.environ["REPORT_PROGRESS"]


def _watch(
    name: str,
    messages: Path,
    terminal: TextIO,
    stop: threading.Event,
    cells: int = 0,
    minutes: float | None = None,
) -> None:
    display = (_Bars if terminal.isatty() else _Lines)(name, terminal, cells, minutes)
    position, stopping = 0, False
    while not stopping:
        stopping = stop.wait(0.3)
        with open(messages, encoding="utf-8") as file:
            file.seek(position)
            lines = [line for line in file.readlines() if line.endswith("\n")]
            position += sum(len(line.encode()) for line in lines)
        for message in map(json.loads, lines):
            display.show(message)
        display.refresh()
    display.close()


class _Lines:
    """Plain lines: the start and the end of each task, and an occasional line between them."""

    def __init__(self, name: str, terminal: TextIO, cells: int, minutes: float | None):
        self.name, self.terminal, self.minutes = name, terminal, minutes
        self.start, self.told = time.monotonic(), 0.0
        if cells:
            self.write(f"{cells} cells")

    def show(self, message: dict) -> None:
        if "note" in message:
            self.write(message["note"])
        elif "done" in message:
            last = message["done"] == message["total"]
            if last or time.monotonic() - self.told > PLAIN_SECONDS:
                self.write(f"{message['text']}, {_count(message)}")

    def write(self, text: str) -> None:
        left = self.seconds_left()
        if left is not None:
            text += f", about {round(left / 60)} min left" if left >= 30 else ", less than a minute left"
        minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
        tqdm.write(f"[{minutes:2d}:{seconds:02d}] {self.name}: {text}", file=self.terminal)
        self.told = time.monotonic()

    def seconds_left(self) -> float | None:
        """Return the seconds left if the run takes as long as the last one; None if that is unknown or has passed."""
        left = (self.minutes or 0) * 60 - (time.monotonic() - self.start)
        return left if left > 0 else None

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Bars(_Lines):
    """A bar for the notebook's cells, a bar for the current steps below it, and notes above them."""

    def __init__(self, name: str, terminal: TextIO, cells: int, minutes: float | None):
        super().__init__(name, terminal, 0, minutes)
        self.steps = self.cells = None
        if cells:
            self.cells = self.bar(cells, name, smoothing=0, bar_format=self.cells_format())

    def show(self, message: dict) -> None:
        if "cell" in message and self.cells is not None:
            self.cells.n = message["cell"]
        elif "done" in message:
            done, total, text = message["done"], message["total"], f"{self.name}: {message['text']}"
            if self.steps is None or self.steps.total != total or done < self.steps.n:
                self.end_steps()
                position = 0 if self.cells is None else 1
                self.steps = self.bar(total, text, position=position, unit=f" {message['unit']}")
            self.steps.set_description(text, refresh=False)
            self.steps.update(done - self.steps.n)
            if done >= total:
                self.end_steps()
        else:
            super().show(message)

    def bar(self, total: int, text: str, **options) -> tqdm:
        return tqdm(total=total, desc=text, file=self.terminal, leave=False, dynamic_ncols=True, **options)

    def cells_format(self) -> str:
        left = self.seconds_left()
        left = "{remaining}" if left is None else tqdm.format_interval(left)
        return "{l_bar}{bar}| {n} of {total} cells [{elapsed}, " + left + " left]"

    def end_steps(self) -> None:
        if self.steps is not None:
            self.steps.close()
            self.steps = None

    def refresh(self) -> None:
        if self.cells is not None:
            self.cells.bar_format = self.cells_format()
            self.cells.refresh()
        if self.steps is not None:
            self.steps.refresh()

    def close(self) -> None:
        self.end_steps()
        if self.cells is not None:
            self.cells.close()


def _count(message: dict) -> str:
    if message["unit"] == "step":
        return f"step {message['done']} of {message['total']}"
    return f"{message['done']} of {message['total']} {message['unit']}"


def _send(**message) -> bool:
    path = os.environ.get("REPORT_PROGRESS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
    return bool(path)
