"""Where a face goes: least-squares maps of its points onto a template, and the crops they show.

Points are x (right) and y (down) in continuous pixel coordinates: an image spans [0, W] x [0, H]
and the centre of its first pixel is (0.5, 0.5). The five points are the centre of the eye on the
image's left, that of the other eye, the tip of the nose, the mouth corner on the image's left and
the other one.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.floating]

_WIDEST = 1 << 12  # pixels of an image along a crop
_STRIP = 1 << 18  # pixels of an image that are copied at a time

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


class Sampling(NamedTuple):
    """How a crop is sampled."""

    stride: int  # of pixels of the image only one in so many is taken, where it shows very much
    square: int  # pixels along a square that is averaged
    finer: int  # samples along a pixel of the crop, which are averaged


def smoothly(shrink: float, size: int) -> Sampling:
    """Sampling of a crop of `size` pixels that shrinks an image so many times; see `warp`."""
    stride = max(int(size * shrink) // _WIDEST, 1)
    # Rounding, a hair's breadth from an integer, must not double the work.
    square = max(int(shrink / stride + 1e-3), 1)
    return Sampling(stride, square, 2 if shrink / stride > square + 1e-3 else 1)


def quickly(shrink: float, size: int) -> Sampling:
    """Sampling of a crop of `size` pixels that shrinks an image so many times; see `glance`."""
    stride = max(int(size * shrink) // _WIDEST, 1)
    return Sampling(stride, max(round(shrink / stride), 1), 1)


class Plan(NamedTuple):
    """What a crop shows of an image, and how it is sampled."""

    low: NDArray[np.int64]  # (2,) x, y of the first pixel, perhaps beside the image
    high: NDArray[np.int64]  # (2,) behind the last one
    sampling: Sampling
    to_reduced: FloatArray  # (2, 3), from the samples of the crop to the averaged squares

    def places(self, size: tuple[int, ...]) -> list[NDArray[np.int64]]:
        """Columns and rows of an image of this width and height that the crop shows."""
        stride = self.sampling.stride
        return [
            np.clip(np.arange(start, end + stride - 1, stride) + stride // 2, 0, edge - 1)
            for start, end, edge in zip(self.low, self.high, size, strict=True)
        ]


def plans(
    matrices: FloatArray, size: int, sampling: Callable[[float, int], Sampling] = smoothly
) -> list[Plan]:
    """Plan of each crop; squares begin where the crop does.

    Args:
        matrices: (N, 2, 3), each maps pixels of an image onto pixels of its crop.
        size: side of the crops.
        sampling: `smoothly` or `quickly`.
    """
    shrinks = np.abs(np.linalg.det(matrices[..., :2])) ** -0.5
    sampled = [sampling(float(shrink), size) for shrink in shrinks]
    stride, square, finer = np.array(sampled).reshape(-1, 3).T[:, :, None]
    to_image = invert(matrices)
    outline = np.array([[0, 0], [size, 0], [0, size], [size, size]], dtype=np.float64)
    corners = transform(outline, to_image)
    low = np.floor(corners.min(axis=1) + 1e-3).astype(int) - square * stride
    high = np.ceil(corners.max(axis=1) - 1e-3).astype(int) + square * stride
    to_reduced = to_image.copy()
    to_reduced[..., 2] -= low
    to_reduced /= (stride * square)[..., None]
    to_reduced[..., :2] /= finer[..., None]
    return [*map(Plan, low, high, sampled, to_reduced)]


def warp(image: NDArray[np.uint8], matrices: FloatArray, size: int) -> NDArray[np.uint8]:
    """Crops of one image, anti-aliased where a crop is smaller than what it shows.

    For a crop that shrinks the image k times, squares of floor(k) pixels are averaged first; what
    is left is sampled on a grid twice as fine and averaged again. That is about as smooth as
    Pillow's and PyTorch's anti-aliased bilinear scaling. Beyond the image its border goes on.

    Args:
        image: (H, W, 3) uint8.
        matrices: (N, 2, 3), each maps pixels of the image onto pixels of its crop.
        size: side of the crops.

    Returns:
        (N, size, size, 3) uint8.
    """
    return _crops(image, plans(matrices, size), size)


def glance(image: NDArray[np.uint8], matrices: FloatArray, size: int) -> NDArray[np.uint8]:
    """Crops like those of `warp`, a little less smooth, in a third of the time.

    Squares of round(k) pixels are averaged, and sampled once a pixel. The landmarks of detectors
    scatter no more on them.

    Args:
        image: as for `warp`, as the others.
        matrices: (N, 2, 3).
        size: side of the crops.
    """
    return _crops(image, plans(matrices, size, quickly), size)


def of_each(
    images: Sequence[NDArray[np.uint8]],
    owners: NDArray[np.intp],
    matrices: FloatArray,
    size: int,
    crop: Callable[[NDArray[np.uint8], FloatArray, int], NDArray[np.uint8]] = warp,
) -> NDArray[np.uint8]:
    """Crops (K, size, size, 3) of several images.

    Args:
        images: (H, W, 3) uint8 each.
        owners: (K,) index of the image of each crop, ascending.
        matrices: (K, 2, 3).
        size: side of the crops.
        crop: `warp` or `glance`.
    """
    parts = [crop(images[i], matrices[owners == i], size) for i in np.unique(owners)]
    return np.concatenate(parts) if parts else np.empty((0, size, size, 3), np.uint8)


def _crops(image: NDArray[np.uint8], planned: Sequence[Plan], size: int) -> NDArray[np.uint8]:
    """Crops (N, size, size, 3), each as it is planned."""
    crops = np.empty((len(planned), size, size, 3), np.uint8)
    for crop, plan in zip(crops, planned, strict=True):
        _, square, finer = plan.sampling
        picture = reduced(_region(image, plan), square, square).transform(
            (size * finer, size * finer),
            Image.Transform.AFFINE,
            plan.to_reduced.ravel().tolist(),
            Image.Resampling.BILINEAR,
        )
        crop[:] = np.asarray(picture.reduce(finer) if finer > 1 else picture)
    return crops


def _region(image: NDArray[np.uint8], plan: Plan) -> NDArray[np.uint8]:
    """What a crop shows, (h, w, 3). Beyond the image its border goes on."""
    if plan.sampling.stride > 1:
        columns, rows = plan.places(image.shape[1::-1])
        return image[rows[:, None], columns]
    spans = zip(plan.low, plan.high, image.shape[1::-1], strict=True)
    (across, beside), (down, above) = (_within(*span) for span in spans)
    shown = image[down, across]
    return np.pad(shown, (above, beside, (0, 0)), mode="edge") if any(beside + above) else shown


def _within(start: int, end: int, size: int) -> tuple[slice, tuple[int, int]]:
    """The part of a span that is in an image, one pixel or more, and what is beside it."""
    first = min(max(start, 0), size - 1)
    last = min(max(end, first + 1), size)
    before = min(max(first - start, 0), end - start - 1)
    return slice(first, last), (before, end - start - before - (last - first))


def reduced(image: NDArray[np.uint8], across: int, down: int) -> Image.Image:
    """An image with blocks of so many pixels averaged, as Pillow does, without a copy of it all.

    Args:
        image: (H, W, 3) uint8.
        across: pixels along the width of a block.
        down: along its height.
    """
    if across == down == 1:
        return Image.fromarray(image)
    height, width = image.shape[:2]
    whole = Image.new("RGB", (-(-width // across), -(-height // down)))
    rows = max(_STRIP // (width * down), 1) * down
    for top in range(0, height, rows):
        strip = Image.fromarray(image[top : top + rows]).reduce((across, down))
        whole.paste(strip, (0, top // down))
    return whole
