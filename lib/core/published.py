"""Publish reports in one step, tell whether what was published is whole, and put right what a killed run left.

What a run wrote is listed in the file `.done` of its report, with SHA-256 sums; what rendering wrote, in the file
`.pages` of the profile. Both are written by renaming, as all that is published. `python -m lib.core.published` compares
the files with the lists before make looks at their times: a damaged report is run or rendered again.

This module needs only the standard library.
"""

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from lib import notebooks
from lib.core import command_line, locks, paths

DONE = ".done"  # in a report's folder; make compares its time with those of the report's sources
PAGES = ".pages"  # in a profile's folder
RENDERED = ".rendered"  # there too; make compares its time with those of what the pages are made from
RUNNING = ".run-"  # begins the name of the folder of an unfinished run
FORMER = ".former-"  # begins the name of the folder of a report that is being replaced
RESULTS, NOTEBOOK = "results.json", "notebook.ipynb"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AT_CWD, _EXCHANGE = -100, 2  # of Linux' renameat2


def seal(folder: Path, rendered: Iterable[str], since_ns: int) -> None:
    """List what a run wrote in a report's folder, so that later damage is found.

    Args:
        folder: The report's folder.
        rendered: Files in it that rendering will write again: they are not listed.
        since_ns: When the run began to read what it depends on, in nanoseconds of the system's clock. The list gets
            this time, so that make notices a source that was edited during the run.
    """
    mark = folder / DONE
    paths.write(mark, json.dumps(_sums(folder, _files(folder) - set(rendered)), indent=1))
    os.utime(mark, ns=(since_ns, since_ns))


def fault(folder: Path) -> str:
    """Tell what is wrong with the files that a run left in a report's folder.

    Returns:
        A few words; `""` if all files are as the run left them, or if the report has no list.
    """
    try:
        listed = _read(folder / DONE)
    except FileNotFoundError:
        return ""
    except ValueError:
        return f"its list of files, {DONE}, is empty or damaged"
    if RESULTS not in listed:
        return f"its {DONE} does not list {RESULTS}"
    return _fault_of_notebook(folder / NOTEBOOK) or _difference(folder, listed)


def _fault_of_notebook(file: Path) -> str:
    """Tell why no page can be made from an executed notebook. Rendering writes it, so it is in no report's own list."""
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        whole = all(isinstance(cell["metadata"], dict) and isinstance(cell["source"], str | list) for cell in cells)
        outputs = [output for cell in code for output in cell["outputs"]]
    except FileNotFoundError:
        return f"{file.name} is missing"
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"{file.name} is cut off or damaged"
    return "" if whole and outputs else f"{file.name} has no outputs"


def list_pages(outputs: Path) -> None:
    """List a profile's index and all files of its reports that are in no report's own list.

    Nothing is listed if a report has no page; the pages then count as not whole. A variant may have none: the others do
    not depend on it.
    """
    reports = [file.parent for file in outputs.glob(f"*/{RESULTS}") if "@" not in file.parent.name]
    if any(not (report / "report.html").is_file() for report in reports):
        (outputs / PAGES).unlink(missing_ok=True)
        return
    paths.write(outputs / PAGES, json.dumps(_sums(outputs, _pages(outputs)), indent=1))


def fault_of_pages(outputs: Path) -> str:
    """Tell what is wrong with a profile's pages; `""` if they are as rendering left them."""
    try:
        listed = _read(outputs / PAGES)
    except FileNotFoundError:
        return "they are not finished"
    except ValueError:
        return f"{PAGES} is cut off or damaged"
    added = sorted(_pages(outputs) - set(listed))
    return _difference(outputs, listed) or (f"{added[0]} is new" if added else "")


def publish(folder: Path, outputs: Path) -> Path:
    """Put a finished report in the place of the former one.

    On Linux the two folders are exchanged in one step. Where the file system cannot do that, the former report lies
    aside for a moment, and `restore` puts it back if this process is killed in it.

    Args:
        folder: The finished folder, on the file system of `outputs`.
        outputs: The profile's folder.

    Returns:
        The published folder.
    """
    place = outputs / folder.name
    if not place.exists():
        folder.rename(place)
    elif not _exchanged(folder, place):
        former = outputs / f"{FORMER}{folder.name}"
        place.rename(former)
        try:
            folder.rename(place)
        except BaseException:
            former.rename(place)
            raise
        shutil.rmtree(former, ignore_errors=True)
    return place


