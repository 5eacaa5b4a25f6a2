import datetime

import pytest

from lib import notebooks
from lib.core import parameters, paths
from lib.core.errors import UserError

CELL = """
preset: str = "gpt2_base_en"  # the model
stand_in: str = "none"  # the stand-in {none, smollm2_135m}
num_steps: int = 5  # training steps [1..100]
clause_length: int = 5  # characters {0, 5, 7}
learning_rate: float = 5.0e-5  # at the first step [0..1]
prompts: list[str] = ["My trip was"]  # what to continue
seeds: list[int] = [1]  # seeds [0..10]
devices: str = "1"  # a number, or all
profile: str = "lab"  # set by the runner
"""
DECLARED = parameters.parse(CELL)


def check(**given):
    return parameters.validate(given, DECLARED, "test.yaml")


def refused(function, *arguments):
    """The line that says why something is refused."""
    with pytest.raises(UserError) as error:
        function(*arguments)
    told = str(error.value)
    assert len(told.splitlines()) == 1 and len(told) < 400
    told.encode()  # it can be printed
    return told


def test_a_cell_is_read_with_type_default_help_and_limits():
    steps = DECLARED["num_steps"]
    assert (steps.type, steps.default, steps.help, steps.low, steps.high) == ("int", 5, "training steps", 1, 100)
    assert DECLARED["stand_in"].choices == ("none", "smollm2_135m")
    assert DECLARED["prompts"].default == ["My trip was"]


@pytest.mark.parametrize("given", ["5e-5", "5.0e-5", 5e-5])
def test_a_number_that_yaml_1_1_reads_as_text_is_the_number_it_means(given):
    assert check(learning_rate=given) == {"learning_rate": 5e-5}


def test_a_number_is_a_text_where_a_word_is_allowed_too():
    assert check(devices=4) == {"devices": "4"} and check(devices="all") == {"devices": "all"}
    assert "devices is True" in refused(lambda: check(devices=True))
    assert "preset is 4" in refused(lambda: check(preset=4))


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
        ({"num_steps": float("inf")}, ["num_steps is inf"]),
        ({"num_steps": "1e400"}, ["num_steps is '1e400'"]),
        ({"num_steps": 10**400}, ["num_steps is 1000", "…; it must be a whole number"]),
        ({"num_steps": 16**5000}, ["num_steps is 0x1000", "…; it must be a whole number"]),
        ({"num_steps": "1" * 5000}, ["'…; it must be a whole number"]),
        ({"learning_rate": [1] * 1000}, ["learning_rate is [1, 1", "…]; it must be a number"]),
        ({"stand_in": "x" * 10**6}, ["'…; it must be one of none"]),
        ({"seeds": {"a": "x" * 1000}}, ["…; it must be a list of int"]),
        ({"x" * 1000: 1}, ["'…; there are preset"]),
        ({"a\nb": 1}, [r"no parameter 'a\nb'"]),
        ({"preset": None}, ["preset is None", "leave it out to have its default"]),
        ({"preset": True}, ["preset is True", "YAML takes yes, no, on, off", "quotes"]),
        ({"stand_in": False}, ["stand_in is False; it must be one of none", "YAML takes yes, no, on, off", "quotes"]),
        ({"prompts": ["a", True]}, ["prompts is True", "quotes"]),
        ({"preset": datetime.date(2024, 1, 5)}, ["preset is 2024-01-05; it must be a text", "quotes"]),
        ({"preset": "a\x1b[0m"}, ["preset is 'a\\x1b[0m'; U+001B in it is a control character"]),
        ({"preset": "a\0"}, ["U+0000 in it is a control character"]),
        ({"preset": "a \ud83d"}, [r"preset is 'a \ud83d'; '\ud83d' in it is no character"]),
        ({"prompts": ["a", "\udcff"]}, [r"prompts is '\udcff'", "not UTF-8"]),
        ({"prompts": ["a", "b", "a"]}, ["prompts holds 'a' twice; give each once."]),
        ({"seeds": [1, 2, "1"]}, ["seeds holds 1 twice; give each once."]),
    ],
)
def test_a_wrong_value_is_told_with_its_name_and_what_is_allowed(given, told):
    with pytest.raises(UserError) as error:
        check(**given)
    for part in ("test.yaml", *told):
        assert part in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250
    str(error.value).encode()


