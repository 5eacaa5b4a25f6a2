"""Write figures into the READMEs and `docs/`, each block between its two marks, and draw their picture: `make readme`.

The results are those of the committed run. The memory that the presets need is the estimate of `lib.models.memory`.
"""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from lib.claims import experiments, judgement
from lib.core import command_line, paths, records
from lib.core.records import Sampler
from lib.models import memory
from lib.report import claims_words, escaping, figures, picture, views, wording, words
from lib.report.numbers import number, target_met

PROFILE = "cpu"
FIGURE = "all_repetition"  # of the summary
QUOTED = 170  # characters of a text
SPEED = {  # the rows of the bench that the READMEs tell, by the values of their sentence
    "generate_post": ("generate, batch 1", "the post's lines"),
    "generate": ("generate, batch 1", "transformers"),
    "train_post": ("fine-tune on poems, all in float32", "the post's lines, padded"),
    "train": ("fine-tune on poems, all in float32", "transformers, packed"),
    "train_bfloat16": ("fine-tune on poems", "transformers, packed, bfloat16"),
}
WITH_XLA = ", with XLA"  # the same program compiled with XLA; the READMEs tell of the faster one
LARGEST, SHARED = "gpt2_extra_large_en", (32, 128)  # the preset, texts and tokens of the table of devices
# NVIDIA's data sheets; bytes are decimal there.
CARDS = {"T4, 16 GB": 16 * 10**9, "RTX 4090, 24 GB": 24 * 10**9, "A100, 40 GB": 40 * 10**9, "H100, 80 GB": 80 * 10**9}


def marks(name: str) -> tuple[str, str]:
    """Return the marks before and after a block."""
    return f"<!-- {name}: begin (written by `make readme`) -->", f"<!-- {name}: end -->"


def memory_block() -> str:
    """Format the memory that the post's presets need as Markdown."""
    rows = []
    for preset, shape in memory.KNOWN.items():
        needed = {
            "generate 8 x 200 tokens": memory.estimate(shape, memory.generating(8, 200)),
            "fine-tune 32 x 128": memory.estimate(shape, memory.training(32, 128)),
            "the same, mixed precision": memory.estimate(shape, memory.training(32, 128), "mixed_bfloat16"),
            "the same, a text at a time": memory.estimate(shape, memory.training(1, 128), accumulating=True),
        }
        gib = {name: f"{(bytes_ + memory.RUNTIME['GPU']) / memory.GIB:.1f} GiB" for name, bytes_ in needed.items()}
        rows.append({"preset": f"`{preset}`", "parameters": f"{shape.parameters / 1e6:,.0f} M", **gib})
    return _table(rows, {name: name for name in rows[0]})


def devices_block() -> str:
    """Format how GPUs of several sizes share the training of the post's largest preset as Markdown."""
    shape, (texts, length) = memory.KNOWN[LARGEST], SHARED
    rows = []
    for devices in (1, 2, 4, 8):
        row = {"GPUs": devices}
        for card, size in CARDS.items():
            division = memory.divided_among(devices, shape, (memory.training(texts, length),), size)
            part = memory.largest_part(shape, texts, length, 0, division, size)
            needed = memory.needed(shape, memory.training(part, length), "GPU", part < texts, division)
            told = f"{division.replicas} × {division.model}, {part} texts at a time, {needed / memory.GIB:.0f} GiB"
            row[card] = told if needed <= size else "too small"
        rows.append(row)
    return _table(rows, {name: name for name in rows[0]})


