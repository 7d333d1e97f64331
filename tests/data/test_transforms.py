"""Augmentation: geometry of pictures and landmarks agrees, randomness is reproducible."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actionunits.data.transforms import (
    FLIP49,
    Augment,
    Transform,
    flip,
    move_besides,
    uniforms,
)
from actionunits.errors import RecipeError
from actionunits.types import Besides, InputSpec
from builders import landmarks49

SPEC = InputSpec(48, 64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
ALONE = [
    *("flip", "rotate", "scale", "translate", "brightness", "contrast", "saturation", "tint"),
    *("grayscale", "blur", "noise", "jpeg", "erase", "ruin", "spectrum"),
]


def faces(count: int, seed: int = 0) -> Tensor:
    """Smooth random pictures, (count, 3, 64, 64) uint8."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 9, 9, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, 64, mode="bilinear", align_corners=True)
    return (smooth * 255).byte()


def spots(points: Tensor) -> Tensor:
    """Pictures (N, 3, 64, 64) uint8 with a soft white spot about each point (N, 2)."""
    at = torch.arange(64) + 0.5
    dx, dy = at - points[:, :1], at - points[:, 1:]
    spot = torch.exp(-(dx[:, None, :] ** 2 + dy[:, :, None] ** 2) / 18)
    return (255 * spot).byte()[:, None].expand(-1, 3, -1, -1)


def test_flip_pairs_are_those_of_a_mirrored_face() -> None:
    points = torch.from_numpy(landmarks49())
    _, mirrored = flip(torch.zeros(1, 3, 256, 256), points[None], torch.tensor([True]))
    torch.testing.assert_close(mirrored[0], points, atol=1e-4, rtol=0)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_flip_twice_is_identity_and_swaps_left_and_right(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(3, 3, 8, 10, generator=generator)
    points = torch.rand(3, 49, 2, generator=generator) * 10
    which = torch.tensor([True, False, True])
    once = flip(images, points, which)
    torch.testing.assert_close(once[0][0], images[0].flip(-1))
    torch.testing.assert_close(once[0][1], images[1])
    torch.testing.assert_close(once[1][0, 31, 0], 10 - points[0, 37, 0])
    torch.testing.assert_close(once[1][0, 31, 1], points[0, 37, 1])
    again = flip(*once, which)
    torch.testing.assert_close(again[0], images)
    torch.testing.assert_close(again[1], points)
    assert sorted(FLIP49.tolist()) == list(range(49))


def test_no_augmentation_is_the_centre_crop() -> None:
    batch = faces(2)
    points = torch.rand(2, 49, 2) * 64
    u = uniforms(0, 0, np.arange(2))
    images, moved = Transform(SPEC, Augment())(batch, points, u)
    assert torch.equal(images, batch[:, :, 8:56, 8:56].float() / 255)
    torch.testing.assert_close(moved, points - 8)


def test_normalisation_is_that_of_the_model() -> None:
    spec = InputSpec(64, 64, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    batch = faces(1)
    images, _ = Transform(spec, Augment())(batch, None, uniforms(0, 0, np.arange(1)))
    expected = (batch[0, 2].float() / 255 - 0.3) / 0.7
    torch.testing.assert_close(images[0, 2], expected)


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_landmarks_follow_the_picture(seed: int) -> None:
    augment = Augment(random_crop=True, flip=0.5, rotate=20, scale=0.15, translate=0.05)
    points = torch.rand(4, 2, generator=torch.Generator().manual_seed(seed)) * 20 + 22
    u = uniforms(seed, 0, np.arange(4))
    tip = 13  # the nose is its own mirror image
    landmarks = torch.zeros(4, 49, 2)
    landmarks[:, tip] = points
    images, moved = Transform(SPEC, augment)(spots(points), landmarks, u)
    weight = images[:, 0] ** 2
    at = torch.arange(48) + 0.5
    x = (weight.sum(1) * at).sum(1) / weight.sum((1, 2))
    y = (weight.sum(2) * at).sum(1) / weight.sum((1, 2))
    inside = ((moved[:, tip] > 8) & (moved[:, tip] < 40)).all(1)
    torch.testing.assert_close(
        torch.stack([x, y], 1)[inside], moved[:, tip][inside], atol=0.25, rtol=0
    )


@pytest.mark.parametrize("name", ALONE)
def test_each_setting_changes_pictures_and_keeps_their_range(name: str) -> None:
    strength = {"rotate": 20.0, "blur": 2.0, "noise": 0.1, "scale": 0.2, "translate": 0.1}
    augment = Augment(**{name: strength.get(name, 0.8)})
    batch, u = faces(8), uniforms(1, 0, np.arange(8))
    plain, _ = Transform(SPEC, Augment())(batch, None, u)
    images, _ = Transform(SPEC, augment)(batch, None, u)
    assert images.shape == plain.shape
    assert (images - plain).abs().amax((1, 2, 3)).gt(0.01).sum() >= 4
    assert -1e-5 <= images.min() <= images.max() <= 1 + 1e-5


def test_grayscale_has_no_colour_and_keeps_luma() -> None:
    batch, u = faces(3), uniforms(1, 0, np.arange(3))
    images, _ = Transform(SPEC, Augment(grayscale=1.0))(batch, None, u)
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    expected = (batch[:, :, 8:56, 8:56].float() / 255 * luma).sum(1)
    for channel in range(3):
        torch.testing.assert_close(images[:, channel], expected, atol=1e-5, rtol=0)


@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 500))
@settings(max_examples=20, deadline=None)
def test_a_sample_does_not_depend_on_its_batch(seed: int, epoch: int) -> None:
    augment = Augment(True, *([0.5] * 13))
    batch = faces(6)
    samples = np.array([9, 2, 40, 0, 7, 3])
    together, _ = Transform(SPEC, augment)(batch, None, uniforms(seed, epoch, samples))
    alone, _ = Transform(SPEC, augment)(batch[4:5], None, uniforms(seed, epoch, samples[4:5]))
    torch.testing.assert_close(together[4:5], alone, atol=1e-5, rtol=1e-5)


