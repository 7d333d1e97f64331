"""Inception-ResNet-v1 as face recognition uses it, in two parts: to the 16th of the side, and on.

Szegedy et al., *Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning*
(AAAI 2017), with the stem of FaceNet. All convolutions and pools pad, so that the maps of a
256-pixel picture are 128, 64, 32, 16 and 8 pixels wide.
"""

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from actionunits.errors import RecipeError

_LEAST_WIDTH = 8  # PyTorch's CPU kernels were seen to corrupt memory below that, channels last
Kernel = int | tuple[int, int]
Branch = Sequence[tuple[int, Kernel]]  # of each convolution the channels and the kernel


class ConvNorm(nn.Sequential):
    """Convolution without bias that pads to keep the size, batch norm, ReLU."""

    def __init__(self, inside: int, out: int, kernel: Kernel = 1, stride: int = 1) -> None:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        super().__init__()
        self.conv = nn.Conv2d(
            inside, out, (height, width), stride, padding=(height // 2, width // 2), bias=False
        )
        self.bn = nn.BatchNorm2d(out, eps=1e-3)
        self.relu = nn.ReLU(inplace=True)


class Residual(nn.Module):
    """``relu(x + scale * up(branches of x))``, the residual block of all three sizes.

    Args:
        channels: of x.
        branches: that see x side by side.
        scale: of the residual; small ones keep the training of many blocks stable.
        relu: False leaves the sum as it is, which is how the last block ends.
    """

    def __init__(
        self,
        channels: int,
        branches: Sequence[Branch],
        scale: float,
        *,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.branches = nn.ModuleList(_chain(channels, branch) for branch in branches)
        self.up = nn.Conv2d(sum(branch[-1][0] for branch in branches), channels, 1)
        self.end = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        y = self.up(torch.cat([branch(x) for branch in self.branches], 1))
        out: Tensor = self.end(x + self.scale * y)
        return out


class Reduction(nn.Module):
    """Branches of convolutions and a max-pool side by side, all of stride 2.

    Args:
        channels: of the input; the output has as many more as the branches end with.
        branches: whose last convolution has the stride.
    """

    def __init__(self, channels: int, branches: Sequence[Branch]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_chain(channels, branch, stride=2) for branch in branches)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C + ..., H / 2, W / 2)."""
        pooled = functional.max_pool2d(x, 3, 2, padding=1)
        return torch.cat([*(branch(x) for branch in self.branches), pooled], 1)


class InceptionEncoder(nn.Module):
    """Inception-ResNet-v1 up to the map of a 16th of the side: stem, 5 and 10 residual blocks.

    9.61 million parameters at the published width.

    Attributes:
        channels: of the map, 896 at the published width.

    Args:
        width: channels of the first convolution, 32 as published; all others change with it.

    Raises:
        RecipeError: the width is not a multiple of 8.
    """

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        check_width(width)
        w = width
        self.width, self.channels = width, 28 * w
        self.stem = nn.Sequential(
            ConvNorm(3, w, 3, 2),
            ConvNorm(w, w, 3),
            ConvNorm(w, 2 * w, 3),
            nn.MaxPool2d(3, 2, padding=1),
            ConvNorm(2 * w, 5 * w // 2),
            ConvNorm(5 * w // 2, 6 * w, 3),
            ConvNorm(6 * w, 8 * w, 3, 2),
        )
        narrow: list[Branch] = [[(w, 1)], [(w, 1), (w, 3)], [(w, 1), (w, 3), (w, 3)]]
        self.blocks35 = nn.Sequential(*(Residual(8 * w, narrow, 0.17) for _ in range(5)))
        self.reduction = Reduction(8 * w, [[(12 * w, 3)], [(6 * w, 1), (6 * w, 3), (8 * w, 3)]])
        wide: list[Branch] = [[(4 * w, 1)], [(4 * w, 1), (4 * w, (1, 7)), (4 * w, (7, 1))]]
        self.blocks17 = nn.Sequential(*(Residual(28 * w, wide, 0.1) for _ in range(10)))
        he_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, H, W) pictures to (B, channels, H / 16, W / 16)."""
        x = self.blocks35(self.stem(images))
        h: Tensor = self.blocks17(self.reduction(x))
        return h


class InceptionTail(nn.Module):
    """The rest of Inception-ResNet-v1: 12.95 million parameters, then the average over the map.

    Attributes:
        channels: of the result, 1792 at the published width.

    Args:
        width: as that of the encoder.

    Raises:
        RecipeError: the width is not a multiple of 8.
    """

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        check_width(width)
        w = width
        self.channels = 56 * w
        self.reduction = Reduction(
            28 * w,
            [
                [(8 * w, 1), (12 * w, 3)],
                [(8 * w, 1), (8 * w, 3)],
                [(8 * w, 1), (8 * w, 3), (8 * w, 3)],
            ],
        )
        branches: list[Branch] = [[(6 * w, 1)], [(6 * w, 1), (6 * w, (1, 3)), (6 * w, (3, 1))]]
        self.blocks8 = nn.Sequential(
            *(Residual(56 * w, branches, 0.2) for _ in range(5)),
            Residual(56 * w, branches, 1.0, relu=False),
        )
        he_normal(self)

    def forward(self, h: Tensor) -> Tensor:
        """Map what the encoder returns to (B, channels)."""
        maps: Tensor = self.blocks8(self.reduction(h))
        return maps.mean((2, 3))


def check_width(width: int) -> None:
    """Refuse a width that the channels of the network cannot be derived from.

    Raises:
        RecipeError: it is not a multiple of 8, or below 8.
    """
    if width < _LEAST_WIDTH or width % _LEAST_WIDTH:
        raise RecipeError(f"width: expected a multiple of {_LEAST_WIDTH}, got {width}")


def he_normal(module: nn.Module) -> None:
    """Start all convolutions and linear layers from He's normal distribution, biases from 0."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


_PARTS = {  # a published name begins with the key, ours with the value
    "conv2d_1a": "encoder.stem.0",
    "conv2d_2a": "encoder.stem.1",
    "conv2d_2b": "encoder.stem.2",
    "conv2d_3b": "encoder.stem.4",
    "conv2d_4a": "encoder.stem.5",
    "conv2d_4b": "encoder.stem.6",
    "repeat_1": "encoder.blocks35",
    "mixed_6a": "encoder.reduction",
    "repeat_2": "encoder.blocks17",
    "mixed_7a": "tail.reduction",
    "repeat_3": "tail.blocks8",
    "block8": "tail.blocks8.5",
}
_HEADS = ("last_linear", "last_bn", "logits")


def published_name(name: str) -> str | None:
    """Our name, ``encoder...`` or ``tail...``, of a tensor in the published PyTorch weights.

    Args:
        name: such as ``repeat_1.0.branch1.0.conv.weight``.

    Returns:
        None for the layers after the pooled features; a name that is not known, as it is.

    >>> published_name("repeat_1.0.branch1.0.conv.weight")
    'encoder.blocks35.0.branches.1.0.conv.weight'
    >>> published_name("block8.branch0.bn.bias")
    'tail.blocks8.5.branches.0.0.bn.bias'
    """
    part, _, rest = name.partition(".")
    if part in _HEADS:
        return None
    if part not in _PARTS:
        return name
    # A branch of a single convolution is not numbered there.
    rest = re.sub(r"branch(\d)\.(conv|bn)\.", r"branches.\1.0.\2.", rest)
    rest = re.sub(r"branch(\d)\.", r"branches.\1.", rest)
    return f"{_PARTS[part]}.{rest.replace('conv2d.', 'up.')}"


def _chain(inside: int, convolutions: Branch, stride: int = 1) -> nn.Sequential:
    """Convolutions one after the other; the last has the stride."""
    chain = nn.Sequential()
    for position, (out, kernel) in enumerate(convolutions, 1):
        chain.append(ConvNorm(inside, out, kernel, stride if position == len(convolutions) else 1))
        inside = out
    return chain
