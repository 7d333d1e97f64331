"""SACL's blocks and losses against its equations written out, in loops."""

import math

import pytest
import torch
from torch import Tensor

import sacl_blocks as literal
from actionunits import aus
from actionunits.models.registry import blank_stats
from actionunits.models.sacl import SACL, Correlation, SACLLoss
from actionunits.nn.graph import CONVOLUTIONS, GraphBlock, NearestNeighbours
from actionunits.nn.rest import ResT
from actionunits.nn.roi import regions_about
from actionunits.nn.tokens import CrossAttentionHead, MultiScale, TokenHead
from actionunits.types import Batch, Output


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(("extent", "bins"), [(7.84, 8), (2.24, 2), (3.0, 3)])
def test_regions_are_bilinear_samples_about_their_centres(extent: float, bins: int) -> None:
    features = torch.randn(2, 3, 14, 14)
    centres = torch.rand(2, 4, 2) * (14 - extent) + extent / 2
    expected = literal.literal_regions(features, centres, extent, bins)
    torch.testing.assert_close(
        regions_about(features, centres, extent, bins), expected, atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("distance", ["euclidean", "manhattan", "cosine"])
def test_neighbours_are_the_nearest_nodes(distance: str) -> None:
    nodes = torch.randn(3, 18, 24)
    apart = literal.literal_distances(nodes, distance)
    found = NearestNeighbours(5, distance)(nodes)
    assert all(len(set(row)) == 5 for row in found.flatten(0, 1).tolist())
    # By their distances: of two that are as near to six digits, rounding chooses.
    nearest = apart.sort(2).values[..., :5]
    torch.testing.assert_close(apart.gather(2, found), nearest, rtol=1e-5, atol=1e-5)


def test_neighbours_are_chosen_in_float32_whatever_the_precision() -> None:
    nodes = torch.randn(2, 18, 64).to(torch.bfloat16)
    nearest = NearestNeighbours(9)
    with torch.autocast("cpu", torch.bfloat16):
        found = nearest(nodes)
    assert torch.equal(found, nearest(nodes.float()))


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_graph_blocks_are_equations_2_and_3(kind: str) -> None:
    block, nodes = GraphBlock(8, kind), torch.randn(2, 6, 8)
    graphs = literal.literal_neighbours(nodes, 4, "euclidean")
    expected = literal.literal_block(block, kind, nodes, graphs)
    torch.testing.assert_close(block(nodes, torch.tensor(graphs)), expected)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_node_in_its_own_free_places_changes_nothing(kind: str) -> None:
    block, nodes = GraphBlock(8, kind), torch.randn(1, 3, 8)
    graph = torch.tensor([[[0, 2], [1, 0], [2, 1]]])
    padded = torch.cat([graph, torch.arange(3)[None, :, None].expand(1, 3, 2)], -1)
    torch.testing.assert_close(block(nodes, padded), block(nodes, graph))


def test_the_graph_is_found_anew_before_every_block() -> None:
    stack = Correlation(12, 20, 8, 2, "max_relative", NearestNeighbours(3))
    nodes = torch.randn(2, 6, 12)
    x, graphs = stack.embed(nodes), []
    for stage, expand in zip(stack.stages, stack.expand, strict=True):
        for block in stage:
            graphs.append(literal.literal_neighbours(x, 3, "euclidean"))
            x = literal.literal_block(block, "max_relative", x, graphs[-1])
        x = expand(x)
    found, neighbours = stack(nodes)
    torch.testing.assert_close(found, x)
    assert neighbours["neighbours_shallow"].tolist() == graphs[0]
    assert neighbours["neighbours_deep"].tolist() == graphs[-1]


def enlarged(image: Tensor, factor: int) -> Tensor:
    """A (h, w) map `factor` times larger, bilinear, pixel by pixel."""
    side = len(image)
    out = torch.zeros(side * factor, side * factor)
    for i in range(side * factor):
        for j in range(side * factor):
            y = min(max((i + 0.5) / factor - 0.5, 0), side - 1)
            x = min(max((j + 0.5) / factor - 0.5, 0), side - 1)
            t, s = int(y), int(x)
            below, right = min(t + 1, side - 1), min(s + 1, side - 1)
            upper = (1 - (x - s)) * image[t, s] + (x - s) * image[t, right]
            lower = (1 - (x - s)) * image[below, s] + (x - s) * image[below, right]
            out[i, j] = (1 - (y - t)) * upper + (y - t) * lower
    return out


@pytest.mark.parametrize("drop", [0, 1, 3])
def test_multi_scale_features_are_equation_1(drop: int) -> None:
    maps = [torch.randn(2, 2 + level, 8 >> level, 8 >> level) for level in range(4)]
    tokens = MultiScale([2, 3, 4, 5], 8, drop)(maps)
    for b in range(2):
        layers = [
            enlarged(channel, 2**level)
            for level, stage in enumerate(maps)
            if level >= drop
            for channel in stage[b]
        ]
        for place in range(64):
            expected = torch.stack([layer[place // 8, place % 8] for layer in layers])
            torch.testing.assert_close(tokens[b, place], expected)


def test_all_tokens_and_nodes_are_squeezed_and_read_together() -> None:
    head = TokenHead(5, 4, 2, 3, 2)
    tokens, nodes = torch.randn(2, 4, 5), torch.randn(2, 2, 5)
    for b, logits in enumerate(head(tokens, nodes)):
        read = torch.cat([head.squeeze(x) for x in [*tokens[b], *nodes[b]]])
        torch.testing.assert_close(logits, head.classifier(read))


def test_nodes_attend_to_tokens() -> None:
    head = CrossAttentionHead(5, 2, 6, 2)
    tokens, nodes = torch.randn(2, 4, 5), torch.randn(2, 2, 5)
    for b, logits in enumerate(head(tokens, nodes)):
        seen, read = [head.squeeze(x) for x in tokens[b]], []
        for node in nodes[b]:
            own = head.squeeze(node)
            scores = [(head.query(own) @ head.key(x) / math.sqrt(3)).exp() for x in seen]
            values = [s * head.value(x) for s, x in zip(scores, seen, strict=True)]
            read.append(sum(values) / sum(scores))
        torch.testing.assert_close(logits, head.classifier(torch.cat(read)))


def test_attention_of_rest_mixes_heads_and_normalises_their_maps() -> None:
    attention = ResT(width=16).stages[1][0].attention  # 32 channels, 2 heads, reduction 4
    x = torch.randn(1, 64, 32)
    reduced = attention.reduce(x[0].T.reshape(1, 32, 8, 8))[0].flatten(1).T
    key, value = attention.kv(attention.reduce_norm(reduced)).split(32, 1)
    query = attention.q(x[0])
    heads = [slice(0, 16), slice(16, 32)]
    scores = [query[:, h] @ key[:, h].T / math.sqrt(16) for h in heads]
    mix, out = attention.interact.weight[:, :, 0, 0], []
    for i, h in enumerate(heads):
        weights = (mix[i, 0] * scores[0] + mix[i, 1] * scores[1]).softmax(1)
        weights = (weights - weights.mean()) / (weights.var(correction=0) + 1e-5).sqrt()
        out.append(weights @ value[:, h])
    expected = attention.proj(torch.cat(out, 1))
    torch.testing.assert_close(attention(x, (8, 8))[0], expected, atol=1e-5, rtol=1e-4)


def test_losses_are_equations_4_to_6() -> None:
    stats = blank_stats(8)._replace(rate=torch.linspace(0.1, 0.8, 8))
    logits, labels = torch.randn(3, 8), (torch.rand(3, 8) > 0.5).float()
    known = torch.ones(3, 8, dtype=torch.bool)
    known[1, 2] = False
    predicted, true = torch.rand(3, 49, 2) * 64, torch.rand(3, 49, 2) * 64
    batch = Batch(torch.empty(3), labels, known, None, true, ("a", "b", "c"))
    terms = SACLLoss(aus.DISFA8, stats)(Output(logits, landmarks=predicted), batch)

    weight = [8 / float(r) / sum(1 / float(s) for s in stats.rate) for r in stats.rate]
    asymmetric = overlap = 0.0
    for i in range(8):
        frames = [b for b in range(3) if known[b, i]]
        for b in frames:
            p, y = logistic(float(logits[b, i])), float(labels[b, i])
            each = -(y * math.log(p) + (1 - y) * p * math.log(1 - p))
            asymmetric += weight[i] * each / len(frames) / 8
            overlap += weight[i] * (1 - (2 * y * p + 1) / (y**2 + p**2 + 1)) / len(frames) / 8
    assert terms["asymmetric"].item() == pytest.approx(asymmetric, rel=1e-4)
    assert terms["dice"].item() == pytest.approx(overlap, rel=1e-4)

    error = 0.0
    for b in range(3):
        eyes = [true[b, s].mean(0) for s in (slice(19, 25), slice(25, 31))]
        between = float((eyes[0] - eyes[1]).norm())
        squares = sum(float((predicted[b, n] - true[b, n]).square().sum()) for n in range(49))
        error += squares / (2 * between**2) / 3
    assert terms["landmarks"].item() == pytest.approx(error, rel=1e-4)


def test_landmarks_learn_from_their_own_loss_only() -> None:
    model = SACL(aus.DISFA8, blank_stats(8), size=64, align=72, width=16)
    out = model(torch.randn(2, 3, 64, 64))
    out.logits.sum().backward()
    assert model.nodes is not None
    assert all(p.grad is None for p in model.nodes.predictor.parameters())
