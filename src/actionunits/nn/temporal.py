"""What a frame of a video owes to its neighbours: differences of feature maps, and filters in time.

All blocks here see valid windows only: n frames go in, n minus the window come out, and nothing is
padded. What a video's first and last frames lack is the caller's to repeat.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Fusion = Literal["adaptive", "sum", "concatenation"]
_HIDDEN = 16  # channels of a scale on the way to the weights, in MDHR's release


def mean_difference(maps: Tensor, neighbours: int) -> Tensor:
    """Mean of the 2k differences of successive frames about each frame: MDHR's Eq. (1) and (3).

    The sum of ``x[i] - x[i-1]`` over i from t-k+1 to t+k telescopes to ``x[t+k] - x[t-k]``.

    Args:
        maps: (B, k + T + k, ...) of consecutive frames.
        neighbours: k, at least 1.

    Returns:
        (B, T, ...).
    """
    span = 2 * neighbours
    return (maps[:, span:] - maps[:, :-span]) / span


def normed(channels: int, out: int) -> nn.Sequential:
    """A 1x1 convolution of maps (N, channels, h, w), a batch norm and a ReLU.

    The norm takes a bias of the convolution out again: it has none.
    """
    convolution = nn.Conv2d(channels, out, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())


class MeanDifference(nn.Module):
    """`mean_difference` as a layer: the motion that MDHR prints, which telescopes.

    What sets in and ends within the window leaves nothing behind.

    Args:
        neighbours: k.
    """

    def __init__(self, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours

    def forward(self, scales: Tensor) -> Tensor:
        """Map (B, k + T + k, S, c, h, w) to (B, T, S, c, h, w)."""
        return mean_difference(scales, self.neighbours)


class NormedDifference(nn.Module):
    """Mean of the rectified differences about each frame: the motion of MDHR's release.

    A batch norm of every channel of every scale and a ReLU come between Eq. (2) and Eq. (3), so
    that the mean does not telescope. The convolution of Eq. (2) is linear: what is given here are
    frames that went through it, and their differences are its results for the differences.

    Args:
        neighbours: k.
        channels: S c.
    """

    def __init__(self, neighbours: int, channels: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, scales: Tensor) -> Tensor:
        """Map (B, k + T + k, S, c, h, w) to (B, T, S, c, h, w), from 0 on."""
        steps = scales[:, 1:] - scales[:, :-1]  # steps[i] leads to frame i + 1
        moved: Tensor = self.norm(steps.flatten(0, 1).flatten(1, 2)).relu().view(steps.shape)
        return moved.unfold(1, 2 * self.neighbours, 1).mean(-1)


class AdaptiveFusion(nn.Module):
    """Scales weighted pixel by pixel, the weights a softmax over the scales: Eq. (4) and (5).

    One scale alone has the weight 1, and no parameters.

    Args:
        channels: c of each scale.
        scales: S.
        hidden: channels that each scale has on the way to the weights, behind a norm and a ReLU,
            as in the release; None is Eq. (4), one convolution of all.
    """

    def __init__(self, channels: int, scales: int, hidden: int | None = None) -> None:
        super().__init__()
        self.weigh: nn.Module | None = None
        if scales > 1 and hidden is None:
            self.weigh = nn.Conv2d(scales * channels, scales, 1)
        elif scales > 1 and hidden is not None:
            self.weigh = nn.Sequential(
                nn.Conv2d(scales * channels, scales * hidden, 1, groups=scales, bias=False),
                nn.BatchNorm2d(scales * hidden),
                nn.ReLU(),
                nn.Conv2d(scales * hidden, scales, 1),
            )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Fuse (N, S, c, h, w) to (N, c, h, w); also returns the weights (N, S, h, w)."""
        if self.weigh is None:
            return x[:, 0], torch.ones_like(x[:, :, 0])
        # A softmax needs more digits than bfloat16 has for its weights to sum to 1.
        weights: Tensor = self.weigh(x.flatten(1, 2)).float().softmax(1)
        return (weights[:, :, None] * x).sum(1), weights


