"""MDHR's own settings, its readings in time, and what it refuses."""

from pathlib import Path
from typing import Any, cast

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from actionunits import aus
from actionunits.aus import AUSet
from actionunits.errors import CheckpointError, DataError, RecipeError
from actionunits.learn.recipe import list_ablations, load_recipe
from actionunits.models import registry
from actionunits.models.mdhr import MDHR, MDHRLoss
from actionunits.models.registry import blank_stats
from actionunits.models.renet import RENet
from actionunits.nn.pooled import Pooled
from actionunits.nn.resnet import ConditionalNorm
from actionunits.types import Batch, ClipModel, Output

VOCABULARY = aus.DISFA8
A = len(VOCABULARY)


def mdhr(vocabulary: AUSet = VOCABULARY, **settings: object) -> MDHR:
    torch.manual_seed(0)
    small = {"backbone": "lcnet_050", "clip": 4, "neighbours": 2, "width": 8, "size": 64}
    model = MDHR(vocabulary, blank_stats(len(vocabulary)), **{**small, **settings})
    if model.temporal is not None:
        torch.nn.init.normal_(model.temporal.weight, 0, 0.5)
    return model


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_it_is_a_clip_model_whose_context_is_what_its_parts_need() -> None:
    assert isinstance(mdhr(), ClipModel)
    assert mdhr().spec.context == 4
    assert mdhr(temporal=False).spec.context == 2
    assert mdhr(multi_scale="none").spec.context == 2
    assert mdhr(multi_scale="none", temporal=False).spec.context == 0
    with torch.device("meta"):
        assert MDHR(VOCABULARY, blank_stats(A), fps=25.0).spec[-3:] == (16, 7, 25.0)


@pytest.mark.parametrize("chunk", [1, 3, 16])
@pytest.mark.parametrize("layers", ["released", "printed"])
@pytest.mark.parametrize("multi_scale", ["adaptive", "none"])
def test_a_video_in_chunks_reads_as_it_does_whole(
    chunk: int, multi_scale: str, layers: str
) -> None:
    model = mdhr(multi_scale=multi_scale, layers=layers).eval()
    c = model.spec.context
    with torch.inference_mode():
        features = model.encode(noise(40))
        ends = (features[:1].expand(c, *[-1] * 4), features[-1:].expand(c, *[-1] * 4))
        padded = torch.cat([ends[0], features, ends[1]])[None]
        whole = model.read(padded)
        parts = [model.read(padded[:, i : i + chunk + 2 * c]) for i in range(0, 40, chunk)]
    logits = torch.cat([part.logits for part in parts], 1)
    assert whole.logits.shape == (1, 40, A)
    # Sums of another order: up to 3e-5 was seen. One wrong neighbour was seen to move them by 17.
    torch.testing.assert_close(logits, whole.logits, atol=1e-3, rtol=1e-3)
    assert torch.equal(torch.cat([part.aux["edges"] for part in parts], 1), whole.aux["edges"])


def test_a_reading_depends_on_its_context_and_on_no_other_frame() -> None:
    model = mdhr().eval()
    c, images = model.spec.context, noise(1, 11)
    with torch.inference_mode():
        features = model.encode(images[0])[None]
        before = model.read(features).logits
        for frame in range(11):
            changed = features.clone()
            changed[:, frame] += 1
            moved = (model.read(changed).logits - before).abs().amax((0, 2)) > 0
            expected = [abs(t + c - frame) <= c for t in range(3)]
            assert all(may or not has for may, has in zip(expected, moved.tolist(), strict=True))


def test_a_video_of_one_frame_is_that_frame_again_and_again() -> None:
    model = mdhr().eval()
    with torch.inference_mode():
        features = model.encode(noise(1)).expand(2 * model.spec.context + 1, *[-1] * 4)
        out = model.read(features[None])
    assert out.logits.shape == (1, 1, A)
    assert out.logits.isfinite().all()


