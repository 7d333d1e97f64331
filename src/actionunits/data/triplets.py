"""Triplets of faces of which two show more similar expressions than the third."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from actionunits.data.pictures import PictureDataset, check_columns
from actionunits.data.stores import ImageStore
from actionunits.data.table import FrameTable
from actionunits.data.transforms import Augment
from actionunits.errors import DataError, counted
from actionunits.types import InputSpec, TripletBatch

MARGIN = 0.2  # of FEC's triplets that do not show one class of expression only
RATIO = 0.6
_FACES = ["first", "second", "odd"]
_BLOCK = 1 << 16  # triplets drawn at once
_TRIES = 50  # triplets drawn for each that is wanted, before giving up


@dataclass(frozen=True)
class TripletTable:
    """Triplets of pictures.

    Attributes:
        images: the aligned faces.
        rows: one row a triplet: the int numbers of its pictures ``first``, ``second`` (the similar
            ones) and ``odd``, the float ``margin`` by which distances should differ, and the str
            ``kind``, by which accuracies are told apart.
        template: how the faces are placed, see `actionunits.faces.templates`.
        people: who is in it, where that is known of anybody, see `actionunits.data.people`.
    """

    images: ImageStore
    rows: pd.DataFrame
    template: str = "canonical"
    people: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what every reader promises.

        Raises:
            DataError: a column is missing, a picture is not there or occurs twice in a triplet, or
                a margin is negative.
        """
        check_columns(self.rows, _FACES, ["margin", "kind"], len(self.images))
        numbers = np.sort(self.numbers(), 1)
        twice = (numbers[:, 1:] == numbers[:, :-1]).any(1)
        if twice.any():
            many = counted(int(twice.sum()), "triplet")
            raise DataError(f"{many} with a picture twice: leave such out")
        if (self.rows["margin"] < 0).any():
            raise DataError(f"expected margins of 0 or more, found {self.rows['margin'].min():g}")

    def __len__(self) -> int:
        """Number of triplets."""
        return len(self.rows)

    def numbers(self) -> np.ndarray:
        """Return (N, 3) int64 numbers of the pictures: first, second, odd."""
        return self.rows[_FACES].to_numpy(np.int64)

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds that occur, sorted."""
        return tuple(sorted(self.rows["kind"].unique()))

    def subset(self, which: np.ndarray) -> "TripletTable":
        """Keep the rows of a mask (N,) bool, or of positions (M,) int in their order."""
        positions = np.flatnonzero(which) if which.dtype == bool else which
        return replace(self, rows=self.rows.iloc[positions].reset_index(drop=True))


def triplets_from_aus(
    table: FrameTable, count: int, seed: int, *, ratio: float = RATIO, margin: float = MARGIN
) -> TripletTable:
    """Draw triplets whose similar pair is the one with the closest AUs.

    Three subjects are drawn at random and a frame of each, so that identity says nothing about
    similarity. The distance of two frames is the Euclidean one of their labels.

    Args:
        table: coded frames; those with an AU that is not coded are left out. With intensities the
            order of the distances is finer than with occurrence.
        count: triplets wanted.
        seed: same table and seed, same triplets.
        ratio: a triplet is kept where the smallest distance is at most this share of the second.
        margin: of all triplets.

    Returns:
        Triplets of the one kind ``aus``.

    Raises:
        DataError: the frames have fewer than three subjects, or too few clear triplets.
    """
    coded = np.flatnonzero(~np.isnan(table.labels).any(1))
    names, subject = np.unique(
        table.rows["subject"].to_numpy(str)[coded], return_inverse=True
    )  # sorted, so that the order of the rows does not matter to who is drawn
    if len(names) < 3:
        raise DataError(
            f"triplets need coded frames of at least 3 subjects, the table has {len(names)}: "
            "take more subjects, or fewer AUs if some are not coded"
        )
    by_subject = coded[np.argsort(subject, kind="stable")]
    found, drawn = [np.empty((0, 3), np.int64)], 0
    for frames in _draws(by_subject, np.bincount(subject), seed):
        found.append(_clear(table.labels, frames, ratio))
        drawn += len(frames)
        if sum(map(len, found)) >= count or drawn >= _TRIES * count:
            break
    rows = np.concatenate(found)[:count]
    if len(rows) < count:
        raise DataError(
            f"among {counted(drawn, 'triplet')} {len(rows)} have a pair that is closer than "
            f"{ratio:g} of its distance to the third face, {count} are wanted: ask for fewer, or "
            "raise the ratio"
        )
    numbers = table.rows["image"].to_numpy(np.int64)[rows]
    return TripletTable(
        table.images,
        pd.DataFrame(numbers, columns=_FACES).assign(margin=margin, kind="aus"),
        table.template,
        table.people,
    )


def _draws(by_subject: np.ndarray, frames: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Blocks (M, 3) of rows of three different subjects, of which each has `frames` rows."""
    generator = np.random.default_rng(seed)
    starts, subjects = np.cumsum(frames) - frames, len(frames)
    while True:
        # Numbers below S, S - 1 and S - 2 become different ones: each passes over those before it.
        first, second, third = generator.integers(subjects - np.arange(3), size=(_BLOCK, 3)).T
        second = second + (second >= first)
        low, high = np.minimum(first, second), np.maximum(first, second)
        third = third + (third >= low)
        third = third + (third >= high)
        drawn = np.stack([first, second, third], 1)
        yield by_subject[starts[drawn] + generator.integers(frames[drawn])]


def _clear(labels: np.ndarray, frames: np.ndarray, ratio: float) -> np.ndarray:
    """Those of (M, 3) rows that have a clearly closest pair, which comes first."""
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    ends = labels[frames[:, pairs]]  # (M, 3, 2, A)
    distances = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)  # (M, 3)
    ordered = np.sort(distances, 1)
    clear = (ordered[:, 0] <= ratio * ordered[:, 1]) & (ordered[:, 1] > 0)
    order = np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])[distances.argmin(1)]
    kept: np.ndarray = np.take_along_axis(frames, order, 1)[clear]
    return kept


class TripletDataset(PictureDataset[TripletBatch]):
    """Triplets; each picture of one is augmented on its own.

    Args:
        table: the triplets.
        spec: what the model wants to be fed.
        augment: what is random; by default nothing, and the crop is central.
        seed: of the augmentation.
    """

    def __init__(
        self,
        table: TripletTable,
        spec: InputSpec,
        *,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(table.images, table.numbers(), spec, augment or Augment(), seed)
        self._margin = torch.from_numpy(table.rows["margin"].to_numpy(np.float32, copy=True))

    def _batch(self, images: Tensor, samples: np.ndarray, keys: tuple[str, ...]) -> TripletBatch:
        return TripletBatch(images.view(-1, 3, *images.shape[1:]), self._margin[samples], keys)
