import json
import shutil

import numpy as np
import pytest

from lib.core import published
from lib.core.errors import UserError
from lib.core.records import StandIn
from lib.models import byte_level, pretrained, smollm2


def logits(causal_lm):
    token_ids = np.arange(12).reshape(2, 6)
    return np.asarray(causal_lm({"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)}))


def fine_tune(causal_lm):
    causal_lm.compile(optimizer="adam", loss="auto")
    causal_lm.train_on_batch(["the lake was cold", "we went home"])


def test_a_fine_tuned_model_saved_and_loaded_gives_identical_logits(tiny_lm, tmp_path):
    before = logits(tiny_lm)
    fine_tune(tiny_lm)
    expected = logits(tiny_lm)
    assert not np.allclose(before, expected)
    pretrained.save(tiny_lm, tmp_path / "model")
    pretrained.save(tiny_lm, tmp_path / "model")  # an old one is replaced
    loaded = pretrained.load_causal_lm(str(tmp_path / "model"), sequence_length=20)
    np.testing.assert_array_equal(logits(loaded), expected)
    assert loaded.preprocessor.sequence_length == 20


def test_a_model_made_with_stand_ins_says_so_wherever_it_is_loaded(tiny_lm, tmp_path):
    used = [StandIn(used="a", requested="b"), StandIn(used="texts in place of prose", requested="c")]
    pretrained.save(tiny_lm, tmp_path / "model", "a after 3 steps", used)
    found = pretrained.find(str(tmp_path / "model"))
    assert (found.name, found.stand_ins) == ("a after 3 steps", used)


@pytest.mark.parametrize(
    "origin",
    [
        {"name": "a after 3 steps", "stand_ins": ["a in place of b"]},
        {"name": "a"},
        ["a"],
        None,
        {"name": {"a": 1}, "stand_ins": []},
        {"name": "a", "stand_ins": [{"used": "b", "asked": "c"}]},
        {"name": "a", "stand_ins": [], "more": 1},
    ],
)
def test_a_record_of_an_older_version_is_refused(tiny_preset, tmp_path, origin):
    folder = tmp_path / "cpu" / "02_reddit_finetune" / "model"
    shutil.copytree(tiny_preset, folder)
    (folder / "origin.json").write_text(json.dumps(origin))
    with pytest.raises(UserError) as error:
        pretrained.find(str(folder))
    assert repr(str(folder)) in str(error.value)
    assert "was saved by an older version of this code" in str(error.value)
    assert "Run `make report NOTEBOOK=02_reddit_finetune PROFILE=cpu` anew." in str(error.value)


@pytest.fixture
def tiny_smollm2():
    tokens = [*byte_level.byte_characters(), "th", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    special = tokens[-3:]
    tokens = special + tokens[:-3]  # the ids of the special tokens are 0, 1 and 2, as in SmolLM2
    tokenizer = smollm2.SmolLM2Tokenizer({token: i for i, token in enumerate(tokens)}, ["t h"], special_tokens=special)
    backbone = smollm2.SmolLM2Backbone(
        vocabulary_size=len(tokens),
        num_layers=2,
        num_query_heads=2,
        num_key_value_heads=1,
        hidden_dim=16,
        intermediate_dim=32,
        tie_word_embeddings=True,
    )
    preprocessor = smollm2.SmolLM2CausalLMPreprocessor(tokenizer, sequence_length=16, add_start_token=False)
    return smollm2.SmolLM2CausalLM(backbone=backbone, preprocessor=preprocessor)


def test_a_saved_smollm2_can_be_loaded_again_with_identical_logits(tiny_smollm2, tmp_path):
    fine_tune(tiny_smollm2)
    pretrained.save(tiny_smollm2, tmp_path / "model")
    loaded = pretrained.load_causal_lm(str(tmp_path / "model"), sequence_length=16)
    np.testing.assert_array_equal(logits(loaded), logits(tiny_smollm2))
    assert loaded.count_params() == tiny_smollm2.count_params()
    tokenizer = loaded.preprocessor.tokenizer
    assert tokenizer.end_token_id == 2
    assert sorted(tokenizer.special_token_ids) == [0, 1, 2]


def test_smollm2_neither_trains_nor_generates_with_a_start_token(tiny_smollm2):
    preprocessor = tiny_smollm2.preprocessor
    expected = list(np.asarray(preprocessor.tokenizer("we")))
    generating = preprocessor.generate_preprocess(["we"], sequence_length=8)
    assert list(np.asarray(generating["token_ids"])[0, :3]) == [*expected, 0]
    training, _, _ = preprocessor(["we"])
    assert list(np.asarray(training["token_ids"])[0, :3]) == [*expected, preprocessor.tokenizer.end_token_id]


@pytest.mark.parametrize(
    ("preset", "told"),
    [
        ("gpt2_bsae_en", "Did you mean 'gpt2_base_en'"),
        ("no/such/folder", "neither a KerasHub preset of a language model nor a folder"),
        ("outputs/cpu/02_reddit_finetune/model2", "Run `make report NOTEBOOK=02_reddit_finetune PROFILE=cpu` first."),
        ("ftp://somewhere/gpt2", "a handle is kaggle://owner/model/framework/variation[/version] or hf://owner/name"),
        ("kaggle://keras/gpt2", "a handle is kaggle://"),
        ("hf://gpt2", "a handle is kaggle://"),
        ("kaggle://../../victim/./1", "a handle is kaggle://"),
        ("kaggle://keras/../victim/gpt2", "no part begins with '.'"),
        ("hf://../victim", "a handle is kaggle://"),
        ("hf://keras/..", "a handle is kaggle://"),
        ("kaggle://keras/gpt2/keras/a b", "a handle is kaggle://"),
        ("hf://keras/gpt2\n", "a handle is kaggle://"),
    ],
)
def test_an_unknown_preset_is_an_error_even_where_a_stand_in_is_named(preset, told):
    with pytest.raises(UserError) as error:
        pretrained.find(preset, "tiny_random")
    assert told in str(error.value)
    assert repr(preset) in str(error.value)


@pytest.fixture
def report(tiny_preset, tmp_path):
    """A published report with a model."""
    folder = tmp_path / "cpu" / "02_reddit_finetune"
    shutil.copytree(tiny_preset, folder / "model")
    (folder / "results.json").write_text("{}")
    cell = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [{}]}
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": [cell]}))
    published.seal(folder, ["notebook.ipynb"], 1)
    return folder


def test_a_report_s_model_with_a_flipped_bit_is_refused(report):
    assert pretrained.find(str(report / "model")).handle == str(report / "model")
    weights = report / "model" / "model.weights.h5"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match=r"a report that is not whole: model/model\.weights\.h5 has changed") as error:
        pretrained.find(str(report / "model"))
    assert "Run `make report NOTEBOOK=02_reddit_finetune PROFILE=cpu` anew." in str(error.value)


@pytest.mark.parametrize("size", ["vocabulary_size", "num_layers", "hidden_dim", "intermediate_dim"])
def test_a_model_that_is_larger_than_its_config_says_is_refused_before_it_is_built(tiny_preset, tmp_path, size):
    folder = shutil.copytree(tiny_preset, tmp_path / "preset")
    task = json.loads((folder / "task.json").read_text())
    task["config"]["backbone"]["config"][size] = 10**9
    (folder / "task.json").write_text(json.dumps(task))
    with pytest.raises(UserError, match=f"{size} is 1000000000 in task.json and [0-9]+ in config.json"):
        pretrained.find(str(folder))
    for content in ("[]", "{", '{"config": 3}', '{"config": {"backbone": {"config": []}}}'):
        (folder / "task.json").write_text(content)
        with pytest.raises(UserError, match=r"task\.json is (cut off|not that of a language model)"):
            pretrained.find(str(folder))


def test_an_unknown_stand_in_is_told():
    with pytest.raises(UserError, match="stand_in is 'gpt3'; allowed are none, smollm2_135m, tiny_random"):
        pretrained.find("gpt2_base_en", "gpt3")


def test_the_post_s_five_presets_are_known():
    names = {"gpt2_base_en", "gpt2_medium_en", "gpt2_large_en", "gpt2_extra_large_en", "gpt2_base_en_cnn_dailymail"}
    assert names <= set(pretrained.known_presets())
