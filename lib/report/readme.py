"""Writes figures into the READMEs, each block between its two marks, so that they state no others: `make readme`.

The results are those of the committed run; the texts shown are the first of each kind, not the best. The memory that
the presets need is what `lib.models.memory` estimates.
"""

import json
import sys

import pandas as pd

from lib.claims import beside_post, post_claims
from lib.core import chinese, command_line, paths
from lib.models import memory
from lib.report import escaping, recorder, wording

PROFILE = "cpu"
FILES = {"en": "README.md", "zh": "README.zh-CN.md"}


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
    """The rows of `outputs/bench` as Markdown."""
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
            "target": (row["target"] or "").replace(">=", "≥").replace("<=", "≤")
            + {True: ", met", False: ", missed", None: ""}[row["met"]],
        }
        for row in found
    ]
    where = (
        f"Measured on {machine['processor']}, {machine['date'][:10]}, beside {machine['peers']}; "
        "the post's lines are KerasHub on TensorFlow. "
    )
    how = "Above 1 this project is faster; `make all` is the time now over the time before, and again in seconds. "
    report = "[The report](outputs/bench/bench/report.html) also tells how the cost grows."
    return where + how + report + "\n\n" + _table(rows, tuple(rows[0]))


def _ratio(row: dict) -> str:
    """The median of a row's ratios with the lowest and the highest, if there is more than one."""
    if not row["ratios"]:
        return "not measured"
    low, median, high = (recorder.number(row[f"ratio_{which}"]) for which in ("low", "median", "high"))
    return f"{median} ({low} to {high})" if len(row["ratios"]) > 1 else f"{median}, once"


def finding_block(language: str = "en") -> str:
    """What the summary of `outputs/cpu` says; in English where it was made before it had other languages."""
    summary = recorder.load(PROFILE, "00_summary")
    return summary.get(wording.key("answer", language)) or summary["answer"]


def results_block(language: str = "en") -> str:
    """The results of `outputs/cpu` as Markdown."""
    found, post = beside_post.load_all(PROFILE), beside_post.blog_post()
    summary = recorder.load(PROFILE, "00_summary")
    figures = [f"![{figure['alt']}](outputs/{PROFILE}/00_summary/{figure['file']})" for figure in summary["figures"]]
    facts = found["01_baseline"]["provenance"]
    stand_ins = wording.stand_ins(summary["stand_ins"], language)
    ran = wording.say(
        "readme_ran", language, where=facts["processor"], backend=facts["Keras backend"], date=facts["date"][:10]
    )
    claims, compared = post_claims.table(found, post, language), beside_post.rows(found, post, language)
    parts = [
        ran + (wording.say("readme_stand_ins", language, stand_ins=stand_ins) if stand_ins else ""),
        _table(
            claims.to_dict("records"),
            ("the post says", "here", "because"),
            [wording.say(name, language) for name in ("heading_claim", "heading_here", "heading_because")],
        ),
        _table(
            compared,
            ("what", "blog post", "here"),
            [wording.say(name, language) for name in ("heading_what", "heading_post", "heading_run")],
        ),
        wording.say("readme_why", language, file=f"outputs/{PROFILE}/00_summary/report.html"),
        *figures,
        f"### {wording.say('readme_samples', language)}",
        *_samples(language),
        f"### {wording.say('readme_minutes', language)}",
        _table(
            [
                {
                    "report": f"[{wording.say(f'title_{name}', language)}](outputs/{PROFILE}/{name}/report.html)",
                    "minutes": f"{content['minutes']:.1f}",
                }
                for name, content in {"00_summary": summary, **found}.items()
            ],
            ("report", "minutes"),
            [wording.say(name, language) for name in ("heading_report", "heading_minutes")],
        ),
    ]
    return "\n\n".join(parts)


def _samples(language: str) -> list[str]:
    baseline, reddit, samplers, tang, scratch = (
        pd.read_csv(paths.outputs() / PROFILE / name / "samples.csv", keep_default_na=False)
        for name in beside_post.NOTEBOOKS
    )
    parts = []

    def show(name: str, text: str, **values) -> None:
        parts.extend([wording.say(f"readme_{name}", language, **values), _quote(text)])

    for prompt, rows in baseline.groupby("prompt", sort=False):
        show("pretrained", rows.iloc[0]["text"], prompt=prompt, sampler=rows.iloc[0]["sampler"])
    first = reddit[reddit["prompt"] == reddit["prompt"][0]].drop_duplicates("label")
    for row in first[first["label"].str.startswith("after")].itertuples():
        show("stories", row.text, sampler=row.sampler)
    greedy = samplers.iloc[0]
    show("greedy", greedy["text"], sampler=greedy["label"])
    for (label, prompt), rows in tang.groupby(["label", "prompt"], sort=False):
        if label.startswith("after"):
            show("poem", "\n".join(chinese.lines(rows.iloc[0]["text"])), prompt=prompt)
    for prompt, rows in scratch[scratch["label"] == "from scratch"].groupby("prompt", sort=False):
        show("poem_from_scratch", "\n".join(chinese.lines(rows.iloc[0]["text"])), prompt=prompt)
    return parts


def _quote(text: str) -> str:
    return "\n".join(f"> {escaping.as_markdown(line)}  " for line in text.splitlines())


def _table(rows: list[dict], columns: tuple[str, ...], names: list[str] | None = None) -> str:
    lines = [" | ".join(names or columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(_in_a_cell(str(row[column])) for column in columns) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _in_a_cell(text: str) -> str:
    return " ".join(text.splitlines()).replace("|", "\\|")


BLOCKS = {
    "en": {"finding": finding_block, "results": results_block, "bench": bench_block, "memory": memory_block},
    "zh": {"finding": lambda: finding_block("zh"), "results": lambda: results_block("zh")},
}


def main() -> int:
    """Replaces what stands between the marks of the READMEs."""
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
