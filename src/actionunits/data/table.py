"""Every data set becomes a `FrameTable`: labels, landmarks and references to aligned faces."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from actionunits.aus import AUSet
from actionunits.data.people import NOBODY_KNOWS, named
from actionunits.data.stores import ImageStore
from actionunits.errors import DataError, counted
from actionunits.types import Besides, Coding, LabelStats

FACE_SIDE = 256  # an aligned face is stored at this many pixels
POINTS = 49
_FARTHEST = 100 * FACE_SIDE  # pixels that a landmark may be off
_KEY = ["subject", "task", "frame"]


@dataclass(frozen=True)
class FrameTable:
    """The coded frames of a data set.

    Attributes:
        aus: the label axis.
        rows: one row a frame: ``subject``, ``task`` (str), ``frame`` (int), ``image`` (int, number
            of the picture in `images`), one float column an AU (``AU01``; NaN = not coded), and
            where the data set has them ``part`` (int 1..3), ``seconds`` (float), ``copy`` (int,
            0 but for duplicated frames), ``found`` (bool, its landmarks are not the data set's
            own: a model found them).
        images: the aligned faces, `FACE_SIDE` pixels a side.
        coding: what the AU columns hold: 0 and 1, or intensities on 0..5.
        threshold: an AU occurs when its FACS-rounded intensity reaches this; without meaning where
            occurrence is coded.
        landmarks: (N, 49, 2) float32 x, y in pixels of the stored face, NaN for a face without, or
            None.
        besides: (N, ...) float32 each, what is known of the faces besides their AUs, or None.
        template: how the faces are placed in their pictures, see `actionunits.faces.templates`.
        lost: subject to the number of frames that the data set lists of them and that could not be
            prepared, where there are any.
        population: that its subjects are of, see `actionunits.data.people`.
    """

    aus: AUSet
    rows: pd.DataFrame
    images: ImageStore
    coding: Coding
    threshold: float
    landmarks: np.ndarray | None = None
    besides: Besides | None = None
    template: str = "canonical"
    lost: Mapping[str, int] = field(default_factory=dict)
    population: str = NOBODY_KNOWS

    def __post_init__(self) -> None:
        """Check what every reader promises.

        Raises:
            DataError: a column is missing, a frame occurs twice, a label is outside its scale or
                the landmarks or pictures do not fit the rows.
        """
        missing = [c for c in [*_KEY, "image", *self.aus.columns()] if c not in self.rows.columns]
        if missing:
            raise DataError(f"the table lacks the columns {', '.join(missing)}")
        key = [*_KEY, *(["copy"] if "copy" in self.rows.columns else [])]
        twice = self.rows.duplicated(key)
        if twice.any():
            first = "/".join(str(v) for v in self.rows.loc[twice, _KEY].iloc[0])
            many = counted(int(twice.sum()), "row")
            raise DataError(f"a frame must occur once: {many} too many, the first is {first}")
        absent = self.rows[_KEY].isna().any(axis=1)
        if absent.any():
            raise DataError(
                f"expected a subject, a task and a frame in each row, found an empty cell in "
                f"row {int(absent.to_numpy().argmax()) + 1}"
            )
        self._check_labels()
        if self.landmarks is not None and self.landmarks.shape != (len(self), POINTS, 2):
            expected = (len(self), POINTS, 2)
            raise DataError(f"expected landmarks of shape {expected}, got {self.landmarks.shape}")
        self._check_landmarks()
        pictures = self.rows["image"]
        if len(self) and not 0 <= pictures.min() <= pictures.max() < len(self.images):
            raise DataError(
                f"rows refer to pictures outside those stored, 0 to {len(self.images) - 1}"
            )

    def _check_labels(self) -> None:
        try:
            labels = self.labels
        except (TypeError, ValueError) as error:
            raise DataError(f"expected numbers in the columns of the AUs: {error}") from None
        if self.coding == "intensity":
            wrong, scale = (labels < 0) | (labels > 5), "0 to 5"
        else:
            wrong, scale = (labels != 0) & (labels != 1) & ~np.isnan(labels), "0 and 1"
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            frame = "/".join(str(v) for v in self.rows[_KEY].iloc[row])
            raise DataError(
                f"expected labels of {scale} (empty where not coded), found "
                f"{labels[row, column]:g} for {self.aus.columns()[column]} at {frame}"
            )

    def _check_landmarks(self) -> None:
        if self.landmarks is None:
            return
        known = ~np.isnan(self.landmarks).any((1, 2))
        near = self.landmarks.clip(-2 * _FARTHEST, 2 * _FARTHEST)  # no infinite extents
        points = np.where(known[:, None, None], near, 0)
        extent = np.ptp(points, axis=1).min(-1)  # (N,) pixels
        wrong = known & ((abs(points).max((1, 2)) > _FARTHEST) | (extent <= 0))
        if wrong.any():
            frame = "/".join(str(v) for v in self.rows[_KEY].iloc[int(wrong.argmax())])
            raise DataError(
                f"the landmarks of {counted(int(wrong.sum()), 'frame')} are no face's, the first "
                f"is {frame}: they coincide, lie on one line or are far outside the picture"
            )

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.rows)

    @cached_property
    def labels(self) -> np.ndarray:
        """(N, A) float32 labels as coded, NaN where not coded."""
        return self.rows[self.aus.columns()].to_numpy(np.float32)

    def occurrence(self) -> np.ndarray:
        """Return (N, A) float32: 1 where the AU occurs, 0 where not, NaN where not coded.

        Intensities are rounded half up to FACS levels before they are compared to the threshold.
        """
        if self.coding == "occurrence":
            return self.labels
        levels = np.floor(self.labels + 0.5)
        return np.where(np.isnan(levels), levels, levels >= self.threshold).astype(np.float32)

    def intensity(self) -> np.ndarray | None:
        """Return (N, A) float32 intensities 0..5, NaN where not coded; None if only occurrence."""
        return self.labels if self.coding == "intensity" else None

    def stats(self, relation: Coding = "occurrence") -> LabelStats:
        """Compute label statistics; give it training rows only.

        A pair of AUs is compared on the frames where both are coded. The correlation of an AU that
        never changes there is 0 with all others.

        Args:
            relation: what the correlation is computed from; rate and agreement are always those of
                occurrence.

        Raises:
            DataError: an AU is not coded in any frame, or intensities are wanted and not coded.
        """
        occurrence = self.occurrence()
        uncoded = np.isnan(occurrence).all(0)
        if uncoded.any():
            names = ", ".join(np.array(self.aus.columns())[uncoded])
            many = counted(len(self), "frame")
            raise DataError(f"{names}: coded in none of {many}; select other AUs")
        labels = occurrence if relation == "occurrence" else self.intensity()
        if labels is None:
            raise DataError("the relation of intensities needs them, this data set has occurrence")
        known = torch.from_numpy(~np.isnan(occurrence)).double()
        occurs = torch.from_numpy(np.nan_to_num(occurrence)).double()
        pairs = known.T @ known
        same = occurs.T @ occurs + (known - occurs).T @ (known - occurs)
        return LabelStats(
            rate=(occurs.sum(0) / known.sum(0)).float(),
            correlation=_pearson(torch.from_numpy(np.nan_to_num(labels)).double(), known).float(),
            agreement=(same / pairs.clamp(min=1)).float(),
            threshold=self.threshold if self.coding == "intensity" else None,
        )

    @property
    def occurs_from(self) -> float | None:
        """Intensity from which an AU occurs; None where occurrence is coded."""
        return self.threshold if self.coding == "intensity" else None

    def found(self) -> np.ndarray:
        """Return (N,) bool: whether a model found the landmarks, which the data set lacks."""
        if "found" not in self.rows.columns:
            return np.zeros(len(self), bool)
        return self.rows["found"].to_numpy(bool)

    def subjects(self) -> list[str]:
        """Return the subjects in sorted order."""
        return sorted(self.rows["subject"].unique())

    @property
    def people(self) -> tuple[str, ...]:
        """The subjects in sorted order, by names that hold across data sets."""
        return named(self.population, self.subjects())

    def select(self, aus: AUSet) -> "FrameTable":
        """Keep these AUs, in this order.

        Raises:
            DataError: the data set does not code one of them.
        """
        absent = [au.column for au in aus if au not in self.aus.aus]
        if absent:
            raise DataError(
                f"the data set does not code {', '.join(absent)}; "
                f"it has {', '.join(self.aus.columns())}"
            )
        besides = self.besides
        if besides is not None:
            places = [self.aus.index(number) for number in aus.numbers]
            besides = besides._replace(sides=besides.sides[:, places])
        return replace(self, aus=aus, besides=besides)

    def subset(self, which: np.ndarray) -> "FrameTable":
        """Keep the rows of a mask (N,) bool, or of positions (M,) int in their order."""
        positions = np.flatnonzero(which) if which.dtype == bool else which
        return replace(
            self,
            rows=self.rows.iloc[positions].reset_index(drop=True),
            landmarks=None if self.landmarks is None else self.landmarks[positions],
            besides=_rows(self.besides, positions),
        )


def own_landmarks(table: FrameTable) -> FrameTable:
    """The same frames without the landmarks that a model found, which are no truth to score by."""
    found = table.found()
    if table.landmarks is None or not found.any():
        return table
    return replace(table, landmarks=np.where(found[:, None, None], np.nan, table.landmarks))


def with_landmarks(table: FrameTable) -> FrameTable:
    """Keep the frames whose faces have landmarks of the data set's own.

    Raises:
        DataError: there are none.
    """
    points = own_landmarks(table).landmarks
    known = np.zeros(len(table), bool) if points is None else np.isfinite(points).all((1, 2))
    if not known.any():
        raise DataError(
            f"none of {counted(len(table), 'frame')} has landmarks of the data set's own, and a "
            "model of landmarks needs them: take a data set that brings them"
        )
    return table.subset(known)


def frames_per_second(table: FrameTable) -> float | None:
    """Frames a second of most of the videos, by the times of frames one after the other.

    None where the data set has no times, or no two such frames.
    """
    if "seconds" not in table.rows.columns:
        return None
    rows = table.rows[[*_KEY, "seconds"]].sort_values(_KEY)
    next_to = rows.groupby(_KEY[:2], sort=False)["frame"].diff() == 1
    apart = rows["seconds"].diff()[next_to].median()
    return float(1 / apart) if apart > 0 else None


def duplicate_positives(table: FrameTable, aus: AUSet) -> FrameTable:
    """Append once more every frame in which at least one of these AUs occurs.

    RE-Net's Table 8 balances the training rows so, with AUs 1, 2, 15, 23 and 24. The appended rows
    have ``copy`` 1.
    """
    positive = np.flatnonzero((table.select(aus).occurrence() == 1).any(1))
    again = table.rows.iloc[positive].assign(copy=1)
    points = table.landmarks
    return replace(
        table,
        rows=pd.concat([table.rows.assign(copy=0), again], ignore_index=True),
        landmarks=None if points is None else np.concatenate([points, points[positive]]),
        besides=_rows(table.besides, np.append(np.arange(len(table)), positive)),
    )


def _rows(besides: Besides | None, positions: np.ndarray) -> Besides | None:
    if besides is None:
        return None
    chosen = torch.from_numpy(positions)
    return Besides(*(values[chosen] for values in besides))


def _pearson(labels: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Pearson correlation (A, A) of (N, A) float64 labels, pair by pair where both are known.

    `labels` is 0 where not `known`. Diagonal 1; 0 where one of the two has no variance.
    """
    pairs = known.T @ known
    total = labels.T @ known  # [i, j]: sum of i over the frames where j is known too
    squares = (labels**2).T @ known
    covariance = pairs * (labels.T @ labels) - total * total.T
    variance = (pairs * squares - total**2).clamp(min=0)
    scale = (variance * variance.T).sqrt()
    # Cancellation leaves a speck of variance in a constant column.
    constant = variance <= 1e-9 * pairs * squares
    undefined = constant | constant.T
    correlation = torch.where(undefined, 0.0, covariance / scale.where(~undefined, 1.0))
    return correlation.clamp(-1, 1).fill_diagonal_(1.0)
