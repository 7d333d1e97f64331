"""Augmentation of whole batches of aligned faces, the same whatever worker computes it.

All randomness of a sample is a function of (seed, epoch, sample number) and of nothing else: it
depends neither on the number of workers nor on what else is in the batch, and a resumed training
sees what the uninterrupted one saw.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from actionunits.data.jpeg import jpeg
from actionunits.data.ruin import ruined
from actionunits.data.spectrum import as_photographed
from actionunits.errors import RecipeError
from actionunits.types import Besides, InputSpec

# Point i of a mirrored face is point FLIP49[i] of the face: left and right change places.
FLIP49 = torch.tensor(
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]  # brows
    + [10, 11, 12, 13, 18, 17, 16, 15, 14]  # nose bridge, nostrils
    + [28, 27, 26, 25, 30, 29, 22, 21, 20, 19, 24, 23]  # eyes
    + [37, 36, 35, 34, 33, 32, 31, 42, 41, 40, 39, 38]  # outer lip
    + [45, 44, 43, 48, 47, 46]  # inner lip
)

_LUMA = torch.tensor([0.299, 0.587, 0.114])
_DRAWS = (
    *("crop_x", "crop_y", "flip", "rotate", "scale", "shift_x", "shift_y"),
    *("brightness", "contrast", "saturation", "red", "blue", "grayscale"),
    *("blur", "noise", "noise_at", "jpeg", "quality"),
    *("erase", "erase_x", "erase_y", "erase_width", "erase_height", "erase_shade"),
    *("clip", "ruin", "ruin_kind", "ruin_by", "ruin_side"),
    *("spectrum", "spectrum_of", "spectrum_by"),
)


@dataclass(frozen=True)
class Augment:
    """Settings of the augmentation; all off, an aligned face is cropped in the centre.

    Attributes:
        random_crop: crop at a random place.
        flip: probability of a mirrored face.
        rotate: largest rotation, degrees.
        scale: largest relative change of size.
        translate: largest shift, share of the side.
        brightness: largest relative change of brightness.
        contrast: largest relative change of contrast.
        saturation: largest relative change of saturation.
        tint: largest relative change of red and blue against green.
        grayscale: probability of a picture without colour.
        blur: largest standard deviation of a Gaussian blur, pixels of the crop.
        noise: largest standard deviation of pixel noise, on 0..1.
        jpeg: probability of a JPEG round trip of quality 20 to 90.
        erase: probability of one erased rectangle, a tenth to four tenths of the side each way.
        ruin: probability of a picture that hardly shows the face, see `actionunits.data.ruin`.
        spectrum: probability of a photograph's spectrum, see `actionunits.data.spectrum`.
    """

    random_crop: bool = False
    flip: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    translate: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    tint: float = 0.0
    grayscale: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    erase: float = 0.0
    ruin: float = 0.0
    spectrum: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            RecipeError: a setting is outside its range.
        """
        upper = {"rotate": 180.0, "blur": 10.0}
        for field in fields(self):
            value, most = getattr(self, field.name), upper.get(field.name, 1.0)
            if not 0 <= value <= most:
                raise RecipeError(f"augment.{field.name}: expected 0 to {most:g}, got {value}")


