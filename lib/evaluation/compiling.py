"""Count the seconds that JAX spends on compiling, as JAX reports them."""

import contextlib
import time

import jax

EVENTS = "/jax/core/compile/"  # tracing to a jaxpr, lowering to MLIR, compiling by XLA


class Watch:
    """The times at which JAX traced, lowered or compiled.

    Attributes:
        spans: The beginning and the end of each, by `time.perf_counter`. They may lie inside each other.
    """

    def __init__(self):
        self.spans: list[tuple[float, float]] = []

    def add(self, event: str, seconds: float, **_) -> None:
        """Take down an event that has just ended, if it is part of compiling."""
        if event.startswith(EVENTS):
            now = time.perf_counter()
            self.spans.append((now - seconds, now))

    @property
    def seconds(self) -> float:
        """The seconds in which at least one of them went on."""
        total, until = 0.0, float("-inf")
        for start, end in sorted(self.spans):
            total += max(0.0, end - max(start, until))
            until = max(until, end)
        return total


@contextlib.contextmanager
def watch():
    """Watch JAX for as long as the block runs.

    Yields:
        A `Watch`; it stays empty where another backend computes.
    """
    watching = Watch()
    jax.monitoring.register_event_duration_secs_listener(watching.add)
    try:
        yield watching
    finally:
        jax.monitoring.unregister_event_duration_listener(watching.add)
