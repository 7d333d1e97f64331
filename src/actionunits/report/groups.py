"""Two groups side by side: what each file or person shows, and how the groups differ.

The unit is a person, or a file where nobody says whose it is; never a frame, of which a film has
thousands that hang together.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from actionunits.errors import DataError, UserError, counted
from actionunits.files.lists import columns, filled
from actionunits.files.names import listed
from actionunits.report.data import File

MEASURES = ("mean", "present")
"""What is compared of each AU: its mean strength, and the share of frames in which it occurs."""


class Effect(NamedTuple):
    """Hedges' g of A variables; positive where the first group has more.

    Attributes:
        g: (A,), NaN where a group has fewer than two values, or nothing varies.
        low: (A,) lower end of its 95 % confidence interval.
        high: (A,) upper end.
    """

    g: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Comparison(NamedTuple):
    """Two groups.

    Attributes:
        names: of the groups.
        units: files or persons of each, by name.
        table: a row a measure and AU: ``measure``, ``AU``; of each group, ``_1`` and ``_2``, ``n``,
            ``mean`` and ``sd`` over its units; ``g``, ``low``, ``high``.
        graded: whether strength is an intensity.
        warnings: sentences.
    """

    names: tuple[str, str]
    units: tuple[list[str], list[str]]
    table: pd.DataFrame
    graded: bool
    warnings: list[str]


def hedges(first: NDArray[np.float64], second: NDArray[np.float64]) -> Effect:
    r"""Difference of two means in standard deviations, without the bias of small samples.

    With the pooled standard deviation s, :math:`d = (\bar x_1 - \bar x_2) / s` and
    :math:`g = J d`, :math:`J = \Gamma(m/2) / (\sqrt{m/2}\,\Gamma((m-1)/2))`, m = n1 + n2 - 2
    (Hedges 1981, equations 6d and 6e). The interval is exact for normal values of equal variance:
    the noncentralities of t between which the t that was found is not improbable (Steiger and
    Fouladi 1997; Cumming and Finch 2001), times :math:`J \sqrt{1/n_1 + 1/n_2}`.

    Args:
        first: (N1, A) values of the units of the first group, NaN where there is none.
        second: (N2, A).
    """
    from scipy.special import gammaln, nctdtrinc  # which pages without groups do without

    n1, n2 = (np.isfinite(group).sum(axis=0) for group in (first, second))
    enough = (n1 > 1) & (n2 > 1)
    sums = [np.nansum(group, axis=0) for group in (first, second)]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean1, mean2 = sums[0] / n1, sums[1] / n2
        squares = np.nansum((first - mean1) ** 2, axis=0) + np.nansum((second - mean2) ** 2, axis=0)
        freedom = np.where(enough, n1 + n2 - 2, 2).astype(float)
        pooled = np.sqrt(squares / freedom)
        # what only differs by rounding does not vary
        varies = enough & (pooled > 1e-9 * np.maximum(np.abs(mean1), np.abs(mean2)))
        d = np.where(varies, (mean1 - mean2) / pooled, np.nan)
        width = np.sqrt(1 / n1 + 1 / n2)
    correction = np.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / np.sqrt(freedom / 2)
    ends = [
        np.where(varies, nctdtrinc(freedom, p, np.where(varies, d / width, 0.0)), np.nan)
        for p in (0.975, 0.025)
    ]
    return Effect(correction * d, *(correction * width * end for end in ends))


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
    if (number := table["group"].nunique()) != 2:
        raise DataError(f"{path}: expected two groups, found {number}; keep the lines of two")
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
    by_name = {name: line for line, name in reversed(list(enumerate(table["input"])))}
    by_stem = {Path(name).stem: line for name, line in reversed(by_name.items())}
    rows, unknown, used = [], [], set[int]()
    for position, file in enumerate(files):
        source = Path(file.source)
        line = by_name.get(file.source, by_name.get(source.name, by_stem.get(source.stem)))
        if line is None:
            unknown.append(file.name)
            continue
        used.add(line)
        row = table.iloc[line]
        rows.append((position, row["group"], row.get("person", file.name), row.get("face_id", -1)))
    unused = [name for line, name in enumerate(table["input"]) if line not in used]
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
        raise UserError(
            f"groups: {' and '.join(absent)} has none of the files that were read; in input give "
            "the names of videos as their tables have them, with or without suffix"
        )
    return found, warnings


def compare(files: Sequence[File], members: pd.DataFrame) -> Comparison:
    """Compare two groups AU by AU.

    Args:
        files: that were read.
        members: see `assigned`.

    Raises:
        UserError: some tables have intensities and others not; a person is in both groups; or a
            face is in none of the frames of its file.
    """
    names = tuple(dict.fromkeys(members["group"]))
    kinds = {files[i].frames.graded for i in members["file"] if len(files[i].summary)}
    if len(kinds) > 1:
        raise UserError(
            "groups: some tables have intensities and others probabilities alone, which cannot be "
            "compared; give tables of one kind"
        )
    both = members.groupby("unit")["group"].nunique()
    if torn := list(both.index[both > 1]):
        raise UserError(
            f"groups: {listed(torn)} in both groups, which must be of different people; "
            "leave one of the two out"
        )
    units, warnings = _units(files, members)
    values = units.set_index(["group", "unit", "AU"])
    tables = [_compared(measure, values[measure].unstack("AU"), names) for measure in MEASURES]
    named = [list(units.loc[units["group"] == name, "unit"].unique()) for name in names]
    return Comparison(
        (names[0], names[1]),
        (named[0], named[1]),
        pd.concat(tables, ignore_index=True),
        kinds == {True},
        warnings,
    )


def _units(files: Sequence[File], members: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Mean and share of each AU of each unit, over the frames of all its files."""
    parts, nobody, others = [], [], []
    wanted_of = members[["file", "group", "unit", "face_id"]]
    for position, group, unit, wanted in wanted_of.itertuples(index=False):
        file, chosen = files[int(position)], int(wanted)
        if not file.faces:
            nobody.append(file.name)
            continue
        face = chosen if chosen >= 0 else file.faces[0]
        if face not in file.faces:
            raise UserError(
                f"groups: {file.name} has no face {face}; it has "
                f"{', '.join(map(str, sorted(file.faces)))}"
            )
        if chosen < 0 and len(file.faces) > 1:
            others.append(file.name)
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
    if others:
        warnings.append(
            f"{counted(len(others), 'file')} with several faces, of which the one seen longest "
            f"counts: {listed(others)}. Cuts give a person new numbers; a column face_id in the "
            "table of groups says which face counts."
        )
    return sums[list(MEASURES)].reset_index(), warnings


def _compared(measure: str, values: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A row an AU."""
    groups = [
        values[values.index.get_level_values("group") == name].to_numpy(float) for name in names
    ]
    effect = hedges(groups[0], groups[1])
    told: dict[str, Any] = {"measure": measure, "AU": list(values.columns)}
    for position, group in enumerate(groups, start=1):
        frame = pd.DataFrame(group)
        told |= {
            f"n_{position}": frame.notna().sum().to_numpy(),
            f"mean_{position}": frame.mean().to_numpy(),
            f"sd_{position}": frame.std().to_numpy(),
        }
    return pd.DataFrame({**told, **effect._asdict()})
