"""RE-Net's own settings: what is drawn, held out, refused."""

import pytest
import torch

from actionunits import aus
from actionunits.aus import AUSet
from actionunits.errors import DataError, RecipeError, UserError
from actionunits.models.registry import blank_stats
from actionunits.models.renet import RENet, RENetLoss
from actionunits.types import Batch, LabelStats, Output

AUS = AUSet.of((1, 2, 23, 24))
SMALL: dict[str, object] = {"size": 32, "align": 32, "width": 8}
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def stats(correlation: float = 0.2) -> LabelStats:
    omega = torch.full((4, 4), correlation).fill_diagonal_(1)
    return blank_stats(4)._replace(correlation=omega)


def renet(omega: float = 0.2, **settings: object) -> RENet:
    torch.manual_seed(0)
    return RENet(AUS, stats(omega), **{**SMALL, **settings})


def position(out: Output) -> int:
    """The AU that a batch was trained on."""
    (only,) = out.aux["trained"][0].nonzero().flatten().tolist()
    return int(only)


def batch() -> Batch:
    levels = torch.tensor([[0.0, 1.5, 3.4, 5.0], [2.0, 0.2, 0.0, 4.5]])
    labels, known = (levels >= 1.5).float(), torch.ones(2, 4, dtype=torch.bool)
    return Batch(IMAGES, labels, known, levels, None, ("a", "b"))


def test_one_au_is_drawn_a_batch_and_all_are_drawn_in_time() -> None:
    model = renet()
    drawn = [model(IMAGES) for _ in range(24)]
    positions = [position(out) for out in drawn]
    assert set(positions) == {0, 1, 2, 3}
    for out, chosen in zip(drawn, positions, strict=True):
        assert out.logits.isfinite().sum(1).tolist() == [1, 1]
        assert out.logits[:, chosen].isfinite().all()
    again = renet()
    assert [position(again(IMAGES)) for _ in range(24)] == positions


def test_the_order_follows_the_seed() -> None:
    orders = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = RENet(AUS, stats(), size=32, align=32, width=8)
        orders.append([position(model(IMAGES)) for _ in range(24)])
    assert orders[0] != orders[1]
    shifted = [orders[0][start : start + 16] for start in range(8)]
    assert orders[1][:16] not in shifted


def test_several_aus_are_drawn_a_batch() -> None:
    model = renet(train_aus=3)
    drawn = torch.stack([model(IMAGES).aux["trained"] for _ in range(12)])
    assert (drawn.sum(2) == 3).all()
    assert drawn.any(0).all()
    assert len(drawn[:, 0].unique(dim=0)) == 4
    assert renet(train_aus=2, held_out=(23,))(IMAGES).aux["trained"][0].sum() == 2


def test_each_picture_has_an_au_of_its_own() -> None:
    model, images = renet(train_aus="each", held_out=(23,)), torch.randn(9, 3, 32, 32)
    first, second = model(images), model(images)
    assert (first.aux["trained"].sum(1) == 1).all()
    assert first.aux["trained"].sum(0).tolist() == [3, 3, 0, 3]
    assert torch.equal(first.logits.isfinite(), first.aux["trained"])
    assert not torch.equal(first.aux["trained"], second.aux["trained"])
    labels = torch.ones(9, 4)
    known = torch.ones(9, 4, dtype=torch.bool)
    loss = RENetLoss(AUS, stats())(first, Batch(images, labels, known, None, None, ()))
    loss["occurrence"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_a_resumed_model_draws_what_the_uninterrupted_one_draws() -> None:
    model, other = renet(), renet()
    for _ in range(5):
        model(IMAGES)
    other.load_state_dict(model.state_dict())
    for _ in range(10):
        assert position(model(IMAGES)) == position(other(IMAGES))


def test_only_the_drawn_au_updates_its_statistics() -> None:
    model = renet()
    drawn = position(model(IMAGES))
    for norm in (model.backbone.bn1, model.backbone.layer3[0].bn2):
        changed = (norm.running_mean != 0).any(1)
        assert changed.nonzero().flatten().tolist() == [drawn]


def test_held_out_aus_are_never_trained_but_read() -> None:
    model = renet(held_out=(23, 24), train_aus="all")
    out = model(IMAGES)
    assert out.aux["trained"].tolist() == [[True, True, False, False]] * 2
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


def test_a_model_with_held_out_aus_is_rebuilt_before_its_relation_is_there() -> None:
    model = renet(held_out=(24,))
    other = RENet(AUS, blank_stats(4), held_out=(24,), **SMALL)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.mixing(), model.mixing())


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
    def gradient(spread: float) -> tuple[torch.Tensor, torch.Tensor]:
        model = renet(relation="learnable", train_aus=train_aus, spread=spread)
        out = model(IMAGES)
        RENetLoss(AUS, stats())(out, batch())["occurrence"].backward()
        return model.relation.grad.abs(), out.aux["trained"].reshape(-1, 4)[0]

    (alike, _), (apart, trained) = gradient(0.0), gradient(0.3)
    moved = trained[:, None] & ~torch.eye(4, dtype=torch.bool)
    assert torch.equal(apart > 1e-4 * apart.max(), moved)
    assert alike.max() < 1e-4 * apart.max()  # what is mixed is the same: only rounding is left


