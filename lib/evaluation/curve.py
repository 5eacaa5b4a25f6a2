"""Compare trainings on more and fewer stories by what each makes of the same held-out texts."""

from lib.core.records import LearningCurve, LearningPoint, Likelihood
from lib.evaluation import statistics

POST_STORIES = 500  # that the post calls enough
NEAR = 1.25  # a number of stories is near the post's if their ratio is at most this


def learning_curve(untrained: Likelihood, points: list[tuple[int, int, Likelihood]]) -> LearningCurve:
    """Make a learning curve of separate trainings, all evaluated on the same texts.

    Args:
        untrained: The likelihood before any training.
        points: The stories, steps and likelihood of each training, in any order.
    """
    points = sorted(points, key=lambda point: point[0])
    by_text = {stories: told.by_text for stories, _, told in points}
    before = [untrained.by_text, *by_text.values()]
    last = points[-1][0]
    near = min(by_text, key=lambda stories: _times(stories, POST_STORIES))
    found = near if _times(near, POST_STORIES) <= NEAR and near < last else None
    return LearningCurve(
        untrained=statistics.mean(untrained.by_text).value,
        points=[
            LearningPoint(
                stories=stories,
                steps=steps,
                bits_per_character=statistics.mean(told.by_text),
                by_text=told.by_text,
                minus_point_before=statistics.mean_difference(told.by_text, earlier),
                minus_untrained=statistics.mean_difference(told.by_text, untrained.by_text),
            )
            for (stories, steps, told), earlier in zip(points, before, strict=False)
        ],
        near_500=found,
        last_minus_500=None if found is None else statistics.mean_difference(by_text[last], by_text[found]),
    )


def _times(one: int, other: int) -> float:
    return max(one / other, other / one)
