"""A report from a bundle, made by make in a network namespace that reaches nothing but the machine itself."""

import os
import shutil
import subprocess
import sys

import pytest
from quick_compiling import QUICKLY

from lib.bundle import __main__ as bundles
from lib.core import paths

# In a new namespace the loopback device is down, and Jupyter talks to its kernels over it.
CLOSED = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
os.execvp(sys.argv[1], sys.argv[1:])
"""
INSIDE = ["unshare", "--map-root-user", "--net", sys.executable, "-c", CLOSED]
OWN = ("MAKE", "MFLAGS", "REPORT_", "PYTHONPATH", "PROFILE")


def can_close_the_network():
    return shutil.which("unshare") and subprocess.run([*INSIDE, "true"], capture_output=True).returncode == 0


@pytest.fixture
def checkout(tmp_path):
    """A copy of the repository's sources, without an environment. Its notebooks take less time."""
    folder = tmp_path / "checkout"
    for name in ("Makefile", "pyproject.toml", "requirements", "experiments", "notebooks", "lib", "bench"):
        source = paths.ROOT / name
        (folder / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    cleaner = folder / "lib" / "core" / "environment.py"
    cleaner.write_text(f'{cleaner.read_text(encoding="utf-8")}\nKEPT += ("XLA_FLAGS",)\n', encoding="utf-8")
    with open(folder / "experiments" / "smoke" / "01_baseline.yaml", "a", encoding="utf-8") as file:
        file.write("on_tensorflow: false\n")
    return folder


@pytest.mark.skipif(not can_close_the_network(), reason="this user may not make a network namespace")
def test_a_report_is_made_from_a_bundle_without_a_network(checkout, tmp_path):
    bundle, have = tmp_path / "bundle", tmp_path / "list.txt"
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    have.write_text(listed.stdout)
    assert bundles.main([str(bundle), "--profile", "smoke", "--have", str(have), "--part", "1"]) == 0

    def make(*arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        environment["XLA_FLAGS"] = QUICKLY
        given = [f"BUNDLE={bundle}.parts", f"PYTHON={sys.executable}", f"REPORT_CACHE={tmp_path / 'cache'}"]
        done = subprocess.run(
            [*INSIDE, "make", *arguments, *given], cwd=checkout, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    assert make("report", "NOTEBOOK=01_baseline")[-1] == "Report: outputs/smoke/01_baseline/report.html"
    assert (checkout / "outputs" / "smoke" / "01_baseline" / "report.html").is_file()
    again = make("report", "NOTEBOOK=01_baseline")
    assert not any(line.startswith(("Checking", "[")) for line in again)
