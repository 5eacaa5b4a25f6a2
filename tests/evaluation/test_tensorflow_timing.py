import json

import pytest

from lib.core import backends, watchdog
from lib.core.records import DecodingStep
from lib.evaluation import tensorflow_timing
from lib.models import memory, pretrained

ASKED = {"sequence_length": 32, "prompt": "My trip was", "max_length": 20, "k": 5, "fewest": 1, "seed": 1}


@pytest.fixture
def on_jax(monkeypatch):
    """The settings of a notebook that runs on JAX."""
    settings = backends.Settings("jax", "float32", xla=True, on_gpu=False, memory_growth=False)
    monkeypatch.setattr(backends, "selected", settings)


def asked_of(command):
    return json.loads(command[-1])


def test_the_post_s_lines_are_timed_in_the_notebook_s_precision(tiny_preset, on_jax, monkeypatch, capsys):
    """The process's work is done in this one, which has Keras on TensorFlow."""
    monkeypatch.setenv("XLA_FLAGS", f"--xla_cpu_enable_fast_math=false {backends.COMPILE_FAST}")

    def run(command, watched, doing, environment):
        assert command[1:3] == ["-m", "lib.evaluation.tensorflow_timing"]
        assert environment == {"KERAS_BACKEND": "tensorflow", "XLA_FLAGS": "--xla_cpu_enable_fast_math=false"}
        assert asked_of(command)["precision"] == "float32" and not asked_of(command)["deterministic"]
        assert tensorflow_timing.main(command[3:]) == 0
        return capsys.readouterr().out

    monkeypatch.setattr(watchdog, "run", run)
    monkeypatch.setattr(watchdog, "end_with_parent", lambda: None)
    timed, reason = tensorflow_timing.measure(pretrained.Model(str(tiny_preset), "tiny"), **ASKED)
    assert reason == ""
    assert (timed.label, timed.backend) == ("as in the post, on TensorFlow", "tensorflow")
    assert (timed.step, timed.sampler) == (DecodingStep.KERASHUB, "top_k (k=5)")
    assert timed.new_tokens == 20 - 1 - len("My trip was")  # a byte a token, and the start token
    assert timed.xla and timed.precision == "float32"
    assert timed.load_seconds > 0 and timed.first_call_seconds > timed.later_calls.median_seconds


def test_what_ends_the_process_is_a_line_beside_the_others_figures(on_jax, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(watchdog, "end_with_parent", lambda: None)
    monkeypatch.setenv("HF_TOKEN", "hf_fakeTokenNobodyMaySee")

    def run(command, watched, doing, environment):
        assert tensorflow_timing.main(command[3:]) == 1
        *_, last = capsys.readouterr().err.splitlines()
        raise watchdog.Failure(f"{last} hf_fakeTokenNobodyMaySee")

    monkeypatch.setattr(watchdog, "run", run)
    timed, reason = tensorflow_timing.measure(pretrained.Model(str(tmp_path / "none"), "tiny"), **ASKED)
    assert timed is None and "Error" in reason and len(reason.splitlines()) == 1
    assert str(tmp_path) not in reason and "hf_fake" not in reason
    assert "TensorFlow was not timed: " in capsys.readouterr().out


def test_a_model_for_which_the_memory_is_too_small_is_not_loaded(on_jax, tiny_preset, monkeypatch, capsys):
    monkeypatch.setattr(watchdog, "end_with_parent", lambda: None)
    monkeypatch.setattr(memory, "available", lambda: (10**6, "main memory"))
    asked = ASKED | {"precision": "float32", "deterministic": False, "handle": str(tiny_preset), "name": "tiny"}
    assert tensorflow_timing.main([json.dumps(asked)]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("preset is 'tiny': generating 1 texts at a time with it")


@pytest.mark.parametrize("printed", ["", "timing: {", "timing: {}\n", "another line\n"])
def test_what_is_no_timing_is_no_reason_to_lose_a_report(on_jax, monkeypatch, printed):
    monkeypatch.setattr(watchdog, "run", lambda *_, **__: printed)
    timed, reason = tensorflow_timing.measure(pretrained.Model("folder", "tiny"), **ASKED)
    assert timed is None and reason and len(reason) <= tensorflow_timing.LONGEST
