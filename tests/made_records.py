"""Records with made-up figures for the tests of claims and reports. Each function's arguments replace its figures.

They need no model and no Keras. `experiments()` is a run of all five experiments. To change a figure in it, make the
record that holds the figure and pass it on:

    made_records.experiments(tang=made_records.tang(after=made_records.poem_form(rhyme=90.0)))
"""

from pathlib import Path

from lib import notebooks
from lib.claims.experiments import NOTEBOOKS, Experiments
from lib.core import records
from lib.core.records import CallState, Estimate
from lib.evaluation import curve, metrics, statistics
from lib.evaluation.poem_form import SHARES

POEM = "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"


# Pieces.

RECORDED = [one.name for one in notebooks.ALL if one.name in records.MEASURED]  # those whose records are known


def estimate(value: float | None, low: float | None = None, high: float | None = None) -> Estimate:
    """A figure, with its interval where one is given."""
    return Estimate(value=value, low=low, high=high)


def spread(*seconds: float) -> records.Spread:
    """Some seconds, condensed."""
    return statistics.spread(seconds)


def timing(label="as in the post", first=20.0, later=(4.9, 5.0, 5.1), first_token=(0.4, 0.5, 0.6), **changes):
    """The time of calls: the seconds of the first one, the later ones, and those of one new token."""
    known = {"batch_size": 1, "prompt_tokens": 50, "max_length": 200, "new_tokens": 150, "chinese_characters": 20.0}
    known |= {name: changes.pop(name) for name in list(changes) if name in known}
    median, of_first_token = spread(*later).median_seconds, spread(*first_token).median_seconds
    fields = {
        "label": label,
        "step": records.DecodingStep.KERASHUB,
        "sampler": "greedy",
        **known,
        "first_call_seconds": first,
        "later_calls": spread(*later),
        "first_token": spread(*first_token),
        "seconds_per_output_token": (median - of_first_token) / (known["max_length"] - known["prompt_tokens"] - 1),
        "new_tokens_per_second": known["new_tokens"] / median,
        "chinese_characters_per_second": known["chinese_characters"] / median,
        "peak_memory_gib": 1.5,
        "peak_memory_of": records.PeakMemoryOf.PROCESS,
        "device": "CPU",
        "precision": "float32",
        "xla": True,
        "deterministic": False,
        "threads": 2,
        "seconds": {
            CallState.FIRST: [first],
            CallState.LATER: list(later),
            CallState.FIRST_TOKEN: list(first_token),
        },
    }
    return records.Timing(**(fields | changes))


def training(step_seconds=(20.0, 0.4, 0.5, 0.6), batch_size=4, **changes):
    """A training whose first step compiles."""
    steps, later = len(step_seconds), spread(*step_seconds[1:])
    fields = {
        "steps": steps,
        "batch_size": batch_size,
        "texts_at_a_time": batch_size,
        "seconds": sum(step_seconds),
        "first_step_seconds": step_seconds[0],
        "later_steps": later,
        "padded_tokens_per_second": 160.0,
        "useful_tokens_per_second": 80.0,
        "positions": 128 * batch_size,
        "useful_percent": 50.0,
        "useful_percent_if_padded": 50.0,
        "peak_memory_gib": 2.5,
        "step_seconds": list(step_seconds),
        "final_mean_loss": 2.0,
        "final_mean_token_loss": 4.0,
        "final_mean_accuracy": 0.25,
        "curve": records.LossCurve(
            loss=[2.0 - 0.1 * step for step in range(steps)],
            mean_loss=[2.0 - 0.05 * step for step in range(steps)],
            mean_token_loss=[4.0 - 0.1 * step for step in range(steps)],
        ),
    }
    return records.Training(**(fields | changes))


def likelihood(by_text=(1.3, 1.5), **changes):
    """Bits per character of held-out texts of as many characters each."""
    known = [bits for bits in by_text if bits is not None]
    bits = sum(known) / len(known)
    fields = {
        "texts": len(by_text),
        "max_length": 128,
        "cut_to": 26,
        "tokens": 30 * len(by_text),
        "characters": 25 * len(by_text),
        "nats": 17.0 * bits * len(by_text),
        "loss": 2.5,
        "perplexity": 12.2,
        "bits_per_character": bits,
        "by_text": list(by_text),
    }
    return records.Likelihood(**(fields | changes))


