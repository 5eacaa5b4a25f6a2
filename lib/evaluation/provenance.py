"""Record what a report was made with: code, packages, machine."""

import datetime
import hashlib
import os
import platform
import resource
import subprocess
import sys
from importlib import metadata

from lib.core import backends, environment, paths
from lib.core.records import Machine, PeakMemoryOf
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


def collect() -> Machine:
    """Collect what a reader needs to reproduce a run: code, packages, machine."""
    commit, changed, why_not = code()
    locks = {
        lock: hashlib.sha256((paths.ROOT / "requirements" / f"{lock}.txt").read_bytes()).hexdigest()[:16]
        for lock in ("cpu", "gpu")
    }
    return Machine(
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=commit,
        code_changed=changed,
        no_commit_because=why_not,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        cores=os.cpu_count() or 1,
        memory_gib=memory_gib(),
        peak_memory_gib=peak_memory_gib(),
        keeps_freed_memory=memory.keeps_freed(),
        keras=backends.description(),
        device=backends.device_name(),
        variables_set_aside=environment.set_aside(),
        packages={package: metadata.version(package) for package in PACKAGES},
        locks=locks,
    )


def code() -> tuple[str | None, bool, str]:
    """Return the commit of the code, whether the code has changed since, and why the commit is unknown, or `""`."""

    def git(*arguments: str) -> str:
        # In a container, the checkout may belong to another user; git then refuses unless it is declared safe.
        command = ["git", "-c", f"safe.directory={paths.ROOT}", "-C", str(paths.ROOT), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        head = git("rev-parse", "--short=12", "HEAD")
    except FileNotFoundError:
        return None, False, "git is not installed"
    if not head:
        return None, False, "not a git checkout"
    return head, bool(git("status", "--porcelain", "--", ".", ":!outputs", ":!README*", ":!docs")), ""


def processor() -> str:
    """Return the processor's model name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def memory_gib() -> float:
    """Return the machine's main memory in GiB; 0 if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return 0.0


def peak_memory_gib() -> float:
    """Return the largest main memory of this process so far (its resident set), in GiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def peak_memory() -> tuple[float, PeakMemoryOf]:
    """Return the peak memory so far, in GiB, and its owner: the GPU as the backend counts it, or this process."""
    on_gpu = backends.peak_gpu_memory_gib()
    if on_gpu is None:
        return peak_memory_gib(), PeakMemoryOf.PROCESS
    by_tensorflow = backends.selected.backend == "tensorflow"
    return on_gpu, PeakMemoryOf.TENSORFLOW_GPU if by_tensorflow else PeakMemoryOf.JAX_GPU
