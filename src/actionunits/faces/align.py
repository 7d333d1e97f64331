"""Where a face goes: least-squares maps of its points onto a template, and the crops they show.

Points are x (right) and y (down) in continuous pixel coordinates: an image spans [0, W] x [0, H]
and the centre of its first pixel is (0.5, 0.5). The five points are the centre of the eye on the
image's left, that of the other eye, the tip of the nose, the mouth corner on the image's left and
the other one. The order is CenterFace's too.
"""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.floating]

_MEASURED = np.array(
    [
        [0.34968, 0.36150],
        [0.64859, 0.35985],
        [0.50012, 0.53150],
        [0.37729, 0.70649],
        [0.62480, 0.70512],
    ]
)
_MIRRORED = np.array([1.0, 0.0]) + _MEASURED[[1, 0, 2, 4, 3]] * np.array([-1.0, 1.0])
# (5, 2) in the unit square. Symmetric, so that a mirrored face aligns to the mirrored crop.
TEMPLATE: FloatArray = (_MEASURED + _MIRRORED) / 2


def template(size: int, align: int | None = None, five: FloatArray = TEMPLATE) -> FloatArray:
    """Template in pixels of the centre crop of `size` out of an aligned face of `align` pixels.

    Args:
        size: side of the crop.
        align: side of the aligned face; `size` where not given.
        five: (5, 2) places of the five points in the unit square.

    Returns:
        (5, 2) points.
    """
    align = size if align is None else align
    return five * align - (align - size) / 2


def five_points(landmarks: FloatArray) -> FloatArray:
    """Eye centres, nose tip and mouth corners of 49 landmarks.

    Args:
        landmarks: (..., 49, 2), iBUG-68 without jaw and inner mouth corners.

    Returns:
        (..., 5, 2).
    """
    left_eye = landmarks[..., 19:25, :].mean(axis=-2, keepdims=True)
    right_eye = landmarks[..., 25:31, :].mean(axis=-2, keepdims=True)
    return np.concatenate([left_eye, right_eye, landmarks[..., [13, 31, 37], :]], axis=-2)


def similarity(points: FloatArray, target: FloatArray) -> FloatArray:
    """Least-squares similarity (rotation, one scale, shift; no reflection) of points onto a target.

    With points and target as complex numbers about their means, p and q, the rotation and scale is
    a = sum(conj(p) q) / sum(|p|^2): Umeyama's solution in the plane.

    Args:
        points: (..., P, 2).
        target: (P, 2), or a shape that broadcasts against `points`.

    Returns:
        (..., 2, 3) matrices that map points onto the target.

    Raises:
        ValueError: all points of a face coincide, or one is not finite.
    """
    p, source_mean = _centred(points)
    q, target_mean = _centred(target)
    spread = (p**2).sum(axis=(-2, -1))
    # Points that coincide still differ from their mean by rounding.
    least = 1e-24 * (np.asarray(points) ** 2).sum(axis=(-2, -1))
    if not (np.isfinite(spread) & (spread > least)).all():
        raise ValueError("a similarity needs finite points of which at least two differ")
    cosine = (p * q).sum(axis=(-2, -1)) / spread
    sine = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(axis=-1) / spread
    linear = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    return _onto(linear, source_mean, target_mean)


def affine(points: FloatArray, target: FloatArray) -> FloatArray:
    """Least-squares affine map of points onto a target.

    Args:
        points: (..., P, 2).
        target: (P, 2), or a shape that broadcasts against `points`.

    Returns:
        (..., 2, 3) matrices that map points onto the target.

    Raises:
        ValueError: the points of a face lie on one line, or one is not finite.
    """
    p, source_mean = _centred(points)
    q, target_mean = _centred(target)
    moments = p.swapaxes(-1, -2) @ p
    spread = np.trace(moments, axis1=-2, axis2=-1)
    # Points on a line still leave a speck of area to rounding.
    if not (np.linalg.det(moments) > 1e-12 * spread**2).all():
        raise ValueError("an affine map needs finite points that are not on one line")
    linear = np.linalg.solve(moments, p.swapaxes(-1, -2) @ q).swapaxes(-1, -2)
    return _onto(linear, source_mean, target_mean)


