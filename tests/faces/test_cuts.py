"""A cut is another picture, not a light that goes on."""

import numpy as np
import pytest
import skimage.data

from actionunits.faces.cuts import Cuts, thumbnail


def scene(seed):
    """A picture of a few large shapes, as pictures are."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 236, (4, 6, 3)).astype(np.uint8)
    return coarse.repeat(60, axis=0).repeat(60, axis=1)


def cuts(*pictures):
    """Which of the pictures begin a shot."""
    tell = Cuts()
    return [tell(thumbnail(picture)) for picture in pictures]


def cut(before, after):
    return cuts(before, after)[1]


def test_another_scene_is_a_cut_and_the_same_is_none():
    assert all(cut(scene(i), scene(i + 1)) for i in range(20))
    assert not any(cut(scene(i), scene(i)) for i in range(20))


@pytest.mark.parametrize("change", [lambda x: x // 3, lambda x: 128 + x // 2, lambda x: 255 - x])
def test_brightness_and_contrast_are_no_cut_but_a_negative_is(change):
    picture = skimage.data.astronaut()
    assert cut(picture, change(picture)) == bool(change(np.uint8(0)) > change(np.uint8(255)))


@pytest.mark.parametrize("step", [2, 8, 24])
def test_a_camera_that_swings_is_no_cut(step):
    picture = skimage.data.astronaut()
    faster = np.cumsum([0, 0, step / 4, step / 2, *[step] * 5]).astype(int)
    assert not any(cuts(*(picture[:, at : at + 300] for at in faster)))


def test_each_of_many_short_shots_begins_once():
    shots = [picture for i in range(6) for picture in [scene(i)] * 3]
    assert cuts(*shots) == [i % 3 == 0 and i > 0 for i in range(18)]


def test_black_between_two_shots_is_a_cut_on_either_side():
    picture, black = skimage.data.astronaut(), np.zeros((512, 512, 3), np.uint8)
    assert cut(picture, black)
    assert cut(black, picture)
    assert not cut(black, black)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (17, 31), (2160, 3840)])
def test_pictures_of_any_size(shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    small = thumbnail(noise)
    assert small.shape == (18, 32)
    assert np.isfinite(small).all()
    assert not cut(noise, noise)
