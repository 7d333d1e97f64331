"""Lists of events as text: exports of ELAN, BORIS, Datavyu and The Observer XT, and plain ones.

The program is known by its columns, in whichever language of separators and encodings: comma,
semicolon or tab, decimal point or comma, UTF-8, UTF-16 or Windows-1252. Lines before the names of
the columns, as ELAN and BORIS write them, are passed over.
"""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from actionunits.errors import DataError, brief
from actionunits.files.lists import separator
from actionunits.findings.codes.stretches import Stretches, media, paired, seconds, stretches

_HEAD = 60  # lines in which the names of the columns are looked for
_CLOCK = re.compile(r"\d+:\d{2}:\d{2}[.,:]\d+")
_POINT = re.compile(r"\d+[.,]\d+")
_WHOLE = re.compile(r"\d+")
_ENDS = ("start", "end")

_LABELS = ("code", "au", "label", "behavior", "behaviour", "event", "condition", "annotation")
_VALUES = ("intensity", "value", "modifier", "modifiers")
_VIDEOS = ("input", "video", "media", "file", "media file name", "media file", "observation id")
_PEOPLE = ("subject", "participant", "who", "face_id", "face")


class _Program(NamedTuple):
    """What a program writes, and who reads it."""

    columns: Callable[[set[str]], bool]
    read: Callable[[Path, pd.DataFrame], Stretches]


def read(path: Path, text: str) -> Stretches | None:
    """Read a list of events; None if its columns are of no program that is known.

    Args:
        path: of the file, for errors.
        text: of the file.

    Raises:
        DataError: the columns are known, and the rest is not what it should be.
    """
    lines = text.splitlines()
    for place, line in enumerate(lines[:_HEAD]):
        names = _names(line)
        for program in _PROGRAMS:
            if program.columns(set(names)):
                return program.read(path, _table(path, lines[place:], names))
    return _without_names(path, lines)


def _names(line: str) -> list[str]:
    cells = next(csv.reader([line], delimiter=separator(line)), [])
    return [cell.strip().strip('"').lower() for cell in cells]


def _table(path: Path, lines: list[str], names: list[str]) -> pd.DataFrame:
    twice = {name for name in names if name and names.count(name) > 1}
    try:
        table = pd.read_csv(
            io.StringIO("\n".join(lines[1:])),
            sep=separator(lines[0]),
            header=None,
            names=range(len(names)),
            index_col=False,
            dtype=str,
            skipinitialspace=True,
            keep_default_na=False,
        )
    except ValueError as error:  # pandas' own errors are ValueErrors
        raise DataError(f"{path}: expected a table of events: {brief(error)}") from error
    if twice:
        first = [place for place, name in enumerate(names) if name not in names[:place]]
        table, names = table[first], [names[place] for place in first]
    table = table.fillna("").set_axis(names, axis=1)
    return table[(table != "").any(axis=1)].reset_index(drop=True)


