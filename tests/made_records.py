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
from lib.evaluation import curve, metrics, parallelism, poem_runs, statistics
from lib.evaluation.poem_form import SHARES
from lib.sweeps import gather

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


def seen_text(label="greedy", prompt="My trip was", pieces=(" long", "."), probabilities=(0.95, 0.0004), **changes):
    """A text as the model saw it, a token a piece. Tokens of a probability below 0.5 have rank 7."""
    fields = {
        "label": label,
        "prompt": prompt,
        "sampler": label,
        "suppressed": True,
        "pieces": list(pieces),
        "tokens": [1] * len(pieces),
        "probabilities": list(probabilities),
        "ranks": [1 if one >= 0.5 else 7 for one in probabilities],
    }
    return records.SeenText(**(fields | changes))


def explorer(places=3, tokens=(" the", " a", "\n", "春"), probabilities=(0.6, 0.2, 0.1, 0.05), **changes):
    """Next-token probabilities: the same ones at every place of a text by greedy decoding and of one by people."""
    temperatures = [0.5, 1.0, 2.0]
    weights = [sum(one ** (1 / temperature) for one in probabilities) for temperature in temperatures]
    left = 1 - sum(probabilities)  # the probability of a single token that is not among the most probable
    rest = [left ** (1 / temperature) for temperature in temperatures]
    texts = [
        records.NextTokens(
            label=label,
            prompt="My trip was",
            written=[tokens[written]] * places,
            written_tokens=[written] * places,
            written_ranks=[written + 1] * places,
            best=[list(range(len(tokens)))] * places,
            probabilities=[list(probabilities)] * places,
            rest=[[other / (other + all_) for other, all_ in zip(rest, weights, strict=True)]] * places,
        )
        for label, written in (("greedy", 0), ("people", 2))
    ]
    fields = {"most": len(tokens), "suppressed": True, "temperatures": temperatures, "vocabulary": list(tokens)}
    return records.SamplerExplorer(**(fields | {"texts": texts} | changes))


def text_group(label="greedy", loops=0, texts=4, **figures):
    """A writer's texts, judged. A metric is given as an estimate, or as a number that gets an interval of a tenth."""
    found = {"words": 100.0, "rep_2": 10.0, "rep_3": 7.0, "rep_4": 5.0, "diversity": 0.9, "longest_repeated": 4.0}
    found |= {
        "loop": 100 * loops / texts,
        "loop_holtzman": 100 * loops / texts,
        "perplexity": 20.0,
        "distinct_1": 0.5,
        "distinct_2": 0.8,
        "zipf": 1.0,
    }
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
    """The form of poems; also `rhyme_secondary`, `parallel_tones` and `parallel_words`.

    A share is an estimate, or a number, which gets an interval of 5 percent each way, or None.
    """

    def share(value):
        if isinstance(value, Estimate):
            return value
        return estimate(None) if value is None else estimate(value, value - 5.0, value + 5.0)

    given = {"well_formed": well_formed, "regular_lines": regular_lines, "han": han}
    given |= {"rhyme": rhyme, "alternating": alternating, "distinct": distinct}
    for name, value in {"rhyme_secondary": 6.0, "parallel_tones": 58.0, "parallel_words": 62.0}.items():
        given[name] = changes.pop(name, value)
    fields = {
        "poems": 8,
        "shares": {name: share(given[name]) for name in SHARES},
        "rhyme_pairs": 12,
        "couplets": 16,
        "rhyme_unknown_percent": 4.0,
        "tone_pairs": 40,
        "tone_unknown_percent": 20.0,
        "copied_mean": 3.5,
        "copied_longest": 6.0,
    }
    return records.PoemForm(**(fields | changes))


def couplet_form(tones=95.0, words=90.0, **changes):
    """The parallelism of couplets; a share gets an interval of 2 percent each way."""
    shares = dict(zip(parallelism.SHARES, (tones, words), strict=True))
    told = {name: estimate(value, value - 2.0, value + 2.0) for name, value in shares.items()}
    return records.CoupletForm(**({"poems": 50, "couplets": 100, "shares": told} | changes))


