"""Set a machine without a network up from a bundle: `make all BUNDLE=folder`.

`python -m lib.bundle.unpack FOLDER --environment .venv` joins the parts, checks every file, makes the environment from
the wheels, and puts the model and the texts into the cache. With `--about` it prints, for make, the lock and the
profile that the bundle was made for, and a name for it. This module needs Python alone.
"""

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from lib.bundle import manifest, parts
from lib.core import command_line, paths
from lib.core.errors import UserError

PATHS = "bundle.pth"  # in the environment: names the folders where Python finds lib/, and what is left to this machine
TEMPLATES = Path("share/jupyter/nbconvert")  # of nbconvert, which do not lie in its package


def about(folder: Path) -> str:
    """Return the lock, the profile and a name of a bundle, for the Makefile."""
    listed = manifest.read(folder)
    name = hashlib.sha256((folder / manifest.FILE).read_bytes()).hexdigest()[:12]
    return f"{listed['lock']} {listed['profile']} {name}"


def unpack(folder: Path, environment: Path) -> None:
    """Set this machine up from a bundle.

    Args:
        folder: The bundle, or its parts.
        environment: The virtual environment to make, or to bring up to date.

    Raises:
        UserError: If a file is missing or damaged, if the bundle was made for another machine or another version of
            this project, or if pip fails.
    """
    listed = manifest.read(folder)
    check_machine(listed)
    print("Checking the bundle", flush=True)
    parts.join(folder, listed)
    manifest.check(folder, listed["files"])
    print(f"Installing the bundle's packages into {paths.on_terminal(environment)}", flush=True)
    install(folder, listed, environment)
    fill(paths.cache(), folder, listed)


def check_machine(listed: dict) -> None:
    """Check that a bundle was made for this machine and this version of the project.

    Raises:
        UserError: If it was not, or if a package that is left to this machine is not there.
    """
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if (listed["python"], listed["machine"]) != (here, platform.machine()) or sys.platform != "linux":
        raise UserError(
            f"The bundle was made for Python {listed['python']} on Linux, {listed['machine']}; {sys.executable} is "
            f"Python {here} on {platform.system()}, {platform.machine()}. Name another Python (PYTHON=), or make the "
            "bundle anew with BUNDLE_PYTHON and BUNDLE_PLATFORM."
        )
    lock = paths.ROOT / "requirements" / f"{listed['lock']}.txt"
    if not lock.is_file() or paths.sha256(lock) != listed["lock_sha256"]:
        raise UserError(
            f"The bundle was made with another requirements/{listed['lock']}.txt. Take the project's commit "
            f"{listed['commit'][:12] or 'of that machine'} here too, or make the bundle anew."
        )
    gone = [name for name, (_, there) in listed["left"].items() if there and not version_here(name)]
    if gone:
        raise UserError(
            f"The bundle leaves {', '.join(gone)} to this machine, but {sys.executable} does not have "
            f"{'it' if len(gone) == 1 else 'them'}. Name the Python that does (PYTHON=), or make the bundle anew with "
            "that one's list (HAVE=)."
        )


def version_here(name: str) -> str:
    """Return the version of a package that this Python has; `""` if it has none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def install(folder: Path, listed: dict, environment: Path) -> None:
    """Make the environment from the wheels, and let it see lib/, and this Python's packages if some are left to them.

    A file of paths does that. To install lib/ by pip takes a newer setuptools than an environment begins with. And
    `venv --system-site-packages` shows another Python's packages if this one is that of an environment itself.
    """
    python = environment / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(environment)], "the environment cannot be made")
    own = environment / "lib" / f"python{listed['python']}" / "site-packages"
    templates = environment / TEMPLATES
    (own / PATHS).unlink(missing_ok=True)  # pip must not take this machine's packages for those of the bundle
    if templates.is_symlink():  # or write there
        templates.unlink()
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    if listed["packages"]:
        wheels = ["--find-links", str(folder / manifest.WHEELS), "--require-hashes"]
        _run([*pip, *wheels, "-r", str(folder / manifest.REQUIREMENTS)], "pip could not install the bundle's packages")
    lines = [f"{paths.ROOT}\n"]
    if listed["left"]:
        folders = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
        lines += [f"import site; site.addsitedir({place!r})\n" for place in folders]
    paths.write(own / PATHS, "".join(lines))
    if "nbconvert" in listed["left"] and (there := Path(sys.prefix) / TEMPLATES).is_dir() and not templates.exists():
        templates.parent.mkdir(parents=True, exist_ok=True)
        templates.symlink_to(there)


def fill(cache: Path, folder: Path, listed: dict) -> None:
    """Put a bundle's model and texts into this project's cache."""
    for entry in listed["files"]:
        name = entry["name"].removeprefix(f"{manifest.CACHE}/")
        place = cache / name
        if name == entry["name"] or (place.is_file() and paths.sha256(place) == entry["sha256"]):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_name(f".{place.name}.part")
        shutil.copyfile(folder / entry["name"], unfinished)
        unfinished.replace(place)


def _run(command: list[str], failed: str) -> None:
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise UserError(f"{failed}: {' '.join(lines[-3:])}")


def main(arguments: list[str]) -> int:
    """Run the command line. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lib.bundle.unpack", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=paths.expanded, help="the bundle, or the folder of its parts")
    doing = parser.add_mutually_exclusive_group(required=True)
    doing.add_argument("--about", action="store_true", help="print its lock, its profile and a name for it")
    doing.add_argument("--environment", type=paths.expanded, help="the virtual environment to make")
    given = parser.parse_args(arguments)

    def run() -> int:
        print(about(given.folder)) if given.about else unpack(given.folder.resolve(), given.environment)
        return 0

    return command_line.run(run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
