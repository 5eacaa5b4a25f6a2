import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib.bundle import manifest, parts, unpack
from lib.core import paths
from lib.core.errors import UserError

LEFT = "python-dateutil"  # a package of this Python, whose module has another name


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def again(bundle, **about):
    """Writes the manifest anew, with other values."""
    listed = manifest.read(bundle)
    return manifest.write(bundle, {name: value for name, value in listed.items() if name != "files"} | about)


def prints(environment, code):
    command = [environment / "bin" / "python", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", check=True).stdout.split()


def test_an_environment_is_made_from_the_wheels_and_the_cache_is_filled(bundle, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    cut = parts.cut(bundle, 500)
    shutil.rmtree(bundle)
    unpack.unpack(cut, tmp_path / "env")
    code = "import tiny_one, lib; print(tiny_one.version, lib.__file__)"
    assert prints(tmp_path / "env", code) == ["1.0", str(paths.ROOT / "lib" / "__init__.py")]
    assert (cache / "packages" / "texts.tgz").read_bytes() == b"0123456789" * 30
    assert (cache / "mark.complete").is_file()
    assert (cache / paths.CACHE_MARK).is_file()
    with pytest.raises(subprocess.CalledProcessError):
        prints(tmp_path / "env", "import dateutil")

    # A newer bundle leaves a package to this Python, and a file of the cache was damaged meanwhile.
    (cache / "packages" / "texts.tgz").write_bytes(b"x" * 300)
    again(cut, left={LEFT: ["9.9", "9.8"], "nbconvert": ["1", "1"]})
    unpack.unpack(cut, tmp_path / "env")
    found = prints(tmp_path / "env", "import dateutil, tiny_one; print(dateutil.__file__, tiny_one.__file__)")
    assert [Path(file).is_relative_to(tmp_path / "env") for file in found] == [False, True]
    assert (cache / "packages" / "texts.tgz").read_bytes() == b"0123456789" * 30
    templates = tmp_path / "env" / unpack.TEMPLATES
    assert templates.resolve() == (Path(sys.prefix) / unpack.TEMPLATES).resolve()

    # The next one packs it again.
    again(cut, left={})
    unpack.unpack(cut, tmp_path / "env")
    assert not templates.exists()


def test_a_wheel_that_is_not_the_lock_s_is_not_installed(bundle, cache, tmp_path):
    (bundle / manifest.REQUIREMENTS).write_text(f"tiny-one==1.0 --hash=sha256:{'0' * 64}\n")
    again(bundle)
    with pytest.raises(UserError, match=r"pip could not install the bundle's packages: .*"):
        unpack.unpack(bundle, tmp_path / "env")
    assert not cache.exists()


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"python": "3.9"}, "was made for Python 3.9 on Linux.*BUNDLE_PYTHON"),
        ({"machine": "riscv"}, "on Linux, riscv; .* is Python 3"),
        ({"lock_sha256": "0", "commit": "0123456789abcdef"}, "another requirements/cpu.txt.*commit 0123456789ab here"),
        ({"lock": "none"}, "another requirements/none.txt"),
        ({"left": {"no-such-one": ["1", "1"]}}, "leaves no-such-one to this machine, but .* does not have it"),
    ],
)
def test_a_bundle_for_another_machine_or_version_is_refused_before_anything_is_made(
    bundle, cache, tmp_path, other, told
):
    again(bundle, **other)
    with pytest.raises(UserError, match=told):
        unpack.unpack(bundle, tmp_path / "env")
    assert not (tmp_path / "env").exists()


def test_a_package_that_was_listed_without_a_version_is_not_looked_for(bundle):
    unpack.check_machine(again(bundle, left={"no-such-one": ["1", ""], LEFT: ["1", "1"]}))


def test_make_is_told_the_lock_the_profile_and_a_name_that_changes_with_the_bundle(bundle, capsys):
    assert unpack.main([str(bundle), "--about"]) == 0
    lock, profile, name = capsys.readouterr().out.split()
    assert (lock, profile, len(name)) == ("cpu", "smoke", 12)
    again(bundle, commit="1")
    assert unpack.about(bundle).split()[2] != name


@pytest.mark.parametrize("arguments", [["--about"], ["--environment", "env"]])
def test_a_bundle_that_is_not_there_is_told_in_a_line(tmp_path, arguments, capsys):
    assert unpack.main([str(tmp_path / "none"), *arguments]) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert told.startswith("error: BUNDLE is ") and "manifest.json cannot be read there" in told


def test_it_needs_python_alone(bundle):
    command = [sys.executable, "-S", "-m", "lib.bundle.unpack", str(bundle), "--about"]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
