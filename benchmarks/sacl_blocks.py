"""SACL's ROI and graph steps against the paper's equations as loops; SACL against ResNet-50.

Prints milliseconds and how many times faster the shipped step is:

    python benchmarks/sacl_blocks.py [--threads 1] [--repeats 10] [--batch 8] [--size 224]

The loops are also what the tests compare the shipped blocks with.
"""

import argparse
import math
from collections.abc import Callable

import timm
import torch
from torch import Tensor, nn

from actionunits import aus
from actionunits.models.registry import blank_stats
from actionunits.models.sacl import SACL
from actionunits.nn.graph import GIN, Convolution, Distance, Edge, GraphBlock, NearestNeighbours
from actionunits.nn.roi import regions_about
from timing import milliseconds


def literal_regions(features: Tensor, centres: Tensor, extent: float, bins: int) -> Tensor:
    """Each bin of each ROI: the mean of bilinear samples, at most a pixel apart."""
    step = extent / bins
    samples = math.ceil(step)
    height, width = features.shape[2:]
    regions = []
    for picture, places in zip(features, centres, strict=True):
        for x, y in places.tolist():
            rows = []
            for i in range(bins):
                row = []
                for j in range(bins):
                    total = torch.zeros(len(picture))
                    for a in range(samples):
                        for b in range(samples):
                            top = y - extent / 2 + step * (i + (a + 0.5) / samples) - 0.5
                            left = x - extent / 2 + step * (j + (b + 0.5) / samples) - 0.5
                            top, left = min(max(top, 0), height - 1), min(max(left, 0), width - 1)
                            t, s = int(top), int(left)
                            below, right = min(t + 1, height - 1), min(s + 1, width - 1)
                            v, u = top - t, left - s
                            total = total + (1 - v) * (1 - u) * picture[:, t, s]
                            total = total + (1 - v) * u * picture[:, t, right]
                            total = total + v * (1 - u) * picture[:, below, s]
                            total = total + v * u * picture[:, below, right]
                    row.append(total / samples**2)
                rows.append(torch.stack(row, -1))
            regions.append(torch.stack(rows, -2))
    return torch.stack(regions).unflatten(0, centres.shape[:2])


def literal_distances(nodes: Tensor, distance: Distance) -> Tensor:
    """Distance of each node to each, that to itself -1: (B, N, N) float64."""
    apart = nodes.new_full((len(nodes), *2 * nodes.shape[1:2]), -1.0, dtype=torch.float64)
    for b, picture in enumerate(nodes.detach().double()):
        for i, own in enumerate(picture):
            for j, other in enumerate(picture):
                if i == j:
                    continue
                if distance == "cosine":
                    apart[b, i, j] = 1 - own @ other / (own.norm() * other.norm())
                elif distance == "manhattan":
                    apart[b, i, j] = (own - other).abs().sum()
                else:
                    apart[b, i, j] = (own - other).norm()
    return apart


def literal_neighbours(nodes: Tensor, count: int, distance: Distance) -> list[list[list[int]]]:
    """The K nearest nodes of each node, itself first."""
    return [
        [sorted(range(len(row)), key=row.__getitem__)[:count] for row in picture]
        for picture in literal_distances(nodes, distance).tolist()
    ]


def literal_convolution(
    layer: nn.Module, kind: Convolution, nodes: Tensor, own: int, neighbours: list[int]
) -> Tensor:
    """One graph convolution for one node of one picture."""
    x = nodes[own]
    if kind == "max_relative":
        most = torch.stack([nodes[j] - x for j in neighbours]).amax(0)
        return layer.linear(torch.cat([x, most]))
    if kind == "edge":
        assert isinstance(layer, Edge)
        edges = [layer.linear(torch.cat([x, nodes[j] - x])).relu() for j in neighbours]
        return torch.stack(edges).amax(0)
    if kind == "gin":
        assert isinstance(layer, GIN)
        return layer.mlp(sum([nodes[j] for j in neighbours if j != own], (1 + layer.epsilon) * x))
    pooled = torch.stack([layer.pool(nodes[j]).relu() for j in neighbours]).amax(0)
    return layer.linear(torch.cat([x, pooled]))


def literal_block(
    block: GraphBlock, kind: Convolution, nodes: Tensor, graphs: list[list[list[int]]]
) -> Tensor:
    """Eq. (2) and (3), node by node."""
    gelu = nn.functional.gelu
    pictures = []
    for picture, graph in zip(nodes, graphs, strict=True):
        before = torch.stack([block.before(x) for x in picture])
        after = []
        for i, x in enumerate(picture):
            learned = literal_convolution(block.convolution, kind, before, i, graph[i])
            x = block.after(gelu(learned)) + x
            after.append(block.second(gelu(block.first(x))) + x)
        pictures.append(torch.stack(after))
    return torch.stack(pictures)


def compare(name: str, loops: Callable[[], Tensor], ours: Callable[[], Tensor], times: int) -> None:
    once = milliseconds({"loops": loops, "ours": ours}, times)
    apart = (loops() - ours()).abs().max() / ours().abs().max()
    print(
        f"  {name:28s}{once['loops']:9.1f} ms as loops {once['ours']:8.2f} ms, "
        f"{once['loops'] / once['ours']:7.1f} times as fast; results differ by {apart:.0e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    batch, size = options.batch, options.size
    side = size // 4
    features = torch.randn(batch, 64, side, side)
    centres = (0.1 + 0.8 * torch.rand(batch, 18, 2)) * side
    nodes = torch.randn(batch, 18, 256)
    block, nearest = GraphBlock(256), NearestNeighbours(9)
    print(f"steps, {batch} faces, 18 ROIs, {options.threads} threads:")
    with torch.inference_mode():
        extent, bins = 0.14 * side, max(2, round(0.14 * side))
        compare(
            "ROIs of 64 channels",
            lambda: literal_regions(features, centres, extent, bins),
            lambda: regions_about(features, centres, extent, bins),
            3,
        )
        compare(
            "graph block of 256 channels",
            lambda: literal_block(
                block, "max_relative", nodes, literal_neighbours(nodes, 9, "euclidean")
            ),
            lambda: block(nodes, nearest(nodes)),
            3,
        )
        model = SACL(aus.BP4D12, blank_stats(12), size=size, align=size).eval()
        resnet = timm.create_model("resnet50", num_classes=12).eval()
        image = torch.randn(1, 3, size, size)
        image = image.contiguous(memory_format=torch.channels_last)
        model, resnet = (m.to(memory_format=torch.channels_last) for m in (model, resnet))
        once = milliseconds(
            {"SACL": lambda: model(image).logits, "ResNet-50": lambda: resnet(image)},
            options.repeats,
        )
    print(f"whole, 1 face of {size} px, float32, {options.threads} threads:")
    for name, value in once.items():
        print(f"  {name:12s}{value:8.1f} ms")
    print(f"  SACL takes {once['SACL'] / once['ResNet-50']:.2f} times as long as ResNet-50")


if __name__ == "__main__":
    main()
