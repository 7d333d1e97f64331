"""What the processor is good at and has room for, asked in one place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from actionunits.errors import UserError
from actionunits.system.machine import is_memory_error


def fast_dtype(device: torch.device | str = "cpu") -> torch.dtype:
    """The number format in which `device` computes fastest at sufficient accuracy.

    bfloat16 where the hardware multiplies it (AMX or AVX-512-BF16 on a CPU, Ampere and later on
    an NVIDIA GPU), else float32: emulated bfloat16 was measured seven times slower than float32.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float32
    if kind == "cpu" and (torch.cpu._is_amx_tile_supported() or _has_avx512_bf16()):
        return torch.bfloat16
    return torch.float32


def free_memory(device: torch.device | str = "cpu") -> int:
    """Bytes that are free on a device; 4 GiB where the system does not tell."""
    kind = torch.device(device)
    if kind.type == "cuda":
        return torch.cuda.mem_get_info(kind)[0]
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError):  # Windows has no such call, macOS no such name
        return 4 << 30


class BatchTooLargeError(UserError):
    """A batch does not fit into the memory of its device."""


@contextmanager
def enough_memory(batch: int, advice: str) -> Iterator[None]:
    """Say in one sentence that the memory is too small for a batch, and what to do.

    Raises:
        BatchTooLargeError: instead of what the block raised for want of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_memory_error(error):
            raise
        raise BatchTooLargeError(
            f"a batch of {batch} does not fit into the memory: {advice}"
        ) from error


def _has_avx512_bf16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported())
