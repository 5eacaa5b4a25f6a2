import shutil

import pytest

from lib.bundle import manifest, parts
from lib.core.errors import UserError


def contents(folder, listed):
    return {entry["name"]: (folder / entry["name"]).read_bytes() for entry in listed["files"]}


@pytest.mark.parametrize("size", [1, 7, 299, 300, 10_000])
def test_parts_have_the_given_size_and_are_joined_to_the_same_files(bundle, size):
    before = manifest.read(bundle)
    cut = parts.cut(bundle, size)
    listed = manifest.read(cut)
    assert cut == bundle.with_name("bundle.parts")
    names = [file.name for file in sorted(cut.glob("bundle.part-*"), key=lambda file: (len(file.name), file.name))]
    assert names == [part["name"] for part in listed["parts"]]
    sizes = [part["size"] for part in listed["parts"]]
    total = sum(entry["size"] for entry in before["files"])
    assert sum(sizes) == total and {*sizes[:-1]} <= {size} and 0 < sizes[-1] <= size
    expected = contents(bundle, before)
    shutil.rmtree(bundle)
    parts.join(cut, listed)
    manifest.check(cut, listed["files"])
    assert contents(cut, listed) == expected


def test_parts_of_an_older_bundle_are_removed(bundle):
    parts.cut(bundle, 10)
    parts.join(parts.folder_of(bundle), manifest.read(parts.folder_of(bundle)))
    cut = parts.cut(bundle, 400)
    assert not (cut / manifest.CACHE).exists()
    assert len(list(cut.glob("bundle.part-*"))) == len(manifest.read(cut)["parts"]) < 5


def test_a_folder_that_holds_other_things_is_left_alone(bundle):
    folder = parts.folder_of(bundle)
    folder.mkdir()
    (folder / "letter").touch()
    with pytest.raises(UserError, match=r"bundle.parts is to hold the parts, but holds other things"):
        parts.cut(bundle, 400)
    assert (folder / "letter").exists()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: file.unlink(), "bundle.part-001 is missing"),
        (lambda file: file.write_bytes(b"short"), "bundle.part-001 is damaged: it has 5 bytes, not 200"),
        (lambda file: file.write_bytes(b"x" * 200), "bundle.part-001 is damaged: its SHA-256"),
    ],
)
def test_a_part_that_is_missing_or_damaged_is_named_and_nothing_is_joined(bundle, damage, told):
    cut = parts.cut(bundle, 200)
    damage(cut / "bundle.part-001")
    with pytest.raises(UserError, match=told):
        parts.join(cut, manifest.read(cut))
    assert not (cut / manifest.CACHE).exists()


def test_what_is_joined_needs_its_parts_no_more(bundle):
    cut = parts.cut(bundle, 200)
    parts.join(cut, manifest.read(cut))
    for part in cut.glob("bundle.part-*"):
        part.unlink()
    parts.join(cut, manifest.read(cut))
    (cut / manifest.REQUIREMENTS).unlink()
    with pytest.raises(UserError, match=r"bundle.part-000 is missing"):
        parts.join(cut, manifest.read(cut))


def test_a_bundle_that_was_not_cut_has_nothing_to_join(bundle):
    (bundle / manifest.REQUIREMENTS).unlink()
    parts.join(bundle, manifest.read(bundle))
    assert manifest.missing(bundle, manifest.read(bundle)["files"]) == [manifest.REQUIREMENTS]


def test_a_bundle_without_a_byte_is_cut_into_no_part_and_joined(tmp_path, about):
    for name in (manifest.WHEELS, manifest.CACHE):
        (tmp_path / "bundle" / name).mkdir(parents=True)
    (tmp_path / "bundle" / manifest.REQUIREMENTS).touch()
    manifest.write(tmp_path / "bundle", about)
    cut = parts.cut(tmp_path / "bundle", 10)
    parts.join(cut, manifest.read(cut))
    assert (cut / manifest.REQUIREMENTS).read_bytes() == b""
