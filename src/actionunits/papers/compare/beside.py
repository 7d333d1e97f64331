"""One run beside what its paper prints, or beside another run, and what keeps them apart."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from actionunits.aus import AUSet
from actionunits.datasets.facts import known
from actionunits.errors import RecipeError, counted
from actionunits.learn.grid import MEAN, SCALE
from actionunits.learn.metrics import interval
from actionunits.papers import published
from actionunits.papers.compare.measured import Measured
from actionunits.papers.published import PublishedTable, Row


@dataclass(frozen=True)
class Beside:
    """A run beside a reference: a printed row, another run, or nothing."""

    run: str
    reference: str | None
    """``SACL Table 5, Ours`` or the name of a run; None where nothing was published."""
    metric: str
    frame: pd.DataFrame
    """Rows `AUSet.columns` and `MEAN`; columns ``value``, ``low``, ``high`` of the run,
    ``reference``, ``difference`` and, between runs on the same subjects, ``difference_low`` and
    ``difference_high``; of F1 also ``always``, that of always saying present. In the units that
    papers print; NaN where unknown. Intervals are 95 %."""
    unlike: tuple[str, ...]
    """Why the two cannot be compared directly; none if they can."""
    remarks: tuple[str, ...] = ()
    """What else there is to know of the reference."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not known is None."""
        rows = {
            str(au): {str(k): None if math.isnan(v) else float(v) for k, v in line.items()}
            for au, line in self.frame.iterrows()
        }
        return {
            "run": self.run,
            "reference": self.reference,
            "unlike": list(self.unlike),
            "remarks": list(self.remarks),
            "rows": rows,
        }


def beside_paper(run: Measured, metric: str) -> Beside:
    """A run beside the row that its paper prints for it."""
    variant, data = run.variant, run.recipe.data.name
    found = published.of_run(str(variant), metric) if variant else None
    if found is None:
        why = f"no published {metric} of {variant or run.recipe.model.name + ' on ' + data}"
        if all(table.data != data for table in published.tables()):
            why = f"nothing published on {data}"
        return _alone(run, metric, why)
    table, row = found
    theirs = dict(zip(table.columns, row.values, strict=True))
    named = dict(zip(AUSet.of(run.aus).columns(), run.aus, strict=True))
    common = named if table.columns == (MEAN,) else {c: n for c, n in named.items() if c in theirs}
    if not common:
        why = f"no AU in common with {table.system} {table.source}"
        return _alone(run, metric, why)
    values = np.array([theirs.get(column, math.nan) for column in common])
    whole = len(common) >= len(table.columns) - 1  # else their average is of other AUs than ours
    printed = np.append(values, theirs[MEAN] if whole else np.nanmean(values))
    frame = _frame(run, printed, metric, tuple(common.values()))
    unlike = (
        *_settings_unlike(run, table, row),
        *_data_unlike(run),
        *_aus_unlike(run.aus, table),
        *_row_unlike(row),
    )
    remarks = tuple(text for text in (table.remark, row.note) if text)
    reference = f"{table.system} {table.source}, {row.method}"
    return Beside(run.name, reference, metric, frame, unlike, remarks)


def _alone(run: Measured, metric: str, why: str) -> Beside:
    """A run that nothing printed can be put beside."""
    unlike = (why, *_data_unlike(run))
    return Beside(run.name, None, metric, _frame(run, None, metric, run.aus), unlike)


def side_by_side(runs: Sequence[Measured], metric: str) -> tuple[Beside, ...]:
    """Runs over the AUs that all of them read, each beside the first; the first beside nothing.

    Raises:
        RecipeError: they have no AU in common.
    """
    first = runs[0]
    numbers = tuple(n for n in first.aus if all(n in run.aus for run in runs))
    if not numbers:
        sets = "; ".join(f"{run.folder} reads {', '.join(map(str, run.aus))}" for run in runs)
        raise RecipeError(f"expected runs that read the same AUs, found none in common: {sets}")
    alone = _frame(first, None, metric, numbers)
    pairs = [Beside(first.name, None, metric, alone, tuple(_cut(first, numbers)))]
    for run in runs[1:]:
        frame = _frame(run, alone["value"].to_numpy(), metric, numbers)
        if run.subjects == first.subjects:
            mine, theirs = _samples(run, metric, numbers), _samples(first, metric, numbers)
            if mine is not None and theirs is not None:
                ends = interval(mine - theirs).numpy() * SCALE[metric]
                frame["difference_low"], frame["difference_high"] = ends[:, 0], ends[:, 1]
        unlike = (*_cut(run, numbers), *_runs_unlike(run, first))
        pairs.append(Beside(run.name, first.name, metric, frame, unlike))
    return tuple(pairs)


def _frame(
    run: Measured, theirs: NDArray[np.float64] | None, metric: str, numbers: tuple[int, ...]
) -> pd.DataFrame:
    """The frame of `Beside`, over these AUs."""
    scale = SCALE[metric]
    chosen = [run.aus.index(number) for number in numbers]
    values = run.score(metric)[chosen]
    value = np.array([*values, _mean(values)]) * scale
    samples = _samples(run, metric, numbers)
    ends = np.full((len(value), 2), math.nan)
    if samples is not None:
        ends = interval(samples).numpy() * scale
    elif len(run.folds) == 1 and run.folds[0].scores[metric].intervals:
        ends[:-1] = np.array(run.folds[0].scores[metric].intervals)[chosen] * scale
        if numbers == run.aus:
            ends[-1] = np.array(run.folds[0].scores[metric].mean_interval) * scale
    reference = np.full(len(value), math.nan) if theirs is None else theirs
    frame = pd.DataFrame(
        {
            "value": value,
            "low": ends[:, 0],
            "high": ends[:, 1],
            "reference": reference,
            "difference": value - reference,
            "difference_low": math.nan,
            "difference_high": math.nan,
        },
        index=[*AUSet.of(numbers).columns(), MEAN],
    )
    if metric == "f1":
        always = run.always()[chosen]
        frame["always"] = np.array([*always, _mean(always)]) * scale
    return frame


