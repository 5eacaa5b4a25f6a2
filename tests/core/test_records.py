import json

import jsonschema
import made_records
import pytest

from lib import notebooks
from lib.core import paths, records
from lib.core.errors import UserError

SCHEMAS = paths.ROOT / "docs" / "schema"
COMMITTED = sorted((paths.ROOT / "outputs").glob("*/*/results.json"))


@pytest.mark.parametrize("name", ["results.schema.json", "claims.schema.json"])
def test_the_schemas_beside_the_documentation_are_those_of_the_code(name):
    assert json.loads((SCHEMAS / name).read_text(encoding="utf-8")) == records.schemas()[name]


def test_the_schemas_are_schemas_and_say_the_unit_of_what_is_not_in_its_name():
    for name in ("results.schema.json", "claims.schema.json"):
        jsonschema.Draft202012Validator.check_schema(json.loads((SCHEMAS / name).read_text(encoding="utf-8")))
    training = records.schemas()["results.schema.json"]["$defs"]["Training"]["properties"]
    assert training["final_mean_loss"]["description"].startswith("Nats")
    assert set(records.MEASURED) <= {notebook.name for notebook in notebooks.ALL} | set(notebooks.ASIDE)


def validator(name):
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.parent.name)
def test_the_committed_results_keep_to_the_schema(file):
    content = json.loads(file.read_text(encoding="utf-8"))
    assert [error.message for error in validator("results.schema.json").iter_errors(content)] == []
    assert records.dump(records.load(file)) == file.read_text(encoding="utf-8")


def test_there_are_committed_results_of_every_notebook_and_claims():
    assert {file.parent.name for file in COMMITTED} >= set(records.MEASURED)
    claims = json.loads((paths.ROOT / "outputs" / "cpu" / "claims.json").read_text(encoding="utf-8"))
    assert [error.message for error in validator("claims.schema.json").iter_errors(claims)] == []


def test_the_schema_tells_one_notebook_s_measurements_from_another_s():
    content = made_records.results("01_baseline").model_dump(mode="json")
    assert not list(validator("results.schema.json").iter_errors(content))
    assert list(validator("results.schema.json").iter_errors(content | {"notebook": "03_greedy_vs_top_k"}))


def written(tmp_path, change):
    file = tmp_path / "smoke" / "01_baseline" / "results.json"
    file.parent.mkdir(parents=True)
    content = made_records.results("01_baseline").model_dump(mode="json")
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda content: content.pop("schema_version"),
            "01_baseline/results.json has no schema_version; this code reads",
        ),
        (lambda content: content.update(schema_version=99), "has schema_version 99; this code reads version 2"),
        (lambda content: content["measured"].pop("quality"), "is damaged: measured.quality: field required"),
        (
            lambda content: content["measured"]["as_in_post"].update(first_call_seconds="soon"),
            "is damaged: measured.as_in_post.first_call_seconds: input should be a valid number",
        ),
        (lambda content: content["measured"].update(extra=1), "measured.extra: extra inputs are not permitted"),
    ],
)
def test_old_and_damaged_results_are_one_error_with_the_command_that_mends_it(tmp_path, change, told):
    file = written(tmp_path, change)
    with pytest.raises(UserError) as error:
        records.load(file)
    assert told in str(error.value)
    assert str(error.value).endswith("Run `make report NOTEBOOK=01_baseline PROFILE=smoke` anew.")
    assert "\n" not in str(error.value)


def test_results_that_are_cut_off_are_told_so(tmp_path):
    file = written(tmp_path, lambda content: None)
    file.write_text(file.read_text()[:100])
    with pytest.raises(UserError, match=r"01_baseline/results\.json is cut off or not JSON"):
        records.load(file)
    file.write_text("[]")
    with pytest.raises(UserError, match="has no schema_version"):
        records.load(file)


def test_what_is_no_number_becomes_none_where_there_may_be_nothing_to_measure():
    assert records.Estimate(value=float("nan"), low=float("inf")).model_dump() == {
        "value": None,
        "low": None,
        "high": None,
    }
    with pytest.raises(ValueError, match="finite"):
        records.HeldOutLoss(loss=float("nan"), token_loss=1.0, accuracy=1.0)


def test_a_field_is_checked_when_it_is_set():
    loss = records.HeldOutLoss(loss=1, token_loss=1, accuracy=1)
    with pytest.raises(ValueError, match="valid number"):
        loss.loss = "much"
    with pytest.raises(ValueError, match="no attribute"):
        loss.los = 2.0


def test_a_variant_that_cannot_be_read_is_not_made_anew_by_running_its_report(tmp_path):
    file = tmp_path / "smoke" / "01_baseline@1f0c2d3e" / "results.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    with pytest.raises(UserError, match="It is a variant: run it again with its ARGS, or remove its folder"):
        records.load(file)


def test_a_notebook_without_a_class_has_its_samples_as_records():
    content = made_records.results(
        "06_own", measured=records.Measured(samples=made_records.baseline().samples, words=3)
    )
    read = records.Results.model_validate_json(records.dump(content))
    assert read.measured.samples == made_records.baseline().samples and read.measured.words == 3
