"""Adding a notebook, as CONTRIBUTING.md tells: its file, a YAML file a profile, a line in the list, and its phrases."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from lib import notebooks
from lib.core import paths

NAME = "06_counting"
CELLS = [
    ("markdown", "# Counting words\n\n**Question.** How many words has a sentence?", []),
    ("code", "from lib.report import recorder", []),
    (
        "code",
        'sentence: str = "My trip was long"  # what is counted\nprofile: str = "lab"  # set by the runner\n'
        'output_dir: str = "outputs/lab/06_counting"  # set by the runner',
        ["parameters"],
    ),
    ("code", f'report = recorder.Recorder("{NAME}", globals())\nreport.measured.words = len(sentence.split())', []),
    ("code", "report.finish()", []),
]
LINE = f'    Notebook("{NAME}"),\n'
PHRASES = f"""
title_{NAME}:
  en: Counting words
  zh: 数单词
answer_{NAME}:
  en: The sentence has {{words}} words.
  zh: 这句话有 {{words}} 个单词。
"""
CHINESE = "<!-- cell 0 -->\n# 数单词\n\n**问题。** 一个句子有多少个单词？\n"
FOR_TESTS = ("tests", "docs", "outputs", "README.md", "README.zh-CN.md")
TESTS = (
    "core/test_records.py",
    "core/test_parameters.py",
    "report/test_translation.py",
    "report/test_wording.py",
    "report/test_views.py",
    "report/test_phrases.py",
    "report/test_site.py",
    "report/test_side_by_side.py",
    "report/test_nothing_reads_the_words.py",
)
# What concerns the other notebooks alone.
OTHERS = [one.name for one in notebooks.ALL]
OTHERS += ["figures_draw_the_same", "two_reports_still_differ", "the_judgement_that_is_written"]
# The same pages once more, from other figures of the other notebooks.
OTHER_VERDICTS = (
    "tests/report/test_nothing_reads_the_words.py"
    "::test_what_is_recorded_stays_the_same_and_the_pages_are_still_made[other verdicts]"
)
ANSWER = f'    "{NAME}": lambda results, language: {{"words": results.measured.words}},\n'


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with one more notebook."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("Makefile", "pyproject.toml", "requirements", "experiments", "notebooks", "lib", *FOR_TESTS):
        source = paths.ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("model", "failed", "__pycache__"))
        else:
            shutil.copy(source, folder / name)
    notebook = nbformat.v4.new_notebook()
    for number, (kind, source, tags) in enumerate(CELLS):
        make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        cell = make(source, id=str(number))
        notebook.cells.append(cell)
        if tags:
            cell.metadata["tags"] = tags
    nbformat.write(notebook, folder / "notebooks" / f"{NAME}.ipynb")
    (folder / "notebooks" / "zh" / f"{NAME}.md").write_text(CHINESE, encoding="utf-8")
    for profile in ("cpu", "gpu", "gpu-stand-ins", "smoke"):
        (folder / "experiments" / profile / f"{NAME}.yaml").write_text("sentence: The night was dark and long\n")
    insert(folder / "lib" / "notebooks.py", '    Notebook("05_from_scratch"', LINE, after_line=True)
    insert(folder / "lib" / "report" / "answers.py", '    "05_from_scratch": _answer_scratch', ANSWER, after_line=True)
    (folder / "lib" / "report" / "sentences" / f"{NAME}.yaml").write_text(PHRASES, encoding="utf-8")
    with open(folder / "lib" / "report" / "labels.zh.yaml", "a", encoding="utf-8") as file:
        file.write('"what is counted": 要数的句子\n')
    return folder


def insert(file, where, text, after_line):
    content = file.read_text(encoding="utf-8")
    assert content.count(where) == 1
    end = content.index("\n", content.index(where)) + 1
    file.write_text(content[:end] + text + content[end:], encoding="utf-8")


def run(project, *command):
    environment = {**os.environ, "PYTHONPATH": str(project), "REPORT_OUTPUTS": str(project / "own")}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_make_runs_it_before_the_summary(project):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-n", "reports", "PROFILE=smoke", f"PYTHON={sys.executable}", "REPORT_GPUS=0"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    ran = [line.split()[3] for line in done.stdout.splitlines() if " -m lib.runner " in line]
    assert ran.index(NAME) == ran.index("00_summary") - 1


def test_it_is_run_told_and_indexed_in_both_languages(project):
    run(project, sys.executable, "-m", "lib.runner", NAME, "--profile", "smoke")
    folder = project / "own" / "smoke"
    page = (folder / NAME / "report.html").read_text(encoding="utf-8")
    assert '<p class="answer">The sentence has 6 words.</p>' in page
    assert "<title>Counting words</title>" in page
    english, chinese = ((folder / name).read_text(encoding="utf-8") for name in ("index.html", "index.zh.html"))
    assert "Counting words" in english and "The sentence has 6 words." in english
    assert "数单词" in chinese and "这句话有 6 个单词。" in chinese
    run(project, sys.executable, "-m", "lib.report.site", "--profile", "smoke")
    assert page == (folder / NAME / "report.html").read_text(encoding="utf-8")
    assert "一个句子有多少个单词？" in (folder / NAME / "report.zh.html").read_text(encoding="utf-8")


def test_the_tests_pass_with_it_as_they_are(project):
    pytest_of_it = [sys.executable, "-m", "pytest", "-rp", "-p", "no:cacheprovider", "--deselect", OTHER_VERDICTS]
    pytest_of_it += ["-k", f"not ({' or '.join(OTHERS)})"]
    told = run(project, *pytest_of_it, *(f"tests/{one}" for one in TESTS))
    end = told.splitlines()[-1]
    assert " passed" in end and "failed" not in end and "skipped" not in end
    assert f"[{NAME}" in told
