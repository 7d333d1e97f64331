"""MDHR against its equations written out in ``benchmarks/mdhr_literal.py``."""

import pytest
import torch
from torch import Tensor, nn

import mdhr_literal as literal
from actionunits import aus
from actionunits.losses import balance_weights
from actionunits.models.mdhr import MDHR, MDHRLoss
from actionunits.models.registry import blank_stats
from actionunits.nn.face_regions import combination_groups
from actionunits.types import Batch, Output

VOCABULARY = aus.BP4D12
A, K, T = len(VOCABULARY), 2, 3
PLACE = [{"upper": 0, "middle": 1, "lower": 2}[au.region] for au in VOCABULARY]
PRINTED = {"layers": "printed", "groups": "whole"}
FORMS = {
    "printed": PRINTED,
    "printed, split": {**PRINTED, "groups": "split"},
    "released": {},
    "released, DISFA": {"region_layers": False},
}


def groups_of(form: str) -> list[list[int]]:
    return combination_groups(VOCABULARY, FORMS[form].get("groups", "split"))


GROUPS = groups_of("released")


def build(form: str) -> MDHR:
    """MDHR on 7 x 7 maps, no parameter or running statistic of which is at its start."""
    torch.manual_seed(0)
    settings = {"backbone": "lcnet_050", "clip": T, "neighbours": K, "width": 8}
    net = MDHR(VOCABULARY, blank_stats(A), **settings, **FORMS[form]).eval()
    for block in (net.temporal, net.heads, net.extractors, net.dynamics.fusion):
        for parameter in block.parameters():
            nn.init.normal_(parameter, 0, 0.5)
    if net.attention.bias is not None:
        nn.init.normal_(net.attention.bias)
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and "backbone" not in name:
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return net


@pytest.fixture(scope="module")
def models() -> dict[str, MDHR]:
    return {form: build(form) for form in FORMS}


