"""Grouped convolutions are those of their groups, however many are computed in one call."""

import pytest
import torch
from torch.nn import functional

from actionunits.nn import grouped
from actionunits.nn.grouped import GroupedConv2d


@pytest.mark.parametrize("together", [1, 2, 5])
def test_every_group_is_convolved_by_its_own_weights(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped, "_WEIGHT_BYTES", together * 8 * 4 * 49 * 4)
    torch.manual_seed(0)
    layer = GroupedConv2d(5, 4, 8, 7, 2).to(memory_format=torch.channels_last)
    x = torch.randn(2, 20, 9, 12, requires_grad=True)
    inputs, weights = x.split(4, 1), layer.weight.view(5, 8, 4, 7, 7).unbind()
    expected = [
        functional.conv2d(part, weight, stride=2, padding=3)
        for part, weight in zip(inputs, weights, strict=True)
    ]
    torch.testing.assert_close(layer(x), torch.cat(expected, 1), atol=1e-5, rtol=1e-5)
    by_channels = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(by_channels), torch.cat(expected, 1), atol=1e-5, rtol=1e-5)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    assert all(gradient.any() for gradient in layer.weight.grad)


def test_weights_start_with_the_spread_of_a_single_group() -> None:
    torch.manual_seed(0)
    weight = GroupedConv2d(6, 8, 16, 7, 2).weight
    assert weight.std().item() == pytest.approx((2 / (8 * 49)) ** 0.5, rel=0.03)
