"""Write figures into the READMEs, each block between its two marks: `make readme`.

The results are those of the committed run. The texts shown are the first of each kind, not the best. The memory that
the presets need is the estimate of `lib.models.memory`.
"""

import json
import sys
from pathlib import Path

from lib.claims import experiments, judgement
from lib.core import chinese, command_line, paths, records
from lib.core.records import Results, Sample
from lib.models import memory
from lib.report import escaping, phrases, views, wording
from lib.report.numbers import number, target_met

PROFILE = "cpu"
FILES = {"en": "README.md", "zh": "README.zh-CN.md"}


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


def bench_block() -> str:
    """Format the rows of `outputs/bench` as Markdown."""
    folder = paths.outputs() / "bench"
    if not (folder / "bench.json").is_file():
        return "No run of it is kept here yet."
    found, machine = (
        json.loads((folder / name).read_text(encoding="utf-8")) for name in ("bench.json", "machine.json")
    )
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
        f"Measured on {machine['processor']}, {machine['date'][:10]}, beside {machine['peers']}; "
        "the post's lines are KerasHub on TensorFlow. "
    )
    how = "Above 1 this project is faster. "
    report = "[The report](outputs/bench/bench/report.html) also tells how the cost grows."
    return where + how + report + "\n\n" + _table(rows, {name: name for name in rows[0]})


def _ratio(row: dict) -> str:
    """Format the median of a row's ratios, with the lowest and the highest if there is more than one."""
    if not row["ratios"]:
        return "not measured"
    low, median, high = (number(row[f"ratio_{which}"]) for which in ("low", "median", "high"))
    return f"{median} ({low} to {high})" if len(row["ratios"]) > 1 else f"{median}, once"


def finding_block(language: str = "en") -> str:
    """Return the finding of the summary of `outputs/cpu`."""
    return phrases.answer(records.load(_folder() / "00_summary" / "results.json"), language)


def results_block(language: str = "en") -> str:
    """Format the results of `outputs/cpu` as Markdown."""
    found, judged = experiments.load(PROFILE), judgement.of_profile(PROFILE)
    summary = records.load(_folder() / "00_summary" / "results.json")
    page = views.Page(summary, _folder() / "00_summary", language)
    figures = [f"![{views.described(page, file)[0]}](outputs/{PROFILE}/00_summary/{file})" for file in summary.figures]
    machine = found.baseline.machine
    stand_ins = phrases.stand_ins(summary.stand_ins, language)
    ran = wording.say(
        "readme_ran",
        language,
        where=f"{machine.processor}, {machine.cores} cores",
        backend=machine.keras,
        date=machine.date[:10],
    )
    parts = [
        ran + (wording.say("readme_stand_ins", language, stand_ins=stand_ins) if stand_ins else ""),
        _table(
            [phrases.claim(claim, language) for claim in judged.testable],
            {"says": "heading_claim", "verdict": "heading_here", "because": "heading_because"},
            language,
        ),
        _table(
            [phrases.beside(row, language) for row in judged.beside_post],
            {"what": "heading_what", "post": "heading_post", "here": "heading_run"},
            language,
        ),
        wording.say("readme_why", language, file=f"outputs/{PROFILE}/00_summary/report.html"),
        *figures,
        f"### {wording.say('readme_samples', language)}",
        *_samples(found, language),
        f"### {wording.say('readme_minutes', language)}",
        _table(
            [
                {
                    "report": f"[{phrases.title(results.notebook, language)}]"
                    f"(outputs/{PROFILE}/{results.notebook}/report.html)",
                    "minutes": f"{results.minutes:.1f}",
                }
                for results in (summary, *experiments.every(PROFILE))
            ],
            {"report": "heading_report", "minutes": "heading_minutes"},
            language,
        ),
    ]
    return "\n\n".join(parts)


def _folder() -> Path:
    return paths.outputs() / PROFILE


def _samples(found: experiments.Experiments, language: str) -> list[str]:
    """Return the first text of each kind."""
    told: list[str] = []

    def show(name: str, sample: Sample, poem: bool = False) -> None:
        told.append(wording.say(f"readme_{name}", language, prompt=sample.prompt, sampler=sample.sampler))
        told.append(_quote("\n".join(chinese.lines(sample.text)) if poem else sample.text))

    for sample in _first_of_each_prompt(found.baseline.measured.samples):
        show("pretrained", sample)
    show("stories", _of(found.reddit, "after fine-tuning")[0])
    show("greedy", found.samplers.measured.samples[0])
    for sample in _first_of_each_prompt(_of(found.tang, "after fine-tuning")):
        show("poem", sample, poem=True)
    for sample in _first_of_each_prompt(_of(found.scratch, "from scratch")):
        show("poem_from_scratch", sample, poem=True)
    return told


def _of(results: Results, label: str) -> list[Sample]:
    return [sample for sample in results.measured.samples if sample.label == label]


def _first_of_each_prompt(samples: list[Sample]) -> list[Sample]:
    return list({sample.prompt: sample for sample in reversed(samples)}.values())[::-1]


def _quote(text: str) -> str:
    return "\n".join(f"> {escaping.as_markdown(line)}  " for line in text.splitlines())


def _table(rows: list[dict], columns: dict[str, str], language: str | None = None) -> str:
    """Format a table as Markdown.

    Args:
        rows: Values by column.
        columns: The columns to show, with their headings.
        language: The language of the headings, if they are names in `wording.yaml`.
    """
    headings = [wording.say(name, language) if language else name for name in columns.values()]
    lines = [" | ".join(headings), " | ".join("---" for _ in columns)]
    lines += [" | ".join(_in_a_cell(str(row[column])) for column in columns) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _in_a_cell(text: str) -> str:
    return " ".join(text.splitlines()).replace("|", "\\|")


BLOCKS = {
    "en": {"finding": finding_block, "results": results_block, "bench": bench_block, "memory": memory_block},
    "zh": {"finding": lambda: finding_block("zh"), "results": lambda: results_block("zh")},
}


def main() -> int:
    """Replace the text between the marks in the READMEs."""
    for language, name in FILES.items():
        file = paths.ROOT / name
        text = file.read_text(encoding="utf-8")
        for block, written in BLOCKS[language].items():
            begin, end = marks(block)
            before, _, rest = text.partition(begin)
            text = f"{before}{begin}\n\n{written()}\n\n{end}{rest.partition(end)[2]}"
        paths.write(file, text)
    return 0


if __name__ == "__main__":
    sys.exit(command_line.run(main))
