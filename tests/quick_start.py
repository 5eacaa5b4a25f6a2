"""Runs a script of the tests, its arguments after it, with Keras imported and graphs run in less time.

See `lib.core.imports` and `quick_compiling`.
"""

import runpy
import sys

import quick_compiling

from lib.core import imports

with imports.many_objects_kept():
    import keras_nlp  # noqa: F401

if __name__ == "__main__":
    quick_compiling.tensorflow_quickly()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
