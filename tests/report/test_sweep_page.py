import made_records
import pytest
from made_records import estimate

from lib.claims import post
from lib.evaluation import few_values
from lib.report import answers, figures, site, sweep_words, views
from lib.report.page import Page


def page_of(tmp_path, language="en", **changes):
    results = made_records.results("06_sweep", measured=made_records.sweep(**changes), profile="sweep-made_up")
    return Page(results, tmp_path, language)


def runs_of(found, half=2.0):
    return made_records.sweep_runs(found, half)


CLEAR = {(0.001, 5): (10, 11, 12), (0.01, 5): (40, 42, 41)}
NOISY = {(0.001, 5): (10, 30, 50), (0.01, 5): (40, 20, 45)}


def test_the_answer_tells_the_seed_s_part_and_whether_the_best_can_be_told(tmp_path):
    told = answers.answer(page_of(tmp_path, runs=runs_of(CLEAR)).results)
    assert told == (
        "Pairs that rhyme: runs that differ in the seed alone differ by 1.0 (0.6–2.9) percentage points (standard "
        "deviation; by setting from 1.0 with learning_rate 0.001, k 5 to 1.0 with learning_rate 0.01, k 5). The "
        "choice of texts within a run alone may make that much (1.0 percentage "
        "points), so these runs do not tell whether the seed itself matters. The better setting, learning_rate 0.01, "
        "k 5, can be told from the other one, learning_rate 0.001, k 5: they differ by 30.0 (27.5–32.5) percentage "
        "points."
    )
    told = answers.answer(page_of(tmp_path, runs=runs_of(NOISY)).results)
    assert (
        "The choice of texts within a run makes 1.0 percentage points. So the seed itself matters, clearly with "
        "learning_rate 0.001, k 5 and learning_rate 0.01, k 5." in told
    )
    assert "cannot be told from the other one" in told
    one_of_two = {(0.001, 5): (10, 30, 50), (0.01, 5): (40, 41, 42)}
    told = answers.answer(page_of(tmp_path, runs=runs_of(one_of_two)).results)
    assert "the seed itself matters, clearly with learning_rate 0.001, k 5." in told
    barely = {(0.001, 5): (10, 12.5), (0.01, 5): (40, 43), (0.1, 5): (40, 43), (0.2, 5): (40, 43)}
    told = answers.answer(page_of(tmp_path, runs=runs_of(barely)).results)
    assert "the seed itself matters, at least in some settings." in told


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({(0.001, 5): (10, 11), (0.01, 5): (10, 12), (0.1, 5): (12, 11)}, "cannot be told from any of the 2 others"),
        (
            {(0.001, 5): (10, 11, 12), (0.01, 5): (30, 32, 31), (0.1, 5): (60, 62, 63)},
            "can be told from every other one",
        ),
        (
            {(0.001, 5): (10, 11, 12, 11), (0.01, 5): (40, 60, 50, 45), (0.1, 5): (60, 61, 62, 60)},
            "can be told from 1 of the 2 others",
        ),
    ],
)
def test_the_best_of_several_is_told_from_all_some_or_none(tmp_path, found, told):
    assert told in sweep_words.verdict(made_records.sweep(runs=runs_of(found)), 0)


def test_a_figure_of_which_neither_end_is_better_has_no_best_setting():
    assert sweep_words.verdict(made_records.sweep(), 1) == ""


def test_one_seed_tells_nothing_of_the_seed():
    told = sweep_words.luck(made_records.sweep(runs=runs_of({(0.001, 5): (10,), (0.01, 5): (20,)})), 0)
    assert told == "Pairs that rhyme: no setting was run with two seeds, so nothing tells what the seed does."


def test_runs_that_failed_or_are_missing_are_told(tmp_path):
    runs = runs_of(CLEAR)
    runs[0] = runs[0].model_copy(update={"report": "", "values": [], "failed": "no such luck"})
    runs[1] = runs[1].model_copy(update={"report": "", "values": []})
    page = page_of(tmp_path, runs=runs)
    assert "Of 6 runs, 4 succeeded and 1 failed; 1 were not made." in answers.answer(page.results)
    shown = page.show("sweep_runs")
    assert "Runs that failed" in shown and "no such luck" in shown
    assert shown.count('<a href="report.html">') == 4


def test_times_of_runs_that_shared_the_machine_are_not_for_comparison(tmp_path):
    told = page_of(tmp_path, at_once=8).show("sweep_question")
    assert "Up to 8 ran on this machine at a time, so their times are not for comparison." in told
    assert "one after another" in page_of(tmp_path, at_once=1).show("sweep_question")
    assert "A scheduler chose" in page_of(tmp_path, at_once=0).show("sweep_question")
    assert "They ran on A CPU, 2 cores." in told
    assert "num_runs 1" in told and "learning_rate (0.001, 0.01)" in told


