"""RE-Net's own settings: what is drawn, held out, refused."""

from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torchvision.models import resnet18

from actionunits import aus, data
from actionunits.aus import AUSet
from actionunits.errors import DataError, RecipeError, UserError
from actionunits.models.registry import blank_stats
from actionunits.models.renet import RENet, RENetLoss
from actionunits.nn.resnet import Conditions
from actionunits.recipe import ablations
from actionunits.train import train
from actionunits.types import Batch, LabelStats
from runs import tiny_recipe

AUS = AUSet.of((1, 2, 23, 24))
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def stats(correlation: float = 0.2) -> LabelStats:
    omega = torch.full((4, 4), correlation).fill_diagonal_(1)
    return blank_stats(4)._replace(correlation=omega)


def renet(omega: float = 0.2, **settings: object) -> RENet:
    torch.manual_seed(0)
    return RENet(AUS, stats(omega), **{"size": 32, "align": 32, "width": 8, **settings})


def batch() -> Batch:
    levels = torch.tensor([[0.0, 1.5, 3.4, 5.0], [2.0, 0.2, 0.0, 4.5]])
    labels, known = (levels >= 1.5).float(), torch.ones(2, 4, dtype=torch.bool)
    return Batch(IMAGES, labels, known, levels, None, ("a", "b"))


def test_one_au_is_drawn_a_batch_and_all_are_drawn_in_time() -> None:
    model = renet()
    drawn = [model(IMAGES) for _ in range(24)]
    positions = [out.aux["trained"].item() for out in drawn]
    assert set(positions) == {0, 1, 2, 3}
    for out, position in zip(drawn, positions, strict=True):
        assert out.logits.isfinite().sum(1).tolist() == [1, 1]
        assert out.logits[:, position].isfinite().all()
    again = renet()
    assert [again(IMAGES).aux["trained"].item() for _ in range(24)] == positions


def test_a_resumed_model_draws_what_the_uninterrupted_one_draws() -> None:
    model, other = renet(), renet()
    for _ in range(5):
        model(IMAGES)
    other.load_state_dict(model.state_dict())
    for _ in range(10):
        assert model(IMAGES).aux["trained"] == other(IMAGES).aux["trained"]


def test_only_the_drawn_au_updates_its_statistics() -> None:
    model = renet()
    position = model(IMAGES).aux["trained"].item()
    changed = (model.backbone.bn1.running_mean != 0).any(1)
    assert changed.nonzero().flatten().tolist() == [position]


def test_held_out_aus_are_never_trained_but_read() -> None:
    model = renet(held_out=(23, 24), train_aus="all")
    out = model(IMAGES)
    assert out.aux["trained"].tolist() == [0, 1]
    before = RENetLoss(AUS, stats())(out, batch())["occurrence"]
    other = batch()
    other.labels[:, 2:] = 1 - other.labels[:, 2:]
    assert RENetLoss(AUS, stats())(out, other)["occurrence"] == before
    before.backward()
    gradient = model.backbone.bn1.gamma.grad
    assert gradient[:2].any()
    assert not gradient[2:].any()
    assert model.eval()(IMAGES).logits.isfinite().all()


def test_a_held_out_au_reads_with_parameters_mixed_from_the_others() -> None:
    model = renet(held_out=(24,))
    norm = model.backbone.bn1
    torch.nn.init.uniform_(norm.gamma)
    norm.running_mean.uniform_()
    mix = model.mixing()
    torch.testing.assert_close(mix[3], torch.tensor([1, 1, 1, 0.0]) / 3)
    torch.testing.assert_close(mix[0], torch.tensor([1, 0.2, 0.2, 0]) / 1.4)
    carry = model._carry(mix)
    torch.testing.assert_close((carry @ norm.running_mean)[3], norm.running_mean[:3].mean(0))
    assert torch.equal(carry[0], torch.tensor([1.0, 0, 0, 0]))


def test_negative_relations_keep_variances_positive() -> None:
    omega = torch.tensor([[1, 0, 0, 0.9], [0, 1, 0, -0.7], [0, 0, 1, 0], [0.9, -0.7, 0, 1]])
    model = RENet(
        AUS, stats()._replace(correlation=omega), held_out=(24,), size=32, align=32, width=8
    )
    for module in model.modules():
        if hasattr(module, "running_var"):
            module.running_var.copy_(torch.rand(module.running_var.shape) * 9)
    assert model.eval()(IMAGES).logits.isfinite().all()


def test_learned_relations_start_in_0_to_1_with_diagonal_1() -> None:
    model = renet(relation="learnable")
    omega = model._omega()
    assert torch.equal(omega.diagonal(), torch.ones(4))
    assert 0 <= omega.min() <= omega.max() <= 1


@pytest.mark.parametrize("train_aus", ["one", "all"])
def test_learned_relations_are_trained_once_the_norms_have_parted(train_aus: str) -> None:
    def gradient(spread: float) -> tuple[torch.Tensor, list[int]]:
        model = renet(relation="learnable", train_aus=train_aus, spread=spread)
        out = model(IMAGES)
        RENetLoss(AUS, stats())(out, batch())["occurrence"].backward()
        return model.relation.grad.abs(), out.aux["trained"].tolist()

    (alike, _), (apart, trained) = gradient(0.0), gradient(0.3)
    moved = torch.zeros(4, 4, dtype=torch.bool)
    moved[trained] = True
    assert torch.equal(apart > 1e-4 * apart.max(), moved.fill_diagonal_(False))
    assert alike.max() < 1e-4 * apart.max()  # what is mixed is the same: only rounding is left


