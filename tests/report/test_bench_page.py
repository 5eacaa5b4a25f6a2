"""The bench's page, made from records: equal precision comes first, and every ratio says its direction."""

import html
import re
import xml.etree.ElementTree as ElementTree

import made_records
import pytest
from test_chinese_pages import data_of, english_in
from test_views import SHOWN

from lib.core import paths, records
from lib.core.records import BenchPeer, BenchWork
from lib.report import answers, bench_figures, bench_words, figures, recorder, site, views, wording, words

SVG = "{http://www.w3.org/2000/svg}"
SMALLEST = 11  # pixels of text on a phone
PHONE = 355  # pixels that a figure has on a phone of 390: the page has a margin at both sides
COMMITTED = paths.ROOT / "outputs" / "bench" / "bench"


def pair(here, there=100.0, **changes):
    told = made_records.comparison(BenchWork.GENERATE_ONE, BenchPeer.KERASHUB, here, [there] * len(here))
    return told.model_copy(update=changes)


@pytest.mark.parametrize(
    ("here", "told"),
    [
        ([200.0, 210.0, 240.0], "2.1 times as fast (2.0 to 2.4), n = 3"),
        ([120.0, 121.0, 122.0], "1.21 times as fast (1.20 to 1.22), n = 3"),
        ([50.0, 80.0, 40.0], "slower: it takes 2.0 times as long (1.2 to 2.5), n = 3"),
        ([95.0, 105.0, 110.0], "about as fast: 1.05 times the speed (0.95 to 1.10), n = 3"),
        ([110.0, 95.0, 98.0], "about as fast: 0.98 times the speed (0.95 to 1.10), n = 3"),
        ([300.0], "3.00 times as fast (measured once), n = 1"),
        ([50.0], "slower: it takes 2.00 times as long (measured once), n = 1"),
    ],
)
def test_a_ratio_says_whether_it_is_faster_or_slower(here, told):
    assert bench_words.result(pair(here)) == told


def test_a_loss_names_the_other_side_and_the_time_that_it_takes():
    told = bench_words.against(pair([50.0, 80.0, 40.0]))
    assert told.startswith("more slowly than the post's KerasNLP code, taking 2.0 times as long")
    assert bench_words.against(pair([50.0, 80.0, 40.0]), "zh").startswith("比博客的代码（KerasNLP）慢，用时是其 2.0 倍")


@pytest.mark.parametrize(("with_xla", "told"), [(30.0, "the post's KerasNLP code ("), (50.0, "code with XLA (")])
def test_the_answer_names_the_post_s_lines_with_xla_if_they_are_faster(with_xla, told):
    measured = made_records.bench()
    ours = measured.comparisons[0].here
    measured.comparisons.append(
        made_records.comparison(BenchWork.GENERATE_ONE, BenchPeer.KERASHUB_XLA, ours, [with_xla] * len(ours))
    )
    sentence = words.SENTENCE_END.split(bench_words.answer(measured))[0]
    assert told in sentence and sentence.count("the post's") == 1


def test_the_answer_begins_with_generating_in_equal_precision_and_ends_with_unequal():
    sentences = words.SENTENCE_END.split(answers.answer(made_records.results("bench")))
    assert [re.sub(",.*", "", one) for one in sentences] == [
        "In float32",
        "These are medians of paired runs; the lowest and the highest stand in brackets.",
        "In float32",
        "In bfloat16",
        "With default settings",
        "In this unequal comparison",
    ]
    generating, _, exact, rounded, mixed, unequal = sentences
    assert "1.55 times as fast as the post's KerasNLP code (1.50 to 1.60)" in unequal
    assert (
        "this project's own decoding step generates one text 1.5 times as fast as the post's KerasNLP code"
        in generating
    )
    assert "this project trains about as fast as the post's KerasNLP code" in exact
    assert "this project trains more slowly than transformers with packed texts, taking 1.25 times as long" in rounded
    assert "in bfloat16 when it trains, and the others in float32" in mixed
    assert "target" not in " ".join(sentences)


