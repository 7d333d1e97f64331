"""What computes the networks of `synface`, and cuts what they see out of pictures: the processor.

`device` has the same for a graphics card.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from actionunits.errors import CheckpointError
from actionunits.faces.align import FloatArray, glance, of_each
from actionunits.faces.search import BATCH_PIXELS, canvas, unobtrusive
from actionunits.system.privacy import onnx_session

NETWORKS = Path(__file__).parent / "networks"
LOOK_SIDE = 64  # pixels of a crop that the second network sees


class Sight(Protocol):
    """Computes the networks. Several threads may ask at once.

    Attributes:
        batch_pixels: that are searched at a time.
    """

    batch_pixels: int

    def canvas(self, images: Sequence[NDArray[np.uint8]], shape: tuple[int, int]) -> Any:
        """Pictures of any sizes, scaled to one, for `search`; see `search.Searching.canvas`."""
        ...

    def search(self, pictures: Any) -> list[FloatArray]:
        """What the first network says: (N, 1, H/8, W/8) peaks and (N, 14, H/8, W/8) places."""
        ...

    def look(
        self, images: Sequence[NDArray[np.uint8]], owners: NDArray[np.intp], matrices: FloatArray
    ) -> list[FloatArray]:
        """What the second network says of crops, one or more: (K,) scores and (K, 14) values.

        Args:
            images: (H, W, 3) uint8 each.
            owners: (K,) index of the image of each crop, ascending.
            matrices: (K, 2, 3), each maps pixels of an image onto pixels of its crop.
        """
        ...


class OnProcessor:
    """The networks by ONNX Runtime, crops by Pillow; see `Sight`."""

    batch_pixels = BATCH_PIXELS

    def __init__(self, folder: Path, threads: int) -> None:
        """Load ``search.onnx`` and ``look.onnx``.

        Raises:
            CheckpointError: a file is missing or damaged.
        """
        self._search, self._look = (
            _session(folder / f"{name}.onnx", threads) for name in ("search", "look")
        )

    def canvas(self, images: Sequence[NDArray[np.uint8]], shape: tuple[int, int]) -> Any:
        """Pictures scaled to one shape; see `Sight`."""
        return canvas(images, shape)

    def search(self, pictures: Any) -> list[FloatArray]:
        """What the first network says; see `Sight`."""
        return _run(self._search, pictures)

    def look(
        self, images: Sequence[NDArray[np.uint8]], owners: NDArray[np.intp], matrices: FloatArray
    ) -> list[FloatArray]:
        """What the second network says of crops; see `Sight`."""
        return _run(self._look, of_each(images, owners, matrices, LOOK_SIDE, glance))


def _run(session: onnxruntime.InferenceSession, images: NDArray[np.uint8]) -> list[FloatArray]:
    """Outputs of (N, H, W, 3) images, some at a time."""
    batch = max(BATCH_PIXELS // (images.shape[1] * images.shape[2]), 1)
    images = images.transpose(0, 3, 1, 2)
    parts = [
        session.run(None, {"images": images[start : start + batch].astype(np.float32)})
        for start in range(0, len(images), batch)
    ]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    try:
        return onnx_session(file, unobtrusive(threads))
    except Exception as error:  # ONNX Runtime's own, of several classes
        raise damaged(file, error) from error


def damaged(file: Path, error: Exception) -> CheckpointError:
    """What is said of a network that cannot be loaded."""
    return CheckpointError(
        f"{file}: the face detector's network is missing or damaged ({error}); "
        "install actionunits again"
    )