def restore(outputs: Path) -> None:
    """Put back a report that a killed run had set aside, and remove what killed runs left. Hold the lock for this."""
    for former in outputs.glob(f"{FORMER}*"):
        place = outputs / former.name.removeprefix(FORMER)
        if place.exists():
            shutil.rmtree(former, ignore_errors=True)
        else:
            former.rename(place)
    for left in outputs.glob(f"{RUNNING}*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in [*outputs.glob(".*.part"), *outputs.glob("*/.*.part"), *outputs.glob("*/figures/**/.*.part")]:
        left.unlink(missing_ok=True)


@contextlib.contextmanager
def uninterrupted():
    """Hold back Ctrl+C, SIGTERM and SIGHUP, and deliver the first of them at the end.

    What runs in here takes seconds. Outside the main thread, which alone gets signals in Python, nothing is held back.
    """
    held, before = [], {}
    with contextlib.suppress(ValueError):  # outside the main thread
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


def check(profile: str) -> None:
    """Let make run or render again what is not whole, and say what that is.

    Args:
        profile: The folder of `outputs/`.
    """
    outputs = paths.of_profile(profile)
    if not outputs.is_dir():
        return
    with locks.only_one(outputs):
        restore(outputs)
        listed = [notebook.name for notebook in notebooks.ALL]
        for mark in sorted(outputs.glob(f"*/{DONE}")):
            if not (problem := fault(mark.parent)):
                continue
            if mark.parent.name in listed:
                print(f"{mark.parent.name} is not whole and will be run again: {problem}.", flush=True)
                mark.unlink()
            else:  # make knows nothing of it; its list stays, so that the damage is told until it is mended
                print(f"{mark.parent.name} is not whole: {problem}. Run it again, or remove its folder.", flush=True)
        if (outputs / RENDERED).exists() and (problem := fault_of_pages(outputs)):
            print(f"The pages of the profile {profile} will be made again: {problem}.", flush=True)
            (outputs / RENDERED).unlink()


def mark_rendered(outputs: Path, since_ns: int) -> None:
    """Tell make that all pages are made, from what there was at a time in nanoseconds."""
    (outputs / RENDERED).touch()
    os.utime(outputs / RENDERED, ns=(since_ns, since_ns))


def _files(folder: Path) -> set[str]:
    """Return the files of a folder, recursively and without hidden ones, relative to it."""
    found = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    return {file.as_posix() for file in found if not any(part.startswith(".") for part in file.parts)}


def _pages(outputs: Path) -> set[str]:
    """Return a profile's index, and the files of its reports that are in no report's own list."""
    found = {file.name for file in outputs.iterdir() if file.is_file() and not file.name.startswith(".")}
    for report in {file.parent for file in outputs.glob(f"*/{RESULTS}")}:
        try:
            listed = _read(report / DONE)
        except (OSError, ValueError):
            listed = {}
        rest = _files(report) - set(listed)
        found |= {f"{report.name}/{name}" for name in rest if not name.startswith("model/")}
    return found


def _sums(folder: Path, names: Iterable[str]) -> dict[str, list]:
    return {name: [(folder / name).stat().st_size, paths.sha256(folder / name)] for name in sorted(names)}


def _read(file: Path) -> dict[str, list]:
    """Read a list of files.

    Raises:
        ValueError: If it is not one.
    """
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("not a list of files") from None
    if not isinstance(listed, dict) or not all(isinstance(one, list) and len(one) == 2 for one in listed.values()):
        raise ValueError("not a list of files")
    return listed


def _difference(folder: Path, listed: dict[str, list]) -> str:
    """Tell the first difference between a folder and a list of its files, in a few words."""
    for name, (size, digest) in listed.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size or paths.sha256(file) != digest:
            return f"{name} has changed"
    return ""


def _exchanged(first: Path, second: Path) -> bool:
    """Exchange two folders in one step. Return False where the system or the file system cannot."""
    try:
        exchange = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # not Linux, or a C library without it
        return False
    return exchange(_AT_CWD, os.fsencode(first), _AT_CWD, os.fsencode(second), _EXCHANGE) == 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Return the exit status."""
    return command_line.run(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lib.core.published", description="Find published reports that are not whole, for make."
    )
    parser.add_argument("--profile", default="cpu", help="the folder of outputs/ that holds the reports")
    check(parser.parse_args(arguments).profile)
    return 0


if __name__ == "__main__":
    sys.exit(main())
