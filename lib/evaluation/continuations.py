"""Measure texts that continue a prompt: a model's, and what people wrote after the same words."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from lib.core import progress
from lib.core.errors import UserError
from lib.core.records import BatchTime, BesidePeople, Estimate, LoopsOfPeople, People, Sample, TextGroup
from lib.evaluation import few_values, likelihood, metrics, statistics
from lib.models import byte_level

PEOPLE, PEOPLE_CUT = str(People.WHOLE), str(People.CUT)
LOOPS = ("loop", "loop_holtzman")  # the metrics of `judge` that are 100 or 0


def openings(
    causal_lm, texts: list[str], prompt_tokens: int, max_length: int, count: int, distinct_from: list[str] | None = None
) -> pd.DataFrame:
    """Choose beginnings of human texts to be continued, with their human continuations of the same number of tokens.

    A text qualifies if it is long enough and if its beginning, tokenized alone, has the same tokens.

    Args:
        causal_lm: The model, for its tokenizer.
        texts: The texts, none of which the model was trained on.
        prompt_tokens: The number of tokens of a beginning, without a start token.
        max_length: The number of tokens in all, including a start token.
        count: The number of texts to choose.
        distinct_from: Prompts that no beginning may equal. The beginnings then also differ from each other, so that a
            prompt identifies its continuations: many stories begin alike. None allows both.

    Returns:
        Rows like those of `generation.generate_samples`, without a run's own columns: `label` and `sampler` (both
        `PEOPLE`), `prompt`, `seed` (None), `sample` (1), `text`, `continuation`, `new_tokens`, `ended`,
        `invalid_bytes`, `token_ids`.

    Raises:
        UserError: If there are too few such texts, or if `max_length` leaves no room after the beginnings.
    """
    tokenizer = causal_lm.preprocessor.tokenizer
    rows, known = [], set(distinct_from or ())
    for text in texts:
        token_ids = np.asarray(tokenizer(text)).tolist()
        prompt = byte_level.token_bytes(token_ids[:prompt_tokens], tokenizer).decode(errors="replace")
        start = len(likelihood.prompt_tokens(causal_lm, prompt)) if prompt.strip() else 0
        if start >= max_length:
            raise UserError(
                f"max_length is {max_length}, and people's texts begin with {start} tokens that are given. Raise it."
            )
        wanted = token_ids[prompt_tokens : max_length - (start - prompt_tokens)]
        repeated = np.asarray(tokenizer(prompt)).tolist() == token_ids[:prompt_tokens]
        if not repeated or prompt in known or start + len(wanted) < max_length:
            continue
        if distinct_from is not None:
            known.add(prompt)
        content = byte_level.token_bytes(wanted, tokenizer)
        continuation = content.decode(errors="replace")
        rows.append(
            {
                "label": PEOPLE,
                "prompt": prompt,
                "sampler": PEOPLE,
                "seed": None,
                "sample": 1,
                "text": prompt + continuation,
                "continuation": continuation,
                "new_tokens": len(wanted),
                "ended": False,
                "invalid_bytes": byte_level.invalid_bytes(content),
                "token_ids": wanted,
            }
        )
        if len(rows) == count:
            return pd.DataFrame(rows)
    different = "" if distinct_from is None else "different "
    raise UserError(
        f"{count} {different}beginnings of texts of {max_length} tokens are asked for, but only {len(rows)} of "
        f"{len(texts)} held-out texts will do. Lower max_length, num_openings, num_samples or style_openings."
    )


def beginnings(texts: list[str], tokenizer, length: int, count: int) -> pd.DataFrame:
    """Take the first tokens of the first human texts that are long enough. Nothing is given as a prompt.

    Args:
        texts: The texts.
        tokenizer: The model's tokenizer.
        length: The number of tokens in each text.
        count: The number of texts to take.

    Returns:
        Rows like those of `openings`, with an empty prompt.

    Raises:
        UserError: If there are too few such texts.
    """
    rows = []
    for text in texts:
        token_ids = np.asarray(tokenizer(text)).tolist()[:length]
        if len(token_ids) == length and len(rows) < count:
            content = byte_level.token_bytes(token_ids, tokenizer)
            written = content.decode(errors="replace")
            row = {"label": PEOPLE, "prompt": "", "sampler": PEOPLE, "seed": None, "sample": len(rows) + 1}
            row |= {"text": written, "continuation": written, "new_tokens": length, "ended": False}
            rows.append(row | {"invalid_bytes": byte_level.invalid_bytes(content), "token_ids": token_ids})
    if len(rows) < count:
        raise UserError(
            f"{count} beginnings of texts of {length} tokens are asked for, but only {len(rows)} of {len(texts)} texts "
            "will do. Lower max_length or num_samples."
        )
    return pd.DataFrame(rows)


def pieces(paragraphs: list[str], tokenizer, length: int) -> list[str]:
    """Join paragraphs that follow each other into texts of at least a number of tokens. The short rest is left out.

    Args:
        paragraphs: The paragraphs of one document, in its order.
        tokenizer: The model's tokenizer.
        length: The fewest tokens in a text.
    """
    made, rest = [], ""
    for paragraph in paragraphs:
        rest += paragraph + "\n"
        if len(np.asarray(tokenizer(rest))) >= length:
            made.append(rest)
            rest = ""
    return made


def shortened(people: pd.DataFrame, lengths, tokenizer) -> pd.DataFrame:
    """Cut the texts of `openings` to the numbers of new tokens of other texts.

    Args:
        people: The rows.
        lengths: The numbers of new tokens of the other texts, one for each row.
        tokenizer: The tokenizer that `openings` used.

    Returns:
        The rows, labelled `PEOPLE_CUT`.
    """
    rows = []
    for row, length in zip(people.to_dict("records"), lengths, strict=True):
        row["token_ids"] = row["token_ids"][:length]
        row["continuation"] = byte_level.token_bytes(row["token_ids"], tokenizer).decode(errors="replace")
        row |= {"label": PEOPLE_CUT, "text": row["prompt"] + row["continuation"]}
        rows.append(row | {"new_tokens": len(row["token_ids"])})
    return pd.DataFrame(rows)


def invalid_percent(token_ids: Sequence[int], tokenizer) -> float:
    """Return the share of the tokens' bytes that are not valid UTF-8 (RFC 3629): `100 * invalid / all`.

    A byte-level token may begin or end within a character.

    Args:
        token_ids: The tokens' ids.
        tokenizer: A KerasHub byte-level BPE tokenizer.

    Returns:
        Percent, 0 to 100; 0 if there are no bytes.
    """
    content = byte_level.token_bytes(token_ids, tokenizer)
    return 100 * byte_level.invalid_bytes(content) / len(content) if content else 0.0


def judge(samples: pd.DataFrame, causal_lm=None, training: list[str] = ()) -> pd.DataFrame:
    """Measure each text by what comes after its prompt.

    Args:
        samples: Rows with `prompt`, `text`, `continuation`, `token_ids`.
        causal_lm: The model that computes the perplexity of each text; None computes none. Its tokenizer must have
            made `token_ids`.
        training: The texts that the model was trained on.

    Returns:
        The same rows with `words`, `rep_2`, `rep_3`, `rep_4` (percent), `diversity`, `loop` and
        `loop_holtzman` (100 or 0), `looped` (percent of the words that only repeat), `loop_times`, `looped_spans`
        (where these words stand, in characters of `text`), `longest_repeated` (words), `copied` (words; nan without
        training texts), `invalid` (percent of the bytes) and `perplexity` (nan without a model).
    """
    progress.note(f"judging {len(samples)} texts")
    samples = samples.reset_index(drop=True)
    rows, words = [], [metrics.word_tokens(text) for text in samples["continuation"]]
    copied = [float("nan")] * len(samples)
    if len(training):
        copied = metrics.longest_copied_spans(words, [metrics.word_tokens(text) for text in training])
    tokenizer = causal_lm.preprocessor.tokenizer if causal_lm is not None else None
    of_text = [metric for metric in metrics.REGISTRY.values() if metric.of_text]
    for row, tokens, span in zip(samples.itertuples(), words, copied, strict=True):
        told = metrics.repetition(row.continuation)
        shift = len(row.text) - len(row.continuation)
        told["looped_spans"] = [(begin + shift, end + shift) for begin, end in told["looped_spans"]]
        rows.append(
            {
                **told,
                **{metric.name: metric.of_text(tokens) for metric in of_text},
                "copied": span,
                "invalid": invalid_percent(row.token_ids, tokenizer) if tokenizer else float("nan"),
            }
        )
    judged = samples.join(pd.DataFrame(rows, index=samples.index))
    judged["perplexity"] = likelihood.perplexities(causal_lm, samples) if causal_lm is not None else float("nan")
    return judged


def summarise(judged: pd.DataFrame, by: str = "label") -> dict[str, TextGroup]:
    """Summarize the measured texts of each group.

    Args:
        judged: The result of `judge`.
        by: The column that names the group.

    Returns:
        For each value of that column, in order, its group with all of `metrics.REGISTRY`: means over the texts with
        bootstrap intervals (Wilson's for loops; the exponential of the mean logarithm for `perplexity`), or figures of
        all texts together, without an interval.
    """
    groups = {}
    for name, texts in judged.groupby(by, sort=False):
        words = [metrics.word_tokens(text) for text in texts["continuation"]]
        loops = int((texts["loop"] > 0).sum())
        told = {}
        for metric in metrics.REGISTRY.values():
            if metric.of_group:
                told[metric.name] = Estimate(value=metric.of_group(words))
            elif metric.name in LOOPS:
                told[metric.name] = statistics.share(int((texts[metric.name] > 0).sum()), len(texts))
            elif metric.name == "perplexity":
                told[metric.name] = _exponential(statistics.mean(np.log(texts["perplexity"].to_numpy(float))))
            else:
                told[metric.name] = statistics.mean(texts[metric.name].to_numpy(float))
        groups[name] = TextGroup(label=name, texts=len(texts), loops=loops, metrics=told)
    return groups


def loops_of_people(texts: list[str]) -> LoopsOfPeople:
    """Count the loops that the two rules find in people's texts."""
    words = [metrics.word_tokens(text) for text in texts]
    return LoopsOfPeople(
        texts=len(texts),
        loops=sum(map(metrics.has_loop, words)),
        loops_holtzman=sum(map(metrics.holtzman_repetition, words)),
    )


def differences(judged: pd.DataFrame, label: str, other: str) -> dict[str, Estimate]:
    """Compare the repetition in two groups of texts that continue the same prompts, one text each.

    Args:
        judged: The result of `judge`.
        label: The label of one group.
        other: The label of the other, which is subtracted.

    Returns:
        By metric the difference in percentage points, paired by prompt: `loop` and `loop_holtzman` (shares of texts,
        with Newcombe's interval), `looped` and `rep_4` (means, with a bootstrap interval).
    """
    first, second = _pairs(judged, label, other)
    shares = {name: statistics.paired_share_difference(first[name] > 0, second[name] > 0) for name in LOOPS}
    return shares | {name: statistics.mean_difference(first[name], second[name]) for name in ("looped", "rep_4")}


def beside_people(judged: pd.DataFrame) -> dict[str, BesidePeople]:
    """Compare each group of texts with what people wrote after the same prompts.

    Args:
        judged: The result of `judge`, with the rows of `openings`.
    """
    compared = {}
    for label in judged["label"].unique():
        if label != PEOPLE:
            first, second = _pairs(judged, label, PEOPLE)
            known = np.isfinite(first["perplexity"]) & np.isfinite(second["perplexity"])
            compared[label] = BesidePeople(
                diversity_difference=statistics.mean_difference(first["diversity"], second["diversity"]),
                perplexity_ratio=few_values.mean_ratio(first["perplexity"][known], second["perplexity"][known]),
            )
    return compared


def _pairs(judged: pd.DataFrame, label: str, other: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of two groups by prompt, in the same order; only prompts that both have."""
    both = [judged[judged["label"] == name].set_index("prompt", verify_integrity=True) for name in (label, other)]
    prompts = both[0].index[both[0].index.isin(both[1].index)]
    return both[0].loc[prompts], both[1].loc[prompts]


def _exponential(estimate: Estimate) -> Estimate:
    return Estimate(
        **{name: None if value is None else float(np.exp(value)) for name, value in estimate.model_dump().items()}
    )


def records(samples: pd.DataFrame) -> list[Sample]:
    """Convert texts to the records that the results hold.

    Args:
        samples: Rows of `generation.generate_samples` or `openings`, judged or not.
    """
    return [
        Sample(
            label=row["label"],
            prompt=row["prompt"],
            sampler=row["sampler"],
            seed=None if pd.isna(row["seed"]) else int(row["seed"]),
            run=None if pd.isna(row.get("run")) else int(row["run"]),
            number=row["sample"],
            text=row["text"].encode(errors="backslashreplace").decode(),
            new_tokens=row["new_tokens"],
            ended=row["ended"],
            invalid_bytes=row["invalid_bytes"],
            rep_4_percent=row.get("rep_4"),
            looped_percent=row.get("looped"),
            perplexity=row.get("perplexity"),
            looped_spans=row["looped_spans"] if isinstance(row.get("looped_spans"), list) else [],
        )
        for row in samples.to_dict("records")
    ]


def same_as(judged: pd.DataFrame, label: str) -> dict[str, int]:
    """Count, for each other group, the texts that equal those of one group token by token.

    Args:
        judged: Rows with `label`, `prompt` and `token_ids`.
        label: The group to compare with.
    """
    texts = judged[judged["label"] == label]
    tokens = dict(zip(texts["prompt"], texts["token_ids"], strict=True))
    return {
        name: sum(tokens.get(row.prompt) == row.token_ids for row in rows.itertuples())
        for name, rows in judged.groupby("label", sort=False)
        if name not in (label, PEOPLE)
    }


def table(groups: Iterable[TextGroup]) -> pd.DataFrame:
    """Tabulate all metrics, one row for each group, for a CSV file; the intervals are in `_low` and `_high`."""
    return pd.DataFrame(
        [
            {"label": group.label, "texts": group.texts, "loops": group.loops}
            | {
                f"{name}{suffix}": getattr(estimate, end)
                for name, estimate in group.metrics.items()
                for suffix, end in (("", "value"), ("_low", "low"), ("_high", "high"))
            }
            for group in groups
        ]
    )


def batch_times(judged: pd.DataFrame) -> list[BatchTime]:
    """Return the time of each sampler's batch of texts, including compilation; human texts are left out."""
    return [
        BatchTime(
            label=label,
            texts=len(texts),
            new_tokens=int(texts["new_tokens"].sum()),
            batch_seconds=texts["batch_seconds"].iloc[0],
        )
        for label, texts in judged[judged["label"] != PEOPLE].groupby("label", sort=False)
    ]
