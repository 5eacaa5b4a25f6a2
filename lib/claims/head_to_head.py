"""The small model from scratch beside the fine-tuned one."""

import json
import re

import numpy as np
import pandas as pd

from lib.core import paths
from lib.core.errors import UserError
from lib.evaluation import continuations, metrics, timing
from lib.models import generation
from lib.report import recorder, wording

END = "<|endoftext|>"
SENTENCE_END = "。？！"
NOTEBOOK = "04_tang_poetry"
NEEDED = ("corpora", "training", "likelihood", "form", "timing")  # of the other notebook's metrics
OWN, OTHER, NEITHER = "from scratch", "fine-tuned", "no difference within the intervals"
SHARES = ("well_formed", "regular_lines", "han", "rhyme", "alternating")  # of the form of poems; more is better


def opponent(folder: str) -> dict:
    """Reads what the fine-tuning on poems left.

    Args:
        folder: Its folder, such as `"outputs/cpu/04_tang_poetry"`.

    Returns:
        The content of its `results.json`.

    Raises:
        UserError: If it is not there, or is of an older version of the notebook.
    """
    place = paths.resolve(folder)
    command = f"make report NOTEBOOK={NOTEBOOK} PROFILE={place.parent.name}"
    file = place / "results.json"
    if not file.is_file():
        raise UserError(
            f"compare_with is {folder!r}, but there is no results.json: this notebook is compared with the "
            f"fine-tuning on poems. Run `{command}` first."
        )
    content = json.loads(file.read_text(encoding="utf-8"))
    missing = [name for name in NEEDED if name not in content["metrics"]]
    if missing or "after" not in content["metrics"]["likelihood"]:
        raise UserError(
            f"compare_with is {folder!r}, whose results.json lacks {', '.join(missing) or 'the likelihood'}: another "
            f"version of the notebook wrote it. Run `{command}` anew."
        )
    return content


def check_same_poems(theirs: dict, corpus, poems_source: str) -> None:
    """Makes sure that both models are judged by the same poems.

    Args:
        theirs: What `opponent` returned.
        corpus: The poems, loaded as the other notebook did.
        poems_source: Where they came from.

    Raises:
        UserError: If they are others.
    """
    found = theirs["metrics"]["corpora"][0]["sha256"]
    if found != corpus.sha256:
        raise UserError(
            f"poems_source is {poems_source!r}, whose poems (SHA-256 {corpus.sha256[:12]}…) are not those that the "
            f"fine-tuned model was judged by ({found[:12]}…, from {theirs['parameters']['poems_source']!r}). Set "
            f"poems_source to that, or run `make report NOTEBOOK={NOTEBOOK}` anew."
        )


def timed_length(causal_lm, prompt: str, sequence_length: int, theirs: dict) -> int:
    """How long a poem is timed, in tokens, so that it has as many characters as the fine-tuned model's were judged by.

    Args:
        causal_lm: The model from scratch.
        prompt: The prompt that is timed.
        sequence_length: The most tokens of a text, start token included.
        theirs: What `opponent` returned.

    Raises:
        UserError: If `sequence_length` is too short for that, or for the poems that both are judged by.
    """
    characters = theirs["metrics"]["likelihood"]["after"]["cut_to"]
    length = generation.prompt_length(causal_lm, prompt, sequence_length) + max(2, characters - len(prompt))
    needed = max(length, characters + 1)
    if sequence_length < needed:
        raise UserError(
            f"sequence_length is {sequence_length}; poems are judged and timed by their first {characters} characters, "
            f"for which it must be at least {needed}."
        )
    return length


def parameters_of(theirs: dict) -> int | None:
    """The number of parameters of the fine-tuned model, from the sentence that names it; None if that is not told."""
    told = [re.search(r"([\d,]+) parameters", source) for source in theirs["sources"] if source.startswith("Model")]
    return int(told[0][1].replace(",", "")) if told and told[0] else None


