"""Compare groups of poems over training runs.

A difference between models is told over training runs wherever there are several, since another order of the training
poems gives another model: a mean over the runs with Student's or Welch's interval. From a single run, or if all runs
come to the same figure, the interval is that within the first run: over its poems.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from lib.core.records import (
    Estimate,
    FineTunedModel,
    FromScratch,
    HeldOutLoss,
    Likelihood,
    PoemForm,
    PoemForms,
    PoemRun,
    PoemScale,
    TangPoetry,
)
from lib.evaluation import few_values, parallelism, poem_form, prosody, statistics

if TYPE_CHECKING:  # it imports Keras, which reports do without
    from lib.training.fitting import StepLog

DIFFERENCES = ("well_formed", "regular_lines", "han", "rhyme", "alternating", *parallelism.SHARES)
BY_CHANCE = ("rhyme", "alternating", *parallelism.SHARES)  # shares that have a figure by chance


@dataclass
class Trained:
    """A finished training run.

    Attributes:
        seed: Its seed.
        log: Its steps.
        batches: The `tf.data.Dataset` that it was trained on.
        likelihood: That of the held-out poems after it.
        poems: What the model wrote after it: rows of `generation.generate_samples`.
        losses: What `evaluate` says after it, where it was asked.
    """

    seed: int
    log: "StepLog"
    batches: object
    likelihood: Likelihood
    poems: pd.DataFrame
    losses: HeldOutLoss | None = None


def compared_prompt(prompts: list[str]) -> str:
    """Return the prompt whose poems are compared: the first one in traditional characters, if that was asked too."""
    converted = prosody.traditional(prompts[0])
    return converted if converted in prompts else prompts[0]


def numbered(groups: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the poems of several runs into one table, with the number of their `run`, from 1."""
    return pd.concat([poems.assign(run=run) for run, poems in enumerate(groups, 1)], ignore_index=True)


def scale(
    held_out: list[str],
    set_aside: list[str],
    known: list[str],
    given: int,
    couplets: parallelism.Parallelism,
    seed: int,
) -> PoemScale:
    """Measure what the poems are held against.

    Args:
        held_out: Held-out poems of the form asked for.
        set_aside: Held-out poems of all forms.
        known: Poems that others may have copied from.
        given: The number of characters that are taken as given, see `poem_form.judge`.
        couplets: What tells how alike the lines of a couplet are.
        seed: Seed of what is put together at random.
    """
    middle, outer = parallelism.regulated(set_aside)
    found = [parallelism.summary(groups, couplets) for groups in (middle, outer, parallelism.at_random(middle, seed))]
    return PoemScale(
        tang_poets=poem_form.summary(poem_form.judge(held_out, known, given, couplets)),
        shuffled=poem_form.summary(poem_form.judge(poem_form.shuffled(held_out, seed), known, given)),
        regulated_middle=found[0],
        regulated_outer=found[1],
        random_couplets=found[2],
        middle_minus_outer={
            share: statistics.difference_of_estimates(found[0].shares[share], found[1].shares[share])
            for share in parallelism.SHARES
        },
    )


def over_runs(runs: list[PoemForm]) -> dict[str, Estimate]:
    """Return the mean of each share over the runs, with Student's interval over them, cut at 0 and 100 percent.

    There is no interval where all runs come to the same figure: that so few agree does not say that others would.
    """
    found = {share: _within(few_values.over_runs(_values(runs, share)), 0.0) for share in poem_form.SHARES}
    return {share: one if _has_width(one) else Estimate(value=one.value) for share, one in found.items()}


