"""ResT's maps and size."""

import torch
from torch import nn

from actionunits.nn.rest import ResT


def test_rest_lite_with_1000_classes_has_the_published_size() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for net in (ResT(), nn.Linear(512, 1000)) for p in net.parameters())
    assert 10.48e6 < count < 10.51e6


def test_maps_are_a_stem_and_a_pyramid_that_lie_channels_last() -> None:
    images = torch.randn(1, 3, 64, 96).contiguous(memory_format=torch.channels_last)
    maps = ResT(width=16).eval()(images)
    sizes = [(16, 24), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert [tuple(m.shape[2:]) for m in maps] == sizes
    assert [m.shape[1] for m in maps] == [16, 16, 32, 64, 128]
    for m in maps[1:]:
        _, channels, _, width = m.shape
        assert m.stride()[1:] == (1, width * channels, channels)
