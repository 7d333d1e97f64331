"""Two groups, or two conditions, side by side: what each person shows, and how they differ.

The unit is a person, or a file where nobody says whose it is; never a frame, of which a film has
thousands that hang together. People who are in both groups are compared with themselves.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from actionunits.errors import DataError, UserError, counted
from actionunits.files.lists import columns, filled
from actionunits.files.names import listed
from actionunits.findings.codes.stretches import stem
from actionunits.findings.summary import summary
from actionunits.report.data import File
from actionunits.report.effects import hedges, hedges_paired

MEASURES = ("mean", "present")
"""What is compared of each AU: its mean strength, and the share of frames in which it occurs."""


class Comparison(NamedTuple):
    """Two groups.

    Attributes:
        names: of the groups.
        units: files or persons of each, by name.
        paired: whether the units of the two are the same.
        table: a row a measure and AU: ``measure``, ``AU``; of each group, ``_1`` and ``_2``, ``n``,
            ``mean`` and ``sd`` over its units; ``g``, and its interval of 95 %, ``low`` and
            ``high``; ``low_all`` and ``high_all``, intervals of which with 95 % all hold their
            effects together (Bonferroni).
        graded: whether strength is an intensity.
        warnings: sentences.
    """

    names: tuple[str, str]
    units: tuple[list[str], list[str]]
    paired: bool
    table: pd.DataFrame
    graded: bool
    warnings: list[str]


def read_groups(path: Path) -> pd.DataFrame:
    """Which file belongs to which group.

    Args:
        path: CSV with ``input``, a video or its name without suffix, and ``group``, of which there
            are two; with ``person`` where several files are of one, and ``face_id`` where it is
            not the face seen longest that counts.

    Returns:
        Those columns as text.

    Raises:
        DataError: it cannot be read, has not these columns, a cell is empty, a file is there twice,
            or there are not two groups.
    """
    table = filled(path, columns(path, "input", "group", optional=("person", "face_id")))
    if "face_id" in table:
        wrong = table[~table["face_id"].str.fullmatch(r"\d+")]
        if len(wrong):
            raise DataError(
                f"{path}:{wrong.index[0]}: expected the number of a face in face_id, got "
                f"{wrong['face_id'].iloc[0]!r}"
            )
    twice = table[table.duplicated("input")]
    if len(twice):
        raise DataError(
            f"{path}:{twice.index[0]}: {twice['input'].iloc[0]} is there twice; a file counts once"
        )
    names = list(table["group"].unique())
    if len(names) != 2:
        raise DataError(
            f"{path}: expected two groups, found {len(names)}: {listed(names, 8)}; keep the lines "
            "of two"
        )
    return table


def assigned(files: Sequence[File], table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Units of each file by a table of groups.

    Args:
        files: that were read.
        table: see `read_groups`.

    Returns:
        a row a file that has a group: ``file`` (position), ``group``, ``unit``, ``face_id`` (-1:
        the one seen longest); and sentences on what fits nowhere.

    Raises:
        UserError: a group has none of the files.
    """
    names = list(table["input"])
    by_name = {name: line for line, name in reversed(list(enumerate(names)))}
    by_stem = {stem(name): line for name, line in reversed(by_name.items())}
    rows, unknown, used = [], [], dict[int, str]()
    for position, file in enumerate(files):
        source = Path(file.source)
        line = by_name.get(file.source, by_name.get(source.name, by_stem.get(stem(source))))
        if line is None:
            unknown.append(file.name)
            continue
        used[line] = file.name
        row = table.iloc[line]
        rows.append((position, row["group"], row.get("person", file.name), row.get("face_id", -1)))
    unused = [name for line, name in enumerate(names) if line not in used]
    for name in unused:
        for line, file_name in used.items():
            alike = {stem(each) for each in (name, names[line])}
            if len(alike) == 1 and alike & {name, names[line]}:  # one has no suffix
                raise UserError(
                    f"groups: {name} and {names[line]} are both {file_name}, which counts once; "
                    "leave one of them out"
                )
    warnings = []
    if unknown:
        warnings.append(
            f"{counted(len(unknown), 'file')} in no group, and in no comparison: {listed(unknown)}."
        )
    if unused:
        warnings.append(
            f"{counted(len(unused), 'line')} of the table of groups without a file: "
            f"{listed(unused)}."
        )
    found = pd.DataFrame(rows, columns=["file", "group", "unit", "face_id"])
    if absent := [name for name in table["group"].unique() if name not in set(found["group"])]:
        wanted = list(table.loc[table["group"].isin(absent), "input"])
        raise UserError(
            f"groups: nothing was read of {' and '.join(absent)}, which is {listed(wanted)}; the "
            f"files are {listed([file.name for file in files], 8)}"
        )
    return found, warnings


