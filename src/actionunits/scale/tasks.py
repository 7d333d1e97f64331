"""What a worker is asked for, and what it answers: small values that travel."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from actionunits.scale.manifest import Item, is_picture, items

PICTURES = 64
"""That are read by one worker at a time; the networks take eight of them, as in one process."""


class Range(NamedTuple):
    """A part of a long video."""

    number: int
    parts: int  # of the video
    start: float  # seconds: of the blocks of frames that begin from here on, those
    end: float  # that begin before this; infinite of the last


class Task(NamedTuple):
    """Inputs that one worker reads: some pictures, a video, or a part of one.

    With `join` it is the parts of a video, which are all there, that become a whole.
    """

    items: tuple[Item, ...]
    range: Range | None = None
    join: int = 0  # number of parts to be joined
    tries: int = 0  # that have failed


class Answer(NamedTuple):
    """What a worker says of a task that it has done."""

    done: int = 0  # inputs that were read
    failed: tuple[str, ...] = ()  # why others were not, or not to their end
    rows: int = 0
    frames: int = 0
    size: int = 0  # bytes of what was written
    seconds: float = 0.0  # of the worker
    starved: tuple[Item, ...] = ()  # inputs for which memory was short
    ranges: tuple[Range, ...] = ()  # of a video that is too long for one worker


class Crash(NamedTuple):
    """What became of a worker that did not answer."""

    why: str
    is_lost: bool = False  # with its machine, for which the task cannot be blamed


def tasks(table: pd.DataFrame, pictures: int = PICTURES) -> Iterator[Task]:
    """Inputs as tasks, in order: pictures in a row together, each video by itself.

    Args:
        table: as `manifest.read` gives it.
        pictures: of a task.
    """
    row: list[Item] = []
    for item in items(table):
        if is_picture(item.path):
            row.append(item)
        elif row:
            yield from _full(row, 1)
            row = []
        if not is_picture(item.path):
            yield Task((item,))
        if len(row) == pictures:
            yield from _full(row, pictures)
            row = []
    yield from _full(row, 1)


def _full(row: Sequence[Item], least: int) -> Iterator[Task]:
    if len(row) >= least:
        yield Task(tuple(row))


def halves(inputs: Sequence[Item]) -> Iterator[Task]:
    """Inputs as two tasks; one alone as one that was tried."""
    middle = len(inputs) // 2
    for part in (inputs[:middle], inputs[middle:]) if middle else (inputs,):
        yield Task(tuple(part), tries=0 if middle else 1)
