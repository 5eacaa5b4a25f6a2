"""How the peer lays out the same texts for training. NumPy only: `bench.peers` runs without `lib`."""

import numpy as np

IGNORED = -100  # the label that transformers leaves out of the loss


def padded(found: dict, batch_size: int) -> list[tuple]:
    """Batches of rows that are padded to the longest of them, as a data collator makes them.

    Args:
        found: `token_ids`, `labels` and `useful`, each `(texts, length)`, as `bench.shape.tokens` has them.
        batch_size: Texts in a batch; the rest that fills none is left out.

    Returns:
        For each batch token ids, labels and attention mask, `(batch_size, longest)`: transformers shifts the labels
        itself, so that a row has a token more than one of KerasHub.
    """
    token_ids = np.concatenate([found["token_ids"], found["labels"][:, -1:]], axis=1)
    counts = np.concatenate([np.ones((len(token_ids), 1), bool), found["useful"]], axis=1)
    # KerasHub's last label of a short text is its end token, which a row holds as well.
    labels = np.where(counts, token_ids, IGNORED)
    batches = []
    for start in range(0, len(token_ids) - batch_size + 1, batch_size):
        longest = counts[start : start + batch_size].sum(axis=1).max()
        batches.append(tuple(part[start : start + batch_size, :longest] for part in (token_ids, labels, counts)))
    return batches


def packed(found: dict, batch_size: int, length: int) -> list[tuple]:
    """The same texts end to end, cut into full rows, as transformers' `run_clm` does (`group_texts`).

    A step has as many rows as the padded batch's tokens fill, so that it learns from about as many tokens.

    Args:
        found: As in `padded`.
        batch_size: Texts in the padded batch.
        length: Tokens in a row; all but the first are predicted.

    Returns:
        For each step token ids, the same as labels, and no attention mask.
    """
    texts = zip(found["token_ids"], found["labels"], found["useful"], strict=True)
    stream = np.concatenate([np.append(row[counts], labels[counts][-1]) for row, labels, counts in texts])
    rows = max(1, round(found["useful"].sum() / len(found["useful"]) * batch_size / (length - 1)))
    step = rows * length
    blocks = stream[: len(stream) // step * step].reshape(-1, rows, length)
    return [(block, block, None) for block in blocks]
