import json
import os

import nbformat
import pytest

from lib.core import notebook_files, parameters, paths
from lib.core.errors import UserError

SOURCE = (paths.NOTEBOOKS / "01_baseline.ipynb").read_text(encoding="utf-8")
DAMAGED = {
    "empty": "",
    "cut": SOURCE[:3000],
    "conflict": SOURCE.replace('"cells"', '<<<<<<< HEAD\n"cells"', 1),
    "no cells": '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "numbers": '{"cells": [3], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "list": "[]",
    "no version": json.dumps({name: part for name, part in json.loads(SOURCE).items() if name != "nbformat"}),
    "deep": "[" * 30000,
    "not UTF-8": b"\xff\xfe{}",
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_file_that_is_no_notebook_is_told_in_a_line(tmp_path, how):
    file, content = tmp_path / "it.ipynb", DAMAGED[how]
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for read in (notebook_files.read, parameters.declared):
        with pytest.raises(UserError, match=r"it\.ipynb is not a notebook: it is cut off, damaged, or holds") as error:
            read(file)
        assert "\n" not in str(error.value)


def test_one_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match=r"it\.ipynb cannot be read: No such file or directory"):
        notebook_files.read(tmp_path / "it.ipynb")
    os.mkdir(tmp_path / "it.ipynb")
    with pytest.raises(UserError, match=r"it\.ipynb cannot be read: Is a directory"):
        notebook_files.read(tmp_path / "it.ipynb")


def test_a_notebook_is_read(tmp_path):
    assert notebook_files.read(paths.NOTEBOOKS / "01_baseline.ipynb") == nbformat.reads(SOURCE, as_version=4)


@pytest.mark.parametrize(
    "source", ["<<<<<<< HEAD\na: int = 3\n=======\n", "a: int = 3 +\n", "a: int = open('x')\n", "a: int = (3\n"]
)
def test_a_parameters_cell_that_is_not_python_is_told(tmp_path, source):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})],
    )
    nbformat.write(notebook, tmp_path / "it.ipynb")
    with pytest.raises(UserError, match=r"it\.ipynb: its cell of parameters cannot be read"):
        parameters.declared(tmp_path / "it.ipynb")


@pytest.mark.parametrize("line", ["a: int", "(a).b: int = 3", "a.b: int = 3", "a[0]: int = 3", "a = 3"])
def test_a_line_that_declares_no_parameter_is_told(line):
    with pytest.raises((UserError, SyntaxError)):
        parameters.parse(line)