def poem_scale(tang_poets=None, shuffled=None, **changes):
    """What poems are held against."""
    middle, outer = couplet_form(), couplet_form(93.0, 60.0)
    fields = {
        "tang_poets": tang_poets or poem_form(95.0, 90.0, 90.0, parallel_tones=80.0, parallel_words=72.0),
        "shuffled": shuffled or poem_form(95.0, 5.0, 48.0),
        "regulated_middle": middle,
        "regulated_outer": outer,
        "random_couplets": couplet_form(50.0, 50.0),
        "middle_minus_outer": {
            share: statistics.difference_of_estimates(middle.shares[share], outer.shares[share])
            for share in parallelism.SHARES
        },
    }
    return records.PoemScale(**(fields | changes))


def poem_run(run=1, after=None, bits=(9.0, 9.5), before=None, prompt=POEM[:5], **changes):
    """A training run whose poems after `prompt` have the form `after`; `before` is that before fine-tuning."""
    fields = {
        "run": run,
        "seed": 2023 + run,
        "steps": 4,
        "seconds": 21.5,
        "likelihood": likelihood(bits),
        "form_by_prompt": {prompt: after or poem_form()},
        "before_by_prompt": {prompt: before} if before else {},
    }
    return records.PoemRun(**(fields | changes))


def poem_line(line="春眠不覺曉", **changes):
    """A line of a poem."""
    fields = {"line": line, "characters": len(line), "regular": True, "tones": "平平中仄仄", "alternates": True}
    return records.PoemLine(**(fields | changes))


def text_quality(label="people", words=(80.0, 70.0), looped=(0.0, 0.0), broken=(0.0, 0.0), answers=None, **changes):
    """How far texts are from people's: the shares of each text, and the language of each (Chinese)."""
    answers = answers or [records.AnswerLanguage.CHINESE] * len(words)
    by_text = [
        records.TextShares(
            words=word,
            looped=loop,
            broken_bytes=byte,
            prompt_script=99.0,
            answer=answer,
            new_tokens=100,
            characters=60,
        )
        for word, loop, byte, answer in zip(words, looped, broken, answers, strict=True)
    ]
    fields = {"label": label, "texts": len(by_text), "new_tokens": 100 * len(by_text), "characters": 60 * len(by_text)}
    fields["shares"] = {
        name: statistics.mean([getattr(one, name) for one in by_text])
        for name in ("words", "looped", "broken_bytes", "prompt_script")
    }
    fields["answers_in_english"] = answers.count(records.AnswerLanguage.ENGLISH)
    fields["answers_in_chinese"] = answers.count(records.AnswerLanguage.CHINESE)
    fields["without_letters"] = words.count(None)
    return records.TextQuality(**(fields | {"by_text": by_text} | changes))


def quality(chinese=None, people_chinese=None, **changes):
    """What the model wrote after both prompts, beside what people wrote."""
    english = [records.AnswerLanguage.ENGLISH] * 2
    answers = [records.AnswerLanguage.CHINESE, records.AnswerLanguage.CHINESE, records.AnswerLanguage.ENGLISH]
    chinese = chinese or text_quality(
        "the model, Chinese prompt", (30.0, 20.0, 90.0), (60.0, 40.0, 0.0), (2.0, 1.0, 0.0), answers, seed=2024
    )
    own = [one for one in chinese.by_text if one.answer is records.AnswerLanguage.CHINESE]
    parts = [tuple(getattr(one, name) for one in own) for name in ("words", "looped", "broken_bytes")]
    fields = {
        "english": text_quality("the model, English prompt", (98.0, 97.0), answers=english, seed=2024),
        "people_stories": text_quality("people, English stories", (96.0, 97.0), answers=english),
        "chinese": chinese,
        "chinese_answers": text_quality("of these, answers in Chinese", *parts, seed=2024),
        "chinese_shuffled": text_quality(
            "those answers, shuffled", (9.0,) * len(own), *[(None,) * len(own)] * 2, seed=2024
        ),
        "people_chinese": people_chinese or text_quality("people, Chinese declaration", (80.0, 76.0), (0.0, 1.0)),
        "people_shuffled": text_quality("the declaration, shuffled", (10.0, 8.0), *[(None, None)] * 2, seed=2024),
    }
    return records.Quality(**(fields | changes))


def word_list(name="small", **changes):
    """A list of words."""
    fields = {
        "name": name,
        "per_million": 1.0,
        "used": name == "small",
        "chinese_words": 24_000,
        "english_words": 38_000,
    }
    fields["words"] = {"chinese_answers": 25.0, "people_chinese": 78.0, "people_shuffled": 9.0}
    return records.WordList(**(fields | changes))


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
        records.PostText(name="greedy", rep_4_percent=80.0, has_a_loop=True, ends_in_a_loop=True),
        records.PostText(name="chinese", rep_4_percent=45.0, has_a_loop=True, ends_in_a_loop=False),
        records.PostText(
            name="poem",
            rep_4_percent=0.0,
            has_a_loop=False,
            ends_in_a_loop=False,
            well_formed=True,
            rhymes=0,
            rhyme_pairs=1,
            alternating=3,
            tone_pairs=6,
        ),
    ]