def conditions(
    files: Sequence[File], trials: pd.DataFrame, *, gap: float, shortest: float
) -> tuple[list[File], pd.DataFrame, list[str]]:
    """Files taken apart by the two conditions of their trials.

    Args:
        files: that were read.
        trials: see `findings.summary.read_trials`.
        gap: of events, see `findings.events`.
        shortest: of events.

    Returns:
        each file once for each condition, with the summary of that condition alone; their groups
        and units, as `assigned` has them; and sentences on what fits nowhere.

    Raises:
        UserError: there are not two conditions, or the trials name none of the files.
    """
    names = list(dict.fromkeys(trials["condition"]))
    if len(names) != 2:
        raise UserError(
            f"trials: expected two conditions to compare, found {len(names)}: {listed(names, 8)}; "
            "keep the lines of two"
        )
    asked = None if "input" not in trials else {stem(name) for name in trials["input"]}
    chosen = [file for file in files if asked is None or stem(file.source) in asked]
    if not chosen:
        raise UserError(
            f"trials: they are of {listed(sorted(asked or ()))}, which nothing was read of; the "
            f"files are {listed([file.name for file in files], 8)}"
        )
    told = [summary(file.frames, trials, gap=gap, shortest=shortest) for file in chosen]
    parts = [
        file._replace(summary=table[(table["condition"] == name) & (table["frames"] > 0)])
        for name in names
        for file, table in zip(chosen, told, strict=True)
    ]
    members = pd.DataFrame({"file": range(len(parts)), "group": np.repeat(names, len(chosen))})
    members = members.assign(unit=[part.name for part in parts], face_id=-1)
    return parts, members, _unpaired(files, chosen, asked or set())


def _unpaired(files: Sequence[File], chosen: Sequence[File], asked: set[str]) -> list[str]:
    """Sentences on files without trials, and on trials without a file."""
    known = {stem(file.source) for file in files}
    told = []
    if len(chosen) < len(files):
        alone = [file.name for file in files if stem(file.source) not in asked]
        told.append(f"{counted(len(alone), 'file')} without trials, left out: {listed(alone)}.")
    if unread := sorted(asked - known):
        told.append(f"Trials without a file: {listed(unread)}.")
    return told


def compare(files: Sequence[File], members: pd.DataFrame) -> Comparison:
    """Compare two groups AU by AU; if people are in both, people with themselves.

    Args:
        files: that were read.
        members: see `assigned`.

    Raises:
        UserError: some tables have intensities and others not; some people are in both groups and
            more are in one; or a face is in none of the frames of its file.
    """
    first, second = dict.fromkeys(members["group"])
    kinds = {files[i].frames.graded for i in members["file"] if len(files[i].summary)}
    if len(kinds) > 1:
        raise UserError(
            "groups: some tables have intensities and others probabilities alone, which cannot be "
            "compared; give tables of one kind"
        )
    units, warnings = _units(files, members)
    named = [list(units.loc[units["group"] == name, "unit"].unique()) for name in (first, second)]
    shared = [unit for unit in named[0] if unit in named[1]]
    alone = [unit for unit in [*named[0], *named[1]] if unit not in shared]
    if shared and len(alone) > len(shared):
        raise UserError(
            f"groups: {listed(shared)} in both groups, and {counted(len(alone), 'other')} in one; "
            "put everybody into both, to compare people with themselves, or nobody"
        )
    if shared and alone:
        warnings.append(f"Seen in one of the two alone, and left out: {listed(alone)}.")
    sides = named if not shared else [shared, shared]
    values = units.pivot(index=["group", "unit"], columns="AU", values=list(MEASURES))
    pair = [
        values.loc[[(name, unit) for unit in side]]
        for name, side in zip((first, second), sides, strict=True)
    ]
    return Comparison(
        (first, second),
        (sides[0], sides[1]),
        bool(shared),
        _compared(pair[0], pair[1], paired=bool(shared)),
        kinds == {True},
        warnings,
    )