def test_the_picture_has_a_line_for_each_value_of_the_second_parameter_and_a_dot_for_each_run(tmp_path):
    figure, alt = views.FIGURES["sweep_over_grid"](page_of(tmp_path))
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and line.get_linestyle() != "None"]
    assert [list(line.get_ydata()) for line in lines] == [[12, 42], [11.5, 41.5]]
    dots = [list(line.get_ydata()) for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert sorted(dots) == [[10, 14], [11, 12], [40, 44], [41, 42]]
    assert "learning_rate 0.01, k 5: 42 " in alt


def test_an_axis_with_a_zero_is_not_logarithmic(tmp_path):
    for rates, scale in (((0.001, 0.01, 0.1), "log"), ((0.0, 0.01, 0.1), "linear"), ((0.01, 0.02, 0.03), "linear")):
        runs = runs_of({(rate, 5): (10, 14) for rate in rates})
        assert views.FIGURES["sweep_over_grid"](page_of(tmp_path, runs=runs))[0].axes[0].get_xscale() == scale


def test_settings_without_numbers_stand_in_rows(tmp_path):
    runs = [
        run.model_copy(update={"point": {"samplers": [f"top_k k={run.point['k']}"], "seed": run.point["seed"]}})
        for run in runs_of({(0.001, 5): (10, 14), (0.001, 40): (11, 13)})
    ]
    figure, alt = views.FIGURES["sweep_over_grid"](page_of(tmp_path, runs=runs))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["top_k k=5", "top_k k=40"]
    assert "samplers top_k k=5: 12 " in alt


def test_a_map_has_a_field_for_each_pair_of_values(tmp_path):
    figure, _ = views.FIGURES["sweep_heat"](page_of(tmp_path))
    assert [text.get_text() for text in figure.axes[0].texts] == ["12.0", "42.0", "11.5", "41.5"]


def test_three_parameters_and_the_figures_are_parallel_axes_with_the_best_setting_in_blue(tmp_path):
    runs = [
        run.model_copy(update={"point": run.point | {"batch_size": size}, "values": [estimate(value + size)] * 2})
        for size in (4, 8)
        for run in runs_of(CLEAR)
        for value in [run.values[0].value]
    ]
    figure, alt = views.FIGURES["sweep_parallel"](page_of(tmp_path, runs=runs))
    (axes,) = figure.axes
    names = [" ".join(label.get_text().split()) for label in axes.get_xticklabels()]
    assert names == ["learning_rate", "k", "batch_size", "pairs that rhyme (%)", "bits per character (bits)"]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 5]
    assert len(lines) == 4
    (best,) = (line for line in lines if line.get_color() == figures.BLUE)
    assert list(best.get_ydata()) == [1, 0, 1, 1, 1]  # the higher rate, the only k, the larger batch
    assert {text.get_text() for text in axes.texts} >= {"0.001", "0.01", "5", "4", "8", "15.0", "49.0"}
    assert "learning_rate 0.01, k 5, batch_size 8: 49" in alt


def test_the_page_is_in_chinese_too(tmp_path):
    page = page_of(tmp_path, "zh")
    assert "有影响吗？" in page.show("sweep_question") and "押韵的句对" in page.show("sweep_found")
    assert "种子之间" in page.show("sweep_spreads") and "每字符比特数（比特）" in page.show("sweep_settings")


def test_a_claim_and_the_index_lead_to_the_sweeps_of_its_report_in_the_profile(monkeypatch, tmp_path):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    for result in made_records.experiments().all():
        made_records.write(result, tmp_path)
    summary = made_records.results("00_summary")
    made_records.write(summary, tmp_path)
    sweep = made_records.results("06_sweep", profile="sweep-made_up")
    made_records.write(sweep, tmp_path)
    other = made_records.sweep(run_profile="gpu", question={"en": "Elsewhere?", "zh": "别处？"})
    made_records.write(made_records.results("06_sweep", measured=other, profile="sweep-other"), tmp_path)
    page = Page(summary, tmp_path / "cpu" / "00_summary").show("claims")
    cards = page.split('<section class="claim" id="claim-')
    told = [card.partition('"')[0] for card in cards[1:] if "Does it matter?" in card]
    assert told and {post.rules()[name]["report"] for name in told} == {"04_tang_poetry"}
    assert "Does it matter?" not in Page(summary, tmp_path / "cpu" / "00_summary").show("claims", opinions=True)
    assert '<a href="../../sweep-made_up/06_sweep/report.html">Does it matter?</a>' in page and "Elsewhere" not in page
    site.render_index("cpu")
    index = (tmp_path / "cpu" / "index.html").read_text(encoding="utf-8")
    assert '<h3><a href="../sweep-made_up/06_sweep/report.html">Does it matter?</a></h3>' in index
    assert "Elsewhere" not in index


def test_the_spread_of_a_setting_counts_the_runs_that_have_a_value():
    runs = runs_of({(0.001, 5): (10, 30, 50), (0.01, 5): (40, 41, 42)})
    runs[2] = runs[2].model_copy(update={"values": [estimate(None), estimate(5.0)]})
    ((_, first), (_, second)) = sweep_words._spreads(made_records.sweep(runs=runs), 0)
    assert first == few_values.deviation(200.0, 1) and second == few_values.deviation(2.0, 2)
