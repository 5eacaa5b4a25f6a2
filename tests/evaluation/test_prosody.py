from collections import Counter

import pytest

from lib.evaluation import prosody


def test_the_table_has_all_groups():
    groups = set().union(*prosody.rhyme_table().values())
    counts = Counter(group.split("聲")[0] for group in groups)
    assert counts == {"上平": 15, "下平": 15, "上": 29, "去": 30, "入": 17}
    assert len(groups) == 106
    assert 8000 < len(prosody.rhyme_table()) < 9000
    assert not any(character.isascii() for character in prosody.rhyme_table())


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        ("東", {"上平聲一東"}),
        ("", set()),
        ("曉", {"上聲十七篠"}),
        ("晓", {"上聲十七篠"}),
        ("鳥", {"上聲十七篠"}),
        ("少", {"上聲十七篠", "去聲十八嘯"}),
        ("流", {"下平聲十一尤"}),
        ("樓", {"下平聲十一尤"}),
        ("楼", {"下平聲十一尤"}),
        ("白", {"入聲十一陌"}),
        ("a", set()),
        ("P", set()),  # from the page that the table was read from
        ("，", set()),
        ("囗", set()),
        ("白日", set()),
    ],
)
def test_rhyme_groups(character, expected):
    assert prosody.rhyme_groups(character) == expected


def test_traditional_changes_only_what_the_table_does_not_know():
    assert prosody.traditional("春眠不觉晓，处处闻啼鸟。") == "春眠不覺曉，處處聞啼鳥。"
    assert prosody.traditional("为爲") == "為為"  # the variant that is in the table
    assert prosody.traditional("后云里 abc, 囗\n") == "后云里 abc, 囗\n"
    assert prosody.traditional("") == ""


def test_tones():
    assert prosody.tones("春") == {"平"}
    assert prosody.tones("曉") == prosody.tones("去") == prosody.tones("白") == {"仄"}  # rising, departing, entering
    assert prosody.tones("看") == {"平", "仄"}
    assert prosody.tones("x") == set()


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        ("東", {"上平聲一東"}),  # a single reading
        ("處", {"去聲六御"}),  # chù: not chǔ; an aspirated initial does not come from a voiced one
        ("如", {"上平聲六魚"}),  # rú
        ("少", {"上聲十七篠"}),  # shǎo, not shào
        ("不", {"入聲五物"}),  # bù: the finals tell entering 物 from rising 有
        ("行", {"下平聲八庚"}),  # xíng, not háng
        ("車", {"下平聲六麻"}),  # chē, not jū
        ("空", {"上平聲一東"}),  # kōng
        ("聽", {"下平聲九青"}),
        ("听", {"上平聲十二文"}),  # in the table as a character of its own
        ("下", {"上聲二十一馬", "去聲二十二禡"}),  # xià: both became tone 4, since the initial was voiced
        ("", set()),
        ("x", set()),
    ],
)
def test_primary_groups_are_those_of_the_most_common_mandarin_reading(character, expected):
    assert prosody.primary_groups(character) == expected <= prosody.rhyme_groups(character)


def test_a_reading_without_a_group_of_its_tone_leaves_all_groups_primary():
    odd = [
        character
        for character, groups in prosody.rhyme_table().items()
        if len(groups) > 1 and not any(prosody._tone_agrees(group, *prosody.mandarin(character)) for group in groups)
    ]
    assert odd and all(prosody.primary_groups(character) == prosody.rhyme_groups(character) for character in odd)


def test_mandarin_reads_either_script():
    assert prosody.mandarin("曉") == prosody.mandarin("晓") == ("x", "iao", 3)
    assert prosody.mandarin("x") == ("", "", 0)


def test_rhymes_by_a_secondary_reading_are_told_apart():
    assert prosody.rhyming("處", "如") is False and prosody.rhyming_by_any_reading("處", "如") is True
    assert prosody.rhyming("流", "樓") is prosody.rhyming_by_any_reading("流", "樓") is True
    assert prosody.rhyming("處", "處") is prosody.rhyming_by_any_reading("處", "處") is False
    assert prosody.rhyming_by_any_reading("處", "x") is None


def test_tone_pattern():
    assert prosody.tone_pattern("黃河入海流") == "平平仄仄平"
    assert prosody.tone_pattern("白日依山盡") == "仄仄平平仄"
    assert prosody.tone_pattern("看x，") == "中？？"
    assert prosody.tone_pattern("") == ""


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("鳥", "少", True),
        ("流", "樓", True),
        ("流", "楼", True),
        ("東", "樓", False),
        ("東", "冬", False),  # 一東 and 二冬 do not rhyme
        ("流", "流", False),
        ("鳥", "鸟", False),
        ("鳥", "x", None),
        ("x", "x", None),
        ("", "流", None),
    ],
)
def test_rhyming(first, second, expected):
    assert prosody.rhyming(first, second) is prosody.rhyming(second, first) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("黃河入海流", [True]),  # 河 level, 海 oblique
        ("疑是地上霜", [False]),  # 是 and 上 oblique
        ("處處聞啼鳥", [None]),  # 啼 is not in the table
        ("感時花濺淚", [None]),  # 濺 has both tones
        ("千里江陵一日還", [True, True]),  # 里 oblique, 陵 level, 日 oblique
        ("故人西辭黃鶴樓", [False, True]),  # 人 and 辭 level, 鶴 oblique
    ],
)
def test_alternations(line, expected):
    assert prosody.alternations(line) == expected


SPRING = "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"


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
    assert prosody.is_well_formed(poem) is expected


def test_couplets_are_pairs_of_regular_lines_of_equal_length():
    poem = "白日依山盡，黃河入海流。欲窮千里目，更上一樓。兩個黃鸝鳴翠柳，一行白鷺上青天。"
    poem += "春眠不覺曉，一行白鷺上青天。欲窮千里目，"
    assert prosody.couplets(poem) == [("白日依山盡", "黃河入海流"), ("兩個黃鸝鳴翠柳", "一行白鷺上青天")]
    assert prosody.couplets(poem, given=5) == prosody.couplets(poem, given=12) == prosody.couplets(poem)[1:]
    assert prosody.couplets("") == prosody.couplets("My trip was, to a lake.") == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("白日依山盡", "黃河入海流", [True, True]),  # 日 oblique 河 level, 山 level 海 oblique
        (
            "兩個黃鸝鳴翠柳",
            "一行白鷺上青天",
            [None, True, True],
        ),  # 行 has both; 鸝 level 鷺 oblique, 翠 oblique 青 level
        ("白日依山盡", "白日依山盡", [False, False]),
        ("春眠不覺曉", "處處聞啼鳥", [True, None]),  # 覺 has both, 啼 is not in the table
    ],
)
def test_tones_are_opposite_place_by_place(first, second, expected):
    assert prosody.opposite_tones(first, second) == expected
