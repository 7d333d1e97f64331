"""SACL: AUs as nodes of a graph that adjusts itself, beside multi-scale features of the face.

Liu, Yuan, Niu, Shi, Yu, Yue and Yang, *Multi-scale Promoted Self-adjusting Correlation Learning for
Facial Action Unit Detection*. Equation, section, table and figure numbers are the paper's.
"""

from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from actionunits.aus import AUSet
from actionunits.errors import RecipeError
from actionunits.losses import asymmetric_cross_entropy, balance_weights, dice, landmark_error
from actionunits.models.registry import choose, register
from actionunits.nn.backbone import IMAGENET_MEAN, IMAGENET_STD, Pyramid
from actionunits.nn.graph import (
    Convolution,
    Distance,
    FixedNeighbours,
    GraphBlock,
    NearestNeighbours,
    Transformer,
)
from actionunits.nn.landmarks import AUCentres, LandmarkPredictor
from actionunits.nn.priors import Statistic, between_regions, facs_links, statistical_links
from actionunits.nn.rest import ResT
from actionunits.nn.roi import inside, region_keys, regions_about
from actionunits.nn.tokens import (
    CrossAttentionHead,
    Head,
    LastStage,
    MultiScale,
    PooledHead,
    TokenHead,
    copy_weights,
)
from actionunits.types import Batch, InputSpec, LabelStats, Output

Graph = Literal["self_adjusting", "facs", "statistics", "transformer", "none"]
Fusion = Literal["concatenation", "cross_attention"]

REST_LITE = "rest_lite"
DEPTHS = (2, 2, 6, 2)  # L_i of Table 4
ROI_SHARE = 0.14  # xi of Table 4: side of an ROI over that of the map


