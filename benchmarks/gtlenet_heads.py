"""GTLE-Net, 12 AUs: heads and classifiers of all AUs at once against one after the other.

Prints milliseconds and ratios, in float32:

    python benchmarks/gtlenet_heads.py [--threads 2] [--repeats 10] [--size 256] [--batch 1]

The baseline has a module for each AU, as the paper draws them: N + 1 heads of a feature map, N + 1
heads of a mask, N classifiers.
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn

from actionunits import aus
from actionunits.models.gtlenet import COLOURS, AUClassifiers, GTLENet
from actionunits.models.registry import blank_stats
from actionunits.nn.grouped import GroupedConv2d
from timing import milliseconds

COUNT = len(aus.BP4D12)


def separate_heads(heads: nn.Conv2d, channels: int) -> nn.ModuleList:
    """One convolution of so many outputs for each AU and one for all else."""
    pairs = zip(heads.weight.split(channels), heads.bias.split(channels), strict=True)
    apart = nn.ModuleList()
    for weight, bias in pairs:
        head = nn.Conv2d(heads.in_channels, channels, heads.kernel_size, padding=heads.padding)
        head.load_state_dict({"weight": weight, "bias": bias})
        apart.append(head)
    return apart


def separate_classifiers(classifiers: AUClassifiers) -> nn.ModuleList:
    """One plain network for each AU, of its own part of the weights."""
    count, apart = classifiers.count, nn.ModuleList()
    for i in range(count):
        layers: list[nn.Module] = []
        for layer in classifiers.convolutions:
            if isinstance(layer, nn.Conv2d | GroupedConv2d):
                seen = layer.inside if isinstance(layer, GroupedConv2d) else layer.weight.shape[1]
                weight = layer.weight.reshape(count, -1, seen, 7, 7)[i]
                own = nn.Conv2d(seen, len(weight), 7, 2, padding=3, bias=False)
                own.load_state_dict({"weight": weight})
            elif isinstance(layer, nn.BatchNorm2d):
                own = nn.BatchNorm2d(layer.num_features // count)
                state = layer.state_dict()
                shared = state.pop("num_batches_tracked")
                parts = {name: value.chunk(count)[i] for name, value in state.items()}
                own.load_state_dict({**parts, "num_batches_tracked": shared})
            else:
                own = nn.ELU()
            layers.append(own)
        last = nn.Conv2d(classifiers.last.in_channels // count, 1, 1)
        last.load_state_dict(
            {
                "weight": classifiers.last.weight[i : i + 1],
                "bias": classifiers.last.bias[i : i + 1],
            }
        )
        apart.append(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), last, nn.Flatten()))
    return apart


def compare(
    what: str, together: Callable[[], Tensor], apart: Callable[[], Tensor], n: int
) -> dict[str, float]:
    """Print one line and return its milliseconds."""
    one, other = together(), apart()
    difference = (one - other).abs().max() / other.abs().max()
    once = milliseconds({"together": together, "apart": apart}, n)
    print(
        f"  {what:12s}{once['together']:8.1f} ms together{once['apart']:8.1f} ms one by one, "
        f"{once['apart'] / once['together']:.2f} times as fast; results differ by {difference:.0e}"
    )
    return once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    side, repeats = options.size, options.repeats
    model = GTLENet(aus.BP4D12, blank_stats(COUNT), size=side, align=side)
    model.eval().to(memory_format=torch.channels_last)
    assert isinstance(model.map_extractor, nn.Sequential)
    assert isinstance(model.mask_extractor, nn.Sequential)
    layout = torch.channels_last
    trunk = torch.randn(options.batch, 32, side, side).contiguous(memory_format=layout)
    features = torch.randn(options.batch, COLOURS * COUNT, side, side)
    features = features.contiguous(memory_format=layout)

    print(f"{COUNT} AUs, batch {options.batch}, {side} px, {options.threads} threads:")
    with torch.inference_mode():
        heads_of_all = []
        for what, extractor, channels in (
            ("maps", model.map_extractor, COLOURS),
            ("masks", model.mask_extractor, 1),
        ):
            _, heads, activation = extractor
            assert isinstance(heads, nn.Conv2d)
            apart = separate_heads(heads, channels).to(memory_format=layout)
            once = compare(
                what,
                lambda h=heads, a=activation: a(h(trunk)),
                lambda each=apart, a=activation: torch.cat([a(h(trunk)) for h in each], 1),
                repeats,
            )
            heads_of_all.append(once)
        apart_ms, together_ms = (
            sum(once[key] for once in heads_of_all) for key in ("apart", "together")
        )
        print(f"  all heads   {apart_ms / together_ms:.2f} times as fast")
        each = separate_classifiers(model.classifiers).eval().to(memory_format=layout)
        compare(
            "classifiers",
            lambda: model.classifiers(features)[0],
            lambda: torch.cat(
                [g(c) for g, c in zip(each, features.split(COLOURS, 1), strict=True)], 1
            ),
            repeats,
        )


if __name__ == "__main__":
    main()
