"""Choose the packages of a lock that a target needs, and fetch them as wheels."""

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging import tags, utils
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.version import Version

from lib.bundle import have, manifest
from lib.core import paths, redaction
from lib.core.errors import UserError

BUILT = ("promise",)  # it has no wheel; it is pure Python, so a wheel that is built here fits everywhere
GLIBC = (
    28  # of 2.28, unless BUNDLE_PLATFORM names another: that of RHEL 8 (2018), older than all of Ubuntu's since 20.04
)
PLATFORM = re.compile(r"(?:linux|manylinux_2_(\d+))_(x86_64|aarch64)")
ALIASES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}  # by the glibc they stand for (PEP 600)
SEMICOLON = " ; "


@dataclass(frozen=True)
class Target:
    """The machine that a bundle is for.

    Attributes:
        python: Its Python, `"3.12"`, or with the last number, `"3.12.4"`.
        platform: `"linux_x86_64"`, or `"manylinux_2_34_x86_64"` for one with glibc 2.34 or newer.
    """

    python: str
    platform: str

    def __post_init__(self):
        if not re.fullmatch(r"3\.1[123](\.\d+)?", self.python):
            raise UserError(f"BUNDLE_PYTHON is {self.python!r}; allowed are 3.11, 3.12, 3.13, or one like 3.12.4.")
        if not PLATFORM.fullmatch(self.platform):
            raise UserError(
                f"BUNDLE_PLATFORM is {self.platform!r}; allowed are linux_x86_64, linux_aarch64, and those with a "
                "glibc, such as manylinux_2_34_x86_64."
            )

    @property
    def machine(self) -> str:
        return PLATFORM.fullmatch(self.platform)[2]

    @property
    def minor(self) -> str:
        """Its Python without the last number."""
        return ".".join(self.python.split(".")[:2])

    def pythons(self) -> list[str]:
        """Return full versions: the one that is named, or else the first and the last that it may be."""
        return [self.python] if self.python.count(".") == 2 else [f"{self.python}.0", f"{self.python}.99"]

    def platforms(self) -> list[str]:
        """Return the platforms whose wheels run there, the best first."""
        names = []
        for glibc in range(int(PLATFORM.fullmatch(self.platform)[1] or GLIBC), 4, -1):
            names += [f"manylinux_2_{glibc}", *([ALIASES[glibc]] if glibc in ALIASES else [])]
        return [f"{name}_{self.machine}" for name in (*names, "linux")]

    def fits(self, wheel: Path) -> bool:
        """Tell whether a wheel can be installed there."""
        python = tuple(map(int, self.minor.split(".")))
        allowed = {*tags.cpython_tags(python, platforms=self.platforms())}
        allowed |= {*tags.compatible_tags(python, f"cp{python[0]}{python[1]}", self.platforms())}
        return not allowed.isdisjoint(utils.parse_wheel_filename(wheel.name)[3])

    def needs(self, marker: str, python: str) -> bool:
        """Tell whether a marker of the lock holds there, with a full version of Python."""
        surroundings = {
            "implementation_name": "cpython",
            "implementation_version": python,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": python,
            "python_version": self.minor,
            "sys_platform": "linux",
        }
        return not marker or Marker(marker).evaluate(surroundings)


@dataclass(frozen=True)
class Locked:
    """A package of a lock.

    Attributes:
        name: Its canonical name.
        version: Its version.
        marker: Where it is needed; `""` means everywhere.
        hashes: pip's options with the SHA-256 of its files.
    """

    name: str
    version: str
    marker: str
    hashes: str

    @property
    def key(self) -> tuple[str, str]:
        """Its name and version, as those of a wheel are compared."""
        return self.name, str(Version(self.version))

    def line(self, hashes: str = "", marker: bool = False) -> str:
        """Write it for pip, which would hold its marker against the Python that pip itself runs in."""
        where = SEMICOLON + self.marker if marker and self.marker else ""
        return f"{self.name}=={self.version}{where} {hashes or self.hashes}"


