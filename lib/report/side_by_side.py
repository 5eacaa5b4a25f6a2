"""Compare two reports on one page: `make compare A=03_greedy_vs_top_k B=03_greedy_vs_top_k@1f0c2d3e`.

Usage: `python -m lib.report.side_by_side A B --profile cpu`, with the names of two folders of `outputs/<profile>/`. The
page, `outputs/<profile>/compare/A--B.html`, shows the parameters and figures that differ, and the pictures and samples
of both.
"""

import argparse
import sys
from pathlib import Path

from lib.core import command_line, paths, records
from lib.core.errors import UserError
from lib.core.records import Results, Sample
from lib.report import answers, html, numbers, views, words
from lib.report.numbers import DASH


def read(profile: str, name: str) -> tuple[str, Results]:
    """Read a report.

    Returns:
        The name of its folder, and its results.

    Raises:
        UserError: If there is no such report, or its results cannot be read.
    """
    folder = paths.outputs() / profile
    try:
        return name, records.load(folder / name / "results.json")
    except FileNotFoundError:
        there = ", ".join(sorted(path.parent.name for path in folder.glob("*/results.json"))) or "none"
        raise UserError(f"There is no report {name!r} in {paths.on_terminal(folder)}; there are {there}.") from None


def differences(a: dict, b: dict) -> list[tuple[str, str, str]]:
    """List the values that differ between two dicts, either of which may lack some: name, the first's, the second's."""
    names = [*a, *(name for name in b if name not in a)]
    return [
        (name, *(numbers.parameter(one[name]) if name in one else DASH for one in (a, b)))
        for name in names
        if name not in a or name not in b or a[name] != b[name]
    ]


def figures(measured, prefix: str = "") -> dict[str, str]:
    """Return the single figures of a report by their path, such as `"greedy, metrics, rep_4, value"`.

    Rows of a list are named by their label, prompt or number; lists of numbers (every call, every step) are left out.

    Args:
        measured: A record as `model_dump` gives it.
        prefix: The path so far.
    """
    if isinstance(measured, dict):
        items = measured.items()
    elif isinstance(measured, list) and measured and all(isinstance(row, dict) for row in measured):
        items = ((row.get("label") or row.get("prompt") or number, row) for number, row in enumerate(measured, 1))
    else:
        return {prefix: numbers.number(measured)} if _is_number(measured) else {}
    found = {}
    for name, value in items:
        found |= figures(value, f"{prefix}, {name}" if prefix else str(name))
    return found


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def samples(a: list[Sample], b: list[Sample]) -> list[tuple[str, str, str]]:
    """Pair the texts of two reports by label, prompt and number, or by position if the labels differ.

    Returns:
        For each pair: its name, the first's text, the second's; a dash if one is missing.
    """
    tables = [{(one.label, one.prompt, str(one.number)): one.text for one in texts} for texts in (a, b)]
    if not set(tables[0]) & set(tables[1]):
        pairs = zip(*(list(table.items()) for table in tables), strict=False)
        return [(f"{' / '.join(one)} — {' / '.join(other)}", text, text_b) for (one, text), (other, text_b) in pairs]
    keys = [*tables[0], *(key for key in tables[1] if key not in tables[0])]
    return [(" / ".join(key), *(table.get(key, DASH) for table in tables)) for key in keys]


def page(folder: Path, a: tuple[str, Results], b: tuple[str, Results]) -> str:
    """Make the page, as HTML without external resources.

    Args:
        folder: The profile's folder, which contains both reports.
        a: The result of `read` for the first report.
        b: The result of `read` for the second.
    """
    both = [
        {
            "name": name,
            "title": words.title(results.notebook),
            "answer": answers.answer(results),
            "stand_ins": words.stand_ins(results.stand_ins),
            "made": f"{results.machine.date}, {results.machine.processor}, {words.code(results.machine)}",
            "pictures": [_picture(views.Page(results, folder / name), file) for file in results.figures],
        }
        for name, results in (a, b)
    ]
    measured = [results.measured.model_dump(mode="json") for _, results in (a, b)]
    texts = [getattr(results.measured, "samples", []) for _, results in (a, b)]
    for one in measured:
        one.pop("samples", None)
    return (
        html.environment()
        .get_template("side_by_side.html.j2")
        .render(
            a=both[0],
            b=both[1],
            parameters=differences(*(results.parameters for _, results in (a, b))),
            figures=differences(*map(figures, measured)),
            samples=samples(*texts),
            style=html.style("style.css", "parts.css"),
        )
    )


def _picture(shown: views.Page, file: str) -> dict[str, str]:
    alt, caption = views.described(shown, file)
    return {"data": html.data_uri(shown.folder / file), "alt": alt, "caption": caption}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Return the exit status."""
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
    folder = paths.outputs() / options.profile
    file = folder / "compare" / f"{pair[0][0]}--{pair[1][0]}.html"
    file.parent.mkdir(exist_ok=True)
    paths.write(file, page(folder, *pair))
    print(f"Side by side: {paths.on_terminal(file)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
