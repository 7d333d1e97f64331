"""Tables of frames, whoever wrote them: `au detect`, OpenFace 2 or py-feat."""

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from actionunits import media
from actionunits.errors import DataError, UserError, counted
from actionunits.files.lists import numbers, separator, text_of, why

KEY = ["input", "face_id"]
"""Whose face a row is of."""
SUFFIXES = (".csv", ".parquet", ".tsv", ".txt")
"""Of files that are taken for tables, in small letters."""

_AU = re.compile(r"AU(\d{2})(?:_([a-z]+))?")
_LIKELY = 0.5  # probability from which an AU occurs where a table does not say
_STATES = {"r": "strength", "p": "probability", "c": "present", None: "probability"}
_NAMES = {"approx_time": "timestamp", "file": "input", "filename": "input"}
_FEATS = {
    **{"FaceScore": "confidence", "FaceRectX": "face_x", "FaceRectY": "face_y"},
    **{"FaceRectWidth": "face_w", "FaceRectHeight": "face_h"},
}
_ROWS = ["input", "timestamp", "face_id", "frame", "success"]
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
        graded: whether the strength is an intensity; False too if no face was seen.
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
        fps: frames a second, by which frames are placed that have no timestamps, or all the same.

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
            found[_STATES[match[2]]][f"AU{match[1]}"] = numbers(table[name])
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
    rows = _rows(path, table, said.notna().any(axis=1), fps)
    order = rows.sort_values([*KEY, "timestamp"], kind="stable").index
    known = said[rows["success"]].notna().any()  # empty columns are those that a model has not
    columns = sorted(known.index[known] if known.any() else known.index)
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
    if path.suffix.lower() in media.IMAGES | media.VIDEOS:
        raise DataError(
            f"{path}: expected a table, this is a picture or video; make its table with au detect "
            f"{path.name} --out {path.stem}.csv"
        )
    try:
        if path.suffix.lower() == ".parquet":
            stored: pd.DataFrame = pq.read_table(path).to_pandas()
            return stored
        text = text_of(path)
        table = pd.read_csv(io.StringIO(text), sep=separator(text), skipinitialspace=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, pa.ArrowException) as error:  # pandas' own errors are ValueErrors
        raise DataError(f"{path}: expected a table, CSV or Parquet: {why(error)}") from error
    return table.rename(columns=lambda name: str(name).strip())


def _rows(
    path: Path, table: pd.DataFrame, told: "pd.Series[bool]", fps: float | None
) -> pd.DataFrame:
    """Whose each row is, and of when; py-feat's rows without a face are those that tell nothing."""
    rows = pd.DataFrame(index=table.index)
    rows["input"] = table["input"].astype(str) if "input" in table else path.stem
    rows["frame"] = numbers(table["frame"]) if "frame" in table else np.nan
    rows["timestamp"] = numbers(table["timestamp"]) if "timestamp" in table else np.nan
    # a video that has lost its times has one for all its frames
    seen = rows[rows["timestamp"].notna()].groupby("input")
    alike = (seen["timestamp"].nunique() == 1) & (seen["frame"].nunique() > 1)
    stuck = not all(map(media.is_still, alike.index[alike]))  # pages of a picture have one
    faces = next((name for name in ("face_id", "face") if name in table), None)
    if "timestamp" not in table and _pictures(table, rows["input"]):
        rows["timestamp"] = 0.0
    elif "timestamp" not in table or stuck:
        if fps is None or "frame" not in table:
            columns = ", ".join(map(str, list(table)[:12]))
            found = "one time for all frames of a video" if stuck else columns
            raise DataError(
                f"{path}: expected a column timestamp (seconds), or frame and the rate of the "
                f"video by --fps; found {found}"
            )
        rows["timestamp"] = rows["frame"] / fps
    if faces is not None:
        rows["face_id"] = numbers(table[faces])
    else:  # several faces of a frame are told apart by their order
        rows["face_id"] = rows.groupby(["input", "timestamp"], dropna=False).cumcount()
    success = numbers(table["success"]) if "success" in table else told.astype(float)
    known = rows["face_id"].notna() & rows["timestamp"].notna()
    rows["success"] = success.fillna(0).gt(0) & known
    besides = table.rename(columns={old: new for old, new in _FEATS.items() if new not in table})
    besides = besides[[name for name in besides if _BESIDES.fullmatch(str(name))]]
    return rows[_ROWS].join(besides.apply(numbers).astype(float))


