import jax
import jax.numpy as jnp
import pytest

from lib.evaluation import compiling


def test_spans_that_lie_inside_each_other_are_counted_once(monkeypatch):
    watch = compiling.Watch()
    for now, seconds in ((3.0, 1.0), (5.0, 4.0), (9.0, 1.0), (9.5, 1.0)):  # 2-3, 1-5, 8-9, 8.5-9.5
        monkeypatch.setattr(compiling.time, "perf_counter", lambda now=now: now)
        watch.add("/jax/core/compile/backend_compile_duration", seconds)
        watch.add("/jax/something_else", 100.0)
    assert watch.seconds == pytest.approx(4 + 1.5)
    assert compiling.Watch().seconds == 0


def test_jax_reports_what_it_compiles_and_only_while_it_is_watched():
    def once(x):
        return jnp.tanh(x @ x) + 1

    with compiling.watch() as first:
        jax.jit(once)(jnp.ones((8, 8))).block_until_ready()
    seconds = first.seconds
    assert 0 < seconds < 60
    jax.jit(lambda x: once(x) + 2)(jnp.ones((9, 9))).block_until_ready()
    assert first.seconds == seconds
