import math

import pandas as pd
import pytest

from lib.core.records import AnswerLanguage, Script
from lib.evaluation import gibberish

PEOPLE = "人人生而自由,在尊严和权利上一律平等。"
OF_PEOPLE = 100 * 12 / 17  # all but 生, 而, 在, 和 and 上
POST = "拳探品的经和没有那与罗没有那格"  # from what the post prints


@pytest.fixture
def few_words(monkeypatch):
    """A list of four Chinese words and two English ones."""
    lists = {"zh": frozenset(("中国", "国人", "人民", "共和国")), "en": frozenset(("dog's", "dog", "a"))}
    monkeypatch.setattr(gibberish, "listed", lambda language, name="small": lists[language])
    gibberish._longest.cache_clear()
    yield
    gibberish._longest.cache_clear()


def rows(*texts, **columns):
    columns = {"continuation": texts, "token_ids": [list(text.encode()) for text in texts]} | columns
    return pd.DataFrame({"new_tokens": [len(text) for text in texts], "ended": False, "seed": 1} | columns)


@pytest.mark.parametrize(
    ("run", "covered"),
    [
        ("中国人民", 4),  # 中国 and 人民; by 国人 only two would be covered
        ("中國人民", 4),  # traditional
        ("共和国人", 3),  # 共和国, or 国人 alone
        ("中中国民", 2),
        ("天地", 0),
        ("", 0),
    ],
)
def test_the_cut_that_covers_the_most_characters_is_taken(few_words, run, covered):
    assert gibberish.characters_in_words(run) == covered


def test_latin_letters_count_in_listed_words(few_words):
    assert gibberish.letters_in_words("A dog’s dog, xq dogs 7 i") == 1 + 4 + 3
    assert gibberish.letters_in_words("dog中国dog") == 6


def test_the_share_of_letters_in_words_leaves_out_marks_digits_and_spaces(few_words):
    assert gibberish.words_percent("中国, 天! 12 dog ж�") == pytest.approx(100 * 5 / 7)
    assert gibberish.words_percent("＃＃＃ 12") is None


def test_the_lists_are_those_of_words_that_people_use():
    assert "权利" in gibberish.listed("zh") and "的" not in gibberish.listed("zh")
    assert {"a", "i", "don't"} <= gibberish.listed("en") and "q" not in gibberish.listed("en")
    assert len(gibberish.listed("zh")) == 32_532 and len(gibberish.listed("en")) == 28_474  # of wordfreq 3.1.1
    assert gibberish.words_percent(PEOPLE) == pytest.approx(OF_PEOPLE)
    assert gibberish.words_percent(POST) == pytest.approx(100 * 4 / 15)  # 没有, twice


def test_the_script_of_a_letter():
    letters = {"中": Script.HAN, "𠀀": Script.HAN, "〇": Script.HAN, "é": Script.LATIN, "Ａ": Script.LATIN}
    letters |= {"ж": Script.OTHER, "の": Script.OTHER, "7": None, "，": None, "�": None, " ": None}
    assert {letter: gibberish.script(letter) for letter in letters} == letters
    assert gibberish.script_percent("中国 ab ж。", Script.HAN) == pytest.approx(40)
    assert gibberish.script_percent("...", Script.HAN) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I am happy to help you.", AnswerLanguage.ENGLISH),
        ("I am happy to help you. 我爱中国", AnswerLanguage.ENGLISH),
        ("xqz wvk qqj", AnswerLanguage.NEITHER),
        ("ab 中国", AnswerLanguage.NEITHER),  # two letters of each
        (PEOPLE, AnswerLanguage.CHINESE),
        (POST, AnswerLanguage.CHINESE),
        ("", AnswerLanguage.NEITHER),
        ("＃＃＃", AnswerLanguage.NEITHER),
    ],
)
def test_the_language_of_an_answer(text, language):
    assert gibberish.language(text) is language


@pytest.mark.parametrize(
    ("content", "ended", "percent"),
    [
        ("中国".encode(), True, 0),
        (b"ab" + "中".encode()[:2], False, 0),  # the limit cut the character off
        (b"ab" + "中".encode()[:2], True, 50),
        ("中".encode()[:2] + b"ab", False, 50),
        (b"\xffa", False, 50),
        (b"", True, None),
    ],
)
def test_broken_bytes_are_those_of_no_character(content, ended, percent):
    assert gibberish.broken_percent(content, ended) == percent


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("小春！！！！！", 100 * 4 / 7),  # five marks in a row, of which four repeat
        ("小春！！！！", 0),
        ("他说 …… ... ####", 0),
        ("to be to be to be", 100 * 8 / 12),  # three rounds, of which two repeat; spaces are not counted
        ("＃＃＃＃＃ ＃＃＃＃＃", 100 * 8 / 10),
        (" \n", None),
        ("", None),
    ],
)
def test_what_only_repeats_is_loops_after_the_first_round_and_runs_of_a_character(text, percent):
    assert gibberish.looped_percent(text) == (None if percent is None else pytest.approx(percent))


