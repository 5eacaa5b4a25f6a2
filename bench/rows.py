"""The rows of `bench.json`."""

import statistics

from lib.core.records import Precision


def row(
    work: str,
    peer: str,
    unit: str,
    ours: list,
    theirs: list,
    target: float | None,
    note: str = "",
    precisions: tuple[Precision, Precision] = (Precision.FLOAT32, Precision.FLOAT32),
) -> dict:
    """Makes a row of `bench.json`, which says how many times as fast this project is in each round.

    Args:
        work: The workload.
        peer: The program this project is compared with.
        unit: The unit of the samples, a rate: more is better.
        ours: This project's samples, one per round.
        theirs: The peer's samples of the same rounds.
        target: The ratio to reach, or None.
        note: Anything else a reader must know.
        precisions: The number formats that this project and the peer multiply in.
    """
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    median = statistics.median(ratios) if ratios else None
    return {
        "work": work,
        "peer": peer,
        "unit": unit,
        "ours": ours,
        "theirs": theirs,
        "ratios": ratios,
        "ratio_median": median,
        "ratio_low": min(ratios, default=None),
        "ratio_high": max(ratios, default=None),
        "target": None if target is None else f">= {target}",
        "met": None if median is None or target is None else median >= target,
        "note": note,
        "precision_here": precisions[0],
        "precision_there": precisions[1],
    }
