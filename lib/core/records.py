"""Records: what a notebook measured and what was judged from it, typed, with the unit of every number.

A notebook writes a `Results` to its `results.json`; `make render` writes a `Judgement` to a profile's `claims.json`.
Both are checked when they are written and when they are read. Readers ask for a figure by its name. No record holds a
sentence that another program would have to take apart: sentences are made from records, in `lib/report`.

Pydantic checks them: it takes NumPy's numbers, names the place of a fault, and writes the JSON Schema that lies in
`docs/schema` (`python -m lib.core.records docs/schema`).
"""

import json
import math
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import pydantic
from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, SerializeAsAny

from lib.core.errors import UserError

SCHEMA_VERSION = 2

Maybe = Annotated[float | None, BeforeValidator(lambda value: None if _is_nan(value) else value)]
"""A number, or None where there was nothing to measure: JSON has no NaN."""

Json = None | bool | int | float | str | list[Any] | dict[str, Any]
Of = TypeVar("Of")


def _is_nan(value) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _column(kind: type, form: str):
    """A list of numbers that is a single text in JSON, where a line for each number would make a file large."""

    def numbers(value) -> list:
        return [kind(format(kind(one), form)) for one in (value.split() if isinstance(value, str) else value)]

    def written(value) -> str:
        return " ".join(format(one, form) for one in value)

    return Annotated[list[kind], BeforeValidator(numbers), PlainSerializer(written, return_type=str, when_used="json")]


Integers = _column(int, "d")
"""In JSON a text: the numbers, separated by spaces."""
Probabilities = _column(float, ".4g")
"""Fractions with four significant digits. In JSON a text: the numbers, separated by spaces."""


