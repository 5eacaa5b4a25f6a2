"""The fine-tuned model of 04 as the model from scratch of 05 is compared with it."""

from lib.core import paths, records
from lib.core.errors import UserError
from lib.core.records import FineTunedModel, Results
from lib.models import generation

NOTEBOOK = "04_tang_poetry"


def load(folder: str) -> Results:
    """Reads what the fine-tuning on poems left.

    Args:
        folder: Its folder, such as `"outputs/cpu/04_tang_poetry"`.

    Raises:
        UserError: If it is not there, or is not of this version of the notebook.
    """
    place = paths.resolve(folder)
    try:
        results = records.load(place / "results.json")
    except FileNotFoundError:
        raise UserError(
            f"compare_with is {folder!r}, but there is no results.json: this notebook is compared with the "
            f"fine-tuning on poems. Run `make report NOTEBOOK={NOTEBOOK} PROFILE={place.parent.name}` first."
        ) from None
    if results.notebook != NOTEBOOK:
        raise UserError(
            f"compare_with is {folder!r}, whose results are those of {results.notebook}. Name a folder of {NOTEBOOK}."
        )
    return results


def of(theirs: Results) -> FineTunedModel:
    """Takes from the results of 04 what the model from scratch is compared with."""
    measured = theirs.measured
    return FineTunedModel(
        machine=theirs.machine,
        parameters=theirs.models[0].parameters,
        training=measured.training,
        likelihood=measured.likelihood,
        form=measured.form.after,
        tang_poets=measured.form.tang_poets,
        shuffled=measured.form.shuffled,
        timing=measured.timing.model_copy(update={"label": "fine-tuned"}),
        samples=[sample for sample in measured.samples if sample.label == "after fine-tuning"],
    )


def check_same_poems(theirs: Results, corpus, poems_source: str) -> None:
    """Makes sure that both models are judged by the same poems.

    Args:
        theirs: What `load` returned.
        corpus: The poems, loaded as 04 loaded them.
        poems_source: Where they came from.

    Raises:
        UserError: If they are others.
    """
    found = theirs.corpora[0].sha256
    if found != corpus.sha256:
        raise UserError(
            f"poems_source is {poems_source!r}, whose poems (SHA-256 {corpus.sha256[:12]}…) are not those that the "
            f"fine-tuned model was judged by ({found[:12]}…, from {theirs.parameters['poems_source']!r}). Set "
            f"poems_source to that, or run `make report NOTEBOOK={NOTEBOOK}` anew."
        )


def timed_length(causal_lm, prompt: str, sequence_length: int, theirs: FineTunedModel) -> int:
    """The length of a poem that is timed, in tokens, so that it has as many characters as the poems judged.

    Args:
        causal_lm: The model from scratch.
        prompt: The prompt that is timed.
        sequence_length: The most tokens of a text, start token included.
        theirs: What `of` returned.

    Raises:
        UserError: If `sequence_length` is too short for that, or for the poems that both are judged by.
    """
    characters = theirs.likelihood.after.cut_to
    length = generation.prompt_length(causal_lm, prompt, sequence_length) + max(2, characters - len(prompt))
    needed = max(length, characters + 1)
    if sequence_length < needed:
        raise UserError(
            f"sequence_length is {sequence_length}; poems are judged and timed by their first {characters} characters, "
            f"for which it must be at least {needed}."
        )
    return length
