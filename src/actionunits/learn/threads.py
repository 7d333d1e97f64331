"""As many threads an operation as there are cores that nobody else uses.

The threads of an operation share it equally and wait for the last of them, thousands of times a
step. One thread whose core another program uses too therefore holds all of them up: on two cores
one such program leaves two threads a sixth of their rate, and one thread all of its own. How much
of the processor the threads get tells of it: 1.99 of 2 cores when nobody disturbs, 1.13 then.

As long as nobody disturbs nothing changes, so that a run can be repeated to the last bit. Whoever
wants that beside other programs too sets the environment variable OMP_NUM_THREADS, which is left
as it is.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import torch

_WINDOW = 1.0  # seconds of work that are judged together
_WHOLE = 0.9  # share of their cores that threads get which nobody disturbs
_IDLE = 0.8  # of a core, from which on it is free
_PAUSE = 30.0  # seconds until more are tried after they were too many; then twice as long, ...
_LONGEST = 960.0


def idle_cores() -> float:
    """Cores that nobody has used since this was last asked."""
    busy: float = psutil.cpu_percent()
    return (psutil.cpu_count() or 1) * (1 - busy / 100)


class Threads:
    """Sets the number of PyTorch's threads by what they get of the processor.

    Args:
        most: threads.
        change: sets their number.
        clock: seconds.
        used: seconds of processor time that this process has had.
        idle: cores that nobody uses.
    """

    def __init__(
        self,
        most: int,
        change: Callable[[int], None] = torch.set_num_threads,
        clock: Callable[[], float] = time.perf_counter,
        used: Callable[[], float] = time.process_time,
        idle: Callable[[], float] = idle_cores,
    ) -> None:
        self._most, self._change, self._idle = most, change, idle
        self._clock, self._used = clock, used
        self.count = most
        """How many there are now."""
        self._work = self._got = 0.0  # seconds, of this window
        self._fewer = 1
        self._pause, self._again, self._rose = _PAUSE, 0.0, False

    @contextmanager
    def working(self) -> Iterator[None]:
        """Judge what is done within by all threads."""
        began, had = self._clock(), self._used()
        yield
        self._work += self._clock() - began
        self._got += self._used() - had
        if self._work >= _WINDOW:
            self._judge(self._got / self._work)
            self._work = self._got = 0.0

    def _judge(self, share: float) -> None:
        now, free = self._clock(), self._idle()
        if self.count > 1 and share < _WHOLE * self.count:
            if self._rose:
                self._pause = min(2 * self._pause, _LONGEST)
            self._set(max(self.count - self._fewer, 1))
            self._fewer, self._again, self._rose = 2 * self._fewer, now + self._pause, False
            return
        self._fewer = 1
        if self.count < self._most and free >= _IDLE and now >= self._again:
            self._set(min(self.count + int(free + 1 - _IDLE), self._most))
            self._rose = True
        elif self._rose:
            self._pause, self._rose = _PAUSE, False

    def _set(self, count: int) -> None:
        self.count = count
        self._change(count)


@contextmanager
def threads(device: torch.device, *, fixed: bool = False) -> Iterator[Threads]:
    """What suits a device; afterwards there are as many threads as before.

    Args:
        device: of the model. Only the processor's work is judged.
        fixed: the number stays; a compiled model is one of so many threads, and another number
            would have it compiled again.
    """
    most = torch.get_num_threads()
    is_fixed = fixed or device.type != "cpu" or "OMP_NUM_THREADS" in os.environ
    try:
        yield Threads(1 if is_fixed else most)
    finally:
        torch.set_num_threads(most)
