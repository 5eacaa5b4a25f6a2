import made_records
import pytest

from lib.evaluation import curve, statistics

UNTRAINED = made_records.likelihood((2.0, 3.0))


def points(*stories):
    return [(count, count // 4, made_records.likelihood((2.0 - count / 1000, 2.5 - count / 1000))) for count in stories]


def test_points_are_sorted_and_compared_text_by_text():
    told = curve.learning_curve(UNTRAINED, points(120, 8))
    assert [(point.stories, point.steps) for point in told.points] == [(8, 2), (120, 30)]
    first, second = told.points
    assert told.untrained == 2.5
    assert first.bits_per_character == statistics.mean([1.992, 2.492])
    assert first.minus_point_before.value == first.minus_untrained.value == pytest.approx((-0.008 - 0.508) / 2)
    assert second.minus_point_before.value == pytest.approx(-0.112)
    assert second.minus_untrained.value == pytest.approx((-0.12 - 0.62) / 2)


@pytest.mark.parametrize(
    ("stories", "near"),
    [
        ((8, 500), None),  # none is larger
        ((8, 120), None),
        ((120, 1000), None),  # none is near
        ((399, 1000), None),
        ((400, 1000), 400),
        ((500, 512, 16000), 500),
        ((512, 16000), 512),
        ((8, 625, 626), 625),
    ],
)
def test_the_post_s_500_are_held_against_the_most_where_both_were_run(stories, near):
    told = curve.learning_curve(UNTRAINED, points(*stories))
    assert told.near_500 == near
    assert (told.last_minus_500 is None) == (near is None)
    if near:
        assert told.last_minus_500.value == pytest.approx(-(stories[-1] - near) / 1000)
