"""Measures how the cost of generating grows with the number of new tokens, the batch size and the model size.

Usage: `python -m bench.growth SIZE`. `bench` runs it once per size.
"""

import json
import sys

from bench import ours, shape

NEW_TOKENS = (32, 128, 384, 1020)  # with the start token and the prompt, the last fills GPT-2's 1,024 positions
BATCHES = (1, 2, 4, 8, 16, 32)
AT = 64  # new tokens while the batch or the model size varies
REPEATS = 2


def main(size: str) -> None:
    """Prints the rows of one model size as JSON."""
    causal_lm = ours.load("ours", size)
    causal_lm.compile(sampler="top_k")
    largest = size == next(iter(shape.SIZES))
    points = [("parameters", AT, 1)]
    if largest or size == "tiny":
        points += [("new tokens", count, 1) for count in NEW_TOKENS] + [("batch", AT, count) for count in BATCHES]
    if size == "tiny":
        points = list(dict.fromkeys((by, min(new, 96), min(batch, 4)) for by, new, batch in points))
    print(json.dumps([_measured(causal_lm, *point) for point in points]))


def _measured(causal_lm, by: str, new_tokens: int, batch: int) -> dict:
    """Times `generate`. Returns what varies (`by`), the request, the model's shape and the seconds of later calls."""
    from lib.evaluation import timing  # once `ours.load` has chosen Keras' backend
    from lib.models import generation

    backbone = causal_lm.backbone
    prompt = generation.prompt_length(causal_lm, shape.PROMPT, new_tokens + 30)
    length = prompt + new_tokens

    def call():
        causal_lm.generate([shape.PROMPT] * batch, max_length=length, stop_token_ids=None)

    call()  # compiles
    return {
        "by": by,
        "new_tokens": new_tokens,
        "batch": batch,
        "parameters": causal_lm.count_params(),
        "num_layers": backbone.num_layers,
        "hidden_dim": backbone.hidden_dim,
        "max_length": length,
        "seconds": [timing.stopwatch(call) for _ in range(REPEATS)],
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
