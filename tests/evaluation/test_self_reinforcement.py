import numpy as np
import pandas as pd
import pytest

from lib.core.errors import UserError
from lib.evaluation import likelihood, self_reinforcement, statistics

STORY = "I saw it. The man went home. He was cold and sat down by the fire until the sun rose over the hill."


class Letters:
    """A tokenizer whose tokens are characters."""

    def __call__(self, text):
        return np.array([ord(letter) for letter in text])


def text_of(token_ids):
    return "".join(map(chr, token_ids))


def chosen(stories, rounds, limit=1000, count=9):
    found = self_reinforcement.sentences(Letters(), stories, count, rounds, limit)
    return [text_of(sentence) for _, sentence in found]


def test_the_first_sentence_that_fits_is_chosen_with_a_space_before_it():
    assert chosen([STORY], 3) == [" I saw it."]
    assert chosen([STORY.replace("I saw it.", "No!")], 3) == [" The man went home."]  # "No!" is too short
    assert chosen([STORY], 9) == [" I saw it."] and chosen([STORY], 11) == ["I saw it. "[:9]]
    assert chosen([STORY], 3, limit=24) == ["I saw it"]  # none fits: the story's beginning
    assert chosen([f"{STORY[29:]} I saw it."], 1) == [" I saw it."]  # that before it has more than `MOST_TOKENS`
    assert chosen([STORY], 50) == []  # two tokens are no sentence
    assert chosen([STORY] * 3, 3, count=2) == [" I saw it."] * 2


def test_the_story_comes_with_its_sentence():
    ((story, _),) = self_reinforcement.sentences(Letters(), [STORY], 1, 3, 1000)
    assert text_of(story) == STORY


def test_whole_rounds_of_a_loop_are_found():
    phrase = [1, 2, 3, 4]
    assert self_reinforcement.loop_rounds([9, *phrase * 3, 1, 2], 8) == [(1, 5), (5, 9), (9, 13)]
    assert self_reinforcement.loop_rounds([9, *phrase * 5], 2) == [(1, 5), (5, 9)]
    assert self_reinforcement.loop_rounds([9, *phrase * 2], 8) == []
    assert self_reinforcement.loop_rounds(list(range(20)) * 2, 8) == []  # a loop, but of two rounds
    assert self_reinforcement.loop_rounds([], 8) == []


def told(*rounds):
    """The figures of the tokens of a text's rounds."""
    return [np.array(tokens, float) for tokens in rounds]


def test_rounds_are_condensed_to_means_over_the_texts():
    one = told([[0.1, 0, 0.0], [0.3, 1, 0.5]], [[0.4, 1, 0.5], [0.6, 1, 0.5]], [[0.9, 1, 1.0], [0.9, 1, 1.0]])
    other = told([[0.4, 0, 0.2]], [[0.5, 1, 0.8]], [[0.6, 1, 0.9]])
    short = told([[0.6, 0, 0.2]], [[0.7, 0, 0.8]])
    condensed = self_reinforcement.condense([one, other, other, short])
    assert condensed.texts == [4, 4, 3]
    assert condensed.by_text[0] == pytest.approx([0.2, 0.5, 0.9]) and condensed.by_text[3] == pytest.approx([0.6, 0.7])
    assert [estimate.value for estimate in condensed.probability] == pytest.approx([1.6 / 4, 2.2 / 4, 2.1 / 3])
    assert condensed.probability[0] == statistics.mean([0.2, 0.4, 0.4, 0.6])
    assert [estimate.value for estimate in condensed.most_probable_percent] == pytest.approx([12.5, 75, 100])
    assert condensed.greedy_whole_percent == [statistics.share(0, 4), statistics.share(3, 4), statistics.share(3, 3)]
    assert condensed.top_k_percent[0].value == pytest.approx(100 * (0.25 + 0.2 + 0.2 + 0.2) / 4)
    assert condensed.top_k_whole_percent[1].value == pytest.approx(100 * (0.25 + 0.8 + 0.8 + 0.8) / 4)
    assert condensed.third_minus_first == statistics.mean_difference([0.9, 0.6, 0.6], [0.2, 0.4, 0.4])


def test_a_round_that_few_texts_have_is_left_out():
    condensed = self_reinforcement.condense([told([[0.1, 0, 0]], [[0.2, 0, 0]]), *[told([[0.1, 0, 0]])] * 2])
    assert condensed.texts == [3] and len(condensed.by_text) == 3
    none = self_reinforcement.condense([])
    assert (none.texts, none.probability, none.by_text, none.third_minus_first.value) == ([], [], [], None)


@pytest.fixture
def stories():
    return [f"{name} went home. He was cold and sat by the fire until dawn." for name in ("Al", "Ed", "Jo", "Al B")]


def test_the_figures_are_those_of_the_repeated_sentence_and_of_the_story(tiny_lm, stories):
    greedy = pd.DataFrame({"prompt": ["I", "We"], "token_ids": [[5, 6, 7] * 4, [5, 6, 7, 8]]})
    measured = self_reinforcement.measure(tiny_lm, stories, greedy, k=3, count=4, rounds=3)
    assert measured.sentences == [f"{name} went home." for name in ("Al", "Ed", "Jo", "Al B")]
    assert (measured.rounds, measured.k) == (3, 3)
    assert measured.written.texts == measured.people.texts == [4, 4, 4]
    start = likelihood.prompt_tokens(tiny_lm, "")
    sentence = likelihood.prompt_tokens(tiny_lm, " Al went home.")[len(start) :]
    story = likelihood.prompt_tokens(tiny_lm, stories[0])[len(start) :]
    length = len(sentence)
    special = tiny_lm.preprocessor.tokenizer.special_token_ids
    for line, tokens in ((measured.written, sentence * 3), (measured.people, story[: 3 * length])):
        (choices,) = likelihood.choices(tiny_lm, [[*start, *tokens]], 3, special)
        by_round = choices[len(start) - 1 :, 0].reshape(3, length).mean(axis=1)
        assert line.by_text[0] == pytest.approx(by_round.tolist(), rel=1e-4)
    changes = [[own[2] - own[0] for own in line.by_text] for line in (measured.written, measured.people)]
    assert measured.written_minus_people == statistics.mean_difference(*changes)
    assert measured.greedy.texts == [] and len(measured.greedy.by_text) == 1  # the loop of a single text
    (choices,) = likelihood.choices(tiny_lm, [[*likelihood.prompt_tokens(tiny_lm, "I"), *[5, 6, 7] * 4]], 3, special)
    assert measured.greedy.by_text[0] == pytest.approx(choices[-12:, 0].reshape(4, 3).mean(axis=1)[:3], rel=1e-4)


def test_too_few_stories_are_refused(tiny_lm, stories):
    greedy = pd.DataFrame({"prompt": [], "token_ids": []})
    with pytest.raises(UserError, match="num_sentences is 5, but only 4 of 4 held-out texts have room for 3 rounds"):
        self_reinforcement.measure(tiny_lm, stories, greedy, k=3, count=5, rounds=3)
