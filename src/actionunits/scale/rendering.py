"""Functions on a Ray cluster as `concurrent.futures` has them: what renders corpora there.

What a corpus shows is drawn from its seed, person by person, so that its bytes do not depend on
who renders which file, nor on how many do.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from actionunits.scale.cluster import connected, ray_or_say

_AHEAD = 2  # tasks on the way, times the cores: Ray keeps the next one ready
_THREADS = ("LP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def executor(address: str | None = None, workers: int | None = None) -> Iterator[Executor]:
    """Cores of a cluster, one thread each, until the block ends.

    Args:
        address: see `cluster.connected`.
        workers: at the most; all cores by default.

    Raises:
        UserError: Ray is not installed, or no cluster answers.
    """
    with connected(address, workers):
        ray = ray_or_say()
        cores = int(ray.cluster_resources().get("CPU", 1))
        with RayExecutor(min(cores, workers or cores)) as found:
            yield found


class RayExecutor(Executor):
    """Calls as tasks of Ray, some on the way at a time, tried again where their machine dies."""

    def __init__(self, cores: int) -> None:
        """Start without calls.

        Args:
            cores: that work at a time.
        """
        ray = ray_or_say()
        environment = {"env_vars": dict.fromkeys(_THREADS, "1")}
        self._ray = ray
        self._remote = ray.remote(_call).options(num_cpus=1, max_retries=3, runtime_env=environment)
        self._free = threading.Semaphore(_AHEAD * cores)
        self._waiting: list[tuple[Future[Any], tuple[Any, ...]]] = []
        self._changed = threading.Condition()
        self._open, self._forsaken = True, False
        self._thread = threading.Thread(target=self._send, name="ray", daemon=True)
        self._thread.start()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Have a function of a module called, on whatever machine."""
        future: Future[Any] = Future()
        with self._changed:
            if not self._open:
                raise RuntimeError("this executor was shut down")
            self._waiting.append((future, (os.getcwd(), function, args, kwargs)))
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; wait for all that came, or end those on the way and forget others.

        What is ended writes its files as a whole or not at all.
        """
        with self._changed:
            self._open, self._forsaken = False, cancel_futures
            if cancel_futures:
                for future, _ in self._waiting:
                    future.cancel()
            self._changed.notify()
        if wait:
            self._thread.join()

    def _send(self) -> None:
        """Send calls off as there is room, and take their results; ends when it is shut down."""
        on_the_way: dict[Any, Future[Any]] = {}
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or on_the_way or not self._open)
                if not self._open and not self._waiting and not on_the_way:
                    return
                while self._waiting and self._free.acquire(blocking=False):
                    future, call = self._waiting.pop(0)
                    if not future.set_running_or_notify_cancel():
                        self._free.release()
                        continue
                    try:
                        on_the_way[self._remote.remote(*call)] = future
                    except Exception as error:  # such as of what cannot be sent
                        self._free.release()
                        future.set_exception(error)
            if self._forsaken:
                for each in on_the_way:
                    self._ray.cancel(each, force=True)
            ready, _ = self._ray.wait([*on_the_way], timeout=0.5) if on_the_way else ([], [])
            for each in ready:
                self._free.release()
                future = on_the_way.pop(each)
                try:
                    future.set_result(self._ray.get(each))
                except self._ray.exceptions.RayTaskError as error:
                    future.set_exception(error.cause)
                except self._ray.exceptions.RayError as error:
                    future.set_exception(error)


def _call(
    folder: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    os.chdir(folder)  # names are often relative
    return function(*args, **kwargs)