@pytest.fixture(scope="module")
def frames() -> Tensor:
    """One clip with its neighbours, K + 2 a side."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(T + 2 * (K + 2), 3, 224, 224, generator=generator)


@pytest.mark.parametrize("form", FORMS)
def test_the_whole_model_is_its_equations_one_frame_at_a_time(
    models: dict[str, MDHR], frames: Tensor, form: str
) -> None:
    model, groups = models[form], groups_of(form)
    region = {n: g for g, group in enumerate(groups) for n in group}  # of the graph
    with torch.no_grad():
        out = model(frames[None])
        maps = model.backbone(frames)
        motion, weights = literal.dynamics(model.dynamics, maps)
        vectors, edges = [], []
        for t in range(T + 4):
            last = maps[-1][t + K]
            if form.startswith("released"):
                face = motion[t] + literal.layer(model.static, last)  # Eq. (6)
                places = [PLACE[group[0]] for group in groups]
                v, probabilities = literal.extract_released(
                    model.extractors, model.heads, groups, places, face
                )
            else:
                face = motion[t] + last
                v = literal.extract(model.extractors, face)
                probabilities = literal.combinations(model.heads, face)
            on = literal.active(probabilities, groups)
            heard = [
                [m for m in range(A) if m == n or (region[m] != region[n] and m in on)]
                for n in range(A)
            ]
            vectors.append(literal.attend(model.attention, v, heard))
            edges.append([[m in heard[n] for m in range(A)] for n in range(A)])
        v = literal.filter_in_time(model.temporal, torch.stack(vectors))
        p = [[literal.similarity(v[t, n], model.prototypes[n]) for n in range(A)] for t in range(T)]
    torch.testing.assert_close(out.aux["weights"][0], weights[2:-2], rtol=1e-4, atol=1e-5)
    assert out.aux["edges"][0].tolist() == edges[2:-2]
    assert 0 < out.aux["edges"].float().mean() < 1
    torch.testing.assert_close(out.logits[0].sigmoid(), torch.tensor(p), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("form", ["printed", "released"])
def test_stage_maps_convolved_once_a_frame_give_the_literal_motion_and_gradients(
    models: dict[str, MDHR], form: str
) -> None:
    torch.manual_seed(2)
    model, sides = models[form], (56, 28, 14, 7)
    block, channels = model.dynamics, model.backbone.channels
    maps = [torch.randn(2 * K + 2, c, s, s) for c, s in zip(channels, sides, strict=True)]
    expected, weights = literal.dynamics(block, maps)
    found, found_weights = block(block.resize(maps)[None])
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found_weights[0], weights, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found_weights.sum(2), torch.ones_like(found_weights[:, :, 0]))

    ours = torch.autograd.grad(found.square().sum(), list(block.parameters()))
    theirs = torch.autograd.grad(expected.square().sum(), list(block.parameters()))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())


def batch_of(known: Tensor) -> Batch:
    generator = torch.Generator().manual_seed(3)
    labels = (torch.rand(2, T, A, generator=generator) < 0.4).float() * known
    images = torch.zeros(0)
    return Batch(images, labels, known, None, None, tuple("abcdef"))


@pytest.mark.parametrize("average", [True, False])
def test_losses_are_equations_10_and_11_over_what_is_known(average: bool) -> None:
    torch.manual_seed(4)
    known = torch.rand(2, T, A) < 0.9
    assert known.any((0, 1)).all()
    batch, rate = batch_of(known), torch.linspace(0.05, 0.6, A)
    scores = torch.randn(2, T, sum(2 ** len(group) for group in GROUPS))
    out = Output(torch.randn(2, T, A), aux={"combination": scores})
    stats = blank_stats(A)._replace(rate=rate)
    terms = MDHRLoss(VOCABULARY, stats, average=average)(out, batch)

    p, weights, occurrence = out.logits.sigmoid(), balance_weights(VOCABULARY, rate), 0.0
    for n in range(A):  # Eq. (10)
        places = known[..., n].nonzero().tolist()
        for b, t in places:
            y, q = batch.labels[b, t, n], p[b, t, n]
            term = y * q.log() + q * (1 - y) * (1 - q).log()
            occurrence -= weights[n] * term / len(places)
    share = 1 / A if average else 1.0
    torch.testing.assert_close(terms["occurrence"], share * occurrence, rtol=1e-4, atol=1e-5)

    combination, first = 0.0, 0
    for group in GROUPS:  # Eq. (11)
        size = 2 ** len(group)
        places = [(b, t) for b in range(2) for t in range(T) if known[b, t, group].all()]
        for b, t in places:
            q = scores[b, t, first : first + size].softmax(0)
            index = sum(2**i * int(batch.labels[b, t, n]) for i, n in enumerate(group))
            combination -= q[index].log() / len(places)
        first += size
    share = 1 / len(GROUPS) if average else 1.0
    torch.testing.assert_close(terms["combination"], share * combination, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("detach_factor", [True, False])
def test_the_factor_p_of_equation_10_keeps_its_gradient_only_as_printed(
    detach_factor: bool,
) -> None:
    logits = torch.zeros(1, 1, A, requires_grad=True)
    known = torch.ones(1, 1, A, dtype=torch.bool)
    batch = Batch(torch.zeros(0), torch.zeros(1, 1, A), known, None, None, ("a",))
    settings = {"auxiliary": False, "average": False, "detach_factor": detach_factor}
    loss = MDHRLoss(VOCABULARY, blank_stats(A), **settings)
    loss(Output(logits), batch)["occurrence"].backward()
    # d/dx of -s log(1 - s) at s = 1/2 is s (1 - s) log 2 + s s, by the product rule; the first
    # summand is that of the factor.
    of_factor = 0.0 if detach_factor else 0.25 * torch.log(torch.tensor(2.0)).item()
    torch.testing.assert_close(logits.grad[0, 0], torch.full((A,), of_factor + 0.25))
