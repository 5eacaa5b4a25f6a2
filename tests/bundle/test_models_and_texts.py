import pytest
import yaml

from lib.bundle import models_and_texts
from lib.core import paths
from lib.core.errors import UserError
from lib.data import downloads, tang_poems


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_CACHE", str(tmp_path / "cache"))
    return paths.cache()


def test_smoke_needs_nothing_that_is_fetched(cache, monkeypatch):
    monkeypatch.setenv(downloads.OFFLINE, "1")
    assert models_and_texts.fetch("smoke") == []
    models_and_texts.prune(cache)
    assert list(cache.iterdir()) == []


def test_each_thing_is_fetched_once_and_what_stands_in_and_what_lies_elsewhere_is_told(cache, monkeypatch, tmp_path):
    given = {
        "01_baseline": {"preset": "gpt2_base_en", "stand_in": "tiny_random", "dataset": "reddit_tifu"},
        "02_reddit_finetune": {"preset": "gpt2_base_en", "stand_in": "tiny_random", "dataset": "reddit_tifu"},
        "03_greedy_vs_top_k": {"preset": "outputs/mine/02_reddit_finetune/model", "dataset": "tiny_prose"},
        "04_tang_poetry": {"preset": "tiny_random", "poems_source": str(tmp_path)},
        "05_from_scratch": {"poems_source": "npm"},
        "00_summary": {},
    }
    given["01_baseline"]["declaration_source"] = "experiments/smoke/declaration.html"
    for name, values in given.items():
        values |= {"dataset_stand_in": "tiny_prose"} if "dataset" in values else {}
        (tmp_path / "experiments" / "mine").mkdir(parents=True, exist_ok=True)
        (tmp_path / "experiments" / "mine" / f"{name}.yaml").write_text(yaml.safe_dump(values))
    asked = []
    monkeypatch.setattr(paths, "EXPERIMENTS", tmp_path / "experiments")
    monkeypatch.setattr(tang_poems, "load_tang_poetry", asked.append)
    for name in ("KAGGLEHUB_CACHE", "HF_HUB_CACHE", "TFDS_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv(downloads.OFFLINE, "1")
    assert models_and_texts.fetch("mine") == [
        f"poems_source is {tmp_path}, which is not packed: it has to be there on the target too",
        "gpt2_base_en cannot be fetched here, so tiny random GPT-2 is packed, which stands in for it",
        "reddit_tifu cannot be fetched here, so tiny made-up prose is packed, which stands in for it",
    ]
    assert asked == [str(tmp_path), "npm"]


def test_what_cannot_be_fetched_and_has_no_stand_in_is_told(cache, monkeypatch, tmp_path, capsys):
    for name in ("KAGGLEHUB_CACHE", "HF_HUB_CACHE", "TFDS_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv(downloads.OFFLINE, "1")
    assert models_and_texts.main(["gpu"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: preset is 'gpt2_base_en', and none of its sources can be used.")
    assert told.count("it is not in the cache, and REPORT_OFFLINE is set") == 3


def test_a_profile_that_there_is_not_is_told():
    with pytest.raises(UserError, match="There is no profile 'smok'; there are bench, cpu, gpu, gpu-stand-ins, smoke"):
        models_and_texts.values("smok")


def test_what_was_fetched_stays_as_plain_files(cache):
    snapshot = "huggingface/models--keras--gpt2/snapshots/0123"
    kept = ["packages/a.tgz", "kagglehub/models/3.complete", "tensorflow_datasets/reddit_tifu/short/data"]
    kept += [f"chinese-poetry-{tang_poems.COMMIT[:12]}/poems.json", "huggingface/models--keras--gpt2/refs/main"]
    gone = ["smollm2_135m-1/config.json", "checksums/1.json", "tensorflow_datasets/downloads/raw.json"]
    gone += ["huggingface/models--keras--gpt2/blobs/abc", "huggingface/.locks/models--keras--gpt2/abc.lock"]
    for name in (*kept, *gone):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text(name)
    (cache / snapshot).mkdir(parents=True)
    (cache / snapshot / "config.json").symlink_to("../../blobs/abc")
    models_and_texts.prune(cache)
    left = sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file())
    assert left == sorted([*kept, f"{snapshot}/config.json"])
    assert not (cache / snapshot / "config.json").is_symlink()
    assert (cache / snapshot / "config.json").read_text() == "huggingface/models--keras--gpt2/blobs/abc"
