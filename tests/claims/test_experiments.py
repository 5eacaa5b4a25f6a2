import json

import made_records
import pytest

from lib.claims import experiments, judgement, post
from lib.core.errors import UserError

FOUND = made_records.experiments()


@pytest.fixture
def outputs(monkeypatch, tmp_path):
    """The folder of the outputs, with the results of the five experiments and the summary in profile `cpu`."""
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    for results in (*FOUND.all(), made_records.results("00_summary")):
        made_records.write(results, tmp_path)
    return tmp_path


def test_the_results_of_all_experiments_are_read_by_name(outputs):
    found = experiments.load("cpu")
    assert found == FOUND
    assert [results.notebook for results in found.all()] == list(experiments.NOTEBOOKS.values())
    assert found.tang.notebook == "04_tang_poetry"


@pytest.mark.parametrize("notebook", experiments.NOTEBOOKS.values())
def test_missing_results_say_how_to_get_them(outputs, notebook):
    (outputs / "cpu" / notebook / "results.json").unlink()
    with pytest.raises(UserError, match=f"Run `make report NOTEBOOK={notebook} PROFILE=cpu` first"):
        experiments.load("cpu")


def test_of_a_profile_that_was_never_run_the_first_experiment_is_named(outputs):
    with pytest.raises(UserError, match=r"profile is 'gpu'.*make report NOTEBOOK=01_baseline PROFILE=gpu"):
        experiments.load("gpu")


def test_results_of_another_version_say_how_to_get_new_ones(outputs):
    file = outputs / "cpu" / "02_reddit_finetune" / "results.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content | {"schema_version": 99}), encoding="utf-8")
    anew = r"Run `make report NOTEBOOK=02_reddit_finetune PROFILE=cpu` anew\."
    with pytest.raises(UserError, match=f"has schema_version 99; this code reads version 2. {anew}"):
        experiments.load("cpu")
    del content["schema_version"]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=f"has no schema_version; .*{anew}"):
        experiments.load("cpu")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text[:700], "is cut off or not JSON"),
        (lambda text: "", "is cut off or not JSON"),
        (lambda text: "[]", "has no schema_version"),
        (
            lambda text: text.replace('"batch_size": 4', '"batch_size": "four"'),
            "is damaged: measured.training.batch_size",
        ),
        (lambda text: text.replace('"batch_size": 4', '"batch_size": NaN'), "is damaged: measured.training.batch_size"),
        (lambda text: text.replace('"timing"', '"timings"'), "is damaged: measured.timing"),
    ],
)
def test_damaged_results_say_how_to_get_new_ones(outputs, damage, told):
    file = outputs / "cpu" / "02_reddit_finetune" / "results.json"
    file.write_text(damage(file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(UserError) as error:
        experiments.load("cpu")
    assert str(error.value).startswith(f"02_reddit_finetune/results.json {told}")
    assert str(error.value).endswith("Run `make report NOTEBOOK=02_reddit_finetune PROFILE=cpu` anew.")


def test_all_that_is_judged_is_one_record(outputs):
    judged = judgement.of_profile("cpu")
    assert judged.profile == "cpu"
    assert [claim.name for claim in judged.claims] == list(post.rules())
    assert {claim.name for claim in judged.claims} - {claim.name for claim in judged.testable} == {"content", "poem"}
    assert len(judged.beside_post) == 16 and judged.from_scratch[0].measure == "bits_per_character"


def test_the_post_s_texts_may_come_from_a_summary_that_is_being_made(outputs):
    (outputs / "cpu" / "00_summary" / "results.json").unlink()
    texts = made_records.post_texts()
    texts[-1].rhyme_pairs = 3
    judged = judgement.of_profile("cpu", texts)
    (poem,) = [claim for claim in judged.claims if claim.name == "poem"]
    assert poem.evidence["post_pairs"] == 3
    with pytest.raises(UserError, match=r"its summary has not been run\. Run `make all PROFILE=cpu` first"):
        judgement.of_profile("cpu")
