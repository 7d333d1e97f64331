"""What JPEG compression does to pictures, a batch at once on any device.

ITU-T Recommendation T.81: the colours of JFIF, chroma at half the resolution, the discrete cosine
transform of blocks of 8 x 8, and quantisation by the tables of annex K, which the quality scales as
the Independent JPEG Group's library does. What is lost is lost there; the entropy code that follows
loses nothing and is left out.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

_SIDE = 8  # of a block
_LUMINANCE = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMINANCE = torch.full((_SIDE, _SIDE), 99)
_CHROMINANCE[:4, :4] = torch.tensor(
    [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
)
_TO_YCC = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
_TO_RGB = torch.linalg.inv(_TO_YCC)
_FREQUENCY = torch.arange(_SIDE)[:, None]
_COSINES = torch.cos((torch.arange(_SIDE) + 0.5) * _FREQUENCY * math.pi / _SIDE) / 2
_COSINES[0] /= math.sqrt(2)  # so that its transpose is its inverse


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Compress pictures and decode them again.

    Args:
        images: (N, 3, H, W) RGB on 0..1.
        quality: (N,) 1 to 100.

    Returns:
        (N, 3, H, W), 256 shades on 0..1.
    """
    height, width = images.shape[2:]
    pixels = (images * 255).round()
    pixels = functional.pad(pixels, (0, -width % 16, 0, -height % 16), mode="replicate")
    ycc = torch.einsum("cd,ndhw->nchw", _TO_YCC.to(images.device), pixels).round()
    luminance = _quantised(ycc[:, :1] - 128, _table(_LUMINANCE, quality)) + 128
    chroma = functional.avg_pool2d(ycc[:, 1:], 2)  # already about 0
    chroma = _quantised(chroma, _table(_CHROMINANCE, quality))
    chroma = functional.interpolate(chroma, scale_factor=2, mode="bilinear")
    ycc = torch.cat([luminance, chroma], 1)
    decoded = torch.einsum("cd,ndhw->nchw", _TO_RGB.to(images.device), ycc)
    return decoded[..., :height, :width].round().clamp(0, 255) / 255


def _table(base: Tensor, quality: Tensor) -> Tensor:
    """(N, 8, 8) steps of the coefficients."""
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None]
    return ((base.to(quality.device) * scale + 50) / 100).floor().clamp(1, 255)


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """(N, C, H, W) planes as their blocks come back, by (N, 8, 8) steps."""
    count, channels, height, width = planes.shape
    cosines = _COSINES.to(planes.device)
    blocks = planes.reshape(count, channels, height // _SIDE, _SIDE, width // _SIDE, _SIDE)
    blocks = blocks.transpose(3, 4)  # (N, C, rows, columns, 8, 8)
    steps = steps[:, None, None, None]
    coefficients = (cosines @ blocks @ cosines.T / steps).round() * steps
    back = cosines.T @ coefficients @ cosines
    return back.transpose(3, 4).reshape(planes.shape).round()
