import pytest

from lib import parameters, paths
from lib.errors import UserError

CELL = """
preset: str = "gpt2_base_en"  # the model
stand_in: str = "none"  # the stand-in {none, smollm2_135m}
num_steps: int = 5  # training steps [1..100]
clause_length: int = 5  # characters {0, 5, 7}
learning_rate: float = 5.0e-5  # at the first step [0..1]
prompts: list[str] = ["My trip was"]  # what to continue
seeds: list[int] = [1]  # seeds [0..10]
profile: str = "lab"  # set by the runner
"""
DECLARED = parameters.parse(CELL)


def check(**given):
    return parameters.validate(given, DECLARED, "test.yaml")


def test_a_cell_is_read_with_type_default_help_and_limits():
    steps = DECLARED["num_steps"]
    assert (steps.type, steps.default, steps.help, steps.low, steps.high) == ("int", 5, "training steps", 1, 100)
    assert DECLARED["stand_in"].choices == ("none", "smollm2_135m")
    assert DECLARED["prompts"].default == ["My trip was"]


@pytest.mark.parametrize("given", ["5e-5", "5.0e-5", 5e-5])
def test_a_number_that_yaml_1_1_reads_as_text_is_the_number_it_means(given):
    assert check(learning_rate=given) == {"learning_rate": 5e-5}


def test_whole_numbers_become_ints_and_ints_floats():
    checked = check(num_steps=20.0, learning_rate=1)
    assert type(checked["num_steps"]) is int
    assert type(checked["learning_rate"]) is float


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"num_step": 3}, ["'num_step'", "Did you mean 'num_steps'"]),
        ({"num_steps": -1}, ["num_steps is -1", "from 1 to 100"]),
        ({"num_steps": 2.5}, ["num_steps is 2.5", "whole number"]),
        ({"num_steps": True}, ["num_steps is True", "whole number"]),
        ({"num_steps": "many"}, ["num_steps is 'many'"]),
        ({"num_steps": None}, ["num_steps is None"]),
        ({"clause_length": 6}, ["clause_length is 6", "one of 0, 5, 7"]),
        ({"learning_rate": "nan"}, ["learning_rate is 'nan'"]),
        ({"learning_rate": 2}, ["learning_rate is 2", "from 0 to 1"]),
        ({"stand_in": "smollm2_135"}, ["one of none, smollm2_135m", "Did you mean 'smollm2_135m'"]),
        ({"preset": ""}, ["preset is ''", "not empty"]),
        ({"preset": 3}, ["preset is 3", "a text"]),
        ({"prompts": "My trip was"}, ["prompts is 'My trip was'", "a list of str"]),
        ({"prompts": []}, ["prompts is []", "not empty"]),
        ({"prompts": ["x", " "]}, ["prompts is ' '", "not empty"]),
        ({"seeds": [1, 11]}, ["seeds is 11", "from 0 to 10"]),
        ({"profile": "cpu"}, ["no parameter 'profile'"]),
    ],
)
def test_a_wrong_value_is_told_with_its_name_and_what_is_allowed(given, told):
    with pytest.raises(UserError) as error:
        check(**given)
    for part in ("test.yaml", *told):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_a_parameters_cell_holds_nothing_but_declarations():
    with pytest.raises(UserError, match="declared as"):
        parameters.parse("steps = 3")


def test_every_notebook_declares_limits_and_help_for_all_its_parameters():
    for notebook in paths.NOTEBOOKS.glob("*.ipynb"):
        for parameter in parameters.declared(notebook).values():
            assert parameter.help, (notebook, parameter.name)
            if "int" in parameter.type or "float" in parameter.type:
                assert parameter.low is not None or parameter.choices, (notebook, parameter.name)
            if parameter.name not in parameters.RUNNER_SETS:
                parameter.check(parameter.default, "default")


@pytest.mark.parametrize("profile", ["gpu", "cpu", "smoke", "bench"])
def test_the_experiments_in_the_repository_are_valid(profile):
    notebooks = sorted(
        path.stem for path in paths.NOTEBOOKS.glob("*.ipynb") if (path.stem == "bench") == (profile == "bench")
    )
    files = sorted((paths.EXPERIMENTS / profile).glob("*.yaml"))
    assert [file.stem for file in files] == notebooks
    for file in files:
        parameters.validate(
            parameters.read_experiment(file), parameters.declared(paths.NOTEBOOKS / f"{file.stem}.ipynb"), file.name
        )


def test_yaml_that_cannot_be_read_is_told(tmp_path):
    broken = tmp_path / "a.yaml"
    broken.write_text("steps: [1, 2")
    with pytest.raises(UserError, match="not valid YAML"):
        parameters.read_experiment(broken)
    broken.write_text("- 1\n- 2\n")
    with pytest.raises(UserError, match="parameter: value"):
        parameters.read_experiment(broken)
    with pytest.raises(UserError, match=r"no b\.yaml"):
        parameters.read_experiment(tmp_path / "b.yaml")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("num_steps=7", {"num_steps": 7}),
        ("learning_rate=1e-3", {"learning_rate": 1e-3}),
        ("preset=a = b", {"preset": "a = b"}),
        ("prompts=My trip was", {"prompts": ["My trip was"]}),
        ("prompts=[I walked, 'The sea, and']", {"prompts": ["I walked", "The sea, and"]}),
        ("prompts=[I walked", {"prompts": ["[I walked"]}),
        ("seeds=[1, 2]", {"seeds": [1, 2]}),
        ("seeds=3", {"seeds": [3]}),
    ],
)
def test_the_command_line_gives_values_of_the_declared_types(change, expected):
    assert parameters.from_command_line([change], DECLARED) == expected


def test_what_is_true_or_false_is_written_so():
    declared = parameters.parse("deterministic: bool = False  # repeatable")
    assert parameters.from_command_line(["deterministic=True"], declared) == {"deterministic": True}
    with pytest.raises(UserError, match="deterministic is 'yes'; it must be true or false"):
        parameters.from_command_line(["deterministic=yes"], declared)


@pytest.mark.parametrize("notebook", sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb")))
def test_every_parameter_of_every_notebook_is_described(notebook):
    declared = parameters.declared(paths.NOTEBOOKS / f"{notebook}.ipynb")
    told = parameters.described(declared)
    for name, parameter in declared.items():
        assert (f"  {name}: {parameter.type} = " in told) == (name not in parameters.RUNNER_SETS)
        assert parameter.help and parameter.allowed
