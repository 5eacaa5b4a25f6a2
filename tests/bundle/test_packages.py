import io
import sys
import tarfile

import pytest

from lib.bundle import manifest, packages
from lib.core import paths
from lib.core.errors import UserError

LOCK = """\
always==1.0 \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via
    #   another
mac==1 ; sys_platform == 'darwin' \\
    --hash=sha256:02
two-step==2.0 ; python_full_version < '3.11.5' \\
    --hash=sha256:03
two-step==3.0 ; python_full_version >= '3.11.5' \\
    --hash=sha256:04
Upper_Case==1.0 ; python_full_version == '3.12.*' and platform_machine == 'x86_64' \\
    --hash=sha256:05
"""


@pytest.fixture
def lock(tmp_path):
    file = tmp_path / "lock.txt"
    file.write_text(LOCK)
    return packages.read_lock(file)


def chosen(lock, python, platform="linux_x86_64", there=None):
    packed, left = packages.choose(lock, packages.Target(python, platform), there or {})
    return [f"{one.name} {one.version}" for one in packed], left


def test_a_package_is_packed_where_its_marker_holds_on_the_target_not_here(lock):
    assert chosen(lock, "3.12")[0] == ["always 1.0", "two-step 3.0", "upper-case 1.0"]
    assert chosen(lock, "3.12", "linux_aarch64")[0] == ["always 1.0", "two-step 3.0"]
    assert chosen(lock, "3.13")[0] == ["always 1.0", "two-step 3.0"]
    assert chosen(lock, "3.11.2")[0] == ["always 1.0", "two-step 2.0"]


def test_where_the_last_number_of_python_matters_and_is_not_known_both_are_packed(lock):
    assert chosen(lock, "3.11")[0] == ["always 1.0", "two-step 2.0", "two-step 3.0"]


def test_what_the_target_has_is_left_to_it_and_told_those_that_differ_first(lock):
    packed, left = chosen(lock, "3.12", there={"always": "1.0", "two-step": "2.5", "upper-case": "", "other": "9"})
    assert packed == []
    assert left == {"always": ["1.0", "1.0"], "two-step": ["3.0", "2.5"], "upper-case": ["1.0", ""]}
    assert packages.told(left) == [
        "warning: two-step 2.5 is left to the target; the lock has 3.0, with which this was tested",
        "always 1.0 is left to the target; the lock has 1.0",
        "upper-case (version not known) is left to the target; the lock has 1.0",
    ]


