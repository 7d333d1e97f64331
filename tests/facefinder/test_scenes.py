import numpy as np
import pytest
from discs import landmarks
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from actionunits.errors import UserError
from actionunits.facefinder.backdrops import Backdrops
from actionunits.facefinder.cuts import face_box, paste, placed_points, placing
from actionunits.faces.align import five_points, transform
from actionunits.faces.sight import LOOK_SIDE

sizes = st.floats(10, 300)
turns = st.floats(-1, 1)


@given(sizes, st.floats(-50, 300), st.floats(-50, 300), turns, st.booleans())
def test_a_face_is_put_where_it_is_wanted(cuts, size, x, y, turn, mirrored):
    cut = cuts.head(np.random.default_rng(0))
    matrix = placing(cut, size, np.array([x, y]), turn, mirrored)
    x0, y0, x1, y1 = cut.box
    (middle,) = transform(np.array([[(x0 + x1) / 2, (y0 + y1) / 2]]), matrix)
    assert middle == pytest.approx([x, y])
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    assert scale * max(y1 - y0, 0.75 * (x1 - x0)) == pytest.approx(size)


def test_the_right_of_a_mirrored_face_is_its_left(cuts):
    cut = cuts.head(np.random.default_rng(0))
    points = placed_points(cut, placing(cut, 60, np.zeros(2), 0.0, mirrored=True))
    five = five_points(points)
    assert five[0, 0] < five[2, 0] < five[1, 0]
    assert five[3, 0] < five[4, 0]


@given(st.floats(0.2, 5), turns)
def test_the_box_of_a_face_holds_its_points(scale, turn):
    points = landmarks(100 * scale, 1.0)
    turned = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    x0, y0, x1, y1 = face_box(turned)
    assert (turned >= [x0, y0]).all()
    assert (turned <= [x1, y1]).all()


def test_what_does_not_cover_stays_as_it_was(cuts):
    canvas = Image.new("RGB", (100, 100), (10, 200, 30))
    cut = cuts.head(np.random.default_rng(0))
    assert paste(canvas, cut, placing(cut, 40, np.array([50, 50]), 0.0, False), np.ones(3))
    pixels = np.asarray(canvas)
    assert (pixels[0] == [10, 200, 30]).all()
    assert (pixels[40, 50] == [200, 150, 120]).all()


def test_a_face_beside_the_picture_is_none(cuts):
    canvas = Image.new("RGB", (50, 50))
    cut = cuts.head(np.random.default_rng(0))
    assert not paste(canvas, cut, placing(cut, 20, np.array([400, 0]), 0.0, False), np.ones(3))


@pytest.mark.parametrize("seed", range(12))
def test_scenes_tell_where_their_faces_are(composer, seed):
    scene = composer.scene(np.random.default_rng(seed))
    assert scene.image.shape == (256, 256, 3)
    assert scene.image.dtype == np.uint8
    assert len(scene.boxes) == len(scene.points) == len(scene.seen)
    assert ((scene.seen >= 0) & (scene.seen <= 1)).all()
    low, high = scene.boxes[:, None, :2], scene.boxes[:, None, 2:]
    assert ((scene.points > low) & (scene.points < high)).all()


def test_the_same_seed_gives_the_same_picture(composer):
    first, again = (composer.scene(np.random.default_rng([3, 1])) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.points, again.points)


def test_there_are_pictures_of_nobody_and_of_many(composer):
    counts = {len(composer.scene(np.random.default_rng(seed)).boxes) for seed in range(40)}
    assert 0 in counts
    assert max(counts) > 3


def test_who_stands_behind_another_is_seen_less(cuts, composer):
    from actionunits.facefinder.scenes import _uncovered

    boxes = np.array([[10.0, 10, 50, 60], [20, 15, 60, 65], [200, 200, 300, 300]])
    seen = _uncovered(boxes, 256)
    assert seen[0] < 0.5
    assert seen[1] == 1
    assert seen[2] == pytest.approx((56 / 100) ** 2)


def test_crops_are_faces_almost_in_place_or_none(composer):
    crops = [composer.crop(np.random.default_rng(seed)) for seed in range(80)]
    assert {crop.face for crop in crops} == {0.0, 1.0}
    assert all(crop.image.shape == (LOOK_SIDE, LOOK_SIDE, 3) for crop in crops)
    faces = [crop for crop in crops if crop.face]
    off = [np.abs(crop.points - five_points(landmarks(1, 1.0))).max() for crop in faces]
    assert max(off) < 0.5
    dark = 0
    for crop in faces:  # the dots are where the points say
        x, y = np.clip((crop.points[2] * LOOK_SIDE).astype(int), 0, LOOK_SIDE - 1)
        dark += crop.image[y, x].mean() < crop.image.mean()
    assert dark > 0.8 * len(faces)


def test_a_folder_without_photographs_is_named(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path}: no photograph found; give a folder"):
        Backdrops(tmp_path)
