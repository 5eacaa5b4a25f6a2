import json
import math

import made_records
import pytest

from lib.core import paths, records
from lib.core.errors import UserError
from lib.core.records import Estimate, SweepRun
from lib.sweeps import gather, one, plan

RHYME = made_records.sweep_figure("form.rhyme", "%", "higher", "rhyme", "押韵")
BITS = made_records.sweep_figure("bits", "bits", "lower", "bits", "比特")
FOUND = {0.1: (10.0, 14.0, 12.0), 0.2: (20.0, 25.0, 24.0), 0.3: (11.0, 13.0, 15.0)}  # by learning rate, for each seed


def estimate(value, half=1.96):
    return Estimate(value=value, low=value - half, high=value + half)


def runs(found=FOUND, half=1.96):
    return [
        SweepRun(
            id=f"{rate}-{seed}",
            point={"learning_rate": rate, "seed": seed},
            report="report.html",
            values=[estimate(value, half), Estimate(value=value / 10)],
        )
        for rate, values in found.items()
        for seed, value in enumerate(values)
    ]


def test_a_figure_is_found_by_its_path():
    measured = {"form": {"rhyme": {"value": 5.0, "low": 1.0, "high": None}}, "runs": [{"bits": 3}, {"bits": None}]}
    assert gather.value_at(measured, "form.rhyme") == Estimate(value=5.0, low=1.0, high=None)
    assert gather.value_at(measured, "runs.0.bits") == Estimate(value=3)
    for path in ("runs.1.bits", "runs.2.bits", "runs.bits", "form", "form.rhyme.value.more", "nothing"):
        assert gather.value_at(measured, path).value is None


def test_a_setting_is_the_mean_over_its_seeds_with_student_s_interval():
    first, *_ = gather.settings(runs(), ["seed"], [RHYME, BITS])
    assert first.point == {"learning_rate": 0.1} and first.runs == 3
    assert first.over_seeds[0].value == pytest.approx(12)
    half = 4.302653 * 2 / math.sqrt(3)  # the quantile of Student's distribution with 2 degrees of freedom
    assert first.over_seeds[0].low == pytest.approx(12 - half) and first.over_seeds[0].high == pytest.approx(12 + half)


def test_the_spread_between_seeds_stands_beside_the_error_within_a_run():
    made = runs()
    told = gather.spread(made, gather.settings(made, ["seed"], [RHYME, BITS]), 0, ["seed"])
    assert told.between_seeds.value == pytest.approx(math.sqrt((4 + 7 + 4) / 3))  # the three variances, pooled
    # The quantiles of the chi-square distribution with 6 degrees of freedom; 30 is the sum of the squares.
    assert told.between_seeds.low == pytest.approx(math.sqrt(30 / 14.449375), rel=1e-6)
    assert told.between_seeds.high == pytest.approx(math.sqrt(30 / 1.237344), rel=1e-5)
    assert told.by_setting == pytest.approx([2, math.sqrt(7), 2])
    assert told.within_run == pytest.approx(1, rel=1e-4)
    assert told.between_settings == pytest.approx(math.sqrt(37))  # of 12, 23 and 13
    assert gather.spread(made, gather.settings(made, ["seed"], [RHYME, BITS]), 1, ["seed"]).within_run is None


def test_equal_values_have_no_interval_and_a_percentage_stays_within_its_limits():
    assert gather.over_seeds([12.5, 12.5, None], RHYME) == Estimate(value=12.5)
    told = gather.over_seeds([0.0, 2.0, 4.0], RHYME)
    assert told.low == 0 and told.high == pytest.approx(2 + 4.302653 * 2 / math.sqrt(3))
    assert gather.over_seeds([0.0, 2.0, 4.0], BITS).low < 0


def test_the_best_setting_is_set_beside_the_others_in_pairs_of_the_same_seed():
    made = runs()
    told = gather.differences(made, [RHYME, BITS], ["seed"])
    rhyme, bits = ([one for one in told if one.figure == index] for index in (0, 1))
    assert [one.best["learning_rate"] for one in rhyme] == [0.2, 0.2]
    assert [one.other["learning_rate"] for one in rhyme] == [0.3, 0.1]
    assert rhyme[0].difference.value == pytest.approx(10)  # of 9, 12 and 9
    assert rhyme[0].pairs == 3
    # The quantile of Student's distribution with 2 degrees of freedom at 1 - 0.05 / 3 / 2, for three pairs of settings.
    half = 7.6488 * math.sqrt(3) / math.sqrt(3)
    assert rhyme[0].difference.low == pytest.approx(10 - half, abs=1e-3)
    assert bits[0].best["learning_rate"] == 0.1 and bits[0].difference.value == pytest.approx(-0.1)