def test_without_other_programs_or_bfloat16_the_answer_tells_what_was_measured():
    kept = [pair([200.0, 220.0])]
    told = answers.answer(made_records.results("bench", made_records.bench(comparisons=kept)))
    assert told.count(".") == 5 and "transformers" not in told and "bfloat16" not in told
    page = page_of(made_records.bench(comparisons=kept))
    assert "both sides train in float32 by default" in views.VIEWS["bench_as_they_come"](page)
    assert "set itself no target" in views.VIEWS["bench_targets"](page)
    assert "GB/s in the median" not in views.VIEWS["bench_limits"](page)


def page_of(measured=None, language="en", folder=None):
    return views.Page(made_records.results("bench", measured), folder, language)


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_view_of_the_page_is_made_from_its_records_alone(tmp_path, language):
    page = page_of(language=language, folder=tmp_path)
    for view, options in SHOWN["bench"]:
        given = {name: value.value for name, value in options.items()}
        made = views.VIEWS[view](page, **given)
        seen = re.sub('src="data:[^"]*"', "", made)
        assert not re.search(r"\bnan\b|\bNone\b|\{|\}", seen), view
        assert bool(re.search("[\u4e00-\u9fff]", seen)) is (language == "zh"), view
        for head in re.findall("<thead>.*?</thead>", made):
            assert head.count("<th ") <= 6, view


def test_equal_precision_stands_apart_from_what_is_not_equal():
    equal, mixed = (views.VIEWS[view](page_of()) for view in ("bench_equal", "bench_as_they_come"))
    assert "Fine-tune on Tang poems, float32" in equal and "Fine-tune on Tang poems, bfloat16" in equal
    assert "Fine-tune on stories" not in equal and "Fine-tune on stories" in mixed
    assert "slower: it takes 1.25 times as long" in equal
    assert "Not in equal precision: products in bfloat16 here and in float32 there" in mixed
    assert "the limit set by memory" not in equal + mixed  # no program


def test_the_targets_are_folded_and_say_whose_they_are():
    told = html.unescape(views.VIEWS["bench_targets"](page_of()))
    assert told.startswith('<details class="more-table">')
    assert "themselves 4 ratios to reach. The median of the pairs of runs reached 3 of them" in told
    assert "every single pair reached 2" in told and "missed" in told


def test_estimates_are_never_told_as_measurements():
    told = views.VIEWS["bench_gpus"](page_of())
    assert (
        told.count("<caption><span>Estimates from data sheets, not measurements: ")
        == told.count("<caption><span>")
        == 2
    )
    assert "fine-tuning with 4 texts at a time" in told


def test_what_limits_it_follows_from_the_figures():
    told = html.unescape(views.VIEWS["bench_limits"](page_of()))
    assert "at most 80 new tokens of one text a second" in told and "76 % of what memory allowed (75 to 78 %" in told
    assert "this project made 61 in the median" in told
    assert "1.5 times as many new tokens a second" in told and "Memory bandwidth, not arithmetic" in told
    shares = {"fixed": 1.0, "weights": 20.0, "arithmetic": 69.0, "cache": 10.0}
    call = made_records.bench().longest_call.model_copy(update={"shares_percent": shares})
    assert "Memory bandwidth" not in views.VIEWS["bench_limits"](page_of(made_records.bench(longest_call=call)))
    compared = made_records.bench().comparisons
    faster = [
        one.model_copy(update={"there": [100.0] * 3}) if one.peer is records.BenchPeer.BANDWIDTH else one
        for one in compared
    ]
    told = views.VIEWS["bench_limits"](page_of(made_records.bench(comparisons=faster)))
    assert (
        "something besides the memory's bandwidth also limits" in html.unescape(told)
        and "Memory bandwidth, not arithmetic" not in told
    )


def test_a_fitted_rate_is_set_beside_the_measured_bandwidth():
    assert "is 90 % of the 39.8 GB/s" in bench_words.fit(made_records.bench())
    cost = made_records.bench().cost.model_copy(update={"weights_gb_per_s": 45.0})
    assert "45.0 GB/s, lies above the 39.8 GB/s" in bench_words.fit(made_records.bench(cost=cost))


