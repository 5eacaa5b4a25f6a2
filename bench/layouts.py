"""Training batches of the same texts for transformers. NumPy only, since `bench.peers` runs without `lib`."""

import numpy as np

IGNORED = -100  # the label that transformers leaves out of the loss


def padded(found: dict, batch_size: int) -> list[tuple]:
    """Makes batches of rows padded to the longest row, as a data collator of transformers does.

    Args:
        found: `token_ids`, `labels` and `useful`, each of shape `(texts, length)`, from `bench.shape.tokens`.
        batch_size: Texts per batch. An incomplete last batch is dropped.

    Returns:
        Token ids, labels and attention mask of each batch, of shape `(batch_size, longest)`. A row has one token more
        than a row of KerasHub, since transformers shifts the labels itself.
    """
    token_ids = np.concatenate([found["token_ids"], found["labels"][:, -1:]], axis=1)
    counts = np.concatenate([np.ones((len(token_ids), 1), bool), found["useful"]], axis=1)
    # The last label of a short text is its end token, which the row contains too.
    labels = np.where(counts, token_ids, IGNORED)
    batches = []
    for start in range(0, len(token_ids) - batch_size + 1, batch_size):
        longest = counts[start : start + batch_size].sum(axis=1).max()
        batches.append(tuple(part[start : start + batch_size, :longest] for part in (token_ids, labels, counts)))
    return batches


def packed(found: dict, batch_size: int, length: int) -> list[tuple]:
    """Concatenates the texts and cuts them into full rows, as `group_texts` in transformers' `run_clm` does.

    The number of rows per step is chosen so that a step predicts about as many tokens as a padded batch.

    Args:
        found: As in `padded`.
        batch_size: Texts in a padded batch.
        length: Tokens per row. All but the first are predicted.

    Returns:
        Token ids of each step, of shape `(rows, length)`; the same array as labels; and None, for no attention mask.
    """
    texts = zip(found["token_ids"], found["labels"], found["useful"], strict=True)
    stream = np.concatenate([np.append(row[counts], labels[counts][-1]) for row, labels, counts in texts])
    rows = max(1, round(found["useful"].sum() / len(found["useful"]) * batch_size / (length - 1)))
    step = rows * length
    blocks = stream[: len(stream) // step * step].reshape(-1, rows, length)
    return [(block, block, None) for block in blocks]
