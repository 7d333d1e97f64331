"""Alignment: known transforms are found, inverses undo, crops show what they should."""

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from actionunits.faces.align import (
    TEMPLATE,
    five_points,
    glance,
    invert,
    reduced,
    similarity,
    template,
    transform,
    warp,
)

turns = st.floats(-3.1, 3.1)
scales = st.floats(0.05, 20)
shifts = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


def known_similarity(turn, scale, shift):
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def smooth_image(height, width):
    y, x = np.mgrid[:height, :width] + 0.5
    red = 127 + 120 * np.sin(x / 9) * np.cos(y / 11)
    return np.stack([red, x / width * 255, y / height * 255], -1).round().astype(np.uint8)


def test_template_is_symmetric():
    mirrored = TEMPLATE[[1, 0, 2, 4, 3]] * [-1, 1] + [1, 0]
    assert np.allclose(mirrored, TEMPLATE)


def test_template_of_a_centre_crop_is_shifted():
    assert np.allclose(template(224, 256), TEMPLATE * 256 - 16)


@given(turns, scales, shifts)
def test_similarity_recovers_a_known_transform(turn, scale, shift):
    matrix = known_similarity(turn, scale, shift)
    found = similarity(TEMPLATE * 100, transform(TEMPLATE * 100, matrix))
    assert np.allclose(found, matrix, atol=1e-6 * max(scale, 1))


@given(turns, scales, shifts)
def test_align_then_inverse_is_identity(turn, scale, shift):
    points = transform(TEMPLATE * 64, known_similarity(turn, scale, shift))
    matrix = similarity(points, TEMPLATE * 64)
    assert np.allclose(transform(transform(points, matrix), invert(matrix)), points, atol=1e-6)


def test_similarity_is_the_least_squares_solution():
    rng = np.random.default_rng(0)
    points, target = rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    # Unknown a, b, s, t of x' = a x - b y + s, y' = b x + a y + t.
    rows = np.zeros((10, 4))
    rows[:5] = np.stack([points[:, 0], -points[:, 1], np.ones(5), np.zeros(5)], 1)
    rows[5:] = np.stack([points[:, 1], points[:, 0], np.zeros(5), np.ones(5)], 1)
    a, b, s, t = np.linalg.lstsq(rows, target.T.ravel(), rcond=None)[0]
    assert np.allclose(similarity(points, target), [[a, -b, s], [b, a, t]])


def test_similarity_of_a_batch_equals_one_by_one():
    points = np.random.default_rng(1).normal(size=(4, 3, 5, 2))
    batch = similarity(points, TEMPLATE)
    assert batch.shape == (4, 3, 2, 3)
    assert np.allclose(batch[2, 1], similarity(points[2, 1], TEMPLATE))


@pytest.mark.parametrize("value", [1.0, np.nan])
def test_similarity_rejects_points_without_a_direction(value):
    with pytest.raises(ValueError, match="at least two differ"):
        similarity(np.full((5, 2), value), TEMPLATE)


def test_mirrored_face_aligns_to_the_mirrored_crop():
    image = smooth_image(150, 200)
    points = transform(TEMPLATE * 80, known_similarity(0.2, 1.0, (50, 20)))
    mirrored = (np.array([200, 0]) + points * [-1, 1])[[1, 0, 2, 4, 3]]
    crop = warp(image, similarity(points, TEMPLATE * 64)[None], 64)
    other = warp(
        np.ascontiguousarray(image[:, ::-1]), similarity(mirrored, TEMPLATE * 64)[None], 64
    )
    assert np.abs(crop.astype(int) - other[:, :, ::-1].astype(int)).max() <= 1


def test_warp_by_whole_pixels_copies_them():
    image = np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    crop = warp(image, np.array([[[1.0, 0, -5], [0, 1, -3]]]), 20)
    assert (crop[0] == image[3:23, 5:25]).all()


def test_warp_and_back_shows_the_same_picture():
    image = smooth_image(120, 120)
    matrix = known_similarity(0.3, 1.1, (10, -20))[None]
    there = warp(image, matrix, 200)[0]
    back = warp(np.ascontiguousarray(there), invert(matrix), 120)[0]
    middle = slice(40, 80)
    assert np.abs(back[middle, middle].astype(int) - image[middle, middle]).max() <= 6


