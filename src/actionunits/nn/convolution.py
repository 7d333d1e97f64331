"""Convolutions of small maps as matrix products, which is how a CPU trains them fastest.

The libraries behind PyTorch's convolutions are made for large maps. On those of the last stages of
a network for small faces, 2 x 2 to 4 x 4, a processor's matrix units stand idle: the gradient of a
512 x 512 x 3 x 3 weight on 64 maps of 2 x 2 was measured to take 35 ms in bfloat16 and 2 ms as one
matrix product. `benchmarks/small_maps.py` prints these ratios.
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_POSITIONS = 16  # of an output map, up to which the matrix product is the faster one
_WEIGHTS = 128 * 128  # channels in times channels out, from which on it is


class SmallMaps(TorchFunctionMode):
    """Within it ``torch.conv2d`` takes the faster way where a map is small; values are the same.

    For training on a CPU; everything else goes its usual way.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Stand in for the convolutions that `_pays` names."""
        if func is torch.conv2d and not kwargs and len(args) == 7 and _pays(*args):
            return _conv2d(*args)
        return func(*args, **(kwargs or {}))


def _conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    *_: Any,
) -> Tensor:
    if torch.is_autocast_enabled(x.device.type):
        kind = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(kind), weight.to(kind)
    y: Tensor = _Product.apply(x, weight, stride, padding)
    return y if bias is None else y + bias.to(y.dtype)[:, None, None]


def _pays(
    x: Tensor,
    weight: Tensor,
    _bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int] | str,
    dilation: tuple[int, int],
    groups: int,
) -> bool:
    plain = groups == 1 and set(dilation) == {1}
    here = x.device.type == "cpu" and torch.is_grad_enabled()
    if isinstance(padding, str) or not (plain and here):
        return False
    height, width = _out(x.shape[2:], weight.shape[2:], stride, padding)
    large = weight.shape[0] * weight.shape[1] >= _WEIGHTS
    return large and height * width <= _POSITIONS


class _Product(torch.autograd.Function):
    """Convolution (N, C, H, W) to (N, C', H', W') by products of patches and weights."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return _product(x, weight, stride, padding)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, kernel = ctx.stride, ctx.padding, weight.shape[2:]
        rows = grad.permute(0, 2, 3, 1).flatten(0, 2)
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            patches = rows @ weight.permute(0, 2, 3, 1).flatten(1)
            grad_x = _summed(patches, x.shape, kernel, stride, padding)
        if ctx.needs_input_grad[1]:
            summed = rows.t() @ _patches(x, kernel, stride, padding)
            grad_weight = summed.view(len(summed), *kernel, -1).permute(0, 3, 1, 2)
        return grad_x, grad_weight, None, None


def _product(
    x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    kernel = weight.shape[2:]
    size = _out(x.shape[2:], kernel, stride, padding)
    rows = weight.permute(0, 2, 3, 1).flatten(1)  # (C', kh * kw * C)
    y = _patches(x, kernel, stride, padding) @ rows.t()
    return y.view(len(x), *size, -1).permute(0, 3, 1, 2)


def _patches(
    x: Tensor, kernel: torch.Size, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """What each output position sees: (N * H' * W', kh * kw * C) of (N, C, H, W)."""
    (top, left), channels = padding, x.shape[1]
    height, width = _out(x.shape[2:], kernel, stride, padding)
    around = functional.pad(x, (left, left, top, top)).permute(0, 2, 3, 1).contiguous()
    image, row, column, channel = around.stride()
    shape = (len(x), height, width, *kernel, channels)
    steps = (image, row * stride[0], column * stride[1], row, column, channel)
    return around.as_strided(shape, steps).reshape(-1, kernel.numel() * channels)


def _summed(
    patches: Tensor,
    shape: torch.Size,
    kernel: torch.Size,
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    """Transpose of `_patches`: each place of (N, C, H, W) gets the sum of all that saw it."""
    count, channels, height, width = shape
    (top, left), (down, right) = padding, stride
    rows, columns = _out(shape[2:], kernel, stride, padding)
    seen = patches.view(count, rows, columns, *kernel, channels)
    around = patches.new_zeros(count, height + 2 * top, width + 2 * left, channels)
    for y, x in product(range(kernel[0]), range(kernel[1])):  # the few places of a kernel
        taken = around[:, y : y + down * rows : down, x : x + right * columns : right]
        taken += seen[:, :, :, y, x]
    inside = around[:, top : top + height, left : left + width]
    return inside.permute(0, 3, 1, 2)


def _out(
    size: torch.Size, kernel: torch.Size, stride: tuple[int, int], padding: tuple[int, int]
) -> tuple[int, int]:
    """Height and width of the output map."""
    height, width = (
        (side + 2 * edge - taken) // step + 1
        for side, taken, step, edge in zip(size, kernel, stride, padding, strict=True)
    )
    return height, width