def test_the_baseline_shares_its_norms_and_trains_all_aus_in_one_pass() -> None:
    model = renet(relation="none")
    assert model.backbone.bn1.gamma.shape == (1, 8)
    assert model.head.out_features == 4
    out = model(IMAGES)
    assert out.aux["trained"].all()
    assert out.logits.isfinite().all()


def test_unit_affine_trains_no_scale_and_no_shift() -> None:
    model = renet(unit_affine=True, head="own")
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert not any("gamma" in name or "beta" in name for name in trained)
    assert "backbone.conv1.weight" in trained


def test_intensity_is_an_expectation_or_the_likeliest_level() -> None:
    torch.manual_seed(0)
    mean = RENet(AUS, stats()._replace(threshold=0.5), task="intensity", **SMALL).eval()
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
    with pytest.raises(RecipeError, match="unit_affine needs head=own"):
        renet(unit_affine=True)
    with pytest.raises(RecipeError, match="held_out needs head=shared"):
        renet(held_out=(24,), head="own")
    with pytest.raises(RecipeError, match="train_aus: 3 AUs are trained, so 4 cannot"):
        renet(held_out=(24,), train_aus=4)
    with pytest.raises(DataError, match=r"AU.. .* sum to -0\.20"):
        renet(-0.4)
    with pytest.raises(RecipeError, match="held_out needs a relation: relation=identity"):
        renet(held_out=(24,), relation="identity")


def test_an_au_that_is_related_to_none_cannot_be_held_out_and_others_are_named() -> None:
    omega = torch.full((4, 4), 0.2).fill_diagonal_(1)
    omega[3, :3] = omega[:3, 3] = -0.1
    with pytest.raises(DataError, match=r"AU24 .* sum to -0\.30.*: hold out .* one of 1, 2, 23,"):
        RENet(AUS, stats()._replace(correlation=omega), held_out=(24,), **SMALL)


def test_a_learned_relation_that_cannot_divide_stops_training() -> None:
    model = renet(relation="learnable")
    with torch.no_grad():
        model.relation[2] = -0.5
    with pytest.raises(DataError, match="AU23"):
        model(IMAGES)


def test_too_narrow_networks_are_refused() -> None:
    with pytest.raises(RecipeError, match="width"):
        renet(width=4)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "mobilenetv3_small_050"])
def test_backbones_of_other_kinds(name: str) -> None:
    torch.manual_seed(0)
    model = RENet(
        aus.DISFA8, blank_stats(8), relation="none", task="both", backbone=name, size=64, align=64
    )
    out = model(torch.randn(2, 3, 64, 64))
    assert (out.logits.shape, out.intensity.shape) == ((2, 8), (2, 8))


def test_backbones_that_cannot_be_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(**settings: object) -> RENet:
        kind = {"relation": "none", "size": 32, "align": 32, **settings}
        return RENet(aus.DISFA8, blank_stats(8), **kind)

    with pytest.raises(RecipeError, match=r"timm has no model 'resnet19'"):
        build(backbone="resnet19")
    for wrong in ({"relation": "identity"}, {"width": 16}, {"unit_affine": True}):
        with pytest.raises(RecipeError, match="lcnet_050 needs relation=none"):
            build(backbone="lcnet_050", **wrong)
    model, plain = build(backbone="lcnet_050"), build()
    for one, two in ((model, plain), (plain, model), (build(backbone="lcnet_075"), model)):
        with pytest.raises(RecipeError, match="expected a RE-Net whose backbone is"):
            one.adopt(two, aus.DISFA8)

    def unreachable(*_: object, **settings: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr("timm.create_model", unreachable)
    with pytest.raises(UserError, match="weights of lcnet_050 are not on disk"):
        model.start_from("imagenet")
