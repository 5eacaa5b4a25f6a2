"""Keep the state of a training every so often, so that a run that was killed goes on from there.

Keras' own `BackupAndRestore` begins an epoch anew, and the trainings here have a single one. So this callback also
keeps the running means of the metrics and the log of the steps, and leaves out the batches that were trained on. A
training that goes on has the losses and weights of one that was never interrupted (tested).

States are kept only in a report run, and until its report is published. A state is known by all that decides on a
training: weights, batches, optimizer, precision, versions and code. After a change of any of them a training begins
anew.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import shutil
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from lib.core import backends, continued, environment, paths, progress
from lib.training import fitting

EVERY_SECONDS = 120.0  # the state is kept so often
FINISHED_SECONDS = 30.0  # a training that took so long is kept at its end
SHARE = 0.05  # the most of a training's time that keeping may take, the first time apart
CODE = ("core", "data", "models", "training", "evaluation")  # the rooms whose code may change a training
PREPROCESSING = ("sequence_length", "add_start_token", "add_end_token")
PACKAGES = ("jax", "keras", "keras-hub", "numpy", "tensorflow")


class Checkpoint(keras.callbacks.Callback):
    """Keeps a training, and takes up one that was kept. Use it as

        kept = checkpoints.Checkpoint(trainee, train, log)
        if not kept.is_finished:
            trainee.fit(kept.batches, callbacks=kept.callbacks)

    If the training was kept to its end, the model has its weights at once.

    Args:
        trainee: The compiled model, with the weights to begin with.
        train: Its batches, a `tf.data.Dataset` that yields the same ones each time.
        log: The `fitting.StepLog` of the training, before this callback in the list of callbacks.

    Attributes:
        batches: Those of `train` that are left.
        is_finished: Whether none is left.
        callbacks: The log and this callback, for `fit`, see `fitting.callbacks`.
    """

    def __init__(self, trainee, train, log):
        super().__init__()
        self.batches, self.is_finished, self._log, self._state = train, False, log, None
        self.callbacks = fitting.callbacks(trainee, log, self)
        folder = os.environ.get(environment.TRAININGS)
        self._file = Path(folder) / f"{_key(trainee, train, log)}.npz" if folder else None
        if self._file is None or not self._file.is_file():
            return
        if (state := _read(self._file, trainee)) is None:
            progress.note("the training that was kept is damaged; training from the beginning")
            return
        steps = len(state["log"]["rows"])
        self.is_finished = state["optimizer"] is None or steps >= log.num_steps
        continued.trainings += 1
        if self.is_finished:
            progress.note(f"{log.label} was made to its end by a run that was interrupted later; its weights are taken")
            _assign(_weights(trainee), state["weights"])
            log.take_up(state["log"])
        else:
            progress.note(f"{log.label} goes on after step {steps} of {log.num_steps}, where a run was interrupted")
            self.batches, self._state = train.skip(steps * log.parts), state
            if backends.selected.backend == "tensorflow":  # there, Keras builds metrics when it first computes them
                trainee.evaluate(train.take(1), verbose=0)

    def on_train_begin(self, logs=None):
        self._begun = self._kept = time.perf_counter()
        self._wait = EVERY_SECONDS

    def on_epoch_begin(self, epoch, logs=None):
        # Here, since Keras has built and reset the metrics by now, and has not read any state yet.
        if self._state:
            model = self.model
            _assign(_weights(model), self._state["weights"])
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)
            _assign(model.optimizer.variables, self._state["optimizer"])
            _assign(model.metrics_variables, self._state["metrics"])
            self._log.take_up(self._state["log"])
            self._state = None

    def on_train_batch_end(self, batch, logs=None):
        if not self._file or (batch + 1) % self._log.parts or len(self._log.rows) >= self._log.num_steps:
            return
        if time.perf_counter() - self._kept >= self._wait:
            self._log.read()
            model = self.model  # on JAX, this attaches the state of the training to the model
            self._keep(model, model.optimizer.variables, model.metrics_variables)
            self._log.leave_out()

    def on_train_end(self, logs=None):
        if self._file and time.perf_counter() - self._begun >= FINISHED_SECONDS:
            self._keep(self.model, None, [])

    def _keep(self, model, optimizer, metrics) -> None:
        """Write the state, if the disk has room for it. Without the optimizer's part, it is that of a finished one."""
        start = time.perf_counter()
        parts = {"weights": _weights(model), "optimizer": optimizer or [], "metrics": metrics}
        arrays = {
            f"{part}-{number}": np.asarray(variable)
            for part, variables in parts.items()
            for number, variable in enumerate(variables)
        }
        size, unfinished = sum(array.nbytes for array in arrays.values()), self._file.with_suffix(".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self._file.parent).free > 2 * size:
                with open(unfinished, "wb") as file:
                    np.savez(file, log=json.dumps(self._log.state()), finished=optimizer is None, **arrays)
                    file.flush()
                    os.fsync(file.fileno())  # now, since the times of steps and calls are measured later
                unfinished.replace(self._file)
        except OSError as error:  # what is kept is a convenience, and no reason to end a training
            progress.note(f"the training cannot be kept: {error.strerror}")
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
        self._kept = time.perf_counter()
        self._wait = max(EVERY_SECONDS, (self._kept - start) / SHARE)


def _weights(model) -> list:
    """Return the variables of a model that a step changes: weights, and the states of its random numbers."""
    return [*model.trainable_variables, *model.non_trainable_variables]


def _assign(variables, values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _read(file: Path, trainee) -> dict | None:
    """Read a state; remove it and return None if it is damaged."""
    try:
        with np.load(file) as kept:
            parts = {"weights": [], "optimizer": [], "metrics": []}
            for name in kept.files:
                part, _, number = name.partition("-")
                if number:
                    parts[part].append(kept[name])
            if bool(kept["finished"]):
                parts["optimizer"] = None
            if [value.shape for value in parts["weights"]] == [tuple(one.shape) for one in _weights(trainee)]:
                return parts | {"log": json.loads(str(kept["log"]))}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass
    file.unlink(missing_ok=True)
    return None


def _without_names(config):
    """Leave out the names that Keras numbers as it makes its objects."""
    if isinstance(config, dict):
        return {name: _without_names(value) for name, value in config.items() if name != "name"}
    return [_without_names(value) for value in config] if isinstance(config, list | tuple) else config


def _key(trainee, train, log) -> str:
    """Return a hash of all that decides on a training."""
    digest, causal_lm = hashlib.sha256(), getattr(trainee, "causal_lm", trainee)
    settings = {
        "model": type(trainee).__name__,
        "compiled": _without_names(trainee.get_compile_config()),
        "backbone": _without_names(keras.saving.serialize_keras_object(causal_lm.backbone.get_config())),
        "texts": [getattr(causal_lm.preprocessor, name, None) for name in PREPROCESSING],
        "policy": keras.mixed_precision.dtype_policy().name,
        "engine": str(backends.selected),
        "steps": [log.num_steps, log.parts],
        "versions": [importlib.metadata.version(package) for package in PACKAGES],
    }
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for variable in _weights(trainee):
        digest.update(np.ascontiguousarray(variable).tobytes())
    for batch in train.as_numpy_iterator():
        for part in tf.nest.flatten(batch):
            digest.update(b"".join(part.ravel()) if part.dtype == object else np.ascontiguousarray(part).tobytes())
    for room in CODE:
        for file in sorted((paths.ROOT / "lib" / room).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:32]
