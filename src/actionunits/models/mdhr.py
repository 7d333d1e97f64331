"""MDHR: motion at several spatial scales, and relations of AUs within and across face regions.

Wang, Song, Luo, Deng, Xie and Shen, *Multi-scale Dynamic and Hierarchical Relationship Modeling for
Facial Action Units Recognition* (CVPR 2024). Equation, table and section numbers are the paper's.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from actionunits.aus import AUSet
from actionunits.errors import RecipeError
from actionunits.losses import asymmetric_cross_entropy, balance_weights, mean_where
from actionunits.models.registry import choose, register
from actionunits.nn.backbone import IMAGENET_MEAN, IMAGENET_STD, Pyramid, load_mapped, read_state
from actionunits.nn.face_regions import (
    REGIONS,
    AUExtractors,
    CombinationHeads,
    GraphAttention,
    RegionHeads,
    combination_groups,
    region_rows,
)
from actionunits.nn.temporal import (
    AdaptiveFusion,
    AUTemporalConvolution,
    ConcatenationFusion,
    MultiScaleDynamics,
    SumFusion,
)
from actionunits.types import Batch, InputSpec, LabelStats, Output

MultiScale = Literal["adaptive", "sum", "concatenation", "none"]
CrossRegion = Literal["activated", "all", "local", "fully_connected", "none"]

_FUSIONS = {
    "adaptive": AdaptiveFusion,
    "sum": SumFusion,
    "concatenation": ConcatenationFusion,
}
_KERNEL = 5  # frames of the temporal convolution
_LEAST = 1e-6  # probability, so that its log-odds stay finite


class MDHRLoss:
    """Eq. (10)-(12): ``occurrence``, and ``combination`` where there are auxiliary heads.

    Both are averaged over frames; the first is summed over AUs, the second over heads. A frame of
    which an AU is not known does not count for the head of that AU.

    Args:
        aus: label axis.
        stats: of the training rows; AUs count the more the rarer they are.
        auxiliary: as of the model.
        region_heads: as of the model.

    Raises:
        DataError: an AU never occurs in the training rows.
    """

    needs = ()

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        auxiliary: bool = True,
        region_heads: RegionHeads = "split",
    ) -> None:
        self.terms = ("occurrence", "combination") if auxiliary else ("occurrence",)
        self._weights = balance_weights(aus, stats.rate)
        self._groups = combination_groups(aus, region_heads)

    def __call__(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar terms."""
        each = asymmetric_cross_entropy(out.logits, batch.labels, batch.known)
        terms = {"occurrence": (self._weights.to(each) * each).sum()}
        if "combination" in self.terms:
            assert out.aux is not None
            terms["combination"] = self._combination(out.aux["combination"], batch)
        return terms

    def _combination(self, logits: Tensor, batch: Batch) -> Tensor:
        """Eq. (11): cross-entropy of each head's softmax of Eq. (8)."""
        values, known = [], []
        scores = logits.float().split_with_sizes([2 ** len(group) for group in self._groups], -1)
        for head, group in zip(scores, self._groups, strict=True):
            power = 2 ** torch.arange(len(group), device=logits.device)
            target = (batch.labels[..., group].long() * power).sum(-1)
            loss = functional.cross_entropy(head.movedim(-1, 1), target, reduction="none")
            values.append(loss)
            known.append(batch.known[..., group].all(-1))
        return mean_where(torch.stack(values, -1), torch.stack(known, -1)).sum()


