"""Texts judged by figures: generated ones beside what people wrote, of the same length and after the same words."""

import numpy as np
import pandas as pd

from lib.core import progress
from lib.core.errors import UserError
from lib.evaluation import likelihood, metrics
from lib.models import generation
from lib.report import recorder, wording

PEOPLE, TANG, CHANCE = "people", "Tang poets", "shuffled"
MEANS = {
    "words": "words",
    "rep_2": "rep-2 %",
    "rep_3": "rep-3 %",
    "rep_4": "rep-4 %",
    "diversity": "diversity",
    "loop": "ends in a loop %",
    "longest_repeated": "longest repeated span (words)",
    "copied": "longest copied span (words)",
    "invalid": "invalid UTF-8 %",
}
FORM = {
    "well_formed": "well formed %",
    "regular_lines": "regular lines %",
    "han": "Chinese characters %",
    "rhyme": "rhyming pairs %",
    "alternating": "alternating tones %",
    "distinct": "distinct characters %",
}
FORM_EXPLAINED = (
    "In brackets: 95 % bootstrap confidence intervals over the poems (Wilson's for well-formed ones, and for pairs if "
    "none or all of them count). The tones of the line that the prompt begins are not judged. Not known: the share of "
    "pairs that cannot be judged, since a character is not in the rhyme table or has readings of both tones. Longest "
    "copied: the most characters in a row, after the prompt, that stand in another poem of the collection. Sense is "
    "not judged."
)
EXPLAINED = (
    "rep-n: n-grams of words that occurred before in the same text. Diversity: the product of 1 - rep-n for n = 2, 3, "
    "4 (Su et al., 2022). A loop: a phrase of two words or more, three times or more, at the end (Holtzman et al., "
    "2020). Longest repeated span: the longest run of words that a text has twice. In brackets: 95 % bootstrap "
    "confidence intervals of the mean over the texts (for loops Wilson's)."
)
VARIETY_EXPLAINED = (
    "Distinct-n: different n-grams of all texts together / their words (Li et al., 2016). Self-BLEU-4: BLEU of each "
    "text against the others, lower is more varied (Zhu et al., 2018). Zipf: minus the slope of log frequency over log "
    "rank. These depend on how many texts there are, so compare within the table. Copied: the longest run of words "
    "that stands in a training text. Perplexity: of a text's tokens to the model that this page is about, averaged "
    "over the texts in the logarithm; people's is not the lowest."
)


def openings(
    causal_lm, texts: list[str], prompt_tokens: int, max_length: int, count: int, distinct_from: list[str] | None = None
) -> pd.DataFrame:
    """Beginnings of texts that people wrote, to be continued, and how people went on for the same number of tokens.

    A text is taken if it is long enough and its beginning alone has the same tokens.

    Args:
        causal_lm: The model, for its tokenizer.
        texts: The texts, none of which the model was trained on.
        prompt_tokens: Tokens of a beginning, without a start token.
        max_length: Tokens in all, a start token included.
        count: How many to take.
        distinct_from: Prompts that none of the beginnings may be. Then no two beginnings are the same either, so that
            what continues them can be told apart by its prompt: many stories begin as others do. None allows both.

    Returns:
        Rows like those of `generation.generate_samples`, without what only a run has: `label` and `sampler` (both
        `PEOPLE`), `prompt`, `seed` (None), `sample` (1), `text`, `continuation`, `new_tokens`, `ended`,
        `invalid_bytes`, `token_ids`.

    Raises:
        UserError: If there are fewer such texts, or beginnings that leave no room for more.
    """
    tokenizer = causal_lm.preprocessor.tokenizer
    rows, known = [], set(distinct_from or ())
    for text in texts:
        token_ids = np.asarray(tokenizer(text)).tolist()
        prompt = generation.token_bytes(token_ids[:prompt_tokens], tokenizer).decode(errors="replace")
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
        content = generation.token_bytes(wanted, tokenizer)
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
                "invalid_bytes": metrics.invalid_bytes(content),
                "token_ids": wanted,
            }
        )
        if len(rows) == count:
            return pd.DataFrame(rows)
    different = "" if distinct_from is None else "different "
    raise UserError(
        f"{count} {different}beginnings of texts of {max_length} tokens are asked for, but only {len(rows)} of "
        f"{len(texts)} held-out texts will do. Lower max_length, or num_openings in 03 and num_samples in 01 and 02."
    )


