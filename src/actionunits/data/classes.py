"""Faces with one expression class each."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from actionunits.data.pictures import PictureDataset, check_columns
from actionunits.data.stores import ImageStore
from actionunits.data.transforms import Augment
from actionunits.errors import DataError
from actionunits.faces import templates
from actionunits.types import ClassBatch, InputSpec


@dataclass(frozen=True)
class ClassTable:
    """Faces and their classes.

    Attributes:
        images: the aligned faces.
        rows: one row a face: the int ``image``, number of its picture, and the int ``label``.
        names: of the classes, in the order of the labels.
        template: how the faces are placed, see `actionunits.faces.templates`.
        people: who is in it, where that is known of anybody, see `actionunits.data.people`.
    """

    images: ImageStore
    rows: pd.DataFrame
    names: tuple[str, ...]
    template: str = templates.GIVEN
    people: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what every reader promises.

        Raises:
            DataError: a column is missing, or a picture or a class is not there.
        """
        check_columns(self.rows, ["image"], ["label"], len(self.images))
        labels = self.rows["label"]
        if len(self) and not 0 <= labels.min() <= labels.max() < len(self.names):
            raise DataError(
                f"expected labels of 0 to {len(self.names) - 1}, one a class name, found "
                f"{labels.min()} to {labels.max()}"
            )

    def __len__(self) -> int:
        """Number of faces."""
        return len(self.rows)

    def subset(self, which: np.ndarray) -> "ClassTable":
        """Keep the rows of a mask (N,) bool, or of positions (M,) int in their order."""
        positions = np.flatnonzero(which) if which.dtype == bool else which
        return replace(self, rows=self.rows.iloc[positions].reset_index(drop=True))


class ClassDataset(PictureDataset[ClassBatch]):
    """Faces with their classes.

    Args:
        table: the faces.
        spec: what the model wants to be fed.
        augment: what is random; by default nothing, and the crop is central.
        seed: of the augmentation.
    """

    def __init__(
        self,
        table: ClassTable,
        spec: InputSpec,
        *,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        numbers = table.rows["image"].to_numpy(np.int64)[:, None]
        super().__init__(table.images, numbers, spec, augment or Augment(), seed)
        self._labels = torch.tensor(table.rows["label"].to_numpy(np.int64))

    def _batch(self, images: Tensor, samples: np.ndarray, keys: tuple[str, ...]) -> ClassBatch:
        return ClassBatch(images, self._labels[samples], keys)
