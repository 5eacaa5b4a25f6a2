"""Choose what Keras computes with, and set it up.

Keras reads its backend when it is imported, so this module imports Keras, JAX and TensorFlow inside its functions. It
is the only module that does: all others that need them import them at the top, and are imported after `select`.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lib.core import environment, imports, programs, progress
from lib.core.errors import UserError

BACKENDS = ("tensorflow", "jax")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
# With it XLA compiles a training step for a CPU in half the time, and the step is as fast: both were measured.
# An XLA that does not know the flag ends the process, so it is set for the version of requirements/ alone.
COMPILE_FAST = "--xla_cpu_opt_preset=CPU_OPT_PRESET_FAST_COMPILE"
COMPILE_AS_USUAL = {"xla_cpu_opt_preset": "CPU_OPT_PRESET_DEFAULT"}
TRIED_WITH = "0.10.2"  # jaxlib
NVIDIA_SMI_SECONDS = 10  # it hangs if the driver is broken
_nvidia_smi_hangs = False  # once it has hung, it is not called again


@dataclass(frozen=True)
class Settings:
    """The settings that Keras computes with.

    Attributes:
        backend: `"tensorflow"` or `"jax"`.
        precision: Keras' dtype policy. The mixed ones keep float32 weights and compute in 16 bits.
        xla: Whether XLA compiles the training and generating steps: the `jit_compile` of `compile`.
        on_gpu: Whether it computes on a GPU.
        memory_growth: Whether GPU memory is taken as it is needed, not all at once.
        products: How float32 matrices are multiplied: `"float32"`, or `"TF32"`, with 10 bits of mantissa, as TensorFlow
            and JAX do where a GPU can.
        bf16_training: Whether training multiplies them in bfloat16, with 7 bits (`jax_forward.bf16_product`).
        deterministic: Whether only operations are used that give the same bits every time.
        capability: The compute capability of the GPU; 0 on a CPU.
        devices: The number of devices that share a training, see `distribution`.
    """

    backend: str
    precision: str
    xla: bool
    on_gpu: bool
    memory_growth: bool
    products: str = "float32"
    bf16_training: bool = False
    deterministic: bool = False
    capability: float = 0.0
    devices: int = 1

    def __str__(self) -> str:
        products = [f"in {self.products}"] if self.products != "float32" else []
        products += ["of training in bfloat16"] if self.bf16_training else []
        precision = self.precision + (f" (matrix products {', '.join(products)})" if products else "")
        words = [self.backend, precision, f"XLA {'on' if self.xla else 'off'}"]
        if self.deterministic:
            words.append("deterministic operations")
        if self.on_gpu:
            words.append(f"GPU memory {'as needed' if self.memory_growth else 'taken at once'}")
        return ", ".join(words)


selected: Settings | None = None  # what `select` chose last


def select(backend: str = "auto", precision: str = "auto", deterministic: bool = False, devices: str = "1") -> Settings:
    """Set Keras up; call this before Keras is imported elsewhere.

    The choices of `"auto"`, and what follows from them:

    - Backend: JAX, on a CPU and on a GPU. It compiles sooner (first training step of GPT-2's shape on two cores: 15 s
      against 28 s), and `decoding` and `packing` run on it. `make bench` measures this choice against TensorFlow. If
      JAX cannot use the GPU of the machine and TensorFlow can, it is TensorFlow, as in the blog post.
    - Precision: float32 weights, sums and results. On a processor that multiplies bfloat16 (a GPU of compute capability
      8.0 on, some CPUs) training on JAX does so: twice the products in the same time on an AMD EPYC of 2022. Naming
      float32 as the precision turns that off, and the post ran in float32. All products of a GPU that can are in TF32,
      on both backends; that is left as it is, and told. Elsewhere on a GPU with tensor cores 16 bits, see
      `fastest_precision`.
    - XLA: on with a GPU, and with JAX, which knows nothing else. Off with TensorFlow on a CPU, as Keras has it.
    - Deterministic operations: TensorFlow has them without XLA only, so it is off with them, and a run that is to be
      repeated bit for bit is no run to be timed. JAX on a CPU is deterministic in any case.
    - GPU memory: taken as it is needed, so that another program can use the GPU as well.
    - Compiled programs: JAX keeps them in the cache, see `programs`, but for those of `compiling_anew`. TensorFlow
      compiles anew in every process.

    TensorFlow carries the data (`tf.data`) in any case.

    Args:
        backend: `"tensorflow"`, `"jax"`, or `"auto"`.
        precision: `"float32"`, `"mixed_float16"`, `"mixed_bfloat16"`, or `"auto"`.
        deterministic: Whether to use operations only that give the same bits every time.
        devices: The number of devices that share a training, or `"all"`. More than one takes JAX.

    Returns:
        What was chosen. It is also kept in `backends.selected`.

    Raises:
        UserError: If a name is another one, Keras already runs on another backend, the machine has a GPU that the
            backend cannot use, or it has fewer devices.
    """
    global selected
    if backend not in ("auto", *BACKENDS):
        raise UserError(f"backend is {backend!r}; allowed are auto, {', '.join(BACKENDS)}.")
    if precision not in ("auto", *PRECISIONS):
        raise UserError(f"precision is {precision!r}; allowed are auto, {', '.join(PRECISIONS)}.")
    running = sys.modules["keras"].backend.backend() if "keras" in sys.modules else None
    environment.clean_here()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX's memory growth
    if backend == "auto":
        backend = running or _best_backend(deterministic)
    if running not in (None, backend):
        raise UserError(f"backend is {backend!r}, but Keras already runs on {running!r}. Restart the kernel.")
    os.environ["KERAS_BACKEND"] = backend
    if backend == "jax":
        _prepare_jax(deterministic)
    with imports.many_objects_kept():
        import keras

        on_gpu = _set_up_jax() if backend == "jax" else _set_up_tensorflow(deterministic)
    keras.config.set_floatx("float32")  # whatever the user's keras.json says
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    capability = compute_capability() if on_gpu else 0.0
    bf16_training = False
    if precision == "auto":
        bf16_training = backend == "jax" and (capability >= 8.0 if on_gpu else multiplies_bfloat16())
        precision = "float32" if bf16_training else fastest_precision(capability)
    products = "TF32" if precision == "float32" and capability >= 8.0 else "float32"
    keras.config.set_dtype_policy(precision)
    xla = backend == "jax" or (on_gpu and not deterministic)
    selected = Settings(
        backend,
        precision,
        xla,
        on_gpu,
        memory_growth=on_gpu,
        products=products,
        bf16_training=bf16_training,
        deterministic=deterministic,
        capability=capability,
        devices=_number_of_devices(devices, backend),
    )
    return selected


def _number_of_devices(wanted: str, backend: str) -> int:
    """Read the number of devices that share a training, and check that there are as many."""
    if wanted != "all" and not (wanted.isdecimal() and int(wanted)):
        raise UserError(f"devices is {wanted!r}; allowed are all, and a whole number from 1 up.")
    if wanted == "1" or (wanted == "all" and backend == "tensorflow"):
        return 1
    if backend == "tensorflow":
        raise UserError(f"devices is {wanted}, but TensorFlow trains on one device here. Set backend to jax.")
    import jax

    found = jax.local_devices()
    if wanted != "all" and int(wanted) > len(found):
        kind = "GPU" if found[0].platform == "gpu" else found[0].platform.upper()
        raise UserError(f"devices is {wanted}, but JAX finds {len(found)} ({kind}). Lower it, or set it to all.")
    return len(found) if wanted == "all" else int(wanted)


def _best_backend(deterministic: bool) -> str:
    """Return the backend for `"auto"`, see `select`."""
    if not has_gpu() or jax_finds_gpu(deterministic):
        return "jax"
    with imports.many_objects_kept():
        import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        progress.note(f"JAX cannot use the GPU and TensorFlow can, so TensorFlow computes.{_other_cuda()}")
        return "tensorflow"
    raise UserError(_unusable("neither JAX nor TensorFlow can"))


def jax_finds_gpu(deterministic: bool = False) -> bool:
    """Tell whether JAX can use a GPU. It looks for one at the first call only, with the settings of that time."""
    _prepare_jax(deterministic)
    import jax

    return jax.default_backend() == "gpu"


def _prepare_jax(deterministic: bool) -> None:
    """Set flags of XLA, which JAX reads when it first looks for a device."""
    flags = ["--xla_gpu_deterministic_ops=true"] if deterministic else []
    if metadata.version("jaxlib") == TRIED_WITH and not has_gpu():  # with one, TensorFlow may take JAX's place
        flags.append(COMPILE_FAST)
    given = os.environ.get("XLA_FLAGS", "").split()
    if missing := [flag for flag in flags if flag not in given]:
        os.environ["XLA_FLAGS"] = " ".join([*given, *missing])


def compiler_options() -> dict[str, str] | None:
    """Return the `compiler_options` of `jax.jit` for a program that `COMPILE_FAST` makes slower.

    That is this project's generating for a single text: a call took 7 % longer with the flag, and compiling took as
    long. KerasHub's own took 1 % longer, which is left as it is.
    """
    return COMPILE_AS_USUAL if COMPILE_FAST in os.environ.get("XLA_FLAGS", "").split() else None


def flags_for_tensorflow() -> str:
    """Return XLA_FLAGS without the flag that TensorFlow's XLA does not know, for a process that computes with it."""
    return " ".join(flag for flag in os.environ.get("XLA_FLAGS", "").split() if flag != COMPILE_FAST)


