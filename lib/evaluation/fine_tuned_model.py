"""Read the results of 04's fine-tuned model, with which 05 compares its model from scratch."""

from lib.core import paths, records
from lib.core.errors import UserError
from lib.core.records import FineTunedModel, PoemScale, Results
from lib.evaluation import prosody
from lib.models import generation

NOTEBOOK = "04_tang_poetry"


def load(folder: str) -> Results:
    """Read the results of the fine-tuning on poems.

    Args:
        folder: The folder of the results, such as `"outputs/cpu/04_tang_poetry"`.

    Raises:
        UserError: If it does not exist, or comes from another version of the notebook.
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
    """Extract the figures with which the model from scratch is compared from the results of 04."""
    measured = theirs.measured
    form = measured.form
    return FineTunedModel(
        machine=theirs.machine,
        parameters=theirs.models[0].parameters,
        training=measured.training,
        likelihood=measured.likelihood,
        prompt=form.prompt,
        form=form.after,
        form_over_runs=measured.after_over_runs[form.prompt],
        scale=PoemScale(**{name: getattr(form, name) for name in PoemScale.model_fields}),
        runs=measured.runs,
        timing=measured.timing.model_copy(update={"label": "fine-tuned"}),
        samples=[
            sample for sample in measured.samples if (sample.label, sample.prompt) == ("after fine-tuning", form.prompt)
        ],
    )


def asked(prompts: list[str]) -> dict[str, str]:
    """Return, for each prompt of the fine-tuning, what the model from scratch is asked: the same in traditional script.

    The poems are in traditional script, and so are the characters that its tokenizer knows.
    """
    return {prompt: prosody.traditional(prompt) for prompt in prompts}


def check_same_poems(theirs: Results, corpus, poems_source: str) -> None:
    """Check that both models are evaluated on the same poems.

    Args:
        theirs: The result of `load`.
        corpus: The poems, loaded as 04 loaded them.
        poems_source: The source of the poems.

    Raises:
        UserError: If the poems differ.
    """
    found = theirs.corpora[0].sha256
    if found != corpus.sha256:
        raise UserError(
            f"poems_source is {poems_source!r}, whose poems (SHA-256 {corpus.sha256[:12]}…) are not those that the "
            f"fine-tuned model was judged by ({found[:12]}…, from {theirs.parameters['poems_source']!r}). Set "
            f"poems_source to that, or run `make report NOTEBOOK={NOTEBOOK}` anew."
        )


def timed_length(causal_lm, prompt: str, sequence_length: int, theirs: FineTunedModel) -> int:
    """Return the length, in tokens, at which a timed poem has as many characters as the evaluated poems.

    Args:
        causal_lm: The model from scratch.
        prompt: The prompt of the timed calls.
        sequence_length: The most tokens in a text, including the start token.
        theirs: The result of `of`.

    Raises:
        UserError: If `sequence_length` is too short for that, or for the poems on which both models are evaluated.
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