def test_random_numbers_are_uniform_and_change_with_every_part_of_the_key() -> None:
    u = torch.stack(list(uniforms(3, 4, np.arange(20_000)).values()))
    assert u.min() >= 0
    assert u.max() < 1
    torch.testing.assert_close(u.mean(1), torch.full((len(u),), 0.5), atol=0.01, rtol=0)
    assert torch.corrcoef(u).fill_diagonal_(0).abs().max() < 0.04
    one = {key: uniforms(*key, np.array([5]))["flip"].item() for key in ((3, 4), (4, 4), (3, 5))}
    assert len(set(one.values())) == 3


@pytest.mark.parametrize(("name", "value"), [("flip", 1.5), ("rotate", -1), ("noise", 2)])
def test_settings_outside_their_range_are_named(name: str, value: float) -> None:
    with pytest.raises(RecipeError, match=f"augment.{name}"):
        Augment(**{name: value})


def test_what_is_known_besides_moves_with_the_picture() -> None:
    """Roll by the angle that the eyes turn in the picture; left and right change places."""
    known = Besides(
        sides=torch.tensor([[[3.0, 1.0]]]),
        pose=torch.tensor([[10.0, 5.0, 2.0]]),
        gaze=torch.tensor([[7.0, -3.0]]),
        hidden=torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]]),
    )
    u = {name: torch.tensor([0.5]) for name in uniforms(0, 0, np.arange(1))}
    u["rotate"] = torch.tensor([1.0])
    turn = Augment(rotate=20)
    points = torch.from_numpy(landmarks49())[None] / 4
    _, turned = Transform(SPEC, turn)(faces(1), points, u)
    right, left = turned[0, 19:25].mean(0), turned[0, 25:31].mean(0)
    clockwise = torch.rad2deg(torch.atan2(left[1] - right[1], left[0] - right[0]))
    found = move_besides(known, turn, u)
    torch.testing.assert_close(found.pose[0, 2], 2 - clockwise, atol=0.2, rtol=0)
    assert found.pose[0, :2].tolist() == [10, 5]
    u["flip"] = torch.tensor([0.0])
    mirrored = move_besides(known, Augment(flip=0.5), u)
    assert mirrored.sides.tolist() == [[[1, 3]]]
    assert mirrored.pose.tolist() == [[-10, 5, -2]]
    assert mirrored.gaze.tolist() == [[-7, -3]]
    torch.testing.assert_close(mirrored.hidden, torch.tensor([[0.2, 0.1, 0.3, 0.5, 0.4, 0.6]]))
