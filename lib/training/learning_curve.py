"""Train a model again and again from the same weights: with more or fewer stories, or without an end token.

Each training has its own learning rate, which falls to 0. The held-out loss along a single training would mix what the
stories teach with where the learning rate stands.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import keras

from lib.core import progress
from lib.core.errors import UserError
from lib.models import memory
from lib.training import checkpoints, fitting, packing


@dataclass(frozen=True)
class Recipe:
    """What all trainings of a notebook have in common.

    Attributes:
        batch: The batch that fits into the memory, with its parts.
        learning_rate: The learning rate of the first step; it falls to 0 in a straight line.
        sequence_length: The number of tokens to which a story is cut.
        seed: The seed of the order of the stories.
        compile_options: The other arguments of `compile`.
    """

    batch: fitting.Batch
    learning_rate: float
    sequence_length: int
    seed: int
    compile_options: dict

    def steps(self, stories: int) -> int:
        """Return how many steps see so many stories. The last one is filled up with stories that were seen already."""
        return math.ceil(stories / (self.batch.size * self.batch.parts))


class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that falls to 0 in a straight line, as Keras' `PolynomialDecay` does.

    Keras' own writes its number of steps into the program, so that trainings of different lengths compile one each.
    This one reads it from a variable of the optimizer.

    Args:
        learning_rate: The learning rate of the first step.
        steps: The number of steps.
    """

    def __init__(self, learning_rate: float, steps: int):
        self.learning_rate, self.steps = learning_rate, steps

    def of(self, optimizer) -> None:
        """Keep the number of steps in a variable of the optimizer that has this schedule."""
        constant = keras.initializers.Constant(self.steps)
        self._of_optimizer = optimizer.add_variable((), constant, name="decay_steps")

    def __call__(self, step):
        steps = self._of_optimizer.value
        return self.learning_rate * (1 - keras.ops.minimum(keras.ops.cast(step, "float32"), steps) / steps)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "steps": self.steps}


def train(causal_lm, weights: list, texts: list[str], recipe: Recipe, label: str, end_token: bool = True) -> int:
    """Train a model from given weights, once through the texts.

    Args:
        causal_lm: The model. It keeps the trained weights.
        weights: The weights to begin with, from `get_weights`.
        texts: The texts.
        recipe: How to train.
        label: The text of the progress bar.
        end_token: Whether the preprocessor appends the end token to each text.

    Returns:
        The number of steps.
    """
    causal_lm.set_weights(weights)
    batch, steps, preprocessor = recipe.batch, recipe.steps(len(texts)), causal_lm.preprocessor
    appends, preprocessor.add_end_token = preprocessor.add_end_token, end_token
    try:
        trainee = packing.trainee(causal_lm, recipe.sequence_length)
        schedule = LinearDecay(recipe.learning_rate, steps)
        adam = keras.optimizers.Adam(batch.schedule(schedule), gradient_accumulation_steps=batch.accumulation)
        schedule.of(adam)
        trainee.compile(optimizer=adam, **recipe.compile_options)
        train_batches = packing.batches(trainee, texts, batch.size, steps * batch.parts, recipe.seed)
        log = fitting.StepLog(steps, batch.parts, label, compiles_anew=False)
        kept = checkpoints.Checkpoint(trainee, train_batches, log)
        if not kept.is_finished:
            trainee.fit(kept.batches, shuffle=False, callbacks=kept.callbacks, verbose=0)
    finally:
        preprocessor.add_end_token = appends
    del trainee, adam, schedule, log, kept
    memory.release()  # they refer to each other, and the optimizer holds two copies of the weights
    return steps


def check(story_counts: list[int], texts: list[str]) -> None:
    """Check that there are as many stories as the largest training sees.

    Raises:
        UserError: If there are fewer.
    """
    if max(story_counts) > len(texts):
        raise UserError(
            f"story_counts asks for {max(story_counts):,} stories, but the texts that are not held out are only "
            f"{len(texts):,}. Lower it."
        )


def trainings(
    causal_lm, weights: list, texts: list[str], story_counts: list[int], recipe: Recipe
) -> Iterator[tuple[int, int]]:
    """Train a model from the same weights on the first 8 stories, the first 32, and so on.

    Args:
        causal_lm: The model. After each step of the iteration it has the weights of that training.
        weights: The weights to begin with, from `get_weights`.
        texts: The stories.
        story_counts: How many of them each training sees.
        recipe: How to train.

    Yields:
        The number of stories and of steps.
    """
    check(story_counts, texts)
    for number, stories in enumerate(story_counts, 1):
        progress.note(f"learning curve, training {number} of {len(story_counts)}: {stories:,} stories")
        yield stories, train(causal_lm, weights, texts[:stories], recipe, f"training on {stories:,} stories")
