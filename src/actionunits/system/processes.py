"""Processes that end with the one that started them, and signals that end a command."""

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnContext
from types import FrameType
from typing import Any

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # not every system has all of them


def pool(
    workers: int, context: SpawnContext, start: Callable[..., None], *arguments: Any
) -> ProcessPoolExecutor:
    """Processes that end with this one, whatever ends it.

    Args:
        workers: how many.
        context: how they are started.
        start: called in each before its first work, with the arguments; a function of a module.
        arguments: of `start`.
    """
    where = start.__module__, start.__qualname__
    return ProcessPoolExecutor(workers, context, _start, (where, *arguments))


def follow_parent(*_: object) -> None:
    """Let this worker process end as soon as its parent does, and leave Ctrl-C to that.

    Call it first in the worker: as an initialiser, a ``worker_init_fn`` or by hand. What it is
    given is of no account. A process that `multiprocessing` has not started is left as it is.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    # a terminal sends both to the workers too; the parent sees to them
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)

    def watch() -> None:
        parent.join()
        os._exit(1)  # at once: there is nobody left to work for

    threading.Thread(target=watch, name="parent", daemon=True).start()


def ending_signals() -> list[signal.Signals]:
    """Signals that ask a command to end, but for those that its starter ignores, as `nohup` does.

    None outside the main thread, which alone may handle them.
    """
    if threading.current_thread() is not threading.main_thread():
        return []
    known = [signal.Signals[name] for name in _ENDING if hasattr(signal, name)]
    return [each for each in known if signal.getsignal(each) is not signal.SIG_IGN]


@contextmanager
def ending_like_ctrl_c() -> Iterator[None]:
    """Let every signal that asks a command to end raise `KeyboardInterrupt`, as Ctrl-C does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in ending_signals()}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _start(where: tuple[str, str], *arguments: Any) -> None:
    follow_parent()
    module, name = where  # only now: what it imports may take seconds
    getattr(importlib.import_module(module), name)(*arguments)
