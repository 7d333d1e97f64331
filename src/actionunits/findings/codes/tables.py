"""Lists of events as text: exports of ELAN, BORIS, Datavyu and The Observer XT, and plain ones.

The program is known by its columns, in whichever language of separators and encodings: comma,
semicolon or tab, decimal point or comma, UTF-8, UTF-16 or Windows-1252. Lines before the names of
the columns, as ELAN and BORIS write them, are passed over.
"""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from actionunits.errors import DataError
from actionunits.files.lists import separator
from actionunits.findings.codes import columns
from actionunits.findings.codes.stretches import Stretches, seconds, stretches

_HEAD = 60  # lines in which the names of the columns are looked for
_CLOCK = re.compile(r"\d+:\d{2}:\d{2}[.,:]\d+")
_POINT = re.compile(r"\d+[.,]\d+")
_WHOLE = re.compile(r"\d+")
_ENDS = ("start", "end")


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
            if program.columns({name.lower() for name in names}):
                return program.read(path, _table(path, lines[place:], names))
    return _without_names(path, lines)


def _names(line: str) -> list[str]:
    cells = next(csv.reader([line], delimiter=separator(line)), [])
    return [cell.strip().strip('"') for cell in cells]


def _table(path: Path, lines: list[str], written: list[str]) -> pd.DataFrame:
    names = [name.lower() for name in written]
    cells = csv.reader(lines[1:], delimiter=separator(lines[0]), skipinitialspace=True)
    try:
        rows = [(row + [""] * len(names))[: len(names)] for row in cells]
    except csv.Error as error:
        raise DataError(f"{path}: expected a table of events: {error}") from error
    table = pd.DataFrame(rows, columns=range(len(names)), dtype=str)
    first = [place for place, name in enumerate(names) if name not in names[:place]]
    table = table[first].set_axis([names[place] for place in first], axis=1)
    table = table[(table != "").any(axis=1)].reset_index(drop=True)
    table.attrs["written"] = dict(zip(map(str.lower, written), written, strict=True))
    return table


def _ours(names: set[str]) -> bool:
    return {"au", "onset", "offset", "apex"} <= names


_PROGRAMS = (
    _Program(lambda names: {"behavior", "start (s)", "stop (s)"} <= names, columns.boris),
    _Program(
        lambda names: {"behavior", "time"} <= names and bool(names & {"status", "behavior type"}),
        columns.boris_events,
    ),
    _Program(
        lambda names: (
            {"behavior", "event_type"} <= names
            and any(name.startswith("time_relative") for name in names)
        ),
        columns.observer,
    ),
    _Program(lambda names: any(name.startswith("begin time - ") for name in names), columns.elan),
    _Program(_ours, columns.plain),
    _Program(
        lambda names: any(
            n.removesuffix("onset") + "offset" in names for n in names if "onset" in n
        ),
        columns.datavyu,
    ),
    _Program(
        lambda names: {"start", "end"} <= names and bool(names & set(columns.LABELS)), columns.plain
    ),
)


def _without_names(path: Path, lines: list[str]) -> Stretches | None:
    """ELAN's tab-delimited text without names: tier, participant, times, annotation."""
    rows = [line.split("\t") for line in lines if line.count("\t") >= 3]
    if not rows or len({len(row) for row in rows}) > 1:
        return None
    table = pd.DataFrame(rows)
    for form, scale in ((_CLOCK, 1), (_POINT, 1), (_WHOLE, 1000)):
        times = [c for c in range(len(table.columns)) if table[c].str.fullmatch(form.pattern).all()]
        if len(times) >= 2:
            ends = {end: seconds(table[c]) / scale for end, c in zip(_ENDS, times, strict=False)}
            who = table[1] if times[0] > 1 else ""
            told = pd.DataFrame(ends).assign(
                who=who, label=table[0], value=table[len(table.columns) - 1]
            )
            return stretches(told, [], tiers=True)
    return None