@register("mdhr", MDHRLoss)
class MDHR(nn.Module):
    """AUs of every frame of a clip: what moved about it (MFD), and how its AUs are related (HSR).

    A backbone sees each frame once (`encode`); all else (`read`) works on what is kept of the
    frames. The motion takes `neighbours` frames at either side and the temporal convolution two
    more, so that a reading depends on ``spec.context`` frames before and after it and on no others.
    The paper's Figure 2 has the auxiliary branch in training only, but the edges of the graph come
    from it, so it runs always.

    AU-specific parameters are the extractors (AFE), the temporal convolutions (TCN) and one vector
    an AU, whose cosine with the AU's feature, both through a ReLU, is the probability (SC).

    Args:
        aus: label axis, A AUs.
        stats: not used; the loss weights the AUs by them.
        backbone: timm's name of one with four stages, such as ``resnet50`` and
            ``swin_base_patch4_window7_224``, the paper's two.
        clip: T, frames of a training clip.
        neighbours: k of Eq. (3).
        width: b, of an AU's feature vector.
        multi_scale: how the motion of the scales is fused (Table 4), or ``none`` without MFD.
        stages: numbers, 1 to 4, of the backbone's stages that motion is taken from (Table 4).
        regional: extractors of the AUs' own, on their regions; else one of the whole face that all
            AUs share (Table 3 without AFE).
        auxiliary: heads for the combination of AUs in a region.
        cross_region: to which other AUs a node of the graph is linked (Table 5): ``activated`` ones
            of other regions, by the auxiliary heads; ``all`` of other regions; ``local``, those of
            its own region; ``fully_connected``; or ``none`` without the graph (Table 3 without
            CRM). Every node is also linked to itself.
        temporal: the temporal convolution.
        region_heads: ``split`` has auxiliary heads of at most four AUs, as the authors' release;
            ``whole`` one a region, as the paper.
        size: side of the crop that the model sees, in pixels; a multiple of 32.
        align: side of the aligned face that the crop is taken from.

    Raises:
        RecipeError: a setting has a value that it cannot have, or two contradict each other.
    """

    starts: ClassVar[tuple[str, ...]] = ("imagenet",)
    shares: Tensor
    reach: Tensor

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        backbone: str = "resnet50",
        clip: int = 16,
        neighbours: int = 5,
        width: int = 512,
        multi_scale: MultiScale = "adaptive",
        stages: Sequence[int] = (1, 2, 3, 4),
        regional: bool = True,
        auxiliary: bool = True,
        cross_region: CrossRegion = "activated",
        temporal: bool = True,
        region_heads: RegionHeads = "split",
        size: int = 224,
        align: int = 224,
    ) -> None:
        super().__init__()
        choose("multi_scale", multi_scale, MultiScale)
        choose("cross_region", cross_region, CrossRegion)
        choose("region_heads", region_heads, RegionHeads)
        _check_numbers(clip, neighbours, width, stages, size, align)
        _check_parts(regional, auxiliary, cross_region)
        self.aus = aus
        self.backbone = Pyramid(backbone, size=size)
        channels = self.backbone.channels
        self.dynamics: MultiScaleDynamics | None = None
        if multi_scale != "none":
            fusion = _FUSIONS[multi_scale](channels[-1], len(stages))
            self.dynamics = MultiScaleDynamics(channels, tuple(stages), neighbours, fusion)

        height = size // 32
        rows = region_rows(height) if regional else [(0, height)]
        shares = [[(a <= y < b) / (b - a) for y in range(height)] for a, b in rows]
        self.register_buffer("shares", torch.tensor(shares), persistent=False)
        regions = [list(REGIONS).index(au.region) for au in aus]
        self.extractors = AUExtractors(regions if regional else [0], channels[-1], width)
        self.heads: CombinationHeads | None = None
        if auxiliary:
            groups = combination_groups(aus, region_heads)
            self.heads = CombinationHeads(aus, groups, regions, channels[-1])
        self.attention: GraphAttention | None = None
        if cross_region != "none":
            self.attention = GraphAttention(width)
        self.activated = cross_region == "activated"
        self.register_buffer("reach", _reach(regions, cross_region), persistent=False)
        self.temporal = AUTemporalConvolution(len(aus), width, _KERNEL) if temporal else None
        self.prototypes = nn.Parameter(torch.empty(len(aus), width))  # of the AUs that occur
        nn.init.xavier_uniform_(self.prototypes)

        context = (neighbours if self.dynamics else 0) + (_KERNEL // 2 if temporal else 0)
        self.spec = InputSpec(size, align, IMAGENET_MEAN, IMAGENET_STD, clip, context)

    def forward(self, images: Tensor) -> Output:
        """Read AUs off clips.

        Args:
            images: (B, c + T + c, 3, size, size), normalised, of consecutive frames; c is
                ``spec.context``.

        Returns:
            As `read`.
        """
        features = self.encode(images.flatten(0, 1))
        return self.read(features.view(*images.shape[:2], *features.shape[1:]))

    def encode(self, images: Tensor) -> Tensor:
        """See each frame by itself.

        Args:
            images: (N, 3, size, size), normalised.

        Returns:
            (N, 1 + S, c, h, w): the map of the last stage, then those of the S scales as Eq. (2)
            leaves them, before differences are taken. h is w is size / 32.
        """
        maps = self.backbone(images)
        last = maps[-1][:, None]
        return last if self.dynamics is None else torch.cat([last, self.dynamics.resize(maps)], 1)

    def read(self, features: Tensor) -> Output:
        """Read AUs off what `encode` keeps of consecutive frames.

        Args:
            features: (B, c + T + c, 1 + S, ...), T from 1 on; c is ``spec.context``.

        Returns:
            ``logits`` (B, T, A). In ``aux`` the AUs' ``embeddings`` (B, T, A, b) and, where the
            model has the part: ``weights`` (B, T, S, h, w) of the scales, ``combination``
            (B, T, K) logits of all auxiliary heads, head after head, and ``edges`` (B, T, A, A)
            bool of the graph.

        Raises:
            ValueError: there are too few frames for one reading.
        """
        context, frames = self.spec.context, features.shape[1]
        if frames <= 2 * context:
            raise ValueError(
                f"expected at least {2 * context + 1} frames, {context} before and after those "
                f"that are read; got {frames}: repeat the first and last frame of a video"
            )
        aux: dict[str, Tensor] = {}
        face = features[:, :, 0]
        if self.dynamics is not None:
            motion, weights = self.dynamics(features[:, :, 1:])
            k = self.dynamics.neighbours
            face = face[:, k:-k] + motion  # Eq. (6)
            if weights is not None:
                aux["weights"] = weights
        means = self.shares.to(face) @ face.mean(-1).mT  # (B, T + 4, R, c)
        v = self.extractors(means).expand(-1, -1, len(self.aus), -1)
        if self.heads is not None:
            aux["combination"] = self.heads(means)
        if self.attention is not None:
            aux["edges"] = self._edges(v, aux)
            v = self.attention(v, aux["edges"])
        if self.temporal is not None:
            v = self.temporal(v)
            margin = _KERNEL // 2
            aux = {name: value[:, margin:-margin] for name, value in aux.items()}
        return Output(self._logits(v), aux=aux | {"embeddings": v})

    def _edges(self, v: Tensor, aux: dict[str, Tensor]) -> Tensor:
        """Links of the nodes (B, T, A, A), each to itself and to those in its reach."""
        reach = self.reach.expand(*v.shape[:2], -1, -1)
        if self.activated:
            assert self.heads is not None
            reach = reach & self.heads.active(aux["combination"])[:, :, None]
        return reach | torch.eye(len(self.aus), dtype=torch.bool, device=v.device)

    def _logits(self, v: Tensor) -> Tensor:
        """Log-odds of the cosine of (B, T, A, b) and the AUs' prototypes: (B, T, A)."""
        # In float32 whatever came before: log-odds near 0 and 1 need the digits.
        p = functional.cosine_similarity(v.float().relu(), self.prototypes.float().relu(), -1)
        return p.clamp(_LEAST, 1 - _LEAST).logit()

    def start_from(self, source: str) -> None:
        """Start the backbone from the one source, timm's ImageNet weights, downloaded once.

        Raises:
            UserError: they are neither on disk nor to be had.
        """
        pretrained = Pyramid(self.backbone.name, size=self.spec.size, pretrained=True)
        self.backbone.load_state_dict(pretrained.state_dict())

    def start_from_file(self, file: Path) -> None:
        """Start the backbone from a file with the names of timm, torchvision or Swin's authors.

        Raises:
            CheckpointError: the file is damaged or holds weights of another architecture.
        """
        state = read_state(file)
        # Swin's authors count the halving of the map to the stage before it, timm to the one after.
        shift = any(name.startswith("layers.0.downsample.") for name in state)

        def rename(name: str) -> str | None:
            if re.match(r"(fc|head|norm|classifier)\.", name) or name.endswith(_DERIVED):
                return None
            found = re.match(r"(layers|stages)\.(\d+)\.(.*)", name)
            if found is None:
                return name
            stem, number, rest = found.groups()
            moved = int(number) + (shift and rest.startswith("downsample."))
            return f"{stem}_{moved}.{rest}"

        load_mapped(self.backbone.net, state, rename, file)


_DERIVED = ("relative_position_index", "attn_mask")  # tensors that follow from the settings


def _reach(regions: Sequence[int], cross_region: CrossRegion) -> Tensor:
    """Which node may hear which: (A, A) bool."""
    place = torch.tensor(regions)
    same = place[:, None] == place
    return {"local": same, "fully_connected": torch.ones_like(same)}.get(cross_region, ~same)


def _check_numbers(
    clip: int, neighbours: int, width: int, stages: Sequence[int], size: int, align: int
) -> None:
    for name, value in (("clip", clip), ("neighbours", neighbours), ("width", width)):
        if value < 1:
            raise RecipeError(f"{name}: expected 1 or more, got {value}")
    if not stages or list(stages) != sorted(set(stages) & {1, 2, 3, 4}):
        raise RecipeError(f"stages: expected some of 1, 2, 3, 4 in order, got {list(stages)}")
    if size % 32 or not 32 <= size <= align:
        raise RecipeError(f"size: expected a multiple of 32 up to align ({align}), got {size}")


def _check_parts(regional: bool, auxiliary: bool, cross_region: CrossRegion) -> None:
    if not regional and (auxiliary or cross_region != "none"):
        raise RecipeError(
            "auxiliary heads and the graph work on regions: set regional, or auxiliary=false and "
            "cross_region=none"
        )
    if cross_region == "activated" and not auxiliary:
        raise RecipeError("cross_region=activated asks the auxiliary heads: set auxiliary")
