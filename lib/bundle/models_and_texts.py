"""Fetch the model and the texts that a profile's YAML files name into a bundle's cache.

`python -m lib.bundle.models_and_texts PROFILE` runs in a process of its own whose environment names the caches, since
the hubs' clients read theirs when they are imported, and Keras its backend.
"""

import os
import shutil
import sys
from pathlib import Path

from lib import notebooks
from lib.core import command_line, parameters, paths
from lib.core.errors import UserError
from lib.data import corpora, tang_poems, udhr
from lib.models import pretrained

# Of the cache: what is fetched. The rest is made from it on the target, in seconds, and names this machine's folders.
FETCHED = ("packages", "kagglehub", "huggingface", "tensorflow_datasets", f"{tang_poems.NAME}-*")
STORIES = 10  # to be read of Reddit's, which shows that all are there


def values(profile: str) -> list[dict]:
    """Return the parameters of each notebook of a profile, checked.

    Raises:
        UserError: If there is no such profile, or if a YAML file is invalid.
    """
    profiles = sorted(folder.name for folder in paths.EXPERIMENTS.iterdir() if folder.is_dir())
    if profile not in profiles:
        raise UserError(f"There is no profile {profile!r}; there are {', '.join(profiles)}.")
    found = []
    for name in notebooks.in_order():
        file = paths.EXPERIMENTS / profile / f"{name}.yaml"
        declared = parameters.declared(paths.NOTEBOOKS / f"{name}.ipynb")
        given = parameters.validate(parameters.read_experiment(file), declared, paths.shown(file))
        found.append({name: parameter.default for name, parameter in declared.items()} | given)
    return found


def fetch(profile: str) -> list[str]:
    """Fetch what a profile names, by the functions that its notebooks call.

    Returns:
        Lines that tell what stands in for what, and what lies elsewhere and has to be brought too.

    Raises:
        UserError: If something cannot be fetched and nothing may stand in for it.
    """
    told = {}
    for given in values(profile):
        for name in ("preset", "poems_source", "declaration_source"):
            if _elsewhere(given.get(name, "")):
                told[f"{name} is {given[name]}, which is not packed: it has to be there on the target too"] = True
        if "preset" in given and not given["preset"].startswith("outputs/"):
            model = pretrained.find(given["preset"], given["stand_in"])
            for one in model.stand_ins:
                told[f"{one.requested} cannot be fetched here, so {one.used} is packed, which stands in for it"] = True
        if "dataset" in given:
            corpus = corpora.load_prose(given["dataset"], given["dataset_stand_in"], STORIES)
            if corpus.is_stand_in:
                told[f"{given['dataset']} cannot be fetched here, so {corpus.name} is packed, which stands in"] = True
        if "poems_source" in given:
            tang_poems.load_tang_poetry(given["poems_source"])
        if "declaration_source" in given:
            udhr.load_declaration(given["declaration_source"])
    return list(told)


def prune(cache: Path) -> None:
    """Leave in a cache what was fetched and is needed, as plain files: a bundle may travel where there are no links."""
    kept = {entry for pattern in FETCHED for entry in cache.glob(pattern)}
    for entry in {*cache.iterdir()} - kept:
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for link in [path for path in cache.rglob("*") if path.is_symlink()]:
        content = link.resolve()
        link.unlink()
        shutil.copyfile(content, link)
    for unneeded in ("huggingface/.locks", "huggingface/*/blobs", "tensorflow_datasets/downloads"):
        for folder in cache.glob(unneeded):
            shutil.rmtree(folder)


def _elsewhere(value: str) -> bool:
    """Tell whether a parameter names a file or folder outside the repository and the reports."""
    if "://" in value or not value:
        return False
    place = paths.resolve(value)
    return place.exists() and not place.is_relative_to(paths.ROOT) and not value.startswith("outputs/")


def main(arguments: list[str]) -> int:
    """Run the command line. Return the exit status."""
    return command_line.run(lambda: _main(*arguments))


def _main(profile: str) -> int:
    for line in fetch(profile):
        print(line)
    prune(Path(os.environ["REPORT_CACHE"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
