"""MGRR-Net's own settings: what is switched off, what starts the graph, what is refused."""

import pytest
import torch
from torch import nn

from actionunits import aus
from actionunits.errors import DataError, RecipeError
from actionunits.learn.recipe import list_ablations, load_recipe
from actionunits.models.mgrrnet import (
    ChannelAttention,
    MGRRNet,
    MGRRNetLoss,
    PixelAttention,
    RegionGraph,
    label_prior,
)
from actionunits.models.registry import blank_stats
from actionunits.nn.region import AUPatches
from actionunits.types import LabelStats

STATS = blank_stats(8)
IMAGES = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def mgrrnet(**settings: object) -> MGRRNet:
    torch.manual_seed(0)
    small = {"size": 32, "align": 32, "width": 16, "dim": 16, "heads": 2}
    return MGRRNet(aus.DISFA8, STATS, **{**small, **settings})


def of_kind(model: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in model.modules())


def test_parameters_at_the_papers_size() -> None:
    with torch.device("meta"):
        model = MGRRNet(aus.BP4D12, blank_stats(12))
    counts = {name: sum(p.numel() for p in m.parameters()) for name, m in model.named_children()}
    assert counts["alignment"] == 2_911_330
    assert sum(counts.values()) == 12_967_354
    assert model.alignment.head[0].in_features == 4000


@pytest.mark.parametrize("ablation", list_ablations("mgrrnet_disfa"))
def test_rows_of_the_ablation_tables_have_the_parts_that_they_tick(ablation: str) -> None:
    settings = load_recipe("mgrrnet_disfa", ablation=ablation).model.params
    settings = {k: v for k, v in settings.items() if k in {"graph", "prior", "layers"}} | {
        k: settings.get(k, True) for k in ("original", "channel", "pixel")
    }
    model = mgrrnet(**settings)
    layers = settings["layers"]
    ticks = settings["original"] + settings["channel"] + settings["pixel"]
    assert len(model.layers) == layers
    assert of_kind(model, RegionGraph) == layers * settings.get("graph", True)
    assert of_kind(model, ChannelAttention) == layers * settings["channel"]
    assert of_kind(model, PixelAttention) == layers * settings["pixel"]
    assert all(len(layer.gates) == ticks for layer in model.layers)
    assert model(IMAGES).logits.isfinite().all()


def test_row_1_is_the_patches_read_as_they_are() -> None:
    model = mgrrnet(graph=False, original=False, channel=False, pixel=False).eval()
    assert not list(model.layers.parameters())
    original = model.stem(IMAGES)
    v = model.patches(original, model.alignment(original)[1])
    torch.testing.assert_close(model(IMAGES).aux["local"], model.local(v)[1])
    with pytest.raises(RecipeError, match="graph=false"):
        model.relations()


def test_the_graph_starts_from_the_labels_and_is_learned_apart_in_each_layer() -> None:
    model = mgrrnet(layers=3)
    assert torch.equal(model.relations(), model.prior)
    assert torch.equal(model.prior, label_prior(STATS).expand(3, 8, 8))
    model(IMAGES).logits.sum().backward()
    gradients = [layer.graph.relation.grad for layer in model.layers]
    assert all(gradient.any() for gradient in gradients)
    assert not torch.equal(gradients[0], gradients[1])


def test_a_random_start_is_in_0_to_1_of_its_own_in_each_layer_and_is_kept() -> None:
    model = mgrrnet(prior="random")
    assert 0 <= model.prior.min() < model.prior.max() < 1
    assert torch.equal(model.relations(), model.prior)
    assert not torch.equal(model.prior[0], model.prior[1])
    assert torch.equal(model.state_dict()["prior"], model.prior)


