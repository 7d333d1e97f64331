"""Readings as rows: a table, JSON, and bars to look at.

The columns begin like OpenFace 2's: ``frame`` (from 1), ``face_id``, ``timestamp`` (seconds),
``confidence`` and ``success`` (0 or 1). Then come the box in pixels, for each AU its probability
(``AU12_p``), whether it occurs at the calibrated threshold (``AU12_c``) and its intensity on 0 to 5
(``AU12_r``, empty if the model does not tell), that above the person's rest if it was asked for
(``AU12_n``, see `actionunits.detect.neutral`), what else was asked for (landmarks, pose, ...: see
`actionunits.detect.added`), and last the ``input`` file. A row is a face; a frame without one has a
row too, with ``success`` 0 and nothing else known. ``success`` is 0 too where the confidence is
less than was asked for; what was read is there all the same.

``input`` is the path as `actionunits.files.names.escaped` writes it: mostly as it is, always one
line of Unicode, and nothing that a spreadsheet takes for a formula.
`actionunits.files.names.unescaped` leads back to the file.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from actionunits.aus import STARRED, AUSet
from actionunits.detect.added import NOTHING, Added
from actionunits.detect.added import decimals as of_added
from actionunits.errors import printable
from actionunits.files.names import escaped
from actionunits.types import Reading

_FIRST = ["frame", "face_id", "timestamp", "confidence", "success"]
_BOX = ["face_x", "face_y", "face_w", "face_h"]
_DECIMALS = {"timestamp": 6, "confidence": 4, **dict.fromkeys(_BOX, 2), "_p": 4, "_r": 3, "_n": 3}


def columns(aus: AUSet, added: Added = NOTHING, *, rest: bool = False) -> list[str]:
    """Names of the columns in order, with those that are added, and those above `rest`.

    >>> from actionunits.aus import AUSet
    >>> columns(AUSet.of([12]))[-4:]
    ['AU12_p', 'AU12_c', 'AU12_r', 'input']
    """
    kinds = "pcrn" if rest else "pcr"
    read = [f"{column}_{kind}" for kind in kinds for column in aus.columns()]
    return [*_FIRST, *_BOX, *read, *added.columns, "input"]


class Rows:
    """Rows of readings, without their pictures."""

    def __init__(self, aus: AUSet, added: Added = NOTHING, *, rest: bool = False) -> None:
        """Start without rows.

        Args:
            aus: label axis of the readings.
            added: what is told besides AUs.
            rest: with columns for intensities above rest, empty as yet.
        """
        self._columns = columns(aus, added, rest=rest)
        self._aus, self._added, self._kinds = aus, added, 4 if rest else 3
        self._values: list[NDArray[np.float64]] = []
        self._inputs: list[str] = []

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._inputs)

    def add(self, reading: Reading) -> None:
        """Add a row a face, or one that says that there is none."""
        count = len(reading.faces)
        values = np.full((max(count, 1), len(self._columns) - 1), np.nan)
        values[:, 0], values[:, 2] = reading.frame.number + 1, reading.frame.seconds
        values[:, 3:5] = 0
        if count:
            values[:, 1] = [face.track for face in reading.faces]
            values[:, 3], values[:, 4] = confidence(reading), reading.sure is None or reading.sure
            values[:, 5:9] = [face.box for face in reading.faces]
            ends = len(self._aus) * np.arange(1, self._kinds + 1)
            p, c, r, *_, others = np.split(values[:, 9:], ends, axis=1)
            p[:], c[:] = reading.probability, reading.present
            if reading.intensity is not None:
                r[:] = reading.intensity
            others[:] = self._added.values(reading, self._aus)
        self._values.append(values)
        self._inputs += [escaped(reading.frame.source)] * len(values)

    def table(self) -> pd.DataFrame:
        """All rows as a table; what is not known is missing (NA)."""
        values = np.concatenate([np.zeros((0, len(self._columns) - 1)), *self._values])
        table = pd.DataFrame(values, columns=self._columns[:-1])
        whole = {"frame": "int64", "face_id": "Int64", "success": "int64"}
        known = {c: "Int64" for c in self._columns if c.endswith("_c")}
        # the copy brings together the many columns of an embedding, which would be slow apart
        typed = table.astype({**whole, **known}).copy()
        return typed.assign(input=pd.array(self._inputs, dtype="str"))


def confidence(reading: Reading) -> NDArray[np.floating]:
    """How far each face of a reading can be relied on, (F,) 0..1."""
    if reading.confidence is None:
        return np.array([face.score for face in reading.faces], np.float64)
    return reading.confidence


def decimals(column: str) -> int | None:
    """Digits after the point that mean something in a column; None: all that there are."""
    known = _DECIMALS.get(column, _DECIMALS.get(column[-2:]))
    return of_added(column) if known is None else known


class Layout(NamedTuple):
    """How the rows of one table are written.

    Attributes:
        table: from rows of `Rows.table`, any of them in their order.
        decimals: that mean something in a column; None: all that there are.
    """

    table: Callable[[pd.DataFrame], pd.DataFrame]
    decimals: Callable[[str], int | None]


AS_READ = Layout(lambda table: table, decimals)
"""The columns of `columns`."""


def rounded(rows: pd.DataFrame, layout: Layout = AS_READ) -> pd.DataFrame:
    """Rows as they are written as text, without decimals that mean nothing."""
    table = layout.table(rows)
    places = {column: layout.decimals(str(column)) for column in table.columns}
    return table.round({column: n for column, n in places.items() if n is not None})


def to_json(rows: pd.DataFrame, layout: Layout = AS_READ) -> str:
    """Rows as a JSON list of objects; what is not known is null."""
    return rounded(rows, layout).to_json(orient="records")


def to_lines(reading: Reading, aus: AUSet, added: Added = NOTHING, layout: Layout = AS_READ) -> str:
    """Rows of one reading as lines of JSON, an object a row; what is not known is null.

    Args:
        reading: of one frame.
        aus: its label axis.
        added: what is told besides AUs.
        layout: how rows are written.
    """
    rows = Rows(aus, added)
    rows.add(reading)
    return rounded(rows.table(), layout).to_json(orient="records", lines=True)


class Bar:
    """A bar for a table on the terminal, in characters that the terminal has.

    Args:
        share: of the full length, 0 to 1.
        style: of rich.
    """

    _FULL = 20  # characters

    def __init__(self, share: float, style: str = "") -> None:
        self._length = round(self._FULL * float(np.clip(share, 0, 1)))
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        yield Text(("#" if options.ascii_only else "█") * self._length, self._style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Take the room of a full bar."""
        return Measurement(self._FULL, self._FULL).with_maximum(options.max_width)


