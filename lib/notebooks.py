"""The one list of notebooks, and what each of them needs. Make, the runner, the pages and the tests read it.

To add a notebook: its file in `notebooks/`, a YAML file of its name in `experiments/cpu`, `gpu` and `smoke`, a line
here, and its phrases in `lib/report` (see CONTRIBUTING.md).

This module needs Python alone: make asks it before anything is installed. `python lib/notebooks.py` prints the list;
`--stamps FOLDER` marks there which notebooks' code changed.
"""

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple, Tuple  # noqa: UP035  (make may ask a Python that is too old, to be told so)

SUMMARY = "00_summary"


class Notebook(NamedTuple):
    """A notebook of the report.

    Attributes:
        name: Its file's stem; its report's folder and its YAML files are called the same.
        needs: The notebooks whose results it reads.
        cover: The figure that the index shows; the last one by default.
    """

    name: str
    needs: Tuple[str, ...] = ()  # noqa: UP006
    cover: str = ""


EXPERIMENTS = (
    Notebook("01_baseline", cover="gibberish"),
    Notebook("02_reddit_finetune", cover="survival"),
    Notebook("03_greedy_vs_top_k", needs=("02_reddit_finetune",), cover="repetition_probability"),
    Notebook("04_tang_poetry", cover="demands"),
    Notebook("05_from_scratch", needs=("04_tang_poetry",), cover="demands"),
)
SWEEP = "06_sweep"  # tells what a sweep found
ASIDE = (SWEEP, "bench")  # these read what `make sweep` and `make bench` have measured, and belong to no profile
ALL = (Notebook(SUMMARY, needs=tuple(one.name for one in EXPERIMENTS)), *EXPERIMENTS)


def in_order():
    """The names of all notebooks in the order in which they can run: each after those that it needs."""
    names = []
    for notebook in (*EXPERIMENTS, ALL[0]):
        names += [name for name in (*notebook.needs, notebook.name) if name not in names]
    return names


def code_of(file):
    """A hash of the code of a notebook, which changes neither with its prose nor with its outputs."""
    cells = json.loads(Path(file).read_text(encoding="utf-8"))["cells"]
    code = [[cell["source"], cell["metadata"].get("tags", [])] for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(code, ensure_ascii=False).encode()).hexdigest()


def stamp(folder):
    """Writes the hash of each notebook's code into a folder, where it is not what stands there.

    A stamp's time, which make compares, is when the code changed: the time of the notebook's file for a new stamp.
    """
    with contextlib.suppress(OSError):  # a checkout that cannot be written: make says what it lacks
        folder.mkdir(exist_ok=True)
        for file in sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb")):
            mark, time = folder / f"{file.stem}.code", file.stat().st_mtime
            try:
                code = code_of(file)
            except (ValueError, KeyError, TypeError, RecursionError):
                code = "not a notebook"  # the runner says so
            if not mark.is_file() or mark.read_text(encoding="utf-8") != code:
                mark.write_text(code, encoding="utf-8")
                os.utime(mark, (time, time))


def main(arguments):
    """Prints `name=need,need` for each notebook, separated by spaces."""
    if arguments[:1] == ["--stamps"]:
        stamp(Path(arguments[1]))
    print(*(f"{one.name}={','.join(one.needs)}" for one in ALL))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
