"""Where the bench runs, and the folder of `outputs/` that its files and its page go to.

Usage: `python -m bench.where` prints that folder's name: `bench`, or on a GPU `bench-h200` and the like.
"""

import re

from lib.core import backends

CPU = "bench"
MAKERS = {"nvidia", "tesla", "geforce", "quadro", "generation"}
FORM = re.compile(r"\d+gb|hbm\d*e?|sxm\d*|pcie|nvl|mig")  # from here on a name tells the memory and the form


def short_name(card: str) -> str:
    """Returns the name of a card as a folder has it, such as `"h100"` for `"NVIDIA H100 80GB HBM3"`.

    Args:
        card: The card's name, as `nvidia-smi` tells it.
    """
    kept = []
    for word in re.findall("[a-z0-9]+", card.lower()):
        if FORM.fullmatch(word):
            break
        if word not in MAKERS:
            kept.append(word)
    return "-".join(kept) or "gpu"


def profile() -> str:
    """Returns the name of the folder: that of the GPU if the machine has one that is not hidden, else `"bench"`."""
    return f"{CPU}-{short_name(backends.gpu_property('name'))}" if backends.has_gpu() else CPU


if __name__ == "__main__":
    print(profile())
