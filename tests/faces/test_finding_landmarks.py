"""49 points of the main face: near the truth, wherever and however the face lies in its picture."""

import io

import numpy as np
import pytest
from PIL import Image

from actionunits import datasets
from actionunits.cli import demo
from actionunits.detect.finder import close_look, landmark_finder
from actionunits.faces.align import five_points, invert, transform, warp
from actionunits.faces.landmarks import Landmarks
from actionunits.faces.main_face import Points
from actionunits.faces.main_face import five_points as five_point_finder
from actionunits.media import read_image
from actionunits.types import Frame

ROWS = [0, 500, 1000, 1500, 2000, 2500, 3000]


def frame(image: np.ndarray) -> Frame:
    return Frame(image, "x.png", 0, 0.0)


def eyes(points: np.ndarray) -> float:
    """Inter-ocular distance in pixels."""
    left, right = five_points(points)[:2]
    return float(np.linalg.norm(left - right))


def error(found: np.ndarray, true: np.ndarray) -> float:
    """Mean distance in inter-ocular distances."""
    return float(np.linalg.norm(found - true, axis=-1).mean() / eyes(true))


@pytest.fixture(scope="module")
def finder():
    """A finder for each picture, as nobody is followed from one to the next."""
    make = landmark_finder().make
    return lambda image: make()([frame(image)])[0]


@pytest.fixture(scope="module")
def rendered() -> list[tuple[np.ndarray, np.ndarray]]:
    table = datasets.load("synfacs")
    pictures = [np.array(Image.open(io.BytesIO(table.images.read(row)))) for row in ROWS]
    return list(zip(pictures, table.landmarks[ROWS].astype(float), strict=True))


def test_close_to_the_truth_on_rendered_faces(finder, rendered) -> None:
    errors = [error(finder(image), points) for image, points in rendered]
    assert np.mean(errors) < 0.05
    assert max(errors) < 0.09


def moved(image: np.ndarray, degrees: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture turned and scaled about its centre on a canvas of 400 px, and the map to it."""
    turn = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array(image.shape[1::-1]) / 2
    matrix = np.column_stack([linear, 200 - linear @ centre])
    return warp(image, matrix[None], 400)[0], matrix


@pytest.mark.parametrize(("degrees", "scale"), [(0, 0.5), (20, 0.7), (-15, 1.2)])
def test_points_move_with_the_face(finder, tmp_path, degrees: float, scale: float) -> None:
    astronaut = read_image(demo.photograph(tmp_path))[:300, 80:380].copy()
    still = finder(astronaut)
    image, matrix = moved(astronaut, degrees, scale)
    back = transform(finder(image), invert(matrix))
    assert np.linalg.norm(back - still, axis=-1).max() < 0.15 * eyes(still)
    assert error(back, still) < 0.05


class Five:
    """Tells the five points of faces that are known, moved by some pixels."""

    def __init__(self, points: list[np.ndarray], by: float = 0.0) -> None:
        self.five = five_points(np.stack(points)) + by

    def __call__(self, frames) -> np.ndarray:
        return self.five[: len(frames)]


def looking(five: Points) -> Landmarks:
    return Landmarks(five, close_look())


def test_five_points_that_are_off_are_put_right(rendered) -> None:
    images, points = zip(*rendered, strict=True)
    frames = [frame(image) for image in images]
    exact, off = looking(Five(points))(frames), looking(Five(points, by=4.0))(frames)
    for one, other, true in zip(exact, off, points, strict=True):
        assert error(other, one) < 0.6 * 4 * 2**0.5 / eyes(true)  # less than they were off


def test_a_frame_in_a_batch_is_the_frame_alone(rendered) -> None:
    images, points = zip(*rendered, strict=True)
    frames = [frame(image) for image in images]
    frames[2] = frame(np.ascontiguousarray(images[2][:200]))  # of another size
    together = looking(Five(points))(frames)
    assert together.shape == (len(ROWS), 49, 2)
    for each, alone, face in zip(together, frames, points, strict=True):
        found = looking(Five([face]))([alone])[0]
        np.testing.assert_allclose(found, each, atol=0.7)  # bfloat16 sums in another order


def test_where_there_is_no_face_there_are_no_points(finder, rendered) -> None:
    nobody = np.full((200, 200, 3), 90, np.uint8)
    assert np.isnan(finder(nobody)).all()
    found = landmark_finder().make()([frame(nobody), frame(rendered[0][0])])
    assert np.isnan(found).all((1, 2)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("make", "tolerance"),
    [(five_point_finder, 0.05), (landmark_finder().make, 0.7)],  # bfloat16 sums in another order
)
def test_a_chunk_of_frames_is_its_frames_one_by_one(rendered, make, tolerance: float) -> None:
    images = [image for image, _ in rendered]
    nobody = np.full((200, 260, 3), 90, np.uint8)
    wide = np.pad(images[2], ((0, 0), (40, 90), (0, 0)), mode="edge")
    low = np.ascontiguousarray(images[3][:220])
    chunk = [frame(each) for each in (images[0], nobody, wide, images[1], nobody, low, images[4])]
    together = make()(chunk)
    alone = np.concatenate([make()([each]) for each in chunk])
    assert np.isnan(together).all((1, 2)).tolist() == [
        False,
        True,
        False,
        False,
        True,
        False,
        False,
    ]
    np.testing.assert_allclose(together, alone, atol=tolerance)
