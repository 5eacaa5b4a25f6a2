import hashlib
import json
import re
import shutil

import numpy as np
import pytest

from lib.core.errors import UserError
from lib.data import downloads, tang_poems
from lib.data.tang_poems import load_tang_poetry

SPRING = ["春眠不覺曉，處處聞啼鳥。", "夜來風雨聲，花落知多少。"]
LONG = ["白日黃沙深處渡，白霞濃淨暮晴沙。", "曾解風光滿處沙，春眠不覺曉時暮。"]


def poem(*paragraphs, author="孟浩然", title="春曉"):
    return {"author": author, "title": title, "paragraphs": list(paragraphs), "id": "x"}


@pytest.fixture
def poems(tmp_path):
    """A folder laid out like the collection's, with all that must not be read or kept."""
    (tmp_path / "error").mkdir()
    song = [poem("宋人之作非唐詩，不應出現在其中。")]
    for name in ("poet.song.0.json", "error/poet.tang.0.json", "authors.tang.json"):
        (tmp_path / name).write_text(json.dumps(song, ensure_ascii=False), encoding="utf-8")
    first = [poem(*SPRING), poem(), poem("冰□已鏤津，綬吐芽猶嫩。"), poem(*SPRING)]
    second = [poem("童子解吟《長恨曲》，胡兒能唱[琵]琶篇（一作歌）。"), poem(*LONG), poem("1，2。")]
    (tmp_path / "poet.tang.1000.json").write_text(json.dumps(second, ensure_ascii=False), encoding="utf-8")
    (tmp_path / "poet.tang.0.json").write_text(json.dumps(first, ensure_ascii=False), encoding="utf-8")
    return tmp_path


def test_tang_poems_are_sorted_cleaned_and_counted(poems):
    corpus = load_tang_poetry(str(poems))
    assert corpus.texts == ["".join(SPRING), "童子解吟長恨曲，胡兒能唱琵琶篇。", "".join(LONG)]
    assert corpus.titles[0] == "孟浩然：春曉"
    assert {reason: count for reason, count in corpus.counts.items() if count} == {
        "found": 7,
        "dropped: no text": 1,
        "dropped: lost text, as the editors note": 1,
        "dropped: stray characters": 1,
        "dropped: duplicate": 1,
        "kept": 3,
    }


def test_a_poem_with_the_characters_of_another_one_is_a_duplicate_whatever_its_marks(poems):
    again = [poem("春眠不覺曉？處處聞啼鳥。", "夜來風雨聲，花落知多少？")]
    (poems / "poet.tang.2000.json").write_text(json.dumps(again, ensure_ascii=False), encoding="utf-8")
    assert load_tang_poetry(str(poems)).counts["dropped: duplicate"] == 2


@pytest.mark.parametrize(
    ("paragraphs", "counted"),
    [
        (["梧桐三寸葉，楊柳一尋枝。", "（見《詩話》。", "同上）。"], "number of couplets"),  # a half is no quatrain
        (["世業重籯金，青春映士林，", "兄弟二曾參，山銜晉國深。"], "marks out of place"),
        (["白髮不由己，黃金留待誰？", "山中多白雲，只可自怡悅悅。"], "length of clauses"),
    ],
)
def test_what_does_not_have_the_form_asked_for_is_counted_by_the_reason(tmp_path, paragraphs, counted):
    (tmp_path / "poet.tang.0.json").write_text(json.dumps([poem(*SPRING), poem(*paragraphs)]), encoding="utf-8")
    corpus = load_tang_poetry(str(tmp_path), 2, 2, 5)
    assert corpus.texts == ["".join(SPRING)]
    assert corpus.counts[f"dropped: {counted}"] == 1


