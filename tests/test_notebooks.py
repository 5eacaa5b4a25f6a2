"""The real notebooks, on the smoke profile, through the real runner, in the order in which make runs them."""

import html
import json
import math
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
import servers

from lib import runner
from lib.claims import beside_post, post_claims
from lib.core import paths
from lib.data import corpora

ORDER = [*beside_post.NOTEBOOKS, "00_summary"]


def read(smoke_outputs, notebook):
    return json.loads((smoke_outputs / notebook / "results.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("notebook", ORDER)
def test_every_notebook_leaves_a_report_that_needs_nothing_from_outside(smoke_outputs, notebook):
    page = (smoke_outputs / notebook / "report.html").read_text(encoding="utf-8")
    content = read(smoke_outputs, notebook)
    assert content["answer"] in page.replace("&#39;", "'").replace("&#x27;", "'")
    assert content["profile"] == "smoke"
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert "<script" not in page
    for place in (str(smoke_outputs), str(paths.ROOT)):
        assert place not in page
        assert place not in json.dumps(content)
    images = re.findall("<img [^>]*>", page)
    assert len(images) == len(content["figures"])
    assert all(re.search('alt="[^"]{20,}"', image) for image in images)
    for figure in content["figures"]:
        assert (smoke_outputs / notebook / figure["file"]).stat().st_size > 5000
    for target in re.findall('href="([^"#]+)"', page):
        assert (smoke_outputs / notebook / target).exists(), target


def test_the_index_lists_all_of_them(smoke_outputs):
    for name, other in (("index.html", "index.zh.html"), ("index.zh.html", "index.html")):
        page = (smoke_outputs / name).read_text(encoding="utf-8")
        titles = re.findall('<h3><a href="([^"]+)"', page)
        assert titles == [f"{notebook}/report.html" for notebook in sorted(ORDER)]
        assert set(re.findall('href="([^"]+)"', page)) == {other, *titles}
        assert page.count("<img") == len(beside_post.NOTEBOOKS)


def test_baseline(smoke_outputs):
    as_in_post, *own = read(smoke_outputs, "01_baseline")["metrics"]["timing"]
    timings = pd.read_csv(smoke_outputs / "01_baseline" / "timings.csv")
    calls = timings[timings["label"] == "as in the post"].groupby("state")["seconds"]
    assert as_in_post["first_call_seconds"] == pytest.approx(calls.get_group("cold: first call, compiles").item())
    assert as_in_post["warm"]["median"] == pytest.approx(calls.get_group("warm").median())
    assert as_in_post["new_tokens"] == 48 - 1 - len("My trip was")  # a byte a token, and the start token
    assert (as_in_post["step"], [row["step"] for row in own]) == ("KerasHub's", ["this project's"])
    page = (smoke_outputs / "01_baseline" / "report.html").read_text(encoding="utf-8")
    assert "A timed run, on CPU" in page and "Time per output token = (warm" in page
    samples = pd.read_csv(smoke_outputs / "01_baseline" / "samples.csv", keep_default_na=False)
    assert list(samples["prompt"]) == ["My trip was"] * 2 + ["我爱中国!"] * 2
    *_, stories, poems = read(smoke_outputs, "01_baseline")["metrics"]["prompts"]
    assert (stories["text_by"], poems["text_by"]) == ("people, stories", "people, poems")
    assert stories["texts"] == poems["texts"] == 2
    assert stories["chinese_percent"] == 0 and poems["chinese_percent"] > 75
    assert poems["tokens_per_character"] == pytest.approx(3, abs=0.2)  # a byte a token, perhaps cut within a character
    assert all(text.startswith(prompt) for text, prompt in zip(samples["text"], samples["prompt"], strict=True))


def test_the_judged_texts_stand_beside_people_s(smoke_outputs):
    content = read(smoke_outputs, "02_reddit_finetune")
    labels = [row["label"] for row in content["metrics"]["cells"]]
    assert labels == ["before fine-tuning", "after fine-tuning", "people, cut to that length", "people"]
    before, after = (content["metrics"]["likelihood"][when]["bits_per_character"] for when in ("before", "after"))
    assert after < before


def test_reddit_finetune(smoke_outputs):
    folder = smoke_outputs / "02_reddit_finetune"
    metrics = read(smoke_outputs, "02_reddit_finetune")["metrics"]
    assert metrics["held_out"]["after"]["token_loss"] < metrics["held_out"]["before"]["token_loss"]
    assert len(pd.read_csv(folder / "training.csv")) == metrics["training"]["steps"] == 6
    samples = pd.read_csv(folder / "samples.csv", keep_default_na=False)
    before, after = (samples[samples["label"] == f"{when} fine-tuning"] for when in ("before", "after"))
    assert list(before["prompt"]) == list(after["prompt"])
    assert list(before["seed"]) == list(after["seed"])
    assert list(before["text"]) != list(after["text"])
    assert [row["label"] for row in metrics["timing"]] == ["before fine-tuning", "after fine-tuning"]
    assert all(2 <= row["warm"]["n"] <= 4 for row in metrics["timing"])
    training = metrics["training"]
    share = training["useful_tokens_per_second"] / training["padded_tokens_per_second"]
    assert 100 * share == pytest.approx(training["useful_percent_if_padded"])
    assert training["useful_percent"] > 90  # packed
    assert len(training["step_seconds"]) == 6
    assert (folder / "model" / "model.weights.h5").is_file()


def test_greedy_runs_on_the_model_that_was_fine_tuned(smoke_outputs):
    content = read(smoke_outputs, "03_greedy_vs_top_k")
    assert content["sources"][0].startswith("Model: tiny random GPT-2 after 6 steps of 4 texts of tiny made-up prose")
    samples = pd.read_csv(smoke_outputs / "03_greedy_vs_top_k" / "samples.csv", keep_default_na=False)
    assert samples.groupby("label", sort=False).size().to_dict() == {
        "greedy": 6,
        "top_k (k=5)": 6,
        "top_p (p=0.9)": 6,
        "beam (num_beams=2)": 6,
        "no_repeat_ngram (n=3)": 6,
        "repetition_penalty (penalty=1.2)": 6,
        "people": 4,
    }
    page = (smoke_outputs / "03_greedy_vs_top_k" / "report.html").read_text(encoding="utf-8")
    assert "Named more than once, and run once: top_k (k=5)." in page
    people = samples[samples["label"] == "people"]
    assert people["prompt"].is_unique
    texts = corpora.load_tiny_prose().texts
    assert all(any(text.startswith(told) for text in texts) for told in people["text"])
    cells = {row["label"]: row for row in content["metrics"]["cells"]}
    counted = samples[samples["prompt"].isin(people["prompt"])].groupby("label")
    for name, rows in counted:
        assert cells[name]["texts"] == 4
        assert cells[name]["rep_4"] == pytest.approx(rows["rep_4"].mean())
        assert cells[name]["perplexity"] == pytest.approx(math.exp(np.log(rows["perplexity"].astype(float)).mean()))
    assert cells["people"]["loops"] == 0 and cells["people"]["rep_4"] < 50


def test_tang_poetry(smoke_outputs):
    content = read(smoke_outputs, "04_tang_poetry")
    metrics = content["metrics"]
    assert metrics["corpora"][0]["dropped: duplicate"] == 1
    assert metrics["corpora"][0]["dropped: lost text, as the editors note"] == 1
    assert metrics["tokens_per_character"] == pytest.approx(3)  # a byte a token
    assert metrics["form"]["tang"]["well_formed_percent"] == 100
    assert metrics["held_out"]["after"]["token_loss"] < metrics["held_out"]["before"]["token_loss"]
    samples = pd.read_csv(smoke_outputs / "04_tang_poetry" / "samples.csv", keep_default_na=False)
    assert samples.groupby(["label", "prompt"]).size().tolist() == [2, 2, 2, 2]
    before, after = (metrics["likelihood"][when]["bits_per_character"] for when in ("before", "after"))
    assert after < before
    form = pd.read_csv(smoke_outputs / "04_tang_poetry" / "form.csv")
    assert list(form["poems"]) == [2, 2, 2, 2, 4, 4]
    assert metrics["form"]["after"]["poems"] == 4
    page = (smoke_outputs / "04_tang_poetry" / "report.html").read_text(encoding="utf-8")
    assert '<div class="poem"><p lang="zh">' in page
    assert "After fine-tuning: a row for each prompt (2)." in page


def test_the_model_from_scratch_is_judged_on_the_same_poems_as_the_fine_tuned_one(smoke_outputs):
    content, fourth = read(smoke_outputs, "05_from_scratch"), read(smoke_outputs, "04_tang_poetry")
    found, theirs = content["metrics"], fourth["metrics"]
    assert found["training"]["steps"] == content["parameters"]["steps"] == 6
    for name in ("texts", "characters", "cut_to"):
        assert found["likelihood"][name] == theirs["likelihood"]["after"][name]
    assert found["compared"]["bits_per_character"] == theirs["likelihood"]["after"]["bits_per_character"]
    assert found["likelihood"]["tokens"] == found["likelihood"]["characters"]
    assert set(found["wins"]) >= {"bits_per_character", "well_formed", "seconds_per_poem"}
    samples = pd.read_csv(smoke_outputs / "05_from_scratch" / "samples.csv", keep_default_na=False)
    theirs = pd.read_csv(smoke_outputs / "04_tang_poetry" / "samples.csv", keep_default_na=False)
    assert list(dict.fromkeys(samples["prompt"])) == list(dict.fromkeys(theirs["prompt"]))
    page = (smoke_outputs / "05_from_scratch" / "report.html").read_text(encoding="utf-8")
    assert "after fine-tuning; top_k (k=5)" in page and "from scratch; top_k (k=5)" in page


def test_the_summary_is_made_from_the_others_results(smoke_outputs):
    table = pd.read_csv(smoke_outputs / "00_summary" / "comparison.csv")
    found = {notebook: read(smoke_outputs, notebook) for notebook in beside_post.NOTEBOOKS}
    assert table.to_dict("records") == beside_post.rows(found, beside_post.blog_post())
    experiments = pd.read_csv(smoke_outputs / "00_summary" / "experiments.csv")
    assert list(experiments["found"]) == [content["answer"] for content in found.values()]
    summary = read(smoke_outputs, "00_summary")
    assert len(summary["figures"]) == 4
    assert summary["metrics"]["findings"] == post_claims.table(found, beside_post.blog_post()).to_dict("records")


def test_what_was_tried_is_in_the_report_and_no_token_is(monkeypatch, tmp_path, capfd):
    """Kaggle cannot be reached; Hugging Face refuses, and repeats the token that it was sent."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(paths, "EXPERIMENTS", tmp_path / "experiments")
    (tmp_path / "experiments" / "smoke").mkdir(parents=True)
    experiment = "preset: gpt2_base_en\nstand_in: tiny_random\nmax_length: 30\nnum_samples: 1\nsequence_length: 16\n"
    experiment += "dataset: tiny_prose\ndataset_stand_in: none\npoems_source: experiments/smoke/poems\n"
    (tmp_path / "experiments" / "smoke" / "01_baseline.yaml").write_text(experiment)
    for name in ("KAGGLEHUB_CACHE", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
        "HOME": str(tmp_path),
        "HF_TOKEN": "hf_fakeTokenNobodyMaySee",
    }.items():
        monkeypatch.setenv(name, value)

    def refuse(request):
        sent = request.headers.get("Authorization", "")
        return (200, {}, b"") if request.path == "/" else (403, {"X-Error-Message": f"no entry with {sent}"}, b"")

    with servers.serve(refuse) as hf:
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        runner.run("01_baseline", "smoke")
        assert any("hf_fake" in str(headers) for headers in hf.headers_seen)
    folder = tmp_path / "outputs" / "smoke" / "01_baseline"
    page = (folder / "report.html").read_text(encoding="utf-8")
    attempts = json.loads((folder / "results.json").read_text(encoding="utf-8"))["attempts"]
    assert [attempt.split(": ")[0] for attempt in attempts] == [
        "kaggle://keras/gpt2/keras/gpt2_base_en/3",
        "hf://keras/gpt2_base_en",
        "hf://openai-community/gpt2",
    ]
    assert "403" in attempts[1]
    told = capfd.readouterr()
    for attempt in attempts:
        assert f"<li>{html.escape(attempt)}</li>" in page
        assert "\n" not in attempt
        assert f"cannot load {attempt}" in told.err
    written = b"".join(file.read_bytes() for file in (tmp_path / "outputs").rglob("*") if file.is_file())
    assert b"hf_fake" not in written
    assert "hf_fake" not in told.out + told.err


@pytest.mark.parametrize("notebook", sorted(ORDER))
def test_the_notebooks_keep_to_their_style(notebook):
    cells = nbformat.read(paths.NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells
    assert len(cells) <= 30
    assert cells[0].source.startswith("# ")
    assert "**Question.**" in cells[0].source
    for cell in cells:
        if cell.cell_type == "code":
            if "parameters" not in cell.metadata.get("tags", []):
                assert len(cell.source.splitlines()) <= 15, cell.source
            assert not re.search(r"^\s*(def|class) ", cell.source, re.MULTILINE), "a function belongs in lib/"
            assert not re.search(r"^\s*#", cell.source, re.MULTILINE), "prose belongs in the cell before"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("preset: gpt2_bsae_en", "preset is 'gpt2_bsae_en'"),
        ("max_length: 8", "max_length is 8, but the prompt 'My trip was' alone takes that many tokens"),
    ],
)
def test_what_only_a_running_notebook_can_refuse_is_a_line_and_status_2(monkeypatch, tmp_path, capfd, change, told):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(paths, "EXPERIMENTS", tmp_path / "experiments")
    (tmp_path / "experiments" / "smoke").mkdir(parents=True)
    values = "preset: tiny_random\nstand_in: none\nmax_length: 48\n"
    lines = [line for line in values.splitlines() if line.split(":")[0] != change.split(":")[0]]
    (tmp_path / "experiments" / "smoke" / "01_baseline.yaml").write_text("\n".join([*lines, change]))
    assert runner.main(["01_baseline", "--profile", "smoke"]) == 2
    error = capfd.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert told in error
    left = [path.name for path in (tmp_path / "outputs" / "smoke").iterdir()]
    assert left == [".lock"]


@pytest.mark.parametrize(
    ("notebook", "change", "told"),
    [
        ("01_baseline", "num_samples: 64", "64 beginnings of texts of 48 tokens are asked for, but only"),
        ("02_reddit_finetune", "num_samples: 64", "128 beginnings of texts of 48 tokens are asked for, but only"),
        ("02_reddit_finetune", "k: 50000", "k is 50000, but this model knows only"),
        ("04_tang_poetry", "max_length: 17", "it leaves room for one token, and timing takes 2"),
        ("04_tang_poetry", "sequence_length: 512", "sequence_length is 512, but this model holds at most 128 tokens"),
    ],
)
def test_what_can_be_known_before_is_refused_before_anything_is_computed(
    monkeypatch, tmp_path, capfd, notebook, change, told
):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    lines = (paths.EXPERIMENTS / "smoke" / f"{notebook}.yaml").read_text(encoding="utf-8").splitlines()
    (tmp_path / "experiments" / "smoke").mkdir(parents=True)
    kept = [line for line in lines if line.split(":")[0] != change.split(":")[0]]
    (tmp_path / "experiments" / "smoke" / f"{notebook}.yaml").write_text("\n".join([*kept, change]), encoding="utf-8")
    monkeypatch.setattr(paths, "EXPERIMENTS", tmp_path / "experiments")
    assert runner.main([notebook, "--profile", "smoke"]) == 2
    *notes, error = capfd.readouterr().err.splitlines()
    assert told in error
    assert not any(word in "".join(notes) for word in ("timing", "generating", "fine-tuning", "evaluating"))