def bench_block() -> str:
    """Format the rows of `outputs/bench` as Markdown."""
    found, machine = _bench()
    if not found:
        return "No run of it is kept here yet."
    rows = [
        {
            "work": row["work"],
            "beside": row["peer"] or "",
            "ratio": _ratio(row),
            "target": ", ".join(
                filter(None, (row["target"], target_met(row["met"], row["target"], row.get("ratio_low"))))
            )
            .replace(">=", "≥")
            .replace("<=", "≤"),
        }
        for row in found
    ]
    where = (
        f"Measured on {escaping.as_markdown(machine['processor'])}, {escaping.as_markdown(machine['date'][:10])}, "
        f"beside {escaping.as_markdown(machine['peers'])}; "
        "the post's lines are KerasHub on TensorFlow, as Keras 3 runs it on a CPU: without XLA, unless a row names it. "
    )
    how = "Above 1 this project is faster. "
    report = "[The report](../outputs/bench/bench/report.html) also tells how the cost grows."
    return where + how + report + "\n\n" + _table(rows, {name: name for name in rows[0]})


def _ratio(row: dict) -> str:
    """Format the median of a row's ratios, with the lowest and the highest if there is more than one."""
    if not row["ratios"]:
        return "not measured"
    low, median, high = (number(row[f"ratio_{which}"]) for which in ("low", "median", "high"))
    return f"{median} ({low} to {high})" if len(row["ratios"]) > 1 else f"{median}, once"


def finding_block(language: str = "en") -> str:
    """Say how many claims hold in `outputs/cpu`, and how many texts loop."""
    testable = judgement.of_profile(PROFILE).testable
    (loops,) = [claim for claim in testable if claim.name == "loops"]
    return wording.say(
        "readme_finding",
        language,
        tally=claims_words.tally(testable, language),
        loops=escaping.as_markdown(claims_words.claim(loops, language)["evidence"]),
    )


def picture_block(language: str = "en") -> str:
    """Show the picture, as a link to the reports."""
    _, alt = _picture(language)
    return f"[![{escaping.as_markdown(alt)}]({picture.FILES[language]})](outputs/{PROFILE}/)"


def draw_picture(language: str) -> None:
    """Draw the picture into `docs/`."""
    file = paths.ROOT / picture.FILES[language]
    file.parent.mkdir(exist_ok=True)
    figures.save(_picture(language)[0], file, is_card=True)


def verdicts_block(language: str = "en") -> str:
    """List the claims in short, with their verdicts and the evidence."""
    rows = []
    for claim in judgement.of_profile(PROFILE).testable:
        told = claims_words.claim(claim, language)
        short = wording.say(f"short_{claim.name}", language)
        evidence = escaping.as_markdown(told["evidence"])
        rows.append({"says": short, "verdict": f"**{told['verdict']}**", "evidence": evidence})
    return _table(rows, {"says": "heading_claim", "verdict": "heading_here", "evidence": "heading_evidence"}, language)


def figure_block(language: str = "en") -> str:
    """Show one figure of the summary, and say what it shows."""
    folder = _folder() / "00_summary"
    page = views.Page(records.load(folder / "results.json"), folder, language)
    file = page.figure_file(FIGURE)
    alt, _ = views.described(page, file)
    shown = f"![{escaping.as_markdown(alt)}](outputs/{PROFILE}/00_summary/{file})"
    return f"{shown}\n\n{wording.say('readme_figure', language)}"


def loop_block(language: str = "en") -> str:
    """Quote the beginning of the first text of greedy decoding that has a loop."""
    measured = experiments.load(PROFILE).samplers.measured
    samples = [sample for sample in measured.samples if sample.sampler == Sampler.GREEDY]
    sample = next((sample for sample in samples if sample.looped_spans), samples[0])
    told = wording.say("readme_loop", language, prompt=escaping.as_markdown(sample.prompt), tokens=sample.new_tokens)
    return f"{told}\n\n{_quote(_shortened(sample.text)).rstrip()}"