def test_settings_are_ranked_by_the_seeds_that_all_of_them_have():
    made = runs({0.1: (90.0, 1.0, 2.0), 0.2: (2.0, 3.0, 4.0)})
    del made[3]  # of 0.2, the first seed; without it, 0.1 has the better mean and is worse on both others
    (told,) = gather.differences(made, [RHYME], ["seed"])
    assert told.best["learning_rate"] == 0.2 and told.pairs == 2


def test_a_seed_that_one_of_the_two_lacks_makes_no_pair():
    made = runs({0.1: (1.0, 2.0, 3.0), 0.2: (5.0, 6.0)})
    (told,) = gather.differences(made, [RHYME], ["seed"])
    assert told.pairs == 2 and told.difference == Estimate(value=4)


SWEEP = """
question: {en: "Does it?", zh: 行吗？}
notebook: 04_tang_poetry
profile: smoke
grid: {learning_rate: [0.001, 0.01], seed: [1, 2]}
seeds: [seed]
figures:
  - {path: form.after.shares.rhyme, unit: "%", better: higher, en: rhyme, zh: 押韵}
"""


@pytest.fixture
def sweep(monkeypatch, tmp_path):
    """A sweep, of whose four runs two are done, one failed and one was not made."""
    experiments = tmp_path / "experiments"
    experiments.mkdir()
    (experiments / "smoke").symlink_to(paths.EXPERIMENTS / "smoke")
    (experiments / paths.SWEEPS).mkdir()
    (experiments / paths.SWEEPS / "one.yaml").write_text(SWEEP, encoding="utf-8")
    monkeypatch.setattr(paths, "EXPERIMENTS", experiments)
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path / "outputs"))
    made = plan.read("one")
    for run in made.runs:
        made.place(run).mkdir(parents=True)
    for run in made.runs[:2]:
        folder = made.place(run) / "smoke" / "04_tang_poetry@1"
        folder.mkdir(parents=True)
        text = records.dump(
            made_records.results("04_tang_poetry", made_records.tang(), stand_ins=[made_records.stand_in()])
        )
        (folder / "results.json").write_text(text, encoding="utf-8")
        (made.place(run) / one.DONE).write_text("smoke/04_tang_poetry@1\n")
    (made.place(made.runs[2]) / one.FAILED).write_text("no such luck\n")
    return made


def test_the_runs_of_a_sweep_are_gathered(sweep):
    measured = records.Sweep.model_construct()
    results = gather.fill(measured, "one")
    assert [(one.notebook, one.stand_ins) for one in results] == 2 * [("04_tang_poetry", [made_records.stand_in()])]
    measured = records.Sweep.model_validate(measured.__dict__)
    assert [one.cores for one in measured.machines] == [made_records.machine().cores]
    assert [bool(run.report) for run in measured.runs] == [True, True, False, False]
    assert [run.failed for run in measured.runs] == ["", "", "no such luck", ""]
    assert measured.runs[0].report == f"../runs/{sweep.runs[0].id}/smoke/04_tang_poetry@1/report.html"
    assert measured.runs[0].values[0].value == made_records.tang().form.after.shares["rhyme"].value
    assert not measured.is_done and measured.axes == ["learning_rate"]
    table = gather.table(measured)
    assert list(table["value"].notna()) == [True, True, False, False]
    assert json.loads(table.to_json(orient="records"))[0]["seed"] == 1


def test_a_path_that_no_run_has_measured_is_told(sweep):
    file = paths.EXPERIMENTS / paths.SWEEPS / "one.yaml"
    file.write_text(SWEEP.replace("shares.rhyme", "shares.rhymes"), encoding="utf-8")
    with pytest.raises(UserError, match=r"no run has measured 'form\.after\.shares\.rhymes'"):
        gather.fill(records.Sweep.model_construct(), "one")


def test_without_a_run_there_is_nothing_to_gather(sweep):
    for run in sweep.runs:
        (sweep.place(run) / one.DONE).unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"No run of one is done\. Run `make sweep SWEEP=one` first"):
        gather.fill(records.Sweep.model_construct(), "one")
