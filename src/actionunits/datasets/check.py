"""What a data set holds beside what is known of it: is it whole, and which published list is it?"""

import math
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from actionunits.aus import ALL, AUSet
from actionunits.data.splits import parts
from actionunits.datasets.facts import Facts, known
from actionunits.datasets.playable import playable
from actionunits.datasets.raw import RawTable
from actionunits.errors import DataError, counted
from actionunits.types import FOLDS

_TOLERANCE = 1e-5  # of class weights: they are published with six decimals
_NAMED = 5  # subjects or sequences that a sentence names
_SHOWN = 12  # lines of what is left out that the terminal shows

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


class LeftOut(BaseModel):
    """Frames that are listed and cannot be used: the fields of `Excluded`."""

    model_config = ConfigDict(frozen=True)

    what: str
    frames: int
    reason: str


class Check(BaseModel):
    """What a data set holds."""

    model_config = ConfigDict(frozen=True)

    name: str
    root: str
    subjects: int
    sequences: int
    """Pairs of subject and task."""
    frames: int
    parts: list[int]
    """Frames of parts 1 to 3; empty where there can be no folds."""
    aus: tuple[int, ...]
    """All that are coded: A of them."""
    coded: list[int]
    """(A,) frames in which an AU is coded."""
    rates: list[Number]
    """(A,) share of those frames in which it occurs."""
    fold_rates: list[list[list[Number]]]
    """(3, 2, A) the same of training and test rows of each fold; empty without folds."""
    weights: list[list[Number]]
    """(3, A) class weights of the training rows of each fold; NaN outside the usual protocol."""
    excluded: list[LeftOut]
    differences: list[str]
    """Sentences on what is not as published."""
    matches: str
    """Name of the published list that it is, ``full`` or ``filtered``; empty if it is none."""
    remarks: list[str]
    """Sentences on what it can be used for."""

    def to_json(self) -> str:
        """JSON text that `Check.model_validate_json` reads back; NaN is null there."""
        return self.model_dump_json(indent=1) + "\n"

    def to_table(self) -> Group:
        """Tables and sentences for the terminal, 80 columns wide."""
        shown: list[Table | Text] = [self._rates()]
        if self.excluded:
            shown.append(self._left_out())
        for sentence in [*self.differences, *self.remarks]:
            shown.append(Text(f"{sentence[0].upper()}{sentence[1:]}."))
        return Group(*shown)

    def _rates(self) -> Table:
        title = f"{self.name}: {counted(self.subjects, 'subject')}, "
        title += f"{counted(self.sequences, 'sequence')}, {counted(self.frames, 'frame')}"
        caption = "all: share of the coded frames in which the AU occurs"
        headings = ["AU", "coded", "all"]
        if self.parts:
            title += f"\nparts 1 to 3: {', '.join(f'{count:,}' for count in self.parts)} frames"
            caption += "; fold: of training | test rows; w: class weights of training rows"
            headings += [f"fold {fold}" for fold in range(1, FOLDS + 1)]
            headings += [f"w {fold}" for fold in range(1, FOLDS + 1)]
        table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for place, au in enumerate(self.aus):
            cells = [str(au), str(self.coded[place]), _cell(self.rates[place])]
            cells += [f"{_cell(a[place])}|{_cell(b[place])}" for a, b in self.fold_rates]
            cells += [_cell(weights[place]) for weights in self.weights]
            table.add_row(*cells)
        return table

    def _left_out(self) -> Table:
        counts = [each.frames for each in self.excluded]
        some = "" if all(counts) else "at least "
        title = f"left out: {some}{counted(sum(counts), 'frame')}" if any(counts) else "left out"
        table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("what", no_wrap=True)
        table.add_column("frames", justify="right")
        table.add_column("reason", overflow="fold")
        for each in self.excluded[:_SHOWN]:
            table.add_row(each.what, str(each.frames or ""), each.reason)
        more = len(self.excluded) - _SHOWN
        if more > 0:
            table.add_row(f"and {more} more", "", "--json lists all")
        return table


def check(table: RawTable) -> Check:
    """Count what a data set holds and compare it with what is known of it.

    Raises:
        DataError: none of its pictures and videos can be opened.
    """
    table = playable(table)
    facts = known().get(table.name)
    counts = table.rows.groupby(["subject", "task"]).size()
    occurrence = _occurrence(table)
    aus = AUSet.of(au.number for au in ALL if au.column in occurrence)
    labels = occurrence.to_numpy()
    remarks = [facts.note] if facts and facts.note else []
    try:
        part = parts(table.rows)
    except DataError as error:
        sizes, fold_rates, weights = [], np.zeros((0, 2, len(aus))), np.zeros((0, len(aus)))
        remarks.append(f"there can be no subject-exclusive folds: {error}")
    else:
        tests = [part == FOLDS + 1 - fold for fold in range(1, FOLDS + 1)]
        sizes = [int((part == number).sum()) for number in range(1, FOLDS + 1)]
        fold_rates = np.array([[_rates(labels[~test]), _rates(labels[test])] for test in tests])
        usual = np.isin(aus.numbers, facts.aus) if facts else np.ones(len(aus), bool)
        weights = np.where(usual, _weights(np.where(usual, fold_rates[:, 0], np.inf)), np.nan)
    if facts:
        matches, differences = _compare(counts, facts, aus, weights)
    else:
        matches, differences = "", []
        remarks.append(f"there are no published figures of {table.name} to compare with")
    if facts and matches:
        agree = "frames and class weights" if matches == "full" else "frames of each subject"
        used_by = facts.lists[matches].used_by
        remarks.insert(0, f"{agree} are those of the published {matches} list ({used_by})")
    return Check(
        name=table.name,
        root=str(table.root),
        subjects=counts.index.get_level_values("subject").nunique(),
        sequences=len(counts),
        frames=len(table),
        parts=sizes,
        aus=aus.numbers,
        coded=np.isfinite(labels).sum(0).tolist(),
        rates=_rates(labels).tolist(),
        fold_rates=fold_rates.tolist(),
        weights=weights.tolist(),
        excluded=[LeftOut(what=e.what, frames=e.frames, reason=e.reason) for e in table.excluded],
        differences=differences,
        matches=matches,
        remarks=remarks,
    )


