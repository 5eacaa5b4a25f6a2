"""Runs the cells of 04 on the smoke profile, to the end of its training; is killed on the way if asked.

Arguments: the folder of the report, and the run and the step after which to be killed, or 0 0. Prints what the runs
come to. The environment names the folder where trainings are kept.
"""

import json
import os
import signal
import sys

from lib.core import notebook_files, parameters, paths

NOTEBOOK = "04_tang_poetry"
folder, run, step = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
given = parameters.read_experiment(paths.EXPERIMENTS / "smoke" / f"{NOTEBOOK}.yaml")
cells = [cell for cell in notebook_files.read(paths.NOTEBOOKS / f"{NOTEBOOK}.ipynb").cells if cell.cell_type == "code"]
training = next(number for number, cell in enumerate(cells) if "repeats.runs(" in cell.source)
namespace = {"__name__": "__main__"}
for cell in cells[:training]:
    exec(cell.source, namespace)
    if "parameters" in cell.metadata.get("tags", []):
        namespace |= given | {"profile": "smoke", "output_dir": folder}

from lib.training import checkpoints  # noqa: E402  (once the notebook has chosen the backend)

Checkpoint, begun = checkpoints.Checkpoint, []


class Killed(Checkpoint):
    """Keeps a training after every step, and kills the process after the given one."""

    def on_train_begin(self, logs=None):
        begun.append(self)
        super().on_train_begin(logs)

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if (len(begun), len(self._log.rows)) == (run, step):
            os.kill(os.getpid(), signal.SIGKILL)


checkpoints.Checkpoint, checkpoints.SHARE = Killed, 1e9
checkpoints.EVERY_SECONDS = checkpoints.FINISHED_SECONDS = 0.0
exec(cells[training].source, namespace)
runs = namespace["runs"]
found = {
    "trained": len(begun),
    "continued_after": [one.log.continued_after for one in runs],
    "losses": [[row["loss"] for row in one.log.rows] for one in runs],
    "bits": [one.likelihood.bits_per_character for one in runs],
}
print(json.dumps(found))
