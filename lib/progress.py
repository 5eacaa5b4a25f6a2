"""How a notebook tells a terminal what it is doing, without a trace of it in the report.

The runner names a file in `REPORT_PROGRESS`; the kernel appends lines of JSON to it and the runner shows them. Without
that variable (in JupyterLab) notes are printed, and Keras draws its own bars.
"""

import json
import os


def note(text: str) -> None:
    """Says what is being done now."""
    if not _send(note=text):
        print(text, flush=True)


def step(done: int, total: int, text: str) -> None:
    """Says how far a long piece of work has come."""
    _send(done=done, total=total, text=text)


def keras_verbosity() -> int:
    """The `verbose` of `fit` and `evaluate`: 0 in a report run, so that no bar is left in the report, else 1."""
    return 0 if os.environ.get("REPORT_PROGRESS") else 1


def _send(**message) -> bool:
    path = os.environ.get("REPORT_PROGRESS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
    return bool(path)