def bars(reading: Reading, aus: AUSet, face: int) -> Table:
    """AUs of one face for the terminal: name, probability, intensity and a bar of its length.

    Args:
        reading: of one frame.
        aus: its label axis.
        face: position of the face in the reading.
    """
    shown = reading.faces[face]
    x, y, width, height = shown.box
    name = printable(Path(reading.frame.source).name)
    title = (
        f"{name}, face {shown.track}: {width:.0f} x {height:.0f} pixels at {x:.0f}, {y:.0f}, "
        f"confidence {confidence(reading)[face]:.2f}"
        f"{', too little' if reading.doubtful[face] else ''}"
    )
    table = Table(title=Text(title, "table.title"), title_justify="left")
    table.add_column("AU", justify="right")
    table.add_column("name")
    table.add_column("probability", justify="right")
    table.add_column("intensity", justify="right")
    table.add_column("")
    table.caption = STARRED if aus.experimental else None
    for i, au in enumerate(aus):
        probability, present = reading.probability[face, i], bool(reading.present[face, i])
        present &= not reading.doubtful[face]
        known = reading.intensity is not None
        share = reading.intensity[face, i] / 5 if reading.intensity is not None else probability
        table.add_row(
            aus.label(au),
            au.name,
            f"{probability:.2f}",
            f"{5 * share:.1f}" if known else "",
            Bar(share, "cyan" if present else "dim"),
            style="bold" if present else "",
        )
    return table