def shortened(people: pd.DataFrame, lengths, tokenizer) -> pd.DataFrame:
    """What `openings` returned, cut to as many new tokens as some other texts have.

    Args:
        people: The rows.
        lengths: The new tokens of the other texts, one for each row.
        tokenizer: The tokenizer that `openings` used.

    Returns:
        The rows, labelled `"people, cut to that length"`.
    """
    rows = []
    for row, length in zip(people.to_dict("records"), lengths, strict=True):
        row["token_ids"] = row["token_ids"][:length]
        row["continuation"] = generation.token_bytes(row["token_ids"], tokenizer).decode(errors="replace")
        row |= {"label": f"{PEOPLE}, cut to that length", "text": row["prompt"] + row["continuation"]}
        rows.append(row | {"new_tokens": len(row["token_ids"])})
    return pd.DataFrame(rows)


def judge(samples: pd.DataFrame, causal_lm=None, training: list[str] = ()) -> pd.DataFrame:
    """Judges each text by what comes after its prompt.

    Args:
        samples: Rows with `prompt`, `text`, `continuation`, `token_ids`.
        causal_lm: The model whose perplexity of each text is told; none is told without one. Its tokenizer is the one
            that made `token_ids`.
        training: Texts that the model was trained on.

    Returns:
        The same rows with `words`, `rep_2`, `rep_3`, `rep_4` (percent), `diversity`, `loop` (100 or 0), `looped`
        (percent of the words that only go round), `loop_times`, `loop_start`, `loop_end` (characters of `text`),
        `longest_repeated` (words), `copied` (words; nan without training texts), `invalid` (percent of the bytes) and
        `perplexity` (nan without a model).
    """
    progress.note(f"judging {len(samples)} texts")
    samples = samples.reset_index(drop=True)
    rows, words = [], [metrics.word_tokens(text) for text in samples["continuation"]]
    copied = [float("nan")] * len(samples)
    if len(training):
        copied = metrics.longest_copied_spans(words, [metrics.word_tokens(text) for text in training])
    tokenizer = causal_lm.preprocessor.tokenizer if causal_lm is not None else None
    for row, tokens, span in zip(samples.itertuples(), words, copied, strict=True):
        told = metrics.repetition(row.continuation)
        if told["loop_times"]:
            told["loop_start"] += len(row.text) - len(row.continuation)
            told["loop_end"] += len(row.text) - len(row.continuation)
        rows.append(
            {
                "words": len(tokens),
                "rep_2": metrics.rep_n(tokens, 2),
                "rep_3": metrics.rep_n(tokens, 3),
                "diversity": metrics.diversity(tokens),
                "loop": 100.0 * metrics.holtzman_repetition(tokens),
                "longest_repeated": metrics.longest_repeated_span(tokens),
                "copied": span,
                "invalid": metrics.invalid_utf8_rate(row.token_ids, tokenizer) if tokenizer else float("nan"),
                **told,
            }
        )
    judged = samples.join(pd.DataFrame(rows, index=samples.index))
    judged["perplexity"] = likelihood.perplexities(causal_lm, samples) if causal_lm is not None else float("nan")
    return judged


def cells(judged: pd.DataFrame, by: str = "label") -> pd.DataFrame:
    """Sums judged texts up, a row for each value of a column.

    Returns:
        The column itself and `texts`; for each of `MEANS` and for `perplexity` the mean over the texts and its 95 %
        bootstrap interval, `_low` and `_high` (for perplexity all three are exponentials of those of the logarithm, for
        `loop` it is Wilson's);
        `distinct_1`, `distinct_2`, `self_bleu_4` and `zipf`, of all texts of the row together; and `loops`, the number
        of texts that end in one. nan where there is nothing to judge.
    """
    rows = []
    for name, texts in judged.groupby(by, sort=False):
        tokens = [metrics.word_tokens(text) for text in texts["continuation"]]
        row = {by: name, "texts": len(texts)}
        for column in MEANS:
            row |= _mean(column, texts[column].astype(float))
        row["loops"] = int((texts["loop"] > 0).sum())
        row["loop_low"], row["loop_high"] = (100 * end for end in metrics.share_interval(row["loops"], len(texts)))
        with np.errstate(divide="ignore"):
            row |= {
                key: float(np.exp(value)) for key, value in _mean("perplexity", np.log(texts["perplexity"])).items()
            }
        row["distinct_1"], row["distinct_2"] = metrics.distinct_n(tokens, 1), metrics.distinct_n(tokens, 2)
        row["self_bleu_4"] = metrics.self_bleu(tokens)
        row["zipf"] = metrics.zipf_coefficient([token for own in tokens for token in own])
        rows.append(row)
    return pd.DataFrame(rows)


def repetition_table(cells: pd.DataFrame, by: str = "label") -> pd.DataFrame:
    """How much the texts of each row of `cells` repeat themselves, as a table to be shown."""
    shown = pd.DataFrame({"texts by": cells[by], "texts": cells["texts"], "words": cells["words"]})
    for column in ("rep_2", "rep_3", "rep_4", "diversity", "loop", "longest_repeated"):
        shown[MEANS[column]] = with_intervals(cells, column)
    return shown