def _one(table: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    """The first of these columns that there is, else empty cells."""
    found = [name for name in names if name in table]
    return table[found[0]] if found else pd.Series("", table.index)


def _video(table: pd.DataFrame, names: tuple[str, ...] = _VIDEOS) -> pd.Series:
    found = _one(table, names)
    named = found.map(media).astype(object)
    return named.where(found != "", None)


def _modifiers(table: pd.DataFrame, start: str) -> pd.Series:
    """All modifiers of a row, with blanks between them."""
    cells = table[[name for name in table if name.startswith(start)]]
    kept = cells.where(~cells.isin(["", "None", "NA", "nan"]), "")
    return kept.agg(" ".join, axis=1).str.split().str.join(" ") if len(cells.columns) else ""


def _boris(path: Path, table: pd.DataFrame) -> Stretches:
    """BORIS's aggregated events: a row a stretch; points have equal ends."""
    rows = pd.DataFrame(
        {
            **{
                "input": _video(table, _VIDEOS[4:]),
                "who": _nobody(table),
                "label": table["behavior"],
            },
            **{"start": seconds(table["start (s)"]), "end": seconds(table["stop (s)"])},
            "value": _modifiers(table, "modifier"),
        }
    )
    rows["end"] = rows["end"].fillna(rows["start"])
    return stretches(rows, [], tiers=False)


def _boris_events(path: Path, table: pd.DataFrame) -> Stretches:
    """BORIS's tabular events: a row a start, stop or point."""
    state = _one(table, ("status", "behavior type")).str.lower()
    rows = pd.DataFrame(
        {
            **{"input": _video(table, ("media file name", "media file path", "observation id"))},
            **{"who": _nobody(table), "label": table["behavior"], "time": seconds(table["time"])},
            **{"state": state, "value": _modifiers(table, "modifier")},
        }
    )
    found, notes = paired(path, rows)
    return stretches(found, rows["label"].unique(), tiers=False, notes=notes)


def _nobody(table: pd.DataFrame) -> pd.Series:
    return _one(table, ("subject",)).replace("No focal subject", "")


def _observer(path: Path, table: pd.DataFrame) -> Stretches:
    """The Observer XT's event list: a row a start, stop or point of a state."""
    clocks = ("time_relative_sf", "time_relative_hmsf", "time_relative_s", "time_relative_hms")
    kind = table["event_type"].str.lower()
    state = kind.str.extract(r"(start|stop|point)")[0].fillna(kind)
    rows = pd.DataFrame(
        {
            **{"input": _video(table, ("observation",)), "who": _one(table, ("subject",))},
            **{"label": table["behavior"], "time": seconds(_one(table, clocks)), "state": state},
            "value": _modifiers(table, "modifier"),
        }
    )
    found, notes = paired(path, rows[rows["label"] != ""])
    return stretches(found, rows["label"].unique(), tiers=False, notes=notes)


def _elan(path: Path, table: pd.DataFrame) -> Stretches:
    """ELAN's tab-delimited text: a tier in each row, or a column each."""

    def time(end: str) -> pd.Series:
        found = _one(table, (f"{end} time - ss.msec", f"{end} time - hh:mm:ss.ms"))
        whole = f"{end} time - msec"
        return seconds(table[whole]) / 1000 if whole in table else seconds(found)

    told = pd.DataFrame({"start": time("begin"), "end": time("end")})
    told["who"] = _one(table, ("participant",))
    rest = [name for name in table if " time - " not in name and "duration - " not in name]
    tiers = [
        n for n in rest if n not in ("tier", "participant", "annotation", "file path", "file", "")
    ]
    if "tier" in table:
        values = [name for name in ("annotation", "", *tiers) if name in table]
        value = table[values[0]] if values else ""
        return stretches(told.assign(label=table["tier"], value=value), [], tiers=True)
    parts = [told.assign(label=tier, value=table[tier])[table[tier] != ""] for tier in tiers]
    if not parts:
        raise DataError(f"{path}: expected a column tier, or one for each tier, beside the times")
    return stretches(pd.concat(parts, ignore_index=True), tiers, tiers=True)


def _datavyu(path: Path, table: pd.DataFrame) -> Stretches:
    """Datavyu's CSV: columns side by side, ``name.onset`` ..., in milliseconds or as clocks."""
    parts, labels = [], []
    for onset in [name for name in table if name == "onset" or name.endswith(".onset")]:
        name = onset.removesuffix("onset")
        label = name.removesuffix(".") or _one(table, ("column", "variable"))
        own = [c for c in table if c.startswith(name) and "." not in c.removeprefix(name)]
        codes = [c for c in own if c.removeprefix(name) not in _CELL]
        part = pd.DataFrame({"start": _cells(table[onset]), "end": _cells(table[f"{name}offset"])})
        value = table[codes].agg(" ".join, axis=1).str.strip() if codes else ""
        part = part.assign(label=label or path.stem, value=value)
        parts.append(part[table[onset] != ""])
        labels += [label] if isinstance(label, str) else list(label.unique())
    return stretches(pd.concat(parts, ignore_index=True), labels, tiers=True)


_CELL = {"ordinal", "onset", "offset", "file", "column", "variable"}


def _cells(times: pd.Series) -> pd.Series:
    clocks = times.str.contains(":")
    return seconds(times).where(clocks, seconds(times) / 1000)


def _plain(path: Path, table: pd.DataFrame) -> Stretches:
    """A list with ``start``, ``end`` and ``code``, or the events of ``au events``."""
    ends = ("onset", "offset") if "onset" in table else ("start", "end")
    rows = pd.DataFrame(
        {
            **{
                "input": _video(table),
                "label": _one(table, _LABELS),
                "value": _one(table, _VALUES),
            },
            **{"start": seconds(table[ends[0]]), "end": seconds(table[ends[1]])},
            "who": _one(table, _PEOPLE),
        }
    )
    if "face_id" in table or "face" in table:
        rows["who"] = "face " + rows["who"].str.replace(r"\.0$", "", regex=True)
    return stretches(rows, [], tiers=False)


def _ours(names: set[str]) -> bool:
    return {"au", "onset", "offset", "apex"} <= names


_PROGRAMS = (
    _Program(lambda names: {"behavior", "start (s)", "stop (s)"} <= names, _boris),
    _Program(
        lambda names: {"behavior", "time"} <= names and bool(names & {"status", "behavior type"}),
        _boris_events,
    ),
    _Program(
        lambda names: (
            {"behavior", "event_type"} <= names
            and any(name.startswith("time_relative") for name in names)
        ),
        _observer,
    ),
    _Program(lambda names: any(name.startswith("begin time - ") for name in names), _elan),
    _Program(_ours, _plain),
    _Program(
        lambda names: any(
            n.removesuffix("onset") + "offset" in names for n in names if "onset" in n
        ),
        _datavyu,
    ),
    _Program(lambda names: {"start", "end"} <= names and bool(names & set(_LABELS)), _plain),
)


def _without_names(path: Path, lines: list[str]) -> Stretches | None:
    """ELAN's tab-delimited text without names: tier, participant, times, annotation."""
    rows = [line.split("\t") for line in lines if line.count("\t") >= 3]
    if not rows or len({len(row) for row in rows}) > 1:
        return None
    table = pd.DataFrame(rows)
    for form, scale in ((_CLOCK, 1), (_POINT, 1), (_WHOLE, 1000)):
        times = [c for c in table if table[c].str.fullmatch(form.pattern).all()]
        if len(times) >= 2:
            ends = {end: seconds(table[c]) / scale for end, c in zip(_ENDS, times, strict=False)}
            who = table[1] if times[0] > 1 else ""
            told = pd.DataFrame(ends).assign(
                who=who, label=table[0], value=table[len(table.columns) - 1]
            )
            return stretches(told, [], tiers=True)
    return None