def sample(label="after fine-tuning", prompt="My trip was", text=" long.", **changes):
    """A text; `text` is what follows the prompt."""
    fields = {
        "label": label,
        "prompt": prompt,
        "sampler": label,
        "seed": 2024,
        "text": prompt + text,
        "new_tokens": len(text.encode()),
        "ended": False,
        "invalid_bytes": 0,
        "rep_4_percent": 0.0,
        "looped_percent": 0.0,
    }
    return records.Sample(**(fields | changes))


def text_group(label="greedy", loops=0, texts=4, **figures):
    """A writer's texts, judged. A metric is given as an estimate, or as a number that gets an interval of a tenth."""
    found = {"words": 100.0, "rep_2": 10.0, "rep_3": 7.0, "rep_4": 5.0, "diversity": 0.9, "longest_repeated": 4.0}
    found |= {"loop": 100 * loops / texts, "perplexity": 20.0, "distinct_1": 0.5, "distinct_2": 0.8, "zipf": 1.0}
    found |= {"self_bleu_4": 0.2, "copied": None, "invalid": 0.0} | figures
    told = {}
    for name, metric in metrics.REGISTRY.items():
        value = found.pop(name)
        if isinstance(value, Estimate):
            told[name] = value
        elif value is None or metric.of_group:
            told[name] = estimate(value)
        else:
            told[name] = estimate(value, 0.9 * value, 1.1 * value)
    assert not found, f"not in the registry: {found}"
    return records.TextGroup(label=label, texts=texts, loops=loops, metrics=told)


def poem_form(well_formed=60.0, rhyme=12.0, alternating=55.0, regular_lines=90.0, han=99.0, distinct=85.0, **changes):
    """The form of poems. A share is an estimate, or a number, which gets an interval of 5 percent each way, or None."""

    def share(value):
        if isinstance(value, Estimate):
            return value
        return estimate(None) if value is None else estimate(value, value - 5.0, value + 5.0)

    given = {"well_formed": well_formed, "regular_lines": regular_lines, "han": han}
    given |= {"rhyme": rhyme, "alternating": alternating, "distinct": distinct}
    fields = {
        "poems": 8,
        "shares": {name: share(given[name]) for name in SHARES},
        "rhyme_pairs": 12,
        "rhyme_unknown_percent": 4.0,
        "tone_pairs": 40,
        "tone_unknown_percent": 20.0,
        "copied_mean": 3.5,
        "copied_longest": 6.0,
    }
    return records.PoemForm(**(fields | changes))


def poem_line(line="春眠不覺曉", **changes):
    """A line of a poem."""
    fields = {"line": line, "characters": len(line), "regular": True, "tones": "平平中仄仄", "alternates": True}
    return records.PoemLine(**(fields | changes))


def outcome(label="My trip was", rep_4_percent=1.0, broken_bytes=0, **changes):
    """What was written after a prompt."""
    fields = {"label": label, "texts": 3, "new_tokens": 300, "tokens_per_character": 0.3, "chinese_percent": 0.0}
    fields |= {"rep_4_percent": rep_4_percent, "broken_bytes": broken_bytes}
    return records.PromptOutcome(**(fields | changes))


def held_out_loss(token_loss=4.5, accuracy=0.2, **changes):
    """What `evaluate` says."""
    return records.HeldOutLoss(**({"loss": token_loss / 2, "token_loss": token_loss, "accuracy": accuracy} | changes))


def machine(**changes):
    """What a report was made with."""
    fields = {
        "date": "2026-01-01 10:00 UTC",
        "commit": "0123456789ab",
        "python": "3.12.0",
        "system": "Linux x86_64",
        "processor": "Test CPU",
        "cores": 2,
        "memory_gib": 8.0,
        "peak_memory_gib": 2.0,
        "keras": "jax, float32",
        "device": "CPU",
        "packages": {"keras": "3.0.0"},
        "locks": {"cpu": "0" * 16, "gpu": "1" * 16},
    }
    return records.Machine(**(fields | changes))


def model(**changes):
    """The model that ran."""
    fields = {"name": "gpt2_base_en", "source": "kaggle://keras/gpt2", "parameters": 124_439_808}
    return records.Model(**(fields | changes))


