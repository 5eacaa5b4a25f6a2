import json
import types

import keras
import numpy as np
import pytest

from lib.core.errors import UserError
from lib.evaluation import timing
from lib.models import small_gpt2

POEMS = [
    "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少？",
    "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。",
    "〇丨𠀀𠀁𠂇，é㐀ab。",  # characters of two, three and four bytes, some with the same first bytes
]


@pytest.fixture
def small():
    """A model whose vocabulary is made of the poems."""
    keras.utils.set_random_seed(1)
    return small_gpt2.make(POEMS, sequence_length=32, num_layers=2, num_heads=2, hidden_dim=16)


def test_a_poem_is_timed_as_long_as_the_other_model_s_were_judged(small):
    def theirs(characters):
        return {"metrics": {"likelihood": {"after": {"cut_to": characters}}}}

    assert small_gpt2.timed_length(small, "春眠不覺曉", 32, theirs(26)) == 1 + 26  # and the start token
    assert small_gpt2.timed_length(small, "春眠不覺曉", 32, theirs(6)) == 1 + 5 + 2  # two new tokens at the least
    for sequence_length, characters, needed in ((26, 26, 27), (7, 3, 8)):
        with pytest.raises(UserError, match=f"sequence_length is {sequence_length}; .* it must be at least {needed}"):
            small_gpt2.timed_length(small, "春眠不覺曉", sequence_length, theirs(characters))


def bits(by_text):
    mean = float(np.mean(by_text))
    return {
        "texts": len(by_text),
        "cut_to": 26,
        "tokens": 23 * len(by_text),
        "characters": 23 * len(by_text),
        "bits_per_character": mean,
        "perplexity": 2**mean,
        "by_text": list(by_text),
    }


def timed(seconds):
    return {"samples": {timing.WARM: seconds}, "warm": timing.spread(seconds)}


def shares(low, high):
    found = {f"{name}_{end}": value for name in small_gpt2.SHARES for end, value in {"low": low, "high": high}.items()}
    return found | {"well_formed_percent": (low + high) / 2, "rhyme_percent": None, "rhyme_low": None}


def test_who_wins_is_told_by_the_intervals():
    own = {"likelihood": bits([8.0, 8.5, 9.0, 8.2]), "form": shares(80.0, 95.0), "timing": timed([0.1, 0.11])}
    other = {"likelihood": bits([8.9, 9.6, 9.9, 9.3]), "form": shares(40.0, 81.0), "timing": timed([2.0, 2.1])}
    own["form"]["well_formed_low"] = 82.0
    found = small_gpt2.wins(own, other)
    assert found["bits_per_character"] == found["well_formed"] == found["seconds_per_poem"] == "from scratch"
    assert found["alternating"] == "no difference within the intervals"
    assert "rhyme" not in found  # there was nothing to judge
    turned = small_gpt2.wins(other, own)
    assert turned["bits_per_character"] == turned["well_formed"] == turned["seconds_per_poem"] == "fine-tuned"
    some = {"rhyme": "fine-tuned", "well_formed": "from scratch", "seconds_per_poem": "fine-tuned"}
    told = small_gpt2.verdict(some)
    assert told.startswith("The model from scratch is better in well-formed poems; the fine-tuned model is")
    assert told.endswith("is better in rhyme, seconds per poem.")
    assert small_gpt2.wins_table(some).to_dict("list") == {
        "measure": ["rhyme", "well-formed poems", "seconds per poem"],
        "better": ["fine-tuned", "from scratch", "fine-tuned"],
    }
    mean, low, high = small_gpt2.difference(own["likelihood"], other["likelihood"])
    assert mean == pytest.approx(-1.0)
    assert low < mean < high < 0


def test_a_poem_without_a_figure_is_left_out_of_the_difference():
    mean, low, high = small_gpt2.difference(bits([8.0, 9.0, 1.0]), bits([9.0, 10.0, 1.0]) | {"by_text": [9, 10, None]})
    assert (mean, low, high) == (-1.0, -1.0, -1.0)
    told = small_gpt2.difference_told(bits([8.0, 9.0]), bits([9.0, 10.0]))
    assert "-1.00 bits per character" in told


