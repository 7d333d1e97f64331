"""Which parts of a face a picture does not show."""

from collections.abc import Sequence

import numpy as np

from actionunits.synth.picture.camera import Cameras
from actionunits.synth.picture.lens import covered
from actionunits.synth.picture.shot import Shot

REGIONS = {  # landmarks of each
    **{"right brow": range(5), "left brow": range(5, 10), "nose": range(10, 19)},
    **{"right eye": range(19, 25), "left eye": range(25, 31), "mouth": range(31, 49)},
}
_EYES = slice(19, 31)
_DARK = 0.6  # tint of lenses behind which nobody sees an eye


def hidden(
    shots: Sequence[Shot],
    cameras: Cameras,
    landmarks: np.ndarray,
    normals: np.ndarray,
    points: np.ndarray,
) -> np.ndarray:
    """How much of each region is behind something, behind dark lenses or turned away.

    Hair counts as part of the face.

    Args:
        shots: B of them.
        cameras: of the heads.
        landmarks: (B, 49, 3) on the head.
        normals: (B, 49, 3) of the skin there.
        points: (B, 49, 2) where they lie in the unit square.

    Returns:
        (B, 6) float32 share of the landmarks of each of `REGIONS`, 0..1.
    """
    away = _turned_away(cameras, landmarks, normals).astype(np.float64)
    for slot, shot in enumerate(shots):
        if shot.scene.occluder is not None:
            away[slot] = np.maximum(away[slot], covered(points[slot], shot.scene.occluder))
        worn = shot.appearance.glasses
        if worn is not None and worn.tint > _DARK:
            away[slot, _EYES] = 1.0
    return np.stack([away[:, list(r)].mean(axis=1) for r in REGIONS.values()], 1).astype("float32")


def _turned_away(cameras: Cameras, landmarks: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(B, 49) whether the skin at a landmark faces away from the camera."""
    seen = np.einsum("bij,bnj->bni", cameras.rotation, landmarks) + cameras.shift[:, None]
    toward = np.array([0.0, 0.0, 1.0]) * cameras.distance[:, None, None] - seen
    facing = np.einsum("bij,bnj->bni", cameras.rotation, normals)
    return np.asarray((facing * toward).sum(axis=2) < 0)