def compared(theirs: dict) -> dict:
    """What the model from scratch is compared with, in the figures that the other notebook wrote.

    Args:
        theirs: What `opponent` returned.

    Returns:
        `bits_per_character`, that of the model before fine-tuning in `bits_per_character_before`; `well_formed_percent`
        and `rhyme_percent` (None where there was nothing to judge); `seconds_per_poem` (the median of the warm calls);
        `training_seconds`; `parameters_count`.
    """
    told = theirs["metrics"]
    return {
        "bits_per_character": told["likelihood"]["after"]["bits_per_character"],
        "bits_per_character_before": told["likelihood"]["before"]["bits_per_character"],
        "well_formed_percent": told["form"]["after"]["well_formed_percent"],
        "rhyme_percent": told["form"]["after"]["rhyme_percent"],
        "seconds_per_poem": told["timing"][0]["warm"]["median"],
        "training_seconds": told["training"]["seconds"],
        "parameters_count": parameters_of(theirs),
    }


def machines(theirs: dict, facts: dict) -> str:
    """Says when and on what the other model was trained, and whether equal time means equal work here.

    Args:
        theirs: What `opponent` returned.
        facts: `provenance.collect()` of this run.
    """
    other = theirs["provenance"]
    told = f"The fine-tuned model was trained on {other['date']} on {other['processor']}, {other.get('device', 'CPU')}."
    if any(other.get(name) != facts.get(name) for name in ("processor", "device")):
        return f"{told} This is another machine, so equal time is not equal work: run {NOTEBOOK} here as well."
    return told


def with_nan(content: dict) -> dict:
    """Figures as they were before they were written as JSON, which has no nan."""
    return {name: float("nan") if value is None else value for name, value in content.items()}


def likelihood_table(held_out: dict[str, dict]) -> pd.DataFrame:
    """Bits per character as a table to be shown.

    Args:
        held_out: What `likelihood.held_out` returned, by model.
    """
    return pd.DataFrame(
        [
            {
                "model": model,
                "bits_per_character": told["bits_per_character"],
                "perplexity_per_token": told["perplexity"],
                "tokens": told["tokens"],
                "characters": told["characters"],
                "poems": told["texts"],
            }
            for model, told in held_out.items()
        ]
    )


def trainings_table(own: dict, theirs: dict) -> pd.DataFrame:
    """What the two trainings took, as a table to be shown.

    Args:
        own: The metrics of this notebook: `training`, `parameters_count`.
        theirs: What `opponent` returned.
    """
    rows = []
    for model, told in ((OWN, own), (OTHER, theirs["metrics"] | {"parameters_count": parameters_of(theirs)})):
        run = told["training"]
        rows.append(
            {
                "model": model,
                "parameters": told["parameters_count"],
                "seconds": run.get("total_seconds", run["seconds"]),
                "of_which_compiling_s": run["first_step_seconds"] + sum(run.get("probe_seconds", [])[:1]),
                "steps": run["steps"],
                "poems_per_step": run["batch_size"],
                "poems": run["steps"] * run["batch_size"],
                "step_ms": run["step_milliseconds"],
            }
        )
    return pd.DataFrame(rows)


