"""The side of Hugging Face transformers on PyTorch. It runs in its own environment and imports nothing from `lib`.

Usage: `python -m bench.peers WORK FOLDER`. WORK is `generate` or `finetune`. FOLDER contains `poems.npz` and
`prose.npz`, written from `bench.shape.tokens`. The model has GPT-2's shape and random weights.
"""

import functools
import sys
from pathlib import Path

import numpy as np
import torch
import transformers

from bench import layouts, protocol

PROMPT = [50256, 3666, 5296, 373]  # the start token and "My trip was"
NEW_TOKENS = 197
READS = 64  # a single pass takes hundredths of a second, too short for a stable measurement
BATCH_SIZE = 8
LENGTH = 128


def generating(model, batch_size: int, new_tokens: int = NEW_TOKENS, static: bool = False) -> int:
    """Generates a batch with top-k, k = 5, on the model's device. Returns the number of new tokens.

    With a static cache, transformers compiles the step for a token with `torch.compile` if the model is on a GPU.
    """
    prompts = torch.tensor([PROMPT] * batch_size, device=model.device)
    with torch.no_grad():
        model.generate(
            prompts,
            attention_mask=torch.ones_like(prompts),
            do_sample=True,
            top_k=5,
            min_new_tokens=new_tokens,
            max_new_tokens=new_tokens,
            pad_token_id=50256,
            **({"cache_implementation": "static"} if static else {}),
        )
    return batch_size * new_tokens


def reading(weights: torch.Tensor) -> int:
    """Reads a tensor as large as the model `READS` times on all cores. Returns the number of bytes read."""
    for _ in range(READS):
        weights.sum()
    return READS * weights.numel() * weights.element_size()


def training(model, optimizer, bfloat16: bool, batches) -> int:
    """Runs one pass over the training steps. Returns the number of predicted tokens.

    `bfloat16` enables autocast, as transformers' `Trainer` does with `bf16=True`. The model shifts the labels itself.
    """
    predicted = 0
    for token_ids, labels, attention_mask in batches:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            loss = model(input_ids=token_ids, attention_mask=attention_mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        predicted += int((labels[:, 1:] != layouts.IGNORED).sum())
    return predicted


def tensors(batches: list[tuple]) -> list[tuple]:
    """Converts batches of `layouts` to PyTorch tensors."""
    return [tuple(None if part is None else torch.tensor(part).long() for part in batch) for batch in batches]


def main(work: str, folder: str) -> None:
    """Serves the tasks of a workload."""
    answers = protocol.answers()
    transformers.set_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config())
    if work == "generate":
        model.eval()
        weights = torch.ones(sum(weight.numel() for weight in model.parameters()))
        tasks = {
            "1": functools.partial(generating, model, 1),
            "8": functools.partial(generating, model, 8),
            "read": functools.partial(reading, weights),
        }
    else:
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)  # the default of transformers
        tasks = {}
        for corpus in ("poems", "prose"):
            found = dict(np.load(Path(folder) / f"{corpus}.npz"))
            batches = {"padded": layouts.padded(found, BATCH_SIZE), "packed": layouts.packed(found, BATCH_SIZE, LENGTH)}
            for how, made in batches.items():
                for suffix, bfloat16 in (("", False), (", bfloat16", True)):
                    tasks[f"{corpus}, {how}{suffix}"] = functools.partial(
                        training, model, optimizer, bfloat16, tensors(made)
                    )
    protocol.serve(tasks, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
