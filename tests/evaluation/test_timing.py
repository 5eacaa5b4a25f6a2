import time
import types

import numpy as np
import pytest

from lib.core import backends
from lib.core.errors import UserError
from lib.core.records import CallState, DecodingStep, PeakMemoryOf
from lib.evaluation import statistics, timing
from lib.models import samplers
from lib.training import fitting


@pytest.fixture
def selected(monkeypatch):
    monkeypatch.setattr(backends, "selected", backends.Settings("tensorflow", "float32", False, False, False))


@pytest.mark.parametrize(
    ("takes", "made"),
    [([0.02] * 3, 3), ([0.01, 0.05, 0.09, 0.13, 0.17, 0.21, 0.25], 6), ([0.01, 0.024, 0.02, 0.02, 0.02, 0.02], 5)],
)
def test_later_calls_go_on_until_their_spread_is_narrow_or_the_limit_is_reached(monkeypatch, takes, made):
    now, left = [100.0], iter(takes)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def call():
        now[0] += next(left)

    assert timing.repeat(call, 3, "x") == pytest.approx(takes[:made])


def test_a_call_is_timed_by_the_clock():
    assert 0.02 <= timing.stopwatch(lambda: time.sleep(0.02)) < 5


def test_the_record_tells_all_that_was_timed(tiny_lm, selected):
    tiny_lm.compile(sampler=samplers.make_sampler("greedy", 1))
    lengths = []
    generate = tiny_lm.generate

    def counted(prompts, max_length, stop_token_ids):
        assert stop_token_ids is None  # early stopping is off
        lengths.append(max_length)
        time.sleep(0.05)
        generate(prompts, max_length=max_length, stop_token_ids=stop_token_ids)
        return [prompt + "春 眠" for prompt in prompts]

    tiny_lm.generate = counted
    prompts = ["My trip was", "I 春"]
    told = timing.measure(tiny_lm, prompts, 32, 2, "x", load_seconds=1.5)
    prompt_lengths = [1 + len(prompt.encode()) for prompt in prompts]  # a byte a token, and the start token
    first, later, one = (told.seconds[state] for state in (CallState.FIRST, CallState.LATER, CallState.FIRST_TOKEN))
    assert lengths == [32] * (1 + len(later)) + [13] * (1 + len(one))
    assert told.new_tokens == sum(32 - length for length in prompt_lengths)
    assert (told.batch_size, told.prompt_tokens, told.max_length) == (2, max(prompt_lengths), 32)
    assert told.first_call_seconds == first[0] > max(later)
    assert told.later_calls == statistics.spread(later) and told.first_token == statistics.spread(one)
    assert told.new_tokens_per_second == pytest.approx(told.new_tokens / np.median(later))
    per_token = (np.median(later) - np.median(one)) / (32 - 12 - 1)
    assert told.seconds_per_output_token == pytest.approx(per_token)
    assert told.chinese_characters == 4  # two after each prompt
    assert told.chinese_characters_per_second == pytest.approx(told.chinese_characters / np.median(later))
    assert (told.label, told.load_seconds, told.step) == ("x", 1.5, DecodingStep.KERASHUB)
    assert (told.sampler, told.device, told.precision) == ("greedy", "CPU", "float32")
    assert not told.xla and not told.deterministic
    assert told.peak_memory_gib > 0.1 and told.peak_memory_of is PeakMemoryOf.PROCESS and told.threads >= 1

    calls = timing.calls([told])
    assert calls.groupby("state", sort=False)["seconds"].agg(list).to_dict() == told.seconds
    assert set(calls.loc[calls["state"] == CallState.FIRST_TOKEN, "new_tokens"]) == {2}
    assert set(calls.loc[calls["state"] != CallState.FIRST_TOKEN, "new_tokens"]) == {told.new_tokens}
    assert list(calls["call"]) == [1, *range(1, 1 + len(later)), *range(1, 1 + len(one))]


