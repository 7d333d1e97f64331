"""Graphs over a few nodes: who is whose neighbour, and what nodes learn from their neighbours.

A graph is a table of neighbours, (B, N, K) int64, in which every node is a neighbour of itself. A
node with fewer neighbours than others has itself in the places that are left, which changes none of
the convolutions here.
"""

from typing import Literal

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

Distance = Literal["euclidean", "manhattan", "cosine"]
Convolution = Literal["max_relative", "edge", "gin", "graphsage"]


def distances(nodes: Tensor, distance: Distance) -> Tensor:
    """Distances of all pairs of nodes.

    Args:
        nodes: (B, N, C).
        distance: ``euclidean``, ``manhattan``, or ``cosine``, which is 1 - cosine similarity.

    Returns:
        (B, N, N) float32, whatever the nodes are: in bfloat16 many would be the same.
    """
    # Differences and not products of nodes, which would lose the digits that tell close nodes
    # apart; and no matrix product, which autocast would make bfloat16.
    nodes = nodes.float()
    if distance == "cosine":
        unit = functional.normalize(nodes, dim=-1)
        return 1 - (unit[:, :, None] * unit[:, None]).sum(-1)
    apart = nodes[:, :, None] - nodes[:, None]
    return apart.abs().sum(-1) if distance == "manhattan" else apart.square().sum(-1).sqrt()


class NearestNeighbours(nn.Module):
    """A graph that the nodes decide anew each time: each node with its K - 1 nearest ones.

    Args:
        count: K, the node itself included; all nodes where there are fewer.
        distance: between nodes.
    """

    def __init__(self, count: int, distance: Distance = "euclidean") -> None:
        super().__init__()
        self.count, self.distance = count, distance

    def forward(self, nodes: Tensor) -> Tensor:
        """Map (B, N, C) nodes to their neighbours (B, N, K): itself, then the nearest first."""
        count = nodes.shape[1]
        apart = distances(nodes.detach(), self.distance)
        itself = torch.eye(count, dtype=torch.bool, device=nodes.device)
        apart = apart.masked_fill(itself, -1.0)
        return apart.topk(min(self.count, count), largest=False).indices


class FixedNeighbours(nn.Module):
    """A graph that is the same for all pictures; kept in the state dict.

    Args:
        linked: (N, N) bool, whether two nodes are neighbours; the diagonal is not read.
    """

    table: Tensor

    def __init__(self, linked: Tensor) -> None:
        super().__init__()
        everyone = torch.arange(len(linked))
        table = torch.where(linked, everyone, everyone[:, None])
        self.register_buffer("table", table)

    def forward(self, nodes: Tensor) -> Tensor:
        """Return the neighbours (B, N, N) of (B, N, C) nodes."""
        return self.table.expand(nodes.shape[0], -1, -1)  # len() would fix it for ONNX


def gather(nodes: Tensor, neighbours: Tensor) -> Tensor:
    """Features of the neighbours: (B, N, C) nodes and (B, N, K) neighbours give (B, N, K, C)."""
    batch, count, _ = nodes.shape
    first = torch.arange(batch, device=nodes.device) * count
    # As rows of one table: much faster, forwards and backwards, than element by element.
    rows = (neighbours + first[:, None, None]).flatten()
    return nodes.flatten(0, 1).index_select(0, rows).view(*neighbours.shape, -1)


class MaxRelative(nn.Module):
    """Max-Relative graph convolution: ``W [x_i; max_j (x_j - x_i)]``.

    Li et al., *DeepGCNs: Can GCNs Go as Deep as CNNs?* (ICCV 2019), Eq. (6).

    Args:
        channels: of the nodes; twice as many come out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * channels, 2 * channels)

    def forward(self, nodes: Tensor, neighbours: Tensor) -> Tensor:
        """Map (B, N, C) nodes and (B, N, K) neighbours to (B, N, 2 C)."""
        # x_i is the same for all j and can be taken off the maximum.
        relative = gather(nodes, neighbours).amax(2) - nodes
        out: Tensor = self.linear(torch.cat([nodes, relative], -1))
        return out


class Edge(nn.Module):
    """EdgeConv: ``max_j ReLU(W [x_i; x_j - x_i] + b)``.

    Wang et al., *Dynamic Graph CNN for Learning on Point Clouds* (ACM TOG 2019), Eq. (7)-(8).

    Args:
        channels: of the nodes; twice as many come out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * channels, 2 * channels)

    def forward(self, nodes: Tensor, neighbours: Tensor) -> Tensor:
        """Map (B, N, C) nodes and (B, N, K) neighbours to (B, N, 2 C)."""
        # W is applied once a node and not once an edge: it is linear, and ReLU never falls.
        of_node, of_difference = self.linear.weight.chunk(2, 1)
        own = functional.linear(nodes, of_node - of_difference, self.linear.bias)
        other = functional.linear(nodes, of_difference)
        return functional.relu(own + gather(other, neighbours).amax(2))