def _units(files: Sequence[File], members: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Mean and share of each AU of each unit, over the frames of all its files."""
    parts = []
    nobody, others, stills = dict[str, None](), dict[str, None](), dict[str, None]()
    wanted_of = members[["file", "group", "unit", "face_id"]]
    for position, group, unit, wanted in wanted_of.itertuples(index=False):
        file, chosen = files[int(position)], int(wanted)
        if not file.faces:
            nobody[file.name] = None
            continue
        face = chosen if chosen >= 0 else file.faces[0]
        if face not in file.faces:
            raise UserError(
                f"groups: {file.name} has no face {face}; it has "
                f"{', '.join(map(str, sorted(file.faces)))}"
            )
        if chosen < 0 and len(file.faces) > 1:
            others[file.name] = None
        if not file.step:
            stills[file.name] = None
        own = file.summary[file.summary["face_id"] == face]
        parts.append(own.assign(group=group, unit=unit))
    if not parts:
        raise UserError("groups: no face was read in any of the files; there is nothing to compare")
    rows = pd.concat(parts, ignore_index=True)
    for measure in MEASURES:
        rows[measure] *= rows["frames"]
    weight = {name: rows["frames"].where(rows[name].notna()) for name in MEASURES}
    keys = ["group", "unit", "AU"]
    rows = rows.assign(**{f"{name}_frames": frames for name, frames in weight.items()})
    sums = rows.groupby(keys, sort=False)[[*MEASURES, *(f"{n}_frames" for n in MEASURES)]].sum(
        min_count=1
    )
    for measure in MEASURES:
        sums[measure] /= sums[f"{measure}_frames"]
    warnings = []
    if nobody:
        warnings.append(f"No face was read in {listed(nobody)}, left out.")
    if stills and any(files[position].step for position in members["file"]):
        warnings.append(
            f"Photographs count like videos, and an AU occurs in all of one or in nothing of it: "
            f"{listed(stills)}."
        )
    if others:
        warnings.append(
            f"{counted(len(others), 'file')} with several faces, of which the one seen longest "
            f"counts: {listed(others)}. Cuts give a person new numbers; a column face_id in a "
            "table of groups says which face counts."
        )
    return sums[list(MEASURES)].reset_index(), warnings


def _compared(first: pd.DataFrame, second: pd.DataFrame, *, paired: bool) -> pd.DataFrame:
    """A row a measure and AU, of tables of a row a unit and a column a measure and AU."""
    one, two = (side.to_numpy(float) for side in (first, second))
    if paired:  # who has one value alone has no difference
        known = np.isfinite(one) & np.isfinite(two)
        one, two = (np.where(known, side, np.nan) for side in (one, two))
    measured = hedges_paired if paired else hedges
    effect = measured(one, two)
    told = max(int(np.isfinite(effect.g).sum()), 1)
    together = measured(one, two, 1 - 0.05 / told)
    columns: dict[str, Any] = {
        "measure": first.columns.get_level_values(0),
        "AU": first.columns.get_level_values("AU"),
    }
    for position, group in enumerate((one, two), start=1):
        frame = pd.DataFrame(group)
        columns |= {
            f"n_{position}": frame.notna().sum().to_numpy(),
            f"mean_{position}": frame.mean().to_numpy(),
            f"sd_{position}": frame.std().to_numpy(),
        }
    ends = {"low_all": together.low, "high_all": together.high}
    return pd.DataFrame({**columns, **effect._asdict(), **ends})
