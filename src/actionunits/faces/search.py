"""Search pictures for faces: at which sizes, in what batches, and which finds are one face."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from actionunits.faces.align import FloatArray, reduced, transform
from actionunits.faces.detections import Detections, overlap
from actionunits.types import Frame

BATCH_PIXELS = 1 << 17  # more at a time do not stay in the processor's cache, and take longer
_SEVERAL_SCALES = 640  # from this searched side on, a second search finds the largest faces
_COARSE_SIDE = 416
_LARGEST = 400  # pixels; larger faces fall apart into parts that look like faces
_GAP = 1.5  # times as large as the searched size blocks of pixels leave a picture, at the least
_SHARED = 0.3  # overlap above which the better of two boxes stands for both


class Searching(ABC):
    """Search at a coarse size, then refine the landmarks on aligned crops.

    Attributes:
        serves_several: threads at a time.
        batch_pixels: that are searched at a time.
    """

    serves_several = True
    batch_pixels = BATCH_PIXELS

    @abstractmethod
    def candidates(self, images: Any) -> tuple[NDArray[np.intp], Detections]:
        """What a network says of pictures of one size, the same face perhaps several times.

        Args:
            images: what `canvas` gave.

        Returns:
            (K,) index of the picture of each find, and the finds in its pixels.
        """

    def canvas(self, images: Sequence[NDArray[np.uint8]], shape: tuple[int, int]) -> Any:
        """Pictures of any sizes, scaled to one.

        Args:
            images: (H, W, 3) uint8 each.
            shape: height and width.

        Returns:
            (N, H', W', 3), each the next multiple of 32, black where there is no picture.
        """
        return canvas(images, shape)

    @abstractmethod
    def look(
        self, images: Sequence[NDArray[np.uint8]], owners: NDArray[np.intp], landmarks: FloatArray
    ) -> tuple[Detections, NDArray[np.bool_]]:
        """What a look at the places of K faces shows, and where it shows a face; see `Looks`."""

    def __call__(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return the faces of each frame; see `Detector`."""
        if not frames:
            return []
        images = [frame.image for frame in frames]
        owners, found = self._search(images, side)
        landmarks = self.refine(images, owners, found.landmarks)
        return _by_owner(found._replace(landmarks=landmarks), owners, len(frames))

    def search(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return the faces of each frame roughly, without the second look; see `Looks`."""
        if not frames:
            return []
        owners, found = self._search([frame.image for frame in frames], side)
        return _by_owner(found, owners, len(frames))

    def refine(
        self, images: Sequence[NDArray[np.uint8]], owners: NDArray[np.intp], landmarks: FloatArray
    ) -> FloatArray:
        """Look again at faces that are roughly known.

        Args:
            images: (H, W, 3) uint8 each.
            owners: (K,) index of the image of each face, ascending.
            landmarks: (K, 5, 2) rough landmarks.

        Returns:
            (K, 5, 2); the rough ones where the second look sees no face in that place.
        """
        seen, sure = self.look(images, owners, landmarks)
        return np.where(sure[:, None, None], seen.landmarks, landmarks)

    def _search(
        self, images: Sequence[NDArray[np.uint8]], side: int
    ) -> tuple[NDArray[np.intp], Detections]:
        """All faces of all images, (K,) owners ascending; the best score of an image first."""
        by_shape: dict[tuple[int, int], list[tuple[int, float]]] = {}
        for index, image in enumerate(images):
            long = max(image.shape[:2])
            fine = min(side, max(long, 128))
            for target in (fine, _COARSE_SIDE) if fine > _SEVERAL_SCALES else (fine,):
                scale = target / long
                height, width = (max(round(edge * scale), 1) for edge in image.shape[:2])
                by_shape.setdefault((height, width), []).append((index, scale))
        parts = [
            self._search_size(images, jobs[start : start + batch], shape)
            for shape, jobs in by_shape.items()
            for batch in [max(self.batch_pixels // (shape[0] * shape[1]), 1)]
            for start in range(0, len(jobs), batch)
        ]
        owners = np.concatenate([part[0] for part in parts])
        found = Detections(*map(np.concatenate, zip(*(part[1] for part in parts), strict=True)))
        kept = _best(found, owners)
        corners = found.boxes + np.pad(found.boxes[:, :2], ((0, 0), (2, 0)))
        kept = kept[~_part_of_another(corners[kept], found.scores[kept], owners[kept])]
        kept = kept[np.argsort(owners[kept], kind="stable")]
        return owners[kept], Detections(*(values[kept] for values in found))

    def _search_size(
        self,
        images: Sequence[NDArray[np.uint8]],
        jobs: Sequence[tuple[int, float]],
        shape: tuple[int, int],
    ) -> tuple[NDArray[np.intp], Detections]:
        """Candidates in images that scale to one shape; jobs are index of the image and scale."""
        row, found = self.candidates(self.canvas([images[index] for index, _ in jobs], shape))
        if max(shape) > _SEVERAL_SCALES:
            small = found.boxes[:, 2:].max(axis=1) <= _LARGEST
            row, found = row[small], Detections(*(values[small] for values in found))
        owners = np.array([index for index, _ in jobs], np.intp)[row]
        scale = np.array([scale for _, scale in jobs])[row]
        return owners, Detections(
            found.boxes / scale[:, None], found.scores, found.landmarks / scale[:, None, None]
        )


def padded(shape: tuple[int, int]) -> tuple[int, int]:
    """Shape of a canvas: networks halve their input five times, and want each half to be whole."""
    height, width = (-(-edge // 32) * 32 for edge in shape)
    return height, width


def canvas(images: Sequence[NDArray[np.uint8]], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Pictures scaled to one shape by Pillow; see `Searching.canvas`."""
    pictures = np.zeros((len(images), *padded(shape), 3), np.uint8)
    for picture, image in zip(pictures, images, strict=True):
        picture[: shape[0], : shape[1]] = _resized(image, shape)
    return pictures


def unobtrusive(threads: int) -> onnxruntime.SessionOptions:
    """Options of a network that runs beside others, on so many threads; 0: as there are cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the processor from PyTorch's and the decoder's.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def placed(found: Detections, matrices: FloatArray) -> Detections:
    """Faces as a similarity (K, 2, 3) each shows them; boxes stay upright."""
    sizes = found.boxes[:, 2:] * np.sqrt(np.abs(np.linalg.det(matrices[..., :2])))[:, None]
    centres = transform((found.boxes[:, :2] + found.boxes[:, 2:] / 2)[:, None], matrices)[:, 0]
    boxes = np.concatenate([centres - sizes / 2, sizes], axis=1)
    return Detections(boxes, found.scores, transform(found.landmarks, matrices))


def _by_owner(found: Detections, owners: NDArray[np.intp], count: int) -> list[Detections]:
    """The faces of each of so many frames."""
    parts = (owners == index for index in range(count))
    return [Detections(*(values[mine] for values in found)) for mine in parts]


def _best(found: Detections, owners: NDArray[np.intp]) -> NDArray[np.intp]:
    """Faces that share little with a better one of their image, best first: greedy suppression."""
    order = np.argsort(-found.scores, kind="stable")
    kept: list[int] = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        same = owners[order] == owners[best]
        same &= overlap(found.boxes[best][None], found.boxes[order])[0] > _SHARED
        order = order[~same]
    return np.array(kept, np.intp)


def _part_of_another(
    corners: FloatArray, scores: FloatArray, owners: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Boxes (K, 4) x0, y0, x1, y1 that lie inside a larger one of better score: a mouth, an eye."""
    low = np.maximum(corners[:, None, :2], corners[None, :, :2])
    high = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    area = (corners[:, 2:] - corners[:, :2]).prod(axis=-1)
    inside = (shared > 0.8 * area[:, None]) & (area[:, None] < area) & (scores[:, None] < scores)
    parts: NDArray[np.bool_] = (inside & (owners[:, None] == owners)).any(axis=1)
    return parts


def blocks_of(image: NDArray[np.uint8], shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the blocks of pixels that are averaged before an image is scaled."""
    down, across = (
        max(int(edge / wanted / _GAP), 1) for edge, wanted in zip(image.shape, shape, strict=False)
    )
    return down, across


def _resized(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Image scaled to (height, width), anti-aliased; of much larger ones blocks of pixels first."""
    down, across = blocks_of(image, shape)
    box = (0, 0, image.shape[1] / across, image.shape[0] / down)
    smaller = reduced(image, across, down)
    return np.asarray(smaller.resize(shape[::-1], Image.Resampling.BILINEAR, box))
