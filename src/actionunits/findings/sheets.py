"""Sheets of a coder: a row a frame, a column an AU with 0 and 1, or 0 to 5."""

from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.errors import DataError
from actionunits.files.lists import numbers
from actionunits.findings.codes.names import parse
from actionunits.findings.codes.stretches import seconds
from actionunits.findings.frames import Frames, of_table, table_of

_TIMES = ("timestamp", "time", "seconds", "time (s)", "time_s")
_FRAMES = ("frame", "frame_number", "frame number", "frames")
_VIDEOS = ("input", "file", "filename", "video")


def read_sheet(path: Path, *, occurs: float = 1.0, fps: float | None = None) -> Frames:
    """Read a coder's sheet, or a table of a program that reads faces (`frames.read`).

    A sheet has columns that are named as AUs without more (``AU12``, ``12``) and whole numbers in
    them; of photographs, a row each with its name. What is not 0 to 5, such as an empty cell or the
    9 of BP4D, is not coded.

    Args:
        path: CSV or Parquet.
        occurs: intensity from which an AU occurs, in a sheet that has more than 0 and 1.
        fps: see `frames.read`; frames of a sheet without times are told by their number, and have
            no times (NaN).

    Raises:
        DataError: it is neither.
    """
    table = table_of(path)
    names = [str(name) for name in table]
    lower = {name.lower(): name for name in names}
    time, frame, video = (
        next((lower[name] for name in names if name in lower), None)
        for names in (_TIMES, _FRAMES, _VIDEOS)
    )
    bare = time is not None or frame is not None or video is not None
    stills = time is None and frame is None and video is not None and table[video].is_unique
    named = {name: au for name in names if (au := parse(name, bare=bare))}
    aus = {name: au.column for name, au in named.items()}
    values = table[list(aus)].apply(numbers).astype(float)
    whole = values.mod(1).fillna(0).eq(0).to_numpy().all() and values.notna().to_numpy().any()
    if not aus or not whole or any(f"{au}_c" in table or f"{au}_p" in table for au in aus.values()):
        return of_table(table, path, fps)
    if time is None and frame is None and not stills:
        raise DataError(
            f"{path}: expected a column time (seconds) or frame beside the AUs; found "
            f"{', '.join(names[:12])}"
        )
    if twice := [name for name, au in named.items() if list(named.values()).count(au) > 1]:
        raise DataError(f"{path}: has {aus[twice[0]]} in the columns {', '.join(twice)}; keep one")
    values = (
        values.where(values.ge(0) & values.le(5)).T.groupby(list(aus.values())).max().T
    )  # the stronger side
    rows = pd.DataFrame(index=table.index)
    rows["input"] = path.stem if video is None else table[video].astype("str").fillna("")
    rows["face_id"] = np.nan if "face_id" not in lower else numbers(table[lower["face_id"]])
    rows["timestamp"] = 0.0 if stills else np.nan
    if time is not None:
        rows["timestamp"] = seconds(table[time])
    rows["frame"] = np.nan if frame is None else numbers(table[frame])
    rows["success"] = rows["timestamp"].notna() | rows["frame"].notna()
    keep = rows["success"].to_numpy()
    order = rows[keep].sort_values(["input", "timestamp", "frame"], kind="stable").index
    graded = bool((values > 1).to_numpy().any())
    present = values.ge(occurs if graded else 1).astype(float).where(values.notna())
    columns = sorted(values.columns)
    rows, present, values = (t.loc[order].reset_index(drop=True) for t in (rows, present, values))
    return Frames(rows, present[columns], values[columns], graded)