class GIN(nn.Module):
    """Graph isomorphism convolution: ``MLP((1 + epsilon) x_i + sum_(j != i) x_j)``.

    Xu et al., *How Powerful are Graph Neural Networks?* (ICLR 2019), Eq. (4.1).

    Args:
        channels: of the nodes; twice as many come out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(torch.zeros(()))
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, 2 * channels)
        )

    def forward(self, nodes: Tensor, neighbours: Tensor) -> Tensor:
        """Map (B, N, C) nodes and (B, N, K) neighbours to (B, N, 2 C)."""
        itself = torch.arange(nodes.shape[1], device=nodes.device)[:, None]
        others = (neighbours != itself)[..., None]
        total = (gather(nodes, neighbours) * others).sum(2)
        out: Tensor = self.mlp((1 + self.epsilon) * nodes + total)
        return out


class GraphSAGE(nn.Module):
    """GraphSAGE with its pooling aggregator: ``W [x_i; max_j ReLU(W_pool x_j + b)]``.

    Hamilton et al., *Inductive Representation Learning on Large Graphs* (NeurIPS 2017), Eq. (3).

    Args:
        channels: of the nodes; twice as many come out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = nn.Linear(channels, channels)
        self.linear = nn.Linear(2 * channels, 2 * channels)

    def forward(self, nodes: Tensor, neighbours: Tensor) -> Tensor:
        """Map (B, N, C) nodes and (B, N, K) neighbours to (B, N, 2 C)."""
        pooled = gather(functional.relu(self.pool(nodes)), neighbours).amax(2)
        out: Tensor = self.linear(torch.cat([nodes, pooled], -1))
        return out


CONVOLUTIONS: dict[Convolution, type[nn.Module]] = {
    "max_relative": MaxRelative,
    "edge": Edge,
    "gin": GIN,
    "graphsage": GraphSAGE,
}


class GraphBlock(nn.Module):
    """Graph convolution between two linear layers, then a feed-forward network: SACL's Eq. (2)-(3).

    ``G' = gelu(GCN(G W_before)) W_after + G`` and ``G'' = gelu(G' W_1) W_2 + G'``.

    Args:
        channels: of the nodes.
        convolution: GCN, from `channels` to twice as many.
    """

    def __init__(self, channels: int, convolution: Convolution = "max_relative") -> None:
        super().__init__()
        self.before = nn.Linear(channels, channels)
        self.convolution = CONVOLUTIONS[convolution](channels)
        self.after = nn.Linear(2 * channels, channels)
        self.first = nn.Linear(channels, channels)
        self.second = nn.Linear(channels, channels)

    def forward(self, nodes: Tensor, neighbours: Tensor) -> Tensor:
        """Map (B, N, C) nodes and (B, N, K) neighbours to (B, N, C)."""
        learned = self.convolution(self.before(nodes), neighbours)
        nodes = self.after(functional.gelu(learned)) + nodes
        out: Tensor = self.second(functional.gelu(self.first(nodes))) + nodes
        return out


class Transformer(nn.Module):
    """Six vanilla blocks in a graph's place: SACL's Table 9.

    1024 channels and a feed-forward ratio of 2 bring the whole of SACL within 2 % of the 74.0 M
    parameters and 3.41 G multiply-adds of its section 4.3.3.
    """

    def __init__(self, size: int, out: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(size, width)
        self.blocks = nn.Sequential(
            *(Block(width, num_heads=8, mlp_ratio=2.0, qkv_bias=True) for _ in range(6))
        )
        self.expand = nn.Linear(width, out)

    def forward(self, nodes: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Map (B, R, d_1) nodes to (B, R, D); no neighbours."""
        return self.expand(self.blocks(self.embed(nodes))), {}