def test_too_few_frames_are_refused() -> None:
    model = mdhr().eval()
    with pytest.raises(ValueError, match=r"at least 9 frames, 4 before and after .* got 8"):
        model(noise(1, 8))


def test_aux_has_what_figures_show() -> None:
    out = mdhr().eval()(noise(2, 12))
    assert out.aux["weights"].shape == (2, 4, 4, 2, 2)
    torch.testing.assert_close(out.aux["weights"].sum(2), torch.ones(2, 4, 2, 2))
    assert out.aux["combination"].shape == (2, 4, 8 + 4 + 8)
    assert out.aux["edges"].shape == (2, 4, A, A)
    assert out.aux["embeddings"].shape[:3] == (2, 4, A)
    plain = mdhr(regional=False, auxiliary=False, cross_region="none", multi_scale="none")
    assert set(plain(noise(2, 8)).aux) == {"embeddings"}


@pytest.mark.parametrize(
    ("setting", "reached"),
    [
        ("local", [[0, 1, 2], [3, 4], [5, 6, 7]]),
        ("all", [[0, 3, 4, 5, 6, 7], [3, 0, 1, 2, 5, 6, 7], [5, 0, 1, 2, 3, 4]]),
        ("fully_connected", [[*range(8)]] * 3),
    ],
)
def test_edges_that_do_not_depend_on_the_frame(setting: str, reached: list[list[int]]) -> None:
    edges = mdhr(cross_region=setting).eval()(noise(1, 9)).aux["edges"]
    for node, others in zip((0, 3, 5), reached, strict=True):
        assert edges[0, 0, node].nonzero().flatten().tolist() == sorted(others)


def test_without_extractors_aus_share_one_feature_of_the_whole_face() -> None:
    model = mdhr(regional=False, auxiliary=False, cross_region="none", temporal=False).eval()
    model.prototypes.data[:] = model.prototypes[:1].clone()
    logits = model(noise(1, 8)).logits
    torch.testing.assert_close(logits, logits[..., :1].expand_as(logits))


def test_probabilities_are_cosines_of_what_is_not_negative() -> None:
    model = mdhr(temporal=False).eval()
    v = torch.randn(1, 1, A, 8)
    v[0, 0, 0] = model.prototypes[0].detach() * 3  # the AU's own direction
    v[0, 0, 1] = -1.0  # nothing left after the ReLU
    p = model._logits(v).sigmoid()[0, 0]
    torch.testing.assert_close(p[:2], torch.tensor([1.0, 0.0]), atol=1e-5, rtol=0)
    assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"neighbours": 0}, "neighbours: expected 1 or more, got 0"),
        ({"clip": 0}, "clip: expected 1 or more"),
        ({"stages": [4, 1]}, "stages: expected some of 1, 2, 3, 4 in order"),
        ({"stages": [5]}, "stages: expected some of"),
        ({"stages": []}, "stages: expected some of"),
        ({"size": 72}, "size: expected a multiple of 32 up to align"),
        ({"size": 256}, "size: expected a multiple of 32 up to align"),
        ({"multi_scale": "product"}, "multi_scale: expected one of adaptive, sum"),
        ({"cross_region": "some"}, "cross_region: expected one of activated, all"),
        ({"groups": "half"}, "groups: expected one of split, whole"),
        ({"layers": "none"}, "layers: expected one of released, printed"),
        ({"fps": 0.0}, "fps: expected frames a second above 0, got 0"),
        ({"auxiliary": False}, "cross_region=activated asks the auxiliary heads"),
        ({"regional": False}, "auxiliary heads and the graph work on regions"),
        ({"backbone": "resnet5000"}, "timm has no model 'resnet5000'"),
    ],
)
def test_impossible_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        mdhr(**settings)


def test_an_au_that_never_occurs_is_refused_by_the_loss() -> None:
    stats = blank_stats(A)
    stats.rate[3] = 0
    with pytest.raises(DataError, match="AU06 never occurs.*leave it out"):
        MDHRLoss(VOCABULARY, stats)


