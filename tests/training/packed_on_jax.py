"""Run by test_packing in a process of its own, since Keras there runs on TensorFlow: a padded and a packed training.

Arguments: the folders of a GPT-2 and of a llama preset. Prints what the two trainings come to, as JSON.
"""

import contextlib
import dataclasses
import itertools
import json
import pathlib
import sys

import jax
import keras
import keras_nlp
import numpy as np
import tensorflow as tf
from short_texts import LENGTH, TEXTS

from lib.core import backends
from lib.evaluation import held_out
from lib.models import decoding, generation, jax_forward, kerashub_private, lora, pretrained, samplers
from lib.training import fitting, learning_curve, packing


def compiled(model):
    model.compile(optimizer=keras.optimizers.SGD(0.1), **held_out.compile_options())
    return model


@contextlib.contextmanager
def preprocessed(model, batches):
    """Preprocess texts for a model that is not packed. In `fit`, TensorFlow would first trace this, for seconds.

    `evaluate` below has KerasHub do it, so its tokens are compared with those of `packing` too.
    """
    if isinstance(model, packing.Packed):
        yield batches
        return
    preprocessor, model.preprocessor = model.preprocessor, None
    made = [preprocessor([text.decode() for text in batch.numpy()]) for batch in batches]
    signature = tf.nest.map_structure(lambda part: tf.TensorSpec((None, *part.shape[1:]), part.dtype), made[0])
    yield tf.data.Dataset.from_generator(lambda: iter(made), output_signature=signature)
    model.preprocessor = preprocessor


