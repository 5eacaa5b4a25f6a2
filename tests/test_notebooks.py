"""The real notebooks, on the smoke profile, through the real runner, in the order in which make runs them."""

import html
import json
import math
import os
import re
import signal
import subprocess
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
import servers
from quick_compiling import QUICKLY

from lib import notebooks, runner
from lib.claims import judgement
from lib.core import environment, parameters, paths, progress, records
from lib.core.errors import UserError
from lib.core.records import CallState, DecodingStep
from lib.data import corpora
from lib.evaluation import few_values
from lib.models import lora
from lib.report import answers, claims_words, views, words

ORDER = notebooks.in_order()


def page_of(file):
    """A page with plain spaces before its percent signs."""
    return file.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}%", " %")


def read(smoke_outputs, notebook):
    return records.load(smoke_outputs / notebook / "results.json")


@pytest.mark.parametrize("notebook", ORDER)
def test_every_notebook_leaves_a_report_that_needs_nothing_from_outside(smoke_outputs, monkeypatch, notebook):
    monkeypatch.setenv("REPORT_OUTPUTS", str(smoke_outputs.parent))
    page = page_of(smoke_outputs / notebook / "report.html")
    content = read(smoke_outputs, notebook)
    assert all(part in html.unescape(page) for part in words.headline(answers.answer(content)))
    assert content.profile == "smoke"
    assert not re.findall(r'(?:src|<link[^>]*href)="(?:https?:)?//', page)
    assert page.count("<script") == (2 if notebook == "03_greedy_vs_top_k" else 0)  # the explorer's data and script
    for place in (str(smoke_outputs.parents[2]), str(paths.ROOT)):
        for file in ("report.html", "results.json", "notebook.ipynb"):
            assert place not in (smoke_outputs / notebook / file).read_text(encoding="utf-8"), file
    images = re.findall("<img [^>]*>", page)
    assert len(images) == len(content.figures)
    assert all(re.search('alt="[^"]{20,}"', image) for image in images)
    for figure in content.figures:
        assert (smoke_outputs / notebook / figure).stat().st_size > 2500
    for target in re.findall('href="(?!https://)([^"#]+)"', page):
        assert (smoke_outputs / notebook / target).exists(), target


@pytest.mark.parametrize("notebook", ORDER)
def test_the_executed_notebook_beside_a_report_is_of_no_machine_and_no_moment(smoke_outputs, notebook):
    kept = nbformat.read(smoke_outputs / notebook / "notebook.ipynb", as_version=4)
    assert set(kept.metadata) == {"kernelspec"}
    outputs = [output for cell in kept.cells for output in cell.get("outputs", [])]
    assert any(views.MIME in output.get("data", {}) for output in outputs)
    assert all(set(cell.metadata) <= {"tags"} for cell in kept.cells)
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert f'output_dir = "outputs/smoke/{notebook}"' in "".join(cell.source for cell in kept.cells)


def test_the_index_lists_all_of_them(smoke_outputs):
    for name, other in (("index.html", "index.zh.html"), ("index.zh.html", "index.html")):
        page = page_of(smoke_outputs / name)
        titles = re.findall('<h3><a href="([^"]+)"', page)
        language = name.removeprefix("index").removesuffix(".html").lstrip(".") or "en"
        experiments = [notebook for notebook in sorted(ORDER) if notebook != notebooks.SUMMARY]
        assert titles == [f"{notebook}/{views.report_name(language)}" for notebook in experiments]
        linked = {target.partition("#")[0] for target in re.findall('href="([^"]+)"', page)}
        assert linked == {other, f"{notebooks.SUMMARY}/{views.report_name(language)}", *titles}
        drawn = [notebook for notebook in notebooks.EXPERIMENTS if read(smoke_outputs, notebook.name).figures]
        assert page.count("<img") == len(drawn)


