"""What the processor is good at, asked once and in one place."""

import torch


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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, has no memory left."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # the processor's allocator and the libraries of accelerators raise plain RuntimeErrors
    signs = ("DefaultCPUAllocator: ", "out of memory", "ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def _has_avx512_bf16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported())
