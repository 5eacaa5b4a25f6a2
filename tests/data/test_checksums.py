import pytest

from lib.data import checksums


def test_a_folder_with_a_record_shows_what_is_missing_cut_off_or_changed(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    file = folder / "inner" / "春.json"
    for change, told in (
        (lambda: file.unlink(), "inner/春.json is missing"),
        (lambda: file.write_text("1"), "inner/春.json has 1 bytes, not 2"),
        (lambda: file.write_text("13"), "the SHA-256 of inner/春.json has changed"),
    ):
        file.write_text("12")
        checksums.record(folder)
        assert checksums.problem(folder) == ""
        change()
        assert checksums.problem(folder).startswith(told)
        assert checksums.problem(folder) == ""  # a record that does not match is removed


@pytest.mark.parametrize("content", ["", '{"a": [1, "', "[]", '{"a": 3}', '{"a": []}', "[" * 30000])
def test_a_record_that_is_damaged_is_made_anew(monkeypatch, tmp_path, content):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("12")
    checksums.record(folder)
    (kept,) = (tmp_path / "cache" / "checksums").iterdir()
    whole = kept.read_text()
    kept.write_text(content)
    assert checksums.problem(folder) == ""
    checksums.record(folder)
    assert kept.read_text() == whole