def test_baseline(smoke_outputs):
    measured = read(smoke_outputs, "01_baseline").measured
    as_in_post = measured.as_in_post
    timings = pd.read_csv(smoke_outputs / "01_baseline" / "timings.csv")
    calls = timings[timings["label"] == "as in the post, on JAX"].groupby("state")["seconds"]
    assert as_in_post.first_call_seconds == pytest.approx(calls.get_group(CallState.FIRST).item())
    assert as_in_post.later_calls.median_seconds == pytest.approx(calls.get_group(CallState.LATER).median())
    assert as_in_post.new_tokens == 48 - 1 - len("My trip was")  # a byte a token, and the start token
    assert (as_in_post.step, measured.own_step.step) == (DecodingStep.KERASHUB, DecodingStep.OWN)
    on_tensorflow = measured.on_tensorflow
    assert (on_tensorflow.backend, as_in_post.backend, measured.own_step.backend) == ("tensorflow", "jax", "jax")
    assert on_tensorflow.xla
    for told in ("step", "sampler", "precision", "prompt_tokens", "max_length", "new_tokens"):
        assert getattr(on_tensorflow, told) == getattr(as_in_post, told), told
    assert {timed.later_calls.n for timed in measured.timings} == {as_in_post.later_calls.n}  # made in turn
    there, here, own = (timed.seconds[CallState.LATER] for timed in measured.timings)
    assert measured.seconds_on_tensorflow_to_jax == few_values.mean_ratio(there, here)
    assert measured.seconds_of_kerashub_to_own == few_values.mean_ratio(here, own)
    page = page_of(smoke_outputs / "01_baseline" / "report.html")
    assert "The calls ran on CPU" in page and "= (later call - first token) / (new tokens of a text - 1)" in page
    samples = pd.read_csv(smoke_outputs / "01_baseline" / "samples.csv", keep_default_na=False)
    assert list(samples["prompt"]) == ["My trip was"] * 2 + ["我爱中国!"] * 2
    assert [sample.text for sample in measured.samples] == list(samples["text"])
    quality = measured.quality
    assert [quality.english.texts, quality.people_stories.texts, quality.people_chinese.texts] == [2, 2, 2]
    for model, people in ((quality.english, quality.people_stories), (quality.chinese, quality.people_chinese)):
        assert [text.new_tokens for text in model.by_text] == [text.new_tokens for text in people.by_text]
    assert quality.people_stories.answers_in_english == quality.people_chinese.answers_in_chinese == 2
    assert quality.people_chinese.shares["words"].value > quality.people_shuffled.shares["words"].value
    words = [[text.words for text in group.by_text] for group in (quality.chinese, quality.people_chinese)]
    assert measured.chinese_minus_people["words"].value == pytest.approx(
        np.nanmean(np.array(words[0], float)) - np.mean(words[1])
    )
    in_words = pd.to_numeric(samples["in_words"], errors="coerce")
    told = [text.words for text in (*quality.english.by_text, *quality.chinese.by_text)]
    assert list(in_words) == pytest.approx([float("nan") if share is None else share for share in told], nan_ok=True)
    assert "lists of the package wordfreq" in page
    assert all(text.startswith(prompt) for text, prompt in zip(samples["text"], samples["prompt"], strict=True))
    assert [text.prompt for text in measured.seen] == ["My trip was", "", "我爱中国!", ""]
    assert ["".join(text.pieces) for text in measured.seen[::2]] == [
        samples["continuation"][samples["prompt"] == prompt].iloc[0] for prompt in ("My trip was", "我爱中国!")
    ]


def test_the_judged_texts_stand_beside_people_s(smoke_outputs):
    measured = read(smoke_outputs, "02_reddit_finetune").measured
    labels = [group.label for group in measured.texts]
    assert labels == ["before fine-tuning", "after fine-tuning", "people, cut to that length", "people"]
    likelihood, change = measured.likelihood, measured.bits_per_character_change
    assert likelihood.after.bits_per_character < likelihood.before.bits_per_character
    by_text = np.subtract(likelihood.after.by_text, likelihood.before.by_text)
    assert change.value == pytest.approx(by_text.mean()) and change.low <= change.value <= change.high


