"""Say how fast this project is beside other programs. No sentence is made elsewhere than in `sentences/`."""

import statistics
from typing import NamedTuple

from lib.core.records import Bench, BenchPeer, BenchWork, Comparison, Precision, SpeedVerdict
from lib.report.numbers import DASH
from lib.report.wording import say

UNITS = {  # of the rates; by default predicted tokens
    BenchWork.GENERATE_ONE: "new",
    BenchWork.GENERATE_EIGHT: "new",
    BenchWork.SAMPLERS: "texts",
}
COUNTED_IN = {"en": (1e6, 0), "zh": (1e8, 2)}  # by language: the unit that large numbers are told in, the decimals
FINE = 0.3  # a range narrower than this is told with two decimals, a wider one with one
POSTS = (BenchPeer.KERASHUB, BenchPeer.KERASHUB_XLA)
HEADLINE = (*POSTS, BenchPeer.TRANSFORMERS, BenchPeer.TRANSFORMERS_PACKED)  # each program at its best
ON_GPU = (Precision.TF32, Precision.BFLOAT16)  # in the order in which they are told
BEST_ON_GPU = {  # transformers at its best: the first that was measured
    BenchWork.GENERATE_ONE: (BenchPeer.TRANSFORMERS_STATIC, BenchPeer.TRANSFORMERS),
    BenchWork.TRAIN_FULL: (BenchPeer.TRANSFORMERS_COMPILED, BenchPeer.TRANSFORMERS),
}


def pace(compared: Comparison) -> SpeedVerdict:
    """Whether this project is faster or slower in every round; undecided if the rounds differ."""
    if min(compared.ratios) > 1:
        return SpeedVerdict.FASTER
    return SpeedVerdict.SLOWER if max(compared.ratios) < 1 else SpeedVerdict.UNDECIDED


def result(compared: Comparison, language: str = "en") -> str:
    """The ratio with its direction and range, for a table that names the other side elsewhere."""
    values = _ratio(compared, language) | {"n": len(compared.ratios)}
    return say(f"bench_result_{pace(compared).name.lower()}", language, **values)


def against(compared: Comparison, language: str = "en") -> str:
    """The same for a sentence, with the name of the other side."""
    values = _ratio(compared, language) | {"peer": peer(compared.peer, language)}
    return say(f"bench_against_{pace(compared).name.lower()}", language, **values)


def median(compared: Comparison) -> str:
    """The median ratio; above 1 this project is faster."""
    return _written(compared.ratios)[0]


def _ratio(compared: Comparison, language: str) -> dict[str, str]:
    """The ratio and its range. Where this project is slower: how many times as long it takes."""
    ratios = compared.ratios
    if pace(compared) is SpeedVerdict.SLOWER:
        ratios = [1 / ratio for ratio in ratios]
    middle, low, high = _written(ratios)
    spread = say("bench_range", language, low=low, high=high) if len(ratios) > 1 else say("bench_once", language)
    return {"ratio": middle, "range": spread}


def _written(ratios: list[float]) -> tuple[str, str, str]:
    """The median, the lowest and the highest, with as many decimals as their range allows."""
    low, high = min(ratios), max(ratios)
    decimals = 2 if high - low < FINE else 1
    return tuple(f"{ratio:.{decimals}f}" for ratio in (statistics.median(ratios), low, high))


def peer(name: BenchPeer, language: str = "en") -> str:
    """The name of what this project is compared with."""
    return say(f"bench_peer_{BenchPeer(name).name.lower()}", language)


def work(compared: Comparison, language: str = "en") -> str:
    """The name of the work, and the number format if both sides use the same."""
    name = say(f"bench_work_{compared.work.name.lower()}", language)
    if not compared.equal_precision:
        return name
    return say("bench_work_in", language, work=name, precision=compared.precision_here.value)