def test_a_strip_has_a_dot_for_each_pair_and_a_line_at_one():
    compared = [one for one in made_records.bench().comparisons if one.equal_precision]
    figure, alt = bench_figures.ratios(compared)
    axes = figure.axes[0]
    dots = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"]
    assert dots == [one.ratios for one in compared]
    assert [list(line.get_xdata()) for line in axes.lines][-1] == [1, 1]
    assert axes.get_xscale() == "log" and axes.get_xlim()[0] < 0.8 and "log scale" in axes.get_xlabel()
    assert "more slowly than transformers with packed texts, taking 1.25 times as long" in alt


def test_growth_draws_the_measurements_and_the_fitted_line():
    by_tokens, by_batch, _ = bench_figures.growth(made_records.bench().growth)[0].axes
    dots, fitted = (
        next(line for line in by_batch.lines if line.get_label() == name) for name in ("measured", "cost model")
    )
    assert list(dots.get_ydata()) == pytest.approx([64 / 2.1, 8 * 64 / 2.1]) == list(fitted.get_ydata())
    assert by_tokens.get_title(loc="left") == "seconds per call"


# On a GPU.


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_view_of_the_page_of_a_gpu_is_made_from_its_records_alone(tmp_path, language):
    page = page_of(made_records.bench_gpu(), language, tmp_path)
    for view, options in SHOWN["bench"]:
        given = {name: value.value for name, value in options.items()}
        if given.get("name") == "bench_growth" or view == "bench_costs":
            continue  # the notebook shows them only if growth was measured
        made = views.VIEWS[view](page, **given)
        seen = re.sub('src="data:[^"]*"', "", made)
        assert not re.search(r"\bnan\b|\bNone\b|\{|\}", seen), view
        assert bool(re.search("[\u4e00-\u9fff]", seen)) is (language == "zh"), view
        if language == "zh":
            assert {one for one in english_in(made) if one not in data_of(page.results)} == set(), view


def test_the_answer_on_a_gpu_compares_equal_precision_with_each_program_at_its_best():
    told = answers.answer(made_records.results("bench", made_records.bench_gpu()))
    first, medians, rounded, trained = words.SENTENCE_END.split(told)
    assert first.startswith("On the GPU, NVIDIA H200, with products in TF32 on both sides")
    assert "2.2 times as fast as transformers, compiled with a static cache" in first and "KerasNLP code" in first
    assert medians.startswith("These are medians")
    assert "bfloat16" in rounded and "as fast as Hugging Face transformers" in rounded  # no static cache was measured
    assert "In bfloat16 on both sides, this project trains more slowly than transformers, compiled" in trained
    assert "float32" not in told
    unequal = [one for one in made_records.bench_gpu().comparisons if not one.equal_precision]
    told = answers.answer(made_records.results("bench", made_records.bench_gpu(comparisons=unequal)))
    assert told.startswith("On this GPU, neither")


def test_milliseconds_of_a_step_stand_beside_the_share_of_the_measured_arithmetic():
    fastest, *_ = steps = bench_words.steps(made_records.bench_gpu())
    assert (fastest.peer, fastest.precision) == (BenchPeer.TRANSFORMERS_COMPILED, "bfloat16")
    ours = next(step for step in steps if step.peer is None and step.precision == "bfloat16")
    assert sorted(ours.milliseconds)[1] == pytest.approx(10)
    assert ours.share == pytest.approx(100 * 6 * 124_439_808 * 4096 / 0.01 / 800e12)
    assert [step.share for step in steps if step.precision == "float32"] == [None]
    told = html.unescape(views.VIEWS["bench_limits"](page_of(made_records.bench_gpu())))
    assert "10.0" in told and "3.06 × 10¹² operations" in told and "800 TFLOP/s in bfloat16" in told
    assert "allows 6,600 new tokens of one text a second" in told and "50 % of that (45 to 55 %" in told


