"""MGRR-Net: AU regions on a learned graph, refined by attention over the whole face.

Ge, Jose, Xu, Liu and Han, *MGRR-Net: Multi-level Graph Relational Reasoning Network for Facial
Action Units Detection*. Equation, table and section numbers are the paper's.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from actionunits.aus import AUSet
from actionunits.errors import RecipeError
from actionunits.losses import balance_weights, landmark_error, occurrence_cross_entropy
from actionunits.models.registry import choose, register
from actionunits.nn.attention import GraphAttention
from actionunits.nn.landmarks import LandmarkPredictor
from actionunits.nn.region import AUPatches, RegionLayer
from actionunits.types import Batch, InputSpec, LabelStats, Output

Prior = Literal["labels", "random"]

_HALF = (0.5, 0.5, 0.5)  # nothing is pretrained, so that no statistics of other pictures apply


class MGRRNetLoss:
    """Cross-entropy of both predictions and error of the landmarks: Eq. (10)-(12).

    ``occurrence`` is L_au + L_int of Eq. (12), each the mean over AUs of the cross-entropy times
    the AU's balance weight; ``landmarks`` is L_align, summed over the points. Frames are averaged.

    Args:
        aus: label axis.
        stats: of the training rows; its rates give the balance weights.

    Raises:
        DataError: an AU occurs in no training frame, so that it has no balance weight.
    """

    terms = ("occurrence", "landmarks")
    needs = ("landmarks",)

    def __init__(self, aus: AUSet, stats: LabelStats) -> None:
        self.weights = balance_weights(aus, stats.rate)

    def __call__(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar terms."""
        assert out.aux is not None
        assert out.landmarks is not None
        assert batch.landmarks is not None
        weights = self.weights.to(out.logits.device)
        occurrence = torch.stack(
            [
                weights * occurrence_cross_entropy(out.aux[name], batch.labels, batch.known)
                for name in ("local", "integrated")
            ]
        )
        return {
            "occurrence": occurrence.mean(1).sum(),
            "landmarks": landmark_error(out.landmarks, batch.landmarks),
        }


@register("mgrrnet", MGRRNetLoss)
class MGRRNet(nn.Module):
    """AU occurrence and 49 landmarks of a face, trained together.

    A stem makes the original global feature O_G; landmarks found on it say where each AU's patch
    is. Each of K layers relates the patches by a learned graph (D_G) and fuses them with O_G and
    with its attention-aware versions over channels (C_G) and pixels (P_G). Every AU is read twice:
    off its own feature, and off those of all AUs with the features of the alignment.

    Args:
        aus: label axis, A AUs.
        stats: of the training rows; the graph starts from its rates and agreements.
        graph: relate the AUs by Eq. (6); without, patches stay as they are. This and the next three
            are the columns of Table VI.
        original: fuse the AUs with O_G.
        channel: fuse them with C_G.
        pixel: fuse them with P_G.
        layers: K of Table VII. C_G and P_G are computed from O_G in each, with weights of its own.
        prior: start of the layers' graphs: from ``labels`` by Eq. (1)-(2), the same in all, or
            ``random`` in 0..1, drawn for each.
        size: side of the crop that the model sees, in pixels; a multiple of 16.
        align: side of the aligned face that the crop is taken from.
        width: channels of the first of two stem layers; AU features have twice as many.
        dim: D of Eq. (3).
        heads: L of Eq. (4).

    Raises:
        RecipeError: a setting has a value that it cannot have, or two contradict each other.
    """

    prior: Tensor

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        graph: bool = True,
        original: bool = True,
        channel: bool = True,
        pixel: bool = True,
        layers: int = 2,
        prior: Prior = "labels",
        size: int = 176,
        align: int = 200,
        width: int = 32,
        dim: int = 1024,
        heads: int = 8,
    ) -> None:
        super().__init__()
        _check(graph, prior, layers, size, align, width, dim, heads)
        self.spec = InputSpec(size, align, _HALF, _HALF)
        count, features, side = len(aus), 2 * width, size // 4
        self.stem = nn.Sequential(
            RegionLayer(3, width), nn.MaxPool2d(2), RegionLayer(width, features), nn.MaxPool2d(2)
        )
        self.alignment = LandmarkPredictor(features, side, size)
        self.patches = AUPatches(aus, features, side, size)

        shape = (layers, count, count)
        starts = label_prior(stats).expand(shape) if prior == "labels" else torch.rand(shape)
        if graph:
            self.register_buffer("prior", starts.clone())

        def layer(start: Tensor) -> ReasoningLayer:
            sources: list[nn.Module] = []  # innermost of Eq. (7) first
            if pixel:
                sources.append(PixelAttention(features, dim, heads))
            if channel:
                sources.append(ChannelAttention(features, side, dim, heads))
            if original:
                sources.append(nn.Identity())
            return ReasoningLayer(
                RegionGraph(start, features) if graph else nn.Identity(), sources, features
            )

        self.layers = nn.ModuleList(layer(start) for start in starts)
        self.local = LocalClassifier(count, features)
        aligned = self.alignment.head[0]
        assert isinstance(aligned, nn.Linear)
        self.integrated = nn.Linear(count * features + aligned.in_features, count)

    def forward(self, images: Tensor) -> Output:
        """Read AUs off faces.

        Args:
            images: (B, 3, size, size), normalised.

        Returns:
            ``logits`` (B, A), the log-odds of the mean of the two predicted probabilities;
            ``landmarks`` (B, 49, 2) in pixels of the crop. In ``aux``: the logits ``local`` and
            ``integrated`` (B, A) that the loss reads, ``maps`` (B, A, size / 4, size / 4), the AUs'
            class activation maps, and ``embeddings`` (B, A, C), the features both are read from.
        """
        original = self.stem(images)
        alignment, landmarks = self.alignment(original)
        v = self.patches(original, landmarks.detach())
        for layer in self.layers:
            v = layer(v, original)
        features, local = self.local(v)
        integrated = self.integrated(torch.cat([features, alignment], 1))
        aux = {"local": local, "integrated": integrated, "maps": self.local.maps(v)}
        aux["embeddings"] = features.unflatten(1, (local.shape[1], -1))
        return Output(mean_logit(local, integrated), landmarks=landmarks, aux=aux)

    def relations(self) -> Tensor:
        """Return the relations (K, A, A) of Eq. (6); ``prior``, alike, is what they started from.

        Raises:
            RecipeError: the model has no graph.
        """
        graphs = [m for m in self.modules() if isinstance(m, RegionGraph)]
        if not graphs:
            raise RecipeError("a model with graph=false learns no relation of its AUs")
        return torch.stack([graph.relation.detach() for graph in graphs])


