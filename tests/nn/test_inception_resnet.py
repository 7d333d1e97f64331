"""Inception-ResNet-v1: published sizes, padding, and the names of published weights."""

import re

import pytest
import torch
from torch import nn

from actionunits.errors import RecipeError
from actionunits.nn.inception_resnet import (
    InceptionEncoder,
    InceptionTail,
    published_name,
)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_published_numbers_of_parameters_and_sizes_of_maps() -> None:
    with torch.device("meta"):
        encoder, tail = InceptionEncoder().eval(), InceptionTail().eval()
        x = torch.empty(1, 3, 256, 256)
    assert parameters(encoder) == 9_613_312
    assert parameters(encoder) + parameters(tail) == 22_564_096
    sides = []
    for layer in encoder.stem:
        x = layer(x)
        sides.append(x.shape[-1])
    assert sides == [128, 128, 128, 64, 64, 64, 32]
    h = encoder.blocks17(encoder.reduction(encoder.blocks35(x)))
    assert h.shape == (1, 896, 16, 16)
    assert tail.reduction(h).shape == (1, 1792, 8, 8)
    assert tail(h).shape == (1, 1792)


def test_odd_sides_round_up() -> None:
    encoder = InceptionEncoder(width=8).eval()
    with torch.inference_mode():
        assert encoder(torch.randn(1, 3, 72, 50)).shape == (1, 224, 5, 4)


def test_residual_blocks_are_scaled_and_the_last_ends_without_relu() -> None:
    tail = InceptionTail(width=8).eval()
    first, last = tail.blocks8[0], tail.blocks8[-1]
    x = torch.randn(2, 448, 2, 2)
    for block, scale in ((first, 0.2), (last, 1.0)):
        joined = torch.cat([branch(x) for branch in block.branches], 1)
        expected = x + scale * block.up(joined)
        expected = expected if block is last else expected.clamp(min=0)
        torch.testing.assert_close(block(x), expected)
    assert (last(x) < 0).any()


def test_widths_that_do_not_divide_are_refused() -> None:
    for width in (0, 4, 12):
        with pytest.raises(RecipeError, match=f"width: expected a multiple of 8, got {width}"):
            InceptionEncoder(width=width)


def published(width: int = 8) -> dict[str, torch.Tensor]:
    """Weights under the names that they are published with, and two layers more."""
    torch.manual_seed(5)
    parts = nn.ModuleDict(
        {"encoder": InceptionEncoder(width=width), "tail": InceptionTail(width=width)}
    )
    ours = {
        "encoder.stem.0": "conv2d_1a",
        "encoder.stem.1": "conv2d_2a",
        "encoder.stem.2": "conv2d_2b",
        "encoder.stem.4": "conv2d_3b",
        "encoder.stem.5": "conv2d_4a",
        "encoder.stem.6": "conv2d_4b",
        "encoder.blocks35": "repeat_1",
        "encoder.reduction": "mixed_6a",
        "encoder.blocks17": "repeat_2",
        "tail.reduction": "mixed_7a",
        "tail.blocks8.5": "block8",
        "tail.blocks8": "repeat_3",
    }
    state = {"last_linear.weight": torch.zeros(512, 56 * width), "logits.bias": torch.zeros(9)}
    state["last_bn.weight"] = torch.zeros(512)
    single = {  # branches of one convolution
        *("repeat_1.0", "repeat_2.0", "repeat_3.0", "block8.0"),
        "mixed_6a.0",
    }
    for name, tensor in parts.state_dict().items():
        prefix = next(p for p in ours if name.startswith(f"{p}."))
        new = f"{ours[prefix]}{name.removeprefix(prefix)}".replace(".up.", ".conv2d.")
        match = re.match(r"(\w+)(\.\d+)?\.branches\.(\d)\.(\d)\.(.*)", new)
        if match:
            part, block, branch, position, rest = match.groups(default="")
            number = "" if f"{part}.{branch}" in single else f".{position}"
            new = f"{part}{block}.branch{branch}{number}.{rest}"
        state[new] = tensor
    return state


def test_every_published_name_finds_its_place() -> None:
    body = nn.ModuleDict({"encoder": InceptionEncoder(width=8), "tail": InceptionTail(width=8)})
    names = [published_name(name) for name in published()]
    assert names.count(None) == 3
    assert {name for name in names if name} == set(body.state_dict())
    assert published_name("mixed_7a.branch2.1.bn.running_var") == (
        "tail.reduction.branches.2.1.bn.running_var"
    )
    assert published_name("repeat_2.3.conv2d.bias") == "encoder.blocks17.3.up.bias"
    assert published_name("features.0.weight") == "features.0.weight"
