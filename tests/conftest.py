"""What the tests share: a cache of their own, and a GPT-2 small enough to run in a moment."""

import contextlib
import gc
import json
import os
import shutil
import subprocess
import sys

import pytest
from quick_compiling import QUICKLY, read_flags, tensorflow_quickly

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["XLA_FLAGS"] = QUICKLY  # JAX reads it when a test file that is collected makes its first array
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # tests run side by side; threads would wait busily

# `make` has glibc keep freed memory. That helps trainings with gigabytes, and costs what runs here one part in twenty.
for name in [name for name in os.environ if name.startswith("MALLOC_")]:
    del os.environ[name]


# The longest files come first, so that no process is left alone with one; `make test` keeps a file in one process. The
# first one makes the reports of the profile smoke, for which another file would have to wait.
LONGEST = ["test_notebooks.py", "test_gpu_profile.py", "test_runner.py", "test_start.py", "test_reddit_tifu.py"]
LONGEST += [
    "test_browser.py",
    "test_bench.py",
    "test_backends.py",
    "test_distribution.py",
    "test_decoding.py",
    "test_new_notebook.py",
    "test_fitting.py",
    "test_packing.py",
    "test_make.py",
    "test_bench_gpu.py",
    "test_hubs.py",
    "test_samplers.py",
    "test_checkpoints.py",
    "test_closed_network.py",
]


def pytest_configure():
    gc.disable()


def pytest_collection_finish():
    """Nothing that was imported is garbage: without this, it is looked through again and again, for each test."""
    if "tensorflow" in sys.modules:
        read_flags()
    os.environ.pop("XLA_FLAGS", None)  # not for what tests start
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    """Puts the longest files first."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture
def quick_processes(monkeypatch):
    """Processes that a test has the bench start compile quickly: they take this for a runner's, clean environment."""
    from lib.core import environment

    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("XLA_FLAGS", QUICKLY)
    monkeypatch.setenv(environment.SET_ASIDE, "")


@pytest.fixture(scope="session")
def quick_kernels():
    """Notebooks compile quickly, for as long as this is used. Their own environment lets no such flag through."""
    from lib.core import environment

    cleaned = environment.for_kernel

    @contextlib.contextmanager
    def used(*more_flags):
        def with_flags(folder):
            variables, aside = cleaned(folder)
            flags = [variables.get("XLA_FLAGS", ""), QUICKLY, *more_flags]
            return variables | {"XLA_FLAGS": " ".join(flags).strip()}, aside

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(environment, "for_kernel", with_flags)
            yield

    return used


def _base(tmp_path_factory):
    """The temporary folder of the whole test run, whichever of its processes asks."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """No test reads or fills the user's cache. The processes of a test run share the programs that JAX compiles."""
    from lib.core import programs

    folder = tmp_path_factory.mktemp("cache")
    shared = _base(tmp_path_factory) / programs.NAME
    shared.mkdir(exist_ok=True)
    (folder / programs.NAME).symlink_to(shared)
    os.environ["REPORT_CACHE"] = str(folder)
    yield folder
    del os.environ["REPORT_CACHE"]


@pytest.fixture(scope="session")
def tiny_preset(own_cache):
    """The folder of the tiny random GPT-2."""
    from lib.models import stand_ins

    tensorflow_quickly()
    return stand_ins.folder("tiny_random")


@pytest.fixture
def tiny_lm(tiny_preset):
    """The tiny random GPT-2, loaded afresh."""
    from lib.models import pretrained

    return pretrained.load_causal_lm(str(tiny_preset), sequence_length=32)


@pytest.fixture(scope="session")
def presets(tiny_preset, tmp_path_factory):
    """Folders of a tiny GPT-2 and a tiny llama with two query heads for each key-value head."""
    import keras

    from lib.models import byte_level, pretrained, smollm2

    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("presets")
    gpt2 = pretrained.load_causal_lm(str(tiny_preset), sequence_length=32)
    gpt2.backbone.token_embedding.embeddings.assign(
        keras.random.normal(gpt2.backbone.token_embedding.embeddings.shape)
    )  # so that its logits are far enough from each other
    pretrained.save(gpt2, folder / "gpt2")
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *byte_level.byte_characters(), "th"]
    ids = {token: index for index, token in enumerate(tokens)}
    tokenizer = smollm2.SmolLM2Tokenizer(ids, ["t h"], special_tokens=tokens[:3])
    backbone = smollm2.SmolLM2Backbone(
        vocabulary_size=len(tokens),
        num_layers=2,
        num_query_heads=4,
        num_key_value_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        tie_word_embeddings=True,
    )
    backbone.token_embedding.embeddings.assign(keras.random.normal(backbone.token_embedding.embeddings.shape))
    preprocessor = smollm2.SmolLM2CausalLMPreprocessor(tokenizer, sequence_length=32, add_start_token=False)
    pretrained.save(smollm2.SmolLM2CausalLM(backbone=backbone, preprocessor=preprocessor), folder / "llama")
    return folder


@pytest.fixture(scope="session")
def run_apart():
    """Runs a script of the tests in a process of its own, with Keras on JAX; returns the JSON it printed last."""
    from lib.core import paths

    def run(script, *arguments, backend="jax"):
        environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1", "XLA_FLAGS": QUICKLY}
        tests = paths.ROOT / "tests"
        command = [sys.executable, tests / "quick_start.py", tests / script, *arguments]
        done = subprocess.run(command, env=environment, cwd=paths.ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def smoke_outputs(tmp_path_factory, own_cache, quick_kernels):
    """The folder with the reports of all notebooks on the smoke profile, in the order in which make runs them.

    The processes of one test run make them once; each has a copy of its own.
    """
    from lib import notebooks, runner
    from lib.core import locks

    made = _base(tmp_path_factory) / "smoke-reports"
    made.mkdir(exist_ok=True)
    with locks.only_one(made), quick_kernels(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPORT_OUTPUTS", str(made))
        if not (made / "done").is_file():
            for notebook in notebooks.in_order():
                runner.run(notebook, "smoke")
            (made / "done").touch()
    return shutil.copytree(made / "smoke", tmp_path_factory.mktemp("outputs") / "smoke")


@pytest.fixture
def no_network(monkeypatch):
    """A closed network: no server answers."""
    from lib.data import downloads

    monkeypatch.setattr(downloads, "reachable", lambda address: False)
