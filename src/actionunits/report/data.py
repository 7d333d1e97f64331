"""What a page tells of: files, and the faces in them, from tables of frames."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits.errors import DataError, UserError, counted, printable
from actionunits.findings import frames as findings
from actionunits.findings.events import events
from actionunits.findings.frames import Frames
from actionunits.findings.summary import summary
from actionunits.report import lanes
from actionunits.report.written import Weights, written_by

Table = Path | str | pd.DataFrame
"""The file of a table, or a table as `Predictor.predict` gives it."""

AWAY, DOUBTFUL, SEEN = range(3)
"""Of a face in a frame: it is not there, or was read with too little confidence, or was read."""

LOW = 0.2
"""Confidence below which a page calls a reading doubtful."""


class File(NamedTuple):
    """What was read of one video or picture.

    Attributes:
        name: for people; of several files each has another.
        source: the video or picture, as its table names it.
        table: file of the table; None of one in memory.
        given: position of the table among those that were given.
        frames: its rows.
        times: (T,) seconds of all its frames, rising.
        step: seconds from one frame to the next, 0 of a still.
        summary: see `findings.summary`.
        events: see `findings.events`.
        weights: which wrote the table.
        repeated: rows that were left out, since they repeat a face and time.
    """

    name: str
    source: str
    table: Path | None
    given: int
    frames: Frames
    times: NDArray[np.float64]
    step: float
    summary: pd.DataFrame
    events: pd.DataFrame
    weights: Weights
    repeated: int

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last; 0 of a still."""
        return float(self.times[-1] - self.times[0] + self.step) if len(self.times) else 0.0

    @property
    def aus(self) -> list[str]:
        """Columns of its AUs, in order: ``AU01``, ..."""
        return [str(name) for name in self.frames.present]

    @property
    def faces(self) -> list[int]:
        """Numbers of the faces that were read, from that seen longest on."""
        rows = self.frames.rows
        numbers = rows.loc[rows["success"] & _known(self.frames), "face_id"]
        return [int(number) for number in numbers.value_counts(sort=True).index]


class Track(NamedTuple):
    """One face over all T frames of its file; A AUs.

    Attributes:
        face: its number.
        times: (T,) seconds.
        strength: (T, A) intensity 0 to 5, or probability; NaN where it is not known.
        present: (T, A) 1, 0, NaN.
        confidence: (T,) 0 to 1; NaN where it is not known.
        state: (T,) of `AWAY`, `DOUBTFUL`, `SEEN`.
        row: (T,) position in the rows of the file, -1 where the face is away.
    """

    face: int
    times: NDArray[np.float64]
    strength: NDArray[np.float64]
    present: NDArray[np.float64]
    confidence: NDArray[np.float64]
    state: NDArray[np.int8]
    row: NDArray[np.int64]


def files(
    tables: Sequence[Table],
    fps: float | None = None,
    *,
    gap: float = 0.2,
    shortest: float = 0.1,
    model: str | Path | None = None,
    report: Callable[[UserError], None],
) -> list[File]:
    """Read tables and take them apart by the files that they are of.

    Args:
        tables: of `au detect`, OpenFace or py-feat; see `findings.frames`.
        fps: frames a second, for tables without times.
        gap: of events, see `findings.events`.
        shortest: of events.
        model: weights that may have written them, besides those of the package.
        report: is told of each table that cannot be read, or has no AUs, or no times, or no rows,
            or is there twice; the others go on.

    Raises:
        UserError: none are given, or none can be read: the first problem.
    """
    if not len(tables):
        raise UserError("expected one table or more")
    found: list[File] = []
    problems: list[UserError] = []
    known: set[Path] = set()
    for position, given in enumerate(tables):
        try:
            if isinstance(given, pd.DataFrame):
                raw, path, label = given, None, Path(f"table {position + 1}")
            else:
                path = label = Path(given)
                if path.resolve() in known:
                    raise DataError(f"{path}: is given twice, and counts once")
                known.add(path.resolve())
                raw = findings.table_of(path)
            frames, repeated = findings.once(findings.of_table(raw, label, fps))
            if not frames.rows["timestamp"].notna().any():
                raise DataError(f"{label}: expected rows of frames, found none with a time")
        except DataError as error:
            problems.append(error)
            continue
        summed = summary(frames, gap=gap, shortest=shortest)
        began = events(frames, gap=gap, shortest=shortest)
        weights = written_by(raw, model)
        summed_of, began_of = (dict(list(table.groupby("input"))) for table in (summed, began))
        for source, rows in frames.rows.groupby("input", sort=False):
            part = frames.take(rows.index.to_numpy())
            times = np.unique(part.rows["timestamp"].dropna().to_numpy(float))
            found.append(
                File(
                    *(str(source), str(source), path, position, part, times, _step(times)),
                    summed_of.get(source, summed[:0]),
                    began_of.get(source, began[:0]),
                    *(weights, repeated),
                )
            )
    if problems and not found:
        raise problems[0]
    for problem in problems:
        report(problem)
    return [file for file in _named(found) if len(file.times)]