def corpus(**changes):
    """The texts that were used."""
    fields = {"name": "Tang poems", "source": "npm", "licence": "MIT", "sha256": "0" * 64, "counts": {"kept": 100}}
    return records.Corpus(**(fields | changes))


def stand_in(used="small", requested="big"):
    """What was used in place of what."""
    return records.StandIn(used=used, requested=requested)


def post_texts():
    """The texts that the post prints, as they are judged."""
    return [
        records.PostText(name="greedy", rep_4_percent=80.0, ends_in_a_loop=True),
        records.PostText(name="chinese", rep_4_percent=45.0, ends_in_a_loop=False),
        records.PostText(
            name="poem",
            rep_4_percent=0.0,
            ends_in_a_loop=False,
            well_formed=True,
            rhymes=0,
            rhyme_pairs=1,
            alternating=3,
            tone_pairs=6,
        ),
    ]


# What each notebook measures. Only figures that tests often change have an argument of their own.


def baseline(**changes):
    """01_baseline."""
    fields = {
        "as_in_post": timing("as in the post"),
        "own_step": timing("own decoding step", 12.0, (2.9, 3.0, 3.1), step=records.DecodingStep.OWN),
        "samples": [sample("My trip was"), sample("我爱中国!", "我爱中国!", "拳探品的")],
        "english": outcome("My trip was", 1.0, 0),
        "chinese": outcome("我爱中国!", 50.0, 7, chinese_percent=90.0),
        "people_stories": outcome("people's stories", 0.5),
        "people_poems": outcome("Tang poets", 0.0, chinese_percent=80.0),
    }
    return records.Baseline(**(fields | changes))


def _fine_tuning(changes: dict, batch_size: int, before: tuple, after: tuple) -> dict:
    """The fields that 02 and 04 share; bits per character are given in `bits_before` and `bits_after`."""
    before, after = changes.pop("bits_before", before), changes.pop("bits_after", after)
    return {
        "training": training(batch_size=batch_size),
        "held_out_texts": len(before),
        "held_out": {"before": held_out_loss(4.5, 0.2), "after": held_out_loss(4.1, 0.3)},
        "likelihood": {"before": likelihood(before), "after": likelihood(after)},
        "bits_per_character_change": statistics.mean_difference(after, before),
    }


