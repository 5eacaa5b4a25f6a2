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
    """The likeness of that language."""
    return parallelism.Parallelism(poems(600), seed=1)


def test_characters_of_a_class_are_alike(learned):
    # The same classes place by place, no character twice.
    alike = learned.likeness("山見水青花", "月聞風白鳥")
    other = learned.likeness("山見水青花", "聞月白風上")
    assert alike > 0.5 > other


def test_a_repeated_character_counts_as_unlike(learned):
    assert learned.likeness("山見水青花", "山見水青花") == 0
    assert learned.likeness("山見水青花", "山聞水白花") < learned.likeness("山見水青花", "月聞風白鳥")


def test_either_script_is_the_same(learned):
    assert learned.likeness("山見水青花", "雲聞風長鳥") == learned.likeness("山见水青花", "雲闻风长鸟")


def test_places_without_a_vector_are_left_out(learned):
    assert learned.likeness("山見水青花", "囗囗囗囗囗") is None
    assert learned.percentiles([[("山見水青花", "囗囗囗囗囗")], [("山見水青花", "月聞風白鳥")]]) == [[], []]
    alone = learned.likeness("山囗囗囗囗", "月聞風白鳥")
    assert learned.likeness("山見水青花", "月囗囗囗囗") == pytest.approx(alone)


def writers_poems(number, seed, parallel):
    """Poems whose lines have one of two orders of classes; the lines of a couplet have the same one if parallel."""
    random = np.random.default_rng(seed)
    lines = [line for poem in poems(2 * number, seed) for line in poem.replace("。", "，").split("，")[:2]]
    turned = [line[1] + line[0] + line[3] + line[2] + line[1] for line in lines]
    written = []
    for _ in range(number):
        kinds = random.integers(2, size=2)
        if parallel:
            kinds[1] = kinds[0]
        first, second = (str(random.choice((lines, turned)[kind])) for kind in kinds)
        written.append([(first, second)])
    return written


def test_parallel_couplets_are_above_fifty_and_others_are_not(learned):
    parallel = parallelism.summary(writers_poems(60, 1, parallel=True), learned).shares["parallel_words"]
    other = parallelism.summary(writers_poems(60, 2, parallel=False), learned).shares["parallel_words"]
    assert parallel.low > 60 and other.low < 50 < other.high


def test_a_writer_whose_lines_are_all_alike_is_not_parallel_for_that(learned):
    # Nouns only: any two lines are alike, and a couplet is no more so than lines of two poems.
    random = np.random.default_rng(4)
    lines = ["".join(random.choice(list(NOUNS), 5)) for _ in range(120)]
    groups = [[pair] for pair in zip(lines[::2], lines[1::2], strict=True)]
    assert learned.likeness(*groups[0][0]) > 0.3
    told = parallelism.summary(groups, learned).shares["parallel_words"]
    assert told.low < 50 < told.high


def test_couplets_with_the_same_first_line_come_to_fifty(learned):
    groups = [[("山見水青花", second)] for ((_, second),) in writers_poems(30, 5, parallel=True)]
    assert parallelism.summary(groups, learned).shares["parallel_words"].value == pytest.approx(50)


def test_a_couplet_is_held_against_second_lines_of_other_poems_at_its_place(learned):
    one, other, far = ("山見水青花", "月聞風白鳥"), ("月聞風白鳥", "雲照雨長江"), ("山見水青花", "聞月白風上")
    # The second poem's first couplet is the only one that the first poem's is held against, and the other way round.
    assert learned.percentiles([[one, far], [far]]) == [[100.0], [0.0]]
    assert learned.percentiles([[one]]) == [[]]
    assert learned.percentiles([[one], [one]]) == [[50.0], [50.0]]  # as like as each other
    assert learned.percentiles([[other], [("山見水青花見水", "月聞風白鳥聞風")]]) == [[], []]  # another length


def test_the_vectors_depend_on_the_seed_alone(learned):
    one, other = (parallelism.Parallelism(poems(600), seed=1) for _ in range(2))
    assert one.likeness("山見水青花", "月聞風白鳥") == other.likeness("山見水青花", "月聞風白鳥")


def test_few_poems_have_no_vectors_and_stop_nothing():
    few = parallelism.Parallelism(["春眠不覺曉，處處聞啼鳥。"], seed=1)
    assert few.likeness("春眠不覺曉", "處處聞啼鳥") is None
    told = parallelism.summary([[("春眠不覺曉", "處處聞啼鳥")]], few)
    assert (told.poems, told.couplets, told.shares["parallel_words"]) == (1, 0, Estimate(value=None))
    assert told.shares["parallel_tones"].value == 100
    nothing = parallelism.summary([], few)
    assert nothing.poems == 0 and nothing.shares["parallel_tones"].value is None


def test_the_shares_weigh_by_places_and_couplets():
    class Known:
        def percentiles(self, groups):
            return [[20.0, 30.0], []]

    groups = [[("白日依山盡", "黃河入海流"), ("白日依山盡", "白日依山盡")], [("春眠不覺曉", "處處聞啼鳥")], []]
    told = parallelism.summary(groups, Known())
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
