"""The two networks, what they are to say of a picture, and how far off they are.

Both are made of inverted residuals (Sandler et al., *MobileNetV2*, 2018). The first is a feature
pyramid (Lin et al., 2017) whose finest map says where faces are centred, as in Zhou et al.,
*Objects as Points*, 2019: the loss is theirs, Eq. (1), with alpha = 2 and beta = 4.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from actionunits.facefinder.scenes import Crop, Scene
from actionunits.faces.align import TEMPLATE, FloatArray
from actionunits.faces.sight import LOOK_SIDE
from actionunits.faces.synface import BOX, CELL_UNIT, POINTS_UNIT, STRIDE

_SMALLEST, _LEAST_SEEN = 8, 0.35  # pixels, share: below these a face is neither one nor none
_SPREAD, _NARROWEST = 0.11, 0.55  # of the hill about a face's centre: share of its size, cells
_SUMMIT = 0.5  # of the hill, from which on cells say where the face is
_BEND = 0.05  # of the smooth L1 loss


def _convolution(
    inner: int, outer: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> nn.Module:
    convolution = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outer), nn.ReLU(inplace=True))


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; and add what came in where the shapes agree."""

    def __init__(self, inner: int, outer: int, stride: int = 1, widening: int = 3) -> None:
        super().__init__()
        wide = inner * widening
        self.layers = nn.Sequential(
            _convolution(inner, wide, 1),
            _convolution(wide, wide, 3, stride, wide),
            nn.Conv2d(wide, outer, 1, bias=False),
            nn.BatchNorm2d(outer),
        )
        self.residual = stride == 1 and inner == outer

    def forward(self, x: Tensor) -> Tensor:
        """(N, inner, H, W) to (N, outer, H / stride, W / stride)."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


def _stage(inner: int, outer: int, length: int, widening: int = 3) -> nn.Module:
    rest = [InvertedResidual(outer, outer) for _ in range(length - 1)]
    return nn.Sequential(InvertedResidual(inner, outer, 2, widening), *rest)


class SearchNet(nn.Module):
    """Where the faces of a picture are.

    Args:
        widths: channels at strides 2, 4, 8, 16 and 32.
        pyramid: channels of the maps of the pyramid.
    """

    def __init__(self, widths: Sequence[int] = (16, 24, 40, 80, 128), pyramid: int = 48) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _convolution(3, widths[0], 3, 2), _stage(widths[0], widths[1], 2, widening=2)
        )
        lengths = (3, 4, 3)
        self.stages = nn.ModuleList(
            _stage(*pair, length)
            for pair, length in zip(zip(widths[1:], widths[2:], strict=False), lengths, strict=True)
        )
        self.across = nn.ModuleList(nn.Conv2d(width, pyramid, 1) for width in widths[2:])
        self.smooth = nn.ModuleList(_convolution(pyramid, pyramid) for _ in range(3))
        self.heat = nn.Conv2d(pyramid, 1, 1)
        self.place = nn.Conv2d(pyramid, 14, 1)
        # Hardly a face anywhere, to begin with.
        nn.init.constant_(self.heat.get_parameter("bias"), -4.0)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Search.

        Args:
            images: (N, 3, H, W) RGB on 0..255, H and W multiples of 32.

        Returns:
            Logits (N, 1, H/8, W/8) of a face being centred in a cell; and (N, 14, H/8, W/8): where
            its centre lies (x, y), the logarithms of its width and height, and its five points;
            see `search_targets` for the units.
        """
        x = self.stem(images / 127.5 - 1)
        eighth = self.stages[0](x)
        sixteenth = self.stages[1](eighth)
        coarse = self.across[2](self.stages[2](sixteenth))
        coarse = self.smooth[0](
            self.across[1](sixteenth) + functional.interpolate(coarse, scale_factor=2.0)
        )
        fine = self.smooth[1](
            self.across[0](eighth) + functional.interpolate(coarse, scale_factor=2.0)
        )
        fine = self.smooth[2](fine)
        return self.heat(fine), self.place(fine)


