"""Workers on a Ray cluster: one a core, of one thread each, or one a GPU.

Actors and `ray.wait`, not Ray Data: a worker keeps its model, has one task at a time and takes the
next when it has answered, which is all the back-pressure there need be, and a task that was not
answered is known by its name. Ray Data brings blocks of rows to where they are wanted; here rows go
straight from a worker to their part, and what travels is a list of names and a few numbers.

Actors ask Ray for what a first one was measured to take, and Ray puts as many on a machine as have
room: cores, memory, GPUs.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from actionunits.errors import UserError
from actionunits.scale.engine import Make, Pool
from actionunits.scale.tasks import Answer, Crash, Task
from actionunits.scale.work import About, about
from actionunits.system.machine import is_memory_error, usable

_STORE = 100_000_000  # bytes of Ray's object store in local mode: nothing large goes through it
_SPARE = 250_000_000  # bytes that a worker takes while it reads, more than when it has loaded
_PATIENCE = 120.0  # seconds for a first worker, or a machine, to answer
_FAREWELL = 5.0  # seconds in which workers put away what they have
_LOOK = 5.0  # seconds from one look at the size of the cluster to the next
_STARTS = 5  # workers in a row that die before their first task
_ATTEMPTS = 3  # at a cluster here: parts of Ray 2.60 have 15 seconds to begin, however busy it is


def ray_or_say() -> Any:
    """The library.

    Raises:
        UserError: it is not installed.
    """
    os.environ.setdefault("RAY_raylet_start_wait_time_s", f"{_PATIENCE:.0f}")  # of a busy machine
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError(
            "--engine ray: Ray is not installed: pip install 'actionunits[ray]'"
        ) from None
    return ray


@contextmanager
def connected(address: str | None = None, workers: int | None = None) -> Iterator[None]:
    """Be part of a cluster until the block ends, or of one of this machine alone.

    Args:
        address: ``HOST:PORT`` of a cluster, ``auto`` for the one of this machine, or a
            ``ray://`` URL; None starts one here, which ends with the block.
        workers: cores of one that is started; all by default.

    Raises:
        UserError: Ray is not installed, nobody answers at the address, or versions differ.
    """
    ray = ray_or_say()
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        own = {"include_dashboard": False, "object_store_memory": _STORE}
        _begin(partial(ray.init, "local", num_cpus=workers or usable(), **own, **quiet))
    else:
        _check_port(address)
        _join(address, partial(ray.init, address, **quiet))
    try:
        yield
    finally:
        ray.shutdown()


def _begin(start: Callable[[], object]) -> None:
    """Start a cluster here."""
    for attempt in range(_ATTEMPTS):
        try:
            start()
            return
        except Exception as error:  # Ray raises plain ones
            ray_or_say().shutdown()
            if attempt == _ATTEMPTS - 1 or "timed out" not in str(error):
                raise UserError(
                    f"Ray does not start on this machine: {_first(error)}; if other programs keep "
                    "it busy, try again when they do less"
                ) from error


def _join(address: str, join: Callable[[], object]) -> None:
    try:
        join()
    except (ConnectionError, OSError, ValueError) as error:
        raise UserError(
            f"--address {address}: no Ray cluster answers there ({_first(error)}); start one with "
            "ray start --head, or leave the address out"
        ) from error
    except Exception as error:  # Ray raises plain ones
        raise UserError(
            f"--address {address}: the cluster cannot be joined: {_first(error)}; install the same "
            "versions of Python and Ray on all machines"
        ) from error


def _check_port(address: str) -> None:
    """Ask at once what Ray would ask for a minute."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        if address == "auto":
            return
        raise UserError(
            f"--address {address}: expected HOST:PORT of a Ray cluster, such as 10.0.0.1:6379, or "
            "auto for the one of this machine"
        )
    try:
        socket.create_connection((host, int(port)), 10).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"--address {address}: no Ray cluster answers there ({_first(error)}); start one with "
            "ray start --head, or leave the address out"
        ) from error


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


