"""Stretches of time with a label: what every coding program's file comes down to."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from actionunits.errors import DataError, counted
from actionunits.files.lists import numbers
from actionunits.findings.codes.names import parse
from actionunits.findings.frames import SUFFIXES
from actionunits.media import IMAGES, VIDEOS

COLUMNS = ["input", "who", "start", "end", "label", "value"]

_ENDINGS = IMAGES | VIDEOS | {*SUFFIXES}

_CLOCKS = (
    r"^(?P<h>\d+):(?P<m>\d{1,2}):(?P<s>\d{1,2})(?:[.,:;](?P<f>\d+))?$",
    r"^(?P<m>\d+):(?P<s>\d{1,2})(?:[.,](?P<f>\d+))?$",
)


class Stretches(NamedTuple):
    """What somebody coded.

    Attributes:
        rows: a row a stretch, by time: ``input`` (the video, None where the file does not say),
            ``who`` (subject or participant, or empty), ``start`` and ``end`` (seconds; equal for a
            point in time), ``label`` (tier, column or behaviour), ``value`` (what the annotation,
            cell or modifier says, or empty).
        labels: all that the file has, also those without a stretch.
        tiers: whether labels are tiers, whose values say what was seen (ELAN, Praat, Datavyu);
            else they are behaviours, and values are modifiers of them (BORIS, The Observer).
        notes: what could not be read, in sentences.
        videos: that were coded, also those without a stretch.
    """

    rows: pd.DataFrame
    labels: tuple[str, ...]
    tiers: bool
    notes: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()


def stretches(
    rows: pd.DataFrame,
    labels: Iterable[str],
    *,
    tiers: bool,
    notes: Iterable[str] = (),
    videos: Iterable[str] = (),
) -> Stretches:
    """Put rows in order; those without times are left out, and counted in a note.

    Args:
        rows: see `Stretches`, of which ``input``, ``who`` and ``value`` may be missing.
        labels: in addition to those of the rows.
        tiers: see `Stretches`.
        notes: see `Stretches`.
        videos: in addition to those of the rows.
    """
    rows = rows.reindex(columns=COLUMNS).astype({"start": float, "end": float, "input": object})
    rows["input"] = rows["input"].where(rows["input"].notna(), None)
    for name in ("who", "label", "value"):
        rows[name] = rows[name].astype(object).fillna("").astype(str).str.strip()
    rows = rows[rows["label"] != ""]
    told = list(notes)
    timed = rows["start"].notna() & rows["end"].notna()
    if (~timed).any():
        told.append(f"{counted(int((~timed).sum()), 'event')} without times left out")
    early = timed & (rows["end"] < rows["start"])
    if early.any():
        told.append(f"{counted(int(early.sum()), 'event')} left out, with the end before the start")
    rows = rows[timed & ~early].sort_values(["start", "end"], kind="stable", ignore_index=True)
    found = dict.fromkeys([*(text.strip() for text in labels), *rows["label"]])
    seen = dict.fromkeys([*videos, *rows["input"].dropna()])
    return Stretches(rows, tuple(filter(None, found)), tiers, tuple(told), tuple(seen))


def seconds(cells: pd.Series) -> pd.Series:
    """Times as people's programs write them, in seconds; NaN for what is none.

    >>> seconds(pd.Series(["1.5", "2,25", "00:01:02.500", "0:07", "00:00:01:040", "soon"])).tolist()
    [1.5, 2.25, 62.5, 7.0, 1.04, nan]
    """
    cells = cells.astype("str").str.strip()
    found = numbers(cells)
    for clock in _CLOCKS:
        parts = cells.str.extract(clock)
        part = {name: pd.to_numeric(parts[name]).astype(float) for name in parts if name != "f"}
        rest = pd.to_numeric("0." + parts["f"].fillna("0"), errors="coerce").astype(float)
        hours = part.get("h", 0.0)
        found = found.fillna(hours * 3600 + part["m"] * 60 + part["s"] + rest)
    return found


def paired(path: Path, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Make stretches of rows that each say that something starts or stops.

    Args:
        path: of the file, for errors.
        rows: in the file's order: ``time``, ``state`` (``start``, ``stop``, ``point``, or empty for
            a behaviour whose rows start and stop in turn), ``input``, ``who``, ``label``,
            ``value``.

    Returns:
        Rows of `Stretches`; the value is that of the start. And notes on starts without a stop,
        which are left out.

    Raises:
        DataError: a state is none of these.
    """
    known = {"start", "stop", "point", ""}
    if strange := sorted(set(rows["state"]) - known):
        raise DataError(f"{path}: expected events that start, stop or are points, got {strange[0]}")
    points = rows[rows["state"] == "point"]
    points = points.assign(start=points["time"], end=points["time"])
    states = rows[rows["state"] != "point"].reset_index(drop=True)
    states = states[states["time"].notna()]
    # a stop and the next start of one behaviour at one time: the stop comes first
    states = states.assign(
        _rank=states["state"].map({"stop": 0}).fillna(1), _input=states["input"].fillna("")
    )
    of = ["_input", "who", "label"]
    states = states.sort_values([*of, "time", "_rank"], kind="stable", ignore_index=True)
    turn = states.groupby(of).cumcount() % 2
    stated = states["state"].where(states["state"] != "", np.where(turn == 0, "start", "stop"))
    group = states.groupby(of)
    ends = (
        group["time"].shift(-1).where(stated.groupby([states[k] for k in of]).shift(-1) == "stop")
    )
    begun = stated == "start"
    found = states.assign(start=states["time"], end=ends)[begun & ends.notna()]
    notes = []
    if lost := int((begun & ends.isna()).sum()):
        which = states.loc[begun & ends.isna(), "label"].iloc[0]
        notes.append(f"{counted(lost, 'start')} without a stop left out, the first of {which}")
    return pd.concat([points, found], ignore_index=True), notes