def trained(folder, packed, texts, batch_size, epochs=2, bf16=False):
    causal_lm = pretrained.load_causal_lm(folder, sequence_length=LENGTH)
    backends.selected = dataclasses.replace(SETTINGS, bf16_training=bf16)
    model = compiled(packing.trainee(causal_lm, LENGTH) if packed else causal_lm)
    train = packing.batches(model, texts, batch_size, len(texts) // batch_size, seed=1)
    filled = packing.filled(model, train)
    with preprocessed(model, train) as made:
        history = model.fit(made, shuffle=False, verbose=0, epochs=epochs).history
    weights = np.concatenate([np.ravel(weight) for weight in causal_lm.get_weights()])
    return history, weights, filled, causal_lm


SETTINGS = backends.select("jax", "float32")
results = {"multiplies bfloat16": backends.multiplies_bfloat16()}
for kind, folder in zip(("gpt2", "llama"), sys.argv[1:], strict=True):
    history, weights, filled, _ = trained(folder, False, TEXTS, len(TEXTS))
    packed_history, packed_weights, packed_filled, causal_lm = trained(folder, True, TEXTS, len(TEXTS))
    before = np.concatenate(
        [np.ravel(weight) for weight in pretrained.load_causal_lm(folder, sequence_length=LENGTH).get_weights()]
    )
    model = compiled(packing.trainee(causal_lm, LENGTH))
    apart = [model.evaluate(packing.batches(model, [text], 1, 1, seed=1), verbose=0)[2] for text in TEXTS]
    _, labels, useful = packing.tokenize(causal_lm, TEXTS)
    together = model.evaluate(packing.batches(model, TEXTS, len(TEXTS), 1, seed=1), verbose=0)[2]
    in_bf16 = None
    if backends.multiplies_bfloat16():
        bf16_history, bf16_weights, _, bf16_lm = trained(folder, True, TEXTS, len(TEXTS), bf16=True)
        step, exact = bf16_weights - before, packed_weights - before
        in_bf16 = {
            "history": bf16_history,
            "cosine": float(step @ exact / np.linalg.norm(step) / np.linalg.norm(exact)),
            "difference": float(np.linalg.norm(step - exact) / np.linalg.norm(exact)),
            "evaluated": [
                compiled(packing.Packed(bf16_lm, LENGTH, bf16)).evaluate(
                    packing.evaluation_batches(packing.Packed(bf16_lm, LENGTH, bf16), TEXTS, 4), verbose=0
                )
                for bf16 in (True, False)
            ],
        }
    results[kind] = {
        "bf16": in_bf16,
        "padded": history,
        "packed": packed_history,
        "change": float(np.abs(weights - before).max()),
        "difference": float(np.abs(weights - packed_weights).max()),
        "filled": filled,
        "packed filled": packed_filled,
        "together": together,
        "evaluated": [
            judged.evaluate(packing.evaluation_batches(judged, TEXTS, batch_size), verbose=0, return_dict=True)
            for judged, batch_size in ((compiled(causal_lm), 4), (model, 4), (model, 6))
        ],
        "apart": float(np.average(apart, weights=useful.sum(axis=1))),
    }

# With low-rank adapters.
backends.selected = SETTINGS


def written(causal_lm):
    generation.use_sampler(causal_lm, samplers.make_sampler("greedy", 1))
    inputs = causal_lm.preprocessor.generate_preprocess(TEXTS[:2], sequence_length=LENGTH)
    return np.asarray(causal_lm.make_generate_function()(inputs, stop_token_ids=None)["token_ids"]).tolist()


for kind, folder in zip(("gpt2", "llama"), sys.argv[1:], strict=True):
    found, weights, histories = {}, [], []
    for packed in (False, True):
        keras.utils.set_random_seed(5)
        causal_lm = pretrained.load_causal_lm(folder, sequence_length=LENGTH)
        lora.enable(causal_lm, 2)
        before = [np.asarray(weight) for weight in causal_lm.non_trainable_variables]
        model = compiled(packing.trainee(causal_lm, LENGTH) if packed else causal_lm)
        model.optimizer.learning_rate = 3.0  # the adapters begin with zeros, so the first gradients are small
        train = packing.batches(model, TEXTS, len(TEXTS), 1, seed=1)
        with preprocessed(model, train) as made:
            histories.append(model.fit(made, shuffle=False, verbose=0, epochs=3).history)
        weights.append(np.concatenate([np.ravel(weight) for weight in model.trainable_variables]))
        after = [np.asarray(weight) for weight in causal_lm.non_trainable_variables]
        found["frozen"] = all((one == other).all() for one, other in zip(before, after, strict=True))
    found["packed"], found["histories"] = isinstance(model, packing.Packed), histories
    found["trained"], found["difference"] = len(weights[1]), float(np.abs(weights[0] - weights[1]).max())
    for variable in causal_lm.trainable_variables:  # so large that they change what is written
        variable.assign(3 * keras.random.normal(variable.shape, seed=2))
    found["own step"], found["written"] = decoding.uses_own_step(causal_lm), written(causal_lm)
    pretrained.save(causal_lm, folder + "-adapted")
    merged = pretrained.load_causal_lm(folder + "-adapted", sequence_length=LENGTH)
    found["merged"] = [bool(variable.name.startswith("lora")) for variable in merged.variables]
    found["written after saving"] = written(merged)
    lora.save(causal_lm, pathlib.Path(folder))
    adapted = pretrained.load_causal_lm(folder, sequence_length=LENGTH)
    adapted.backbone.load_lora_weights(f"{folder}/{lora.FILE}")
    found["written from the file"] = written(adapted)
    causal_lm.make_generate_function = type(causal_lm).make_generate_function.__get__(causal_lm)
    found["written by KerasHub"] = written(causal_lm)
    found["written without"] = written(pretrained.load_causal_lm(folder, sequence_length=LENGTH))
    parts = kerashub_private.gpt2_parts if kind == "gpt2" else kerashub_private.llama_parts
    parts(causal_lm.backbone.transformer_layers[0]).up.enable_lora(2)
    found["elsewhere"] = (
        jax_forward.architecture_of(causal_lm) is None and packing.trainee(causal_lm, LENGTH) is causal_lm
    )
    results[kind]["adapters"] = found

# As on a GPU, in Pallas' interpreter, with heads that the kernels know.
results["on a GPU"], kernels_fit = {}, packing._kernels_fit
packing._kernels_fit = lambda architecture, length: True
tokenizer = pretrained.load_causal_lm(sys.argv[1], sequence_length=LENGTH).preprocessor.tokenizer
sizes = {"vocabulary_size": 333, "num_layers": 2, "hidden_dim": 32, "intermediate_dim": 48}
for kind, make in {
    "gpt2": lambda: keras_nlp.models.GPT2Backbone(**sizes, num_heads=2, max_sequence_length=64, dropout=0.0),
    "llama": lambda: keras_nlp.models.LlamaBackbone(**sizes, num_query_heads=2, num_key_value_heads=1),
}.items():
    found = results["on a GPU"][kind] = {}
    for how in ("exact", "kernels") + (("dropout",) if kind == "gpt2" else ()):
        keras.utils.set_random_seed(3)
        preprocessor = keras_nlp.models.GPT2CausalLMPreprocessor(tokenizer, sequence_length=LENGTH)
        backbone = make()
        causal_lm = keras_nlp.models.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor)
        before = np.concatenate([np.ravel(weight) for weight in causal_lm.get_weights()])
        if how == "dropout":
            backbone.dropout = 0.1
        model = compiled(packing.Packed(causal_lm, LENGTH, bf16=how != "exact"))
        train = packing.batches(model, TEXTS, len(TEXTS), 1, seed=1)
        history = model.fit(train, shuffle=False, verbose=0, epochs=2).history
        after = np.concatenate([np.ravel(weight) for weight in causal_lm.get_weights()])
        found[how] = {"history": history, "step": (after - before).tolist()}
    (batch,) = train
    inputs = {name: value.numpy() for name, value in batch[0].items()}
    found["width"] = [model(inputs, training=training).shape[-1] for training in (False, True)]