@pytest.mark.parametrize("name", ["cpu", "gpu"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_project_s_own_locks_are_read(name, python):
    lock = packages.read_lock(paths.ROOT / "requirements" / f"{name}.txt")
    assert all(one.hashes.startswith("--hash=sha256:") for one in lock)
    packed, _ = packages.choose(lock, packages.Target(python, "linux_x86_64"), {})
    names = {one.name for one in packed}
    assert {"jax", "jaxlib", "tensorflow", "setuptools", *packages.BUILT} <= names
    assert not {"appnope", "pywinpty"} & names
    assert any(name.startswith("nvidia-") for name in names) == (name == "gpu")


@pytest.mark.parametrize(
    ("python", "platform", "told"),
    [
        ("3.10", "linux_x86_64", "BUNDLE_PYTHON is '3.10'; allowed are 3.11, 3.12, 3.13"),
        ("python3.12", "linux_x86_64", "BUNDLE_PYTHON"),
        ("3.12", "win_amd64", "BUNDLE_PLATFORM is 'win_amd64'; allowed are linux_x86_64"),
    ],
)
def test_a_target_that_there_is_not_is_refused(python, platform, told):
    with pytest.raises(UserError, match=told):
        packages.Target(python, platform)


def test_newer_wheels_than_the_target_s_glibc_do_not_fit():
    names = packages.Target("3.12", "linux_x86_64").platforms()
    assert names[0] == "manylinux_2_28_x86_64" and names[-1] == "linux_x86_64"
    assert {"manylinux2014_x86_64", "manylinux1_x86_64"} <= {*names}
    older = packages.Target("3.12", "manylinux_2_17_aarch64").platforms()
    assert older[:2] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]


@pytest.fixture
def index(tmp_path, monkeypatch):
    """pip's only source: a folder."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return folder


def locked(file, name, version="1.0", marker=""):
    return packages.Locked(name, version, marker, f"--hash=sha256:{paths.sha256(file)}")


def fetch(packed, folder, python="3.13"):
    folder.mkdir(exist_ok=True)
    packages.fetch(packed, packages.Target(python, "linux_x86_64"), folder)
    return sorted(file.name for file in (folder / manifest.WHEELS).iterdir())


def test_wheels_are_fetched_for_another_python_and_checked_and_listed(index, wheel, tmp_path):
    pure = wheel(index, "pure_one")
    binary = wheel(index, "binary", tag="cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64")
    wheel(index, "binary", tag="cp311-cp311-manylinux_2_17_x86_64")
    wheel(index, "binary", tag="cp313-cp313-manylinux_2_38_x86_64")
    packed = [locked(pure, "pure-one", marker="python_version > '3.12'"), locked(binary, "binary")]
    assert fetch(packed, tmp_path / "bundle") == [binary.name, pure.name]
    assert (tmp_path / "bundle" / manifest.REQUIREMENTS).read_text().splitlines() == [
        f"pure-one==1.0 ; python_version > '3.12' --hash=sha256:{paths.sha256(pure)}",
        f"binary==1.0 --hash=sha256:{paths.sha256(binary)}",
    ]


def test_what_lies_there_is_kept_if_it_is_asked_for_and_right(index, wheel, tmp_path):
    file, wheels = wheel(index, "pure_one"), tmp_path / "bundle" / manifest.WHEELS
    wheel(wheels, "pure_one", version="0.9")
    wheel(wheels, "gone")
    wheel(wheels, "pure_one", tag="cp311-cp311-manylinux_2_17_x86_64")
    assert fetch([locked(file, "pure-one")], tmp_path / "bundle") == [file.name]
    kept = (wheels / file.name).stat().st_mtime_ns
    index.rename(tmp_path / "away")
    index.mkdir()
    wheel(index, "unused")
    (tmp_path / "away" / file.name).rename(index / file.name)
    assert fetch([locked(file, "pure-one")], tmp_path / "bundle") == [file.name]
    assert (wheels / file.name).stat().st_mtime_ns == kept
    (wheels / file.name).write_bytes(b"cut off")
    assert fetch([locked(file, "pure-one")], tmp_path / "bundle") == [file.name]
    assert paths.sha256(wheels / file.name) == paths.sha256(file)


def test_another_file_than_the_lock_s_and_a_missing_wheel_are_told(index, wheel, tmp_path):
    wrong = packages.Locked("pure-one", "1.0", "", f"--hash=sha256:{'0' * 64}")
    wheel(index, "pure_one")
    with pytest.raises(UserError, match=r"pip could not fetch the packages for Python 3.13 on linux_x86_64: "):
        fetch([wrong], tmp_path / "bundle")
    other = locked(wheel(index, "binary", tag="cp311-cp311-manylinux_2_17_x86_64"), "binary")
    with pytest.raises(UserError, match=r"No matching distribution found for binary==1.0. Check the network, BUNDLE"):
        fetch([other], tmp_path / "bundle")


def sdist(folder, setup):
    """A source package, which has no wheel."""
    file = folder / "made-1.0.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        for name, content in {"setup.py": setup, "made.py": "", "PKG-INFO": "Name: made\nVersion: 1.0\n"}.items():
            info = tarfile.TarInfo(f"made-1.0/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
    return file


def test_a_package_without_a_wheel_is_built_if_it_is_pure(index, tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "BUILT", ("made",))
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip reads it so: no isolation
    setup = "import setuptools; setuptools.setup(name='made', version='1.0', py_modules=['made']{})"
    file = sdist(index, setup.format(""))
    assert fetch([locked(file, "made")], tmp_path / "bundle") == ["made-1.0-py3-none-any.whl"]
    file = sdist(index, setup.format(", has_ext_modules=lambda: True"))
    with pytest.raises(UserError, match=r"made 1.0 has no wheel"):
        fetch([locked(file, "made")], tmp_path / "other", "3.12" if sys.version_info[:2] != (3, 12) else "3.13")
