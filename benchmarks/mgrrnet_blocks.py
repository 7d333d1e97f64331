"""MGRR-Net's cells, patches, region graph and fusion: batched, against loops.

Prints milliseconds and ratios at the paper's size, 12 AUs and, by default, a batch of 4:

    python benchmarks/mgrrnet_blocks.py [--threads 2] [--repeats 5] [--batch 4]

The loops, over cells or over samples and AUs, do what the equations say, term by term and on the
whole map; the parity tests hold the blocks against them too.
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from actionunits import aus
from actionunits.models.mgrrnet import GatedFusion, MGRRNet, RegionGraph
from actionunits.models.registry import blank_stats
from actionunits.nn.region import AUPatches, RegionConv
from timing import milliseconds


def cells(block: RegionConv, x: Tensor) -> Tensor:
    """Batch norm, ReLU and a convolution of its own in every cell of the grid."""
    g, norm = block.grid, block.norm
    parts = [block.conv.weight, block.conv.bias, norm.weight, norm.bias]
    parts += [norm.running_mean, norm.running_var]
    each = zip(*(part.chunk(g * g) for part in parts), strict=True)
    rows = []
    for strip in x.chunk(g, 2):
        row = []
        for cell in strip.chunk(g, 3):
            kernel, offset, scale, shift, mean, var = next(each)
            active = functional.batch_norm(cell, mean, var, scale, shift, block.training).relu()
            row.append(functional.conv2d(active, kernel, offset, padding=1))
        rows.append(torch.cat(row, 3))
    return torch.cat(rows, 2)


def patches(block: AUPatches, original: Tensor, landmarks: Tensor) -> Tensor:
    """Feature v of every AU of every face: O_G under its windows, and a convolution."""
    side, width = block.side, block.window
    kernels = block.conv.weight.chunk(block.count)
    faces = []
    for x, centres in zip(original, block.centres(landmarks), strict=True):
        features = []
        for regions, kernel in zip(block.centres.of_au.tolist(), kernels, strict=True):
            mask = torch.zeros(side, side)
            for region in regions:
                left, top = (centres[region] * block.scale - width / 2 + 0.5).floor().int().tolist()
                rows, columns = slice(max(top, 0), top + width), slice(max(left, 0), left + width)
                if top + width > 0 and left + width > 0:
                    mask[rows, columns] = 1
            features.append(functional.conv2d(x * mask, kernel, padding=1).relu())
        faces.append(torch.stack(features))
    return torch.stack(faces)


def relate(graph: RegionGraph, v: Tensor) -> Tensor:
    """Eq. (6): the own mapped feature, and those of all AUs by their relation."""
    faces = []
    for features in v:
        related = []
        for i in range(len(features)):
            total = mapped(graph.weight[i], features[i])
            for j in range(len(features)):
                total = total + graph.relation[i, j] * mapped(graph.weight[j], features[j])
            related.append(total)
        faces.append(torch.stack(related))
    return torch.stack(faces)


def mapped(weight: Tensor, x: Tensor) -> Tensor:
    """1x1 convolution of (C, h, w) by weights (O, C)."""
    return functional.conv2d(x, weight[:, :, None, None])


def fuse_two(gate: GatedFusion, first: Tensor, second: Tensor) -> Tensor:
    """Eq. (8)-(9) of two features (C, h, w)."""
    beta = torch.sigmoid(mapped(gate.gate_first[0], first) + mapped(gate.gate_second[0], second))
    c, p = mapped(gate.first[0], first), mapped(gate.second[0], second)
    c = c / c.square().sum(0).sqrt().clamp(min=1e-6)
    p = p / p.square().sum(0).sqrt().clamp(min=1e-6)
    return beta * c + (1 - beta) * p


def fuse(gates: list[GatedFusion], pixel: Tensor, channel: Tensor, o: Tensor, v: Tensor) -> Tensor:
    """Eq. (7) of every AU: v (B, A, C, h, w) with P_G, C_G and O_G, each (B, C, h, w)."""
    faces = []
    for b in range(len(v)):
        fused = []
        for feature in v[b]:
            inner = fuse_two(gates[0], channel[b], pixel[b])
            fused.append(fuse_two(gates[2], feature, fuse_two(gates[1], o[b], inner)))
        faces.append(torch.stack(fused))
    return torch.stack(faces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = MGRRNet(aus.BP4D12, blank_stats(12)).eval()
    images = torch.randn(options.batch, 3, *[model.spec.size] * 2)
    spread = torch.rand(options.batch, 49, 2) * model.spec.size
    layer = model.layers[0]
    with torch.inference_mode():
        x, fine = model.stem[0].conv(images), model.stem[0].fine
        o = model.stem(images)
        pixel, channel = layer.sources[0](o), layer.sources[1](o)
        v = layer(model.patches(o, spread), o)
        operands = [*(source[:, None] for source in (pixel, channel, o)), v]
        pairs: dict[str, tuple[Callable[[], Tensor], Callable[[], Tensor]]] = {
            "cells, 8 x 8": (lambda: cells(fine, x), lambda: fine(x)),
            "patches": (
                lambda: patches(model.patches, o, spread),
                lambda: model.patches(o, spread),
            ),
            "graph, Eq. (6)": (lambda: relate(layer.graph, v), lambda: layer.graph(v)),
            "fusion, Eq. (7)": (
                lambda: fuse(list(layer.gates), pixel, channel, o, v),
                lambda: layer.fuse(operands),
            ),
        }
        differences = [
            ((loop() - batched()).abs().max() / loop().abs().max()).item()
            for loop, batched in pairs.values()
        ]
        cases = {f"{n}, loops": loop for n, (loop, _) in pairs.items()}
        cases |= {n: batched for n, (_, batched) in pairs.items()}
        once = milliseconds(cases | {"whole": lambda: model(images).logits}, options.repeats)
    print(f"batch {options.batch}, {len(aus.BP4D12)} AUs, {model.spec.size} px, ms a batch:")
    for name, difference in zip(pairs, differences, strict=True):
        slow, fast = once[f"{name}, loops"], once[name]
        print(
            f"  {name:16s} loops {slow:8.1f}  batched {fast:7.1f}  "
            f"{slow / fast:5.1f} times as fast; differ by {difference:.0e}"
        )
    slow, fast = sum(once[f"{n}, loops"] for n in pairs), sum(once[n] for n in pairs)
    print(f"  {'together':16s} loops {slow:8.1f}  batched {fast:7.1f}  {slow / fast:5.1f} times")
    print(f"  the whole model: {once['whole'] / options.batch:.1f} ms a face")


if __name__ == "__main__":
    main()
