"""The experiments of the GPU profile as they stand, with a tiny GPT-2 and few texts where theirs would lie.

Nothing in the YAML files is changed: the preset lies in kagglehub's cache as `gpt2_base_en`, the stories are prepared
by TFDS, the poems are a checkout of the pinned commit. So every parameter is proved to be accepted, and to work.
"""

import itertools
import json
import shutil

import nbformat
import pandas as pd
import pytest
import reddit_stand_in
import yaml
from tensorflow_datasets.core import hashing

from lib import runner
from lib.claims import beside_post
from lib.core import paths
from lib.data import corpora, reddit_tifu

ORDER = [*beside_post.NOTEBOOKS, "00_summary"]
STORIES = 5200  # a tenth are set aside, of which 512 are held out
PARTS = ("春花秋月夜", "處處聞啼鳥", "夜來風雨聲", "花落知多少", "白日依山盡", "黃河入海流", "更上一層樓", "明月松間照")


def put_preset(folder):
    """A GPT-2 with two small layers that is long enough for the post's 200 tokens, as kagglehub keeps it."""
    import keras_nlp

    from lib.models import convert_smollm2, pretrained

    tiny = convert_smollm2.folder("tiny_random")
    preprocessor = pretrained.load_causal_lm(str(tiny), sequence_length=64).preprocessor
    size = preprocessor.tokenizer.vocabulary_size()
    backbone = keras_nlp.models.GPT2Backbone(size, num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=64)
    versions = folder / "models/keras/gpt2/keras/gpt2_base_en"
    keras_nlp.models.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor).save_to_preset(str(versions / "3"))
    (versions / "3.complete").touch()


def put_stories():
    """As many stories as the experiment needs, prepared by TFDS; the one that it gives out first begins as it must."""
    document, title = reddit_stand_in.FIRST
    first = min(range(STORIES), key=hashing.Hasher("train").hash_key)  # by which TFDS shuffles
    stories = (document if count == first else f"{count} times {document}" for count in range(STORIES))
    data = reddit_stand_in.content([(f"{story}{', and again' * 20}", title) for story in stories])
    reddit_tifu.place().parent.mkdir(parents=True)
    reddit_tifu.place().write_bytes(data)
    undo = reddit_stand_in.put_in_place(reddit_stand_in.describe(data, "http://127.0.0.1:9/uc"), reddit_tifu.FILE)
    try:
        reddit_tifu._prepare_here("short")
    finally:
        undo()


def put_poems(folder):
    """As many poems, in 58 files of the pinned commit."""
    place = folder / f"chinese-poetry-{corpora.POETRY_COMMIT[:12]}" / corpora.POETRY_FOLDER
    place.mkdir(parents=True)
    poems = [
        {"author": "無名", "title": str(number), "paragraphs": [f"{a}，{b}。", f"{c}，{d}。", f"{e}，{e}。"]}
        for number, (a, b, c, d, e) in enumerate(itertools.islice(itertools.product(PARTS, repeat=5), STORIES))
    ]
    for index in range(corpora.POETRY_FILES):
        text = json.dumps(poems[index :: corpora.POETRY_FILES], ensure_ascii=False)
        (place / f"poet.tang.{index}000.json").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, own_cache):
    """The published outputs of all of them."""
    folder = tmp_path_factory.mktemp("gpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPORT_OUTPUTS", str(folder / "outputs"))
        patch.setenv("KAGGLEHUB_CACHE", str(folder / "kagglehub"))
        patch.setenv("TFDS_DATA_DIR", str(folder / "tensorflow_datasets"))
        put_preset(folder / "kagglehub")
        put_stories()
        put_poems(own_cache)
        for notebook in ORDER:
            runner.run(notebook, "gpu")
        yield folder / "outputs" / "gpu"
        shutil.rmtree(own_cache / f"chinese-poetry-{corpora.POETRY_COMMIT[:12]}")


def read(outputs, notebook):
    return json.loads((outputs / notebook / "results.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("notebook", ORDER)
def test_every_parameter_of_the_yaml_arrives_in_the_notebook(outputs, notebook):
    given = yaml.safe_load((paths.EXPERIMENTS / "gpu" / f"{notebook}.yaml").read_text(encoding="utf-8")) or {}
    used = read(outputs, notebook)["parameters"]
    assert {name: used[name] for name in given} == given
    executed = nbformat.read(outputs / notebook / "notebook.ipynb", as_version=4)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")


def test_the_post_s_model_texts_and_poems_are_used_and_no_stand_in(outputs):
    kaggle = "Model: gpt2_base_en (kaggle://keras/gpt2/keras/gpt2_base_en/3)"
    assert read(outputs, "01_baseline")["sources"][0].startswith(kaggle)
    second = read(outputs, "02_reddit_finetune")
    assert second["sources"][0] == "Texts: Reddit TIFU (short) (TensorFlow Datasets reddit_tifu/short/1.1.2)"
    fourth = read(outputs, "04_tang_poetry")
    assert fourth["sources"][0].startswith("Texts: Tang poems (GitHub chinese-poetry/chinese-poetry at fa1814a8044d)")
    for notebook in ORDER:
        assert read(outputs, notebook)["stand_ins"] == []
        assert read(outputs, notebook)["attempts"] == []


def test_the_post_s_five_hundred_steps_are_run(outputs):
    for notebook, batch_size in (("02_reddit_finetune", 32), ("04_tang_poetry", 20)):
        training = read(outputs, notebook)["metrics"]["training"]
        assert (training["steps"], training["batch_size"]) == (500, batch_size)
        held_out = read(outputs, notebook)["metrics"]["held_out"]
        assert held_out["texts"] == 512
        assert held_out["after"]["token_loss"] < held_out["before"]["token_loss"]
        assert pd.read_csv(outputs / notebook / "steps.csv")["at_a_time"].tolist() == [batch_size]


def test_the_settings_are_shown_in_the_reports(outputs):
    for notebook in beside_post.NOTEBOOKS:
        page = (outputs / notebook / "report.html").read_text(encoding="utf-8")
        assert "tensorflow, float32, XLA o" in page