# What each notebook measures. Only figures that tests often change have an argument of their own.


def gibberish_differences(minuend, subtrahend):
    """The differences of the shares of two groups."""
    return {
        name: statistics.difference_of_means(
            [getattr(one, name) for one in minuend.by_text], [getattr(one, name) for one in subtrahend.by_text]
        )
        for name in minuend.shares
    }


def baseline(**changes):
    """01_baseline; `quality` also makes the differences between its groups."""
    told = changes.get("quality") or quality()
    fields = {
        "as_in_post": timing("as in the post"),
        "own_step": timing("own decoding step", 12.0, (2.9, 3.0, 3.1), step=records.DecodingStep.OWN),
        "samples": [sample("My trip was"), sample("我爱中国!", "我爱中国!", "拳探品的")],
        "quality": told,
        "chinese_minus_people": gibberish_differences(told.chinese, told.people_chinese),
        "chinese_answers_minus_people": gibberish_differences(told.chinese_answers, told.people_chinese),
        "chinese_minus_english": gibberish_differences(told.chinese, told.english),
        "word_lists": [word_list(), word_list("large", per_million=0.01, chinese_words=288_000)],
        "seen": [seen_text("pretrained", seed=2024, suppressed=False), seen_text("people", "", ["人"], [0.2])],
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
        "held_out_loops": {"texts": 277, "loops": 1, "loops_holtzman": 0},
        "greedy_minus_top_k": differences(75.0),
        "greedy_minus_people": differences(75.0),
        "beside_people": {"greedy": beside_people(-0.45, 0.1), "top-k": beside_people(-0.05, 0.4)}
        | {"top_p p=0.9": beside_people(0.0, 1.0)},
        "self_reinforcement": self_reinforcement(),
        "seen": [seen_text("greedy"), seen_text("top-k", seed=2024), seen_text("people")],
        "explorer": explorer(),
    }
    return records.GreedyVsTopK(**(fields | changes))


def differences(value, **changes):
    """How greedy decoding differs in repetition, in percentage points, with intervals of 20 points each way."""
    values = dict.fromkeys(("loop", "loop_holtzman", "looped", "rep_4"), value) | changes
    return {name: estimate(one, one - 20.0, one + 20.0) for name, one in values.items()}


def beside_people(diversity, perplexity):
    """How a sampler differs from people, with intervals of 0.02 each way."""
    return records.BesidePeople(
        diversity_difference=estimate(diversity, diversity - 0.02, diversity + 0.02),
        perplexity_ratio=estimate(perplexity, perplexity - 0.02, perplexity + 0.02),
    )


def rounds(probability=(0.1, 0.6, 0.8), texts=16, change=None, **changes):
    """Probabilities round by round, with intervals of 0.05 each way."""
    near = [estimate(value, value - 0.05, value + 0.05) for value in probability]
    percent = [estimate(100 * value, 90 * value, 100.0) for value in probability]
    known = estimate(None) if len(probability) < 3 else estimate(probability[2] - probability[0])
    if known.value is not None:
        known = estimate(known.value, known.value - 0.05, known.value + 0.05)
    fields = {
        "texts": [texts] * len(probability),
        "probability": near,
        "most_probable_percent": percent,
        "top_k_percent": percent,
        "greedy_whole_percent": [estimate(100 * n / max(1, len(near)), 0.0, 100.0) for n in range(len(near))],
        "top_k_whole_percent": [estimate(25.0 * n, 0.0, 100.0) for n in range(len(near))],
        "third_minus_first": change or known,
        "by_text": [list(probability)] * texts,
    }
    return records.Rounds(**(fields | changes))


def self_reinforcement(written=None, people=None, greedy=None, **changes):
    """What a repetition does to the next one."""
    fields = {
        "rounds": 3,
        "k": 5,
        "sentences": ["He went home."] * 16,
        "written": written or rounds(),
        "people": people or rounds((0.1, 0.12, 0.11)),
        "greedy": greedy or rounds((0.3, 0.5, 0.7), texts=3),
        "written_minus_people": estimate(0.69, 0.6, 0.75),
    }
    return records.SelfReinforcement(**(fields | changes))


