"""Named templates: how a face is placed in the picture that is stored of it.

Papers align faces differently, and what a network sees depends on it. ``canonical`` is the one that
the detectors, the rendered faces and the weights in this package share; the others are those of
papers that align by 49 landmarks:

- ``canonical``: similarity of five points (MDHR).
- ``similarity49``: similarity of 49 points onto a mean shape (SACL, GTLE-Net).
- ``affine49``: affine map of 49 points onto it (RE-Net).
- ``box49``: turned until the eyes are level, then a square about the 49 points, 2.9 times as long
  as the longer side of their bounding box (JAA-Net, MGRR-Net).

The papers do not print their mean shapes; ours is that of the rendered faces.
"""

from collections.abc import Callable

import numpy as np

from actionunits.errors import DataError
from actionunits.faces.align import (
    TEMPLATE,
    FloatArray,
    affine,
    five_points,
    similarity,
    transform,
)

CANONICAL = "canonical"
GIVEN = "given"
"""Of pictures that are taken as they are: nobody knows how their faces are placed."""
_ENLARGE = 2.9

_MEAN = """
    .2258 .3138 .2689 .3070 .3337 .2823 .4035 .2831 .4447 .2884
    .5553 .2884 .5965 .2831 .6663 .2823 .7311 .3070 .7742 .3138
    .5000 .3667 .5000 .4187 .5000 .4852 .5000 .5498
    .4219 .5614 .4514 .5653 .5000 .5886 .5486 .5653 .5781 .5614
    .2922 .3628 .3338 .3470 .3701 .3459 .4168 .3689 .3685 .3787 .3324 .3790
    .5832 .3689 .6299 .3459 .6662 .3470 .7078 .3628 .6676 .3790 .6315 .3787
    .3674 .6937 .4105 .6583 .4609 .6421 .5000 .6466 .5391 .6421 .5895 .6583 .6326 .6937
    .5933 .7344 .5663 .7505 .5000 .7617 .4337 .7505 .4067 .7344
    .4456 .6878 .5000 .6899 .5544 .6878 .5568 .7029 .5000 .7082 .4432 .7029
"""
MEAN49: FloatArray = np.array(_MEAN.split(), dtype=np.float64).reshape(49, 2)
"""(49, 2) in the unit square: mean over the aligned faces of synfacs-mini, made symmetric."""


def place(points: FloatArray, name: str, size: int) -> FloatArray:
    """Where a template puts faces.

    Of five points, a 49-point template is approached: a similarity puts them where the template
    puts the five points of the mean shape.

    Args:
        points: (N, 49, 2) landmarks or (N, 5, 2) eye centres, nose tip and mouth corners, in pixels
            of the picture.
        name: of the template, one of `list_templates`.
        size: side of the crop.

    Returns:
        (N, 2, 3) matrices from pixels of the picture to pixels of the crop.

    Raises:
        DataError: there is no such template.
        ValueError: a point is not finite, or the points of a face coincide or lie on one line.
    """
    points = np.asarray(points, dtype=np.float64)
    if not np.isfinite(points).all():
        raise ValueError("a face is placed by finite points")
    if points.shape[-2] == len(TEMPLATE):
        return similarity(points, target(name)) * size
    return _placement(name)(points) * size


def target(name: str) -> FloatArray:
    """Where a template puts the five points of the mean face: (5, 2) in the unit square.

    Raises:
        DataError: there is no such template.
    """
    if name == CANONICAL:
        return TEMPLATE
    return five_points(transform(MEAN49, _placement(name)(MEAN49)))


def list_templates() -> list[str]:
    """Names of the templates, `canonical` first."""
    return list(_PLACEMENTS)


def may_be_alike(one: str, other: str) -> bool:
    """Whether faces of two templates may be placed alike: they are, or of one nobody knows."""
    return one == other or GIVEN in {one, other}


def needs_landmarks(name: str) -> bool:
    """Whether a template is made for 49 landmarks, so that five points only approach it.

    Raises:
        DataError: there is no such template.
    """
    _placement(name)
    return name != CANONICAL


def _placement(name: str) -> Callable[[FloatArray], FloatArray]:
    if name not in _PLACEMENTS:
        raise DataError(f"there is no template {name!r}; known: {', '.join(_PLACEMENTS)}")
    return _PLACEMENTS[name]


def _box(points: FloatArray) -> FloatArray:
    """Similarities (..., 2, 3) that level the eyes and put the enlarged box on the unit square."""
    eyes = five_points(points)[..., :2, :]
    level = similarity(eyes, np.array([[-1.0, 0.0], [1.0, 0.0]]))
    turned = transform(points, level)
    low, high = turned.min(axis=-2), turned.max(axis=-2)
    side = _ENLARGE * (high - low).max(axis=-1)[..., None]
    boxed: FloatArray = level / side[..., None]
    boxed[..., 2] += 0.5 - (low + high) / 2 / side
    return boxed


_PLACEMENTS: dict[str, Callable[[FloatArray], FloatArray]] = {
    CANONICAL: lambda points: similarity(five_points(points), TEMPLATE),
    "similarity49": lambda points: similarity(points, MEAN49),
    "affine49": lambda points: affine(points, MEAN49),
    "box49": _box,
}