def rates(compared: Comparison, language: str = "en") -> str:
    """The medians of both sides, with their unit."""
    here, there = (_rate(statistics.median(side)) for side in (compared.here, compared.there))
    unit = say(f"bench_unit_{UNITS.get(compared.work, 'predicted')}", language)
    return say("bench_rates", language, here=here, there=there, unit=unit)


def _rate(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2f}"


def programs(measured: Bench) -> list[Comparison]:
    """The comparisons with other programs, without the one with the memory's bandwidth."""
    return [one for one in measured.comparisons if one.peer is not BenchPeer.BANDWIDTH]


def answer(measured: Bench, language: str = "en") -> str:
    """How much faster or slower this project is: in equal precision, generating first, then as each program comes.

    On a GPU in equal precision only.
    """
    if measured.gpu:
        return _answer_on_gpu(measured, language)
    named = [one for one in programs(measured) if one.peer in HEADLINE]
    equal = [one for one in named if one.equal_precision]
    mixed = [one for one in named if not one.equal_precision and one.work is BenchWork.TRAIN_POEMS]
    told = []
    if generating := [one for one in equal if one.work is BenchWork.GENERATE_ONE]:
        told.append(say("bench_generating", language, results=_listed(_faster_post(generating), language)))
    for precision in Precision:
        training = [one for one in equal if one.work is BenchWork.TRAIN_POEMS and one.precision_here is precision]
        if training:
            results = _listed(training, language)
            told.append(say("bench_training", language, precision=precision.value, results=results))
    if mixed:
        here, there = mixed[0].precision_here.value, mixed[0].precision_there.value
        told.append(say("bench_mixed", language, here=here, there=there, results=_listed(mixed, language)))
    return say("sentence_space", language).join(told)


def _faster_post(compared: list[Comparison]) -> list[Comparison]:
    """Leave out the post's lines with XLA or those without, whichever are slower."""
    posts = sorted((one for one in compared if one.peer in POSTS), key=lambda one: statistics.median(one.ratios))
    return [one for one in compared if one not in posts[1:]]


def _answer_on_gpu(measured: Bench, language: str) -> str:
    told = []
    for kind, transformers in BEST_ON_GPU.items():
        for precision in ON_GPU:
            equal = {
                one.peer: one
                for one in measured.comparisons
                if one.work is kind and one.equal_precision and one.precision_here is precision
            }
            best = [name for name in transformers if name in equal][:1]
            named = [equal[name] for name in (*best, BenchPeer.KERASHUB, BenchPeer.KERASHUB_JAX) if name in equal][:2]
            if named:
                values = {"precision": precision.value, "results": _listed(named, language)}
                if kind is BenchWork.GENERATE_ONE:
                    told.append(say("bench_gpu_generating", language, gpu=measured.gpu.name, **values))
                else:
                    told.append(say("bench_gpu_training", language, **values))
    if told:
        told.insert(1, say("bench_gpu_medians", language))
    return say("sentence_space", language).join(told) or say("bench_gpu_nothing", language)


def _listed(compared: list[Comparison], language: str) -> str:
    return say("bench_and", language).join(against(one, language) for one in compared)


def conditions(measured: Bench, language: str = "en") -> list[tuple[str, str]]:
    """The machine and the versions, for the top of the page: names with their values."""
    machine = measured.machine
    known = ("jax", "keras-hub", "tensorflow", "peers")
    versions = {name.replace("-", "_"): machine.get(name, DASH) for name in known}
    card = {"gpu": measured.gpu.name, "driver": measured.gpu.driver} if measured.gpu else {}
    where = say(
        "bench_measured_on_gpu" if card else "bench_measured_on",
        language,
        **card,
        processor=machine.get("processor", DASH),
        date=machine.get("date", DASH),
        minutes=measured.measuring_minutes,
    )
    model = say("bench_model", language, count=_count(measured.weight_bytes / 4, language))
    return [
        (say("bench_head_machine", language), where),
        (say("bench_head_versions", language), say("bench_versions", language, **versions)),
        (say("bench_head_model", language), model),
    ]


