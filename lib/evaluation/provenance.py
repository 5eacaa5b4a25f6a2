"""What a report was made with: code, packages, machine, seeds and data."""

import datetime
import hashlib
import os
import platform
import resource
import subprocess
import sys
from importlib import metadata

from lib.core import backends, environment, paths
from lib.models import memory

PACKAGES = (
    "keras-nlp",
    "keras-hub",
    "keras",
    "tensorflow",
    "tensorflow-text",
    "tensorflow-datasets",
    "jax",
    "numpy",
    "pandas",
    "papermill",
    "nbconvert",
)


def collect() -> dict[str, str]:
    """Gathers what a reader needs to run the same again.

    Returns:
        Names and values, in the order in which they should be shown: code, Python, Keras' backend and device (where
        Keras is used), machine, packages and locks. No user, host or path is among them.
    """
    facts = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "code": commit(),
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "memory": f"{memory_gib():.0f} GiB, of which this notebook used {peak_memory_gib():.1f} GiB at its peak"
        + ("; freed memory is kept" if memory.keeps_freed() else ""),
    }
    if "keras" in sys.modules:
        keras = sys.modules["keras"]
        facts["Keras backend"] = str(backends.selected or keras.backend.backend())
        facts["device"] = device(keras.backend.backend())
    if aside := environment.set_aside():
        facts["environment variables set aside"] = ", ".join(aside)
    for package in PACKAGES:
        facts[package] = metadata.version(package)
    for lock in ("cpu", "gpu"):
        content = (paths.ROOT / "requirements" / f"{lock}.txt").read_bytes()
        facts[f"{lock} lock"] = "SHA-256 " + hashlib.sha256(content).hexdigest()[:16]
    return facts


def commit() -> str:
    """The commit that the code is at, and whether it was changed since."""

    def git(*arguments: str) -> str:
        # In a container the checkout may belong to another user, which git refuses unless told that it is meant.
        command = ["git", "-c", f"safe.directory={paths.ROOT}", "-C", str(paths.ROOT), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        head = git("rev-parse", "--short=12", "HEAD")
    except FileNotFoundError:
        return "unknown (git is not installed)"
    if not head:
        return "unknown (not a git checkout)"
    changed = git("status", "--porcelain", "--", ".", ":!outputs", ":!README*")
    return f"commit {head}" + (", with changes" if changed else "")


def device(backend: str) -> str:
    """The processor that a Keras backend computes on, in a few words."""
    if backend == "jax":
        import jax

        first = jax.devices()[0]
        return "CPU" if first.platform == "cpu" else first.device_kind
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def processor() -> str:
    """The processor's model name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def memory_gib() -> float:
    """The machine's main memory, in GiB; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return 0.0


def peak_memory_gib() -> float:
    """The most main memory that this process has held so far (its resident set), in GiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)
