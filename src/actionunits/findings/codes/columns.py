"""Which columns of a coding program's text mean what."""

import re
from pathlib import Path

import pandas as pd

from actionunits.errors import DataError
from actionunits.findings.codes.stretches import Stretches, media, paired, seconds, stretches

LABELS = ("code", "au", "label", "behavior", "behaviour", "event", "condition", "annotation")
"""Columns that may hold the label in a plain list."""
_VALUES = ("intensity", "value", "modifier", "modifiers")
_VIDEOS = ("input", "video", "media", "file", "media file name", "media file", "observation id")
_PEOPLE = ("subject", "participant", "who", "face_id", "face")
_ELANS = re.compile(r"^(tier|participant|annotation|file path|file|)$| time - |duration - ")
_CELL = {"ordinal", "onset", "offset", "file", "column", "variable"}


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
    cells = table[[name for name in map(str, table) if name.startswith(start)]]
    kept = cells.where(~cells.isin(["None", "NA", "nan"]), "")
    told = pd.Series("", table.index).str.cat(kept, sep=" ")
    return told.str.split().str.join(" ")


def boris(path: Path, table: pd.DataFrame) -> Stretches:
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


def boris_events(path: Path, table: pd.DataFrame) -> Stretches:
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


def observer(path: Path, table: pd.DataFrame) -> Stretches:
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


def elan(path: Path, table: pd.DataFrame) -> Stretches:
    """ELAN's tab-delimited text: a tier in each row, or a column each."""

    def time(end: str) -> pd.Series:
        found = _one(table, (f"{end} time - ss.msec", f"{end} time - hh:mm:ss.ms"))
        whole = f"{end} time - msec"
        return seconds(table[whole]) / 1000 if whole in table else seconds(found)

    told = pd.DataFrame({"start": time("begin"), "end": time("end")})
    told["who"] = _one(table, ("participant",))
    names = [name for name in map(str, table) if not _ELANS.search(name)]
    if "tier" in table:
        value = _one(table, ("annotation", "", *names))
        return stretches(told.assign(label=table["tier"], value=value), [], tiers=True)
    tiers = {name: table.attrs["written"][name] for name in names}
    parts = [
        told.assign(label=tier, value=table[name])[table[name] != ""]
        for name, tier in tiers.items()
    ]
    if not parts:
        raise DataError(f"{path}: expected a column tier, or one for each tier, beside the times")
    return stretches(pd.concat(parts, ignore_index=True), tiers.values(), tiers=True)


def datavyu(path: Path, table: pd.DataFrame) -> Stretches:
    """Datavyu's CSV: columns side by side, ``name.onset`` ..., in milliseconds or as clocks."""
    parts = []
    for onset in [n for n in map(str, table) if n == "onset" or n.endswith(".onset")]:
        start = onset.removesuffix("onset")
        own = {c: c.removeprefix(start) for c in map(str, table) if c.startswith(start)}
        codes = [c for c, code in own.items() if code not in _CELL and "." not in code]
        part = pd.DataFrame({"start": _cells(table[onset]), "end": _cells(table[f"{start}offset"])})
        written = table.attrs["written"][onset][: len(start)].removesuffix(".")
        label = pd.Series(written, table.index) if start else _one(table, ("column", "variable"))
        part["label"] = label.where(label != "", path.stem)
        part["value"] = pd.Series("", table.index).str.cat(table[codes], sep=" ").str.strip()
        parts.append(part[table[onset] != ""])
    named = [label for part in parts for label in part["label"].unique()]
    return stretches(pd.concat(parts, ignore_index=True), named, tiers=True)


def _cells(times: pd.Series) -> pd.Series:
    clocks = times.str.contains(":")
    return seconds(times).where(clocks, seconds(times) / 1000)


def plain(path: Path, table: pd.DataFrame) -> Stretches:
    """A list with ``start``, ``end`` and ``code``, or the events of ``au events``."""
    ends = ("onset", "offset") if "onset" in table else ("start", "end")
    rows = pd.DataFrame(
        {
            **{
                "input": _video(table),
                "label": _one(table, LABELS),
                "value": _one(table, _VALUES),
            },
            **{"start": seconds(table[ends[0]]), "end": seconds(table[ends[1]])},
            "who": _one(table, _PEOPLE),
        }
    )
    if "face_id" in table or "face" in table:
        rows["who"] = "face " + rows["who"].str.replace(r"\.0$", "", regex=True)
    return stretches(rows, [], tiers=False)