def _count(number: float, language: str) -> str:
    """A large number as people say it."""
    unit, decimals = COUNTED_IN[language]
    return say("bench_count", language, number=f"{number / unit:.{decimals}f}")


def limits(measured: Bench, language: str = "en") -> list[str]:
    """What limits generating: paragraphs on the memory's bandwidth, on texts together, and on the costs of a call."""
    told, bandwidth = _limits_of_gpu(measured, language), _bandwidth(measured)
    if bandwidth and not measured.gpu:
        gigabytes = [rate * measured.weight_bytes / 1e9 for rate in bandwidth.there]
        shares = [100 * ratio for ratio in bandwidth.ratios]
        told.append(
            say(
                "bench_limit",
                language,
                count=_count(measured.weight_bytes / 4, language),
                size=measured.weight_bytes / 1e9,
                rate=statistics.median(gigabytes),
                slowest=min(gigabytes),
                fastest=max(gigabytes),
                most=statistics.median(bandwidth.there),
                here=statistics.median(bandwidth.here),
                share=statistics.median(shares),
                low=min(shares),
                high=max(shares),
                n=len(shares),
            )
        )
    one, eight = (_own_rate(measured, kind) for kind in (BenchWork.GENERATE_ONE, BenchWork.GENERATE_EIGHT))
    if one and eight:
        told.append(say("bench_eight", language, ratio=eight / one))
    if measured.longest_call is None:
        return told
    call = measured.longest_call
    shares = call.shares_percent
    bound = "memory" if shares["weights"] + shares["cache"] > 50 else "arithmetic"
    if bound == "memory" and bandwidth and bandwidth.target and statistics.median(bandwidth.ratios) < bandwidth.target:
        bound = "reading"
    told.append(
        say(
            "bench_call",
            language,
            new_tokens=call.new_tokens,
            seconds=measured.cost.fixed_seconds,
            conclusion=say(f"bench_bound_{bound}", language),
            **shares,
        )
    )
    return told


def _limits_of_gpu(measured: Bench, language: str) -> list[str]:
    """What the GPU did in the same run, and how much of it a generated token and a training step use."""
    told, gpu = [], measured.gpu
    if gpu is None or not (gpu.copy_gb_per_s and gpu.tf32_tflop_per_s and gpu.bfloat16_tflop_per_s):
        return [say("bench_gpu_no_limits", language)] if gpu else []
    rates = {
        name: statistics.median(getattr(gpu, name))
        for name in ("copy_gb_per_s", "tf32_tflop_per_s", "bfloat16_tflop_per_s")
    }
    told.append(say("bench_gpu_limits", language, **rates))
    for one in measured.comparisons:
        if one.peer is BenchPeer.BANDWIDTH:
            shares = [100 * ratio for ratio in one.ratios]
            told.append(
                say(
                    "bench_gpu_reading",
                    language,
                    precision=one.precision_here.value,
                    most=statistics.median(one.there),
                    share=statistics.median(shares),
                    low=min(shares),
                    high=max(shares),
                    n=len(shares),
                )
            )
    return told


class Step(NamedTuple):
    """The training steps of a program on a GPU.

    Attributes:
        peer: The program; None is this project.
        precision: The number format of its products.
        milliseconds: Of a step, by round.
        share: The percentage of the arithmetic measured in that format that a step reaches, in the median; None where
            that was not measured.
    """

    peer: BenchPeer | None
    precision: Precision
    milliseconds: list[float]
    share: float | None


def steps(measured: Bench) -> list[Step]:
    """The training steps of all programs on the GPU, the fastest first."""
    rates = {}
    for one in measured.comparisons:
        if one.work is BenchWork.TRAIN_FULL:
            rates[None, one.precision_here], rates[one.peer, one.precision_there] = one.here, one.there
    found = [_step(measured, *program, samples) for program, samples in rates.items()]
    return sorted(found, key=lambda step: statistics.median(step.milliseconds))


