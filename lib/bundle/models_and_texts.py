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
STANDS_IN = "{} cannot be fetched here, so {} is packed, which stands in for it"
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
    every, told = values(profile), []

    def asked(*names: str) -> list[tuple]:
        """The different values of parameters in the notebooks that have them."""
        found = (tuple(given[name] for name in names) for given in every if names[0] in given)
        return list(dict.fromkeys(found))

    for name in ("preset", "poems_source", "declaration_source"):
        for (value,) in filter(_lies_elsewhere, asked(name)):
            told.append(f"{name} is {value}, which is not packed: it has to be there on the target too")
    for preset, stand_in in asked("preset", "stand_in"):
        if not preset.startswith("outputs/"):  # those are made by the notebooks
            model = pretrained.find(preset, stand_in)
            told += [STANDS_IN.format(one.requested, one.used) for one in model.stand_ins]
    for dataset, stand_in in asked("dataset", "dataset_stand_in"):
        corpus = corpora.load_prose(dataset, stand_in, STORIES)
        told += [STANDS_IN.format(dataset, corpus.name)] if corpus.is_stand_in else []
    for (source,) in asked("poems_source"):
        tang_poems.load_tang_poetry(source)
    for (source,) in asked("declaration_source"):
        udhr.load_declaration(source)
    return told


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


def _lies_elsewhere(values: tuple[str]) -> bool:
    """Tell whether a parameter's value is a file or folder outside the repository and the reports."""
    (value,) = values
    if "://" in value or value.startswith("outputs/"):
        return False
    place = paths.resolve(value)
    return place.exists() and not place.is_relative_to(paths.ROOT)


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
