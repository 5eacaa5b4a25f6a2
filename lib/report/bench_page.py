"""The views of the bench's page."""

import statistics

from matplotlib.figure import Figure

from lib.core.records import Bench, BenchPeer, Comparison, GpuEstimate
from lib.report import bench_figures, bench_words, html
from lib.report.numbers import DASH, number
from lib.report.page import Page, drawing, view

FIRST_PRESET = "gpt2_base_en"  # the one that everything else here runs on; the others are folded


def _equal(page: Page) -> list[Comparison]:
    return [one for one in bench_words.programs(page.measured) if one.equal_precision]


def _as_they_come(page: Page) -> list[Comparison]:
    return [one for one in bench_words.programs(page.measured) if not one.equal_precision]


def _rows(page: Page, compared: list[Comparison]) -> list[dict]:
    return [
        {
            page.say("bench_head_work"): bench_words.work(one, page.language),
            page.say("bench_head_peer"): bench_words.peer(one.peer, page.language),
            page.say("bench_head_result"): bench_words.result(one, page.language),
            page.say("bench_head_rates"): bench_words.rates(one, page.language),
        }
        for one in compared
    ]


@view
def bench_equal(page: Page) -> str:
    """The comparisons in which both sides multiply in the same number format."""
    return page.table(_rows(page, _equal(page)), page.say("bench_table_equal"))


@view
def bench_as_they_come(page: Page) -> str:
    """The comparisons in which each side multiplies in the number format that it takes by itself."""
    compared, gpu = _as_they_come(page), page.measured.gpu
    if not compared:
        return html.paragraph(page.say("bench_no_mixed_gpu" if gpu else "bench_no_mixed"))
    default = html.paragraph(page.say("bench_by_default_gpu" if gpu else "bench_by_default"))
    formats = {"here": compared[0].precision_here.value, "there": compared[0].precision_there.value}
    gain = bench_words.precision_gain(page.measured, page.language)
    told = default + (html.paragraph(gain) if gain else "")
    return told + page.table(_rows(page, compared), page.say("bench_table_mixed", **formats))


@drawing
def bench_ratios(page: Page) -> tuple[Figure, str]:
    """The ratios of every pair of runs, in equal precision."""
    return bench_figures.ratios(_equal(page), page.language)


@drawing
def bench_mixed_ratios(page: Page) -> tuple[Figure, str]:
    """The ratios of every pair of runs, as each program comes."""
    return bench_figures.ratios(_as_they_come(page), page.language)


@view
def bench_limits(page: Page) -> str:
    """What limits generating; on a GPU training too."""
    told = "".join(html.paragraph(told) for told in bench_words.limits(page.measured, page.language))
    rows = [
        {
            page.say("bench_head_program"): _program(page, step.peer),
            page.say("bench_head_format"): step.precision.value,
            page.say("bench_head_milliseconds"): _milliseconds(step.milliseconds),
            page.say("bench_head_share"): None if step.share is None else f"{step.share:.0f}",
        }
        for step in (bench_words.steps(page.measured) if page.measured.gpu else [])
    ]
    if not rows:
        return told
    method = html.paragraph(bench_words.steps_method(page.measured, page.language))
    return told + method + page.table(rows, page.say("bench_table_steps"))


def _program(page: Page, peer: BenchPeer | None) -> str:
    return page.say("bench_here") if peer is None else bench_words.peer(peer, page.language)


def _milliseconds(samples: list[float]) -> str:
    return f"{statistics.median(samples):.1f} ({min(samples):.1f}{DASH}{max(samples):.1f})"


@drawing
def bench_growth(page: Page) -> tuple[Figure, str]:
    """How the cost of a call grows."""
    return bench_figures.growth(page.measured.growth, page.language)


@view
def bench_costs(page: Page) -> str:
    """The fitted cost model."""
    cost = page.measured.cost
    found = (
        (page.say("bench_cost_fixed"), cost.fixed_seconds, "s"),
        (page.say("bench_cost_weights"), cost.weights_gb_per_s, "GB/s"),
        (page.say("bench_cost_weights_batch"), cost.weights_batch_gb_per_s, "GB/s"),
        (page.say("bench_cost_arithmetic"), cost.arithmetic_gflop_per_s, "GFLOP/s"),
        (page.say("bench_cost_cache"), cost.cache_gb_per_s, "GB/s"),
    )
    rows = [
        {
            page.say("bench_head_cost"): name,
            page.say("bench_head_fitted"): page.say("bench_no_share") if value is None else f"{number(value)} {unit}",
        }
        for name, value, unit in found
    ]
    told = html.paragraph(bench_words.fit(page.measured, page.language))
    return told + html.folded(page.say("bench_fold_costs"), page.table(rows, page.say("bench_table_costs")))


