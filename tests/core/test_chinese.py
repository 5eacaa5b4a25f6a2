import pytest

from lib.core import chinese

SPRING = "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"


def test_lines_keep_their_punctuation_and_clauses_do_not():
    assert chinese.lines(SPRING) == ["春眠不覺曉，", "處處聞啼鳥。", "夜來風雨聲，", "花落知多少。"]
    assert chinese.clauses(SPRING) == ["春眠不覺曉", "處處聞啼鳥", "夜來風雨聲", "花落知多少"]


@pytest.mark.parametrize("text", [SPRING, "春眠", "a，b", "，，春。", "春\n眠"])
def test_lines_lose_nothing(text):
    assert "".join(chinese.lines(text)) == text.replace("\n", "")


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", []),
        ("，。", []),
        (" \n ", []),
        ("，，春。", ["春"]),
        ("春？眠！不；覺：曉、", list("春眠不覺曉")),
        (" a \nb", ["a", "b"]),
    ],
)
def test_clauses_end_with_a_mark_or_a_line(text, clauses):
    assert chinese.clauses(text) == clauses


def test_the_characters_of_a_text_are_those_of_all_planes_and_no_marks():
    assert chinese.characters("a春，㐀〇𠀀 豈!ん") == ["春", "㐀", "〇", "𠀀", "豈"]
    assert chinese.characters("My trip") == []


@pytest.mark.parametrize(("text", "language"), [("", "en"), ("My trip，", "en"), ("a trip to 春", "zh"), ("𠀀", "zh")])
def test_the_language_of_a_text_is_chinese_if_it_holds_a_character(text, language):
    assert chinese.language(text) == language