def tang(before=None, after=None, tang_poets=None, shuffled=None, **changes):
    """04_tang_poetry; the arguments are forms of poems, `bits_before` and `bits_after` bits of each poem.

    There is a single training run. Several are given in `runs`, records of `poem_run`.
    """
    before, after = before or poem_form(5.0, 10.0, 50.0), after or poem_form(60.0, 12.0, 55.0)
    scale = changes.pop("scale", None) or poem_scale(tang_poets, shuffled)
    runs = changes.pop("runs", None) or [poem_run(1, after, changes.get("bits_after", (9.0, 9.5)), before)]
    fields = _fine_tuning(changes, 8, (14.0, 15.0), (9.0, 9.5)) | {
        "samples": [sample(label, POEM[:5], POEM[5:]) for label in ("before fine-tuning", "after fine-tuning")],
        "examples": [["孟浩然 春曉", POEM]],
        "tokens_per_character": 2.2,
        **poem_runs.of_fine_tuning(runs, scale),
        "first_poem": [poem_line()],
        "timing": timing("after fine-tuning", 9.0, (1.9, 2.0, 2.1)),
        "seen": [
            seen_text("after fine-tuning", POEM[:5], "，處", (0.99, 0.05)),
            seen_text("孟浩然 春曉", "處", "，", [0.9]),
        ],
    }
    return records.TangPoetry(**(fields | changes))


def fine_tuned(**changes):
    """What 05 takes from `tang()`."""
    given = changes.get("likelihood")
    bits = {"bits_after": tuple(given["after"].by_text), "bits_before": tuple(given["before"].by_text)} if given else {}
    theirs = tang(after=changes.get("form"), **bits)
    fields = {
        "machine": machine(),
        "parameters": 124_439_808,
        "training": theirs.training,
        "likelihood": theirs.likelihood,
        "prompt": theirs.form.prompt,
        "form": theirs.form.after,
        "form_over_runs": theirs.after_over_runs[theirs.form.prompt],
        "scale": records.PoemScale(**{name: getattr(theirs.form, name) for name in records.PoemScale.model_fields}),
        "runs": theirs.runs,
        "timing": timing("fine-tuned", 9.0, (1.9, 2.0, 2.1)),
        "samples": [theirs.samples[-1]],
    }
    return records.FineTunedModel(**(fields | changes))


def scratch(bits=(8.0, 8.5), **changes):
    """05_from_scratch; `bits` are those of each poem. It is better in bits and time, and no worse in form."""
    theirs = changes.get("fine_tuned", fine_tuned())
    form = changes.pop("form", None) or poem_form(80.0, 14.0, 60.0)
    runs = changes.pop("runs", None) or [poem_run(1, form, bits)]
    asked = {POEM[:5]: POEM[:5]}
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
        "asked": asked,
        "samples": [sample("from scratch", POEM[:5], POEM[5:])],
        **poem_runs.of_scratch(runs, theirs, asked),
        "first_poem": [poem_line()],
        "timing": timing("from scratch", 1.5, (0.1, 0.11, 0.12)),
    }
    return records.FromScratch(**(fields | changes))


def summary(**changes):
    """00_summary."""
    return records.Summary(**({"post_texts": post_texts()} | changes))


def comparison(work, peer, here, there, precisions=("float32", "float32"), target=None):
    """A piece of work, done here and elsewhere."""
    return records.Comparison(
        work=work,
        peer=peer,
        precision_here=precisions[0],
        precision_there=precisions[1],
        here=here,
        there=there,
        target=target,
    )


