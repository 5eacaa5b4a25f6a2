"""Import large libraries in less time, and leave them at once.

Keras and TensorFlow make many objects when they are imported, and keep them. Python's garbage collector looks through
them again and again, and finds none that it can free: half as long again for the import, and 1.5 s at the end of the
process. Keras also imports scikit-learn, if it is there, for wrappers that nothing here uses.
"""

import atexit
import contextlib
import gc
import sys

NOT_NEEDED = "sklearn"


@contextlib.contextmanager
def many_objects_kept():
    """Import in this block what makes many objects: the garbage collector leaves them alone, now and later.

    In the block, `NOT_NEEDED` cannot be imported.
    """
    gc.disable()
    hidden = NOT_NEEDED not in sys.modules
    if hidden:
        sys.modules[NOT_NEEDED] = None  # then `import` says that there is none
    try:
        yield
    finally:
        if hidden:
            del sys.modules[NOT_NEEDED]
        gc.freeze()
        gc.enable()
        leave_at_once()


def leave_at_once() -> None:
    """Let this process end without a search for garbage among its objects. The system takes back all memory."""
    atexit.register(gc.freeze)
