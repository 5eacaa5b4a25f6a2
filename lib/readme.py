"""Writes figures into README.md, each block between its two marks, so that it states no others: `make readme`.

The results are those of the committed run; the texts shown are the first of each kind, not the best. The memory that
the presets need is what `lib.memory` estimates.
"""

import html
import json
import sys

import pandas as pd

from lib import comparison, memory, paths, poetry, rendering, results

PROFILE = "cpu"


def marks(name: str) -> tuple[str, str]:
    """What stands before and after a block."""
    return f"<!-- {name}: begin (written by `make readme`) -->", f"<!-- {name}: end -->"


def memory_block() -> str:
    """The memory that the post's presets need, as Markdown."""
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
    return _table(rows, tuple(rows[0]))


def bench_block() -> str:
    """The rows of `outputs/bench/bench.json` as Markdown."""
    file = paths.outputs() / "bench" / "bench.json"
    if not file.is_file():
        return "No run of it is kept here yet."
    bench = json.loads(file.read_text(encoding="utf-8"))
    number = results.number
    rows = [
        {
            "work": row["work"],
            "beside": row["peer"] or "",
            "ratio": f"{number(row['ratio_median'])} ({number(row['ratio_low'])} to {number(row['ratio_high'])})"
            if row["ratios"]
            else "not measured",
            "target": (row["target"] or "").replace(">=", "≥").replace("<=", "≤")
            + {True: ", met", False: ", missed", None: ""}[row["met"]],
        }
        for row in bench["rows"]
    ]
    machine = bench["machine"]
    where = (
        f"Measured on {machine['processor']}, {machine['date'][:10]}, beside {machine['peers']}; "
        "the post's lines are KerasHub on TensorFlow. "
    )
    how = "Above 1 this project is faster; `make all` is the time now over the time before, and again in seconds. "
    report = "[The report](outputs/bench/bench/report.html) also tells how the cost grows."
    return where + how + report + "\n\n" + _table(rows, tuple(rows[0]))


def results_block() -> str:
    """The results of `outputs/cpu` as Markdown."""
    found = comparison.load_all(PROFILE)
    summary = results.load(PROFILE, "00_summary")
    figures = [f"![{figure['alt']}](outputs/{PROFILE}/00_summary/{figure['file']})" for figure in summary["figures"]]
    facts = found["01_baseline"]["provenance"]
    stand_ins = "; ".join(summary["stand_ins"])
    parts = [
        summary["answer"],
        f"Ran on {facts['processor']}, {facts['Keras backend']}, {facts['date'][:10]}."
        + (f" **Stand-ins, since no model hub could be reached: {stand_ins}.**" if stand_ins else ""),
        _table(summary["metrics"]["findings"], ("the post says", "here", "because")),
        _table(comparison.rows(found, comparison.blog_post()), ("what", "blog post", "here")),
        f"Why each pair differs: [the summary](outputs/{PROFILE}/00_summary/report.html).",
        *figures,
        "### A sample of each experiment",
        *_samples(),
        "### How long it took",
        _table(
            [
                {
                    "report": f"[{rendering.title(name)}](outputs/{PROFILE}/{name}/report.html)",
                    "minutes": f"{minutes:.1f}",
                }
                for name, minutes in _minutes(found, summary)
            ],
            ("report", "minutes"),
        ),
    ]
    return "\n\n".join(parts)


def _minutes(found: dict, summary: dict) -> list[tuple[str, float]]:
    return [(name, content["minutes"]) for name, content in {"00_summary": summary, **found}.items()]


def _samples() -> list[str]:
    baseline, reddit, samplers, tang, scratch = (
        pd.read_csv(paths.outputs() / PROFILE / name / "samples.csv", keep_default_na=False)
        for name in comparison.NOTEBOOKS
    )
    parts = []
    for prompt, rows in baseline.groupby("prompt", sort=False):
        parts += [f"The pretrained model, {prompt}, {rows.iloc[0]['sampler']}", _quote(rows.iloc[0]["text"])]
    first = reddit[reddit["prompt"] == reddit["prompt"][0]].drop_duplicates("label")
    for row in first[first["label"].str.startswith("after")].itertuples():
        parts += [f"The same, {row.label} on stories, {row.sampler}", _quote(row.text)]
    greedy = samplers.iloc[0]
    parts += [f"The fine-tuned model, {greedy['label']}", _quote(greedy["text"])]
    for (label, prompt), rows in tang.groupby(["label", "prompt"], sort=False):
        if label.startswith("after"):
            poem = "\n".join(poetry.lines(rows.iloc[0]["text"]))
            parts += [f"A poem from {prompt}, {label} on Tang poems", _quote(poem)]
    for prompt, rows in scratch[scratch["label"] == "from scratch"].groupby("prompt", sort=False):
        poem = "\n".join(poetry.lines(rows.iloc[0]["text"]))
        parts += [f"A poem from {prompt}, by the small model that was trained on poems alone", _quote(poem)]
    return parts


def _quote(text: str) -> str:
    return "\n".join("> " + html.escape(line, quote=False) + "  " for line in text.splitlines())


def _table(rows: list[dict], columns: tuple[str, ...]) -> str:
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(str(row[column]).replace("|", "\\|") for column in columns) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


BLOCKS = {"results": results_block, "bench": bench_block, "memory": memory_block}


def main() -> int:
    """Replaces what stands between the marks of README.md."""
    file = paths.ROOT / "README.md"
    text = file.read_text(encoding="utf-8")
    for name, block in BLOCKS.items():
        begin, end = marks(name)
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n\n{block()}\n\n{end}{rest.partition(end)[2]}"
    file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
