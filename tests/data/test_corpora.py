import pytest

from lib.core.errors import UserError
from lib.data import corpora, reddit_tifu
from lib.data.corpus import Corpus


def corpus_of(groups):
    texts = [f"text {index}" for index in range(len(groups))]
    return Corpus("test", "test", "none", texts, texts, groups)


def test_training_and_held_out_texts_share_no_text_and_no_document():
    corpus = corpus_of([str(index // 4) for index in range(400)])
    group_of = dict(zip(corpus.texts, corpus.groups, strict=True))
    train, held_out = corpora.split(corpus, 300, 20, seed=1)
    assert len(train) == 300
    assert len(held_out) == 20
    assert not {group_of[text] for text in train} & {group_of[text] for text in held_out}


def test_the_split_depends_on_the_seed_alone():
    corpus = corpus_of([str(index) for index in range(100)])
    assert corpora.split(corpus, 50, 5, seed=1) == corpora.split(corpus, 50, 5, seed=1)
    assert corpora.split(corpus, 50, 5, seed=1) != corpora.split(corpus, 50, 5, seed=2)


def test_too_many_held_out_texts_are_refused():
    corpus = corpus_of([str(index) for index in range(100)])
    set_aside = len(corpora.split(corpus, None, None, seed=1)[1])
    told = f"held_out_examples is {set_aside + 1}; test has 100 texts, of which {set_aside}"
    with pytest.raises(UserError, match=told):
        corpora.split(corpus, 50, set_aside + 1, seed=1)


def test_what_is_set_aside_depends_on_the_documents_names_alone():
    names = [f"document {index}" for index in range(2000)]
    whole, part = corpus_of(names), corpus_of(names[:500])
    (train, held_out), (part_train, part_held_out) = (corpora.split(one, None, None, seed=1) for one in (whole, part))
    assert sorted(train + held_out) == sorted(whole.texts)
    assert 0.08 < len(held_out) / len(names) < 0.12
    assert set(part_held_out) < set(held_out) and set(part_train) < set(train)
    assert set(corpora.split(whole, None, None, seed=2)[1]) == set(held_out)


def test_reddit_s_stories_come_with_their_titles_and_without_repetitions(monkeypatch):
    pairs = [("we went home.", "going home"), ("lost my keys.", "keys"), ("lost my keys.", "keys again")]
    monkeypatch.setattr(
        reddit_tifu, "examples", lambda config, count: (pairs, f"TFDS {config} {count}", ["Google Drive: no"])
    )
    corpus = corpora.load_prose("reddit_tifu_long", "none", num_examples=3)
    assert corpus.texts == ["we went home.", "lost my keys."]
    assert corpus.titles == ["going home", "keys"]
    assert corpus.counts == {"found": 3, "dropped: duplicate": 1, "kept": 2}
    assert (corpus.name, corpus.source) == ("Reddit TIFU (long)", "TFDS long 3")
    assert corpus.attempts == ["Google Drive: no"]


def test_the_stand_in_for_reddit_is_used_only_where_it_is_named(monkeypatch):
    def none(config, count):
        raise reddit_tifu.Unavailable(["Google Drive: it cannot be reached"])

    monkeypatch.setattr(reddit_tifu, "examples", none)
    with pytest.raises(UserError, match="it cannot be fetched"):
        corpora.load_prose("reddit_tifu", "none")
    stand_in = corpora.load_prose("reddit_tifu", "tiny_prose")
    assert stand_in.is_stand_in
    assert stand_in.attempts == ["Google Drive: it cannot be reached"]
    assert not corpora.load_prose("tiny_prose").is_stand_in
    with pytest.raises(UserError, match="dataset is 'redit'"):
        corpora.load_prose("redit")
