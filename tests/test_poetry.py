import pytest

from lib import poetry

SPRING = "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"


def test_lines_keep_their_punctuation_and_clauses_do_not():
    assert poetry.lines(SPRING) == ["春眠不覺曉，", "處處聞啼鳥。", "夜來風雨聲，", "花落知多少。"]
    assert poetry.clauses(SPRING) == ["春眠不覺曉", "處處聞啼鳥", "夜來風雨聲", "花落知多少"]


def test_lines_lose_nothing():
    for text in (SPRING, "春眠", "a，b", "，，春。", "春\n眠"):
        assert "".join(poetry.lines(text)) == text.replace("\n", "")


@pytest.mark.parametrize(
    ("poem", "expected"),
    [
        (SPRING, True),
        ("白日黃沙深處渡，白霞濃淨暮晴沙。", True),
        ("春眠不覺曉，處處聞啼。", False),  # four characters
        ("春眠不覺曉，處處聞啼鳥。夜來風雨聲，", False),  # three clauses
        ("春眠不覺曉，白霞濃淨暮晴沙。", False),  # five and seven
        ("春眠不覺曉，處處聞啼鳥。。", False),  # an empty clause
        ("春眠不覺曉，處處聞啼鳥", False),  # no mark at the end
        ("My trip was, to a lake.", False),
        ("abcde，fghij。", False),
        ("", False),
    ],
)
def test_is_well_formed(poem, expected):
    assert poetry.is_well_formed(poem) is expected


def test_form_is_in_percent():
    assert poetry.form([SPRING, "春眠abc，不。"]) == {
        "poems": 2,
        "well_formed_percent": 50,
        "regular_clauses_percent": pytest.approx(100 * 4 / 6),
        "chinese_percent": pytest.approx(100 * 23 / 26),
    }
    assert poetry.form([])["well_formed_percent"] == 0
