"""What RE-Net starts from: torchvision's weights, a baseline, weights for other AUs."""

from urllib.error import URLError

import pytest
import torch
from torchvision.models import resnet18

from actionunits import aus
from actionunits.aus import AUSet
from actionunits.errors import RecipeError, UserError
from actionunits.models.registry import blank_stats
from actionunits.models.renet import RENet
from actionunits.nn.resnet import Conditions

AUS = AUSet.of((1, 2, 23, 24))


def small(vocabulary: AUSet, **settings: object) -> RENet:
    stats = blank_stats(len(vocabulary))
    given: dict[str, object] = {"width": 8, "size": 32, "align": 36, **settings}
    return RENet(vocabulary, stats, **given)


def test_torchvisions_weights_serve_every_au() -> None:
    torch.manual_seed(0)
    reference = resnet18().eval()
    for module in reference.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(module.weight, 1, 0.2)
    model = RENet(aus.DISFA8, blank_stats(8), size=64, align=64).eval()
    model.backbone.load_torchvision(reference.state_dict())
    reference.fc = model.head
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = reference(images).expand(-1, 8)
        torch.testing.assert_close(model(images).logits, expected, rtol=1e-4, atol=1e-4)


def test_aus_start_apart_by_the_spread() -> None:
    alike, apart = small(AUS).backbone.bn1, small(AUS, spread=0.3).backbone.bn1
    assert torch.equal(alike.gamma, torch.ones(4, 8))
    assert 0.1 < apart.gamma.std() < 0.6
    given = resnet18().state_dict()
    model = small(AUS, width=64, spread=0.3)
    before = model.backbone.layer1[0].bn1.gamma.detach().clone()
    given["layer1.0.bn1.weight"].fill_(2)
    model.backbone.load_torchvision(given)
    torch.testing.assert_close(model.backbone.layer1[0].bn1.gamma, 2 * before)
    assert torch.equal(small(AUS, relation="none", spread=0.3).backbone.bn1.gamma, torch.ones(1, 8))


def test_imagenet_needs_the_papers_width() -> None:
    with pytest.raises(RecipeError, match="width=64"):
        small(AUS).start_from("imagenet")


def test_imagenet_without_a_connection_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(UserError, match="no route.*: connect once"):
        small(AUS, width=64).start_from("imagenet")


def test_norms_of_a_baseline_serve_every_au() -> None:
    baseline, model = small(aus.DISFA8, relation="none"), small(aus.DISFA8, relation="identity")
    images = torch.randn(4, 3, 32, 32)
    baseline(images)
    model.adopt(baseline, aus.DISFA8)
    model.eval(), baseline.eval()
    mine = model.backbone(images, Conditions(torch.arange(8), torch.eye(8), torch.eye(8)))
    theirs = baseline.backbone(images, Conditions(torch.arange(1), torch.eye(1), torch.eye(1)))
    torch.testing.assert_close(mine, theirs.expand(-1, 8, -1))
    with pytest.raises(RecipeError, match="baseline cannot start from norms that differ"):
        baseline.adopt(model, aus.DISFA8)


def test_weights_for_other_aus_are_taken_au_by_au() -> None:
    torch.manual_seed(0)
    other = small(aus.BP4D12, relation="identity", train_aus="all", spread=0.3)
    model = small(aus.DISFA8, relation="identity", spread=0.3)
    images = torch.randn(4, 3, 32, 32)
    other(images)
    before = model.backbone.bn1.gamma.detach().clone()
    model.adopt(other, aus.BP4D12)
    with torch.inference_mode():
        mine, theirs = model.eval()(images).logits, other.eval()(images).logits
    for au in aus.DISFA8:
        row = aus.DISFA8.index(au.number)
        if au in aus.BP4D12.aus:
            there = aus.BP4D12.index(au.number)
            torch.testing.assert_close(mine[:, row], theirs[:, there])
        else:
            assert torch.equal(model.backbone.bn1.gamma[row], before[row])


def test_outputs_of_a_baseline_are_taken_au_by_au() -> None:
    baseline = small(aus.BP4D12, relation="none")
    model = small(aus.DISFA8, relation="identity", head="own")
    images = torch.randn(4, 3, 32, 32)
    baseline(images)
    before = model.head.weight.detach().clone()
    model.adopt(baseline, aus.BP4D12)
    with torch.inference_mode():
        mine, theirs = model.eval()(images).logits, baseline.eval()(images).logits
    for row, au in enumerate(aus.DISFA8):
        if au in aus.BP4D12.aus:
            there = aus.BP4D12.index(au.number)
            torch.testing.assert_close(mine[:, row], theirs[:, there])
        else:
            assert torch.equal(model.head.weight[row], before[row])


def test_weights_that_do_not_fit_are_refused() -> None:
    model = small(aus.DISFA8)
    with pytest.raises(RecipeError, match="checkpoints of RE-Net"):
        model.adopt(torch.nn.Linear(1, 1), None)
    wide = RENet(aus.DISFA8, blank_stats(8), width=16, size=32, align=36)
    with pytest.raises(RecipeError, match="backbone is resnet18 of width 8, found .* width 16"):
        model.adopt(wide, aus.DISFA8)


@pytest.mark.parametrize("relation", ["none", "identity"])
@pytest.mark.parametrize("task", ["occurrence", "intensity", "both"])
@pytest.mark.parametrize("given", ["occurrence", "intensity", "both"])
def test_outputs_in_common_are_taken_over_and_others_start_afresh(
    relation: str, task: str, given: str
) -> None:
    torch.manual_seed(0)
    other = small(aus.BP4D12, relation=relation, task=given)
    model = small(aus.DISFA8, relation=relation, task=task)
    fresh = model.head.weight.detach().clone().view(model.heads, model.outputs, -1)
    model.adopt(other, aus.BP4D12)
    mine = model.head.weight.view(model.heads, model.outputs, -1)
    theirs = other.head.weight.view(other.heads, other.outputs, -1)
    parts = {"occurrence": slice(0, 1), "intensity": slice(-6, None)}
    for row, number in enumerate(aus.DISFA8.numbers if relation == "none" else [1]):
        known = number in aus.BP4D12.numbers
        there = aus.BP4D12.index(number) if known and relation == "none" else 0
        for kind, part in parts.items():
            if task in (kind, "both"):
                taken = known and given in (kind, "both")
                source = theirs[there, part] if taken else fresh[row, part]
                assert torch.equal(mine[row, part], source), (number, kind)
