"""Regions of a face: a grid over an aligned face, and windows about its Action Units."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from actionunits.aus import AUSet
from actionunits.nn.landmarks import AUCentres

_WINDOW = 0.14  # side of a window of an AU, as a share of the map's


class RegionConv(nn.Module):
    """Batch norm, ReLU and a 3x3 convolution, with their own weights in every cell of a grid.

    The cells do not see each other: each has statistics of its own and is padded with zeros by
    itself. They are folded into channels, so that one norm and one grouped convolution compute them
    all.

    Args:
        channels: of the map.
        out: channels that come out.
        grid: cells along either side; it divides the side of the map.
    """

    def __init__(self, channels: int, out: int, grid: int) -> None:
        super().__init__()
        self.grid, cells = grid, grid * grid
        self.norm = nn.BatchNorm2d(cells * channels)
        self.conv = nn.Conv2d(cells * channels, cells * out, 3, padding=1, groups=cells)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, out, H, W)."""
        g, (_, channels, height, width) = self.grid, x.shape
        cells = x.reshape(-1, channels, g, height // g, g, width // g)
        folded = cells.permute(0, 2, 4, 1, 3, 5).flatten(1, 3)  # (B, g * g * C, h, w)
        active = functional.relu_(self.norm(folded))
        y: Tensor = self.conv(active).unflatten(1, (g, g, -1))  # (B, g, g, O, h, w)
        return y.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


class RegionLayer(nn.Module):
    """Hierarchical multi-scale region layer: features of face regions of three sizes.

    A 3x3 convolution, and upon it three region convolutions in a chain over grids of 8x8, 4x4 and
    2x2 cells. What the three give is concatenated and added to what they were given. JAA-Net's
    layer, in whose release each cell normalises and rectifies before it convolves; without, the
    chain would be one linear map.

    Args:
        channels: of the map.
        out: channels that come out, a multiple of 4: the three scales give 1/2, 1/4 and 1/4.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, padding=1)
        self.fine = RegionConv(out, out // 2, 8)
        self.middle = RegionConv(out // 2, out // 4, 4)
        self.coarse = RegionConv(out // 4, out // 4, 2)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W), sides divisible by 8, to (B, out, H, W)."""
        x = self.conv(x)
        fine = self.fine(x)
        middle = self.middle(fine)
        scales = torch.cat([fine, middle, self.coarse(middle)], 1)
        return functional.relu(self.norm(x + scales))


class AUPatches(nn.Module):
    """Features v of the AUs: O_G under each AU's windows, then a convolution of the AU's own.

    An AU has two square windows of 0.14 of the map about its centres on either side of the face;
    where they overlap, they count once. A window is clipped at the edge of the map, and an AU
    whose windows lie wholly outside has v = 0. The convolution (3x3, ReLU) has no offset, so that
    v is 0 away from the windows; hence only the windows are computed.

    Args:
        aus: label axis, A AUs.
        channels: C of O_G.
        side: of O_G.
        size: side of the crop, in whose pixels the landmarks are.
    """

    def __init__(self, aus: AUSet, channels: int, side: int, size: int) -> None:
        super().__init__()
        self.count, self.side, self.scale = len(aus), side, side / size
        self.window = max(1, round(_WINDOW * side))
        self.centres = AUCentres(aus)
        # Padded by 2: what comes out is one cell wider than the window all around.
        self.conv = nn.Conv2d(
            self.count * channels,
            self.count * channels,
            3,
            padding=2,
            groups=self.count,
            bias=False,
        )

    def forward(self, x: Tensor, landmarks: Tensor) -> Tensor:
        """Map O_G (B, C, side, side) and landmarks (B, 49, 2) to v (B, A, C, side, side)."""
        starts = self.starts(landmarks)
        patches = self._windows(x, starts) * self._once(starts)[:, :, :, None].to(x.dtype)

        y = self.conv(patches.flatten(2, 3).flatten(0, 1))
        y = y.unflatten(1, (self.count, -1)).unflatten(0, (-1, 2))  # (B, 2, A, C, w + 2, w + 2)
        around = self._cells(starts - 1, self.window + 2).to(y.dtype)
        across = torch.einsum("bhacij,bahjx->bahcix", y, around[..., 0, :, :])
        return functional.relu_(torch.einsum("bahiy,bahcix->bacyx", around[..., 1, :, :], across))

    def starts(self, landmarks: Tensor) -> Tensor:
        """Return the first column and row of the windows, (B, A, 2, 2) whole float32 numbers."""
        centres = self.centres(landmarks.float())[:, self.centres.of_au]
        starts: Tensor = (centres * self.scale - self.window / 2 + 0.5).floor()
        return starts

    def _windows(self, x: Tensor, starts: Tensor) -> Tensor:
        """What the map holds in the windows, (B, 2, A, C, w, w); 0 beyond its edge."""
        cells = starts[..., None].long() + torch.arange(self.window, device=x.device)
        inside = (cells >= 0) & (cells < self.side)  # (B, A, 2, 2, w) of columns and rows
        columns, rows = cells.clamp(0, self.side - 1).unbind(3)
        faces = torch.arange(x.shape[0], device=x.device)[:, None, None, None, None]
        places = (faces * self.side + rows[..., :, None]) * self.side + columns[..., None, :]
        pixels = functional.embedding(places, x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]))
        within = inside[..., 1, :, None] & inside[..., 0, None, :]  # (B, A, 2, w, w)
        return (pixels * within[..., None]).permute(0, 2, 1, 5, 3, 4)

    def _cells(self, starts: Tensor, length: int) -> Tensor:
        """Which cells of the map the columns and rows are: (B, A, 2, 2, length, side), 0 or 1."""
        offsets = torch.arange(length, device=starts.device)[:, None]
        return starts[..., None, None] + offsets == torch.arange(self.side, device=starts.device)

    def _once(self, starts: Tensor) -> Tensor:
        """1 in the cells of the windows, but 0 in those of the second that the first has too."""
        first, second = starts.unbind(2)  # (B, A, 2) each
        offsets = torch.arange(self.window, device=starts.device)
        ahead = (second - first)[..., None] + offsets  # (B, A, 2, w) columns and rows of the second
        shared = (ahead >= 0) & (ahead < self.window)
        both = shared[..., 1, :, None] & shared[..., 0, None, :]
        return torch.stack([torch.ones_like(both), ~both], 1)  # (B, 2, A, w, w)
