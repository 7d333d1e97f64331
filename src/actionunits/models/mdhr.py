"""MDHR: motion at several spatial scales, and relations of AUs within and across face regions.

Wang, Song, Luo, Deng, Xie and Shen, *Multi-scale Dynamic and Hierarchical Relationship Modeling for
Facial Action Units Recognition* (CVPR 2024). Equation, table and section numbers are the paper's.

The authors' release (github.com/CVI-SZU/MDHR) has much that the paper does not tell, and changes
some that it prints. Its form is the default; `layers`, `groups`, `region_layers`, `detach_factor`
and `average` lead back to the print, the recipes' ablation ``literal`` all of them. What differs
from the release all the same:

- The frames before and after a clip are those of the video, and at its ends the first or last one
  again, as section 4.1 has it. The release sets the differences, and what the temporal convolution
  sees there, to 0 at the ends of every clip.
- A convolution before a batch norm has no bias: the norm takes it out again.
- The temporal convolution starts as the identity, other layers as PyTorch starts them.
- Swin's scales are the maps after its stages, as in the paper; the release takes those before.
- The release trains on crops of 224 of a face of 256, and tests on the whole face at 224; here the
  test crop is the central one. It keeps the best of every 25th epoch on the test list, here the
  last.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from actionunits.aus import AUSet
from actionunits.errors import RecipeError
from actionunits.losses import asymmetric_cross_entropy, balance_weights, mean_where
from actionunits.models.registry import Share, choose, register
from actionunits.nn.backbone import IMAGENET_MEAN, IMAGENET_STD, Pyramid
from actionunits.nn.face_regions import (
    REGIONS,
    AUExtractors,
    CombinationHeads,
    GraphAttention,
    Groups,
    NormedExtractors,
    combination_groups,
    region_rows,
)
from actionunits.nn.temporal import AUTemporalConvolution, MultiScaleDynamics, normed
from actionunits.types import Batch, InputSpec, LabelStats, Output

MultiScale = Literal["adaptive", "sum", "concatenation", "none"]
CrossRegion = Literal["activated", "all", "local", "fully_connected", "none"]
Layers = Literal["released", "printed"]

_KERNEL = 5  # frames of the temporal convolution
_LEAST = 1e-6  # probability, so that its log-odds stay finite


class MDHRLoss:
    """Eq. (10)-(12): ``occurrence``, and ``combination`` where there are auxiliary heads.

    Both are averaged over frames. A frame of which an AU is not known does not count for the head
    of that AU.

    Args:
        aus: label axis.
        stats: of the training rows; AUs count the more the rarer they are.
        auxiliary: as of the model.
        groups: as of the model.
        detach_factor: the factor p of Eq. (10) is a constant weight, as in the release. As printed,
            its gradient pushes negatives 1.4 to 2 times as hard, and what reads as .5 with a
            constant factor reads as .41.
        average: over AUs and over heads, as in the release; else their sums, as printed. It shifts
            what lambda means by the number of AUs over that of heads, 3 on BP4D.

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
        groups: Groups = "split",
        detach_factor: bool = True,
        average: bool = True,
    ) -> None:
        self._detach_factor, self._average = detach_factor, average
        self.terms = ("occurrence", "combination") if auxiliary else ("occurrence",)
        self._weights = balance_weights(aus, stats.rate)
        self._groups = combination_groups(aus, groups)

    def __call__(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar terms."""
        each = asymmetric_cross_entropy(
            out.logits, batch.labels, batch.known, detach_factor=self._detach_factor
        )
        terms = {"occurrence": self._over(self._weights.to(each) * each)}
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
        return self._over(mean_where(torch.stack(values, -1), torch.stack(known, -1)))

    def _over(self, terms: Tensor) -> Tensor:
        """One scalar of those of all AUs, or of all heads."""
        return terms.mean() if self._average else terms.sum()


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
        backbone: timm's name of one with four stages, such as ``resnet50.tv_in1k`` and
            ``swin_base_patch4_window7_224.ms_in1k``, the release's two. The tag is that of the
            ImageNet weights.
        drop_path: of Swin's last block; .5 in the release.
        clip: T, frames of a training clip.
        fps: frames a second of the training clips, by which a video is read; None reads every
            video at its own.
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
        groups: which AUs have an auxiliary head together, and are one region to the graph:
            ``split`` at most four, so that BP4D's lower face is two, as in the release; ``whole``
            all of a region, as in the paper.
        layers: ``released`` has a batch norm and a ReLU after the convolutions of Eq. (2), so that
            Eq. (1)-(3) do not telescope, of AFE and of TCN; 16 channels a scale before Eq. (4);
            both operands of Eq. (6) brought to the width b, with norm and ReLU, too; a residual and
            a bias in Eq. (9). ``printed`` has the equations alone.
        region_layers: each group has a layer of its own, with norm and ReLU, before those of its
            AUs and its head: the release has it on BP4D, not on DISFA. Of ``released`` layers only.
        detach_factor: of the loss.
        average: of the loss.
        size: side of the crop that the model sees, in pixels; a multiple of 32.
        align: side of the aligned face that the crop is taken from.

    Raises:
        RecipeError: a setting has a value that it cannot have, or two contradict each other.
    """

    starts: ClassVar[tuple[str, ...]] = ("imagenet",)
    reach: Tensor

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        backbone: str = "resnet50.tv_in1k",
        drop_path: Share = 0.0,
        clip: int = 16,
        fps: float | None = None,
        neighbours: int = 5,
        width: int = 512,
        multi_scale: MultiScale = "adaptive",
        stages: Sequence[int] = (1, 2, 3, 4),
        regional: bool = True,
        auxiliary: bool = True,
        cross_region: CrossRegion = "activated",
        temporal: bool = True,
        groups: Groups = "split",
        layers: Layers = "released",
        region_layers: bool = True,
        detach_factor: bool = True,
        average: bool = True,
        size: int = 224,
        align: int = 224,
    ) -> None:
        super().__init__()
        choose("multi_scale", multi_scale, MultiScale)
        choose("cross_region", cross_region, CrossRegion)
        choose("groups", groups, Groups)
        choose("layers", layers, Layers)
        _check_numbers(clip, fps, neighbours, width, stages, size, align)
        _check_parts(regional, auxiliary, cross_region)
        norms = layers == "released"
        self.aus = aus
        self.backbone = Pyramid(backbone, size=size, drop_path=drop_path)
        channels = self.backbone.channels
        self.dynamics: MultiScaleDynamics | None = None
        if multi_scale != "none":
            self.dynamics = MultiScaleDynamics(
                channels, tuple(stages), neighbours, multi_scale, width if norms else None
            )
        self.static = normed(channels[-1], width) if norms else nn.Identity()
        channel = width if norms else channels[-1]  # of the face of Eq. (6)

        height = size // 32
        rows = region_rows(height)
        regions = [list(REGIONS).index(au.region) for au in aus]
        parts = combination_groups(aus, groups)
        of_part = [regions[part[0]] for part in parts]
        if not regional:  # one extractor of all rows
            rows, regions, parts, of_part = [(0, height)], [0], [[0]], [0]
        self.extractors: AUExtractors | NormedExtractors
        if norms:
            part_rows = [rows[region] for region in of_part]
            self.extractors = NormedExtractors(part_rows, parts, width, layer=region_layers)
            of_part = list(range(len(parts)))  # each part has a mean of its own
        else:
            self.extractors = AUExtractors(rows, height, regions, channel, width)
        self.heads = CombinationHeads(aus, parts, of_part, channel) if auxiliary else None
        self.attention: GraphAttention | None = None
        if cross_region != "none":
            self.attention = GraphAttention(width, residual=norms)
        self.activated = cross_region == "activated"
        self.register_buffer("reach", _reach(parts, cross_region), persistent=False)
        self.temporal: AUTemporalConvolution | None = None
        if temporal:
            self.temporal = AUTemporalConvolution(len(aus), width, _KERNEL, norm=norms)
        self.prototypes = nn.Parameter(torch.empty(len(aus), width))  # of the AUs that occur
        nn.init.xavier_uniform_(self.prototypes)

        context = (neighbours if self.dynamics else 0) + (_KERNEL // 2 if temporal else 0)
        self.spec = InputSpec(size, align, IMAGENET_MEAN, IMAGENET_STD, clip, context, fps)

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
        k = self.dynamics.neighbours if self.dynamics else 0
        last = features[:, k : frames - k, 0]
        face = self.static(last.flatten(0, 1)).unflatten(0, last.shape[:2])
        if self.dynamics is not None:
            motion, weights = self.dynamics(features[:, :, 1:])
            face = face + motion  # Eq. (6)
            if weights is not None:
                aux["weights"] = weights
        v, means = self.extractors(face)  # (B, T + 4, A, b)
        v = v.expand(-1, -1, len(self.aus), -1)
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

    def adopt(self, other: nn.Module, aus: AUSet | None) -> None:
        """Start the backbone from that of a ResNet-18 baseline, or of another MDHR.

        Raises:
            RecipeError: it is another.
        """
        self.backbone.adopt(other)

    def start_from(self, source: str) -> None:
        """Start the backbone from the one source, timm's weights of its name, downloaded once.

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
        self.backbone.load_authors(file)


def _reach(parts: Sequence[Sequence[int]], cross_region: CrossRegion) -> Tensor:
    """Which node may hear which: (A, A) bool."""
    place = torch.empty(sum(map(len, parts)), dtype=torch.int64)
    for number, part in enumerate(parts):
        place[part] = number
    same = place[:, None] == place
    return {"local": same, "fully_connected": torch.ones_like(same)}.get(cross_region, ~same)


def _check_numbers(
    clip: int,
    fps: float | None,
    neighbours: int,
    width: int,
    stages: Sequence[int],
    size: int,
    align: int,
) -> None:
    if fps is not None and not fps > 0:
        raise RecipeError(f"fps: expected frames a second above 0, got {fps}")
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
