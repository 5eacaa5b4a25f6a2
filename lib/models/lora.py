"""Fine-tune low-rank adapters in place of all weights (Hu et al., LoRA: Low-Rank Adaptation of Large Language Models).

Keras adds the product of two small matrices to those of queries and values, and trains these two alone.
"""

from pathlib import Path

FILE = "adapters.lora.h5"  # KerasHub demands the ending
ADAPTERS = "lora_kernel"  # with which the names of their variables begin


def enable(causal_lm, rank: int) -> None:
    """Freeze all weights of a model and give it low-rank adapters, which change nothing until they are trained.

    KerasHub's `enable_lora` goes on training the biases of the layers with adapters, which GPT-2 has, but its
    `save_lora_weights` leaves them out. So they are frozen here too, as in the paper.

    Args:
        causal_lm: A `keras_nlp.models.CausalLM`.
        rank: The rank of the adapters, at least 1; 0 leaves the model as it is.
    """
    if not rank:
        return
    causal_lm.backbone.enable_lora(rank)
    for variable in causal_lm.trainable_variables:
        variable.trainable = variable.name.startswith(ADAPTERS)


def save(causal_lm, folder: Path) -> None:
    """Write the adapters of a model to `FILE`, if some are trained. `backbone.load_lora_weights` reads them."""
    if any(variable.name.startswith(ADAPTERS) for variable in causal_lm.trainable_variables):
        causal_lm.backbone.save_lora_weights(str(folder / FILE))