def difference(first: list[PoemForm], second: list[PoemForm], paired: bool = False) -> dict[str, Estimate]:
    """Subtract the shares of one group of runs from those of another, in percentage points.

    Args:
        first: A form for each run.
        second: The same of the other group.
        paired: Whether the runs of the two belong together, one to one: the same seeds.

    Returns:
        For each of `DIFFERENCES`, the mean difference with its interval: Student's over the pairs, or Welch's. From a
        single run, or if no run differs from another, `statistics.difference_of_estimates` within the first run.
    """
    told = {}
    for share in DIFFERENCES:
        values, others = _values(first, share), _values(second, share)
        if paired:
            pairs = [pair for pair in zip(values, others, strict=True) if None not in pair]
            found = few_values.over_runs([one - other for one, other in pairs])
        else:
            found = few_values.difference_over_runs(values, others)
        if not _has_width(found):
            found = statistics.difference_of_estimates(_one_run(first, share), _one_run(second, share))
        told[share] = _within(found, -100.0)
    return told


def beside(runs: list[PoemForm], fixed: dict[str, Estimate]) -> dict[str, Estimate]:
    """Subtract figures that do not depend on a training, such as those by chance, from the mean over the runs.

    The interval is `statistics.difference_of_estimates`: over the runs on the one side, over poems on the other.

    Args:
        runs: A form for each run.
        fixed: Estimates by share.
    """
    found = over_runs(runs)
    return {
        share: _within(
            statistics.difference_of_estimates(
                found[share] if _has_width(found[share]) else _one_run(runs, share), estimate
            ),
            -100.0,
        )
        for share, estimate in fixed.items()
    }


def _values(runs: list[PoemForm], share: str) -> list[float | None]:
    return [run.shares[share].value for run in runs]


def _one_run(runs: list[PoemForm], share: str) -> Estimate:
    """The share of the first run that has one."""
    return next((run.shares[share] for run in runs if run.shares[share].value is not None), Estimate(value=None))


def _has_width(estimate: Estimate) -> bool:
    return estimate.has_interval and estimate.low < estimate.high


def _within(estimate: Estimate, least: float) -> Estimate:
    """Cut an interval at what is possible."""
    if not estimate.has_interval:
        return estimate
    return Estimate(value=estimate.value, low=max(least, estimate.low), high=min(100.0, estimate.high))


def _minus(estimates: dict[str, Estimate]) -> dict[str, Estimate]:
    return {
        share: Estimate(
            value=None if one.value is None else -one.value,
            low=None if one.high is None else -one.high,
            high=None if one.low is None else -one.low,
        )
        for share, one in estimates.items()
    }


def _runs(trained: list[Trained], known: list[str], couplets, before: list[pd.DataFrame] = ()) -> list[PoemRun]:
    """Judge the poems of each run, and record it."""

    def forms(poems: pd.DataFrame) -> dict[str, PoemForm]:
        return poem_form.summaries(poem_form.by_prompt(poems, known, couplets))

    return [
        PoemRun(
            run=number,
            seed=one.seed,
            steps=len(one.log.rows),
            seconds=one.log.total_seconds(),
            likelihood=one.likelihood,
            form_by_prompt=forms(one.poems),
            before_by_prompt=forms(before[number - 1]) if len(before) else {},
        )
        for number, one in enumerate(trained, 1)
    ]


def record_fine_tuning(
    measured: TangPoetry,
    before: list[pd.DataFrame],
    trained: list[Trained],
    known: list[str],
    found: PoemScale,
    couplets: parallelism.Parallelism,
) -> None:
    """Record the runs of the fine-tuning on poems, and what is compared over them.

    Args:
        measured: The notebook's records.
        before: For each run, what the model wrote before fine-tuning, sampled with the run's seed.
        trained: The runs; the first is the one that is compared with the post.
        known: Poems that others may have copied from.
        found: The result of `scale`.
        couplets: What tells how alike the lines of a couplet are.
    """
    measured.first_poem = poem_form.annotated(trained[0].poems["text"].iloc[0])
    for name, value in of_fine_tuning(_runs(trained, known, couplets, before), found).items():
        setattr(measured, name, value)


