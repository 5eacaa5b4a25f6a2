"""Sets two reports side by side on a page: `make compare A=03_greedy_vs_top_k B=03_greedy_vs_top_k@1f0c2d3e`.

Usage: `python -m lib.report.side_by_side A B --profile cpu`, with the names of two folders of `outputs/<profile>/`. The page,
`outputs/<profile>/compare/A--B.html`, has the parameters and the figures in which they differ, their pictures and their
samples.
"""

import argparse
import json
import sys
from pathlib import Path

import jinja2
import pandas as pd

from lib.core import chinese, command_line, paths
from lib.core.errors import UserError
from lib.report import escaping, recorder, site

MISSING = "–"


def read(profile: str, name: str) -> dict:
    """Reads a report: its `results.json`, with its samples in `samples` and its folder's name in `name`.

    Raises:
        UserError: If there is no such report.
    """
    folder = paths.outputs() / profile
    file = folder / name / "results.json"
    if not file.is_file():
        there = ", ".join(sorted(path.parent.name for path in folder.glob("*/results.json"))) or "none"
        raise UserError(f"There is no report {name!r} in {paths.on_terminal(folder)}; there are {there}.")
    content = json.loads(file.read_text(encoding="utf-8"))
    samples = folder / name / "samples.csv"
    content["samples"] = pd.read_csv(samples, keep_default_na=False) if samples.is_file() else pd.DataFrame()
    return content | {"name": name, "folder": folder / name}


def differences(a: dict, b: dict) -> list[tuple[str, str, str]]:
    """The values that differ between two dicts, one of which may lack some: name, the first's, the second's."""
    names = [*a, *(name for name in b if name not in a)]
    return [
        (name, *(recorder.shown(one[name]) if name in one else MISSING for one in (a, b)))
        for name in names
        if name not in a or name not in b or a[name] != b[name]
    ]


def figures(metrics, prefix: str = "") -> dict[str, float | str]:
    """The single figures of a report's metrics by their path, such as `"cells, greedy, rep_4"`.

    A row of a list goes by its label, its prompt or its number; long lists of numbers (samples) are left out.
    """
    if isinstance(metrics, dict):
        items = metrics.items()
    elif isinstance(metrics, list) and metrics and all(isinstance(row, dict) for row in metrics):
        items = ((row.get("label") or row.get("prompt") or number, row) for number, row in enumerate(metrics, 1))
    else:
        return {prefix: recorder.number(metrics)} if _is_number(metrics) else {}
    found = {}
    for name, value in items:
        found |= figures(value, f"{prefix}, {name}" if prefix else str(name))
    return found


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def samples(a: pd.DataFrame, b: pd.DataFrame) -> list[tuple[str, str, str]]:
    """The texts of two reports that have the same label, prompt and number, or the same place if labels differ.

    Returns:
        For each: what it is, the first's text, the second's; a dash where one has none.
    """
    tables = [_texts(table) for table in (a, b)]
    if not set(tables[0]) & set(tables[1]):
        pairs = zip(*(list(table.items()) for table in tables), strict=False)
        return [(f"{' / '.join(one)} — {' / '.join(other)}", text, text_b) for (one, text), (other, text_b) in pairs]
    keys = [*tables[0], *(key for key in tables[1] if key not in tables[0])]
    return [(" / ".join(key), *(table.get(key, MISSING) for table in tables)) for key in keys]


def _texts(table: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    if table.empty:
        return {}
    return {(str(row.label), row.prompt, str(row.sample)): row.text for row in table.itertuples()}


def page(a: dict, b: dict) -> str:
    """The page, as HTML that needs nothing from outside."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(site.TEMPLATE), autoescape=True, trim_blocks=True)
    environment.filters["language"] = chinese.language
    environment.filters["visible"] = escaping.visible
    pictures = [
        [{**figure, "data": recorder.data_uri(one["folder"] / figure["file"])} for figure in one["figures"]]
        for one in (a, b)
    ]
    return environment.get_template("compare.html.j2").render(
        a=a,
        b=b,
        titles=[site.title(one["notebook"]) for one in (a, b)],
        parameters=differences(*(dict(one["parameters"]) for one in (a, b))),
        figures=differences(*(figures(one["metrics"]) for one in (a, b))),
        pictures=pictures,
        samples=samples(a["samples"], b["samples"]),
        style=(site.TEMPLATE / "style.css").read_text(encoding="utf-8"),
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    return command_line.run(lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lib.report.side_by_side", description="Set two reports side by side."
    )
    parser.add_argument("a", help="the folder of a report, such as 03_greedy_vs_top_k")
    parser.add_argument("b", help="another one, such as 03_greedy_vs_top_k@1f0c2d3e")
    parser.add_argument("--profile", default="cpu", help="the folder of outputs/ that holds them")
    options = parser.parse_args(arguments)
    pair = [read(options.profile, Path(name).name) for name in (options.a, options.b)]
    file = paths.outputs() / options.profile / "compare" / f"{pair[0]['name']}--{pair[1]['name']}.html"
    file.parent.mkdir(exist_ok=True)
    paths.write(file, page(*pair))
    print(f"Side by side: {paths.on_terminal(file)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
