"""Pictures that hardly show a face, so that a network learns when not to be sure.

Each is too dark, too bright, only a few pixels large, or covered from one side.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

_DARKEST, _LIGHTEST = 6.0, 3.0  # halvings and doublings of the light
_SIDES = (10, 16, 24)  # pixels that are left of a picture
_COVERED = (0.3, 0.65)  # share of the side
_KINDS = 4


def ruined(images: Tensor, which: Tensor, u: Mapping[str, Tensor]) -> Tensor:
    """Ruin some pictures.

    Args:
        images: (N, 3, H, W) on 0..1.
        which: (N,) bool.
        u: (N,) each on 0..1, ``ruin_kind``, ``ruin_by`` how badly, ``ruin_side``.

    Returns:
        The same shape.
    """
    ruin = (_KINDS * u["ruin_kind"]).long()
    images = images.clone()
    for kind, spoil in enumerate((_darken, _brighten, _shrink, _cover)):
        chosen = (which & (ruin == kind)).nonzero().flatten()
        if len(chosen):
            by, side = u["ruin_by"][chosen], u["ruin_side"][chosen]
            images[chosen] = spoil(images[chosen], by, side)
    return images


def _darken(images: Tensor, by: Tensor, _: Tensor) -> Tensor:
    light = 2 ** -(1 + (_DARKEST - 1) * by)
    return (255 * images * light[:, None, None, None]).round() / 255  # few shades are left


def _brighten(images: Tensor, by: Tensor, _: Tensor) -> Tensor:
    return (images * 2 ** (1 + (_LIGHTEST - 1) * by)[:, None, None, None]).clamp(max=1)


def _shrink(images: Tensor, by: Tensor, _: Tensor) -> Tensor:
    shrunk = torch.empty_like(images)
    number = ((1 - by) * len(_SIDES)).long().clamp(max=len(_SIDES) - 1)
    for index, side in enumerate(_SIDES):
        chosen = (number == index).nonzero().flatten()
        if len(chosen):
            small = functional.interpolate(images[chosen], (side, side), mode="area")
            shrunk[chosen] = functional.interpolate(small, images.shape[2:], mode="bilinear")
    return shrunk


def _cover(images: Tensor, by: Tensor, side: Tensor) -> Tensor:
    """A plain shade over what is right, below, left or above of a line."""
    height, width = images.shape[2:]
    rows, columns = (torch.arange(length, device=images.device) for length in (height, width))
    down = ((rows + 0.5) / height).expand(len(images), height)
    across = ((columns + 0.5) / width).expand(len(images), width)
    least, most = _COVERED
    share = (least + (most - least) * by)[:, None]
    turn = (4 * side).long()[:, None]
    backwards = turn >= 2
    low = torch.where(backwards, down, 1 - down) < share
    far = torch.where(backwards, across, 1 - across) < share
    is_covered = torch.where((turn % 2 == 1)[..., None], low[:, :, None], far[:, None, :])
    shade = (4 * side).frac()[:, None, None, None]
    return torch.where(is_covered[:, None], shade, images)