def media(name: str) -> str:
    """Name of a video in a path or URL of any system, with its folders away.

    >>> media("file:///C:/My%20films/p01.mp4"), media("player #1:/data/p02.mov")
    ('p01.mp4', 'p02.mov')
    """
    from urllib.parse import unquote

    name = unquote(name) if name.startswith("file:") else name
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def stem(name: object) -> str:
    """By what tables, codes and lines of lists are known to be of one video.

    That is its name without folders, and without its suffix, which has to be one of a video,
    picture or table: a name such as ``p01.before`` has none. A letter with an accent is the same
    as the letter and the accent by themselves, as which macOS hands out names. Empty for no name.

    >>> stem("films/Müller.mp4") == stem("Mu\u0308ller"), stem("p01.before")
    (True, 'p01.before')
    """
    whole = Path("" if name is None or name != name else media(str(name)))
    has_ending = whole.suffix.lower() in _ENDINGS
    return unicodedata.normalize("NFC", whole.stem if has_ending else whole.name)


def conditions(found: Stretches, tier: str | None = None) -> pd.DataFrame:
    """Stretches as conditions, such as the trials of an experiment.

    Args:
        found: of a file.
        tier: take those of this label alone; None takes all but those called ``AU12`` and so on.

    Returns:
        ``start``, ``end`` (seconds) and ``condition``: of tiers the value, after the name of its
        tier where there are several; else the label. And ``input``, where the file says it. Points
        in time are left out.

    Raises:
        DataError: there is no such tier, or nothing is left.
    """
    rows = found.rows
    if tier is None:
        rows = rows[[parse(label, bare=False) is None for label in rows["label"]]]
    else:
        if tier not in found.labels:
            raise DataError(f"expected a tier {tier}, found {', '.join(found.labels) or 'none'}")
        rows = rows[rows["label"] == tier]
    rows = rows[rows["end"] > rows["start"]]
    if rows.empty:
        raise DataError("expected stretches of time with a label, found none")
    named = rows["label"]
    if found.tiers:
        many = rows["label"].nunique() > 1
        long = rows["label"] + " " + rows["value"] if many else rows["value"]
        named = long.where(rows["value"] != "", rows["label"])
    told = rows[["start", "end"]].assign(condition=named)
    return told.assign(input=rows["input"]) if rows["input"].notna().all() else told


def face(who: str) -> float:
    """Number of the face that a subject's name tells, NaN where it tells none.

    >>> face("face 2"), face("Nina")
    (2.0, nan)
    """
    number = who.lower().removeprefix("face ").strip()
    return float(number) if who.lower().startswith("face ") and number.isdigit() else np.nan
