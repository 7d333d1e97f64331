"""How long something takes."""

import statistics
import time
from collections.abc import Callable

_LEAST = 0.2  # seconds that are measured at least
_TURNS = 3


def seconds(work: Callable[[], object]) -> float:
    """Median time of a call, after one that does not count; short ones are called more often."""
    work()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < _TURNS or time.perf_counter() - began < _LEAST:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
