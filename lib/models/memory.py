"""How much memory a model needs, estimated before it is loaded."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from lib.core import backends
from lib.core.errors import UserError

GIB = 2**30
RUNTIME = {"main memory": 2 * GIB, "GPU": GIB}  # Python, TensorFlow and JAX; the CUDA context and its libraries
KEPT = 1.75  # times what equation 1 counts: Keras keeps more of a layer, as measured with TensorFlow and JAX on a CPU
LOGITS_COPIES = 4  # the logits, the softmax and their gradients are alive together
FREED_KEPT = 1.2  # times what is needed, where freed memory is kept and has gaps between what is used
MALLOC = ("MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX")  # how the Makefile has glibc keep it
CONFIGURATION = (  # names of layers, width, heads and vocabulary in config.json, as KerasHub and Hugging Face have them
    ("num_layers", "n_layer", "num_hidden_layers"),
    ("hidden_dim", "n_embd", "hidden_size"),
    ("num_heads", "num_query_heads", "n_head", "num_attention_heads"),
    ("vocabulary_size", "vocab_size"),
)
CONTAINER_LIMITS = (  # limit and use, as control groups of version 2 and 1 tell them
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
_gpu_free_at_first: int | None = None


@dataclass(frozen=True)
class Shape:
    """What the memory of a GPT-2-like model depends on.

    Attributes:
        num_layers: Transformer layers.
        hidden_dim: Width of the hidden states.
        num_heads: Attention heads.
        vocabulary_size: Tokens in the vocabulary.
        parameters: Weights in all.
    """

    num_layers: int
    hidden_dim: int
    num_heads: int
    vocabulary_size: int
    parameters: int


def _gpt2(num_layers: int, hidden_dim: int, num_heads: int, vocabulary_size=50257, positions=1024) -> Shape:
    # 12 h² + 13 h weights a layer, two embeddings and the last normalisation; the output shares the token embedding.
    parameters = num_layers * (12 * hidden_dim**2 + 13 * hidden_dim)
    parameters += (vocabulary_size + positions + 2) * hidden_dim
    return Shape(num_layers, hidden_dim, num_heads, vocabulary_size, parameters)


# Radford et al., Language Models are Unsupervised Multitask Learners (2019), table 2; the heads are 64 wide.
KNOWN = {
    "gpt2_base_en": _gpt2(12, 768, 12),
    "gpt2_medium_en": _gpt2(24, 1024, 16),
    "gpt2_large_en": _gpt2(36, 1280, 20),
    "gpt2_extra_large_en": _gpt2(48, 1600, 25),
    "gpt2_base_en_cnn_dailymail": _gpt2(12, 768, 12),
}


@dataclass(frozen=True)
class Need:
    """Something that is going to be done with a model.

    Attributes:
        training: Whether it is trained; else it generates.
        batch_size: Texts at a time.
        length: Tokens in each, the prompt's included.
    """

    training: bool
    batch_size: int
    length: int


def generating(batch_size: int, length: int) -> Need:
    """Generating so many texts at a time, each so many tokens long."""
    return Need(False, batch_size, length)


def training(batch_size: int, length: int) -> Need:
    """Training on so many texts of so many tokens at a time. A batch may be halved, down to a single text."""
    return Need(True, batch_size, length)


def estimate(shape: Shape, need: Need, precision: str = "float32", accumulating: bool = False) -> int:
    """Estimates the memory that a model needs, in bytes, without the runtime's own.

    With w bytes for a value (4, or 2 with a mixed precision), b texts of s tokens, L layers of width h with a heads, a
    vocabulary of V and P weights:

    - weights: 4 P, and another 2 P for their 16-bit copies if the precision is mixed;
    - training with Adam: 12 P more for the gradients and two moments (Rajbhandari et al., ZeRO, 2020, section 3), 4 P
      more where gradients are accumulated; the activations, 1.75 L b s (h (16 w + 2) + a s (2 w + 1)) (Korthikanti et
      al., Reducing Activation Recomputation, 2022, equation 1, there with w = 2 and without the factor); the logits,
      b s V in float32, four times;
    - generating: keys and values, 2 L b s h w, twice since a step copies them; the logits of the prompt, which KerasHub
      computes for all s positions, b s V in float32, twice.

    Args:
        shape: The model's.
        need: What is done with it.
        precision: Keras' dtype policy.
        accumulating: Whether gradients are accumulated over several batches.
    """
    width = 2 if precision.startswith("mixed") else 4
    positions = need.batch_size * need.length
    layers, hidden, heads = shape.num_layers, shape.hidden_dim, shape.num_heads
    weights = shape.parameters * (4 + (2 if width == 2 else 0))
    logits = 4 * positions * shape.vocabulary_size
    if not need.training:
        return weights + 2 * (2 * layers * positions * hidden * width) + 2 * logits
    optimizer = shape.parameters * (12 + (4 if accumulating else 0))
    layer = hidden * (16 * width + 2) + heads * need.length * (2 * width + 1)
    return weights + optimizer + int(KEPT * layers * positions * layer) + LOGITS_COPIES * logits


def keeps_freed() -> bool:
    """Whether this process keeps the main memory that it frees (mallopt(3)), as the Makefile tells it to."""
    return os.environ.get(MALLOC[0]) == "0"


def needed(shape: Shape, need: Need, where: str, accumulating: bool = False) -> int:
    """Estimates the memory that a process needs, in bytes: `estimate`, what is kept for later, and the runtime.

    Where `decoding` generates it lays matrices out anew: all of the layers' 12 L h² weights for a single text, those of
    attention, a third of them, for several.

    Args:
        shape: The model's.
        need: What is done with it.
        where: `"GPU"` or `"main memory"`.
        accumulating: Whether gradients are accumulated over several batches.
    """
    kept = FREED_KEPT if where == "main memory" and keeps_freed() else 1
    copied = 0
    if not need.training and _precision() == "float32" and backends.selected and backends.selected.backend == "jax":
        copied = 4 * 12 * shape.num_layers * shape.hidden_dim**2 // (1 if need.batch_size == 1 else 3)
    return int(kept * (estimate(shape, need, _precision(), accumulating) + copied)) + RUNTIME[where]


def available() -> tuple[int, str]:
    """The memory that this process can have, in bytes, and where: `"GPU"` or `"main memory"`.

    What it holds already is part of it: of a GPU, what was free when this was first asked; of main memory, its resident
    set and what is free. A limit set on this process's control group (as a container's) counts as well.
    """
    global _gpu_free_at_first
    if backends.selected and backends.selected.on_gpu:
        if _gpu_free_at_first is None and (mebibytes := backends.gpu_property("memory.free")).isdigit():
            _gpu_free_at_first = int(mebibytes) * 2**20
        if _gpu_free_at_first is not None:
            return _gpu_free_at_first, "GPU"
    import psutil

    own = psutil.Process().memory_info().rss
    free = psutil.virtual_memory().available + own
    for limit, used in CONTAINER_LIMITS:
        if os.path.isfile(limit) and (text := Path(limit).read_text().strip()).isdigit():
            free = min(free, int(text) - int(Path(used).read_text()) + own)
    return max(0, free), "main memory"


def check(preset: str, shape: Shape | None, needs: tuple[Need, ...]) -> None:
    """Refuses what the memory cannot hold.

    Args:
        preset: The model's name, for the message.
        shape: Its shape; where it is not known, nothing is checked.
        needs: What is going to be done with it. Training needs only hold a single text at a time.

    Raises:
        UserError: With what is needed, what there is, and what to do.
    """
    if shape is None or not needs:
        return
    free, where = available()
    for need in needs:
        least = training(1, need.length) if need.training else need
        least_needed = needed(shape, least, where, accumulating=need.training and need.batch_size > 1)
        if least_needed <= free:
            continue
        smaller = [name for name, known in KNOWN.items() if known.parameters < shape.parameters]
        advice = [f"a smaller preset ({', '.join(smaller)})"] if smaller else []
        advice.append("a smaller sequence_length" if need.training else "a smaller max_length or fewer texts at a time")
        if where == "GPU":
            advice.append("a GPU that holds more, or closing what else runs on this one (`nvidia-smi` lists it)")
        else:
            advice.append("a machine with more memory, or closing other programs")
        doing = "fine-tuning" if need.training else f"generating {need.batch_size} texts at a time with"
        raise UserError(
            f"preset is {preset!r}: {doing} it, at {need.length} tokens a text, takes about "
            f"{least_needed / GIB:.1f} GiB; the {where} has {free / GIB:.1f} GiB free. "
            f"What helps: {'; '.join(advice)}."
        )


def largest_batch(shape: Shape | None, batch_size: int, length: int) -> int:
    """The largest half, quarter, ... of a batch that the memory is estimated to hold in training; 1 at the least.

    Args:
        shape: The model's; where it is not known, the whole batch is returned.
        batch_size: Texts in the whole batch.
        length: Tokens in each.
    """
    if shape is None:
        return batch_size
    free, where = available()
    size = batch_size
    while size > 1:
        if needed(shape, training(size, length), where, accumulating=size < batch_size) <= free:
            break
        size = half(size, batch_size)
    return size


def half(size: int, batch_size: int) -> int:
    """The largest part of a batch that divides it evenly and is at most half of `size`."""
    return max(part for part in range(1, max(1, size // 2) + 1) if batch_size % part == 0)


def shape_of(folder: Path) -> Shape | None:
    """The shape of the model in a preset folder, from its configuration; None if it is not GPT-2's or Llama's kind."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    config = config.get("config", config)
    found = [next((config[name] for name in names if name in config), None) for names in CONFIGURATION]
    if None in found:
        return None
    files = [file for pattern in ("*.weights*.h5", "*.safetensors") for file in folder.glob(pattern)]
    weights = sum(file.stat().st_size for file in files)
    return Shape(*found, parameters=weights // 4)  # float32 in all presets of GPT-2


def _precision() -> str:
    return backends.selected.precision if backends.selected else "float32"