def test_calls_in_turn_use_each_one_s_weights_and_replace_its_later_calls(tiny_lm, selected):
    tiny_lm.compile(sampler=samplers.make_sampler("greedy", 1))
    measured = [timing.measure(tiny_lm, ["My trip was"], 32, 1, label) for label in ("before", "after")]
    before = tiny_lm.get_weights()
    weights = [before, [2 * values for values in before]]
    made = []
    generate = tiny_lm.generate

    def watched(prompts, max_length, stop_token_ids):
        assert stop_token_ids is None
        which = next(
            index for index, own in enumerate(weights) if np.array_equal(own[0], np.asarray(tiny_lm.weights[0]))
        )
        made.append((which, max_length))
        time.sleep(0.05 * (1 + which))
        return generate(prompts, max_length=max_length, stop_token_ids=stop_token_ids)

    tiny_lm.generate = watched
    in_turn = timing.measure_in_turn(tiny_lm, measured, weights, ["My trip was"], 2)
    rounds = in_turn[0].later_calls.n
    assert 2 <= rounds <= 4
    orders = [(0, 1), (1, 0), (0, 1), (1, 0)][:rounds]  # neither set of weights always comes first
    assert made == [(index, length) for order in orders for index in order for length in (13, 13, 32)]
    assert np.array_equal(np.asarray(tiny_lm.weights[0]), weights[1][0])
    for told, old, least in zip(in_turn, measured, (0.05, 0.1), strict=True):
        later = told.seconds[CallState.LATER]
        assert len(later) == len(told.seconds[CallState.FIRST_TOKEN]) == rounds
        assert min(later) >= least
        assert told.later_calls == statistics.spread(later)
        assert told.first_token == statistics.spread(told.seconds[CallState.FIRST_TOKEN])
        assert told.new_tokens_per_second == pytest.approx(told.new_tokens / told.later_calls.median_seconds)
        kept = ("label", "sampler", "new_tokens", "first_call_seconds", "peak_memory_gib", "load_seconds")
        assert all(getattr(told, name) == getattr(old, name) for name in kept)
        assert told.seconds[CallState.FIRST] == old.seconds[CallState.FIRST]
    ratio = timing.paired_ratio(*in_turn)
    pairs = zip(*(told.seconds[CallState.LATER] for told in in_turn), strict=True)
    assert ratio.value == pytest.approx(np.exp(np.mean([np.log(one / other) for one, other in pairs])))
    assert ratio.low < ratio.value < ratio.high


def test_too_little_room_is_refused(tiny_lm, selected):
    tiny_lm.compile(sampler="greedy")
    with pytest.raises(UserError, match="max_length must be at least 14"):
        timing.measure(tiny_lm, ["My trip was"], 13, 1, "x")


SECONDS = [20.0, 0.4, 0.5, 0.9]
TRAINEE = types.SimpleNamespace(trainable_variables=[np.zeros((3, 4), "float32"), np.zeros(500_000, "float32")])


def log(seconds=SECONDS, parts=1, continued_after=()):
    """What watched a training; that its figures are the model's is tested beside `fitting.StepLog`."""
    made = fitting.StepLog(len(seconds), parts)
    means = (("loss", 3.0), ("mean_loss", 3.5), ("mean_token_loss", 5.0), ("mean_accuracy", 0.5))
    made.rows = [
        {"step": step + 1, "seconds": one} | {name: first - 0.125 * step for name, first in means}
        for step, one in enumerate(seconds)
    ]
    made.continued_after = list(continued_after)
    return made


def test_the_first_step_of_a_training_is_timed_apart():
    told = timing.training(TRAINEE, log(), 2, 32, 20, 0.8)
    assert (told.steps, told.batch_size, told.texts_at_a_time) == (4, 2, 2)
    assert told.first_step_seconds == 20
    assert told.later_steps == statistics.spread([0.4, 0.5, 0.9])
    assert told.seconds == pytest.approx(21.8)
    assert told.step_seconds == SECONDS
    assert told.padded_tokens_per_second == pytest.approx(2 * 32 / 0.5)
    assert told.useful_tokens_per_second == pytest.approx(0.8 * 20 / 0.5)
    assert (told.positions, told.useful_percent) == (20, 80)
    assert told.useful_percent_if_padded == pytest.approx(100 * 0.8 * 20 / 64)
    assert told.peak_memory_gib > 0.05
    assert told.trained_parameters == 500_012
    assert told.timed_together == 1


def test_a_step_that_compiles_after_an_interruption_is_no_later_step():
    told = timing.training(TRAINEE, log([20.0, 0.4, 0.5, 18.0, 0.9], continued_after=[3]), 2, 32, 20, 0.8)
    assert told.later_steps == statistics.spread([0.4, 0.5, 0.9])
    assert told.continued_after == [3] and told.step_seconds[3] == 18.0
    assert told.seconds == pytest.approx(20.0 + 0.4 + 0.5 + 0.5 + 0.9)  # as if it had not compiled


def test_a_training_ends_with_the_means_that_keras_prints_last():
    told = timing.training(TRAINEE, log(), 2, 32, 20, 0.8)
    assert (told.final_mean_loss, told.final_mean_token_loss, told.final_mean_accuracy) == (3.125, 4.625, 0.125)
    assert told.curve.loss == [3.0, 2.875, 2.75, 2.625]
    assert told.curve.mean_loss == [3.5, 3.375, 3.25, 3.125]
    assert told.curve.mean_token_loss == [5.0, 4.875, 4.75, 4.625]


def test_the_positions_of_a_step_are_those_of_all_parts_of_its_batch():
    told = timing.training(TRAINEE, log(parts=4), 8, 32, 20, 0.8)
    assert (told.batch_size, told.texts_at_a_time, told.positions) == (8, 2, 80)
    assert told.useful_tokens_per_second == pytest.approx(0.8 * 80 / 0.5)
    assert told.useful_percent_if_padded == pytest.approx(100 * 0.8 * 80 / (8 * 32))


def test_a_training_of_one_step_has_no_later_ones():
    told = timing.training(TRAINEE, log([20.0]), 2, 32, 20, 0.8)
    assert told.later_steps == statistics.spread([20.0]) and told.later_steps.wide