def test_warp_averages_where_it_shrinks():
    board = np.indices((240, 240)).sum(0) % 2 * 255
    image = np.repeat(board[..., None], 3, -1).astype(np.uint8)
    crop = warp(image, np.array([[[0.125, 0, 0], [0, 0.125, 0]]]), 30)[0, 1:-1, 1:-1]
    assert np.abs(crop.astype(int) - 127).max() <= 1  # one sample a pixel would show the squares


@pytest.mark.parametrize("shrink", [1.4, 2.0, 3.3, 4.8])
def test_a_smaller_crop_is_as_smooth_as_a_scaled_picture(astronaut, shrink):
    side = int(512 / shrink)
    scaled = Image.fromarray(astronaut).resize((side, side), Image.Resampling.BILINEAR)
    expected = np.asarray(scaled).astype(float)
    matrix = np.array([[[side / 512, 0, 0], [0, side / 512, 0]]])
    crop = warp(astronaut, matrix, side)[0].astype(float)
    assert np.abs(crop - expected).mean() < 2
    assert 0.9 < np.diff(crop, axis=0).std() / np.diff(expected, axis=0).std() < 1.2


def test_a_turned_crop_averages_the_same_pixels(astronaut):
    matrix = known_similarity(0.5, 0.3, (40, -20))[None]
    (fine,) = warp(astronaut, 4 * matrix, 4 * 96)  # a little more than one pixel to one
    coarse = np.asarray(Image.fromarray(fine).resize((96, 96), Image.Resampling.BILINEAR))
    for shown in (warp, glance):
        assert np.abs(shown(astronaut, matrix, 96)[0] - coarse.astype(float)).mean() < 3


def test_warp_keeps_the_order_of_crops_of_different_size():
    image = smooth_image(300, 300)
    matrices = np.stack([known_similarity(0, s, (0, 0)) for s in (0.2, 1.0, 0.5, 0.2)])
    together = warp(image, matrices, 50)
    alone = [warp(image, matrices[i : i + 1], 50)[0] for i in range(4)]
    assert np.array_equal(together, np.stack(alone))


def test_warp_continues_the_border_and_takes_no_crops():
    image = np.full((20, 20, 3), 77, np.uint8)
    far = np.array([[[1.0, 0, 500], [0, 1, 500]]])
    for shown in (warp, glance):
        assert (shown(image, far, 16) == 77).all()
        assert (shown(image, far * 1e-9, 16) == 77).all()  # of which the image is a speck
    assert warp(image, np.zeros((0, 2, 3)), 16).shape == (0, 16, 16, 3)


def test_five_points_of_49():
    landmarks = np.zeros((2, 49, 2))
    landmarks[:, 19:25] = [[10, 1]] * 6
    landmarks[:, 25:31] = [[20, 2]] * 6
    landmarks[:, [13, 31, 37]] = [[15, 5], [11, 9], [19, 9]]
    expected = [[10, 1], [20, 2], [15, 5], [11, 9], [19, 9]]
    assert np.array_equal(five_points(landmarks), [expected, expected])


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 9), st.integers(1, 9))
def test_blocks_are_averaged_strip_by_strip_as_pillow_averages_them_all(
    width, height, across, down
):
    image = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actionunits.faces.align._STRIP", 100)  # pixels, of several strips then
        found = reduced(image, across, down)
    assert np.array_equal(found, Image.fromarray(image).reduce((across, down)))


@settings(deadline=None)
@given(shift=shifts, turn=turns, scale=st.floats(0.2, 3))
def test_a_crop_goes_on_beyond_the_image_as_one_of_a_larger_image_does(shift, turn, scale):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    matrix = np.array([[cosine, -sine, shift[0] / 5], [sine, cosine, shift[1] / 5]])
    beyond = 90
    larger = np.pad(image, ((beyond, beyond), (beyond, beyond), (0, 0)), mode="edge")
    moved = matrix - np.pad(matrix[:, :2].sum(axis=1, keepdims=True) * beyond, ((0, 0), (2, 0)))
    same = warp(image, matrix[None], 24), warp(larger, moved[None], 24)
    # the larger numbers of the larger image round otherwise where a block begins
    assert np.abs(same[0].astype(int) - same[1]).max() <= 1
