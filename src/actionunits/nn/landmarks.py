"""Facial landmarks inside a network: how they are predicted, and where the AUs are about them."""

import torch
from torch import Tensor, nn

from actionunits.aus import AUSet

POINTS = 49


class LandmarkPredictor(nn.Module):
    """Three blocks of two convolutions and a max-pooling, then two linear layers.

    The alignment module of JAA-Net, which MGRR-Net and SACL take over.

    Args:
        channels: of the map that it reads.
        map_side: side of that map.
        size: side of the crop, in whose pixels the landmarks come out.
        widths: channels of the three blocks.
        hidden: width of the first linear layer.
    """

    def __init__(
        self,
        channels: int,
        map_side: int,
        size: int,
        *,
        widths: tuple[int, ...] = (96, 128, 160),
        hidden: int = 512,
    ) -> None:
        super().__init__()
        self.size = size
        layers: list[nn.Module] = []
        for width in widths:
            layers += [*_convolution(channels, width), *_convolution(width, width)]
            layers.append(nn.MaxPool2d(2))
            channels = width
        self.blocks = nn.Sequential(*layers)
        flat = channels * (map_side >> len(widths)) ** 2
        self.head = nn.Sequential(nn.Linear(flat, hidden), nn.Linear(hidden, 2 * POINTS))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Predict landmarks.

        Args:
            x: (B, channels, map_side, map_side).

        Returns:
            (B, flat) alignment features and (B, 49, 2) float32 landmarks in pixels of the crop.
        """
        features = self.blocks(x).flatten(1)
        # Pixels from the centre. In shares of the crop the squared error would be size^2 times as
        # steep, and the papers' rates of SGD were seen to diverge within two steps.
        offsets = self.head(features).float().view(-1, POINTS, 2)
        return features, offsets + self.size / 2


class AUCentres(nn.Module):
    """Centres of the regions in which AUs show, from landmarks: SACL's Table 2.

    AUs with the same centres share a region, so that R regions belong to A AUs.

    Attributes:
        regions: R, always even.
        of_au: (A, 2) int64, the regions of each AU on the subject's right and left.
    """

    points: Tensor
    shift: Tensor
    of_au: Tensor

    def __init__(self, aus: AUSet) -> None:
        super().__init__()
        pairs = list(dict.fromkeys(au.centres for au in aus))
        self.regions = 2 * len(pairs)
        pair_of = [pairs.index(au.centres) for au in aus]
        shift = [pair.shift for pair in pairs for _ in pair.points]
        self.register_buffer(
            "points", torch.tensor([p for pair in pairs for p in pair.points]), persistent=False
        )
        self.register_buffer("shift", torch.tensor(shift), persistent=False)
        self.register_buffer(
            "of_au", torch.tensor([[2 * i, 2 * i + 1] for i in pair_of]), persistent=False
        )

    def forward(self, landmarks: Tensor) -> Tensor:
        """Place the centres.

        Args:
            landmarks: (B, 49, 2) x, y.

        Returns:
            (B, R, 2) in the same units; they may lie outside the picture.
        """
        scale = torch.linalg.vector_norm(landmarks[:, 22] - landmarks[:, 25], dim=-1)
        down = scale[:, None] * self.shift
        return landmarks[:, self.points] + torch.stack([torch.zeros_like(down), down], -1)


def _convolution(channels: int, width: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