@view
def bench_gpus(page: Page) -> str:
    """The estimates for GPUs: the preset of the post, the others folded, and how they are computed."""
    measured: Bench = page.measured
    tables = {
        preset: page.table(_estimates(page, preset), page.say("bench_table_gpus", preset=preset))
        for preset in dict.fromkeys(one.preset for one in measured.gpu_estimates)
    }
    first = tables.pop(FIRST_PRESET)
    method = html.paragraph(bench_words.gpu_method(measured, page.language))
    return (
        first
        + html.folded(page.say("bench_fold_presets"), "".join(tables.values()))
        + html.folded(page.say("bench_fold_method"), method)
    )


def _estimates(page: Page, preset: str) -> list[dict]:
    return [
        {
            page.say("bench_head_gpu"): one.gpu,
            page.say("bench_head_call"): _range(one.call_expected_low_s, one.call_expected_high_s),
            page.say("bench_head_step"): _range(one.step_expected_low_s, one.step_expected_high_s),
            page.say("bench_head_generating"): f"{one.generating_gib:.1f}",
            page.say("bench_head_training"): f"{one.fine_tuning_gib:.1f}",
            page.say("bench_head_fits"): _fits(page, one),
        }
        for one in page.measured.gpu_estimates
        if one.preset == preset
    ]


def _range(low: float, high: float) -> str:
    return f"{number(low, 2)}{DASH}{number(high, 2)}"


def _fits(page: Page, estimate: GpuEstimate) -> str:
    """What fits into the GPU's memory."""
    if estimate.fine_tuning_fits:
        return page.say("bench_fits_both")
    if estimate.texts_at_a_time:
        return page.say("bench_fits_parts", texts=estimate.texts_at_a_time)
    return page.say("bench_fits_generating" if estimate.generating_fits else "bench_fits_nothing")


@view
def bench_machine(page: Page) -> str:
    """The machine and the versions that everything was measured with."""
    told = html.paragraph(page.say("bench_method_gpu" if page.measured.gpu else "bench_method")) + _left_out(page)
    rows = [
        {page.say("bench_head_fact"): name, page.say("bench_head_value"): value}
        for name, value in page.measured.machine.items()
    ]
    return told + html.folded(page.say("bench_fold_machine"), page.table(rows, page.say("bench_table_machine")))


def _left_out(page: Page) -> str:
    """The sides that were not measured, with their reasons; `""` if all were."""
    if page.measured.gpu is None or not page.measured.gpu.left_out:
        return ""
    rows = [
        {
            page.say("bench_head_program"): _program(page, one.peer),
            page.say("bench_head_work"): page.say(f"bench_work_{one.work.name.lower()}"),
            page.say("bench_head_format"): one.precision.value,
            page.say("bench_head_reason"): html.Code(one.reason),
        }
        for one in page.measured.gpu.left_out
    ]
    return html.paragraph(page.say("bench_left_out")) + page.table(rows, page.say("bench_table_left_out"))


@view
def bench_targets(page: Page) -> str:
    """The ratios that this project set itself, and which it reached."""
    judged = [one for one in page.measured.comparisons if one.target is not None]
    if not judged:
        return html.paragraph(page.say("bench_no_targets"))
    met = [one for one in judged if statistics.median(one.ratios) >= one.target]
    every = [one for one in judged if min(one.ratios) >= one.target]
    rows = [
        {
            page.say("bench_head_work"): bench_words.work(one, page.language),
            page.say("bench_head_peer"): bench_words.peer(one.peer, page.language),
            page.say("bench_head_target"): f"{one.target:g}",
            page.say("bench_head_reached"): bench_words.median(one),
            page.say("bench_head_met"): bench_words.target_result(one, page.language),
        }
        for one in judged
    ]
    counts = {"n": len(judged), "met": len(met), "every": len(every)}
    counts["unequal"] = sum(not one.equal_precision for one in judged)
    told = html.paragraph(page.say("bench_targets_told", **counts))
    return html.folded(page.say("bench_fold_targets"), told + page.table(rows, page.say("bench_table_targets")))
