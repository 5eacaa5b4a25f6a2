"""Judge a model by held-out texts before and after it is fine-tuned, as 02 and 04 do."""

import keras

from lib.core import backends, progress
from lib.core.records import BeforeAfter, FineTuning, HeldOutLoss, Likelihood
from lib.evaluation import likelihood, statistics
from lib.training import packing


def compile_options() -> dict:
    """What a model is compiled with besides its optimizer, to be trained and judged.

    `token_loss` is added to the post's figures: Keras' own loss is averaged over all positions of the padded rows,
    padding included, where it is zero; `token_loss` is averaged over the tokens that are predicted.
    """
    return {
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "weighted_metrics": [
            "accuracy",
            keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss"),
        ],
        "jit_compile": backends.selected.xla,
    }


class HeldOut:
    """Held-out texts, and a model that is judged by them.

    The judge shares the model's weights and, on JAX, leaves out the padding, which changes time and not figures.

    Args:
        causal_lm: The model.
        texts: The texts.
        batch_size: Texts in a batch of `evaluate`.
        sequence_length: Tokens that `evaluate` cuts a text to.
        context: Tokens that the likelihood cuts a text to.
        characters: Characters that the likelihood cuts a text to.
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
        self.judge = packing.trainee(causal_lm, sequence_length)
        self.judge.compile(optimizer="sgd", **compile_options())  # makes no step; Adam would copy the weights twice
        self.batches = packing.evaluation_batches(self.judge, texts, batch_size)

    def measure(self, when: str) -> tuple[HeldOutLoss, Likelihood]:
        """Evaluates the model as it is now.

        Args:
            when: `"before"` or `"after"`, for the terminal.
        """
        progress.note(f"evaluating on held-out texts, {when}")
        losses = self.judge.evaluate(self.batches, verbose=progress.keras_verbosity(), return_dict=True)
        bits = likelihood.held_out(self.causal_lm, self.texts, self.context, characters=self.characters)
        return HeldOutLoss(**{name: float(value) for name, value in losses.items()}), bits


def record(measured: FineTuning, before: tuple[HeldOutLoss, Likelihood], after: tuple[HeldOutLoss, Likelihood]) -> None:
    """Puts what `HeldOut.measure` returned before and after into the records of a notebook."""
    measured.held_out_texts = before[1].texts
    measured.held_out = BeforeAfter[HeldOutLoss](before=before[0], after=after[0])
    measured.likelihood = BeforeAfter[Likelihood](before=before[1], after=after[1])
    measured.bits_per_character_change = statistics.mean_difference(after[1].by_text, before[1].by_text)
