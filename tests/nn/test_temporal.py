"""Motion about a frame, and filters in time."""

import pytest
import torch
from torch import Tensor, nn

from actionunits.nn.temporal import (
    AdaptiveFusion,
    AUTemporalConvolution,
    ConcatenationFusion,
    MultiScaleDynamics,
    PatchConvolution,
    SumFusion,
    mean_difference,
)

CHANNELS = [2, 3, 4, 5]
SIDES = (16, 8, 4, 2)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_mean_difference_is_the_mean_of_the_differences(k: int) -> None:
    x = torch.randn(2, 4 + 2 * k, 3, dtype=torch.float64)
    steps = x[:, 1:] - x[:, :-1]  # steps[i] leads to frame i + 1
    expected = torch.stack([steps[:, t - k : t + k].mean(1) for t in range(k, 4 + k)], 1)
    torch.testing.assert_close(mean_difference(x, k), expected)


@pytest.mark.parametrize("width", [None, 6])
@pytest.mark.parametrize("stages", [(1, 2, 3, 4), (2, 4), (3,)])
def test_any_stages_come_to_the_size_of_the_last(
    stages: tuple[int, ...], width: int | None
) -> None:
    torch.manual_seed(0)
    block = MultiScaleDynamics(CHANNELS, stages, 1, "adaptive", width)
    scales = block.resize([torch.randn(6, c, s, s) for c, s in zip(CHANNELS, SIDES, strict=True)])
    assert scales.shape == (6, len(stages), 5, 2, 2)
    motion, weights = block(scales.view(2, 3, *scales.shape[1:]))
    assert motion.shape == (2, 1, width or 5, 2, 2)
    assert weights.shape == (2, 1, len(stages), 2, 2)


def moving(*frames: Tensor) -> list[Tensor]:
    """Maps of the stages of one clip that shows these faces."""
    return [torch.stack(maps) for maps in zip(*frames, strict=True)]


def face(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(c, s, s, generator=generator) for c, s in zip(CHANNELS, SIDES, strict=True)]


@pytest.mark.parametrize("fusion", ["adaptive", "sum"])
def test_a_face_at_rest_has_no_motion(fusion: str) -> None:
    block = MultiScaleDynamics(CHANNELS, (1, 2, 3, 4), 2, fusion, None)
    motion, _ = block(block.resize(moving(*[face(0)] * 6))[None])
    assert not motion.any()


@pytest.mark.parametrize("fusion", ["adaptive", "sum", "concatenation"])
def test_faces_at_rest_have_the_same_motion_in_the_release(fusion: str) -> None:
    torch.manual_seed(0)
    block = MultiScaleDynamics(CHANNELS, (1, 2, 3, 4), 2, fusion, 6).eval()
    one, _ = block(block.resize(moving(*[face(0)] * 6))[None])
    other, _ = block(block.resize(moving(*[face(1)] * 6))[None])
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("width", "seen"), [(None, False), (6, True)], ids=["print", "release"])
def test_an_onset_and_offset_within_the_window_cancel_in_the_print_alone(
    width: int | None, seen: bool
) -> None:
    torch.manual_seed(0)
    block = MultiScaleDynamics(CHANNELS, (1, 2, 3, 4), 2, "sum", width).eval()
    rest, smile = face(0), face(1)
    still, _ = block(block.resize(moving(*[rest] * 5))[None])
    burst, _ = block(block.resize(moving(rest, rest, smile, rest, rest))[None])
    assert ((burst - still).abs().max() > 1e-3) == seen


@pytest.mark.parametrize("side", [1, 2, 8])
def test_patch_convolution_is_a_convolution_by_its_own_side(side: int) -> None:
    block, x = PatchConvolution(3, 5, side), torch.randn(2, 3, 16, 24)
    expected = nn.functional.conv2d(x, block.weight, stride=side)
    torch.testing.assert_close(block(x), expected)
    by_channels = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(block(by_channels), expected)


def test_fusions() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 2, 2)
    torch.testing.assert_close(SumFusion(4, 3)(x)[0], x[:, 0] + x[:, 1] + x[:, 2])
    adaptive = AdaptiveFusion(4, 3)
    nn.init.zeros_(adaptive.weigh.weight)
    nn.init.zeros_(adaptive.weigh.bias)
    torch.testing.assert_close(adaptive(x)[0], x.mean(1))  # equal weights
    cat = ConcatenationFusion(4, 3)
    nn.init.zeros_(cat.reduce.weight)
    nn.init.zeros_(cat.reduce.bias)
    cat.reduce.weight.data[:, 4:8, 0, 0] = torch.eye(4)
    torch.testing.assert_close(cat(x)[0], x[:, 1])


def test_one_scale_alone_has_the_weight_one_and_no_parameters() -> None:
    x = torch.randn(2, 1, 4, 2, 2)
    fusion = AdaptiveFusion(4, 1)
    found, weights = fusion(x)
    assert not list(fusion.parameters())
    assert torch.equal(found, x[:, 0])
    assert (weights == 1).all()


def test_temporal_convolution_starts_as_the_identity_and_keeps_aus_and_channels_apart() -> None:
    torch.manual_seed(0)
    block, x = AUTemporalConvolution(3, 4, 5), torch.randn(2, 7, 3, 4)
    torch.testing.assert_close(block(x), x[:, 2:-2])
    nn.init.normal_(block.weight)
    other = x.clone()
    other[:, :, 1, 2] += 1
    changed = (block(other) - block(x)).abs().amax((0, 1)) > 1e-6
    assert changed.nonzero().tolist() == [[1, 2]]


def test_the_norm_after_it_is_one_of_each_au() -> None:
    torch.manual_seed(0)
    block, x = AUTemporalConvolution(3, 4, 5, norm=True), torch.randn(8, 7, 3, 4) * 5 + 2
    found = block(x)
    assert found.shape == (8, 3, 3, 4)
    centred = x[:, 2:-2] - x[:, 2:-2].mean((0, 1, 3), keepdim=True)
    deviation = x[:, 2:-2].var((0, 1, 3), keepdim=True, correction=0).sqrt()
    torch.testing.assert_close(found, (centred / deviation).relu(), rtol=1e-4, atol=1e-4)


def test_temporal_convolution_sees_two_frames_a_side() -> None:
    torch.manual_seed(0)
    block, x = AUTemporalConvolution(1, 2, 5), torch.zeros(1, 9, 1, 2)
    nn.init.normal_(block.weight)
    x[:, 4] = 1
    assert block(x)[0].any((1, 2)).tolist() == [True] * 5
    x[:, 4], x[:, 8] = 0, 1
    assert block(x)[0].any((1, 2)).tolist() == [False] * 4 + [True]
