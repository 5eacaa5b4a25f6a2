import codecs

import pytest

from lib.claims import post
from lib.core import paths, yaml_files
from lib.core.errors import UserError
from lib.evaluation import post_texts
from lib.report import wording


def refused(text):
    """The line that says why a text is refused."""
    with pytest.raises(UserError) as error:
        yaml_files.parse(text, "a.yaml")
    told = str(error.value)
    assert told.startswith("a.yaml") and len(told.splitlines()) == 1 and len(told) < 340
    told.encode()  # it can be printed
    return told


@pytest.fixture
def file(tmp_path):
    return tmp_path / "a.yaml"


def test_a_name_that_is_given_twice_is_told_with_both_lines():
    told = refused("k: 5\nseed: 1\n# again\nk: 7\n")
    assert told == "a.yaml: k is given twice, in lines 1 and 4. Keep one of them."
    assert "b is given twice, in lines 2 and 3" in refused("a:\n  b: 1\n  'b': 2\n")
    assert "a is given twice, in line 1. " in refused("[{a: 1, a: 1}]")
    assert "… is given twice" in refused(f"? {'y' * 900}\n: 1\n? {'y' * 900}\n: 2\n")


def test_a_name_may_take_the_place_of_one_that_is_merged_in():
    text = "usual: &usual {k: 5, seed: 1}\nown:\n  <<: *usual\n  k: 7\n"
    assert yaml_files.parse(text, "a.yaml")["own"] == {"k": 7, "seed": 1}
    both = "[&a {k: 5}, &b {seed: 1}, {<<: [*a, *b], n: 2}]"
    assert yaml_files.parse(both, "a.yaml")[2] == {"k": 5, "seed": 1, "n": 2}
    assert "<< is given twice" in refused("[&a {k: 5}, &b {seed: 1}, {<<: *a, <<: *b}]")


@pytest.mark.parametrize(
    ("text", "name"),
    [("on: 1", "the name on"), ("1: 2", "the name 1"), ("? [a]\n: b", "a name"), ("? {a: b}\n: c", "a name")],
)
def test_a_name_is_a_text(text, name):
    assert f"a.yaml: {name} in line 1 is not a text to YAML. Put it in quotes" in refused(text)


@pytest.mark.parametrize("encoding", ["gb18030", "latin-1"])
def test_another_encoding_is_told_with_the_line(file, encoding):
    text = "# one\nk: 5\n\nprompt: é à 我爱中国\n" if encoding == "gb18030" else "# one\nk: 5\n\nprompt: à é\n"
    file.write_bytes(text.encode(encoding))
    with pytest.raises(UserError) as error:
        yaml_files.read(file)
    assert str(error.value) == "a.yaml is not UTF-8 (line 4). Save it as UTF-8."


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_told(file, encoding):
    file.write_bytes("prompt: My trip was\n".encode(encoding))
    with pytest.raises(UserError) as error:
        yaml_files.read(file)
    assert str(error.value) == "a.yaml is not UTF-8; it looks like UTF-16. Save it as UTF-8."


def test_a_byte_order_mark_and_line_ends_of_windows_do_not_matter(file):
    file.write_bytes(codecs.BOM_UTF8 + "k: 5\r\nprompt: 我爱中国\r\n".encode())
    assert yaml_files.read(file) == {"k": 5, "prompt": "我爱中国"}


def test_a_file_that_cannot_be_read_is_told(file, tmp_path):
    with pytest.raises(UserError, match=r"a\.yaml cannot be read: No such file"):
        yaml_files.read(file)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        yaml_files.read(tmp_path)


