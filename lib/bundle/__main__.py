"""Pack what `make all` needs on a machine without a network: `make bundle`.

Usage: `python -m lib.bundle FOLDER --profile gpu --lock gpu --python 3.12 --have list.txt --part 60`. The folder gets
the wheels of the lock, the model and the texts, and a manifest with the size and SHA-256 of every file. There
`make all BUNDLE=FOLDER` uses it (`unpack`).
"""

import argparse
import contextlib
import os
import subprocess
import sys
from pathlib import Path

from lib.bundle import have, manifest, packages, parts
from lib.core import command_line, paths
from lib.core.errors import UserError

MARK = ".made-by-gpt2-text-generation"  # in a folder that was empty before; only such a one is written to
FETCH = [sys.executable, "-m", "lib.bundle.models_and_texts"]


def make(folder: Path, profile: str, lock: str, target: packages.Target, list_of: Path | None, part: int) -> int:
    """Make a bundle, or bring an older one up to date.

    Args:
        folder: The folder to write.
        profile: The folder of `experiments/` whose model and texts are packed.
        lock: The lock whose packages are packed: `cpu` or `gpu`.
        target: The machine that the bundle is for.
        list_of: The list of the packages that the target has; None packs them all.
        part: The size of a part in bytes; 0 makes none.

    Returns:
        The exit status.

    Raises:
        UserError: If something cannot be fetched, or if the folder holds other things.
    """
    lock_file = paths.ROOT / "requirements" / f"{lock}.txt"
    there = have.read(list_of) if list_of else {}
    packed, left = packages.choose(packages.read_lock(lock_file), target, there)
    _claim(folder)
    print(*packages.told(left), sep="\n", end="\n" if left else "")
    print(f"fetching {len(packed)} packages of requirements/{lock}.txt for Python {target.python}", flush=True)
    packages.fetch(packed, target, folder)
    print(f"fetching the model and the texts of the profile {profile}", flush=True)
    cache = folder / manifest.CACHE
    cache.mkdir(exist_ok=True)
    fetching = [*FETCH, profile]
    done = subprocess.run(fetching, env=_environment(cache), cwd=paths.ROOT, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        print(told[-1] if told else done.stderr, file=sys.stderr)  # else TensorFlow's greetings
        return done.returncode
    about = {
        "profile": profile,
        "lock": lock,
        "lock_sha256": paths.sha256(lock_file),
        "commit": _commit(),
        "python": target.minor,
        "machine": target.machine,
        "packages": {one.name: one.version for one in packed},
        "left": left,
    }
    whole = manifest.write(folder, about)
    print(*_summary(folder, whole), sep="\n")
    if part:
        cut = parts.cut(folder, part)
        number = len(manifest.read(cut)["parts"])
        print(f"{paths.on_terminal(cut)} holds the same in {number} parts. It needs nothing else from the bundle.")
        folder = cut
    print(f"Copy it and this checkout to the other machine. There: make all BUNDLE={paths.on_terminal(folder)}")
    return 0


def _claim(folder: Path) -> None:
    """Take a folder that is new, empty, or an older bundle.

    Raises:
        UserError: If it holds other things.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / MARK).exists():
        if any(folder.iterdir()):
            raise UserError(f"BUNDLE is {paths.on_terminal(folder)}, which holds other things. Name a new folder.")
        (folder / MARK).touch()
    (folder / manifest.FILE).unlink(missing_ok=True)  # until all is there again, it is no bundle


def _environment(cache: Path) -> dict[str, str]:
    """Return an environment in which this project and the hubs' clients use a bundle's cache alone, and no GPU."""
    folders = {"KAGGLEHUB_CACHE": "kagglehub", "HF_HUB_CACHE": "huggingface", "TFDS_DATA_DIR": "tensorflow_datasets"}
    own = {"REPORT_CACHE": str(cache)} | {name: str(cache / folder) for name, folder in folders.items()}
    engines = {"KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return {**os.environ, **own, **engines}


def _commit() -> str:
    """The commit of this checkout, which the other machine should have too; `""` if it is none."""
    with contextlib.suppress(OSError):
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=paths.ROOT, capture_output=True, text=True)
        return done.stdout.strip()
    return ""


def _summary(folder: Path, whole: dict) -> list[str]:
    """Tell in lines how large a bundle is, and of what."""
    sizes = {name: 0 for name in (manifest.WHEELS, manifest.CACHE)}
    for entry in whole["files"]:
        sizes[entry["name"].split("/")[0]] = sizes.get(entry["name"].split("/")[0], 0) + entry["size"]
    lines = [f"{sizes[name] / parts.MEGABYTE:10,.1f} MB  {name}" for name in (manifest.WHEELS, manifest.CACHE)]
    return [*lines, f"{paths.on_terminal(folder)} is ready: {len(whole['files'])} files and {manifest.FILE}."]


def _megabytes(text: str) -> int:
    """Parse the size of a part in MB, at least a byte. Return bytes."""
    with contextlib.suppress(ValueError, OverflowError):
        if (size := int(float(text) * parts.MEGABYTE)) > 0:
            return size
    raise argparse.ArgumentTypeError(f"PART is {text!r}; it must be a number of MB above 0")


def main(arguments: list[str]) -> int:
    """Run the command line. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lib.bundle", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=paths.expanded, help="the folder to write")
    parser.add_argument("--profile", default="cpu", help="whose model and texts are packed")
    parser.add_argument("--lock", default="cpu", help="whose packages are packed: cpu or gpu")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser.add_argument("--python", default=here, help="the other machine's Python, such as 3.12")
    parser.add_argument("--platform", default="linux_x86_64", help="the other machine's system")
    parser.add_argument("--have", type=paths.expanded, help="a list of the packages that it has")
    parser.add_argument("--part", type=_megabytes, default=0, metavar="MB", help="cut it into parts of so many MB")
    given = parser.parse_args(arguments)

    def run() -> int:
        target = packages.Target(given.python, given.platform)
        return make(given.folder.resolve(), given.profile, given.lock, target, given.have, given.part)

    return command_line.run(run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