def test_a_text_may_have_several_lines_and_be_written_from_right_to_left():
    for text in ("one\ntwo\tthree\r\n", "\u200fשלום", "a\u0301 😀", "x" * 100_000):
        assert check(preset=text) == {"preset": text}


def test_how_to_have_several_texts_from_one_prompt_is_told_where_that_can_be_set():
    with_samples = parameters.parse(CELL + "num_samples: int = 2  # samples [1..9]\n")
    told = refused(parameters.validate, {"prompts": ["a", "a"]}, with_samples, "test.yaml")
    assert told == (
        "test.yaml: prompts holds 'a' twice; give each once. num_samples is how many texts a prompt leads to."
    )
    assert "num_samples" not in refused(parameters.validate, {"prompts": ["a", "a"]}, DECLARED, "test.yaml")
    assert "num_samples" not in refused(parameters.validate, {"seeds": [1, 1]}, with_samples, "test.yaml")


def test_a_parameter_is_declared_once():
    with pytest.raises(UserError, match="parameter steps is declared twice"):
        parameters.parse("steps: int = 3  # a [1..9]\nk: int = 1  # b [1..9]\nsteps: int = 4  # c [1..9]")


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


@pytest.mark.parametrize("profile", ["gpu", "gpu-stand-ins", "cpu", "smoke", "bench"])
def test_the_experiments_in_the_repository_are_valid(profile):
    listed = {path.stem for path in paths.NOTEBOOKS.glob("*.ipynb")} - set(notebooks.ASIDE)
    files = sorted((paths.EXPERIMENTS / profile).glob("*.yaml"))
    assert {file.stem for file in files} == ({"bench"} if profile == "bench" else listed)
    for file in files:
        declared = parameters.declared(paths.NOTEBOOKS / f"{file.stem}.ipynb")
        given = parameters.validate(parameters.read_experiment(file), declared, file.name)
        defaults = {name: parameter.default for name, parameter in declared.items()}
        parameters.check_together(defaults, "the defaults")
        parameters.check_together(defaults | given, file.name)


def test_yaml_that_cannot_be_read_is_told(tmp_path):
    broken = tmp_path / "a.yaml"
    broken.write_text("steps: [1, 2")
    with pytest.raises(UserError, match="not valid YAML"):
        parameters.read_experiment(broken)
    broken.write_text("- 1\n- 2\n")
    with pytest.raises(UserError, match="parameter: value"):
        parameters.read_experiment(broken)
    for text in ("[]", "false", "0", "k:5", "x" * 1000):
        broken.write_text(text)
        assert "it must hold lines `parameter: value`" in refused(parameters.read_experiment, broken)
    broken.write_text("k: 1\nk: 2\n")
    assert "k is given twice, in lines 1 and 2" in refused(parameters.read_experiment, broken)
    with pytest.raises(UserError, match=r"no b\.yaml"):
        parameters.read_experiment(tmp_path / "b.yaml")


