"""Import large libraries in less time, and leave them at once.

Keras and TensorFlow make many objects when they are imported, and keep them. Python's garbage collector looks through
them again and again, and finds none that it can free: half as long again for the import, and 1.5 s at the end of the
process.
"""

import atexit
import contextlib
import gc


@contextlib.contextmanager
def many_objects_kept():
    """Import in this block what makes many objects: the garbage collector leaves them alone, now and later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        leave_at_once()


def leave_at_once() -> None:
    """Let this process end without a search for garbage among its objects. The system takes back all memory."""
    atexit.register(gc.freeze)
