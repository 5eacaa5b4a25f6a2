import pytest
import yaml

from lib.core import paths
from lib.core.errors import UserError
from lib.sweeps import plan

FIGURES = [{"path": "form.after.shares.rhyme", "unit": "%", "better": "higher", "en": "rhyme", "zh": "押韵"}]
SWEEP = {
    "question": {"en": "Does it?", "zh": "行吗？"},
    "notebook": "04_tang_poetry",
    "profile": "smoke",
    "grid": {"learning_rate": [0.001, 0.01], "seed": [1, 2, 3]},
    "seeds": ["seed"],
    "figures": FIGURES,
}


@pytest.fixture
def read(monkeypatch, tmp_path):
    """Reads a sweep with some keys changed; None leaves one out."""
    for folder in paths.EXPERIMENTS.iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    (tmp_path / paths.SWEEPS).unlink()
    (tmp_path / paths.SWEEPS).mkdir()
    monkeypatch.setattr(paths, "EXPERIMENTS", tmp_path)

    def reading(**changes):
        given = {name: value for name, value in (SWEEP | changes).items() if value is not None}
        text = yaml.safe_dump(given, allow_unicode=True)
        (tmp_path / paths.SWEEPS / "one.yaml").write_text(text, encoding="utf-8")
        return plan.read("one")

    return reading


@pytest.mark.parametrize("name", plan.names())
def test_every_sweep_of_the_project_is_whole(name):
    sweep = plan.read(name)
    assert len(sweep.runs) >= 3 and sweep.seeds


def test_the_grid_makes_a_run_of_each_combination(read):
    sweep = read(fixed={"num_runs": 3})
    points = [(run.point["learning_rate"], run.point["seed"]) for run in sweep.runs]
    assert points == [(rate, seed) for rate in (0.001, 0.01) for seed in (1, 2, 3)]
    assert all(run.values["num_runs"] == 3 for run in sweep.runs)


def test_a_number_that_yaml_reads_as_text_is_a_number_in_the_grid(read):
    assert read(grid={"learning_rate": ["5e-5"], "seed": [1]}).grid["learning_rate"] == [5e-5]


def test_the_id_is_of_the_values_and_of_nothing_else(read):
    ids = {run.id: run.point for run in read().runs}
    assert len(ids) == 6
    assert {run.id: run.point for run in read(question={"en": "Other?", "zh": "别的？"}, threads=1).runs} == ids
    more = {run.id: run.point for run in read(grid={"learning_rate": [0.01, 0.1], "seed": [1, 2, 3]}).runs}
    assert {number for number in more if more[number]["learning_rate"] == 0.01} == set(more) & set(ids)
    assert not {run.id for run in read(fixed={"num_runs": 3}).runs} & set(ids)


def test_a_notebook_that_needs_another_gets_a_run_of_it_with_its_values(read):
    grid = {"02_reddit_finetune.learning_rate": [0.002, 0.02], "seed": [1, 2]}
    sweep = read(notebook="03_greedy_vs_top_k", grid=grid, figures=[FIGURES[0] | {"path": "top_k.loops"}])
    needed, own = ([run for run in sweep.runs if bool(run.point) is own] for own in (False, True))
    assert [run.values["learning_rate"] for run in needed] == [0.002, 0.02]
    assert len(own) == 4
    for run in own:
        (number,) = run.needs.values()
        assert sweep.run(number).values["learning_rate"] == run.point["02_reddit_finetune.learning_rate"]
    assert sweep.runs.index(needed[0]) < sweep.runs.index(own[0])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"grid": {}}, "grid is empty"),
        ({"grid": {"seed": []}}, "grid: seed is []; it must be a list of values"),
        ({"grid": {"seed": 3}}, "grid: seed is 3; it must be a list of values"),
        ({"grid": {"seed": [1, 1]}}, "grid: seed holds 1 twice"),
        ({"grid": {"learning_rate": ["1e-3", 0.001]}}, "grid: learning_rate holds 0.001 twice"),
        ({"grid": {"02_reddit_finetune.seed": [1]}}, "names a parameter of '02_reddit_finetune', whose results"),
        ({"figures": []}, "figures is empty"),
        ({"figures": [FIGURES[0] | {"unit": 5}]}, "figures: unit is 5; it must be a text"),
        ({"grid": {"sead": [1, 2]}}, "Did you mean 'seed'?"),
        ({"grid": {"seed": [1, "two"]}}, "seed is 'two'; it must be a whole number"),
        ({"grid": {"learning_rate": [2.0], "seed": [1]}}, "learning_rate is 2.0; it must be a number from 0 to 1"),
        ({"fixed": {"seed": 3}}, "seed is both in grid and in fixed"),
        ({"fixed": {"min_couplets": 5}}, "min_couplets is 5 and max_couplets"),
        ({"seeds": ["k"]}, "seeds names 'k', which is not in grid"),
        ({"notebook": "04_tang"}, "notebook is '04_tang'; it must be one of 01_baseline"),
        ({"profile": "fast"}, "profile is 'fast'"),
        ({"figures": [{"path": "forms.after", "en": "a", "zh": "b"}]}, "04_tang_poetry measures no 'forms'"),
        ({"figures": [{"path": "form.after", "en": "a"}]}, "must have a text for each of path, en and zh"),
        ({"figures": [FIGURES[0] | {"better": "bigger"}]}, "better is 'bigger'; it must be one of higher, lower"),
        ({"grids": {"seed": [1]}}, "there is no 'grids' in a sweep"),
        ({"figures": None}, "figures is missing"),
        ({"threads": 0}, "threads is 0; it must be 1 or more"),
        ({"gpus": True}, "gpus is True; it must be a whole number"),
        ({"question": {"en": "Only English?"}}, "question must have a text for en and one for zh"),
    ],
)
def test_a_mistake_is_one_line_before_anything_starts(read, changes, told):
    with pytest.raises(UserError) as error:
        read(**changes)
    assert told in str(error.value) and "experiments" not in str(error.value).split(":")[1]


def test_a_huge_grid_is_refused_with_the_number_of_its_runs_and_the_hours(read):
    with pytest.raises(UserError, match=r"the grid has 5,000 runs, about \d[\d,]* hours; 1,000 are allowed"):
        read(profile="cpu", grid={"seed": list(range(5000))})


def test_a_sweep_that_does_not_exist_is_told(read):
    read()
    with pytest.raises(UserError, match=r"There is no experiments/sweeps/two.yaml; there are one\."):
        plan.read("two")