def uniforms(seed: int, epoch: int, samples: np.ndarray) -> dict[str, Tensor]:
    """Draw the random numbers of samples from a counter, not from a state.

    Args:
        seed: of the run.
        epoch: from 0.
        samples: (N,) int numbers of the samples.

    Returns:
        Per draw (N,) float32 in [0, 1).
    """
    key = _scramble(np.array([seed], np.uint64))
    key = _scramble(key + np.uint64(epoch))
    keys = _scramble(key + samples.astype(np.uint64))  # (N,)
    bits = _scramble(keys[:, None] + np.arange(len(_DRAWS), dtype=np.uint64))
    values = (bits >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
    return dict(zip(_DRAWS, torch.from_numpy(values.T.copy()), strict=True))


def _scramble(x: np.ndarray) -> np.ndarray:
    """Mix 64 bits; the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = x ^ (x >> np.uint64(31))
    return mixed


class Transform:
    """From aligned faces to what a model is fed: augmentation, crop and normalisation.

    Args:
        spec: size, alignment and normalisation that the model wants.
        augment: what is random.
    """

    def __init__(self, spec: InputSpec, augment: Augment) -> None:
        self._spec, self._augment = spec, augment
        self._moves = augment.rotate > 0 or augment.scale > 0 or augment.translate > 0
        colours = ("brightness", "contrast", "saturation", "tint", "grayscale")
        self._colours = any(getattr(augment, name) > 0 for name in colours)
        self._mean = torch.tensor(spec.mean)[:, None, None]
        self._std = torch.tensor(spec.std)[:, None, None]

    def __call__(
        self, faces: Tensor, landmarks: Tensor | None, u: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """Transform a batch.

        Args:
            faces: (N, 3, align, align) uint8, on any device.
            landmarks: (N, 49, 2) in pixels of the aligned face, or None; on the same device.
            u: (N,) each, from `uniforms`; on the same device.

        Returns:
            (N, 3, size, size) float32, normalised, and the landmarks in pixels of the crop.
        """
        augment = self._augment
        if self._moves:
            faces, landmarks = _move(faces, landmarks, augment, u)
        faces, landmarks = self._crop(faces, landmarks, u)
        if augment.flip:
            faces, landmarks = flip(faces, landmarks, u["flip"] < augment.flip)
        images = faces.float() / 255
        if self._colours:
            images = _recolour(images, augment, u)
        if augment.spectrum:
            photograph, share = u["spectrum_of"], u["spectrum_by"]
            images = as_photographed(images, u["spectrum"] < augment.spectrum, photograph, share)
        if augment.blur:
            images = _blur(images, augment.blur * u["blur"], augment.blur)
        if augment.noise:
            images = _add_noise(images, augment.noise * u["noise"], u["noise_at"])
        if augment.jpeg:
            images = _compress(images, u["jpeg"] < augment.jpeg, 20 + 70 * u["quality"])
        if augment.erase:
            images = _erase(images, u["erase"] < augment.erase, u)
        if augment.ruin:
            images = ruined(images, u["ruin"] < augment.ruin, u)
        mean, std = self._mean.to(images.device), self._std.to(images.device)
        return (images - mean) / std, landmarks

    def _crop(
        self, faces: Tensor, landmarks: Tensor | None, u: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        size = self._spec.size
        room = self._spec.align - size
        if self._augment.random_crop:
            corner = (torch.stack([u["crop_x"], u["crop_y"]], 1) * (room + 1)).long()  # (N, 2)
        else:
            corner = torch.full((len(faces), 2), room // 2, device=faces.device)
        windows = faces.unfold(2, size, 1).unfold(3, size, 1)  # (N, 3, room + 1, room + 1, S, S)
        each = torch.arange(len(faces), device=faces.device)
        crops = windows[each, :, corner[:, 1], corner[:, 0]]
        return crops, None if landmarks is None else landmarks - corner[:, None]


def flip(images: Tensor, landmarks: Tensor | None, which: Tensor) -> tuple[Tensor, Tensor | None]:
    """Mirror some faces; left and right landmarks change places.

    Args:
        images: (N, 3, H, W).
        landmarks: (N, 49, 2) x, y in pixels, or None.
        which: (N,) bool.

    Returns:
        The same shapes.
    """
    images = torch.where(which[:, None, None, None], images.flip(-1), images)
    if landmarks is None:
        return images, None
    mirrored = landmarks[:, FLIP49.to(landmarks.device)]
    mirrored = torch.stack([images.shape[-1] - mirrored[..., 0], mirrored[..., 1]], -1)
    return images, torch.where(which[:, None, None], mirrored, landmarks)


# Side i of a mirrored face is side _SWAP[i] of the face; so are the regions of `Besides.hidden`.
_SWAP, _SWAP_REGIONS = [1, 0], [1, 0, 2, 4, 3, 5]
_MIRRORED_POSE, _MIRRORED_GAZE = torch.tensor([-1.0, 1.0, -1.0]), torch.tensor([-1.0, 1.0])


def move_besides(besides: Besides, augment: Augment, u: Mapping[str, Tensor]) -> Besides:
    """What is known of faces besides their AUs, once `Transform` has rotated and mirrored them.

    Args:
        besides: (N, ...) of the faces before.
        augment: of the transform.
        u: (N,) each, as the transform had them.
    """
    roll = besides.pose[:, 2] - _around(augment.rotate, u["rotate"])  # which turns clockwise
    pose = torch.cat([besides.pose[:, :2], roll[:, None]], 1)
    mirrored = (u["flip"] < augment.flip)[:, None]
    return Besides(
        sides=torch.where(mirrored[..., None], besides.sides[..., _SWAP], besides.sides),
        pose=torch.where(mirrored, pose * _MIRRORED_POSE.to(pose.device), pose),
        gaze=torch.where(mirrored, besides.gaze * _MIRRORED_GAZE.to(pose.device), besides.gaze),
        hidden=torch.where(mirrored, besides.hidden[:, _SWAP_REGIONS], besides.hidden),
    )


def _around(most: float, u: Tensor) -> Tensor:
    """Spread [0, 1) over -most..most."""
    return most * (2 * u - 1)


def _move(
    faces: Tensor, landmarks: Tensor | None, augment: Augment, u: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor | None]:
    """Rotate, scale and shift about the centre; what comes in from outside is mirrored."""
    side = faces.shape[-1]
    angle = torch.deg2rad(_around(augment.rotate, u["rotate"]))
    factor = 1 + _around(augment.scale, u["scale"])
    shift = torch.stack([u["shift_x"], u["shift_y"]], 1)
    shift = 2 * _around(augment.translate, shift)  # (N, 2), where the side spans -1..1
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([cos, -sin, sin, cos], 1).view(-1, 2, 2)
    back = turn.mT / factor[:, None, None]  # sampling needs the way from output to input
    theta = torch.cat([back, -back @ shift[:, :, None]], 2)
    grid = functional.affine_grid(theta, list(faces.shape), align_corners=False)
    moved = functional.grid_sample(
        faces.float(), grid, padding_mode="reflection", align_corners=False
    )
    if landmarks is not None:
        centred = 2 * landmarks / side - 1
        centred = factor[:, None, None] * centred @ turn.mT + shift[:, None]
        landmarks = (centred + 1) * side / 2
    return moved, landmarks


def _recolour(images: Tensor, augment: Augment, u: Mapping[str, Tensor]) -> Tensor:
    """Change brightness, tint, contrast and saturation by one colour matrix a picture."""
    device = images.device
    luma = _LUMA.to(device)
    gain = 1 + _around(augment.brightness, u["brightness"])[:, None]
    tint = torch.stack([u["red"], torch.full_like(u["red"], 0.5), u["blue"]], 1)
    gain = gain * (1 + _around(augment.tint, tint))  # (N, 3)
    contrast = 1 + _around(augment.contrast, u["contrast"])[:, None]
    saturation = 1 + _around(augment.saturation, u["saturation"])
    saturation = torch.where(u["grayscale"] < augment.grayscale, 0.0, saturation)[:, None, None]

    mean = (images.mean((2, 3)) * gain) @ luma  # (N,) about which contrast spreads
    offset = (1 - contrast) * mean[:, None]  # gray, so that saturation leaves it alone
    mix = saturation * torch.eye(3, device=device) + (1 - saturation) * luma
    matrix = mix * (contrast * gain)[:, None]
    coloured = torch.baddbmm(offset.expand(-1, 3)[:, :, None], matrix, images.flatten(2))
    return coloured.clamp(0, 1).view(images.shape)


def _blur(images: Tensor, sigma: Tensor, most: float) -> Tensor:
    """Blur each picture by its own Gaussian; `most` bounds the standard deviations."""
    count, _, height, width = images.shape
    radius = int(np.ceil(2 * most))
    taps = torch.arange(-radius, radius + 1, device=images.device)
    kernel = torch.exp(-0.5 * (taps / sigma.clamp(min=1e-3)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None]  # (3N, 1, K)
    padded = functional.pad(images, (radius,) * 4, mode="replicate")
    folded = padded.reshape(1, 3 * count, height + 2 * radius, width + 2 * radius)
    folded = functional.conv2d(folded, kernel[:, :, None], groups=3 * count)
    folded = functional.conv2d(folded, kernel[:, :, :, None], groups=3 * count)
    return folded.reshape(images.shape)


@cache
def _noise(device: torch.device) -> Tensor:
    """Normal numbers drawn once; a picture takes its noise from a place of its own."""
    return torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)).to(device)


def _add_noise(images: Tensor, sigma: Tensor, place: Tensor) -> Tensor:
    size, drawn = images[0].numel(), _noise(images.device)
    noise = drawn.unfold(0, size, 1)[(place * (len(drawn) - size)).long()].view(images.shape)
    return torch.addcmul(images, noise, sigma[:, None, None, None]).clamp(0, 1)


def _compress(images: Tensor, which: Tensor, quality: Tensor) -> Tensor:
    chosen = which.nonzero().flatten()
    if not len(chosen):
        return images
    return images.index_copy(0, chosen, jpeg(images[chosen], quality[chosen].floor()))


def _erase(images: Tensor, which: Tensor, u: Mapping[str, Tensor]) -> Tensor:
    """Paint a gray rectangle over each chosen picture."""
    inside = which[:, None, None]
    for axis, length, place in ((1, "erase_height", "erase_y"), (2, "erase_width", "erase_x")):
        side = images.shape[axis + 1]
        extent = (0.1 + 0.3 * u[length]) * side
        first = u[place] * (side - extent)
        at = torch.arange(side, device=images.device) + 0.5
        band = (at >= first[:, None]) & (at < (first + extent)[:, None])  # (N, side)
        inside = inside & band.unsqueeze(3 - axis)
    return torch.where(inside[:, None], u["erase_shade"][:, None, None, None], images)