class RegionGraph(nn.Module):
    """Region-level graph of the AUs (D_G): Eq. (6).

    Args:
        start: (A, A) relation to start from.
        channels: C of the AU features.
    """

    def __init__(self, start: Tensor, channels: int) -> None:
        super().__init__()
        self.relation = nn.Parameter(start.clone())
        self.weight = _weight(len(start), channels, channels)

    def forward(self, v: Tensor) -> Tensor:
        """Map (B, A, C, h, w) to the same; W_j v_j is computed once and serves every sum."""
        own = self.weight @ v.flatten(3)  # (B, A, C, h * w)
        both = self.relation + torch.eye(len(self.relation), device=v.device)
        return (both @ own.flatten(2)).view_as(v)


class ChannelAttention(nn.Module):
    """C_G: attention among the channels of O_G, after a convolution that halves the map.

    Args:
        channels: of O_G.
        side: of O_G.
        dim: D of Eq. (3).
        heads: L of Eq. (4).
    """

    def __init__(self, channels: int, side: int, dim: int, heads: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels, 3, 2, padding=1)
        self.attention = GraphAttention((side // 2) ** 2, side**2, dim=dim, heads=heads)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same; a node is a channel, U_c gives it back its full size."""
        seen: Tensor = self.attention(self.reduce(x).flatten(2))
        return seen.view_as(x)


class PixelAttention(nn.Module):
    """P_G: attention among the pixels of a halved O_G, and a deconvolution back.

    Args:
        channels: of O_G.
        dim: D of Eq. (3).
        heads: L of Eq. (4).
    """

    def __init__(self, channels: int, dim: int, heads: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels, 3, 2, padding=1)
        self.attention = GraphAttention(channels, channels, dim=dim, heads=heads)
        self.enlarge = nn.ConvTranspose2d(channels, channels, 4, 2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same; a node is a pixel."""
        small = self.reduce(x)
        seen = self.attention(small.flatten(2).transpose(1, 2))
        enlarged: Tensor = self.enlarge(seen.transpose(1, 2).unflatten(2, small.shape[2:]))
        return enlarged


class GatedFusion(nn.Module):
    """GFC: a gate chooses between two features, each mapped and of unit length: Eq. (8)-(9).

    The maps are 1x1 convolutions, here products of matrices, which were measured to take half the
    time of PyTorch's convolution. The paper pads them by 1, which would let the map grow by two
    cells a step; here they are not padded.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _weight(1, channels, channels)  # W_C
        self.second = _weight(1, channels, channels)  # W_P
        self.gate_first = _weight(1, channels, channels)  # W'_C
        self.gate_second = _weight(1, channels, channels)  # W'_P

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse (B, A, C, h, w) with (B, A or 1, C, h, w): one of a face serves all its AUs."""
        c, p = first.flatten(3), second.flatten(3)
        # In place: fresh memory of this size was measured to cost more than the arithmetic.
        beta = (self.gate_first @ c).add_(self.gate_second @ p).sigmoid_()
        fused = torch.lerp(_unit(self.second @ p), _unit(self.first @ c), beta)
        return fused.view_as(first)


class ReasoningLayer(nn.Module):
    """One multi-level layer: the graph, then the hierarchical fusion of Eq. (7).

    What is switched off is skipped, and with it its gate.

    Args:
        graph: maps (B, A, C, h, w) to the same.
        sources: map O_G to what the AUs are fused with; the innermost of Eq. (7) first.
        channels: C.
    """

    def __init__(self, graph: nn.Module, sources: list[nn.Module], channels: int) -> None:
        super().__init__()
        self.graph = graph
        self.sources = nn.ModuleList(sources)
        self.gates = nn.ModuleList(GatedFusion(channels) for _ in sources)

    def forward(self, v: Tensor, original: Tensor) -> Tensor:
        """Refine v (B, A, C, h, w) by O_G (B, C, h, w)."""
        sources = [source(original)[:, None] for source in self.sources]
        return self.fuse([*sources, self.graph(v)])

    def fuse(self, operands: list[Tensor]) -> Tensor:
        """Fuse what Eq. (7) nests, the innermost first; each (B, A or 1, C, h, w)."""
        fused, *outer = operands
        for gate, operand in zip(self.gates, outer, strict=True):
            fused = gate(operand, fused)
        return fused


class LocalClassifier(nn.Module):
    """Reads each AU off its own feature: mean over the map, then a linear unit of the AU's own.

    The means are normalised over the batch: those of gated unit vectors differ little from face to
    face, and the linear units would be slow to tell them apart.

    Args:
        count: A.
        channels: C.
    """

    def __init__(self, count: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(count * channels)
        self.units = nn.Conv1d(count * channels, count, 1, groups=count)

    def forward(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, A, C, h, w) to features (B, A * C) and logits (B, A)."""
        wide = torch.promote_types(v.dtype, torch.float32)
        features = self.norm(v.mean((3, 4), dtype=wide).flatten(1))
        return features, self.units(features[:, :, None])[:, :, 0]

    @torch.no_grad()
    def maps(self, v: Tensor) -> Tensor:
        """Return (B, A, h, w) whose mean is an AU's logit in evaluation, but for a constant."""
        assert self.norm.running_var is not None
        scale = self.norm.weight * (self.norm.running_var + self.norm.eps).rsqrt()
        weights = (self.units.weight.flatten() * scale).view(v.shape[1], -1)
        return torch.einsum("bachw,ac->bahw", v, weights.to(v.dtype))


def _weight(*shape: int) -> nn.Parameter:
    """Weights (..., out, in) that start as those of PyTorch's 1x1 convolutions do."""
    bound = shape[-1] ** -0.5
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


def _unit(x: Tensor) -> Tensor:
    """Divide (B, A, C, n) by its length over the channels."""
    # v is 0 away from its windows, where the bound keeps the gradient finite.
    squares = x.float().square().sum(2, keepdim=True).clamp(min=1e-12)
    return x * squares.rsqrt().to(x.dtype)


def label_prior(stats: LabelStats) -> Tensor:
    """Relation that the graph starts from: Eq. (1)-(2), (A, A) in 0..1, diagonal 1.

    An AU that always or never occurs in the training rows leaves one of the two conditional
    probabilities undefined, and it counts 1/2, which is what knows nothing.
    """
    rate = stats.rate.double()
    i, j = rate[:, None], rate[None, :]
    both = ((stats.agreement.double() + i + j - 1) / 2).clamp(min=0)
    neither = (1 - i - j + both).clamp(min=0)
    present = torch.where(j > 0, both / j, 0.5)  # P(a_i = 1 | a_j = 1)
    absent = torch.where(j < 1, neither / (1 - j), 0.5)  # P(a_i = 0 | a_j = 0)
    # Frames in which only one of two AUs is coded can bring a share above 1.
    relation = (present.clamp(max=1) + absent.clamp(max=1) - 1).abs()
    return relation.fill_diagonal_(1).float()


def mean_logit(first: Tensor, second: Tensor) -> Tensor:
    """Log-odds of the mean of two probabilities that are given by logits, in float32."""
    both = torch.stack([first, second]).float()
    present = functional.logsigmoid(both).logsumexp(0)
    absent = functional.logsigmoid(-both).logsumexp(0)
    return present - absent


def _check(
    graph: bool, prior: str, layers: int, size: int, align: int, width: int, dim: int, heads: int
) -> None:
    choose("prior", prior, Prior)
    if prior == "random" and not graph:
        raise RecipeError("prior: random needs graph=true; without a graph nothing starts from it")
    if layers < 1:
        raise RecipeError(f"layers: expected 1 or more, got {layers}")
    if not 32 <= size <= align or size % 16:
        raise RecipeError(
            f"size: expected a multiple of 16 from 32 to align ({align}) pixels, got {size}"
        )
    if width < 16 or width % 4:
        raise RecipeError(f"width: expected a multiple of 4 from 16 on, got {width}")
    if heads < 1 or dim < 1 or dim % heads:
        raise RecipeError(f"dim: expected a multiple of heads ({heads}), got {dim}")