def bench(**changes):
    """bench: generating is faster here, training is not in every round, and slower with bfloat16 on both sides."""
    work, peer = records.BenchWork, records.BenchPeer
    mixed, rounded = ("bfloat16", "float32"), ("bfloat16", "bfloat16")
    ours, tripled = [60.0, 62.0, 61.0], [90.0, 93.0, 96.0]
    fields = {
        "machine": {"processor": "A processor, 2 cores", "date": "2026-01-01", "jax": "1", "peers": "torch 2"},
        "measuring_minutes": 24.1,
        "weight_bytes": 4 * 124_439_808,
        "comparisons": [
            comparison(work.GENERATE_ONE, peer.KERASHUB, ours, [40.0, 41.0, 30.0]),
            comparison(work.GENERATE_ONE, peer.TRANSFORMERS, ours, [20.0, 31.0, 30.5], target=1.5),
            comparison(work.GENERATE_ONE, peer.BANDWIDTH, ours, [80.0, 80.0, 80.0], target=0.7),
            comparison(work.GENERATE_EIGHT, peer.TRANSFORMERS, tripled, [100.0, 100.0, 100.0], target=1.1),
            comparison(work.TRAIN_POEMS, peer.KERASHUB, [100.0, 110.0, 90.0], [100.0, 100.0, 100.0]),
            comparison(work.TRAIN_POEMS, peer.TRANSFORMERS_PACKED, ours, [50.0, 50.0, 50.0]),
            comparison(work.TRAIN_POEMS, peer.TRANSFORMERS_PACKED, [80.0], [100.0], rounded),
            comparison(work.TRAIN_POEMS, peer.KERASHUB, tripled, [60.0, 60.0, 60.0], mixed, target=1.55),
            comparison(work.TRAIN_PROSE, peer.TRANSFORMERS_PADDED, tripled, [60.0, 60.0, 60.0], mixed),
            comparison(work.SAMPLERS, peer.KERASHUB, [0.6], [0.2]),
        ],
        "growth": [
            records.GrowthPoint(
                by=by, new_tokens=tokens, batch=batch, parameters=parameters, seconds=[2.0, 2.2], fitted_seconds=2.1
            )
            for by, tokens, batch, parameters in (
                ("new tokens", 32, 1, 124_000_000),
                ("new tokens", 800, 1, 124_000_000),
                ("batch", 64, 1, 124_000_000),
                ("batch", 64, 8, 124_000_000),
                ("parameters", 64, 1, 124_000_000),
                ("parameters", 64, 1, 45_000_000),
            )
        ],
        "cost": records.CostModel(
            fixed_seconds=0.05,
            weights_gb_per_s=36.0,
            weights_batch_gb_per_s=12.0,
            arithmetic_gflop_per_s=150.0,
            cache_gb_per_s=None,
            median_error_percent=4.8,
            max_error_percent=15.1,
        ),
        "longest_call": records.CallCosts(
            new_tokens=1020,
            parameters=124_000_000,
            shares_percent={"fixed": 1.0, "weights": 80.0, "arithmetic": 19.0, "cache": 0.0},
        ),
        "gpu_assumptions": records.GpuAssumptions(
            new_tokens=197,
            generated_texts=8,
            generated_tokens=200,
            trained_texts=32,
            trained_tokens=128,
            bandwidth_reached=(0.3, 0.75),
            arithmetic_reached=(0.3, 0.6),
            runtime_gib=1.0,
        ),
        "gpu_estimates": [
            gpu_estimate("gpt2_base_en", "NVIDIA T4"),
            gpu_estimate("gpt2_large_en", "NVIDIA T4", fine_tuning_fits=False, texts_at_a_time=4),
            gpu_estimate("gpt2_large_en", "NVIDIA A100 80 GB"),
        ],
    }
    return records.Bench(**(fields | changes))


def bench_gpu(**changes):
    """bench on a GPU: faster than transformers, slower than its compiled training; a side was left out."""
    work, peer = records.BenchWork, records.BenchPeer
    tf32, rounded = ("TF32", "TF32"), ("bfloat16", "bfloat16")
    ours, trained = [3000.0, 3300.0, 3600.0], [400_000.0, 409_600.0, 420_000.0]
    fields = {
        "machine": {"processor": "A processor, 16 cores", "date": "2026-01-01", "jax": "1", "peers": "torch 2"},
        "measuring_minutes": 1.7,
        "comparisons": [
            comparison(work.GENERATE_ONE, peer.TRANSFORMERS_STATIC, ours, [1500.0] * 3, tf32, target=1.5),
            comparison(work.GENERATE_ONE, peer.TRANSFORMERS, ours, [200.0] * 3, tf32),
            comparison(work.GENERATE_ONE, peer.KERASHUB, ours, [1500.0] * 3, tf32),
            comparison(work.GENERATE_ONE, peer.BANDWIDTH, ours, [6600.0] * 3, tf32),
            comparison(work.GENERATE_ONE, peer.TRANSFORMERS, ours, [200.0] * 3, rounded),
            comparison(work.GENERATE_ONE, peer.TRANSFORMERS, ours, [150.0] * 3, ("TF32", "float32")),
            comparison(work.GENERATE_EIGHT, peer.KERASHUB_JAX, [20_000.0] * 3, [10_000.0] * 3, tf32),
            comparison(work.TRAIN_FULL, peer.TRANSFORMERS_COMPILED, trained, [819_200.0] * 3, rounded, target=1.1),
            comparison(work.TRAIN_FULL, peer.TRANSFORMERS, [200_000.0] * 3, [50_000.0] * 3, ("TF32", "float32")),
        ],
        "growth": [],
        "cost": None,
        "longest_call": None,
        "gpu": records.BenchGpu(
            name="NVIDIA H200",
            driver="580",
            copy_gb_per_s=[4200.0, 4300.0, 4400.0],
            tf32_tflop_per_s=[400.0, 410.0, 420.0],
            bfloat16_tflop_per_s=[700.0, 800.0, 900.0],
            parameters=124_439_808,
            step_texts=32,
            step_tokens=4096,
            left_out=[
                records.LeftOut(work=work.TRAIN_FULL, peer=peer.KERASHUB, precision="TF32", reason="UserError: no GPU"),
                records.LeftOut(work=work.GENERATE_ONE, peer=None, precision="bfloat16", reason="it did not answer"),
            ],
        ),
    }
    return bench(**(fields | changes))


