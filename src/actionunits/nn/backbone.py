"""Backbones from timm, and weights from files of others."""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, cast

import timm
import torch
from safetensors.torch import load_file
from timm.models import FeatureInfo
from torch import Tensor, nn

from actionunits.errors import CheckpointError, RecipeError, UserError, counted
from actionunits.nn.pooled import Pooled
from actionunits.nn.resnet import ConditionalResNet18

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
STRIDES = [4, 8, 16, 32]
_STAGES = (0, 1, 2, 3)
_SWIN = ("swin_", "swinv2_")  # built for one size of picture
_LAST = re.compile(r"(fc|head|norm|classifier|conv_head|bn2)\.")  # comes after the maps
_DERIVED = ("relative_position_index", "attn_mask")  # tensors that follow from the settings


class Pyramid(nn.Module):
    """Four-stage backbone of timm.

    Attributes:
        channels: of the maps of the four stages.

    Args:
        name: as timm calls it; a tag after a dot says which weights: ``resnet50.tv_in1k``.
        size: side of the pictures, for those that are built for one.
        pretrained: with the weights of that name, downloaded once.
        drop_path: chance that the last block is left out in training, falling to 0 at the first.

    Raises:
        RecipeError: timm has no such backbone, or not with stages at a 4th to a 32nd of the size.
        UserError: the weights are neither on disk nor to be had.
    """

    def __init__(
        self, name: str, *, size: int, pretrained: bool = False, drop_path: float = 0.0
    ) -> None:
        super().__init__()
        self.name = name
        self._swin = name.startswith(_SWIN)
        self.net = _create(name, size, pretrained, drop_path)
        info: Any = self.net.feature_info
        if self._swin:
            info = FeatureInfo(info, _STAGES)
        if info.reduction() != STRIDES:
            raise RecipeError(
                f"backbone: expected four stages at strides {STRIDES}, {name} has "
                f"{info.reduction()}"
            )
        self.channels: list[int] = info.channels()
        self._channels_last = getattr(self.net, "output_fmt", "NCHW") == "NHWC"

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map (B, 3, H, W) to four (B, channels, H / 4 to H / 32, W / 4 to W / 32)."""
        if self._swin:  # timm's pyramids are without the norm after its last stage
            normed: list[Tensor] = cast(Any, self.net).forward_intermediates(
                images, indices=len(_STAGES), norm=True, intermediates_only=True
            )
            return normed
        maps: list[Tensor] = self.net(images)
        return [m.permute(0, 3, 1, 2) if self._channels_last else m for m in maps]

    def load_authors(self, file: Path) -> None:
        """Take weights from a file with the names of timm, torchvision or Swin's authors.

        Raises:
            CheckpointError: the file is damaged or holds weights of another architecture.
        """
        state, wanted = read_state(file), self.net.state_dict().keys()
        # Swin's authors count the halving of the map to the stage before it, timm to the one after.
        shift = any(name.startswith("layers.0.downsample.") for name in state)

        def rename(name: str) -> str | None:
            if found := re.match(r"layers\.(\d+)\.(downsample\..*)", name):
                name = f"layers.{int(found[1]) + shift}.{found[2]}"
            return self._called(name, wanted)

        load_mapped(self.net, state, rename, file)

    def _called(self, name: str, wanted: Collection[str]) -> str | None:
        """What a tensor of the whole network is called here; None for one that comes later."""
        if name.endswith(_DERIVED) or (_LAST.match(name) and name not in wanted):
            return None
        flat = re.sub(r"^(stem|layers|stages)\.(\d+)\.", r"\1_\2.", name)  # as pyramids call it
        return flat if flat in wanted else name

    def adopt(self, other: nn.Module) -> None:
        """Take the weights of another model's backbone, MDHR's or that of RE-Net's baseline.

        Raises:
            RecipeError: it is of another architecture, or has norms for each AU.
        """
        backbone = getattr(other, "backbone", None)
        if isinstance(backbone, ConditionalResNet18):
            state = backbone.torchvision_state()
        elif isinstance(backbone, Pyramid | Pooled):
            state = backbone.net.state_dict()
        else:
            raise RecipeError("init: the backbone starts from that of RE-Net's baseline or of MDHR")
        wanted = self.net.state_dict().keys()
        try:
            load_mapped(self.net, state, lambda name: self._called(name, wanted), Path("init"))
        except CheckpointError as error:
            raise RecipeError(f"{error}: it needs the backbone {self.name}") from error


def _create(name: str, size: int, pretrained: bool, drop_path: float) -> nn.Module:
    if not timm.is_model(name):
        raise RecipeError(f"backbone: timm has no model {name!r}; see timm.list_models()")
    # The last four stages: some, such as ResNet's, have a stem's map before them.
    kind: dict[str, Any] = {"features_only": True, "out_indices": (-4, -3, -2, -1)}
    if name.startswith(_SWIN):
        kind = {"num_classes": 0, "img_size": size}
    if drop_path:
        kind["drop_path_rate"] = drop_path
    try:
        net: nn.Module = timm.create_model(name, pretrained=pretrained, **kind)
    except OSError as error:
        raise UserError(
            f"the ImageNet weights of {name} are not on disk and cannot be downloaded: connect "
            "once, give a local file as init, or train without them"
        ) from error
    except (RuntimeError, AssertionError, AttributeError, IndexError, TypeError, ValueError) as bad:
        raise RecipeError(f"backbone: {name} cannot be cut into four stages ({bad})") from bad
    return net


def read_state(file: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, or of a PyTorch file, of which only tensors are read.

    Raises:
        CheckpointError: the file is missing, damaged, or holds anything but named tensors.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{file}: there is no such file") from None
    except Exception as error:  # damaged files fail in many ways
        reason = next(iter(str(error).splitlines()), "it is empty or cut short")
        raise CheckpointError(f"{file}: not a file of weights that can be read: {reason}") from None
    for key in ("state_dict", "model"):  # what training scripts wrap them in
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise CheckpointError(f"{file}: expected named tensors, found {type(content).__name__}")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def load_mapped(
    module: nn.Module,
    state: Mapping[str, Tensor],
    rename: Callable[[str], str | None],
    file: Path,
) -> None:
    """Load foreign weights; every tensor of the module must be there.

    Args:
        module: takes the weights.
        state: of the file.
        rename: from a name in the file to the module's, or None for what is left out.
        file: for messages.

    Raises:
        CheckpointError: a tensor is missing, has another shape, or nobody wants it.
    """
    found = {new: value for old, value in state.items() if (new := rename(old)) is not None}
    counter = "num_batches_tracked"  # older files lack it, and nothing here depends on it
    found = {name: value for name, value in found.items() if not name.endswith(counter)}
    wanted = {n: v for n, v in module.state_dict().items() if not n.endswith(counter)}
    check_fit(wanted, found, file)
    module.load_state_dict(found, strict=False)


def check_fit(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], file: Path) -> None:
    """Compare names and shapes of tensors, and look whether all their numbers are finite.

    Args:
        wanted: of a model.
        found: in a file.
        file: for messages.

    Raises:
        CheckpointError: they differ, or a number is none.
    """
    absent, extra = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if absent or extra:
        faults = [
            f"{counted(len(names), 'tensor')} {fault} ({', '.join(names[:3])})"
            for names, fault in ((absent, "missing"), (extra, "unknown"))
            if names
        ]
        raise CheckpointError(
            f"{file}: the weights are those of another architecture: {', '.join(faults)}"
        )
    for name, tensor in wanted.items():
        if found[name].shape != tensor.shape:
            raise CheckpointError(
                f"{file}: {name} should have the shape {tuple(tensor.shape)}, "
                f"it has {tuple(found[name].shape)}"
            )
        if not found[name].isfinite().all():
            raise CheckpointError(
                f"{file}: {name} has numbers that are infinite or none (NaN), so that nothing can "
                "be read with these weights: take others, or train again with a lower optimiser.lr"
            )
