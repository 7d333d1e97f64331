"""Templates: symmetric, blind to how a face lies in its picture, and where the papers put it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionunits import datasets
from actionunits.data.transforms import FLIP49
from actionunits.errors import DataError
from actionunits.faces import templates
from actionunits.faces.align import TEMPLATE, affine, five_points, transform
from actionunits.faces.templates import MEAN49, list_templates, place, target

NAMES = list_templates()
BY_49 = [name for name in NAMES if templates.needs_landmarks(name)]
FLIP5 = [1, 0, 2, 4, 3]
SIZE = 256

seeds = st.integers(0, 2**32 - 1)
turns = st.floats(-3.1, 3.1)
scales = st.floats(0.05, 20)
shifts = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


def faces(seed: int, count: int = 3) -> np.ndarray:
    """(N, 49, 2) faces in a picture of 640 pixels, none of them the mean."""
    rng = np.random.default_rng(seed)
    return (MEAN49 + rng.normal(0, 0.02, (count, 49, 2))) * 300 + rng.uniform(0, 300, (count, 1, 2))


def crop(points: np.ndarray, name: str) -> np.ndarray:
    return transform(points, place(points, name, SIZE))


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds, turn=turns, scale=scales, shift=shifts)
@settings(max_examples=25, deadline=None)
def test_turning_scaling_and_moving_the_picture_changes_nothing(name, seed, turn, scale, shift):
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    points = faces(seed)
    moved = transform(points, np.array([[c, -s, shift[0]], [s, c, shift[1]]]))
    assert np.allclose(crop(moved, name), crop(points, name), atol=1e-6)
    five, moved5 = five_points(points), five_points(moved)
    assert np.allclose(crop(moved5, name), crop(five, name), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_a_mirrored_face_lies_in_the_mirrored_crop(name, seed):
    points = faces(seed)
    mirrored = (points * [-1, 1] + [640, 0])[:, FLIP49.numpy()]
    expected = (crop(points, name) * [-1, 1] + [SIZE, 0])[:, FLIP49.numpy()]
    assert np.allclose(crop(mirrored, name), expected)
    five = five_points(points)
    mirrored, expected = five_points(mirrored), crop(five, name) * [-1, 1] + [SIZE, 0]
    assert np.allclose(crop(mirrored, name), expected[:, FLIP5])


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_what_is_aligned_stays_where_it_is(name, seed):
    aligned = crop(faces(seed), name)
    assert np.allclose(crop(aligned, name), aligned)


def test_affine_is_the_least_squares_solution():
    points = faces(0)
    for one in points:
        ones = np.c_[one, np.ones(49)]
        expected = np.linalg.lstsq(ones, MEAN49 * SIZE, rcond=None)[0].T
        assert np.allclose(place(one[None], "affine49", SIZE)[0], expected)
    assert np.allclose(place(points, "affine49", SIZE), affine(points, MEAN49 * SIZE))


def test_affine_undoes_any_affine_map():
    matrix = np.array([[1.3, 0.4, 20], [-0.2, 0.8, -5]])
    assert np.allclose(crop(transform(MEAN49, matrix)[None], "affine49"), MEAN49 * SIZE)


def test_box_has_level_eyes_in_the_middle_of_a_square_of_2_9_times_the_points():
    boxed = crop(faces(3), "box49")
    eyes = five_points(boxed)[:, :2]
    assert np.allclose(eyes[:, 0, 1], eyes[:, 1, 1])
    assert (eyes[:, 0, 0] < eyes[:, 1, 0]).all()
    low, high = boxed.min(1), boxed.max(1)
    assert np.allclose((low + high) / 2, SIZE / 2)
    assert np.allclose((high - low).max(1), SIZE / 2.9)


def test_mean_shape_is_that_of_the_rendered_faces():
    mean = datasets.load("synfacs").landmarks.astype(np.float64).mean(0) / SIZE
    mirrored = (mean * [-1, 1] + [1, 0])[FLIP49.numpy()]
    assert np.array_equal(((mean + mirrored) / 2).round(4), MEAN49)


@pytest.mark.parametrize("name", BY_49)
def test_five_points_of_the_mean_face_lie_where_its_49_put_them(name):
    picture = transform(MEAN49 * 400, np.array([[0.9, -0.3, 60], [0.3, 0.9, -20]]))[None]
    assert np.allclose(
        crop(five_points(picture), name), five_points(transform(picture, place(picture, name, 256)))
    )
    assert np.allclose(target(name) * SIZE, crop(five_points(picture), name)[0])


def test_canonical_of_49_points_is_that_of_their_five():
    points = faces(5)
    assert np.allclose(
        place(points, "canonical", SIZE), place(five_points(points), "canonical", SIZE)
    )
    assert np.array_equal(target("canonical"), TEMPLATE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [5, 49])
def test_points_that_give_no_place_are_refused(name, count):
    points = faces(0) if count == 49 else five_points(faces(0))
    points[1, 3] = np.nan
    with pytest.raises(ValueError, match="finite"):
        place(points, name, SIZE)
    with pytest.raises(ValueError, match="finite"):
        place(np.ones((1, count, 2)), name, SIZE)
    assert place(points[:0], name, SIZE).shape == (0, 2, 3)


def test_points_on_a_line_have_no_affine_map():
    line = np.linspace([0, 0], [300, 100], 49)[None]
    with pytest.raises(ValueError, match="not on one line"):
        place(line, "affine49", SIZE)


def test_unknown_template_is_named():
    with pytest.raises(DataError, match=r"no template 'tight'; known: canonical, similarity49"):
        place(faces(0), "tight", SIZE)
    with pytest.raises(DataError, match="no template"):
        target("tight")
