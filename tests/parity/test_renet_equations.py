"""RE-Net against Eq. (1)-(6) written out: twelve networks with plain batch norms, one an AU."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18

from actionunits import aus
from actionunits.models.registry import blank_stats
from actionunits.models.renet import RENet, RENetLoss
from actionunits.types import Batch

COUNT = 12
PLAIN = resnet18()
IMAGES = torch.randn(3, 3, 40, 40, generator=torch.Generator().manual_seed(3))


def relation() -> Tensor:
    """Symmetric, diagonal 1, of both signs."""
    torch.manual_seed(2)
    omega = torch.rand(COUNT, COUNT) * 0.5 - 0.2
    return ((omega + omega.T) / 2).fill_diagonal_(1)


@pytest.fixture
def model() -> RENet:
    """RE-Net whose norms all differ between AUs, some with negative scale."""
    torch.manual_seed(1)
    stats = blank_stats(COUNT)._replace(correlation=relation())
    net = RENet(aus.BP4D12, stats, train_aus="all", size=40, align=48)
    for module in net.backbone.modules():
        if hasattr(module, "gamma"):
            nn.init.normal_(module.gamma, 0.8, 0.8)
            nn.init.normal_(module.beta, 0, 0.3)
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
    return net


def mixed(parameter: Tensor, omega: Tensor, c: int) -> Tensor:
    """Eq. (5), term by term."""
    above = sum(omega[c, k] * parameter[k] for k in range(COUNT))
    below = sum(omega[c, k] for k in range(COUNT))
    return above / below


def network_of(model: RENet, c: int) -> nn.Module:
    """The plain ResNet-18 of AU c, with Eq. (4) as its batch norms."""
    net = copy.deepcopy(PLAIN)
    net.fc = nn.Linear(512, 1)
    ours = dict(model.backbone.named_modules())
    state = {"fc.weight": model.head.weight, "fc.bias": model.head.bias}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            state[f"{name}.weight"] = ours[name].weight
        elif isinstance(module, nn.BatchNorm2d):
            state[f"{name}.weight"] = mixed(ours[name].gamma, relation(), c)
            state[f"{name}.bias"] = mixed(ours[name].beta, relation(), c)
            state[f"{name}.running_mean"] = ours[name].running_mean[c]
            state[f"{name}.running_var"] = ours[name].running_var[c]
            state[f"{name}.num_batches_tracked"] = module.num_batches_tracked
    net.load_state_dict(state)
    return net.train(model.training)


def test_evaluation_equals_twelve_separate_passes(model: RENet) -> None:
    model.eval()
    with torch.inference_mode():
        expected = torch.cat([network_of(model, c)(IMAGES) for c in range(COUNT)], 1)
        torch.testing.assert_close(model(IMAGES).logits, expected, rtol=1e-3, atol=1e-3)
        by_channels = IMAGES.contiguous(memory_format=torch.channels_last)
        model.to(memory_format=torch.channels_last)
        torch.testing.assert_close(model(by_channels).logits, expected, rtol=1e-3, atol=1e-3)


def test_training_equals_twelve_separate_passes(model: RENet) -> None:
    references = [network_of(model, c) for c in range(COUNT)]
    expected = torch.cat([reference(IMAGES) for reference in references], 1)
    out = model(IMAGES)
    torch.testing.assert_close(out.logits, expected, rtol=1e-3, atol=1e-3)
    for c, reference in enumerate(references):
        norm = reference.layer3[0].bn2
        ours = model.backbone.layer3[0].bn2
        torch.testing.assert_close(ours.running_mean[c], norm.running_mean, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(ours.running_var[c], norm.running_var, rtol=1e-3, atol=1e-4)

    expected.sum().backward()
    out.logits.sum().backward()
    gradient = sum(reference.conv1.weight.grad for reference in references)
    ours = model.backbone.conv1.weight.grad
    torch.testing.assert_close(ours, gradient, rtol=1e-2, atol=1e-2 * gradient.abs().max().item())


def test_one_drawn_au_equals_its_own_pass(model: RENet) -> None:
    model.train_aus = 1
    untouched = copy.deepcopy(model)
    out = model(IMAGES)
    (c,) = out.aux["trained"][0].nonzero().flatten().tolist()
    expected = network_of(untouched, c)(IMAGES)[:, 0]
    torch.testing.assert_close(out.logits[:, c], expected, rtol=1e-3, atol=1e-3)


def test_pictures_with_an_au_each_equal_the_passes_of_those_that_share_one(model: RENet) -> None:
    model.train_aus = "each"
    images = torch.randn(24, 3, 40, 40)
    untouched = copy.deepcopy(model)
    out = model(images)
    drawn = out.aux["trained"]
    assert drawn.sum(0).tolist() == [2] * COUNT
    # The first norm sees the pictures of all AUs: nothing tells them apart before it.
    first, own = model.backbone.bn1, untouched.backbone.bn1
    stem = untouched.backbone.conv1(images)
    mean = torch.lerp(own.running_mean, stem.mean((0, 2, 3)), 0.1)
    torch.testing.assert_close(first.running_mean, mean, rtol=1e-3, atol=1e-4)
    for c in range(COUNT):
        network, mine = network_of(untouched, c), drawn[:, c]
        plain = network.bn1
        first_of_all = functional.batch_norm(stem, None, None, plain.weight, plain.bias, True)
        plain.forward = lambda x, given=first_of_all[mine]: given
        expected = network(images[mine])[:, 0]
        torch.testing.assert_close(out.logits[mine, c], expected, rtol=1e-3, atol=1e-3)
        norm, reference = model.backbone.layer2[0].bn2, network.layer2[0].bn2
        close = {"rtol": 1e-3, "atol": 1e-4}
        torch.testing.assert_close(norm.running_mean[c], reference.running_mean, **close)
        torch.testing.assert_close(norm.running_var[c], reference.running_var, **close)


def test_without_scale_and_shift_it_is_the_plain_network() -> None:
    """Section 4.6, with an output for each AU: a ResNet-18 whose norms have no parameters."""
    torch.manual_seed(1)
    stats = blank_stats(COUNT)._replace(correlation=relation())
    settings = {"unit_affine": True, "head": "own", "train_aus": "all"}
    net = RENet(aus.BP4D12, stats, size=40, align=48, **settings)
    plain = copy.deepcopy(PLAIN)
    plain.fc = net.head
    convolutions = {k: v for k, v in net.backbone.state_dict().items() if v.ndim == 4}
    missing = plain.load_state_dict(convolutions, strict=False).missing_keys
    assert all("conv" not in key and "downsample.0" not in key for key in missing)
    logits = net(IMAGES).logits
    torch.testing.assert_close(logits, plain(IMAGES), rtol=1e-3, atol=1e-3)
    assert (logits[:, 0] - logits[:, 1]).abs().min() > 1e-3


def test_loss_is_equation_6_with_its_sign_put_right(model: RENet) -> None:
    out = model(IMAGES)
    labels = (torch.rand(3, COUNT) < 0.4).float()
    known = torch.ones(3, COUNT, dtype=torch.bool)
    batch = Batch(IMAGES, labels, known, None, None, ("a", "b", "c"))
    p = out.logits.double().sigmoid()
    expected = 0.0
    for i in range(3):
        for c in range(COUNT):
            y = labels[i, c]
            expected -= y * p[i, c].log() + (1 - y) * (1 - p[i, c]).log()
    loss = RENetLoss(aus.BP4D12, blank_stats(COUNT))(out, batch)["occurrence"]
    torch.testing.assert_close(loss.double(), expected / 3, rtol=1e-4, atol=1e-4)
