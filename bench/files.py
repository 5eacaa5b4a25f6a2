"""What `make bench` leaves in `outputs/bench`: written here, and read for the report."""

import json
from pathlib import Path

import pandas as pd

from lib.core.errors import UserError
from lib.report import recorder

PARTS = {"rows": "bench.json", "growth": "growth.json", "machine": "machine.json"}


def write(folder: Path, content: dict) -> None:
    """Writes all that was measured.

    Args:
        folder: Where to. It then holds a JSON file for each of `PARTS`, and as CSV the rows, every sample, and how cost
            grows.
        content: `rows` (`bench.row`) and `growth` (rows of `bench.growth`), lists; and `machine`, a dict.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in PARTS.items():
        recorder.write_json(folder / name, content[part])
    table = pd.DataFrame(content["rows"])
    table.drop(columns=["ours", "theirs", "ratios"]).to_csv(folder / "rows.csv", index=False)
    samples = [
        {"work": one["work"], "peer": one["peer"], "unit": one["unit"], "side": side, "round": number, "sample": sample}
        for one in content["rows"]
        for side in ("ours", "theirs")
        for number, sample in enumerate(one[side], 1)
    ]
    pd.DataFrame(samples).to_csv(folder / "samples.csv", index=False)
    pd.DataFrame(content["growth"]).explode("seconds").to_csv(folder / "growth.csv", index=False)


def read(folder: Path) -> dict:
    """Reads what `write` wrote.

    Raises:
        UserError: If it is not there.
    """
    for name in PARTS.values():
        if not (folder / name).is_file():
            raise UserError(f"There is no outputs/bench/{name}. Run `make bench` first, which writes it.")
    return {part: json.loads((folder / name).read_text(encoding="utf-8")) for part, name in PARTS.items()}
