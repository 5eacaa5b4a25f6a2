"""Run by test_decoding in a process of its own, since Keras there runs on TensorFlow: what JAX generates, as JSON.

Arguments: the folders of a GPT-2 and of a llama preset; for each, `FOLDER.npy` takes its logits.
"""

import contextlib
import json
import sys

import keras
import keras_nlp
import numpy as np

from lib.models import decoding, generation, jax_forward, kerashub_private, pretrained, samplers

PROMPTS = ["My trip was", "I", "the " * 8]
LENGTH = 40
SAMPLERS = {
    "greedy": {},
    "random": {"temperature": 0.7},
    "top_k": {"k": 5},
    "top_p": {"p": 0.9, "k": 20},
    "beam": {"num_beams": 2},
    "no_repeat_ngram": {"n": 2},
    "repetition_penalty": {"penalty": 1.3},
}


class Forbidding(keras_nlp.samplers.Sampler):
    """A sampler as KerasHub's documentation shows how to write one: its option is in no `get_config`."""

    def __init__(self, forbidden):
        super().__init__()
        self.forbidden = forbidden

    def get_next_token(self, probabilities):
        for token in self.forbidden:
            probabilities = probabilities * (keras.ops.arange(probabilities.shape[-1]) != token)
        return keras.ops.argmax(probabilities, axis=-1)


def what_no_program_may_mix_up(generator, inputs, shorter):
    def first_text(sampler, given=inputs):
        return np.asarray(generator(sampler, given)["token_ids"])[0].tolist()

    free = first_text(Forbidding([]))
    told = {"a reader's own": [free, first_text(Forbidding(free[-2:]))]}
    changed = samplers.make_sampler("top_k", 1, k=1)
    first_text(changed)
    changed.k = 30  # then a program for another number of texts is made
    one = {name: np.asarray(value)[:1] for name, value in inputs.items()}
    told["changed"] = [
        first_text(sampler, one)
        for sampler in (samplers.make_sampler("top_k", 1, k=1), samplers.make_sampler("greedy", 1))
    ]
    greedy = samplers.make_sampler("greedy", 1)
    kind, told["tried"] = samplers.kind_and_options(greedy)[0], []
    program = generator._programs[kind]
    generator._lengths.clear()

    def narrow(*arguments, **options):  # as where the memory holds shorter texts only
        told["tried"].append(arguments[5].shape[1])
        if told["tried"][-1] > LENGTH - 7:
            raise MemoryError
        return program(*arguments, **options)

    generator._programs[kind] = narrow
    for given in (inputs, shorter):
        with contextlib.suppress(MemoryError):
            generator(greedy, given)
    del generator._programs[kind]
    return told


def generated(causal_lm, name, prompts, stop_token_ids):
    sampler = samplers.make_sampler(name, 3, **SAMPLERS[name])
    generation.use_sampler(causal_lm, sampler)
    inputs = causal_lm.preprocessor.generate_preprocess(prompts, sequence_length=LENGTH)
    told = {"own": decoding.uses_own_step(causal_lm), "calls": []}
    for _ in range(2):  # the second one goes on drawing where the first one stopped
        outputs = causal_lm.make_generate_function()(inputs, stop_token_ids=stop_token_ids)
        outputs = {key: np.asarray(value).astype(int).tolist() for key, value in outputs.items()}
        told["calls"].append(outputs | {"state": [np.asarray(state).tolist() for state in sampler.variables]})
    return told


