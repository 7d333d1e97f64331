"""Convolutions of many small networks side by side."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# oneDNN brings the weights into another order at every call. From 32 MiB on, the C library takes
# the memory for that from the system anew each time: measured 2.4 times slower for 12 x 6.4 MB.
_WEIGHT_BYTES = 24 << 20


class GroupedConv2d(nn.Module):
    """Grouped convolution without bias that stays as fast as its groups one by one.

    ``nn.Conv2d`` with groups took 1.6 times as long for GTLE-Net's classifiers, channels last, on
    two CPU threads. The kernels are stored flat, G x out x (inside * kernel * kernel), which keeps
    them out of that layout.

    Args:
        groups: G, the number of networks.
        inside: channels that each of them sees.
        out: channels that each of them returns.
        kernel: side of the kernel, odd; pads by half of it.
        stride: of the convolution.
    """

    def __init__(self, groups: int, inside: int, out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.inside, self.kernel, self.stride = inside, kernel, stride
        self.weight = nn.Parameter(torch.empty(groups, out, inside * kernel * kernel))
        nn.init.kaiming_normal_(self.weight.flatten(0, 1), nonlinearity="relu")
        self._together = max(1, _WEIGHT_BYTES // self.weight[0].nbytes)  # groups in one call

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, G * inside, H, W) to (B, G * out, H / stride, W / stride), group by group."""
        parts = zip(
            torch.split(x.contiguous(), self._together * self.inside, 1),
            torch.split(self.weight, self._together),
            strict=True,
        )
        convolved = [self._convolve(part, weight) for part, weight in parts]
        return convolved[0] if len(convolved) == 1 else torch.cat(convolved, 1)

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        kernels = weight.view(-1, self.inside, self.kernel, self.kernel)
        return functional.conv2d(
            x, kernels, None, self.stride, self.kernel // 2, groups=len(weight)
        )