def test_what_is_not_known_does_not_count() -> None:
    torch.manual_seed(0)
    loss = MDHRLoss(VOCABULARY, blank_stats(A))
    out = Output(torch.randn(2, 3, A), aux={"combination": torch.randn(2, 3, 20)})
    labels, known = torch.ones(2, 3, A), torch.zeros(2, 3, A, dtype=torch.bool)
    terms = loss(out, Batch(torch.zeros(0), labels, known, None, None, ("a",)))
    assert [float(term) for term in terms.values()] == [0.0, 0.0]
    known[..., 3] = True  # AU6 without AU9, which is in the same head
    terms = loss(out, Batch(torch.zeros(0), labels, known, None, None, ("a",)))
    assert terms["occurrence"] > 0
    assert terms["combination"] == 0


# Biases of the release that a norm takes out again: of Eq. (2), before Eq. (4), of both operands of
# Eq. (6), of the AUs' layers and of the regions'.
_BIASES = 4 * 2048 + 4 * 16 + 2 * 512 + 12 * 512 + 4 * 512


@pytest.mark.parametrize(
    ("backbone", "layers", "count"),
    [
        ("resnet50.tv_in1k", "released", 93_226_054 - _BIASES),  # the release's 93.23 M
        ("resnet50.tv_in1k", "printed", 99_436_654),
        ("swin_base_patch4_window7_224.ms_in1k", "released", 108_135_550),
    ],
)
def test_number_of_parameters(backbone: str, layers: str, count: int) -> None:
    with torch.device("meta"):
        model = MDHR(aus.BP4D12, blank_stats(12), backbone=backbone, layers=layers)
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize(("groups", "pairs"), [("split", 114), ("whole", 90)])
def test_pairs_that_the_graph_can_link(groups: str, pairs: int) -> None:
    model = mdhr(aus.BP4D12, groups=groups)
    assert int((model.reach | torch.eye(12, dtype=torch.bool)).sum()) == pairs


def test_the_literal_ablation_has_no_layer_that_is_not_printed() -> None:
    for recipe in ("mdhr_bp4d", "mdhr_disfa"):
        params = load_recipe(recipe, ablation="literal").model.params
        model = mdhr(**{**params, "backbone": "lcnet_050", "width": 8, "size": 64})
        parts = [m for name, m in model.named_modules() if not name.startswith("backbone")]
        assert not any(isinstance(m, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d) for m in parts)
        assert model.attention.bias is None
        assert params["average"] is params["detach_factor"] is False
        assert params["groups"] == "whole"


