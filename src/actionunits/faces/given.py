"""Faces that the user has found already: boxes in a file, or pictures that are aligned faces."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.errors import DataError
from actionunits.faces.align import TEMPLATE, FloatArray
from actionunits.faces.centerface import CenterFace
from actionunits.faces.detections import Detections
from actionunits.types import Frame

_BOX = ["x", "y", "width", "height"]
_LANDMARKS = [f"{axis}_{point}" for point in range(5) for axis in "xy"]
# Where the five points lie in the box of an upright frontal face, mean over photographs.
_IN_BOX = np.array([[0.27, 0.38], [0.73, 0.38], [0.5, 0.57], [0.31, 0.73], [0.69, 0.73]])

_log = logging.getLogger(__name__)


class Aligned:
    """Each whole frame is one aligned face, as the embedded corpus stores them."""

    def __call__(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return one face a frame; see `Detector`."""
        return [_whole(frame) for frame in frames]


class BoxesFile:
    """Boxes from a CSV file; where it holds no landmarks, CenterFace finds them in the boxes.

    Columns are ``source, frame, x, y, width, height`` and, if known, ``x_0, y_0, ... x_4, y_4``
    (the five points of `actionunits.faces.align`), in pixels; frames count from 1. A source may be
    a file's name or any longer end of its path.
    """

    def __init__(self, path: Path | str, centerface: CenterFace | None = None) -> None:
        """Read the file.

        Args:
            path: CSV file.
            centerface: finds landmarks; built when needed where not given.

        Raises:
            DataError: the file is missing, not a CSV file, lacks a column or holds a wrong value.
        """
        table = _read(Path(path))
        self._path = path
        self._landmarks = set(_LANDMARKS) <= set(table.columns)
        self._centerface = centerface if self._landmarks else centerface or CenterFace()
        columns = _BOX + _LANDMARKS if self._landmarks else _BOX
        rows: dict[tuple[tuple[str, ...], int], list[FloatArray]] = {}
        named = zip(table["source"], table["frame"], table[columns].to_numpy(float), strict=True)
        for source, frame, row in named:
            rows.setdefault((Path(source).parts, int(frame)), []).append(row)
        self._faces = {key: np.stack(faces) for key, faces in rows.items()}
        self._sources = {source for source, _ in rows}
        self._unnamed: set[str] = set()

    def __call__(self, frames: Sequence[Frame], side: int) -> list[Detections]:
        """Return the faces that the file names for each frame; see `Detector`."""
        given = [self._rows(frame) for frame in frames]
        boxes = [rows[:, :4] for rows in given]
        if self._centerface is None:
            landmarks = [rows[:, 4:].reshape(-1, 5, 2) for rows in given]
        else:
            landmarks = self._find(self._centerface, frames, boxes)
        return [
            Detections(box, np.ones(len(box)), points)
            for box, points in zip(boxes, landmarks, strict=True)
        ]

    def _rows(self, frame: Frame) -> FloatArray:
        """(N, 4) boxes, or (N, 14) with landmarks, of one frame."""
        parts = Path(frame.source).parts
        ends = [parts[start:] for start in range(len(parts))]
        source = next((end for end in ends if end in self._sources), None)
        if source is None and frame.source not in self._unnamed:
            self._unnamed.add(frame.source)
            _log.warning("%s names no box of %s", self._path, frame.source)
        nothing = np.zeros((0, len(_BOX + _LANDMARKS) if self._landmarks else len(_BOX)))
        return nothing if source is None else self._faces.get((source, frame.number + 1), nothing)

    @staticmethod
    def _find(
        centerface: CenterFace, frames: Sequence[Frame], boxes: Sequence[FloatArray]
    ) -> list[FloatArray]:
        """Landmarks (N, 5, 2) in the boxes of each frame."""
        counts = [len(box) for box in boxes]
        owners = np.repeat(np.arange(len(frames)), counts)
        stacked = np.concatenate(boxes) if boxes else np.zeros((0, 4))
        landmarks = stacked[:, None, :2] + _IN_BOX * stacked[:, None, 2:]
        images = [frame.image for frame in frames]
        for _ in range(2):  # boxes of other makers fit loosely: the first look only gets close
            landmarks = centerface.refine(images, owners, landmarks)
        return np.split(landmarks, np.cumsum(counts)[:-1])


def _whole(frame: Frame) -> Detections:
    height, width = frame.image.shape[:2]
    size = np.array([width, height], dtype=np.float64)
    return Detections(np.array([[0.0, 0.0, *size]]), np.ones(1), (TEMPLATE * size)[None])


def _read(path: Path) -> pd.DataFrame:
    wanted = ["source", "frame", *_BOX]
    try:
        table = pd.read_csv(path, skipinitialspace=True, dtype={"source": str})
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; check the path") from error
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"{path}: not a CSV file that can be read ({error})") from error
    missing = [column for column in wanted if column not in table.columns]
    if missing:
        raise DataError(
            f"{path}: the columns {', '.join(wanted)} were expected; missing: {', '.join(missing)}"
        )
    known = [column for column in _LANDMARKS if column in table.columns]
    numbers = table[["frame", *_BOX, *known]].apply(pd.to_numeric, errors="coerce")
    wrong = ~np.isfinite(numbers).all(axis=1) | (numbers[["width", "height"]] <= 0).any(axis=1)
    wrong |= table["source"].isna()
    if wrong.any():
        raise DataError(
            f"{path}, line {int(wrong.to_numpy().argmax()) + 2}: a source and numbers were "
            "expected, with a positive width and height; leave a frame without a face out"
        )
    return table.assign(**{str(name): numbers[name] for name in numbers})
