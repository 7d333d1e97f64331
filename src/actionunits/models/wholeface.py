"""One network that reads a whole face: AUs and their sides, landmarks, pose, gaze, and how surely.

Ours, of no paper: a residual network (He et al., CVPR 2016) for crops of about 112 pixels with a
linear layer for each thing that it reads. It is the network of the weights that detection uses by
default, and its sizes are those that a processor trains fastest: pictures are taken in blocks of 4
x 4 pixels, and there are few channels where maps are large.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import BasicBlock

from actionunits.aus import AUSet
from actionunits.errors import RecipeError
from actionunits.faces.templates import MEAN49
from actionunits.losses import landmark_distance, mean_where, occurrence_cross_entropy
from actionunits.models.registry import register
from actionunits.nn.backbone import IMAGENET_MEAN, IMAGENET_STD
from actionunits.types import Batch, Besides, InputSpec, LabelStats, Output

_BLOCK = 4  # pixels a side that the first convolution takes as one place
_REGIONS = 6  # of `Besides.hidden`
_ANGLE = 10.0  # degrees that weigh as much as one unit of a loss, and that a head says as 1
_LARGEST = 5.0  # intensity
_RAREST = 1e-3  # rate


class WholeFaceLoss:
    """A term for each thing that is read; what a frame does not tell counts in none.

    ``occurrence`` is cross-entropy and ``intensity`` squared error, means over AUs; ``sides`` the
    squared error of what the right side has more than the left. ``landmarks`` is the mean distance
    in inter-ocular distances; ``pose`` and ``gaze`` are mean absolute errors, in tens of degrees;
    ``hidden`` is cross-entropy.

    ``quality`` is the squared error of how much of the face the network reads: 1 less its own
    cross-entropy over that of somebody who sees nothing and knows how often AUs occur (McFadden's R
    squared, of one face, at least 0). Errors alone would not do: where nothing can be seen, nothing
    is said, and that is mostly right.

    Args:
        aus: label axis.
        stats: how often AUs occur.
    """

    terms = (
        *("occurrence", "intensity", "sides", "landmarks"),
        *("pose", "gaze", "hidden", "quality"),
    )
    needs: tuple[str, ...] = ()

    def __init__(self, aus: AUSet, stats: LabelStats) -> None:
        self._prior = stats.rate.clamp(_RAREST, 1 - _RAREST).logit()

    def __call__(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar terms; 0 where the batch tells nothing of what a term is about."""
        assert out.intensity is not None
        assert out.landmarks is not None
        assert out.besides is not None
        assert out.aux is not None
        said = (out.intensity, out.landmarks, *out.besides, out.aux["hidden"], out.aux["quality"])
        nothing = (
            torch.stack([part.sum() for part in said]).sum() * 0
        )  # all weights have a gradient
        terms = dict.fromkeys(self.terms, nothing)
        terms["occurrence"] = occurrence_cross_entropy(out.logits, batch.labels, batch.known).mean()
        terms["quality"] = self._quality(out, batch)
        if batch.intensity is not None:
            squares = (out.intensity - batch.intensity).square()
            terms["intensity"] = mean_where(squares, batch.known).mean()
        if batch.landmarks is not None:
            known = batch.landmarks.isfinite().all(-1).all(-1)
            distances = landmark_distance(out.landmarks[known], batch.landmarks[known])
            terms["landmarks"] = distances.sum() / known.sum().clamp(min=1)
        if batch.besides is not None:
            read, true = out.besides, batch.besides
            more, really = (sides[..., 0] - sides[..., 1] for sides in (read.sides, true.sides))
            terms["sides"] = _mean_of_known((more - really).square(), really)
            terms["pose"] = _mean_of_known((read.pose - true.pose).abs(), true.pose) / _ANGLE
            terms["gaze"] = _mean_of_known((read.gaze - true.gaze).abs(), true.gaze) / _ANGLE
            share = true.hidden.nan_to_num()
            behind = functional.binary_cross_entropy_with_logits(
                out.aux["hidden"], share, reduction="none"
            )
            terms["hidden"] = _mean_of_known(behind, true.hidden)
        return terms

    def _quality(self, out: Output, batch: Batch) -> Tensor:
        assert out.aux is not None

        def missed(logits: Tensor) -> Tensor:
            """Cross-entropy of each face, (B,)."""
            each = functional.binary_cross_entropy_with_logits(
                logits, batch.labels, reduction="none"
            )
            return (each * batch.known).sum(-1)

        coded = batch.known.any(-1)
        blind = missed(self._prior.to(batch.labels).expand_as(batch.labels))
        read = 1 - missed(out.logits.detach().float()) / torch.where(coded, blind, 1.0)
        each = (out.aux["quality"].sigmoid() - read.clamp(0, 1)).square()
        return each[coded].sum() / coded.sum().clamp(min=1)


def _mean_of_known(values: Tensor, truth: Tensor) -> Tensor:
    """Mean of `values` where the truth is no NaN; 0 where it is nowhere known."""
    known = truth.isfinite()
    return torch.where(known, values, 0.0).sum() / known.sum().clamp(min=1)


