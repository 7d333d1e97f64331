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


def _has_avx512_bf16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported())
