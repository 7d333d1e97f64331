"""What is drawn over a picture."""

import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from actionunits.app.figures import still
from actionunits.app.reading import Seen
from actionunits.aus import AUSet
from actionunits.detect.paint import KINDS
from actionunits.faces.pose import axes
from actionunits.types import Face, Frame, Reading

AUS = AUSet.of([12])
ANGLES = st.floats(-80, 80)


def seen(pose: tuple[float, float, float] | None = None) -> Seen:
    image = np.full((400, 300, 3), 128, np.uint8)
    frame = Frame(image, "wall.png", 0, 0.0)
    points = np.full((5, 2), 150.0)
    face = Face(frame, 0, np.array([100.0, 100, 100, 200]), points, 0.9)
    values = np.zeros((1, 1))
    reading = Reading(frame, (face,), values, values > 1, values)
    return Seen("default", AUS, reading._replace(pose=None if pose is None else np.array([pose])))


def drawn(overlays: tuple[str, ...], pose: tuple[float, float, float] | None = None) -> np.ndarray:
    html = still(np.full((400, 300, 3), 128, np.uint8), [seen(pose)], overlays)
    code = re.search(r"base64,([^\"]+)", html)
    assert code is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(code[1]))), int)


@pytest.mark.parametrize("overlay", KINDS)
def test_each_overlay_is_drawn_where_it_is_asked_for(overlay: str) -> None:
    assert np.abs(drawn(()) - 128).max() < 8
    assert np.abs(drawn((overlay,), (20, 10, 5)) - 128).max() > 60


def test_a_model_without_pose_draws_none() -> None:
    assert np.abs(drawn(("head pose",)) - 128).max() < 8


@pytest.mark.parametrize(
    ("angles", "axis", "sign"),
    [
        ((30, 0, 0), (2, 0), 1),  # to the subject's left is to the picture's right
        ((0, 30, 0), (2, 1), -1),  # up
        ((0, 0, 30), (1, 0), -1),  # the crown goes left: counter-clockwise
    ],
)
def test_the_head_turns_as_its_angles_say(
    angles: tuple[float, float, float], axis: tuple[int, int], sign: int
) -> None:
    assert axes(np.array(angles))[axis] * sign == pytest.approx(0.5)


@given(ANGLES, ANGLES, ANGLES)
def test_axes_are_of_length_one_seen_from_afar(yaw: float, pitch: float, roll: float) -> None:
    flat = axes(np.array([yaw, pitch, roll]))[:, :2]
    lengths = (flat**2).sum(1)
    assert (lengths <= 1 + 1e-9).all()
    assert lengths.sum() == pytest.approx(2)  # of three unit vectors that are at right angles
