"""Regions of the face in MDHR: where they are on a feature map, and what is read off them.

Section and equation numbers are those of Wang et al., *Multi-scale Dynamic and Hierarchical
Relationship Modeling for Facial Action Units Recognition* (CVPR 2024).
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from actionunits.aus import AUSet
from actionunits.nn.temporal import normed

Groups = Literal["split", "whole"]

REGIONS = {"upper": (0, 3), "middle": (2, 5), "lower": (4, 7)}  # sevenths of the height, Eq. (7)
# AUs that share muscles or place, region by region: where a region's head is split, these stay
# together. On BP4D they give the heads of the authors' release, {12, 14, 15} and {10, 17, 23, 24}.
_PARTS = (
    *((1, 2, 4), (5, 7, 43, 45), (6, 9)),
    *((12, 14, 15, 20), (10, 17, 23, 24), (18, 22, 28), (16, 25, 26, 27)),
)
_LARGEST_HEAD = 4  # AUs of a split head


def region_rows(height: int) -> list[tuple[int, int]]:
    """First row, and row after the last, of the three regions on a map: Eq. (7).

    On a map that is not 7 high a region has all rows that its sevenths touch.

    >>> region_rows(7), region_rows(3)
    ([(0, 3), (2, 5), (4, 7)], [(0, 2), (0, 3), (1, 3)])
    """
    return [(height * top // 7, -(-height * bottom // 7)) for top, bottom in REGIONS.values()]


def combination_groups(aus: AUSet, kind: Groups) -> list[list[int]]:
    """Positions of the AUs that each auxiliary head tells the combination of, region by region.

    Args:
        aus: label axis.
        kind: ``whole`` is a head a region, ``split`` has at most four AUs a head.
    """
    parts = [part for part in aus.groups(*_PARTS) if part]
    groups: list[list[int]] = []
    for part in parts:
        last = groups[-1] if groups else []
        same = bool(last) and aus.aus[last[0]].region == aus.aus[part[0]].region
        if same and (kind == "whole" or len(last) + len(part) <= _LARGEST_HEAD):
            last += part
        else:
            groups.append(list(part))
    return [sorted(group) for group in groups]


class AUExtractors(nn.Module):
    """Feature vectors of AUs, each by its own 1x1 convolution and mean over its region (AFE).

    A mean of a 1x1 convolution is the convolution of the mean: 49 times less work on a 7 x 7 map.

    Args:
        rows: first row, and row after the last, of each region on the map.
        height: of the map.
        regions: of each extractor, its region's position.
        channels: c of the map.
        width: b of a feature vector.
    """

    region: Tensor
    shares: Tensor

    def __init__(
        self,
        rows: Sequence[tuple[int, int]],
        height: int,
        regions: Sequence[int],
        channels: int,
        width: int,
    ) -> None:
        super().__init__()
        shares = [[(a <= y < b) / (b - a) for y in range(height)] for a, b in rows]
        self.register_buffer("shares", torch.tensor(shares), persistent=False)
        bound = channels**-0.5  # as of the convolutions that these are
        self.weight = nn.Parameter(torch.empty(len(regions), width, channels))
        self.bias = nn.Parameter(torch.empty(len(regions), width))
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        self.register_buffer("region", torch.tensor(regions), persistent=False)

    def forward(self, face: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, T, c, h, w) to vectors (B, T, A, b) and means of the regions (B, T, R, c)."""
        means = self.shares.to(face) @ face.mean(-1).mT
        v = torch.einsum("btac,adc->btad", means[:, :, self.region], self.weight) + self.bias
        return v, means


