"""The sides on a GPU that run on PyTorch: Hugging Face transformers, and what the GPU itself can do.

It runs in its own environment and imports nothing from `lib`. Usage: `python -m bench.gpu_peers WORK PRECISION SIZE
FILE`. WORK is one of `WORKS`. PRECISION is `float32` (PyTorch's default), `TF32` (float32 weights, whose products may
be made in TF32) or `bfloat16` (weights of bfloat16; in training float32 weights, with autocast). FILE holds the token
ids and labels to train on.
"""

import functools
import sys

import numpy as np
import torch

from bench import peers, protocol

WORKS = ("generate", "static 1", "static 8", "finetune", "limits")
NEW_TOKENS = {"124M": peers.NEW_TOKENS, "tiny": 8}
COPIED = {"124M": 2**30, "tiny": 2**20}  # bytes
PRODUCT = {"124M": 8192, "tiny": 64}  # rows and columns of the matrices
COPIES, PRODUCTS = 100, 50  # in a task, which then takes tenths of a second


def device(size: str) -> torch.device:
    """Returns the GPU; for a test with the tiny model the CPU, if there is no GPU.

    Raises:
        SystemExit: If PyTorch finds no GPU.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    if size != "tiny":
        raise SystemExit(f"PyTorch {torch.__version__} cannot use the machine's GPU.")
    return torch.device("cpu")


def waited_for(task):
    """Returns a task that also waits for the GPU, before it begins and at its end."""

    @functools.wraps(task)
    def waiting():
        _wait()
        work = task()
        _wait()
        return work

    return waiting


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def make_model(size: str):
    """Returns a GPT-2 with random weights, on the device."""
    import transformers

    transformers.set_seed(0)
    shape = {"n_layer": 2, "n_embd": 64, "n_head": 2} if size == "tiny" else {}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**shape)).to(device(size))


def training(model, optimizer, bfloat16: bool, token_ids, labels) -> int:
    """Runs a training step for each batch. Returns the number of predicted tokens.

    Args:
        model: The model, as it is or compiled.
        optimizer: The optimizer of its weights.
        bfloat16: Whether autocast is on, as in transformers' `Trainer` with `bf16=True`.
        token_ids: The token ids of all steps, `(steps, texts, length)`, on the device.
        labels: The tokens that follow each of them, of the same shape.
    """
    for ids, following in zip(token_ids, labels, strict=True):
        with torch.autocast(ids.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            loss = model(input_ids=ids, labels=following, shift_labels=following, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return labels.numel()


def finetuning(size: str, precision: str, file: str) -> dict:
    """Returns the tasks that train: step by step as PyTorch runs it, and compiled with `torch.compile`.

    PyTorch's default, float32, is only measured as it comes.
    """
    place, found, bfloat16 = device(size), np.load(file), precision == "bfloat16"
    tokens = [torch.tensor(found[name]).long().to(place) for name in ("token_ids", "labels")]

    def made(compiled: bool):
        model = make_model(size).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)
        return functools.partial(training, torch.compile(model) if compiled else model, optimizer, bfloat16, *tokens)

    return {"train": made(False)} | ({} if precision == "float32" else {"train compiled": made(True)})


def copying(values: torch.Tensor, to: torch.Tensor) -> int:
    """Copies a tensor `COPIES` times within the device's memory. Returns the bytes read and written."""
    for _ in range(COPIES):
        to.copy_(values)
    return 2 * COPIES * values.numel() * values.element_size()


def multiplying(left: torch.Tensor, right: torch.Tensor, tf32: bool) -> int:
    """Multiplies two square matrices `PRODUCTS` times. Returns the number of operations."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    for _ in range(PRODUCTS):
        left @ right
    return PRODUCTS * 2 * len(left) ** 3


def limits(size: str) -> dict:
    """Returns the tasks that measure the device: copying within its memory, and products of matrices."""
    place, rows = device(size), PRODUCT[size]
    values = torch.ones(COPIED[size] // 4, device=place)
    matrices = [torch.randn(rows, rows, device=place) for _ in range(2)]
    rounded = [matrix.bfloat16() for matrix in matrices]
    return {
        "copy": functools.partial(copying, values, torch.empty_like(values)),
        "TF32": functools.partial(multiplying, *matrices, True),
        "bfloat16": functools.partial(multiplying, *rounded, False),
    }


def main(work: str, precision: str, size: str, file: str) -> None:
    """Serves the tasks of a workload."""
    answers = protocol.answers()
    torch.backends.cuda.matmul.allow_tf32 = precision == "TF32"
    if work == "limits":
        tasks = limits(size)
    elif work == "finetune":
        tasks = finetuning(size, precision, file)
    else:
        model = make_model(size).eval()
        if precision == "bfloat16":
            model = model.bfloat16()
        batches = {"static 1": (1,), "static 8": (8,)}.get(work, (1, 8))
        tasks = {
            str(batch): functools.partial(peers.generating, model, batch, NEW_TOKENS[size], work.startswith("static"))
            for batch in batches
        }
    protocol.serve({name: waited_for(task) for name, task in tasks.items()}, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
