import io
import json
import sys

import made_records
import pytest

from lib.core import backends, watchdog
from lib.core.records import CallState, DecodingStep
from lib.evaluation import tensorflow_timing
from lib.models import memory, pretrained

ASKED = {"sequence_length": 32, "prompt": "My trip was", "max_length": 20, "k": 5, "seed": 1}
NEW_TOKENS = 20 - 1 - len("My trip was")  # a byte a token, and the start token


@pytest.fixture
def on_jax(monkeypatch):
    """The settings of a notebook that runs on JAX."""
    settings = backends.Settings("jax", "float32", xla=True, on_gpu=False, memory_growth=False)
    monkeypatch.setattr(backends, "selected", settings)
    monkeypatch.setattr(watchdog, "end_with_parent", lambda: None)


@pytest.fixture
def here():
    """A timing of the notebook's process, and how it calls: it writes down the lengths, and takes a second."""
    lengths = []
    known = {"max_length": 20, "prompt_tokens": 12, "new_tokens": 8}
    timed = made_records.timing("as in the post, on JAX", later=(1.0,), first_token=(1.0,), backend="jax", **known)
    return timed, lambda length: lengths.append(length) or 1.0, lengths


def talk(monkeypatch, answers):
    """Let the other process be what `answers` does with its command: it yields an answer to every question."""
    asked = []

    class Talk:
        def __init__(self, command, mark, environment):
            assert command[1:3] == ["-m", "lib.evaluation.tensorflow_timing"] and mark == tensorflow_timing.MARK
            self.environment, self._answers = environment, answers(command)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            asked.append(self.environment)

        def answer(self):
            return next(self._answers)

        def ask(self, line):
            asked.append(line)
            return next(self._answers)

    monkeypatch.setattr(watchdog, "Talk", Talk)
    return asked


def in_turn(here, handle="folder"):
    return tensorflow_timing.in_turn(pretrained.Model(str(handle), "tiny"), [here[0]], [here[1]], 2, **ASKED)


def test_the_post_s_lines_are_timed_in_the_notebook_s_precision_and_in_turn_with_its_own(
    tiny_preset, on_jax, here, monkeypatch, capsys
):
    """The process's work is done in this one, which has Keras on TensorFlow."""
    monkeypatch.setenv("XLA_FLAGS", f"--xla_cpu_enable_fast_math=false {backends.COMPILE_FAST}")
    given = []

    def answers(command):
        asked = json.loads(command[-1])
        assert asked["precision"] == "float32" and not asked["deterministic"]
        monkeypatch.setattr(sys, "stdin", io.StringIO("13\n13\n20\n" * 4))
        assert tensorflow_timing.main(command[3:]) == 0
        told = [line for line in capsys.readouterr().out.splitlines() if line.startswith(tensorflow_timing.MARK)]
        given.extend(line.removeprefix(tensorflow_timing.MARK) for line in told)
        yield from given

    asked = talk(monkeypatch, answers)
    timed, others, reason = in_turn(here, tiny_preset)
    rounds = timed.later_calls.n  # two, or more if the seconds differ
    assert reason == "" and 2 <= rounds <= 4 and here[2] == [13, 13, 20] * rounds
    environment = {"KERAS_BACKEND": "tensorflow", "XLA_FLAGS": "--xla_cpu_enable_fast_math=false"}
    assert asked == [*["13", "13", "20"] * rounds, environment]
    assert (timed.label, timed.backend) == ("as in the post, on TensorFlow", "tensorflow")
    assert (timed.step, timed.sampler) == (DecodingStep.KERASHUB, "top_k (k=5)")
    assert timed.new_tokens == NEW_TOKENS
    assert timed.xla and timed.precision == "float32"
    assert timed.load_seconds > 0 and timed.first_call_seconds > timed.later_calls.median_seconds
    seconds = [float(one) for one in given[1:]]  # for each round: not timed, the first token, a later call
    assert len(seconds) == 3 * 4  # all that was asked
    assert timed.seconds[CallState.FIRST_TOKEN] == seconds[1::3][:rounds]
    assert timed.seconds[CallState.LATER] == seconds[2::3][:rounds]
    assert [one.label for one in others] == ["as in the post, on JAX"]
    assert others[0].seconds[CallState.LATER] == [1] * rounds


def test_what_ends_the_process_is_a_line_beside_the_others_figures(on_jax, here, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_fakeTokenNobodyMaySee")

    def answers(command):
        assert tensorflow_timing.main(command[3:]) == 1
        *_, last = capsys.readouterr().err.splitlines()
        raise watchdog.Failure(f"{last} hf_fakeTokenNobodyMaySee")
        yield

    talk(monkeypatch, answers)
    timed, others, reason = in_turn(here, tmp_path / "none")
    assert timed is None and "Error" in reason and len(reason.splitlines()) == 1
    assert str(tmp_path) not in reason and "hf_fake" not in reason
    assert "TensorFlow was not timed: " in capsys.readouterr().out
    assert others[0].seconds[CallState.LATER] == [1, 1]


def test_a_model_for_which_the_memory_is_too_small_is_not_loaded(on_jax, tiny_preset, monkeypatch, capsys):
    monkeypatch.setattr(memory, "available", lambda: (10**6, "main memory"))
    asked = ASKED | {"precision": "float32", "deterministic": False, "handle": str(tiny_preset), "name": "tiny"}
    assert tensorflow_timing.main([json.dumps(asked)]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("preset is 'tiny': generating 1 texts at a time with it")


def timing_on_tensorflow():
    return made_records.timing(max_length=20, prompt_tokens=12, new_tokens=8).model_dump_json()


@pytest.mark.parametrize("told", [["{"], ["{}"], [None, "1.0", "no number"], [None, "1.0", "1.0"]])
def test_what_is_no_timing_is_no_reason_to_lose_a_report(on_jax, here, monkeypatch, told):
    def answers(command):
        yield from (timing_on_tensorflow() if one is None else one for one in told)
        raise watchdog.Failure("it was ended by SIGKILL")

    talk(monkeypatch, answers)
    timed, others, reason = in_turn(here)
    assert timed is None and reason and len(reason) <= tensorflow_timing.LONGEST
    assert others[0].seconds[CallState.LATER] == [1, 1]