class Record(pydantic.BaseModel):
    """What all records have in common: no field that is not declared, each checked when it is set."""

    model_config = ConfigDict(
        extra="forbid",
        validate_assignment=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


# What can be one of a few.


class DecodingStep(StrEnum):
    """Whose decoding step a call of `generate` ran."""

    KERASHUB = "kerashub"
    OWN = "own"


class Sampler(StrEnum):
    """The samplers that come with this project. A record holds the name with the options, such as `"top_k (k=5)"`.

    A reader's own sampler has the name that it has in `samplers.SAMPLERS`.
    """

    GREEDY = "greedy"
    RANDOM = "random"
    TOP_K = "top_k"
    TOP_P = "top_p"
    BEAM = "beam"
    CONTRASTIVE = "contrastive"
    NO_REPEAT_NGRAM = "no_repeat_ngram"
    REPETITION_PENALTY = "repetition_penalty"


class People(StrEnum):
    """Who wrote a text that no sampler wrote; in place of a sampler's name."""

    WHOLE = "people"
    CUT = "people, cut to that length"


class CallState(StrEnum):
    """Which calls some seconds belong to."""

    FIRST = "first call"
    LATER = "later calls"
    FIRST_TOKEN = "later calls, one new token"


class PeakMemoryOf(StrEnum):
    """What a peak of the memory was measured of."""

    PROCESS = "process"
    TENSORFLOW_GPU = "gpu by tensorflow"
    JAX_GPU = "gpu by jax"


class Script(StrEnum):
    """The script of a letter."""

    HAN = "Han"
    LATIN = "Latin"
    OTHER = "other"


class AnswerLanguage(StrEnum):
    """In which language a text answers its prompt."""

    ENGLISH = "English"
    CHINESE = "Chinese"
    NEITHER = "neither"


class Verdict(StrEnum):
    """Whether a claim holds in this run."""

    HOLDS = "holds"
    HOLDS_IN_PART = "holds in part"
    DOES_NOT_HOLD = "does not hold"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested here"
    NOT_JUDGED = "not judged"


class SpeedVerdict(StrEnum):
    """Whether later calls got faster."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    UNDECIDED = "undecided"


class Winner(StrEnum):
    """Which of two models is the better one in a measure."""

    FROM_SCRATCH = "from scratch"
    FINE_TUNED = "fine-tuned"
    NEITHER = "neither"


class ClaimKind(StrEnum):
    """What a sentence of the post is; opinions are shown beside figures and not judged."""

    CLAIM = "claim"
    ASSUMPTION = "taken for granted"
    OPINION = "opinion"


class Precision(StrEnum):
    """The number format that a side of the bench multiplies in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    TF32 = "TF32"
    """float32 weights, whose products a GPU makes with 10 bits of mantissa."""


class BenchWork(StrEnum):
    """A piece of work of the bench."""

    GENERATE_ONE = "generate one text"
    GENERATE_EIGHT = "generate eight texts"
    TRAIN_POEMS = "fine-tune on poems"
    TRAIN_PROSE = "fine-tune on prose"
    SAMPLERS = "all prompts of 03"
    TRAIN_FULL = "train on full texts"
    """On a GPU: steps in which no text is padded."""


class BenchPeer(StrEnum):
    """What this project is compared with in the bench."""

    KERASHUB = "kerashub"
    """The post's lines; in training with padded texts."""
    KERASHUB_CALLS = "kerashub, a call for each text"
    KERASHUB_XLA = "kerashub, with XLA"
    """The post's lines on a CPU, compiled as KerasNLP for Keras 2 did. Keras 3 has XLA off there by itself."""
    TRANSFORMERS = "transformers"
    TRANSFORMERS_PADDED = "transformers, padded"
    TRANSFORMERS_PACKED = "transformers, packed"
    KERASHUB_JAX = "kerashub on JAX"
    TRANSFORMERS_STATIC = "transformers, static cache"
    """Its step for a token is compiled."""
    TRANSFORMERS_COMPILED = "transformers, compiled"
    """In training."""
    BANDWIDTH = "memory bandwidth"
    """No program: the rate at which memory is read, all weights for every token."""


# Pieces of what is measured.


class StandIn(Record):
    """What was used in place of what was asked for."""

    used: str
    requested: str


class Estimate(Record):
    """A figure and its 95 % interval. The unit is that of the metric it belongs to."""

    value: Maybe
    low: Maybe = None
    high: Maybe = None

    @property
    def has_interval(self) -> bool:
        """Whether the interval is known."""
        return self.low is not None and self.high is not None


class BeforeAfter(Record, Generic[Of]):
    """The same measured before and after fine-tuning."""

    before: Of
    after: Of


class Model(Record):
    """The model that ran."""

    name: str
    source: str = ""
    """A hub's handle, a package, or a folder."""
    parameters: int
    """Numbers in its weights."""
    attempts: list[str] = []
    """What was tried before, each with the reason why it failed."""


class Corpus(Record):
    """The texts that were used."""

    name: str
    source: str
    licence: str = ""
    sha256: str
    """Of the cleaned texts, each followed by a zero byte."""
    counts: dict[str, int]
    """Texts found, dropped (by the reason) and kept."""
    attempts: list[str] = []


class Spread(Record):
    """Repeated measurements of a time, condensed."""

    n: int
    median_seconds: float
    p90_seconds: float
    """The 90th percentile, interpolated."""
    mad_seconds: float
    """The median absolute deviation from the median, unscaled."""
    wide: bool
    """Whether the spread is wider than `statistics.STEADY` and `statistics.TAIL` allow."""


class Timing(Record):
    """The time of `generate`, one batch again and again, early stopping off."""

    label: str
    step: DecodingStep
    sampler: str
    batch_size: int
    prompt_tokens: int
    """Of the longest prompt, a start token included."""
    max_length: int
    """Tokens of a text, its prompt's included."""
    new_tokens: int
    """Of all texts together."""
    chinese_characters: float
    """Written after the prompts in a call: the median."""
    load_seconds: float | None = None
    first_call_seconds: float
    first_call_compiling_seconds: Maybe = None
    """Of the first call, those in which JAX traced, lowered and compiled; None on another backend."""
    later_calls: Spread
    first_token: Spread
    """Later calls of the same batch that make a single new token."""
    seconds_per_output_token: float
    """(a later call - its first token) / (new tokens of a text - 1), of medians."""
    new_tokens_per_second: float
    chinese_characters_per_second: float
    peak_memory_gib: float
    peak_memory_of: PeakMemoryOf
    device: str
    backend: str = Field(default="", exclude_if=lambda name: not name)
    """`jax` or `tensorflow`. Empty in older results."""
    precision: str
    xla: bool
    deterministic: bool
    threads: int
    seconds: dict[CallState, list[float]]
    """Every call's."""


class LossCurve(Record):
    """The training loss in nats, a number a step."""

    loss: list[float]
    """Of the step alone, padding included."""
    mean_loss: list[float]
    """Mean so far, padding included: what Keras prints."""
    mean_token_loss: list[float]
    """Mean so far per token that is predicted."""


def warm_steps(seconds: list[float], continued_after: list[int]) -> list[float]:
    """Leave out the times of the steps that compile: the first, and each after an interruption.

    Args:
        seconds: Of all steps.
        continued_after: See `Training.continued_after`.
    """
    compiling = {0, *continued_after}  # counted from 0: the steps after those
    return [one for step, one in enumerate(seconds) if step not in compiling]


class Training(Record):
    """A fine-tuning, or a training from scratch."""

    steps: int
    continued_after: list[int] = Field(default=[], exclude_if=lambda steps: not steps)
    """The steps after which it was interrupted, and continued in a later run. The step after each compiles again."""
    timed_together: int = Field(default=1, exclude_if=lambda steps: steps == 1)
    """Steps whose results were read at a time. Each counts an equal part of their time. The first step is alone."""
    batch_size: int
    """Texts in a step."""
    texts_at_a_time: int
    """Texts in a part of the batch; the batch size, if it is not divided."""
    seconds: float
    """Of all steps. One that compiled again after an interruption counts as the median of those that do not compile."""
    first_step_seconds: float
    """It compiles."""
    later_steps: Spread
    padded_tokens_per_second: float
    """As if every text were padded, which is how the post's Keras counts; at the median of the later steps."""
    useful_tokens_per_second: float
    """Tokens that are predicted; at the median of the later steps."""
    positions: int
    """Computed in a step."""
    useful_percent: float
    """Of the positions, those that hold a token to be predicted."""
    useful_percent_if_padded: float
    peak_memory_gib: float
    replicas: int = Field(default=1, exclude_if=lambda count: count == 1)
    """The groups of devices that share the texts of a step. Each has all weights."""
    devices_in_replica: int = Field(default=1, exclude_if=lambda count: count == 1)
    """The devices of a group, which share the weights."""
    trained_parameters: int = Field(default=0, exclude_if=lambda count: not count)
    """The weights that are trained, 4 bytes each; 0 in older results. With low-rank adapters (LoRA) they are theirs."""
    step_seconds: list[float]
    final_mean_loss: float
    """Nats, over the whole run, padding included: what Keras prints last."""
    final_mean_token_loss: float
    final_mean_accuracy: float
    """A fraction."""
    curve: LossCurve

    @property
    def warm_step_seconds(self) -> list[float]:
        """The times of the steps that compile nothing."""
        return warm_steps(self.step_seconds, self.continued_after)


class TimeBudget(Record):
    """How a training for a fixed time kept to it."""

    allowed_seconds: float
    planned_steps: int
    probe_seconds: list[float]
    """Of the steps that were made beforehand to see how long one takes."""
    total_seconds: float
    """Of all steps, the probe's included."""


class HeldOutLoss(Record):
    """What Keras' `evaluate` says on held-out texts."""

    loss: float
    """Nats, padding included."""
    token_loss: float
    """Nats per token that is predicted."""
    accuracy: float
    """A fraction of the tokens."""


class Likelihood(Record):
    """How well a model predicts held-out texts; the first character of each is given and not counted."""

    texts: int
    max_length: int
    """Tokens that a text is cut to, a start token included."""
    cut_to: int | None = None
    """Characters that a text is cut to."""
    tokens: int
    """Those that are counted."""
    characters: int
    nats: float
    """Of all of them."""
    loss: float
    """Nats per token."""
    perplexity: float
    """Per token."""
    bits_per_character: float
    by_text: list[Maybe]
    """Bits per character of each text; None for one that has none to be counted."""


class Sample(Record):
    """A text that continues a prompt."""

    label: str
    """The group it belongs to."""
    prompt: str
    sampler: str
    seed: int | None = None
    run: int | None = None
    """The training run that the model comes from, from 1; before a training, the run whose sampling seed it has."""
    number: int = 1
    """Among those of the same label, prompt and run, from 1."""
    text: str
    """The prompt included."""
    new_tokens: int
    ended: bool
    """Whether the model ended the text itself."""
    invalid_bytes: int
    """Bytes of what was written that are not part of valid UTF-8."""
    rep_4_percent: Maybe = None
    """Share of four-word phrases that occurred before in the text."""
    looped_percent: Maybe = None
    """Share of the words that belong to the rounds of a loop after its first round, see `metrics.find_loops`."""
    perplexity: Maybe = Field(default=None, exclude_if=lambda perplexity: perplexity is None)
    """Of what follows the prompt, to the model that judged the text. None where none did, and in older results."""
    looped_spans: list[tuple[int, int]] = []
    """Where such words stand: the characters of `text` at which each run of them begins and ends."""


class SeenText(Record):
    """A text as a model sees it: how probable each token was, given those before it."""

    label: str
    """Who wrote it."""
    prompt: str
    """The beginning, which is given."""
    sampler: str
    seed: int | None = None
    suppressed: bool
    """Whether special tokens, which end a text, count as impossible: as where a text is generated that must go on."""
    pieces: list[str]
    """What follows the prompt: a token each, or the tokens that together make a character."""
    tokens: Integers
    """In each piece."""
    probabilities: Probabilities
    """Of each token."""
    ranks: Integers
    """Of each token: 1 if no other was more probable."""


class NextTokens(Record):
    """The most probable next tokens at the first places of a text, after its prompt.

    Token numbers are places in the vocabulary of `SamplerExplorer`, from 0.
    """

    label: str
    prompt: str
    written: list[str]
    """What the token at each place adds to the text: nothing if a character is complete only with a later one."""
    written_tokens: Integers
    """Its token number."""
    written_ranks: Integers
    """Its rank: 1 if no other was more probable."""
    best: list[Integers]
    """At each place the most probable tokens, by falling probability."""
    probabilities: list[Probabilities]
    """Theirs, at temperature 1."""
    rest: list[Probabilities]
    """At each place, for each of the temperatures: the probability of all other tokens together."""


class SamplerExplorer(Record):
    """Next-token probabilities to try the settings of a sampler on."""

    most: int
    """The most tokens that are kept at a place."""
    suppressed: bool
    """Whether special tokens, which end a text, count as impossible."""
    temperatures: list[float]
    vocabulary: list[str]
    """The tokens that occur; `�` stands for bytes that are no whole character."""
    texts: list[NextTokens]


class TextGroup(Record):
    """Texts of one writer, judged: a sampler's, or what people wrote."""

    label: str
    texts: int
    loops: int
    """Texts that have a loop, see `metrics.find_loops`."""
    metrics: dict[str, Estimate]
    """By the names of `metrics.REGISTRY`, where each one's unit stands."""


class TextShares(Record):
    """How far one text is from what people write. Shares are percent; None where there was nothing to count."""

    words: Maybe
    """Of the letters, Chinese characters among them, those that form words of the list."""
    looped: Maybe
    """Of the characters other than spaces, those that only repeat: loops after their first round."""
    broken_bytes: Maybe
    """Of the bytes, those that are not part of valid UTF-8."""
    prompt_script: Maybe
    """Of the letters, those of the prompt's script."""
    answer: AnswerLanguage
    new_tokens: int
    characters: int


class TextQuality(Record):
    """The same of a group of texts."""

    label: str
    texts: int
    seed: int | None = None
    """That the texts were drawn with; None for people's."""
    new_tokens: int
    characters: int
    shares: dict[str, Estimate]
    """Percent, by the names of `gibberish.SHARES`: means over the texts with bootstrap intervals over them."""
    answers_in_english: int
    answers_in_chinese: int
    without_letters: int
    """Texts that hold no letters, so that none of them can form words."""
    by_text: list[TextShares]


class Quality(Record):
    """What the model wrote after both prompts, beside what people wrote."""

    english: TextQuality
    people_stories: TextQuality
    chinese: TextQuality
    """All texts after the Chinese prompt."""
    chinese_answers: TextQuality
    """Of those, the texts that answer in Chinese."""
    chinese_shuffled: TextQuality
    """The Chinese characters of those answers in random order, text by text: what comes by chance."""
    people_chinese: TextQuality
    people_shuffled: TextQuality
    """The same of people's Chinese."""

    @property
    def groups(self) -> list[TextQuality]:
        """All groups, in the order of the fields."""
        return [getattr(self, name) for name in type(self).model_fields]


class WordList(Record):
    """A list of wordfreq, and the share of letters that form its words."""

    name: str
    per_million: float
    """The least frequency of its words."""
    used: bool
    """Whether all other figures are counted by this list."""
    chinese_words: int
    """Of two or more characters."""
    english_words: int
    words: dict[str, Maybe]
    """Percent, by the names of `Quality`'s groups: means over the texts."""


class PoemForm(Record):
    """The form of a group of poems."""

    poems: int
    shares: dict[str, Estimate]
    """Percent, by the names of `poem_form.SHARES`."""
    rhyme_pairs: int
    """Neighbouring even lines that could be judged."""
    couplets: int
    """Those whose likeness could be judged."""
    rhyme_unknown_percent: Maybe
    """Of all such pairs, those that could not."""
    tone_pairs: int
    tone_unknown_percent: Maybe
    copied_mean: Maybe
    """Characters in a row that stand in a poem of the collection, mean over the poems."""
    copied_longest: Maybe


class BesidePeople(Record):
    """How a sampler's texts differ from what people wrote after the same beginnings; over these the intervals vary."""

    diversity_difference: Estimate
    """The mean of the differences; below 0 where the sampler is less diverse."""
    perplexity_ratio: Estimate
    """The geometric mean of the ratios; below 1 where the model finds the sampler's texts more predictable."""


class CoupletForm(Record):
    """The parallelism of a group of couplets."""

    poems: int
    couplets: int
    """Those whose likeness could be judged."""
    shares: dict[str, Estimate]
    """Percent, by the names of `parallelism.SHARES`."""


class BatchTime(Record):
    """The time of a batch of texts, compiling included."""

    label: str
    texts: int
    new_tokens: int
    batch_seconds: float


class PublishedRow(Record):
    """A row of Holtzman et al. beside the one that comes nearest here. Loops are counted by their rule."""

    method: str
    here: str
    loops_percent_published: float
    loops_percent_here: float
    self_bleu_4_published: float
    self_bleu_4_here: Maybe


class PoemLine(Record):
    """A line of a poem, and what is counted of it."""

    line: str
    characters: int
    regular: bool
    """Five or seven Chinese characters and nothing else, as many as in the first line."""
    tones: str
    alternates: bool | None = None
    """None where no pair is known not to, and one is not known; also for a line that is not regular."""
    rhyme_character: str = ""
    rhyme_groups: list[str] = []
    """Of the character's primary reading."""
    other_rhyme_groups: list[str] = []
    rhymes: bool | None = None
    """With the even line before, by their primary readings. None: not known, or there is none."""
    rhymes_secondary: bool = False
    """Whether it rhymes by another reading only."""
    is_rhyme_line: bool = False
    """Whether there is an even line before to rhyme with."""


class PostText(Record):
    """A text that the post prints, judged as those written here are."""

    name: str
    rep_4_percent: float
    has_a_loop: bool
    """See `metrics.find_loops`."""
    ends_in_a_loop: bool
    """By Holtzman's rule, see `metrics.find_loop`."""
    well_formed: bool | None = None
    rhymes: int | None = None
    rhyme_pairs: int | None = None
    alternating: int | None = None
    tone_pairs: int | None = None


class Machine(Record):
    """What a report was made with. No user, host or path is told."""

    date: str
    """Year, month, day, hour and minute, UTC."""
    commit: str | None = None
    """The code's git commit, 12 digits; None where it is not known."""
    code_changed: bool = False
    """Whether the code was changed since that commit."""
    no_commit_because: str = ""
    python: str
    system: str
    processor: str
    cores: int
    memory_gib: float
    peak_memory_gib: float
    """The most that this notebook's process held."""
    keeps_freed_memory: bool = False
    """Whether freed memory is kept for its next use, so that the peak is higher."""
    keras: str = ""
    """Keras' backend and how it computes; empty where Keras is not used."""
    device: str = ""
    variables_set_aside: list[str] = []
    """Environment variables that would have changed the report."""
    packages: dict[str, str]
    locks: dict[str, str]
    """The first 16 digits of the SHA-256 of each lock file."""


# What each notebook measures.


class Measured(Record):
    """The figures of a notebook that has no class of its own: these, and whatever else it sets, as JSON."""

    model_config = ConfigDict(extra="allow")

    samples: list[Sample] = []
    timing: Timing | BeforeAfter[Timing] | None = None
    training: Training | None = None


class Baseline(Record):
    """01_baseline."""

    on_tensorflow: Timing | None = Field(default=None, exclude_if=lambda timing: timing is None)
    """The post's lines on TensorFlow, where the notebook runs on JAX."""
    no_tensorflow_because: str = Field(default="", exclude_if=lambda reason: not reason)
    """Why they could not be timed."""
    as_in_post: Timing
    """The post's lines, on the notebook's backend."""
    own_step: Timing | None = None
    """None where this project has no decoding step of its own for the model."""
    seconds_on_tensorflow_to_jax: Estimate | None = Field(default=None, exclude_if=lambda ratio: ratio is None)
    """How many times as long later calls of the post's lines took on TensorFlow, made in turn."""
    seconds_of_kerashub_to_own: Estimate | None = Field(default=None, exclude_if=lambda ratio: ratio is None)
    """The same of KerasHub's decoding step and this project's, on the notebook's backend."""
    samples: list[Sample]
    quality: Quality
    chinese_minus_people: dict[str, Estimate]
    """By the names of `gibberish.SHARES`, percentage points, with bootstrap intervals over the texts of both groups."""
    chinese_answers_minus_people: dict[str, Estimate]
    """Of the answers in Chinese alone."""
    chinese_minus_english: dict[str, Estimate]
    word_lists: list[WordList]
    seen: list[SeenText] = Field(default=[], exclude_if=lambda texts: not texts)
    """After each prompt the model's first text, and people's first text in that language. Empty in older results."""

    @property
    def timings(self) -> list[Timing]:
        """The calls that were timed, as a reader goes through them: the post's lines first."""
        return [one for one in (self.on_tensorflow, self.as_in_post, self.own_step) if one is not None]

    @property
    def most_like_the_post(self) -> Timing:
        """The post's lines, on TensorFlow if they were timed there: the post ran on it."""
        return self.on_tensorflow or self.as_in_post


class FineTuning(Record):
    """What 02 and 04 have in common."""

    training: Training
    held_out_texts: int
    held_out: BeforeAfter[HeldOutLoss]
    likelihood: BeforeAfter[Likelihood]
    bits_per_character_change: Estimate
    """Mean over the texts of after minus before, with its bootstrap interval."""
    samples: list[Sample]


class EndProbability(Record):
    """How likely the end token is as the next one in held-out texts: percent, means over the texts."""

    after_sentence: Estimate
    """Where a sentence ends and the text goes on."""
    after_sentence_by_quarter: list[Maybe]
    """There, by the quarter of the tokens to which texts are cut; of all sentence ends in it together."""
    after_sentence_in_top_k: Estimate
    """There, among the k most likely tokens alone, from which top-k sampling chooses; 0 where it is none of them."""
    after_text: Estimate
    """Where the text ends, of those that are not cut."""
    elsewhere: Estimate


class TextLengths(Record):
    """How long generated texts are."""

    texts: int
    median_new_tokens: Estimate
    """Its interval is a bootstrap over the texts."""
    ended: int
    """Texts that the model ended itself."""
    ended_percent: Estimate
    new_tokens: list[int]
    """Of each text, those before the end token."""
    ended_by_model: list[bool]
    """The same texts."""
    most_new_tokens: int
    """Where a text is cut that goes on."""


class TrainingTexts(Record):
    """The texts of a training, as long as they are trained on."""

    texts: int
    cut: int
    """Those that go on after the last token that is trained on."""
    tokens: list[int]
    """That are predicted in each text, the end token included."""
    median_tokens: float
    sentences: int
    """Sentences that end in all texts together."""

    @property
    def ends_per_sentence_percent(self) -> float | None:
        """The share of sentence ends that an end token follows: one in each text that is not cut."""
        return 100 * (self.texts - self.cut) / self.sentences if self.sentences else None


class ByTraining(Record, Generic[Of]):
    """The same measured before fine-tuning, after it, and after two trainings that differ from it."""

    before: Of
    after: Of
    without: Of
    """After the same training without an end token."""
    cut: Of
    """After the same training on as many texts, all of which go on where they are cut."""


class TextEnds(Record):
    """Where the model ends its texts, and why."""

    training: TrainingTexts
    texts: int
    """Held-out texts in which the probability is measured."""
    probability: ByTraining[EndProbability]
    lengths: ByTraining[TextLengths]
    cut_texts: int
    """The texts of the training on texts that are all cut."""
    bits_without_minus_after: Estimate
    """Bits per character of held-out texts without an end token in training minus with it, mean over the texts."""


class StyleGroups(Record):
    """A measure of texts against those of people that continue the same openings."""

    before: Estimate
    after: Estimate
    people: Estimate
    """Of what other people wrote after other openings: the floor."""


class StyleScores(Record):
    """The out-of-fold scores of a classifier, log odds: the higher, the more like people's."""

    texts: list[float]
    people: list[float]
    """Of people's texts after the same openings."""


class Style(Record):
    """How well texts can be told from people's; all intervals are bootstraps over the openings."""

    texts: int
    """In each group."""
    words: int
    """In each group; the texts of an opening have as many."""
    auc: StyleGroups
    """Area under the ROC curve of a classifier of character 1- to 3-grams, a fraction; 0.5: cannot be told apart."""
    jsd: StyleGroups
    """Jensen-Shannon divergence of the word frequencies, bits."""
    after_minus_before: dict[str, Estimate]
    """By measure, `auc` and `jsd`."""
    after_minus_floor: dict[str, Estimate]
    """By measure: after fine-tuning minus people."""
    scores: dict[str, StyleScores]
    """By group."""


class LearningPoint(Record):
    """Held-out texts after a training on some stories."""

    stories: int
    steps: int
    bits_per_character: Estimate
    """Mean over the held-out texts."""
    by_text: list[Maybe]
    minus_point_before: Estimate
    """Mean over the texts of this point minus the one before; of the first minus the untrained model."""
    minus_untrained: Estimate
    """Mean over the texts of this point minus the untrained model."""


class LearningCurve(Record):
    """Held-out bits per character by the number of stories; each point is a training of its own."""

    untrained: float
    """Bits per character of the pretrained model, mean over the held-out texts."""
    points: list[LearningPoint]
    """By rising number of stories; one is the notebook's own training."""
    near_500: int | None = None
    """The number of stories that stands for the post's 500; None where none is near it, or none is larger."""
    last_minus_500: Estimate | None = None
    """Mean over the texts of the last point minus that one; None where there is no such point."""


class RedditFinetune(FineTuning):
    """02_reddit_finetune."""

    examples: list[list[str]]
    """Title and beginning of the first training texts."""
    timing: BeforeAfter[Timing]
    speed_ratio: Estimate
    """Later calls before / after, of calls made in turn: the geometric mean, with Student's interval over the pairs."""
    texts: list[TextGroup]
    ends: TextEnds
    style: Style
    learning_curve: LearningCurve


class Rounds(Record):
    """How probable the tokens of texts are to the model, round by round. The n-th figure is of the n-th round.

    Special tokens are suppressed, as in all texts of 03. All intervals vary over the texts.
    """

    texts: list[int]
    """That have such a round."""
    probability: list[Estimate]
    """Of a token, a fraction: the mean over the tokens of a round, then over the texts."""
    most_probable_percent: list[Estimate]
    """Of the tokens, those that no other token exceeds in probability: the ones that greedy decoding writes."""
    top_k_percent: list[Estimate]
    """The chance that top-k sampling draws a token of the round."""
    greedy_whole_percent: list[Estimate]
    """Of the texts, those whose whole round greedy decoding would write: each token is the most probable one."""
    top_k_whole_percent: list[Estimate]
    """The chance that top-k sampling writes the whole round: the product over its tokens, mean over the texts."""
    third_minus_first: Estimate
    """Of the probability, paired by text; of the texts that have three rounds."""
    by_text: list[list[float]]
    """The probability in each round of each text."""


class LoopsOfPeople(Record):
    """How many of people's texts have a loop: the false alarms of the rule."""

    texts: int
    loops: int
    """By `metrics.find_loops`."""
    loops_holtzman: int
    """By `metrics.find_loop`."""


class SelfReinforcement(Record):
    """What a repetition does to the probability of the next one, after Xu et al., Learning to Break the Loop, 2022."""

    rounds: int
    k: int
    """The number of tokens that top-k sampling draws from."""
    sentences: list[str]
    """Of people's held-out stories, a sentence each."""
    written: Rounds
    """Each sentence, written again and again."""
    people: Rounds
    """The stories that the sentences come from, as they go on: the same places, round by round."""
    greedy: Rounds
    """The loops that greedy decoding fell into, those with at least three whole rounds."""
    written_minus_people: Estimate
    """Of the change of the probability from the first to the third round; paired by sentence."""


class GreedyVsTopK(Record):
    """03_greedy_vs_top_k."""

    greedy: TextGroup
    top_k: TextGroup
    """With the k of the post."""
    others: list[TextGroup]
    people: TextGroup
    named_again: list[str] = []
    """Samplers that were named more than once, and run once."""
    same_as_greedy: dict[str, int]
    """By sampler: the texts that are greedy's, token by token."""
    published: list[PublishedRow]
    times: list[BatchTime]
    samples: list[Sample]
    openings: list[str]
    """The beginnings of people's texts, on which the groups are counted."""
    held_out_loops: LoopsOfPeople
    """Of all held-out texts, whole."""
    greedy_minus_top_k: dict[str, Estimate]
    """Of `loop`, `loop_holtzman`, `looped` and `rep_4`, in percentage points. Paired by beginning, over which the
    interval varies; top-k sampling draws one text for each."""
    greedy_minus_people: dict[str, Estimate]
    """The same."""
    beside_people: dict[str, BesidePeople]
    """By sampler: how its texts differ from people's."""
    self_reinforcement: SelfReinforcement
    seen: list[SeenText] = Field(default=[], exclude_if=lambda texts: not texts)
    """Texts that continue the first of `openings`. Empty in older results."""
    explorer: SamplerExplorer | None = Field(default=None, exclude_if=lambda explorer: explorer is None)
    """None in older results."""

    @property
    def groups(self) -> list[TextGroup]:
        """All groups, people last."""
        return [self.greedy, self.top_k, *self.others, self.people]


class PoemScale(Record):
    """What the form of poems is held against: what comes by chance, and what Tang poets wrote, all held out."""

    tang_poets: PoemForm
    """Poems of the form asked for, whole: the ceiling."""
    shuffled: PoemForm
    """Their characters, shuffled: rhyme and tones by chance."""
    regulated_middle: CoupletForm
    """The second and third couplets of regulated verse, which must be parallel: the ceiling of parallelism."""
    regulated_outer: CoupletForm
    """The first and fourth, which need not be."""
    random_couplets: CoupletForm
    """First lines of the middle couplets with second lines of other poems: parallelism by chance."""
    middle_minus_outer: dict[str, Estimate]
    """By the names of `parallelism.SHARES`: whether a measure of parallelism tells the two apart."""

    def ceiling(self, share: str) -> Estimate:
        """What Tang poets come to."""
        return self.regulated_middle.shares.get(share, self.tang_poets.shares[share])

    def chance(self, share: str) -> Estimate | None:
        """What comes by chance; None for a share that has no such figure."""
        by_chance = {"rhyme", "rhyme_secondary", "alternating"}
        return self.random_couplets.shares.get(share, self.shuffled.shares[share] if share in by_chance else None)


class PoemForms(PoemScale):
    """The form of the poems before and after fine-tuning, of the first training run, beside ceiling and chance."""

    prompt: str
    """The one whose poems are compared: in traditional characters, if it was asked so."""
    before: PoemForm
    """After `prompt`, as in `before_by_prompt`."""
    after: PoemForm
    """After `prompt`, as in `after_by_prompt`."""
    after_by_prompt: dict[str, PoemForm]
    before_by_prompt: dict[str, PoemForm]


class PoemRun(Record):
    """A training run: the same training anew, with seeds of its own."""

    run: int
    """From 1. The first is the one that is saved, timed and compared with the post."""
    seed: int
    """Of the order of the training poems, of the sampling, and of initial weights that are random."""
    steps: int
    seconds: float
    """Of all steps."""
    likelihood: Likelihood
    """Of the held-out poems, after training."""
    form_by_prompt: dict[str, PoemForm]
    before_by_prompt: dict[str, PoemForm] = {}
    """Before fine-tuning, sampled with the same seed."""


class TangPoetry(FineTuning):
    """04_tang_poetry."""

    examples: list[list[str]]
    """Author with title, and text, of the first training poems."""
    tokens_per_character: float
    form: PoemForms
    runs: list[PoemRun]
    bits_over_runs: Estimate
    """Held-out bits per character: mean over the runs, with the interval over them. So are the next two."""
    before_over_runs: dict[str, dict[str, Estimate]]
    """By prompt and share. The model is the same; only the sampling seed differs."""
    after_over_runs: dict[str, dict[str, Estimate]]
    """By prompt and share."""
    after_minus_before: dict[str, dict[str, Estimate]]
    """By prompt and share, in percentage points: over the runs, pairs of the same sampling seed. See `poem_runs`."""
    after_minus_chance: dict[str, dict[str, Estimate]]
    """Shares that have a figure by chance."""
    tang_minus_after: dict[str, dict[str, Estimate]]
    """Held-out poems of the form asked for minus those of the model."""
    ceiling_minus_after: dict[str, dict[str, Estimate]]
    """Parallelism: the middle couplets of regulated verse minus the model's."""
    first_poem: list[PoemLine]
    timing: Timing
    seen: list[SeenText] = Field(default=[], exclude_if=lambda texts: not texts)
    """A poem after fine-tuning, and a held-out Tang poem. Empty in older results."""


class FineTunedModel(Record):
    """What 05 takes from the results of 04."""

    machine: Machine
    parameters: int
    training: Training
    likelihood: BeforeAfter[Likelihood]
    prompt: str
    """The one whose poems are compared."""
    form: PoemForm
    """Of the poems of the first run after that prompt."""
    form_over_runs: dict[str, Estimate]
    """By share, after that prompt."""
    scale: PoemScale
    runs: list[PoemRun]
    timing: Timing
    samples: list[Sample]
    """Those after fine-tuning, after that prompt."""


class FromScratch(Record):
    """05_from_scratch."""

    fine_tuned: FineTunedModel
    parameters: int
    vocabulary_size: int
    prompt_tokens: dict[str, int]
    training: Training
    budget: TimeBudget
    likelihood: Likelihood
    bits_per_character_difference: Estimate
    """Mean over the poems of from scratch minus fine-tuned, each the mean of its runs; interval over poems."""
    bits_per_character_difference_over_runs: Estimate
    """The same difference, with Welch's interval over the training runs; without one, if either has a single run."""
    samples: list[Sample]
    asked: dict[str, str]
    """By each prompt of the fine-tuning: what is asked here, in traditional characters."""
    prompt: str
    """The one whose poems are compared."""
    form: PoemForm
    """After `prompt`, first run."""
    form_by_prompt: dict[str, PoemForm]
    """First run."""
    runs: list[PoemRun]
    bits_over_runs: Estimate
    form_over_runs: dict[str, dict[str, Estimate]]
    """By prompt and share."""
    minus_fine_tuned: dict[str, Estimate]
    """By share, in percentage points, after `prompt`; Welch's interval over the runs of both. See `poem_runs`."""
    minus_chance: dict[str, Estimate]
    """Shares that have a figure by chance, after `prompt`."""
    first_poem: list[PoemLine]
    timing: Timing


class Summary(Record):
    """00_summary: the texts that the post prints. All else is judged from the other results."""

    post_texts: list[PostText]


class Comparison(Record):
    """A piece of work, done here and elsewhere in turn. The rates are of the same rounds; more is better."""

    work: BenchWork
    peer: BenchPeer
    precision_here: Precision
    precision_there: Precision
    here: list[float]
    """By round: new tokens, predicted tokens or texts per second."""
    there: list[float]
    target: Maybe = None
    """The median ratio that this project set itself beforehand."""

    @property
    def ratios(self) -> list[float]:
        """How many times as fast this project is, by round."""
        return [here / there for here, there in zip(self.here, self.there, strict=True)]

    @property
    def equal_precision(self) -> bool:
        """Whether both sides multiply in the same number format."""
        return self.precision_here == self.precision_there


class GrowthPoint(Record):
    """Later calls of `generate` of one size."""

    by: str
    """What is varied: `"new tokens"`, `"batch"` or `"parameters"`."""
    new_tokens: int
    """Of a text."""
    batch: int
    """Texts in a call."""
    parameters: int
    seconds: list[float]
    """Every call's."""
    fitted_seconds: float
    """By the cost model."""


class CostModel(Record):
    """The costs of a call of `generate`, fitted to the points of growth; see `bench/costs.py`."""

    fixed_seconds: float
    """Of each call."""
    weights_gb_per_s: Maybe
    """At which the weights are read for a single text; None where the fit found no time for it. So are the others."""
    weights_batch_gb_per_s: Maybe
    """For several texts."""
    arithmetic_gflop_per_s: Maybe
    cache_gb_per_s: Maybe
    """At which keys and values are read."""
    median_error_percent: float
    max_error_percent: float


class CallCosts(Record):
    """What a call of a single text is made of, by the cost model."""

    new_tokens: int
    parameters: int
    shares_percent: dict[str, float]
    """By `"fixed"`, `"weights"`, `"arithmetic"` and `"cache"`."""


class GpuAssumptions(Record):
    """What the estimates for GPUs assume."""

    new_tokens: int
    """Of a call with a single text."""
    generated_texts: int
    generated_tokens: int
    """Of a text, in the memory that generating takes."""
    trained_texts: int
    """In a training step."""
    trained_tokens: int
    """Of a text."""
    bandwidth_reached: tuple[float, float]
    """Shares of the memory bandwidth that programs reach, low and high."""
    arithmetic_reached: tuple[float, float]
    runtime_gib: float
    """Memory that CUDA takes."""


class GpuEstimate(Record):
    """A preset on a GPU, by the GPU's data sheet. Nothing of it is measured."""

    preset: str
    gpu: str
    call_least_s: float
    call_expected_low_s: float
    call_expected_high_s: float
    step_least_s: float
    step_expected_low_s: float
    step_expected_high_s: float
    generating_gib: float
    fine_tuning_gib: float
    generating_fits: bool
    fine_tuning_fits: bool
    texts_at_a_time: int
    """In a part of the batch while fine-tuning; 0 if not even one text fits."""


class LeftOut(Record):
    """A side of the bench that failed, or was not ready in time."""

    work: BenchWork
    peer: BenchPeer | None
    """None is this project."""
    precision: Precision
    reason: str


class BenchGpu(Record):
    """The GPU that the bench ran on, and what was measured of it in the same run."""

    name: str
    driver: str
    copy_gb_per_s: list[float]
    """Bytes read and written while a tensor is copied within its memory, by round. Empty if it was not measured."""
    tf32_tflop_per_s: list[float]
    """Products of matrices of 8,192 rows and columns, by round."""
    bfloat16_tflop_per_s: list[float]
    parameters: int
    """Of the model that is trained."""
    step_texts: int
    step_tokens: int
    """Of a training step."""
    left_out: list[LeftOut]


class Bench(Record):
    """bench: speed beside other programs, from what `make bench` measured."""

    machine: dict[str, str]
    """Machine and versions, as they are told in the `machine.json` of the bench."""
    measuring_minutes: float
    weight_bytes: int
    """Of the model that generates, in float32."""
    comparisons: list[Comparison]
    growth: list[GrowthPoint]
    """Empty on a GPU."""
    cost: CostModel | None = Field(default=None, exclude_if=lambda cost: cost is None)
    """Fitted to the growth; None on a GPU. So is the next."""
    longest_call: CallCosts | None = Field(default=None, exclude_if=lambda call: call is None)
    gpu_assumptions: GpuAssumptions
    gpu_estimates: list[GpuEstimate]
    gpu: BenchGpu | None = Field(default=None, exclude_if=lambda gpu: gpu is None)
    """None on a CPU."""


class SweepFigure(Record):
    """A figure that a sweep gathers from each run."""

    path: str
    """Its place in `measured` of a run's `results.json`."""
    name: dict[str, str]
    """What it is called, by language."""
    unit: str
    better: str
    """`higher`, `lower`, or nothing if neither is better."""


class SweepMachine(Record):
    """A machine that runs of a sweep ran on."""

    processor: str
    cores: int
    device: str
    """`CPU` or a GPU."""


class SweepRun(Record):
    """A run of a sweep."""

    id: str
    point: dict[str, Json]
    """The values of the parameters that differ between the runs, seeds included."""
    report: str = ""
    """The report's page, relative to the folder of the sweep's report; empty if the run is not done."""
    minutes: float | None = None
    values: list[Estimate] = []
    """A value for each figure, with the interval within the run if it has one. Empty if the run is not done."""
    failed: str = ""
    """Why it failed; empty if it did not."""


class SweepSetting(Record):
    """The runs of one setting, which differ in their seeds alone."""

    point: dict[str, Json]
    """The values of the parameters that are no seeds."""
    runs: int
    over_seeds: list[Estimate]
    """For each figure the mean over the seeds, with Student's interval over them."""


class SweepSpread(Record):
    """What makes a figure differ from run to run, as standard deviations in its unit."""

    between_settings: Maybe
    """Of the means of the settings."""
    between_seeds: Estimate
    """Between runs of one setting, pooled over the settings, with the chi-square interval."""
    by_setting: list[Maybe]
    """The same for each setting."""
    within_run: Maybe
    """The standard error in a run, from its interval: from the choice of texts that it was measured on."""


class SweepDifference(Record):
    """The setting with the best mean of a figure, beside another one."""

    figure: int
    """Its number, from 0."""
    best: dict[str, Json]
    other: dict[str, Json]
    pairs: int
    """The seeds that all settings ran with."""
    difference: Estimate
    """The best minus the other, over pairs of runs with the same seeds. Student's intervals, which hold together with
    95 % for all pairs of settings (Bonferroni)."""


class Sweep(Record):
    """06_sweep: the same notebook over a grid of parameters and training seeds."""

    name: str
    question: dict[str, str]
    """By language."""
    notebook: str
    run_profile: str
    """The profile whose values hold for all that the grid does not name."""
    fixed: dict[str, Json]
    """The values that differ from those in every run."""
    grid: dict[str, list[Json]]
    seeds: list[str]
    """The parameters of the grid that are chance, not a setting."""
    at_once: int
    """The most runs that shared this machine; 0 if a scheduler placed them."""
    machines: list[SweepMachine] = Field(default=[], exclude_if=lambda machines: not machines)
    """Those that the runs ran on; the report may have been made on another one. Empty in older results."""
    sweep_figures: list[SweepFigure]
    runs: list[SweepRun]
    settings: list[SweepSetting]
    spreads: list[SweepSpread]
    """For each figure."""
    differences: list[SweepDifference]

    @property
    def axes(self) -> list[str]:
        """The parameters of the grid that are no seeds."""
        return [name for name in self.grid if name not in self.seeds]

    @property
    def is_done(self) -> bool:
        """Whether all runs are done."""
        return all(run.report for run in self.runs)


MEASURED: dict[str, type[Record]] = {
    "00_summary": Summary,
    "01_baseline": Baseline,
    "02_reddit_finetune": RedditFinetune,
    "03_greedy_vs_top_k": GreedyVsTopK,
    "04_tang_poetry": TangPoetry,
    "05_from_scratch": FromScratch,
    "06_sweep": Sweep,
    "bench": Bench,
}


class Results(Record):
    """The content of a `results.json`."""

    schema_version: int = SCHEMA_VERSION
    notebook: str
    profile: str
    minutes: float
    """Of the whole run."""
    continued_trainings: int = Field(default=0, exclude_if=lambda count: not count)
    """The trainings that were taken from a run that was interrupted; `minutes` and memory are not those of that run."""
    models: list[Model] = []
    corpora: list[Corpus] = []
    stand_ins: list[StandIn] = []
    parameters: dict[str, Json]
    changed: dict[str, Json] = {}
    """The parameters that make the report a variant."""
    figures: list[str] = []
    """Files below the report's folder."""
    machine: Machine
    answer: dict[str, str] = {}
    """What the notebook found, by language, where it is not made from `measured` (`lib/report/answers.py`)."""
    measured: SerializeAsAny[Record]

    @pydantic.field_validator("measured", mode="before")
    @classmethod
    def _of_the_notebook(cls, value, info):
        kind = MEASURED.get(info.data.get("notebook", ""), Measured)
        return kind.model_validate(value) if isinstance(value, dict) else value


# What is judged.


class Effect(Record):
    """What a claim is judged by: a difference or a ratio that is larger the better it bears out the claim."""

    measure: str
    """Its name in `experiments/claims.yaml`."""
    of: str = ""
    """The prompt, where there is an effect for each prompt."""
    unit: str
    smallest: float
    """The smallest effect that matters, fixed before the run."""
    estimate: Estimate
    reaches: bool | None
    """Whether the whole 95 % interval lies above the smallest effect (true) or below it (false); None: neither."""


class Claim(Record):
    """A sentence of the post that says, assumes or thinks something, and whether it holds here."""

    name: str
    kind: ClaimKind
    quote: str
    """What the post says, word for word."""
    translation: str
    """The same in English, by this project."""
    heading: str
    """The heading of the post under which it says so."""
    effects: list[Effect]
    """None for an opinion, and where nothing here tests the claim."""
    verdict: Verdict
    """By `claims.rules.verdict`."""
    evidence: dict[str, Json]
    """The figures behind it, by name."""


class Beside(Record):
    """A figure of the post beside the one here, and what their difference is explained by."""

    name: str
    post: dict[str, Json]
    here: dict[str, Json]
    why: dict[str, Json]
    subject: str = ""
    """`"stories"` or `"poems"` where the row is one of both."""


class Contest(Record):
    """The model from scratch against the fine-tuned one, in one measure."""

    measure: str
    from_scratch: Estimate
    fine_tuned: Estimate
    winner: Winner


class Judgement(Record):
    """The content of a profile's `claims.json`."""

    schema_version: int = SCHEMA_VERSION
    profile: str
    claims: list[Claim]
    beside_post: list[Beside]
    from_scratch: list[Contest]

    @property
    def testable(self) -> list[Claim]:
        """The claims without the opinions."""
        return [claim for claim in self.claims if claim.kind is not ClaimKind.OPINION]


# Reading and writing.


def dump(record: Record) -> str:
    """A record as JSON, as it is written to a file."""
    content = record.model_dump(mode="json", fallback=lambda value: value.tolist())  # NumPy's, of a reader's own
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def load(file: Path) -> Results:
    """Reads a `results.json`.

    Args:
        file: The file.

    Raises:
        FileNotFoundError: If there is none.
        UserError: If it is of another version, cut off or damaged.
    """
    return parse(file.read_bytes(), Path(file))


def parse(text: str | bytes, file: Path) -> Results:
    """Reads the content of a `results.json`; see `load`."""
    name = f"{file.parent.name}/{file.name}"
    try:
        content = json.loads(text)
    except ValueError:
        raise UserError(f"{name} is cut off or not JSON. {_advice(file, {})}") from None
    command = _advice(file, content)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        told = "has no schema_version" if version is None else f"has schema_version {version!r}"
        raise UserError(f"{name} {told}; this code reads version {SCHEMA_VERSION}. {command}")
    try:
        return Results.model_validate(content)
    except pydantic.ValidationError as error:
        raise UserError(f"{name} is damaged: {fault(error)} {command}") from None


def _advice(file: Path, content) -> str:
    """Say how results are made anew, by what they tell of themselves or, failing that, by where they lie."""
    told = content if isinstance(content, dict) else {}
    notebook, _, variant = file.parent.name.partition("@")
    if variant:
        return "It is a variant: run it again with its ARGS, or remove its folder."
    named = {"notebook": notebook, "profile": file.parent.parent.name}
    if named["profile"].startswith("."):  # the scratch folder of a run
        named |= {name: told[name] for name in named if isinstance(told.get(name), str)}
    return f"Run `make report NOTEBOOK={named['notebook']} PROFILE={named['profile']}` anew."


def fault(error: pydantic.ValidationError) -> str:
    """The first of the faults that Pydantic found, in a sentence."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "it"
    return f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}."


def schemas() -> dict[str, dict]:
    """The JSON Schemas of the files that hold records, by the schema's file name."""
    _, together = pydantic.json_schema.models_json_schema(
        [(kind, "serialization") for kind in (Results, *MEASURED.values())], ref_template="#/$defs/{model}"
    )
    results = together["$defs"].pop("Results")
    results["properties"]["measured"] = {"type": "object", "description": "What the notebook measured, see allOf."}
    results["allOf"] = [
        {
            "if": {"properties": {"notebook": {"const": notebook}}},
            "then": {"properties": {"measured": {"$ref": f"#/$defs/{kind.__name__}"}}},
        }
        for notebook, kind in MEASURED.items()
    ]
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        "results.schema.json": dialect | results | {"$defs": together["$defs"]},
        "claims.schema.json": dialect | Judgement.model_json_schema(mode="serialization"),
    }


def main(folder: str) -> int:
    """Writes the JSON Schemas into a folder."""
    for name, schema in schemas().items():
        (Path(folder) / name).write_text(json.dumps(schema, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