def test_an_emoji_as_a_pair_of_escapes_is_one_character():
    assert yaml_files.parse(r'{"\ud83d\ude00": "a \ud83d\ude00 b"}', "a.yaml") == {"😀": "a 😀 b"}
    assert yaml_files.parse(r'"\ud83d"', "a.yaml") == "\ud83d"  # which `parameters` refuses, with the name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b\nk: " + "1" * 5000, "'… in line 2 is too long a number"),
        ("k: 0" + "7" * 5000, "is too long a number"),
        ("a: b\nk: 2024-13-45", "2024-13-45 in line 2 is no date that there is"),
        ("k: 2024-01-01 25:00:00", "is no date that there is"),
        ("k: !!python/object:os.system x", "the tag !!python/object:os.system in line 1 is not allowed"),
        ("k: !!int ''", "the tag !!int"),
        ("k: ! x", "the tag ! in line 1"),
        ("k: &a [1, *a]", "*a in line 1 contains itself"),
        ("k: &a {<<: *a}", "*a in line 1 contains itself"),
        ("[" * 3000, "nest too deeply (line 1)"),
        ("[" * 3000 + "]" * 3000, "nest too deeply"),
        ("- " * 3000, "nest too deeply"),
        ("a: b\nk: a\0b", "line 2 holds the character U+0000"),
        ('a: b\nk: "\\U00110000"', "line 2 has a number that is too large"),
        ("k: \ud83d", "line 1 holds the character U+D83D"),
        ("a: [1, 2", "not valid YAML (line 1): expected ',' or ']'"),
        ("a: b: c", "must be in quotes"),
        ("k: *" + "x" * 5000, "found undefined alias"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("<<: 3", "expected a mapping"),
    ],
)
def test_what_pyyaml_breaks_off_at_is_one_line(text, told):
    assert told in refused(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: 010", "010 in line 1 is 8 to YAML, which counts in eights"),
        ("steps: -0_17", "-0_17 in line 1 is -15 to YAML"),
        ("prompt: 12:30", "12:30 in line 1 is 750 to YAML, which counts in sixties"),
        ("prompt: 1:30.5", "1:30.5 in line 1 is 90.5 to YAML"),
    ],
)
def test_a_number_that_yaml_reads_otherwise_than_people_is_refused(text, told):
    assert told in refused(text)


def test_other_numbers_are_what_they_look_like():
    text = "[0, 007, 08, 0x10, 1_000, 1.5, '010', '12:30', =, <<, 2024-01-05x]"
    read = yaml_files.parse(text, "a.yaml")
    assert read == [0, 7, "08", 16, 1000, 1.5, "010", "12:30", "=", "<<", "2024-01-05x"]
    assert yaml_files.parse("", "a.yaml") is None


def test_a_value_is_shown_on_one_line_and_cut():
    assert yaml_files.shown("one\ntwo") == r"'one\ntwo'"
    assert yaml_files.shown("x" * 60) == repr("x" * 60)
    assert yaml_files.shown("x" * 61) == f"'{'x' * 60}'…"
    assert yaml_files.shown("x" * 61, 40) == f"'{'x' * 40}'…"
    nested = ["x" * 50]
    for _ in range(30):
        nested = [nested] * 10
    for value in ("\u202e\ud83d" * 100, list(range(1000)), {"a": "x" * 1000}, 10**4000, 16**5000, nested):
        text = yaml_files.shown(value)
        assert len(text) <= 63 and "…" in text and text.isprintable()


def test_the_files_of_the_project_are_read_so(monkeypatch):
    read = []

    def parse(text, where):
        read.append(where)
        return {"holtzman": {"rows": []}} if where.startswith("experiments/") else {}

    monkeypatch.setattr(yaml_files, "parsed", parse)
    post.blog_post()
    post_texts.published([])
    wording.templates.__wrapped__()
    sentences = [
        f"lib/report/sentences/{file.name}" for file in sorted((paths.ROOT / "lib/report/sentences").iterdir())
    ]
    assert read == ["experiments/blog_post.yaml", "experiments/published.yaml", *sentences]


def test_what_is_read_is_the_reader_s_own_and_what_was_edited_is_read_again(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("steps: [1, 2]")
    yaml_files.read(file)["steps"].append(3)
    assert yaml_files.read(file) == {"steps": [1, 2]}
    file.write_text("steps: [4]")
    assert yaml_files.read(file) == {"steps": [4]}
