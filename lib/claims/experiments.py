"""Read the results of the five experiments on which the claims are judged."""

import contextlib
from dataclasses import dataclass

from lib import notebooks
from lib.core import paths, records
from lib.core.errors import UserError
from lib.core.records import Results

NOTEBOOKS = {
    "baseline": "01_baseline",
    "reddit": "02_reddit_finetune",
    "samplers": "03_greedy_vs_top_k",
    "tang": "04_tang_poetry",
    "scratch": "05_from_scratch",
}


@dataclass(frozen=True)
class Experiments:
    """What each experiment's `results.json` holds."""

    baseline: Results
    reddit: Results
    samplers: Results
    tang: Results
    scratch: Results

    def all(self) -> list[Results]:
        """All of them, in the order of their notebooks."""
        return [getattr(self, name) for name in NOTEBOOKS]


def every(profile: str) -> list[Results]:
    """Read the results of all notebooks but the summary that have run, in the order of `lib/notebooks.py`.

    Raises:
        UserError: If results cannot be read.
    """
    files = [paths.of_profile(profile) / one.name / "results.json" for one in notebooks.EXPERIMENTS]
    return [records.load(file) for file in files if file.is_file()]


def load(profile: str) -> Experiments:
    """Read the results of a profile's experiments.

    Raises:
        UserError: If one of them has not been run, or its results cannot be read.
    """
    found = {}
    for name, notebook in NOTEBOOKS.items():
        try:
            found[name] = records.load(paths.of_profile(profile) / notebook / "results.json")
        except FileNotFoundError:
            raise UserError(
                f"profile is {profile!r}, and there are no results of {notebook} in it. "
                f"Run `make report NOTEBOOK={notebook} PROFILE={profile}` first."
            ) from None
    return Experiments(**found)


def sweeps(profile: str) -> list[Results]:
    """Load the results of the sweeps whose runs have the values of a profile. A damaged one is left out."""
    found = []
    for file in sorted(paths.outputs().glob(f"{paths.SWEEP}*/{notebooks.SWEEP}/results.json")):
        with contextlib.suppress(UserError):
            results = records.load(file)
            if results.measured.run_profile == profile:
                found.append(results)
    return found