def test_an_au_that_never_or_always_occurs_has_a_defined_prior() -> None:
    # AU 0 never, AU 1 always, AU 2 in 40 of 100 frames
    rate = torch.tensor([0, 1, 0.4])
    agreement = torch.tensor([[1, 0, 0.6], [0, 1, 0.4], [0.6, 0.4, 1]])
    prior = label_prior(LabelStats(rate, torch.eye(3), agreement))
    # P(a_2 = 1 | a_0 = 1) is not defined and counts 1/2, P(a_2 = 0 | a_0 = 0) is 0.6
    torch.testing.assert_close(prior[2, 0], torch.tensor(abs((0.5 * (0.5 + 0.6) - 0.5) * 2)))
    torch.testing.assert_close(prior[2, 1], torch.tensor(abs((0.5 * (0.4 + 0.5) - 0.5) * 2)))
    # both known: P(a_0 = 1 | a_2 = 1) = 0, P(a_0 = 0 | a_2 = 0) = 1 say nothing
    assert prior[0, 2] < 1e-6
    assert torch.equal(prior.diagonal(), torch.ones(3))


def test_an_au_that_never_occurs_cannot_be_balanced() -> None:
    stats = STATS._replace(rate=torch.tensor([0.5] * 4 + [0.0] + [0.5] * 3))
    with pytest.raises(DataError, match="AU09 never occurs.*leave it out"):
        MGRRNetLoss(aus.DISFA8, stats)


def test_patches_do_not_train_the_landmarks() -> None:
    model = mgrrnet()
    model(IMAGES).aux["local"].sum().backward()
    assert all(p.grad is None for p in model.alignment.head.parameters())


def test_windows_outside_the_crop_are_empty_and_those_at_its_edge_clipped() -> None:
    patches = AUPatches(aus.DISFA8, 4, 44, 176)
    nn.init.constant_(patches.conv.weight, 1.0)
    ones, landmarks = torch.ones(1, 4, 44, 44), torch.zeros(1, 49, 2)
    landmarks[..., 0] = 88.0
    for far in (-1000.0, 1000.0, float("inf"), float("nan")):
        assert not patches(ones, landmarks.new_full((1, 49, 2), far)).any()
    v = patches(ones, landmarks)[0, 5, 0]  # AU 12 is right at the landmarks
    assert v[:4, 18:26].all()  # 6 cells about column 22, 3 rows of 6 in sight, and one more around
    assert v.count_nonzero() == 4 * 8
    assert v.max() == 4 * 9  # windows that are one count once
    assert v[3, 22] == 4 * 3


def test_activation_maps_tell_where_the_local_prediction_comes_from() -> None:
    model = mgrrnet()
    model(IMAGES)  # running statistics that are not those of the start
    model.eval()
    with torch.inference_mode():
        aux = model(IMAGES).aux
    assert aux["maps"].shape == (3, 8, 8, 8)
    constant = aux["local"] - aux["maps"].mean((2, 3))
    torch.testing.assert_close(constant[0], constant[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(constant[0], constant[2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prior": "uniform"}, "prior: expected one of labels, random, got 'uniform'"),
        ({"prior": "random", "graph": False}, "random needs graph=true"),
        ({"layers": 0}, "layers: expected 1 or more, got 0"),
        ({"size": 40, "align": 40}, "multiple of 16 from 32 to align .40. pixels, got 40"),
        ({"size": 64}, "to align .32. pixels, got 64"),
        ({"width": 8}, "width: expected a multiple of 4 from 16 on, got 8"),
        ({"dim": 15}, "dim: expected a multiple of heads .2., got 15"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        mgrrnet(**settings)


@pytest.mark.parametrize(("data", "lr", "every"), [("bp4d", 0.01, 2), ("synfacs", 0.03, 3)])
def test_recipes_share_what_the_paper_says_of_disfa(data: str, lr: float, every: float) -> None:
    paper, recipe = load_recipe("mgrrnet_disfa"), load_recipe(f"mgrrnet_{data}")
    assert recipe.loss == paper.loss == {"occurrence": 1.0, "landmarks": 0.5}
    assert recipe.optimiser == paper.optimiser.model_copy(update={"lr": lr})
    assert recipe.schedule == paper.schedule.model_copy(update={"every": every})
    assert list_ablations(f"mgrrnet_{data}") == list_ablations("mgrrnet_disfa")
