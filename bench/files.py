"""Writes and reads the files of `outputs/bench`."""

import json
from pathlib import Path

import pandas as pd

from lib.core.errors import UserError

PARTS = {"rows": "bench.json", "growth": "growth.json", "machine": "machine.json"}


def write(folder: Path, content: dict) -> None:
    """Writes all measurements: a JSON file for each of `PARTS`, and `rows.csv`, `samples.csv` and `growth.csv`.

    Args:
        folder: The folder to write to. It is created if needed.
        content: `rows`, a list of rows of `bench.json`; `growth`, a list of rows of `bench.growth`; and `machine`, a
            dict.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in PARTS.items():
        text = json.dumps(content[part], ensure_ascii=False, indent=1, allow_nan=False, default=float)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    table(content["rows"]).to_csv(folder / "rows.csv", index=False)
    samples = [
        {"work": one["work"], "peer": one["peer"], "unit": one["unit"], "side": side, "round": number, "sample": sample}
        for one in content["rows"]
        for side in ("ours", "theirs")
        for number, sample in enumerate(one[side], 1)
    ]
    pd.DataFrame(samples).to_csv(folder / "samples.csv", index=False)
    pd.DataFrame(content["growth"]).explode("seconds").to_csv(folder / "growth.csv", index=False)


def table(rows: list[dict]) -> pd.DataFrame:
    """Returns the rows of `bench.json` without the single samples."""
    return pd.DataFrame(rows).drop(columns=["ours", "theirs", "ratios"])


def read(folder: Path) -> dict:
    """Reads the JSON files that `write` wrote.

    Raises:
        UserError: If a file is missing.
    """
    for name in PARTS.values():
        if not (folder / name).is_file():
            raise UserError(f"There is no outputs/bench/{name}. Run `make bench` first, which writes it.")
    return {part: json.loads((folder / name).read_text(encoding="utf-8")) for part, name in PARTS.items()}