def test_what_was_not_measured_on_a_gpu_is_told_with_its_reason():
    gpu = made_records.bench_gpu().gpu
    told = html.unescape(views.VIEWS["bench_machine"](page_of(made_records.bench_gpu())))
    assert "UserError: no GPU" in told and "it did not answer" in told and "this project" in told
    whole = made_records.bench_gpu(gpu=gpu.model_copy(update={"left_out": []}))
    assert "left out" not in views.VIEWS["bench_machine"](page_of(whole))
    unknown = made_records.bench_gpu(gpu=gpu.model_copy(update={"copy_gb_per_s": [], "bfloat16_tflop_per_s": []}))
    told = views.VIEWS["bench_limits"](page_of(unknown))
    assert "was not measured in this run" in told and "In the same run" not in told


def test_the_top_of_the_page_names_the_card_and_its_driver():
    (_, where), *_ = bench_words.conditions(made_records.bench_gpu())
    assert where == "NVIDIA H200 with driver 580, A processor, 16 cores; 1.7 minutes on 2026-01-01"
    assert "without a GPU" in bench_words.conditions(made_records.bench())[0][1]


def results():
    return records.load(COMMITTED / "results.json")


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize("name", ["bench_ratios", "bench_mixed_ratios", "bench_growth"])
def test_text_in_a_figure_is_legible_on_a_phone(tmp_path, name, language):
    figure, _ = views.FIGURES[name](views.Page(results(), tmp_path, language))
    figures.save(figure, tmp_path / "figure.svg")
    drawn = ElementTree.parse(tmp_path / "figure.svg").getroot()
    width = float(drawn.get("viewBox").split()[2])
    sizes = [
        float(size)
        for size in re.findall(r"font(?:-size)?: (?:\w+ )*?([\d.]+)px", (tmp_path / "figure.svg").read_text())
    ]
    assert sizes and min(sizes) * PHONE / width >= SMALLEST


def test_the_index_links_to_the_page_only_if_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    for one in made_records.experiments().all():
        made_records.write(one, tmp_path)
    link = 'href="../bench/bench/report.html"'
    assert link not in site.render_index("cpu").read_text(encoding="utf-8")
    folder = tmp_path / "bench" / "bench"
    folder.mkdir(parents=True)
    recorder.write(folder, made_records.results("bench", profile="bench"))
    assert link not in site.render_index("cpu").read_text(encoding="utf-8")  # records without a page
    (folder / "report.html").write_text("the page", encoding="utf-8")
    index = html.unescape(site.render_index("cpu").read_text(encoding="utf-8"))
    assert link in index and "1.5 times as fast as the post's KerasNLP code" in index
    link = link.replace("report.html", "report.zh.html")
    assert link in (tmp_path / "cpu" / "index.zh.html").read_text(encoding="utf-8")
    own = html.unescape(site.render_index("bench").read_text(encoding="utf-8"))
    assert "../bench/bench/" not in own and "These reports run the same experiments again" not in own
    machine = "A processor, 2 cores, without a GPU; 24 minutes on 2026-01-01"
    assert machine in own and machine in index


def test_the_index_of_a_profile_links_to_the_bench_of_a_gpu_too(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    for one in made_records.experiments().all():
        made_records.write(one, tmp_path)
    for profile, measured in (("bench", made_records.bench()), ("bench-h200", made_records.bench_gpu())):
        folder = tmp_path / profile / "bench"
        folder.mkdir(parents=True)
        recorder.write(folder, made_records.results("bench", measured, profile=profile))
        (folder / "report.html").write_text("the page", encoding="utf-8")
    index = site.render_index("cpu").read_text(encoding="utf-8")
    assert re.findall('href="../(bench[^/]*)/bench/report.html"', index) == ["bench", "bench-h200"]
    assert "NVIDIA H200 with driver" in index
    own = site.render_index("bench-h200").read_text(encoding="utf-8")
    assert "../bench" not in own and "NVIDIA H200 with driver" in own
