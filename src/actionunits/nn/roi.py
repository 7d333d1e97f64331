"""Regions of interest of a feature map, about given centres."""

import torch
from torch import Tensor
from torchvision.ops import roi_align

from actionunits.aus import AUSet, Centres


def inside(centres: Tensor, extent: float, side: float) -> Tensor:
    """Move the centres of square regions so that all regions lie within a square picture.

    Args:
        centres: (B, R, 2) x, y.
        extent: side of a region, in the same unit, at most `side`.
        side: of the picture, which spans 0 to `side`.
    """
    return centres.clamp(extent / 2, side - extent / 2)


def regions_about(features: Tensor, centres: Tensor, extent: float, bins: int) -> Tensor:
    """Cut square regions out of a map, sampled bilinearly (RoIAlign of Mask R-CNN).

    Args:
        features: (B, C, H, W).
        centres: (B, R, 2) x, y in pixels of the map, which spans 0 to W and 0 to H.
        extent: side of a region in pixels of the map.
        bins: side of what is returned; a bin is the mean of its samples, at most a pixel apart.

    Returns:
        (B, R, C, bins, bins).
    """
    batch, regions = centres.shape[:2]
    picture = torch.arange(batch, device=centres.device, dtype=centres.dtype)
    corners = torch.cat([centres - extent / 2, centres + extent / 2], -1)
    boxes = torch.cat([picture[:, None, None].expand(-1, regions, 1), corners], -1)
    cut: Tensor = roi_align(features, boxes.flatten(0, 1).to(features.dtype), bins, aligned=True)
    return cut.view(batch, regions, -1, bins, bins)


def region_keys(aus: AUSet) -> list[tuple[Centres, int]]:
    """What tells the regions of `AUCentres` apart, in their order.

    Returns:
        R pairs of where its AUs show, and the subject's right (0) or left (1).
    """
    return [(pair, side) for pair in dict.fromkeys(au.centres for au in aus) for side in (0, 1)]
