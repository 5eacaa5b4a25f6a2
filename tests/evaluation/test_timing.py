import time

import numpy as np
import pytest

from lib.core import backends
from lib.core.errors import UserError
from lib.evaluation import timing
from lib.models import generation


@pytest.fixture
def selected(monkeypatch):
    monkeypatch.setattr(backends, "selected", backends.Settings("tensorflow", "float32", False, False, False))


def test_spread_is_median_p90_and_mad():
    told = timing.spread([1.0, 2.0, 4.0, 100.0, 3.0])
    assert (told["n"], told["median"], told["mad"], told["wide"]) == (5, 3.0, 1.0, True)
    assert told["p90"] == pytest.approx(4 + 0.6 * 96)
    assert timing.spread([10.0, 10.2, 10.4, 30.0, 10.1])["wide"]  # most are close together, but the tail is long
    assert not timing.spread([10.0, 10.2, 10.4, 12.0, 10.1])["wide"]
    assert timing.spread([1.0])["wide"]  # nothing is known of its spread


@pytest.mark.parametrize(
    ("waits", "made"),
    [([0.02] * 3, 3), ([0.01, 0.05, 0.09, 0.13, 0.17, 0.21, 0.25], 6), ([0.01, 0.024, 0.02, 0.02, 0.02, 0.02], 5)],
)
def test_warm_calls_go_on_until_their_spread_is_narrow_or_the_limit_is_reached(waits, made):
    left = iter(waits)
    seconds = timing.repeat(lambda: time.sleep(next(left)), 3, "x")
    assert len(seconds) == made
    assert all(second >= wait for second, wait in zip(seconds, waits, strict=False))


def test_a_row_tells_all_that_was_timed(tiny_lm, selected):
    tiny_lm.compile(sampler=generation.make_sampler("greedy", 1))
    lengths = []
    generate = tiny_lm.generate

    def counted(prompts, max_length, stop_token_ids):
        lengths.append(max_length)
        time.sleep(0.05)
        return [text + "春眠" for text in generate(prompts, max_length=max_length, stop_token_ids=stop_token_ids)]

    tiny_lm.generate = counted
    prompts = ["My trip was", "I 春"]
    row = timing.measure(tiny_lm, prompts, 32, 2, "x", load_seconds=1.5)
    prompt_lengths = [1 + len(prompt.encode()) for prompt in prompts]  # a byte a token, and the start token
    first, warm, one = (row["samples"][state] for state in (timing.COLD, timing.WARM, timing.FIRST_TOKEN))
    assert lengths == [32] * (1 + len(warm)) + [13] * (1 + len(one))
    assert row["new_tokens"] == sum(32 - length for length in prompt_lengths)
    assert row["prompt_tokens"] == max(prompt_lengths)
    assert row["first_call_seconds"] == first[0] > max(warm)
    assert row["warm"] == timing.spread(warm) and row["first_token"] == timing.spread(one)
    assert row["tokens_per_second"] == pytest.approx(row["new_tokens"] / np.median(warm))
    per_token = (np.median(warm) - np.median(one)) / (32 - 12 - 1)
    assert row["seconds_per_output_token"] == pytest.approx(per_token)
    assert row["chinese_characters_per_second"] >= 4 / max(warm)
    assert (row["load_seconds"], row["step"], row["sampler"], row["device"]) == (1.5, "KerasHub's", "greedy", "CPU")
    assert row["peak_memory_gib"] > 0.1 and row["threads"] >= 1

    calls = timing.calls([row])
    assert calls.groupby("state", sort=False)["seconds"].agg(list).to_dict() == row["samples"]
    assert set(calls.loc[calls["state"] == timing.FIRST_TOKEN, "new_tokens"]) == {2}
    told = timing.conditions(row, 2)
    assert told.startswith("A timed run, on CPU with")
    assert "at least 2 of them, at most 4" in told and "13 tokens" not in told and "12 tokens in the prompt" in told
    assert timing.conditions(row | {"deterministic": True}, 2).startswith("A deterministic run")
    shown = timing.speeds([row | {"warm": row["warm"] | {"wide": True}}]).iloc[0]
    assert shown["spread"] == "wide" and shown["first_call_s"] == first[0]
    assert timing.latencies([row | {"load_seconds": None}])["load_s"].isna().all()


def test_calls_in_turn_use_each_row_s_weights_and_replace_its_warm_calls(tiny_lm, selected):
    tiny_lm.compile(sampler=generation.make_sampler("greedy", 1))
    rows = [timing.measure(tiny_lm, ["My trip was"], 32, 1, label) for label in ("before", "after")]
    before = tiny_lm.get_weights()
    weights = [before, [2 * values for values in before]]
    made = []
    generate = tiny_lm.generate

    def watched(prompts, max_length, stop_token_ids):
        which = next(
            index for index, own in enumerate(weights) if np.array_equal(own[0], np.asarray(tiny_lm.weights[0]))
        )
        made.append((which, max_length))
        time.sleep(0.05 * (1 + which))
        return generate(prompts, max_length=max_length, stop_token_ids=stop_token_ids)

    tiny_lm.generate = watched
    timing.measure_in_turn(tiny_lm, rows, weights, ["My trip was"], 2)
    rounds = rows[0]["warm"]["n"]
    assert 2 <= rounds <= 4
    assert made == [(index, length) for index in (0, 1) for length in (13, 13, 32)] * rounds
    assert np.array_equal(np.asarray(tiny_lm.weights[0]), weights[1][0])
    for row, least in zip(rows, (0.05, 0.1), strict=True):
        assert len(row["samples"][timing.WARM]) == len(row["samples"][timing.FIRST_TOKEN]) == rounds
        assert min(row["samples"][timing.WARM]) >= least
        assert row["warm"] == timing.spread(row["samples"][timing.WARM])
        assert row["tokens_per_second"] == pytest.approx(row["new_tokens"] / row["warm"]["median"])


def test_too_little_room_is_refused(tiny_lm, selected):
    tiny_lm.compile(sampler="greedy")
    with pytest.raises(UserError, match="max_length must be at least 14"):
        timing.measure(tiny_lm, ["My trip was"], 13, 1, "x")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([2.0, 2.1], [2.05, 2.1], "the same within the spread of the calls"),
        ([2.0, 3.0], [2.9, 4.0], "the same within the spread of the calls"),
        ([2.0, 2.1], [1.0, 1.1], "faster"),
        ([2.0, 2.1], [4.0, 4.1], "slower"),
    ],
)
def test_compare_says_no_more_than_the_calls_show(before, after, expected):
    rows = [{"samples": {timing.COLD: [9.0], timing.WARM: seconds}} for seconds in (before, after)]
    assert timing.compare(*rows) == expected


def test_compiling_explains_a_speed_up_on_the_scale_of_factors():
    assert timing.compiling_explains(4.0, cold=4.0, warm=2.0) == pytest.approx(50)
    assert timing.compiling_explains(2.5, cold=5.0, warm=2.0) == pytest.approx(100)
    assert timing.compiling_explains(2.5, cold=2.0, warm=2.0) == pytest.approx(0)
