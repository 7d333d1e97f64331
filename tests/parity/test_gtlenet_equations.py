"""GTLE-Net against Eq. (1) to (11) written out: a module and a loop pass for every AU."""

import math

import pytest
import torch
from torch import Tensor, nn

import gtlenet_heads as literal
from actionunits import aus
from actionunits.models.expression import TripletLoss
from actionunits.models.gtlenet import AUClassifiers, GTLENet, GTLENetLoss
from actionunits.models.registry import blank_stats
from actionunits.types import Batch, Embedding, TripletBatch

COUNT = 8


@pytest.fixture
def model() -> GTLENet:
    """GTLE-Net whose norms have seen something."""
    torch.manual_seed(1)
    net = GTLENet(aus.DISFA8, blank_stats(COUNT), size=32, align=32, width=8)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    return net.eval()


IMAGES = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(2))


def test_forward_is_equations_2_to_8_au_by_au(model: GTLENet) -> None:
    with torch.inference_mode():
        h = model.encoder(IMAGES)  # Eq. (2)
        trunk_a, heads_a, _ = model.map_extractor
        trunk_m, heads_m, _ = model.mask_extractor
        f = [head(trunk_a(h)).tanh() for head in literal.separate_heads(heads_a, 3)]  # Eq. (3)
        m = [head(trunk_m(h)).sigmoid() for head in literal.separate_heads(heads_m, 1)]  # (4)
        c = [m[k] * f[k] for k in range(COUNT + 1)]  # Eq. (5)
        reconstruction = model.reconstruction(torch.cat(c, 1))  # Eq. (6)
        g = literal.separate_classifiers(model.classifiers).eval()
        y = torch.cat([g[i](c[i]) for i in range(COUNT)], 1)  # Eq. (7)
        out = model(IMAGES)
    torch.testing.assert_close(out.aux["masks"], torch.cat(m, 1))
    torch.testing.assert_close(out.aux["reconstruction"], reconstruction, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out.logits, y, atol=1e-5, rtol=1e-5)


def test_without_masks_the_maps_are_classified(model: GTLENet) -> None:
    with torch.inference_mode():
        f = model.map_extractor(model.encoder(IMAGES)).split(3, 1)
        model.mask_extractor = None
        g = literal.separate_classifiers(model.classifiers).eval()
        y = torch.cat([g[i](f[i]) for i in range(COUNT)], 1)
        torch.testing.assert_close(model(IMAGES).logits, y, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shared", [False, True])
def test_classifiers_train_as_networks_of_their_own(shared: bool) -> None:
    torch.manual_seed(4)
    together = AUClassifiers(3, 8, 8, shared=shared).train()
    apart = literal.separate_classifiers(together).train()
    features = torch.randn(4, 8 if shared else 24, 32, 32)
    parts = [features] * 3 if shared else features.split(8, 1)
    embeddings = [nn.Sequential(*g[:-2])(x).flatten(1) for g, x in zip(apart, parts, strict=True)]
    expected = torch.cat(
        [g[-2:](e[..., None, None]) for g, e in zip(apart, embeddings, strict=True)], 1
    )
    logits, vectors = together(features)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(vectors, torch.stack(embeddings, 1), atol=1e-5, rtol=1e-5)

    logits.square().sum().backward()
    expected.square().sum().backward()
    for position in (0, 12):
        gradient = torch.cat([g[position].weight.grad for g in apart])
        ours = together.convolutions[position].weight.grad.view(gradient.shape)
        torch.testing.assert_close(ours, gradient, atol=1e-3 * gradient.abs().max(), rtol=1e-3)
    mean = torch.cat([g[1].running_mean for g in apart])
    torch.testing.assert_close(together.convolutions[1].running_mean, mean)


def test_loss_is_equations_9_to_11_with_the_sign_put_right(model: GTLENet) -> None:
    with torch.inference_mode():
        out = model(IMAGES)
    labels = (torch.rand(3, COUNT) < 0.4).float()
    known = torch.ones(3, COUNT, dtype=torch.bool)
    batch = Batch(IMAGES, labels, known, None, None, ("a", "b", "c"))
    terms = GTLENetLoss(aus.DISFA8, blank_stats(COUNT))(out, batch)
    printed = GTLENetLoss(aus.DISFA8, blank_stats(COUNT), reduction="sum")(out, batch)
    occurrence, squares = 0.0, 0.0
    for b in range(3):
        for i in range(COUNT):
            p = 1 / (1 + math.exp(-out.logits[b, i].item()))
            y = labels[b, i].item()
            occurrence -= y * math.log(p) + (1 - y) * math.log(1 - p)
        difference = (out.aux["reconstruction"][b] - IMAGES[b]).double()
        for pixel in difference.flatten(1).T:
            squares += float(pixel @ pixel)
    assert terms["occurrence"].item() == pytest.approx(occurrence / 3, rel=1e-4)
    assert terms["reconstruction"].item() == pytest.approx(squares / IMAGES.numel(), rel=1e-4)
    assert printed["reconstruction"].item() == pytest.approx(squares / 2 / 3, rel=1e-4)
    assert printed["occurrence"] == terms["occurrence"]


def distance(a: Tensor, b: Tensor) -> float:
    return sum((x - y) ** 2 for x, y in zip(a.tolist(), b.tolist(), strict=True))


def test_triplet_loss_is_equation_1() -> None:
    torch.manual_seed(6)
    vectors = nn.functional.normalize(torch.randn(9, 3, 16), dim=-1)
    vectors[0, 1] = vectors[0, 0]  # both terms are cut off at 0
    margin = torch.tensor([0.1, 0.2, 0.2] * 3)
    expected = 0.0
    for (a, p, n), m in zip(vectors, margin.tolist(), strict=True):
        expected += max(0, distance(a, p) - distance(a, n) + m)
        expected += max(0, distance(a, p) - distance(p, n) + m)
    batch = TripletBatch(torch.empty(9, 3, 3, 1, 1), margin, ("",) * 27)
    loss = TripletLoss()(Embedding(vectors), batch)["triplet"]
    assert loss.item() == pytest.approx(expected / 9, rel=1e-5)