results = {}
for kind, folder in zip(("gpt2", "llama"), sys.argv[1:], strict=True):
    hub = pretrained.load_causal_lm(folder, sequence_length=32)
    hub.make_generate_function = type(hub).make_generate_function.__get__(hub)
    own = pretrained.load_causal_lm(folder, sequence_length=32)
    token_ids = np.arange(24).reshape(2, 12)
    padded = {"token_ids": token_ids, "padding_mask": np.arange(12) < np.array([[12], [5]])}
    logits = [np.asarray(made)[padded["padding_mask"]] for made in (own(padded), jax_forward.logits(own, padded))]
    np.save(folder + ".npy", np.asarray(own({"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)})))
    found = results[kind] = {"samplers": {}, "logits": float(np.abs(logits[0] - logits[1]).max())}
    # A stop token that greedy decoding does write, so that it does stop there.
    written = generated(hub, "greedy", PROMPTS, None)["calls"][0]["token_ids"]
    stop_token_ids = [written[0][24], written[1][20], written[2][-1]]
    runs = [("greedy", None), ("greedy", stop_token_ids), ("top_k", None)]
    if kind == "gpt2":
        runs += [(name, None) for name in ("random", "top_p", "beam", "no_repeat_ngram", "repetition_penalty")]
    for name, stops in runs:
        pair = [generated(causal_lm, name, PROMPTS, stops) for causal_lm in (hub, own)]
        found["samplers"][f"{name}, {'stops' if stops else 'runs on'}"] = pair
    found["together"] = generated(own, "greedy", PROMPTS, None)["calls"][0]["token_ids"]
    found["alone"] = [generated(own, "greedy", [prompt], None)["calls"][0]["token_ids"][0] for prompt in PROMPTS]
    generation.use_sampler(hub, samplers.make_sampler("greedy", 1))
    found["as in post"] = own.generate(PROMPTS[0], max_length=24) == hub.generate(PROMPTS[0], max_length=24)
    generation.use_sampler(own, samplers.make_sampler("greedy", 1))
    generate = own.make_generate_function()
    inputs = own.preprocessor.generate_preprocess(PROMPTS, sequence_length=LENGTH)
    found["other weights"] = []
    parts = kerashub_private.gpt2_parts if kind == "gpt2" else kerashub_private.llama_parts
    value = parts(own.backbone.transformer_layers[0]).value.kernel
    for weights in (own.trainable_variables, [value]):  # all of them, then a single one
        for weight in weights:
            weight.assign(weight + keras.random.normal(weight.shape, seed=1))
        used = np.asarray(generate(inputs, stop_token_ids=None)["token_ids"]).tolist()
        found["other weights"].append((used, generated(own, "greedy", PROMPTS, None)["calls"][0]["token_ids"]))
    found["in a list"] = own.generate(PROMPTS[0], max_length=LENGTH) == own.generate([PROMPTS[0]], max_length=LENGTH)[0]
    # What one program serves: other seeds and options, suppressed tokens, and shorter texts.
    generator, found["programs"] = decoding._Generator(jax_forward.architecture_of(own)), []
    inputs = own.preprocessor.generate_preprocess(PROMPTS, sequence_length=LENGTH)
    shorter = {name: np.asarray(value)[:, : LENGTH - 7] for name, value in inputs.items()}
    for sampler, given in [
        (samplers.make_sampler("top_k", 1, k=5), inputs),
        (samplers.make_sampler("top_k", 2, k=5, temperature=0.5), inputs),
        (samplers.SuppressTokens(samplers.make_sampler("top_k", 2, k=5), [3]), shorter),
        (samplers.make_sampler("top_k", 2, k=6), inputs),
        (samplers.make_sampler("top_p", 1, p=0.9), inputs),
        (samplers.make_sampler("top_p", 1, p=0.1, temperature=0.7), shorter),
    ]:
        width = generator(sampler, given)["token_ids"].shape[1]
        assert width == np.asarray(given["token_ids"]).shape[1]
        found["programs"].append(sum(program._cache_size() for program in generator._programs.values()))
    found |= what_no_program_may_mix_up(generator, inputs, shorter)
    for dtype in ("mixed_float16", "mixed_bfloat16"):
        with_16_bits = keras_nlp.models.CausalLM.from_preset(folder, dtype=dtype)
        found[dtype] = decoding.uses_own_step(decoding.speed_up(with_16_bits))
    # As on a GPU, in Pallas' interpreter.
    found["on a GPU"] = {}
    architecture = jax_forward.architecture_of(own)
    made = architecture.fused(architecture.weights(), jax_forward.Layout(True, False, "bfloat16"))
    matrix, vocabulary = made["layers"][0]["query_key_value"], made["vocabulary"]
    matrix = matrix[0] if kind == "gpt2" else matrix
    found["rounded"] = [str(part.dtype) for part in (matrix.outputs, vocabulary, architecture.weights()["tokens"])]
    architecture, with_kernels = (jax_forward.architecture_of(own) for _ in range(2))
    with_kernels.kernels = True
    for name, prompts in (("greedy", PROMPTS[:1]), ("top_k", PROMPTS), ("suppressed top_k", PROMPTS)):
        sampler = samplers.make_sampler(name.removeprefix("suppressed "), 3)
        if name.startswith("suppressed"):
            sampler = samplers.SuppressTokens(sampler, [0, 5])
        inputs, runs = own.preprocessor.generate_preprocess(prompts, sequence_length=LENGTH), []
        for how in ((architecture,), (with_kernels, True, None), (with_kernels, True, "bfloat16")):
            for state in sampler.variables:
                state.assign(np.array([7, 0], dtype="uint32"))
            filled = decoding._Generator(*how)(sampler, inputs)["token_ids"]
            states = [np.asarray(state).tolist() for state in sampler.variables]
            runs.append([np.asarray(filled).tolist(), states])
        alone, *by_dtype = runs
        for dtype, run in zip(("float32", "bfloat16"), by_dtype, strict=True):
            found["on a GPU"][f"{name} {dtype}"] = [run, alone]
print(json.dumps(results))
