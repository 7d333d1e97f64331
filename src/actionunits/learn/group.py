"""The processes that train or score together, as ``torchrun`` starts them: joined and compared.

One process alone is a group like any other.
"""

import json
import os
import platform
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import torch
import torch.distributed as dist
from accelerate import PartialState

from actionunits.errors import UserError, brief
from actionunits.system.together import everyone, processes, rank

_PATIENCE = timedelta(minutes=10)  # until a process that does not answer is given up
_VISIBLE = 30.0  # seconds until a new file must be seen on all machines
_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_OF_MPI = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_SHARED, _RESTARTS = "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_MAX_RESTARTS"
_START = "start it with torchrun, which sets them (docs/cluster.md)"

_T = TypeVar("_T")


class GroupError(UserError):
    """The processes of a run do not fit each other, or one of them is lost."""


@contextmanager
def joined(job: Mapping[str, Any]) -> Iterator[None]:
    """Join the processes that were started with this one, and work with them.

    Args:
        job: what all must have been asked for alike, as JSON could hold it.

    Raises:
        GroupError: what ``torchrun`` sets is not whole, the others cannot be reached or were asked
            for something else, have another version, or are lost while the block runs.
    """
    _check_variables()
    with _reached():
        if "RANK" in os.environ and not dist.is_initialized():
            # metrics are counted on the processor, wherever the model is
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=_PATIENCE)
        PartialState(cpu=not torch.accelerator.is_available())  # chooses the process' device
        versions = {name: version(name) for name in ("actionunits", "torch", "numpy")}
        compare({**versions, "Python": platform.python_version(), **job})
        yield


def compare(facts: Mapping[str, Any]) -> None:
    """See that something is the same in all processes.

    Raises:
        GroupError: in all of them, naming the first difference.
    """
    flat = pd.json_normalize(dict(facts)).iloc[0].to_dict()
    told = {name: json.dumps(value, default=str) for name, value in flat.items()}
    said = everyone((platform.node(), told))
    first_machine, first = said[0]
    for number, (machine, other) in enumerate(said):
        differing = [name for name in {**first, **other} if first.get(name) != other.get(name)]
        if differing:
            name = differing[0]
            raise GroupError(
                f"{name}: process 0 on {first_machine} has {brief(first.get(name))}, process "
                f"{number} on {machine} has {brief(other.get(name))}: start the same command with "
                "the same versions and the same data on all machines"
            )


def by_first(work: Callable[[], _T]) -> _T:
    """Let the first process do something, and tell the others what came of it.

    Raises:
        UserError: in all processes, what it raised in the first.
    """
    came: list[Any] = [None]
    if rank() == 0:
        try:
            came = [work()]
        except UserError as error:
            came = [error]
    if processes() > 1:
        dist.broadcast_object_list(came)
    if isinstance(came[0], UserError):
        raise came[0]
    result: _T = came[0]
    return result


def check_shared(folder: Path) -> None:
    """See that a folder, which the first process has made, is the same in all.

    Raises:
        GroupError: in all processes, naming one that does not see it.
    """
    if processes() == 1:
        return
    mark = folder / f".au-{everyone(secrets.token_hex(8))[0]}"
    by_first(mark.touch)
    said = everyone((_appears(mark), platform.node()))
    by_first(mark.unlink)
    for number, (seen, machine) in enumerate(said):
        if not seen:
            raise GroupError(
                f"{folder}: process {number} on {machine} does not see what process 0 on "
                f"{said[0][1]} writes there: give an --out on a disk that all machines share"
            )


def _appears(mark: Path) -> bool:
    """Whether a file that another machine has written is seen: soon, where listings are cached."""
    until = time.monotonic() + _VISIBLE
    while True:
        if mark.parent.is_dir() and mark.name in os.listdir(mark.parent):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.2)


def _check_variables() -> None:
    there = [name for name in _VARIABLES if os.environ.get(name)]
    if not there:
        started = next((n for n in _OF_MPI if os.environ.get(n, "1") != "1"), None)
        if started:
            raise GroupError(
                f"{started} says {os.environ[started]} processes, and {_VARIABLES[0]} is not set: "
                f"{_START}"
            )
        return
    missing = [name for name in _VARIABLES if name not in there]
    if missing:
        raise GroupError(
            f"the environment has {', '.join(there)} and lacks {', '.join(missing)}: {_START}, or "
            "unset those for one process alone"
        )
    numbers = {name: os.environ[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    wrong = [name for name, value in numbers.items() if not value.isdecimal()]
    if wrong or int(numbers["RANK"]) >= int(numbers["WORLD_SIZE"]):
        found = ", ".join(f"{name}={brief(value)}" for name, value in numbers.items())
        raise GroupError(f"expected a RANK from 0 to below WORLD_SIZE, found {found}: {_START}")
    if os.environ.get(_SHARED) == "True" and os.environ.get(_RESTARTS, "0") != "0":
        raise GroupError(
            f"torchrun would restart these processes up to {os.environ[_RESTARTS]} times, and "
            "those of a later time would find the addresses of those before: set "
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 for torchrun on all machines (docs/cluster.md)"
        )


@contextmanager
def _reached() -> Iterator[None]:
    """Say in one sentence that other processes are lost.

    Raises:
        GroupError: instead of what PyTorch or gloo raised.
    """
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        raise GroupError(
            "another process of this run cannot be reached any more: it has ended, and says why "
            "itself, or its machine has; the same command goes on from the last state"
        ) from error
