"""Evaluate a model on held-out texts before and after fine-tuning, as 02 and 04 do."""

import keras

from lib.core import backends, progress
from lib.core.records import BeforeAfter, FineTuning, HeldOutLoss, Likelihood
from lib.evaluation import likelihood, statistics
from lib.training import packing


def compile_options() -> dict:
    """Return the arguments of `compile`, except the optimizer, for training and evaluating a model.

    `token_loss` is added to the post's figures: Keras' own loss is averaged over all positions of the padded rows,
    including the padding, where it is zero; `token_loss` is averaged over the predicted tokens.
    """
    return {
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "weighted_metrics": [
            keras.metrics.MeanMetricWrapper(is_likeliest, name="accuracy"),
            keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss"),
        ],
        "jit_compile": backends.selected.xla,
    }


def is_likeliest(labels, logits):
    """Tell of each position whether no token is likelier than its label: 1 or 0.

    The mean is Keras' accuracy, except where two tokens are equally likely. Keras looks for the index of the largest
    logit, for which XLA on a CPU takes 4 % of a training step. Looking for its value takes hardly any time.

    Args:
        labels: int `(...)`.
        logits: `(..., vocabulary_size)`.

    Returns:
        float32 `(...)`.
    """
    label = keras.ops.take_along_axis(logits, keras.ops.cast(labels, "int32")[..., None], axis=-1)
    return keras.ops.cast(label[..., 0] >= keras.ops.max(logits, axis=-1), "float32")


class HeldOut:
    """Held-out texts, and a model that is evaluated on them.

    The evaluating copy shares the model's weights. On JAX it skips the padding, which changes only the time.

    Args:
        causal_lm: The model.
        texts: The texts.
        batch_size: The number of texts in a batch of `evaluate`.
        sequence_length: The number of tokens to which `evaluate` cuts a text.
        context: The number of tokens to which the likelihood cuts a text.
        characters: The number of characters to which the likelihood cuts a text.
    """

    def __init__(
        self,
        causal_lm,
        texts: list[str],
        batch_size: int,
        sequence_length: int,
        context: int,
        characters: int | None = None,
    ):
        self.causal_lm, self.texts, self.context, self.characters = causal_lm, texts, context, characters
        self.scorer = likelihood.scorer(causal_lm)
        self.judge = packing.trainee(causal_lm, sequence_length)
        self.judge.compile(optimizer="sgd", **compile_options())  # never trained; Adam would copy the weights twice
        self.scorer = likelihood.scorer(causal_lm)
        self.batches = packing.evaluation_batches(self.judge, texts, batch_size)

    def measure(self, when: str) -> tuple[HeldOutLoss, Likelihood]:
        """Evaluate the model in its current state.

        Args:
            when: `"before"` or `"after"`, for the progress display.
        """
        progress.note(f"evaluating on held-out texts, {when}")
        losses = self.judge.evaluate(self.batches, verbose=progress.keras_verbosity(), return_dict=True)
        return HeldOutLoss(**{name: float(value) for name, value in losses.items()}), self.likelihood()

    def likelihood(self) -> Likelihood:
        """Evaluate the likelihood alone, see `measure`."""
        return likelihood.held_out(
            self.causal_lm, self.texts, self.context, characters=self.characters, model=self.scorer
        )


def record(measured: FineTuning, before: tuple[HeldOutLoss, Likelihood], after: tuple[HeldOutLoss, Likelihood]) -> None:
    """Store the results of `HeldOut.measure` before and after fine-tuning in a notebook's records."""
    measured.held_out_texts = before[1].texts
    measured.held_out = BeforeAfter[HeldOutLoss](before=before[0], after=after[0])
    measured.likelihood = BeforeAfter[Likelihood](before=before[1], after=after[1])
    measured.bits_per_character_change = statistics.mean_difference(after[1].by_text, before[1].by_text)
