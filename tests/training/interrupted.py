"""Run by test_checkpoints in a process of its own for each backend: trainings that are interrupted and continued.

Arguments: the backend, and a folder. Prints what they come to, as JSON.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import numpy as np

from lib.core import backends, environment, progress

backend, place = sys.argv[1], Path(sys.argv[2])
backends.select(backend, "float32")
import keras  # noqa: E402
import keras_nlp  # noqa: E402

from lib.models import byte_level  # noqa: E402
from lib.training import checkpoints, fitting, packing  # noqa: E402

TEXTS = [f"{first} {last}" for first in ("the lake", "rain", "we went", "a dog") for last in ("is", "was", "home")]
LENGTH, STEPS, BATCH = 24, 8, 4
notes = []
progress.note = notes.append


class Ended(Exception):
    """The process would be killed here."""


class EndsAfter(keras.callbacks.Callback):
    def __init__(self, log, step):
        super().__init__()
        self.log, self.step = log, step

    def on_train_batch_end(self, batch, logs=None):
        if len(self.log.rows) == self.step and (batch + 1) % self.log.parts == 0:
            raise Ended


def made(sequence_length=None, dropout=0.2):
    keras.utils.set_random_seed(3)
    tokens = [*byte_level.byte_characters(), "th", "<|endoftext|>"]
    tokenizer = keras_nlp.models.GPT2Tokenizer(vocabulary={token: i for i, token in enumerate(tokens)}, merges=["t h"])
    backbone = keras_nlp.models.GPT2Backbone(
        vocabulary_size=len(tokens),
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=LENGTH,
        dropout=dropout,
    )
    preprocessor = keras_nlp.models.GPT2CausalLMPreprocessor(tokenizer, sequence_length=sequence_length or LENGTH)
    return keras_nlp.models.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor)


def prepared(folder="", parts=1, seed=1, learning_rate=0.01, end_token=True, ignore_class=None, **model):
    """Makes all that a training needs, or the rest of one that was kept in the folder."""
    os.environ.pop(environment.TRAININGS, None)
    if folder:
        os.environ[environment.TRAININGS] = str(place / folder)
    causal_lm = made(**model)
    causal_lm.preprocessor.add_end_token = end_token
    trainee = packing.trainee(causal_lm, LENGTH)
    whole = fitting.Batch(BATCH // parts, parts, causal_lm)
    schedule = keras.optimizers.schedules.PolynomialDecay(learning_rate, decay_steps=STEPS, end_learning_rate=0.0)
    adam = keras.optimizers.Adam(whole.schedule(schedule), gradient_accumulation_steps=whole.accumulation)
    token_loss = keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="token_loss")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignore_class)
    trainee.compile(optimizer=adam, loss=loss, weighted_metrics=["accuracy", token_loss])
    train = packing.batches(trainee, TEXTS, whole.size, STEPS * parts, seed)
    log = fitting.StepLog(STEPS, parts, compiles_anew=False)
    return causal_lm, trainee, log, checkpoints.Checkpoint(trainee, train, log)


def trained(folder="", ends_after=None, **options):
    """Trains, or goes on; returns the log, all weights, and whether there was nothing left to do."""
    causal_lm, trainee, log, kept = prepared(folder, **options)
    if not kept.is_finished:
        callbacks = [log, kept] + ([EndsAfter(log, ends_after)] if ends_after else [])
        with contextlib.suppress(Ended):
            trainee.fit(kept.batches, shuffle=False, callbacks=callbacks, verbose=0)
    return log, np.concatenate([np.ravel(weight) for weight in causal_lm.get_weights()]), kept.is_finished


def same(one, other):
    """Whether two trainings have the same losses at every step, and the same weights, bit for bit."""
    measures = ("loss", "mean_loss", "mean_token_loss", "mean_accuracy")
    rows = [[[row[name] for name in measures] for row in log.rows] for log, *_ in (one, other)]
    return [rows[0] == rows[1], bool(np.array_equal(one[1], other[1])), len(other[0].rows)]


checkpoints.EVERY_SECONDS = checkpoints.FINISHED_SECONDS = 0.0
found, checkpoints.SHARE = {}, 1e9  # kept after every step
for parts, ends in ((1, [5]), (2, [3, 5])) if backend == "jax" else [(2, [3])]:
    folder, unbroken = f"parts{parts}", trained(parts=parts)
    for step in ends:
        trained(folder, ends_after=step, parts=parts)
    continued, again = (trained(folder, parts=parts) for _ in range(2))
    found[folder] = {
        "continued": same(unbroken, continued),
        "continued_after": continued[0].continued_after,
        "again": same(unbroken, again),
        "finished": [continued[2], again[2]],
        "files": len(list((place / folder).iterdir())),
    }
found["notes"] = list(notes)
(file,) = (place / folder).iterdir()
alike = prepared(folder, parts=2)[-1]._file
OTHERS = [{"seed": 2}, {"learning_rate": 0.02}, {"parts": 1}, {"sequence_length": 20}, {"end_token": False}]
OTHERS += [{"dropout": 0.1}, {"ignore_class": 3}]
if backend != "jax":  # the others, and what follows, are the same on both
    OTHERS = [{"seed": 2}, {"end_token": False}]
others = [prepared(folder, **{"parts": 2} | one)[-1]._file for one in OTHERS]
found["keys"] = [alike == file, len({file, *others}) - len(OTHERS)]
if backend != "jax":
    print(json.dumps(found))
    sys.exit()
(file,) = (place / "parts1").iterdir()
content = file.read_bytes()
flipped = bytearray(content)
flipped[len(content) // 2] ^= 1
for damaged in (content[:-500], flipped, b""):
    file.write_bytes(damaged)
    notes.clear()
    kept = prepared("parts1")[-1]
    found.setdefault("damaged", []).append([kept.is_finished, len(kept.batches), file.exists(), *notes])
causal_lm, trainee, log, kept = prepared("last")
kept._file.parent.mkdir()
log.take_up({"rows": [{"seconds": 1.0}] * STEPS, "continued_after": []})
trainee.optimizer.build(trainee.trainable_variables)
kept._keep(trainee, trainee.optimizer.variables, [])
found["last"] = prepared("last")[-1].is_finished
file_in_place = place / "a file"
file_in_place.touch()
trained("a file")
checkpoints.shutil.disk_usage = lambda _: type("Usage", (), {"free": 10})
trained("full")
found["full"] = list((place / "full").iterdir())
checkpoints.EVERY_SECONDS = checkpoints.FINISHED_SECONDS = 1e9
trained("short")
found["short"] = (place / "short").exists()
found["notes_of_all"] = notes
print(json.dumps(found))