def test_the_baseline_shares_its_norms_and_trains_all_aus_in_one_pass() -> None:
    model = renet(relation="none")
    assert model.backbone.bn1.gamma.shape == (1, 8)
    assert model.head.out_features == 4
    out = model(IMAGES)
    assert out.aux["trained"].tolist() == [0, 1, 2, 3]
    assert out.logits.isfinite().all()


def test_unit_affine_trains_no_scale_and_no_shift() -> None:
    model = renet(unit_affine=True)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert not any("gamma" in name or "beta" in name for name in trained)
    assert "backbone.conv1.weight" in trained


def test_intensity_is_an_expectation_or_the_likeliest_level() -> None:
    mean = renet(task="intensity", threshold=1).eval()
    likeliest = renet(task="intensity", prediction="argmax").eval()
    out, other = mean(IMAGES), likeliest(IMAGES)
    chances = out.aux["levels"].softmax(-1)
    torch.testing.assert_close(out.intensity, (chances * torch.arange(6.0)).sum(-1))
    assert torch.equal(other.intensity, chances.argmax(-1).float())
    torch.testing.assert_close(out.logits.sigmoid(), chances[..., 1:].sum(-1))
    torch.testing.assert_close(other.logits.sigmoid(), chances[..., 2:].sum(-1))


def test_what_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match="relation: expected one of pearson, .* got 'spearman'"):
        renet(relation="spearman")
    with pytest.raises(RecipeError, match="held_out: AUs .12. are not"):
        renet(held_out=(12,))
    with pytest.raises(RecipeError, match="held_out needs a relation"):
        renet(held_out=(24,), relation="none")
    with pytest.raises(RecipeError, match="size: expected 32 to align"):
        renet(size=64)
    with pytest.raises(RecipeError, match="threshold: expected 1 to 5"):
        renet(threshold=6)
    with pytest.raises(DataError, match=r"AU.. .* sum to -0\.20"):
        renet(-0.4)
    with pytest.raises(DataError, match=r"AU24 .* sum to 0\.00"):
        renet(held_out=(24,), relation="identity")


def test_aus_that_exclude_one_another_need_the_ablation_that_is_named(
    synfacs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = data.load("synfacs", synfacs_file).select(AUSet.of((1, 12)))
    smile = (table.rows["AU12"] >= 2).astype(float)
    own = replace(table, rows=table.rows.assign(AU01=1 - smile, AU12=smile), coding="occurrence")
    monkeypatch.setitem(data._READERS, "synfacs", lambda root: own)
    values = {
        "data": {"name": "synfacs", "aus": [1, 12]},
        "loss": {"occurrence": 1.0},
        "epochs": 1,
    }
    apart = tiny_recipe(synfacs_file, {"task": "occurrence"}, **values)
    with pytest.raises(DataError, match=r"AU01 .* sum to 0\.00.* add --ablation relation=none"):
        train(apart, 1, tmp_path / "apart", show=False)
    (change,) = ablations("renet_bp4d")["relation=none"].items()
    assert change == ("model.params.relation", "none")
    params = {"task": "occurrence", "relation": change[1]}
    plain = tiny_recipe(synfacs_file, params, **values)
    assert train(plain, 1, tmp_path / "plain", show=False).report is not None


def test_a_learned_relation_that_cannot_divide_stops_training() -> None:
    model = renet(relation="learnable")
    with torch.no_grad():
        model.relation[2] = -0.5
    with pytest.raises(DataError, match="AU23"):
        model(IMAGES)


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
    alike, apart = renet().backbone.bn1, renet(spread=0.3).backbone.bn1
    assert torch.equal(alike.gamma, torch.ones(4, 8))
    assert 0.1 < apart.gamma.std() < 0.6
    given = resnet18().state_dict()
    model = RENet(AUS, stats(), size=32, align=32, spread=0.3)
    before = model.backbone.layer1[0].bn1.gamma.detach().clone()
    given["layer1.0.bn1.weight"].fill_(2)
    model.backbone.load_torchvision(given)
    torch.testing.assert_close(model.backbone.layer1[0].bn1.gamma, 2 * before)
    assert torch.equal(renet(relation="none", spread=0.3).backbone.bn1.gamma, torch.ones(1, 8))


def test_imagenet_needs_the_papers_width() -> None:
    with pytest.raises(RecipeError, match="width=64"):
        renet().start_from("imagenet")


def test_imagenet_without_a_connection_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(UserError, match="no route.*: connect once"):
        renet(width=64).start_from("imagenet")


def test_too_narrow_networks_are_refused() -> None:
    with pytest.raises(RecipeError, match="width"):
        renet(width=4)


def small(vocabulary: AUSet, **settings: object) -> RENet:
    stats = blank_stats(len(vocabulary))
    return RENet(vocabulary, stats, width=8, size=32, align=36, **settings)


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


def test_weights_that_do_not_fit_are_refused() -> None:
    model = small(aus.DISFA8)
    with pytest.raises(RecipeError, match="checkpoints of RE-Net"):
        model.adopt(torch.nn.Linear(1, 1), None)
    wide = RENet(aus.DISFA8, blank_stats(8), width=16, size=32, align=36)
    with pytest.raises(RecipeError, match="same width"):
        model.adopt(wide, aus.DISFA8)