def test_reddit_finetune(smoke_outputs):
    folder = smoke_outputs / "02_reddit_finetune"
    measured = read(smoke_outputs, "02_reddit_finetune").measured
    assert measured.held_out.after.token_loss < measured.held_out.before.token_loss
    steps = pd.read_csv(folder / "training.csv")
    assert len(steps) == measured.training.steps == 6
    assert list(steps["mean_token_loss"]) == pytest.approx(measured.training.curve.mean_token_loss)
    assert measured.training.trained_parameters == read(smoke_outputs, "02_reddit_finetune").models[0].parameters
    assert not (folder / lora.FILE).exists()
    samples = pd.read_csv(folder / "samples.csv", keep_default_na=False)
    before, after = (samples[samples["label"] == f"{when} fine-tuning"] for when in ("before", "after"))
    assert list(before["prompt"]) == list(after["prompt"])
    assert list(before["seed"]) == list(after["seed"])
    assert list(before["text"]) != list(after["text"])
    timing = measured.timing
    assert (timing.before.label, timing.after.label) == ("before fine-tuning", "after fine-tuning")
    assert all(2 <= one.later_calls.n <= 4 for one in (timing.before, timing.after))
    training = measured.training
    share = training.useful_tokens_per_second / training.padded_tokens_per_second
    assert 100 * share == pytest.approx(training.useful_percent_if_padded)
    assert training.useful_percent > 90  # packed
    assert len(training.step_seconds) == 6
    assert (folder / "model" / "model.weights.h5").is_file()
    pairs = zip(*(one.seconds[CallState.LATER] for one in (timing.before, timing.after)), strict=True)
    assert np.log(measured.speed_ratio.value) == pytest.approx(np.mean([np.log(one / other) for one, other in pairs]))
    curve = measured.learning_curve
    assert [(point.stories, point.steps) for point in curve.points] == [(4, 1), (12, 3), (24, 6)]
    assert curve.points[-1].by_text == measured.likelihood.after.by_text  # the notebook's own training
    assert curve.points[0].minus_untrained.value < 0 and curve.last_minus_500 is None
    ends = measured.ends
    assert ends.training.texts == ends.training.cut == ends.cut_texts == 24
    assert ends.lengths.after.new_tokens == list(after["new_tokens"])
    assert ends.probability.without.elsewhere.value < ends.probability.after.elsewhere.value
    style = measured.style
    assert style.texts == 2 and len(style.scores["after"].texts) == 2
    assert style.after_minus_floor["jsd"].value == pytest.approx(style.jsd.after.value - style.jsd.people.value)


def test_greedy_runs_on_the_model_that_was_fine_tuned(smoke_outputs):
    content = read(smoke_outputs, "03_greedy_vs_top_k")
    assert content.models[0].name.startswith("tiny random GPT-2 after 6 steps of 4 texts of tiny made-up prose")
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
    page = page_of(smoke_outputs / "03_greedy_vs_top_k" / "report.html")
    assert "each ran once: top_k (k=5)." in page
    people = samples[samples["label"] == "people"]
    assert people["prompt"].is_unique
    texts = corpora.load_tiny_prose().texts
    assert all(any(text.startswith(told) for text in texts) for told in people["text"])
    groups = {group.label: group for group in content.measured.groups}
    assert list(groups)[:2] == ["greedy", "top_k (k=5)"] and list(groups)[-1] == "people"
    counted = samples[samples["prompt"].isin(people["prompt"])].groupby("label")
    for name, rows in counted:
        assert groups[name].texts == 4
        metrics = groups[name].metrics
        assert metrics["rep_4"].value == pytest.approx(rows["rep_4"].mean())
        assert metrics["perplexity"].value == pytest.approx(math.exp(np.log(rows["perplexity"].astype(float)).mean()))
    assert groups["people"].loops == 0 and groups["people"].metrics["rep_4"].value < 50
    measured = content.measured
    for told, other in (
        (measured.greedy_minus_top_k, groups["top_k (k=5)"]),
        (measured.greedy_minus_people, groups["people"]),
    ):
        assert set(told) == {"loop", "loop_holtzman", "looped", "rep_4"}
        for name in ("loop", "loop_holtzman", "rep_4"):
            difference = groups["greedy"].metrics[name].value - other.metrics[name].value
            assert told[name].value == pytest.approx(difference, abs=1e-9), name
    assert list(measured.beside_people) == [name for name in groups if name != "people"]
    repeated = measured.self_reinforcement
    assert repeated.written.texts == repeated.people.texts == [4, 4, 4] and len(repeated.sentences) == 4
    texts = {(sample.label, sample.prompt): sample for sample in measured.samples}
    assert [text.prompt for text in measured.seen] == [one for one in measured.openings[:2] for _ in range(3)]
    for text in measured.seen:
        sample = texts[text.label, text.prompt]
        assert text.prompt + "".join(text.pieces) == sample.text
        assert sum(text.tokens) == len(text.probabilities) == len(text.ranks) == sample.new_tokens
    assert {rank for text in measured.seen if text.label == "greedy" for rank in text.ranks} == {1}
    assert [text.label for text in measured.explorer.texts] == ["greedy", "people"] * 2
    assert 'class="s' in page and 'class="explorer"' in page


