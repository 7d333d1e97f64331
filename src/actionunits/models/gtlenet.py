"""GTLE-Net: a global expression encoder, local maps and masks of AUs, and a classifier for each.

An et al., *Global-to-local Expression-aware Embeddings for Facial Action Unit Detection* (2022).
Equation, section and table numbers are the paper's. This is stage 2; stage 1, in `expression`,
trains the encoder on the similarity of expressions, and a recipe's `init` hands it over.
"""

from pathlib import Path
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from actionunits.aus import AUSet
from actionunits.errors import RecipeError
from actionunits.losses import occurrence_cross_entropy
from actionunits.models.expression import HALF
from actionunits.models.registry import choose, register
from actionunits.nn.backbone import load_mapped, read_state
from actionunits.nn.grouped import GroupedConv2d
from actionunits.nn.inception_resnet import InceptionEncoder, he_normal, published_name
from actionunits.types import Batch, InputSpec, LabelStats, Output

Maps = Literal["extractor", "cnn", "none"]
Reduction = Literal["mean", "sum"]

COLOURS = 3  # of a feature map of an AU and of the picture that is put together from them


class GTLENetLoss:
    """Cross-entropy summed over AUs, and the squared error of the picture: Eq. (9) to (11).

    The error is on -1..1. Eq. (11) prints half its sum over the pixels, with a minus that would
    reward errors. Here it is positive, and by default a mean over pixels and colours, so that it
    means the same at every size; the recipes say how its weight was chosen.

    Args:
        aus: label axis.
        stats: not used; GTLE-Net does not weight AUs.
        maps: as that of the model; with ``none`` no picture is put together, and the term
            ``reconstruction`` is left out.
        reduction: ``sum`` is Eq. (11) but for its sign: half a sum, which is 1.5 times as many
            times the mean as there are pixels (98,304 at 256 x 256), averaged over the batch.

    Raises:
        RecipeError: there is no such reduction.
    """

    needs = ()

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        maps: Maps = "extractor",
        reduction: Reduction = "mean",
    ) -> None:
        choose("reduction", reduction, Reduction)
        self.reduction = reduction
        self.terms = ("occurrence",) if maps == "none" else ("occurrence", "reconstruction")

    def __call__(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar terms."""
        terms = {
            "occurrence": occurrence_cross_entropy(out.logits, batch.labels, batch.known).sum()
        }
        if "reconstruction" in self.terms:
            assert out.aux is not None
            made = out.aux["reconstruction"].float()
            error = functional.mse_loss(made, batch.images.float())
            half_sum = error * made[0].numel() / 2
            terms["reconstruction"] = error if self.reduction == "mean" else half_sum
        return terms


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, as in ResNet."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolution(inside, out), nn.ReLU(inplace=True), *_convolution(out, out)
        )
        self.shortcut = nn.Sequential(*_convolution(inside, out, kernel=1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inside, H, W) to (B, out, H, W)."""
        return functional.relu_(self.convolutions(x) + self.shortcut(x))


class AUClassifiers(nn.Module):
    """The N classifiers g of Eq. (7), side by side as the groups of one network (section 3.4).

    Five 7x7 convolutions of stride 2 with batch norm and ELU, the average over the map, and a last
    convolution. That one has a padding of 1 in the paper, which after pooling would average its
    bias in; here it has none.

    Args:
        count: N.
        inside: channels that each classifier sees.
        width: channels of its first convolution; each further one has twice as many.
        shared: all classifiers see the same channels, not each its own.
    """

    def __init__(self, count: int, inside: int, width: int, *, shared: bool) -> None:
        super().__init__()
        self.count = count
        seen, groups = (inside, 1) if shared else (count * inside, count)
        first = nn.Conv2d(seen, count * width, 7, 2, padding=3, groups=groups, bias=False)
        layers = [first, nn.BatchNorm2d(count * width), nn.ELU(inplace=True)]
        for out in (2 * width, 4 * width, 8 * width, 16 * width):
            layers += [
                GroupedConv2d(count, out // 2, out, 7, 2),
                nn.BatchNorm2d(count * out),
                nn.ELU(inplace=True),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.last = nn.Conv2d(count * 16 * width, count, 1, groups=count)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Classify.

        Args:
            features: (B, N * inside, H, W), AU by AU; (B, inside, H, W) where they are shared.

        Returns:
            Logits (B, N), and the AU embeddings (B, N, D) that they are read from.
        """
        # Three channels a group are convolved three times as fast with channels last.
        features = features.contiguous(memory_format=torch.channels_last)
        pooled = self.convolutions(features).mean((2, 3), keepdim=True)  # (B, N * D, 1, 1)
        return self.last(pooled)[:, :, 0, 0], pooled.unflatten(1, (self.count, -1))[..., 0, 0]


@register("gtlenet", GTLENetLoss)
class GTLENet(nn.Module):
    """AU occurrence from what an expression encoder sees, masked for each AU (Figure 2).

    Two extractors turn the 16 x 16 map of the encoder into N + 1 feature maps and as many masks of
    the size of the picture, one an AU and one for all else. Each is one network whose N + 1 heads
    are one convolution. Their products are classified AU by AU and, together, turned back into the
    picture. The masks are learned without any supervision of their own.

    The paper leaves open: the extractors' widths (256, 128, 64, 32 here, a residual block and a
    bilinear upsampling each), the activation of the maps (tanh), and the head that makes the
    picture (one 3x3 convolution).

    Args:
        aus: label axis, N AUs.
        stats: not used.
        masks: False is Table 6's "w/o E_m": maps are classified as they are.
        maps: ``extractor`` is E_a. ``cnn`` has plain convolutions in its place, with the paper's
            16.6 million parameters (Table 6's "w. CNN"). With ``none`` every classifier reads the
            encoder's map (Table 6's "w/o E_a").
        freeze_encoder: keep the encoder as it was handed over (Table 6's "GEE fixed").
        size: side of the crop that the model sees, in pixels, a multiple of 16.
        align: side of the aligned face that the crop is taken from. The paper does not crop.
        width: channels of the first convolution of the encoder and of the last of the extractors,
            32 in the paper; all others change with it.
        reduction: of the loss.

    Raises:
        RecipeError: a setting has a value that it cannot have, or two contradict each other.
    """

    def __init__(
        self,
        aus: AUSet,
        stats: LabelStats,
        *,
        masks: bool = True,
        maps: Maps = "extractor",
        freeze_encoder: bool = False,
        size: int = 256,
        align: int = 256,
        width: int = 32,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        _check(masks, maps, size, align)
        count, self.freeze_encoder = len(aus), freeze_encoder
        self.spec = InputSpec(size, align, HALF, HALF)
        self.encoder = InceptionEncoder(width=width)
        h = self.encoder.channels

        self.map_extractor: nn.Module | None = None
        self.mask_extractor: nn.Module | None = None
        if maps != "none":
            trunk = _residual_trunk(h, width) if maps == "extractor" else _plain_trunk(h, width)
            heads = nn.Conv2d(width, COLOURS * (count + 1), 3, padding=1)
            self.map_extractor = nn.Sequential(trunk, heads, nn.Tanh())
            self.reconstruction = nn.Conv2d(COLOURS * (count + 1), COLOURS, 3, padding=1)
        if masks:
            heads = nn.Conv2d(width, count + 1, 3, padding=1)
            self.mask_extractor = nn.Sequential(_residual_trunk(h, width), heads, nn.Sigmoid())
        self.classifiers = (
            AUClassifiers(count, h, width // 2, shared=True)
            if maps == "none"
            else AUClassifiers(count, COLOURS, width // 2, shared=False)
        )
        he_normal(self)
        self.encoder.requires_grad_(not freeze_encoder)

    def forward(self, images: Tensor) -> Output:
        """Read AUs off faces.

        Args:
            images: (B, 3, size, size), normalised.

        Returns:
            ``logits`` (B, N), and in ``aux`` what there is of ``embeddings`` (B, N, D), ``masks``
            (B, N + 1, size, size) on 0..1, of which the last is that of all else, and
            ``reconstruction`` (B, 3, size, size), the picture on the scale of `images`.
        """
        h = self.encoder(images)  # Eq. (2)
        if self.map_extractor is None:
            logits, embeddings = self.classifiers(h)
            return Output(logits, aux={"embeddings": embeddings})
        features, aux = self.map_extractor(h), {}  # Eq. (3): (B, 3 (N + 1), size, size)
        if self.mask_extractor is not None:
            masks = aux["masks"] = self.mask_extractor(h)  # Eq. (4)
            each = features.unflatten(1, (-1, COLOURS))
            features = (masks[:, :, None] * each).flatten(1, 2)  # Eq. (5)
        aux["reconstruction"] = self.reconstruction(features)  # Eq. (6)
        logits, aux["embeddings"] = self.classifiers(features[:, :-COLOURS])  # Eq. (7)
        return Output(logits, aux=aux)

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation; a frozen encoder stays in evaluation."""
        super().train(mode)
        if self.freeze_encoder:
            self.encoder.eval()
        return self

    def adopt(self, other: nn.Module, aus: AUSet | None) -> None:
        """Take over the encoder of stage 1, or that of a GTLE-Net of other AUs.

        Args:
            other: whose encoder.
            aus: not used; the encoder knows no AUs.

        Raises:
            RecipeError: it has no such encoder, or one of another width.
        """
        encoder = getattr(other, "encoder", None)
        if not isinstance(encoder, InceptionEncoder):
            raise RecipeError(
                "init: GTLE-Net takes over the encoder of expression_similarity, "
                f"expression_classes or gtlenet, {type(other).__name__} has none"
            )
        if encoder.width != self.encoder.width:
            raise RecipeError(
                f"init: the encoders have the widths {encoder.width} and {self.encoder.width}: "
                "train both stages with the same model.params.width"
            )
        self.encoder.load_state_dict(encoder.state_dict())

    def start_from_file(self, file: Path) -> None:
        """Take over the encoder from published weights of Inception-ResNet-v1.

        Table 6's ImageNet row starts so: no registry of weights offers that network.

        Raises:
            CheckpointError: the file cannot be read, or holds another architecture.
        """
        load_mapped(self.encoder, read_state(file), _encoder_name, file)


def _encoder_name(name: str) -> str | None:
    """Our name in the encoder of a published tensor, None if it belongs to later layers."""
    ours = published_name(name)
    if ours is None or ours.startswith("tail."):
        return None
    return ours.removeprefix("encoder.")


def _convolution(inside: int, out: int, kernel: int = 3) -> list[nn.Module]:
    return [
        nn.Conv2d(inside, out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out),
    ]


def _upsampling() -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)


def _residual_trunk(inside: int, width: int) -> nn.Sequential:
    """From the encoder's map to `width` channels of the picture's size."""
    trunk = nn.Sequential()
    for out in (8 * width, 4 * width, 2 * width, width):
        trunk.extend([ResidualBlock(inside, out), _upsampling()])
        inside = out
    return trunk


def _plain_trunk(inside: int, width: int) -> nn.Sequential:
    """The same without shortcuts, and with three wide convolutions before."""
    trunk = nn.Sequential()
    for _ in range(3):
        trunk.extend([*_convolution(inside, 22 * width), nn.ReLU(inplace=True)])
        inside = 22 * width  # 704: what makes 16.6 million parameters
    for out in (8 * width, 4 * width, 2 * width, width):
        trunk.extend([*_convolution(inside, out), nn.ReLU(inplace=True), _upsampling()])
        inside = out
    return trunk


def _check(masks: bool, maps: str, size: int, align: int) -> None:
    choose("maps", maps, Maps)
    if masks and maps == "none":
        raise RecipeError("masks: without maps there is nothing to mask; set masks to false")
    if not 32 <= size <= align or size % 16:
        raise RecipeError(f"size: expected a multiple of 16 from 32 to align ({align}), got {size}")
