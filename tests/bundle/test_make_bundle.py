"""`make bundle` as a whole, but for what other tests show: which packages, models and texts there are to fetch."""

import pytest

from lib.bundle import __main__ as bundles
from lib.bundle import manifest
from lib.core import paths


@pytest.fixture
def have(tmp_path):
    """A list of all packages of the lock, with one that is newer."""
    text = (paths.ROOT / "requirements" / "cpu.txt").read_text()
    names = [line.split("==")[0] for line in text.splitlines() if line[:1].isalpha()]
    file = tmp_path / "list.txt"
    file.write_text("\n".join(name for name in names if name != "jax") + "\njax==99.0\n")
    return file


@pytest.fixture
def fetching(monkeypatch):
    """Replaces what fetches the model and the texts by a command."""

    def use(code):
        monkeypatch.setattr(bundles, "FETCH", ["sh", "-c", code])

    use('echo "profile $0"; echo text > "$REPORT_CACHE/text"')
    return use


def test_a_bundle_tells_what_it_is_for_and_what_it_leaves(tmp_path, have, fetching, capfd):
    folder = tmp_path / "bundle"
    arguments = [str(folder), "--profile", "smoke", "--python", "3.13", "--have", str(have)]
    assert bundles.main(arguments) == 0
    told = capfd.readouterr().out
    assert "warning: jax 99.0 is left to the target; the lock has 0." in told
    assert "profile smoke" in told
    listed = manifest.read(folder)
    assert (listed["profile"], listed["lock"], listed["python"], listed["machine"]) == (
        "smoke",
        "cpu",
        "3.13",
        "x86_64",
    )
    assert listed["left"]["jax"][1] == "99.0" and listed["packages"] == {}
    assert [entry["name"] for entry in listed["files"]] == ["cache/text", "requirements.txt"]
    assert bundles.main([*arguments, "--part", "0.000002"]) == 0
    assert [part["size"] for part in manifest.read(tmp_path / "bundle.parts")["parts"]] == [2, 2, 1]


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path, have, fetching, capsys):
    (tmp_path / "letter").touch()
    assert bundles.main([str(tmp_path), "--have", str(have)]) == 2
    assert "which holds other things. Name a new folder." in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letter", "list.txt"]


@pytest.mark.parametrize(
    ("code", "told"),
    [("echo noise >&2; echo error: no hub >&2; exit 2", "error: no hub\n"), ("echo a >&2; exit 1", "a\n\n")],
)
def test_what_cannot_be_fetched_ends_it_and_leaves_no_bundle(tmp_path, have, fetching, capsys, code, told):
    arguments = [str(tmp_path / "bundle"), "--have", str(have)]
    assert bundles.main(arguments) == 0
    fetching(code)
    capsys.readouterr()
    assert bundles.main(arguments) == int(code[-1])
    assert capsys.readouterr().err == told
    assert not (tmp_path / "bundle" / manifest.FILE).exists()


@pytest.mark.parametrize("part", ["0", "-1", "x", "nan", "inf"])
def test_a_part_of_no_size_is_refused(part, capsys):
    with pytest.raises(SystemExit):
        bundles.main(["bundle", "--part", part])
    assert f"PART is {part!r}; it must be a number of MB above 0" in capsys.readouterr().err
