"""Estimate how much memory a model needs, before it is loaded. This module needs no Keras."""

import ctypes
import dataclasses
import gc
import json
import os
from pathlib import Path

import psutil

from lib.core import backends
from lib.core.errors import UserError

GIB = 2**30
RUNTIME = {"main memory": 2 * GIB, "GPU": GIB}  # Python, TensorFlow and JAX; the CUDA context and its libraries
ACTIVATIONS_FACTOR = 1.75  # Keras keeps more of a layer than equation 1 counts, by measurements on a CPU
LOGITS_COPIES = 4  # the logits, the softmax and their gradients exist at the same time
FRAGMENTATION_FACTOR = 1.2  # freed memory that is kept has gaps
MALLOC = ("MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX")  # the Makefile sets them to keep memory
CONFIGURATION = (  # names of layers, width, heads and vocabulary in config.json, of KerasHub and of Hugging Face
    ("num_layers", "n_layer", "num_hidden_layers"),
    ("hidden_dim", "n_embd", "hidden_size"),
    ("num_heads", "num_query_heads", "n_head", "num_attention_heads"),
    ("vocabulary_size", "vocab_size"),
)
KEY_VALUE_HEADS = "num_key_value_heads"  # there too, if they are fewer
CONTAINER_LIMITS = (  # limit and use in control groups of version 2 and 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
_gpu_free_at_first: int | None = None


@dataclasses.dataclass(frozen=True)
class Shape:
    """The numbers on which the memory of a GPT-2-like model depends.

    Attributes:
        num_layers: The number of transformer layers.
        hidden_dim: The width of the hidden states.
        num_heads: The number of attention heads.
        vocabulary_size: The number of tokens in the vocabulary.
        parameters: The number of weights.
        num_key_value_heads: The number of heads of keys and values; None if it is `num_heads`.
    """

    num_layers: int
    hidden_dim: int
    num_heads: int
    vocabulary_size: int
    parameters: int
    num_key_value_heads: int | None = None

    def trained(self, lora_rank: int) -> int:
        """Return the number of weights that are trained.

        With low-rank adapters of rank r, it is 2 L (h a r + r h / a) for L layers of width h with a heads: Keras adapts
        the matrices of queries and values, and makes a factor of h x a rows and one for the width of a head.

        Args:
            lora_rank: The rank of the adapters; 0 if all weights are trained.
        """
        if not lora_rank:
            return self.parameters
        factors = self.hidden_dim * self.num_heads + self.hidden_dim // self.num_heads
        return 2 * self.num_layers * factors * lora_rank

    def on_a_device(self, division: "Division") -> int:
        """Return the number of weights that a device holds, where several share them; the embeddings are whole."""
        embeddings = self.vocabulary_size * self.hidden_dim
        return embeddings + -(-(self.parameters - embeddings) // division.model)


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


@dataclasses.dataclass(frozen=True)
class Division:
    """How the devices of a machine share a training, see `distribution`.

    Attributes:
        replicas: The number of groups of devices, each with all weights and a share of the texts of a step.
        model: The number of devices in a group, which share the weights.
    """

    replicas: int = 1
    model: int = 1


WHOLE = Division()


@dataclasses.dataclass(frozen=True)
class Need:
    """A use of a model that needs memory.

    Attributes:
        training: Whether the model is trained; else it generates.
        batch_size: The number of texts at a time.
        length: The number of tokens in each text, prompt included.
        lora_rank: The rank of the low-rank adapters that are trained; 0 if all weights are.
        token_by_token: Whether it generates with samplers that choose one token after another, so that `decoding` may
            be used, see `samplers.token_by_token`.
    """

    training: bool
    batch_size: int
    length: int
    lora_rank: int = 0
    token_by_token: bool = False


def generating(batch_size: int, length: int, token_by_token: bool = False) -> Need:
    """Describe generating a batch of texts, each with this number of tokens. The arguments are those of `Need`."""
    return Need(False, batch_size, length, token_by_token=token_by_token)


def training(batch_size: int, length: int, lora_rank: int = 0) -> Need:
    """Describe training on batches of texts, each with this number of tokens. A batch may be halved repeatedly."""
    return Need(True, batch_size, length, lora_rank)


def estimate(
    shape: Shape, need: Need, precision: str = "float32", accumulating: bool = False, division: Division = WHOLE
) -> int:
    """Estimate the memory that a model needs on each device, in bytes, without that of the runtime.

    With w bytes per value (4, or 2 in mixed precision), b texts of s tokens, L layers of width h with a heads, a
    vocabulary of V tokens, P weights and T trained ones (`Shape.trained`):

    - weights: 4 P, and in mixed precision 2 P more for their 16-bit copies;
    - training with Adam: 12 T for the gradients and two moments (Rajbhandari et al., ZeRO, 2020, section 3), and 4 T
      more if gradients are accumulated; the activations, 1.75 L b s (h (16 w + 2) + a s (2 w + 1)) (Korthikanti et al.,
      Reducing Activation Recomputation, 2022, equation 1, there with w = 2 and without the factor); the logits, b s V
      in float32, four times;
    - generating: keys and values, 2 L b s h w g / a for g heads of them, twice since a step copies them; and logits, V
      for each text and position in float32, twice. KerasHub computes them for all s positions. Where samplers choose
      token by token, those of one position are counted, which is all that `decoding` computes.

    Where r replicas share the texts of a step, b is those of one. Where m devices share the weights, P and T are a
    replica's embeddings and an m-th of the rest, and of the activations all but L b s h (4 w + 2) are an m-th
    (Korthikanti et al., equation 2).

    Args:
        shape: The model's shape.
        need: The use of the model.
        precision: Keras' dtype policy.
        accumulating: Whether gradients are accumulated over several batches.
        division: How devices share the work.
    """
    width = 2 if precision.startswith("mixed") else 4
    texts = -(-need.batch_size // division.replicas) if need.training else need.batch_size
    positions = texts * need.length
    layers, hidden, heads = shape.num_layers, shape.hidden_dim, shape.num_heads
    weights = shape.on_a_device(division) * (4 + (2 if width == 2 else 0))
    logits = 4 * positions * shape.vocabulary_size
    if not need.training:
        cached = hidden * (shape.num_key_value_heads or heads) // heads
        logits //= need.length if need.token_by_token else 1
        return weights + 2 * (2 * layers * positions * cached * width) + 2 * logits
    trained = shape.trained(need.lora_rank) if need.lora_rank else shape.on_a_device(division)
    optimizer = trained * (12 + (4 if accumulating else 0))
    layer = hidden * (4 * width + 2) + (12 * hidden * width + heads * need.length * (2 * width + 1)) / division.model
    return weights + optimizer + int(ACTIVATIONS_FACTOR * layers * positions * layer) + LOGITS_COPIES * logits


def keeps_freed() -> bool:
    """Tell whether this process keeps the main memory that it frees (mallopt(3)), as the Makefile sets it."""
    return os.environ.get(MALLOC[0]) == "0"


def release() -> None:
    """Free what is no longer used, and give the freed memory back to the system where it is glibc's to give.

    Where `make` has glibc keep freed memory, every compilation leaves holes in it, and a process that trains several
    times would grow from one training to the next.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def needed(shape: Shape, need: Need, where: str, accumulating: bool = False, division: Division = WHOLE) -> int:
    """Estimate the memory that a process needs, in bytes: `estimate`, freed memory that is kept, and the runtime.

    On GPUs, it is the memory of each. In main memory, all devices are in the same one.

    `decoding` copies matrices to another layout: all 12 L h² weights of the layers for a single text or on a GPU, and
    those of the attention, a third of them, for several texts on a CPU.

    Args:
        shape: The model's shape.
        need: The use of the model.
        where: `"GPU"` or `"main memory"`.
        accumulating: Whether gradients are accumulated over several batches.
        division: How devices share the work.
    """
    kept = FRAGMENTATION_FACTOR if where == "main memory" and keeps_freed() else 1
    copied = 0
    settings = backends.selected
    if not settings or settings.backend != "jax":
        need = dataclasses.replace(need, token_by_token=False)  # KerasHub generates
    if not need.training and settings and settings.backend == "jax" and settings.precision == "float32":
        whole = need.batch_size == 1 or settings.on_gpu
        copied = 4 * 12 * shape.num_layers * shape.hidden_dim**2 // (1 if whole else 3) // division.model
    a_device = estimate(shape, need, _precision(), accumulating, division) + copied
    devices = 1 if where == "GPU" else division.replicas * division.model
    return int(kept * devices * a_device) + RUNTIME[where]


def available() -> tuple[int, str]:
    """Return the memory that this process can use, in bytes, and where: `"GPU"` or `"main memory"`.

    It includes the memory that the process already uses. On a GPU, it is what was free at the first call; in main
    memory, it is the resident set and what is free. The limit of the control group, such as a container's, applies too.
    """
    global _gpu_free_at_first
    if backends.selected and backends.selected.on_gpu:
        if _gpu_free_at_first is None and (mebibytes := backends.gpu_property("memory.free")).isdigit():
            _gpu_free_at_first = int(mebibytes) * 2**20
        if _gpu_free_at_first is not None:
            return _gpu_free_at_first, "GPU"
    own = psutil.Process().memory_info().rss
    free = psutil.virtual_memory().available + own
    for limit, used in CONTAINER_LIMITS:
        if os.path.isfile(limit) and (text := Path(limit).read_text().strip()).isdigit():
            free = min(free, int(text) - int(Path(used).read_text()) + own)
    return max(0, free), "main memory"


def divided(shape: Shape | None, needs: tuple[Need, ...]) -> Division:
    """Choose how the devices of `backends.selected` share a training.

    As few as suffice share the weights, since that takes more communication than sharing the texts.

    Args:
        shape: The model's shape. If it is None, the devices share the texts.
        needs: The uses of the model.
    """
    devices = backends.selected.devices if backends.selected else 1
    if shape is None or devices == 1:
        return Division(devices)
    return divided_among(devices, shape, needs, *available())


def divided_among(devices: int, shape: Shape, needs: tuple[Need, ...], free: int, where: str = "GPU") -> Division:
    """Choose how so many devices share a training, see `divided`, each with so many bytes free."""
    possible = [model for model in range(1, devices + 1) if devices % model == 0 and shape.hidden_dim % model == 0]
    for model in possible:
        division = Division(devices // model, model)
        if where != "GPU" or all(_least(shape, need, where, division) <= free for need in needs):
            return division
    return division


def _least(shape: Shape, need: Need, where: str, division: Division) -> int:
    """Return the least memory that a use needs: for training, that of a single text at a time on each replica."""
    if not need.training:
        return needed(shape, need, where, division=division)
    accumulating = need.batch_size > division.replicas
    return needed(shape, training(division.replicas, need.length, need.lora_rank), where, accumulating, division)


def check(preset: str, shape: Shape | None, needs: tuple[Need, ...], division: Division = WHOLE) -> None:
    """Check that there is enough memory.

    Args:
        preset: The model's name, for the message.
        shape: Its shape. If it is None, nothing is checked.
        needs: The uses of the model. For training, a single text at a time must fit.
        division: How devices share the work.

    Raises:
        UserError: If there is not. The message says how much is needed, how much is free, and what helps.
    """
    if shape is None or not needs:
        return
    free, where = available()
    for need in needs:
        least_needed = _least(shape, need, where, division)
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


def largest_batch(
    shape: Shape | None, batch_size: int, length: int, lora_rank: int = 0, division: Division = WHOLE
) -> int:
    """Estimate the largest part of a batch, by halving it, for which the memory suffices in training. It is at least 1.

    Args:
        shape: The model's shape. If it is None, the whole batch is returned.
        batch_size: The number of texts in the whole batch.
        length: The number of tokens in each text.
        lora_rank: The rank of the low-rank adapters that are trained; 0 if all weights are.
        division: How devices share the work.
    """
    return batch_size if shape is None else largest_part(shape, batch_size, length, lora_rank, division, *available())


def largest_part(
    shape: Shape, batch_size: int, length: int, lora_rank: int, division: Division, free: int, where: str = "GPU"
) -> int:
    """Estimate the largest part of a batch for which so many free bytes suffice, see `largest_batch`."""
    size = batch_size
    while size > 1:
        if needed(shape, training(size, length, lora_rank), where, size < batch_size, division) <= free:
            break
        size = half(size, batch_size)
    return size


def half(size: int, batch_size: int) -> int:
    """Return the largest divisor of `batch_size` that is at most half of `size`; 1 at the least."""
    return max(part for part in range(1, max(1, size // 2) + 1) if batch_size % part == 0)


def heads_of(folder: Path) -> tuple[int, ...]:
    """Read the numbers of attention heads of the model in a preset folder: of queries, and of keys and values."""
    config = _configuration(folder)
    names = (*CONFIGURATION[2], KEY_VALUE_HEADS)
    return tuple(config[name] for name in names if config.get(name))


def _configuration(folder: Path) -> dict:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config.get("config", config)


def shape_of(folder: Path) -> Shape | None:
    """Read the shape of the model in a preset folder. Return None for a model that is unlike GPT-2 and Llama."""
    config = _configuration(folder)
    found = [next((config[name] for name in names if name in config), None) for names in CONFIGURATION]
    if None in found:
        return None
    files = [file for pattern in ("*.weights*.h5", "*.safetensors") for file in folder.glob(pattern)]
    weights = sum(file.stat().st_size for file in files)
    key_value_heads = config.get(KEY_VALUE_HEADS)
    return Shape(*found, parameters=weights // 4, num_key_value_heads=key_value_heads)  # float32 in presets of GPT-2


def _precision() -> str:
    return backends.selected.precision if backends.selected else "float32"
