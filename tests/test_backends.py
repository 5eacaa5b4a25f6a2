import subprocess
import sys

import pytest

from lib import backends
from lib.errors import UserError


def run(code):
    """Runs code in a fresh Python, where Keras is not imported yet."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_keras_runs_on_what_was_selected_and_cannot_be_switched_after():
    done = run(
        "from lib import backends\n"
        "print(backends.select('jax'))\n"
        "import keras; print(keras.backend.backend())\n"
        "backends.select('tensorflow')"
    )
    assert done.stdout.split() == ["jax", "jax"]
    assert "backend is 'tensorflow', but Keras already runs on 'jax'. Restart the kernel." in done.stderr


@pytest.mark.parametrize(
    ("says", "expected"),
    [("GPU 0: Tesla T4 (UUID: GPU-0)", "tensorflow"), ("No devices were found", "jax"), (None, "jax")],
)
def test_auto_takes_tensorflow_where_there_is_a_gpu_else_jax(monkeypatch, tmp_path, says, expected):
    if says:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\necho '{says}'\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("from lib import backends\nprint(backends.select('auto'))").stdout.strip() == expected


def test_an_unknown_backend_is_told():
    with pytest.raises(UserError, match="backend is 'torch'; allowed are auto, tensorflow, jax"):
        backends.select("torch")
