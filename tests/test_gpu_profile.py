"""The experiments of the GPU profile, with a tiny GPT-2 and few texts where theirs would lie.

The YAML files are used as they stand but for how much is done (`LESS`): the preset lies in kagglehub's cache as
`gpt2_base_en`, the stories are prepared by TFDS, the poems are a checkout of the pinned commit. So every parameter is
proved to be accepted, and to work.
"""

import itertools
import json
import re
import shutil

import nbformat
import pytest
import reddit_stand_in
import yaml
from tensorflow_datasets.core import hashing

from lib import notebooks, runner
from lib.core import parameters, paths, records
from lib.data import reddit_tifu, tang_poems
from lib.models import samplers

ORDER = notebooks.in_order()
STORIES = 700  # a tenth are set aside, of which 32 are held out
POEMS = 1200  # likewise
LESS = {
    "01_baseline": {
        "num_samples": 1,
        "warm_repeats": 1,
        "on_tensorflow": False,  # a process more; the smoke profile starts it
        "declaration_source": "experiments/smoke/declaration.html",  # made up, and lies here
    },
    "02_reddit_finetune": {
        "num_steps": 12,
        "held_out_examples": 32,
        "num_samples": 2,
        "style_openings": 4,
        "story_counts": [32, 125],
        "warm_repeats": 1,
    },
    "03_greedy_vs_top_k": {"num_examples": 832, "num_openings": 4},
    "04_tang_poetry": {
        "num_steps": 12,
        "held_out_examples": 32,
        "num_samples": 2,
        "num_runs": 2,
        "warm_repeats": 1,
    },
    "05_from_scratch": {"num_layers": 1, "hidden_dim": 48, "num_samples": 2, "num_runs": 2, "warm_repeats": 1},
}
PARTS = ("春花秋月夜", "處處聞啼鳥", "夜來風雨聲", "花落知多少", "白日依山盡", "黃河入海流", "更上一層樓", "明月松間照")


def put_preset(folder):
    """A GPT-2 with one small layer that is long enough for the post's 200 tokens, as kagglehub keeps it."""
    import keras_nlp

    from lib.models import pretrained, stand_ins

    tiny = stand_ins.folder("tiny_random")
    preprocessor = pretrained.load_causal_lm(str(tiny), sequence_length=64).preprocessor
    size = preprocessor.tokenizer.vocabulary_size()
    backbone = keras_nlp.models.GPT2Backbone(size, num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=64)
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
    place = folder / f"chinese-poetry-{tang_poems.COMMIT[:12]}" / tang_poems.FOLDER
    place.mkdir(parents=True)
    poems = [
        {"author": "無名", "title": str(number), "paragraphs": [f"{a}，{b}。", f"{c}，{d}。", f"{e}，{e}。"]}
        for number, (a, b, c, d, e) in enumerate(itertools.islice(itertools.product(PARTS, repeat=5), POEMS))
    ]
    for index in range(tang_poems.NUM_FILES):
        text = json.dumps(poems[index :: tang_poems.NUM_FILES], ensure_ascii=False)
        (place / f"poet.tang.{index}000.json").write_text(text, encoding="utf-8")


def experiment(notebook):
    """The values of a YAML file of the profile as it stands."""
    file = paths.ROOT / "experiments" / "gpu" / f"{notebook}.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) or {}


def put_experiments(folder):
    """A copy of the experiments that asks for less."""
    shutil.copytree(paths.EXPERIMENTS, folder)
    for notebook, less in LESS.items():
        text = json.dumps(experiment(notebook) | less, ensure_ascii=False)
        (folder / "gpu" / f"{notebook}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, own_cache, quick_kernels):
    """The published outputs of all of them."""
    folder = tmp_path_factory.mktemp("gpu")
    with quick_kernels(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPORT_OUTPUTS", str(folder / "outputs"))
        patch.setenv("KAGGLEHUB_CACHE", str(folder / "kagglehub"))
        patch.setenv("TFDS_DATA_DIR", str(folder / "tensorflow_datasets"))
        put_preset(folder / "kagglehub")
        put_stories()
        put_poems(own_cache)
        patch.setattr(paths, "EXPERIMENTS", put_experiments(folder / "experiments"))
        for notebook in ORDER:
            runner.run(notebook, "gpu")
        yield folder / "outputs" / "gpu"
        shutil.rmtree(own_cache / f"chinese-poetry-{tang_poems.COMMIT[:12]}")


def read(outputs, notebook):
    return records.load(outputs / notebook / "results.json")


@pytest.mark.parametrize("notebook", ORDER)
def test_every_value_of_the_yaml_is_allowed(notebook):
    declared = parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")
    given = experiment(notebook)
    assert parameters.validate(given, declared, "the YAML") == given
    assert set(LESS.get(notebook, {})) <= set(given)


def test_the_samplers_of_the_yaml_are_known():
    lines = experiment("03_greedy_vs_top_k")["samplers"]
    made, named_again = samplers.parse_samplers(lines, 2024, ["greedy", "top_k k=5"])
    assert len(made) == len(lines) and not named_again


def test_the_post_s_five_hundred_steps_are_asked_for():
    for notebook, batch_size in (("02_reddit_finetune", 32), ("04_tang_poetry", 20)):
        given = experiment(notebook)
        assert (given["num_steps"], given["batch_size"], given["held_out_examples"]) == (500, batch_size, 512)


@pytest.mark.parametrize("notebook", ORDER)
def test_every_parameter_of_the_yaml_arrives_in_the_notebook(outputs, notebook):
    given = experiment(notebook) | LESS.get(notebook, {})
    used = read(outputs, notebook).parameters
    assert {name: used[name] for name in given} == given
    executed = nbformat.read(outputs / notebook / "notebook.ipynb", as_version=4)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")


def test_the_post_s_model_texts_and_poems_are_used_and_no_stand_in(outputs):
    model = read(outputs, "01_baseline").models[0]
    assert (model.name, model.source) == ("gpt2_base_en", "kaggle://keras/gpt2/keras/gpt2_base_en/3")
    stories = read(outputs, "02_reddit_finetune").corpora[0]
    assert stories.name == "Reddit TIFU (short)"
    assert stories.source == "TensorFlow Datasets reddit_tifu/short/1.1.2"
    poems = read(outputs, "04_tang_poetry").corpora[0]
    assert poems.source.startswith("GitHub chinese-poetry/chinese-poetry at fa1814a8044d")
    for notebook in ORDER:
        results = read(outputs, notebook)
        assert results.stand_ins == []
        assert not any(source.attempts for source in (*results.models, *results.corpora))


def test_fine_tuning_learns_in_whole_batches(outputs):
    for notebook, batch_size in (("02_reddit_finetune", 32), ("04_tang_poetry", 20)):
        measured = read(outputs, notebook).measured
        training = measured.training
        assert (training.steps, training.batch_size, training.texts_at_a_time) == (12, batch_size, batch_size)
        assert measured.held_out_texts == 32
        assert measured.held_out.after.token_loss < measured.held_out.before.token_loss


def test_the_settings_are_shown_in_the_reports(outputs):
    asked = [notebook for notebook in notebooks.EXPERIMENTS if "backend" in experiment(notebook.name)]
    assert len(asked) >= 5
    for notebook in asked:
        page = (outputs / notebook.name / "report.html").read_text(encoding="utf-8")
        assert re.search(r"jax, float32[^,]*, XLA on", page)