def read_lock(file: Path) -> list[Locked]:
    """Read a lock, as `uv pip compile --generate-hashes` writes it.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"The lock {paths.shown(file)} cannot be read: {error.strerror}. BUNDLE_LOCK names it."
        ) from None
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    locked = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            asked, *hashes = re.split(r"\s+(?=--hash=)", line.strip())
            one = Requirement(asked)
            (pinned,) = one.specifier
            locked.append(Locked(have.canonical(one.name), pinned.version, str(one.marker or ""), " ".join(hashes)))
    return locked


def choose(lock: list[Locked], target: Target, there: dict[str, str]) -> tuple[list[Locked], dict[str, list[str]]]:
    """Choose what the target needs and does not have.

    Args:
        lock: The packages of the lock.
        target: The machine.
        there: The versions of the packages that it has, see `have.read`.

    Returns:
        The packages for the bundle; and of those that are left to the target, by name, the locked version and the one
        there.
    """
    packed, left = [], {}
    for one in lock:
        if not any(target.needs(one.marker, python) for python in target.pythons()):
            continue
        if one.name in there:
            left[one.name] = [one.version, there[one.name]]
        else:
            packed.append(one)
    return packed, left


def told(left: dict[str, list[str]]) -> list[str]:
    """Tell in lines what is left to the target, those whose versions differ first."""
    differ = [
        f"warning: {name} {there} is left to the target; the lock has {locked}, with which this was tested"
        for name, (locked, there) in left.items()
        if there not in ("", locked)
    ]
    same = [
        f"{name} {there or '(version not known)'} is left to the target; the lock has {locked}"
        for name, (locked, there) in left.items()
        if there in ("", locked)
    ]
    return differ + same


def fetch(packed: list[Locked], target: Target, folder: Path) -> None:
    """Fetch wheels into a bundle, and write its `requirements.txt` with the SHA-256 of each.

    What the folder holds already is kept if its SHA-256 is the lock's, and removed if it is not asked for.

    Args:
        packed: The packages.
        target: The machine that they are for.
        folder: The bundle.

    Raises:
        UserError: If pip fails, or if a package has no wheel for the target.
    """
    wheels = folder / manifest.WHEELS
    wheels.mkdir(exist_ok=True)
    keys = {one.key for one in packed}
    for file in wheels.iterdir():
        if file.suffix != ".whl" or _key(file) not in keys or not target.fits(file):
            file.unlink()
    options = ["--implementation", "cp", *(f"--platform={name}" for name in target.platforms())]
    asked = set()
    for python in target.pythons():
        now = [one for one in packed if target.needs(one.marker, python) and one not in asked and one.name not in BUILT]
        asked |= {*now}
        _pip("download", now, wheels, target, ["--only-binary=:all:", "--python-version", python, *options])
    there = {*map(_key, wheels.glob("*.whl"))}
    _pip("wheel", [one for one in packed if one.name in BUILT and one.key not in there], wheels, target, [])
    found = {_key(file): file for file in wheels.glob("*.whl")}
    for one in packed:
        if not target.fits(found[one.key]):  # one that was built here
            raise UserError(f"{one.name} {one.version} has no wheel, and the one built here fits this machine alone.")
    lines = [one.line(f"--hash=sha256:{paths.sha256(found[one.key])}", marker=True) for one in packed]
    paths.write(folder / manifest.REQUIREMENTS, "".join(f"{line}\n" for line in lines))


def _key(wheel: Path) -> tuple[str, str]:
    name, version, *_ = utils.parse_wheel_filename(wheel.name)
    return name, str(version)


def _pip(command: str, packages: list[Locked], wheels: Path, target: Target, options: list[str]) -> None:
    """Run `pip download` or `pip wheel`, which checks the lock's SHA-256, and goes on with what lies there already."""
    if not packages:
        return
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "requirements.txt"
        file.write_text("".join(f"{one.line()}\n" for one in packages), encoding="utf-8")
        place = ["--dest" if command == "download" else "--wheel-dir", str(wheels)]
        general = [
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
            "--requirement",
            str(file),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "pip", command, *general, *place, *options], capture_output=True, text=True
        )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        reason = redaction.clean(" ".join(lines[-3:]))
        raise UserError(
            f"pip could not fetch the packages for Python {target.python} on {target.platform}: {reason}. Check the "
            "network, BUNDLE_PYTHON and BUNDLE_PLATFORM: not every package has a wheel for each."
        )
