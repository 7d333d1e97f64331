"""How like configurations of AUs a face is, and the sum of those of PSPI."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from actionunits.errors import UserError
from actionunits.files.names import listed
from actionunits.findings.events import events
from actionunits.findings.frames import Frames
from actionunits.findings.prototypes import Configuration
from actionunits.findings.summary import summary

PSPI = "PSPI"
"""Name of Prkachin and Solomon's sum in tables, beside those of configurations."""

_BLINK = "AU45"  # comes and goes in every face, and is part of no configuration
_TERMS = ((4,), (6, 7), (9, 10), (43,))  # of PSPI


class Likeness(NamedTuple):
    """How like configurations faces are.

    Attributes:
        frames: of the rows that were given, a column a configuration: ``present`` where all of it
            occurs, ``strength`` its likeness, 0 to 1.
        lacking: by notation of a configuration that is not told, the AUs that the table lacks; and
            likewise those that it lacks of alternatives, of which it has another.
    """

    frames: Frames
    lacking: dict[str, list[int]]


def likeness(frames: Frames, configurations: list[Configuration]) -> Likeness:
    """Compare faces with configurations by the index of Jaccard (1912) of what occurs.

    A configuration of S parts, of which s occur (of alternatives, any), is like a face that shows o
    other AUs by s / (S + o): 1 if all of it occurs and nothing else, 0 if nothing of it does. More
    of it never lowers the likeness, more of anything else never raises it. Strength does not
    matter, and blinks (AU45) are not counted. AUs that the table lacks cannot be counted; a
    configuration that lacks a part is not told.

    Args:
        frames: of any faces.
        configurations: each once.

    Returns:
        NaN where an AU of a configuration is not known.
    """
    shown = frames.present
    lacking: dict[str, list[int]] = {}
    complete, alike = {}, {}
    counted = shown.drop(columns=_BLINK, errors="ignore")
    for one in configurations:
        have = [[f"AU{n:02d}" for n in part if f"AU{n:02d}" in counted] for part in one.parts]
        if gone := [n for part in one.parts for n in part if f"AU{n:02d}" not in counted]:
            lacking[one.notation] = gone
        if not all(have):
            continue
        own = [au for part in have for au in part]
        parts = np.stack([counted[part].max(axis=1) for part in have])
        others = counted.drop(columns=own).sum(axis=1)
        known = counted[own].notna().all(axis=1)
        alike[one.notation] = pd.Series(parts.sum(0) / (len(have) + others)).where(known)
        complete[one.notation] = pd.Series(parts.min(0)).where(known)
    present = pd.DataFrame(complete, index=shown.index)
    return Likeness(
        Frames(frames.rows, present, pd.DataFrame(alike, index=shown.index), False), lacking
    )


def pspi(frames: Frames) -> Likeness:
    """The pain intensity of Prkachin and Solomon (2008), 0 to 16.

    It is AU4 + the stronger of AU6 and AU7 + the stronger of AU9 and AU10, of intensities 0 to 5, +
    1 where AU43 occurs. Terms that the table lacks are left out, which lowers the most that it can
    be; a table without intensities has none.

    Returns:
        One column, `PSPI`: where it is above 0, and its value.
    """
    terms = []
    gone = [n for term in _TERMS for n in term if f"AU{n:02d}" not in frames.strength]
    for term in _TERMS:
        have = [f"AU{n:02d}" for n in term if f"AU{n:02d}" in frames.strength]
        source = frames.present if term == (43,) else frames.strength
        if have:
            terms.append(source[have].max(axis=1).where(source[have].notna().all(axis=1)))
    tell = frames.graded and len(terms) > 0
    total = sum(terms) if tell else pd.Series(np.nan, frames.rows.index)
    value = pd.DataFrame({PSPI: total}, dtype=float)
    present = value.gt(0).astype(float).where(value.notna())
    columns = [PSPI] if tell else []
    lacking = {PSPI: gone} if gone and tell else {}
    return Likeness(Frames(frames.rows, present[columns], value[columns], False), lacking)


class Compared(NamedTuple):
    """What `au prototypes` tells.

    Attributes:
        summary: a row a face, condition if there are trials, and configuration: ``configuration``
            (its notation and name), ``complete`` (share of the frames in which all of it occurs),
            ``mean``, ``sd`` and ``peak`` of the likeness, ``events`` of it being complete, and
            ``source``; see `findings.summary`. And `PSPI`, whose mean, SD and peak are on 0 to 16.
        frames: a row a face and frame, a column a configuration: its likeness; and `PSPI`.
        events: of configurations that are complete, see `findings.events`.
        notes: what the table lacks, in sentences.
    """

    summary: pd.DataFrame
    frames: pd.DataFrame
    events: pd.DataFrame
    notes: list[str]


def compared(
    frames: Frames,
    configurations: list[Configuration],
    trials: pd.DataFrame | None = None,
    *,
    gap: float = 0.2,
    shortest: float = 0.1,
) -> Compared:
    """Compare faces with configurations, and sum up.

    Args:
        frames: of any faces.
        configurations: see `likeness`.
        trials: see `findings.summary`.
        gap: of events, see `events`.
        shortest: of events.

    Raises:
        UserError: nothing can be told of the table.
    """
    alike, pain = likeness(frames, configurations), pspi(frames)
    parts = [
        summary(one.frames, trials, gap=gap, shortest=shortest)
        for one in (alike, pain)
        if len(one.frames.present.columns)
    ]
    if not parts:
        raise UserError("the table lacks an AU of each of the configurations")
    told = pd.concat(parts, ignore_index=True).astype({"events": "Int64"})
    told = told.rename(columns={"AU": "configuration", "present": "complete"})
    a_sum = told["configuration"] == PSPI  # which is of degree, and has no whole
    told.loc[a_sum, ["complete", "events", "events_per_minute"]] = pd.NA
    named = {one.notation: f"{one.notation}, {one.name}" for one in configurations if one.name}
    named[PSPI] = f"{PSPI}, 0 to 16"
    sources = {one.notation: one.source for one in configurations}
    told["source"] = told["configuration"].map(sources).fillna("")
    told["configuration"] = told["configuration"].replace(named)
    values = pd.concat([alike.frames.strength, pain.frames.strength], axis=1)
    columns = ["input", "face_id", "timestamp", "frame"]
    found = events(alike.frames, gap=gap, shortest=shortest).rename(columns={"AU": "configuration"})
    return Compared(
        told, pd.concat([frames.rows[columns], values], axis=1), found, _notes(alike, pain)
    )


def _notes(alike: Likeness, pain: Likeness) -> list[str]:
    notes = []
    lacking = {name: aus for name, aus in alike.lacking.items() if name not in alike.frames.present}
    if lacking:
        aus = sorted({au for each in lacking.values() for au in each})
        numbers = ", ".join(map(str, aus))
        notes.append(f"not told, since the table lacks AU {numbers}: {listed(list(lacking))}")
    if fewer := [name for name in alike.lacking if name not in lacking]:
        notes.append(f"told by the alternatives that the table has: {listed(fewer)}")
    if gone := pain.lacking.get(PSPI):
        notes.append(f"{PSPI} is without AU {', '.join(map(str, gone))}, which the table lacks")
    return notes
