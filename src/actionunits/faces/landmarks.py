"""49 landmarks of the main face: a network's close look at where five points say that it is."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from actionunits.faces.align import FloatArray, invert, similarity, template, transform, warp
from actionunits.faces.main_face import Points
from actionunits.system.device import fast_dtype
from actionunits.types import Frame, InputSpec, Shape


class LandmarkModel(Protocol):
    """A network that finds landmarks on canonically aligned faces."""

    spec: InputSpec

    def __call__(self, images: Tensor) -> Shape:
        """Map (B, 3, size, size) normalised faces to landmarks in pixels of the crop."""
        ...


class CloseLook:
    """49 points of faces whose five points are known.

    Args:
        network: in evaluation mode, on the CPU.
    """

    def __init__(self, network: LandmarkModel) -> None:
        self._network = network
        spec = network.spec
        self._target = template(spec.size, spec.align)
        self._mean, self._std = (torch.tensor(v)[:, None, None] for v in (spec.mean, spec.std))

    @torch.inference_mode()
    def __call__(self, frames: Sequence[Frame], five: FloatArray) -> FloatArray:
        """Return (N, 49, 2) points of the face with the five points (N, 5, 2) in each frame."""
        matrices = similarity(five, self._target)
        size, dtype = self._network.spec.size, fast_dtype()
        crops = [warp(f.image, m[None], size) for f, m in zip(frames, matrices, strict=True)]
        pictures = torch.from_numpy(np.concatenate(crops)).permute(0, 3, 1, 2)
        images = (pictures.float() / 255 - self._mean) / self._std
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            found = self._network(images.contiguous(memory_format=torch.channels_last))
        return transform(found.landmarks.double().numpy(), invert(matrices))


class Landmarks:
    """49 points of the main face.

    Args:
        five: finds its five points.
        look: looks at it more closely.
    """

    def __init__(self, five: Points, look: CloseLook) -> None:
        self._five, self._look = five, look

    def __call__(self, frames: Sequence[Frame]) -> FloatArray:
        """Return (N, 49, 2) points; see `Points`."""
        five = self._five(frames)
        points = np.full((len(frames), 49, 2), np.nan)
        seen = np.flatnonzero(np.isfinite(five).all((1, 2))).tolist()
        if seen:
            points[seen] = self._look([frames[i] for i in seen], five[seen])
        return points
