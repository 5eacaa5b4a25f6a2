"""What must hold of the rooms of lib/ beyond the arrows, which import-linter checks in `make lint`."""

import subprocess
import sys

import pytest

from lib.core import paths

ENGINES = {"keras", "keras_nlp", "keras_hub", "tensorflow", "jax"}
SLOW = {"sklearn", "scipy.stats", "scipy.sparse", "tensorflow_datasets"}  # to import


@pytest.mark.parametrize("module", ["lib.report.site", "lib.report.readme", "lib.report.side_by_side", "lib.runner"])
def test_pages_are_made_and_help_is_given_without_a_large_library(module):
    code = f"import sys, {module}; print(*sorted({ENGINES | SLOW} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_list_of_notebooks_and_the_cache_need_python_alone():
    for module in ("lib/notebooks.py", "lib/data/cache.py"):
        code = f"import sys; sys.argv = ['x']; sys.path.insert(0, '.'); import runpy; runpy.run_path({module!r})"
        done = subprocess.run([sys.executable, "-S", "-c", code], cwd=paths.ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