def _centred(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points about their mean, and the mean."""
    points = np.asarray(points, dtype=np.float64)
    mean = points.mean(axis=-2)
    return points - mean[..., None, :], mean


def _onto(linear: FloatArray, source: FloatArray, target: FloatArray) -> FloatArray:
    """Affine maps (..., 2, 3) with this linear part that take `source` to `target`."""
    shift = target - (linear @ source[..., None])[..., 0]
    return np.concatenate([linear, shift[..., None]], axis=-1)


def invert(matrices: FloatArray) -> FloatArray:
    """Inverse of affine maps, (..., 2, 3) to (..., 2, 3)."""
    linear = np.linalg.inv(matrices[..., :2])
    return np.concatenate([linear, -linear @ matrices[..., 2:]], axis=-1)


def transform(points: FloatArray, matrices: FloatArray) -> FloatArray:
    """Map points (..., P, 2) by affine matrices (..., 2, 3) to (..., P, 2)."""
    mapped: FloatArray = points @ matrices[..., :2].swapaxes(-1, -2) + matrices[..., None, :, 2]
    return mapped


def warp(image: NDArray[np.uint8], matrices: FloatArray, size: int) -> torch.Tensor:
    """Crops of one image, anti-aliased where a crop is smaller than what it shows.

    For a crop that shrinks the image k times, squares of floor(k) pixels are averaged first; what
    is left is sampled on a grid twice as fine and averaged again. That is about as smooth as
    Pillow's and PyTorch's anti-aliased bilinear scaling. Beyond the image its border goes on.

    Args:
        image: (H, W, 3) uint8.
        matrices: (N, 2, 3), each maps pixels of the image onto pixels of its crop.
        size: side of the crops.

    Returns:
        (N, 3, size, size) uint8.
    """
    crops = torch.empty((len(matrices), 3, size, size), dtype=torch.uint8)
    if not len(matrices):
        return crops
    to_image = invert(matrices)
    region, origin = _region(image, to_image, size)
    to_region = to_image - np.pad(origin[:, None], ((0, 0), (2, 0)))
    shrink = np.sqrt(np.abs(np.linalg.det(to_image[..., :2])))
    # Rounding, a hair's breadth from an integer, must not double the work.
    squares = np.maximum(np.floor(shrink + 1e-3), 1).astype(int)
    finer = np.where(shrink > squares + 1e-3, 2, 1)
    for square, factor in {(int(k), int(f)) for k, f in zip(squares, finer, strict=True)}:
        chosen = np.flatnonzero((squares == square) & (finer == factor))
        smaller = _averaged(region, square)
        theta = _normalised(to_region[chosen] / square, size, smaller.shape[-2:])
        fine = F.grid_sample(
            smaller.expand(len(chosen), -1, -1, -1),
            _grid(torch.from_numpy(theta).float(), size * factor),
            padding_mode="border",
            align_corners=False,
        )
        averaged = F.avg_pool2d(fine, factor).round_().clamp_(0, 255)
        crops[torch.from_numpy(chosen)] = averaged.byte()
    return crops


def _averaged(region: NDArray[np.uint8], square: int) -> torch.Tensor:
    """Means of squares of pixels, (1, 3, ceil(h / square), ceil(w / square)) float on 0..255."""
    if square > 1:
        region = np.array(Image.fromarray(region).reduce(square))
    return torch.from_numpy(region).permute(2, 0, 1)[None].float()


def _grid(theta: torch.Tensor, side: int) -> torch.Tensor:
    """What ``F.affine_grid`` gives for squares, (N, side, side, 2), in a quarter of the time."""
    at = (2 * torch.arange(side) + 1) / side - 1
    rows = theta[:, None, :, 1] * at[:, None] + theta[:, None, :, 2]  # (N, side, 2)
    columns = theta[:, None, :, 0] * at[:, None]
    return rows[:, :, None] + columns[:, None]


def _region(
    image: NDArray[np.uint8], to_image: FloatArray, size: int
) -> tuple[NDArray[np.uint8], FloatArray]:
    """Part of the image that the crops show, (h, w, 3), and its origin (2,).

    Only this part becomes floating point: in a large picture that is most of the cost.
    """
    height, width = image.shape[:2]
    square = np.array([[0, 0], [size, 0], [0, size], [size, size]], dtype=np.float64)
    corners = transform(square, to_image).reshape(-1, 2)
    limit = np.array([width, height]) - 1
    x0, y0 = np.clip(np.floor(corners.min(axis=0)) - 1, 0, limit).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, limit).astype(int)
    part = np.require(image[y0 : y1 + 1, x0 : x1 + 1], requirements=["C", "W"])
    return part, np.array([x0, y0], dtype=np.float64)


def _normalised(to_region: FloatArray, size: int, shape: tuple[int, ...]) -> FloatArray:
    """Crop-to-region maps in pixels as maps between squares on -1..1, which `affine_grid` takes."""
    half = np.array([shape[1], shape[0]], dtype=np.float64)[:, None] / 2
    centre = size / 2
    linear = to_region[..., :2]
    middle = linear @ np.full((2, 1), centre) + to_region[..., 2:]
    return np.concatenate([linear * centre / half, middle / half - 1], axis=-1)