def test_every_poem_that_is_kept_is_whole(tmp_path):
    """An invariant: any mixture of verses, notes, gaps and lost marks leaves clauses that each have their one mark."""
    rng = np.random.default_rng(1)
    noise = ["（一作「曉」）", "（見《詩話》。", "同上）。", "[一]", "□", "「", "」", "。", "，"]

    def verse(mark):
        text = "".join(rng.choice(list("春眠不覺曉處聞啼鳥"), 5)) + mark
        place = rng.integers(7)
        return text[:place] + rng.choice(noise) + text[place:] if rng.random() < 0.2 else text

    entries = [poem(*(verse("，") + verse("。") for _ in range(rng.integers(1, 4)))) for _ in range(3000)]
    (tmp_path / "poet.tang.0.json").write_text(json.dumps(entries), encoding="utf-8")
    corpus = load_tang_poetry(str(tmp_path))
    assert len(corpus.texts) > 100
    assert sum(corpus.counts.values()) == 2 * corpus.counts["found"]
    for text in corpus.texts:
        assert re.fullmatch("(?:[春眠不覺曉處聞啼鳥]+[，。])+", text)
    regular = load_tang_poetry(str(tmp_path), 1, 1, 5).texts
    assert regular and all(re.fullmatch("[^，。]{5}，[^，。]{5}。", text) for text in regular)


def test_tang_poems_can_be_chosen_by_form(poems):
    chosen = load_tang_poetry(str(poems), min_couplets=2, clause_length=5)
    assert chosen.texts == ["".join(SPRING)]
    assert chosen.counts["dropped: number of couplets"] == 1
    assert chosen.counts["dropped: length of clauses"] == 1
    assert sum(chosen.counts.values()) == 2 * chosen.counts["found"]


def test_the_hash_is_that_of_the_cleaned_texts(poems):
    corpus = load_tang_poetry(str(poems))
    assert corpus.sha256 == hashlib.sha256("".join(text + "\0" for text in corpus.texts).encode()).hexdigest()


def test_the_npm_package_gives_its_tang_files_only(monkeypatch, tmp_path, pack):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path))
    content = json.dumps([poem(*SPRING)], ensure_ascii=False).encode()
    files = {f"package/dist/quantangshi/poet.tang.{index}000.json": content for index in range(58)}
    files |= {
        "package/dist/quantangshi/poet.song.0.json": content,
        "package/dist/quantangshi/error/poet.tang.0.json": content,
        "package/dist/songci/poet.tang.0.json": content,
    }
    tarball = pack(files)
    monkeypatch.setattr(downloads, "npm_tarball", lambda *arguments: tarball)
    corpus = load_tang_poetry("npm")
    assert corpus.counts["found"] == 58
    assert corpus.source == "npm package chinese-poetry 2.0.1"


def test_github_and_npm_yield_the_same_poems(monkeypatch, tmp_path, pack, commit):
    """The repository is one of this machine's, with the files of the package in it."""
    content = json.dumps([poem(*SPRING), poem(*LONG)], ensure_ascii=False).encode()
    repository = tmp_path / "repository"
    folder = repository / tang_poems.FOLDER
    (folder / "error").mkdir(parents=True)
    files = {f"poet.tang.{index}000.json": content for index in range(58)} | {"error/poet.tang.0.json": content}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    tarball = pack({f"package/dist/quantangshi/{name}": data for name, data in files.items()})
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tang_poems, "REPOSITORY", f"file://{repository}")
    monkeypatch.setattr(tang_poems, "COMMIT", commit(repository))
    monkeypatch.setattr(downloads, "reachable", lambda address: True)
    monkeypatch.setattr(downloads, "npm_tarball", lambda *arguments: tarball)
    from_github, from_npm = load_tang_poetry("auto"), load_tang_poetry("npm")
    assert from_github.source.startswith("GitHub chinese-poetry/chinese-poetry at ")
    assert from_github.sha256 == from_npm.sha256
    assert from_github.counts == from_npm.counts
    assert from_github.counts["found"] == 116


