import json
import types

import made_records
import pytest

from lib.core.errors import UserError
from lib.evaluation import fine_tuned_model
from lib.models import small_gpt2

POEMS = ["春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少？", "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"]
FOLDER = "outputs/gpu/04_tang_poetry"


@pytest.fixture
def outputs(monkeypatch, tmp_path):
    """The folder of the outputs."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    return tmp_path


def write(outputs, **changes):
    """Leaves results of the fine-tuning on poems; returns their file."""
    return made_records.write(made_records.results("04_tang_poetry", profile="gpu", **changes), outputs)


def test_what_it_is_compared_with_is_read_whole(outputs):
    write(outputs, models=[made_records.model(parameters=134_515_008), made_records.model(parameters=1)])
    results = fine_tuned_model.load(FOLDER)
    tang, theirs = results.measured, fine_tuned_model.of(results)
    assert results == made_records.results("04_tang_poetry", profile="gpu", models=results.models)
    assert (theirs.machine, theirs.parameters) == (results.machine, 134_515_008)
    assert (theirs.training, theirs.likelihood) == (tang.training, tang.likelihood)
    assert theirs.form == tang.form.after != tang.form.before
    assert (theirs.scale.tang_poets, theirs.scale.shuffled) == (tang.form.tang_poets, tang.form.shuffled)
    assert theirs.scale.random_couplets == tang.form.random_couplets
    assert (theirs.prompt, theirs.runs) == (tang.form.prompt, tang.runs)
    assert theirs.form_over_runs == tang.after_over_runs[tang.form.prompt]
    assert theirs.timing.label == "fine-tuned" and theirs.timing.seconds == tang.timing.seconds
    assert tang.timing.label == "after fine-tuning"  # the results stay as they were
    assert [sample.label for sample in theirs.samples] == ["after fine-tuning"]


def test_a_share_without_a_figure_stays_without_one(outputs):
    write(outputs, measured=made_records.tang(after=made_records.poem_form(rhyme=None)))
    assert fine_tuned_model.of(fine_tuned_model.load(FOLDER)).form.shares["rhyme"].value is None


def test_a_folder_of_another_place_is_read_as_well(tmp_path):
    file = write(tmp_path)
    assert fine_tuned_model.load(str(file.parent)).notebook == "04_tang_poetry"


def test_only_poems_after_the_compared_prompt_are_taken(outputs):
    samples = [made_records.sample("after fine-tuning", prompt) for prompt in ("春眠不觉晓", "春眠不覺曉")]
    write(outputs, measured=made_records.tang(samples=samples))
    theirs = fine_tuned_model.of(fine_tuned_model.load(FOLDER))
    assert [sample.prompt for sample in theirs.samples] == [theirs.prompt] == ["春眠不覺曉"]


def test_prompts_are_asked_in_traditional_characters():
    assert fine_tuned_model.asked(["春眠不觉晓", "春眠不覺曉"]) == {
        "春眠不觉晓": "春眠不覺曉",
        "春眠不覺曉": "春眠不覺曉",
    }


ANEW = r"Run `make report NOTEBOOK=04_tang_poetry PROFILE=gpu` anew\.$"


def test_without_the_fine_tuning_the_command_is_named(outputs):
    with pytest.raises(UserError) as error:
        fine_tuned_model.load(FOLDER)
    assert str(error.value).startswith(f"compare_with is {FOLDER!r}, but there is no results.json")
    assert str(error.value).endswith("Run `make report NOTEBOOK=04_tang_poetry PROFILE=gpu` first.")


def older(content):
    del content["schema_version"]


def of_version_0(content):
    content["schema_version"] = 0


def without_likelihood(content):
    del content["measured"]["likelihood"]


def without_the_one_after(content):
    del content["measured"]["likelihood"]["after"]


def with_words_for_a_number(content):
    content["measured"]["timing"]["first_call_seconds"] = "long"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (older, "has no schema_version; this code reads version 2"),
        (of_version_0, "has schema_version 0; this code reads version 2"),
        (without_likelihood, "is damaged: measured.likelihood: field required"),
        (without_the_one_after, "is damaged: measured.likelihood.after: field required"),
        (with_words_for_a_number, "is damaged: measured.timing.first_call_seconds: input should be a valid number"),
    ],
)
def test_results_of_another_version_are_refused_with_the_command_that_makes_them_anew(outputs, damage, told):
    file = write(outputs)
    content = json.loads(file.read_text(encoding="utf-8"))
    damage(content)
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=ANEW) as error:
        fine_tuned_model.load(FOLDER)
    assert str(error.value).startswith(f"04_tang_poetry/results.json {told}")


@pytest.mark.parametrize("bytes_left", [0, 1000])
def test_results_that_are_cut_off_are_refused_as_well(outputs, bytes_left):
    file = write(outputs)
    file.write_bytes(file.read_bytes()[:bytes_left])
    with pytest.raises(UserError, match=f"04_tang_poetry/results.json is cut off or not JSON. {ANEW}"):
        fine_tuned_model.load(FOLDER)


def test_results_that_are_cut_off_within_a_character_are_refused_as_well(outputs):
    file = write(outputs)
    content = file.read_bytes()
    file.write_bytes(content[: content.index("春".encode()) + 1])
    with pytest.raises(UserError, match=f"04_tang_poetry/results.json is cut off or not JSON. {ANEW}"):
        fine_tuned_model.load(FOLDER)


def test_results_of_another_notebook_are_refused(outputs):
    made_records.write(made_records.results("02_reddit_finetune", profile="gpu"), outputs)
    with pytest.raises(UserError, match=r"results are those of 02_reddit_finetune\. Name a folder of 04_tang_poetry"):
        fine_tuned_model.load("outputs/gpu/02_reddit_finetune")


def test_other_poems_are_refused():
    theirs = made_records.results("04_tang_poetry", corpora=[made_records.corpus(sha256="0" * 64)])
    fine_tuned_model.check_same_poems(theirs, types.SimpleNamespace(sha256="0" * 64), "npm")
    with pytest.raises(UserError, match=r"poems_source is 'github'.*from 'npm'.*NOTEBOOK=04_tang_poetry"):
        fine_tuned_model.check_same_poems(theirs, types.SimpleNamespace(sha256="1" * 64), "github")


def test_a_poem_is_timed_as_long_as_the_other_model_s_were_judged():
    small = small_gpt2.make(POEMS, sequence_length=32, num_layers=1, num_heads=2, hidden_dim=16)

    def length(sequence_length, characters):
        after = made_records.likelihood(cut_to=characters)
        theirs = made_records.fine_tuned(likelihood={"before": after, "after": after})
        return fine_tuned_model.timed_length(small, "春眠不覺曉", sequence_length, theirs)

    assert length(32, 26) == 1 + 26  # and the start token
    assert length(32, 6) == 1 + 5 + 2  # two new tokens at the least
    for sequence_length, characters, needed in ((26, 26, 27), (7, 3, 8)):
        with pytest.raises(UserError, match=f"sequence_length is {sequence_length}; .* it must be at least {needed}"):
            length(sequence_length, characters)