class NormedExtractors(nn.Module):
    """The same with a batch norm and a ReLU after each convolution, as in the release.

    The mean comes after them, so that every place of a region is convolved. The AUs of a group have
    one convolution, of which each has its own rows.

    Args:
        rows: first row, and row after the last, of each group's region on the map.
        groups: of AUs; all their numbers are 0 to A - 1.
        width: of the map, and b of a feature vector.
        layer: each group has a layer of its own before those of its AUs, else none.
    """

    order: Tensor

    def __init__(
        self,
        rows: Sequence[tuple[int, int]],
        groups: Sequence[Sequence[int]],
        width: int,
        *,
        layer: bool,
    ) -> None:
        super().__init__()
        self.rows = list(rows)
        self.layers = nn.ModuleList(
            normed(width, width) if layer else nn.Identity() for _ in groups
        )
        self.extractors = nn.ModuleList(normed(width, len(group) * width) for group in groups)
        order = torch.tensor([au for group in groups for au in group]).argsort()
        self.register_buffer("order", order, persistent=False)

    def forward(self, face: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, T, b, h, w) to vectors (B, T, A, b) and means of the groups (B, T, G, b)."""
        vectors, means = [], []
        for (first, end), layer, extract in zip(
            self.rows, self.layers, self.extractors, strict=True
        ):
            region = layer(face[..., first:end, :].flatten(0, 1))
            means.append(region.mean((-2, -1)))
            vectors.append(extract(region).mean((-2, -1)))
        v = torch.cat(vectors, -1).view(*face.shape[:2], -1, face.shape[2])
        return v[:, :, self.order], torch.stack(means, 1).view(*face.shape[:2], -1, face.shape[2])


class CombinationHeads(nn.Module):
    """Auxiliary branch: which combination of its AUs each head sees in its region, Eq. (8).

    Args:
        aus: label axis.
        groups: positions of the AUs of each head.
        regions: of each head, its region's position.
        channels: of the regions' means.
    """

    table: Tensor
    start: Tensor

    def __init__(
        self, aus: AUSet, groups: list[list[int]], regions: Sequence[int], channels: int
    ) -> None:
        super().__init__()
        self.region = list(regions)
        self.sizes = [2 ** len(group) for group in groups]
        self.heads = nn.ModuleList(nn.Linear(channels, size) for size in self.sizes)
        table = torch.zeros(sum(self.sizes), len(aus), dtype=torch.bool)
        start = [sum(self.sizes[:i]) for i in range(len(groups))]
        for first, size, group in zip(start, self.sizes, groups, strict=True):
            bits = torch.arange(size)[:, None] >> torch.arange(len(group)) & 1
            table[first : first + size, group] = bits.bool()
        self.register_buffer("table", table, persistent=False)  # AUs of each class of all heads
        self.register_buffer("start", torch.tensor(start), persistent=False)

    def forward(self, means: Tensor) -> Tensor:
        """Map the means of the regions (B, T, R, channels) to logits of all classes (B, T, K).

        Head after head; class j of a head is that whose i-th AU occurs where bit i of j is set.
        """
        pairs = zip(self.heads, self.region, strict=True)
        return torch.cat([head(means[:, :, region]) for head, region in pairs], -1)

    def active(self, logits: Tensor) -> Tensor:
        """Tell which AUs are in the likeliest combinations: (B, T, K) to (B, T, A) bool."""
        likeliest = [
            head.argmax(-1) for head in logits.detach().float().split_with_sizes(self.sizes, -1)
        ]
        return self.table[torch.stack(likeliest, -1) + self.start].any(-2)


class GraphAttention(nn.Module):
    """A layer of graph attention with one head, Eq. (9); phi is an ELU.

    Args:
        width: b of a node.
        residual: what phi is applied to has the node itself and a bias added, as in the release.
    """

    def __init__(self, width: int, *, residual: bool = False) -> None:
        super().__init__()
        self.transform = nn.Linear(width, width, bias=False)  # W
        self.attend = nn.Linear(width, 2, bias=False)  # the halves of r, of a node and a neighbour
        nn.init.xavier_uniform_(self.transform.weight)
        nn.init.xavier_uniform_(self.attend.weight)
        self.bias = nn.Parameter(torch.zeros(width)) if residual else None

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """Map nodes (..., A, b) to the same; `edges` (..., A, A) bool: n hears m."""
        values = self.transform(nodes)
        of_node, of_neighbour = self.attend(values).float().unbind(-1)
        scores = functional.leaky_relu(of_node[..., :, None] + of_neighbour[..., None, :], 0.2)
        alpha = scores.masked_fill(~edges, -torch.inf).softmax(-1)
        heard = alpha.to(values) @ values
        return functional.elu(heard if self.bias is None else heard + nodes + self.bias)
