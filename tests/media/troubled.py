"""Generators that stand for decoders in trouble; they run in the process of `media.worker`."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from actionunits.errors import MediaError
from actionunits.media.worker import Item


def _item(number: int) -> Item:
    return [number, number / 10, ""], np.full((40, 60, 3), number, np.uint8)


def two(*args: object) -> Iterator[Item]:
    yield from map(_item, range(2))


def crashes(*args: object) -> Iterator[Item]:
    yield from two()
    os.abort()


def hangs(*args: object) -> Iterator[Item]:
    yield from two()
    time.sleep(60)


def fails(*args: object) -> Iterator[Item]:
    yield from two()
    raise ZeroDivisionError("of all things")


def wants_too_much(*args: object) -> Iterator[Item]:
    yield from two()
    raise MemoryError


def complains(*args: object) -> Iterator[Item]:
    yield from two()
    raise MediaError("no more")


def prints(*args: object) -> Iterator[Item]:
    print("this must not come between", flush=True)
    os.write(1, b"nor this\n")
    yield from two()


def process() -> Iterator[Item]:
    yield [os.getpid()], None


def large(*args: object) -> Iterator[Item]:
    """A picture of 27 MB, and after a minute another."""
    for number in range(2):
        yield [number, 0.0, ""], np.zeros((3000, 3000, 3), np.uint8)
        time.sleep(60)


def endless(progress: str) -> Iterator[Item]:
    """A MB at a time, and how many there were, into a file."""
    number = 0
    while True:
        Path(progress).write_text(str(number))
        yield [number], np.zeros((1 << 20,), np.uint8)
        number += 1


def modules() -> Iterator[Item]:
    yield [sorted(sys.modules)], None