packing._kernels_fit = kernels_fit

# The program of a step, for schedules of two lengths.
results["programs"] = {}
for name, schedule in {
    "Keras": lambda steps: keras.optimizers.schedules.PolynomialDecay(0.1, steps, end_learning_rate=0.0),
    "own": lambda steps: learning_curve.LinearDecay(0.1, steps),
}.items():
    found = []
    for steps in (3, 7):
        causal_lm = pretrained.load_causal_lm(sys.argv[1], sequence_length=LENGTH)
        model, rate = compiled(packing.trainee(causal_lm, LENGTH)), schedule(steps)
        adam = keras.optimizers.Adam(rate)
        model.compile(optimizer=adam, loss=model.loss)
        if name == "own":
            rate.of(adam)
        adam.build(model.trainable_variables)
        (batch,) = packing.batches(model, TEXTS, len(TEXTS), 1, seed=1).as_numpy_iterator()
        model._symbolic_build(data_batch=batch)
        groups = model.trainable_variables, model.non_trainable_variables, adam.variables, model.metrics_variables
        state = tuple([variable.value for variable in group] for group in groups)
        found.append(jax.jit(model.train_step).lower(state, batch).as_text())
    results["programs"][name] = found[0] == found[1]

causal_lm = pretrained.load_causal_lm(sys.argv[1], sequence_length=LENGTH)
causal_lm.backbone.dropout = 0.1
model = packing.trainee(causal_lm, LENGTH)
(batch,) = packing.batches(model, TEXTS, len(TEXTS), 1, seed=1)
inputs = {name: value.numpy() for name, value in batch[0].items()}
told = [np.asarray(model(inputs, training=training)) for training in (False, False, True, True)]
results["dropout"] = [bool((one == other).all()) for one, other in itertools.pairwise(told)]
values = np.ones((3, 111, 301), "float32")
of_a_step = {"drawn": (0, 1, 2), "again": (0, 1, 2), "number": (0, 1, 3), "step": (0, 2, 2), "seed": (1, 1, 2)}
drops = [packing._Dropouts(0.1, seed).of(number) for *seed, number in of_a_step.values()]
dropped, again, *others = (np.asarray(drop(values)) for drop in drops)
results["dropped"] = {
    "share": float((dropped == 0).mean()),
    "others": sorted(set(dropped[dropped > 0].tolist())),
    "the same again": bool((dropped == again).all()),
    "as often as by chance": [float(((dropped == 0) & (other == 0)).mean()) for other in others],
}

# Memory that runs out, and what is left of the weights of a step for which it did.
try:
    jax.numpy.ones((2**44,)).block_until_ready()
except Exception as error:
    results["out of memory"] = fitting.is_out_of_memory(error)
kept = fitting._has_all_weights(model)
model.trainable_variables[0].value.delete()
results["weights"] = [kept, fitting._has_all_weights(model)]
print(json.dumps(results))
