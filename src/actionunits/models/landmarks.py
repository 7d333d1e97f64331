"""49 landmarks off a face that is roughly in place, for data sets that bring none.

A ResNet-18 whose last map is not pooled, because where things are is what is asked for; a linear
layer turns it into offsets from the mean shape.
"""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from actionunits.errors import RecipeError
from actionunits.faces.templates import MEAN49
from actionunits.losses import landmark_distance
from actionunits.models.registry import register
from actionunits.nn.backbone import IMAGENET_MEAN, IMAGENET_STD
from actionunits.types import Batch, InputSpec, Shape

_STRIDE = 32  # of the last map


class LandmarkLoss:
    """Mean distance of the landmarks in inter-ocular distances, over the faces that have them.

    It is what reports call the error. Squared distances, which the papers' losses have, leave
    errors of less than a pixel almost without a gradient.
    """

    terms = ("landmarks",)
    needs = ("landmarks",)

    def __call__(self, out: Shape, batch: Batch) -> dict[str, Tensor]:
        """Return the scalar term; 0 where no face has landmarks."""
        assert batch.landmarks is not None
        known = batch.landmarks.isfinite().all(-1).all(-1)
        distance = landmark_distance(out.landmarks[known], batch.landmarks[known])
        return {"landmarks": distance.sum() / known.sum().clamp(min=1)}


@register("landmarks", LandmarkLoss, task="landmarks")
class LandmarkNet(nn.Module):
    """Landmarks of one aligned face.

    Args:
        size: side of the crop that the model sees, in pixels.
        align: side of the aligned face that the crop is taken from.
        width: channels of the first stage; the last has eight times as many.

    Raises:
        RecipeError: a setting has a value that it cannot have.
    """

    mean_shape: Tensor

    def __init__(self, *, size: int = 80, align: int = 96, width: int = 32) -> None:
        super().__init__()
        if not _STRIDE <= size <= align:
            raise RecipeError(f"size: expected {_STRIDE} to align ({align}) pixels, got {size}")
        if width < 1:
            raise RecipeError(f"width: expected 1 or more, got {width}")
        self.spec = InputSpec(size, align, IMAGENET_MEAN, IMAGENET_STD)
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, padding=1),
        )
        stages = [_block(width, width, 1), _block(width, width, 1)]
        for stage in range(3):
            inside = width << stage
            stages += [_block(inside, 2 * inside, 2), _block(2 * inside, 2 * inside, 1)]
        self.stages = nn.Sequential(*stages)
        side = -(-size // _STRIDE)
        self.head = nn.Linear(8 * width * side**2, MEAN49.size)
        shape = torch.tensor(MEAN49, dtype=torch.float32) * align - (align - size) / 2
        self.register_buffer("mean_shape", shape, persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Shape:
        """Map (B, 3, size, size) normalised faces to ``landmarks`` (B, 49, 2), float32."""
        features = self.stages(self.stem(images)).flatten(1)
        with torch.autocast(images.device.type, enabled=False):
            offsets = self.head(features.float())  # bfloat16 would round to a sixteenth of a pixel
        return Shape(self.mean_shape + offsets.view(-1, *self.mean_shape.shape))


def _block(inside: int, out: int, stride: int) -> BasicBlock:
    if inside == out:
        return BasicBlock(inside, out, stride)
    shortcut = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))
    return BasicBlock(inside, out, stride, shortcut)
