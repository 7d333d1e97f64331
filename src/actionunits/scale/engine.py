"""A run: what is left of the inputs goes to a pool of workers, a task each at a time."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

from actionunits.detect import run as detection
from actionunits.detect import tables
from actionunits.errors import UserError
from actionunits.media import Span
from actionunits.scale import manifest, parts
from actionunits.scale.lock import only_run
from actionunits.scale.manifest import Item
from actionunits.scale.parts import Output
from actionunits.scale.schedule import Count, Schedule
from actionunits.scale.tasks import Answer, Crash, Task, tasks
from actionunits.scale.work import Settings, Worker


class Pool(Protocol):
    """Workers, each of which has one task at a time: no more are on the way."""

    @property
    def workers(self) -> int:
        """How many there are now."""
        ...

    def free(self) -> bool:
        """Whether one of them waits for a task."""
        ...

    def busy(self) -> bool:
        """Whether any task is on the way."""
        ...

    def submit(self, task: Task) -> None:
        """Have a free worker do a task."""
        ...

    def wait(self) -> list[tuple[Task, Answer | Crash]]:
        """Tasks that were answered, after a moment; there may be none."""
        ...


Make = Callable[[], Callable[[Task], Answer]]
"""Makes a worker, on whatever machine; can be pickled."""
Start = Callable[[Make], AbstractContextManager[Pool]]
Tell = Callable[[Count, int], None]
"""Is told what was done so far, and by how many workers, now and then."""


def work(schedule: Schedule, pool: Pool, tell: Tell) -> None:
    """Have the tasks of a schedule done, to the last.

    Args:
        schedule: what is to be done.
        pool: who does it.
        tell: is called after each wait.
    """
    coming = schedule.next()
    while coming is not None or pool.busy():
        while coming is not None and pool.free():
            pool.submit(coming)
            coming = schedule.next()
        for task, outcome in pool.wait():
            schedule.take(task, outcome)
        coming = schedule.next() if coming is None else coming
        tell(schedule.count, pool.workers)


def agreed(settings: Settings) -> dict[str, Any]:
    """What the rows of an output depend on, by what it is called in a sentence.

    Raises:
        UserError: there is no such model, detector, ...
    """
    predictor = settings.predictor()
    rest = predictor.neutral(settings.neutral)
    added = predictor.added(settings.add)
    columns = tables.columns(predictor.aus, added, rest=rest is not None)
    span = Span(every=settings.every, fps=settings.fps).checked()
    said = detection.settings(
        *(settings.model, settings.detector, columns, settings.min_confidence, rest),
        *(settings.search_size, span, settings.runtime),
    )
    return dict(said)


def detect(
    given: Sequence[str],
    settings: Settings,
    start: Start,
    report: Callable[[UserError], None],
    tell: Tell,
    *,
    retry: bool = False,
    overwrite: bool = False,
    make: Make | None = None,
) -> Count:
    """Read all inputs into a partitioned output; those that it holds are not read again.

    Args:
        given: see `manifest.read`.
        settings: how they are read, and into which output.
        start: starts the workers, once it is known that there is work.
        report: is told what is wrong with the list of inputs.
        tell: is told how it goes.
        retry: inputs that failed or were quarantined are tried again.
        overwrite: all is read anew.
        make: makes a worker; the one of `settings` by default.

    Returns:
        What was done, `Count.inputs` being those that were left.

    Raises:
        UserError: there is nothing to read; the output is of another kind, used by another run or
            cannot be written; the workers cannot be started.
    """
    missing: dict[Item, str] = {}
    inputs = manifest.read(given, report, missing.__setitem__)
    output, said = Output(settings.out), agreed(settings)
    with only_run(output):
        if overwrite:
            output.clear()
        output.agree(said)
        again = (parts.FAILED, parts.PARTIAL, parts.QUARANTINED) if retry else ()
        is_same = _has_checksum if settings.checksum else None
        left = manifest.left(inputs, output.settle(missing), again=again, is_same=is_same)
        schedule = Schedule(tasks(left), len(left), partial(_mark, output, said["columns"]))
        if len(left):
            with start(make or partial(Worker, settings)) as pool:
                work(schedule, pool, tell)
            for name in output.names("ranges"):
                output.remove(name)
            output.settle()
    return schedule.count


def _has_checksum(item: Item, known: str) -> bool:
    try:
        return manifest.checksum(item) == known
    except OSError:  # which reading it will say
        return False


def _mark(output: Output, columns: Sequence[str], item: Item, why: str) -> None:
    """Write down that an input is quarantined."""
    record = parts.recorded(item, parts.QUARANTINED, f"{item.path}: {why}")
    output.put_table(parts.part_name([item]), parts.empty(columns), parts.metadata([record]))
