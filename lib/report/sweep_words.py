"""Say what a sweep found. No sentence is made elsewhere than in `sentences/`."""

from lib.core.records import Estimate, Json, Sweep, SweepDifference, SweepRun
from lib.evaluation import few_values
from lib.report import wording, words
from lib.report.numbers import number, parameter, with_interval
from lib.report.wording import say


def figure_name(measured: Sweep, index: int, language: str = "en") -> str:
    """What a figure is called."""
    return measured.sweep_figures[index].name[language]


def unit_of(measured: Sweep, index: int, language: str = "en") -> str:
    """The unit of a figure; `""` if it has none."""
    return wording.label(measured.sweep_figures[index].unit, language)


def title(measured: Sweep, index: int, language: str = "en") -> str:
    """A figure's name with its unit."""
    name, unit = figure_name(measured, index, language), unit_of(measured, index, language)
    return say("sweep_title", language, figure=name, unit=unit) if unit else name


def quantity(measured: Sweep, index: int, value: float | None, language: str = "en") -> str:
    """A standard deviation of a figure with its unit; a dash where there is none."""
    unit = unit_of(measured, index, language)
    unit = say("sweep_points", language) if unit == "%" else unit  # it is a standard deviation
    told = words.number_or_dash(value, 2)
    return say("sweep_quantity", language, value=told, unit=unit) if unit else told


def interval(measured: Sweep, index: int, value: Estimate, language: str = "en", is_difference: bool = False) -> str:
    """A figure, or a difference of two, with its interval and its unit."""
    unit = unit_of(measured, index, language)
    if is_difference and unit == "%":
        unit = say("sweep_points", language)
    told = with_interval(value, language)
    return say("sweep_quantity", language, value=told, unit=unit) if unit else told


def setting(point: dict[str, Json], language: str = "en") -> str:
    """The values of a setting, such as `"learning_rate 0.0005"`."""
    parts = [say("sweep_parameter", language, name=name, value=parameter(value)) for name, value in point.items()]
    return say("comma", language).join(parts) if parts else say("sweep_only_setting", language)


def status(measured: Sweep, language: str = "en") -> str:
    """How many runs there are, and how many of them are missing."""
    done, failed = (sum(bool(text) for text in texts) for texts in _states(measured.runs))
    values = {"runs": len(measured.runs), "done": done, "failed": failed, "left": len(measured.runs) - done - failed}
    told = [say("sweep_all_done" if measured.is_done else "sweep_some_done", language, **values)]
    told.append(say(f"sweep_at_once_{min(measured.at_once, 2)}", language, count=measured.at_once))
    return say("sentence_space", language).join(told)


def machines(measured: Sweep, language: str = "en") -> str:
    """The machines that the runs ran on."""
    told = []
    for one in measured.machines:
        parts = [say("machine_cores", language, processor=one.processor, cores=one.cores)]
        parts += [one.device] if one.device not in ("", "CPU") else []
        told.append(say("comma", language).join(parts))
    return words.enumerated(told, language)


def _states(runs: list[SweepRun]) -> tuple[list[str], list[str]]:
    return [run.report for run in runs], ["" if run.report else run.failed for run in runs]


def answer(measured: Sweep, language: str = "en") -> str:
    """What the sweep found on its first figure."""
    told = [found(measured, 0, language)] + ([] if measured.is_done else [status(measured, language)])
    return say("sentence_space", language).join(told)


def found(measured: Sweep, index: int, language: str = "en") -> str:
    """What the sweep found on a figure: what the seeds do, and whether the best setting can be told from others."""
    told = [luck(measured, index, language), verdict(measured, index, language)]
    return say("sentence_space", language).join(sentence for sentence in told if sentence)


def luck(measured: Sweep, index: int, language: str = "en") -> str:
    """How much runs differ that differ in the seed alone, and whether the choice of texts within a run explains it."""
    between, within = measured.spreads[index].between_seeds, measured.spreads[index].within_run
    values = {"figure": words.capital(figure_name(measured, index, language))}
    if between.value is None:
        return say("sweep_luck_unknown", language, **values)
    values["seeds"] = interval(measured, index, between, language, is_difference=True)
    values["range"] = _range(measured, index, language)
    if within is None:
        return say("sweep_luck_alone", language, **values)
    values["within"] = quantity(measured, index, within, language)
    if between.low <= within:
        return say("sweep_luck_open", language, **values)
    clear = [setting(point, language) for point, spread in _spreads(measured, index) if spread.low > within]
    if clear:
        where = say("sweep_luck_clear", language, settings=words.listed(clear, language))
    else:
        where = say("sweep_luck_somewhere", language)
    return say("sweep_luck_more", language, **values, where=where)


def _spreads(measured: Sweep, index: int) -> list[tuple[dict[str, Json], Estimate]]:
    """The settings with two values of a figure or more, and the standard deviation of the values, with its interval."""
    found = []
    for one, spread in zip(measured.settings, measured.spreads[index].by_setting, strict=True):
        if spread is not None:
            freedom = sum(_has_value(run, one.point, index) for run in measured.runs) - 1
            found.append((one.point, few_values.deviation(freedom * spread**2, freedom)))
    return found


def _has_value(run: SweepRun, point: dict[str, Json], index: int) -> bool:
    """Whether a run has a setting, and a value of a figure."""
    return point.items() <= run.point.items() and bool(run.values) and run.values[index].value is not None


def _range(measured: Sweep, index: int, language: str) -> str:
    """In which settings the seeds make the least and the most difference; `""` if only one tells."""
    known = sorted(_spreads(measured, index), key=lambda one: one[1].value)
    if len(known) < 2:
        return ""
    (least, lowest), *_, (greatest, highest) = known
    return say(
        "sweep_by_setting",
        language,
        lowest=words.number_or_dash(lowest.value, 2),
        least=setting(least, language),
        highest=words.number_or_dash(highest.value, 2),
        greatest=setting(greatest, language),
    )


def of_figure(measured: Sweep, index: int) -> list[SweepDifference]:
    """The differences of a figure, the runner-up first."""
    return [one for one in measured.differences if one.figure == index]


def verdict(measured: Sweep, index: int, language: str = "en") -> str:
    """Which setting has the best mean, and whether it can be told from the others; `""` if there is one setting."""
    others = of_figure(measured, index)
    if not others:
        return ""
    told_apart = [one for one in others if is_clear(measured, one)]
    values = {
        "figure": figure_name(measured, index, language),
        "best": setting(others[0].best, language),
        "next": setting(others[0].other, language),
        "difference": interval(measured, index, others[0].difference, language, is_difference=True),
        "count": len(others),
        "clear": len(told_apart),
    }
    if len(others) == 1:
        return say("sweep_other_clear" if told_apart else "sweep_other_not_clear", language, **values)
    name = "none" if not told_apart else "all" if len(told_apart) == len(others) else "some"
    return say(f"sweep_{name}_clear", language, **values)


def is_clear(measured: Sweep, one: SweepDifference) -> bool:
    """Whether the best setting is better than another one: the interval of their difference lies on its side of 0."""
    if not one.difference.has_interval:
        return False
    is_higher = measured.sweep_figures[one.figure].better == "higher"
    return one.difference.low > 0 if is_higher else one.difference.high < 0


def minutes(measured: Sweep) -> str:
    """The minutes of all runs together."""
    return number(sum(run.minutes or 0 for run in measured.runs))