def _unusable(who: str) -> str:
    """Say that the machine's GPU cannot be used, and what to do."""
    return (
        f"nvidia-smi lists {nvidia_smi('-L').split('(')[0].strip()}, but {who} use it: its driver is too old, or "
        f"requirements/gpu.txt is not installed (run `make clean`, then `make all`).{_other_cuda()} To run on the CPU "
        "all the same, set CUDA_VISIBLE_DEVICES=-1."
    )


def _other_cuda() -> str:
    """Say that LD_LIBRARY_PATH names another CUDA than the one of requirements/gpu.txt, if it does; else `""`."""
    folders = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if folder]
    names = ("libcudart.so*", "libcudnn.so*", "libcublas.so*")
    found = [folder for folder in folders if any(any(Path(folder).glob(name)) for name in names)]
    if not found:
        return ""
    return f" LD_LIBRARY_PATH names a CUDA in {found[0]}, which may be of another version: unset LD_LIBRARY_PATH."


def fastest_precision(capability: float) -> str:
    """Return the dtype policy that uses a GPU's tensor cores.

    Args:
        capability: Its compute capability, such as 7.5 for a T4. Tensor cores for float16 came with 7.0, for bfloat16
            with 8.0 (NVIDIA, CUDA C++ Programming Guide, "Compute Capabilities").
    """
    if capability >= 8.0:
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= 7.0 else "float32"