def text_lengths(new_tokens=(20, 25, 30, 35), ended=True, most=197):
    """How long some texts are; `ended` says whether the model ended them all, or which of them."""
    told = [ended] * len(new_tokens) if isinstance(ended, bool) else list(ended)
    median = float(sorted(new_tokens)[len(new_tokens) // 2])
    return records.TextLengths(
        texts=len(new_tokens),
        median_new_tokens=estimate(median, 0.8 * median, 1.2 * median),
        ended=sum(told),
        ended_percent=statistics.share(sum(told), len(told)),
        new_tokens=list(new_tokens),
        ended_by_model=told,
        most_new_tokens=most,
    )


def end_probability(after_sentence=0.4, in_top_k=0.1, after_text=0.1, elsewhere=0.01):
    """How likely the end token is, in percent, each with an interval of a tenth."""

    def tenth(value):
        return value if isinstance(value, Estimate) else estimate(value, 0.9 * value, 1.1 * value)

    return records.EndProbability(
        after_sentence=tenth(after_sentence),
        after_sentence_by_quarter=[15.0, 20.0, 25.0, None],
        after_sentence_in_top_k=tenth(in_top_k),
        after_text=tenth(after_text),
        elsewhere=tenth(elsewhere),
    )


def text_ends(probability=None, lengths=None, **changes):
    """Where texts end. By default the end token in training makes them short."""
    likely = {name: end_probability() for name in ("before", "without", "cut")}
    likely["after"] = end_probability(20.0, 30.0, 19.0)
    longer = text_lengths((190, 194, 197, 197), False)
    fields = {
        "training": {"texts": 4, "cut": 1, "tokens": [100, 105, 110, 128], "median_tokens": 107.5, "sentences": 20},
        "probability": likely | (probability or {}),
        "lengths": {"before": longer, "after": text_lengths(), "without": longer, "cut": longer} | (lengths or {}),
        "texts": 2,
        "cut_texts": 4,
        "bits_without_minus_after": estimate(-0.001, -0.01, 0.01),
    }
    return records.TextEnds(**(fields | changes))


def style(after_minus_before=None, after_minus_floor=None, **changes):
    """Texts against people's. By default fine-tuning brings them nearer, and not as near as other people's."""
    near = {"auc": estimate(-0.1, -0.15, -0.05), "jsd": estimate(-0.02, -0.03, -0.01)}
    far = {"auc": estimate(0.3, 0.2, 0.4), "jsd": estimate(0.05, 0.03, 0.07)}
    scores = records.StyleScores(texts=[-1.0, 0.5], people=[1.0, 0.0])
    fields = {
        "texts": 2,
        "words": 200,
        "auc": {"before": estimate(0.9, 0.8, 1.0), "after": estimate(0.8, 0.7, 0.9), "people": estimate(0.5, 0.4, 0.6)},
        "jsd": {
            "before": estimate(0.4, 0.3, 0.5),
            "after": estimate(0.38, 0.3, 0.4),
            "people": estimate(0.33, 0.3, 0.4),
        },
        "after_minus_before": near | (after_minus_before or {}),
        "after_minus_floor": far | (after_minus_floor or {}),
        "scores": {"before": scores, "after": scores, "people": scores},
    }
    return records.Style(**(fields | changes))


def learning_curve(points=((8, 1.35, 1.45), (120, 1.2, 1.3)), untrained=(1.4, 1.5)):
    """A learning curve of two held-out texts: stories and bits per character of each text."""
    return curve.learning_curve(
        likelihood(untrained), [(point[0], point[0] // 4, likelihood(point[1:])) for point in points]
    )


def reddit(before=None, after=None, **changes):
    """02_reddit_finetune; `before` and `after` are timings, `bits_before` and `bits_after` bits of each text."""
    fields = _fine_tuning(changes, 4, (1.3, 1.5), (1.2, 1.3)) | {
        "samples": [sample("before fine-tuning"), sample("after fine-tuning")],
        "examples": [["A title", "The beginning of a story"]],
        "timing": {
            "before": before or timing("before fine-tuning", 17.6, (4.9, 5.0, 5.1)),
            "after": after or timing("after fine-tuning", 16.0, (3.9, 4.0, 4.1)),
        },
        "speed_ratio": estimate(1.25, 1.2, 1.3),
        "texts": [text_group("before fine-tuning"), text_group("after fine-tuning"), text_group("people")],
        "ends": text_ends(),
        "style": style(),
        "learning_curve": learning_curve(),
    }
    return records.RedditFinetune(**(fields | changes))


def samplers(**changes):
    """03_greedy_vs_top_k."""
    fields = {
        "greedy": text_group("greedy", 3, 4, rep_4=40.0, diversity=0.5, perplexity=3.0),
        "top_k": text_group("top-k", 0, 8, rep_4=5.0, diversity=0.9, perplexity=12.0),
        "others": [text_group("top_p p=0.9", 1, 4, rep_4=4.0, diversity=0.93, perplexity=25.0)],
        "people": text_group("people", 0, 4, rep_4=1.0, diversity=0.95, perplexity=30.0),
        "same_as_greedy": {"top-k": 0, "top_p p=0.9": 1},
        "published": [
            records.PublishedRow(
                method="Greedy",
                here="greedy",
                loops_percent_published=73.66,
                loops_percent_here=75.0,
                self_bleu_4_published=0.5,
                self_bleu_4_here=0.2,
            )
        ],
        "times": [records.BatchTime(label="greedy", texts=4, new_tokens=400, batch_seconds=9.5)],
        "samples": [sample("greedy", text=" long. It was long.", rep_4_percent=40.0), sample("top-k")],
        "openings": ["My trip was"],
    }
    return records.GreedyVsTopK(**(fields | changes))


def tang(before=None, after=None, tang_poets=None, shuffled=None, **changes):
    """04_tang_poetry; the arguments are forms of poems, `bits_before` and `bits_after` bits of each poem."""
    before, after = before or poem_form(5.0, 10.0, 50.0), after or poem_form(60.0, 12.0, 55.0)
    fields = _fine_tuning(changes, 8, (14.0, 15.0), (9.0, 9.5)) | {
        "samples": [sample(label, POEM[:5], POEM[5:]) for label in ("before fine-tuning", "after fine-tuning")],
        "examples": [["孟浩然 春曉", POEM]],
        "tokens_per_character": 2.2,
        "form": {
            "before": before,
            "after": after,
            "before_by_prompt": {POEM[:5]: before},
            "after_by_prompt": {POEM[:5]: after},
            "tang_poets": tang_poets or poem_form(95.0, 90.0, 90.0),
            "shuffled": shuffled or poem_form(95.0, 5.0, 48.0),
        },
        "first_poem": [poem_line()],
        "timing": timing("after fine-tuning", 9.0, (1.9, 2.0, 2.1)),
    }
    return records.TangPoetry(**(fields | changes))


def fine_tuned(**changes):
    """What 05 takes from `tang()`."""
    theirs = tang()
    fields = {
        "machine": machine(),
        "parameters": 124_439_808,
        "training": theirs.training,
        "likelihood": theirs.likelihood,
        "form": theirs.form.after,
        "tang_poets": theirs.form.tang_poets,
        "shuffled": theirs.form.shuffled,
        "timing": timing("fine-tuned", 9.0, (1.9, 2.0, 2.1)),
        "samples": [theirs.samples[-1]],
    }
    return records.FineTunedModel(**(fields | changes))


def scratch(bits=(8.0, 8.5), **changes):
    """05_from_scratch; `bits` are those of each poem. It is better in bits and time, and no worse in form."""
    theirs = changes.get("fine_tuned", fine_tuned())
    fields = {
        "fine_tuned": theirs,
        "parameters": 3_300_000,
        "vocabulary_size": 5000,
        "prompt_tokens": {POEM[:5]: 6},
        "training": training((3.0, *[0.3] * 9), batch_size=32),
        "budget": {
            "allowed_seconds": 200.0,
            "planned_steps": 600,
            "probe_seconds": [3.0, 0.2],
            "total_seconds": 201.0,
        },
        "likelihood": likelihood(bits),
        "bits_per_character_difference": statistics.mean_difference(bits, theirs.likelihood.after.by_text),
        "samples": [sample("from scratch", POEM[:5], POEM[5:])],
        "form": poem_form(80.0, 14.0, 60.0),
        "form_by_prompt": {POEM[:5]: poem_form(80.0, 14.0, 60.0)},
        "first_poem": [poem_line()],
        "timing": timing("from scratch", 1.5, (0.1, 0.11, 0.12)),
    }
    return records.FromScratch(**(fields | changes))


def summary(**changes):
    """00_summary."""
    return records.Summary(**({"post_texts": post_texts()} | changes))


# Results of notebooks, and of all experiments.

_MEASURED = {
    "00_summary": summary,
    "01_baseline": baseline,
    "02_reddit_finetune": reddit,
    "03_greedy_vs_top_k": samplers,
    "04_tang_poetry": tang,
    "05_from_scratch": scratch,
}
_PARAMETERS = {
    "01_baseline": {"prompt": "My trip was", "chinese_prompt": "我爱中国!", "max_length": 200},
    "02_reddit_finetune": {"prompt": "My trip was", "max_length": 200},
    "03_greedy_vs_top_k": {"max_length": 140, "k": 5},
    "04_tang_poetry": {"poems_source": "npm", "prompt": POEM[:5]},
    "05_from_scratch": {"poems_source": "npm", "compare_with": "outputs/cpu/04_tang_poetry"},
}


def results(notebook, measured=None, **changes):
    """The results of a notebook; a notebook of the report needs no `measured`."""
    if measured is None:
        measured = _MEASURED[notebook]() if notebook in _MEASURED else records.Measured()
    fields = {
        "notebook": notebook,
        "profile": "cpu",
        "minutes": 3.5,
        "models": [model()],
        "corpora": [corpus()],
        "parameters": {"seed": 2024} | _PARAMETERS.get(notebook, {}),
        "machine": machine(),
        "measured": measured,
    }
    return records.Results(**(fields | changes))


def experiments(**changes):
    """The results of the five experiments. One is replaced by what it measured, or by results of its own."""
    assert set(changes) <= set(NOTEBOOKS), changes
    found = {}
    for name, notebook in NOTEBOOKS.items():
        given = changes.get(name)
        found[name] = given if isinstance(given, records.Results) else results(notebook, given)
    return Experiments(**found)


def write(result: records.Results, outputs: Path) -> Path:
    """Writes results where a notebook would, below a folder of outputs; returns the file."""
    file = Path(outputs) / result.profile / result.notebook / "results.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(records.dump(result), encoding="utf-8")
    return file
