"""What the machine has, asked without PyTorch."""

import ctypes
import os
import platform
import sys
from contextlib import suppress
from functools import cache


def allowed() -> int:
    """Threads that this process and those that it starts are to make do with: OMP_NUM_THREADS.

    0 where it is not set.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdecimal() else 0


def cores() -> int:
    """Threads that are worth starting: those that are allowed, else the cores."""
    return allowed() or usable()


def usable() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows do not know
        return os.cpu_count() or 1


def keep_beside(process: int) -> None:
    """Have another process run on the core of this thread, where one core is all that is allowed.

    Two that wait for each other are on two cores now and then, and on none in between, for too
    short a time for Linux to give it to others: two such pairs on two cores leave a tenth unused.

    Args:
        process: its number; it may have ended.
    """
    if sys.platform == "linux" and allowed() == 1:
        with suppress(OSError, AttributeError):
            os.sched_setaffinity(process, {_c_library().sched_getcpu()})


def has_accelerator() -> bool:
    """Whether there seems to be a GPU that PyTorch can use, if it is installed."""
    nvidia = os.path.exists("/dev/nvidiactl") or os.path.exists(
        r"C:\Windows\System32\nvidia-smi.exe"
    )
    return nvidia or (sys.platform == "darwin" and platform.machine() == "arm64")


def has_amx() -> bool:
    """Whether the processor multiplies matrices of bfloat16 in hardware of their own, if it tells.

    Linux tells; other systems hardly run on such processors.
    """
    return "amx_bf16" in _flags()


def has_vnni() -> bool:
    """Whether the processor sums products of bytes in one instruction (VNNI), if it tells.

    Linux tells. Without these, bytes are hardly faster than floating numbers.
    """
    return not {"avx512_vnni", "avx_vnni"}.isdisjoint(_flags())


def _flags() -> set[str]:
    """What the first processor can do, as Linux calls it."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            return set(next((line for line in lines if line.startswith("flags")), "").split())
    except OSError:
        return set()


def give_back_memory() -> None:
    """Have the allocator give back what is free, where it would keep it: that of Linux.

    The graphs of networks take several times their size while they are loaded.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # musl keeps nothing, and has no such function
            _c_library().malloc_trim(0)


@cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def is_memory_error(error: Exception) -> bool:
    """Whether something failed for want of memory, on the processor or on an accelerator."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # the processor's allocator and libraries of accelerators raise plain RuntimeErrors
    signs = ("DefaultCPUAllocator: ", "out of memory", "ALLOC_FAILED", "bad allocation")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