def variety_table(cells: pd.DataFrame, by: str = "label") -> pd.DataFrame:
    """How varied, copied and likely the texts of each row of `cells` are, as a table to be shown."""
    shown = pd.DataFrame({"texts by": cells[by], "perplexity": with_intervals(cells, "perplexity")})
    names = {"distinct_1": "distinct-1", "distinct_2": "distinct-2", "self_bleu_4": "self-BLEU-4", "zipf": "Zipf"}
    for column, name in names.items():
        shown[name] = cells[column]
    for column in ("copied", "invalid"):
        shown[MEANS[column]] = with_intervals(cells, column)
    return shown


def with_intervals(table: pd.DataFrame, column: str) -> list[str]:
    """A column's figures with their intervals, such as `"0.94 (0.92–0.96)"`."""
    return [
        with_interval(*row) for row in zip(table[column], table[f"{column}_low"], table[f"{column}_high"], strict=True)
    ]


def with_interval(mean: float, low: float, high: float) -> str:
    """A figure with its interval; a dash where there is none."""
    if np.isnan(mean):
        return "–"
    number = recorder.number
    return number(mean) if np.isnan(low) else f"{number(mean)} ({number(low)}–{number(high)})"


def percent(value: float, language: str = "en") -> str:
    """A share for a sentence: `"12 %"`, or that there was nothing to judge."""
    return wording.say("nothing_to_judge", language) if value is None or np.isnan(value) else f"{value:.0f} %"


def form_table(form: pd.DataFrame) -> pd.DataFrame:
    """The form of several groups of poems, as a table to be shown.

    Args:
        form: A column `poems by`, and for each group what `poetry.summary` returned.
    """
    shown = form[["poems by", "poems"]].copy()
    for column, name in FORM.items():
        low, high = (form[f"{column}_{end}"] for end in ("low", "high"))
        shown[name] = [with_interval(*row) for row in zip(form[f"{column}_percent"], low, high, strict=True)]
    shown["pairs for rhyme"] = form["rhyme_pairs"]
    shown["not known %"] = form["rhyme_unknown_percent"]
    shown["pairs for tones"] = form["tone_pairs"]
    shown["not known % "] = form["tone_unknown_percent"]
    shown["longest copied"] = form["copied_longest"]
    return shown


def storable(content):
    """Tables as lists of rows, and None for what is not a number, which JSON cannot hold."""
    if isinstance(content, pd.DataFrame):
        return storable(content.to_dict("records"))
    if isinstance(content, dict):
        return {key: storable(value) for key, value in content.items()}
    if isinstance(content, list):
        return [storable(value) for value in content]
    return None if isinstance(content, float) and not np.isfinite(content) else content


def finding(cells: pd.DataFrame, by: str = "label", language: str = "en") -> str:
    """Says how the samplers stand to people, from rows of `cells`: in repetition, and in perplexity."""
    people = cells[cells[by] == PEOPLE].iloc[0]
    others = cells[cells[by] != PEOPLE]
    alike = others[
        (others["diversity_low"] <= people["diversity_high"]) & (others["diversity_high"] >= people["diversity_low"])
    ]
    nearest = others.loc[(np.log(others["perplexity"]) - np.log(people["perplexity"])).abs().idxmin()]
    poorest = others.loc[others["diversity"].idxmin()]
    return wording.say(
        "finding",
        language,
        diversity=people["diversity"],
        perplexity=people["perplexity"],
        alike=wording.say("and", language).join(alike[by]) or wording.say("none", language),
        poorest=poorest[by],
        lowest=poorest["diversity"],
        nearest=nearest[by],
        near=nearest["perplexity"],
    )


def same_as_first(judged: pd.DataFrame, by: str = "label") -> str:
    """Says how many texts of each row of a table are those of its first row, token by token."""
    (first, texts), *others = judged.groupby(by, sort=False)
    tokens = dict(zip(texts["prompt"], texts["token_ids"], strict=True))
    counts = {
        name: sum(tokens.get(row.prompt) == row.token_ids for row in rows.itertuples())
        for name, rows in others
        if name != PEOPLE
    }
    told = ", ".join(f"{name} {count} of {len(tokens)}" for name, count in counts.items() if count) or "none"
    return f"Texts that are the same as those of {first}, token by token: {told}."


def _mean(column: str, values) -> dict[str, float]:
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    low, high = metrics.interval(values)
    mean = float(np.mean(values)) if len(values) else float("nan")
    return {column: mean, f"{column}_low": low, f"{column}_high": high}