def test_tang_poetry(smoke_outputs):
    content = read(smoke_outputs, "04_tang_poetry")
    measured = content.measured
    assert content.corpora[0].counts["dropped: duplicate"] == 1
    assert content.corpora[0].counts["dropped: lost text, as the editors note"] == 1
    assert measured.tokens_per_character == pytest.approx(3)  # a byte a token
    assert measured.form.tang_poets.shares["well_formed"].value == 100
    assert measured.held_out.after.token_loss < measured.held_out.before.token_loss
    samples = pd.read_csv(smoke_outputs / "04_tang_poetry" / "samples.csv", keep_default_na=False)
    assert samples.groupby(["label", "prompt", "run"]).size().tolist() == [2] * 8  # two runs
    assert measured.likelihood.after.bits_per_character < measured.likelihood.before.bits_per_character
    form = measured.form
    by_prompt = [*form.before_by_prompt.values(), *form.after_by_prompt.values()]
    assert [one.poems for one in (*by_prompt, form.tang_poets, form.shuffled)] == [2, 2, 2, 2, 4, 4]
    assert form.prompt == "春眠不覺曉" and form.after == form.after_by_prompt[form.prompt]
    assert [run.seed for run in measured.runs] == [2024, 2025]
    first, second = (run.likelihood for run in measured.runs)
    assert first == measured.likelihood.after != second  # the order of the poems differs
    for prompt, shares in measured.after_over_runs.items():
        values = [run.form_by_prompt[prompt].shares["han"].value for run in measured.runs]
        assert shares["han"].value == pytest.approx(sum(values) / 2)
    page = page_of(smoke_outputs / "04_tang_poetry" / "report.html")
    assert page.count('<div class="poem">') == 3 + 2 * 6 + 1  # from training; of two prompts before and after; one more
    assert "Each blue dot is a training run" in page and "after fine-tuning, 春眠不覺曉: run 2" in page
    written, tang_poem = measured.seen
    assert written.prompt + "".join(written.pieces) == samples[samples["label"] == "after fine-tuning"]["text"].iloc[0]
    assert tang_poem.pieces[0] == "，" and tang_poem.tokens[0] == 3  # a byte a token


def test_adapters_and_devices_that_share_a_training_are_told(monkeypatch, tmp_path, quick_kernels):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    with quick_kernels("--xla_force_host_platform_device_count=2"):
        folder = runner.run("04_tang_poetry", "smoke", {"devices": "all", "lora_rank": 2, "learning_rate": 0.3})
    results = records.load(folder / "results.json")
    training = results.measured.training
    assert (results.machine.device, training.replicas, training.devices_in_replica) == ("2 × CPU", 2, 1)
    assert "2 devices shared the texts of each step." in page_of(folder / "report.html")
    assert "2 个设备分担每一步的文本" in page_of(folder / "report.zh.html")
    assert training.trained_parameters == 4 * (16 * 2 + 8) * 2
    assert training.curve.mean_token_loss[-1] < training.curve.mean_token_loss[0]
    assert (folder / lora.FILE).stat().st_size > 4 * training.trained_parameters
    told = "low-rank adapters of rank 2 were trained (LoRA, Hu et al., 2021): 320 numbers, 3 % as many"
    assert told in page_of(folder / "report.html")
    assert "秩为 2 的低秩适配器" in page_of(folder / "report.zh.html")