class SACLLoss:
    """Weighted asymmetric loss, weighted dice loss and landmark error: Eq. (4), (5) and (6).

    The weights of the AUs are in the terms; those of the terms (Eq. (7): 1, 1, 0.5) in the recipe.
    Section 3.6 employs "the weighted asymmetric loss" of ME-GraphAU, in whose release no gradient
    goes through the factor p of Eq. (4); so it is here by default. The print does not say.

    Args:
        aus: label axis.
        stats: of the training rows; rare AUs weigh more.
        graph: without one no landmarks are predicted, and their term is left out.
        detach_factor: False differentiates Eq. (4) as printed, factor and all.

    Raises:
        DataError: an AU never occurs in the training rows.
    """

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        graph: Graph = "self_adjusting",
        detach_factor: bool = True,
    ) -> None:
        self.needs: tuple[str, ...] = ("landmarks",) if graph != "none" else ()
        self.terms = ("asymmetric", "dice", *self.needs)
        self.weights = balance_weights(aus, stats.rate)
        self.detach_factor = detach_factor

    def __call__(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar terms, averaged over the AUs."""
        weights = self.weights.to(out.logits.device)
        asymmetric = asymmetric_cross_entropy(
            out.logits, batch.labels, batch.known, detach_factor=self.detach_factor
        )
        overlap = dice(out.logits, batch.labels, batch.known)
        terms = {"asymmetric": (weights * asymmetric).mean(), "dice": (weights * overlap).mean()}
        if self.needs:
            assert out.landmarks is not None
            assert batch.landmarks is not None
            terms["landmarks"] = landmark_error(out.landmarks, batch.landmarks)
        return terms


@register("sacl", SACLLoss)
class SACL(nn.Module):
    """Multi-scale features (MSFL) and an AU graph over landmark ROIs (SACL), read together.

    What the paper leaves open is chosen so that parameters and multiply-adds are those of Table 8:
    ROIs are sampled at 8 x 8 points and taken to 64 numbers by a linear layer, a graph block of c
    channels has 9 c^2 weights (before: c to c, convolution: 2c to 2c, after: 2c to c, feed-forward
    network of ratio 1), and each token is squeezed to 64 numbers before one linear layer reads
    them all. Without MSFL the tokens are the 7 x 7 of the last stage, and without a graph either
    the baseline reads their mean. The backbone's own last norm is kept throughout.

    Args:
        aus: label axis.
        stats: of the training rows, for the statistics graph.
        backbone: ``rest_lite``, or a pyramid of timm by its name, with four stages at strides 4 to
            32. Its first stage then serves as basic features F: stems differ too much.
        multi_scale: MSFL, Eq. (1): all stages side by side, at the size of the first.
        drop_stages: so many of the first stages are left out of MSFL (Figure 4).
        graph: ``self_adjusting``; ``facs``: AUs of a table of pairs are linked; ``statistics``:
            AUs whose training labels depend on each other; ``transformer``: six vanilla blocks
            instead of a graph; ``none``: no ROIs either.
        statistic: how the dependence of labels is measured, which the paper leaves open: by their
            ``correlation``, or by ``conditional`` probability (`actionunits.nn.priors`).
        distance: between nodes (Table 9).
        convolution: of the graph (Table 9).
        knn: K, the node itself included (Figure 5b); all nodes where there are fewer.
        stages: S (Figure 5a); from the fifth on they are like the fourth.
        fusion: of tokens and nodes (Table 9): both read side by side, or for each node what it
            attends to among the tokens (as in ME-GraphAU; on squeezed tokens, or the attention
            would cost twice the whole network).
        size: side of the crop that the model sees, a multiple of 32 pixels.
        align: side of the aligned face that the crop is taken from.
        width: d_0 of Table 4, 64: channels of the first stage of ResT-Lite and of the graph.
        detach_factor: of the loss.

    Raises:
        RecipeError: a setting has a value that it cannot have, or two contradict each other.
    """

    starts: ClassVar[tuple[str, ...]] = ("imagenet",)

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        backbone: str = REST_LITE,
        multi_scale: bool = True,
        drop_stages: int = 0,
        graph: Graph = "self_adjusting",
        statistic: Statistic = "correlation",
        distance: Distance = "euclidean",
        convolution: Convolution = "max_relative",
        knn: int = 9,
        stages: int = 4,
        fusion: Fusion = "concatenation",
        size: int = 224,
        align: int = 256,
        width: int = 64,
        detach_factor: bool = True,
    ) -> None:
        super().__init__()
        choose("graph", graph, Graph)
        choose("statistic", statistic, Statistic)
        choose("distance", distance, Distance)
        choose("convolution", convolution, Convolution)
        choose("fusion", fusion, Fusion)
        _check_scales(multi_scale, drop_stages, size, align, width)
        _check_graph(graph, fusion, knn, stages)
        self.aus = aus
        # What the weights mean, however they are shaped: two models must agree to share them.
        self.settings: dict[str, object] = {
            "backbone": backbone,
            "multi_scale": multi_scale,
            "drop_stages": drop_stages,
            "graph": graph,
            "statistic": statistic if graph == "statistics" else None,
            "distance": distance,
            "convolution": convolution,
            "knn": knn,
            "stages": stages,
            "fusion": fusion,
            "size": size,
            "width": width,
        }
        self.spec = InputSpec(size, align, IMAGENET_MEAN, IMAGENET_STD)
        self.backbone: ResT | Pyramid = (
            ResT(width=width) if backbone == REST_LITE else Pyramid(backbone, size=size)
        )
        channels = self.backbone.channels
        self.tokens: MultiScale | LastStage = (
            MultiScale(channels, size // 4, drop_stages)
            if multi_scale
            else LastStage(channels, size // 32)
        )
        dim, count, regions = self.tokens.channels, self.tokens.count, 0
        self.nodes: Nodes | None = None
        self.correlation: Correlation | Transformer | None = None
        if graph != "none":
            self.nodes = Nodes(aus, channels[0], size)
            self.roi_side = self.nodes.extent * self.nodes.scale  # pixels of the crop
            regions = self.nodes.centres.regions
            ends = self.nodes.size, dim
            if graph == "transformer":
                self.correlation = Transformer(*ends, 16 * width)
            else:
                neighbours: NearestNeighbours | FixedNeighbours
                if graph == "self_adjusting":
                    neighbours = NearestNeighbours(knn, distance)
                else:
                    links = (
                        facs_links(aus) if graph == "facs" else statistical_links(stats, statistic)
                    )
                    of_au = self.nodes.centres.of_au
                    neighbours = FixedNeighbours(between_regions(links, of_au, regions))
                self.correlation = Correlation(*ends, width, stages, convolution, neighbours)
        self.head: Head
        if fusion == "cross_attention":
            self.head = CrossAttentionHead(dim, regions, width, len(aus))
        elif multi_scale or regions:
            self.head = TokenHead(dim, count, regions, width, len(aus))
        else:
            self.head = PooledHead(dim, len(aus))

    def forward(self, images: Tensor) -> Output:
        """Read AUs off faces.

        Args:
            images: (B, 3, size, size), normalised.

        Returns:
            ``logits`` (B, A). With a graph also ``landmarks`` (B, 49, 2), and in ``aux``
            ``centres`` (B, R, 2), of the ROIs, in pixels of the crop, and ``neighbours_shallow``
            and ``neighbours_deep`` (B, R, K) int64, of the first and the last block. A transformer
            has no neighbours. ``embeddings`` (B, 1, D or 2 D) are the mean token and node.
        """
        maps = self.backbone(images)  # of a stem, where there is one, and of four stages
        tokens = self.tokens(maps[-4:])
        if self.nodes is None or self.correlation is None:
            return Output(self.head(tokens), aux={"embeddings": tokens.mean(1, keepdim=True)})
        found = self.nodes(maps[0])
        nodes, neighbours = self.correlation(found.features)
        logits = self.head(tokens, nodes)
        means = torch.cat([tokens.mean(1, keepdim=True), nodes.mean(1, keepdim=True)], -1)
        aux = {"centres": found.centres, "embeddings": means, **neighbours}
        return Output(logits, landmarks=found.landmarks, aux=aux)

    def start_from(self, source: str) -> None:
        """Start a timm backbone from the one source, its ImageNet weights, downloaded once.

        Raises:
            RecipeError: the backbone is ResT-Lite, whose weights must be given as a file.
            UserError: the weights are neither on disk nor to be had.
        """
        if isinstance(self.backbone, ResT):
            raise RecipeError(
                "the ImageNet weights of ResT-Lite cannot be fetched: download the file that its "
                "authors offer (github.com/wofmanaf/ResT) and give its path as init"
            )
        pretrained = Pyramid(self.backbone.name, size=self.spec.size, pretrained=True)
        self.backbone.load_state_dict(pretrained.state_dict())

    def start_from_file(self, path: Path) -> None:
        """Start the backbone from a file: ResT-Lite's from its authors, another's from timm.

        Raises:
            CheckpointError: it cannot be read, or holds another architecture.
        """
        self.backbone.load_authors(path)

    def adopt(self, other: nn.Module, aus: AUSet) -> None:
        """Take over the weights of another SACL: what is shared, and the head where both know it.

        The head is adopted AU by AU and ROI by ROI; AUs and ROIs that only this model has keep
        their first weights. A fixed graph stays as it is.

        Args:
            other: trained model.
            aus: its label axis.

        Raises:
            RecipeError: it is no SACL, or one of other settings.
        """
        if not isinstance(other, SACL):
            raise RecipeError(
                f"sacl takes over the weights of sacl only, not of {type(other).__name__}"
            )
        different = [key for key, value in self.settings.items() if other.settings[key] != value]
        if different:
            raise RecipeError(
                "init: the other sacl has other settings: "
                + ", ".join(f"{k}={other.settings[k]}, here {self.settings[k]}" for k in different)
                + "; give both the same model.params"
            )
        own = ("head.classifier.", "correlation.neighbours.")
        shared = {n: t for n, t in other.state_dict().items() if not n.startswith(own)}
        self.load_state_dict(shared, strict=False)
        first = self.head.places
        places = [(i, i) for i in range(first)]
        if self.nodes is not None:
            theirs = {key: i for i, key in enumerate(region_keys(aus), first)}
            ours = enumerate(region_keys(self.aus), first)
            places += [(i, theirs[key]) for i, key in ours if key in theirs]
        same_aus = [(i, aus.index(n)) for i, n in enumerate(self.aus.numbers) if n in aus.numbers]
        copy_weights(self.head, other.head, same_aus, places)


class Found(NamedTuple):
    """ROIs of a picture."""

    features: Tensor  # (B, R, d_1) flattened
    centres: Tensor  # (B, R, 2) pixels of the crop
    landmarks: Tensor  # (B, 49, 2) pixels of the crop


class Nodes(nn.Module):
    """Landmarks off the basic features, AU centres off the landmarks, and ROIs about the centres.

    Sections 3.3 and 3.4. The ROIs learn nothing about where they are: landmarks have their own
    loss. An ROI that would reach beyond the picture is moved inside.

    Attributes:
        size: d_1, numbers of a flattened ROI.
    """

    def __init__(self, aus: AUSet, channels: int, size: int) -> None:
        super().__init__()
        self.scale = 4  # 1 / eta: pixels of the crop in one of the map
        self.side = size // self.scale
        self.extent = ROI_SHARE * self.side
        self.bins = max(2, round(self.extent))
        self.size = channels * self.bins**2
        self.predictor = LandmarkPredictor(channels, self.side, size)
        self.centres = AUCentres(aus)

    def forward(self, basic: Tensor) -> Found:
        """Find the ROIs in (B, channels, H / 4, W / 4) basic features."""
        _, landmarks = self.predictor(basic)
        centres = inside(self.centres(landmarks.detach()) / self.scale, self.extent, self.side)
        regions = regions_about(basic, centres, self.extent, self.bins)
        return Found(regions.flatten(2), centres * self.scale, landmarks)


class Correlation(nn.Module):
    """Section 3.4: stages of graph blocks, each block with the neighbours of its own input."""

    def __init__(
        self,
        size: int,
        out: int,
        width: int,
        stages: int,
        convolution: Convolution,
        neighbours: NearestNeighbours | FixedNeighbours,
    ) -> None:
        super().__init__()
        self.neighbours = neighbours
        levels = [min(i, len(DEPTHS) - 1) for i in range(stages)]
        widths = [width * 2**level for level in levels]
        self.embed = nn.Linear(size, width)
        self.stages = nn.ModuleList(
            nn.ModuleList(GraphBlock(channels, convolution) for _ in range(DEPTHS[level]))
            for channels, level in zip(widths, levels, strict=True)
        )
        self.expand = nn.ModuleList(map(nn.Linear, widths, [*widths[1:], out]))

    def forward(self, nodes: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Map (B, R, d_1) nodes to (B, R, D), with the neighbours in the first and last block."""
        nodes, graphs = self.embed(nodes), []
        for stage, expand in zip(self.stages, self.expand, strict=True):
            for block in stage.children():
                graphs.append(self.neighbours(nodes))
                nodes = block(nodes, graphs[-1])
            nodes = expand(nodes)
        return nodes, {"neighbours_shallow": graphs[0], "neighbours_deep": graphs[-1]}


def _check_scales(multi_scale: bool, drop_stages: int, size: int, align: int, width: int) -> None:
    if not 64 <= size <= align or size % 32:
        raise RecipeError(
            f"size: expected a multiple of 32 from 64 to align ({align}) pixels, got {size}"
        )
    if width < 16:  # PyTorch's CPU kernels were seen to corrupt memory below 8, and stems have half
        raise RecipeError(f"width: expected 16 channels or more, got {width}")
    if not 0 <= drop_stages <= 3:
        raise RecipeError(f"drop_stages: expected 0 to 3, got {drop_stages}")
    if drop_stages and not multi_scale:
        raise RecipeError("drop_stages leaves stages out of MSFL: it needs multi_scale=true")


def _check_graph(graph: Graph, fusion: Fusion, knn: int, stages: int) -> None:
    if min(knn, stages) < 1:
        raise RecipeError(f"knn and stages: expected 1 or more, got {knn} and {stages}")
    if graph == "none" and fusion == "cross_attention":
        raise RecipeError("fusion=cross_attention needs nodes that attend: choose another graph")
