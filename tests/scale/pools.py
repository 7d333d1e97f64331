"""Workers of tests: in this process, one task after the other, and what may befall them."""

import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from actionunits.scale import parts
from actionunits.scale.parts import Output
from actionunits.scale.tasks import Answer, Crash, Task

COLUMNS = ["frame", "timestamp", "AU12_r", "input"]


class Crashes(Exception):  # noqa: N818
    """The worker dies of this."""


class Here:
    """A pool of some workers of this process.

    Args:
        work: does a task; `Crashes` ends the worker.
        workers: how many.
        lose: how likely a task is to go with its machine.
    """

    def __init__(self, work: Callable[[Task], Answer], workers=2, lose=0.0, seed=0):
        self.workers, self._work, self._lose = workers, work, lose
        self._draw = random.Random(seed)
        self._way: list[Task] = []
        self.most = 0

    def free(self):
        return len(self._way) < self.workers

    def busy(self):
        return bool(self._way)

    def submit(self, task):
        self._way.append(task)
        self.most = max(self.most, len(self._way))

    def wait(self):
        if not self._way:
            return []
        task = self._way.pop(self._draw.randrange(len(self._way)))
        if self._draw.random() < self._lose:
            if self._draw.random() < 0.5:
                with suppress(Crashes):
                    self._work(task)  # it died after it had written
            return [(task, Crash("died", is_lost=True))]
        try:
            return [(task, self._work(task))]
        except Crashes as error:
            return [(task, Crash(str(error) or "crashed"))]


class Reader:
    """Writes a row for each input, and says what it has read; files say what befalls it.

    ``poison`` in a name ends the worker, ``large`` needs the memory of two.
    """

    def __init__(self, place: str):
        self._output = Output(place)
        self.read: list[str] = []

    def __call__(self, task: Task) -> Answer:
        names = [Path(item.path).name for item in task.items]
        if any("poison" in name for name in names):
            raise Crashes("crashed (SIGSEGV)")
        starved = [i for i in task.items if "large" in i.path and len(names) != 1]
        kept = [item for item in task.items if item not in starved]
        self.read += [item.path for item in kept]
        if kept:
            write(self._output, kept)
        return Answer(len(kept), rows=len(kept), frames=len(kept), starved=tuple(starved))


def write(output: Output, items) -> str:
    """A part with a row an input, as a worker would write it."""
    values = {
        "frame": [1] * len(items),
        "timestamp": [item.start for item in items],
        "AU12_r": [float(item.size) for item in items],
        "input": [item.path for item in items],
    }
    table = pa.table(values, schema=parts.schema(COLUMNS))
    name = parts.part_name(items)
    records = [parts.recorded(item, parts.DONE, rows=1, frames=1) for item in items]
    output.put_table(name, table, parts.metadata(records))
    return name


def all_rows(output: Output) -> list[str]:
    """Inputs of all rows of all parts, sorted."""
    tables = [parts.table(output, name) for name in output.parts()]
    return sorted(pa.concat_tables(tables)["input"].to_pylist()) if tables else []


class Slow:
    """A worker of another process for `RayPool`: sleeps, writes, may die; keeps a diary."""

    def __init__(self, place: str, diary: str, seconds: float = 0.0):
        assert os.environ["OMP_NUM_THREADS"] == "1"  # a worker has one core
        self._output, self._diary, self._seconds = Output(place), diary, seconds

    def __call__(self, task: Task) -> Answer:
        import time

        if any("poison" in item.path for item in task.items):
            os._exit(139)
        time.sleep(self._seconds)
        write(self._output, task.items)
        line = json.dumps([item.path for item in task.items])
        with open(self._diary, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        return Answer(len(task.items), rows=len(task.items), frames=len(task.items))