def test_the_model_from_scratch_is_judged_on_the_same_poems_as_the_fine_tuned_one(smoke_outputs):
    content, fourth = read(smoke_outputs, "05_from_scratch"), read(smoke_outputs, "04_tang_poetry")
    measured, theirs = content.measured, fourth.measured
    assert measured.training.steps == content.parameters["steps"] == 6
    for name in ("texts", "characters", "cut_to"):
        assert getattr(measured.likelihood, name) == getattr(theirs.likelihood.after, name)
    assert measured.fine_tuned.likelihood == theirs.likelihood
    assert measured.fine_tuned.parameters == fourth.models[0].parameters
    assert measured.likelihood.tokens == measured.likelihood.characters
    samples = pd.read_csv(smoke_outputs / "05_from_scratch" / "samples.csv", keep_default_na=False)
    others = pd.read_csv(smoke_outputs / "04_tang_poetry" / "samples.csv", keep_default_na=False)
    assert list(dict.fromkeys(others["prompt"])) == ["春眠不觉晓", "春眠不覺曉"] == list(measured.asked)
    assert list(dict.fromkeys(samples["prompt"])) == ["春眠不覺曉"] == list(measured.form_by_prompt)
    assert samples.groupby("run").size().tolist() == [2, 2]
    assert measured.runs[0].likelihood == measured.likelihood != measured.runs[1].likelihood
    assert measured.runs[0].steps == measured.runs[1].steps == 6
    assert {sample.prompt for sample in measured.fine_tuned.samples} == {"春眠不覺曉"}
    page = page_of(smoke_outputs / "05_from_scratch" / "report.html")
    assert page.count('<div class="poem">') == 3 + 1 + 3 and "春眠不覺曉, from scratch: the best" in page


def test_the_summary_is_made_from_the_others_results(smoke_outputs, monkeypatch):
    monkeypatch.setenv("REPORT_OUTPUTS", str(smoke_outputs.parent))
    judged = judgement.of_profile("smoke")
    assert (smoke_outputs / "claims.json").read_text(encoding="utf-8") == records.dump(judged)
    page = html.unescape(page_of(smoke_outputs / "00_summary" / "report.html"))
    for row in judged.beside_post:
        told = claims_words.beside(row)
        assert told["here"] in page and told["why"] in page, row.name
    for claim in judged.claims:
        assert set(claims_words.claim(claim).values()) <= {
            part for part in claims_words.claim(claim).values() if part in page
        }
    assert len(read(smoke_outputs, "00_summary").figures) == 3


