"""What is read next, and what of what went wrong is tried again. It knows no engine.

A worker that dies takes one task with it. Of several inputs one may be to blame: the task is
halved, and so on, until the one is alone; alone, it gets a second try, and is quarantined after
that. A worker that dies with its machine blames nobody. Inputs for which memory was short are
halved in the same way.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from actionunits.scale.manifest import Item
from actionunits.scale.tasks import Answer, Crash, Range, Task, halves

TRIES = 2
"""That an input gets that crashes its worker."""


@dataclass
class Count:
    """What a run has done so far."""

    inputs: int  # of the run
    done: int = 0
    failed: list[str] = field(default_factory=list)  # why, a sentence each
    quarantined: list[str] = field(default_factory=list)  # paths
    rows: int = 0
    frames: int = 0
    size: int = 0  # bytes
    seconds: float = 0.0  # of workers
    crashes: int = 0
    lost: int = 0  # tasks that went with their machine

    @property
    def settled(self) -> int:
        """Inputs of which is known what became of them."""
        return min(self.inputs, self.done + len(self.failed) + len(self.quarantined))


class Schedule:
    """The tasks of a run, some of which come back.

    Attributes:
        count: what was done so far.
    """

    def __init__(
        self, tasks: Iterator[Task], inputs: int, mark: Callable[[Item, str], None]
    ) -> None:
        """Take the tasks as they are wanted.

        Args:
            tasks: of all inputs.
            inputs: how many there are.
            mark: writes down an input that is quarantined, and why.
        """
        self._fresh = tasks
        self._again: deque[Task] = deque()
        self._missing: dict[Item, set[int]] = {}  # parts of long videos that are not there yet
        self._given_up: set[Item] = set()
        self._mark = mark
        self.count = Count(inputs)

    def next(self) -> Task | None:
        """What is to be done next; None where there is nothing, as yet."""
        while self._again:
            task = self._again.popleft()
            if task.items[0] not in self._given_up:
                return task
        return next(self._fresh, None)

    def take(self, task: Task, outcome: Answer | Crash) -> None:
        """Take note of what became of a task."""
        if isinstance(outcome, Crash):
            self._crashed(task, outcome)
        else:
            self._answered(task, outcome)

    def _answered(self, task: Task, answer: Answer) -> None:
        count, first = self.count, task.items[0]
        count.done += answer.done
        count.failed += answer.failed
        count.rows += answer.rows
        count.frames += answer.frames
        count.size += answer.size
        count.seconds += answer.seconds
        if answer.starved and task.range is not None:
            self._again.append(task._replace(tries=1))
            return
        if answer.starved:
            self._again += halves(answer.starved)
        if answer.ranges:
            self._missing[first] = {part.number for part in answer.ranges}
            self._again += (Task(task.items, part) for part in answer.ranges)
        if task.range is not None and first in self._missing:
            self._arrived(task, task.range)

    def _arrived(self, task: Task, part: Range) -> None:
        missing = self._missing[task.items[0]]
        missing.discard(part.number)
        if not missing:
            del self._missing[task.items[0]]
            self._again.appendleft(Task(task.items, join=part.parts))

    def _crashed(self, task: Task, crash: Crash) -> None:
        if crash.is_lost:
            self.count.lost += 1
            self._again.appendleft(task)
            return
        self.count.crashes += 1
        if len(task.items) > 1:
            self._again += halves(task.items)
        elif task.tries + 1 < TRIES:
            self._again.append(task._replace(tries=task.tries + 1))
        elif (item := task.items[0]) not in self._given_up:
            self._given_up.add(item)
            self._missing.pop(item, None)
            self._mark(item, f"its worker {crash.why}, in each of {TRIES} tries")
            self.count.quarantined.append(item.path)


@dataclass
class Clock:
    """How fast a run is, and what it costs: every worker is a core.

    Attributes:
        price: of a core and hour, in any currency; 0 where nobody asked.
        hours: of cores so far.
    """

    price: float = 0.0
    hours: float = 0.0
    begun: float = field(default_factory=time.monotonic)
    _last: float = field(default_factory=time.monotonic)

    def tick(self, workers: int) -> None:
        """Take note that so many have worked since the last time."""
        now = time.monotonic()
        self.hours += workers * (now - self._last) / 3600
        self._last = now

    def line(self, count: Count) -> str:
        """Rate, time left and cost so far, for a line."""
        seconds = max(time.monotonic() - self.begun, 1e-3)
        settled = count.settled
        parts = [f"{count.frames / seconds:,.1f} frames/s"]
        if 0 < settled < count.inputs:
            parts.append(f"{_clock((count.inputs - settled) * seconds / settled)} left")
        parts.append(f"{self.hours:,.3f} core-hours")
        if self.price:
            parts.append(f"cost {self.hours * self.price:,.2f}")
        return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
