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
