"""Tables of frames, whoever wrote them: `au detect`, OpenFace 2 or py-feat."""

import io
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from actionunits.errors import DataError, UserError, brief
from actionunits.files.lists import decoded, separator

KEY = ["input", "face_id"]
"""Whose face a row is of."""

_AU = re.compile(r"AU(\d{2})(?:_([a-z]+))?")
_LIKELY = 0.5  # probability from which an AU occurs where a table does not say
_STATES = {"r": "strength", "p": "probability", "c": "present", None: "probability"}
_NAMES = {"approx_time": "timestamp", "file": "input", "filename": "input"}
_FEATS = {
    **{"FaceScore": "confidence", "FaceRectX": "face_x", "FaceRectY": "face_y"},
    **{"FaceRectWidth": "face_w", "FaceRectHeight": "face_h"},
}
_BESIDES = re.compile(r"confidence|face_[xywh]|[xy]_\d+")  # OpenFace's eyes are eye_lmk_x_0


class Frames(NamedTuple):
    """Rows of frames, in the order of time.

    Attributes:
        rows: a row a face and frame: ``input``, ``face_id``, ``timestamp`` (seconds), ``frame``
            (its number, NaN where the table has none), ``success``; and, of tables that tell it,
            ``confidence`` (0 to 1), the box ``face_x``, ``face_y``, ``face_w``, ``face_h`` and the
            landmarks ``x_0``, ``y_0``, ... in pixels.
        present: of the same rows, a column an AU (``AU12``): 1 where it occurs, 0, NaN.
        strength: likewise how strongly: intensity 0 to 5, or a probability if not `graded`.
        graded: whether the strength is an intensity.
    """

    rows: pd.DataFrame
    present: pd.DataFrame
    strength: pd.DataFrame
    graded: bool

    def take(self, places: NDArray[np.intp]) -> "Frames":
        """Rows at these places, in this order."""
        tables = (self.rows, self.present, self.strength)
        rows, present, strength = (t.iloc[places].reset_index(drop=True) for t in tables)
        return Frames(rows, present, strength, self.graded)


def read(path: Path, fps: float | None = None) -> Frames:
    """Read a table of frames.

    Args:
        path: CSV or Parquet with columns ``AU12_r`` (intensity), ``AU12_c`` (occurrence),
            ``AU12_p`` or ``AU12`` (probability), of which some may be missing; ``timestamp``, or
            ``frame``; and ``input`` and ``face_id`` where there are several.
        fps: frames a second, by which frames without a timestamp are placed.

    Raises:
        DataError: it cannot be read, or has no AUs, or no times.
    """
    return of_table(table_of(path), path, fps)


def of_table(table: pd.DataFrame, path: Path, fps: float | None = None) -> Frames:
    """Frames of a table in memory.

    Args:
        table: see `read`.
        path: names it in errors, and its rows where the table has no ``input``.
        fps: see `read`.

    Raises:
        DataError: it has no AUs, or no times.
    """
    table = table.reset_index(drop=True)  # rows of several tables may have one number
    for theirs, ours in _NAMES.items():
        # py-feat's times are whole seconds ("01:05"), which place no frame
        usable = theirs in table and (ours == "input" or is_numeric_dtype(table[theirs]))
        if usable and ours not in table:
            table = table.rename(columns={theirs: ours})
    found: dict[str, dict[str, pd.Series]] = {kind: {} for kind in set(_STATES.values())}
    for name in table:
        match = _AU.fullmatch(str(name))
        if match and match[2] in _STATES:
            values = pd.to_numeric(table[name], errors="coerce").astype(float)
            found[_STATES[match[2]]][f"AU{match[1]}"] = values
    likely, graded_as, said = (
        pd.DataFrame(found[kind], index=table.index)
        for kind in ("probability", "strength", "present")
    )
    if not (found["present"] or found["probability"]):
        names = ", ".join(map(str, list(table)[:12]))
        raise DataError(
            f"{path}: expected columns of Action Units such as AU12_c or AU12, found {names}"
        )
    for name in likely.columns.difference(said.columns):
        said[name] = (likely[name] >= _LIKELY).where(likely[name].notna()).astype(float)
    graded = bool(graded_as.notna().to_numpy().any())
    shown = graded_as if graded else likely.reindex(columns=said.columns)
    rows = _rows(path, table, fps)
    order = rows.sort_values([*KEY, "timestamp"], kind="stable").index
    columns = sorted(said.columns)
    rows = rows.loc[order].reset_index(drop=True)
    present, strength = (_ordered(values, columns, rows, order) for values in (said, shown))
    return Frames(rows, present, strength, graded)


