"""What data sets have in common whose samples are one or more whole pictures, without AUs."""

from abc import ABC, abstractmethod

import numpy as np
import pandas as pd
from torch import Tensor

from actionunits.data.dataset import AnyBatch, RandomSamples
from actionunits.data.faces import Faces
from actionunits.data.stores import ImageStore
from actionunits.data.transforms import Augment, Transform
from actionunits.errors import DataError
from actionunits.types import InputSpec


class PictureDataset(RandomSamples[AnyBatch], ABC):
    """Samples of P pictures each, every one augmented on its own, handed over as whole batches.

    Args:
        images: the pictures.
        numbers: (N, P) int numbers of the pictures of each sample.
        spec: what the model wants to be fed.
        augment: what is random.
        seed: of the augmentation.
    """

    def __init__(
        self,
        images: ImageStore,
        numbers: np.ndarray,
        spec: InputSpec,
        augment: Augment,
        seed: int,
    ) -> None:
        super().__init__(len(numbers), seed)
        self._store, self._numbers = images, numbers
        self._faces = Faces(images, numbers.flatten(), spec.align)
        self._transform = Transform(spec, augment)

    def __getitems__(self, indices: list[int]) -> list[AnyBatch]:
        """Return these samples as one batch, in a list for `collate`."""
        samples = np.asarray(indices)
        places = self._places(samples)
        u = self._uniforms(places)
        images, _ = self._transform(self._faces(places), None, u)
        keys = tuple(self._store.name(n) for n in self._numbers[samples].flatten().tolist())
        return [self._batch(images, samples, keys)]

    def keep(self, samples: np.ndarray) -> None:
        """Decode the pictures of these samples (N,) now and keep them; no others are fed then."""
        self._faces.keep(self._places(samples))

    def _places(self, samples: np.ndarray) -> np.ndarray:
        """Of the pictures of samples (B,) among those of all: (B * P,)."""
        wide = self._numbers.shape[1]
        places: np.ndarray = (samples[:, None] * wide + np.arange(wide)).flatten()
        return places

    @abstractmethod
    def _batch(self, images: Tensor, samples: np.ndarray, keys: tuple[str, ...]) -> AnyBatch:
        """Make a batch of (B * P, 3, size, size) images of the (B,) samples."""


def check_columns(rows: pd.DataFrame, pictures: list[str], others: list[str], count: int) -> None:
    """Check that a table has its columns and refers to pictures that are there.

    Args:
        rows: of the table.
        pictures: columns that hold numbers of pictures.
        others: further columns.
        count: of the stored pictures.

    Raises:
        DataError: a column is missing, or a number is not that of a picture.
    """
    missing = [column for column in [*pictures, *others] if column not in rows.columns]
    if missing:
        raise DataError(f"the table lacks the columns {', '.join(missing)}")
    numbers = rows[pictures].to_numpy()
    if len(rows) and not 0 <= numbers.min() <= numbers.max() < count:
        raise DataError(f"rows refer to pictures outside those stored, 0 to {count - 1}")
