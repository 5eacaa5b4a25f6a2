"""The two sides that run on Keras: this project and the blog post's own lines. `bench` starts them, see `protocol`.

Usage: `python -m bench.ours SIDE WORK SIZE`. SIDE is `ours` (JAX, with the changes that `lib` makes to a model) or
`post` (KerasHub on TensorFlow, unchanged). WORK is `generate`, `finetune` or `samplers`.

KerasNLP for Keras 2, with which the post ran, compiled `generate` with XLA. Keras 3 does so on a GPU alone, so on a CPU
`post` generates without XLA and with it. Fine-tuning and the work of notebook 03 gained nothing by it (measured on two
cores), so there `post` runs as it comes.
"""

import functools
import sys

from bench import protocol
from lib.core import backends, parameters, paths

MAX_LENGTH = 201  # the start token, three prompt tokens and 197 new tokens
LENGTH = 128
EXACT = ", all in float32"
XLA = ", with XLA"
SEEDS = (2024, 2025)  # for top-k in `samplers`


def load(side: str, size: str, precision: str = "auto"):
    """Loads the model of a side. `generate` is `lib.models.decoding`'s for this project, else KerasHub's.

    Args:
        side: `"ours"`, `"post"` (TensorFlow) or `"kerashub"` (JAX).
        size: The model's size, see `shape.folder`.
        precision: See `backends.select`.
    """
    backends.select("tensorflow" if side == "post" else "jax", precision)
    import keras_nlp

    from bench import shape
    from lib.models import pretrained

    folder, length = str(shape.folder(size)), sequence_length(size)
    if side == "ours":
        return pretrained.load_causal_lm(folder, length)
    preprocessor = keras_nlp.models.GPT2CausalLMPreprocessor.from_preset(folder, sequence_length=length)
    return keras_nlp.models.GPT2CausalLM.from_preset(folder, preprocessor=preprocessor)


def sequence_length(size: str) -> int:
    """Returns the number of tokens that a text is cut or filled to for training."""
    return 32 if size == "tiny" else LENGTH


def max_length(size: str) -> int:
    """Returns the number of tokens of a generated text, prompt included."""
    return 40 if size == "tiny" else MAX_LENGTH


def generating(causal_lm, size: str):
    """Returns a task that generates a batch with the default sampler, top-k with k = 5, and counts the new tokens."""
    from bench import shape
    from lib.models import generation

    def task(batch_size: int):
        prompts = [shape.PROMPT] * batch_size
        length = max_length(size)
        causal_lm.generate(prompts, max_length=length, stop_token_ids=None)
        return batch_size * (length - generation.prompt_length(causal_lm, shape.PROMPT, length))

    return task


def compile_options(side: str) -> dict:
    """Returns the loss and the metrics that a side trains with: those of this project's reports, or the post's."""
    import keras

    from lib.evaluation import held_out

    if side == "ours":
        return held_out.compile_options()
    return {
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "weighted_metrics": ["accuracy"],
    }


def finetuning(side: str, causal_lm, tiny: bool) -> dict:
    """Returns a task per corpus that runs one pass over its training steps and counts the predicted tokens.

    If this project multiplies in bfloat16, another task trains on the poems with everything in float32. The texts are
    tokenized beforehand.
    """
    import keras
    import numpy as np

    from bench import shape
    from lib.training import packing

    length = causal_lm.preprocessor.sequence_length
    trained = {"": packing.trainee(causal_lm, length) if side == "ours" else causal_lm}
    if backends.selected.bf16_training:
        trained[EXACT] = packing.Packed(causal_lm, length)
    for model in trained.values():
        model.compile(optimizer=keras.optimizers.Adam(5e-5), **compile_options(side))

    def made(model, corpus):
        texts = shape.texts(corpus, tiny)
        steps = len(texts) // shape.BATCH_SIZE
        for batch in packing.batches(model, texts[: steps * shape.BATCH_SIZE], shape.BATCH_SIZE, steps, seed=1):
            inputs, labels, weights = causal_lm.preprocessor(batch) if model is causal_lm else batch
            yield {name: np.asarray(value) for name, value in inputs.items()}, np.asarray(labels), np.asarray(weights)

    def task(model, batches):
        for batch in batches:
            model.train_on_batch(*batch)
        return int(sum(np.sum(weights > 0) for _, _, weights in batches))

    tasks = {
        corpus + how: functools.partial(task, model, list(made(model, corpus)))
        for how, model in trained.items()
        for corpus in (("poems",) if how else ("poems", "prose"))
    }
    causal_lm.preprocessor = None  # it would tokenize at every step
    return tasks


def sampling(side: str, causal_lm, tiny: bool):
    """Returns a task that generates from all prompts of notebook 03, with greedy and with top-k for two seeds.

    The post's side calls `compile(sampler=...)`, then `generate` once per prompt. The task returns the number of texts.
    """
    from lib.models import generation, samplers

    given = parameters.read_experiment(paths.EXPERIMENTS / ("smoke" if tiny else "cpu") / "03_greedy_vs_top_k.yaml")
    k, prompts, length = given.get("k", 5), given["prompts"], given["max_length"]

    def task():
        texts = 0
        for name, seeds in (("greedy", [None]), ("top_k", SEEDS)):
            sampler = samplers.make_sampler(name, 0, **({"k": k} if name == "top_k" else {}))
            if side == "post":
                causal_lm.compile(sampler=sampler)
            for seed in seeds:
                if side == "ours":
                    generation.generate_samples(causal_lm, prompts, sampler, length, seed=seed)
                else:
                    for prompt in prompts:
                        causal_lm.generate(prompt, max_length=length, stop_token_ids=None)
                texts += len(prompts)
        return texts

    return task


def main(side: str, work: str, size: str) -> None:
    """Serves the tasks of a workload."""
    answers = protocol.answers()
    causal_lm, tiny = load(side, size), size == "tiny"
    if work == "generate":
        causal_lm.compile(sampler="top_k")
        generate = generating(causal_lm, size)

        def one_after_another():
            return sum(generate(1) for _ in range(8))

        tasks = {"1": lambda: generate(1), "8": lambda: generate(8), "8 calls": one_after_another}
        if side == "post":
            compiled = load(side, size)
            compiled.compile(sampler="top_k", jit_compile=True)
            with_xla = generating(compiled, size)
            tasks |= {f"1{XLA}": lambda: with_xla(1), f"8{XLA}": lambda: with_xla(8)}
    elif work == "finetune":
        tasks = finetuning(side, causal_lm, tiny)
    else:
        tasks = {"all": sampling(side, causal_lm, tiny)}
    protocol.serve(tasks, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