def _pictures(table: pd.DataFrame, inputs: "pd.Series[str]") -> bool:
    """Whether a table is of pictures: those of OpenFace number the faces of one as ``face``."""
    alone = "face" in table and "frame" not in table
    return alone or ("input" in table and all(map(media.is_still, inputs.unique())))


def tables_of(paths: Sequence[Path]) -> list[Path]:
    """Files of tables, each once: of a folder those in it and below, by their suffixes."""
    found: dict[Path, Path] = {}
    for path in paths:
        inside = sorted(path.rglob("[!.]*")) if path.is_dir() else [path]
        kept = [file for file in inside if file == path or file.suffix.lower() in SUFFIXES]
        found |= {file.resolve(): file for file in kept if file.resolve() not in found}
    return list(found.values())


def several(
    paths: Sequence[Path], fps: float | None = None, *, report: Callable[[UserError], None]
) -> Frames:
    """Several tables as one.

    Args:
        paths: files, or folders of them.
        fps: see `read`.
        report: is told of each file that is no table of frames, and of rows that repeat the face
            and time of others and are left out; the rest goes on.

    Raises:
        UserError: there is no table, or some have intensities and others not.
        DataError: the only file is no table of frames.
        ExceptionGroup: none of several files is one.
    """
    files = tables_of(paths)
    if not files:
        raise UserError(f"{', '.join(map(str, paths)) or 'tables'}: expected one table or more")
    read_of: dict[Path, Frames] = {}
    problems: list[DataError] = []
    for file in files:
        try:
            read_of[file] = read(file, fps)
        except DataError as error:
            problems.append(error)
    if not read_of:
        if len(problems) == 1:
            raise problems[0]
        raise ExceptionGroup(f"inputs that went wrong: {len(problems)}", problems)
    kinds = {table.graded: file for file, table in read_of.items() if _tells(table)}
    if len(kinds) > 1:
        raise UserError(
            f"{kinds[False]}: has probabilities alone, {kinds[True]} has intensities: give tables "
            "of one kind"
        )
    for problem in problems:
        report(problem)
    together, repeated = once(joined(list(read_of.values())))
    if repeated:
        report(DataError(f"{counted(repeated, 'row')} left out, which repeat a face and time"))
    return together


def once(frames: Frames) -> tuple[Frames, int]:
    """Without rows that repeat a face and time, and how many they were."""
    of_face = frames.rows["face_id"].notna()
    again = frames.rows.duplicated([*KEY, "timestamp"]) & of_face
    return frames.take(np.flatnonzero(~again)), int(again.sum())


def one_kind(tables: Sequence[Frames]) -> bool:
    """Whether all have intensities or none; a table without a face is of either kind."""
    return len({table.graded for table in tables if _tells(table)}) < 2


def _tells(table: Frames) -> bool:
    return bool(table.rows["success"].any())


def joined(tables: list[Frames]) -> Frames:
    """Several tables of one kind as one, see `one_kind`."""
    rows = pd.concat([table.rows for table in tables], ignore_index=True)
    present = pd.concat([table.present for table in tables], ignore_index=True)
    strength = pd.concat([table.strength for table in tables], ignore_index=True)
    return Frames(rows, present, strength, any(table.graded for table in tables))


def frame_time(rows: pd.DataFrame) -> pd.Series:
    """Seconds that a frame of each row's face lasts: the median step; 0 where there is one."""
    steps = rows.groupby(KEY, dropna=False)["timestamp"].diff()
    usual = steps[steps > 0].groupby([rows[key] for key in KEY], dropna=False).median()
    keys = pd.MultiIndex.from_frame(rows[KEY])
    return pd.Series(np.nan_to_num(usual.reindex(keys).to_numpy(float)), rows.index)
