"""What the benchmarks time with."""

import statistics
import time
from collections.abc import Callable

WARM_UP = 2  # turns in which kernels are chosen and memory is taken


def milliseconds(cases: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median time of each case; the cases take turns, so that a busy moment meets them all."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(repeats + WARM_UP):
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            if turn >= WARM_UP:
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}
