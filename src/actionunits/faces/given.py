"""Faces that the user has found already: boxes in a file, or pictures that are aligned faces."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.errors import DataError, counted, printable
from actionunits.faces.align import TEMPLATE, FloatArray
from actionunits.faces.detections import Detections
from actionunits.faces.search import Searching
from actionunits.faces.synface import SynFace
from actionunits.files.lists import columns, numbers
from actionunits.files.names import escaped, listed
from actionunits.types import Frame

_BOX = ["x", "y", "width", "height"]
_LANDMARKS = [f"{axis}_{point}" for point in range(5) for axis in "xy"]
# Where the five points lie in the box of an upright frontal face, mean over photographs.
_IN_BOX = np.array([[0.27, 0.38], [0.73, 0.38], [0.5, 0.57], [0.31, 0.73], [0.69, 0.73]])

_INSIDE = 0.5  # share of a box that is in the picture, at the least

_log = logging.getLogger(__name__)


class Aligned:
    """Each whole frame is one aligned face, as the embedded corpus stores them."""

    def __call__(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return one face a frame; see `Detector`."""
        return [_whole(frame) for frame in frames]


class BoxesFile:
    """Boxes from a CSV file; where it holds no landmarks, a detector finds them in the boxes.

    Columns are ``source, frame, x, y, width, height`` and, if known, ``x_0, y_0, ... x_4, y_4``
    (the five points of `actionunits.faces.align`), in pixels; frames count from 1. A source may be
    a file's name or any longer end of its path, also as `actionunits.files.names.escaped` writes
    it. Cells are separated and encoded as in lists, see `actionunits.files.lists`.

    A box may reach out of the picture. Less than half of it in the picture is no face: it is left
    out, and told once a source.
    """

    def __init__(self, path: Path | str, detector: Searching | None = None) -> None:
        """Read the file.

        Args:
            path: CSV file.
            detector: finds landmarks; built when needed where not given.

        Raises:
            DataError: the file is missing, not a CSV file, lacks a column or holds a wrong value.
        """
        table = _read(Path(path))
        self._path = path
        self._landmarks = set(_LANDMARKS) <= set(table.columns)
        self._detector = detector if self._landmarks else detector or SynFace(threads=1)
        columns = _BOX + _LANDMARKS if self._landmarks else _BOX
        rows: dict[tuple[tuple[str, ...], int], list[FloatArray]] = {}
        named = zip(table["source"], table["frame"], table[columns].to_numpy(float), strict=True)
        for source, frame, row in named:
            rows.setdefault((Path(source).parts, int(frame)), []).append(row)
        self._faces = {key: np.stack(faces) for key, faces in rows.items()}
        self._last: dict[tuple[str, ...], int] = {}  # frame of each source that has boxes
        for source, frame in rows:
            self._last[source] = max(frame, self._last.get(source, 0))
        self._told: set[tuple[str, str]] = set()
        self._seen: dict[str, int] = {}  # last frame that was asked for, by source

    def __call__(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return the faces that the file names for each frame; see `Detector`."""
        given = [self._rows(frame) for frame in frames]
        boxes = [rows[:, :4] for rows in given]
        if self._detector is None:
            landmarks = [rows[:, 4:].reshape(-1, 5, 2) for rows in given]
        else:
            landmarks = self._find(self._detector, frames, boxes)
        return [
            Detections(box, np.ones(len(box)), points)
            for box, points in zip(boxes, landmarks, strict=True)
        ]

    def unused(self, sources: Sequence[str], partial: Collection[str] = ()) -> list[str]:
        """What of the file belongs to nothing, in sentences: misspelt names, frames too late.

        Args:
            sources: all that could have boxes.
            partial: those that were not read to their end.
        """
        named = {self._key(source) for source in sources}
        strange = [str(Path(*parts)) for parts in self._last if parts not in named]
        lines = []
        if strange:
            lines.append(
                f"{self._path}: has boxes of {listed(strange)}, which "
                f"{'is' if len(strange) == 1 else 'are'} not among the inputs; check the spelling"
            )
        for source, seen in self._seen.items():
            key = self._key(source)
            if key is not None and source not in partial and self._last[key] > seen:
                lines.append(
                    f"{self._path}: has a box of frame {self._last[key]} of {source}, which has "
                    f"{counted(seen, 'frame')}; check how frames are counted"
                )
        return lines

    def _key(self, source: str) -> tuple[str, ...] | None:
        """By what name the file calls a source; None if it does not."""
        written = (Path(source).parts, Path(escaped(source)).parts)
        ends = (parts[start:] for parts in written for start in range(len(parts)))
        return next((end for end in ends if end in self._last), None)

    def _rows(self, frame: Frame) -> FloatArray:
        """(N, 4) boxes, or (N, 14) with landmarks, of one frame."""
        source, number = self._key(frame.source), frame.number + 1
        self._seen[frame.source] = max(number, self._seen.get(frame.source, 0))
        if source is None:
            self._tell(frame.source, f"names no box of {frame.source}")
        nothing = np.zeros((0, len(_BOX + _LANDMARKS) if self._landmarks else len(_BOX)))
        rows = nothing if source is None else self._faces.get((source, number), nothing)
        inside = _share_inside(rows[:, :4], frame.image.shape) >= _INSIDE
        if not inside.all():
            self._tell(
                frame.source,
                f"boxes that lie outside the picture by more than half are left out, the first is "
                f"in frame {number} of {frame.source}",
            )
        return rows[inside]

    def _tell(self, source: str, what: str) -> None:
        """Warn, once a source and kind."""
        kind = (source, what.split()[0])
        if kind not in self._told:
            self._told.add(kind)
            _log.warning("%s: %s", printable(str(self._path)), printable(what))

    @staticmethod
    def _find(
        detector: Searching, frames: Sequence[Frame], boxes: Sequence[FloatArray]
    ) -> list[FloatArray]:
        """Landmarks (N, 5, 2) in the boxes of each frame."""
        counts = [len(box) for box in boxes]
        owners = np.repeat(np.arange(len(frames)), counts)
        stacked = np.concatenate(boxes) if boxes else np.zeros((0, 4))
        landmarks = stacked[:, None, :2] + _IN_BOX * stacked[:, None, 2:]
        images = [frame.image for frame in frames]
        for _ in range(2):  # boxes of other makers fit loosely: the first look only gets close
            landmarks = detector.refine(images, owners, landmarks)
        return np.split(landmarks, np.cumsum(counts)[:-1])


def _whole(frame: Frame) -> Detections:
    height, width = frame.image.shape[:2]
    size = np.array([width, height], dtype=np.float64)
    return Detections(np.array([[0.0, 0.0, *size]]), np.ones(1), (TEMPLATE * size)[None])


def _share_inside(boxes: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Share of each box (N, 4) that lies in a picture (height, width, ...): (N,) 0 to 1."""
    low = np.clip(boxes[:, :2], 0, None)
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], [shape[1], shape[0]])
    share: FloatArray = (np.clip(high - low, 0, None) / boxes[:, 2:]).prod(axis=1)
    return share


