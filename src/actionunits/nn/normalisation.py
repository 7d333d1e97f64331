"""Batch norms whose batch is that of all processes.

``torch.nn.SyncBatchNorm`` is one for CUDA alone, and stands in for PyTorch's own modules; here any
module's call of ``functional.batch_norm`` in training is taken, on any device.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from actionunits.system.together import processes, whole


def norms_of_all() -> AbstractContextManager[object]:
    """Context in which batch norms normalise by the batch of all processes; all enter it alike."""
    return nullcontext() if processes() == 1 else _NormsOfAll()


class _NormsOfAll(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.batch_norm:
            return _batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``functional.batch_norm`` of (N, C, ...) in each process, with N alike in all.

    Mean and variance are put together from those of the parts, which loses no digits: the variance
    is the mean of theirs and of the squared distances of their means (law of total variance).
    """
    if not training:
        return functional.batch_norm(
            input, running_mean, running_var, weight, bias, False, momentum, eps
        )
    places = (0, *range(2, input.ndim))
    shape = (1, -1, *[1] * (input.ndim - 2))
    with torch.autocast(input.device.type, enabled=False):
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        parts = whole(torch.stack(torch.var_mean(x, places, correction=0))[None])  # (P, 2, C)
        mean = parts[:, 1].mean(0)
        var = (parts[:, 0] + (parts[:, 1] - mean).square()).mean(0)
        scale = (var + eps).rsqrt() if weight is None else weight * (var + eps).rsqrt()
        y = (x - mean.view(shape)) * scale.view(shape)
        y = y if bias is None else y + bias.view(shape)
    count = processes() * x.numel() // x.shape[1]
    with torch.no_grad():
        if running_mean is not None:
            running_mean.lerp_(mean.to(running_mean), momentum)
        if running_var is not None:
            running_var.lerp_((var * count / (count - 1)).to(running_var), momentum)
    return y.to(input.dtype)