def _mean(values: NDArray[np.float64]) -> float:
    """Of those that are known."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def _settings_unlike(run: Measured, table: PublishedTable, row: Row) -> Iterator[str]:
    recipe, protocol = run.recipe, table.protocol
    if len(run.folds) != protocol.folds:
        yield f"{counted(len(run.folds), 'fold')}, published: the mean of {protocol.folds}"
    if run.template != protocol.template:
        yield f"faces placed by the template {run.template}, published: {protocol.template}"
    threshold = protocol.threshold.get(table.data)
    if threshold is not None and run.occurs_from not in {None, threshold}:
        yield f"an AU occurs from intensity {run.occurs_from:g} on, published: {threshold:g}"
    if recipe.selection.rule == "best_on_test":
        yield f"epoch CHOSEN ON THE TEST SUBJECTS, published: {protocol.selection}"
    else:
        yield f"epoch by the rule {recipe.selection.rule!r}, published: {protocol.selection}"
    if recipe.init is None and row.pretraining not in {"none", "not stated"}:
        yield f"from random weights, published: from {row.pretraining}"
    if run.variant and run.variant.changed:
        yield f"other settings than {run.variant}: {', '.join(run.variant.changed)}"


def _data_unlike(run: Measured) -> Iterator[str]:
    """What holds of a data set, and of how it was prepared, whatever it is put beside."""
    facts = known().get(run.recipe.data.name)
    if facts is not None and facts.note:
        yield facts.note
    yield from _part(run)
    if run.found:
        yield f"landmarks of {run.found:,} of {run.frames:,} faces are what our own model found"
    if run.lost:
        yield f"{_lost(run)} frames were lost in preparation"


def _part(run: Measured) -> Iterator[str]:
    """How much of the data set was tested on, where that is not all of it."""
    facts = known().get(run.recipe.data.name)
    if facts is None:
        return
    lists = [sum(each.parts) for each in facts.lists.values()]
    if run.people >= facts.people and run.frames + run.lost >= min(lists, default=0):
        return
    frames = f"{run.frames:,} of {max(lists):,} frames" if lists else ""
    yield "tested on " + " and ".join(
        part for part in (f"{run.people} of {facts.people} people", frames) if part
    )


def _lost(run: Measured) -> str:
    return f"{run.lost:,} of {run.lost + run.frames:,}"


def _aus_unlike(aus: tuple[int, ...], table: PublishedTable) -> Iterator[str]:
    theirs = set(table.columns) - {MEAN}
    ours = set(AUSet.of(aus).columns())
    if theirs and ours != theirs:
        extra, lacking = sorted(ours - theirs), sorted(theirs - ours)
        parts = [f"without {', '.join(lacking)}"] * bool(lacking)
        parts += [f"also trained on {', '.join(extra)}"] * bool(extra)
        yield f"other AUs: {'; '.join(parts)}; means are of those in common"


def _row_unlike(row: Row) -> Iterator[str]:
    if row.note:
        yield f"the printed row contradicts itself: {row.note}"


def _cut(run: Measured, numbers: tuple[int, ...]) -> Iterator[str]:
    others = [str(number) for number in run.aus if number not in numbers]
    if others:
        yield f"also trained on AUs {', '.join(others)}, which others lack and means leave out"


def _runs_unlike(run: Measured, first: Measured) -> Iterator[str]:
    one, other = run.recipe, first.recipe
    if one.data.name != other.data.name:
        yield f"data set {one.data.name}, the first: {other.data.name}"
    elif run.subjects != first.subjects:
        yield f"other test subjects ({len(run.folds)} and {counted(len(first.folds), 'fold')})"
    elif run.frames != first.frames:
        yield f"tested on {counted(run.frames, 'frame')}, the first: {first.frames:,}"
    if run.template != first.template:
        yield f"faces placed by the template {run.template}, the first: {first.template}"
    if run.lost != first.lost:
        yield f"{_lost(run)} frames were lost in preparation, the first: {_lost(first)}"
    if run.labels and first.labels:
        if run.labels != first.labels:
            yield f"{run.labels}, the first: {first.labels.removeprefix('labels: ')}"
    elif one.data.threshold != other.data.threshold:
        yield f"threshold {one.data.threshold}, the first: {other.data.threshold}"
    if one.selection.rule != other.selection.rule:
        yield f"selection {one.selection.rule}, the first: {other.selection.rule}"
    if one.epochs != other.epochs:
        yield f"{counted(one.epochs, 'epoch')}, the first: {other.epochs}"


def _samples(run: Measured, metric: str, numbers: tuple[int, ...]) -> Tensor | None:
    """Resampled scores of these AUs and their mean, (R, A + 1)."""
    samples = run.samples(metric)
    if samples is None:
        return None
    chosen = samples[:, [run.aus.index(number) for number in numbers]]
    return torch.cat([chosen, chosen.nanmean(-1, keepdim=True)], -1)
