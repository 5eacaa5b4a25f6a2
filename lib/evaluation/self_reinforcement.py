"""Measure how a repetition makes the next one more probable: why greedy decoding does not leave a loop.

Source: Xu et al., Learning to Break the Loop: Analyzing and Mitigating Repetitions for Neural Text Generation, 2022.
They write a sentence again and again, and let the model tell the probability of its tokens each time.
"""

import re

import numpy as np
import pandas as pd

from lib.core import progress
from lib.core.errors import UserError
from lib.core.records import Rounds, SelfReinforcement
from lib.evaluation import likelihood, metrics, statistics
from lib.models import byte_level

SENTENCE = re.compile(r"\S[^.?!]*[.?!]+[\"'”’)]*(?=\s|$)")
FEWEST_TOKENS = 5  # of a sentence: "Yes." is none to be said eight times
MOST_TOKENS = 32  # so that the logits of all rounds of four texts stay below 250 MB
WHOLE_ROUNDS = 3  # of a loop that greedy decoding fell into, so that its third round can be compared with its first
FEWEST_TEXTS = 3  # that a round's figures are given of


def measure(
    causal_lm, stories: list[str], greedy: pd.DataFrame, k: int, count: int = 16, rounds: int = 8
) -> SelfReinforcement:
    """Measure the probability of a sentence's tokens the first, the second, … time.

    Special tokens, which end a text, are suppressed, as they are where the texts of `greedy` are generated.

    Args:
        causal_lm: The model.
        stories: People's texts that the model was not trained on. A sentence is taken from each of the first ones.
        greedy: Texts of greedy decoding: rows with `prompt` and `token_ids`, see `generation.generate_samples`.
        k: The number of tokens that top-k sampling draws from.
        count: The number of sentences.
        rounds: How often each sentence is written.

    Raises:
        UserError: If too few stories are long enough.
    """
    start = likelihood.prompt_tokens(causal_lm, "") or np.asarray(causal_lm.preprocessor.tokenizer("\n")).tolist()
    limit = getattr(causal_lm.backbone, "max_sequence_length", None) or 1024
    chosen = sentences(causal_lm.preprocessor.tokenizer, stories, count, rounds, limit - len(start))
    if len(chosen) < count:
        raise UserError(
            f"num_sentences is {count}, but only {len(chosen)} of {len(stories)} held-out texts have room for {rounds} "
            "rounds of a sentence. Lower num_sentences or rounds."
        )
    rows, places = [], []
    for story, sentence in chosen:
        length = len(sentence)
        ours = [(len(start) + place * length, len(start) + (place + 1) * length) for place in range(rounds)]
        rows += [[*start, *sentence * rounds], [*start, *story[: rounds * length]]]
        places += [ours, ours]
    for row in greedy.itertuples():
        if found := loop_rounds(row.token_ids, rounds):
            prompt = likelihood.prompt_tokens(causal_lm, row.prompt)
            rows.append([*prompt, *row.token_ids])
            places.append([(len(prompt) + begin, len(prompt) + end) for begin, end in found])
    special = causal_lm.preprocessor.tokenizer.special_token_ids
    progress.note(f"probabilities of {len(rows)} texts, round by round")
    told = [
        [own[begin - 1 : end - 1] for begin, end in here]
        for own, here in zip(likelihood.choices(causal_lm, rows, k, special), places, strict=True)
    ]
    written, people = condense(told[0 : 2 * count : 2]), condense(told[1 : 2 * count : 2])
    changes = [[own[2] - own[0] for own in line.by_text if len(own) > 2] for line in (written, people)]
    return SelfReinforcement(
        rounds=rounds,
        k=k,
        sentences=[
            byte_level.token_bytes(sentence, causal_lm.preprocessor.tokenizer).decode(errors="replace").strip()
            for _, sentence in chosen
        ],
        written=written,
        people=people,
        greedy=condense(told[2 * count :]),
        written_minus_people=statistics.mean_difference(*changes),
    )


def sentences(tokenizer, stories: list[str], count: int, rounds: int, limit: int) -> list[tuple[list[int], list[int]]]:
    """Choose a sentence from each story that is long enough for all rounds of it.

    It is the first sentence of `FEWEST_TOKENS` to `MOST_TOKENS` tokens that fits as often as it is asked for, or, if
    none does, the beginning of the story.

    Args:
        tokenizer: The model's tokenizer.
        stories: The texts.
        count: The most sentences to choose.
        rounds: How often the sentence must fit into its story, and into `limit` tokens.
        limit: The number of tokens that the model can hold.

    Returns:
        The tokens of the story, and those of the sentence with a space before it.
    """
    chosen = []
    for text in stories:
        if len(chosen) == count:
            break
        story = np.asarray(tokenizer(text)).tolist()
        most = min(MOST_TOKENS, min(len(story), limit) // rounds)
        if most < FEWEST_TOKENS:
            continue
        found = (np.asarray(tokenizer(f" {match[0]}")).tolist() for match in SENTENCE.finditer(text))
        chosen.append((story, next((one for one in found if FEWEST_TOKENS <= len(one) <= most), story[:most])))
    return chosen


def loop_rounds(token_ids: list[int], most: int) -> list[tuple[int, int]]:
    """Return where the first whole rounds of a text's longest loop begin and end; none if it has too few.

    Args:
        token_ids: The tokens of the text. The rounds of the loop are the same token by token.
        most: The most rounds.
    """
    for loop in metrics.find_loops(token_ids, differing=False):
        if loop.times >= WHOLE_ROUNDS:
            ends = range(loop.start + loop.period, loop.end + 1, loop.period)
            return [(end - loop.period, end) for end in ends][:most]
    return []


def condense(told: list[list[np.ndarray]]) -> Rounds:
    """Condense the figures of tokens to those of rounds.

    Args:
        told: For each text and each of its rounds, what `likelihood.choices` tells of the round's tokens.
    """
    longest = max((len(own) for own in told), default=0)
    by_round = [[own[place] for own in told if len(own) > place] for place in range(longest)]
    by_round = [here for here in by_round if len(here) >= FEWEST_TEXTS]
    by_text = [[float(here[:, 0].mean()) for here in own] for own in told]
    three = [own for own in by_text if len(own) > 2]
    return Rounds(
        texts=[len(here) for here in by_round],
        probability=[statistics.mean([own[:, 0].mean() for own in here]) for here in by_round],
        most_probable_percent=[statistics.mean([100 * own[:, 1].mean() for own in here]) for here in by_round],
        top_k_percent=[statistics.mean([100 * own[:, 2].mean() for own in here]) for here in by_round],
        greedy_whole_percent=[
            statistics.share(sum(bool(own[:, 1].all()) for own in here), len(here)) for here in by_round
        ],
        top_k_whole_percent=[statistics.mean([100 * own[:, 2].prod() for own in here]) for here in by_round],
        third_minus_first=statistics.mean_difference([own[2] for own in three], [own[0] for own in three]),
        by_text=by_text,
    )
