import subprocess
import sys
import time

import psutil
import pytest

from lib.core import paths, watchdog

CHILD = (
    "import time; from lib.core import watchdog; watchdog.end_with_parent(); print('up', flush=True); time.sleep(100)"
)
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def test_a_process_that_fetches_ends_when_the_one_that_started_it_was_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(1.5)
    assert child.is_running()
    parent.kill()
    parent.wait()
    end = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < end:
        time.sleep(0.1)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_process_that_was_killed_is_told_by_the_signal():
    code = "import os, signal, sys; print('its last words', file=sys.stderr); os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(watchdog.Failure, match=r"^it was ended by SIGKILL$"):
        watchdog.run([sys.executable, "-c", code], [], "testing")


TALKS = """
import sys
print("a line of another")
print("told: " + sys.argv[1], flush=True)
for line in sys.stdin:
    if line == "end\\n":
        sys.exit("its last words")
    print("told: " + line.strip()[::-1], end="", flush=True)
    print(flush=True)
"""


def test_a_process_answers_line_by_line_until_it_ends():
    with watchdog.Talk([sys.executable, "-c", TALKS, "ready"], "told: ") as talk:
        assert [talk.answer(), talk.ask("abc"), talk.ask("xyz")] == ["ready", "cba", "zyx"]
        for _ in range(2):
            with pytest.raises(watchdog.Failure, match=r"^its last words$"):
                talk.ask("end")


def test_a_process_that_does_not_answer_is_given_up_and_ended(monkeypatch):
    monkeypatch.setattr(watchdog, "STALL_SECONDS", 0.5)
    with watchdog.Talk([sys.executable, "-c", "input()\ninput()"], "told: ") as talk:
        with pytest.raises(watchdog.Failure, match="given up: nothing arrived for 0 s"):
            talk.ask("abc")
        process = talk._process
        assert process.poll() is None
    assert process.poll() is not None


def test_a_process_that_ends_without_an_answer_is_told_by_its_status():
    with (
        watchdog.Talk([sys.executable, "-c", ""], "told: ") as talk,
        pytest.raises(watchdog.Failure, match=r"^it ended with status 0$"),
    ):
        talk.answer()
