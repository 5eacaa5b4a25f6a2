"""What the tests share: a cache of their own, and a GPT-2 small enough to run in a moment."""

import os

import pytest

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """No test reads or fills the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["REPORT_CACHE"] = str(folder)
    yield folder
    del os.environ["REPORT_CACHE"]


@pytest.fixture(scope="session")
def tiny_preset(own_cache):
    """The folder of the tiny random GPT-2."""
    from lib import stand_in

    return stand_in.folder("tiny_random")


@pytest.fixture
def tiny_lm(tiny_preset):
    """The tiny random GPT-2, loaded afresh."""
    from lib import models

    return models.load_causal_lm(str(tiny_preset), sequence_length=32)


@pytest.fixture
def no_network(monkeypatch):
    """A closed network: no server answers."""
    from lib import downloads

    monkeypatch.setattr(downloads, "reachable", lambda address: False)
