"""Landmarks that data sets bring, which trackers left: reading them, and doubting them."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from actionunits.data.table import POINTS
from actionunits.errors import DataError
from actionunits.faces.align import FloatArray, five_points
from actionunits.faces.main_face import faces_in
from actionunits.types import Frame

_log = logging.getLogger(__name__)

_FAR = 0.35
"""Share of a face's size (the longer of eye to eye and eyes to mouth) that the five points of the
same face are apart at most, on average. On 446 rendered faces, whose points are exact, those of the
detector were .07 off (median), .14 (99 %) and .22 (most)."""
_FLAT = 1e-6  # of two extents of the points: below, they lie on a line


def points(file: Path, entries: np.ndarray) -> np.ndarray:
    """Stack one field's points of what a tracker left of a sequence of BP4D or BP4D+.

    Args:
        file: ``F001_T1.mat``, its array ``fit``, that they are from.
        entries: (E,) arrays of 49 x 2, empty where the face was lost.

    Returns:
        (E, 49, 2) float32 x, y in pixels of the picture, NaN where the face was lost and, which is
        said, where an entry is of another form.

    Raises:
        DataError: no entry has 49 points.
    """
    stacked = np.full((len(entries), POINTS, 2), np.nan, np.float32)
    seen, faults = 0, []
    for place, entry in enumerate(entries):
        try:
            face = np.asarray(entry, np.float32)
        except (TypeError, ValueError):
            faults.append(f"{file}: expected points in entry {place + 1}, found none")
            continue
        if face.shape == (POINTS, 2):
            stacked[place] = face - 0.5  # MATLAB's first pixel has its centre at 1
        elif face.size:
            faults.append(
                f"{file}: expected {POINTS} x 2 points, found {face.shape} in entry {place + 1}"
            )
        seen += face.size > 0
    tell(faults, seen)
    return stacked


def tell(faults: Sequence[str], entries: int) -> None:
    """Say that some of a sequence's entries cannot be read, and go on without them.

    Raises:
        DataError: none of them can.
    """
    if faults and len(faults) >= entries:
        raise DataError(faults[0])
    if faults:
        _log.warning(
            "%s; going on without it%s",
            faults[0],
            f", nor {len(faults) - 1} more of this sequence" if len(faults) > 1 else "",
        )


def doubts(frames: Sequence[Frame], faces: FloatArray) -> list[str]:
    """Why not to believe landmarks, for each of some neighbouring frames; empty where they may be.

    Points are not believed that lie outside the picture, on a line, or as no face's do that is seen
    from the front and more or less upright; nor those that are far from all faces that the detector
    finds. It looks at the frame whose points are farthest from the others', and at all of them only
    where it sees that one's face elsewhere.

    Args:
        frames: N of them.
        faces: (N, 49, 2) their landmarks, in pixels.
    """
    said = [_misplaced(face, frame) for face, frame in zip(faces, frames, strict=True)]
    rest = [place for place, doubt in enumerate(said) if not doubt]
    if not rest:
        return said
    middle = faces[rest].mean(1)  # (R, 2)
    oddest = rest[int(np.abs(middle - np.median(middle, 0)).max(1).argmax())]
    if _far([frames[oddest]], faces[[oddest]])[0]:
        for place, is_far in zip(rest, _far([frames[p] for p in rest], faces[rest]), strict=True):
            said[place] = "its landmarks are not where its face is" if is_far else ""
    return said


def _misplaced(face: FloatArray, frame: Frame) -> str:
    """What is wrong with 49 points (49, 2), wherever the face may be."""
    height, width = frame.image.shape[:2]
    inside = ((face >= 0) & (face <= [width, height])).all(1)
    if inside.mean() < 0.5:
        return "its landmarks lie outside the picture"
    longer, shorter = np.linalg.svd(face - face.mean(0), compute_uv=False)
    if shorter <= _FLAT * max(longer, 1):
        return "its landmarks coincide or lie on one line"
    right, left, _, *mouth = five_points(face)  # the subject's right eye is on the picture's left
    (across_x, across_y), (down_x, down_y) = left - right, np.mean(mouth, 0) - (left + right) / 2
    if down_y <= 0 or across_x * down_y - across_y * down_x <= 0:
        return "its landmarks are upside down, mirrored or in another order"
    return ""


def _far(frames: Sequence[Frame], faces: FloatArray) -> list[bool]:
    """Whether each face (N, 49, 2) is far from all that are found; that none is proves nothing."""
    far = []
    for own, found in zip(five_points(faces), faces_in(frames), strict=True):
        eyes, mouth = found.landmarks[:, :2], found.landmarks[:, 3:]
        wide = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=-1)
        high = np.linalg.norm(mouth.mean(1) - eyes.mean(1), axis=-1)
        off = np.linalg.norm(found.landmarks - own, axis=-1).mean(-1) / np.maximum(wide, high)
        far.append(bool((off > _FAR).all() and len(off)))
    return far
