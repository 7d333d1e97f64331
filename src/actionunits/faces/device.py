"""Search, looks and crops on a device of PyTorch, a graphics card above all.

Pictures go there once, as bytes, and stay as long as they are kept here; what comes back is what
the detector's networks say. `sight` has the same for the processor.
"""

import math
import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from actionunits.faces.align import FloatArray, Plan, Sampling, plans, quickly, smoothly
from actionunits.faces.search import blocks_of, padded
from actionunits.faces.sight import LOOK_SIDE, NETWORKS, damaged
from actionunits.nn.onnx_graph import OnnxGraph


class OnDevice:
    """Computes the detector's networks, see `Sight`, and cuts crops for models too.

    Crops are those of `align.warp` and `align.glance`, and pictures those of `search.canvas`, but
    for the rounding between their steps: by 2 of 255 at the most.
    """

    batch_pixels = 1 << 22  # a card wants many at a time: 18 pictures of 640 x 360

    def __init__(self, device: torch.device, folder: Path = NETWORKS) -> None:
        """Load ``search.onnx`` and ``look.onnx``.

        Args:
            device: that computes all.
            folder: of the networks.

        Raises:
            CheckpointError: a file is missing or damaged.
        """
        self._device = device
        self._search, self._look = (
            _graph(folder / f"{name}.onnx", device) for name in ("search", "look")
        )
        self._sent: dict[int, Tensor] = {}
        self._turn = Lock()

    @torch.inference_mode()
    def canvas(self, images: Sequence[NDArray[np.uint8]], shape: tuple[int, int]) -> Tensor:
        """Pictures scaled to one shape, (N, 3, H, W) float32; see `Sight`."""
        pictures = torch.zeros(len(images), 3, *padded(shape), device=self._device)
        for picture, image in zip(pictures, images, strict=True):
            blocks = blocks_of(image, shape)
            smaller = self._picture(image).float()
            if blocks != (1, 1):
                smaller = functional.avg_pool2d(smaller, blocks, ceil_mode=True)
            down, across = (
                _scaling(edge / block, wanted, self._device)
                for edge, block, wanted in zip(image.shape[:2], blocks, shape, strict=True)
            )
            picture[:, : shape[0], : shape[1]] = down @ smaller @ across.t()
        return pictures

    @torch.inference_mode()
    def search(self, pictures: Tensor) -> list[FloatArray]:
        """What the first network says; see `Sight`."""
        return [values.cpu().numpy() for values in self._search(pictures)]

    @torch.inference_mode()
    def look(
        self, images: Sequence[NDArray[np.uint8]], owners: NDArray[np.intp], matrices: FloatArray
    ) -> list[FloatArray]:
        """What the second network says of crops; see `Sight`."""
        crops = self._crops(images, owners, matrices, LOOK_SIDE, quickly)
        return [values.cpu().numpy() for values in self._look(crops)]

    @torch.inference_mode()
    def warp(
        self,
        images: Sequence[NDArray[np.uint8]],
        owners: NDArray[np.intp],
        matrices: FloatArray,
        size: int,
    ) -> Tensor:
        """Crops as of `align.warp`, which stay on the device.

        Args:
            images: (H, W, 3) uint8 each.
            owners: (K,) index of the image of each crop, ascending.
            matrices: (K, 2, 3), each maps pixels of an image onto pixels of its crop.
            size: side of the crops.

        Returns:
            (K, size, size, 3) uint8.
        """
        crops = self._crops(images, owners, matrices, size, smoothly)
        return crops.round().byte().permute(0, 2, 3, 1)

    def _crops(
        self,
        images: Sequence[NDArray[np.uint8]],
        owners: NDArray[np.intp],
        matrices: FloatArray,
        size: int,
        sampling: Callable[[float, int], Sampling],
    ) -> Tensor:
        """Crops (K, 3, size, size) float32 on 0..255."""
        planned = plans(matrices, size, sampling)
        crops = torch.empty(len(planned), 3, size, size, device=self._device)
        for crop, owner, plan in zip(crops, owners, planned, strict=True):
            _crop(self._picture(images[owner]), plan, crop)
        return crops

    def _picture(self, image: NDArray[np.uint8]) -> Tensor:
        """An image on the device, (3, H, W) uint8: it is sent when it is first asked for."""
        with self._turn:
            if id(image) not in self._sent:
                sent = torch.tensor(np.ascontiguousarray(image), device=self._device)
                self._sent[id(image)] = sent.permute(2, 0, 1)
                weakref.finalize(image, self._sent.pop, id(image)).atexit = False
            return self._sent[id(image)]


def _crop(picture: Tensor, plan: Plan, out: Tensor) -> None:
    """One crop (3, size, size) of a picture (3, H, W)."""
    _, square, finer = plan.sampling
    columns, rows = (
        torch.from_numpy(places).to(picture.device)
        for places in plan.places((picture.shape[2], picture.shape[1]))
    )
    region = picture[:, rows[:, None], columns][None].float()
    if square > 1:
        region = functional.avg_pool2d(region, square, ceil_mode=True)
    height, width = region.shape[2:]
    samples = out.shape[1] * finer
    # PyTorch's maps go from -1..1 across the crop to -1..1 across what it shows.
    across = np.diag([2 / width, 2 / height, 1]) + np.array([[0, 0, -1], [0, 0, -1], [0, 0, 0]])
    outward = np.array([[samples / 2, 0, samples / 2], [0, samples / 2, samples / 2], [0, 0, 1]])
    matrix = (across @ np.vstack([plan.to_reduced, [0, 0, 1]]) @ outward)[None, :2]
    theta = torch.from_numpy(matrix.astype(np.float32)).to(picture.device)
    grid = functional.affine_grid(theta, [1, 3, samples, samples], align_corners=False)
    crop = functional.grid_sample(region, grid, padding_mode="border", align_corners=False)
    out[:] = (functional.avg_pool2d(crop, finer) if finer > 1 else crop)[0]


@lru_cache(maxsize=16)  # sizes of videos that are read at the same time
def _scaling(edge: float, wanted: int, device: torch.device) -> Tensor:
    """Weights (wanted, P) of the pixels of an edge in those of a scaled one.

    Bilinear and anti-aliased as of Pillow: a triangle as wide as two pixels of the scaled edge.

    Args:
        edge: pixels of which the last may be a part of one.
        wanted: pixels of the scaled edge.
        device: of the weights.
    """
    shrink = edge / wanted
    middles = (np.arange(wanted) + 0.5) * shrink
    away = np.abs(np.arange(math.ceil(edge)) + 0.5 - middles[:, None]) / max(shrink, 1.0)
    weights = np.clip(1 - away, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    return torch.from_numpy(weights.astype(np.float32)).to(device)


def _graph(file: Path, device: torch.device) -> OnnxGraph:
    try:
        return OnnxGraph(file, device)
    except Exception as error:  # of several libraries
        raise damaged(file, error) from error