def track(file: File, face: int) -> Track:
    """One face over all frames of its file."""
    rows = file.frames.rows
    own = np.flatnonzero(
        (rows["face_id"] == face).to_numpy() & rows["timestamp"].notna().to_numpy()
    )
    place = np.searchsorted(file.times, rows["timestamp"].to_numpy(float)[own])
    count = len(file.times)
    row = np.full(count, -1)
    row[place] = own
    strength, present = (
        _spread(table.to_numpy(float)[own], place, count)
        for table in (file.frames.strength, file.frames.present)
    )
    told = rows["confidence"] if "confidence" in rows else pd.Series(np.nan, rows.index)
    confidence = _spread(told.to_numpy(float)[own], place, count)
    state = np.full(count, AWAY, np.int8)
    read = rows["success"].to_numpy()[own] & _known(file.frames)[own]
    sure = read & ~(confidence[place] < LOW)  # what does not say how sure it is counts as sure
    # A table that knows no gaps has rows of nobody too: those of which nothing is known.
    state[place] = np.where(sure, SEEN, np.where(read | (confidence[place] > 0), DOUBTFUL, AWAY))
    return Track(face, file.times, strength, present, confidence, state, row)


def cuts(file: File) -> NDArray[np.float64]:
    """Seconds at which nobody who was seen is seen any more, and others are.

    A cut of the picture gives all faces new numbers. The picture itself tells more surely.
    """
    rows = file.frames.rows[file.frames.rows["success"]]
    if rows.empty:
        return np.empty(0)
    place = pd.Series(np.searchsorted(file.times, rows["timestamp"]), rows.index)
    occupied = np.bincount(place, minlength=len(file.times)) > 0
    stayed = np.zeros(len(file.times), bool)
    stayed[place[place.groupby(rows["face_id"]).diff() == 1]] = True
    next_to = ~lanes.holes(file.times, file.step)
    return file.times[1:][occupied[1:] & occupied[:-1] & ~stayed[1:] & next_to]


def runs(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First position, and the one after the last, of each run of what is true: (R, 2).

    >>> runs(np.array([True, True, False, True])).tolist()
    [[0, 2], [3, 4]]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2)


def _spread(values: NDArray[Any], place: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Values at their places among `count`, NaN elsewhere."""
    spread = np.full((count, *values.shape[1:]), np.nan)
    spread[place] = values
    return spread


def _known(frames: Frames) -> NDArray[np.bool_]:
    return np.asarray(frames.present.notna().to_numpy().any(axis=1))


def _step(times: NDArray[np.float64]) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _named(found: list[File]) -> list[File]:
    """Files by the shortest names that tell them apart."""
    names = [printable(Path(file.source).name) for file in found]
    for longer in (
        [printable(file.source) for file in found],
        [printable(f"{file.source} ({file.table})") for file in found],
        [f"{printable(file.source)} ({position + 1})" for position, file in enumerate(found)],
    ):
        count = Counter(names)
        names = [
            long if count[name] > 1 else name for name, long in zip(names, longer, strict=True)
        ]
    return [file._replace(name=name) for file, name in zip(found, names, strict=True)]


def warnings(file: File) -> list[str]:
    """What whoever reads the page should know of how the file was read, as sentences."""
    said = []
    tracks = file.frames.rows
    seen = tracks.loc[tracks["success"] & _known(file.frames)]
    without = len(file.times) - seen["timestamp"].nunique()
    if not len(seen):
        return ["No face was read in any frame: there is nothing to report but that."]
    if without:
        share = without / len(file.times)
        said.append(
            f"{counted(without, 'frame')} of {len(file.times):,} ({100 * share:.0f} %) without a "
            "face that was read; shares and means are of the other frames."
        )
    if "confidence" in seen and (low := int((seen["confidence"] < LOW).sum())):
        said.append(
            f"{counted(low, 'reading')} of {len(seen):,} ({100 * low / len(seen):.0f} %) with a "
            f"confidence below {LOW:g}; they count all the same. au detect --min-confidence "
            f"{LOW:g} leaves them out."
        )
    if file.repeated:
        said.append(
            f"{counted(file.repeated, 'row')} of its table left out, which repeat a face and time."
        )
    if missing := int(lanes.holes(file.times, file.step).sum()):
        said.append(f"Frames are missing in {counted(missing, 'place')}.")
    if not file.frames.graded:
        said.append("The table has probabilities, 0 to 1, and no intensities.")
    return said