def _step(measured: Bench, name: BenchPeer | None, precision: Precision, rates: list[float]) -> Step:
    gpu = measured.gpu
    arithmetic = {Precision.TF32: gpu.tf32_tflop_per_s, Precision.BFLOAT16: gpu.bfloat16_tflop_per_s}.get(precision)
    share = None
    if arithmetic:
        reached = OPERATIONS * gpu.parameters * statistics.median(rates)  # a second
        share = 100 * reached / (1e12 * statistics.median(arithmetic))
    return Step(name, precision, [1000 * gpu.step_tokens / rate for rate in rates], share)


def steps_method(measured: Bench, language: str = "en") -> str:
    """How a step's share of the arithmetic is computed."""
    gpu = measured.gpu
    return say(
        "bench_gpu_steps",
        language,
        texts=gpu.step_texts,
        tokens=gpu.step_tokens,
        count=_count(gpu.parameters, language),
        operations=OPERATIONS * gpu.parameters * gpu.step_tokens / 1e12,
    )


def _bandwidth(measured: Bench) -> Comparison | None:
    found = [one for one in measured.comparisons if one.peer is BenchPeer.BANDWIDTH]
    return found[0] if found else None


def _own_rate(measured: Bench, kind: BenchWork) -> float | None:
    found = [one for one in measured.comparisons if one.work is kind]
    return statistics.median(found[0].here) if found else None


def fit(measured: Bench, language: str = "en") -> str:
    """What the cost model adds up, how well it fits, and how its rate compares with the measured bandwidth."""
    cost, bandwidth = measured.cost, _bandwidth(measured)
    errors = {"median": cost.median_error_percent, "most": cost.max_error_percent}
    told = [say("bench_fit", language, n=len(measured.growth), **errors)]
    if bandwidth and cost.weights_gb_per_s:
        read = statistics.median(bandwidth.there) * measured.weight_bytes / 1e9
        rates = {"fitted": cost.weights_gb_per_s, "read": read}
        if cost.weights_gb_per_s > read:
            told.append(say("bench_fit_above", language, **rates))
        else:
            told.append(say("bench_fit_below", language, share=100 * cost.weights_gb_per_s / read, **rates))
    return say("sentence_space", language).join(told)


def precision_gain(measured: Bench, language: str = "en") -> str:
    """How much faster each side trains with bfloat16; `""` where that was not measured."""
    packed = {
        one.precision_here: one
        for one in measured.comparisons
        if one.work is BenchWork.TRAIN_POEMS and one.peer is BenchPeer.TRANSFORMERS_PACKED and one.equal_precision
    }
    if not {Precision.BFLOAT16, Precision.FLOAT32} <= set(packed):
        return ""
    rounded, exact = packed[Precision.BFLOAT16], packed[Precision.FLOAT32]
    gains = {
        side: statistics.median(getattr(rounded, side)) / statistics.median(getattr(exact, side)) for side in SIDES
    }
    return say("bench_precision_gain", language, **gains)


SIDES = ("here", "there")
OPERATIONS = 6  # of a training step, for each parameter and token: 2 forward and 4 backward


def gpu_method(measured: Bench, language: str = "en") -> str:
    """How the estimates for GPUs are computed."""
    told = measured.gpu_assumptions
    return say(
        "bench_gpu_method",
        language,
        new_tokens=told.new_tokens,
        texts=told.trained_texts,
        tokens=told.trained_tokens,
        bandwidth_low=100 * told.bandwidth_reached[0],
        bandwidth_high=100 * told.bandwidth_reached[1],
        arithmetic_low=100 * told.arithmetic_reached[0],
        arithmetic_high=100 * told.arithmetic_reached[1],
        runtime=told.runtime_gib,
    )


def target_result(compared: Comparison, language: str = "en") -> str:
    """Whether a target is met."""
    if statistics.median(compared.ratios) < compared.target:
        return say("bench_missed", language)
    return say("bench_met" if min(compared.ratios) >= compared.target else "bench_met_in_the_median", language)
