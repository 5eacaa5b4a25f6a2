"""Writes and reads the files of `outputs/bench`, and of the folders for GPUs beside it."""

import json
from pathlib import Path

import pandas as pd

from lib.core import paths
from lib.core.errors import UserError

PARTS = {"rows": "bench.json", "growth": "growth.json", "machine": "machine.json"}
OF_A_GPU = {"gpu": "gpu.json"}  # only if a GPU was measured


def write(folder: Path, content: dict) -> None:
    """Writes all measurements: a JSON file for each of `PARTS`, and `rows.csv`, `samples.csv` and `growth.csv`.

    On a GPU there is a `gpu.json` too, and no growth.

    Args:
        folder: The folder to write to. It is created if needed.
        content: `rows`, a list of rows of `bench.json`; `growth`, a list of rows of `bench.growth`; `machine`, a
            dict; and on a GPU `gpu`, a dict with the fields of `lib.core.records.BenchGpu`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in (PARTS | OF_A_GPU).items():
        if part not in content:
            (folder / name).unlink(missing_ok=True)
            continue
        text = json.dumps(content[part], ensure_ascii=False, indent=1, allow_nan=False, default=float)
        paths.write(folder / name, text + "\n")
    samples = [
        {"work": one["work"], "peer": one["peer"], "unit": one["unit"], "side": side, "round": number, "sample": sample}
        for one in content["rows"]
        for side in ("ours", "theirs")
        for number, sample in enumerate(one[side], 1)
    ]
    tables = {"rows": table(content["rows"]), "samples": pd.DataFrame(samples)}
    if content["growth"]:
        tables["growth"] = pd.DataFrame(content["growth"]).explode("seconds")
    for name, rows in tables.items():
        paths.write(folder / f"{name}.csv", rows.to_csv(index=False))


def table(rows: list[dict]) -> pd.DataFrame:
    """Returns the rows of `bench.json` without the single samples."""
    return pd.DataFrame(rows).drop(columns=["ours", "theirs", "ratios"])


def read(folder: Path) -> dict:
    """Reads the JSON files that `write` wrote. `gpu` is None if no GPU was measured.

    Raises:
        UserError: If a file is missing, or is not JSON.
    """
    content, shown = {part: None for part in OF_A_GPU}, f"outputs/{folder.name}"
    for part, name in (PARTS | OF_A_GPU).items():
        if not (folder / name).is_file():
            if part in OF_A_GPU:
                continue
            raise UserError(f"There is no {shown}/{name}. Run `make bench` first, which writes it.")
        try:
            content[part] = json.loads((folder / name).read_text(encoding="utf-8"))
        except ValueError:
            raise UserError(f"{shown}/{name} is cut off or damaged. Run `make bench`, which writes it.") from None
    return content