def multiplies_bfloat16(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Return whether the processor multiplies bfloat16 values, as Linux reports it (x86 only).

    Intel's processors of the Cooper Lake and Sapphire Rapids generations and AMD's from Zen 4 on have them. Elsewhere
    such products take longer than those of float32.
    """
    try:
        lines = Path(cpuinfo).read_text().splitlines()
    except OSError:
        return False
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return "avx512_bf16" in flags or "amx_bf16" in flags


def has_gpu() -> bool:
    """Return whether the machine has an NVIDIA GPU, by the Makefile's check, without importing TensorFlow.

    TensorFlow imports Keras, and Keras chooses its backend when it is imported. `CUDA_VISIBLE_DEVICES` hides those
    that it does not list, and all if it begins with none: if it is empty, `-1` or `NoDevFiles`.
    """
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    if first in ("", "NoDevFiles") or first.startswith("-"):
        return False
    return any(line.startswith("GPU") for line in nvidia_smi("-L").splitlines())


def compute_capability() -> float:
    """Return the compute capability of the first GPU; 0 if `nvidia-smi` does not report it."""
    try:
        return float(gpu_property("compute_cap"))
    except ValueError:
        return 0.0


def gpu_property(name: str) -> str:
    """A property of the GPU that is used, without its unit, as `nvidia-smi --query-gpu` names and tells it; or `""`."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    one = [f"--id={visible}"] if visible else []
    lines = nvidia_smi(*one, f"--query-gpu={name}", "--format=csv,noheader,nounits").splitlines()
    return lines[0].strip() if lines else ""


def nvidia_smi(*arguments: str) -> str:
    """Return the output of `nvidia-smi`; `""` if it is missing, or if it has hung before."""
    global _nvidia_smi_hangs
    if _nvidia_smi_hangs:
        return ""
    try:
        process = subprocess.Popen(
            ["nvidia-smi", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        return process.communicate(timeout=NVIDIA_SMI_SECONDS)[0]
    except OSError:
        return ""
    except subprocess.TimeoutExpired:
        _nvidia_smi_hangs = True
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # while the driver holds it, it cannot be killed
            process.wait(timeout=1)
        return ""


def _set_up_jax() -> bool:
    import jax
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")  # TensorFlow only reads data here
    if kept := programs.folder():
        programs.drop_damaged(kept)
        _keep_programs_in(kept)
    on_gpu = jax.default_backend() == "gpu"
    if has_gpu() and not on_gpu:
        raise UserError(_unusable(f"JAX {jax.__version__} cannot"))
    return on_gpu


def _keep_programs_in(folder: Path) -> None:
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")  # else the folder is part of a program's name
    jax.config.update("jax_compilation_cache_dir", str(folder))
    compilation_cache.reset_cache()  # else JAX goes on with the folder that it used first


@contextlib.contextmanager
def compiling_anew():
    """Compile every program of the block, also one that an earlier run has kept; what is compiled is kept.

    The first call of a function is timed in such a block, so that it means the same in every run.
    """
    if selected is None or selected.backend != "jax" or (kept := programs.folder()) is None:
        yield
        return
    with tempfile.TemporaryDirectory() as new:
        _keep_programs_in(Path(new))
        try:
            yield
        finally:
            _keep_programs_in(kept)
            programs.adopt(Path(new), kept)


def _set_up_tensorflow(deterministic: bool) -> bool:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if has_gpu() and not gpus:
        raise UserError(_unusable(f"TensorFlow {tf.__version__} cannot"))
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return bool(gpus)


def description() -> str:
    """The backend and how it computes, in a few words; `""` where Keras was never imported."""
    if "keras" not in sys.modules:
        return ""
    return str(selected or sys.modules["keras"].backend.backend())


def device_name() -> str:
    """The processor that Keras computes on, `"CPU"` or a GPU's name; `""` where Keras was never imported."""
    if "keras" not in sys.modules:
        return ""
    if sys.modules["keras"].backend.backend() == "jax":
        import jax

        first, several = jax.devices()[0], selected.devices if selected else 1
        name = "CPU" if first.platform == "cpu" else first.device_kind
        return f"{several} × {name}" if several > 1 else name
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def waits_for_steps() -> bool:
    """Tell whether a training may wait for the result of every step. A GPU would stand still in between."""
    return not (selected and selected.on_gpu and selected.backend == "jax")


def peak_gpu_memory_gib() -> float | None:
    """The most memory of a GPU that was held so far, in GiB, as the backend counts it; None on a CPU.

    Where several GPUs share a training, it is that of the one that held most.
    """
    if selected is None or not selected.on_gpu:
        return None
    if selected.backend == "tensorflow":
        import tensorflow as tf

        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30
    import jax

    used = jax.local_devices()[: selected.devices]
    return max(device.memory_stats()["peak_bytes_in_use"] for device in used) / 2**30


def cpu_threads() -> int:
    """The threads that may compute on the CPU: TensorFlow's setting if there is one, else the cores of this process."""
    set_ = 0
    if selected is not None and selected.backend == "tensorflow":
        import tensorflow as tf

        set_ = tf.config.threading.get_intra_op_parallelism_threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return set_ or cores