@pytest.mark.parametrize("text", ["", "# nothing to set\n", "{}\n", "---\n", "~"])
def test_an_experiment_may_set_nothing(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    assert parameters.read_experiment(tmp_path / "a.yaml") == {}


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
        ("num_steps=010", {"num_steps": 10}),
        ("preset=yes", {"preset": "yes"}),
        ("prompts=[sic] he said", {"prompts": ["[sic] he said"]}),
        (r'prompts=["\ud83d\ude00"]', {"prompts": ["😀"]}),
    ],
)
def test_the_command_line_gives_values_of_the_declared_types(change, expected):
    assert parameters.from_command_line([change], DECLARED) == expected


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("preset=a \udcff", r"preset is 'a \udcff'; '\udcff' in it is no character, but a byte that is not UTF-8"),
        ("prompts=[a, \udcff]", r"prompts is '[a, \udcff]'; '\udcff' in it is no character"),
        ("\udcff=3", r"'\udcff=3' is not of the form name=value, such as k=40 or 'prompt=My trip was'"),
        ("x" * 10**5, "'… is not of the form name=value"),
        ("num_steps=" + "1" * 5000, "'…; it must be a whole number"),
        ("num_steps=0x10", "num_steps is '0x10'"),
        ("preset=a\x1bb", "preset is 'a\\x1bb'; U+001B"),
        ("prompts=[a, a]", "prompts holds 'a' twice; give each once"),
        ("prompts=['a' b]", "the command line: prompts is not valid YAML"),
        ("prompts=[!!python/object:os.system x]", "the command line: prompts: the tag !!python/object:os.system"),
        ("prompts=" + "[" * 3000 + "]" * 3000, "the command line: prompts: lists or mappings nest too deeply"),
        ("prompts=[a: b]", "prompts is {'a': 'b'}"),
        ("prompts=[yes]", "prompts is True"),
        ("prompts=[]", "prompts is []"),
        ("seeds=[010]", "010 in line 1 is 8 to YAML"),
    ],
)
def test_a_wrong_change_is_one_line(change, told):
    assert told in refused(parameters.from_command_line, [change], DECLARED)


TWO = {"prompt": "My trip was", "chinese_prompt": "我爱中国!", "max_length": 20}
PROSE = {"dataset": "reddit_tifu", "dataset_stand_in": "none", "num_examples": 400}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (TWO, ""),
        (TWO | {"chinese_prompt": "My trip was"}, "prompt and chinese_prompt are both 'My trip was'"),
        (
            {"prompts": ["one", "one two three four"], "max_length": 3},
            "max_length is 3, but the prompt 'one two three four' alone has 4 words; max_length counts the prompt. "
            "Raise it or shorten the prompt.",
        ),
        ({"prompts": ["one " * 100], "max_length": 99}, f"'{'one ' * 10}'… alone has 100 words"),
        ({"prompts": ["one two three"], "max_length": 3}, "alone has 3 words"),
        ({"prompts": ["one two three"], "max_length": 4}, ""),
        (TWO | {"chinese_prompt": "one two three", "max_length": 3}, "max_length is 3"),
        ({"prompts": ["one"], "prompt": "one two three", "max_length": 3}, "the prompt 'one two three'"),
        ({"prompts": ["one two three"], "max_length": 4, "warm_repeats": 1}, "timing takes two tokens more"),
        ({"prompts": ["one two three"], "max_length": 5, "warm_repeats": 1}, ""),
        ({"prompt_tokens": 20, "max_length": 20}, "prompt_tokens is 20, but max_length, which counts them, is 20"),
        ({"prompt_tokens": 19, "max_length": 20}, ""),
        ({"min_couplets": 3, "max_couplets": 2}, "min_couplets is 3 and max_couplets 2"),
        ({"min_couplets": 2, "max_couplets": 2}, ""),
        (
            {"hidden_dim": 130, "num_heads": 4},
            "hidden_dim is 130 and num_heads 4; the first must be a multiple of the second, such as 128.",
        ),
        ({"hidden_dim": 3, "num_heads": 12}, "such as 12."),
        ({"hidden_dim": 128, "num_heads": 4}, ""),
        (PROSE | {"num_openings": 400}, "num_examples is 400 and num_openings 400, which are taken from the tenth"),
        (PROSE | {"num_samples": 64, "num_examples": 20}, "num_examples is 20 and num_samples 64"),
        (PROSE | {"num_samples": 64}, ""),
        (PROSE | {"num_openings": 400, "dataset_stand_in": "brown_fiction"}, ""),
        (PROSE | {"num_openings": 400, "dataset": "brown_fiction"}, ""),
        ({"steps": 1, "probe_steps": 12}, "steps is 1; the learning rate rises in the first step"),
        ({"steps": 0, "probe_steps": 12}, ""),
        ({"steps": 1}, ""),
        ({}, ""),
    ],
)
def test_parameters_that_do_not_go_together_are_told_before_anything_starts(values, told):
    if not told:
        parameters.check_together(values, "test.yaml")
    else:
        line = refused(parameters.check_together, values, "test.yaml")
        assert line.startswith("test.yaml: ") and told in line


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
