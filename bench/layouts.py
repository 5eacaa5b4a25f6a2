"""How the peer lays out the same texts for training. NumPy only: `bench.peers` runs without `lib`."""

import numpy as np

IGNORED = -100  # the label that transformers leaves out of the loss


def padded(found: dict, batch_size: int) -> list[tuple]:
    """Batches of padded rows, as a data collator makes them.

    Args:
        found: `token_ids`, `labels` and `useful`, each `(texts, length)`, as `bench.shape.tokens` has them.
        batch_size: Texts in a batch; the rest that fills none is left out.

    Returns:
        For each batch token ids, labels and attention mask, `(batch_size, length + 1)`: transformers shifts the labels
        itself, so that a row has a token more than one of KerasHub.
    """
    token_ids = np.concatenate([found["token_ids"], found["labels"][:, -1:]], axis=1)
    counts = np.concatenate([np.ones((len(token_ids), 1), bool), found["useful"]], axis=1)
    # KerasHub's last label of a short text is its end token, which a row holds as well.
    labels = np.where(counts, token_ids, IGNORED)
    starts = range(0, len(token_ids) - batch_size + 1, batch_size)
    return [tuple(part[start : start + batch_size] for part in (token_ids, labels, counts)) for start in starts]


def packed(found: dict, batch_size: int, length: int) -> list[tuple]:
    """The same texts end to end, cut into full rows, as transformers' `run_clm` does (`group_texts`).

    A step has as many rows as the padded batch's tokens fill, so that it learns from as many tokens.

    Args:
        found: As in `padded`.
        batch_size: Texts in the padded batch.
        length: Tokens that are predicted in a row.

    Returns:
        For each step token ids, the same as labels, and no attention mask.
    """
    texts = zip(found["token_ids"], found["labels"], found["useful"], strict=True)
    stream = np.concatenate([np.append(row[counts], labels[counts][-1]) for row, labels, counts in texts])
    rows = max(1, round(found["useful"].sum() / len(found["useful"]) * batch_size / length))
    step = rows * (length + 1)
    blocks = stream[: len(stream) // step * step].reshape(-1, rows, length + 1)
    return [(block, block, None) for block in blocks]
