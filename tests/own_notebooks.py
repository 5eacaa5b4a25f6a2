"""Notebooks of a test's own, which the kernel finds too."""

from lib import kernels


def arguments(folder) -> list[str]:
    """The kernel's arguments, `kernels.ARGUMENTS`, with which it looks for notebooks in a folder."""
    patch = f"from pathlib import Path; from lib.core import paths; paths.NOTEBOOKS = Path({str(folder)!r})"
    return [*kernels.ARGUMENTS, f"--IPKernelApp.exec_lines={patch}"]