def _read(path: Path) -> pd.DataFrame:
    """Sources, frames, boxes and landmarks, in the order of their lines."""
    table = columns(path, "source", "frame", *_BOX, optional=tuple(_LANDMARKS))
    values = table.drop(columns="source").apply(numbers).astype(float)  # also without a line
    frame, width, height = (values[name].to_numpy() for name in ("frame", "width", "height"))
    unknown = table["source"].eq("").to_numpy() | ~np.isfinite(values.to_numpy()).all(axis=1)
    for wrong, expected in (
        (
            unknown | (width <= 0) | (height <= 0),
            "a source and numbers were expected, with a positive width and height; leave a frame "
            "without a face out",
        ),
        (
            (frame % 1 != 0) | (frame < 1),
            "the number of a frame was expected, which is whole and counts from 1",
        ),
    ):
        if wrong.any():
            raise DataError(f"{path}:{table.index[wrong.argmax()]}: {expected}")
    rows = table[["source"]].join(values)
    twice = rows.duplicated()
    if twice.any():
        _log.warning(
            "%s: %s an earlier line word for word and %s left out, the first is line %d",
            printable(str(path)),
            "a line repeats" if twice.sum() == 1 else f"{twice.sum():,} lines repeat",
            "is" if twice.sum() == 1 else "are",
            twice.idxmax(),
        )
    return rows[~twice]