def other_notebook(folder, **changes):
    metrics = {
        "corpora": [{"sha256": "0" * 64}],
        "training": {
            "seconds": 200.0,
            "first_step_seconds": 15.0,
            "steps": 90,
            "batch_size": 8,
            "step_milliseconds": 2000.0,
        },
        "likelihood": {"before": bits([20.0, 21.0]), "after": bits([9.0, 9.5])},
        "form": {"after": shares(40.0, 81.0)},
        "timing": [timed([2.0, 2.1])],
    }
    content = {
        "metrics": metrics | changes,
        "parameters": {"poems_source": "npm"},
        "provenance": {"date": "2026-01-01 10:00 UTC", "processor": "a processor, 2 cores", "device": "CPU"},
        "sources": ["Model: SmolLM2 (a package), 134,515,008 parameters", "Texts: Tang poems (npm)"],
    }
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")


def test_what_it_is_compared_with_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    other_notebook(tmp_path / "cpu" / "04_tang_poetry")
    theirs = small_gpt2.opponent("outputs/cpu/04_tang_poetry")
    compared = small_gpt2.compared(theirs)
    assert compared == {
        "bits_per_character": 9.25,
        "bits_per_character_before": 20.5,
        "well_formed_percent": 60.5,
        "rhyme_percent": None,
        "seconds_per_poem": 2.05,
        "training_seconds": 200.0,
        "parameters_count": 134_515_008,
    }
    told = small_gpt2.machines(theirs, theirs["provenance"])
    assert told == "The fine-tuned model was trained on 2026-01-01 10:00 UTC on a processor, 2 cores, CPU."
    assert "another machine" in small_gpt2.machines(theirs, theirs["provenance"] | {"device": "a GPU"})
    run = {"total_seconds": 201.0, "probe_seconds": [3.0, 0.2], "first_step_seconds": 3.0, "seconds": 197.8}
    run |= {"steps": 600, "batch_size": 32, "step_milliseconds": 300.0}
    found = {"parameters_count": 3_300_000, "training": run, "compared": compared, "form": shares(80.0, 95.0)}
    table = small_gpt2.trainings_table(found, theirs)
    assert list(table["seconds"]) == [201.0, 200.0]
    assert list(table["of_which_compiling_s"]) == [6.0, 15.0]
    assert list(table["poems"]) == [19200, 720]
    found |= {"likelihood": bits([8.0, 8.5]), "timing": [timed([0.1, 0.11])], "wins": {"rhyme": "fine-tuned"}}
    answer, chinese = small_gpt2.answer(found).values()
    assert "for 201 s (the fine-tuning: 200 s), needs 8.25 bits per character" in answer
    assert answer.endswith("The fine-tuned model is better in rhyme.")
    assert "200 秒），在同一批留出的诗上每字符需要 8.25 比特" in chinese and chinese.endswith(
        "微调的模型更好的方面：押韵。"
    )
    table = small_gpt2.likelihood_table({"before": theirs["metrics"]["likelihood"]["before"]})
    assert table["bits_per_character"].tolist() == [20.5]


@pytest.mark.parametrize("state", ["missing", "older"])
def test_without_the_fine_tuning_the_command_is_named(tmp_path, monkeypatch, state):
    monkeypatch.setenv("REPORT_OUTPUTS", str(tmp_path))
    if state == "older":
        other_notebook(tmp_path / "gpu" / "04_tang_poetry", likelihood={})
    with pytest.raises(UserError, match="make report NOTEBOOK=04_tang_poetry PROFILE=gpu"):
        small_gpt2.opponent("outputs/gpu/04_tang_poetry")


def test_other_poems_are_refused(tmp_path):
    other_notebook(tmp_path / "04_tang_poetry")
    theirs = small_gpt2.opponent(str(tmp_path / "04_tang_poetry"))
    small_gpt2.check_same_poems(theirs, types.SimpleNamespace(sha256="0" * 64), "npm")
    with pytest.raises(UserError, match=r"poems_source is 'github'.*from 'npm'"):
        small_gpt2.check_same_poems(theirs, types.SimpleNamespace(sha256="1" * 64), "github")
