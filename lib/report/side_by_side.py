"""Compare two reports on one page: `make compare A=03_greedy_vs_top_k B=03_greedy_vs_top_k@1f0c2d3e`.

Usage: `python -m lib.report.side_by_side A B --profile cpu`, with the names of two folders of `outputs/<profile>/`. The
page, `outputs/<profile>/compare/A--B.html`, shows the parameters and figures that differ, and the pictures and samples
of both. `A--B.zh.html` is the same page in Chinese.
"""

import argparse
import sys
from pathlib import Path

from lib.core import command_line, paths, records
from lib.core.errors import UserError
from lib.core.records import Estimate, Results, Sample
from lib.report import answers, escaping, html, numbers, views, wording, words
from lib.report.numbers import DASH
from lib.report.page import index_name, report_name

ESTIMATE = set(Estimate.model_fields)
BY_TEXT = {"by_text", "samples", "explorer", "seen"}  # what the records hold of every text
MANY = 30  # rows of a table that is folded


def read(profile: str, name: str) -> tuple[str, Results]:
    """Read a report.

    Returns:
        The name of its folder, and its results.

    Raises:
        UserError: If there is no such report, or its results cannot be read.
    """
    folder = paths.of_profile(profile)
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
    """Return the single figures of a report by their path, such as `"greedy, metrics, rep_4"`, with their intervals.

    Rows of a list are named by their label, prompt or number. Figures of every text, call and step are left out.

    Args:
        measured: A record as `model_dump` gives it.
        prefix: The path so far.
    """
    if isinstance(measured, dict) and set(measured) == ESTIMATE:
        return {prefix: _with_interval(Estimate(**measured))}
    if isinstance(measured, dict):
        items = ((name, value) for name, value in measured.items() if name not in BY_TEXT)
    elif isinstance(measured, list) and measured and all(isinstance(row, dict) for row in measured):
        items = ((row.get("label") or row.get("prompt") or number, row) for number, row in enumerate(measured, 1))
    else:
        return {prefix: numbers.number(measured)} if _is_number(measured) else {}
    found = {}
    for name, value in items:
        found |= figures(value, f"{prefix}, {name}" if prefix else str(name))
    return found


def _with_interval(estimate: Estimate) -> str:
    """Return a figure with its interval, without a word in it: the same in every language."""
    if estimate.value is None or not estimate.has_interval:
        return numbers.with_interval(estimate)
    value, low, high = numbers.parts(estimate)
    return f"{value} ({low} {DASH} {high})"


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


def page_name(a: str, b: str, language: str) -> str:
    """Return the file name of the page of two reports in a language."""
    return f"{a}--{b}.html" if language == "en" else f"{a}--{b}.{language}.html"


def page(folder: Path, a: tuple[str, Results], b: tuple[str, Results], language: str = "en") -> str:
    """Make the page, as HTML without external resources.

    Args:
        folder: The profile's folder, which contains both reports.
        a: The result of `read` for the first report.
        b: The result of `read` for the second.
        language: One of `wording.LANGUAGES`.
    """
    both = [
        {
            "name": name,
            "title": words.title(results.notebook, language),
            "answer": answers.answer(results, language),
            "stand_ins": words.stand_ins(results.stand_ins, language),
            "made": wording.say("comma", language).join(
                [results.machine.date, results.machine.processor, words.code(results.machine, language)]
            ),
            "pictures": _pictures(views.Page(results, folder / name, language)),
        }
        for name, results in (a, b)
    ]
    measured = [results.measured.model_dump(mode="json") for _, results in (a, b)]
    texts = [getattr(results.measured, "samples", []) for _, results in (a, b)]
    return (
        html.environment()
        .get_template("side_by_side.html.j2")
        .render(
            a=both[0],
            b=both[1],
            language=language,
            tag=wording.TAGS[language],
            languages=[
                {"name": wording.NAMES[one], "tag": wording.TAGS[one], "file": page_name(a[0], b[0], one)}
                for one in wording.LANGUAGES
            ],
            index=index_name(language),
            report=report_name(language),
            parameters=differences(*(results.parameters for _, results in (a, b))),
            figures=differences(*map(figures, measured)),
            samples=samples(*texts),
            many=MANY,
            style=html.style("style.css", "parts.css"),
        )
    )


def _pictures(shown: views.Page) -> list[dict[str, str]]:
    """Return a report's pictures with their descriptions, in the page's language where it was drawn."""
    made = []
    for file in shown.results.figures:
        alt, caption = views.described(shown, file)
        own = shown.folder / shown.figure_file(Path(file).stem)
        drawn = own if own.is_file() else shown.picture(file)
        made.append({"data": html.data_uri(drawn), "alt": alt, "caption": caption})
    return made


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
    folder = paths.of_profile(options.profile)
    made = folder / "compare"
    made.mkdir(exist_ok=True)
    for language in wording.LANGUAGES:
        file = made / page_name(pair[0][0], pair[1][0], language)
        paths.write(file, escaping.visible(page(folder, *pair, language)))
        print(f"{wording.NAMES[language]}: {paths.on_terminal(file)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