def wins(own: dict, theirs: dict) -> dict[str, str]:
    """Which model is better, measure by measure.

    Bits per character: by the 95 % bootstrap interval of the mean over the poems of the difference on the same poem.
    The shares of the form: if their 95 % intervals do not overlap. Seconds per poem: `timing.compare`.

    Args:
        own: The `likelihood` (what `likelihood.held_out` returned), `form` (what `poetry.summary` returned) and
            `timing` (a row of `timing.measure`) of the model from scratch.
        theirs: Those of the fine-tuned model.

    Returns:
        `OWN`, `OTHER` or `NEITHER`, by measure: `bits_per_character`, `SHARES`, `seconds_per_poem`. A share that one of
        them lacks is left out.
    """
    low, high = difference(own["likelihood"], theirs["likelihood"])[1:]
    found = {"bits_per_character": _better(high < 0, low > 0)}
    own_form, their_form = with_nan(own["form"]), with_nan(theirs["form"])
    for share in SHARES:
        (low, high), (their_low, their_high) = (
            (form.get(f"{share}_low", np.nan), form.get(f"{share}_high", np.nan)) for form in (own_form, their_form)
        )
        if np.isfinite([low, high, their_low, their_high]).all():
            found[share] = _better(low > their_high, high < their_low)
    speed = timing.compare(theirs["timing"], own["timing"])
    return found | {"seconds_per_poem": _better(speed == "faster", speed == "slower")}


def difference(own: dict, theirs: dict) -> tuple[float, float, float]:
    """The mean over the poems of the difference in bits per character on the same poem, and its interval.

    Args:
        own, theirs: What `likelihood.held_out` returned of the same poems for each of the models.

    Returns:
        The mean, negative if the first model is better, and the ends of its 95 % bootstrap interval.
    """
    pairs = np.array([own["by_text"], theirs["by_text"]], float)  # None becomes nan
    differences = pairs[0] - pairs[1]
    differences = differences[np.isfinite(differences)]
    return float(np.mean(differences)), *metrics.interval(differences)


def difference_told(own: dict, theirs: dict) -> str:
    """Says in a sentence how the two differ in bits per character, from what `difference` is made of."""
    mean, low, high = difference(own, theirs)
    return (
        f"From scratch minus fine-tuned, on the same poem: {mean:+.2f} bits per character on average (95 % bootstrap "
        f"interval over the poems: {low:+.2f} to {high:+.2f})."
    )


def wins_table(wins: dict[str, str]) -> pd.DataFrame:
    """What `wins` returned, as a table to be shown."""
    return pd.DataFrame(
        [(wording.say(f"measure_{name}"), winner) for name, winner in wins.items()], columns=["measure", "better"]
    )


def verdict(wins: dict[str, str], language: str = "en") -> str:
    """Says in a sentence which model won which measures, from what `wins` returned."""
    parts = []
    for model, words in ((OWN, "better_own"), (OTHER, "better_other"), (NEITHER, "better_neither")):
        if names := [wording.say(f"measure_{name}", language) for name, winner in wins.items() if winner == model]:
            parts.append(wording.say(words, language, measures=wording.say("and", language).join(names)))
    sentence = wording.say("between", language).join(parts) + wording.say("full_stop", language)
    return f"{sentence[0].upper()}{sentence[1:]}"


def answer(found: dict) -> dict[str, str]:
    """What the notebook found, in sentences, by language.

    Args:
        found: Its metrics: `parameters_count`, `training` with `total_seconds`, `likelihood`, `form`, `timing`, `wins`,
            and `compared` (what the function of that name returned).
    """
    other, form = found["compared"], found["form"]
    return wording.both(
        "answer_05_from_scratch",
        millions=found["parameters_count"] / 1e6,
        own_seconds=found["training"]["total_seconds"],
        their_seconds=other["training_seconds"],
        own_bits=found["likelihood"]["bits_per_character"],
        their_bits=other["bits_per_character"],
        own_form=wording.each(continuations.percent, form["well_formed_percent"]),
        their_form=wording.each(continuations.percent, other["well_formed_percent"]),
        own_rhyme=wording.each(continuations.percent, form["rhyme_percent"]),
        their_rhyme=wording.each(continuations.percent, other["rhyme_percent"]),
        own_time=recorder.number(found["timing"][0]["warm"]["median"], 2),
        their_time=recorder.number(other["seconds_per_poem"], 2),
        verdict=wording.each(verdict, found["wins"]),
    )


def _better(own: bool, other: bool) -> str:
    return OWN if own else OTHER if other else NEITHER
