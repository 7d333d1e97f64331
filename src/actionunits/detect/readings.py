"""What a model says of a frame as a reading: its faces, how sure it is, where things are."""

import numpy as np
from numpy.typing import NDArray

from actionunits.detect.faults import Faults
from actionunits.detect.found import Cropper
from actionunits.detect.reader import Read
from actionunits.faces import align
from actionunits.types import Reading


def reading_of(
    read: Read, thresholds: NDArray[np.floating], least: float, faults: Faults
) -> Reading:
    """A reading without the faces whose values are not finite.

    Args:
        read: a frame with what the model says; landmarks and pose are as the crops show them.
        thresholds: (A,) probability from which on an AU counts as present.
        least: confidence of a reading that is sure.
        faults: is told of values that are not finite.
    """
    finite = [v for v in read.values if v is not None]
    good = np.logical_and.reduce([np.isfinite(v).all(axis=tuple(range(1, v.ndim))) for v in finite])
    if not good.all():
        faults.note(
            read.frame,
            "the model gave values that are not finite; such faces are left out, and a frame "
            "without others has success 0; check the weights",
        )
    faces = tuple(face for face, kept in zip(read.faces, good, strict=True) if kept)
    values = read.values.part(good)
    present = values.probability >= thresholds
    confidence = np.array([face.score for face in faces])
    if values.quality is not None:
        confidence = confidence * values.quality
    sure = confidence >= least
    return Reading(
        *(read.frame, faces, values.probability, present, values.intensity, values.embedding),
        *(confidence, sure, values.landmarks, values.pose),
        *(values.gaze, values.sides, values.hidden, values.quality),
    )


def in_picture(reading: Reading, cropper: Cropper) -> Reading:
    """The reading with landmarks and pose, if it has them, not as the crops show them.

    Args:
        reading: as the crops show it.
        cropper: made the crops.
    """
    landmarks, pose = reading.landmarks, reading.pose
    if landmarks is None and pose is None:
        return reading
    matrices = cropper.placing(reading.faces)
    if landmarks is not None:
        landmarks = align.transform(landmarks, align.invert(matrices))
    if pose is not None:  # alignment has turned the face by so much
        pose = pose.copy()
        pose[:, 2] += np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    return reading._replace(landmarks=landmarks, pose=pose)
