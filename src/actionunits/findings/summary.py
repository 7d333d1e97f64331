"""Summaries: how much of an Action Unit a face shows, in all or by condition."""

from pathlib import Path

import numpy as np
import pandas as pd

from actionunits.errors import DataError, naming
from actionunits.files.lists import cells, numbers
from actionunits.files.names import listed
from actionunits.findings.codes.read import SUFFIXES
from actionunits.findings.codes.read import read as read_codes
from actionunits.findings.codes.stretches import conditions
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
        ``events_per_minute``.

    Raises:
        DataError: the trials name videos, of which none is in the table.
    """
    by = [*KEY] if trials is None else [*KEY, "condition"]
    places = pd.DataFrame({"row": np.arange(len(frames.rows))})
    if trials is not None:
        places = _within(frames.rows.assign(row=places["row"]), "timestamp", trials)
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


def read_trials(path: Path, tier: str | None = None) -> pd.DataFrame:
    """Which condition holds from when to when.

    Args:
        path: CSV with ``start`` and ``end`` (seconds) and ``condition``; with ``input`` too, the
            video or its name without suffix, where not all videos have the same trials. Or a file
            of a coding program (`codes.read`), whose labels are conditions.
        tier: of a coding program, the tier or behaviour to take, see `conditions`.

    Raises:
        DataError: it cannot be read, or has not these columns, or a time is none.
    """
    if path.suffix.lower() in SUFFIXES:
        return _of_program(path, tier)
    try:
        table = cells(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, DataError):  # lines of a program before the names of its columns
        return _of_program(path, tier)
    if missing := [name for name in _WINDOW if name not in table]:
        if read_codes(path) is not None:
            return _of_program(path, tier)
        raise DataError(
            f"{path}: expected the columns start, end and condition (and input where videos "
            f"differ), {', '.join(missing)} is missing; found {', '.join(map(str, table))}"
        )
    if tier is not None:
        raise DataError(f"{path}: has no tiers; --tier is for files of coding programs")
    for name in ("start", "end"):
        times = numbers(table[name])
        if times.isna().any():
            line = times.index[times.isna()][0]
            raise DataError(f"{path}:{line}: expected seconds in {name}, got {table[name][line]!r}")
        table[name] = times
    if (late := table.index[table["end"] <= table["start"]]).size:
        raise DataError(f"{path}:{late[0]}: the end is not after the start")
    return table[[*(["input"] if "input" in table else []), *_WINDOW]]


def _of_program(path: Path, tier: str | None) -> pd.DataFrame:
    found = read_codes(path)
    if found is None:
        raise DataError(f"{path}: expected a table of trials, or a file of a coding program")
    with naming(path):
        return conditions(found, tier)


def _within(rows: pd.DataFrame, time: str, trials: pd.DataFrame) -> pd.DataFrame:
    """Rows with the condition in which their time lies, once for each of them; start <= t < end."""
    if "input" in trials:
        stems = rows["input"].map(lambda name: Path(str(name)).stem)
        windows = trials.assign(_stem=trials["input"].map(lambda name: Path(str(name)).stem))
        if len(rows) and not stems.isin(windows["_stem"]).any():
            told, asked = (listed(list(dict.fromkeys(s))) for s in (stems, windows["_stem"]))
            raise DataError(
                f"the trials are of {asked}, the table is of {told}: no video is in both"
            )
        paired = rows.assign(_stem=stems).merge(windows.drop(columns="input"), on="_stem")
    else:
        paired = rows.merge(trials, how="cross")
    inside = (paired[time] >= paired["start"]) & (paired[time] < paired["end"])
    columns = [*rows.columns, "condition"]
    return paired.loc[inside, columns].reset_index(drop=True)
