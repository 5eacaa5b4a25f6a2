import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lib.core import command_line, locks, paths
from lib.core.errors import UserError


@pytest.mark.parametrize("number", command_line.MENDABLE)
def test_what_the_system_refuses_is_a_line_and_status_2(capsys, number):
    def refused():
        raise OSError(number, os.strerror(number), "/the/file")

    assert command_line.run(refused) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "/the/file" in error


def test_another_error_of_the_system_is_a_fault_of_the_code():
    def fault():
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    with pytest.raises(OSError, match="Bad file descriptor"):
        command_line.run(fault)


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, "flock", none)
    with (
        pytest.raises(UserError, match=r"has no locks \(No locks available\).* Name a folder on another one"),
        locks.only_one(tmp_path),
    ):
        pass


SLOW = "import time; import lib.core.paths; print('up', flush=True); time.sleep(60)"


def test_an_interruption_while_a_command_still_imports_is_a_line():
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {SLOW}"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == "Interrupted before anything was started.\n"
    assert process.returncode == -signal.SIGINT


RUNS = """
import sys, time
from pathlib import Path
from lib.core import command_line, watchdog
def main():
    watchdog.end_with_make()
    Path(sys.argv[1]).touch()
    try:
        time.sleep(60)
    finally:
        time.sleep(4)
        print("cleaned up")
sys.exit(command_line.run(main))
"""


def made(tmp_path):
    """A make that has started a run, in a process group of its own."""
    (tmp_path / "run.py").write_text(RUNS)
    (tmp_path / "Makefile").write_text(
        f"all:\n\t@$(MAKE) run\nrun:\n\t@PYTHONPATH={paths.ROOT} {sys.executable} run.py started; echo $$? > status\n"
    )
    # A job in the background has SIGINT ignored, and hands that on to what it starts.
    make = subprocess.Popen(
        ["make", "all"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        start_new_session=True,
    )
    wait_for(tmp_path / "started")
    return make


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_ends_with_the_make_that_started_it(tmp_path, number):
    make = made(tmp_path)
    make.send_signal(number)
    told = make.communicate(timeout=30)[0]
    assert make.returncode != 0
    assert command_line.INTERRUPTED_LINE in told, told


def test_ctrl_c_which_reaches_both_does_not_interrupt_the_cleaning_up(tmp_path):
    make = made(tmp_path)
    os.killpg(make.pid, signal.SIGINT)
    told = make.communicate(timeout=30)[0]
    assert "cleaned up" in told and command_line.INTERRUPTED_LINE in told, told


def wait_for(file: Path) -> None:
    end = time.monotonic() + 30
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert file.exists()
