"""Processes that work on one batch together, each on its share; one process has all of it.

Shares are stretches: share after share, in the order of the processes, is the whole again.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def processes() -> int:
    """How many there are; 1 where none were started together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this one, from 0; the first speaks and writes for all."""
    return dist.get_rank() if dist.is_initialized() else 0


def share(count: int) -> slice:
    """Which of `count` things are this process' own: shares differ by one at most.

    >>> share(5)
    slice(0, 5, None)
    """
    first, last = (count * number // processes() for number in (rank(), rank() + 1))
    return slice(first, last)


def whole(part: Tensor) -> Tensor:
    """Put the parts (N, ...) of P processes, all of one shape, one after the other: (P * N, ...).

    A gradient goes back to the process that its part came from, summed over what all processes made
    of it.
    """
    if processes() == 1:
        return part
    joined: Tensor = _Join.apply(part)
    return joined


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        part = part.contiguous()
        parts = [torch.empty_like(part) for _ in range(processes())]
        dist.all_gather(parts, part)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        summed = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed[share(len(summed))]


def of_all(part: Any) -> Any:
    """The batch or the output of all processes, by the names that this one's part has.

    A value is gathered when it is first asked for, by all processes alike: a loss reads little of
    what a model says, and pictures are large.

    Args:
        part: named tuple or dictionary of tensors (N, ...), of such, of None and of tuples of text.
    """
    return part if processes() == 1 else _gather(part)


class _Fields:
    """A named tuple whose values are gathered."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        value = _gather(getattr(self._part, name))
        setattr(self, name, value)
        return value

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, name) for name in self._part._fields)


class _Entries(Mapping[str, Any]):
    """A dictionary whose values are gathered."""

    def __init__(self, part: dict[str, Any]) -> None:
        self._part = part
        self._gathered: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._gathered:
            self._gathered[name] = _gather(self._part[name])
        return self._gathered[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._part)

    def __len__(self) -> int:
        return len(self._part)


def _gather(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, Tensor):
        return whole(value)
    if isinstance(value, dict):
        return _Entries(value)
    if hasattr(value, "_fields"):
        return _Fields(value)
    return tuple(chain.from_iterable(everyone(value)))


def everyone(value: Any) -> list[Any]:
    """What each process says, in their order."""
    said = [value] * processes()
    if processes() > 1:
        dist.all_gather_object(said, value)
    return said