def gpu_estimate(preset, gpu, **changes):
    """A preset on a GPU."""
    fields = {
        "call_least_s": 0.3,
        "call_expected_low_s": 0.4,
        "call_expected_high_s": 1.0,
        "step_least_s": 0.4,
        "step_expected_low_s": 0.6,
        "step_expected_high_s": 1.2,
        "generating_gib": 2.3,
        "fine_tuning_gib": 11.1,
        "generating_fits": True,
        "fine_tuning_fits": True,
        "texts_at_a_time": 32,
    }
    return records.GpuEstimate(preset=preset, gpu=gpu, **(fields | changes))


def sweep_runs(found, half=2.0):
    """Runs of a sweep with two figures: by setting (learning rate and k), the first figure for each seed."""
    return [
        records.SweepRun(
            id=f"{rate}-{k}-{seed}",
            point={"learning_rate": rate, "k": k, "seed": seed},
            report="report.html",
            minutes=2.0,
            values=[estimate(value, value - half, value + half), estimate(value / 10)],
        )
        for (rate, k), values in found.items()
        for seed, value in enumerate(values, 1)
    ]


def sweep_figure(path, unit, better, en, zh):
    """A figure that a sweep gathers."""
    return records.SweepFigure(path=path, name={"en": en, "zh": zh}, unit=unit, better=better)


def _each_once(values):
    found = []
    for value in values:
        found += [] if value in found else [value]
    return found


def sweep(runs=None, seeds=("seed",), **changes):
    """A sweep over two parameters and two seeds. A rate of 0.01 is clearly the best, with either k."""
    found = {(0.001, 5): (10, 14), (0.001, 40): (11, 12), (0.01, 5): (40, 44), (0.01, 40): (41, 42)}
    runs = sweep_runs(found) if runs is None else runs
    figures = [
        sweep_figure("form.rhyme", "%", "higher", "pairs that rhyme", "押韵的句对"),
        sweep_figure("bits", "bits", "", "bits per character", "每字符比特数"),
    ]
    settings = gather.settings(runs, list(seeds), figures)
    fields = {
        "name": "made_up",
        "question": {"en": "Does it matter?", "zh": "有影响吗？"},
        "notebook": "04_tang_poetry",
        "run_profile": "cpu",
        "fixed": {"num_runs": 1},
        "grid": {name: _each_once(run.point[name] for run in runs) for name in runs[0].point},
        "seeds": list(seeds),
        "at_once": 1,
        "machines": [records.SweepMachine(processor="A CPU", cores=2, device="CPU")],
        "sweep_figures": figures,
        "runs": runs,
        "settings": settings,
        "spreads": [gather.spread(runs, settings, index, list(seeds)) for index in range(2)],
        "differences": gather.differences(runs, figures, list(seeds)),
    }
    return records.Sweep(**(fields | changes))


# Results of notebooks, and of all experiments.

_MEASURED = {
    "00_summary": summary,
    "01_baseline": baseline,
    "02_reddit_finetune": reddit,
    "03_greedy_vs_top_k": samplers,
    "04_tang_poetry": tang,
    "05_from_scratch": scratch,
    "bench": bench,
    "06_sweep": sweep,
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