def of_fine_tuning(runs: list[PoemRun], found: PoemScale) -> dict:
    """Compare the runs of the fine-tuning with the model before it, with chance, and with Tang poets.

    Returns:
        Values for the fields of `TangPoetry` that the runs decide.
    """
    prompts = list(runs[0].form_by_prompt)
    prompt = compared_prompt(prompts)
    after = {one: [run.form_by_prompt[one] for run in runs] for one in prompts}
    before = {one: [run.before_by_prompt[one] for run in runs] for one in prompts}
    by_chance = {share: found.chance(share) for share in BY_CHANCE}
    tang = {share: found.tang_poets.shares[share] for share in DIFFERENCES}
    return {
        "runs": runs,
        "form": PoemForms(
            **dict(found),
            prompt=prompt,
            before=before[prompt][0],
            after=after[prompt][0],
            before_by_prompt=runs[0].before_by_prompt,
            after_by_prompt=runs[0].form_by_prompt,
        ),
        "bits_over_runs": few_values.over_runs([run.likelihood.bits_per_character for run in runs]),
        "before_over_runs": {one: over_runs(before[one]) for one in prompts},
        "after_over_runs": {one: over_runs(after[one]) for one in prompts},
        "after_minus_before": {one: difference(after[one], before[one], paired=True) for one in prompts},
        "after_minus_chance": {one: beside(after[one], by_chance) for one in prompts},
        "tang_minus_after": {one: _minus(beside(after[one], tang)) for one in prompts},
        "ceiling_minus_after": {one: _minus(beside(after[one], found.regulated_middle.shares)) for one in prompts},
    }


def record_scratch(
    measured: FromScratch, trained: list[Trained], known: list[str], couplets: parallelism.Parallelism
) -> None:
    """Record the runs of the training from scratch, and their differences from the fine-tuned model's.

    Args:
        measured: The notebook's records, with `fine_tuned` and `asked`.
        trained: The runs; the first is the one that is saved and timed.
        known: Poems that others may have copied from.
        couplets: That of the fine-tuning.
    """
    measured.first_poem = poem_form.annotated(trained[0].poems["text"].iloc[0])
    runs = _runs(trained, known, couplets)
    for name, value in of_scratch(runs, measured.fine_tuned, measured.asked).items():
        setattr(measured, name, value)


def of_scratch(runs: list[PoemRun], theirs: FineTunedModel, asked: dict[str, str]) -> dict:
    """Compare the runs of the training from scratch with those of the fine-tuning, and with chance.

    Args:
        runs: The runs from scratch.
        theirs: The fine-tuned model.
        asked: By each prompt of the fine-tuning, what is asked here.

    Returns:
        Values for the fields of `FromScratch` that the runs decide.
    """
    prompt = asked[theirs.prompt]
    own = [run.form_by_prompt[prompt] for run in runs]
    bits = [[run.likelihood.bits_per_character for run in group] for group in (runs, theirs.runs)]
    return {
        "runs": runs,
        "prompt": prompt,
        "form": own[0],
        "form_by_prompt": runs[0].form_by_prompt,
        "form_over_runs": {one: over_runs([run.form_by_prompt[one] for run in runs]) for one in runs[0].form_by_prompt},
        "minus_fine_tuned": difference(own, [run.form_by_prompt[theirs.prompt] for run in theirs.runs]),
        "minus_chance": beside(own, {share: theirs.scale.chance(share) for share in BY_CHANCE}),
        "likelihood": runs[0].likelihood,
        "bits_over_runs": few_values.over_runs(bits[0]),
        "bits_per_character_difference": statistics.mean_difference(_mean_by_text(runs), _mean_by_text(theirs.runs)),
        "bits_per_character_difference_over_runs": few_values.difference_over_runs(*bits),
    }


def _mean_by_text(runs: list[PoemRun]) -> list[float | None]:
    """The mean over the runs of each text's bits per character; None where a run has none."""
    return [
        None if None in bits else sum(bits) / len(bits)
        for bits in zip(*(run.likelihood.by_text for run in runs), strict=True)
    ]