def test_the_last_map_of_swin_is_normed_and_its_blocks_drop_out() -> None:
    small = "swin_tiny_patch4_window7_224"
    net = mdhr(backbone=small, size=64, align=64, drop_path=0.5).backbone
    last = net.eval()(noise(2))[-1]
    torch.testing.assert_close(last.mean(1), torch.zeros(2, 2, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(last.var(1, correction=0), torch.ones(2, 2, 2), atol=1e-2, rtol=0)
    blocks = [m for m in net.modules() if type(m).__name__ == "DropPath"]
    assert max(block.drop_prob for block in blocks) == 0.5


@pytest.mark.parametrize("kind", ["timm", "torchvision"])
def test_starts_from_a_file_of_a_classifier(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    classifier = timm.create_model("resnet18")
    state = {n: t for n, t in classifier.state_dict().items() if kind == "timm" or "num_b" not in n}
    save_file(state, tmp_path / "weights.safetensors")
    model = mdhr(backbone="resnet18")
    model.start_from_file(tmp_path / "weights.safetensors")
    assert torch.equal(model.backbone.net.conv1.weight, classifier.conv1.weight)
    with pytest.raises(CheckpointError, match="those of another architecture"):
        mdhr().start_from_file(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("authors", [False, True], ids=["timm", "authors"])
def test_starts_from_a_file_of_swin_with_either_numbering(authors: bool, tmp_path: Path) -> None:
    small = "swin_tiny_patch4_window7_224"
    torch.manual_seed(1)
    state = timm.create_model(small).state_dict()
    if authors:  # they have the halving at the end of the stage before
        for number in (1, 2, 3):
            for part in ("norm.weight", "norm.bias", "reduction.weight"):
                moved = f"layers.{number - 1}.downsample.{part}"
                state[moved] = state.pop(f"layers.{number}.downsample.{part}")
        state["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49)
    torch.save({"model": state}, tmp_path / "swin.pth")
    model = mdhr(backbone=small, size=224)  # whose windows have the authors' size
    model.start_from_file(tmp_path / "swin.pth")
    found = model.backbone.net.layers[1].downsample.reduction.weight
    name = f"layers.{0 if authors else 1}.downsample.reduction.weight"
    assert torch.equal(found, state[name])


@pytest.mark.parametrize(
    "recipe", ["mdhr_bp4d", "mdhr_disfa", "mdhr_synfacs", "mdhr_synfacs_motion"]
)
def test_recipes_and_their_ablations_build_and_weight_the_terms_of_their_loss(recipe: str) -> None:
    for ablation in [None, *list_ablations(recipe)]:
        chosen = load_recipe(recipe, ablation=ablation)
        params = {**chosen.model.params, "backbone": "lcnet_050", "drop_path": 0.0, "width": 8}
        with torch.device("meta"):
            model = MDHR(VOCABULARY, blank_stats(A), **params)
        assert model.spec.clip == params["clip"]
        kept = {key: params[key] for key in ("auxiliary", "groups")}
        assert set(MDHRLoss(VOCABULARY, blank_stats(A), **kept).terms) == set(chosen.loss)


def mdhr_of(backbone: str) -> MDHR:
    stats = blank_stats(8)
    return MDHR(aus.DISFA8, stats, backbone=backbone, clip=2, neighbours=1, width=16, size=64)


def test_the_backbone_starts_from_that_of_the_baseline() -> None:
    baseline = RENet(aus.ALL, blank_stats(18), relation="none", size=64, align=64).eval()
    for module in baseline.modules():
        if isinstance(module, ConditionalNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    model = mdhr_of("resnet18.tv_in1k").eval()
    model.adopt(baseline, aus.ALL)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = registry.embedding(baseline(images))
        torch.testing.assert_close(model.backbone(images)[-1].mean((2, 3)), expected)
    again = mdhr_of("resnet18.tv_in1k").eval()
    again.adopt(model, aus.DISFA8)
    with torch.inference_mode():
        assert torch.equal(again.backbone(images)[-1], model.backbone(images)[-1])


@pytest.mark.parametrize("name", ["regnetx_002", "convnext_atto", "mobilenetv3_small_050"])
def test_the_backbone_starts_from_a_baseline_upon_the_same_of_timm(name: str) -> None:
    baseline = RENet(aus.ALL, blank_stats(18), relation="none", backbone=name, size=64, align=64)
    model = mdhr_of(name).eval()
    model.adopt(baseline, aus.ALL)
    assert isinstance(baseline.backbone, Pooled)
    net = cast(Any, baseline.eval().backbone.net)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        (expected,) = net.forward_intermediates(images, indices=1, intermediates_only=True)
        torch.testing.assert_close(model.backbone(images)[-1], expected)
    with pytest.raises(RecipeError, match="it needs the backbone resnet18"):
        mdhr_of("resnet18.tv_in1k").adopt(baseline, aus.ALL)


def test_starts_that_do_not_fit_are_refused() -> None:
    model = mdhr_of("resnet18.tv_in1k")
    with pytest.raises(RecipeError, match="found one for each AU"):
        model.adopt(RENet(aus.DISFA8, blank_stats(8), relation="identity"), aus.DISFA8)
    narrow = RENet(aus.DISFA8, blank_stats(8), relation="none", width=16)
    with pytest.raises(RecipeError, match="it needs the backbone resnet18"):
        model.adopt(narrow, aus.DISFA8)
    with pytest.raises(RecipeError, match="of RE-Net's baseline or of MDHR"):
        model.adopt(torch.nn.Linear(1, 1), None)
