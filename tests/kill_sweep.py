"""Publishes a report again and again, killed each time at another step, and looks whether anything is lost.

`python tests/kill_sweep.py FOLDER` prints, as JSON, how many kills there were and what went wrong. In the folder are
`notebooks`; `state/outputs/small`, with the published reports `works` and `other`; and `state/new`, what a later run of
`works` has left in its scratch folder.

A step is an operation that changes files: opening one for writing, renaming, removing, making or emptying. Python tells
of each before it is made (audit events). At an opening there are two kills: before it, and after it has emptied the
file, with nothing written yet.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from lib import runner
from lib.core import locks, paths, published, records
from lib.report import site

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.utime", "os.link", "os.symlink")
OPENED = 3  # the status of a process that opened a published file for writing
SHARES = 2  # processes that share the steps
ANSWERS = {"works": ("5 steps.", "7 steps."), "other": ("5 steps.",)}


def _is_published(file: Path) -> bool:
    """Whether readers may look at a file. Nothing that they may look at is ever opened for writing."""
    scratch = any(part.startswith(published.RUNNING) for part in file.parts)
    return not scratch and file.suffix != ".part" and file.name != ".lock"


class _Killer:
    """Kills this process at the given step; counts the steps if there is none."""

    def __init__(self, folder: Path, step: int):
        self.folder, self.step, self.seen = str(folder), step, 0

    def __call__(self, event, arguments):
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path, _, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR) and self._is_ours(path):
                if _is_published(Path(os.fsdecode(path))):
                    os._exit(OPENED)
                self._count()
                if flags & os.O_TRUNC and self._is_last():
                    self.folder = "\0"  # what follows is not counted
                    os.truncate(path, 0) if os.path.exists(path) else Path(path).touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                self._count()
        elif event == "exchange" or (event in CHANGES and self._is_ours(arguments[0])):
            self._count()

    def _is_ours(self, path) -> bool:
        return not isinstance(path, int) and os.fsdecode(path).startswith(self.folder)

    def _is_last(self) -> bool:
        return self.seen + 1 == self.step

    def _count(self):
        self.seen += 1
        if self.seen == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def _publish(place: Path) -> None:
    outputs = place / "outputs" / "small"
    with locks.only_one(outputs), runner._scratch(outputs) as scratch:
        folder = Path(scratch) / "works"
        shutil.copytree(place / "new", folder)
        runner.publish(folder, outputs, 1, place / "trainings")


def _in_a_child(work) -> int:
    """Runs a function in a copy of this process; returns how it ended."""
    child = os.fork()
    if not child:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _answer(report: Path) -> str:
    return records.load(report / "results.json").answer["en"]


def _wrong(place: Path) -> list[str]:
    """What is lost after a kill; and what is not whole after the next check and, if make would, a rendering."""
    outputs, found = place / "outputs" / "small", []
    for name, answers in ANSWERS.items():
        aside = outputs / f"{published.FORMER}{name}"
        report = outputs / name if (outputs / name).exists() else aside
        if published.fault(report) or _answer(report) not in answers:
            found.append(f"{name} is not whole at once: {published.fault(report)}")
        for page in ("report.html", "report.zh.html"):
            if "</html>" not in (report / page).read_text(encoding="utf-8"):
                found.append(f"{name}/{page} is cut")
    published.check("small")
    for name in ANSWERS:
        if not (outputs / name / published.DONE).exists():
            found.append(f"{name} would be run again")
    if not (outputs / published.RENDERED).exists():
        site.render("small")
    if problem := published.fault_of_pages(outputs):
        found.append(f"the pages are not whole after rendering: {problem}")
    left = [entry.name for entry in outputs.iterdir()]
    found += [f"{name} is left" for name in left if name.startswith((published.RUNNING, published.FORMER, ".index"))]
    return found


def _sweep(folder: Path, first: int) -> dict:
    """Kills at each step in turn, from the first on: at every `SHARES`-th."""
    work, step, wrong, killed = folder / f"work{first}", first, {}, 0
    os.environ["REPORT_OUTPUTS"] = str(work / "outputs")

    def publish():
        sys.addaudithook(_Killer(work / "outputs", step))
        _publish(work)

    while True:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(folder / "state", work)
        if not (status := _in_a_child(publish)):
            return {"killed": killed, "wrong": wrong}
        if status != -signal.SIGKILL:
            return {"killed": killed, "wrong": wrong | {step: f"ended with {status}"}}
        killed += 1
        if found := _wrong(work):
            wrong[step] = found
        step += SHARES


def _told_of(exchange):
    """Lets an audit event tell of an exchange, which Python itself tells nobody."""

    def told(first, second):
        sys.audit("exchange")
        return exchange(first, second)

    return told


def main(folder: str, exchanges: bool) -> int:
    """Sweeps in several processes, and prints what each found."""
    published._exchanged = _told_of(published._exchanged) if exchanges else lambda first, second: False
    paths.NOTEBOOKS, results = Path(folder) / "notebooks", []
    for first in range(1, SHARES + 1):
        reader, writer = os.pipe()
        if not os.fork():
            with os.fdopen(writer, "w") as result:
                json.dump(_sweep(Path(folder), first), result)
            os._exit(0)
        os.close(writer)
        results.append(os.fdopen(reader))
    print(json.dumps([json.load(result) for result in results]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--without-exchange" not in sys.argv))