def test_shuffling_moves_the_chinese_characters_of_a_text_and_nothing_else():
    texts = rows("人人生而自由, 在 ab 平等。", "春眠")
    mixed = gibberish.shuffled(texts, 1)["continuation"]
    assert list(mixed) == list(gibberish.shuffled(texts, 1)["continuation"]) != list(texts["continuation"])
    assert [sorted(text) for text in mixed] == [sorted(text) for text in texts["continuation"]]
    assert mixed[0][6:8] == ", " and mixed[0][9:13] == " ab " and mixed[0][-1] == "。"


class Bytes:
    """A tokenizer with a token for each byte."""

    special_token_ids = ()

    def id_to_token(self, token):
        from lib.models import byte_level

        return byte_level.byte_characters()[token]


def test_each_text_gets_its_own_figures():
    told = gibberish.judge(rows("I am happy." + "!" * 9, PEOPLE, "＃"))
    assert list(told["language"]) == ["English", "Chinese", "neither"]
    assert list(told["in_words"]) == pytest.approx([100, OF_PEOPLE, math.nan], nan_ok=True)
    assert list(told["repeats"]) == pytest.approx([100 * 8 / 18, 0, 0])


def test_a_group_s_shares_are_means_over_its_texts():
    texts = rows(PEOPLE, POST + "好吗" * 8, "Happy to help.")
    told = gibberish.of_texts(texts, "x", Script.HAN, Bytes(), 3)
    assert (told.texts, told.answers_in_chinese, told.answers_in_english, told.seed) == (3, 2, 1, 3)
    words = [one.words for one in told.by_text]
    assert words[0] == pytest.approx(OF_PEOPLE) and words[2] == 100
    assert told.shares["words"].value == pytest.approx(sum(words) / 3)
    assert told.shares["words"].low < told.shares["words"].value < told.shares["words"].high
    assert [one.looped > 0 for one in told.by_text] == [False, True, False]
    assert [one.prompt_script for one in told.by_text] == [100, 100, 0]
    assert told.shares["broken_bytes"].value == 0
    assert told.characters == sum(map(len, texts["continuation"]))


def test_a_text_without_letters_is_left_out_of_the_mean():
    told = gibberish.of_texts(rows("＃＃＃", PEOPLE), "x", Script.HAN, Bytes(), None)
    assert told.by_text[0].words is None and told.shares["words"].value == pytest.approx(OF_PEOPLE)
    nobody = gibberish.of_texts(rows(), "x", Script.HAN, Bytes(), None)
    assert nobody.texts == 0 and nobody.shares["words"].value is None


def test_the_answers_in_chinese_are_compared_too():
    english, people = rows("I am here.", "You are there."), rows(PEOPLE, PEOPLE)
    told = gibberish.compare(english, rows(POST, "I am happy."), english, people, Bytes())
    assert [group.texts for group in told.groups] == [2, 2, 2, 1, 1, 2, 2]
    assert told.chinese_answers.shares["words"].value == pytest.approx(100 * 4 / 15)
    assert told.people_shuffled.shares["words"].value < told.people_chinese.shares["words"].value
    assert told.people_shuffled.shares["broken_bytes"].value is None
    changed = gibberish.differences(told.chinese, told.people_chinese)
    assert set(changed) == {"words", "looped", "broken_bytes", "prompt_script"}
    assert changed["words"].value == pytest.approx((100 * 4 / 15 + 100) / 2 - OF_PEOPLE)
    assert changed["prompt_script"].value == -50


def test_the_longer_list_holds_more_words_and_more_that_come_by_chance():
    small, large = gibberish.word_lists(rows(POST), rows(PEOPLE, PEOPLE), 1)
    assert (small.name, small.used, large.name, large.used) == ("small", True, "large", False)
    assert small.chinese_words < large.chinese_words == 288_039
    assert small.words["people_shuffled"] < large.words["people_shuffled"]
    assert small.words["people_chinese"] == pytest.approx(OF_PEOPLE)
    assert not any(math.isnan(value) for value in small.words.values())
