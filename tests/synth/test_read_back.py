"""What is rendered is read back with the signs that the tables promise: an experiment."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import actionunits
from actionunits.aus import RENDERED
from actionunits.errors import UserError
from actionunits.synth.person.face import Head, draw_identity
from actionunits.synth.picture.looks import draw_appearance, studio
from actionunits.synth.picture.render import Renderer, Shot

PEOPLE = 3


@pytest.fixture(scope="module")
def camera(head: Head) -> Iterator[Renderer]:
    try:
        renderer = Renderer(head, size=256, batch=4, zoom=0.6)
    except UserError as error:
        pytest.skip(f"no offscreen OpenGL here: {error}")
    with renderer:
        yield renderer


def read(camera: Renderer, *changes: dict[str, object]) -> list[pd.DataFrame]:
    """Rows of a few people, once for each change to how they look into the camera."""
    shots = []
    for number in range(PEOPLE):
        rng = np.random.default_rng([9, number])
        person = draw_identity(rng, camera.head)
        look = draw_appearance(rng, person, camera.head.assets)
        nothing = np.zeros((len(RENDERED), 2))
        plain = Shot(person, look, studio(), nothing, (0, 0, 0), (0, 0), np.zeros((5, 2)))
        shots += [plain._replace(**change) for change in changes]
    pictures = camera.render(shots).images
    table = actionunits.load("default").predict(pictures, add=["sides", "pose", "gaze"])
    whole = table[table["face_id"] == 0].groupby("input", sort=False).first()
    assert len(whole) == len(shots)  # pictures without a face would shift the others
    return [whole.iloc[place :: len(changes)] for place in range(len(changes))]


@pytest.mark.parametrize(
    ("place", "name"), [(0, "pose_yaw"), (1, "pose_pitch")], ids=["to the left", "up"]
)
def test_a_head_turns(camera: Renderer, place: int, name: str) -> None:
    more, less = np.zeros((2, 3))
    more[place], less[place] = 20, -20
    one, other = read(camera, {"pose": tuple(more)}, {"pose": tuple(less)})
    assert (one[name].to_numpy(float) - other[name].to_numpy(float) > 15).all()


def test_eyes_turn_to_the_left_and_up(camera: Renderer) -> None:
    left, right, up, down = read(
        camera, *({"gaze": at} for at in [(20, 0), (-20, 0), (0, 15), (0, -15)])
    )
    assert (left["gaze_yaw"].to_numpy(float) > right["gaze_yaw"].to_numpy(float) + 5).all()
    assert (up["gaze_pitch"].to_numpy(float) > down["gaze_pitch"].to_numpy(float) + 2).all()


def test_a_smile_of_one_side_is_on_that_side(camera: Renderer) -> None:
    right, left = np.zeros((2, len(RENDERED), 2))
    right[RENDERED.index(12), 0] = left[RENDERED.index(12), 1] = 4
    for told, side, other in zip(
        read(camera, {"au": right}, {"au": left}), ("right", "left"), ("left", "right"), strict=True
    ):
        more = told[f"AU12_{side}"].to_numpy(float) - told[f"AU12_{other}"].to_numpy(float)
        assert more.mean() > 1.5
        assert (more > 0).all()