class LookNet(nn.Module):
    """Where exactly the points of a face are that is almost in place, and whether it is one."""

    def __init__(self, widths: Sequence[int] = (16, 24, 48, 96), hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(3, widths[0], 3, 2),
            _stage(widths[0], widths[1], 2, widening=2),
            _stage(widths[1], widths[2], 3),
            _stage(widths[2], widths[3], 3),
            _convolution(widths[3], 160, 1),
            nn.Conv2d(160, 64, 1),
            nn.Flatten(),
            nn.ReLU(inplace=True),
            nn.Linear(64 * (LOOK_SIDE // 16) ** 2, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 15),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Look.

        Args:
            images: (N, 3, LOOK_SIDE, LOOK_SIDE) RGB on 0..255.

        Returns:
            Logits (N,) of there being a face, and (N, 14): how far its points are from the template
            and its box from `BOX`, in `POINTS_UNIT` of the crop.
        """
        values = self.layers(images / 127.5 - 1)
        return values[:, 14], values[:, :14]


def search_targets(scene: Scene) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """What the first network is to say of a picture of (S, S).

    Returns:
        Of G = S / 8: (G, G) hills of height 1 at the cells in which faces are centred; (14, G, G)
        centre less the cell's middle and points less it, in a quarter of the face's longer side,
        and the logarithms of width and height in four cells; (G, G) weights of these; (G, G) 0
        where it does not matter what is said: faces too small or too hidden to be called either.
    """
    cells = len(scene.image) // STRIDE
    heat, care = np.zeros((cells, cells), np.float32), np.ones((cells, cells), np.float32)
    place, weight = np.zeros((14, cells, cells), np.float32), np.zeros((cells, cells), np.float32)
    y, x = np.mgrid[:cells, :cells]
    for box, points, seen in zip(scene.boxes, scene.points, scene.seen, strict=True):
        sides = box[2:] - box[:2]
        size, centre = sides.max(), (box[:2] + box[2:]) / 2
        if seen < _LEAST_SEEN or size < _SMALLEST:
            low, high = box[:2] / STRIDE, box[2:] / STRIDE
            within = (x + 0.5 > low[0]) & (x + 0.5 < high[0]) & (y + 0.5 > low[1])
            care[within & (y + 0.5 < high[1])] = 0
            continue
        column, row = (centre // STRIDE).astype(int)
        if not (0 <= column < cells and 0 <= row < cells):
            continue
        width = max(size / STRIDE * _SPREAD, _NARROWEST)
        hill = np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * width**2))
        own = (hill > _SUMMIT) & (hill > heat)
        heat = np.maximum(heat, hill)
        middles = (np.stack([x[own], y[own]], axis=1) + 0.5) * STRIDE
        unit = size / CELL_UNIT
        place[:2, own] = ((centre - middles) / unit).T
        place[2:4, own] = np.log(sides / STRIDE / CELL_UNIT)[:, None]
        place[4:, own] = ((points[None] - middles[:, None]) / unit).reshape(-1, 10).T
        weight[own], care[row, column] = hill[own], 1
    return heat.astype(np.float32), place, weight, care


def look_targets(crop: Crop) -> tuple[FloatArray, np.float32]:
    """What the second network is to say of a crop: (14,), and whether there is a face."""
    points, box = (crop.points - TEMPLATE).ravel(), crop.box - BOX
    return (np.concatenate([points, box]) / POINTS_UNIT).astype(np.float32), np.float32(crop.face)


def search_loss(
    said: tuple[Tensor, Tensor], heat: Tensor, place: Tensor, weight: Tensor, care: Tensor
) -> dict[str, Tensor]:
    """Loss of (N, ...) pictures; see `SearchNet` and `search_targets`.

    Returns:
        Of the centres (focal), of the boxes and of the points (smooth L1), a number each.
    """
    logits, chance = said[0][:, 0], torch.sigmoid(said[0][:, 0])
    summit = (heat > 0.999).float()
    count = summit.sum().clamp(min=1)
    found = -(functional.logsigmoid(logits) * (1 - chance) ** 2 * summit).sum()
    alarms = -(
        functional.logsigmoid(-logits) * chance**2 * (1 - heat) ** 4 * (1 - summit) * care
    ).sum()
    off = functional.smooth_l1_loss(said[1], place, reduction="none", beta=_BEND) * weight[:, None]
    total = weight.sum().clamp(min=1)
    boxes, points = off[:, :4].sum() / total / 4, off[:, 4:].sum() / total / 10
    return {"centres": (found + alarms) / count, "boxes": 2 * boxes, "points": 3 * points}


def look_loss(said: tuple[Tensor, Tensor], values: Tensor, face: Tensor) -> dict[str, Tensor]:
    """Loss of (N, ...) crops; see `LookNet` and `look_targets`. Faces of NaN count in neither.

    Returns:
        Of the places (smooth L1, boxes half) and of there being a face (cross-entropy).
    """
    logits, said_values = said
    there, known = (face == 1).float(), ~face.isnan()
    off = functional.smooth_l1_loss(said_values, values, reduction="none", beta=_BEND)
    each = (off[:, :10].sum(dim=1) + 0.5 * off[:, 10:].sum(dim=1)) / 14
    places = (each * there).sum() / there.sum().clamp(min=1)
    faces = functional.binary_cross_entropy_with_logits(logits[known], face[known])
    return {"places": 4 * places, "faces": faces}
