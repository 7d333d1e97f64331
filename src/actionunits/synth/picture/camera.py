"""The camera: head pose, perspective, and the similarity that brings a face to the template."""

from typing import NamedTuple

import numpy as np

from actionunits.faces.align import TEMPLATE, five_points, similarity

_BEHIND_EYES = np.array(
    [0.0, -0.35, -0.6]
)  # the head turns about this point, from the eyes' middle


class Cameras(NamedTuple):
    """Cameras of B heads. Camera space: x right, y up, z to the viewer, the turning point at 0."""

    rotation: np.ndarray  # (B, 3, 3)
    shift: np.ndarray  # (B, 3)
    distance: np.ndarray  # (B,)
    fit: np.ndarray  # (B, 2, 3) from perspective x (right), y (down) to the unit square

    def project(self, points: np.ndarray) -> np.ndarray:
        """(B, N, 3) points of the head to (B, N, 2) points of the unit square, y down."""
        flat = _perspective(points, self.rotation, self.shift, self.distance)
        moved = np.einsum("bij,bnj->bni", self.fit[:, :, :2], flat)
        return np.asarray(moved + self.fit[:, None, :, 2])

    def turned(self) -> np.ndarray:
        """(B,) degrees that alignment adds to the roll of the heads, which is the last rotation."""
        clockwise = np.arctan2(self.fit[:, 1, 0], self.fit[:, 0, 0])  # y is down
        return np.asarray(-np.rad2deg(clockwise), np.float32)


def rotation(pose: np.ndarray) -> np.ndarray:
    """Rotation matrices of head poses: yaw, then pitch, then roll.

    Args:
        pose: (B, 3) degrees. Yaw to the subject's left (right in the image), pitch upwards, roll
            towards the subject's right shoulder.

    Returns:
        (B, 3, 3).
    """
    yaw, pitch, roll = np.deg2rad(pose).T
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)

    def matrix(*rows: np.ndarray) -> np.ndarray:
        return np.stack(rows, axis=-1).reshape(-1, 3, 3)

    cos, sin = np.cos, np.sin
    turn = matrix(cos(yaw), zero, sin(yaw), zero, one, zero, -sin(yaw), zero, cos(yaw))
    nod = matrix(one, zero, zero, zero, cos(pitch), sin(pitch), zero, -sin(pitch), cos(pitch))
    tilt = matrix(cos(roll), -sin(roll), zero, sin(roll), cos(roll), zero, zero, zero, one)
    return np.asarray(tilt @ nod @ turn)


def aim(
    eyes: np.ndarray,
    landmarks: np.ndarray,
    pose: np.ndarray,
    distance: np.ndarray,
    jitter: np.ndarray,
    zoom: float = 1.0,
) -> Cameras:
    """Set up the cameras so that the five points of each face fall onto the template.

    Args:
        eyes: (B, 2, 3) centres of the eyeballs.
        landmarks: (B, 49, 3).
        pose: (B, 3) yaw, pitch, roll in degrees.
        distance: (B,) in decimetres.
        jitter: (B, 5, 2) error of the five points as a share of the distance between the eyes.
        zoom: by which the template is enlarged about the picture's centre; .5 shows whole heads.
    """
    turned = rotation(pose)
    centre = eyes.mean(axis=1) + _BEHIND_EYES
    shift = -np.einsum("bij,bj->bi", turned, centre)
    five = five_points(_perspective(landmarks, turned, shift, distance))
    apart = np.linalg.norm(five[:, :1] - five[:, 1:2], axis=-1, keepdims=True)
    return Cameras(
        turned, shift, distance, similarity(five + jitter * apart, 0.5 + zoom * (TEMPLATE - 0.5))
    )


def _perspective(
    points: np.ndarray, turned: np.ndarray, shift: np.ndarray, distance: np.ndarray
) -> np.ndarray:
    """(B, N, 3) to (B, N, 2), x right and y down, in decimetres at the turning point's depth."""
    seen = np.einsum("bij,bnj->bni", turned, points) + shift[:, None]
    enlarged = distance[:, None] / (distance[:, None] - seen[..., 2])
    return np.stack([seen[..., 0] * enlarged, -seen[..., 1] * enlarged], axis=-1)
