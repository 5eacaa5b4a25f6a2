import json

import pytest

from lib.bundle import manifest
from lib.core.errors import UserError

TEXTS = "cache/packages/texts.tgz"


def test_every_file_is_listed_with_size_and_sha256_and_nothing_else(bundle):
    (bundle / "letter").touch()
    listed = manifest.read(bundle)
    names = ["cache/mark.complete", TEXTS, "requirements.txt", "wheels/tiny_one-1.0-py3-none-any.whl"]
    assert manifest.contents(bundle) == [entry["name"] for entry in listed["files"]] == names
    digest = "ba6ab297dbb2bcbc66d54fb768e01920acb58b5552455834f4563807cbd46efb"
    assert listed["files"][1] == {"name": TEXTS, "size": 300, "sha256": digest}
    manifest.check(bundle, listed["files"])
    assert manifest.missing(bundle, listed["files"]) == []


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: file.unlink(), "texts.tgz is missing"),
        (lambda file: file.write_bytes(b"0123"), "texts.tgz is damaged: it has 4 bytes, not 300"),
        (lambda file: file.write_bytes(b"x" * 300), "texts.tgz is damaged: its SHA-256 is not the one in manifest"),
    ],
)
def test_a_missing_or_damaged_file_is_named(bundle, damage, told):
    damage(bundle / TEXTS)
    with pytest.raises(UserError, match=told):
        manifest.check(bundle, manifest.read(bundle)["files"])


def test_a_folder_that_is_no_bundle_is_told(tmp_path):
    with pytest.raises(UserError, match=r"manifest.json cannot be read there: No such file"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("content", ["", '{"format": 1, "fil', "[]", "{}", b"\xff\xfe"])
def test_a_manifest_that_is_damaged_is_told(bundle, content):
    (bundle / manifest.FILE).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=r"manifest.json is cut off or damaged"):
        manifest.read(bundle)


def test_a_manifest_of_another_version_of_the_project_is_told(bundle):
    (bundle / manifest.FILE).write_text(json.dumps(manifest.read(bundle) | {"format": 99}))
    with pytest.raises(UserError, match="has the format 99; this version of the project reads 1"):
        manifest.read(bundle)
