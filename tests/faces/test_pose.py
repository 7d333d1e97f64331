"""Rotations of heads and eyes before a camera, against the renderer's and against SciPy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from actionunits.faces.pose import euler, gaze, rotation
from actionunits.synth.picture import camera

_FLIP = np.diag([1.0, -1, -1])  # the renderer has y up and z to the viewer

angles = st.floats(-85, 85)
poses = st.tuples(angles, angles, angles)


@settings(max_examples=100, deadline=None)
@given(poses)
def test_heads_turn_as_the_renderer_turns_them(pose: tuple[float, float, float]) -> None:
    rendered = camera.rotation(np.array([pose]))[0]
    assert np.allclose(rotation(np.array([pose]))[0], _FLIP @ rendered @ _FLIP)


@settings(max_examples=100, deadline=None)
@given(poses)
def test_angles_are_those_of_rx_ry_rz(pose: tuple[float, float, float]) -> None:
    turned = rotation(np.array([pose]))
    found = Rotation.from_euler("XYZ", euler(turned)).as_matrix()
    assert np.allclose(found, turned)
    assert np.allclose(Rotation.from_matrix(turned).as_euler("XYZ"), euler(turned), atol=1e-6)


@pytest.mark.parametrize(
    ("pose", "axis"), [((20.0, 0, 0), 1), ((0, 20.0, 0), 0), ((0, 0, 20.0), 2)]
)
def test_left_up_and_the_right_shoulder_are_negative_there(
    pose: tuple[float, float, float], axis: int
) -> None:
    expected = np.zeros(3)
    expected[axis] = -np.radians(20)
    assert np.allclose(euler(rotation(np.array([pose])))[0], expected)


@settings(max_examples=100, deadline=None)
@given(poses, st.tuples(angles, angles))
def test_eyes_look_where_the_renderer_has_them_look(
    pose: tuple[float, float, float], within: tuple[float, float]
) -> None:
    yaw, pitch = np.radians(within)
    toward = [np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)]
    expected = _FLIP @ camera.rotation(np.array([pose]))[0] @ toward
    found = gaze(np.array([pose]), np.array([within]))[0]
    assert np.allclose(found, expected)
    assert np.linalg.norm(found) == pytest.approx(1)


def test_eyes_that_make_up_for_the_head_look_into_the_camera() -> None:
    heads, within = np.array([[30.0, 0, 0], [0, 0, 0]]), np.array([[-30.0, 0], [0, 10]])
    into, up = gaze(heads, within)
    assert np.allclose(into, [0, 0, -1], atol=1e-12)
    assert up[1] < 0  # y is down


def test_nobody_and_unknown_poses_have_no_angles() -> None:
    assert euler(rotation(np.zeros((0, 3)))).shape == (0, 3)
    assert gaze(np.zeros((0, 3)), np.zeros((0, 2))).shape == (0, 3)
    assert np.isnan(euler(rotation(np.full((1, 3), np.nan)))).all()
