"""Faces to be put into pictures, and how they are put there."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from actionunits.data.transforms import FLIP49
from actionunits.facefinder.heads import Heads
from actionunits.faces.align import FloatArray, invert, transform

_MIRRORED = FLIP49.numpy()
_CHIN = 0.62  # the chin lies below the mouth by this share of the way from the eyes to it
_CHEEK = 0.18  # the box reaches beyond the outermost points by this share of it
_AWAY = 0.28  # size of a head from behind, as a share of its picture


class Cut(NamedTuple):
    """A face with what is about it."""

    picture: Image.Image  # RGBA, colours times cover
    points: FloatArray  # (49, 2) pixels
    box: FloatArray  # (4,) x0, y0, x1, y1 about it
    seen: float  # share of the face that can be seen, 0..1


class Cuts:
    """Where faces are drawn from.

    Args:
        heads: without background.
        away: heads that show no face.
        closeups: JPEGs of aligned faces, with their backgrounds.
        points: (N, 49, 2) of those.
    """

    def __init__(
        self, heads: Heads, away: Heads, closeups: Sequence[bytes], points: FloatArray
    ) -> None:
        self._heads, self._away, self._closeups, self._points = heads, away, closeups, points

    def head(self, rng: np.random.Generator) -> Cut:
        """A whole head."""
        return _cut(self._heads, int(rng.integers(len(self._heads.seen))))

    def turned_away(self, rng: np.random.Generator) -> Cut:
        """A head that shows no face; its box is where that would be."""
        cut = _cut(self._away, int(rng.integers(len(self._away.seen))))
        side = cut.picture.width
        half = _AWAY / 2 * np.array([-1.0, -1.0, 1.0, 1.0])
        return cut._replace(box=side * (0.5 + half))

    def closeup(self, rng: np.random.Generator) -> Cut:
        """An aligned face as a photograph shows it."""
        number = int(rng.integers(len(self._closeups)))
        with Image.open(io.BytesIO(self._closeups[number])) as picture:
            points = self._points[number].astype(float)
            return Cut(picture.convert("RGBA"), points, face_box(points), 1.0)


def _cut(heads: Heads, number: int) -> Cut:
    picture = Image.fromarray(np.asarray(heads.pictures[number]))
    points = heads.points[number].astype(float)
    return Cut(picture, points, face_box(points), float(heads.seen[number]))


def face_box(points: FloatArray) -> FloatArray:
    """Box about a face, brows to chin and cheek to cheek.

    Args:
        points: (49, 2).

    Returns:
        (4,) x0, y0, x1, y1.
    """
    down = points[31:].mean(axis=0) - points[19:31].mean(axis=0)
    chin, brow = points[31:].mean(axis=0) + _CHIN * down, points[19:31].mean(axis=0) - _CHIN * down
    side = np.array([-down[1], down[0]]) * _CHEEK
    reach = [points + 0.6 * side, points - 0.6 * side, [chin + side], [chin - side], [brow]]
    around = np.concatenate([points, *reach])
    return np.concatenate([around.min(axis=0), around.max(axis=0)])


def placing(cut: Cut, size: float, centre: FloatArray, turn: float, mirrored: bool) -> FloatArray:
    """(2, 3) matrix that puts a face of a size, in pixels, at a place, turned by some radians."""
    x0, y0, x1, y1 = cut.box
    scale = size / max(y1 - y0, 0.75 * (x1 - x0))
    cos, sin = np.cos(turn) * scale, np.sin(turn) * scale
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    return np.concatenate([matrix, (centre - matrix @ middle)[:, None]], axis=1)


def placed_points(cut: Cut, matrix: FloatArray) -> FloatArray:
    """(49, 2) points of the face where a matrix puts it; a mirrored one's right is its left."""
    points = transform(cut.points, matrix)
    return points[_MIRRORED] if np.linalg.det(matrix[:, :2]) < 0 else points


def sampled(
    picture: Image.Image, matrix: FloatArray, box: tuple[int, int, int, int]
) -> Image.Image:
    """The part x0, y0, x1, y1 of what a matrix (2, 3) makes of a picture, anti-aliased."""
    x0, y0, x1, y1 = box
    back = invert(matrix[None])[0]
    shrink = max(1, min(4, int(0.8 * np.sqrt(np.abs(np.linalg.det(back[:, :2]))))))
    source = picture.reduce(shrink) if shrink > 1 else picture
    back = back.copy()
    back[:, 2] += back[:, :2] @ [x0, y0]
    data = tuple((back / shrink).ravel())
    return source.transform(
        (x1 - x0, y1 - y0), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR
    )


def paste(canvas: Image.Image, cut: Cut, matrix: FloatArray, gain: FloatArray) -> bool:
    """Put a face into a picture.

    Args:
        canvas: RGB; changed in place.
        cut: the face.
        matrix: (2, 3), see `placing`.
        gain: (3,) by which its colours are multiplied.

    Returns:
        Whether any of it lies within the picture.
    """
    width, height = cut.picture.size
    corners = transform(np.array([[0, 0], [width, 0], [0, height], [width, height]]), matrix)
    low = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)), canvas.size).astype(int)
    if (high - low < 3).any():
        return False
    box = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    layer = np.asarray(sampled(cut.picture, matrix, box), np.float32)
    below = np.asarray(canvas.crop(box), np.float32)
    cover = layer[..., 3:] / 255
    colours = np.minimum(layer[..., :3] * gain, 255 * cover) + below * (1 - cover)
    canvas.paste(Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8)), box[:2])
    return True
