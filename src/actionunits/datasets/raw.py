"""A data set as its owners hand it out: labels, and where the pictures are, not yet aligned.

A reader is one function ``read(root) -> RawTable``. ``au data check`` counts what it found,
``au data prepare`` aligns the faces and writes them with their labels; only then is it a
`FrameTable` that can be trained on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.aus import AUSet
from actionunits.data.prepared import Excluded
from actionunits.errors import DataError, counted

_KEY = ["subject", "task", "frame"]

Landmarks = Callable[[pd.DataFrame], np.ndarray]
"""Rows of one sequence to their 49 points: (N, 49, 2) float32 x, y in pixels of the picture (the
centre of its first pixel is 0.5, 0.5), NaN where the data set has none for a frame."""


@dataclass(frozen=True)
class RawTable:
    """The coded frames of a data set and where their pictures are.

    Attributes:
        name: of the data set.
        root: its folder.
        rows: one row a frame, in the order subject, task, frame: ``subject``, ``task`` (str),
            ``frame`` (int, as the labels count), ``file`` (str, a picture or a video),
            ``position`` (int, which frame of a video from 0; 0 for a picture), ``part`` (int 1..3,
            where the data set has agreed folds), and the label columns; NaN = not coded.
        occurrence: AUs coded 0 and 1, in columns such as ``AU04``; None where there are none.
        intensity: AUs coded 0..5, whole levels or between, in columns such as ``AU04_intensity``;
            None where there are none.
        threshold: an AU occurs from this intensity on, where only intensities are coded.
        excluded: what is listed in the data set and not in `rows`, or there without a label.
        landmarks: reads the data set's own landmarks, sequence by sequence; None where it has none.
    """

    name: str
    root: Path
    rows: pd.DataFrame
    occurrence: AUSet | None
    intensity: AUSet | None
    threshold: float = 1.0
    excluded: tuple[Excluded, ...] = ()
    landmarks: Landmarks | None = None

    def __post_init__(self) -> None:
        """Check what every reader promises.

        Raises:
            DataError: there are no frames, a column is missing, a frame occurs twice or a label is
                outside its code.
        """
        if not len(self.rows):
            raise DataError(f"{self.root}: no frame of {self.name} can be used" + self._reasons())
        missing = {*_KEY, "file", "position", *self.label_columns()} - set(self.rows.columns)
        if missing:
            raise DataError(f"{self.root}: the rows lack {', '.join(sorted(missing))}")
        twice = self.rows.duplicated(_KEY)
        if twice.any():
            first = "/".join(str(v) for v in self.rows.loc[twice, _KEY].iloc[0])
            raise DataError(
                f"{self.root}: listed more than once: {counted(int(twice.sum()), 'frame')}, "
                f"the first is {first}"
            )
        if not self.label_columns():
            raise DataError(f"{self.root}: no AU is coded in any frame of {self.name}")
        absent = self.rows[_KEY].isna().any(axis=1)
        if absent.any():
            raise DataError(
                f"{self.root}: expected a subject, a task and a frame of each, found none of "
                f"{counted(int(absent.sum()), 'frame')}"
            )
        for column in self.label_columns():
            self._check_code(column)

    def _check_code(self, column: str) -> None:
        codes, top = self.rows[column], 5 if column.endswith("_intensity") else 1
        if not pd.api.types.is_numeric_dtype(codes):
            raise DataError(f"{self.root}: expected numbers in {column}, found {codes.dtype}")
        wrong = codes.notna() & ~(codes.between(0, 5) if top == 5 else codes.isin((0, 1)))
        if wrong.any():
            frame = "/".join(str(v) for v in self.rows.loc[wrong, _KEY].iloc[0])
            raise DataError(
                f"{self.root}: expected {column} from 0 to {top}, empty where not coded; found "
                f"{codes[wrong].iloc[0]:g} at {frame}"
            )

    def _reasons(self) -> str:
        listed = [f"{each.what}: {each.reason}" for each in self.excluded[:3]]
        return (": " + "; ".join(listed)) if listed else ""

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.rows)

    def label_columns(self) -> list[str]:
        """Names of the label columns, occurrence first."""
        occurrence = [] if self.occurrence is None else self.occurrence.columns()
        intensity = [] if self.intensity is None else self.intensity.columns()
        return [*occurrence, *(f"{column}_intensity" for column in intensity)]

    def sequences(self) -> Iterator[tuple[str, str, pd.DataFrame]]:
        """Yield subject, task and rows of each sequence, in order."""
        for (subject, task), rows in self.rows.groupby(["subject", "task"], sort=True):
            yield str(subject), str(task), rows