class SumFusion(nn.Module):
    """Scales added up, without weights: Table 4's "Sum".

    Args:
        channels: c of each scale.
        scales: S.
    """

    def __init__(self, channels: int, scales: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Fuse (N, S, c, h, w) to (N, c, h, w); there are no weights to return."""
        return x.sum(1), None


class ConcatenationFusion(nn.Module):
    """Scales side by side, then a 1x1 convolution back to their width: Table 4's "Cat".

    Args:
        channels: c of each scale.
        scales: S.
    """

    def __init__(self, channels: int, scales: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(scales * channels, channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Fuse (N, S, c, h, w) to (N, c, h, w); there are no weights to return."""
        return self.reduce(x.flatten(1, 2)), None


class PatchConvolution(nn.Module):
    """A convolution whose stride is its kernel, without a bias, as one product of matrices.

    Measured on a CPU: 1.5 times as fast as a convolution of the same weights.

    Args:
        channels: of the map.
        out: channels that come out.
        side: of the kernel.
    """

    def __init__(self, channels: int, out: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, channels, side, side))
        bound = (channels * side * side) ** -0.5  # as of a convolution
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, out, H / side, W / side)."""
        side, (frames, channels, height, width) = self.weight.shape[-1], x.shape
        h, w = height // side, width // side
        patches = x.reshape(frames, channels, h, side, w, side).permute(0, 2, 4, 1, 3, 5)
        rows = patches.reshape(frames * h * w, channels * side * side)
        out = functional.linear(rows, self.weight.flatten(1))
        return out.view(frames, h, w, out.shape[1]).permute(0, 3, 1, 2)


class MultiScaleDynamics(nn.Module):
    """Motion about each frame, from the maps of several backbone stages: MDHR's section 3.1.

    Eq. (1) and (2) take differences of stage maps and convolve each to the size of the last stage.
    Both are linear, so each frame is convolved once (`resize`) and the differences are taken of the
    small results. That gives the same numbers for up to 2k times less work, and what is kept of a
    frame does not depend on its neighbours. The convolutions have no bias, so that a face at rest
    differs by 0. Their kernels and strides are 8, 4, 2, 1: the printed 8 / l would be no whole
    number for l = 3.

    Args:
        channels: of the maps of the four stages; the last is also the width c of the scales.
        stages: numbers, from 1 on, of the stages that are used.
        neighbours: k, frames before and after that a frame's motion is taken over.
        fusion: of the scales.
        width: c' of the motion, which is brought to it as in the release, where the differences and
            the weights of the scales have norms, too. None is the equations alone, and c' is c.
    """

    def __init__(
        self,
        channels: list[int],
        stages: tuple[int, ...],
        neighbours: int,
        fusion: Fusion,
        width: int | None,
    ) -> None:
        super().__init__()
        self.stages, self.neighbours = stages, neighbours
        c, scales = channels[-1], len(stages)
        self.difference: nn.Module = MeanDifference(neighbours)
        self.project: nn.Module = nn.Identity()
        if width is not None:
            self.difference = NormedDifference(neighbours, scales * c)
            self.project = normed(c, width)
        self.fusion: nn.Module
        if fusion == "adaptive":
            self.fusion = AdaptiveFusion(c, scales, None if width is None else _HIDDEN)
        else:
            self.fusion = {"sum": SumFusion, "concatenation": ConcatenationFusion}[fusion](
                c, scales
            )
        self.convolutions = nn.ModuleList(
            PatchConvolution(channels[s - 1], channels[-1], side)
            for s in stages
            for side in [2 ** (len(channels) - s)]
        )

    def resize(self, maps: list[Tensor]) -> Tensor:
        """Bring stage maps, each (N, channels, H_l, W_l), to one size: (N, S, c, h, w), Eq. (2)."""
        pairs = zip(self.convolutions, self.stages, strict=True)
        return torch.stack([convolve(maps[s - 1]) for convolve, s in pairs], 1)

    def forward(self, scales: Tensor) -> tuple[Tensor, Tensor | None]:
        """Take the motion about each frame.

        Args:
            scales: (B, k + T + k, S, c, h, w), of `resize`.

        Returns:
            (B, T, c', h, w), the second operand of Eq. (6), and the weights of the scales
            (B, T, S, h, w) where the fusion has such.
        """
        difference = self.difference(scales)
        motion, weights = self.fusion(difference.flatten(0, 1))
        clips = difference.shape[:2]
        motion = self.project(motion).unflatten(0, clips)
        return motion, None if weights is None else weights.unflatten(0, clips)


class AUTemporalConvolution(nn.Module):
    """A filter in time for every channel of every AU's feature vector.

    It starts as the identity: every frame by itself, as without it.

    Args:
        aus: A.
        width: b, of a feature vector.
        kernel: frames that a frame's output depends on, odd.
        norm: a batch norm of each AU and a ReLU come after it, as in MDHR's release.
    """

    def __init__(self, aus: int, width: int, kernel: int, *, norm: bool = False) -> None:
        super().__init__()
        taps = torch.zeros(aus * width, 1, kernel)
        taps[..., kernel // 2] = 1
        self.weight = nn.Parameter(taps)
        self.bias = nn.Parameter(torch.zeros(aus * width))
        self.after = nn.Sequential(nn.BatchNorm1d(aus), nn.ReLU()) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T + kernel - 1, A, b) to (B, T, A, b)."""
        # PyTorch's depth-wise kernels are two-dimensional: five times faster here than conv1d.
        channels = x.flatten(2).mT[:, :, None]  # (B, A b, 1, time)
        groups = self.weight.shape[0]
        out = functional.conv2d(channels, self.weight[:, :, None], self.bias, groups=groups)
        frames = out[:, :, 0].mT.reshape(-1, *x.shape[2:])
        filtered: Tensor = self.after(frames)
        return filtered.view(x.shape[0], -1, *x.shape[2:])