def _ordered(
    values: pd.DataFrame, columns: list[str], rows: pd.DataFrame, order: pd.Index
) -> pd.DataFrame:
    """Values of AUs in the order of the rows, unknown where no face was seen."""
    ordered = values.reindex(columns=columns).loc[order].reset_index(drop=True)
    ordered[~rows["success"].to_numpy()] = np.nan
    return ordered


def table_of(path: Path) -> pd.DataFrame:
    """A table as it stands in its file, CSV or Parquet.

    Raises:
        DataError: it cannot be read.
    """
    try:
        if path.suffix.lower() == ".parquet":
            stored: pd.DataFrame = pq.read_table(path).to_pandas()
            return stored
        text = decoded(path.read_bytes())
        table = pd.read_csv(io.StringIO(text), sep=separator(text), skipinitialspace=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, pa.ArrowException) as error:  # pandas' own errors are ValueErrors
        raise DataError(f"{path}: expected a table, CSV or Parquet: {brief(error)}") from error
    return table.rename(columns=lambda name: str(name).strip())


def _rows(path: Path, table: pd.DataFrame, fps: float | None) -> pd.DataFrame:
    """Whose each row is, and of when."""
    rows = pd.DataFrame(index=table.index)
    rows["input"] = table["input"].astype(str) if "input" in table else path.stem
    if "timestamp" in table:
        times = pd.to_numeric(table["timestamp"], errors="coerce")
    elif fps is not None and "frame" in table:
        times = pd.to_numeric(table["frame"], errors="coerce") / fps
    else:
        raise DataError(
            f"{path}: expected a column timestamp (seconds), or frame and the rate of the video by "
            f"--fps; found {', '.join(map(str, list(table)[:12]))}"
        )
    rows["timestamp"] = times
    if "face_id" in table:
        rows["face_id"] = pd.to_numeric(table["face_id"], errors="coerce")
    else:  # several faces of a frame are told apart by their order
        rows["face_id"] = rows.groupby(["input", "timestamp"], dropna=False).cumcount()
    number = table["frame"] if "frame" in table else pd.Series(np.nan, table.index)
    rows["frame"] = pd.to_numeric(number, errors="coerce")
    success = table["success"] if "success" in table else pd.Series(1, table.index)
    known = rows["face_id"].notna() & rows["timestamp"].notna()
    rows["success"] = pd.to_numeric(success, errors="coerce").fillna(0).gt(0) & known
    besides = table.rename(columns={old: new for old, new in _FEATS.items() if new not in table})
    besides = besides[[name for name in besides if _BESIDES.fullmatch(str(name))]]
    return rows.join(besides.apply(pd.to_numeric, errors="coerce").astype(float))


def several(paths: list[Path], fps: float | None = None) -> Frames:
    """Several tables as one.

    Args:
        paths: see `read`.
        fps: see `read`.

    Raises:
        UserError: none are given, or some have intensities and others not.
        DataError: see `read`.
    """
    if not paths:
        raise UserError("expected one table or more")
    tables = [read(path, fps) for path in paths]
    if len({table.graded for table in tables}) > 1:
        names = [str(p) for p, t in zip(paths, tables, strict=True) if not t.graded]
        raise UserError(
            f"{names[0]}: has probabilities alone, {paths[0]} or another has intensities: give "
            "tables of one kind"
        )
    return joined(tables)


def joined(tables: list[Frames]) -> Frames:
    """Several tables of one kind as one."""
    rows = pd.concat([table.rows for table in tables], ignore_index=True)
    present = pd.concat([table.present for table in tables], ignore_index=True)
    strength = pd.concat([table.strength for table in tables], ignore_index=True)
    return Frames(rows, present, strength, tables[0].graded)


def frame_time(rows: pd.DataFrame) -> pd.Series:
    """Seconds that a frame of each row's face lasts: the median step; 0 where there is one."""
    steps = rows.groupby(KEY, dropna=False)["timestamp"].diff()
    usual = steps[steps > 0].groupby([rows[key] for key in KEY], dropna=False).median()
    keys = pd.MultiIndex.from_frame(rows[KEY])
    return pd.Series(np.nan_to_num(usual.reindex(keys).to_numpy(float)), rows.index)
