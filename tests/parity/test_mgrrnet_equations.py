"""MGRR-Net against its equations written out, term by term."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

import mgrrnet_blocks as literal
from actionunits import aus
from actionunits.models.mgrrnet import MGRRNet, MGRRNetLoss, label_prior, mean_logit
from actionunits.nn.attention import GraphAttention
from actionunits.nn.region import AUPatches, RegionConv, RegionLayer
from actionunits.types import Batch, LabelStats


@pytest.fixture
def model() -> MGRRNet:
    torch.manual_seed(0)
    return MGRRNet(aus.DISFA8, statistics(), size=64, align=72, width=16, dim=32, heads=4)


def statistics() -> LabelStats:
    """Of 50 random frames in which every AU is coded."""
    generator = torch.Generator().manual_seed(5)
    labels = (torch.rand(50, 8, generator=generator) < torch.linspace(0.1, 0.8, 8)).double()
    same = labels.T @ labels + (1 - labels).T @ (1 - labels)
    return LabelStats(labels.mean(0).float(), torch.eye(8), (same / 50).float())


@pytest.mark.parametrize("training", [True, False])
def test_a_cell_has_its_own_norm_relu_and_convolution(training: bool) -> None:
    torch.manual_seed(0)
    block, x = RegionConv(3, 2, 4).train(training), torch.randn(2, 3, 16, 24)
    for statistic in (block.norm.weight, block.norm.bias, block.norm.running_mean):
        nn.init.normal_(statistic)
    block.norm.running_var.uniform_(0.5, 2)
    other = copy.deepcopy(block)
    torch.testing.assert_close(block(x), literal.cells(other, x))
    torch.testing.assert_close(block.norm.running_mean, other.norm.running_mean)
    torch.testing.assert_close(block.norm.running_var, other.norm.running_var)


def test_the_chain_of_a_region_layer_is_not_linear() -> None:
    torch.manual_seed(0)
    layer, x = RegionLayer(3, 8).eval(), torch.randn(2, 8, 16, 16)
    both = layer.fine(x) + layer.fine(-x)
    assert (both - 2 * layer.fine(torch.zeros_like(x))).abs().max() > 0.1


def test_region_layer_chains_three_scales_and_adds_them_back() -> None:
    torch.manual_seed(0)
    layer, x = RegionLayer(3, 8).eval(), torch.randn(2, 3, 16, 16)
    y = functional.conv2d(x, layer.conv.weight, layer.conv.bias, padding=1)
    fine = layer.fine(y)
    middle = layer.middle(fine)
    expected = y + torch.cat([fine, middle, layer.coarse(middle)], 1)
    expected = (expected / math.sqrt(1 + layer.norm.eps)).relu()
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(("side", "size"), [(44, 176), (16, 64)])
def test_patches_are_the_map_under_two_windows_and_a_convolution(side: int, size: int) -> None:
    torch.manual_seed(0)
    block, x = AUPatches(aus.BP4D12, 4, side, size), torch.randn(3, 4, side, side)
    landmarks = torch.rand(3, 49, 2) * 1.4 * size - 0.2 * size  # some leave the crop
    landmarks[0] = landmarks[0] * 0.1 + size / 2  # windows that overlap
    torch.testing.assert_close(
        block(x, landmarks), literal.patches(block, x, landmarks), rtol=1e-4, atol=1e-5
    )


def test_prior_is_equations_1_and_2_counted_on_the_labels() -> None:
    generator = torch.Generator().manual_seed(5)
    labels = (torch.rand(50, 8, generator=generator) < torch.linspace(0.1, 0.8, 8)).tolist()
    expected = torch.zeros(8, 8)
    for i in range(8):
        for j in range(8):
            with_j = [row[i] for row in labels if row[j]]
            without = [row[i] for row in labels if not row[j]]
            present = sum(with_j) / len(with_j)
            absent = sum(not label for label in without) / len(without)
            expected[i, j] = abs((0.5 * (present + absent) - 0.5) * 2)
    torch.testing.assert_close(label_prior(statistics()), expected, rtol=1e-4, atol=1e-5)


def test_attention_is_equations_3_to_5_put_right() -> None:
    torch.manual_seed(0)
    block, nodes = GraphAttention(6, 5, dim=12, heads=3), torch.randn(7, 6)
    u_q, u_k, u_o = block.maps.weight.chunk(3)
    expected = []
    for i in range(7):
        heads = []
        for head in range(3):
            part = slice(4 * head, 4 * head + 4)
            query = u_q[part] @ nodes[i]
            scores = [(query @ (u_k[part] @ nodes[o]) / math.sqrt(4)).exp() for o in range(7)]
            alpha = [score / sum(scores) for score in scores]
            heads.append(sum(alpha[o] * (u_o[part] @ nodes[o]) for o in range(7)))
        expected.append((block.merge.weight @ torch.cat(heads)).relu())
    torch.testing.assert_close(block(nodes[None])[0], torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_graph_is_equation_6(model: MGRRNet) -> None:
    v, graph = torch.randn(2, 8, 32, 5, 5), model.layers[0].graph
    torch.testing.assert_close(graph(v), literal.relate(graph, v), rtol=1e-4, atol=1e-4)


def test_fusion_is_equations_7_to_9(model: MGRRNet) -> None:
    layer = model.layers[1]
    pixel, channel, original = (torch.randn(2, 32, 5, 5) for _ in range(3))
    v = torch.randn(2, 8, 32, 5, 5)
    v[:, :, :, :2] = 0  # as away from the windows
    expected = literal.fuse(list(layer.gates), pixel, channel, original, v)
    actual = layer.fuse([pixel[:, None], channel[:, None], original[:, None], v])
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_layers_refine_the_patches_one_after_the_other(model: MGRRNet) -> None:
    model.eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        original = model.stem(images)
        _, landmarks = model.alignment(original)
        v = literal.patches(model.patches, original, landmarks)
        for layer in model.layers:
            pixel, channel = layer.sources[0](original), layer.sources[1](original)
            v = literal.relate(layer.graph, v)
            v = literal.fuse(list(layer.gates), pixel, channel, original, v)
        _, local = model.local(v)
        out = model(images)
    torch.testing.assert_close(out.aux["local"], local, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out.landmarks, landmarks)


def test_prediction_is_the_mean_of_two_probabilities() -> None:
    local, integrated = torch.randn(20, 8, dtype=torch.float64) * 4, torch.randn(20, 8) * 4
    mean = (local.sigmoid() + integrated.sigmoid()) / 2
    torch.testing.assert_close(
        mean_logit(local, integrated).sigmoid(), mean.float(), rtol=1e-4, atol=1e-6
    )
    extreme = torch.tensor([200.0])
    assert mean_logit(extreme, extreme).isclose(extreme)
    assert mean_logit(-extreme, extreme).abs() < 1e-6


def test_loss_is_equations_10_to_12(model: MGRRNet) -> None:
    generator = torch.Generator().manual_seed(2)
    stats, images = statistics(), torch.randn(3, 3, 64, 64, generator=generator)
    labels = (torch.rand(3, 8, generator=generator) < 0.4).float()
    true = torch.rand(3, 49, 2, generator=generator) * 64
    known = torch.ones(3, 8, dtype=torch.bool)
    known[1, 2] = False
    out = model(images)
    batch = Batch(images, labels, known, None, true, ("a", "b", "c"))
    terms = MGRRNetLoss(aus.DISFA8, stats)(out, batch)

    rates, occurrence = stats.rate.tolist(), 0.0
    for name in ("local", "integrated"):
        p = out.aux[name].double().sigmoid()
        for i in range(8):
            weight = 8 / rates[i] / sum(1 / r for r in rates)
            frames = [b for b in range(3) if known[b, i]]
            for b in frames:
                right = p[b, i] if labels[b, i] else 1 - p[b, i]
                occurrence -= weight * right.log() / 8 / len(frames)
    torch.testing.assert_close(terms["occurrence"].double(), occurrence, rtol=1e-4, atol=1e-5)

    error = 0.0
    for b in range(3):
        d_o = (true[b, 19:25].mean(0) - true[b, 25:31].mean(0)).norm()
        for (x, y), (u, w) in zip(true[b], out.landmarks[b], strict=True):
            error += ((x - u) ** 2 + (y - w) ** 2) / (2 * d_o**2) / 3
    torch.testing.assert_close(terms["landmarks"], error, rtol=1e-4, atol=1e-4)
