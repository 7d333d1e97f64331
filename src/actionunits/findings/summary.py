"""Summaries: how much of an Action Unit a face shows, in all or by condition."""

from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.errors import DataError, naming
from actionunits.files.lists import columns, filled, numbers
from actionunits.files.names import listed
from actionunits.findings.codes.read import read as read_codes
from actionunits.findings.codes.stretches import conditions, stem
from actionunits.findings.events import events
from actionunits.findings.frames import KEY, Frames, frame_time

_WINDOW = ["start", "end", "condition"]


def summary(
    frames: Frames, trials: pd.DataFrame | None = None, *, gap: float = 0.2, shortest: float = 0.1
) -> pd.DataFrame:
    """Each AU of each face, of the frames that show it.

    Args:
        frames: of any faces.
        trials: see `read_trials`; frames of none are left out. Without it all count.
        gap: of events, see `events`.
        shortest: of events.

    Returns:
        A row a face, condition if there are trials, and AU: ``frames`` that were read, ``seconds``
        of them, ``present`` (share 0 to 1 in which the AU occurs), ``mean``, ``sd`` and ``peak`` of
        its strength (intensity 0 to 5, or probability), ``events`` that began then, and
        ``events_per_minute``. A condition of its video in which a face was never read has its rows
        too, with 0 frames.

    Raises:
        DataError: the trials name videos, of which none is in the table.
    """
    by = [*KEY] if trials is None else [*KEY, "condition"]
    places = pd.DataFrame({"row": np.arange(len(frames.rows))})
    if trials is not None:
        timed = frames.rows[["input", "timestamp"]].assign(row=places["row"])
        places = _within(timed, "timestamp", trials)
    seen = frames.rows["success"].to_numpy()[places["row"]]
    places = places[seen].reset_index(drop=True)
    rows = frames.rows.assign(seconds=frame_time(frames.rows)).iloc[places["row"]]
    rows = rows.reset_index(drop=True)
    if trials is not None:
        rows["condition"] = places["condition"]
    keys = [rows[key] for key in by]
    parts = {}
    for name, values in (("present", frames.present), ("strength", frames.strength)):
        parts[name] = values.iloc[places["row"]].reset_index(drop=True)
    strength = parts["strength"].groupby(keys)
    count = rows.groupby(by)["seconds"].agg(frames="size", seconds="sum")
    told = {
        "present": parts["present"].groupby(keys).mean(),
        "mean": strength.mean(),
        "sd": strength.std(),
        "peak": strength.max(),
    }
    found = pd.concat(
        {
            name: table.rename_axis(columns="AU").stack(future_stack=True)
            for name, table in told.items()
        },
        axis=1,
    ).reset_index()
    found = found.merge(count.reset_index(), on=by)
    found = _all(frames, trials).merge(found, how="left", on=[*by, "AU"])
    found = found.fillna({"frames": 0, "seconds": 0.0}).astype({"frames": int})
    began = events(frames, gap=gap, shortest=shortest)
    if trials is not None:
        began = _within(began, "onset", trials)
    number = began.groupby([*by, "AU"]).size().rename("events")
    found = found.merge(number.reset_index(), on=[*by, "AU"], how="left")
    found["events"] = found["events"].fillna(0).astype(int)
    minutes = found["seconds"].where(found["seconds"] > 0) / 60
    found["events_per_minute"] = found["events"] / minutes
    told_columns = ["frames", "seconds", *told, "events", "events_per_minute"]
    return found[[*by, "AU", *told_columns]]


def unsummed(frames: Frames, trials: pd.DataFrame | None = None) -> list[str]:
    """What a summary has no rows of, in sentences: videos without a face, or that do not pair.

    Args:
        frames: see `summary`.
        trials: see `summary`.
    """
    rows = frames.rows
    read = set(rows.loc[rows["success"], "input"])
    told = []
    if nobody := [name for name in rows["input"].unique() if name not in read]:
        told.append(f"no face was read, and there are no rows, of {listed(nobody)}")
    if trials is not None and "input" in trials:
        ours, theirs = (dict.fromkeys(table["input"].map(stem)) for table in (rows, trials))
        for what, these, others in (
            ("the trials name videos of which there is no table", theirs, ours),
            ("left out, since the trials do not name them", ours, theirs),
        ):
            if alone := [name for name in these if name not in others]:
                told.append(f"{what}: {listed(alone)}")
    return told


def read_trials(path: Path, tier: str | None = None) -> pd.DataFrame:
    """Which condition holds from when to when.

    Args:
        path: CSV with ``start`` and ``end`` (seconds) and ``condition``; with ``input`` too, the
            video or its name without suffix, where not all videos have the same trials. Or a file
            of a coding program (`codes.read`), whose labels are conditions.
        tier: of a coding program, the tier or behaviour to take, see `conditions`.

    Raises:
        DataError: it cannot be read, or has not these columns, a cell is empty, or a time is none.
    """
    try:
        table = columns(path, *_WINDOW, optional=("input",))
    except DataError:
        found = read_codes(path)
        if found is None:
            raise
        with naming(path):
            return conditions(found, tier)
    if tier is not None:
        raise DataError(f"{path}: has no tiers; --tier is for files of coding programs")
    filled(path, table)
    for name in ("start", "end"):
        times = numbers(table[name])
        if times.isna().any():
            line = times.index[times.isna()][0]
            raise DataError(f"{path}:{line}: expected seconds in {name}, got {table[name][line]!r}")
        table[name] = times
    if (late := table.index[table["end"] <= table["start"]]).size:
        raise DataError(f"{path}:{late[0]}: the end is not after the start")
    return table


def _all(frames: Frames, trials: pd.DataFrame | None) -> pd.DataFrame:
    """Keys of a summary: faces that were read, in each condition of their video, by AU."""
    faces = frames.rows.loc[frames.rows["success"], KEY].drop_duplicates()
    aus = pd.DataFrame({"AU": list(frames.present)})
    if trials is not None:
        faces = _paired(faces, trials)[[*KEY, "condition"]].drop_duplicates()
    return faces.sort_values(list(map(str, faces))).merge(aus, how="cross")


def _within(rows: pd.DataFrame, time: str, trials: pd.DataFrame) -> pd.DataFrame:
    """Rows with each condition in which their time lies, once for each; start <= t < end."""
    paired = _paired(rows, trials)
    inside = (paired[time] >= paired["start"]) & (paired[time] < paired["end"])
    columns = [*rows.columns, "condition"]
    return paired.loc[inside, columns].drop_duplicates(ignore_index=True)


def _paired(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Rows with each trial of their video."""
    if "input" not in trials:
        return rows.merge(trials, how="cross")
    stems, asked = rows["input"].map(stem), trials["input"].map(stem)
    if len(rows) and not stems.isin(asked).any():
        told, wanted = (listed(list(dict.fromkeys(names))) for names in (stems, asked))
        raise DataError(f"the trials are of {wanted}, the table is of {told}: no video is in both")
    windows = trials.assign(_stem=asked).drop(columns="input")
    return rows.assign(_stem=stems).merge(windows, on="_stem")
