"""How a notebook tells a terminal what it is doing, without a trace of it in the report.

The runner names a file in `REPORT_PROGRESS`; the kernel appends lines of JSON to it and the runner shows them. Without
that variable (in JupyterLab) notes are printed, and Keras draws its own bars.
"""

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from lib import redaction

PLAIN_SECONDS = 15  # between two lines of progress where no terminal shows a bar


def note(text: str) -> None:
    """Says what is being done now."""
    text = redaction.clean(text)
    if not _send(note=text):
        print(text, flush=True)


def step(done: int, total: int, text: str, unit: str = "step") -> None:
    """Says how far a long piece of work has come, in steps or in another unit."""
    _send(done=done, total=total, text=text, unit=unit)


def keras_verbosity() -> int:
    """The `verbose` of `fit` and `evaluate`: 0 in a report run, so that no bar is left in the report, else 1."""
    return 0 if os.environ.get("REPORT_PROGRESS") else 1


@contextlib.contextmanager
def shown(name: str, messages: Path, terminal: TextIO):
    """Shows what this process, or a kernel that it starts, says of its progress.

    Args:
        name: What every line begins with.
        messages: A file that the messages go through.
        terminal: Where to: a bar on a terminal, else a line now and then.
    """
    stop = threading.Event()
    messages.touch()
    os.environ["REPORT_PROGRESS"] = str(messages)
    watcher = threading.Thread(target=_watch, args=(name, messages, terminal, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        del os.environ["REPORT_PROGRESS"]


def _watch(name: str, messages: Path, terminal: TextIO, stop: threading.Event) -> None:
    start, told, position = time.monotonic(), 0.0, 0
    interactive = terminal.isatty()
    bar = None
    while True:
        stopping = stop.wait(0.3)
        with open(messages, encoding="utf-8") as file:
            file.seek(position)
            lines = [line for line in file.readlines() if line.endswith("\n")]
            position += sum(len(line.encode()) for line in lines)
        for message in map(json.loads, lines):
            minutes, seconds = divmod(int(time.monotonic() - start), 60)
            if "note" in message or not interactive:
                last = message.get("done") == message.get("total")
                if "note" in message or last or time.monotonic() - told > PLAIN_SECONDS:
                    text = message.get("note") or f"{message['text']}, {_count(message)}"
                    tqdm.write(f"[{minutes:2d}:{seconds:02d}] {name}: {text}", file=terminal)
                    told = time.monotonic()
            else:
                if bar is None or bar.total != message["total"] or message["done"] < bar.n:
                    bar = tqdm(total=message["total"], leave=False, file=terminal)
                bar.set_description(f"{name}: {message['text']}")
                bar.update(message["done"] - bar.n)
                if bar.n >= bar.total:
                    bar.close()
                    bar = None
        if stopping:
            break
    if bar is not None:
        bar.close()


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
