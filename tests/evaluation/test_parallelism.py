import itertools

import numpy as np
import pytest

from lib.core.records import Estimate
from lib.evaluation import parallelism

# A language of three classes of ten characters: in each line of five a noun, a verb, a noun, an adjective, a noun.
NOUNS, VERBS, ADJECTIVES = "山水花月雲風鳥雨樹江", "見聞入上出過落開照流", "青白高遠新寒清長深明"


def poems(number, seed=0):
    """Poems of four such lines."""
    random = np.random.default_rng(seed)

    def line():
        return "".join(str(random.choice(list(words))) for words in (NOUNS, VERBS, NOUNS, ADJECTIVES, NOUNS))

    return [f"{line()}，{line()}。{line()}，{line()}。" for _ in range(number)]


@pytest.fixture(scope="module")
def learned():
    """The likeness of that language, and of lines in which the classes stand in another order."""
    others = ["".join(line[at] for at in order) for line, order in zip(LINES, ORDERS, strict=True)]
    pool = [f"山見水青花，{line}。" for line in (*LINES, *others)]
    return parallelism.Parallelism(poems(600), pool, seed=1)


LINES = [poems(1, seed)[0][:5] for seed in range(100, 120)]
ORDERS = list(itertools.islice((order for order in itertools.permutations(range(5)) if order[1] in (0, 2, 3)), 20))


def test_couplets_are_pairs_of_regular_lines_of_equal_length():
    poem = "白日依山盡，黃河入海流。欲窮千里目，更上一樓。兩個黃鸝鳴翠柳，一行白鷺上青天。"
    poem += "春眠不覺曉，一行白鷺上青天。欲窮千里目，"
    assert parallelism.couplets(poem) == [("白日依山盡", "黃河入海流"), ("兩個黃鸝鳴翠柳", "一行白鷺上青天")]
    assert parallelism.couplets("") == parallelism.couplets("My trip was, to a lake.") == []


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
    assert parallelism.opposite_tones(first, second) == expected


def test_characters_of_a_class_are_alike(learned):
    # The same classes place by place, no character twice.
    alike = learned.likeness("山見水青花", "月聞風白鳥")
    other = learned.likeness("山見水青花", "聞月白風上")
    assert alike > 0.5 > other
    assert learned.percentile("山見水青花", "月聞風白鳥") > 60
    assert learned.percentile("山見水青花", "聞月白風上") < 40


def test_a_repeated_character_counts_as_unlike(learned):
    assert learned.likeness("山見水青花", "山見水青花") == 0
    assert learned.likeness("山見水青花", "山聞水白花") < learned.likeness("山見水青花", "月聞風白鳥")


def test_either_script_is_the_same(learned):
    assert learned.likeness("山見水青花", "雲聞風長鳥") == learned.likeness("山见水青花", "雲闻风长鸟")


def test_places_without_a_vector_are_left_out(learned):
    assert learned.likeness("山見水青花", "囗囗囗囗囗") is None
    assert learned.percentile("山見水青花", "囗囗囗囗囗") is None
    assert learned.likeness("山見水青花", "月囗囗囗囗") == pytest.approx(learned.likeness("山囗囗囗囗", "月聞風白鳥"))


def test_there_is_no_percentile_without_lines_of_the_length(learned):
    assert learned.likeness("山見水青花見水", "月聞風白鳥聞風") is not None
    assert learned.percentile("山見水青花見水", "月聞風白鳥聞風") is None


def test_lines_put_together_at_random_come_to_fifty(learned):
    random = np.random.default_rng(3)
    pool = learned._lines[5]
    told = [learned.percentile("山見水青花", str(line)) for line in random.choice(pool, 40)]
    assert np.mean(told) == pytest.approx(50, abs=12)


def test_the_vectors_depend_on_the_seed_alone(learned):
    pool = ["山見水青花，月聞風白鳥。"]
    one, other = (parallelism.Parallelism(poems(600), pool, seed=1) for _ in range(2))
    assert one.likeness("山見水青花", "月聞風白鳥") == other.likeness("山見水青花", "月聞風白鳥")


def test_few_poems_have_no_vectors_and_stop_nothing():
    few = parallelism.Parallelism(["春眠不覺曉，處處聞啼鳥。"], [], seed=1)
    assert few.likeness("春眠不覺曉", "處處聞啼鳥") is None
    told = parallelism.summary([[("春眠不覺曉", "處處聞啼鳥")]], few)
    assert (told.poems, told.couplets, told.shares["parallel_words"]) == (1, 0, Estimate(value=None))
    assert told.shares["parallel_tones"].value == 100
    nothing = parallelism.summary([], few)
    assert nothing.poems == 0 and nothing.shares["parallel_tones"].value is None


def test_the_shares_weigh_by_places_and_couplets():
    class Half:
        def percentile(self, first, second):
            return 25.0 if first == "白日依山盡" else None

    groups = [[("白日依山盡", "黃河入海流"), ("白日依山盡", "白日依山盡")], [("春眠不覺曉", "處處聞啼鳥")], []]
    told = parallelism.summary(groups, Half())
    assert (told.poems, told.couplets) == (2, 2)
    assert told.shares["parallel_tones"].value == pytest.approx(100 * 3 / 5)
    assert told.shares["parallel_words"].value == 25


EIGHT = "".join(
    f"{first}，{second}。" for first, second in [("白日依山盡", "黃河入海流"), ("春眠不覺曉", "更上一層樓")] * 2
)


def test_regulated_verse_is_eight_lines_of_equal_length_that_rhyme_in_the_level_tone():
    middle, outer = parallelism.regulated(
        [EIGHT, EIGHT[:24], EIGHT.replace("樓", "曉"), f"{EIGHT[:-6]}一行白鷺上青天。"]
    )
    assert middle == [[("春眠不覺曉", "更上一層樓"), ("白日依山盡", "黃河入海流")]]
    assert outer == [[("白日依山盡", "黃河入海流"), ("春眠不覺曉", "更上一層樓")]]


def test_couplets_at_random_have_second_lines_of_other_poems_of_the_same_length():
    groups = [[("甲" * 5, "一" * 5), ("甲" * 7, "一" * 7)], [("乙" * 5, "二" * 5)], [("丙" * 5, "三" * 5)]]
    mixed = parallelism.at_random(groups, 1)
    assert mixed == parallelism.at_random(groups, 1)
    assert len(mixed[0]) == 1  # there is no other second line of seven
    for own, found in zip(groups, mixed, strict=True):
        for first, second in found:
            assert len(first) == len(second) and second not in [other for _, other in own]
