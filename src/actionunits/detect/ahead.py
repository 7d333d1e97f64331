"""What is worked on ahead of whoever reads it: several things at a time, handed on in their order.

Each operation of a network has one thread here, and what runs side by side are chunks of frames.
Several threads an operation wait for one another after each of thousands of them, which beside
another program takes four times as long (`benchmarks/busy.py`). Who has one core alone works on
nothing ahead: a worker of many then takes no more than its core.
"""

import math
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from queue import SimpleQueue
from threading import Condition, Event, Semaphore, Thread
from typing import Any, TypeVar

from actionunits.system.machine import cores

_S = TypeVar("_S")
_T = TypeVar("_T")


class Room:
    """How much may be on the way at a time, so that memory does not grow with the threads."""

    def __init__(self, size: int) -> None:
        """Start empty.

        Args:
            size: in any unit.
        """
        self._size: float = size
        self._used = 0
        self._changed = Condition()

    def take(self, share: int) -> None:
        """Wait for room; what is larger than all of it waits until nothing else is there."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + share <= self._size)
            self._used += share

    def give(self, share: int) -> None:
        """Give room back."""
        with self._changed:
            self._used -= share
            self._changed.notify_all()

    @property
    def is_open(self) -> bool:
        """Whether nobody waits any more."""
        return self._size == math.inf

    def open(self) -> None:
        """Have nobody wait any more."""
        with self._changed:
            self._size = math.inf
            self._changed.notify_all()


class UnwantedError(Exception):
    """Nobody waits for what is worked on any more."""


class Crew:
    """Threads that work ahead, or the one that asks."""

    def __init__(self, pool: ThreadPoolExecutor, threads: int, room: Room) -> None:
        """Take the threads of a pool; a single one is left alone."""
        self._pool, self._threads, self.room = pool, threads, room
        self._is_over = Event()

    def go_on(self) -> None:
        """Asked between the steps of long work, so that it ends soon after it was stopped.

        Raises:
            UnwantedError: the results have been given up.
        """
        if self._is_over.is_set():
            raise UnwantedError

    def ahead(
        self, items: Generator[_S, None, None], work: Callable[[_S], _T]
    ) -> Generator[_T, None, None]:
        """Results in the order of the items, a few of which are worked on ahead.

        Args:
            items: are taken, and closed at the end, in a thread of their own, as soon as they come.
            work: runs in several threads at once. Where there is one, items are taken when their
                results are wanted, in the thread that wants them.

        Yields:
            What `work` makes of each item. What it or the items raise is raised in its place.
        """
        if self._threads == 1:
            with closing(items):
                yield from map(work, items)
            return
        coming: SimpleQueue[Future[Any] | None] = SimpleQueue()
        free, unwanted = Semaphore(self._threads + 1), Event()

        def take() -> None:
            _take_one_thread()
            try:
                with closing(items):
                    while free.acquire() and not unwanted.is_set():
                        coming.put(self._pool.submit(work, next(items)))
            except StopIteration:
                coming.put(None)
            except BaseException as error:
                failed: Future[Any] = Future()
                failed.set_exception(error)
                coming.put(failed)

        thread = Thread(target=take, daemon=True)
        thread.start()
        try:
            while (result := coming.get()) is not None:
                yield result.result()
                del result  # before the next one takes as much room
                free.release()
        except GeneratorExit:  # an error is raised in its place: what is before it is wanted
            self._is_over.set()
            raise
        finally:
            unwanted.set()
            free.release()
            self.room.open()
            thread.join()
            while not coming.empty():  # what nobody waits for
                if (left := coming.get()) is not None:
                    left.cancel()


@contextmanager
def crew(room: int) -> Iterator[Crew]:
    """As many threads as there are cores, each of which takes one for its operations.

    Args:
        room: see `Room`.
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else cores()
    try:
        with ThreadPoolExecutor(threads, "ahead", _take_one_thread) as pool:
            yield Crew(pool, threads, Room(room))
    finally:
        if torch:  # threads that start later would otherwise have one as well
            torch.set_num_threads(threads)


def _take_one_thread() -> None:
    """PyTorch is told, if it is there; sessions of ONNX Runtime have one thread anyway."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for each operation of PyTorch in this thread."""
    torch = sys.modules["torch"]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
