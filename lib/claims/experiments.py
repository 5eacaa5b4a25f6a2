"""Read the results of the five experiments on which the claims are judged."""

from dataclasses import dataclass

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


def load(profile: str) -> Experiments:
    """Read the results of a profile's experiments.

    Raises:
        UserError: If one of them has not been run, or its results cannot be read.
    """
    found = {}
    for name, notebook in NOTEBOOKS.items():
        try:
            found[name] = records.load(paths.outputs() / profile / notebook / "results.json")
        except FileNotFoundError:
            raise UserError(
                f"profile is {profile!r}, and there are no results of {notebook} in it. "
                f"Run `make report NOTEBOOK={notebook} PROFILE={profile}` first."
            ) from None
    return Experiments(**found)
