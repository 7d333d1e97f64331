"""Head pose and gaze as rotations before a camera: x right, y down, z away from it.

A pose here is yaw to the subject's left, pitch up, roll to the subject's right shoulder, in this
order. A face that looks into the camera along its axis looks along -z.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def _about(axis: int, angle: FloatArray) -> FloatArray:
    """(N, 3, 3) right-handed rotations about an axis by (N,) radians."""
    turned = np.tile(np.eye(3), (len(angle), 1, 1))
    one, other = (axis + 1) % 3, (axis + 2) % 3
    turned[:, one, one] = turned[:, other, other] = np.cos(angle)
    turned[:, other, one] = np.sin(angle)
    turned[:, one, other] = -turned[:, other, one]
    return turned


def rotation(pose: FloatArray) -> FloatArray:
    """(N, 3, 3) rotations of heads that at rest look into the camera.

    Args:
        pose: (N, 3) yaw, pitch, roll in degrees.
    """
    yaw, pitch, roll = -np.radians(pose).T
    turned: FloatArray = _about(2, roll) @ _about(0, pitch) @ _about(1, yaw)
    return turned


def axes(pose: NDArray[np.floating]) -> FloatArray:
    """(3, 3) where a head's axes point, of length 1: to the subject's left, up and ahead.

    Args:
        pose: (3,) yaw, pitch, roll in degrees.
    """
    at_rest = np.diag([1.0, -1.0, -1.0])
    pointing: FloatArray = at_rest @ rotation(pose[None].astype(float))[0].T
    return pointing


def euler(rotations: FloatArray) -> FloatArray:
    """(N, 3) radians x, y, z of (N, 3, 3) rotations R = Rx Ry Rz; y is within a right angle."""
    first, row = rotations[:, 0], rotations[:, :, 2]
    x = np.arctan2(-row[:, 1], row[:, 2])
    y = np.arcsin(np.clip(first[:, 2], -1, 1))
    z = np.arctan2(-first[:, 1], first[:, 0])
    return np.stack([x, y, z], axis=1)


def gaze(pose: FloatArray, within: FloatArray) -> FloatArray:
    """(N, 3) directions of unit length in which eyes look.

    Args:
        pose: (N, 3) of the head, in degrees.
        within: (N, 2) of the eyes within it: yaw to the subject's left, pitch up, in degrees.
    """
    yaw, pitch = np.radians(within).T
    ahead = [np.sin(yaw) * np.cos(pitch), -np.sin(pitch), -np.cos(yaw) * np.cos(pitch)]
    looked: FloatArray = np.einsum("nij,jn->ni", rotation(pose), np.stack(ahead))
    return looked
