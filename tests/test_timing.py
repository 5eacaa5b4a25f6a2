import time

import pandas as pd
import pytest

from lib import timing


def test_the_first_call_stands_apart_and_new_tokens_are_counted():
    waits = iter([0.05, 0.01, 0.01])
    table = timing.time_calls(
        lambda: time.sleep(next(waits)), new_tokens=10, total_tokens=12, warm_repeats=2, label="x"
    )
    assert list(table["state"]) == [timing.COLD, timing.WARM, timing.WARM]
    assert table["seconds"].iloc[0] >= 0.05
    assert table["tokens_per_second"].tolist() == pytest.approx((10 / table["seconds"]).tolist())
    assert table["tokens_per_second_as_in_post"].tolist() == pytest.approx((12 / table["seconds"]).tolist())


def calls(before, after):
    rows = [("before", timing.WARM, seconds) for seconds in before] + [
        ("after", timing.WARM, seconds) for seconds in after
    ]
    rows += [("before", timing.COLD, 9.0), ("after", timing.COLD, 1.0)]  # cold calls must not matter
    table = pd.DataFrame(rows, columns=["label", "state", "seconds"])
    return table.assign(new_tokens=10, tokens_per_second_as_in_post=12 / table["seconds"])


def test_summarize_takes_medians():
    table = timing.summarize(calls([1.0, 2.0, 4.0], [3.0])).set_index(["label", "state"])
    row = table.loc[("before", timing.WARM)]
    assert (row["calls"], row["seconds"], row["fastest"], row["slowest"]) == (3, 2, 1, 4)
    assert row["tokens_per_second"] == pytest.approx(5)
    assert row["tokens_per_second_as_in_post"] == pytest.approx(6)


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
    assert timing.compare(calls(before, after), "before", "after") == expected
