"""A small GPT-2 with a token for every character, trained from nothing, and what it is compared with."""

import json
import re
import time

import numpy as np
import pandas as pd

from lib.core import paths
from lib.core.errors import UserError
from lib.evaluation import continuations, metrics, timing
from lib.models import convert_smollm2, generation
from lib.report import recorder, wording

END = "<|endoftext|>"
SENTENCE_END = "。？！"
NOTEBOOK = "04_tang_poetry"
NEEDED = ("corpora", "training", "likelihood", "form", "timing")  # of the other notebook's metrics
OWN, OTHER, NEITHER = "from scratch", "fine-tuned", "no difference within the intervals"
SHARES = ("well_formed", "regular_lines", "han", "rhyme", "alternating")  # of the form of poems; more is better


def make(texts: list[str], sequence_length: int, num_layers: int, num_heads: int, hidden_dim: int):
    """Makes a GPT-2 with random weights whose tokenizer has a token for every character of some texts.

    It is KerasHub's own in every part, so that it is saved as a preset and loaded as any other. Nothing is dropped in
    training, since a short training sees hardly a text twice.

    Args:
        texts: The texts whose characters become tokens.
        sequence_length: The most tokens of a text, start token included; training texts are cut or padded to it.
        num_layers: Transformer layers.
        num_heads: Attention heads in each.
        hidden_dim: The width of the hidden states, a multiple of `num_heads`. Feed-forward layers are four times as
            wide.

    Returns:
        A `keras_nlp.models.GPT2CausalLM` with its preprocessor, its `generate` sped up (`decoding.speed_up`). What is
        random is drawn from Keras' global seed.

    Raises:
        UserError: If `hidden_dim` cannot be divided among the heads.
    """
    import keras_nlp

    from lib.models import decoding

    if hidden_dim % num_heads:
        raise UserError(
            f"hidden_dim is {hidden_dim} and num_heads {num_heads}; the first must be a multiple of the second, such "
            f"as {num_heads * max(1, round(hidden_dim / num_heads))}."
        )
    tokens, merges = vocabulary(texts)
    backbone = keras_nlp.models.GPT2Backbone(
        vocabulary_size=len(tokens),
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=4 * hidden_dim,
        max_sequence_length=sequence_length,
        dropout=0.0,
    )
    tokenizer = keras_nlp.models.GPT2Tokenizer(
        vocabulary={token: index for index, token in enumerate(tokens)}, merges=merges
    )
    preprocessor = keras_nlp.models.GPT2CausalLMPreprocessor(tokenizer, sequence_length=sequence_length)
    return decoding.speed_up(keras_nlp.models.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor))


def vocabulary(texts: list[str]) -> tuple[list[str], list[str]]:
    """A byte-level BPE vocabulary with a token for every character of some texts.

    The bytes of a character are merged from the left; characters whose first bytes are the same share those merges. In
    UTF-8 a byte that begins a character never stands inside one, so no merge joins parts of two characters, and their
    order does not matter. Single bytes are tokens too: whatever else is written is spelled with them.

    Args:
        texts: The texts.

    Returns:
        The tokens in the order of their ids, GPT-2's end token last, and the merges as `GPT2Tokenizer` takes them.
    """
    symbols = convert_smollm2.byte_characters()
    merges = {}  # a dict, not a set, which has another order in every process
    for character in sorted(set().union(*texts)):
        spelled = [symbols[byte] for byte in character.encode()]
        for end in range(1, len(spelled)):
            merges["".join(spelled[:end]), spelled[end]] = None
    return [*symbols, *("".join(pair) for pair in merges), END], [" ".join(pair) for pair in merges]


def beginnings(texts: list[str], most: int) -> list[str]:
    """Cuts each text after the last of its sentences that fits, so that a model does not learn to stop within one.

    Args:
        texts: The texts.
        most: Characters that may be left.

    Returns:
        The texts; one whose first sentence is longer than that is cut within it.
    """
    cut = []
    for text in texts:
        end = max(text.rfind(mark, 0, most) for mark in SENTENCE_END) + 1
        cut.append(text if len(text) <= most else text[: end or most])
    return cut


def steps_within(seconds: float, probe_seconds: list[float]) -> int:
    """How many training steps fit into a time, judged by some that were made to find out.

    Args:
        seconds: The time for all, the steps of the probe and two times compiling included.
        probe_seconds: The seconds of the steps of the probe. The first one compiled, as the first of the run will.

    Returns:
        The steps, at least 2.
    """
    first, *later = probe_seconds
    step = float(np.mean(later[len(later) // 3 :] or [first]))  # the first ones may still warm up
    return max(2, 1 + int((seconds - sum(probe_seconds) - first) / step))


def stop_after(seconds: float, trainee):
    """Ends a training with the step in which its time is up, should the machine have got slower than the probe said.

    Args:
        seconds: The time, from the beginning of `fit`.
        trainee: What is trained.

    Returns:
        A Keras callback.
    """
    import keras

    ends = []

    def check(batch, logs):
        trainee.stop_training = time.perf_counter() > ends[-1]

    def begin(logs):
        ends.append(time.perf_counter() + seconds)

    return keras.callbacks.LambdaCallback(on_train_begin=begin, on_train_batch_end=check)


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
