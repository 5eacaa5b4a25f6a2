"""Count what the devices that share a training step send one another, in the program that XLA compiles for it.

    python -m bench.communication

Virtual devices of the CPU stand in for GPUs: the program is divided alike, and nothing is timed. For each way to divide
GPT-2's shape it prints the megabytes of the results of each kind of operation between devices, in a step of 32 x 128
tokens. Only shapes count, so the weights are random.
"""

import collections
import math
import os
import re

OPERATION = re.compile(r"= (\(.*?\)|\S+) (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)\(")
ARRAY = re.compile(r"\b(?:[a-z]+)(8|16|32|64)\[([\d,]*)\]")
TEXTS, LENGTH = 32, 128
WAYS = [(2, 1), (8, 1), (1, 2), (1, 4), (2, 4)]  # replicas, and devices in each
SHAPES = {  # layers, width and heads
    "gpt2_base_en": (12, 768, 12),
    "gpt2_extra_large_en, 2 of its 48 layers": (2, 1600, 25),
}


def in_program(program: str) -> dict[str, int]:
    """Sum the bytes of the results of all operations between devices in a compiled program, by kind.

    Args:
        program: XLA's text of the program of a device.
    """
    sent = collections.Counter()
    for results, kind in OPERATION.findall(program):
        for bits, sizes in ARRAY.findall(results):
            sent[kind] += int(bits) // 8 * math.prod(int(size) for size in sizes.split(",") if size)
    return dict(sent)


def of_step(model, batches) -> dict[str, int]:
    """Compile the training step of a model for a batch, and count. See `in_program`.

    Args:
        model: A compiled Keras model on JAX.
        batches: A `tf.data.Dataset` of batches for its `fit`.
    """
    import jax

    model.optimizer.build(model.trainable_variables)
    batch = next(batches.as_numpy_iterator())
    model._symbolic_build(data_batch=batch)
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = tuple([variable.value for variable in group] for group in groups)
    return in_program(jax.jit(model.train_step).lower(state, batch).compile().as_text())


def main() -> None:
    import jax

    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    jax.config.update("jax_num_cpu_devices", 8)
    from bench import shape
    from lib.core import backends

    backends.select("jax", "float32", devices="all")
    from lib.evaluation import held_out
    from lib.models import distribution, memory
    from lib.training import packing

    for name, (layers, width, heads) in SHAPES.items():
        for replicas, shared in WAYS:
            distribution.set_up(memory.Division(replicas, shared), (heads,))
            causal_lm = shape.random_gpt2(layers, width, heads)
            model = packing.trainee(causal_lm, LENGTH)
            model.compile(optimizer="adam", **held_out.compile_options())
            sent = of_step(model, packing.batches(model, ["the lake " * LENGTH] * TEXTS, TEXTS, 1, seed=1))
            told = ", ".join(f"{kind} {size / 1e6:,.0f} MB" for kind, size in sent.items())
            weights = 4 * causal_lm.count_params() / 1e6
            print(f"{name}, {replicas} x {shared}: {told}; weights {weights:,.0f} MB", flush=True)


if __name__ == "__main__":
    main()