def test_poems_that_were_damaged_in_the_cache_are_unpacked_again(monkeypatch, tmp_path, pack):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    content = json.dumps([poem(*SPRING)], ensure_ascii=False).encode()
    files = {f"package/dist/quantangshi/poet.tang.{index}000.json": content for index in range(58)}
    tarball = pack(files)
    monkeypatch.setattr(downloads, "npm_tarball", lambda *arguments: tarball)
    first = load_tang_poetry("npm")
    (tmp_path / "cache" / "tang-poetry-npm" / "poet.tang.5000.json").write_bytes(content[:-5])
    assert load_tang_poetry("npm").sha256 == first.sha256
    shutil.rmtree(tmp_path / "cache" / "tang-poetry-npm")
    assert load_tang_poetry("npm").sha256 == first.sha256


@pytest.mark.parametrize(
    ("content", "told"), [('[{"author": ', "is cut off or not JSON"), ('[{"author": "x"}]', "not a list of poems")]
)
def test_a_file_of_poems_that_cannot_be_read_is_told(poems, content, told):
    (poems / "poet.tang.0.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=told) as error:
        load_tang_poetry(str(poems))
    assert "poet.tang.0.json" in str(error.value)


def test_files_of_a_reader_s_own_are_read_after_the_numbered_ones_and_a_byte_order_mark_is_left_out(tmp_path):
    named = {"2000": LONG, "10000": SPRING, "mine": ["山中多白雲，只可自怡悅。"], "0 (1)": SPRING}
    for name, paragraphs in named.items():
        content = json.dumps([poem(*paragraphs)], ensure_ascii=False)
        (tmp_path / f"poet.tang.{name}.json").write_text(content, encoding="utf-8-sig")
    (tmp_path / "poet.tang.9.json").mkdir()
    (tmp_path / "poet.tang.8.json").symlink_to(tmp_path / "nowhere")
    corpus = load_tang_poetry(str(tmp_path))
    assert corpus.texts == ["".join(LONG), "".join(SPRING), "山中多白雲，只可自怡悅。"]
    assert corpus.counts["dropped: duplicate"] == 1  # what a browser saved a second time


def test_half_an_emoji_in_a_title_is_replaced(tmp_path):
    (tmp_path / "poet.tang.0.json").write_text(json.dumps([poem(*SPRING, title="t\ud83d")]))
    assert load_tang_poetry(str(tmp_path)).titles == ["孟浩然：t?"]


def test_auto_takes_npm_where_github_cannot_be_reached(monkeypatch, no_network):
    def none(*arguments):
        raise UserError("npm is not installed.")

    monkeypatch.setattr(downloads, "npm_tarball", none)
    with pytest.raises(UserError) as error:
        load_tang_poetry("auto")
    for part in ("poems_source is 'auto'", "GitHub: it cannot be reached", "npm is not installed", "a folder"):
        assert part in str(error.value)


def test_where_github_fails_npm_is_taken_and_that_is_told(monkeypatch, tmp_path, no_network, pack, capsys):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    content = json.dumps([poem(*SPRING)], ensure_ascii=False).encode()
    files = {f"package/dist/quantangshi/poet.tang.{index}000.json": content for index in range(58)}
    tarball = pack(files)
    monkeypatch.setattr(downloads, "npm_tarball", lambda *arguments: tarball)
    corpus = load_tang_poetry("auto")
    assert corpus.source == "npm package chinese-poetry 2.0.1"
    assert corpus.attempts == ["GitHub: it cannot be reached."]
    assert "cannot fetch the poems from GitHub: it cannot be reached." in capsys.readouterr().out
    assert load_tang_poetry("npm").attempts == []


def test_a_folder_without_poems_is_refused(tmp_path):
    with pytest.raises(UserError, match="0 files"):
        load_tang_poetry(str(tmp_path))
    with pytest.raises(UserError, match="allowed are auto, github, npm and a folder"):
        load_tang_poetry("guthub")


def test_a_poem_is_set_aside_whatever_else_is_taken(poems):
    chosen, whole = load_tang_poetry(str(poems), min_couplets=2), load_tang_poetry(str(poems))
    groups = dict(zip(whole.texts, whole.groups, strict=True))
    assert chosen.groups == [groups[text] for text in chosen.texts] and len(chosen.texts) < len(whole.texts)
