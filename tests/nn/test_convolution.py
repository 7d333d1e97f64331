"""Convolutions of small maps: the values and gradients of PyTorch's own."""

import pytest
import torch
from torch import Tensor, nn

from actionunits.nn import convolution
from actionunits.nn.convolution import SmallMaps

CASES = {  # kernel, stride, padding, height, width
    "3x3": (3, 1, 1, 4, 4),
    "one position": (3, 1, 1, 1, 1),
    "stride 2": (3, 2, 1, 5, 8),
    "1x1, stride 2": (1, 2, 0, 7, 6),
    "1x7": ((1, 7), 1, (0, 3), 3, 4),
    "no padding": (3, 1, 0, 5, 6),
    "more padding than half the kernel": (3, 1, 2, 2, 2),
}


def gradients(module: nn.Conv2d, x: Tensor) -> list[Tensor]:
    """Output, and gradients of a loss that weighs each output differently."""
    x = x.clone().requires_grad_()
    module.zero_grad()
    y = module(x)
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
    return [y.detach(), x.grad, module.weight.grad, module.bias.grad]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each convolution that was taken over; those of any width are."""
    calls: list[int] = []
    inner = convolution._conv2d
    monkeypatch.setattr(convolution, "_WEIGHTS", 0)
    monkeypatch.setattr(convolution, "_conv2d", lambda *args: (calls.append(1), inner(*args))[1])
    return calls


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_a_convolution(case: str, taken: list[int]) -> None:
    kernel, stride, padding, height, width = CASES[case]
    torch.manual_seed(0)
    module = nn.Conv2d(5, 6, kernel, stride, padding, dtype=torch.float64)
    x = torch.randn(3, 5, height, width, dtype=torch.float64)
    expected = gradients(module, x)
    with SmallMaps():
        found = gradients(module, x)
    assert taken == [1]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_autocast_computes_as_it_does_elsewhere(taken: list[int]) -> None:
    torch.manual_seed(0)
    module, x = nn.Conv2d(8, 8, 3, padding=1), torch.randn(2, 8, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        expected = gradients(module, x)
        with SmallMaps():
            found = gradients(module, x)
    assert taken == [1]
    assert [v.dtype for v in found] == [v.dtype for v in expected]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(8, 8, 3, groups=2),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2),
        nn.Conv2d(8, 8, 3, padding="same"),
        nn.Conv2d(8, 8, 1),  # 25 positions
    ],
)
def test_others_go_their_usual_way(module: nn.Conv2d, taken: list[int]) -> None:
    x = torch.randn(1, 8, 5, 5)
    with SmallMaps():
        assert torch.equal(module(x), module(x))
    assert not taken


def test_nothing_is_taken_over_without_gradients_or_outside(taken: list[int]) -> None:
    module, x = nn.Conv2d(8, 8, 3, padding=1), torch.randn(1, 8, 2, 2)
    module(x)
    with SmallMaps(), torch.no_grad():
        module(x)
    assert not taken