def _occurrence(table: RawTable) -> pd.DataFrame:
    """Columns such as ``AU04`` of 0, 1 and NaN, of all AUs whose occurrence can be told."""
    columns = {}
    for au in ALL:
        if table.occurrence and au in table.occurrence.aus:
            columns[au.column] = table.rows[au.column]
        elif table.intensity and au in table.intensity.aus:
            levels = np.floor(table.rows[f"{au.column}_intensity"] + 0.5)
            columns[au.column] = (levels >= table.threshold).astype(float).mask(levels.isna())
    return pd.DataFrame(columns)


def _rates(labels: np.ndarray) -> np.ndarray:
    """Share of 1 among the coded labels of each column: (A,), NaN where none is."""
    coded = np.isfinite(labels).sum(0)
    rates: np.ndarray = np.nansum(labels, 0) / np.where(coded, coded, np.nan)
    return rates


def _weights(rates: np.ndarray) -> np.ndarray:
    """Class weights of rates (3, A); NaN in a fold that lacks positives of an AU."""
    inverse = 1 / np.where(rates > 0, rates, np.nan)
    total = inverse.sum(1, keepdims=True)
    weights: np.ndarray = inverse / total * np.isfinite(rates).sum(1, keepdims=True)
    return weights


def _compare(
    frames: "pd.Series[int]", facts: Facts, aus: AUSet, weights: np.ndarray
) -> tuple[str, list[str]]:
    """Compare the frames of each subject and task, and the class weights, with the known ones.

    Returns:
        The name of the published list that a table is, empty if it is none, and sentences on what
        is not as published.
    """
    said = []
    counts = frames.groupby("subject").sum()
    subjects, sequences = set(counts.index), set(frames.index)
    if gone := max(0, facts.people - len(subjects)):
        absent = sorted(facts.frames.keys() - subjects)
        said.append(
            f"{gone} of {facts.people} subjects {'is' if gone == 1 else 'are'} missing"
            + (f": {_some(absent)}" if absent else "")
        )
    absent = sorted(f"{s}/{t}" for s in subjects for t in facts.tasks if (s, t) not in sequences)
    if absent:
        are = "is" if len(absent) == 1 else "are"
        said.append(
            f"{counted(len(absent), 'sequence')} of these subjects {are} missing: {_some(absent)}"
        )
    uncoded = [f"AU{number}" for number in facts.aus if number not in aus.numbers]
    if uncoded:
        said.append(f"{', '.join(uncoded)} of the usual protocol are not coded")
    if not facts.lists:
        return "", said
    for name in facts.lists:
        if counts.to_dict() == facts.frames_of(name):
            if name == "full" and not uncoded:
                said += _relabelled(facts, aus, weights)
            return "" if said else name, said
    return "", [*said, *_recounted(facts, counts)]


def _relabelled(facts: Facts, aus: AUSet, weights: np.ndarray) -> list[str]:
    """Say where class weights are not those of the full list, though the frames are."""
    own = weights[:, [aus.index(number) for number in facts.aus]]
    published = np.array(facts.weights)
    wrong = ~(abs(own - published) <= _TOLERANCE)
    if not wrong.any():
        return []
    fold, place = np.argwhere(wrong)[0]
    return [
        f"the frames are those of the full list, the labels are not: {wrong.sum()} of {wrong.size} "
        f"class weights differ, the first is AU{facts.aus[place]}'s in fold {fold + 1}, "
        f"{own[fold, place]:.6f} instead of {published[fold, place]:.6f}"
    ]


def _recounted(facts: Facts, counts: "pd.Series[int]") -> list[str]:
    """Say how the frames of each subject differ from those of the full list."""
    full = pd.Series(facts.frames)
    difference = (counts - full).dropna().astype(int)
    difference = difference[difference != 0]
    total = f"{counted(counts.sum(), 'frame')} are none of the published lists: " + ", ".join(
        f"{sum(facts.frames_of(name).values()):,} in the {name} one ({listed.used_by})"
        for name, listed in facts.lists.items()
    )
    if difference.empty:
        return [total]
    order = difference.abs().sort_values(ascending=False, kind="stable").index
    each = [f"{subject} {difference[subject]:+,}" for subject in order]
    differ = f"{counted(len(each), 'subject')} {'differs' if len(each) == 1 else 'differ'}"
    return [total, f"against the full list {differ}: {_some(each)}"]


def _some(names: list[str]) -> str:
    """Return the first few, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _cell(value: float) -> str:
    """Three decimals, a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.3f}"
