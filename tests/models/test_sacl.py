"""What SACL's settings do, what it refuses, its complexity, and where its weights come from."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from actionunits import aus
from actionunits.aus import AUSet
from actionunits.errors import CheckpointError, DataError, RecipeError
from actionunits.learn.recipe import list_ablations, load_recipe
from actionunits.models.registry import blank_stats
from actionunits.models.sacl import SACL, SACLLoss
from actionunits.nn.landmarks import AUCentres
from actionunits.nn.priors import between_regions, facs_links, statistical_links
from actionunits.types import Batch, LabelStats, Output

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
# Products of two activations in ResT-Lite's attention, 2 blocks a stage, scores and values: what
# the paper's counts leave out, as counters do that go by modules.
ATTENTION = 2 * 2 * 49 * (3136 * 64 + 784 * 128 + 196 * 256 + 49 * 512)


def sacl(vocabulary: AUSet = aus.DISFA8, **settings: Any) -> SACL:
    torch.manual_seed(0)
    settings = {"size": 64, "align": 72, "width": 16, **settings}
    return SACL(vocabulary, blank_stats(len(vocabulary)), **settings)


@pytest.mark.parametrize(
    ("settings", "parameters", "multiply_adds"),
    [
        ({"multi_scale": False, "graph": "none"}, 10.0, 1.47),
        ({"graph": "none"}, 12.5, 1.66),
        ({"multi_scale": False}, 24.2, 2.36),
        ({}, 27.1, 2.57),
        ({"graph": "transformer"}, 74.0, 3.41),
    ],
)
def test_complexity_is_that_of_table_8(
    settings: dict[str, Any], parameters: float, multiply_adds: float
) -> None:
    with torch.device("meta"):
        model = SACL(aus.BP4D12, blank_stats(12), **settings).eval()
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            model(torch.empty(1, 3, 224, 224))
    count = sum(p.numel() for p in model.parameters())
    assert count / 1e6 == pytest.approx(parameters, rel=0.03)
    counted = counter.get_total_flops() / 2 - ATTENTION
    assert counted / 1e9 == pytest.approx(multiply_adds, rel=0.03)


def test_figures_get_centres_in_the_crop_and_neighbours_of_both_ends() -> None:
    out = sacl(aus.BP4D12)(IMAGES)
    assert out.landmarks.shape == (2, 49, 2)
    assert out.aux["centres"].shape == (2, 18, 2)
    for name in ("neighbours_shallow", "neighbours_deep"):
        assert out.aux[name].shape == (2, 18, 9)
        assert torch.equal(out.aux[name][..., 0], torch.arange(18).expand(2, -1))
    assert sacl(knn=5)(IMAGES).aux["neighbours_deep"].shape == (2, 16, 5)
    assert sacl(AUSet.of((1, 12)))(IMAGES).aux["neighbours_deep"].shape == (2, 4, 4)


@pytest.mark.parametrize("offset", [-1e3, 1e3])
def test_regions_of_landmarks_outside_the_picture_are_moved_inside(offset: float) -> None:
    model = sacl().eval()
    with torch.no_grad():
        model.nodes.predictor.head[-1].bias.fill_(offset)
    out = model(IMAGES)
    half = 0.14 * 64 / 2
    assert out.logits.isfinite().all()
    centres = out.aux["centres"]
    assert centres[..., 0].min() >= half - 1e-4
    assert centres[..., 0].max() <= 64 - half + 1e-4


def test_stages_are_cut_or_added() -> None:
    blocks = {s: [len(x) for x in sacl(stages=s).correlation.stages] for s in (1, 4, 6)}
    assert blocks == {1: [2], 4: [2, 2, 6, 2], 6: [2, 2, 6, 2, 2, 2]}
    widths = [x[0].before.in_features for x in sacl(stages=6).correlation.stages]
    assert widths == [16, 32, 64, 128, 128, 128]


def test_dropped_stages_leave_fewer_channels() -> None:
    for drop, channels in enumerate([240, 224, 192, 128]):
        assert sacl(graph="none", drop_stages=drop).head.squeeze.in_features == channels


def linked_regions(model: SACL) -> list[list[int]]:
    return [sorted(set(row)) for row in model.correlation.neighbours.table.tolist()]


def test_the_facs_graph_links_the_regions_of_its_pairs() -> None:
    model = sacl(AUSet.of((1, 6, 12, 25)), graph="facs")  # regions 0-1, 2-3, 4-5, 6-7
    pairs = [[0, 1], [2, 3, 4, 5], [2, 3, 4, 5, 6, 7], [4, 5, 6, 7]]
    assert linked_regions(model) == [pair for pair in pairs for _ in range(2)]


@pytest.mark.parametrize("vocabulary", [aus.BP4D12, aus.ALL], ids=["bp4d", "all"])
def test_the_facs_graph_lacks_the_pairs_that_the_paper_says_it_lacks(vocabulary: AUSet) -> None:
    """Section 4.4.1. AUs that share a region are linked through it, so regions are tested too."""
    links = facs_links(vocabulary)
    of_au = AUCentres(vocabulary).of_au
    regions = between_regions(links, of_au, int(of_au.max()) + 1)
    for one, other in [(1, 15), (7, 10), (1, 17), (7, 24)]:
        i, j = vocabulary.index(one), vocabulary.index(other)
        assert not links[i, j]
        assert not links[j, i]
        assert not regions[of_au[i][:, None], of_au[j]].any()


def test_the_facs_graph_has_the_pairs_of_the_literature_and_one_for_each_other_au() -> None:
    links = facs_links(aus.ALL)
    numbers = aus.ALL.numbers
    assert torch.equal(links, links.T)
    among = {(a, b) for a in aus.BP4D12.numbers for b in aus.BP4D12.numbers if a < b}
    found = {
        (a, b)
        for a in numbers
        for b in numbers
        if a < b and links[aus.ALL.index(a), aus.ALL.index(b)]
    }
    known = {(1, 2), (4, 7), (6, 12), (15, 17), (15, 24), (17, 24), (23, 24)}
    assert found & among == known
    assert {(4, 9), (7, 9), (9, 17)} <= found
    outside = set(numbers) - set(aus.BP4D12.numbers)
    assert outside <= {n for pair in found for n in pair}


def stats_of(labels: torch.Tensor) -> LabelStats:
    same = labels @ labels.T + (1 - labels) @ (1 - labels).T
    return LabelStats(labels.mean(1), torch.corrcoef(labels), same / labels.shape[1])


def test_independent_labels_at_the_rates_of_bp4d_link_nothing() -> None:
    rate = [0.184, 0.146, 0.198, 0.440, 0.570, 0.567, 0.540, 0.457, 0.175, 0.342, 0.165, 0.148]
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(12, 5000, generator=generator) < torch.tensor(rate)[:, None]).float()
    others = ~torch.eye(12, dtype=torch.bool)
    assert not (statistical_links(stats_of(labels)) & others).any()
    by_rate = statistical_links(stats_of(labels), "conditional") | ~others
    to_all = [aus.BP4D12.numbers[i] for i in by_rate.all(1).nonzero()[:, 0]]
    assert to_all == [7, 10, 12]


def test_labels_that_depend_on_each_other_are_linked() -> None:
    frames = torch.rand(4, 4000, generator=torch.Generator().manual_seed(1))
    seldom, half, often = frames[0] < 0.05, frames[1] < 0.5, frames[2] < 0.7
    labels = torch.stack([seldom, seldom & (frames[3] < 0.9), half, ~half, often]).float()
    links = statistical_links(stats_of(labels)) & ~torch.eye(5, dtype=torch.bool)
    assert links.nonzero().tolist() == [[0, 1], [1, 0]]  # exclusion is no link


def test_the_statistics_graph_is_that_of_the_chosen_statistic() -> None:
    vocabulary = AUSet.of((1, 6, 12, 43))
    both = torch.tensor([[0.3, 0.2, 0.1, 0], [0.2, 0.6, 0, 0], [0.1, 0, 0.5, 0], [0, 0, 0, 0]])
    rate = both.diagonal()
    correlation = torch.eye(4)
    correlation[0, 2] = correlation[2, 0] = 0.21
    correlation[0, 1] = correlation[1, 0] = 0.19
    stats = LabelStats(rate, correlation, 1 - rate[:, None] - rate + 2 * both)
    small = {"graph": "statistics", "size": 64, "align": 64, "width": 16}
    by_correlation = [[0, 1, 4, 5]] * 2 + [[2, 3]] * 2 + [[0, 1, 4, 5]] * 2 + [[6, 7]] * 2
    assert linked_regions(SACL(vocabulary, stats, **small)) == by_correlation
    conditional = SACL(vocabulary, stats, statistic="conditional", **small)
    likely = [[0, 1, 2, 3]] * 4 + [[4, 5]] * 2 + [[6, 7]] * 2  # P(6 | 1) = 2 / 3
    assert linked_regions(conditional) == likely


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"graph": "full"}, "graph: expected one of self_adjusting, .* got 'full'"),
        ({"statistic": "lift"}, "statistic: expected one of correlation, conditional"),
        ({"distance": "hamming"}, "distance: expected one of"),
        ({"convolution": "gat"}, "convolution: expected one of"),
        ({"fusion": "sum"}, "fusion: expected one of"),
        ({"size": 72}, "size: expected a multiple of 32"),
        ({"size": 96}, "size: expected a multiple of 32 from 64 to align"),
        ({"width": 8}, "width: expected 16"),
        ({"drop_stages": 4}, "drop_stages: expected 0 to 3"),
        ({"drop_stages": 1, "multi_scale": False}, "drop_stages .* needs multi_scale"),
        ({"knn": 0}, "knn and stages: expected 1 or more, got 0 and 4"),
        ({"stages": 0}, "knn and stages: expected 1 or more, got 9 and 0"),
        ({"graph": "none", "fusion": "cross_attention"}, "cross_attention needs nodes"),
        ({"backbone": "no_such_net"}, "timm has no model"),
    ],
)
def test_what_cannot_be_is_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        sacl(**settings)


def test_losses_that_the_data_do_not_allow_are_refused() -> None:
    stats = blank_stats(8)
    with pytest.raises(DataError, match="AU04 never occurs"):
        SACLLoss(aus.DISFA8, stats._replace(rate=torch.tensor([0.1, 0.1, 0] + [0.2] * 5)))
    known = torch.ones(2, 8, dtype=torch.bool)
    batch = Batch(IMAGES, torch.zeros(2, 8), known, None, None, ("a", "b"))
    terms = SACLLoss(aus.DISFA8, stats, graph="none")(sacl(graph="none")(IMAGES), batch)
    assert set(terms) == {"asymmetric", "dice"}


@pytest.mark.parametrize("detach", [True, False])
def test_the_factor_of_equation_4_is_a_constant_unless_set(detach: bool) -> None:
    settings = {} if detach else {"detach_factor": False}
    loss = SACLLoss(aus.DISFA8, blank_stats(8), graph="none", **settings)
    logits = torch.zeros(2, 8, requires_grad=True)
    known = torch.ones(2, 8, dtype=torch.bool)
    batch = Batch(IMAGES, torch.zeros(2, 8), known, None, None, ("a", "b"))
    loss(Output(logits), batch)["asymmetric"].backward()
    slope = 0.5**2 if detach else 0.5**2 - 0.5 * 0.5 * math.log(0.5)
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.full((2, 8), slope / 16))


def test_another_label_set_adopts_au_by_au_and_region_by_region() -> None:
    old, new = sacl(aus.BP4D12), sacl(aus.DISFA8)
    with torch.no_grad():
        for p in old.parameters():
            p.normal_(0, 0.1)
    before = new.head.classifier.weight.detach().clone().view(8, -1, 16)
    new.adopt(old, aus.BP4D12)
    assert torch.equal(new.backbone.stem.conv1.weight, old.backbone.stem.conv1.weight)
    assert torch.equal(new.correlation.embed.weight, old.correlation.embed.weight)
    mine = new.head.classifier.weight.view(8, -1, 16)
    theirs = old.head.classifier.weight.view(12, -1, 16)
    tokens = 16 * 16
    # AU 12 is at 5 and 6; its region at 10 here (1 2 4 6 9 12) and 12 there (1 2 4 6 7 10 12)
    assert torch.equal(mine[5, :tokens], theirs[6, :tokens])
    assert torch.equal(mine[5, tokens + 10], theirs[6, tokens + 12])
    assert new.head.classifier.bias[5] == old.head.classifier.bias[6]
    assert torch.equal(mine[5, tokens + 8], before[5, tokens + 8])  # where AU 9 shows
    assert torch.equal(mine[4], before[4])  # AU 9


def test_weights_of_others_are_refused() -> None:
    with pytest.raises(RecipeError, match="sacl only"):
        sacl().adopt(torch.nn.Linear(1, 1), aus.DISFA8)
    with pytest.raises(RecipeError, match="ResT-Lite cannot be fetched.*path as init"):
        sacl().start_from("imagenet")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stages": 3}, "stages=3, here 4"),
        ({"convolution": "edge"}, "convolution=edge, here max_relative"),
        ({"distance": "cosine"}, "distance=cosine, here euclidean"),
        ({"knn": 5}, "knn=5, here 9"),
        ({"graph": "facs"}, "graph=facs, here self_adjusting"),
        ({"fusion": "cross_attention", "drop_stages": 1}, "drop_stages=1, here 0, fusion=cross_"),
        ({"size": 96, "align": 96}, "size=96, here 64"),
    ],
)
def test_weights_of_other_settings_are_refused_whatever_their_shapes(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(RecipeError, match=f"other settings: {said}.*the same model.params"):
        sacl().adopt(sacl(**settings), aus.DISFA8)


def test_a_statistic_matters_where_statistics_make_the_graph() -> None:
    sacl().adopt(sacl(statistic="conditional", align=80), aus.DISFA8)
    other = sacl(graph="statistics", statistic="conditional")
    with pytest.raises(RecipeError, match="statistic=conditional, here correlation"):
        sacl(graph="statistics").adopt(other, aus.DISFA8)


def authors_name(name: str) -> str:
    """What the authors of ResT call a tensor."""
    name = re.sub(r"^embeddings\.(\d)", lambda m: f"patch_embed_{int(m[1]) + 2}", name)
    name = re.sub(r"^stages\.(\d)", lambda m: f"stage{int(m[1]) + 1}", name)
    name = name.replace("position.conv", "pos.pa_conv").replace("attention.", "attn.")
    name = name.replace("attn.reduce_norm", "attn.sr_norm").replace("attn.reduce", "attn.sr")
    name = name.replace("attn.interact", "attn.transform_conv")
    return name.replace("mlp.0", "mlp.fc1").replace("mlp.2", "mlp.fc2")


def test_rest_starts_from_a_file_of_its_authors(tmp_path: Path) -> None:
    other = sacl().backbone
    with torch.no_grad():
        for p in other.parameters():
            p.normal_()
    state = {authors_name(n): t for n, t in other.state_dict().items()}
    assert "stage2.0.attn.transform_conv.weight" in state
    state |= {
        "head.weight": torch.ones(3, 128),
        "head.bias": torch.ones(3),
        "stage2.0.attn.transform_conv.bias": torch.ones(2),
    }
    torch.save({"model": state}, tmp_path / "rest.pth")
    model = sacl()
    model.start_from_file(tmp_path / "rest.pth")
    for name, tensor in other.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], tensor), name
    with pytest.raises(CheckpointError, match="stem.conv1.weight should have the shape"):
        sacl(width=32).start_from_file(tmp_path / "rest.pth")
    save_file({"conv1.weight": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="another architecture"):
        model.start_from_file(tmp_path / "other.safetensors")


def test_a_timm_backbone_starts_from_a_file_of_the_whole_network(tmp_path: Path) -> None:
    import timm

    whole = timm.create_model("pvt_v2_b0", num_classes=3)
    save_file(whole.state_dict(), tmp_path / "pvt.safetensors")
    model = sacl(backbone="pvt_v2_b0")
    model.start_from_file(tmp_path / "pvt.safetensors")
    ours = model.backbone.net.state_dict()
    assert torch.equal(ours["stages_0.norm.weight"], whole.state_dict()["stages.0.norm.weight"])


@pytest.mark.parametrize("name", ["sacl_bp4d", "sacl_disfa", "sacl_synfacs"])
def test_recipes_weigh_the_terms_of_their_model(name: str) -> None:
    for ablation in [None, *list_ablations(name)]:
        recipe = load_recipe(name, ablation=ablation)
        graph = recipe.model.params["graph"]
        loss = SACLLoss(aus.DISFA8, blank_stats(8), graph=graph)
        assert set(recipe.loss) == set(loss.terms), ablation