def test_what_was_tried_is_in_the_report_and_no_token_is(monkeypatch, tmp_path, capfd, quick_kernels):
    """Kaggle cannot be reached; Hugging Face refuses, and repeats the token that it was sent."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(paths, "EXPERIMENTS", tmp_path / "experiments")
    (tmp_path / "experiments" / "smoke").mkdir(parents=True)
    experiment = "preset: gpt2_base_en\nstand_in: tiny_random\nmax_length: 30\nnum_samples: 1\nsequence_length: 16\n"
    experiment += "on_tensorflow: false\ndataset: tiny_prose\ndataset_stand_in: none\n"
    experiment += "declaration_source: experiments/smoke/declaration.html\n"
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

    with servers.serve(refuse) as hf, quick_kernels():
        monkeypatch.setenv("HF_ENDPOINT", hf.address)
        runner.run("01_baseline", "smoke")
        assert any("hf_fake" in str(headers) for headers in hf.headers_seen)
    folder = tmp_path / "outputs" / "smoke" / "01_baseline"
    page = page_of(folder / "report.html")
    (model,) = json.loads((folder / "results.json").read_text(encoding="utf-8"))["models"]
    attempts = model["attempts"]
    assert [attempt.split(": ")[0] for attempt in attempts] == [
        "kaggle://keras/gpt2/keras/gpt2_base_en/3",
        "hf://keras/gpt2_base_en",
        "hf://openai-community/gpt2",
    ]
    assert "403" in attempts[1]
    told = capfd.readouterr()
    for attempt in attempts:
        assert f">{html.escape(attempt)}</li>" in page
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


def test_what_only_a_running_notebook_can_refuse_is_a_line_and_status_2(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(paths, "EXPERIMENTS", tmp_path / "experiments")
    (tmp_path / "experiments" / "smoke").mkdir(parents=True)
    values = "preset: tiny_random\nstand_in: none\nmax_length: 8\non_tensorflow: false\n"
    (tmp_path / "experiments" / "smoke" / "01_baseline.yaml").write_text(values)
    assert runner.main(["01_baseline", "--profile", "smoke"]) == 2
    error = capfd.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert "max_length is 8, but the prompt 'My trip was' alone takes that many tokens" in error
    left = [path.name for path in (tmp_path / "outputs" / "smoke").iterdir()]
    assert left == [".lock"]


@pytest.mark.parametrize(
    ("notebook", "change", "told"),
    [
        ("01_baseline", "preset: gpt2_bsae_en", "preset is 'gpt2_bsae_en'"),
        ("01_baseline", "num_samples: 64", "64 beginnings of texts of 48 tokens are asked for, but only"),
        ("02_reddit_finetune", "num_samples: 64", "128 beginnings of texts of 48 tokens are asked for, but only"),
        ("02_reddit_finetune", "k: 50000", "k is 50000, but this model knows only"),
        (
            "02_reddit_finetune",
            "story_counts: [4, 999]",
            "story_counts asks for 999 stories, but the texts that are not",
        ),
        ("02_reddit_finetune", "style_openings: 9", "18 beginnings of texts of 48 tokens are asked for, but only"),
        ("04_tang_poetry", "max_length: 17", "it leaves room for one token, and timing takes 2"),
        ("04_tang_poetry", "sequence_length: 512", "sequence_length is 512, but this model holds at most 128 tokens"),
    ],
)
def test_what_can_be_known_before_is_refused_before_anything_is_computed(monkeypatch, tmp_path, notebook, change, told):
    """The notebook's cells run in this process, on its backend: how a refusal reaches the terminal is tested above."""
    file = tmp_path / f"{notebook}.yaml"
    lines = (paths.EXPERIMENTS / "smoke" / f"{notebook}.yaml").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.split(":")[0] not in (change.split(":")[0], "backend")]
    file.write_text("\n".join([*kept, change, "backend: tensorflow"]), encoding="utf-8")
    declared = parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")
    given = parameters.validate(parameters.read_experiment(file), declared, file.name)
    namespace, notes = {}, []
    monkeypatch.setattr(progress, "note", notes.append)
    monkeypatch.setattr(progress, "step", lambda done, total, text, unit="step": notes.append(text))
    with pytest.raises(UserError, match=re.escape(told)):
        for cell in nbformat.read(paths.NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells:
            if cell.cell_type == "code":
                exec(cell.source, namespace)
            if "parameters" in cell.metadata.get("tags", []):
                namespace |= given | {"profile": "smoke", "output_dir": str(tmp_path / notebook)}
    assert not any(word in "".join(notes) for word in ("timing", "generating", "fine-tuning", "evaluating"))
    assert not (tmp_path / notebook / "results.json").exists()


def test_a_training_that_was_killed_goes_on_in_the_next_run_and_comes_to_the_same(smoke_outputs, tmp_path):
    """04 is killed in its second training run. The next run makes neither the first one nor these steps again.

    From process to process the last digits of a sum differ; that a training goes on bit for bit is tested beside
    `checkpoints`.
    """

    def run(*killed):
        script = paths.ROOT / "tests" / "killed_training.py"
        variables = {**os.environ, environment.TRAININGS: str(tmp_path / "trainings"), "PYTHONPATH": "."}
        variables |= {"KERAS_BACKEND": "", "XLA_FLAGS": QUICKLY}
        command = [sys.executable, script, tmp_path / "report", *map(str, killed)]
        return subprocess.run(command, cwd=paths.ROOT, env=variables, capture_output=True, text=True)

    assert run(2, 2).returncode == -signal.SIGKILL
    done = run(0, 0)
    assert done.returncode == 0, done.stderr[-3000:]
    found, content = json.loads(done.stdout.splitlines()[-1]), read(smoke_outputs, "04_tang_poetry")
    assert found["trained"] == 1 and found["continued_after"] == [[], [2]]
    assert "goes on after step 2" in done.stdout
    assert found["losses"][0] == pytest.approx(content.measured.training.curve.loss, rel=1e-4)
    bits = [one.likelihood.bits_per_character for one in content.measured.runs]
    assert found["bits"] == pytest.approx(bits, rel=1e-4) and abs(bits[0] / bits[1] - 1) > 1e-3
    assert len(found["losses"][1]) == len(found["losses"][0])
