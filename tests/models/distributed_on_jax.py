"""Run by test_distribution in a process of its own: trainings that eight virtual devices of the CPU share, as JSON.

Arguments: the folders of a GPT-2 and of a llama preset, and a folder to save into.
"""

import json
import pathlib
import sys

import jax
import keras
import numpy as np
from short_texts import LENGTH, TEXTS

from bench import communication
from lib.core import backends, progress
from lib.evaluation import held_out, likelihood
from lib.models import generation, jax_forward, lora, memory, pretrained, samplers
from lib.training import fitting, packing

jax.config.update("jax_num_cpu_devices", 8)  # before JAX first looks for devices
GPT2, LLAMA, SAVED = sys.argv[1:]
SETTINGS = backends.select("jax", "float32", devices="all")


def compiled(model):
    model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), **held_out.compile_options())
    return model


def loaded(folder, replicas=1, model=1):
    """Load a preset as it is divided among so many devices."""
    keras.utils.set_random_seed(5)
    found = pretrained.find(folder)
    found.division = memory.Division(replicas, model)
    return pretrained.load(found, LENGTH)


def step_of(causal_lm, texts=TEXTS):
    """What a training of one step takes: the compiled model, and the batch."""
    model = compiled(packing.trainee(causal_lm, LENGTH))
    return model, packing.batches(model, texts, len(texts), 1, seed=1)


def trained(causal_lm):
    model, train = step_of(causal_lm)
    return model, model.fit(train, shuffle=False, verbose=0, epochs=3).history


def written(causal_lm, prompts):
    sampler = samplers.make_sampler("top_k", 3, k=5)
    generation.use_sampler(causal_lm, sampler)
    tokens = [
        generation.generate_samples(causal_lm, prompts, sampler, LENGTH, 1, None)["token_ids"].tolist()
        for _ in range(2)
    ]
    return [[list(map(int, row)) for row in call] for call in tokens]


results = {"devices": SETTINGS.devices, "name": backends.device_name()}
for kind, folder, divisions in (
    ("gpt2", GPT2, [(1, 1), (8, 1), (4, 2), (1, 8)]),
    ("llama", LLAMA, [(1, 1), (2, 2)]),
):
    found = results[kind] = {}
    for replicas, shared in divisions:
        causal_lm = loaded(folder, replicas, shared)
        model, history = trained(causal_lm)
        (batch,) = step_of(causal_lm)[1]
        evaluated = model.evaluate(packing.evaluation_batches(model, TEXTS, 4), verbose=0, return_dict=True)
        told = found[f"{replicas} x {shared}"] = {
            "packed": isinstance(model, packing.Packed),
            "shape": list(batch[0]["token_ids"].shape),
            "history": history,
            "evaluated": evaluated,
            "weights": np.concatenate([np.ravel(weight) for weight in causal_lm.get_weights()]).tolist(),
            "bits": likelihood.held_out(causal_lm, TEXTS[2:4], LENGTH).bits_per_character,
            "written": written(causal_lm, ["My trip was", "I", "the " * 6]),
        }
        if kind == "gpt2" and replicas == 1:
            told["written alone"] = written(causal_lm, ["My trip was"])
        matrix = causal_lm.backbone.transformer_layers[0]._feedforward_intermediate_dense.kernel.value
        told["on"] = len(matrix.sharding.device_set)
        told["share"] = matrix.addressable_shards[0].data.size / matrix.size

# Communication, saving, adapters and a model that `packing` does not know.
causal_lm = loaded(GPT2, 4)
results["parameters"] = causal_lm.count_params()
results["sent"] = communication.of_step(*step_of(causal_lm))
results["sent alone"] = communication.of_step(*step_of(loaded(GPT2)))
causal_lm = loaded(GPT2, 2, 2)
trained(causal_lm)
pretrained.save(causal_lm, pathlib.Path(SAVED))
inputs = {"token_ids": np.arange(24).reshape(2, 12), "padding_mask": np.ones((2, 12), "int32")}
results["saved"] = [
    np.asarray(jax_forward.logits(one, inputs)).tolist() for one in (causal_lm, loaded(SAVED), loaded(SAVED, 1, 4))
]
histories = []
for replicas in (1, 4):
    causal_lm = loaded(GPT2, replicas)
    lora.enable(causal_lm, 2)
    histories.append(trained(causal_lm)[1])
results["adapters"] = histories
notes = []
progress.note = notes.append
architecture_of, jax_forward.architecture_of = jax_forward.architecture_of, lambda *asked: None
results["unpacked"] = trained(loaded(GPT2, 4))[1]
jax_forward.architecture_of, results["unpacked is told"] = architecture_of, notes.pop()

# Dropout draws other values on each replica.
causal_lm = loaded(GPT2, 2)
causal_lm.backbone.dropout = 0.5
model, train = step_of(causal_lm, ["the same text"] * 2)
((inputs, _, _),) = train.as_numpy_iterator()
compute = jax.jit(lambda inputs, training: model(inputs, training=training), static_argnames="training")
results["dropout"] = [bool(np.allclose(*np.asarray(compute(inputs, training)))) for training in (False, True)]

# A step that runs out of memory before it changes a weight is tried again with half the texts; one that has, ends it.


class OutOfMemory(keras.callbacks.Callback):
    def __init__(self, batch, too_large, at):
        super().__init__()
        self.fails, self.at = batch.size >= too_large, at

    def on_train_batch_begin(self, batch, logs=None):
        if self.fails and self.at == "begin":
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    def on_train_batch_end(self, batch, logs=None):
        if self.fails and self.at == "end":
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")


def halved(at):
    causal_lm = loaded(GPT2, 4)
    for batch in fitting.batches_that_fit(causal_lm, GPT2, 8, LENGTH):
        with batch:
            model = packing.trainee(causal_lm, LENGTH)
            adam = keras.optimizers.Adam(0.01, gradient_accumulation_steps=batch.accumulation)
            model.compile(optimizer=adam, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            train = packing.batches(model, [*TEXTS, "a", "b"], batch.size, 2 * batch.parts, seed=1)
            losses = model.fit(train, shuffle=False, verbose=0, callbacks=[OutOfMemory(batch, 4, at)]).history
    return batch.size, batch.parts, bool(np.isfinite(losses["loss"][-1]))


results["halved"] = halved("begin")
try:
    halved("end")
except Exception as error:
    results["half done"] = [type(error).__name__, str(error)]
results["notes"] = notes
causal_lm = loaded(GPT2, 4)
causal_lm.trainable_variables[0].value.delete()  # what JAX does to the memory of a step that failed
results["lost"] = not fitting._has_all_weights(causal_lm)
results["refused"] = []
for devices in ("9", "0", "two"):
    try:
        backends.select("jax", "float32", devices=devices)
    except Exception as error:
        results["refused"].append(str(error))
results["one"] = backends.select("jax", "float32").devices
print(json.dumps(results))