@register("wholeface", WholeFaceLoss)
class WholeFace(nn.Module):
    """AU occurrence and intensity on either side, 49 landmarks, head pose, gaze and quality.

    The intensity of an AU is that of its stronger side: an asymmetry in -1..1 says how much less
    the other side has of it. ``Output.quality`` is what the network expects of itself, see the
    loss: 0 where it sees no more than somebody who does not look.

    Args:
        aus: label axis.
        stats: of the training rows; the first outputs are their rates.
        size: side of the crop that the model sees, in pixels.
        align: side of the aligned face that the crop is taken from.
        widths: channels of each stage; each after the first halves the map.
        depths: residual blocks of each stage.
        dropout: share of the features that the layers of the AUs do without in training.

    Raises:
        RecipeError: a setting has a value that it cannot have, or two contradict each other.
    """

    mean_shape: Tensor

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        size: int = 112,
        align: int = 128,
        widths: Sequence[int] = (64, 128, 256, 384),
        depths: Sequence[int] = (1, 2, 2, 2),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _check(size, align, widths, depths, dropout)
        self.aus = aus
        self.spec = InputSpec(size, align, IMAGENET_MEAN, IMAGENET_STD)
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(_BLOCK),
            nn.Conv2d(3 * _BLOCK**2, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        blocks, inside = [], widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for number in range(depth):
                blocks.append(_block(inside, width, 2 if stage and not number else 1))
                inside = width
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        side = -(-size // (_BLOCK << len(widths) - 1))  # of the last map
        self.occurrence = nn.Linear(inside, len(aus))
        self.intensity = nn.Linear(inside, len(aus))
        self.asymmetry = nn.Linear(inside, len(aus))
        self.state = nn.Linear(inside, _REGIONS + 1)  # what is hidden, and quality
        # where things are is what is asked for: these see the map itself
        self.geometry = nn.Linear(inside * side**2, MEAN49.size + 3 + 2)
        shape = torch.tensor(MEAN49, dtype=torch.float32) * align - (align - size) / 2
        self.register_buffer("mean_shape", shape, persistent=False)
        self._start(stats)

    def _start(self, stats: LabelStats) -> None:
        """Fresh weights: zero angles, the mean shape, and AUs as often as they occur."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.geometry.bias)
        with torch.no_grad():
            self.occurrence.bias.copy_(stats.rate.clamp(_RAREST, 1 - _RAREST).logit())
            self.intensity.bias.copy_((stats.rate / 2).clamp(_RAREST, 1 - _RAREST).logit())

    def forward(self, images: Tensor) -> Output:
        """Map (B, 3, size, size) normalised faces to an `Output` in float32."""
        features = self.blocks(self.stem(images))
        with torch.autocast(images.device.type, enabled=False):
            features = features.float()  # bfloat16 would round to a sixteenth of a pixel
            pooled = features.mean((2, 3))
            seen = self.dropout(pooled)
            intensity = _LARGEST * self.intensity(seen).sigmoid()
            asymmetry = self.asymmetry(seen).tanh()  # above 0: less on the right
            weaker = torch.stack([asymmetry, -asymmetry], -1).relu()
            state = self.state(pooled)
            points, angles = self.geometry(features.flatten(1)).split([MEAN49.size, 5], 1)
            pose, gaze = (_ANGLE * angles).split([3, 2], 1)
            besides = Besides(
                sides=intensity[..., None] * (1 - weaker),
                pose=pose,
                gaze=gaze,
                hidden=state[:, :_REGIONS].sigmoid(),
            )
            return Output(
                self.occurrence(seen),
                intensity,
                self.mean_shape + points.view(-1, *self.mean_shape.shape),
                {
                    "embeddings": pooled[:, None],
                    "hidden": state[:, :_REGIONS],
                    "quality": state[:, -1],
                },
                besides,
                state[:, -1].sigmoid(),
            )

    def adopt(self, other: nn.Module, aus: AUSet | None) -> None:
        """Start from another of the same sizes: all of it, and of the AUs what both have.

        Args:
            other: the other model.
            aus: its label axis.

        Raises:
            RecipeError: it is no whole-face network, or of other sizes.
        """
        if not isinstance(other, WholeFace) or aus is None:
            raise RecipeError(f"a whole-face network cannot start from a {type(other).__name__}")
        state, own = other.state_dict(), self.state_dict()
        layers = ("occurrence", "intensity", "asymmetry")
        common = [number for number in self.aus.numbers if number in aus.numbers]
        here = [self.aus.index(number) for number in common]
        there = [aus.index(number) for number in common]
        if state.keys() != own.keys():
            raise RecipeError("a whole-face network starts from one of the same depths")
        for name, value in state.items():
            of_aus = name.split(".")[0] in layers
            if own[name].shape[of_aus:] != value.shape[of_aus:]:
                raise RecipeError(
                    f"a whole-face network starts from one of the same size and widths: {name}"
                )
            if of_aus:
                own[name][here] = value[there]
            else:
                own[name] = value
        self.load_state_dict(own)


def _block(inside: int, out: int, stride: int) -> BasicBlock:
    if inside == out and stride == 1:
        return BasicBlock(inside, out)
    shortcut = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))
    return BasicBlock(inside, out, stride, shortcut)


def _check(
    size: int, align: int, widths: Sequence[int], depths: Sequence[int], dropout: float
) -> None:
    if not widths or len(widths) != len(depths) or min(*widths, *depths) < 1:
        raise RecipeError(
            f"widths and depths: expected as many of each, all 1 or more, got {list(widths)} and "
            f"{list(depths)}"
        )
    if size % _BLOCK or not _BLOCK << len(widths) - 1 <= size <= align:
        raise RecipeError(
            f"size: expected a multiple of {_BLOCK} from {_BLOCK << len(widths) - 1} to align "
            f"({align}) pixels, got {size}"
        )
    if not 0 <= dropout < 1:
        raise RecipeError(f"dropout: expected 0 to below 1, got {dropout}")