class _Actor:
    """A worker, seen from its machine."""

    def __init__(self, make: Make, folder: str) -> None:
        with suppress(OSError):  # names that are relative are so to where the command runs
            os.chdir(folder)
        self._work = make()

    def about(self) -> tuple[About, str]:
        import ray

        return about(), ray.get_runtime_context().get_node_id()

    def do(self, task: Task) -> Answer:
        return self._work(task)

    def end(self) -> None:
        del self._work  # and with it what it has on the disk


def _nothing() -> None:
    """What a machine is asked to do to see whether it is there."""


class RayPool:
    """Actors, as many as there is room for; those that die are replaced."""

    def __init__(self, make: Make, workers: int | None = None, *, gpu: bool = False) -> None:
        """Start a first worker, measure it, and start the others.

        Args:
            make: makes a worker.
            workers: at the most; by default as many as there is room for.
            gpu: each has a GPU of its own, and its share of the cores.

        Raises:
            UserError: there is no room, or no GPU, for any; it cannot be made; or another version
                of the package is on another machine.
        """
        self._ray = ray_or_say()
        self._make, self._most, self._here = make, workers, about()
        self._needs: dict[str, float] = {"num_cpus": 1}
        if gpu:
            self._needs = self._share_of_gpu()
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._tasks: dict[Any, tuple[Any, Task]] = {}
        self._nodes: dict[Any, str] = {}
        self._deaths, self._looked = 0, 0.0
        scout = self._start()
        ready, _ = self._ray.wait([scout], timeout=_PATIENCE)
        if not ready:
            raise UserError(
                f"the cluster gave no room for a worker within {_PATIENCE:.0f} s: it wants "
                f"{self._needs}, there is {self._ray.available_resources()}; wait, or add machines"
            )
        measured = self._arrived(scout)
        if measured is None:
            raise UserError("the first worker died as it started; see the logs of Ray")
        self._needs["memory"] = measured.memory + _SPARE
        self._fill()

    @property
    def workers(self) -> int:
        """How many have started."""
        return len(self._idle) + len(self._tasks)

    def free(self) -> bool:
        """Whether one waits for a task."""
        return bool(self._idle)

    def busy(self) -> bool:
        """Whether any task is on the way."""
        return bool(self._tasks)

    def submit(self, task: Task) -> None:
        """Have an idle worker do a task."""
        actor = self._idle.pop()
        self._tasks[actor.do.remote(task)] = actor, task

    def wait(self) -> list[tuple[Task, Answer | Crash]]:
        """Tasks that were answered, or whose workers died, within a second.

        Raises:
            UserError: a worker cannot write, or no worker can be started any more.
        """
        self._fill()
        awaited = [*self._starting, *self._tasks]
        if not awaited:  # all have died, and the next look at the cluster is to come
            time.sleep(_LOOK / 10)
            return []
        ready, _ = self._ray.wait(awaited, timeout=1.0)
        outcomes = []
        for each in ready:
            if each in self._starting:
                self._arrived(each)
            else:
                outcomes.append(self._answered(each))
        return outcomes

    def close(self) -> None:
        """End the workers; those that have no task put away what they have on their disks."""
        ends = [actor.end.remote() for actor in self._idle]
        if ends:
            self._ray.wait(ends, num_returns=len(ends), timeout=_FAREWELL)
        for actor in [*self._starting.values(), *self._idle, *(a for a, _ in self._tasks.values())]:
            self._ray.kill(actor)

    def _share_of_gpu(self) -> dict[str, float]:
        there = self._ray.cluster_resources()
        gpus = there.get("GPU", 0)
        if not gpus:
            raise UserError("--device cuda: no machine of the cluster has a GPU; leave it out")
        return {"num_cpus": max(1, there.get("CPU", 1) // gpus), "num_gpus": 1}

    def _start(self) -> Any:
        needs: dict[str, Any] = {key: int(value) for key, value in self._needs.items()}
        # what it starts takes no more cores than that, whatever the shell here says
        needs["runtime_env"] = {"env_vars": {"OMP_NUM_THREADS": str(needs["num_cpus"])}}
        actor = self._ray.remote(_Actor).options(**needs, max_restarts=0).remote(
            self._make, os.getcwd()
        )  # fmt: skip
        first = actor.about.remote()
        self._starting[first] = actor
        return first

    def _arrived(self, first: Any) -> About | None:
        """A worker has started; None where it died instead."""
        actor = self._starting.pop(first)
        try:
            said, node = self._ray.get(first)
        except self._ray.exceptions.RayError as error:
            self._deaths += 1
            cause = getattr(error, "cause", None)
            if self._deaths >= _STARTS or isinstance(cause, UserError):
                raise UserError(f"workers do not start: {_last(error)}") from error
            return None
        if said[:3] != self._here[:3]:
            self._ray.kill(actor)
            raise UserError(
                f"machines of the cluster differ: {_versions(said)} on node {node[:8]}, "
                f"{_versions(self._here)} here; install the same versions on all"
            )
        self._deaths = 0
        self._nodes[actor] = node
        self._idle.append(actor)
        return About(*said)

    def _answered(self, each: Any) -> tuple[Task, Answer | Crash]:
        actor, task = self._tasks.pop(each)
        exceptions = self._ray.exceptions
        try:
            answer: Answer = self._ray.get(each)
        except exceptions.RayTaskError as error:
            self._idle.append(actor)
            return task, _raised(task, error.cause)
        except exceptions.RayError as error:
            lost = self._is_lost(self._nodes.pop(actor))
            return task, Crash("died" if lost else _died(error), lost)
        self._idle.append(actor)
        return task, answer

    def _is_lost(self, node: str) -> bool:
        """Whether a machine is gone. Ray notices so a while after it has lost its workers."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(node, soft=False)
        asked = self._ray.remote(_nothing).options(
            num_cpus=0, scheduling_strategy=there, max_retries=0
        )
        try:
            self._ray.get(asked.remote(), timeout=_PATIENCE)
        except self._ray.exceptions.RayError:
            return True
        return False

    def _fill(self) -> None:
        """Start as many workers as there is room for, now and then: machines come and go."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        for _ in range(self._wanted() - self.workers - len(self._starting)):
            self._start()

    def _wanted(self) -> int:
        names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        needs = {names[key]: value for key, value in self._needs.items()}
        fits = [
            int(min(node["Resources"].get(key, 0) // value for key, value in needs.items()))
            for node in self._ray.nodes()
            if node["Alive"]
        ]
        room = max(1, sum(fits))
        return room if self._most is None else min(room, self._most)


def _raised(task: Task, cause: BaseException) -> Answer | Crash:
    """What to make of what a worker raised."""
    if isinstance(cause, UserError):
        raise cause
    if isinstance(cause, OSError):
        raise UserError(
            f"a worker cannot write: {cause.strerror or cause}; make room or allow it, then run "
            "the same command again"
        ) from cause
    if isinstance(cause, Exception) and is_memory_error(cause):
        if len(task.items) > 1 or not task.tries:
            return Answer(starved=task.items)
        return Crash("ran out of memory")
    return Crash(f"failed ({type(cause).__name__}: {str(cause)[:200]})")


def _died(error: Exception) -> str:
    return "was ended for want of memory" if "memory" in str(error).lower() else "crashed"


def _last(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else type(error).__name__


def _versions(said: About) -> str:
    return f"actionunits {said.version}, Python {said.python}, {said.packages}"


@contextmanager
def pool(
    make: Make,
    *,
    address: str | None = None,
    workers: int | None = None,
    gpu: bool = False,
) -> Iterator[Pool]:
    """Workers of a cluster, until the block ends; see `connected` and `RayPool`."""
    with connected(address, workers):
        found = RayPool(make, workers, gpu=gpu)
        try:
            yield found
        finally:
            found.close()
