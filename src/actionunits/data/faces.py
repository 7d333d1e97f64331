"""Aligned faces of a table, decoded when they are wanted or kept in memory."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from actionunits.data.stores import ImageStore
from actionunits.errors import DataError


def decode(content: bytes, side: int, name: str) -> np.ndarray:
    """Decode an aligned face at a size: (side, side, 3) RGB uint8.

    A JPEG is shrunk by two, four or eight while it is decoded where that is enough.

    Raises:
        DataError: the content is not a whole picture; `name` says where it came from.
    """
    try:
        file = Image.open(io.BytesIO(content))
        file.draft("RGB", (side, side))
        image = file.convert("RGB")
    except (OSError, SyntaxError) as error:  # Pillow raises the latter for a broken PNG
        raise DataError(f"{name}: not a whole JPEG or PNG picture ({error})") from error
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image)


class Faces:
    """The pictures of the rows of a table at one size.

    Args:
        images: the pictures.
        numbers: (N,) int, which of them each row has.
        side: pixels.
    """

    def __init__(self, images: ImageStore, numbers: np.ndarray, side: int) -> None:
        self._store, self._side, self._numbers = images, side, numbers
        self._cache: Tensor | None = None
        self._kept = np.empty(0, numbers.dtype)  # numbers of the pictures in the cache, sorted

    def keep(self, rows: np.ndarray) -> None:
        """Decode the pictures of rows (N,) now and keep them: side * side * 3 bytes each.

        From then on others cannot be asked for.
        """
        self._kept = np.unique(self._numbers[rows])
        self._cache = self._decode(self._kept)

    def __call__(self, rows: np.ndarray) -> Tensor:
        """Return the pictures of rows (N,): (N, 3, side, side) uint8, channels last in memory.

        Raises:
            IndexError: there are pictures that are kept, and it is none of them.
        """
        numbers = self._numbers[rows]
        if self._cache is None:
            pixels = self._decode(numbers)
        else:
            places = np.searchsorted(self._kept, numbers)
            if not np.array_equal(self._kept[places], numbers):
                raise IndexError("a picture that is not kept was asked for")
            pixels = self._cache[torch.from_numpy(places).to(self._cache.device)]
        return pixels.permute(0, 3, 1, 2)

    def to(self, device: torch.device) -> bool:
        """Keep the decoded pictures on a device; False where they are not kept at all."""
        if self._cache is None:
            return False
        self._cache = self._cache.to(device)
        return True

    def _decode(self, numbers: np.ndarray) -> Tensor:
        pixels = torch.empty(len(numbers), self._side, self._side, 3, dtype=torch.uint8)
        target = pixels.numpy()

        def fill(place: int, number: int) -> None:
            content = self._store.read(number)
            target[place] = decode(content, self._side, self._store.name(number))

        # Pillow decodes outside the interpreter lock; more threads than these gain nothing.
        with ThreadPoolExecutor(max_workers=max(1, torch.get_num_threads())) as threads:
            list(threads.map(fill, range(len(numbers)), numbers.tolist()))
        return pixels