def ran_block(language: str = "en") -> str:
    """Say on which machine `outputs/cpu` was measured, how long that took, and what stood in for what."""
    every = experiments.every(PROFILE)
    machine = every[0].machine
    told = wording.say(
        "readme_ran",
        language,
        processor=escaping.as_markdown(machine.processor),
        cores=machine.cores,
        minutes=sum(results.minutes for results in every),
        date=escaping.as_markdown(machine.date[:10]),
    )
    used = [stand_in for results in every for stand_in in results.stand_ins]
    if not used:
        return told
    stand_ins = escaping.as_markdown(words.stand_ins(used, language))
    return told + wording.say("readme_stand_ins", language, stand_ins=stand_ins)


def speed_block(language: str = "en") -> str:
    """Say how fast `outputs/bench` found this project beside others, in equal precision."""
    found, machine = _bench()
    ratios = {(row["work"], row["peer"]): row["ratio_median"] for row in found if row["ratios"]}
    ratios |= {
        (work, peer): min(ratio, ratios.get((work, peer + WITH_XLA), ratio)) for (work, peer), ratio in ratios.items()
    }
    if any(row not in ratios for row in SPEED.values()):
        return wording.say("readme_no_speed", language)
    told = {name: number(ratios[row], 2) for name, row in SPEED.items()}
    return wording.say("readme_speed", language, where=escaping.as_markdown(machine["processor"]), **told)


def _picture(language: str) -> tuple[Figure, str]:
    measured = experiments.load(PROFILE).samplers.measured
    return picture.draw(judgement.of_profile(PROFILE), measured, language)


def _folder() -> Path:
    return paths.outputs() / PROFILE


def _bench() -> tuple[list[dict], dict]:
    """Read the rows and the machine of `outputs/bench`; nothing if there is no run of it."""
    files = [paths.outputs() / "bench" / name for name in ("bench.json", "machine.json")]
    if not all(file.is_file() for file in files):
        return [], {}
    rows, machine = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return rows, machine


def _shortened(text: str) -> str:
    """Cut a text to about `QUOTED` characters, at a space, and put it on one line."""
    line = " ".join(text.split())
    return line if len(line) <= QUOTED else f"{line[: line.rindex(' ', 0, QUOTED)]} …"


def _quote(text: str) -> str:
    return "\n".join(f"> {escaping.as_markdown(line)}  " for line in text.splitlines())


def _table(rows: list[dict], columns: dict[str, str], language: str | None = None) -> str:
    """Format a table as Markdown.

    Args:
        rows: Values by column.
        columns: The columns to show, with their headings.
        language: The language of the headings, if they are names in `sentences/`.
    """
    headings = [wording.say(name, language) if language else name for name in columns.values()]
    lines = [" | ".join(headings), " | ".join("---" for _ in columns)]
    lines += [" | ".join(_in_a_cell(str(row[column])) for column in columns) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _in_a_cell(text: str) -> str:
    return " ".join(text.splitlines()).replace("|", "\\|")


READMES = {"en": "README.md", "zh": "README.zh-CN.md"}
IN_README = {
    "finding": finding_block,
    "picture": picture_block,
    "verdicts": verdicts_block,
    "figure": figure_block,
    "loop": loop_block,
    "ran": ran_block,
    "speed": speed_block,
}
BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    **{
        file: {name: functools.partial(block, language) for name, block in IN_README.items()}
        for language, file in READMES.items()
    },
    "docs/gpu.md": {"memory": memory_block},
    "docs/scale.md": {"devices": devices_block},
    "docs/speed.md": {"bench": bench_block},
}
"""By file, the blocks that are written into it."""


def main() -> int:
    """Replace the text between the marks, and draw the picture."""
    for name, blocks in BLOCKS.items():
        file = paths.ROOT / name
        text = file.read_text(encoding="utf-8")
        for block, written in blocks.items():
            begin, end = marks(block)
            before, _, rest = text.partition(begin)
            text = f"{before}{begin}\n\n{written()}\n\n{end}{rest.partition(end)[2]}"
        paths.write(file, text)
    for language in READMES:
        draw_picture(language)
    return 0


if __name__ == "__main__":
    sys.exit(command_line.run(main))
